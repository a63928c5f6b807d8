//! How long a sign-in session at the provider lives (Q06: two hours idle, twelve in all, by default).

use jiff::{SignedDuration, Timestamp};

/// The two limits of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest time without use.
    pub idle: SignedDuration,
    /// Longest life.
    pub absolute: SignedDuration,
}

/// How often the last use is written down; a session may thus live this much longer than its idle limit.
pub const TOUCH_EVERY: SignedDuration = SignedDuration::from_secs(60);

/// Says whether a session is alive. A limit reached exactly ends it.
pub fn is_alive(last_seen: Timestamp, expires_at: Timestamp, limits: &Limits, now: Timestamp) -> bool {
    now < expires_at && now.duration_since(last_seen) < limits.idle
}

/// What happens to a sign-in beyond the limit of simultaneous sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beyond {
    /// The session used longest ago ends, and its person is told.
    EndOldest,
    /// The new one is refused.
    RefuseNew,
}

/// What a new session means for the others of its person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission<'a> {
    /// It begins once these have ended.
    Begin {
        /// Ids, the one used longest ago first.
        ending: Vec<&'a str>,
    },
    /// There is no room.
    NoRoom,
}

/// Says whether one more session may begin beside those that are alive, given as id and last use.
///
/// `most` is how many there may be in all; 0 means as many as they like.
pub fn admit<'a>(alive: &[(&'a str, Timestamp)], (most, beyond): (u32, Beyond)) -> Admission<'a> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    if most == 0 || alive.len() < most {
        return Admission::Begin { ending: Vec::new() };
    }
    if beyond == Beyond::RefuseNew {
        return Admission::NoRoom;
    }
    let mut oldest_first = alive.to_vec();
    oldest_first.sort_by_key(|(id, last)| (*last, *id));
    Admission::Begin { ending: oldest_first.into_iter().take(alive.len() + 1 - most).map(|(id, _)| id).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_session_ends_the_oldest_or_finds_no_room() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let alive = [("b", at(30)), ("a", at(10)), ("c", at(20))];
        let begin = |ending: &[&'static str]| Admission::Begin { ending: ending.to_vec() };
        for (most, beyond, expected) in [
            (0, Beyond::EndOldest, begin(&[])),
            (0, Beyond::RefuseNew, begin(&[])),
            (4, Beyond::EndOldest, begin(&[])),
            (4, Beyond::RefuseNew, begin(&[])),
            (3, Beyond::EndOldest, begin(&["a"])),
            (3, Beyond::RefuseNew, Admission::NoRoom),
            (2, Beyond::EndOldest, begin(&["a", "c"])),
            (1, Beyond::EndOldest, begin(&["a", "c", "b"])),
            (1, Beyond::RefuseNew, Admission::NoRoom),
        ] {
            assert_eq!(admit(&alive, (most, beyond)), expected, "{most} {beyond:?}");
        }
        assert_eq!(admit(&[], (1, Beyond::RefuseNew)), begin(&[]));
    }

    #[test]
    fn a_session_ends_at_the_first_limit_reached() {
        let at = |minutes: i64| Timestamp::from_second(minutes * 60).unwrap();
        let limits = Limits { idle: SignedDuration::from_hours(2), absolute: SignedDuration::from_hours(12) };
        for (last_seen, now, alive) in
            [(0, 0, true), (0, 119, true), (0, 120, false), (700, 719, true), (700, 720, false), (719, 721, false)]
        {
            assert_eq!(is_alive(at(last_seen), at(720), &limits, at(now)), alive, "{last_seen} {now}");
        }
    }
}
