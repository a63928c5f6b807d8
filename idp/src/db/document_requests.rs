//! Documents that the operator asks organizations for (R013, R091).

use jiff::Timestamp;

use super::{At, Conn, Tx};

/// The columns of [`DocumentRequest`].
macro_rules! requests {
    ($rest:literal) => {
        concat!(
            "SELECT id, organization_id, campaign, review_id, title, wanted, due_on, due_since, suspends, breach, remedy, status, notice_at, overdue_at,
                    measure_id, requested_by, requested_at, answered_by, answered_at, answer, decided_by, decided_at, note, refusals, evidence_sha256
             FROM document_requests ",
            $rest
        )
    };
}

statements! {
    INSERT = "INSERT INTO document_requests (id, organization_id, campaign, review_id, title, wanted, due_on, due_since, suspends, breach, remedy,
                                             status, notice_at, requested_by, requested_at, refusals)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $11, $8, $9, $10, 'open', $11, $12, $11, 0)";
    FIND = (requests!("WHERE organization_id = $1 AND id = $2"));
    LIST = (requests!("WHERE organization_id = $1 AND (CAST($2 AS TEXT) IS NULL OR status = $2)
                         AND (requested_at < $3 OR (requested_at = $3 AND id < $4)) ORDER BY requested_at DESC, id DESC LIMIT $5"));
    EVERYWHERE = (requests!("WHERE (CAST($1 AS TEXT) IS NULL OR status = $1) AND (CAST($2 AS TEXT) IS NULL OR campaign = $2)
                               AND (requested_at < $3 OR (requested_at = $3 AND id < $4)) ORDER BY requested_at DESC, id DESC LIMIT $5"));
    ANSWER = "UPDATE document_requests SET status = 'answered', answered_by = $3, answered_at = $4, answer = $5, notice_at = NULL
              WHERE organization_id = $1 AND id = $2 AND status = 'open'";
    REOPEN = "UPDATE document_requests SET status = 'open', due_on = $3, due_since = $4, notice_at = $4, overdue_at = NULL, decided_by = $5, decided_at = $4,
                                           note = $6, refusals = refusals + 1
              WHERE organization_id = $1 AND id = $2 AND status = 'answered'";
    SETTLE = "UPDATE document_requests SET status = $3, decided_by = $4, decided_at = $5, note = $6, notice_at = NULL
              WHERE organization_id = $1 AND id = $2 AND status = $7";
    SEAL = "UPDATE document_requests SET evidence_sha256 = $2 WHERE id = $1";
    HOLD = "UPDATE document_requests SET status = status WHERE organization_id = $1 AND id = $2 AND status = $3";
    TO_NOTICE = (requests!("WHERE notice_at <= $1 AND (notice_at, id) > ($2, $3) ORDER BY notice_at, id LIMIT $4"));
    NOTICED = "UPDATE document_requests SET notice_at = $3 WHERE id = $1 AND notice_at = $2";
    WAITING = "SELECT COUNT(*), MIN(notice_at) FROM document_requests WHERE notice_at IS NOT NULL";
    OVERDUE = "UPDATE document_requests SET overdue_at = $2, measure_id = COALESCE($3, measure_id) WHERE id = $1 AND status = 'open'";
    ADD_DOCUMENT = "INSERT INTO request_documents (id, request_id, name, media_type, size_bytes, sha256, sealed, round, uploaded_by, uploaded_at)
                    VALUES ($1, $2, $3, $4, $5, $6, $7, (SELECT refusals FROM document_requests WHERE id = $2), $8, $9)";
    COUNT_DOCUMENTS = "SELECT COUNT(*), COALESCE(SUM(CASE WHEN d.round = r.refusals THEN 1 ELSE 0 END), 0)
                       FROM request_documents d JOIN document_requests r ON r.id = d.request_id WHERE d.request_id = $1";
    DOCUMENTS = "SELECT id, name, media_type, size_bytes, sha256, sealed IS NOT NULL AS kept, round, uploaded_by, uploaded_at
                 FROM request_documents WHERE request_id = $1 ORDER BY uploaded_at, id";
    DOCUMENT = "SELECT media_type, sealed FROM request_documents WHERE request_id = $1 AND id = $2";
    REMOVE_DOCUMENT = "DELETE FROM request_documents WHERE request_id = $1 AND id = $2
                       AND round = (SELECT refusals FROM document_requests WHERE id = $1)
                       RETURNING sha256";
    DROP_DOCUMENTS = "UPDATE request_documents SET sealed = NULL WHERE sealed IS NOT NULL AND uploaded_at < $1
                      AND request_id IN (SELECT id FROM document_requests WHERE COALESCE(decided_at, requested_at) < $1)";
    DROP_OF_ORGANIZATION = "UPDATE request_documents SET sealed = NULL WHERE sealed IS NOT NULL
                            AND request_id IN (SELECT id FROM document_requests WHERE organization_id = $1)";
    CANCEL_OF_ORGANIZATION = "UPDATE document_requests SET status = 'cancelled', decided_by = 'lifecycle', decided_at = $2, note = 'purged', notice_at = NULL
                              WHERE organization_id = $1 AND status IN ('open', 'answered')";
}

/// A request for documents.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct DocumentRequest {
    /// `drq_…`.
    pub id: String,
    /// Of whom.
    pub organization_id: String,
    /// A name that requests to many organizations share.
    pub campaign: Option<String>,
    /// The review of access opened with it.
    pub review_id: Option<String>,
    /// What it is called.
    pub title: String,
    /// Which documents.
    pub wanted: String,
    /// Last day, Paris.
    pub due_on: String,
    /// Since when that is the last day.
    pub due_since: At,
    /// Whether the organization is suspended when nobody answers.
    pub suspends: bool,
    /// What is said then was not respected.
    pub breach: String,
    /// What has to be done about it.
    pub remedy: String,
    /// `open`, `answered`, `accepted` or `cancelled`.
    pub status: String,
    /// When administrators are written to next.
    pub notice_at: Option<At>,
    /// When the last day had passed without an answer.
    pub overdue_at: Option<At>,
    /// The suspension.
    pub measure_id: Option<String>,
    /// The operator.
    pub requested_by: String,
    /// When.
    pub requested_at: At,
    /// Who answered last.
    pub answered_by: Option<String>,
    /// When.
    pub answered_at: Option<At>,
    /// With which words.
    pub answer: Option<String>,
    /// Who decided last.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<At>,
    /// What was said to it.
    pub note: Option<String>,
    /// How often the answer was refused.
    pub refusals: i64,
    /// SHA-256 of the report.
    pub evidence_sha256: Option<String>,
}

/// A request to make.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "as in DocumentRequest")]
pub struct NewRequest<'a> {
    pub id: &'a str,
    pub organization: &'a str,
    pub campaign: Option<&'a str>,
    pub review: Option<&'a str>,
    pub title: &'a str,
    pub wanted: &'a str,
    pub due_on: &'a str,
    pub suspends: bool,
    pub breach: &'a str,
    pub remedy: &'a str,
    pub by: &'a str,
}

/// What is known of a document.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct DocumentFacts {
    /// `doc_…`.
    pub id: String,
    /// Name of the file.
    pub name: String,
    /// Media type.
    pub media_type: String,
    /// Bytes.
    pub size_bytes: i64,
    /// SHA-256.
    pub sha256: String,
    /// Whether it can still be read.
    pub kept: bool,
    /// How often the answer had been refused before it.
    pub round: i64,
    /// Who uploaded it.
    pub uploaded_by: String,
    /// When.
    pub uploaded_at: At,
}

