//! The members of an organization, page by page: filtered, sorted, searched.
//!
//! Every statement reads a range of one index and stops: the size of the organization does not count. There are three ways:
//!
//! * **in order**: a range of `memberships_by_name`, `memberships_by_role` or `memberships_by_creation`, filtered;
//! * **by word**: a range of `member_words` from the word of the search that the fewest people have, or from a pair of its
//!   words; the other words are looked up for each row. The order is that of the matched word, then of the name;
//! * **of few**, when a filter leaves few members (suspended ones, externals, holders of a rare right): those
//!   few are read from the index of that filter, and sorted here.
//!
//! Where filters could leave out nearly everything, a page ends after so many rows looked at, with a cursor to go on.

use super::cursor::{self, Bounds, Cursor, Density, Driven, FEW, Order, Page, Place, Placed, WEIGHED};
use super::{At, Conn, walk};
use habilis_policies::search::end_of_prefix;

macro_rules! columns {
    ($word:literal) => {
        concat!(
            "SELECT p.id, p.login, p.email, p.given_name, p.family_name, p.status AS account_status, m.role, m.status, m.affiliation,
                    m.ends_on, m.mandate, m.version, m.created_at AS joined_at, p.operator, p.privacy,
                    NULLIF(m.signed_in_at, 0) AS signed_in_at, p.claims, p.identity_changed_at, m.sort_key, ",
            $word,
            " AS word "
        )
    };
}

