//! An organization's data when its subscription is over: closed to it, given back on request, removed a year later.
//!
//! Requirements R087, R156, R157, R211; question Q10.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::authorization::Subscription;
use crate::calendar;

/// Days after the end on which an organization reads and exports, where that was agreed in writing (Q10).
pub const EXPORT_DAYS: i32 = 30;
/// Days within which data are given back (R211).
const DELIVERY_DAYS: i32 = 15;
/// Days before the end by which an extra reversibility is asked for (R211).
const EXTRA_DAYS: i32 = 15;

/// How far an organization's data are open to it, whose subscription is over at an instant; at none while something goes on, and where
/// there never was a contract.
///
/// Requirement R087, question Q10.
pub fn subscription(over_at: Option<Timestamp>, export_agreed: bool, now: Timestamp) -> Subscription {
    match over_at {
        Some(at) if at <= now && export_agreed && now < export_until(at) => Subscription::Export,
        Some(at) if at <= now => Subscription::Over,
        _ => Subscription::Open,
    }
}

/// When an agreed export closes.
pub fn export_until(over_at: Timestamp) -> Timestamp {
    calendar::midnight(calendar::add_days(calendar::date_at(over_at), EXPORT_DAYS))
}

/// When data are removed that an agreement on reversibility keeps until the end of a day (R156).
pub fn removal(due: Timestamp, kept_until: Option<Date>) -> Timestamp {
    kept_until.map_or(due, |day| due.max(calendar::cut_after(day)))
}

/// A request in writing to have the data back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// The day of the writing.
    pub requested_on: Date,
    /// The last day of the subscription; none while it goes on without an end.
    pub last_day: Option<Date>,
    /// It was terminated for a breach of the client's.
    pub for_breach: bool,
    /// An invoice is unpaid.
    pub unpaid: bool,
    /// An extra reversibility is asked for, which is invoiced.
    pub extra: bool,
}

/// What a request is worth that is not excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restitution {
    /// Asked for in the month before the end: the data are due by this day.
    Owed {
        /// The last day for it.
        due_on: Date,
    },
    /// Asked for earlier than that, or no end is known: to be asked for again.
    Early,
    /// Asked for after the end.
    Late,
}

/// Why nothing is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excluded {
    /// Terminated for the client's breach.
    Breach,
    /// While an invoice is unpaid.
    Unpaid,
    /// The extra reversibility was asked for fewer than fifteen days before the end.
    ExtraTooLate,
}

impl Excluded {
    /// A stable word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Breach => "breach",
            Self::Unpaid => "unpaid",
            Self::ExtraTooLate => "extra_too_late",
        }
    }
}

impl Request {
    /// What the request is worth. The end is 00:00 on the day after the last; the day of the request does not count.
    ///
    /// # Errors
    /// [`Excluded`].
    ///
    /// Requirement R211.
    pub fn weigh(&self) -> Result<Restitution, Excluded> {
        if self.for_breach {
            return Err(Excluded::Breach);
        }
        if self.unpaid {
            return Err(Excluded::Unpaid);
        }
        let Some(last_day) = self.last_day else { return Ok(Restitution::Early) };
        let end = calendar::add_days(last_day, 1);
        if self.extra && self.requested_on > calendar::add_days(end, -EXTRA_DAYS) {
            return Err(Excluded::ExtraTooLate);
        }
        Ok(if self.requested_on > last_day {
            Restitution::Late
        } else if self.requested_on < calendar::add_months(end, -1) {
            Restitution::Early
        } else {
            Restitution::Owed { due_on: calendar::add_days(self.requested_on, DELIVERY_DAYS) }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::civil::date;

    use super::*;
    use crate::calendar::midnight;

    #[test]
    fn data_close_at_the_end_or_thirty_days_later_where_that_was_agreed() {
        use Subscription::{Export, Open, Over};
        let moment = Duration::from_nanos(1);
        // Summer time ends on 31 October 2027.
        let (end, closes) = (midnight(date(2027, 10, 15)), midnight(date(2027, 11, 14)));
        let table = [
            (None, end, [Open, Open]),
            (Some(end), end - moment, [Open, Open]),
            (Some(end), end, [Over, Export]),
            (Some(end), closes - moment, [Over, Export]),
            (Some(end), closes, [Over, Over]),
            (Some(end), midnight(date(2028, 10, 15)), [Over, Over]),
        ];
        for (over_at, now, expected) in table {
            assert_eq!([false, true].map(|agreed| subscription(over_at, agreed, now)), expected, "{over_at:?} {now}");
        }
    }

    #[test]
    fn data_are_kept_as_long_as_was_agreed_and_never_shorter_than_a_year() {
        let due = midnight(date(2028, 9, 1));
        let table = [
            (None, due),
            (Some(date(2028, 8, 30)), due),
            (Some(date(2028, 8, 31)), due),
            (Some(date(2028, 9, 1)), midnight(date(2028, 9, 2))),
            (Some(date(2028, 12, 31)), midnight(date(2029, 1, 1))),
        ];
        for (until, expected) in table {
            assert_eq!(removal(due, until), expected, "{until:?}");
        }
    }

    #[test]
    fn restitution_is_owed_to_who_asks_in_the_month_before_the_end_pays_and_broke_nothing() {
        use Excluded::{Breach, ExtraTooLate, Unpaid};
        use Restitution::{Early, Late, Owed};
        let last_day = Some(date(2027, 8, 31));
        let request = |requested_on| Request { requested_on, last_day, for_breach: false, unpaid: false, extra: false };
        let asked = request(date(2027, 8, 10));
        let extra = |requested_on| Request { extra: true, ..request(requested_on) };
        let march = |requested_on| Request { last_day: Some(date(2028, 2, 29)), ..request(requested_on) };
        let owed = |month, day| Ok(Owed { due_on: date(2027, month, day) });
        let table = [
            (request(date(2027, 7, 31)), Ok(Early)),
            (request(date(2027, 8, 1)), owed(8, 16)),
            (asked, owed(8, 25)),
            (request(date(2027, 8, 31)), owed(9, 15)),
            (request(date(2027, 9, 1)), Ok(Late)),
            (Request { last_day: None, ..asked }, Ok(Early)),
            (march(date(2028, 1, 31)), Ok(Early)),
            (march(date(2028, 2, 1)), Ok(Owed { due_on: date(2028, 2, 16) })),
            // An extra reversibility: fifteen days before the end at the latest.
            (extra(date(2027, 8, 17)), owed(9, 1)),
            (extra(date(2027, 8, 18)), Err(ExtraTooLate)),
            (extra(date(2027, 9, 1)), Err(ExtraTooLate)),
            (extra(date(2027, 3, 1)), Ok(Early)),
            (Request { last_day: None, ..extra(date(2027, 8, 18)) }, Ok(Early)),
            // Excluded whenever it is asked for.
            (Request { for_breach: true, ..asked }, Err(Breach)),
            (Request { unpaid: true, ..asked }, Err(Unpaid)),
            (Request { for_breach: true, unpaid: true, ..asked }, Err(Breach)),
            (Request { unpaid: true, ..request(date(2027, 9, 1)) }, Err(Unpaid)),
            (Request { for_breach: true, last_day: None, ..asked }, Err(Breach)),
        ];
        for (request, expected) in table {
            assert_eq!(request.weigh(), expected, "{request:?}");
        }
    }
}
