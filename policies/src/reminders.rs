//! Reminders before a due date: which notice to send now, and when to look again.
//!
//! The pure half of the lifecycle engine. The engine runs when it can: every minute, or once after a week of downtime. Each
//! run asks [`decide`] for every open [`Watch`] and stores what was sent in the same transaction as the outgoing mail, so that
//! a second run finds nothing left to do.
//!
//! The rule: of the rungs reached and not yet sent, only the most urgent is sent; the ones it overtakes are reported as
//! skipped, never sent late. A rung reached before the watch began (a key issued for five days has no "in 7 days") is not sent
//! at all. At the due instant reminders end: what happens then is another event.
//!
//! Requirements R047 (idempotent run, J-30/J-7/J-1), R104 (J-60/30/7/1).

use std::borrow::Cow;

use jiff::Timestamp;

use crate::calendar;

/// How many days before the due date notices go out, from the farthest to the nearest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder(Cow<'static, [u16]>);

/// Why a list of days is no ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LadderError {
    /// More than eight rungs: that is harassment.
    #[error("at most {} rungs", Ladder::MAX_RUNGS)]
    TooManyRungs,
    /// A rung outside 1 to 366 days.
    #[error("a rung is between 1 and {} days", Ladder::MAX_DAYS)]
    OutOfRange,
    /// Days that do not strictly decrease.
    #[error("days must decrease")]
    NotDecreasing,
}

impl Ladder {
    /// Passwords: 30, 7 and 1 days (R047).
    pub const PASSWORD: Self = Self(Cow::Borrowed(&[30, 7, 1]));
    /// API keys: 60, 30, 7 and 1 days (R104).
    pub const API_KEY: Self = Self(Cow::Borrowed(&[60, 30, 7, 1]));
    /// Memberships that end: 30 and 7 days (R056).
    pub const MEMBERSHIP: Self = Self(Cow::Borrowed(&[30, 7]));
    /// Reviews of access that are to be signed: the week before the last day, which ends at midnight (R052).
    pub const REVIEW: Self = Self(Cow::Borrowed(&[8]));
    /// Documents that are asked for: a week and two days before the last day, which ends at midnight (R013).
    pub const DOCUMENTS: Self = Self(Cow::Borrowed(&[8, 3]));
    /// Requests for a seat: three days after they were made, and a week before the last day, which ends at midnight (R059).
    pub const SEAT_REQUEST: Self = Self(Cow::Borrowed(&[28, 8]));
    /// No reminders: only the end.
    pub const NONE: Self = Self(Cow::Borrowed(&[]));
    /// The end of an order: 60, 30, 7 and 1 days.
    pub const SUBSCRIPTION: Self = Self(Cow::Borrowed(&[60, 30, 7, 1]));
    /// A renewal: 60 and 40 days before, in time for a notice of a month (R064).
    pub const RENEWAL: Self = Self(Cow::Borrowed(&[60, 40]));
    /// The end of a trial: 7, 3 and 1 days.
    pub const TRIAL: Self = Self(Cow::Borrowed(&[7, 3, 1]));
    /// The end of somebody's access to a course: 7 days and 1.
    pub const ACCESS: Self = Self(Cow::Borrowed(&[7, 1]));
    /// The most rungs a ladder may have.
    pub const MAX_RUNGS: usize = 8;
    /// The farthest rung, in days.
    pub const MAX_DAYS: u16 = 366;

    /// Accepts a list of days set by an operator; an empty one means no reminders.
    ///
    /// # Errors
    /// More than eight rungs, a rung outside 1–366 days, or days that do not strictly decrease.
    pub fn new(days: Vec<u16>) -> Result<Self, LadderError> {
        if days.len() > Self::MAX_RUNGS {
            return Err(LadderError::TooManyRungs);
        }
        if days.iter().any(|&day| !(1..=Self::MAX_DAYS).contains(&day)) {
            return Err(LadderError::OutOfRange);
        }
        if !days.is_sorted_by(|far, near| far > near) {
            return Err(LadderError::NotDecreasing);
        }
        Ok(Self(Cow::Owned(days)))
    }

    /// The rungs, in days before the due date, farthest first.
    pub fn days(&self) -> &[u16] {
        &self.0
    }
}

/// One thing that falls due and whose owner is to be told in time.
#[derive(Debug, Clone, Copy)]
pub struct Watch<'a> {
    /// When it falls due. A new due date is a new watch, with nothing sent yet.
    pub due: Timestamp,
    /// When this due date began to hold: creation, last change, renewal.
    pub since: Timestamp,
    /// When to send notices.
    pub ladder: &'a Ladder,
    /// The rungs already sent for this due date, in any order.
    pub sent: &'a [u16],
}

/// What one run does about one [`Watch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The notice to send now, and to store as sent.
    pub send: Option<Notice>,
    /// Rungs reached since the last run that will never be sent: a more urgent one, or the due instant, overtook them.
    pub skipped: Vec<u16>,
    /// When to look again: the next rung, then the due instant; `None` once it is past.
    pub next: Option<Timestamp>,
}

