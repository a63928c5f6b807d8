//! What who pays is told before they pay: how to pay, and how to start (R028).
//!
//! An information precedes a payment when that is certain. Of what is known by its day alone (Paris) the information therefore counts
//! from the end of the day, the payment from its beginning; who knows the instants says them.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use crate::calendar;
use crate::enrolments::Withdrawal;

/// When something happened, as far as it was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// At this instant.
    At(Timestamp),
    /// On this day, in Paris.
    On(Date),
    /// On the day of this instant, which is now: not later.
    Today(Timestamp),
}

impl Said {
    /// What is said of `day` at `now`.
    pub fn on(day: Date, now: Timestamp) -> Self {
        if day == calendar::date_at(now) { Self::Today(now) } else { Self::On(day) }
    }

    /// The first instant at which it may have happened.
    pub fn earliest(self) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::On(day) => calendar::midnight(day),
            Self::Today(now) => calendar::midnight(calendar::date_at(now)),
        }
    }

    /// The instant it counts from where no order of things hangs on it: now for what happened today.
    pub fn noted(self) -> Timestamp {
        match self {
            Self::At(at) | Self::Today(at) => at,
            Self::On(day) => calendar::midnight(day),
        }
    }

    /// The last one, to the millisecond.
    pub fn latest(self) -> Timestamp {
        match self {
            Self::At(at) | Self::Today(at) => at,
            Self::On(day) => {
                let cut = calendar::cut_after(day);
                cut.saturating_sub(SignedDuration::from_millis(1)).unwrap_or(cut)
            }
        }
    }
}

/// Whether who pays has to be told something before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// They have.
    Owed,
    /// They may be.
    Free,
}

impl From<Withdrawal> for Duty {
    /// Who may withdraw, or could have, is a consumer and pays for themselves.
    fn from(withdrawal: Withdrawal) -> Self {
        match withdrawal {
            Withdrawal::Waits | Withdrawal::Waived => Self::Owed,
            Withdrawal::None => Self::Free,
        }
    }
}

/// Why a payment cannot be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uninformed {
    /// Who pays was told nothing.
    Never,
    /// They were told at this instant, which is not before the payment.
    Since(Timestamp),
}

/// Says whether a first payment may be recorded of `paid_at`: who was told, was told before; who had to be, was.
///
/// # Errors
/// [`Uninformed`].
///
/// Requirement R028.
pub fn payment(duty: Duty, informed_at: Option<Timestamp>, paid_at: Timestamp) -> Result<(), Uninformed> {
    match (informed_at, duty) {
        (Some(informed), _) if informed < paid_at => Ok(()),
        (Some(informed), _) => Err(Uninformed::Since(informed)),
        (None, Duty::Owed) => Err(Uninformed::Never),
        (None, Duty::Free) => Ok(()),
    }
}

/// What an information is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Informed {
    /// The first that is known of: it counts.
    First,
    /// One more: the first one counts.
    Again,
    /// None that comes before the payment.
    TooLate,
}

