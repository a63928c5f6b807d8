//! Signs that one account is used by several people (R002): sessions used at the same time from distinct networks.
//!
//! A suspicion is told, it never blocks: the same person may well hold a phone and a computer. What is looked at is coarse:
//! networks without host part, and when a session was begun and last used.

use jiff::{SignedDuration, Timestamp};

/// A session that is alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use<'a> {
    /// The coarse network of its last use; empty when it is not known.
    pub network: &'a str,
    /// When it began.
    pub since: Timestamp,
    /// When it was last used.
    pub last: Timestamp,
}

/// When simultaneous use is worth telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// So many networks at the same time; below two, never.
    pub networks: usize,
    /// The same time: so far apart at the most.
    pub window: SignedDuration,
}

/// Says from how many networks the account is used at the same time, when that is as many as the rule tells about.
///
/// Two sessions are used at the same time when the later one began before the last use of the other, and both were used
/// within the window before `now`. So a browser that lost its cookie and signed in again elsewhere is no second device: its
/// old session is not used any more.
pub fn suspect(uses: &[Use<'_>], rule: &Rule, now: Timestamp) -> Option<usize> {
    if rule.networks < 2 {
        return None;
    }
    let recent: Vec<&Use<'_>> =
        uses.iter().filter(|used| !used.network.is_empty() && now.duration_since(used.last) <= rule.window).collect();
    let most = recent
        .iter()
        .map(|one| {
            // All that began before the last use of the others, seen from the session begun last.
            let together = recent.iter().filter(|other| other.since <= one.since && one.since < other.last);
            let mut networks: Vec<&str> = together.map(|other| other.network).chain([one.network]).collect();
            networks.sort_unstable();
            networks.dedup();
            networks.len()
        })
        .max()
        .unwrap_or(0);
    (most >= rule.networks).then_some(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_use_at_the_same_time_from_distinct_networks_is_suspect() {
        let at = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
        let rule = Rule { networks: 2, window: SignedDuration::from_mins(15) };
        let home = |since, last| Use { network: "192.0.2.0/24", since: at(since), last: at(last) };
        let train = |since, last| Use { network: "198.51.100.0/24", since: at(since), last: at(last) };
        let office = |since, last| Use { network: "203.0.113.0/24", since: at(since), last: at(last) };
        let unknown = |since, last| Use { network: "", since: at(since), last: at(last) };
        let cases: [(&str, Vec<Use<'_>>, i64, Option<usize>); 10] = [
            ("nobody", vec![], 10, None),
            ("one device", vec![home(0, 10)], 10, None),
            ("two devices at home", vec![home(0, 10), home(5, 9)], 10, None),
            ("two networks, both in use", vec![home(0, 10), train(5, 9)], 10, Some(2)),
            ("in any order", vec![train(5, 9), home(0, 10)], 10, Some(2)),
            ("one left before the other came", vec![home(0, 4), train(5, 9)], 10, None),
            ("left as the other came", vec![home(0, 5), train(5, 9)], 10, None),
            ("one is long idle", vec![home(0, 20), train(5, 40)], 40, None),
            ("a network that is not known", vec![unknown(0, 10), train(5, 9)], 10, None),
            ("three", vec![home(0, 10), train(5, 9), office(6, 10)], 10, Some(3)),
        ];
        for (what, uses, now, expected) in cases {
            assert_eq!(suspect(&uses, &rule, at(now)), expected, "{what}");
        }
        let both = [home(0, 10), train(5, 9)];
        assert_eq!(suspect(&both, &Rule { networks: 3, ..rule }, at(10)), None, "a phone and a computer are let be");
        assert_eq!(suspect(&both, &Rule { networks: 0, ..rule }, at(10)), None, "switched off");
        assert_eq!(suspect(&both, &Rule { networks: 1, ..rule }, at(10)), None);
        assert_eq!(suspect(&both, &rule, at(25)), None, "the train was last seen sixteen minutes ago");
    }
}
