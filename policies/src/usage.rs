//! How long each seat was whose: the itemised account behind a bill (R059, R068).
//!
//! What happened to the seats of a product is told in order, holder by holder; what comes out are times, each with what it began with
//! and what it ended with. Days are those of Paris, and a day on which a seat was somebody's for a moment counts.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::calendar;

/// What happened to a holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A seat is held for them, or theirs: by an invitation, an import, an order, a request, another holder.
    Begins,
    /// It is no more.
    Ends,
}

impl Event {
    /// The event of a word of the history; none for one that changes nothing.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "held" | "assigned" | "taken_over" => Some(Self::Begins),
            "released" | "given_over" => Some(Self::Ends),
            _ => None,
        }
    }
}

/// A time in which a seat was somebody's. `T` is what is known of its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held<T> {
    /// What it began with.
    pub begin: T,
    /// From when.
    pub from: Timestamp,
    /// Until when; none when it is theirs still.
    pub until: Option<Timestamp>,
}

/// Follows one holder through what happened, in the order of time.
#[derive(Debug)]
pub struct Following<T> {
    open: Option<(T, Timestamp)>,
}

impl<T> Default for Following<T> {
    fn default() -> Self {
        Self { open: None }
    }
}

impl<T> Following<T> {
    /// Takes the next event; gives the time that ended with it. A seat that is held becomes the holder's: that is one time.
    pub fn next(&mut self, (event, at): (Event, Timestamp), begin: T) -> Option<Held<T>> {
        match (event, self.open.take()) {
            (Event::Begins, Some(open)) => {
                self.open = Some(open);
                None
            }
            (Event::Begins, None) => {
                self.open = Some((begin, at));
                None
            }
            (Event::Ends, open) => open.map(|(begin, from)| Held { begin, from, until: Some(at) }),
        }
    }

    /// Takes all that happened at one instant, in whatever order it was told: who has a seat gives it back before they have one again, and who
    /// has none has one before they give it back.
    pub fn at_once(&mut self, at: Timestamp, events: Vec<(Event, T)>) -> Vec<Held<T>> {
        let (mut ends, mut begins): (Vec<_>, Vec<_>) = events.into_iter().partition(|(event, _)| *event == Event::Ends);
        let mut times = Vec::new();
        while let Some((event, begin)) = if self.open.is_some() { ends.pop() } else { begins.pop() } {
            times.extend(self.next((event, at), begin));
        }
        times
    }

    /// The time that goes on.
    pub fn finish(&mut self) -> Option<Held<T>> {
        self.open.take().map(|(begin, from)| Held { begin, from, until: None })
    }
}

/// The days that are asked about, Paris, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first.
    pub from: Date,
    /// The last.
    pub to: Date,
}

impl Window {
    /// Days of a window, at the most.
    pub const MOST_DAYS: i32 = 366;

    /// Whether it is one, and no longer than a year.
    pub fn is_good(self) -> bool {
        (0..Self::MOST_DAYS).contains(&calendar::days_between(self.from, self.to))
    }

    /// The first instant behind it.
    pub fn cut(self) -> Timestamp {
        calendar::cut_after(self.to)
    }

    /// Whether something from `from` until `until` was there in it.
    pub fn meets(self, from: Timestamp, until: Option<Timestamp>) -> bool {
        from < self.cut() && until.is_none_or(|until| until > calendar::midnight(self.from))
    }
}

impl<T> Held<T> {
    /// The first and the last day of it in a window, and how many they are; none when it was at another time, and for no time at all.
    /// `counted` is the last day that was counted for the same holder: no day counts twice.
    pub fn days_in(&self, window: Window, counted: Option<Date>) -> Option<(Date, Date, i32)> {
        if !window.meets(self.from, self.until) || self.until.is_some_and(|until| until <= self.from) {
            return None;
        }
        let first = calendar::date_at(self.from).max(window.from);
        let first = counted.map_or(first, |counted| first.max(calendar::add_days(counted, 1)));
        // An end at midnight is the end of the day before.
        let last = self.until.map_or(window.to, |until| {
            let day = calendar::date_at(until);
            if calendar::midnight(day) == until { calendar::add_days(day, -1) } else { day }
        });
        let last = last.min(window.to);
        (first <= last).then(|| (first, last, calendar::days_between(first, last) + 1))
    }

