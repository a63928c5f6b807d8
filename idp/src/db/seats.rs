//! Seats: the pool of each product of an organization, who sits, what happened, and who is connected. Who changes who sits locks
//! the pool first, see `crate::seats`.

use habilis_policies::seats::{self as rules, Grant, Level, Mode};
use jiff::Timestamp;

use super::{At, Conn, Tx};

/// Seats held for an invitation or an offer that nobody can take any more.
macro_rules! nobody {
    () => {
        "SELECT s.organization_id, s.product_id, s.person_id, s.state, s.since
         FROM seats s
         WHERE s.state = 'held'
           AND NOT EXISTS (SELECT 1 FROM account_links l
                           WHERE l.person_id = s.person_id AND l.purpose = 'activate' AND l.used_at IS NULL AND l.expires_at > $1)
           AND NOT EXISTS (SELECT 1 FROM membership_offers f
                           WHERE f.person_id = s.person_id AND f.organization_id = s.organization_id AND f.status = 'open' AND f.expires_at > $1) "
    };
}

/// Connections beside those of a holder, which is a session, or a grant that was given in none: open sessions that use the product, and those
/// whose tokens outlive the session or never had one.
macro_rules! others_connected {
    ($organization:literal, $product:literal, $holder:literal, $now:literal) => {
        concat!(
            "(SELECT COUNT(*) FROM seat_connections c JOIN sessions x ON x.id = c.session_id
              WHERE c.organization_id = ", $organization, " AND c.product_id = ", $product, " AND c.session_id <> ", $holder, "
                AND x.ended_at IS NULL AND x.expires_at > ", $now, ")
             + (SELECT COUNT(DISTINCT COALESCE(g.session_id, g.id)) FROM seat_leases l JOIN grants g ON g.id = l.grant_id
                WHERE l.organization_id = ", $organization, " AND l.product_id = ", $product, " AND l.until > ", $now, "
                  AND g.revoked_at IS NULL AND COALESCE(g.session_id, g.id) <> ", $holder, "
                  AND NOT EXISTS (SELECT 1 FROM seat_connections c JOIN sessions x ON x.id = c.session_id
                                  WHERE c.organization_id = l.organization_id AND c.product_id = l.product_id AND c.session_id = g.session_id
                                    AND x.ended_at IS NULL AND x.expires_at > ", $now, "))"
        )
    };
}

