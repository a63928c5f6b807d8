//! Civil time in Paris: midnights, anniversaries, months, public holidays and business hours.
//!
//! Contracts speak of days, months and years; computers of instants. This is the only place where one becomes the other.
//! Every date here is a civil date in Europe/Paris, whatever the machine's own zone, from time zone data compiled in.
//!
//! Sources: code de procédure civile art. 641 (a period counted in months or years ends on the day of the same number, or
//! on the last day of the month when there is none) and 642 (a period ends at 24:00); code du travail L3133-1 (public
//! holidays) and L3134-13 (Alsace-Moselle). Requirements R043, R063, R087, R119, R180, R197; questions Q02, Q13, Q28.

use std::sync::LazyLock;

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};

#[expect(clippy::expect_used, reason = "the zone is in the data compiled into the program; a test reads it")]
static PARIS: LazyLock<TimeZone> = LazyLock::new(|| {
    TimeZoneDatabase::bundled().get("Europe/Paris").expect("Europe/Paris is in the bundled time zone data")
});

/// The time zone of every civil date of the house, from the bundled data: no file of the machine is read.
pub fn paris() -> TimeZone {
    PARIS.clone()
}

/// The civil date in Paris at this instant.
pub fn date_at(at: Timestamp) -> Date {
    PARIS.to_datetime(at).date()
}

/// The instant at which `date` begins in Paris (00:00, 22:00 or 23:00 UTC the day before).
///
/// Dates outside what an instant can hold (before -9999, the last day of 9999) give the nearest instant.
pub fn midnight(date: Date) -> Timestamp {
    instant(date.at(0, 0, 0, 0))
}

/// The first instant after `last_day`: 00:00 in Paris of the next day, when a right that runs "until" that day is cut.
///
/// Requirement R087.
pub fn cut_after(last_day: Date) -> Timestamp {
    midnight(add_days(last_day, 1))
}

/// The same wall-clock time in Paris, so many days earlier: a reminder keeps its hour over a change to summer time.
pub fn days_before(at: Timestamp, days: u16) -> Timestamp {
    instant(PARIS.to_datetime(at).saturating_sub(i32::from(days).days()))
}

/// `date` moved by so many days, staying within the calendar's range.
pub fn add_days(date: Date, days: i32) -> Date {
    // Twenty thousand years are 7.3 million days, all that a span may hold.
    date.saturating_add(days.clamp(-7_304_000, 7_304_000).days())
}

/// `date` moved by so many months; when the month has no such day, its last day (art. 641).
pub fn add_months(date: Date, months: i16) -> Date {
    date.saturating_add(i32::from(months).months())
}

/// `date` moved by so many years; 29 February becomes 28 February in a common year (art. 641, Q02).
pub fn add_years(date: Date, years: i16) -> Date {
    // A span holds at most 19,998 years, the whole range of the calendar; through months one clamp does for both signs.
    date.saturating_add((i32::from(years) * 12).clamp(-239_976, 239_976).months())
}

/// The first anniversary of `date`; for 29 February it is 28 February.
///
/// Requirement R043, question Q02.
pub fn anniversary(date: Date) -> Date {
    add_years(date, 1)
}

/// The last day, inclusive, of a term of so many years that begins on `start`: `start + years − 1 day`.
///
/// Requirement R063.
pub fn last_day_of_term(start: Date, years: i16) -> Date {
    add_days(add_years(start, years), -1)
}

/// Days from one date to another; negative when `to` comes first.
pub fn days_between(from: Date, to: Date) -> i32 {
    (to - from).get_days()
}

/// Which public holidays count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holidays {
    /// The eleven national ones (code du travail L3133-1).
    #[default]
    France,
    /// The same, Good Friday and 26 December, as local law has it in Haut-Rhin, Bas-Rhin and Moselle.
    AlsaceMoselle,
}

