//! Rows of an import of all or nothing, prepared where nobody sees them, and the statements by which they appear: each takes all of
//! them at once, so that the transaction is short however many there are.

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    ADD = {
        sqlite "INSERT INTO import_entries (import_id, line, login, email, given_name, family_name, role, affiliation, ends_on, claims, sort_key, new_id, offer_id, rights, mandate)
                SELECT $1, json_extract(value, '$.line'), json_extract(value, '$.login'), json_extract(value, '$.email'),
                       json_extract(value, '$.given'), json_extract(value, '$.family'), json_extract(value, '$.role'),
                       json_extract(value, '$.affiliation'), json_extract(value, '$.ends_on'), json_extract(value, '$.claims'), unhex(json_extract(value, '$.key')), json_extract(value, '$.person'),
                       json_extract(value, '$.offer'), json_extract(value, '$.rights'), json_extract(value, '$.mandate')
                FROM json_each($2)",
        postgres "INSERT INTO import_entries (import_id, line, login, email, given_name, family_name, role, affiliation, ends_on, claims, sort_key, new_id, offer_id, rights, mandate)
                  SELECT $1, CAST(value->>'line' AS BIGINT), value->>'login', value->>'email', value->>'given', value->>'family',
                         value->>'role', value->>'affiliation', value->>'ends_on', value->>'claims', decode(value->>'key', 'hex'), value->>'person', value->>'offer', value->>'rights', value->>'mandate'
                  FROM jsonb_array_elements(CAST($2 AS TEXT)::jsonb)"
    };
    ADD_SEATS = {
        sqlite "INSERT INTO import_entry_seats (import_id, line, product_id)
                SELECT $1, json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each($2)",
        postgres "INSERT INTO import_entry_seats (import_id, line, product_id)
                  SELECT $1, CAST(value->>0 AS BIGINT), value->>1 FROM jsonb_array_elements(CAST($2 AS TEXT)::jsonb)"
    };
    FORGET = "DELETE FROM import_entries WHERE import_id = $1 AND line IN
              (SELECT e.line FROM import_entries e WHERE e.import_id = $1 ORDER BY e.line LIMIT $2)";
    TOLD = "DELETE FROM import_entries WHERE import_id = $1 AND line = $2";
    RESOLVE = "UPDATE import_entries SET account_id = (SELECT p.id FROM people p WHERE p.login = import_entries.login)
               WHERE import_id = $1 AND EXISTS (SELECT 1 FROM people p WHERE p.login = import_entries.login)";
    REFUSED = "SELECT e.line, CASE WHEN m.person_id IS NOT NULL THEN 'already_member'
                                   WHEN p.status NOT IN ('active', 'suspended_password') OR p.operator OR p.privacy OR p.id = $3
                                     OR NOT p.email_verified OR p.email IS NULL OR LOWER(p.email) <> LOWER(e.email) THEN 'login_taken'
                                   ELSE 'already_offered' END AS code
               FROM import_entries e
               JOIN people p ON p.id = e.account_id
               LEFT JOIN memberships m ON m.organization_id = $2 AND m.person_id = p.id
               LEFT JOIN membership_offers f ON f.organization_id = $2 AND f.person_id = p.id AND f.status = 'open'
               WHERE e.import_id = $1 AND e.account_id IS NOT NULL
                 AND (m.person_id IS NOT NULL OR f.id IS NOT NULL OR p.status NOT IN ('active', 'suspended_password')
                      OR p.operator OR p.privacy OR p.id = $3 OR NOT p.email_verified OR p.email IS NULL OR LOWER(p.email) <> LOWER(e.email))
               UNION ALL
               SELECT e.line, 'past' AS code FROM import_entries e WHERE e.import_id = $1 AND e.ends_on < $4";
    RIGHTS_SAID = "SELECT DISTINCT rights FROM import_entries WHERE import_id = $1 AND rights IS NOT NULL ORDER BY rights";
    LINES_SAYING = "SELECT line FROM import_entries WHERE import_id = $1 AND rights = $2 ORDER BY line";
    LINES = "SELECT line FROM import_entries WHERE import_id = $1 ORDER BY line";
    SEATS_WANTED = "SELECT s.product_id, COUNT(*) AS wanted
                    FROM import_entry_seats s JOIN import_entries e ON e.import_id = s.import_id AND e.line = s.line
                    WHERE s.import_id = $1
                      AND NOT EXISTS (SELECT 1 FROM seats x WHERE x.organization_id = $2 AND x.product_id = s.product_id AND x.person_id = e.account_id)
                    GROUP BY s.product_id ORDER BY s.product_id";
    WITHOUT_SEAT = "SELECT s.line
                    FROM import_entry_seats s JOIN import_entries e ON e.import_id = s.import_id AND e.line = s.line
                    WHERE s.import_id = $1 AND s.product_id = $3
                      AND NOT EXISTS (SELECT 1 FROM seats x WHERE x.organization_id = $2 AND x.product_id = s.product_id AND x.person_id = e.account_id)
                    ORDER BY s.line LIMIT 1000000 OFFSET $4";
    ENTER_PEOPLE = "INSERT INTO people (id, login, email, email_verified, given_name, family_name, locale, claims, status, operator, created_at, updated_at,
                                        indexed_at, sort_key)
                    SELECT e.new_id, e.login, e.email, FALSE, e.given_name, e.family_name, $2, e.claims, 'pending', FALSE, $3, $3, $3, e.sort_key
                    FROM import_entries e WHERE e.import_id = $1 AND e.account_id IS NULL ORDER BY e.line";
    ENTER_SEATS = "INSERT INTO seats (organization_id, product_id, person_id, state, since)
                   SELECT $2, s.product_id, COALESCE(e.account_id, e.new_id), 'held', $3
                   FROM import_entry_seats s JOIN import_entries e ON e.import_id = s.import_id AND e.line = s.line
                   WHERE s.import_id = $1
                   ON CONFLICT (organization_id, product_id, person_id) DO NOTHING";
    ENTER_MEMBERS = "INSERT INTO memberships (person_id, organization_id, role, created_at, updated_at, mandate, affiliation, ends_on, sort_key)
                     SELECT e.new_id, $2, e.role, $3, $3, NULLIF(COALESCE(e.mandate, 'invitation'), 'none'), e.affiliation, e.ends_on, e.sort_key
                     FROM import_entries e WHERE e.import_id = $1 AND e.account_id IS NULL ORDER BY e.line";
    ENTER_OFFERS = "INSERT INTO membership_offers (id, organization_id, person_id, email, role, affiliation, ends_on, mandate, rights, offered_by,
                                                   created_at, expires_at, status)
                    SELECT e.offer_id, $2, e.account_id, e.email, e.role, e.affiliation, e.ends_on, COALESCE(NULLIF(e.mandate, 'none'), 'invitation'), COALESCE(e.rights, $3), $4, $5, $6, 'open'
                    FROM import_entries e WHERE e.import_id = $1 AND e.account_id IS NOT NULL";
    ENTER_ROWS = "UPDATE import_rows SET state = CASE WHEN e.account_id IS NULL THEN 'made' ELSE 'offered' END,
                                         person_id = CASE WHEN e.account_id IS NULL THEN e.new_id END
                  FROM import_entries e
                  WHERE e.import_id = $1 AND import_rows.import_id = $1 AND import_rows.line = e.line";
    DECIDE = "UPDATE imports SET ready = 0, made = $2, offered = $3, decided_at = $4 WHERE id = $1 AND state = 'applying'";
    // The few first, then their rows: the other way round PostgreSQL goes through every row that is done with.
    TO_TELL = "SELECT r.line, r.data, r.state, e.new_id, e.offer_id, e.account_id
               FROM (SELECT * FROM import_entries WHERE import_id = $1 AND line > $2 ORDER BY line LIMIT $3) e
               JOIN import_rows r ON r.import_id = e.import_id AND r.line = e.line
               ORDER BY e.line";
    PRODUCTS_OF = "SELECT product_id FROM import_entry_seats WHERE import_id = $1 AND line = $2 ORDER BY product_id";
    DECIDED = "SELECT EXISTS (SELECT 1 FROM imports WHERE id = $1 AND state = 'applying' AND decided_at IS NOT NULL)";
}