/// A document to keep.
#[derive(Debug)]
#[expect(missing_docs, reason = "as in DocumentFacts")]
pub struct NewDocument<'a> {
    pub id: &'a str,
    pub request: &'a str,
    pub name: &'a str,
    pub media_type: &'a str,
    pub size_bytes: i64,
    pub sha256: &'a str,
    pub sealed: &'a [u8],
    pub by: &'a str,
}

/// Opens a request.
///
/// # Errors
/// The engine failed.
pub async fn insert(tx: &mut Tx, new: &NewRequest<'_>, now: Timestamp) -> sqlx::Result<()> {
    sql!(
        tx,
        execute INSERT,
        new.id,
        new.organization,
        new.campaign,
        new.review,
        new.title,
        new.wanted,
        new.due_on,
        new.suspends,
        new.breach,
        new.remedy,
        At::from(now),
        new.by,
    )
    .map(drop)
}

/// A request of an organization.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, organization: &str, id: &str) -> sqlx::Result<Option<DocumentRequest>> {
    if id.contains('\0') {
        return Ok(None);
    }
    sql!(c, optional DocumentRequest: FIND, organization, id)
}

/// Those of an organization, newest first, from before the instant (milliseconds since 1970) and id of another, at most so many.
///
/// # Errors
/// The engine failed.
pub async fn list(
    c: &mut impl Conn,
    (organization, status): (&str, Option<&str>),
    (at, id, limit): (i64, &str, u32),
) -> sqlx::Result<Vec<DocumentRequest>> {
    sql!(c, all DocumentRequest: LIST, organization, status, at, id, i64::from(limit))
}

