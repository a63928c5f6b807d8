//! Imports of people from files: the file until it was read, its rows until they were applied, and what became of each.

use jiff::Timestamp;

use super::{At, Conn, Tx};

macro_rules! import {
    ($rest:literal) => {
        concat!(
            "SELECT i.id, i.organization_id, i.job_id, i.state, i.file_digest, i.size_bytes, i.form, i.failure, i.ready, i.invalid,
                    i.administrators, i.offers, i.made, i.offered, i.refused, i.decided_at, i.mode, i.plan, i.created_by, i.created_at, i.applied_at, i.expires_at,
                    i.hash_count, COALESCE(j.done, 0) AS done, COALESCE(j.total, 0) AS total
             FROM imports i LEFT JOIN jobs j ON j.id = i.job_id WHERE i.organization_id = $1 ",
            $rest
        )
    };
}

/// The columns of [`Login`]; `$4` is now.
macro_rules! taken {
    () => {
        "SELECT p.login, EXISTS (SELECT 1 FROM memberships m WHERE m.person_id = p.id AND m.organization_id = $1) AS member,
                EXISTS (SELECT 1 FROM membership_offers f WHERE f.person_id = p.id AND f.organization_id = $1 AND f.status = 'open'
                                                            AND f.expires_at > $4) AS offered,
                p.status IN ('active', 'suspended_password') AND NOT p.operator AND NOT p.privacy AND p.id <> $3 AND p.email_verified AS open,
                p.email
         FROM people p "
    };
}

statements! {
    INSERT = "INSERT INTO imports (id, organization_id, job_id, state, file, file_digest, size_bytes, ready, invalid, administrators,
                                   made, refused, created_by, created_at, expires_at)
              VALUES ($1, $2, $3, 'checking', $4, $5, $6, 0, 0, 0, 0, 0, $7, $8, $9)";
    COUNT = "SELECT COUNT(*) FROM imports WHERE organization_id = $1";
    FIND = (import!("AND i.id = $2"));
    LIST = (import!("AND (i.created_at < $2 OR (i.created_at = $2 AND i.id < $3)) ORDER BY i.created_at DESC, i.id DESC LIMIT $4"));
    FILE = "SELECT file FROM imports WHERE id = $1";
    HASHES = "SELECT hashes FROM imports WHERE id = $1";
    SET_HASHES = "UPDATE imports SET hashes = $3, hash_count = $4 WHERE organization_id = $1 AND id = $2 AND state = 'checked'";
    ADD_ROWS = {
        sqlite "INSERT INTO import_rows (import_id, line, state, data, problems, offer)
                SELECT $1, json_extract(value, '$.line'), json_extract(value, '$.state'), json_extract(value, '$.data'),
                       json_extract(value, '$.problems'), json_extract(value, '$.offer')
                FROM json_each($2)",
        postgres "INSERT INTO import_rows (import_id, line, state, data, problems, offer)
                  SELECT $1, CAST(value->>'line' AS BIGINT), value->>'state', value->>'data', value->>'problems',
                         CAST(value->>'offer' AS BOOLEAN)
                  FROM jsonb_array_elements(CAST($2 AS TEXT)::jsonb)"
    };
    FORGET_ROWS = "DELETE FROM import_rows WHERE import_id = $1";
    CHECKED = "UPDATE imports SET state = $2, form = $3, failure = $4, ready = $5, invalid = $6, administrators = $7, offers = $8, file = NULL
               WHERE id = $1 AND state = 'checking'";
    APPLY = "UPDATE imports SET state = 'applying', mode = $3, plan = $4, job_id = $5, failure = NULL
             WHERE organization_id = $1 AND id = $2 AND state = 'checked'";
    ROWS = "SELECT line, state, data, problems, person_id, offer FROM import_rows
            WHERE import_id = $1 AND line > $2 AND (CAST($3 AS TEXT) IS NULL OR state = $3) ORDER BY line LIMIT $4";
    READY = "SELECT line, state, data, problems, person_id, offer FROM import_rows
             WHERE import_id = $1 AND state = 'ready' AND line > $2 ORDER BY line LIMIT $3";
    SETTLE_ROW = "UPDATE import_rows SET state = $3, problems = $4, person_id = $5, data = CASE WHEN $3 = 'invalid' THEN data END
                  WHERE import_id = $1 AND line = $2";
    SETTLE_ROWS = {
        sqlite "UPDATE import_rows SET state = 'invalid', problems = $3 WHERE import_id = $1 AND line IN (SELECT value FROM json_each($2))",
        postgres "UPDATE import_rows SET state = 'invalid', problems = $3
                  WHERE import_id = $1 AND line IN (SELECT CAST(value AS BIGINT) FROM jsonb_array_elements_text(CAST($2 AS TEXT)::jsonb))"
    };
    MADE_ADMINISTRATORS = "SELECT p.given_name, p.family_name, COUNT(*) OVER () FROM import_rows r
                           JOIN memberships m ON m.organization_id = $2 AND m.person_id = r.person_id
                           JOIN people p ON p.id = r.person_id
                           WHERE r.import_id = $1 AND r.state = 'made' AND m.role = 'administrator' ORDER BY r.line LIMIT $3";
    COUNTS = "SELECT state, COUNT(*) FROM import_rows WHERE import_id = $1 GROUP BY state";
    APPLIED = "UPDATE imports SET state = 'applied', ready = 0, made = $2, offered = $3, refused = $4, applied_at = $5, hashes = NULL WHERE id = $1 AND state = 'applying'";
    FORGET_DATA = "UPDATE import_rows SET data = NULL WHERE import_id = $1 AND data IS NOT NULL";
    TURNED_DOWN = "UPDATE imports SET state = 'checked', failure = 'rows_refused', ready = ready - $2, invalid = invalid + $2, mode = NULL
                   WHERE id = $1 AND state = 'applying'";
    FAILED = "UPDATE imports SET state = 'failed', failure = 'broken', file = NULL, hashes = NULL WHERE id = $1 AND state IN ('checking', 'applying')";
    REMOVE = "DELETE FROM imports WHERE organization_id = $1 AND id = $2";
    PURGE = "DELETE FROM imports WHERE expires_at < $1
             AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = imports.job_id AND j.state IN ('waiting', 'running'))";
    TAKEN = {
        sqlite (concat!(taken!(), "WHERE p.login IN (SELECT value FROM json_each($2))")),
        postgres (concat!(taken!(), "WHERE p.login IN (SELECT jsonb_array_elements_text(CAST($2 AS TEXT)::jsonb))"))
    };
}

