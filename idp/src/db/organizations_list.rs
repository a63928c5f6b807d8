//! The organizations of the server, page by page: filtered, sorted, searched by words of their names and by their numbers.
//!
//! The ways are those of [`super::members_list`]; the filters are cheap, and there are few organizations beside the people.

use super::cursor::{self, Bounds, Cursor, Density, Driven, Order, Page, Place, Placed, WEIGHED};
use super::{At, Conn, walk};
use habilis_policies::search::end_of_prefix;

macro_rules! columns {
    ($word:literal) => {
        concat!(
            "SELECT p.id, p.kind, p.name, p.siret, p.siren, p.nda, p.uai, p.status, p.version, p.created_at, p.updated_at, p.sort_key, ",
            $word,
            " AS word "
        )
    };
}

macro_rules! gathered {
    (sqlite $rows:ident $($of:tt)*) => {
        walk::gathered!(
            ("id, kind, name, siret, siren, nda, uai, status, version, created_at, updated_at, CAST(sort_key AS TEXT), CAST(word AS TEXT)")
            $rows!(sqlite $($of)*)
        )
    };
    (postgres $rows:ident $($of:tt)*) => {
        $rows!(postgres $($of)*)
    };
}

macro_rules! filters {
    () => {
        "(CAST($1 AS TEXT) IS NULL OR p.status = $1) AND (CAST($2 AS TEXT) IS NULL OR p.kind = $2) "
    };
}

macro_rules! in_order {
    ($engine:ident $column:literal $beyond:literal $direction:literal) => {
        concat!(
            columns!("p.sort_key"),
            "FROM (SELECT p.* FROM (SELECT * FROM organizations WHERE (", $column, ", id) ", $beyond, " ($5, $6)
                                    ORDER BY ", $column, " ", $direction, ", id ", $direction, " LIMIT $3) p
                   WHERE ", filters!(), "ORDER BY p.", $column, " ", $direction, ", p.id ", $direction, " LIMIT $4) p
             ORDER BY p.", $column, " ", $direction, ", p.id ", $direction
        )
    };
}

macro_rules! reached {
    ($column:literal $beyond:literal $direction:literal) => {
        concat!(
            "SELECT sort_key, created_at AS at, id, sort_key AS word FROM organizations WHERE (", $column, ", id) ", $beyond,
            " ($1, $2) ORDER BY ", $column, " ", $direction, ", id ", $direction, " LIMIT 1 OFFSET $3"
        )
    };
}

// The first of the words from `$from` on: within the range, or there is none in it.
macro_rules! first_word {
    ($from:literal) => {
        concat!("(SELECT e.word FROM organization_words e WHERE e.organization_id = k.id AND e.word >= ", $from, " ORDER BY e.word LIMIT 1)")
    };
}

// What has two words in the range counts once, at the first of them.
macro_rules! by_word {
    ($engine:ident) => {
        concat!(
            columns!("k.word"),
            "FROM (SELECT k.* FROM (SELECT word, sort_key, organization_id AS id FROM organization_words
                                    WHERE (word, sort_key, organization_id) > ($7, $8, $9) AND word < $6
                                    ORDER BY word, sort_key, organization_id LIMIT $3) k
                   JOIN organizations p ON p.id = k.id
                   WHERE ", filters!(), "AND k.word = ", first_word!("$5"),
            " AND (CAST($10 AS blob) IS NULL OR ", first_word!("$10"), " < $11)
              AND (CAST($12 AS blob) IS NULL OR ", first_word!("$12"), " < $13)
              AND (CAST($14 AS blob) IS NULL OR ", first_word!("$14"), " < $15)
              AND (CAST($16 AS blob) IS NULL OR ", first_word!("$16"), " < $17)
              AND (CAST($18 AS blob) IS NULL OR ", first_word!("$18"), " < $19)
              ORDER BY k.word, k.sort_key, k.id LIMIT $4) k
            JOIN organizations p ON p.id = k.id
            ORDER BY k.word, k.sort_key, k.id"
        )
    };
}

