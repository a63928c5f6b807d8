//! Digests of passwords that go with people from one server to another, as JSON Lines: what the export of an organization writes, and an
//! import of people takes (R212). The digests themselves are judged by whoever can read them.

use std::collections::HashSet;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::csv_people::MAX_ROWS;

/// The largest file, in bytes: as many lines as an import of people has rows.
pub const MAX_BYTES: usize = 32 * 1024 * 1024;
/// The most lines that are told to be wrong.
pub const MAX_WRONG: usize = 100;

/// The digest of one person's password. Has no `Debug`: it holds the digest.
#[derive(Clone, PartialEq, Eq)]
pub struct Line {
    /// Line of the file, from 1.
    pub number: u64,
    /// What the person signs in with, folded.
    pub login: String,
    /// PHC string.
    pub phc: String,
    /// When the password was chosen.
    pub changed_at: Timestamp,
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wrong {
    /// Line of the file, from 1.
    pub line: u64,
    /// The member of its `data`; empty when the line as a whole is concerned.
    pub member: &'static str,
    /// Stable word.
    pub code: &'static str,
}

/// A line as it is written.
#[derive(Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
enum Written {
    PasswordHash(OfPerson),
    End(End),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfPerson {
    login: String,
    password_hash: String,
    changed_at: String,
    /// Who it was where it comes from.
    #[serde(rename = "person")]
    _person: Option<IgnoredAny>,
}

/// What else stands there is for people.
#[derive(Deserialize)]
struct End {
    lines: u64,
}

/// Reads a file; `admit` says whether a digest may be kept, or why not in a word. The line `end` may be missing from a file that was put
/// together by hand; where there is one it is the last, and tells how many stand before it.
///
/// # Errors
/// What is wrong, line by line, the first [`MAX_WRONG`].
///
/// Requirement R212.
pub fn read(
    file: &[u8],
    admit: impl Fn(&str) -> Result<(), &'static str>,
    now: Timestamp,
) -> Result<Vec<Line>, Vec<Wrong>> {
    let (mut lines, mut wrong, mut ended) = (Vec::new(), Vec::new(), false);
    let mut known = HashSet::new();
    for (number, text) in (1..).zip(file.split(|byte| *byte == b'\n')) {
        if text.trim_ascii().is_empty() {
            continue;
        }
        let read = if ended { Err(("", "after_end")) } else { line(text, number, (&admit, now)) };
        let read = read.and_then(|found| match found {
            Found::Hash(_) if known.len() >= MAX_ROWS => Err(("", "too_many")),
            Found::Hash(line) if known.contains(&line.login) => Err(("login", "duplicate")),
            Found::End(told) if told != known.len() as u64 => Err(("lines", "incomplete")),
            found => Ok(found),
        });
        match read {
            Ok(Found::Hash(line)) => {
                known.insert(line.login.clone());
                lines.push(line);
            }
            Ok(Found::End(_)) => ended = true,
            Err((member, code)) => wrong.push(Wrong { line: number, member, code }),
        }
        if wrong.len() >= MAX_WRONG {
            break;
        }
    }
    if wrong.is_empty() { Ok(lines) } else { Err(wrong) }
}

enum Found {
    Hash(Line),
    End(u64),
}

/// What a line says, or the member that is wrong and a word why.
fn line(
    text: &[u8],
    number: u64,
    (admit, now): (&impl Fn(&str) -> Result<(), &'static str>, Timestamp),
) -> Result<Found, (&'static str, &'static str)> {
    let hash = match serde_json::from_slice(text) {
        Ok(Written::PasswordHash(hash)) => hash,
        Ok(Written::End(end)) => return Ok(Found::End(end.lines)),
        Err(_) => return Err(("", "unreadable")),
    };
    admit(&hash.password_hash).map_err(|code| ("password_hash", code))?;
    let changed_at: Timestamp = hash.changed_at.parse().map_err(|_| ("changed_at", "unreadable"))?;
    if changed_at > now {
        return Err(("changed_at", "future"));
    }
    Ok(Found::Hash(Line { number, login: hash.login, phc: hash.password_hash, changed_at }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: &str = "2027-05-03T08:00:00Z";

    type Told = Result<Vec<(u64, String)>, Vec<(u64, &'static str, &'static str)>>;

    fn told(file: &str) -> Told {
        let admit = |phc: &str| if phc.starts_with('$') { Ok(()) } else { Err("form") };
        let wrong = |one: Wrong| (one.line, one.member, one.code);
        read(file.as_bytes(), admit, NOW.parse().unwrap())
            .map(|lines| lines.into_iter().map(|line| (line.number, line.login)).collect())
            .map_err(|wrongs| wrongs.into_iter().map(wrong).collect())
    }

    fn hash(login: &str, phc: &str, changed_at: &str) -> String {
        let data =
            serde_json::json!({ "person": "usr_1", "login": login, "password_hash": phc, "changed_at": changed_at });
        serde_json::json!({ "type": "password_hash", "data": data }).to_string()
    }

    #[test]
    fn what_was_exported_is_read_again_and_every_wrong_line_is_named() {
        let zoe = hash("zoe@a.example", "$a", "2026-01-01T00:00:00Z");
        let luc = hash("luc@a.example", "$b", NOW);
        let end = |lines: u64| format!("{{\"type\":\"end\",\"data\":{{\"lines\":{lines},\"left_out\":{{}}}}}}");
        let both = vec![(1, "zoe@a.example".to_owned()), (2, "luc@a.example".to_owned())];
        let table = [
            (format!("{zoe}\n{luc}\n{}\n", end(2)), Ok(both.clone())),
            (format!("{zoe}\r\n{luc}"), Ok(both)),
            (String::new(), Ok(vec![])),
            (end(0), Ok(vec![])),
            (format!("{zoe}\n{}", end(2)), Err(vec![(2, "lines", "incomplete")])),
            (format!("{}\n\n{zoe}", end(0)), Err(vec![(3, "", "after_end")])),
            (format!("{zoe}\n{zoe}"), Err(vec![(2, "login", "duplicate")])),
            (hash("zoe", "secret", NOW), Err(vec![(1, "password_hash", "form")])),
            (hash("zoe", "$a", "2027-05-03T08:00:01Z"), Err(vec![(1, "changed_at", "future")])),
            (hash("zoe", "$a", "hier"), Err(vec![(1, "changed_at", "unreadable")])),
            (
                format!("[]\n{luc}\n{{\"type\":\"member\",\"data\":{{}}}}"),
                Err(vec![(1, "", "unreadable"), (3, "", "unreadable")]),
            ),
            (zoe.replace("usr_1\"", "usr_1\",\"status\":\"active\""), Err(vec![(1, "", "unreadable")])),
            ("\u{0}\n".repeat(500), Err((1..=100).map(|line| (line, "", "unreadable")).collect())),
        ];
        for (file, expected) in table {
            assert_eq!(told(&file), expected, "{file}");
        }
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(file in proptest::collection::vec(any::<u8>(), 0..400)) {
            if let Err(wrong) = read(&file, |_| Ok(()), Timestamp::UNIX_EPOCH) {
                prop_assert!(!wrong.is_empty() && wrong.len() <= MAX_WRONG);
            }
        }
    }
}
