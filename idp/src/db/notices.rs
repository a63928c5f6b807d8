//! What was said of all that expires: reminders by rung, ends as rung 0, once each for one due date. The mails of a notice are in
//! the outbox and name it: which text in which version, and what the mail server said.

use jiff::Timestamp;

use super::{At, Conn, Tx};

/// The columns of [`Notice`].
macro_rules! notices {
    () => {
        "SELECT n.id, n.kind, n.subject, n.due_at, n.rung, n.sent_at FROM notices n "
    };
}

statements! {
    INSERT = "INSERT INTO notices (id, kind, subject, due_at, rung, sent_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    FOR_ORGANIZATION = "INSERT INTO notice_organizations (notice_id, organization_id, kind, sent_at) VALUES ($1, $2, $3, $4)";
    FOR_ORGANIZATIONS_OF = "INSERT INTO notice_organizations (notice_id, organization_id, kind, sent_at)
                            SELECT $1, m.organization_id, $3, $4 FROM memberships m WHERE m.person_id = $2";
    LAST_SENT = "SELECT MAX(sent_at) FROM notices WHERE kind = $1 AND subject = $2";
    SENT = "SELECT rung FROM notices WHERE kind = $1 AND subject = $2 AND due_at = $3";
    SENT_OF_MANY = {
        sqlite "SELECT subject, due_at, rung FROM notices WHERE kind = $1 AND subject IN (SELECT value FROM json_each($2))",
        postgres "SELECT subject, due_at, rung FROM notices
                  WHERE kind = $1 AND subject IN (SELECT jsonb_array_elements_text(CAST(CAST($2 AS TEXT) AS JSONB)))"
    };
    EVERYWHERE = (concat!(notices!(), "WHERE (n.sent_at < $1 OR (n.sent_at = $1 AND n.id < $2)) ORDER BY n.sent_at DESC, n.id DESC LIMIT $3"));
    EVERYWHERE_OF_KIND = (concat!(notices!(), "WHERE n.kind = $1 AND (n.sent_at < $2 OR (n.sent_at = $2 AND n.id < $3))
                                               ORDER BY n.sent_at DESC, n.id DESC LIMIT $4"));
    IN_ORGANIZATION = "SELECT n.id, n.kind, n.subject, n.due_at, n.rung, n.sent_at
                       FROM notice_organizations o JOIN notices n ON n.id = o.notice_id
                       WHERE o.organization_id = $1 AND (o.sent_at < $2 OR (o.sent_at = $2 AND o.notice_id < $3))
                       ORDER BY o.sent_at DESC, o.notice_id DESC LIMIT $4";
    IN_ORGANIZATION_OF_KIND = "SELECT n.id, n.kind, n.subject, n.due_at, n.rung, n.sent_at
                               FROM notice_organizations o JOIN notices n ON n.id = o.notice_id
                               WHERE o.organization_id = $1 AND o.kind = $2 AND (o.sent_at < $3 OR (o.sent_at = $3 AND o.notice_id < $4))
                               ORDER BY o.sent_at DESC, o.notice_id DESC LIMIT $5";
    PURGE = "DELETE FROM notices WHERE id IN (SELECT n.id FROM notices n WHERE n.sent_at < $1 ORDER BY n.sent_at, n.id LIMIT $2)";
}

/// A notice.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Notice {
    /// `ntc_…`.
    pub id: String,
    /// Of which kind of thing.
    pub kind: String,
    /// Of which thing.
    pub subject: String,
    /// When it falls due.
    pub due_at: At,
    /// Days before, 0 at the end.
    pub rung: i64,
    /// When it was written.
    pub sent_at: At,
}

/// A notice to keep.
#[derive(Debug, Clone, Copy)]
pub struct NewNotice<'a> {
    /// `ntc_…`.
    pub id: &'a str,
    /// Of which kind of thing.
    pub kind: &'a str,
    /// Of which thing.
    pub subject: &'a str,
    /// When it falls due.
    pub due: Timestamp,
    /// Days before, 0 at the end.
    pub rung: u16,
}

