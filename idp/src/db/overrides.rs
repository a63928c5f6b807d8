//! What the operator does about an administrator on an organization's written request (R054).

use jiff::Timestamp;

use super::{At, Conn, Tx};

/// The columns of [`Override`].
macro_rules! columns {
    () => {
        "id, organization_id, person_id, outcome, signed_by, capacity, verification, reason, document_type, document_size, document_sha256,
         document_sealed IS NOT NULL AS document_kept, status, requested_by, requested_at, decided_by, decided_at, note"
    };
}

statements! {
    INSERT = "INSERT INTO overrides (id, organization_id, person_id, outcome, signed_by, capacity, verification, reason, status, requested_by, requested_at)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'requested', $9, $10)";
    FIND = (concat!("SELECT ", columns!(), " FROM overrides WHERE organization_id = $1 AND id = $2"));
    LIST = (concat!("SELECT ", columns!(), " FROM overrides
            WHERE organization_id = $1 AND (CAST($2 AS TEXT) IS NULL OR status = $2) AND (requested_at < $3 OR (requested_at = $3 AND id < $4))
            ORDER BY requested_at DESC, id DESC LIMIT $5"));
    EVERYWHERE = (concat!("SELECT ", columns!(), " FROM overrides WHERE status = $1 AND (requested_at < $2 OR (requested_at = $2 AND id < $3))
                  ORDER BY requested_at DESC, id DESC LIMIT $4"));
    DOCUMENT = "SELECT document_type, document_sealed FROM overrides
                WHERE organization_id = $1 AND id = $2 AND document_sealed IS NOT NULL";
    SET_DOCUMENT = "UPDATE overrides SET document_type = $3, document_size = $4, document_sha256 = $5, document_sealed = $6
                    WHERE organization_id = $1 AND id = $2 AND status = 'requested' AND requested_by = $7";
    DECIDE = "UPDATE overrides SET status = $3, decided_by = $4, decided_at = $5, note = $6
              WHERE organization_id = $1 AND id = $2 AND status = 'requested'";
    TO_LAPSE = "SELECT id, organization_id, person_id, requested_at FROM overrides
                WHERE status = 'requested' AND requested_at <= $1 AND (requested_at, id) > ($2, $3) ORDER BY requested_at, id LIMIT $4";
    LAPSE = "UPDATE overrides SET status = 'expired', document_sealed = NULL WHERE id = $1 AND status = 'requested'";
    WAITING_TO_LAPSE = "SELECT COUNT(*), MIN(requested_at) FROM overrides WHERE status = 'requested'";
    DROP_DOCUMENTS = "UPDATE overrides SET document_sealed = NULL WHERE decided_at < $1 AND document_sealed IS NOT NULL";
}

/// An override, without its document.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Override {
    /// `ovr_…`.
    pub id: String,
    /// Where.
    pub organization_id: String,
    /// The person concerned.
    pub person_id: String,
    /// `administrator`, `member` or `removed`: what they are afterwards.
    pub outcome: String,
    /// Who signed the written request.
    pub signed_by: String,
    /// As what they signed.
    pub capacity: String,
    /// How their mandate was verified.
    pub verification: String,
    /// Why.
    pub reason: String,
    /// Media type.
    pub document_type: Option<String>,
    /// Bytes.
    pub document_size: Option<i64>,
    /// Lower-case hexadecimal.
    pub document_sha256: Option<String>,
    /// Whether the document itself is still here.
    pub document_kept: bool,
    /// `requested`, `done`, `declined`, `withdrawn` or `expired`.
    pub status: String,
    /// The operator who asks.
    pub requested_by: String,
    /// When.
    pub requested_at: At,
    /// The operator who decided.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<At>,
    /// What was said to it.
    pub note: Option<String>,
}

/// What an operator records.
#[derive(Debug)]
pub struct NewOverride<'a> {
    /// `ovr_…`.
    pub id: &'a str,
    /// Where.
    pub organization: &'a str,
    /// The person concerned.
    pub person: &'a str,
    /// See [`Override::outcome`].
    pub outcome: &'a str,
    /// Who signed, and as what.
    pub signed: (&'a str, &'a str),
    /// How the mandate was verified.
    pub verification: &'a str,
    /// Why.
    pub reason: &'a str,
    /// Who asks.
    pub by: &'a str,
}

/// The written request.
#[derive(Debug)]
pub struct Document<'a> {
    /// Media type.
    pub media_type: &'a str,
    /// Bytes.
    pub size: i64,
    /// Lower-case hexadecimal.
    pub sha256: &'a str,
    /// The document, sealed.
    pub sealed: &'a [u8],
}

/// Records what is asked for.
///
/// # Errors
/// The engine failed.
pub async fn insert(tx: &mut Tx, new: &NewOverride<'_>, now: Timestamp) -> sqlx::Result<()> {
    let (signed_by, capacity) = new.signed;
    sql!(
        tx,
        execute INSERT,
        new.id,
        new.organization,
        new.person,
        new.outcome,
        signed_by,
        capacity,
        new.verification,
        new.reason,
        new.by,
        At::from(now),
    )
    .map(drop)
}

/// The override `id` of `organization`.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, organization: &str, id: &str) -> sqlx::Result<Option<Override>> {
    if id.contains('\0') {
        return Ok(None);
    }
    sql!(c, optional Override: FIND, organization, id)
}