/// An import.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Import {
    /// `imp_…`.
    pub id: String,
    /// `org_…`.
    pub organization_id: String,
    /// The last job, `job_…`.
    pub job_id: String,
    /// `checking`, `checked`, `unreadable`, `applying`, `applied` or `failed`.
    pub state: String,
    /// SHA-256 of the file.
    pub file_digest: String,
    /// Size of the file.
    pub size_bytes: i64,
    /// How the file is written, JSON.
    pub form: Option<String>,
    /// Why it is unreadable or failed.
    pub failure: Option<String>,
    /// Rows that can be applied.
    pub ready: i64,
    /// Rows that cannot.
    pub invalid: i64,
    /// Administrators among those that can.
    pub administrators: i64,
    /// Those among them whose person has an account: they are offered a membership.
    pub offers: i64,
    /// People invited.
    pub made: i64,
    /// Memberships offered.
    pub offered: i64,
    /// Rows refused while they were applied.
    pub refused: i64,
    /// All or nothing: when it became all. Letters and rights follow.
    pub decided_at: Option<At>,
    /// `all_or_nothing` or `valid_rows`.
    pub mode: Option<String>,
    /// How it is applied, JSON.
    pub plan: Option<String>,
    /// Who uploaded it.
    pub created_by: String,
    /// When.
    pub created_at: At,
    /// When it was applied.
    pub applied_at: Option<At>,
    /// When it is forgotten.
    pub expires_at: At,
    /// Digests of passwords that came beside the file.
    pub hash_count: i64,
    /// Steps of the last job that are done.
    pub done: i64,
    /// Its steps.
    pub total: i64,
}

/// An import to store.
#[derive(Debug)]
pub struct NewImport<'a> {
    /// `imp_…`.
    pub id: &'a str,
    /// `org_…`.
    pub organization: &'a str,
    /// The job that reads it.
    pub job: &'a str,
    /// The file, sealed.
    pub file: &'a [u8],
    /// Its SHA-256.
    pub digest: &'a str,
    /// Its size.
    pub size_bytes: i64,
    /// Who uploaded it.
    pub by: &'a str,
}

/// A row of the file.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Row {
    /// Line of the file.
    pub line: i64,
    /// `ready`, `invalid`, `made`, `offered` or `refused`.
    pub state: String,
    /// The cells, JSON.
    pub data: Option<String>,
    /// What is wrong, JSON.
    pub problems: String,
    /// Who was invited.
    pub person_id: Option<String>,
    /// Whether the person has an account, as far as the check knows.
    pub offer: bool,
}

