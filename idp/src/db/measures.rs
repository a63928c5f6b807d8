//! Measures of the operator against people, organizations, orders and portals (R083–R086, R090): written once, presented, lifted, never
//! removed.

use jiff::Timestamp;

use super::{At, Conn, Tx};

macro_rules! columns {
    () => {
        "id, subject_kind, subject_id, measure, earlier, breach, remedy, irreparable, reason, text_version, notices, imposed_by, imposed_at,
         presented_on, lifted_at, lifted_by, lifted_reason, lifted_notices"
    };
}

statements! {
    INSERT = "INSERT INTO measures (id, subject_kind, subject_id, measure, earlier, breach, remedy, irreparable, reason, text_version,
                                    notices, imposed_by, imposed_at)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    FIND = (concat!("SELECT ", columns!(), " FROM measures WHERE id = $1"));
    STANDING = (concat!("SELECT ", columns!(), " FROM measures
                WHERE subject_kind = $1 AND subject_id = $2 AND measure = $3 AND lifted_at IS NULL
                ORDER BY imposed_at, id LIMIT 100"));
    LIST = (concat!("SELECT ", columns!(), " FROM measures
            WHERE (CAST($1 AS TEXT) IS NULL OR subject_id = $1) AND (CAST($2 AS TEXT) IS NULL OR measure = $2)
              AND (imposed_at < $3 OR (imposed_at = $3 AND id < $4))
            ORDER BY imposed_at DESC, id DESC LIMIT $5"));
    OF_ORGANIZATION = (concat!("SELECT ", columns!(), " FROM measures
                       WHERE ((subject_kind = 'organization' AND subject_id = $1)
                              OR (subject_kind = 'order' AND subject_id IN (SELECT id FROM orders WHERE organization_id = $1)))
                         AND (imposed_at < $2 OR (imposed_at = $2 AND id < $3))
                       ORDER BY imposed_at DESC, id DESC LIMIT $4"));
    PRESENT = "UPDATE measures SET presented_on = $2
               WHERE id = $1 AND measure = 'formal_notice' AND lifted_at IS NULL AND presented_on IS NULL";
    LIFT = "UPDATE measures SET lifted_at = $2, lifted_by = $3, lifted_reason = $4, lifted_notices = $5
            WHERE id = $1 AND lifted_at IS NULL";
    SENT = "SELECT id, created_at, sent_at, bounced_at FROM outbox WHERE id = $1";
}

/// A measure.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Measure {
    /// `mea_…`.
    pub id: String,
    /// `person`, `organization`, `order` or `portal`.
    pub subject_kind: String,
    /// Its id.
    pub subject_id: String,
    /// `formal_notice`, `suspension` or `termination`.
    pub measure: String,
    /// The status of the subject before.
    pub earlier: String,
    /// What was not respected.
    pub breach: String,
    /// What has to be done about it; empty for a termination.
    pub remedy: String,
    /// Why a termination waited for no formal notice.
    pub irreparable: Option<String>,
    /// For the operator.
    pub reason: String,
    /// Of the letter.
    pub text_version: String,
    /// Ids of the letters, space separated.
    pub notices: String,
    /// Person or client.
    pub imposed_by: String,
    /// When.
    pub imposed_at: At,
    /// When a formal notice was first presented, Paris.
    pub presented_on: Option<String>,
    /// When it was lifted.
    pub lifted_at: Option<At>,
    /// By whom.
    pub lifted_by: Option<String>,
    /// Why.
    pub lifted_reason: Option<String>,
    /// Ids of the letters about that, space separated.
    pub lifted_notices: Option<String>,
}

/// A measure to be written.
#[derive(Debug)]
pub struct NewMeasure<'a> {
    /// `mea_…`.
    pub id: &'a str,
    /// Kind and id of the subject.
    pub subject: (&'a str, &'a str),
    /// See [`Measure::measure`].
    pub measure: &'a str,
    /// The status of the subject before.
    pub earlier: &'a str,
    /// What was not respected.
    pub breach: &'a str,
    /// What has to be done about it.
    pub remedy: &'a str,
    /// Why a termination waited for no formal notice.
    pub irreparable: Option<&'a str>,
    /// For the operator.
    pub reason: &'a str,
    /// Of the letter.
    pub text_version: &'a str,
    /// Ids of the letters, space separated.
    pub notices: &'a str,
    /// Person or client.
    pub by: &'a str,
}

/// Writes a measure.
///
/// # Errors
/// A unique violation when it is a suspension and one is in force; the engine failed.
pub async fn insert(tx: &mut Tx, new: &NewMeasure<'_>, now: Timestamp) -> sqlx::Result<()> {
    let (kind, id) = new.subject;
    sql!(
        tx,
        execute INSERT,
        new.id,
        kind,
        id,
        new.measure,
        new.earlier,
        new.breach,
        new.remedy,
        new.irreparable,
        new.reason,
        new.text_version,
        new.notices,
        new.by,
        At::from(now),
    )
    .map(drop)
}

/// Finds a measure.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, id: &str) -> sqlx::Result<Option<Measure>> {
    if id.contains('\0') {
        return Ok(None);
    }
    sql!(c, optional Measure: FIND, id)
}

/// The measures of one sort that stand against a subject, the oldest first, at most 100.
///
/// # Errors
/// The engine failed.
pub async fn standing(
    c: &mut impl Conn,
    (kind, id): (&str, &str),
    measure: &str,
) -> sqlx::Result<Vec<Measure>> {
    sql!(c, all Measure: STANDING, kind, id, measure)
}

/// The measures, of one subject or all, of one sort or all, newest first, from before the instant (milliseconds since 1970) and id
/// of another, at most so many.
///
/// # Errors
/// The engine failed.
pub async fn list(
    c: &mut impl Conn,
    (subject, measure): (Option<&str>, Option<&str>),
    (at, id, limit): (i64, &str, u32),
) -> sqlx::Result<Vec<Measure>> {
    sql!(c, all Measure: LIST, subject, measure, at, id, i64::from(limit))
}

/// The measures against an organization and its orders, as [`list`].
///
/// # Errors
/// The engine failed.
pub async fn of_organization(
    c: &mut impl Conn,
    organization: &str,
    (at, id, limit): (i64, &str, u32),
) -> sqlx::Result<Vec<Measure>> {
    sql!(c, all Measure: OF_ORGANIZATION, organization, at, id, i64::from(limit))
}

/// Notes when a formal notice that stands was first presented; false when that is known, or it does not stand.
///
/// # Errors
/// The engine failed.
pub async fn present(tx: &mut Tx, id: &str, day: &str) -> sqlx::Result<bool> {
    sql!(tx, execute PRESENT, id, day).map(|rows| rows == 1)
}

/// Lifts a measure; false when it was lifted before.
///
/// # Errors
/// The engine failed.
pub async fn lift(
    tx: &mut Tx,
    id: &str,
    (by, reason, notices): (&str, &str, &str),
    now: Timestamp,
) -> sqlx::Result<bool> {
    sql!(tx, execute LIFT, id, At::from(now), by, reason, notices).map(|rows| rows == 1)
}

/// What became of a letter.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Sent {
    /// `mail_…`.
    pub id: String,
    /// When it was written.
    pub created_at: At,
    /// When the mail server took it.
    pub sent_at: Option<At>,
    /// When it came back.
    pub bounced_at: Option<At>,
}

/// What became of the letter `id`.
///
/// # Errors
/// The engine failed.
pub async fn sent(c: &mut impl Conn, id: &str) -> sqlx::Result<Option<Sent>> {
    sql!(c, optional Sent: SENT, id)
}
