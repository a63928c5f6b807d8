//! Long work: one row a job, taken by one worker of one node at a time, taken over by another when its lease lapses.

use jiff::Timestamp;

use super::{At, Conn, Tx, is_unique_violation};

/// The columns of [`Shown`].
macro_rules! shown {
    () => {
        "SELECT j.id, j.organization_id, j.kind, j.subject, j.state, j.done, j.total, j.attempts, j.created_by, j.created_at, j.ended_at,
                (SELECT MAX(i.failure) FROM imports i WHERE i.job_id = j.id AND i.id = j.subject) AS failure
         FROM jobs j "
    };
}

statements! {
    INSERT = "INSERT INTO jobs (id, organization_id, kind, subject, state, done, total, attempts, created_by, created_at)
              VALUES ($1, $2, $3, $4, 'waiting', 0, $5, 0, $6, $7)";
    CLAIM = {
        sqlite "UPDATE jobs SET state = 'running', holder = $2, leased_until = $3, attempts = attempts + 1
                WHERE id = (SELECT j.id FROM jobs j
                            WHERE (j.state = 'running' AND j.leased_until < $1)
                               OR (j.state = 'waiting' AND NOT EXISTS
                                   (SELECT 1 FROM jobs r WHERE r.organization_id = j.organization_id AND r.state = 'running'))
                            ORDER BY j.created_at, j.id LIMIT 1)
                RETURNING id, organization_id, kind, subject, attempts",
        postgres "UPDATE jobs SET state = 'running', holder = $2, leased_until = $3, attempts = attempts + 1
                  WHERE id = (SELECT j.id FROM jobs j
                              WHERE (j.state = 'running' AND j.leased_until < $1)
                                 OR (j.state = 'waiting' AND NOT EXISTS
                                     (SELECT 1 FROM jobs r WHERE r.organization_id = j.organization_id AND r.state = 'running'))
                              ORDER BY j.created_at, j.id LIMIT 1 FOR UPDATE SKIP LOCKED)
                  RETURNING id, organization_id, kind, subject, attempts"
    };
    ADVANCE = "UPDATE jobs SET done = $3, total = $4, leased_until = $5 WHERE id = $1 AND holder = $2 AND state = 'running'";
    FINISH = "UPDATE jobs SET state = $3, ended_at = $4, holder = NULL, leased_until = NULL
              WHERE id = $1 AND holder = $2 AND state = 'running'";
    CANCEL = "UPDATE jobs SET state = 'cancelled', ended_at = $2, holder = NULL, leased_until = NULL
              WHERE id = $1 AND state IN ('waiting', 'running')";
    UNFINISHED = "SELECT COUNT(*) FROM jobs WHERE organization_id = $1 AND state IN ('waiting', 'running')";
    UNFINISHED_OF_KIND = "SELECT COUNT(*) FROM jobs WHERE organization_id = $1 AND kind = $2 AND state IN ('waiting', 'running')";
    IS_CLOSED = "SELECT EXISTS (SELECT 1 FROM jobs j JOIN organizations o ON o.id = j.organization_id WHERE j.id = $1 AND j.created_at <= o.renewal_at)";
    FIND = (concat!(shown!(), "WHERE j.id = $1"));
    EVERYWHERE = (concat!(shown!(), "WHERE (j.created_at < $1 OR (j.created_at = $1 AND j.id < $2)) ORDER BY j.created_at DESC, j.id DESC LIMIT $3"));
    IN_ORGANIZATION = (concat!(shown!(), "WHERE j.organization_id = $1 AND (j.created_at < $2 OR (j.created_at = $2 AND j.id < $3))
                                          ORDER BY j.created_at DESC, j.id DESC LIMIT $4"));
    BY = {
        sqlite (concat!(shown!(), "WHERE j.created_by = $1 AND (j.created_at < $2 OR (j.created_at = $2 AND j.id < $3))
                                     AND j.organization_id IN (SELECT value FROM json_each($5))
                                   ORDER BY j.created_at DESC, j.id DESC LIMIT $4")),
        postgres (concat!(shown!(), "WHERE j.created_by = $1 AND (j.created_at < $2 OR (j.created_at = $2 AND j.id < $3))
                                       AND j.organization_id IN (SELECT jsonb_array_elements_text(CAST(CAST($5 AS TEXT) AS JSONB)))
                                     ORDER BY j.created_at DESC, j.id DESC LIMIT $4"))
    };
    PURGE = "DELETE FROM jobs WHERE ended_at < $1";
}

/// A job to be done.
#[derive(Debug)]
pub struct NewJob<'a> {
    /// `job_…`.
    pub id: &'a str,
    /// For which organization.
    pub organization: &'a str,
    /// `import_check` or `import_apply`.
    pub kind: &'a str,
    /// What it is about.
    pub subject: &'a str,
    /// How many steps it has; 0 when that is not known yet.
    pub total: i64,
    /// Who wants it done.
    pub by: &'a str,
}

/// A job that a worker has taken.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Taken {
    /// `job_…`.
    pub id: String,
    /// For which organization.
    pub organization_id: String,
    /// `import_check` or `import_apply`.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// How many times it was taken, this one included.
    pub attempts: i64,
}

/// Adds a job.
///
/// # Errors
/// The engine failed.
pub async fn insert(tx: &mut Tx, new: &NewJob<'_>, now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute INSERT, new.id, new.organization, new.kind, new.subject, new.total, new.by, At::from(now)).map(drop)
}

/// Takes a job for `holder` until `until`: the oldest that waits in an organization without a running one, or whose holder is gone.
///
/// # Errors
/// The engine failed.
pub async fn claim(tx: &mut Tx, holder: &str, (now, until): (Timestamp, Timestamp)) -> sqlx::Result<Option<Taken>> {
    match sql!(tx, optional Taken: CLAIM, At::from(now), holder, At::from(until)) {
        // Another node took one of the same organization at this moment.
        Err(error) if is_unique_violation(&error) => Ok(None),
        taken => taken,
    }
}

/// Says how far it is and holds it until `until`; false when it is `holder`'s no longer, or was cancelled.
///
/// # Errors
/// The engine failed.
pub async fn advance(
    tx: &mut Tx,
    (job, holder): (&str, &str),
    (done, total): (i64, i64),
    until: Timestamp,
) -> sqlx::Result<bool> {
    sql!(tx, execute ADVANCE, job, holder, done, total, At::from(until)).map(|rows| rows == 1)
}

/// Ends it as `done` or `failed`; false when it is `holder`'s no longer, or was cancelled.
///
/// # Errors
/// The engine failed.
pub async fn finish(tx: &mut Tx, (job, holder): (&str, &str), state: &str, now: Timestamp) -> sqlx::Result<bool> {
    sql!(tx, execute FINISH, job, holder, state, At::from(now)).map(|rows| rows == 1)
}

/// Cancels it, waiting or running; false when it has ended.
///
/// # Errors
/// The engine failed.
pub async fn cancel(tx: &mut Tx, job: &str, now: Timestamp) -> sqlx::Result<bool> {
    sql!(tx, execute CANCEL, job, At::from(now)).map(|rows| rows == 1)
}

/// How many jobs of an organization wait or run.
///
/// # Errors
/// The engine failed.
pub async fn unfinished(c: &mut impl Conn, organization: &str) -> sqlx::Result<i64> {
    sql!(c, one (i64,): UNFINISHED, organization).map(|(count,)| count)
}

/// How many of them are of a kind.
///
/// # Errors
/// The engine failed.
pub async fn unfinished_of_kind(c: &mut impl Conn, organization: &str, kind: &str) -> sqlx::Result<i64> {
    sql!(c, one (i64,): UNFINISHED_OF_KIND, organization, kind).map(|(count,)| count)
}

/// Whether a kill switch closed the organization since the job was asked for (R033).
///
/// # Errors
/// The engine failed.
pub async fn is_closed(c: &mut impl Conn, job: &str) -> sqlx::Result<bool> {
    sql!(c, one (bool,): IS_CLOSED, job).map(|(closed,)| closed)
}

/// A job, as it is told.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Shown {
    /// `job_…`.
    pub id: String,
    /// For which organization.
    pub organization_id: String,
    /// `import_check` or `import_apply`.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// `waiting`, `running`, `done`, `failed` or `cancelled`.
    pub state: String,
    /// Steps done.
    pub done: i64,
    /// Steps; 0 while that is not known.
    pub total: i64,
    /// How many times a worker took it.
    pub attempts: i64,
    /// Who wants it done.
    pub created_by: String,
    /// When.
    pub created_at: At,
    /// When it ended.
    pub ended_at: Option<At>,
    /// Why nothing came of it.
    pub failure: Option<String>,
}

/// Whose jobs.
#[derive(Debug, Clone, Copy)]
pub enum Whose<'a> {
    /// Of every organization.
    Everybody,
    /// Of one.
    Organization(&'a str),
    /// Those that a person started in these organizations.
    StartedBy(&'a str, &'a [String]),
}

/// The job `id` of any organization.
///
/// # Errors
/// The engine failed.
pub async fn find_in_any_organization(c: &mut impl Conn, id: &str) -> sqlx::Result<Option<Shown>> {
    if id.contains('\0') {
        return Ok(None);
    }
    sql!(c, optional Shown: FIND, id)
}

/// Jobs, newest first, from before the instant (milliseconds since 1970) and id of another, at most so many.
///
/// # Errors
/// The engine failed.
pub async fn list(
    c: &mut impl Conn,
    whose: Whose<'_>,
    (at, id, limit): (i64, &str, u32),
) -> sqlx::Result<Vec<Shown>> {
    match whose {
        Whose::Everybody => sql!(c, all Shown: EVERYWHERE, at, id, i64::from(limit)),
        Whose::Organization(organization) => {
            sql!(c, all Shown: IN_ORGANIZATION, organization, at, id, i64::from(limit))
        }
        Whose::StartedBy(by, organizations) => {
            let organizations = serde_json::to_string(organizations).map_err(|error| sqlx::Error::Encode(error.into()))?;
            sql!(c, all Shown: BY, by, at, id, i64::from(limit), organizations)
        }
    }
}

/// Forgets jobs that ended before `before`.
///
/// # Errors
/// The engine failed.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute PURGE, At::from(before))
}
