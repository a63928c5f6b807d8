//! Documents that the operator asks an organization for: what they are, the letters about them, and the report (R013, R091).

use habilis_keys::token::file_digest_hex;
use habilis_policies::calendar;
use jiff::Timestamp;
use serde_json::json;

use crate::app::App;
use crate::db::document_requests::{self, DocumentRequest};
use crate::db::{Conn, Tx, members, organizations};
use crate::mail;
use crate::mail::documents::{DocumentLetter, Stage};
use crate::outcome::Outcome;

/// What the first bytes of a file say it is, among what is taken.
pub fn sniff(bytes: &[u8]) -> Option<&'static str> {
    let starts: [(&[u8], &str); 3] =
        [(b"%PDF-", "application/pdf"), (b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png")];
    starts.into_iter().find(|(start, _)| bytes.starts_with(start)).map(|(_, kind)| kind)
}

/// The letter about a request; none when the organization is gone.
///
/// # Errors
/// The database failed.
pub async fn letter(tx: &mut Tx, request: &DocumentRequest, stage: Stage) -> Outcome<Option<DocumentLetter>> {
    let Some(organization) = organizations::find(tx, &request.organization_id).await? else { return Ok(None) };
    Ok(Some(DocumentLetter {
        stage,
        organization: organization.name,
        title: request.title.clone(),
        wanted: request.wanted.clone(),
        due_on: request.due_on.parse()?,
        suspends: request.suspends,
        note: request.note.clone().filter(|_| matches!(stage, Stage::Refused | Stage::Accepted)),
    }))
}

/// Writes to the administrators in force. The caller commits.
///
/// # Errors
/// The database or the template failed.
pub async fn tell(tx: &mut Tx, app: &App, (request, stage): (&DocumentRequest, Stage), now: Timestamp) -> Outcome<()> {
    let Some(letter) = letter(tx, request, stage).await? else { return Ok(()) };
    let today = calendar::date_at(now).to_string();
    for person in members::administrators(tx, &request.organization_id, &today).await? {
        mail::write(tx, app, (&person, &letter), now).await?;
    }
    Ok(())
}

/// The report of a request that was settled, as JSON Lines: first the request, then each document by its digest. People are named by id
/// only, files not at all; it is the same, byte for byte, whenever it is written.
///
/// # Errors
/// The database failed.
pub async fn report(c: &mut impl Conn, request: &DocumentRequest) -> Outcome<String> {
    let at = |at: Option<crate::db::At>| at.map(|at| Timestamp::from(at).to_string());
    let head = json!({
        "request": request.id, "organization": request.organization_id, "campaign": request.campaign, "review": request.review_id,
        "title": request.title, "wanted": request.wanted, "due_on": request.due_on, "suspends": request.suspends,
        "requested_by": request.requested_by, "requested_at": at(Some(request.requested_at)), "answered_by": request.answered_by,
        "answered_at": at(request.answered_at), "answer": request.answer, "overdue_at": at(request.overdue_at),
        "suspension": request.measure_id, "refusals": request.refusals, "status": request.status, "decided_by": request.decided_by,
        "decided_at": at(request.decided_at), "note": request.note,
    });
    let mut text = format!("{head}\n");
    for document in document_requests::documents(c, &request.id).await? {
        let line = json!({
            "document": document.id, "media_type": document.media_type, "size": document.size_bytes, "sha256": document.sha256,
            "refusals_before": document.round, "uploaded_by": document.uploaded_by, "uploaded_at": at(Some(document.uploaded_at)),
        });
        text.push_str(&line.to_string());
        text.push('\n');
    }
    Ok(text)
}

/// Keeps the digest of the report of a request that was settled; gives it.
///
/// # Errors
/// The database failed.
pub async fn seal(tx: &mut Tx, request: &DocumentRequest) -> Outcome<String> {
    let sha256 = file_digest_hex(report(tx, request).await?.as_bytes());
    document_requests::seal(tx, &request.id, &sha256).await?;
    Ok(sha256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_its_first_bytes_say() {
        assert_eq!(sniff(b"%PDF-1.7\n"), Some("application/pdf"));
        assert_eq!(sniff(b"\xff\xd8\xff\xe0"), Some("image/jpeg"));
        assert_eq!(sniff(b"\x89PNG\r\n\x1a\nIHDR"), Some("image/png"));
        for other in [&b"<html>"[..], b"", b"PK\x03\x04", b"%PDX-"] {
            assert_eq!(sniff(other), None, "{other:?}");
        }
    }
}