/// A notice to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notice {
    /// The rung it stands for, in days before the due date.
    pub rung: u16,
    /// The days really left on the Paris calendar, to be written in the text; fewer than `rung` after a downtime.
    pub days_left: u16,
}

/// Decides what a run at `now` does, given the previous run.
///
/// A rung of `d` days is reached at the wall-clock time of the due instant in Paris, `d` civil days earlier. `last_run` only
/// serves to report each skipped rung once and to do nothing when the clock has gone back; what was sent is the truth.
///
/// Requirement R047.
pub fn decide(watch: &Watch<'_>, last_run: Option<Timestamp>, now: Timestamp) -> Decision {
    let rungs: Vec<(u16, Timestamp)> = watch
        .ladder
        .days()
        .iter()
        .map(|&days| (days, calendar::days_before(watch.due, days)))
        .filter(|&(_, reached)| reached >= watch.since)
        .collect();
    let next = rungs.iter().map(|&(_, reached)| reached).chain([watch.due]).find(|&reached| reached > now);
    if last_run.is_some_and(|last| now < last) {
        return Decision { send: None, skipped: Vec::new(), next };
    }

    // Rungs get nearer: the last one reached is the most urgent.
    let most_urgent = rungs.iter().rfind(|&&(_, reached)| reached <= now).map(|&(days, _)| days);
    let send = most_urgent.filter(|days| now < watch.due && !watch.sent.contains(days)).map(|rung| {
        let left = calendar::days_between(calendar::date_at(now), calendar::date_at(watch.due));
        Notice { rung, days_left: u16::try_from(left).unwrap_or(0) }
    });
    let skipped = rungs
        .iter()
        .filter(|&&(_, reached)| reached <= now && last_run.is_none_or(|last| reached > last))
        .map(|&(days, _)| days)
        .filter(|days| !watch.sent.contains(days) && send.is_none_or(|notice| notice.rung != *days))
        .collect();
    Decision { send, skipped, next }
}

/// What one run does about something that expires and has an end: reminders as [`decide`] says, then what happens at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The notice to send now.
    pub send: Option<Notice>,
    /// Whether the end has come.
    pub end: bool,
    /// When to look again; `None` once there is nothing left to say or do.
    pub next: Option<Timestamp>,
}