/// Those of all organizations, or of one campaign.
///
/// # Errors
/// The engine failed.
pub async fn everywhere(
    c: &mut impl Conn,
    (status, campaign): (Option<&str>, Option<&str>),
    (at, id, limit): (i64, &str, u32),
) -> sqlx::Result<Vec<DocumentRequest>> {
    sql!(c, all DocumentRequest: EVERYWHERE, status, campaign, at, id, i64::from(limit))
}

/// Takes a request that has a status, until the transaction ends; false when it has another by now.
///
/// # Errors
/// The engine failed.
pub async fn hold(tx: &mut Tx, (organization, id): (&str, &str), status: &str) -> sqlx::Result<bool> {
    sql!(tx, execute HOLD, organization, id, status).map(|rows| rows == 1)
}

/// Answers an open request; false when it is not open any more.
///
/// # Errors
/// The engine failed.
pub async fn answer(
    tx: &mut Tx,
    (organization, id): (&str, &str),
    (by, words): (&str, Option<&str>),
    now: Timestamp,
) -> sqlx::Result<bool> {
    sql!(tx, execute ANSWER, organization, id, by, At::from(now), words).map(|rows| rows == 1)
}

/// Refuses an answer: the request is open again until `due_on`; false when there is no answer.
///
/// # Errors
/// The engine failed.
pub async fn reopen(
    tx: &mut Tx,
    (organization, id): (&str, &str),
    (due_on, by, why): (&str, &str, &str),
    now: Timestamp,
) -> sqlx::Result<bool> {
    sql!(tx, execute REOPEN, organization, id, due_on, At::from(now), by, why).map(|rows| rows == 1)
}

/// Ends a request that has the status `from`; false when it has another by now.
///
/// # Errors
/// The engine failed.
pub async fn settle(
    tx: &mut Tx,
    (organization, id): (&str, &str),
    (from, to): (&str, &str),
    (by, note): (&str, Option<&str>),
    now: Timestamp,
) -> sqlx::Result<bool> {
    sql!(tx, execute SETTLE, organization, id, to, by, At::from(now), note, from).map(|rows| rows == 1)
}

/// Keeps the digest of the report.
///
/// # Errors
/// The engine failed.
pub async fn seal(tx: &mut Tx, id: &str, sha256: &str) -> sqlx::Result<()> {
    sql!(tx, execute SEAL, id, sha256).map(drop)
}

