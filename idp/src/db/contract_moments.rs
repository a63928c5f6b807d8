//! When something is due about an order, a trial or an enrolment: one row a moment, planned in the transaction of whatever changes it,
//! looked at by the lifecycle.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{At, Conn, Tx};

statements! {
    OF_SUBJECT = "SELECT moment, due_at FROM contract_moments WHERE subject_id = $1";
    PUT = "INSERT INTO contract_moments (subject_id, moment, kind, organization_id, due_at, since, look_at) VALUES ($1, $2, $3, $4, $5, $6, 0)
           ON CONFLICT (subject_id, moment) DO UPDATE SET due_at = excluded.due_at, since = excluded.since, look_at = 0";
    DROP = "DELETE FROM contract_moments WHERE subject_id = $1 AND moment = $2";
    TO_LOOK_AT = "SELECT subject_id, moment, kind, organization_id, due_at, since, look_at, subject_id || '/' || moment AS place FROM contract_moments
                  WHERE kind = $1 AND look_at <= $2 AND (look_at, subject_id, moment) > ($3, $4, $5)
                  ORDER BY look_at, subject_id, moment LIMIT $6";
    LOOKED_AT = {
        sqlite "UPDATE contract_moments SET look_at = j.value ->> 4
                FROM json_each($1) j
                WHERE contract_moments.subject_id = j.value ->> 0 AND contract_moments.moment = j.value ->> 1
                  AND contract_moments.due_at = j.value ->> 2 AND contract_moments.look_at = j.value ->> 3",
        postgres "UPDATE contract_moments SET look_at = CAST(j.value ->> 4 AS BIGINT)
                  FROM jsonb_array_elements(CAST(CAST($1 AS TEXT) AS JSONB)) AS j (value)
                  WHERE contract_moments.subject_id = j.value ->> 0 AND contract_moments.moment = j.value ->> 1
                    AND contract_moments.due_at = CAST(j.value ->> 2 AS BIGINT) AND contract_moments.look_at = CAST(j.value ->> 3 AS BIGINT)"
    };
    WAITING = "SELECT COUNT(*), MIN(look_at) FROM contract_moments WHERE kind = $1 AND look_at IS NOT NULL";
}

/// A moment.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Moment {
    /// `ord_…`, `tri_…` or `enr_…`.
    pub subject_id: String,
    /// Which.
    pub moment: String,
    /// `order`, `trial` or `enrolment`.
    pub kind: String,
    /// Whose.
    pub organization_id: String,
    /// When.
    pub due_at: At,
    /// Since when that holds.
    pub since: At,
    /// The next look; 0 when it is not planned yet.
    pub look_at: At,
    /// Subject and moment, for the order of looks.
    pub place: String,
}

/// Says what is due about something, and when. A moment that stays as it was keeps its plan; one that is not named any more goes.
///
/// # Errors
/// The engine failed.
pub async fn set(
    tx: &mut Tx,
    (kind, subject, organization): (&str, &str, &str),
    moments: &[(&str, Timestamp)],
    now: Timestamp,
) -> sqlx::Result<()> {
    let known = sql!(tx, all (String, At): OF_SUBJECT, subject)?;
    for (moment, _) in &known {
        if !moments.iter().any(|(name, _)| name == moment) {
            sql!(tx, execute DROP, subject, moment)?;
        }
    }
    for (moment, due) in moments {
        let due = At::from(*due);
        if !known.iter().any(|(name, at)| name == moment && *at == due) {
            sql!(tx, execute PUT, subject, *moment, kind, organization, due, At::from(now))?;
        }
    }
    Ok(())
}

/// The moments of a kind to be looked at by `until`, behind the look and place of another, at most so many.
///
/// # Errors
/// The engine failed.
pub async fn to_look_at(
    c: &mut impl Conn,
    kind: &str,
    (until, after, place, limit): (Timestamp, At, &str, u32),
) -> sqlx::Result<Vec<Moment>> {
    let (subject, moment) = place.rsplit_once('/').unwrap_or((place, ""));
    sql!(c, all Moment: TO_LOOK_AT, kind, At::from(until), after, subject, moment, i64::from(limit))
}

/// Plans the next look at each of these, none when nothing is left to say; says at how many: not at those that changed or were planned
/// meanwhile.
///
/// # Errors
/// The engine failed.
pub async fn looked_at(tx: &mut Tx, looks: &[(&Moment, Option<Timestamp>)]) -> sqlx::Result<u64> {
    let row = |(moment, next): &(&Moment, Option<Timestamp>)| {
        let next = next.map(|next| At::from(next).milliseconds());
        json!([moment.subject_id, moment.moment, moment.due_at.milliseconds(), moment.look_at.milliseconds(), next])
    };
    let rows = Value::from(looks.iter().map(row).collect::<Vec<_>>()).to_string();
    sql!(tx, execute LOOKED_AT, &rows)
}

/// How many moments of a kind wait, and the next look.
///
/// # Errors
/// The engine failed.
pub async fn waiting(c: &mut impl Conn, kind: &str) -> sqlx::Result<(i64, Option<At>)> {
    sql!(c, one (i64, Option<At>): WAITING, kind)
}
