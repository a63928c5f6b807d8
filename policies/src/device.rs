//! Devices that sign in through another browser (RFC 8628): the code people copy, and how polls are answered.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

/// The letters of a user code (RFC 8628 §6.1): no vowels, so no words, and none that is taken for another.
pub const LETTERS: &str = "BCDFGHJKLMNPQRSTVWXZ";

/// How many letters a user code has: 20⁸ codes, 34 bits.
pub const LENGTH: usize = 8;

/// Longest text looked at where a user code is expected, in bytes.
const MAX_TYPED: usize = 64;

/// What a device that polls too early adds to its interval, in seconds (RFC 8628 §3.5).
const SLOWER: u32 = 5;

/// A poll may come this much early: networks shake what clocks measured.
const TOLERANCE: SignedDuration = SignedDuration::from_millis(500);

/// The code a device shows and a person copies; printed in two halves, `BCDF-GHJK`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserCode(String);

impl UserCode {
    /// Reads what a person typed: capitals or not, with or without dashes and spaces.
    pub fn parse(typed: &str) -> Option<Self> {
        if typed.len() > MAX_TYPED {
            return None;
        }
        let letters: String = typed
            .chars()
            .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '.' | '_' | '\u{2010}'..='\u{2015}'))
            .map(|c| c.to_ascii_uppercase())
            .collect();
        (letters.len() == LENGTH && letters.chars().all(|c| LETTERS.contains(c))).then_some(Self(letters))
    }

    /// The letters alone, as the database keeps them.
    pub fn letters(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = self.0.split_at(LENGTH / 2);
        write!(f, "{first}-{second}")
    }
}

/// What became of a device's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nobody answered yet.
    Pending,
    /// The person allowed it.
    Allowed,
    /// The person refused.
    Denied,
    /// Its tokens were given.
    Redeemed,
}

/// What is known when a device polls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts<'a> {
    /// To whom the device code was given.
    pub issued_to: &'a str,
    /// Who presents it.
    pub presented_by: &'a str,
    /// End of the device code.
    pub expires_at: Timestamp,
    /// The poll before.
    pub polled_at: Option<Timestamp>,
    /// Shortest time between two polls, in seconds.
    pub interval_seconds: u32,
    /// What became of it.
    pub state: State,
}

/// How a poll is answered (RFC 8628 §3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Tokens, if nobody was faster.
    Redeem,
    /// `authorization_pending`.
    Pending,
    /// `slow_down`; the interval from now on, in seconds.
    SlowDown(u32),
    /// `access_denied`.
    Denied,
    /// `expired_token`.
    Expired,
    /// `invalid_grant`: another client's code, which is told nothing.
    OtherClient,
    /// `invalid_grant`: its tokens were given before.
    Used,
}

/// Answers a poll. A device that was answered is told so however early it asks: only waiting has to be slow.
pub fn poll(facts: &Facts<'_>, now: Timestamp) -> Answer {
    if facts.issued_to != facts.presented_by {
        return Answer::OtherClient;
    }
    if facts.state == State::Redeemed {
        return Answer::Used;
    }
    if now >= facts.expires_at {
        return Answer::Expired;
    }
    match facts.state {
        State::Denied => Answer::Denied,
        State::Allowed | State::Redeemed => Answer::Redeem,
        State::Pending => {
            let interval = SignedDuration::from_secs(i64::from(facts.interval_seconds));
            let early = facts.polled_at.is_some_and(|before| now.duration_since(before) < interval - TOLERANCE);
            if early { Answer::SlowDown(facts.interval_seconds.saturating_add(SLOWER)) } else { Answer::Pending }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        for typed in ["BCDF-GHJK", "bcdfghjk", " bcdf ghjk\n", "b-c-d-f-g-h-j-k", "BCDF\u{2013}ghjk", "BCDF\u{a0}GHJK"]
        {
            let code = UserCode::parse(typed).unwrap();
            assert_eq!((code.letters(), code.to_string().as_str()), ("BCDFGHJK", "BCDF-GHJK"), "{typed}");
        }
        let long = format!("BCDF{}GHJK", "-".repeat(100));
        for wrong in
            ["", "BCDF-GHJ", "BCDF-GHJKL", "ACDF-GHJK", "BCDF-GHJ1", "BCDF/GHJK", "ΒCDF-GHJK", "BCDF-GHJÉ", &long]
        {
            assert_eq!(UserCode::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn each_poll_is_answered_as_the_rfc_says() {
        let at = |millisecond| Timestamp::from_millisecond(millisecond).unwrap();
        let first = Facts {
            issued_to: "tv",
            presented_by: "tv",
            expires_at: at(600_000),
            polled_at: None,
            interval_seconds: 5,
            state: State::Pending,
        };
        let again = Facts { polled_at: Some(at(100_000)), ..first };
        let slowed = Facts { interval_seconds: 10, ..again };
        let allowed = Facts { state: State::Allowed, ..again };
        let denied = Facts { state: State::Denied, ..again };
        let used = Facts { state: State::Redeemed, ..again };
        let cases = [
            ("first poll", first, 0, Answer::Pending),
            ("in time", again, 105_000, Answer::Pending),
            ("a shake early", again, 104_500, Answer::Pending),
            ("too early", again, 104_499, Answer::SlowDown(10)),
            ("at once", again, 100_000, Answer::SlowDown(10)),
            ("overtaken", again, 99_000, Answer::SlowDown(10)),
            ("too early for its longer interval", slowed, 105_000, Answer::SlowDown(15)),
            ("in time for it", slowed, 110_000, Answer::Pending),
            (
                "never beyond the numbers",
                Facts { interval_seconds: u32::MAX, ..again },
                105_000,
                Answer::SlowDown(u32::MAX),
            ),
            ("allowed, however early", allowed, 100_001, Answer::Redeem),
            ("denied, however early", denied, 100_001, Answer::Denied),
            ("last instant", allowed, 599_999, Answer::Redeem),
            ("too late", first, 600_000, Answer::Expired),
            ("allowed and not fetched in time", allowed, 600_000, Answer::Expired),
            ("refused long ago", denied, 600_000, Answer::Expired),
            ("used", used, 100_001, Answer::Used),
            ("used long ago", used, 700_000, Answer::Used),
            ("another client's", Facts { presented_by: "x", ..used }, 0, Answer::OtherClient),
            ("another client's, late", Facts { presented_by: "x", ..first }, 700_000, Answer::OtherClient),
        ];
        for (name, facts, now, expected) in cases {
            assert_eq!(poll(&facts, at(now)), expected, "{name}");
        }
    }
}
