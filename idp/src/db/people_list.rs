//! All people of the server, page by page, for its operator: filtered, sorted, searched.
//!
//! The ways are those of [`super::members_list`], over everybody.

use super::cursor::{self, Bounds, Cursor, Density, Driven, FEW, Order, Page, Place, Placed, WEIGHED};
use super::{At, Conn, walk};
use habilis_policies::search::end_of_prefix;

macro_rules! columns {
    ($word:literal) => {
        concat!(
            "SELECT p.id, p.login, p.email, p.email_verified, p.given_name, p.family_name, p.status, p.operator, p.privacy, p.identity_changed_at, p.version,
                    p.created_at, p.updated_at,
                    (SELECT MAX(s.auth_time) FROM sessions s WHERE s.person_id = p.id) AS signed_in_at, p.sort_key, ",
            $word,
            " AS word "
        )
    };
}

macro_rules! gathered {
    (sqlite $rows:ident $($of:tt)*) => {
        walk::gathered!(
            ("id, login, email, json(iif(email_verified, 'true', 'false')), given_name, family_name, status, json(iif(operator, 'true', 'false')),
              json(iif(privacy, 'true', 'false')), identity_changed_at, version, created_at, updated_at, signed_in_at,
              CAST(sort_key AS TEXT), CAST(word AS TEXT)")
            $rows!(sqlite $($of)*)
        )
    };
    (postgres $rows:ident $($of:tt)*) => {
        $rows!(postgres $($of)*)
    };
}

macro_rules! filters {
    () => {
        "(CAST($1 AS TEXT) IS NULL OR p.status = $1) AND (CAST($2 AS BOOLEAN) IS NULL OR p.operator = $2)
         AND (CAST($3 AS TEXT) IS NULL
              OR CASE $3 WHEN 'refused' THEN p.email_bounced_at IS NOT NULL WHEN 'proven' THEN p.email_verified
                         ELSE p.email IS NOT NULL AND NOT p.email_verified END)
         AND (CAST($4 AS TEXT) IS NULL OR ($4 = 'to_be_verified') = (p.identity_changed_at IS NOT NULL)) "
    };
}

macro_rules! in_order {
    ($engine:ident $column:literal $beyond:literal $direction:literal) => {
        concat!(
            columns!("p.sort_key"),
            "FROM (SELECT p.* FROM (SELECT * FROM people WHERE (", $column, ", id) ", $beyond, " ($7, $8)
                                    ORDER BY ", $column, " ", $direction, ", id ", $direction, " LIMIT $5) p
                   WHERE ", filters!(), "ORDER BY p.", $column, " ", $direction, ", p.id ", $direction, " LIMIT $6) p
             ORDER BY p.", $column, " ", $direction, ", p.id ", $direction
        )
    };
}

macro_rules! reached {
    ($column:literal $beyond:literal $direction:literal) => {
        concat!(
            "SELECT sort_key, created_at AS at, id, sort_key AS word FROM people WHERE (", $column, ", id) ", $beyond,
            " ($1, $2) ORDER BY ", $column, " ", $direction, ", id ", $direction, " LIMIT 1 OFFSET $3"
        )
    };
}

// The first of the words from `$from` on: within the range, or there is none in it.
macro_rules! first_word {
    ($from:literal) => {
        concat!("(SELECT e.word FROM person_words e WHERE e.person_id = k.id AND e.word >= ", $from, " ORDER BY e.word LIMIT 1)")
    };
}

// What has two words in the range counts once, at the first of them.
macro_rules! by_word {
    ($engine:ident) => {
        concat!(
            columns!("k.word"),
            "FROM (SELECT k.* FROM (SELECT word, sort_key, person_id AS id, shared FROM person_words
                                    WHERE (word, sort_key, person_id) > ($9, $10, $11) AND word < $8
                                    ORDER BY word, sort_key, person_id LIMIT $5) k
                   JOIN people p ON p.id = k.id
                   WHERE ", filters!(), "AND ", walk::found_first!(first_word!("$7"), "$7"),
            " AND (CAST($12 AS blob) IS NULL OR ", first_word!("$12"), " < $13)
              AND (CAST($14 AS blob) IS NULL OR ", first_word!("$14"), " < $15)
              AND (CAST($16 AS blob) IS NULL OR ", first_word!("$16"), " < $17)
              AND (CAST($18 AS blob) IS NULL OR ", first_word!("$18"), " < $19)
              AND (CAST($20 AS blob) IS NULL OR ", first_word!("$20"), " < $21)
              ORDER BY k.word, k.sort_key, k.id LIMIT $6) k
            JOIN people p ON p.id = k.id
            ORDER BY k.word, k.sort_key, k.id"
        )
    };
}

