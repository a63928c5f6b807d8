//! The ways through a list, the same for every list: in one order, or by the words of a search. A list says which statements walk it,
//! what they take, and whether its filter lets everything pass.

use serde::{Deserialize as _, Deserializer};

/// The rows of a page as one text, a JSON array of arrays, for `SQLite`: it hands rows over one by one to another thread, and for a page of
/// fifty that costs more than finding them. `$values` are the members of the row's type, in their order: a truth as that of JSON,
/// bytes as the UTF-8 text that they are. `sql!(page …)` reads it.
macro_rules! gathered {
    (($values:expr) $($rows:tt)*) => {
        concat!("SELECT json_group_array(json_array(", $values, ")) FROM (", $($rows)*, ") page")
    };
}
pub(super) use gathered;

/// Whether the row `k` is the person's first that begins with `$from`: the word before shares less of it than that. What an earlier
/// version of the server wrote does not say so yet, and `$first`, the first of their words from `$from` on, is looked up.
macro_rules! found_first {
    ($first:expr, $from:literal) => {
        concat!("CASE WHEN k.shared IS NULL THEN k.word = ", $first, " ELSE k.shared < LENGTH(", $from, ") END ")
    };
}
pub(super) use found_first;

/// Reads bytes that are UTF-8 from a page that was gathered.
pub(super) fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    String::deserialize(deserializer).map(String::into_bytes)
}

/// One way through a list in one order: the page, and where it ended when filters left rows out.
///
/// `page` takes its values, then how many rows to look at and to give, then the key and id to go on from. `reached` takes its first
/// values, the key and id, how far to look, and its last values.
macro_rules! ordered {
    (
        $name:ident($asked:pat_param, $kind:ty) -> $row:ty,
        $page:ident($($value:expr),*), $reached:ident($($first:expr),*; $($last:expr),*),
        $order:expr, $key:ident
    ) => {
        async fn $name(c: &mut impl Conn, $asked: $kind, after: Cursor, bounds: Bounds) -> sqlx::Result<Page<$row>> {
            let rows = sql!(
                c,
                page $row: $page
                $(, $value)*, bounds.scanned, bounds.rows, &after.$key, &after.id,
            )?;
            let reached = if bounds.are_met_by(rows.len()) || bounds.scanned == bounds.rows {
                None
            } else {
                sql!(c, optional Place: $reached $(, $first)*, &after.$key, &after.id, bounds.scanned - 1 $(, $last)*)?
            };
            Ok(cursor::page(rows, $order, bounds, reached))
        }
    };
}
pub(super) use ordered;

/// The way through a list by the words of a search: the word, or the pair of words, that the fewest have drives it.
///
/// `page` takes its values, how many rows to look at and to give, the range of the driver, the place to go on from, and the ranges of
/// the other words. `reached` and `weigh` begin with the scope of the list, if it has one; so does `one`, for a single word where the
/// filter lets everything pass: the range of the driver, the place to go on from, how many rows to look at and to give.
macro_rules! searched {
    (
        ($asked:pat_param, $kind:ty) -> $row:ty,
        $page:ident($($value:expr),*), $reached:ident, $weigh:ident, $one:ident, scope($($scope:ident),*),
        words $words:expr, open $open:expr, drivers $drivers:expr
    ) => {
        async fn search(
            c: &mut impl Conn,
            $asked: $kind,
            after: Option<Cursor>,
            limit: u32,
        ) -> sqlx::Result<Page<$row>> {
            let words: &[String] = $words;
            let driven = match &after {
                Some(cursor) => Driven::resumed(words, cursor),
                None => rarest(c, $($scope,)* words).await?,
            };
            let Some(Driven { driver, others }) = driven else { return Ok(Page { rows: Vec::new(), next: None }) };
            let end = end_of_prefix(&driver);
            // The empty key and id come before those of every row.
            let (word, key, id) = after
                .map_or_else(|| (driver.as_bytes().to_vec(), Vec::new(), String::new()), |c| (c.word, c.key, c.id));
            let alone = words.len() == 1 && $open;
            let bounds = Bounds::new(limit, if alone { Density::Most } else { Density::Some });
            let rows = if alone {
                sql!(
                    c,
                    page $row: $one $(, $scope)*, driver.as_bytes(), &end, &word, &key, &id, bounds.scanned, bounds.rows,
                )?
            } else {
                let [second, third, fourth, fifth, sixth] = &others;
                sql!(
                    c,
                    page $row: $page
                    $(, $value)*, bounds.scanned, bounds.rows, driver.as_bytes(), &end, &word, &key, &id,
                    second.0, &second.1, third.0, &third.1, fourth.0, &fourth.1, fifth.0, &fifth.1, sixth.0, &sixth.1,
                )?
            };
            let reached = if bounds.are_met_by(rows.len()) {
                None
            } else {
                sql!(c, optional Place: $reached $(, $scope)*, &end, &word, &key, &id, bounds.scanned - 1)?
            };
            Ok(cursor::page(rows, Order::Match, bounds, reached))
        }

        /// What drives a search: what the fewest have; none when there is a word that nobody has.
        async fn rarest<'a>(
            c: &mut impl Conn,
            $($scope: &str,)*
            words: &'a [String],
        ) -> sqlx::Result<Option<Driven<'a>>> {
            let mut drivers: Vec<String> = $drivers(words);
            if drivers.len() == 1 {
                return Ok(drivers.pop().map(|driver| Driven::by(words, driver)));
            }
            let (mut rarest, mut least) = (None, i64::MAX);
            for driver in drivers {
                let end = end_of_prefix(&driver);
                let (count,) =
                    sql!(c, one (i64,): $weigh $(, $scope)*, driver.as_bytes(), end, least.min(WEIGHED))?;
                if count == 0 {
                    return Ok(None);
                }
                if count < least {
                    (rarest, least) = (Some(driver), count);
                }
            }
            Ok(rarest.map(|driver| Driven::by(words, driver)))
        }
    };
}
pub(super) use searched;
