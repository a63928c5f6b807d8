//! Accounts for updates: access that counts from the opening of a link, for years, and ends on the anniversary of that day (R077).
//!
//! Such an account comes after a course and rests on its contract: nothing comes back signed for it (R021), nothing is paid that one
//! could withdraw from (R089), and the link is all that is sent (R020). The day of the opening does not count, the last one counts whole
//! (code de procédure civile, art. 641 and 642).

use jiff::Timestamp;
use jiff::civil::Date;

use crate::calendar;

/// The years when nothing else is said.
pub const YEARS: u8 = 5;
/// The most there may be: as long as any other enrolment.
pub const MOST_YEARS: u8 = 10;

/// First and last day of access for so many years from the opening of the link.
///
/// Requirement R077.
pub fn days(opened_at: Timestamp, years: u8) -> (Date, Date) {
    let first = calendar::date_at(opened_at);
    (first, calendar::add_years(first, years.into()))
}

/// The last day on which a link opens that is sent now.
pub fn link_last_day(sent_at: Timestamp) -> Date {
    calendar::anniversary(calendar::date_at(sent_at))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::admission::Window;
    use crate::enrolments::{Counts, Enrolment, Moment, Status, Withdrawal};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// An account for updates of so many years, opened then.
    fn account(opened: Option<&str>, years: u8) -> Enrolment {
        let opened = opened.map(at);
        let (not_before, not_after) = opened.map_or((Date::MAX, Date::MIN), |opened| days(opened, years));
        Enrolment {
            status: Status::Registered,
            counts: Counts::Opening(opened),
            not_before,
            not_after,
            ends_by_itself: true,
            sent_on: None,
            signed_at: None,
            paid_at: None,
            withdrawal: Withdrawal::None,
            closed_on: None,
            credentials_sent: false,
        }
    }

    #[test]
    fn the_years_begin_with_the_opening_and_end_with_the_anniversary() {
        let table = [
            ("2027-05-10T08:30:00Z", 5, date(2027, 5, 10), date(2032, 5, 10), "2032-05-10T22:00:00Z"),
            // The day is that of Paris, in winter and in summer.
            ("2026-12-31T22:59:59Z", 5, date(2026, 12, 31), date(2031, 12, 31), "2031-12-31T23:00:00Z"),
            ("2026-12-31T23:00:00Z", 5, date(2027, 1, 1), date(2032, 1, 1), "2032-01-01T23:00:00Z"),
            ("2027-06-30T21:59:59Z", 5, date(2027, 6, 30), date(2032, 6, 30), "2032-06-30T22:00:00Z"),
            ("2027-06-30T22:00:00Z", 5, date(2027, 7, 1), date(2032, 7, 1), "2032-07-01T22:00:00Z"),
            // 29 February is 28 February where there is none.
            ("2028-02-29T11:00:00Z", 5, date(2028, 2, 29), date(2033, 2, 28), "2033-02-28T23:00:00Z"),
            ("2028-02-29T11:00:00Z", 4, date(2028, 2, 29), date(2032, 2, 29), "2032-02-29T23:00:00Z"),
            ("2027-02-28T11:00:00Z", 5, date(2027, 2, 28), date(2032, 2, 28), "2032-02-28T23:00:00Z"),
            // Ends of months stay.
            ("2027-01-31T11:00:00Z", 5, date(2027, 1, 31), date(2032, 1, 31), "2032-01-31T23:00:00Z"),
            ("2027-04-30T11:00:00Z", 5, date(2027, 4, 30), date(2032, 4, 30), "2032-04-30T22:00:00Z"),
            // Opened on a day of 23 hours, ended on one of 25, and the other way round.
            ("2027-03-28T00:30:00Z", 5, date(2027, 3, 28), date(2032, 3, 28), "2032-03-28T22:00:00Z"),
            ("2026-10-31T10:00:00Z", 1, date(2026, 10, 31), date(2027, 10, 31), "2027-10-31T23:00:00Z"),
            ("2027-10-31T00:30:00Z", 10, date(2027, 10, 31), date(2037, 10, 31), "2037-10-31T23:00:00Z"),
            ("2026-03-28T10:00:00Z", 1, date(2026, 3, 28), date(2027, 3, 28), "2027-03-28T22:00:00Z"),
        ];
        for (opened, years, first, last, until) in table {
            assert_eq!(days(at(opened), years), (first, last), "{opened} {years}");
            let account = account(Some(opened), years);
            let window = Window { from: Some(at(opened)), until: Some(at(until)) };
            assert_eq!(account.window(), window, "{opened} {years}");
            assert_eq!(account.moments(), [(Moment::Ends, at(until))], "{opened} {years}");
        }
    }

    #[test]
    fn one_that_is_not_opened_gives_no_access_and_nothing_is_due_about_it() {
        let closed = Window { from: None, until: None };
        let unopened = account(None, YEARS);
        let opened = account(Some("2027-05-10T08:30:00Z"), YEARS);
        let last = date(2028, 1, 15);
        let table = [
            (unopened.clone(), closed),
            (Enrolment { status: Status::Closed, closed_on: Some(last), ..unopened.clone() }, closed),
            (Enrolment { status: Status::Lapsed, ..opened.clone() }, closed),
            (Enrolment { status: Status::Withdrawn, ..opened.clone() }, closed),
            // Given up before its years are over (R088), or moved.
            (
                Enrolment { status: Status::Closed, closed_on: Some(last), ..opened.clone() },
                Window { from: Some(at("2027-05-10T08:30:00Z")), until: Some(at("2028-01-15T23:00:00Z")) },
            ),
            (
                Enrolment { not_after: date(2033, 1, 1), ..opened },
                Window { from: Some(at("2027-05-10T08:30:00Z")), until: Some(at("2033-01-01T23:00:00Z")) },
            ),
        ];
        for (enrolment, window) in table {
            assert_eq!(enrolment.window(), window, "{enrolment:?}");
        }
        assert_eq!((unopened.moments(), unopened.return_by()), (vec![], None));
    }

    #[test]
    fn a_link_opens_until_a_year_has_passed() {
        let table = [
            ("2027-05-10T08:30:00Z", date(2028, 5, 10)),
            ("2026-12-31T23:00:00Z", date(2028, 1, 1)),
            ("2028-02-29T11:00:00Z", date(2029, 2, 28)),
        ];
        for (sent, last) in table {
            assert_eq!(link_last_day(at(sent)), last, "{sent}");
        }
    }
}