statements! {
    ENSURE_POOL = "INSERT INTO seat_pools (organization_id, product_id, mode, grants, taken, transfers, noticed, updated_at)
                   VALUES ($1, $2, $3, $4, 0, 0, 'free', $5)
                   ON CONFLICT (organization_id, product_id) DO UPDATE SET mode = excluded.mode, grants = excluded.grants, updated_at = excluded.updated_at";
    POOLS = "SELECT organization_id, product_id, mode, grants, taken, transfers, noticed FROM seat_pools WHERE organization_id = $1 ORDER BY product_id";
    POOL = "SELECT organization_id, product_id, mode, grants, taken, transfers, noticed FROM seat_pools WHERE organization_id = $1 AND product_id = $2";
    MOVE = "UPDATE seat_pools SET taken = taken + $3 WHERE organization_id = $1 AND product_id = $2
            RETURNING organization_id, product_id, mode, grants, taken, transfers, noticed";
    COUNT_TRANSFER = "UPDATE seat_pools SET transfers = transfers + 1 WHERE organization_id = $1 AND product_id = $2";
    NOTICED = "UPDATE seat_pools SET noticed = $3 WHERE organization_id = $1 AND product_id = $2";
    SIT = "INSERT INTO seats (organization_id, product_id, person_id, state, since) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (organization_id, product_id, person_id) DO NOTHING";
    FREE = "DELETE FROM seats WHERE organization_id = $1 AND product_id = $2 AND person_id = $3";
    ASSIGN = "UPDATE seats SET state = 'assigned', since = $2 WHERE person_id = $1 AND state = 'held' AND ($3 = '' OR organization_id = $3)
              RETURNING organization_id, product_id, person_id, state, since";
    OF_MEMBER = "SELECT organization_id, product_id, person_id, state, since FROM seats WHERE organization_id = $1 AND person_id = $2 ORDER BY product_id";
    OF_MANY = {
        sqlite "SELECT person_id, product_id FROM seats
                WHERE organization_id = $1 AND person_id IN (SELECT value FROM json_each($2)) ORDER BY person_id, product_id",
        postgres "SELECT person_id, product_id FROM seats
                  WHERE organization_id = $1 AND person_id IN (SELECT jsonb_array_elements_text(CAST(CAST($2 AS TEXT) AS JSONB)))
                  ORDER BY person_id, product_id"
    };
    HOLDERS = "SELECT s.person_id, p.login, p.given_name, p.family_name, p.operator, p.privacy, s.state, s.since,
                      (SELECT COUNT(*) FROM seat_history h WHERE h.person_id = s.person_id AND h.organization_id = s.organization_id
                              AND h.product_id = s.product_id AND h.event = 'taken_over') AS taken_over
               FROM seats s JOIN people p ON p.id = s.person_id
               WHERE s.organization_id = $1 AND s.product_id = $2 AND (s.since > $3 OR (s.since = $3 AND s.person_id > $4))
               ORDER BY s.since, s.person_id LIMIT $5";
    TELL = "INSERT INTO seat_history (id, organization_id, product_id, person_id, event, other_person_id, by_whom, reason, at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    HISTORY = "SELECT id, product_id, person_id, event, other_person_id, by_whom, reason, at FROM seat_history
               WHERE organization_id = $1 AND product_id = $2 AND (at < $3 OR (at = $3 AND id < $4))
               ORDER BY at DESC, id DESC LIMIT $5";
    ADMISSIBLE = (concat!("SELECT s.organization_id, p.mode, p.grants,
                         CASE WHEN p.mode = 'concurrent' THEN ", others_connected!("p.organization_id", "p.product_id", "$3", "$4"), " ELSE 0 END AS connected
                  FROM seats s JOIN seat_pools p ON p.organization_id = s.organization_id AND p.product_id = s.product_id
                  WHERE s.person_id = $1 AND s.product_id = $2 AND s.state = 'assigned'"));
    CONNECTED = (concat!("SELECT ", others_connected!("$1", "$2", "$3", "$4")));
    IS_CONNECTED = "SELECT EXISTS (SELECT 1 FROM seat_connections c JOIN sessions x ON x.id = c.session_id
                                   WHERE c.organization_id = $1 AND c.product_id = $2 AND c.session_id = $3 AND x.ended_at IS NULL AND x.expires_at > $4)
                        OR EXISTS (SELECT 1 FROM seat_leases l JOIN grants g ON g.id = l.grant_id
                                   WHERE l.organization_id = $1 AND l.product_id = $2 AND l.until > $4 AND g.revoked_at IS NULL
                                     AND COALESCE(g.session_id, g.id) = $3)";
    LEASE = "INSERT INTO seat_leases (organization_id, product_id, grant_id, until) VALUES ($1, $2, $3, $4)
             ON CONFLICT (organization_id, product_id, grant_id) DO UPDATE
             SET until = CASE WHEN seat_leases.until < excluded.until THEN excluded.until ELSE seat_leases.until END";
    CONNECT = "INSERT INTO seat_connections (organization_id, product_id, session_id, since) VALUES ($1, $2, $3, $4)
               ON CONFLICT (organization_id, product_id, session_id) DO NOTHING";
    HELD_FOR_NOBODY = (concat!(nobody!(), "AND s.since < $2 ORDER BY s.organization_id, s.product_id, s.person_id LIMIT $3"));
    STILL_HELD = (concat!(nobody!(), "AND s.organization_id = $2 AND s.product_id = $3 AND s.person_id = $4"));
}

/// The pool of a product in an organization.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Pool {
    /// Whose.
    pub organization_id: String,
    /// Of what.
    pub product_id: String,
    mode: String,
    grants: String,
    /// Seats taken.
    pub taken: i64,
    /// Transfers so far.
    pub transfers: i64,
    noticed: String,
}

impl Pool {
    /// How seats are counted at `now`.
    pub fn mode(&self, now: Timestamp) -> Mode {
        rules::mode(&self.grants(), now)
    }

    /// What opens seats, from when until when.
    pub fn grants(&self) -> Vec<Grant> {
        read_grants(&self.mode, &self.grants)
    }

    /// The level administrators were last told.
    pub fn noticed(&self) -> Level {
        Level::parse(&self.noticed)
    }
}

