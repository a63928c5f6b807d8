//! Where a list goes on: the key of the last row of a page, opaque to whoever holds it.
//!
//! A cursor is base64url of compact JSON. It is no secret and no permission: what it names is looked for within the same
//! organization and under the same rules as the first page, so one that somebody made up leads nowhere else.

use std::cmp::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use habilis_policies::search::{self, MAX_QUERY_WORDS, end_of_prefix};
use serde::{Deserialize, Serialize};

use super::At;

/// The most rows of a page.
pub const MAX_LIMIT: u32 = 200;
/// The most rows looked at for one page. Small in tests, so that they meet every bound with few people.
pub(super) const SCANNED: i64 = if cfg!(test) { 40 } else { 1000 };
/// Up to so many rows are few: they are all read, and sorted here.
pub(super) const FEW: i64 = if cfg!(test) { 10 } else { 200 };
/// The words of a search are weighed against each other up to so many people.
pub(super) const WEIGHED: i64 = if cfg!(test) { 15 } else { 500 };

/// The longest text that is read as a cursor, in bytes.
const MAX_TEXT: usize = 2048;
/// The longest key or word in a cursor, in bytes.
const MAX_KEY: usize = 768;
/// The longest id in a cursor, in bytes.
const MAX_ID: usize = 64;

/// The place after a row, in one order of one list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The order it belongs to, as the client names it.
    pub sort: String,
    /// The word by which the row was found, in a search.
    pub word: Vec<u8>,
    /// The row's sort key.
    pub key: Vec<u8>,
    /// The row's instant, in milliseconds.
    pub at: i64,
    /// The row's id.
    pub id: String,
}

/// A text that is no cursor of the list in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this list in this order")]
pub struct BadCursor;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<'a> {
    s: std::borrow::Cow<'a, str>,
    w: String,
    k: String,
    t: i64,
    i: std::borrow::Cow<'a, str>,
}

impl Cursor {
    /// The text that a client gets and gives back.
    pub fn encode(&self) -> String {
        let wire = Wire {
            s: self.sort.as_str().into(),
            w: URL_SAFE_NO_PAD.encode(&self.word),
            k: URL_SAFE_NO_PAD.encode(&self.key),
            t: self.at,
            i: self.id.as_str().into(),
        };
        // Strings and a number: nothing that JSON could refuse.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(&wire).unwrap_or_default())
    }

    /// Reads a cursor of the order `sort`.
    ///
    /// # Errors
    /// [`BadCursor`]: not made by [`Cursor::encode`], of another order, or longer than any of ours.
    pub fn decode(text: &str, sort: &str) -> Result<Self, BadCursor> {
        if text.len() > MAX_TEXT {
            return Err(BadCursor);
        }
        let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| BadCursor)?;
        let wire: Wire<'_> = serde_json::from_slice(&json).map_err(|_| BadCursor)?;
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| BadCursor);
        let cursor = Self {
            sort: wire.s.into_owned(),
            word: bytes(&wire.w)?,
            key: bytes(&wire.k)?,
            at: wire.t,
            id: wire.i.into_owned(),
        };
        let id_good = cursor.id.len() <= MAX_ID && cursor.id.bytes().all(|byte| byte.is_ascii_graphic());
        if cursor.sort == sort && id_good && cursor.word.len() <= MAX_KEY && cursor.key.len() <= MAX_KEY {
            Ok(cursor)
        } else {
            Err(BadCursor)
        }
    }

    /// The place before every row of an ascending order.
    fn before_all() -> Self {
        Self { sort: String::new(), word: Vec::new(), key: Vec::new(), at: i64::MIN, id: String::new() }
    }

    /// The place before every row of a descending order: folded names are UTF-8 and never begin with `0xFF`.
    fn after_all() -> Self {
        Self { sort: String::new(), word: Vec::new(), key: vec![0xFF], at: i64::MAX, id: String::new() }
    }
}

/// In what order a list is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// That of a search: by the word that was found, then by name.
    Match,
    /// By name.
    Name,
    /// By name, from the end.
    NameDescending,
    /// By the time of joining or of creation, the oldest first.
    Time,
    /// The newest first.
    TimeDescending,
}

impl Order {
    /// Reads what the client asks for: `name`, `-name`, or `time` (such as `joined`) and `-time`; by name without a wish.
    ///
    /// A search has an order of its own, and takes no other: none then for any wish but `match`.
    pub fn parse(sort: Option<&str>, time: &str, words: &[String]) -> Option<Self> {
        let Some(sort) = sort else { return Some(if words.is_empty() { Self::Name } else { Self::Match }) };
        let order = match (sort.strip_prefix('-'), sort) {
            (None, "match") => Self::Match,
            (None, "name") => Self::Name,
            (Some("name"), _) => Self::NameDescending,
            (None, sort) if sort == time => Self::Time,
            (Some(sort), _) if sort == time => Self::TimeDescending,
            _ => return None,
        };
        ((order == Self::Match) != words.is_empty()).then_some(order)
    }