/// Prepares rows, a JSON array of `line`, `login`, `email`, `given`, `family`, `role`, `affiliation`, `ends_on`, `claims`, `key` (hexadecimal), `person`, `offer` and `rights`, and
/// their seats, one of pairs of line and product.
///
/// # Errors
/// The engine failed.
pub async fn add(tx: &mut Tx, import: &str, (rows, seats): (&str, &str)) -> sqlx::Result<()> {
    sql!(tx, execute ADD, import, rows)?;
    sql!(tx, execute ADD_SEATS, import, seats).map(drop)
}

/// Removes at most `limit` prepared rows; says how many there were.
///
/// # Errors
/// The engine failed.
pub async fn forget(tx: &mut Tx, import: &str, limit: u32) -> sqlx::Result<u64> {
    sql!(tx, execute FORGET, import, i64::from(limit))
}

/// Finds out which prepared rows are about people who have an account.
///
/// # Errors
/// The engine failed.
pub async fn resolve(tx: &mut Tx, import: &str) -> sqlx::Result<()> {
    sql!(tx, execute RESOLVE, import).map(drop)
}

/// The lines that cannot be entered into an organization on the day `today`, in the name of `by`, each with a stable word why.
///
/// # Errors
/// The engine failed.
pub async fn refused(
    tx: &mut Tx,
    (import, organization): (&str, &str),
    (by, today): (&str, &str),
) -> sqlx::Result<Vec<(i64, String)>> {
    sql!(tx, all (i64, String): REFUSED, import, organization, by, today)
}

