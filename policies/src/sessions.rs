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

#[cfg(test)]
mod tests {
    use super::*;

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