    /// The name in a cursor.
    fn tag(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Name => "name",
            Self::NameDescending => "-name",
            Self::Time => "time",
            Self::TimeDescending => "-time",
        }
    }

    /// Reads the cursor of a page in this order, of the search for `words` if there are any.
    ///
    /// # Errors
    /// [`BadCursor`]: broken, of another order, or of another search.
    pub fn resume(self, text: &str, words: &[String]) -> Result<Cursor, BadCursor> {
        let cursor = Cursor::decode(text, self.tag())?;
        if self == Self::Match && Driven::resumed(words, &cursor).is_none() {
            return Err(BadCursor);
        }
        Ok(cursor)
    }

    /// The place after a row.
    pub(super) fn after(self, place: Place) -> Cursor {
        let Place { word, sort_key, at, id } = place;
        let (word, key, at) = match self {
            Self::Match => (word, sort_key, 0),
            Self::Name | Self::NameDescending => (Vec::new(), sort_key, 0),
            Self::Time | Self::TimeDescending => (Vec::new(), Vec::new(), at.milliseconds()),
        };
        Cursor { sort: self.tag().to_owned(), word, key, at, id }
    }

    /// Where the first page begins.
    pub(super) fn start(self) -> Cursor {
        match self {
            Self::Match | Self::Name | Self::Time => Cursor::before_all(),
            Self::NameDescending | Self::TimeDescending => Cursor::after_all(),
        }
    }
}

/// What a cursor is made of: a row's place in every order.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Place {
    /// The word that was found.
    pub(super) word: Vec<u8>,
    /// The sort key.
    pub(super) sort_key: Vec<u8>,
    /// The time of joining or creation.
    pub(super) at: At,
    /// The id.
    pub(super) id: String,
}

impl Place {
    /// Compares two rows in an order.
    pub(super) fn compare(&self, other: &Self, order: Order) -> Ordering {
        let key = |place: &Self| (place.sort_key.clone(), place.id.clone());
        match order {
            Order::Match => (&self.word, key(self)).cmp(&(&other.word, key(other))),
            Order::Name => key(self).cmp(&key(other)),
            Order::NameDescending => key(other).cmp(&key(self)),
            Order::Time => (self.at, &self.id).cmp(&(other.at, &other.id)),
            Order::TimeDescending => (other.at, &other.id).cmp(&(self.at, &self.id)),
        }
    }
}

/// A row of a list, with its place.
pub(super) trait Placed {
    /// The place.
    fn place(&self) -> Place;
}

/// A word with the end of its range; nothing where there are fewer words.
type Other<'a> = (Option<&'a [u8]>, Option<Vec<u8>>);

/// The words of a search: the one that drives, or a pair of them, as a range; and the ranges of the others.
#[derive(Debug)]
pub(super) struct Driven<'a> {
    /// The word, or the pair, whose range is read.
    pub(super) driver: String,
    /// The other words, each with the end of its range.
    pub(super) others: [Other<'a>; MAX_QUERY_WORDS],
}

impl<'a> Driven<'a> {
    /// Sets the word apart that drives; a pair leaves all of them to be looked at.
    pub(super) fn by(words: &'a [String], driver: String) -> Self {
        let mut others = [const { (None, None) }; MAX_QUERY_WORDS];
        for (place, word) in others.iter_mut().zip(words.iter().filter(|word| **word != driver)) {
            *place = (Some(word.as_bytes()), Some(end_of_prefix(word)));
        }
        Self { driver, others }
    }

    /// The word, or the pair, that drove the page before.
    pub(super) fn resumed(words: &'a [String], cursor: &Cursor) -> Option<Self> {
        let pairs = search::pairs(words);
        let driver = words.iter().chain(&pairs).find(|driver| cursor.word.starts_with(driver.as_bytes()))?.clone();
        Some(Self::by(words, driver))
    }
}

/// What may drive the search for people: the pairs of its words, or the words where they make none.
pub(super) fn drivers(words: &[String]) -> Vec<String> {
    let pairs = search::pairs(words);
    if pairs.is_empty() { words.to_vec() } else { pairs.into_iter().collect() }
}

/// How far one page reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Rows looked at.
    pub(super) scanned: i64,
    /// Rows of the page, and one more that tells whether there is another page.
    pub(super) rows: i64,
}