impl Holidays {
    /// The public holidays of a year, in order, without repeats (1 May and Ascension can be one day, as in 2008).
    ///
    /// Question Q28.
    pub fn of_year(self, year: i16) -> Vec<Date> {
        let fixed = [(1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25)];
        let mut days: Vec<Date> = fixed.iter().filter_map(|&(month, day)| Date::new(year, month, day).ok()).collect();
        if let Some(easter) = easter(year) {
            days.extend([1, 39, 50].map(|offset| add_days(easter, offset)));
            if self == Self::AlsaceMoselle {
                days.push(add_days(easter, -2));
                days.extend(Date::new(year, 12, 26));
            }
        }
        days.sort_unstable();
        days.dedup();
        days
    }

    /// Whether people are at work that day: Monday to Friday, outside public holidays.
    pub fn is_working_day(self, date: Date) -> bool {
        !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday) && !self.of_year(date.year()).contains(&date)
    }

    /// The first working day after `date`.
    pub fn next_working_day(self, date: Date) -> Date {
        let mut day = add_days(date, 1);
        while !self.is_working_day(day) && day < Date::MAX {
            day = add_days(day, 1);
        }
        day
    }
}

/// Easter Sunday of the Gregorian calendar (anonymous computus, as published in *Nature* in 1876); `None` before year 1.
pub fn easter(year: i16) -> Option<Date> {
    let y = i32::from(year);
    if y < 1 {
        return None;
    }
    let (golden, century, of_century) = (y % 19, y / 100, y % 100);
    let correction = (century - (century + 8) / 25 + 1) / 3;
    let epact = (19 * golden + century - century / 4 - correction + 15) % 30;
    let weekday = (32 + 2 * (century % 4) + 2 * (of_century / 4) - epact - of_century % 4) % 7;
    let late = (golden + 11 * epact + 22 * weekday) / 451;
    let day = epact + weekday - 7 * late + 114;
    Date::new(year, i8::try_from(day / 31).ok()?, i8::try_from(day % 31 + 1).ok()?).ok()
}

const DAY_MINUTES: u16 = 24 * 60;

/// The hours that count when a delay is given in business hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BusinessHours {
    opens_minute: u16,
    closes_minute: u16,
    holidays: Holidays,
}

impl BusinessHours {
    /// Whole working days count, 24 hours each: "24 business hours" is the next working day at the same hour.
    ///
    /// Questions Q13, Q28.
    pub const fn whole_days(holidays: Holidays) -> Self {
        Self { opens_minute: 0, closes_minute: DAY_MINUTES, holidays }
    }

    /// Only the opening hours of working days count, to the minute; at least one hour a day, otherwise `None`.
    ///
    /// Requirement R197 (help desk 9:00–18:00, business day 8:30–18:00, support 7:30–19:30), question Q13.
    pub fn window(opens: Time, closes: Time, holidays: Holidays) -> Option<Self> {
        let (opens_minute, closes_minute) = (minute_of(opens), minute_of(closes));
        (closes_minute >= opens_minute + 60).then_some(Self { opens_minute, closes_minute, holidays })
    }

    /// Whether someone is there at this instant.
    pub fn is_open(self, at: Timestamp) -> bool {
        let here = PARIS.to_datetime(at);
        let minute = minute_of(here.time());
        self.holidays.is_working_day(here.date()) && (self.opens_minute..self.closes_minute).contains(&minute)
    }