/// Those of `organization`, newest first, from before the instant (milliseconds since 1970) and id of another, at most so many.
///
/// # Errors
/// The engine failed.
pub async fn list(
    c: &mut impl Conn,
    (organization, status): (&str, Option<&str>),
    (at, id, limit): (i64, &str, u32),
) -> sqlx::Result<Vec<Override>> {
    sql!(c, all Override: LIST, organization, status, at, id, i64::from(limit))
}

/// Those of every organization with one status, as [`list`].
///
/// # Errors
/// The engine failed.
pub async fn everywhere(
    c: &mut impl Conn,
    status: &str,
    (at, id, limit): (i64, &str, u32),
) -> sqlx::Result<Vec<Override>> {
    sql!(c, all Override: EVERYWHERE, status, at, id, i64::from(limit))
}

/// The media type and the sealed text of a document that is still here.
///
/// # Errors
/// The engine failed.
pub async fn document(c: &mut impl Conn, organization: &str, id: &str) -> sqlx::Result<Option<(String, Vec<u8>)>> {
    if id.contains('\0') {
        return Ok(None);
    }
    sql!(c, optional (String, Vec<u8>): DOCUMENT, organization, id)
}

/// Puts the document to an override that waits; false when it does not, or another asked for it.
///
/// # Errors
/// The engine failed.
pub async fn set_document(
    tx: &mut Tx,
    (organization, id, by): (&str, &str, &str),
    document: &Document<'_>,
) -> sqlx::Result<bool> {
    let Document { media_type, size, sha256, sealed } = *document;
    let rows = sql!(tx, execute SET_DOCUMENT, organization, id, media_type, size, sha256, sealed, by)?;
    Ok(rows == 1)
}

/// Decides an override that waits; false when it does not any more.
///
/// # Errors
/// The engine failed.
pub async fn decide(
    tx: &mut Tx,
    (organization, id): (&str, &str),
    (to, by, note): (&str, &str, Option<&str>),
    now: Timestamp,
) -> sqlx::Result<bool> {
    sql!(tx, execute DECIDE, organization, id, to, by, At::from(now), note).map(|rows| rows == 1)
}

/// Drops the documents of those decided before `before`; says how many. The digest stays.
///
/// # Errors
/// The engine failed.
pub async fn drop_documents(tx: &mut Tx, before: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute DROP_DOCUMENTS, At::from(before))
}

/// An override that waits to be decided.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Waiting {
    /// `ovr_…`.
    pub id: String,
    /// Where.
    pub organization_id: String,
    /// The person concerned.
    pub person_id: String,
    /// When it was asked for.
    pub requested_at: At,
}

/// Those that wait since `since` or before, from behind a place, at most `limit`.
///
/// # Errors
/// The engine failed.
pub async fn to_lapse(
    c: &mut impl Conn,
    since: Timestamp,
    (at, id): (At, &str),
    limit: u32,
) -> sqlx::Result<Vec<Waiting>> {
    sql!(c, all Waiting: TO_LAPSE, At::from(since), at, id, i64::from(limit))
}

/// Lets one that waits lapse, with its document; false when it does not wait any more.
///
/// # Errors
/// The engine failed.
pub async fn lapse(tx: &mut Tx, id: &str) -> sqlx::Result<bool> {
    sql!(tx, execute LAPSE, id).map(|rows| rows == 1)
}

/// How many wait, and since when the first.
///
/// # Errors
/// The engine failed.
pub async fn waiting_to_lapse(c: &mut impl Conn) -> sqlx::Result<(i64, Option<At>)> {
    sql!(c, one (i64, Option<At>): WAITING_TO_LAPSE)
}
