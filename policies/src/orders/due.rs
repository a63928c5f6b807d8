//! What is due when: an order's moments, what a notice is worth, and the days that follow from it.
//!
//! Requirements R064, R065, R067, R074, R087, R156, R202; questions Q07, Q11.

use jiff::Timestamp;
use jiff::civil::Date;

use super::{Closing, Order, Orders};
use crate::calendar;

/// When something is to be said or done about an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// Its seats open.
    Opens,
    /// Access is interrupted for an unpaid invoice (R074).
    Interrupts,
    /// It renews itself for a year (R064).
    Renews,
    /// It ends (R087).
    Ends,
    /// The organization's data are removed (R156).
    Purges,
}

impl Moment {
    /// The word it is stored by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Opens => "opens",
            Self::Interrupts => "interrupts",
            Self::Renews => "renews",
            Self::Ends => "ends",
            Self::Purges => "purges",
        }
    }
}

/// The removal of an organization's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removal {
    /// When all that it subscribed to is over.
    pub over_at: Timestamp,
    /// The last day before that.
    pub last_day: Date,
    /// When the data are due to be removed; an agreement on reversibility puts it off ([`crate::restitution::removal`]).
    pub at: Timestamp,
}

impl Orders<'_> {
    /// What is still to be said or done about an order, as things stand at `now`. The end and the renewal of an order that another takes
    /// the place of are nobody's affair, those of an option that follows its subscription are told with that one; data are removed only
    /// where no other order, and no order after it, goes on. A contract that was never paid opens nothing, and ends all the same.
    ///
    /// Requirements R064, R067, R074, R087, R156; question Q11.
    pub fn moments(&self, order: &Order, now: Timestamp) -> Vec<(Moment, Timestamp)> {
        let mut moments = Vec::new();
        if !order.is_concluded() {
            return moments;
        }
        if let Ok(windows) = self.windows(order) {
            let opening = windows.iter().find(|window| window.opens());
            moments.extend(opening.map(|window| (Moment::Opens, window.from)));
            moments.extend(order.unpaid_since.map(|presented| (Moment::Interrupts, interruption(presented))));
        }
        match self.end(order) {
            Some((_, Closing::Superseded)) => {}
            _ if order.follows() => {}
            Some((at, _)) => {
                moments.push((Moment::Ends, at));
                let removal = self.removal().filter(|_| self.is_last_to_end(order, at));
                moments.extend(removal.map(|removal| (Moment::Purges, removal.at)));
            }
            None => {
                let term = order.term_on(calendar::date_at(now));
                moments.push((Moment::Renews, calendar::cut_after(term.last_day)));
            }
        }
        moments
    }

    /// When the organization's data are removed: a year after all is over ([`Orders::over_at`]), whatever had closed it before. None while
    /// anything goes on without an end, and where no subscription was ever concluded.
    ///
    /// Requirement R156, question Q11.
    pub fn removal(&self) -> Option<Removal> {
        let over_at = self.over_at(None)?;
        let last_day = calendar::add_days(calendar::date_at(over_at), -1);
        Some(Removal { over_at, last_day, at: calendar::midnight(purge_on(last_day)) })
    }

    /// Whether all is over with an order that ends at `at`; of two that end together, the later one is the last.
    fn is_last_to_end(&self, order: &Order, at: Timestamp) -> bool {
        let with_it = |other: &Order| {
            other.id > order.id
                && other.is_concluded()
                // What follows a subscription is over with it.
                && !other.follows()
                && self.end(other) == Some((at, Closing::Ended))
        };
        self.over_at(None) == Some(at) && !self.0.iter().any(with_it)
    }
}

/// The last day on which a notice of non-renewal is in time for a renewal: either rule is enough (Q07).
pub fn notice_deadline(renews_on: Date) -> Date {
    calendar::add_months(renews_on, -1).max(calendar::add_days(renews_on, -30))
}

/// What a notice of non-renewal is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// In time by both rules of the contract.
    InTime,
    /// A month before, but fewer than thirty days (around February): accepted, and flagged.
    OnlyByTheMonth,
    /// Thirty days before, but less than a month: accepted, and flagged.
    OnlyByThirtyDays,
    /// Too late by both.
    TooLate,
}