macro_rules! gathered {
    (sqlite $rows:ident $($of:tt)*) => {
        walk::gathered!(
            ("id, login, email, given_name, family_name, account_status, role, status, affiliation, ends_on, mandate, version, joined_at,
              signed_in_at, json(iif(operator, 'true', 'false')), json(iif(privacy, 'true', 'false')), claims, identity_changed_at,
              CAST(sort_key AS TEXT), CAST(word AS TEXT)")
            $rows!(sqlite $($of)*)
        )
    };
    (postgres $rows:ident $($of:tt)*) => {
        $rows!(postgres $($of)*)
    };
}

// A scalar subquery in place of EXISTS: of the latter PostgreSQL might read all who have the right, at once.
macro_rules! filters {
    (sqlite) => {
        filters!("json_extract(q.claims, '$.phone_number')" "json_extract(q.claims, '$.birthdate')")
    };
    (postgres) => {
        filters!("CAST(q.claims AS JSONB) ->> 'phone_number'" "CAST(q.claims AS JSONB) ->> 'birthdate'")
    };
    ($phone:literal $birthdate:literal) => {
        concat!(
            "(CAST($2 AS TEXT) IS NULL OR m.status = $2) AND (CAST($3 AS TEXT) IS NULL OR m.role = $3) AND (CAST($4 AS TEXT) IS NULL OR m.affiliation = $4)
             AND (CAST($5 AS TEXT) IS NULL OR m.ends_on < $5)
             AND (CAST($6 AS TEXT) IS NULL OR 1 = (SELECT 1 FROM rights r WHERE r.person_id = m.person_id AND r.organization_id = $1
                                                               AND r.client_id = $6 AND r.role = $7 LIMIT 1))
             AND (CAST($8 AS TEXT) IS NULL OR 1 = (SELECT 1 FROM people q WHERE q.id = m.person_id
                     AND ($8 LIKE '%given_name%' AND TRIM(q.given_name) = '' OR $8 LIKE '%family_name%' AND TRIM(q.family_name) = ''
                          OR $8 LIKE '%phone_number%' AND TRIM(COALESCE(",
            $phone,
            ", '')) = '' OR $8 LIKE '%birthdate%' AND TRIM(COALESCE(",
            $birthdate,
            ", '')) = '') LIMIT 1))
             AND (CAST($9 AS TEXT) IS NULL OR 1 = (SELECT 1 FROM people q WHERE q.id = m.person_id
                     AND CASE $9 WHEN 'refused' THEN q.email_bounced_at IS NOT NULL WHEN 'proven' THEN q.email_verified
                                 ELSE q.email IS NOT NULL AND NOT q.email_verified END LIMIT 1)) "
        )
    };
}

// The index that a list is read from. SQLite would guess, and of statistics older than an index guesses wrong: it would sort everybody.
macro_rules! index {
    (postgres $($of:tt)*) => {
        ""
    };
    (sqlite "sort_key") => {
        "INDEXED BY memberships_by_name "
    };
    (sqlite "sort_key" $of_role:tt) => {
        "INDEXED BY memberships_by_role_and_name "
    };
    (sqlite "created_at") => {
        "INDEXED BY memberships_by_creation "
    };
}

macro_rules! in_order {
    ($engine:ident $column:tt $beyond:literal $direction:literal $($of_role:tt)?) => {
        concat!(
            columns!("m.sort_key"),
            "FROM (SELECT m.* FROM (SELECT organization_id, person_id, role, status, affiliation, ends_on, mandate, version, created_at,
                                           signed_in_at, sort_key
                                    FROM memberships ", index!($engine $column $($of_role)?),
            "WHERE organization_id = $1 ", $($of_role,)? "AND (", $column, ", person_id) ", $beyond,
            " ($12, $13) ORDER BY ", $column, " ", $direction, ", person_id ", $direction, " LIMIT $10) m WHERE ", filters!($engine),
            "ORDER BY m.", $column, " ", $direction, ", m.person_id ", $direction, " LIMIT $11) m JOIN people p ON p.id = m.person_id
             ORDER BY m.", $column, " ", $direction, ", m.person_id ", $direction
        )
    };
}

macro_rules! reached {
    ($engine:ident $column:tt $beyond:literal $direction:literal $($of_role:tt)?) => {
        concat!(
            "SELECT sort_key, created_at AS at, person_id AS id, sort_key AS word FROM memberships ",
            index!($engine $column $($of_role)?), "WHERE organization_id = $1 ", $($of_role,)? "AND (",
            $column, ", person_id) ", $beyond, " ($2, $3) ORDER BY ", $column, " ", $direction, ", person_id ", $direction,
            " LIMIT 1 OFFSET $4"
        )
    };
}

// The first of the person's words from `$from` on: within the range, or the person has none in it.
macro_rules! first_word {
    ($from:literal) => {
        concat!("(SELECT e.word FROM person_words e WHERE e.person_id = k.person_id AND e.word >= ", $from, " ORDER BY e.word LIMIT 1)")
    };
}

// The membership of whom was found. SQLite's index holds all that a list shows of it, the members of an organization side by side;
// left to itself the engine takes the key, which is unique and lies anywhere.
macro_rules! membership {
    (sqlite) => {
        "JOIN memberships m INDEXED BY memberships_by_name ON m.organization_id = $1 AND m.sort_key = k.sort_key AND m.person_id = k.person_id "
    };
    (postgres) => {
        "JOIN memberships m ON m.person_id = k.person_id AND m.organization_id = $1 "
    };
}

// Somebody with two words in the range counts once, at the first of them.
macro_rules! by_word {
    ($engine:ident) => {
        concat!(
            columns!("k.word"),
            "FROM (SELECT k.* FROM (SELECT word, sort_key, person_id, shared FROM member_words
                                    WHERE organization_id = $1 AND (word, sort_key, person_id) > ($14, $15, $16) AND word < $13
                                    ORDER BY word, sort_key, person_id LIMIT $10) k
                   ", membership!($engine), "WHERE ", filters!($engine), "AND ", walk::found_first!(first_word!("$12"), "$12"),
            " AND (CAST($17 AS blob) IS NULL OR ", first_word!("$17"), " < $18)
              AND (CAST($19 AS blob) IS NULL OR ", first_word!("$19"), " < $20)
              AND (CAST($21 AS blob) IS NULL OR ", first_word!("$21"), " < $22)
              AND (CAST($23 AS blob) IS NULL OR ", first_word!("$23"), " < $24)
              AND (CAST($25 AS blob) IS NULL OR ", first_word!("$25"), " < $26)
              ORDER BY k.word, k.sort_key, k.person_id LIMIT $11) k
            ", membership!($engine), "JOIN people p ON p.id = k.person_id
            ORDER BY k.word, k.sort_key, k.person_id"
        )
    };
}

// One word and no filter: whoever is found is shown, and memberships are read for the page alone.
macro_rules! by_one_word {
    ($engine:ident) => {
        concat!(
            columns!("k.word"),
            "FROM (SELECT k.* FROM (SELECT word, sort_key, person_id, shared FROM member_words
                                    WHERE organization_id = $1 AND (word, sort_key, person_id) > ($4, $5, $6) AND word < $3
                                    ORDER BY word, sort_key, person_id LIMIT $7) k
                   WHERE ", walk::found_first!(first_word!("$2"), "$2"), "ORDER BY k.word, k.sort_key, k.person_id LIMIT $8) k
             ", membership!($engine), "JOIN people p ON p.id = k.person_id
             ORDER BY k.word, k.sort_key, k.person_id"
        )
    };
}

macro_rules! of_few {
    (sqlite) => {
        of_few!(sqlite "json_each($10)")
    };
    (postgres) => {
        of_few!(postgres "jsonb_array_elements_text(CAST($10 AS TEXT)::jsonb)")
    };
    ($engine:ident $ids:literal) => {
        concat!(
            columns!("m.sort_key"),
            "FROM ", $ids, " f JOIN memberships m ON m.person_id = f.value AND m.organization_id = $1
             JOIN people p ON p.id = m.person_id WHERE ",
            filters!($engine)
        )
    };
}

statements! {
    BY_NAME = [gathered in_order "sort_key" ">" "ASC"];
    BY_NAME_DESCENDING = [gathered in_order "sort_key" "<" "DESC"];
    BY_ROLE = [gathered in_order "sort_key" ">" "ASC" "AND role = $3 "];
    BY_ROLE_DESCENDING = [gathered in_order "sort_key" "<" "DESC" "AND role = $3 "];
    BY_TIME = [gathered in_order "created_at" ">" "ASC"];
    BY_TIME_DESCENDING = [gathered in_order "created_at" "<" "DESC"];
    REACHED_BY_NAME = [reached "sort_key" ">" "ASC"];
    REACHED_BY_NAME_DESCENDING = [reached "sort_key" "<" "DESC"];
    REACHED_BY_ROLE = [reached "sort_key" ">" "ASC" "AND role = $5 "];
    REACHED_BY_ROLE_DESCENDING = [reached "sort_key" "<" "DESC" "AND role = $5 "];
    REACHED_BY_TIME = [reached "created_at" ">" "ASC"];
    REACHED_BY_TIME_DESCENDING = [reached "created_at" "<" "DESC"];
    BY_WORD = [gathered by_word];
    BY_ONE_WORD = [gathered by_one_word];
    REACHED_BY_WORD = "SELECT sort_key, CAST(0 AS BIGINT) AS at, person_id AS id, word FROM member_words
                       WHERE organization_id = $1 AND (word, sort_key, person_id) > ($3, $4, $5) AND word < $2
                       ORDER BY word, sort_key, person_id LIMIT 1 OFFSET $6";
    WEIGH = "SELECT COUNT(*) FROM (SELECT 1 FROM member_words WHERE organization_id = $1 AND word >= $2 AND word < $3 LIMIT $4) w";
    FEW_OF_ROLE = "SELECT person_id FROM memberships WHERE organization_id = $1 AND role = $2 LIMIT $3";
    FEW_OF_STATUS = "SELECT person_id FROM memberships
                     WHERE organization_id = $1 AND status <> 'active' AND status = $2 LIMIT $3";
    FEW_OF_AFFILIATION = "SELECT person_id FROM memberships
                          WHERE organization_id = $1 AND affiliation <> 'employee' AND affiliation = $2 LIMIT $3";
    FEW_ENDING = "SELECT person_id FROM memberships WHERE organization_id = $1 AND ends_on IS NOT NULL AND ends_on < $2 LIMIT $3";
    FEW_WITH_RIGHT = "SELECT person_id FROM rights WHERE organization_id = $1 AND client_id = $2 AND role = $3 LIMIT $4";
    FEW_REFUSED = "SELECT id FROM people WHERE email_bounced_at IS NOT NULL LIMIT $1";
    OF_FEW = [gathered of_few];
}

/// Which members are wanted.
#[derive(Debug, Clone, Default)]
pub struct MemberFilter<'a> {
    /// Words of a search, from [`habilis_policies::search::query`]: each begins one of the person's words.
    pub words: &'a [String],
    /// Status of the membership: `active` or `suspended`.
    pub status: Option<&'a str>,
    /// `administrator` or `member`.
    pub role: Option<&'a str>,
    /// `employee` or `external`.
    pub affiliation: Option<&'a str>,
    /// A right: portal and role.
    pub right: Option<(&'a str, &'a str)>,
    /// The last day is before this one, `2026-12-31`.
    pub ends_before: Option<&'a str>,
    /// Does not say one of these attributes: their names, with spaces between them.
    pub missing: Option<&'a str>,
    /// The mail address is `proven`, there and `unproven`, or `refused` a mail.
    pub address: Option<&'a str>,
}

/// A member in a list.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow, serde::Deserialize)]
pub struct MemberRow {
    /// `usr_…`.
    pub id: String,
    /// Login.
    pub login: String,
    /// Mail address.
    pub email: Option<String>,
    /// Given name.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// Status of the person's account, see [`super::people::Person::status`].
    pub account_status: String,
    /// `administrator` or `member`.
    pub role: String,
    /// Status of the membership: `active` or `suspended`.
    pub status: String,
    /// `employee` or `external`.
    pub affiliation: String,
    /// Last day, in Paris.
    pub ends_on: Option<String>,
    /// `legal_representative`, `delegation` or `invitation`.
    pub mandate: Option<String>,
    /// Version of the membership.
    pub version: i64,
    /// When the person became a member.
    pub joined_at: At,
    /// When the person last signed in, as far as a session still tells.
    pub signed_in_at: Option<At>,
    /// Staff of the operator.
    pub operator: bool,
    /// Data protection officer of the operator.
    pub privacy: bool,
    /// See [`super::people::Person::claims`].
    pub claims: String,
    /// See [`super::people::Person::identity_changed_at`].
    pub identity_changed_at: Option<At>,
    #[serde(deserialize_with = "walk::bytes")]
    sort_key: Vec<u8>,
    #[serde(deserialize_with = "walk::bytes")]
    word: Vec<u8>,
}

impl Placed for MemberRow {
    fn place(&self) -> Place {
        Place { word: self.word.clone(), sort_key: self.sort_key.clone(), at: self.joined_at, id: self.id.clone() }
    }
}

/// The members of `organization` that pass `filter`, at most `limit` (from 1 to [`cursor::MAX_LIMIT`]) from the place `after` on.
///
/// `order` is [`Order::Match`] exactly when there are words; see [`Order::parse`] and [`Order::resume`].
///
/// # Errors
/// The engine failed.
pub async fn list(
    c: &mut impl Conn,
    (organization, filter): (&str, &MemberFilter<'_>),
    (order, after): (Order, Option<Cursor>),
    limit: u32,
) -> sqlx::Result<Page<MemberRow>> {
    if !filter.words.is_empty() {
        return search(c, (organization, filter), after, limit).await;
    }
    let after = after.unwrap_or_else(|| order.start());
    if let Some(few) = few(c, (organization, filter), order).await? {
        let ids = serde_json::Value::from(few).to_string();
        let (client, right) = filter.right.unzip();
        let rows = sql!(
            c,
            page MemberRow: OF_FEW,
            organization, filter.status, filter.role, filter.affiliation, filter.ends_before, client, right, filter.missing, filter.address,
            ids,
        )?;
        return Ok(cursor::page_of_few(rows, order, &after, limit));
    }
    let by_name = matches!(order, Order::Name | Order::NameDescending);
    // Of one role by name: its index holds nobody else.
    let dense = filter.rest_is_open() && (filter.role.is_none() || by_name);
    let bounds = Bounds::new(limit, if dense { Density::Every } else { Density::Some });
    let asked = (organization, filter);
    match (order, filter.role) {
        (Order::Name | Order::Match, None) => by_name_ascending(c, asked, after, bounds).await,
        (Order::Name | Order::Match, Some(_)) => by_role(c, asked, after, bounds).await,
        (Order::NameDescending, None) => by_name_descending(c, asked, after, bounds).await,
        (Order::NameDescending, Some(_)) => by_role_descending(c, asked, after, bounds).await,
        (Order::Time, _) => by_time(c, asked, after, bounds).await,
        (Order::TimeDescending, _) => by_time_descending(c, asked, after, bounds).await,
    }
}

impl MemberFilter<'_> {
    /// Whether everybody passes, words aside.
    fn is_open(&self) -> bool {
        self.role.is_none() && self.rest_is_open()
    }

    /// Whether everybody of the role passes, words aside.
    fn rest_is_open(&self) -> bool {
        self.status.is_none()
            && self.affiliation.is_none()
            && self.right.is_none()
            && self.ends_before.is_none()
            && self.missing.is_none()
            && self.address.is_none()
    }
}

macro_rules! way {
    ($name:ident, $page:ident, $reached:ident, $order:expr, $key:ident $(, $role:ident)?) => {
        walk::ordered!(
            $name((organization, filter), (&str, &MemberFilter<'_>)) -> MemberRow,
            $page(
                organization, filter.status, filter.role, filter.affiliation, filter.ends_before,
                filter.right.map(|(client, _)| client), filter.right.map(|(_, role)| role), filter.missing, filter.address
            ),
            $reached(organization; $(filter.$role)?), $order, $key
        );
    };
}

way!(by_name_ascending, BY_NAME, REACHED_BY_NAME, Order::Name, key);
way!(by_name_descending, BY_NAME_DESCENDING, REACHED_BY_NAME_DESCENDING, Order::NameDescending, key);
way!(by_role, BY_ROLE, REACHED_BY_ROLE, Order::Name, key, role);
way!(by_role_descending, BY_ROLE_DESCENDING, REACHED_BY_ROLE_DESCENDING, Order::NameDescending, key, role);
way!(by_time, BY_TIME, REACHED_BY_TIME, Order::Time, at);
way!(by_time_descending, BY_TIME_DESCENDING, REACHED_BY_TIME_DESCENDING, Order::TimeDescending, at);

/// The members that a filter leaves, when they are few.
async fn few(
    c: &mut impl Conn,
    (organization, filter): (&str, &MemberFilter<'_>),
    order: Order,
) -> sqlx::Result<Option<Vec<String>>> {
    let most = FEW + 1;
    let mut found: Vec<Vec<(String,)>> = Vec::new();
    if let Some((client, role)) = filter.right {
        found.push(sql!(c, all (String,): FEW_WITH_RIGHT, organization, client, role, most)?);
    }
    // By name they have an index in the order of the list.
    let by_time = matches!(order, Order::Time | Order::TimeDescending);
    if let Some(role) = filter.role.filter(|role| by_time && *role != "member") {
        found.push(sql!(c, all (String,): FEW_OF_ROLE, organization, role, most)?);
    }
    if let Some(status) = filter.status.filter(|status| *status != "active") {
        found.push(sql!(c, all (String,): FEW_OF_STATUS, organization, status, most)?);
    }
    if let Some(affiliation) = filter.affiliation.filter(|affiliation| *affiliation != "employee") {
        found.push(sql!(c, all (String,): FEW_OF_AFFILIATION, organization, affiliation, most)?);
    }
    if let Some(day) = filter.ends_before {
        found.push(sql!(c, all (String,): FEW_ENDING, organization, day, most)?);
    }
    // Of everybody: who is no member is left out with the rest.
    if filter.address == Some("refused") {
        found.push(sql!(c, all (String,): FEW_REFUSED, most)?);
    }
    let least = found.into_iter().min_by_key(Vec::len).filter(|ids| cursor::are_few(ids.len()));
    Ok(least.map(|ids| ids.into_iter().map(|(id,)| id).collect()))
}

walk::searched!(
    ((organization, filter), (&str, &MemberFilter<'_>)) -> MemberRow,
    BY_WORD(
        organization, filter.status, filter.role, filter.affiliation, filter.ends_before,
        filter.right.map(|(client, _)| client), filter.right.map(|(_, role)| role), filter.missing, filter.address
    ),
    REACHED_BY_WORD, WEIGH, BY_ONE_WORD, scope(organization),
    words filter.words, open filter.is_open(), drivers cursor::drivers
);