/// What a file turned out to hold.
#[derive(Debug, Default)]
pub struct Found {
    /// `checked` or `unreadable`.
    pub state: &'static str,
    /// How it is written, JSON.
    pub form: Option<String>,
    /// Why it cannot be read.
    pub failure: Option<&'static str>,
    /// Rows that can be applied.
    pub ready: i64,
    /// Rows that cannot.
    pub invalid: i64,
    /// Administrators among the first.
    pub administrators: i64,
    /// Those among the first who have an account.
    pub offers: i64,
}

/// A login that somebody has.
#[derive(Debug, sqlx::FromRow)]
pub struct Login {
    /// Folded.
    pub login: String,
    /// Whether they belong to the organization.
    pub member: bool,
    /// Whether a membership is offered to them already.
    pub offered: bool,
    /// Whether a membership can be offered to them: an account in use with a proven address, not of the operator's staff, and not that
    /// of who imports.
    pub open: bool,
    /// Their address.
    pub email: Option<String>,
}

/// Stores an import, to be forgotten at `expires_at`.
///
/// # Errors
/// The engine failed.
pub async fn insert(
    tx: &mut Tx,
    new: &NewImport<'_>,
    (now, expires_at): (Timestamp, Timestamp),
) -> sqlx::Result<()> {
    let (at, end) = (At::from(now), At::from(expires_at));
    sql!(
        tx,
        execute INSERT,
        new.id,
        new.organization,
        new.job,
        new.file,
        new.digest,
        new.size_bytes,
        new.by,
        at,
        end
    )
    .map(drop)
}

/// How many imports are kept of an organization.
///
/// # Errors
/// The engine failed.
pub async fn count(c: &mut impl Conn, organization: &str) -> sqlx::Result<i64> {
    sql!(c, one (i64,): COUNT, organization).map(|(count,)| count)
}

/// An import of `organization`.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, organization: &str, id: &str) -> sqlx::Result<Option<Import>> {
    // No id has a NUL, and PostgreSQL refuses to be asked for one.
    if id.contains('\0') {
        return Ok(None);
    }
    sql!(c, optional Import: FIND, organization, id)
}

/// The imports of an organization, newest first, from before the instant (milliseconds since 1970) and id of another.
///
/// # Errors
/// The engine failed.
pub async fn list(
    c: &mut impl Conn,
    organization: &str,
    (at, id, limit): (i64, &str, u32),
) -> sqlx::Result<Vec<Import>> {
    sql!(c, all Import: LIST, organization, at, id, i64::from(limit))
}

/// The file, sealed, while it was not read yet.
///
/// # Errors
/// The engine failed.
pub async fn file(c: &mut impl Conn, id: &str) -> sqlx::Result<Option<Vec<u8>>> {
    Ok(sql!(c, optional (Option<Vec<u8>>,): FILE, id)?.and_then(|(file,)| file))
}

/// The digests of passwords that came beside the file, sealed, until it was applied.
///
/// # Errors
/// The engine failed.
pub async fn hashes(c: &mut impl Conn, id: &str) -> sqlx::Result<Option<Vec<u8>>> {
    Ok(sql!(c, optional (Option<Vec<u8>>,): HASHES, id)?.and_then(|(hashes,)| hashes))
}

/// Keeps digests of passwords, sealed, and how many; false when the import is not one that is about to be applied.
///
/// # Errors
/// The engine failed.
pub async fn set_hashes(
    tx: &mut Tx,
    (organization, id): (&str, &str),
    (sealed, count): (&[u8], i64),
) -> sqlx::Result<bool> {
    sql!(tx, execute SET_HASHES, organization, id, sealed, count).map(|rows| rows == 1)
}

/// Adds rows, a JSON array of `line`, `state`, `data`, `problems` and `offer`.
///
/// # Errors
/// The engine failed.
pub async fn add_rows(tx: &mut Tx, id: &str, rows: &str) -> sqlx::Result<()> {
    sql!(tx, execute ADD_ROWS, id, rows).map(drop)
}

/// Removes the rows of a check that did not come to its end.
///
/// # Errors
/// The engine failed.
pub async fn forget_rows(tx: &mut Tx, id: &str) -> sqlx::Result<()> {
    sql!(tx, execute FORGET_ROWS, id).map(drop)
}

/// Says what the file holds, and removes it.
///
/// # Errors
/// The engine failed.
pub async fn checked(tx: &mut Tx, id: &str, found: &Found) -> sqlx::Result<()> {
    let (ready, invalid, offers) = (found.ready, found.invalid, found.offers);
    sql!(tx, execute CHECKED, id, found.state, &found.form, found.failure, ready, invalid, found.administrators, offers)
        .map(drop)
}

