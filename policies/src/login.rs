//! Throttling of password guesses by account, address and network (CNIL délibération 2022-100: a delay after failures, about
//! ten tries an hour).
//!
//! The same holds for names that are nobody's, so that a delay tells nothing. A browser that signed in to the account before
//! is counted by itself: a guess spread over a thousand addresses uses up the strangers' tries, never those of the person it
//! is meant for, and a wrong password typed on one's own browser costs strangers' tries nothing.

use jiff::{SignedDuration, Timestamp};

/// Failures older than this no longer count.
pub const MEMORY: SignedDuration = SignedDuration::from_hours(1);

/// Seconds to wait after so many failures in a row; beyond the table, an hour.
const DELAYS: [i64; 10] = [0, 0, 0, 0, 0, 15, 30, 60, 120, 300];

/// Failures in a row for one account name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failures {
    /// How many.
    pub count: u32,
    /// The last of them; where an hour is counted as a whole, when that hour began.
    pub last_at: Timestamp,
}

impl Failures {
    /// When the hour began that one more event `now` counts in: it is over an hour after that, however many follow.
    #[must_use]
    pub fn hour_of(self, now: Timestamp) -> Timestamp {
        if self.count == 0 { now } else { self.last_at }
    }
}

/// The attempt comes too early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooEarly {
    /// When the next attempt is heard.
    pub retry_at: Timestamp,
}

/// Says whether an attempt is heard, before any password is looked at.
///
/// # Errors
/// [`TooEarly`] with the time to come back.
pub fn admit(failures: Option<Failures>, now: Timestamp) -> Result<(), TooEarly> {
    let Some(failures) = failures else { return Ok(()) };
    let wait = usize::try_from(failures.count)
        .ok()
        .and_then(|count| DELAYS.get(count))
        .map_or(MEMORY, |seconds| SignedDuration::from_secs(*seconds));
    let retry_at = failures.last_at.saturating_add(wait).unwrap_or(Timestamp::MAX);
    // Requests that arrive together overtake each other: the last failure may lie a moment after this `now`.
    if wait.is_zero() || now >= retry_at { Ok(()) } else { Err(TooEarly { retry_at }) }
}

/// Says whether an attempt from a network is heard, given the failures of all accounts tried from it in the hour that began with the
/// first of them, see [`Failures::hour_of`].
///
/// # Errors
/// [`TooEarly`] once `per_hour` attempts failed, until that hour is over.
pub fn admit_network(failures: Option<Failures>, per_hour: u32, now: Timestamp) -> Result<(), TooEarly> {
    match failures {
        Some(Failures { count, last_at }) if count >= per_hour => {
            let retry_at = last_at.saturating_add(MEMORY).unwrap_or(Timestamp::MAX);
            if now >= retry_at { Ok(()) } else { Err(TooEarly { retry_at }) }
        }
        _ => Ok(()),
    }
}

/// Who tries, with the failures that count against them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trier {
    /// A browser that has signed in to this very account before.
    KnownBrowser {
        /// Failures of this browser at this account.
        own: Option<Failures>,
    },
    /// Any other.
    Stranger {
        /// Failures of all strangers at this account.
        account: Option<Failures>,
        /// Failures of this address at all accounts.
        address: Option<Failures>,
        /// Failures of the network around it at all accounts.
        network: Option<Failures>,
    },
}

/// How many failures strangers have in an hour, at all accounts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From one address.
    pub per_address: u32,
    /// From the network around it.
    pub per_network: u32,
}

