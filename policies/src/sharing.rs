//! Signs that one account is used by several people (R002): sessions used at the same time from distinct networks or devices.
//!
//! A suspicion is told, it never blocks: the same person may well hold a phone and a computer. What is looked at is coarse:
//! networks without host part, and when a session was begun and last used.

use jiff::{SignedDuration, Timestamp};

use crate::sessions::TOUCH_EVERY;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Coarse networks: a phone and a computer at home are one.
    Networks,
    /// Devices: browsers, wherever they are.
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
    /// The browser, which may have several: a new one after the idle time, while portals go on with the old one. The session where it is
    /// not known.
    pub device: &'a [u8],
    /// The coarse network its browser was in when it was last here; empty when it is not known.
    pub network: &'a str,
    /// When it began.
    pub since: Timestamp,
    /// When its browser was last here with it.
    pub seen: Timestamp,
    /// When it was last used, at the provider or at a portal that was granted something in it.
    pub last: Timestamp,
}

impl Use<'_> {
    /// What it counts as; empty when that is not known.
    fn counted(&self, by: By) -> &[u8] {
        match by {
            By::Networks => self.network.as_bytes(),
            By::Devices => self.device,
        }
    }
}

/// What a portal was granted in a session, when it uses that again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granted {
    /// Whether it may be used while the person is away (`offline_access`).
    pub outlives_session: bool,
    /// Last use of the session that is known, at the provider or at a portal.
    pub last: Timestamp,
    /// Absolute end of the session.
    pub ends: Timestamp,
}

impl Granted {
    /// Says whether its use `now` is written down as a use of the session: once a minute, as uses at the provider are. What outlives
    /// the session says nothing of who is there: the portal may use it by night.
    pub fn is_noted(&self, now: Timestamp) -> bool {
        !self.outlives_session && now < self.ends && now.duration_since(self.last) >= TOUCH_EVERY
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

/// The sessions of each browser as one, in the network it was last seen in.
fn by_device<'a>(uses: &[Use<'a>]) -> Vec<Use<'a>> {
    let mut devices: Vec<Use<'a>> = Vec::new();
    for used in uses {
        let Some(known) = devices.iter_mut().find(|known| known.device == used.device) else {
            devices.push(used.clone());
            continue;
        };
        if used.seen > known.seen {
            (known.network, known.seen) = (used.network, used.seen);
        }
        known.since = known.since.min(used.since);
        known.last = known.last.max(used.last);
    }
    devices
}

/// Says from how many networks or devices the account is used at the same time, when that is as many as the rule tells about.
///
/// Two devices are used at the same time when the later one began before the last use of the other, and both were used
/// within the window before `now`. So a browser that lost its cookies and signed in again elsewhere is no second device: its
/// old session is not used any more.
pub fn suspect(uses: &[Use<'_>], rule: &Rule, now: Timestamp) -> Option<usize> {
    if rule.least < 2 {
        return None;
    }
    let by = rule.by;
    let known = |used: &&Use<'_>| !used.counted(by).is_empty() && now.duration_since(used.last) <= rule.window;
    let devices = by_device(uses);
    let recent: Vec<&Use<'_>> = devices.iter().filter(known).collect();
    let most = recent
        .iter()
        .map(|one| {
            // All that began before the last use of the others, seen from the session begun last.
            let together = recent.iter().filter(|other| other.since <= one.since && one.since < other.last);
            let mut distinct: Vec<&[u8]> = together.map(|other| other.counted(by)).chain([one.counted(by)]).collect();
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

    /// A session in this browser, begun and last used at these minutes.
    fn of<'a>(device: &'a [u8], network: &'a str) -> impl Fn(i64, i64) -> Use<'a> {
        move |since, last| Use { device, network, since: at(since), seen: at(last), last: at(last) }
    }

    const BY_NETWORKS: Rule = Rule { by: By::Networks, least: 2, window: SignedDuration::from_mins(15) };

    #[test]
    fn only_use_at_the_same_time_from_distinct_networks_is_suspect() {
        let rule = BY_NETWORKS;
        let (home, phone) = (of(b"1", "192.0.2.0/24"), of(b"2", "192.0.2.0/24"));
        let (train, office, unknown) = (of(b"3", "198.51.100.0/24"), of(b"4", "203.0.113.0/24"), of(b"5", ""));
        let cases: [(&str, Vec<Use<'_>>, i64, Option<usize>); 10] = [
            ("nobody", vec![], 10, None),
            ("one device", vec![home(0, 10)], 10, None),
            ("two devices at home", vec![home(0, 10), phone(5, 9)], 10, None),
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
    fn what_a_portal_uses_is_noted_once_a_minute_while_the_person_is_there() {
        let granted = Granted { outlives_session: false, last: at(10), ends: at(720) };
        let cases = [
            ("as the code is exchanged", granted, at(10), false),
            ("a minute later", granted, at(11), true),
            ("hours later", granted, at(719), true),
            ("the session is over", granted, at(720), false),
            ("while the person is away", Granted { outlives_session: true, ..granted }, at(60), false),
            ("by a clock that is late", granted, at(9), false),
        ];
        for (what, granted, now, expected) in cases {
            assert_eq!(granted.is_noted(now), expected, "{what}");
        }
    }

    #[test]
    fn two_who_signed_in_once_and_stay_at_a_portal_are_seen_by_what_it_uses() {
        let rule = Rule { by: By::Devices, ..BY_NETWORKS };
        let (first, second) = (of(b"1", "192.0.2.0/24"), of(b"2", "192.0.2.0/24"));
        let cases: [(&str, [Use<'_>; 2], Option<usize>); 4] = [
            ("both have just signed in", [first(0, 0), second(5, 5)], None),
            ("the second one stays", [first(0, 0), second(5, 10)], None),
            ("the first one stays", [first(0, 10), second(5, 5)], Some(2)),
            ("the first one signs in again", [first(0, 6), second(5, 5)], Some(2)),
        ];
        for (what, uses, expected) in cases {
            assert_eq!(suspect(&uses, &rule, at(10)), expected, "{what}");
        }
    }

    #[test]
    fn a_browser_that_signs_in_again_is_one_device_where_it_was_last_seen() {
        let (home, office) = (of(b"1", "192.0.2.0/24"), of(b"1", "198.51.100.0/24"));
        // Seen at home in the beginning, and used by a portal ever since.
        let before = Use { seen: at(1), ..home(0, 300) };
        let other = of(b"2", "203.0.113.0/24")(290, 295);
        let cases: [(&str, Vec<Use<'_>>, Option<usize>); 4] = [
            ("from home to the office", vec![before.clone(), office(200, 300)], None),
            ("in any order", vec![office(200, 300), before.clone()], None),
            ("and somebody else", vec![before.clone(), office(200, 300), other.clone()], Some(2)),
            ("somebody else, while a portal alone uses the first", vec![before, office(200, 201), other], Some(2)),
        ];
        for by in [By::Networks, By::Devices] {
            for (what, uses, expected) in &cases {
                assert_eq!(suspect(uses, &Rule { by, ..BY_NETWORKS }, at(300)), *expected, "{what}, {by:?}");
            }
        }
    }

    #[test]
    fn two_devices_in_use_at_the_same_time_are_told_wherever_they_are() {
        let rule = Rule { by: By::Devices, ..BY_NETWORKS };
        let on = |device| move |network, since, last| of(device, network)(since, last);
        let (phone, computer, tablet) = (on(b"1"), on(b"2"), on(b"3"));
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
