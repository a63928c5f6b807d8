//! Signs that one account is used by several people (R002): sessions used at the same time from distinct networks or devices.
//!
//! A suspicion is told, it never blocks: the same person may well hold a phone and a computer. What is looked at is coarse:
//! networks without host part, and when a session was begun and last used.

use jiff::{SignedDuration, Timestamp};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Coarse networks: a phone and a computer at home are one.
    Networks,
    /// Devices: browsers, each with a session of its own, wherever they are.
    Devices,
}

impl By {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Networks => "networks",
            Self::Devices => "devices",
        }
    }
}

/// A session that is alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use<'a> {
    /// The session: a browser has one, and a new one once it signs in again.
    pub device: &'a str,
    /// The coarse network of its last use; empty when it is not known.
    pub network: &'a str,
    /// When it began.
    pub since: Timestamp,
    /// When it was last used.
    pub last: Timestamp,
}

impl Use<'_> {
    /// What it counts as; empty when that is not known.
    fn counted(&self, by: By) -> &str {
        match by {
            By::Networks => self.network,
            By::Devices => self.device,
        }
    }
}

/// When simultaneous use is worth telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// What is counted.
    pub by: By,
    /// So many at the same time; below two, never.
    pub least: usize,
    /// The same time: so far apart at the most.
    pub window: SignedDuration,
}

/// Says from how many networks or devices the account is used at the same time, when that is as many as the rule tells about.
///
/// Two sessions are used at the same time when the later one began before the last use of the other, and both were used
/// within the window before `now`. So a browser that lost its cookie and signed in again elsewhere is no second device: its
/// old session is not used any more.
pub fn suspect(uses: &[Use<'_>], rule: &Rule, now: Timestamp) -> Option<usize> {
    if rule.least < 2 {
        return None;
    }
    let by = rule.by;
    let known = |used: &&Use<'_>| !used.counted(by).is_empty() && now.duration_since(used.last) <= rule.window;
    let recent: Vec<&Use<'_>> = uses.iter().filter(known).collect();
    let most = recent
        .iter()
        .map(|one| {
            // All that began before the last use of the others, seen from the session begun last.
            let together = recent.iter().filter(|other| other.since <= one.since && one.since < other.last);
            let mut distinct: Vec<&str> = together.map(|other| other.counted(by)).chain([one.counted(by)]).collect();
            distinct.sort_unstable();
            distinct.dedup();
            distinct.len()
        })
        .max()
        .unwrap_or(0);
    (most >= rule.least).then_some(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).unwrap()
    }

    const BY_NETWORKS: Rule = Rule { by: By::Networks, least: 2, window: SignedDuration::from_mins(15) };

    #[test]
    fn only_use_at_the_same_time_from_distinct_networks_is_suspect() {
        let rule = BY_NETWORKS;
        let on = |network| move |since, last| Use { device: "ses_1", network, since: at(since), last: at(last) };
        let (home, train) = (on("192.0.2.0/24"), on("198.51.100.0/24"));
        let (office, unknown) = (on("203.0.113.0/24"), on(""));
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
        assert_eq!(suspect(&both, &Rule { least: 3, ..rule }, at(10)), None, "a phone and a computer are let be");
        assert_eq!(suspect(&both, &Rule { least: 0, ..rule }, at(10)), None, "switched off");
        assert_eq!(suspect(&both, &Rule { least: 1, ..rule }, at(10)), None);
        assert_eq!(suspect(&both, &rule, at(25)), None, "the train was last seen sixteen minutes ago");
    }

    #[test]
    fn two_devices_in_use_at_the_same_time_are_told_wherever_they_are() {
        let rule = Rule { by: By::Devices, ..BY_NETWORKS };
        let of = |device| move |network, since, last| Use { device, network, since: at(since), last: at(last) };
        let (phone, computer, tablet) = (of("ses_1"), of("ses_2"), of("ses_3"));
        let (home, train) = ("192.0.2.0/24", "198.51.100.0/24");
        let cases: [(&str, Vec<Use<'_>>, i64, Option<usize>); 9] = [
            ("nobody", vec![], 10, None),
            ("one", vec![phone(home, 0, 10)], 10, None),
            ("two at home", vec![phone(home, 0, 10), computer(home, 5, 9)], 10, Some(2)),
            ("two, one of them elsewhere", vec![phone(home, 0, 10), computer(train, 5, 9)], 10, Some(2)),
            ("nobody knows from where", vec![phone("", 0, 10), computer("", 5, 9)], 10, Some(2)),
            ("one put away before the other came", vec![phone(home, 0, 4), computer(home, 5, 9)], 10, None),
            ("one put away as the other came", vec![phone(home, 0, 5), computer(home, 5, 9)], 10, None),
            ("one is long idle", vec![phone(home, 0, 20), computer(home, 5, 40)], 40, None),
            ("three", vec![phone(home, 0, 10), computer(home, 5, 9), tablet(train, 6, 10)], 10, Some(3)),
        ];
        for (what, uses, now, expected) in cases {
            assert_eq!(suspect(&uses, &rule, at(now)), expected, "{what}");
        }
        let both = [phone(home, 0, 10), computer(home, 5, 9)];
        assert_eq!(suspect(&both, &BY_NETWORKS, at(10)), None, "one network");
        assert_eq!(suspect(&both, &Rule { least: 3, ..rule }, at(10)), None, "so many are let be");
    }
}