/// The open requests whose look has come, by look and id from behind a place, at most `limit`.
///
/// # Errors
/// The engine failed.
pub async fn to_notice(
    c: &mut impl Conn,
    until: Timestamp,
    (at, id): (At, &str),
    limit: u32,
) -> sqlx::Result<Vec<DocumentRequest>> {
    sql!(c, all DocumentRequest: TO_NOTICE, At::from(until), at, id, i64::from(limit))
}

/// Moves the next look; false when it was moved meanwhile.
///
/// # Errors
/// The engine failed.
pub async fn noticed(tx: &mut Tx, id: &str, (from, to): (At, Option<Timestamp>)) -> sqlx::Result<bool> {
    sql!(tx, execute NOTICED, id, from, to.map(At::from)).map(|rows| rows == 1)
}

/// How many wait, and the next look.
///
/// # Errors
/// The engine failed.
pub async fn waiting(c: &mut impl Conn) -> sqlx::Result<(i64, Option<At>)> {
    sql!(c, one (i64, Option<At>): WAITING)
}

/// The last day has passed; false when it was answered meanwhile.
///
/// # Errors
/// The engine failed.
pub async fn overdue(tx: &mut Tx, id: &str, measure: Option<&str>, now: Timestamp) -> sqlx::Result<bool> {
    sql!(tx, execute OVERDUE, id, At::from(now), measure).map(|rows| rows == 1)
}

/// Keeps a document.
///
/// # Errors
/// The engine failed.
pub async fn add_document(tx: &mut Tx, new: &NewDocument<'_>, now: Timestamp) -> sqlx::Result<()> {
    sql!(
        tx,
        execute ADD_DOCUMENT,
        new.id,
        new.request,
        new.name,
        new.media_type,
        new.size_bytes,
        new.sha256,
        new.sealed,
        new.by,
        At::from(now),
    )
    .map(drop)
}

/// How many documents a request has, and of them since it was refused last.
///
/// # Errors
/// The engine failed.
pub async fn count_documents(c: &mut impl Conn, request: &str) -> sqlx::Result<(i64, i64)> {
    sql!(c, one (i64, i64): COUNT_DOCUMENTS, request)
}

/// The documents of a request, the first first.
///
/// # Errors
/// The engine failed.
pub async fn documents(c: &mut impl Conn, request: &str) -> sqlx::Result<Vec<DocumentFacts>> {
    sql!(c, all DocumentFacts: DOCUMENTS, request)
}

/// A document, sealed, while it is kept.
///
/// # Errors
/// The engine failed.
pub async fn document(c: &mut impl Conn, request: &str, id: &str) -> sqlx::Result<Option<(String, Vec<u8>)>> {
    if id.contains('\0') {
        return Ok(None);
    }
    let found = sql!(c, optional (String, Option<Vec<u8>>): DOCUMENT, request, id)?;
    Ok(found.and_then(|(media_type, sealed)| Some((media_type, sealed?))))
}

/// Removes a document of the present round; gives its digest.
///
/// # Errors
/// The engine failed.
pub async fn remove_document(tx: &mut Tx, request: &str, id: &str) -> sqlx::Result<Option<String>> {
    if id.contains('\0') {
        return Ok(None);
    }
    Ok(sql!(tx, optional (String,): REMOVE_DOCUMENT, request, id)?.map(|(sha256,)| sha256))
}

/// Drops documents uploaded, and decided about, before `before`; what is known of them stays.
///
/// # Errors
/// The engine failed.
pub async fn drop_documents(tx: &mut Tx, before: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute DROP_DOCUMENTS, At::from(before))
}

/// Drops every document of an organization, and ends what it was asked for.
///
/// # Errors
/// The engine failed.
pub async fn drop_of_organization(tx: &mut Tx, organization: &str, now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute DROP_OF_ORGANIZATION, organization)?;
    sql!(tx, execute CANCEL_OF_ORGANIZATION, organization, At::from(now)).map(drop)
}