/// The rights that prepared rows say, each list once: lines of client and role.
///
/// # Errors
/// The engine failed.
pub async fn rights_said(tx: &mut Tx, import: &str) -> sqlx::Result<Vec<String>> {
    Ok(sql!(tx, all (String,): RIGHTS_SAID, import)?.into_iter().map(|(rights,)| rights).collect())
}

/// The prepared lines that say these rights.
///
/// # Errors
/// The engine failed.
pub async fn lines_saying(tx: &mut Tx, import: &str, rights: &str) -> sqlx::Result<Vec<i64>> {
    Ok(sql!(tx, all (i64,): LINES_SAYING, import, rights)?.into_iter().map(|(line,)| line).collect())
}

/// Every prepared line.
///
/// # Errors
/// The engine failed.
pub async fn lines(tx: &mut Tx, import: &str) -> sqlx::Result<Vec<i64>> {
    Ok(sql!(tx, all (i64,): LINES, import)?.into_iter().map(|(line,)| line).collect())
}

/// How many seats are wanted of each product, in the order in which pools are locked.
///
/// # Errors
/// The engine failed.
pub async fn seats_wanted(
    tx: &mut Tx,
    (import, organization): (&str, &str),
) -> sqlx::Result<Vec<(String, i64)>> {
    sql!(tx, all (String, i64): SEATS_WANTED, import, organization)
}

/// The lines that get no seat of a product when `free` do.
///
/// # Errors
/// The engine failed.
pub async fn without_seat(
    tx: &mut Tx,
    (import, organization): (&str, &str),
    (product, free): (&str, i64),
) -> sqlx::Result<Vec<i64>> {
    let lines = sql!(tx, all (i64,): WITHOUT_SEAT, import, organization, product, free)?;
    Ok(lines.into_iter().map(|(line,)| line).collect())
}

/// How prepared rows enter.
#[derive(Debug)]
pub struct Entering<'a> {
    /// `imp_…`.
    pub import: &'a str,
    /// `org_…`.
    pub organization: &'a str,
    /// Language of the letters.
    pub locale: &'a str,
    /// Rights of offers whose row says none, lines of client and role.
    pub rights: &'a str,
    /// In whose name.
    pub by: &'a str,
    /// Until when offers can be accepted.
    pub offers_until: Timestamp,
}

/// Makes all of them people, members and offers; gives how many members and how many offers. Seats were counted before.
///
/// # Errors
/// A unique violation when somebody took a login, or was offered a membership, at this moment; the engine failed.
pub async fn enter(tx: &mut Tx, how: &Entering<'_>, now: Timestamp) -> sqlx::Result<(i64, i64)> {
    let (import, organization, at) = (how.import, how.organization, At::from(now));
    sql!(tx, execute ENTER_PEOPLE, import, how.locale, at)?;
    sql!(tx, execute ENTER_SEATS, import, organization, at)?;
    let made = sql!(tx, execute ENTER_MEMBERS, import, organization, at)?;
    let until = At::from(how.offers_until);
    let offered = sql!(tx, execute ENTER_OFFERS, import, organization, how.rights, how.by, at, until)?;
    sql!(tx, execute ENTER_ROWS, import)?;
    let counts = (i64::try_from(made).unwrap_or(i64::MAX), i64::try_from(offered).unwrap_or(i64::MAX));
    sql!(tx, execute DECIDE, import, counts.0, counts.1, at)?;
    Ok(counts)
}

/// A row that has appeared, and whose person knows nothing yet.
#[derive(Debug, sqlx::FromRow)]
pub struct ToTell {
    /// Line of the file.
    pub line: i64,
    /// The cells, JSON.
    pub data: Option<String>,
    /// `made` or `offered`.
    pub state: String,
    /// The account that was made.
    pub new_id: String,
    /// The offer that was made.
    pub offer_id: String,
    /// The account there was.
    pub account_id: Option<String>,
}

/// At most `limit` rows after `line` whose people know nothing yet.
///
/// # Errors
/// The engine failed.
pub async fn to_tell(tx: &mut Tx, import: &str, (line, limit): (i64, u32)) -> sqlx::Result<Vec<ToTell>> {
    sql!(tx, all ToTell: TO_TELL, import, line, i64::from(limit))
}

/// The products of a prepared row.
///
/// # Errors
/// The engine failed.
pub async fn products_of(tx: &mut Tx, import: &str, line: i64) -> sqlx::Result<Vec<String>> {
    Ok(sql!(tx, all (String,): PRODUCTS_OF, import, line)?.into_iter().map(|(product,)| product).collect())
}

/// The person of a line knows.
///
/// # Errors
/// The engine failed.
pub async fn told(tx: &mut Tx, import: &str, line: i64) -> sqlx::Result<()> {
    sql!(tx, execute TOLD, import, line).map(drop)
}

/// Whether an import that is being applied has become all: it is carried to its end.
///
/// # Errors
/// The engine failed.
pub async fn decided(c: &mut impl Conn, import: &str) -> sqlx::Result<bool> {
    sql!(c, one (bool,): DECIDED, import).map(|(decided,)| decided)
}