    /// The instant at which so many business hours have run since `from`.
    ///
    /// A clock started outside business hours begins to run when they next open: 24 whole-day hours asked on a Saturday
    /// are over on Monday at 24:00. Counted to the second. Working days are never days of a time change in France, so each has 24 hours.
    ///
    /// Requirements R119, R180; questions Q13, Q28.
    pub fn add(self, from: Timestamp, hours: u16) -> Timestamp {
        let here = PARIS.to_datetime(from);
        let mut left = u32::from(hours) * 60;
        let mut day = here.date();
        let mut minute = minute_of(here.time()).max(self.opens_minute);
        // Seconds ride along when the clock starts inside the window; an opening time has none.
        let mut seconds = if self.is_open(from) { i32::from(here.second()) } else { 0 };
        if !self.holidays.is_working_day(day) || minute >= self.closes_minute {
            (day, minute, seconds) = (self.holidays.next_working_day(day), self.opens_minute, 0);
        }
        loop {
            let today = u32::from(self.closes_minute - minute);
            let fits = left < today || (left == today && seconds == 0);
            if fits || day == Date::MAX {
                let end = day.at(0, 0, 0, 0).saturating_add((i64::from(minute) + i64::from(left)).minutes());
                return instant(end.saturating_add(seconds.seconds()));
            }
            left -= today;
            (day, minute) = (self.holidays.next_working_day(day), self.opens_minute);
        }
    }
}

fn minute_of(time: Time) -> u16 {
    u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs())
}