macro_rules! by_one_word {
    ($engine:ident) => {
        concat!(
            columns!("k.word"),
            "FROM (SELECT k.* FROM (SELECT word, sort_key, organization_id AS id FROM organization_words
                                    WHERE (word, sort_key, organization_id) > ($3, $4, $5) AND word < $2
                                    ORDER BY word, sort_key, organization_id LIMIT $6) k
                   WHERE k.word = ", first_word!("$1"), " ORDER BY k.word, k.sort_key, k.id LIMIT $7) k
             JOIN organizations p ON p.id = k.id
             ORDER BY k.word, k.sort_key, k.id"
        )
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
    REACHED_BY_WORD = "SELECT sort_key, CAST(0 AS BIGINT) AS at, organization_id AS id, word FROM organization_words
                       WHERE (word, sort_key, organization_id) > ($2, $3, $4) AND word < $1
                       ORDER BY word, sort_key, organization_id LIMIT 1 OFFSET $5";
    WEIGH = "SELECT COUNT(*) FROM (SELECT 1 FROM organization_words WHERE word >= $1 AND word < $2 LIMIT $3) w";
}

/// Which organizations are wanted.
#[derive(Debug, Clone, Default)]
pub struct OrganizationFilter<'a> {
    /// Words of a search, from [`habilis_policies::search::query`]: each begins a word of the name, or one of the numbers
    /// (SIRET, SIREN, NDA, UAI).
    pub words: &'a [String],
    /// `active`, `suspended` or `terminated`.
    pub status: Option<&'a str>,
    /// See [`super::organizations::Membership::kind`].
    pub kind: Option<&'a str>,
}

/// An organization in a list.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow, serde::Deserialize)]
pub struct OrganizationRow {
    /// `org_…`.
    pub id: String,
    /// See [`super::organizations::Membership::kind`].
    pub kind: String,
    /// Name as registered.
    pub name: String,
    /// SIRET, 14 digits.
    pub siret: Option<String>,
    /// SIREN, 9 digits.
    pub siren: Option<String>,
    /// Declaration number of a training body.
    pub nda: Option<String>,
    /// Code of a school.
    pub uai: Option<String>,
    /// `active`, `suspended` or `terminated`.
    pub status: String,
    /// Version of the organization.
    pub version: i64,
    /// When it was registered.
    pub created_at: At,
    /// Last change.
    pub updated_at: At,
    #[serde(deserialize_with = "walk::bytes")]
    sort_key: Vec<u8>,
    #[serde(deserialize_with = "walk::bytes")]
    word: Vec<u8>,
}

impl Placed for OrganizationRow {
    fn place(&self) -> Place {
        Place { word: self.word.clone(), sort_key: self.sort_key.clone(), at: self.created_at, id: self.id.clone() }
    }
}

/// The organizations that pass `filter`, at most `limit` (from 1 to [`cursor::MAX_LIMIT`]) from the place `after` on.
///
/// `order` is [`Order::Match`] exactly when there are words; see [`Order::parse`] and [`Order::resume`].
///
/// # Errors
/// The engine failed.
pub async fn list_page(
    c: &mut impl Conn,
    filter: &OrganizationFilter<'_>,
    (order, after): (Order, Option<Cursor>),
    limit: u32,
) -> sqlx::Result<Page<OrganizationRow>> {
    if !filter.words.is_empty() {
        return search(c, filter, after, limit).await;
    }
    let after = after.unwrap_or_else(|| order.start());
    let bounds = Bounds::new(limit, if filter.is_open() { Density::Every } else { Density::Some });
    match order {
        Order::Name | Order::Match => by_name(c, filter, after, bounds).await,
        Order::NameDescending => by_name_descending(c, filter, after, bounds).await,
        Order::Time => by_time(c, filter, after, bounds).await,
        Order::TimeDescending => by_time_descending(c, filter, after, bounds).await,
    }
}

impl OrganizationFilter<'_> {
    /// Whether everything passes, words aside.
    fn is_open(&self) -> bool {
        self.status.is_none() && self.kind.is_none()
    }
}

macro_rules! way {
    ($name:ident, $page:ident, $reached:ident, $order:expr, $key:ident) => {
        walk::ordered!(
            $name(filter, &OrganizationFilter<'_>) -> OrganizationRow,
            $page(filter.status, filter.kind), $reached(;), $order, $key
        );
    };
}

way!(by_name, BY_NAME, REACHED_BY_NAME, Order::Name, key);
way!(by_name_descending, BY_NAME_DESCENDING, REACHED_BY_NAME_DESCENDING, Order::NameDescending, key);
way!(by_time, BY_TIME, REACHED_BY_TIME, Order::Time, at);
way!(by_time_descending, BY_TIME_DESCENDING, REACHED_BY_TIME_DESCENDING, Order::TimeDescending, at);

walk::searched!(
    (filter, &OrganizationFilter<'_>) -> OrganizationRow,
    BY_WORD(filter.status, filter.kind), REACHED_BY_WORD, WEIGH, BY_ONE_WORD, scope(),
    words filter.words, open filter.is_open(), drivers <[String]>::to_vec
);