impl Notice {
    /// Whether it stops the renewal: either rule is enough (Q07).
    pub fn stops_renewal(self) -> bool {
        self != Self::TooLate
    }
}

/// Weighs a notice first presented on a day against the day of renewal (the anniversary).
///
/// Requirements R064 (one month), R065 (thirty days), R202; question Q07.
pub fn notice(presented_on: Date, renews_on: Date) -> Notice {
    let by_month = presented_on <= calendar::add_months(renews_on, -1);
    let by_days = presented_on <= calendar::add_days(renews_on, -30);
    match (by_month, by_days) {
        (true, true) => Notice::InTime,
        (true, false) => Notice::OnlyByTheMonth,
        (false, true) => Notice::OnlyByThirtyDays,
        (false, false) => Notice::TooLate,
    }
}

/// When access may be interrupted for an invoice whose reminder was first presented on a day: after J+15, at 00:00 on J+16.
///
/// Requirements R074, R202.
pub fn interruption(presented_on: Date) -> Timestamp {
    calendar::cut_after(calendar::add_days(presented_on, 15))
}

/// The day an organization's data are purged: the day after the first anniversary of the last day of its subscription.
///
/// Requirement R156, question Q11.
pub fn purge_on(last_day: Date) -> Date {
    calendar::add_days(calendar::anniversary(last_day), 1)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::calendar::{add_days, midnight};
    use crate::orders::tests::{START, order};
    use crate::orders::{Kind, Opening, Renewal};

    #[test]
    fn what_is_to_be_said_of_an_order_follows_its_state() {
        use Moment::{Ends, Interrupts, Opens, Purges, Renews};
        let now = midnight(date(2027, 2, 1));
        let (opens, end) = (midnight(START), midnight(date(2027, 9, 1)));
        let fixed = order("a", START);
        let tacit = Order { renewal: Renewal::Tacit, ..fixed.clone() };
        let purge = midnight(date(2028, 9, 1));
        let larger = Order { supersedes: Some("a".into()), ..order("b", date(2027, 3, 1)) };
        let beside = Order { renewal: Renewal::Tacit, ..order("b", START) };
        let table = [
            (vec![Order { signed_at: None, ..fixed.clone() }], vec![]),
            (vec![fixed.clone()], vec![(Opens, opens), (Ends, end), (Purges, purge)]),
            (vec![tacit.clone()], vec![(Opens, opens), (Renews, end)]),
            (
                vec![Order { unpaid_since: Some(date(2027, 1, 20)), ..tacit.clone() }],
                vec![(Opens, opens), (Interrupts, midnight(date(2027, 2, 5))), (Renews, end)],
            ),
            (
                vec![Order { notice_presented_on: Some(date(2027, 1, 2)), ..tacit }],
                vec![(Opens, opens), (Ends, end), (Purges, purge)],
            ),
            (vec![fixed.clone(), larger], vec![(Opens, opens)]),
            (vec![fixed.clone(), beside], vec![(Opens, opens), (Ends, end)]),
            // What is a contract and opens nothing: not paid after a trial, or without access codes.
            (vec![Order { acknowledged_at: None, ..fixed.clone() }], vec![]),
            (vec![Order { opening: Opening::OnPayment, ..fixed.clone() }], vec![(Ends, end), (Purges, purge)]),
            (vec![Order { credentials_sent_at: None, ..fixed.clone() }], vec![(Ends, end), (Purges, purge)]),
            (
                vec![Order { opening: Opening::OnPayment, unpaid_since: Some(date(2027, 1, 20)), ..fixed.clone() }],
                vec![(Ends, end), (Purges, purge)],
            ),
            (vec![Order { opening: Opening::OnPayment, renewal: Renewal::Tacit, ..fixed }], vec![(Renews, end)]),
        ];
        for (orders, expected) in table {
            assert_eq!(Orders(&orders).moments(&orders[0], now), expected, "{orders:?}");
        }
        // Either rule is enough, and the day after is too late for both.
        let mut day = date(2027, 1, 1);
        while day < date(2029, 1, 1) {
            let deadline = notice_deadline(day);
            assert!(
                notice(deadline, day).stops_renewal() && !notice(add_days(deadline, 1), day).stops_renewal(),
                "{day}"
            );
            day = add_days(day, 1);
        }
    }

    #[test]
    fn notice_is_weighed_by_both_rules_and_either_is_enough() {
        use Notice::{InTime, OnlyByTheMonth, OnlyByThirtyDays, TooLate};
        let table = [
            // Renewal on 1 September: one month before is 1 August, thirty days before 2 August.
            (date(2027, 7, 31), date(2027, 9, 1), InTime),
            (date(2027, 8, 1), date(2027, 9, 1), InTime),
            (date(2027, 8, 2), date(2027, 9, 1), OnlyByThirtyDays),
            (date(2027, 8, 3), date(2027, 9, 1), TooLate),
            // Renewal on 1 March: 1 February and 30 January; in a leap year 31 January.
            (date(2027, 1, 30), date(2027, 3, 1), InTime),
            (date(2027, 2, 1), date(2027, 3, 1), OnlyByTheMonth),
            (date(2027, 2, 2), date(2027, 3, 1), TooLate),
            (date(2028, 1, 31), date(2028, 3, 1), InTime),
            // Renewal on 31 March: a month before is the last day of February.
            (date(2027, 2, 28), date(2027, 3, 31), InTime),
            (date(2027, 3, 1), date(2027, 3, 31), OnlyByThirtyDays),
            // April has thirty days: both rules agree.
            (date(2027, 4, 15), date(2027, 5, 15), InTime),
            (date(2027, 4, 16), date(2027, 5, 15), TooLate),
        ];
        for (presented, renews, expected) in table {
            assert_eq!(notice(presented, renews), expected, "{presented} for {renews}");
        }
    }

    #[test]
    fn data_are_removed_a_year_after_the_last_end_whatever_came_before_it() {
        use Moment::{Ends, Opens, Purges, Renews};
        let now = midnight(date(2027, 2, 1));
        let (opens, switch) = (midnight(START), midnight(date(2027, 3, 1)));
        let (end, later) = (midnight(date(2027, 9, 1)), midnight(date(2028, 3, 1)));
        let (purge, later_purge) = (midnight(date(2028, 9, 1)), midnight(date(2029, 3, 1)));
        let later_by_a_year = midnight(date(2029, 3, 1));
        let fixed = order("a", START);
        let tacit = Order { renewal: Renewal::Tacit, ..fixed.clone() };
        let larger = Order { supersedes: Some("a".into()), ..order("b", date(2027, 3, 1)) };
        let option = Order { kind: Kind::Option { of: "a".into() }, ..order("o", START) };
        let stated = Order { last_day: Some(date(2028, 2, 29)), ..option.clone() };
        let stopped = Order { terminated_on: Some(date(2027, 2, 28)), ..option.clone() };
        let unpaid = Order { unpaid_since: Some(date(2027, 1, 1)), ..fixed.clone() };
        // Signed, and not paid yet: the transfer is under way.
        let awaited = Order { opening: Opening::OnPayment, ..order("p", date(2028, 3, 1)) };
        let unsigned = Order { signed_at: None, ..awaited.clone() };
        let table = [
            (vec![fixed.clone(), awaited.clone()], vec![(Opens, opens), (Ends, end)]),
            (vec![fixed.clone(), unsigned], vec![(Opens, opens), (Ends, end), (Purges, purge)]),
            (vec![awaited, fixed.clone()], vec![(Ends, later_by_a_year), (Purges, midnight(date(2030, 3, 1)))]),
            // Of two that end together, one is the last.
            (vec![fixed.clone(), order("b", START)], vec![(Opens, opens), (Ends, end)]),
            (vec![order("b", START), fixed.clone()], vec![(Opens, opens), (Ends, end), (Purges, purge)]),
            // Beside no contract nothing is ever over.
            (vec![stated.clone()], vec![(Ends, later)]),
            // A tacit one whose place was taken is over.
            (vec![larger.clone(), tacit.clone()], vec![(Opens, switch), (Ends, later), (Purges, later_purge)]),
            (vec![tacit.clone(), larger.clone()], vec![(Opens, opens)]),
            (vec![larger, tacit.clone(), option.clone()], vec![(Opens, switch), (Ends, later), (Purges, later_purge)]),
            // An option is over with its subscription.
            (vec![fixed.clone(), option.clone()], vec![(Opens, opens), (Ends, end), (Purges, purge)]),
            (vec![option, fixed.clone()], vec![(Opens, opens)]),
            // One with a last day of its own has an end of its own, and may be the last.
            (vec![fixed.clone(), stated.clone()], vec![(Opens, opens), (Ends, end)]),
            (vec![stated.clone(), fixed.clone()], vec![(Opens, opens), (Ends, later), (Purges, later_purge)]),
            (vec![Order { renewal: Renewal::Tacit, ..stated }, fixed.clone()], vec![(Opens, opens), (Renews, later)]),
            (vec![stopped, fixed.clone()], vec![(Opens, opens), (Ends, switch)]),
            // What is interrupted still ends, and what goes on interrupted goes on.
            (
                vec![unpaid.clone()],
                vec![(Opens, opens), (Moment::Interrupts, midnight(date(2027, 1, 17))), (Ends, end), (Purges, purge)],
            ),
            (
                vec![fixed, Order { id: "t".into(), renewal: Renewal::Tacit, ..unpaid }],
                vec![(Opens, opens), (Ends, end)],
            ),
        ];
        for (orders, expected) in table {
            assert_eq!(Orders(&orders).moments(&orders[0], now), expected, "{orders:?}");
        }
    }

    #[test]
    fn the_removal_is_due_a_year_after_the_last_day_which_is_the_true_one() {
        let fixed = order("a", date(2026, 3, 1));
        // Its last day is 29 February 2028.
        let leap = order("b", date(2027, 3, 1));
        let tacit = Order { renewal: Renewal::Tacit, ..order("c", date(2026, 3, 1)) };
        let awaited = Order { opening: Opening::OnPayment, ..leap.clone() };
        let replacing = Order { supersedes: Some("c".into()), ..leap.clone() };
        let removed = |over, last_day, on| Some(Removal { over_at: midnight(over), last_day, at: midnight(on) });
        let first = removed(date(2027, 3, 1), date(2027, 2, 28), date(2028, 2, 29));
        let second = removed(date(2028, 3, 1), date(2028, 2, 29), date(2029, 3, 1));
        let table = [
            (vec![], None),
            (vec![Order { signed_at: None, ..fixed.clone() }], None),
            (vec![fixed.clone()], first),
            (vec![fixed.clone(), Order { signed_at: None, ..leap.clone() }], first),
            (vec![fixed.clone(), leap], second),
            (vec![fixed.clone(), awaited], second),
            (vec![tacit.clone(), replacing], second),
            (vec![fixed, tacit], None),
        ];
        for (orders, expected) in table {
            assert_eq!(Orders(&orders).removal(), expected, "{orders:?}");
            let purges = |order: &Order| {
                let moments = Orders(&orders).moments(order, midnight(date(2027, 1, 1)));
                moments.into_iter().find(|(moment, _)| *moment == Moment::Purges).map(|(_, at)| at)
            };
            let due: Vec<_> = orders.iter().filter_map(purges).collect();
            assert_eq!(due, expected.map(|removal| removal.at).as_slice(), "one order has the moment: {orders:?}");
        }
    }

    #[test]
    fn data_are_purged_on_the_day_after_the_anniversary_of_the_last_day() {
        let table = [
            (date(2027, 8, 31), date(2028, 9, 1)),
            (date(2028, 2, 29), date(2029, 3, 1)),
            (date(2027, 2, 28), date(2028, 2, 29)),
        ];
        for (last_day, expected) in table {
            assert_eq!(purge_on(last_day), expected, "{last_day}");
        }
    }
}