macro_rules! by_one_word {
    ($engine:ident) => {
        concat!(
            columns!("k.word"),
            "FROM (SELECT k.* FROM (SELECT word, sort_key, person_id AS id, shared FROM person_words
                                    WHERE (word, sort_key, person_id) > ($3, $4, $5) AND word < $2
                                    ORDER BY word, sort_key, person_id LIMIT $6) k
                   WHERE ", walk::found_first!(first_word!("$1"), "$1"), " ORDER BY k.word, k.sort_key, k.id LIMIT $7) k
             JOIN people p ON p.id = k.id
             ORDER BY k.word, k.sort_key, k.id"
        )
    };
}

macro_rules! of_few {
    (sqlite) => {
        of_few!("json_each($5)")
    };
    (postgres) => {
        of_few!("jsonb_array_elements_text(CAST($5 AS TEXT)::jsonb)")
    };
    ($ids:literal) => {
        concat!(columns!("p.sort_key"), "FROM ", $ids, " f JOIN people p ON p.id = f.value WHERE ", filters!())
    };
}

statements! {
    BY_NAME = [gathered in_order "sort_key" ">" "ASC"];
    BY_NAME_DESCENDING = [gathered in_order "sort_key" "<" "DESC"];
    BY_TIME = [gathered in_order "created_at" ">" "ASC"];
    BY_TIME_DESCENDING = [gathered in_order "created_at" "<" "DESC"];
    REACHED_BY_NAME = (reached!("sort_key" ">" "ASC"));
    REACHED_BY_NAME_DESCENDING = (reached!("sort_key" "<" "DESC"));
    REACHED_BY_TIME = (reached!("created_at" ">" "ASC"));
    REACHED_BY_TIME_DESCENDING = (reached!("created_at" "<" "DESC"));
    BY_WORD = [gathered by_word];
    BY_ONE_WORD = [gathered by_one_word];
    REACHED_BY_WORD = "SELECT sort_key, CAST(0 AS BIGINT) AS at, person_id AS id, word FROM person_words
                       WHERE (word, sort_key, person_id) > ($2, $3, $4) AND word < $1
                       ORDER BY word, sort_key, person_id LIMIT 1 OFFSET $5";
    WEIGH = "SELECT COUNT(*) FROM (SELECT 1 FROM person_words WHERE word >= $1 AND word < $2 LIMIT $3) w";
    FEW_OF_STATUS = "SELECT id FROM people WHERE status <> 'active' AND status = $1 LIMIT $2";
    FEW_OF_OPERATOR = "SELECT id FROM people WHERE operator LIMIT $1";
    FEW_TO_VERIFY = "SELECT id FROM people WHERE identity_changed_at IS NOT NULL LIMIT $1";
    FEW_REFUSED = "SELECT id FROM people WHERE email_bounced_at IS NOT NULL LIMIT $1";
    OF_FEW = [gathered of_few];
}

/// Which people are wanted.
#[derive(Debug, Clone, Default)]
pub struct PersonFilter<'a> {
    /// Words of a search, from [`habilis_policies::search::query`]: each begins one of the person's words.
    pub words: &'a [String],
    /// Status of the account.
    pub status: Option<&'a str>,
    /// Staff of the operator, or everybody else.
    pub operator: Option<bool>,
    /// The mail address is `proven`, there and `unproven`, or `refused` a mail.
    pub address: Option<&'a str>,
    /// The identity is `settled`, or `to_be_verified`.
    pub identity: Option<&'a str>,
}

/// A person in a list.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow, serde::Deserialize)]
pub struct PersonRow {
    /// `usr_…`.
    pub id: String,
    /// Login.
    pub login: String,
    /// Mail address.
    pub email: Option<String>,
    /// Whether the address was proven.
    pub email_verified: bool,
    /// Given name.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// Status of the account, see [`super::people::Person::status`].
    pub status: String,
    /// Staff of the operator.
    pub operator: bool,
    /// Data protection officer of the operator.
    pub privacy: bool,
    /// See [`super::people::Person::identity_changed_at`].
    pub identity_changed_at: Option<At>,
    /// Version of the person.
    pub version: i64,
    /// When the account was made.
    pub created_at: At,
    /// Last change.
    pub updated_at: At,
    /// When the person last signed in, as far as a session still tells.
    pub signed_in_at: Option<At>,
    #[serde(deserialize_with = "walk::bytes")]
    sort_key: Vec<u8>,
    #[serde(deserialize_with = "walk::bytes")]
    word: Vec<u8>,
}