impl Bounds {
    /// `limit` rows, from 1 to [`MAX_LIMIT`]; `dense` when every row looked at is one of the page.
    pub(super) fn new(limit: u32, density: Density) -> Self {
        let rows = i64::from(limit.clamp(1, MAX_LIMIT)) + 1;
        let scanned = match density {
            Density::Every => rows,
            Density::Most => rows * 2,
            Density::Some => SCANNED,
        };
        Self { scanned, rows }
    }

    /// Whether there are so many rows that another page follows.
    pub(super) fn are_met_by(self, rows: usize) -> bool {
        i64::try_from(rows).is_ok_and(|rows| rows >= self.rows)
    }
}

/// Whether so many rows are few.
pub(super) fn are_few(rows: usize) -> bool {
    i64::try_from(rows).is_ok_and(|rows| rows <= FEW)
}

/// How many of the rows looked at are rows of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Density {
    /// All of them.
    Every,
    /// All but those of people who were found by two words.
    Most,
    /// Those that pass the filters.
    Some,
}

/// Makes a page of rows that were read up to one more than asked for; `reached` is the last row looked at, if more follow it.
pub(super) fn page<T: Placed>(mut rows: Vec<T>, order: Order, bounds: Bounds, reached: Option<Place>) -> Page<T> {
    let asked = usize::try_from(bounds.rows - 1).unwrap_or(usize::MAX);
    if rows.len() > asked {
        rows.truncate(asked);
        let next = rows.last().map(|row| order.after(row.place()));
        return Page { rows, next };
    }
    Page { rows, next: reached.map(|place| order.after(place)) }
}

/// Makes a page of few rows, all of them known and in no order.
pub(super) fn page_of_few<T: Placed>(rows: Vec<T>, order: Order, after: &Cursor, limit: u32) -> Page<T> {
    let bounds = Bounds::new(limit, Density::Every);
    let begin = Place { word: after.word.clone(), sort_key: after.key.clone(), at: At(after.at), id: after.id.clone() };
    let mut placed: Vec<(Place, T)> = rows.into_iter().map(|row| (row.place(), row)).collect();
    placed.retain(|(place, _)| place.compare(&begin, order) == Ordering::Greater);
    placed.sort_by(|(a, _), (b, _)| a.compare(b, order));
    let rows = placed.into_iter().map(|(_, row)| row).collect();
    page(rows, order, bounds, None)
}

/// A page of a list.
///
/// A page may hold fewer rows than were asked for although more follow: when filters leave out nearly everything, the work of
/// one page ends after so many rows looked at. The list ends where `next` is none.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Where the list goes on; none at its end.
    pub next: Option<Cursor>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_encoded_decodes(
            word in prop::collection::vec(any::<u8>(), 0..100),
            key in prop::collection::vec(any::<u8>(), 0..600),
            at in any::<i64>(),
            id in "[a-zA-Z0-9_-]{0,64}",
        ) {
            let cursor = Cursor { sort: "-name".to_owned(), word, key, at, id };
            let text = cursor.encode();
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
            prop_assert_eq!(Cursor::decode(&text, "-name"), Ok(cursor));
            prop_assert_eq!(Cursor::decode(&text, "name"), Err(BadCursor));
        }

        #[test]
        fn any_text_is_an_error_and_no_fault(text in "\\PC{0,200}", json in any::<Vec<u8>>()) {
            prop_assert_eq!(Cursor::decode(&text, "name"), Err(BadCursor));
            prop_assert_eq!(Cursor::decode(&URL_SAFE_NO_PAD.encode(json), "name"), Err(BadCursor));
        }
    }

    #[test]
    fn cursors_beyond_our_own_are_refused() {
        let good = Cursor { sort: "name".into(), word: vec![], key: vec![1], at: 0, id: "usr_1".into() };
        for bad in [
            Cursor { id: "é".into(), ..good.clone() },
            Cursor { id: "x".repeat(65), ..good.clone() },
            Cursor { key: vec![0; 769], ..good.clone() },
            Cursor { word: vec![0; 769], ..good.clone() },
        ] {
            assert_eq!(Cursor::decode(&bad.encode(), "name"), Err(BadCursor));
        }
        assert_eq!(Cursor::decode(&format!("{}{}", good.encode(), "A".repeat(4096)), "name"), Err(BadCursor));
        let more = URL_SAFE_NO_PAD.encode(r#"{"s":"name","w":"","k":"","t":0,"i":"a","x":1}"#);
        assert_eq!(Cursor::decode(&more, "name"), Err(BadCursor));
    }
}