/// A grant as it is stored: seats, first instant, first instant after (milliseconds), how they are counted.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum StoredGrant {
    Whole(u32, i64, Option<i64>, String),
    /// From before an order's mode was kept with what it opens: that of the pool.
    Short(u32, i64, Option<i64>),
}

fn read_grants(mode: &str, text: &str) -> Vec<Grant> {
    // What cannot be read opens nothing.
    let rows: Vec<StoredGrant> = serde_json::from_str(text).unwrap_or_default();
    let grant = |row: StoredGrant| {
        let (seats, from, until, mode) = match row {
            StoredGrant::Whole(seats, from, until, mode) => (seats, from, until, Mode::parse(&mode)),
            StoredGrant::Short(seats, from, until) => (seats, from, until, Mode::parse(mode)),
        };
        let at = |at| Timestamp::from(At(at));
        Grant { seats, mode, from: at(from), until: until.map(at) }
    };
    rows.into_iter().map(grant).collect()
}

fn write_grants(grants: &[Grant]) -> String {
    let row = |grant: &Grant| {
        (grant.seats, grant.from.as_millisecond(), grant.until.map(Timestamp::as_millisecond), grant.mode.name())
    };
    let rows: Vec<(u32, i64, Option<i64>, &str)> = grants.iter().map(row).collect();
    serde_json::to_string(&rows).unwrap_or_default()
}

/// Makes the pool of a product, or says what its orders open now.
///
/// # Errors
/// The engine failed, an organization or product that is not there included.
pub async fn ensure_pool(
    tx: &mut Tx,
    (organization, product): (&str, &str),
    grants: &[Grant],
    now: Timestamp,
) -> sqlx::Result<()> {
    // Whether connections count at some time: then they are counted at all. How seats count now, the grants say.
    let concurrent = grants.iter().any(|grant| grant.mode == Mode::Concurrent);
    let (mode, grants) = (if concurrent { Mode::Concurrent } else { Mode::Named }, write_grants(grants));
    sql!(tx, execute ENSURE_POOL, organization, product, mode.name(), &grants, At::from(now)).map(drop)
}

/// The pools of an organization, by product.
///
/// # Errors
/// The engine failed.
pub async fn pools(c: &mut impl Conn, organization: &str) -> sqlx::Result<Vec<Pool>> {
    sql!(c, all Pool: POOLS, organization)
}

/// The pool of a product.
///
/// # Errors
/// The engine failed.
pub async fn pool(c: &mut impl Conn, organization: &str, product: &str) -> sqlx::Result<Option<Pool>> {
    // No id has a NUL, and PostgreSQL refuses to be asked for one.
    if product.contains('\0') {
        return Ok(None);
    }
    sql!(c, optional Pool: POOL, organization, product)
}

/// Counts so many seats more (or fewer) as taken and holds the pool until the transaction ends; gives it as it is then.
///
/// # Errors
/// The engine failed.
pub async fn count(
    tx: &mut Tx,
    (organization, product): (&str, &str),
    seats: i64,
) -> sqlx::Result<Option<Pool>> {
    sql!(tx, optional Pool: MOVE, organization, product, seats)
}

/// Counts a transfer.
///
/// # Errors
/// The engine failed.
pub async fn count_transfer(tx: &mut Tx, (organization, product): (&str, &str)) -> sqlx::Result<()> {
    sql!(tx, execute COUNT_TRANSFER, organization, product).map(drop)
}

/// Notes the level that administrators were told, or that it fell.
///
/// # Errors
/// The engine failed.
pub async fn noticed(tx: &mut Tx, (organization, product): (&str, &str), level: Level) -> sqlx::Result<()> {
    sql!(tx, execute NOTICED, organization, product, level.name()).map(drop)
}

/// Who holds a seat.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Seat {
    /// Where.
    pub organization_id: String,
    /// Of what.
    pub product_id: String,
    /// Who.
    pub person_id: String,
    /// `held` or `assigned`.
    pub state: String,
    /// Since when.
    pub since: At,
}

/// Seats somebody; false when they sit already. The pool is held and counted by [`count`].
///
/// # Errors
/// The engine failed.
pub async fn sit(
    tx: &mut Tx,
    (organization, product): (&str, &str),
    (person, state): (&str, &str),
    now: Timestamp,
) -> sqlx::Result<bool> {
    sql!(tx, execute SIT, organization, product, person, state, At::from(now)).map(|rows| rows == 1)
}

