//! Counting the uses of keys: in memory, written by the jobs every few seconds and when the server stops.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use axum::http::HeaderMap;
use habilis_policies::calendar;
use jiff::Timestamp;

use crate::app::App;
use crate::db::{At, api_key_uses, api_keys};
use crate::outcome::Outcome;

/// Sorts of use in memory at the most; beyond it only keys are told apart.
const MAX_SORTS: usize = 20_000;
/// Sorts of use of one key on one day at the most, for the same reason.
const MAX_SORTS_A_DAY: i64 = 64;
/// Longest name of a software, in characters.
const MAX_NAME: usize = 64;

/// The software that calls, as it says itself (headers `EDITEUR`, `LOGICIEL` and `VERSION` of the market).
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Software {
    /// `EDITEUR`.
    pub editor: String,
    /// `LOGICIEL`.
    pub name: String,
    /// `VERSION`.
    pub release: String,
}

impl Software {
    /// Reads the headers; none when one is missing or is no short text.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let text = |name: &str| {
            let value = text_of(headers.get(name)?.as_bytes());
            let value = value.trim();
            let good = (1..=MAX_NAME).contains(&value.chars().count()) && !value.contains(char::is_control);
            good.then(|| value.to_owned())
        };
        Some(Self { editor: text("editeur")?, name: text("logiciel")?, release: text("version")? })
    }
}

/// The text of a header: UTF-8, or else ISO-8859-1, in which HTTP headers once were (RFC 9110 §5.5), where each byte is its character.
fn text_of(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).map_or_else(|_| bytes.iter().map(|byte| char::from(*byte)).collect(), str::to_owned)
}

/// A use of a key.
#[derive(Debug, Clone, Copy)]
pub struct Used<'a> {
    /// The key.
    pub key: &'a str,
    /// The vendor's client; empty without one.
    pub vendor: &'a str,
    /// The software, as far as it says.
    pub software: Option<&'a Software>,
    /// Whether the key opened what was wanted.
    pub granted: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Sort {
    key: String,
    day: String,
    vendor: String,
    software: Software,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    granted: i64,
    refused: i64,
    last_at: At,
}

impl Count {
    fn add(&mut self, other: Self) {
        self.granted += other.granted;
        self.refused += other.refused;
        self.last_at = self.last_at.max(other.last_at);
    }
}

/// Uses that were not written yet.
#[derive(Debug, Default)]
pub(super) struct Uses(Mutex<BTreeMap<Sort, Count>>);

impl Uses {
    fn add(&self, sort: Sort, count: Count) {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = uses.len() < MAX_SORTS || uses.contains_key(&sort);
        let sort = if known { sort } else { plain(&sort) };
        uses.entry(sort).and_modify(|known| known.add(count)).or_insert(count);
    }

    fn take(&self) -> BTreeMap<Sort, Count> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The sort of use that tells nothing but the key and the day.
fn plain(sort: &Sort) -> Sort {
    let (key, day) = (sort.key.clone(), sort.day.clone());
    Sort { key, day, vendor: String::new(), software: Software::default() }
}

impl super::ApiKeys {
    /// Counts a use.
    pub fn used(&self, used: Used<'_>, now: Timestamp) {
        let sort = Sort {
            key: used.key.to_owned(),
            day: calendar::date_at(now).to_string(),
            vendor: used.vendor.to_owned(),
            software: used.software.cloned().unwrap_or_default(),
        };
        let granted = i64::from(used.granted);
        self.uses.add(sort, Count { granted, refused: 1 - granted, last_at: now.into() });
    }
}

/// Uses that are being written; what could not be goes back, also when the job is stopped in the middle.
struct Taken<'a> {
    uses: &'a Uses,
    counts: BTreeMap<Sort, Count>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        for (sort, count) in std::mem::take(&mut self.counts) {
            self.uses.add(sort, count);
        }
    }
}

/// Writes what was counted. What cannot be written now is kept for the next time.
///
/// # Errors
/// The database failed.
pub async fn flush(app: &App) -> Outcome<()> {
    let uses = &app.api_keys.uses;
    let mut taken = Taken { uses, counts: uses.take() };
    if taken.counts.is_empty() {
        return Ok(());
    }
    write(app, &taken.counts).await?;
    taken.counts.clear();
    Ok(())
}

/// In the order of keys: two nodes that write at once do not wait for each other in a circle.
async fn write(app: &App, uses: &BTreeMap<Sort, Count>) -> Outcome<()> {
    let mut tx = app.db.begin().await?;
    for (sort, count) in uses {
        let crowded = sort.software != Software::default()
            && api_key_uses::sorts(&mut tx, &sort.key, &sort.day).await? >= MAX_SORTS_A_DAY;
        let sort = if crowded { plain(sort) } else { sort.clone() };
        let row = api_key_uses::Uses {
            day: sort.day,
            client_id: sort.vendor,
            editor: sort.software.editor,
            software: sort.software.name,
            release: sort.software.release,
            granted: count.granted,
            refused: count.refused,
            last_at: count.last_at,
        };
        api_key_uses::add(&mut tx, &sort.key, &row).await?;
        api_keys::used(&mut tx, &sort.key, count.last_at).await?;
    }
    tx.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_software_says_all_three_of_its_names() {
        let headers = |values: [&'static str; 3]| {
            let names = ["editeur", "logiciel", "version"];
            names
                .into_iter()
                .zip(values)
                .filter(|(_, value)| !value.is_empty())
                .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap()))
                .collect::<HeaderMap>()
        };
        let software = Software::of(&headers(["Éditeur", " Suivi ", "2.1"])).unwrap();
        assert_eq!((software.name.as_str(), software.release.as_str()), ("Suivi", "2.1"));
        for bad in [["", "b", "c"], ["a", "", "c"], ["a", "b", ""], ["a", "b", " "]] {
            assert_eq!(Software::of(&headers(bad)), None, "{bad:?}");
        }
        // « Éditeur » as older software sends it; a control character of that alphabet is none here either.
        for (bytes, expected) in [(&b"\xc9diteur"[..], Some("Éditeur")), (&b"\x92diteur"[..], None)] {
            let mut headers = headers(["e", "b", "c"]);
            headers.insert("editeur", HeaderValue::from_bytes(bytes).unwrap());
            assert_eq!(Software::of(&headers).map(|software| software.editor).as_deref(), expected);
        }
        let long = HeaderValue::from_str(&"x".repeat(65)).unwrap();
        let mut headers = headers(["a", "b", "c"]);
        headers.insert("version", long);
        assert_eq!(Software::of(&headers), None);
    }

    #[test]
    fn a_flood_of_software_is_counted_without_telling_them_apart() {
        let uses = Uses::default();
        let at = At::from(Timestamp::UNIX_EPOCH);
        for number in 0..MAX_SORTS + 500 {
            let software = Software { editor: "e".into(), name: number.to_string(), release: "1".into() };
            let sort = Sort { key: "key_1".into(), day: "2026-01-01".into(), vendor: "v".into(), software };
            uses.add(sort, Count { granted: 1, refused: 0, last_at: at });
        }
        let taken = uses.take();
        assert_eq!(taken.len(), MAX_SORTS + 1);
        assert_eq!(taken.values().map(|count| count.granted).sum::<i64>(), i64::try_from(MAX_SORTS + 500).unwrap());
        assert!(uses.take().is_empty());
    }
}
