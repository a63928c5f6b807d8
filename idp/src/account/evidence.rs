//! The evidence of a review of access (R057): JSON Lines that can be written again at any time, byte for byte, and compared with the
//! digest of the day it was signed. People are named by id only: what a person may have erased is not in it.

use habilis_keys::token::file_digest_hex;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::db::Conn;
use crate::db::reviews::{self, Evidence, Review};
use crate::outcome::Outcome;

/// Lines read at a time.
const BATCH: u32 = 1000;

/// The signature under a review.
#[derive(Debug)]
pub struct Signature<'a> {
    /// Who.
    pub by: &'a str,
    /// When.
    pub at: Timestamp,
    /// What they declare.
    pub statement: &'a str,
}

/// The digest of the evidence, as 64 lower-case hexadecimal characters.
///
/// # Errors
/// The database failed.
pub async fn digest(c: &mut impl Conn, of: (&Review, &Signature<'_>)) -> Outcome<String> {
    Ok(file_digest_hex(text(c, of).await?.as_bytes()))
}

/// The whole text: some 300 bytes for a member.
///
/// # Errors
/// The database failed.
pub async fn text(c: &mut impl Conn, (review, signature): (&Review, &Signature<'_>)) -> Outcome<String> {
    // To the millisecond, as the database keeps it.
    let signed_at = Timestamp::from_millisecond(signature.at.as_millisecond())?;
    let head = json!({
        "review": review.id, "organization": review.organization_id, "opened_by": review.opened_by,
        "opened_at": Timestamp::from(review.opened_at).to_string(), "due_on": review.due_on, "signed_by": signature.by,
        "signed_at": signed_at.to_string(), "statement": signature.statement,
    });
    let mut text = format!("{head}\n");
    let mut last = String::new();
    loop {
        let rows = reviews::evidence(c, &review.id, (&last, BATCH)).await?;
        for row in &rows {
            text.push_str(&line(row).to_string());
            text.push('\n');
        }
        match rows.last() {
            Some(row) if rows.len() == BATCH as usize => last.clone_from(&row.person_id),
            _ => return Ok(text),
        }
    }
}

fn line(row: &Evidence) -> Value {
    let rights: Vec<&str> = row.rights.lines().collect();
    let signed_in_at = (row.signed_in_at.milliseconds() > 0).then(|| Timestamp::from(row.signed_in_at).to_string());
    json!({
        "person": row.person_id, "role": row.role, "affiliation": row.affiliation, "ends_on": row.ends_on, "rights": rights,
        "signed_in_at": signed_in_at, "decision": row.decision, "decided_by": row.decided_by,
        "decided_at": row.decided_at.map(|at| Timestamp::from(at).to_string()), "note": row.note,
    })
}
