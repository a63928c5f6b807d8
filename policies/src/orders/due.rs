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

impl Orders<'_> {
    /// What is still to be said or done about an order, as things stand at `now`. The end and the renewal of an order that another takes
    /// the place of are nobody's affair, those of an option that follows its subscription are told with that one; data are removed only
    /// where no other order, and no order after it, goes on.
    ///
    /// Requirements R064, R067, R074, R087, R156; question Q11.
    pub fn moments(&self, order: &Order, now: Timestamp) -> Vec<(Moment, Timestamp)> {
        let mut moments = Vec::new();
        let Ok(windows) = self.windows(order) else { return moments };
        let opening = windows.iter().find(|window| window.opens());
        moments.extend(opening.map(|window| (Moment::Opens, window.from)));
        if let Some(presented) = order.unpaid_since {
            moments.push((Moment::Interrupts, interruption(presented)));
        }
        match self.end(order) {
            Some((_, Closing::Superseded)) => {}
            _ if order.follows() => {}
            Some((at, _)) => {
                moments.push((Moment::Ends, at));
                if !self.0.iter().any(|other| self.outlasts(other, (order, at))) {
                    let last_day = calendar::add_days(calendar::date_at(at), -1);
                    moments.push((Moment::Purges, calendar::midnight(purge_on(last_day))));
                }
            }
            None => {
                let term = order.term_on(calendar::date_at(now));
                moments.push((Moment::Renews, calendar::cut_after(term.last_day)));
            }
        }
        moments
    }

    /// Whether an order goes on after another that ends at `at`; of two that end together, the later one does.
    fn outlasts(&self, other: &Order, (order, at): (&Order, Timestamp)) -> bool {
        // What follows a subscription is over with it.
        other.id != order.id
            && !other.follows()
            && self.windows(other).is_ok()
            && self.end(other).is_none_or(|(ends_at, _)| (ends_at, &other.id) > (at, &order.id))
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
    use crate::orders::{Kind, Renewal};

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
            (vec![fixed, beside], vec![(Opens, opens), (Ends, end)]),
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
        let fixed = order("a", START);
        let tacit = Order { renewal: Renewal::Tacit, ..fixed.clone() };
        let larger = Order { supersedes: Some("a".into()), ..order("b", date(2027, 3, 1)) };
        let option = Order { kind: Kind::Option { of: "a".into() }, ..order("o", START) };
        let stated = Order { last_day: Some(date(2028, 2, 29)), ..option.clone() };
        let stopped = Order { terminated_on: Some(date(2027, 2, 28)), ..option.clone() };
        let unpaid = Order { unpaid_since: Some(date(2027, 1, 1)), ..fixed.clone() };
        let table = [
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