/// Frees somebody's seat; false when they held none.
///
/// # Errors
/// The engine failed.
pub async fn free(tx: &mut Tx, (organization, product): (&str, &str), person: &str) -> sqlx::Result<bool> {
    sql!(tx, execute FREE, organization, product, person).map(|rows| rows == 1)
}

/// Turns the seats held for somebody, in one organization or (`""`) in all, into theirs; gives them.
///
/// # Errors
/// The engine failed.
pub async fn assign(tx: &mut Tx, person: &str, organization: &str, now: Timestamp) -> sqlx::Result<Vec<Seat>> {
    sql!(tx, all Seat: ASSIGN, person, At::from(now), organization)
}

/// The seats of somebody in an organization.
///
/// # Errors
/// The engine failed.
pub async fn of_member(c: &mut impl Conn, organization: &str, person: &str) -> sqlx::Result<Vec<Seat>> {
    sql!(c, all Seat: OF_MEMBER, organization, person)
}

/// The seats of some people in an organization, in order: person and product.
///
/// # Errors
/// The engine failed.
pub async fn of_many(c: &mut impl Conn, organization: &str, people: &[&str]) -> sqlx::Result<Vec<(String, String)>> {
    let people = serde_json::to_string(people).map_err(|error| sqlx::Error::Encode(error.into()))?;
    sql!(c, all (String, String): OF_MANY, organization, people)
}

/// Who sits, for the list.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Holder {
    /// Who.
    pub person_id: String,
    /// Folded login.
    pub login: String,
    /// Given name.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// Staff of the operator.
    pub operator: bool,
    /// Data protection officer of the operator.
    pub privacy: bool,
    /// `held` or `assigned`.
    pub state: String,
    /// Since when.
    pub since: At,
    /// How often they took such a seat over from somebody.
    pub taken_over: i64,
}

/// Who holds seats of a product, the longest first, after the instant (milliseconds since 1970) and person of another, at most so many.
///
/// # Errors
/// The engine failed.
pub async fn holders(
    c: &mut impl Conn,
    (organization, product): (&str, &str),
    (at, person, limit): (i64, &str, u32),
) -> sqlx::Result<Vec<Holder>> {
    sql!(c, all Holder: HOLDERS, organization, product, at, person, i64::from(limit))
}

/// What happened to a seat.
#[derive(Debug, Clone, Copy)]
pub struct Happened<'a> {
    /// Where.
    pub organization: &'a str,
    /// Of what.
    pub product: &'a str,
    /// To whom.
    pub person: &'a str,
    /// `held`, `assigned`, `released`, `given_over` or `taken_over`.
    pub event: &'a str,
    /// The other person of a transfer.
    pub other: Option<&'a str>,
    /// Who did it.
    pub by: &'a str,
    /// Why.
    pub reason: &'a str,
}

/// Writes a line of the history.
///
/// # Errors
/// The engine failed.
pub async fn tell(tx: &mut Tx, happened: &Happened<'_>, now: Timestamp) -> sqlx::Result<()> {
    let id = habilis_keys::random::id("sea", now);
    sql!(
        tx,
        execute TELL,
        &id,
        happened.organization,
        happened.product,
        happened.person,
        happened.event,
        happened.other,
        happened.by,
        happened.reason,
        At::from(now),
    )
    .map(drop)
}

/// A line of the history.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Line {
    /// `sea_…`.
    pub id: String,
    /// Of what.
    pub product_id: String,
    /// To whom.
    pub person_id: String,
    /// See [`Happened::event`].
    pub event: String,
    /// The other person of a transfer.
    pub other_person_id: Option<String>,
    /// Who did it.
    pub by_whom: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: At,
}

/// What happened to the seats of a product, newest first, from before the instant and id of another line, at most so many.
///
/// # Errors
/// The engine failed.
pub async fn history(
    c: &mut impl Conn,
    (organization, product): (&str, &str),
    (at, id, limit): (i64, &str, u32),
) -> sqlx::Result<Vec<Line>> {
    sql!(c, all Line: HISTORY, organization, product, at, id, i64::from(limit))
}

/// A seat, with what decides whether it opens anything.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Admissible {
    /// Where.
    pub organization_id: String,
    mode: String,
    grants: String,
    connected: i64,
}