/// Begins to apply a checked import; false when it is not one, or somebody was faster.
///
/// # Errors
/// The engine failed.
pub async fn apply(
    tx: &mut Tx,
    (organization, id): (&str, &str),
    (mode, plan, job): (&str, &str, &str),
) -> sqlx::Result<bool> {
    sql!(tx, execute APPLY, organization, id, mode, plan, job).map(|rows| rows == 1)
}

/// The rows after a line, all or of one state.
///
/// # Errors
/// The engine failed.
pub async fn rows(
    c: &mut impl Conn,
    id: &str,
    (line, state, limit): (i64, Option<&str>, u32),
) -> sqlx::Result<Vec<Row>> {
    sql!(c, all Row: ROWS, id, line, state, i64::from(limit))
}

/// The next rows to apply.
///
/// # Errors
/// The engine failed.
pub async fn ready(c: &mut impl Conn, id: &str, (line, limit): (i64, u32)) -> sqlx::Result<Vec<Row>> {
    sql!(c, all Row: READY, id, line, i64::from(limit))
}

/// Says what became of a row.
///
/// # Errors
/// The engine failed.
pub async fn settle_row(
    tx: &mut Tx,
    (id, line): (&str, i64),
    (state, problems, person): (&str, &str, Option<&str>),
) -> sqlx::Result<()> {
    sql!(tx, execute SETTLE_ROW, id, line, state, problems, person).map(drop)
}

/// Says what is wrong with rows, a JSON array of lines: the same with each.
///
/// # Errors
/// The engine failed.
pub async fn settle_rows(tx: &mut Tx, id: &str, (lines, problems): (&str, &str)) -> sqlx::Result<()> {
    sql!(tx, execute SETTLE_ROWS, id, lines, problems).map(drop)
}

/// How many rows there are of a state.
///
/// # Errors
/// The engine failed.
pub async fn counts(c: &mut impl Conn, id: &str) -> sqlx::Result<Vec<(String, i64)>> {
    sql!(c, all (String, i64): COUNTS, id)
}

/// The administrators among the people invited: the names of the first `limit`, and how many there are.
///
/// # Errors
/// The engine failed.
pub async fn made_administrators(
    c: &mut impl Conn,
    (id, organization): (&str, &str),
    limit: u32,
) -> sqlx::Result<(Vec<String>, i64)> {
    let rows = sql!(c, all (String, String, i64): MADE_ADMINISTRATORS, id, organization, i64::from(limit))?;
    let count = rows.first().map_or(0, |(.., count)| *count);
    Ok((rows.into_iter().map(|(given, family, _)| format!("{given} {family}")).collect(), count))
}

/// Ends an import that was applied: counts, and no personal data any more.
///
/// # Errors
/// The engine failed.
pub async fn applied(
    tx: &mut Tx,
    id: &str,
    (made, offered, refused): (i64, i64, i64),
    now: Timestamp,
) -> sqlx::Result<()> {
    sql!(tx, execute APPLIED, id, made, offered, refused, At::from(now))?;
    sql!(tx, execute FORGET_DATA, id).map(drop)
}

/// So many rows were refused where all or none were to be made: none was.
///
/// # Errors
/// The engine failed.
pub async fn turned_down(tx: &mut Tx, id: &str, rows: i64) -> sqlx::Result<()> {
    sql!(tx, execute TURNED_DOWN, id, rows).map(drop)
}

/// It cannot be carried on.
///
/// # Errors
/// The engine failed.
pub async fn failed(tx: &mut Tx, id: &str) -> sqlx::Result<()> {
    sql!(tx, execute FAILED, id).map(drop)
}

/// Forgets an import; false when there is none.
///
/// # Errors
/// The engine failed.
pub async fn remove(tx: &mut Tx, organization: &str, id: &str) -> sqlx::Result<bool> {
    sql!(tx, execute REMOVE, organization, id).map(|rows| rows == 1)
}

/// Forgets the imports whose time is over.
///
/// # Errors
/// The engine failed.
pub async fn purge(tx: &mut Tx, now: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute PURGE, At::from(now))
}

/// Which of the folded logins (a JSON array) somebody has, and what `by` may make of that in an organization.
///
/// # Errors
/// The engine failed.
pub async fn taken(
    c: &mut impl Conn,
    (organization, by): (&str, &str),
    logins: &str,
    now: Timestamp,
) -> sqlx::Result<Vec<Login>> {
    sql!(c, all Login: TAKEN, organization, logins, by, At::from(now))
}