/// Says whether an attempt is heard, before any password is looked at. Where several limits are reached, the longest wait
/// counts.
///
/// # Errors
/// [`TooEarly`] with the time to come back.
pub fn hear(trier: &Trier, limits: &Limits, now: Timestamp) -> Result<(), TooEarly> {
    let refused = match *trier {
        Trier::KnownBrowser { own } => admit(own, now).err(),
        Trier::Stranger { account, address, network } => [
            admit(account, now),
            admit_network(address, limits.per_address, now),
            admit_network(network, limits.per_network, now),
        ]
        .into_iter()
        .filter_map(Result::err)
        .max_by_key(|too_early| too_early.retry_at),
    };
    refused.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_wait_for_each_other_and_a_known_browser_for_itself_alone() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let failed = |count| Some(Failures { count, last_at: at(0) });
        let limits = Limits { per_address: 20, per_network: 50 };
        let stranger = |account, address, network| Trier::Stranger { account, address, network };
        let known = |own| Trier::KnownBrowser { own };
        let cases = [
            ("nobody tried", stranger(None, None, None), None),
            ("four slips", stranger(failed(4), failed(4), failed(4)), None),
            ("the account is guessed at from elsewhere", stranger(failed(10), None, None), Some(3600)),
            ("progressive", stranger(failed(7), failed(7), failed(7)), Some(60)),
            ("an address tries many accounts", stranger(None, failed(20), failed(20)), Some(3600)),
            ("a network tries many accounts", stranger(None, failed(3), failed(50)), Some(3600)),
            ("the longest wait counts", stranger(failed(5), failed(20), None), Some(3600)),
            ("the victim's own browser", known(None), None),
            ("who mistypes there", known(failed(4)), None),
            ("five times", known(failed(5)), Some(15)),
            ("stolen, and used to guess", known(failed(10)), Some(3600)),
        ];
        for (what, trier, wait) in cases {
            let expected = wait.map_or(Ok(()), |seconds| Err(TooEarly { retry_at: at(seconds) }));
            assert_eq!(hear(&trier, &limits, at(1)), expected, "{what}");
        }
    }

    #[test]
    fn delays_grow_and_an_hour_forgets() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let failed = |count| Some(Failures { count, last_at: at(10_000) });
        let cases = [
            (None, 10_000, Ok(())),
            (failed(4), 10_000, Ok(())),
            (failed(4), 9_999, Ok(())),
            (failed(5), 10_014, Err(TooEarly { retry_at: at(10_015) })),
            (failed(5), 10_015, Ok(())),
            (failed(9), 10_299, Err(TooEarly { retry_at: at(10_300) })),
            (failed(10), 13_599, Err(TooEarly { retry_at: at(13_600) })),
            (failed(10), 13_600, Ok(())),
            (failed(u32::MAX), 13_600, Ok(())),
        ];
        for (failures, now, expected) in cases {
            assert_eq!(admit(failures, at(now)), expected, "{failures:?} at {now}");
        }
    }

    #[test]
    fn a_network_is_heard_up_to_its_limit() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let failed = |count| Some(Failures { count, last_at: at(0) });
        assert_eq!(admit_network(None, 3, at(1)), Ok(()));
        assert_eq!(admit_network(failed(2), 3, at(1)), Ok(()));
        assert_eq!(admit_network(failed(3), 3, at(1)), Err(TooEarly { retry_at: at(3600) }));
        assert_eq!(admit_network(failed(3), 3, at(3600)), Ok(()));
    }

    #[test]
    fn an_hour_is_an_hour_whatever_happens_in_it() {
        let minute = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
        // Four an hour, one a quarter: never five within an hour, so never one too many.
        let heard = |every: i64, per_hour: u32| -> Vec<i64> {
            let (mut so_far, mut heard) = (Failures { count: 0, last_at: minute(0) }, Vec::new());
            for at in (0..300).step_by(usize::try_from(every).unwrap()) {
                let now = minute(at);
                if now.duration_since(so_far.last_at) >= MEMORY {
                    so_far.count = 0;
                }
                if admit_network(Some(so_far), per_hour, now).is_ok() {
                    so_far = Failures { count: so_far.count + 1, last_at: so_far.hour_of(now) };
                    heard.push(at);
                }
            }
            heard
        };
        assert_eq!(heard(15, 4).len(), 20, "every one of five hours");
        assert_eq!(
            heard(10, 5),
            [
                0, 10, 20, 30, 40, 60, 70, 80, 90, 100, 120, 130, 140, 150, 160, 180, 190, 200, 210, 220, 240, 250,
                260, 270, 280
            ]
        );
        assert_eq!(heard(1, 3).len(), 15, "a flood gets no more, and is not punished beyond its hour");
    }

    #[test]
    fn at_most_eleven_guesses_are_heard_in_an_hour() {
        let mut now = Timestamp::UNIX_EPOCH;
        let end = now + MEMORY;
        let (mut count, mut heard, mut last_at) = (0, 0, now);
        while now < end {
            match admit((count > 0).then_some(Failures { count, last_at }), now) {
                Ok(()) => (count, heard, last_at) = (count + 1, heard + 1, now),
                Err(TooEarly { retry_at }) => now = retry_at,
            }
        }
        assert!(heard <= 11, "{heard}");
    }
}