impl Admissible {
    /// What opens seats, from when until when.
    pub fn grants(&self) -> Vec<Grant> {
        read_grants(&self.mode, &self.grants)
    }

    /// Connections left at `now` beside those of others; none when seats are by name.
    pub fn connections_left(&self, now: Timestamp) -> Option<u64> {
        let grants = self.grants();
        let limit = rules::limit(&grants, now);
        let connected = u64::try_from(self.connected).unwrap_or(0);
        (rules::mode(&grants, now) == Mode::Concurrent).then(|| limit.saturating_sub(connected))
    }
}

/// The seats of somebody in a product, wherever they have one; what `session` uses is not counted among those connected.
///
/// # Errors
/// The engine failed.
pub async fn admissible(
    c: &mut impl Conn,
    (person, product, session): (&str, &str, &str),
    now: Timestamp,
) -> sqlx::Result<Vec<Admissible>> {
    sql!(c, all Admissible: ADMISSIBLE, person, product, session, At::from(now))
}

/// How many connections to a product of an organization are in use beside those of `holder`: a session, or a grant given in none.
///
/// # Errors
/// The engine failed.
pub async fn connected(
    c: &mut impl Conn,
    (organization, product, holder): (&str, &str, &str),
    now: Timestamp,
) -> sqlx::Result<i64> {
    sql!(c, one (i64,): CONNECTED, organization, product, holder, At::from(now)).map(|(count,)| count)
}

/// Whether `holder` is connected to a product of an organization.
///
/// # Errors
/// The engine failed.
pub async fn is_connected(
    c: &mut impl Conn,
    (organization, product, holder): (&str, &str, &str),
    now: Timestamp,
) -> sqlx::Result<bool> {
    sql!(c, one (bool,): IS_CONNECTED, organization, product, holder, At::from(now)).map(|(is,)| is)
}

/// Counts what was given by a grant among the connections until its tokens end.
///
/// # Errors
/// The engine failed.
pub async fn lease(
    tx: &mut Tx,
    (organization, product, grant): (&str, &str, &str),
    until: Timestamp,
) -> sqlx::Result<()> {
    sql!(tx, execute LEASE, organization, product, grant, At::from(until)).map(drop)
}

/// Counts a session among those that use a product.
///
/// # Errors
/// The engine failed.
pub async fn connect(
    tx: &mut Tx,
    (organization, product, session): (&str, &str, &str),
    now: Timestamp,
) -> sqlx::Result<()> {
    sql!(tx, execute CONNECT, organization, product, session, At::from(now)).map(drop)
}

/// Seats held since before `since` for an invitation or an offer that nobody can take any more at `now`, at most so many.
///
/// # Errors
/// The engine failed.
pub async fn held_for_nobody(
    c: &mut impl Conn,
    (now, since): (Timestamp, Timestamp),
    limit: u32,
) -> sqlx::Result<Vec<Seat>> {
    sql!(c, all Seat: HELD_FOR_NOBODY, At::from(now), At::from(since), i64::from(limit))
}

/// Whether such a seat is still held for nobody.
///
/// # Errors
/// The engine failed.
pub async fn is_held_for_nobody(tx: &mut Tx, seat: &Seat, now: Timestamp) -> sqlx::Result<bool> {
    let still = sql!(tx, optional Seat: STILL_HELD, At::from(now), &seat.organization_id, &seat.product_id, &seat.person_id)?;
    Ok(still.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_read_as_they_were_written_and_as_they_were_before() {
        let at = |milliseconds| Timestamp::from(At(milliseconds));
        let named = Grant { seats: 5, mode: Mode::Named, from: at(1_000), until: Some(at(2_000)) };
        let concurrent = Grant { seats: 7, mode: Mode::Concurrent, from: at(2_000), until: None };
        let text = write_grants(&[named, concurrent]);
        assert_eq!(text, r#"[[5,1000,2000,"named"],[7,2000,null,"concurrent"]]"#);
        for mode in ["named", "concurrent"] {
            assert_eq!(read_grants(mode, &text), [named, concurrent]);
        }
        assert_eq!(read_grants("concurrent", "[[7,2000,null]]"), [concurrent]);
        assert_eq!(read_grants("named", "[[5,1000,2000]]"), [named]);
        assert_eq!(read_grants("named", "[[5]]"), []);
    }
}
