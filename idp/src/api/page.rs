//! Pages of lists: `limit`, an opaque `cursor`, and `next` in the answer while there is more.

use axum::Json;
use axum::extract::{FromRequestParts, Query};
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use habilis_policies::search;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::{Code, Problem, Stop};
use crate::db::cursor::{self, Cursor, Order};

/// Rows on a page when the caller names no number.
const USUAL: u32 = 50;
/// Rows on a page at the most.
pub const MOST: u32 = 200;
/// Longest cursor worth a look.
const MAX_CURSOR: usize = 512;

/// Parameters of the address, read strictly.
#[derive(Debug)]
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Stop;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Stop> {
        let query = Query::<T>::try_from_uri(&parts.uri);
        let Query(value) = query.map_err(|error| {
            use std::error::Error as _;
            let detail = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            let detail: String = detail.chars().take(300).collect();
            // What cannot be read is named before why.
            let word =
                |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            match detail.split_once(": ").filter(|(name, _)| word(name)) {
                Some((name, "invalid digit found in string")) => {
                    Problem::parameter(name, "a whole number, not negative")
                }
                Some((name, what)) => Problem::parameter(name, what),
                None => Problem::new(Code::InvalidParameter, detail),
            }
        })?;
        Ok(Self(value))
    }
}

/// Which page.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// Rows at the most, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[param(max_length = 512)]
    cursor: Option<String>,
}

impl Paging {
    /// What a list with further parameters was asked for.
    pub fn new(limit: Option<u32>, cursor: Option<String>) -> Self {
        Self { limit, cursor }
    }

    /// Rows at the most.
    ///
    /// # Errors
    /// Out of range.
    pub fn limit(&self) -> Result<u32, Problem> {
        limit(self.limit)
    }

    /// The instant and id to go on from in a list that goes back in time.
    ///
    /// # Errors
    /// A cursor that this list never gave.
    pub fn before(&self) -> Result<(i64, String), Problem> {
        self.place(i64::MAX)
    }

    /// The instant and id to go on from in a list that goes forward in time.
    ///
    /// # Errors
    /// A cursor that this list never gave.
    pub fn after(&self) -> Result<(i64, String), Problem> {
        self.place(-1)
    }

    fn place(&self, first: i64) -> Result<(i64, String), Problem> {
        let Some(cursor) = &self.cursor else { return Ok((first, String::new())) };
        let read = || {
            let bytes = URL_SAFE_NO_PAD.decode(cursor).ok().filter(|bytes| bytes.len() <= MAX_CURSOR)?;
            let (at, id) = std::str::from_utf8(&bytes).ok()?.split_once(' ')?;
            id.bytes().all(|byte| byte.is_ascii_graphic()).then_some(())?;
            Some((at.parse().ok()?, id.to_owned()))
        };
        read().ok_or_else(|| Problem::bare(Code::InvalidCursor))
    }
}

/// The order of a list with names, and the place to go on from.
///
/// `time` is what the list calls the order of time.
///
/// # Errors
/// An order that this list does not have, or a cursor that it never gave in this order.
pub fn place(
    (sort, time): (Option<&str>, &str),
    cursor: Option<&str>,
    words: &[String],
) -> Result<(Order, Option<Cursor>), Problem> {
    let Some(order) = Order::parse(sort, time, words) else {
        let detail = format!("name, -name, {time} or -{time}; a search has an order of its own");
        return Err(Problem::parameter("sort", detail));
    };
    let resume = |text| order.resume(text, words).map_err(|_| Problem::bare(Code::InvalidCursor));
    Ok((order, cursor.map(resume).transpose()?))
}

/// A filter that has one of these values, if it is there.
///
/// # Errors
/// Another value.
pub fn one_of<'a>(name: &str, asked: Option<&'a str>, values: &[&str]) -> Result<Option<&'a str>, Problem> {
    match asked {
        Some(value) if !values.contains(&value) => Err(Problem::parameter(name, values.join(", "))),
        asked => Ok(asked),
    }
}

/// Words that are looked for; none when nothing was typed.
///
/// # Errors
/// Something was typed that has no word in it, or more than a search takes.
pub fn words(typed: Option<&str>) -> Result<Vec<String>, Problem> {
    let Some(typed) = typed else { return Ok(Vec::new()) };
    let words = if typed.chars().count() > 200 { Vec::new() } else { search::query(typed) };
    if words.is_empty() { Err(Problem::parameter("q", "up to 200 characters with a word in them")) } else { Ok(words) }
}

/// Rows at the most.
///
/// # Errors
/// Out of range.
pub fn limit(asked: Option<u32>) -> Result<u32, Problem> {
    match asked {
        None => Ok(USUAL),
        Some(limit @ 1..=MOST) => Ok(limit),
        Some(_) => Err(Problem::parameter("limit", format!("1 to {MOST}"))),
    }
}

/// The cursor that goes on from this row, whichever way the list runs.
pub fn cursor_before(at: i64, id: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{at} {id}"))
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The rows, in order.
    pub items: Vec<T>,
    /// The cursor of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A page of at most `limit` of the `rows`, of which one more was read to know whether there is a next.
    pub fn of<R>(mut rows: Vec<R>, limit: u32, cursor: impl Fn(&R) -> String, show: impl Fn(R) -> T) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(cursor);
        Self { items: rows.into_iter().map(show).collect(), next }
    }
}

impl<T: Serialize> Page<T> {
    /// A page that the database found.
    pub fn shown<R>(page: cursor::Page<R>, show: impl Fn(R) -> T) -> Self {
        Self { items: page.rows.into_iter().map(show).collect(), next: page.next.map(|next| next.encode()) }
    }
}

impl<T: Serialize> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        ([(header::CACHE_CONTROL, "no-store")], Json(self)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_row_and_others_nowhere() {
        let paging = |cursor: &str| Paging { limit: None, cursor: Some(cursor.to_owned()) };
        let paging_of = |at, id| paging(&cursor_before(at, id));
        assert_eq!(paging_of(17, "evt_1").before().unwrap(), (17, "evt_1".to_owned()));
        let long = "a".repeat(5000);
        for bad in ["", "x", "!!", &URL_SAFE_NO_PAD.encode("17"), &URL_SAFE_NO_PAD.encode("a b"), &long] {
            assert_eq!(paging(bad).before().unwrap_err().code(), Code::InvalidCursor, "{bad}");
        }
        for (asked, good) in [(None, true), (Some(1), true), (Some(200), true), (Some(0), false), (Some(201), false)] {
            assert_eq!(limit(asked).is_ok(), good, "{asked:?}");
        }
    }

    #[test]
    fn the_last_page_has_no_next() {
        let page = |rows: Vec<u32>| Page::of(rows, 2, ToString::to_string, |row| row);
        assert_eq!(page(vec![1, 2, 3]).next.as_deref(), Some("2"));
        assert_eq!(page(vec![1, 2, 3]).items, [1, 2]);
        assert_eq!(page(vec![1, 2]).next, None);
    }
}