/// Weighs an information of `told_at` against the first one that is known of, and the payment.
///
/// Requirement R028.
pub fn information(told_at: Timestamp, first: Option<Timestamp>, paid_at: Option<Timestamp>) -> Informed {
    if paid_at.is_some_and(|paid| told_at >= paid) {
        return Informed::TooLate;
    }
    if first.is_some_and(|first| first <= told_at) { Informed::Again } else { Informed::First }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::orders::tests::at;

    const EARLY: &str = "2027-03-01T08:59:59.999Z";
    const NINE: &str = "2027-03-01T09:00:00Z";
    const LATE: &str = "2027-03-01T09:00:00.001Z";

    #[test]
    fn who_pays_was_told_before_where_that_is_owed_and_never_after() {
        let table = [
            (Duty::Owed, None, Err(Uninformed::Never)),
            (Duty::Owed, Some(EARLY), Ok(())),
            (Duty::Owed, Some(NINE), Err(Uninformed::Since(at(NINE)))),
            (Duty::Owed, Some(LATE), Err(Uninformed::Since(at(LATE)))),
            (Duty::Free, None, Ok(())),
            (Duty::Free, Some(EARLY), Ok(())),
            (Duty::Free, Some(NINE), Err(Uninformed::Since(at(NINE)))),
            (Duty::Free, Some(LATE), Err(Uninformed::Since(at(LATE)))),
        ];
        for (duty, informed, expected) in table {
            assert_eq!(payment(duty, informed.map(at), at(NINE)), expected, "{duty:?} {informed:?}");
        }
        let owed = [Withdrawal::Waits, Withdrawal::Waived, Withdrawal::None].map(Duty::from);
        assert_eq!(owed, [Duty::Owed, Duty::Owed, Duty::Free]);
    }

    #[test]
    fn the_first_information_counts_and_none_comes_after_the_payment() {
        let table = [
            (None, None, Informed::First),
            (Some(EARLY), None, Informed::Again),
            (Some(NINE), None, Informed::Again),
            (Some(LATE), None, Informed::First),
            (None, Some(LATE), Informed::First),
            (None, Some(NINE), Informed::TooLate),
            (None, Some(EARLY), Informed::TooLate),
            (Some(EARLY), Some(LATE), Informed::Again),
            (Some(EARLY), Some(NINE), Informed::TooLate),
        ];
        for (first, paid, expected) in table {
            assert_eq!(information(at(NINE), first.map(at), paid.map(at)), expected, "{first:?} {paid:?}");
        }
    }

    #[test]
    fn a_day_precedes_the_day_after_and_not_itself() {
        let now = at("2027-03-28T10:00:00Z");
        let (day, next) = (Said::on(date(2027, 3, 26), now), Said::on(date(2027, 3, 27), now));
        assert_eq!(day.earliest(), at("2027-03-25T23:00:00Z"));
        assert_eq!(day.latest(), at("2027-03-26T22:59:59.999Z"));
        assert_eq!(payment(Duty::Owed, Some(day.latest()), next.earliest()), Ok(()));
        let refused = Err(Uninformed::Since(day.latest()));
        assert_eq!(payment(Duty::Owed, Some(day.latest()), day.earliest()), refused);
        assert_eq!(payment(Duty::Owed, Some(day.latest()), at("2027-03-26T20:00:00Z")), refused);
        // Told at an instant, paid on some hour of the same day.
        let told = at("2027-03-26T08:00:00Z");
        assert_eq!(payment(Duty::Owed, Some(told), day.earliest()), Err(Uninformed::Since(told)));
        assert_eq!(payment(Duty::Owed, Some(told), at("2027-03-26T08:30:00Z")), Ok(()));
        // Today is no later than now, and may have been since midnight: who was told this morning was not told before.
        let today = Said::on(date(2027, 3, 28), now);
        assert_eq!((today.earliest(), today.noted(), today.latest()), (at("2027-03-27T23:00:00Z"), now, now));
        let morning = at("2027-03-28T06:00:00Z");
        assert_eq!(payment(Duty::Owed, Some(morning), today.earliest()), Err(Uninformed::Since(morning)));
        assert_eq!(payment(Duty::Owed, Some(morning), Said::At(now).earliest()), Ok(()));
        assert_eq!(payment(Duty::Owed, Some(today.latest()), today.earliest()), Err(Uninformed::Since(now)));
        let yesterday = Said::on(date(2027, 3, 27), now);
        assert_eq!(payment(Duty::Owed, Some(yesterday.latest()), today.earliest()), Ok(()));
        assert_eq!((yesterday.earliest(), day.noted()), (yesterday.noted(), day.earliest()));
        // The day the clocks go forward has 23 hours.
        let short = Said::On(date(2027, 3, 28));
        assert_eq!(short.latest(), at("2027-03-28T21:59:59.999Z"));
    }
}