    /// Whether something that was there from `from` until `until` was there in it.
    pub fn meets(&self, from: Timestamp, until: Option<Timestamp>) -> bool {
        self.until.is_none_or(|end| from < end) && until.is_none_or(|until| until > self.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Words of the history with their instants, and the times that come out: what each began with, from, until.
    #[test]
    fn times_are_followed_from_beginning_to_end() {
        type Told<'a> = &'a [(&'a str, i8)];
        type Times<'a> = &'a [(&'a str, i8, Option<i8>)];
        let noon = |day: i8| at(&format!("2027-03-{day:02}T11:00:00Z"));
        let cases: [(Told<'_>, Times<'_>); 11] = [
            (&[], &[]),
            (&[("assigned", 1)], &[("assigned", 1, None)]),
            (&[("held", 1), ("assigned", 3), ("released", 9)], &[("held", 1, Some(9))]),
            (&[("held", 1), ("released", 4)], &[("held", 1, Some(4))]),
            (
                &[("assigned", 1), ("given_over", 2), ("taken_over", 5)],
                &[("assigned", 1, Some(2)), ("taken_over", 5, None)],
            ),
            // What ends without having begun, and what nobody knows, is nothing.
            (&[("released", 1), ("polished", 2)], &[]),
            // In one instant: an end, then a beginning, or a beginning, then an end, in whatever order they are told.
            (&[("assigned", 1), ("released", 2), ("assigned", 2)], &[("assigned", 1, Some(2)), ("assigned", 2, None)]),
            (&[("assigned", 1), ("assigned", 2), ("released", 2)], &[("assigned", 1, Some(2)), ("assigned", 2, None)]),
            (&[("assigned", 1), ("released", 1)], &[("assigned", 1, Some(1))]),
            (&[("released", 1), ("held", 1), ("released", 4)], &[("held", 1, Some(1))]),
            (&[("held", 1), ("assigned", 1), ("released", 4)], &[("assigned", 1, Some(4))]),
        ];
        for (told, expected) in cases {
            let mut following = Following::default();
            let mut times = Vec::new();
            for together in told.chunk_by(|(_, day), (_, next)| day == next) {
                let events = together.iter().filter_map(|(word, _)| Some((Event::parse(word)?, *word)));
                times.extend(following.at_once(noon(together[0].1), events.collect()));
            }
            times.extend(following.finish());
            let expected: Vec<_> = expected
                .iter()
                .map(|(begin, from, until)| Held { begin: *begin, from: noon(*from), until: until.map(noon) })
                .collect();
            assert_eq!(times, expected, "{told:?}");
        }
    }

    #[test]
    fn a_day_on_which_a_seat_was_somebodys_counts() {
        let march = Window { from: day("2027-03-01"), to: day("2027-03-31") };
        for (from, until, expected) in [
            ("2027-03-10T11:00:00Z", Some("2027-03-12T08:00:00Z"), Some(("2027-03-10", "2027-03-12", 3))),
            // Within one day; across the beginning; across the end; still theirs.
            ("2027-03-10T11:00:00Z", Some("2027-03-10T11:00:01Z"), Some(("2027-03-10", "2027-03-10", 1))),
            ("2026-11-02T11:00:00Z", Some("2027-03-02T11:00:00Z"), Some(("2027-03-01", "2027-03-02", 2))),
            ("2027-03-31T11:00:00Z", Some("2027-05-02T11:00:00Z"), Some(("2027-03-31", "2027-03-31", 1))),
            ("2026-11-02T11:00:00Z", None, Some(("2027-03-01", "2027-03-31", 31))),
            // Midnight in Paris, in winter and behind the change to summer time.
            ("2027-02-28T23:00:00Z", Some("2027-03-01T23:00:00Z"), Some(("2027-03-01", "2027-03-01", 1))),
            ("2027-03-30T22:00:00Z", Some("2027-03-31T22:00:00Z"), Some(("2027-03-31", "2027-03-31", 1))),
            // Before it and behind it, to the instant, and no time at all.
            ("2027-02-01T11:00:00Z", Some("2027-02-28T23:00:00Z"), None),
            ("2027-03-31T22:00:00Z", None, None),
            ("2027-03-10T11:00:00Z", Some("2027-03-10T11:00:00Z"), None),
        ] {
            let held = Held { begin: (), from: at(from), until: until.map(at) };
            let expected = expected.map(|(first, last, days)| (day(first), day(last), days));
            assert_eq!(held.days_in(march, None), expected, "{from} {until:?}");
        }
    }

    #[test]
    fn no_day_counts_twice_for_one_holder() {
        let march = Window { from: day("2027-03-01"), to: day("2027-03-31") };
        let held = |from: &str, until: &str| Held { begin: (), from: at(from), until: Some(at(until)) };
        let again = held("2027-03-10T15:00:00Z", "2027-03-12T15:00:00Z");
        let counted = Some(day("2027-03-10"));
        assert_eq!(again.days_in(march, counted), Some((day("2027-03-11"), day("2027-03-12"), 2)));
        assert_eq!(held("2027-03-10T15:00:00Z", "2027-03-10T16:00:00Z").days_in(march, counted), None);
        assert_eq!(held("2027-03-20T15:00:00Z", "2027-03-20T16:00:00Z").days_in(march, counted).unwrap().2, 1);
    }

    #[test]
    fn a_window_is_a_year_at_most() {
        for (from, to, good) in [
            ("2027-03-01", "2027-03-01", true),
            ("2028-01-01", "2028-12-31", true),
            ("2027-01-01", "2028-01-01", true),
            ("2027-01-01", "2028-01-02", false),
            ("2027-03-02", "2027-03-01", false),
        ] {
            assert_eq!(Window { from: day(from), to: day(to) }.is_good(), good, "{from} {to}");
        }
    }
}