/// When something was last said about a subject.
///
/// # Errors
/// The engine failed.
pub async fn last_sent(c: &mut impl Conn, (kind, subject): (&str, &str)) -> sqlx::Result<Option<Timestamp>> {
    let (at,) = sql!(c, one (Option<At>,): LAST_SENT, kind, subject)?;
    Ok(at.map(Timestamp::from))
}

/// Notes a notice; false when it was before.
///
/// # Errors
/// The engine failed.
pub async fn insert(tx: &mut Tx, new: &NewNotice<'_>, now: Timestamp) -> sqlx::Result<bool> {
    let rung = i64::from(new.rung);
    let rows = sql!(tx, execute INSERT, new.id, new.kind, new.subject, At::from(new.due), rung, At::from(now))?;
    Ok(rows == 1)
}

/// Shows a notice to the administrators of `organization`.
///
/// # Errors
/// The engine failed.
pub async fn show_to(
    tx: &mut Tx,
    (notice, kind): (&str, &str),
    organization: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    sql!(tx, execute FOR_ORGANIZATION, notice, organization, kind, At::from(now)).map(drop)
}

/// Shows a notice to the administrators of every organization `person` is a member of.
///
/// # Errors
/// The engine failed.
pub async fn show_to_organizations_of(
    tx: &mut Tx,
    (notice, kind): (&str, &str),
    person: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    sql!(tx, execute FOR_ORGANIZATIONS_OF, notice, person, kind, At::from(now)).map(drop)
}

/// The rungs of what was said for one due date.
///
/// # Errors
/// The engine failed.
pub async fn sent(c: &mut impl Conn, (kind, subject): (&str, &str), due: Timestamp) -> sqlx::Result<Vec<u16>> {
    let rows = sql!(c, all (i64,): SENT, kind, subject, At::from(due))?;
    Ok(rows.into_iter().filter_map(|(rung,)| u16::try_from(rung).ok()).collect())
}

/// What was said of many things of one kind: subject, due instant and rung.
///
/// # Errors
/// The engine failed.
pub async fn sent_of_many(
    c: &mut impl Conn,
    kind: &str,
    subjects: &[&str],
) -> sqlx::Result<Vec<(String, At, i64)>> {
    let subjects = serde_json::to_string(subjects).map_err(|error| sqlx::Error::Encode(error.into()))?;
    sql!(c, all (String, At, i64): SENT_OF_MANY, kind, subjects)
}

/// Those of one kind, or of all, newest first, from before the instant (milliseconds since 1970) and id of another, at most so many.
///
/// # Errors
/// The engine failed.
pub async fn everywhere(
    c: &mut impl Conn,
    kind: Option<&str>,
    (at, id, limit): (i64, &str, u32),
) -> sqlx::Result<Vec<Notice>> {
    match kind {
        None => sql!(c, all Notice: EVERYWHERE, at, id, i64::from(limit)),
        Some(kind) => sql!(c, all Notice: EVERYWHERE_OF_KIND, kind, at, id, i64::from(limit)),
    }
}

/// The same of one organization.
///
/// # Errors
/// The engine failed.
pub async fn in_organization(
    c: &mut impl Conn,
    (organization, kind): (&str, Option<&str>),
    (at, id, limit): (i64, &str, u32),
) -> sqlx::Result<Vec<Notice>> {
    match kind {
        None => sql!(c, all Notice: IN_ORGANIZATION, organization, at, id, i64::from(limit)),
        Some(kind) => sql!(c, all Notice: IN_ORGANIZATION_OF_KIND, organization, kind, at, id, i64::from(limit)),
    }
}

/// Forgets at most `limit` notices written before `before`.
///
/// # Errors
/// The engine failed.
pub async fn purge(tx: &mut Tx, before: Timestamp, limit: u32) -> sqlx::Result<u64> {
    sql!(tx, execute PURGE, At::from(before), i64::from(limit))
}