/// A wall-clock time in Paris as an instant: in a gap the later reading, in a fold the earlier one.
fn instant(wall: DateTime) -> Timestamp {
    let fallback = if wall.year() < 0 { Timestamp::MIN } else { Timestamp::MAX };
    PARIS.to_timestamp(wall).unwrap_or(fallback)
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, time};
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn paris_is_read_from_the_data_compiled_in() {
        assert_eq!(paris().iana_name(), Some("Europe/Paris"));
        assert_eq!(date_at(at("2027-01-31T23:00:00Z")), date(2027, 2, 1));
        assert_eq!(date_at(at("2027-06-30T21:59:59Z")), date(2027, 6, 30));
    }

    #[test]
    fn a_day_begins_at_midnight_in_paris_also_around_time_changes() {
        let table = [
            (date(2027, 1, 15), "2027-01-14T23:00:00Z"),
            (date(2027, 7, 15), "2027-07-14T22:00:00Z"),
            // Summer time begins on 28 March 2027 at 02:00 and ends on 31 October at 03:00.
            (date(2027, 3, 28), "2027-03-27T23:00:00Z"),
            (date(2027, 3, 29), "2027-03-28T22:00:00Z"),
            (date(2027, 10, 31), "2027-10-30T22:00:00Z"),
            (date(2027, 11, 1), "2027-10-31T23:00:00Z"),
        ];
        for (day, expected) in table {
            assert_eq!(midnight(day), at(expected), "{day}");
            assert_eq!(cut_after(add_days(day, -1)), at(expected), "{day}");
        }
        let hours = |day| midnight(add_days(day, 1)).duration_since(midnight(day)).as_hours();
        assert_eq!((hours(date(2027, 3, 28)), hours(date(2027, 10, 31)), hours(date(2027, 11, 1))), (23, 25, 24));
    }

    #[test]
    fn the_edges_of_the_calendar_do_not_break_it() {
        assert_eq!(midnight(Date::MAX), Timestamp::MAX);
        assert_eq!(cut_after(Date::MAX), Timestamp::MAX);
        assert_eq!(anniversary(Date::MAX), Date::MAX);
        assert_eq!(add_years(date(2027, 6, 1), i16::MAX), Date::MAX);
        assert_eq!(add_years(date(2027, 6, 1), i16::MIN), Date::MIN);
        assert_eq!(add_days(date(2027, 6, 1), i32::MAX), Date::MAX);
        assert!(midnight(Date::MIN) < at("-009998-01-01T00:00:00Z"));
    }

    #[test]
    fn an_anniversary_of_29_february_is_28_february() {
        let table = [
            (date(2028, 2, 29), date(2029, 2, 28)),
            (date(2027, 2, 28), date(2028, 2, 28)),
            (date(2027, 3, 1), date(2028, 3, 1)),
            (date(2026, 12, 31), date(2027, 12, 31)),
        ];
        for (from, expected) in table {
            assert_eq!(anniversary(from), expected, "{from}");
        }
        assert_eq!(add_years(date(2028, 2, 29), 4), date(2032, 2, 29));
    }

    #[test]
    fn a_month_without_that_day_ends_on_its_last_day() {
        let table = [
            (date(2027, 1, 31), 1, date(2027, 2, 28)),
            (date(2028, 1, 31), 1, date(2028, 2, 29)),
            (date(2027, 3, 31), -1, date(2027, 2, 28)),
            (date(2027, 8, 31), 6, date(2028, 2, 29)),
            (date(2027, 10, 31), 1, date(2027, 11, 30)),
            (date(2027, 1, 28), 1, date(2027, 2, 28)),
            (date(2026, 12, 15), 1, date(2027, 1, 15)),
        ];
        for (from, months, expected) in table {
            assert_eq!(add_months(from, months), expected, "{from} {months:+}");
        }
    }

    #[test]
    fn a_term_of_one_year_ends_the_day_before_the_anniversary() {
        let table = [
            (date(2026, 9, 1), 1, date(2027, 8, 31)),
            (date(2027, 1, 1), 1, date(2027, 12, 31)),
            (date(2027, 3, 1), 1, date(2028, 2, 29)),
            (date(2028, 2, 29), 1, date(2029, 2, 27)),
            (date(2026, 9, 1), 3, date(2029, 8, 31)),
        ];
        for (start, years, expected) in table {
            assert_eq!(last_day_of_term(start, years), expected, "{start}");
        }
    }

    #[test]
    fn a_reminder_keeps_its_hour_over_a_time_change() {
        assert_eq!(days_before(at("2027-03-29T07:00:00Z"), 1), at("2027-03-28T07:00:00Z"));
        assert_eq!(days_before(at("2027-03-29T07:00:00Z"), 2), at("2027-03-27T08:00:00Z"));
        assert_eq!(days_before(midnight(date(2027, 11, 1)), 1), midnight(date(2027, 10, 31)));
    }

    #[test]
    fn easter_falls_where_the_church_put_it() {
        let table = [
            (1818, 3, 22),
            (1943, 4, 25),
            (1954, 4, 18),
            (1981, 4, 19),
            (2000, 4, 23),
            (2008, 3, 23),
            (2024, 3, 31),
            (2025, 4, 20),
            (2026, 4, 5),
            (2027, 3, 28),
            (2028, 4, 16),
            (2038, 4, 25),
            (2049, 4, 18),
            (2076, 4, 19),
        ];
        for (year, month, day) in table {
            assert_eq!(easter(year), Some(date(year, month, day)), "{year}");
        }
        assert_eq!(easter(0), None);
    }

    #[test]
    fn the_public_holidays_of_2027_are_these() {
        let france = [(1, 1), (3, 29), (5, 1), (5, 6), (5, 8), (5, 17), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25)];
        assert_eq!(Holidays::France.of_year(2027), france.map(|(month, day)| date(2027, month, day)));
        let alsace = Holidays::AlsaceMoselle.of_year(2027);
        assert_eq!(alsace.len(), 13);
        assert!(alsace.contains(&date(2027, 3, 26)) && alsace.contains(&date(2027, 12, 26)));
        assert_eq!(Holidays::France.of_year(2008).len(), 10, "Ascension fell on 1 May");
    }

    #[test]
    fn working_days_skip_week_ends_and_holidays() {
        let table = [
            (date(2027, 3, 26), Holidays::France, date(2027, 3, 30)),
            (date(2027, 3, 25), Holidays::AlsaceMoselle, date(2027, 3, 30)),
            (date(2027, 3, 25), Holidays::France, date(2027, 3, 26)),
            (date(2026, 12, 31), Holidays::France, date(2027, 1, 4)),
            (date(2027, 5, 5), Holidays::France, date(2027, 5, 7)),
        ];
        for (from, holidays, expected) in table {
            assert_eq!(holidays.next_working_day(from), expected, "{from} {holidays:?}");
        }
    }

    #[test]
    fn twenty_four_business_hours_are_the_next_working_day_at_the_same_hour() {
        let whole = BusinessHours::whole_days(Holidays::France);
        let table = [
            // Friday 17:00 → Monday 17:00; before Easter → Tuesday.
            ("2027-02-05T16:00:00Z", 24, "2027-02-08T16:00:00Z"),
            ("2027-03-26T16:00:00Z", 24, "2027-03-30T15:00:00Z"),
            // Wednesday before Ascension, to the second.
            ("2027-05-05T08:30:15Z", 24, "2027-05-07T08:30:15Z"),
            // Asked on a Saturday: Monday counts whole.
            ("2027-02-06T09:00:00Z", 24, "2027-02-08T23:00:00Z"),
            // The end of Friday is Friday at 24:00, not Monday at 00:00.
            ("2027-02-04T23:00:00Z", 24, "2027-02-05T23:00:00Z"),
            ("2027-02-05T16:00:00Z", 48, "2027-02-09T16:00:00Z"),
            ("2027-02-05T16:00:00Z", 0, "2027-02-05T16:00:00Z"),
        ];
        for (from, hours, expected) in table {
            assert_eq!(whole.add(at(from), hours), at(expected), "{from} + {hours} h");
        }
    }

    #[test]
    fn on_a_business_window_only_opening_hours_count() {
        let desk = BusinessHours::window(time(9, 0, 0, 0), time(18, 0, 0, 0), Holidays::France).unwrap();
        let table = [
            // Friday 17:00 + 24: one hour, nine, nine, five: Wednesday 14:00.
            ("2027-02-05T16:00:00Z", 24, "2027-02-10T13:00:00Z"),
            ("2027-02-05T16:00:00Z", 1, "2027-02-05T17:00:00Z"),
            ("2027-02-05T16:00:30Z", 1, "2027-02-08T08:00:30Z"),
            // Before opening, after closing, on a Sunday.
            ("2027-02-05T05:00:00Z", 2, "2027-02-05T10:00:00Z"),
            ("2027-02-05T20:00:00Z", 2, "2027-02-08T10:00:00Z"),
            ("2027-02-07T12:00:00Z", 9, "2027-02-08T17:00:00Z"),
        ];
        for (from, hours, expected) in table {
            assert_eq!(desk.add(at(from), hours), at(expected), "{from} + {hours} h");
        }
        assert!(desk.is_open(at("2027-02-05T08:00:00Z")) && !desk.is_open(at("2027-02-05T17:00:00Z")));
        assert!(!desk.is_open(at("2027-03-29T10:00:00Z")), "Easter Monday");
        assert_eq!(BusinessHours::window(time(9, 0, 0, 0), time(9, 30, 0, 0), Holidays::France), None);
        assert_eq!(BusinessHours::window(time(18, 0, 0, 0), time(9, 0, 0, 0), Holidays::France), None);
    }

    proptest! {
        #[test]
        fn business_hours_add_up(start in 1_700_000_000_i64..2_000_000_000, a in 0_u16..200, b in 0_u16..200) {
            let from = Timestamp::from_second(start).unwrap();
            let desk = BusinessHours::window(time(8, 30, 0, 0), time(18, 0, 0, 0), Holidays::France).unwrap();
            for hours in [desk, BusinessHours::whole_days(Holidays::AlsaceMoselle)] {
                let both = hours.add(from, a + b);
                prop_assert!(both >= from);
                // Adding in two steps may only differ by the reading "18:00" or "next opening" of one and the same minute.
                prop_assert_eq!(hours.add(hours.add(from, a), b + 1), hours.add(from, a + b + 1));
            }
        }

        #[test]
        fn easter_is_a_sunday_between_22_march_and_25_april(year in 1_i16..9999) {
            let day = easter(year).unwrap();
            prop_assert_eq!(day.weekday(), Weekday::Sunday);
            prop_assert!((date(year, 3, 22)..=date(year, 4, 25)).contains(&day));
        }
    }
}