/// Decides what a run at `now` does about something whose end comes at `end`: with the due instant, or after a grace. Without an
/// end there are reminders alone.
///
/// At the end nobody is reminded any more, however long nobody looked.
///
/// Requirements R045, R047, R104.
pub fn step(watch: &Watch<'_>, end: Option<Timestamp>, now: Timestamp) -> Step {
    if end.is_some_and(|end| end <= now) {
        return Step { send: None, end: true, next: None };
    }
    let Decision { send, next, .. } = decide(watch, None, now);
    // At the due instant nothing is said: what comes then, if anything, is the end.
    let next = next.filter(|&next| next != watch.due).into_iter().chain(end).min();
    Step { send, end: false, next }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;
    use crate::calendar::midnight;

    fn paris(month: i8, day: i8) -> Timestamp {
        midnight(date(2027, month, day))
    }

    fn watch<'a>(ladder: &'a Ladder, sent: &'a [u16]) -> Watch<'a> {
        Watch { due: paris(7, 1), since: midnight(date(2026, 7, 1)), ladder, sent }
    }

    #[test]
    fn of_the_rungs_reached_only_the_most_urgent_is_sent() {
        let none: &[u16] = &[];
        let minute_before = |at: Timestamp| at - std::time::Duration::from_mins(1);
        let (rung, due) = (|rung, days_left| Some(Notice { rung, days_left }), paris(7, 1));
        // now, already sent → send, skipped, next
        let table = [
            (minute_before(paris(6, 1)), none, None, vec![], Some(paris(6, 1))),
            (paris(6, 1), none, rung(30, 30), vec![], Some(paris(6, 24))),
            (paris(6, 1), &[30], None, vec![], Some(paris(6, 24))),
            (paris(6, 10), none, rung(30, 21), vec![], Some(paris(6, 24))),
            (paris(6, 24), &[30], rung(7, 7), vec![], Some(paris(6, 30))),
            (paris(6, 26), none, rung(7, 5), vec![30], Some(paris(6, 30))),
            (paris(6, 30), none, rung(1, 1), vec![30, 7], Some(due)),
            (paris(6, 30), &[30, 7, 1], None, vec![], Some(due)),
            // A rung overtaken stays unsent.
            (paris(6, 27), &[7], None, vec![30], Some(paris(6, 30))),
            (due, &[30], None, vec![7, 1], None),
            (paris(7, 2), &[30, 7, 1], None, vec![], None),
        ];
        for (now, sent, send, skipped, next) in table {
            let decision = decide(&watch(&Ladder::PASSWORD, sent), None, now);
            assert_eq!(decision, Decision { send, skipped, next }, "{now} {sent:?}");
        }
    }

    #[test]
    fn a_rung_reached_before_the_thing_existed_is_not_sent() {
        let young = Watch { since: paris(6, 26), ..watch(&Ladder::API_KEY, &[]) };
        let decision = decide(&young, None, paris(6, 26));
        assert_eq!(decision, Decision { send: None, skipped: vec![], next: Some(paris(6, 30)) });
        assert_eq!(decide(&young, None, paris(6, 30)).send, Some(Notice { rung: 1, days_left: 1 }));
    }

    #[test]
    fn the_end_comes_with_the_due_instant_or_after_a_grace_or_never() {
        let grace = paris(7, 31);
        let due = paris(7, 1);
        // end, now → rung sent, end, next
        let table = [
            (Some(due), paris(6, 24), Some(7), false, Some(paris(6, 30))),
            (Some(due), paris(6, 30), Some(1), false, Some(due)),
            (Some(due), due, None, true, None),
            (Some(due), grace, None, true, None),
            (Some(grace), paris(6, 30), Some(1), false, Some(grace)),
            (Some(grace), due, None, false, Some(grace)),
            (Some(grace), grace, None, true, None),
            (None, paris(6, 30), Some(1), false, None),
            (None, grace, None, false, None),
        ];
        for (end, now, rung, ends, next) in table {
            let found = step(&watch(&Ladder::PASSWORD, &[]), end, now);
            assert_eq!((found.send.map(|it| it.rung), found.end, found.next), (rung, ends, next), "{end:?} {now}");
        }
        let at_once = Watch { since: due, ladder: &Ladder::NONE, ..watch(&Ladder::NONE, &[]) };
        assert_eq!(step(&at_once, Some(due), paris(6, 1)).next, Some(due));
    }

    #[test]
    fn a_clock_gone_back_sends_nothing() {
        let decision = decide(&watch(&Ladder::PASSWORD, &[]), Some(paris(6, 26)), paris(6, 25));
        assert_eq!((decision.send, decision.skipped), (None, vec![]));
    }

    #[test]
    fn a_skipped_rung_is_reported_once() {
        let sent = [7];
        let decision = decide(&watch(&Ladder::PASSWORD, &sent), Some(paris(6, 26)), paris(6, 27));
        assert_eq!(decision.skipped, Vec::<u16>::new());
    }

    #[test]
    fn a_ladder_is_short_and_decreasing() {
        assert!(Ladder::new(vec![]).is_ok() && Ladder::new(vec![366, 1]).is_ok());
        let table = [
            (vec![9, 8, 7, 6, 5, 4, 3, 2, 1], LadderError::TooManyRungs),
            (vec![367], LadderError::OutOfRange),
            (vec![7, 0], LadderError::OutOfRange),
            (vec![7, 7], LadderError::NotDecreasing),
            (vec![1, 7], LadderError::NotDecreasing),
        ];
        for (days, expected) in table {
            assert_eq!(Ladder::new(days.clone()), Err(expected), "{days:?}");
        }
    }

    proptest! {
        /// Any partition of time into runs, each run twice.
        #[test]
        fn however_runs_fall_each_rung_is_sent_once_and_the_last_one_in_its_window(
            due in 1_700_000_000_i64..2_000_000_000,
            mut days in proptest::collection::btree_set(1_u16..=60, 1..5),
            mut runs in proptest::collection::btree_set(-70 * 24 * 60_i64..3 * 24 * 60, 1..60),
        ) {
            let due = Timestamp::from_second(due).unwrap();
            let nearest = *days.first().unwrap();
            let ladder = Ladder::new(std::iter::from_fn(|| days.pop_last()).collect()).unwrap();
            let since = due - std::time::Duration::from_hours(71 * 24);
            let last_rung = calendar::days_before(due, nearest);
            let (mut sent, mut skipped, mut last_run) = (Vec::new(), Vec::new(), None);
            let mut ran_in_last_window = false;
            while let Some(minutes) = runs.pop_first() {
                let now = due + jiff::SignedDuration::from_mins(minutes);
                let first = decide(&Watch { due, since, ladder: &ladder, sent: &sent }, last_run, now);
                last_run = Some(now);
                if let Some(notice) = first.send {
                    prop_assert!(now < due && notice.days_left <= notice.rung);
                    prop_assert!(!sent.contains(&notice.rung) && sent.last().is_none_or(|&before| before > notice.rung));
                    sent.push(notice.rung);
                }
                skipped.extend(first.skipped);
                ran_in_last_window |= (last_rung..due).contains(&now);
                let again = decide(&Watch { due, since, ladder: &ladder, sent: &sent }, last_run, now);
                prop_assert_eq!((again.send, again.skipped), (None, vec![]));
                prop_assert!(again.next.is_none_or(|next| next > now) && again.next.is_some() == (now < due));
            }
            prop_assert_eq!(sent.contains(&nearest), ran_in_last_window);
            // Every rung reached ends up in one of the two lists, never in both.
            for &rung in ladder.days() {
                let reached = calendar::days_before(due, rung) <= last_run.unwrap();
                prop_assert_eq!(usize::from(reached), sent.iter().chain(&skipped).filter(|&&done| done == rung).count());
            }
        }
    }
}