impl Placed for PersonRow {
    fn place(&self) -> Place {
        Place { word: self.word.clone(), sort_key: self.sort_key.clone(), at: self.created_at, id: self.id.clone() }
    }
}

/// The people that pass `filter`, at most `limit` (from 1 to [`cursor::MAX_LIMIT`]) from the place `after` on.
///
/// `order` is [`Order::Match`] exactly when there are words; see [`Order::parse`] and [`Order::resume`].
///
/// # Errors
/// The engine failed.
pub async fn list(
    c: &mut impl Conn,
    filter: &PersonFilter<'_>,
    (order, after): (Order, Option<Cursor>),
    limit: u32,
) -> sqlx::Result<Page<PersonRow>> {
    if !filter.words.is_empty() {
        return search(c, filter, after, limit).await;
    }
    let after = after.unwrap_or_else(|| order.start());
    if let Some(few) = few(c, filter).await? {
        let ids = serde_json::Value::from(few).to_string();
        let rows = sql!(c, page PersonRow: OF_FEW, filter.status, filter.operator, filter.address, filter.identity, ids)?;
        return Ok(cursor::page_of_few(rows, order, &after, limit));
    }
    let bounds = Bounds::new(limit, if filter.is_open() { Density::Every } else { Density::Some });
    match order {
        Order::Name | Order::Match => by_name(c, filter, after, bounds).await,
        Order::NameDescending => by_name_descending(c, filter, after, bounds).await,
        Order::Time => by_time(c, filter, after, bounds).await,
        Order::TimeDescending => by_time_descending(c, filter, after, bounds).await,
    }
}

impl PersonFilter<'_> {
    /// Whether everything passes, words aside.
    fn is_open(&self) -> bool {
        self.status.is_none() && self.operator.is_none() && self.address.is_none() && self.identity.is_none()
    }
}

macro_rules! way {
    ($name:ident, $page:ident, $reached:ident, $order:expr, $key:ident) => {
        walk::ordered!(
            $name(filter, &PersonFilter<'_>) -> PersonRow,
            $page(filter.status, filter.operator, filter.address, filter.identity), $reached(;), $order, $key
        );
    };
}

way!(by_name, BY_NAME, REACHED_BY_NAME, Order::Name, key);
way!(by_name_descending, BY_NAME_DESCENDING, REACHED_BY_NAME_DESCENDING, Order::NameDescending, key);
way!(by_time, BY_TIME, REACHED_BY_TIME, Order::Time, at);
way!(by_time_descending, BY_TIME_DESCENDING, REACHED_BY_TIME_DESCENDING, Order::TimeDescending, at);

/// The people that a filter leaves, when they are few.
async fn few(c: &mut impl Conn, filter: &PersonFilter<'_>) -> sqlx::Result<Option<Vec<String>>> {
    let most = FEW + 1;
    let mut found: Vec<Vec<(String,)>> = Vec::new();
    if filter.operator == Some(true) {
        found.push(sql!(c, all (String,): FEW_OF_OPERATOR, most)?);
    }
    if let Some(status) = filter.status.filter(|status| *status != "active") {
        found.push(sql!(c, all (String,): FEW_OF_STATUS, status, most)?);
    }
    if filter.identity == Some("to_be_verified") {
        found.push(sql!(c, all (String,): FEW_TO_VERIFY, most)?);
    }
    if filter.address == Some("refused") {
        found.push(sql!(c, all (String,): FEW_REFUSED, most)?);
    }
    let least = found.into_iter().min_by_key(Vec::len).filter(|ids| cursor::are_few(ids.len()));
    Ok(least.map(|ids| ids.into_iter().map(|(id,)| id).collect()))
}

walk::searched!(
    (filter, &PersonFilter<'_>) -> PersonRow,
    BY_WORD(filter.status, filter.operator, filter.address, filter.identity), REACHED_BY_WORD, WEIGH, BY_ONE_WORD, scope(),
    words filter.words, open filter.is_open(), drivers cursor::drivers
);
