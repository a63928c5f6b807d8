//! Whether somebody may use a portal now, and until when: the seat they hold in its product, and the window of their enrolment.
//!
//! A portal that belongs to a product is open to who holds a seat of it that an order or a trial opens now; one that works by
//! enrolment is open to who is enrolled, inside the window. Nothing that is issued outlives the instant given here.
//!
//! Requirements R023, R060, R068, R073, R080, R081, R087, R089.

use jiff::Timestamp;

use crate::seats::Grant;

/// What a portal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rule {
    /// A seat of its product.
    pub seat: bool,
    /// An enrolment.
    pub enrolment: bool,
}

impl Rule {
    /// Whether it asks for anything.
    pub fn is_metered(self) -> bool {
        self.seat || self.enrolment
    }
}

/// The seat of somebody in one organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat<'a> {
    /// What the orders and trials of the organization open.
    pub grants: &'a [Grant],
    /// Connections left to somebody who is not connected; none when seats are by name.
    pub connections_left: Option<u64>,
}

/// From when until when an enrolment gives access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first instant; none while something is missing, such as a signature.
    pub from: Option<Timestamp>,
    /// The first instant after; none when it does not end by itself (R081).
    pub until: Option<Timestamp>,
}

/// What is known of somebody in one organization, at one portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts<'a> {
    /// Their seat in the portal's product.
    pub seat: Option<Seat<'a>>,
    /// Their enrolments at the portal.
    pub windows: &'a [Window],
}

/// Why somebody may not, from the most hopeless to the most hopeful.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Closed {
    /// They hold no seat of the product.
    NoSeat,
    /// They are not enrolled, or their enrolment lacks something.
    NotEnrolled,
    /// The last window is over.
    EnrolmentOver {
        /// Since when.
        since: Timestamp,
    },
    /// No order opens anything, or what did has ended.
    NotOpen {
        /// Since when; none when nothing ever opened.
        since: Option<Timestamp>,
    },
    /// An order opens seats later.
    OpensLater {
        /// When.
        at: Timestamp,
    },
    /// The window opens later.
    NotBegun {
        /// When.
        at: Timestamp,
    },
    /// All connections are in use.
    AllConnected,
}

/// Says whether somebody may use a portal at `now`, and the first instant they no longer may; none when no end is known.
///
/// # Errors
/// [`Closed`], the reason to show.
pub fn decide(rule: Rule, facts: &Facts<'_>, now: Timestamp) -> Result<Option<Timestamp>, Closed> {
    let by_seat = if rule.seat { seat(facts.seat, now)? } else { None };
    let by_window = if rule.enrolment { window(facts.windows, now)? } else { None };
    Ok(by_seat.into_iter().chain(by_window).min())
}

fn seat(seat: Option<Seat<'_>>, now: Timestamp) -> Result<Option<Timestamp>, Closed> {
    let seat = seat.ok_or(Closed::NoSeat)?;
    let open = covered(seat.grants.iter().filter(|grant| grant.seats > 0).map(|grant| (grant.from, grant.until)), now);
    let until = open.map_err(|around| match around {
        (_, Some(at)) => Closed::OpensLater { at },
        (since, None) => Closed::NotOpen { since },
    })?;
    if seat.connections_left == Some(0) { Err(Closed::AllConnected) } else { Ok(until) }
}

fn window(windows: &[Window], now: Timestamp) -> Result<Option<Timestamp>, Closed> {
    let complete = windows.iter().filter_map(|window| Some((window.from?, window.until)));
    covered(complete, now).map_err(|around| match around {
        (_, Some(at)) => Closed::NotBegun { at },
        (Some(since), None) => Closed::EnrolmentOver { since },
        (None, None) => Closed::NotEnrolled,
    })
}

type Around = (Option<Timestamp>, Option<Timestamp>);

/// Until when the spans cover time from `now` on without a gap; else the last end before, and the next beginning.
fn covered(
    spans: impl Iterator<Item = (Timestamp, Option<Timestamp>)>,
    now: Timestamp,
) -> Result<Option<Timestamp>, Around> {
    let mut spans: Vec<_> = spans.filter(|(from, until)| until.is_none_or(|until| *from < until)).collect();
    spans.sort_unstable_by_key(|(from, _)| *from);
    let mut reached: Option<Timestamp> = None;
    for (from, until) in &spans {
        if *from > reached.unwrap_or(now) {
            break;
        }
        match until {
            None => return Ok(None),
            Some(until) if *until > now => reached = reached.max(Some(*until)),
            Some(_) => {}
        }
    }
    if reached.is_some() {
        return Ok(reached);
    }
    let before = spans.iter().filter_map(|(_, until)| *until).filter(|until| *until <= now).max();
    let next = spans.iter().map(|(from, _)| *from).find(|from| *from > now);
    Err((before, next))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;
    use crate::calendar::midnight;
    use crate::seats::Mode;

    fn day(day: i8) -> Timestamp {
        midnight(date(2027, 3, day))
    }

    fn grant(seats: u32, from: i8, until: Option<i8>) -> Grant {
        Grant { seats, mode: Mode::Named, from: day(from), until: until.map(day) }
    }

    /// What somebody holds, and what follows.
    type Case<'a, T> = (&'a [T], Result<Option<Timestamp>, Closed>);

    const SEAT: Rule = Rule { seat: true, enrolment: false };
    const ENROLMENT: Rule = Rule { seat: false, enrolment: true };
    const BOTH: Rule = Rule { seat: true, enrolment: true };

    #[test]
    fn a_seat_opens_a_portal_while_an_order_opens_the_seat() {
        let table: [Case<'_, Grant>; 9] = [
            (&[], Err(Closed::NotOpen { since: None })),
            (&[grant(10, 1, None)], Ok(None)),
            (&[grant(10, 1, Some(20))], Ok(Some(day(20)))),
            // One after the other, without a gap and with one.
            (&[grant(10, 1, Some(12)), grant(20, 12, Some(25))], Ok(Some(day(25)))),
            (&[grant(20, 13, Some(25)), grant(10, 1, Some(12))], Ok(Some(day(12)))),
            (&[grant(10, 1, Some(12)), grant(5, 5, None)], Ok(None)),
            (&[grant(10, 1, Some(10))], Err(Closed::NotOpen { since: Some(day(10)) })),
            (&[grant(10, 1, Some(9)), grant(10, 11, None)], Err(Closed::OpensLater { at: day(11) })),
            (&[grant(0, 1, None)], Err(Closed::NotOpen { since: None })),
        ];
        for (grants, expected) in table {
            let seat = Some(Seat { grants, connections_left: None });
            assert_eq!(decide(SEAT, &Facts { seat, windows: &[] }, day(10)), expected, "{grants:?}");
        }
        assert_eq!(decide(SEAT, &Facts { seat: None, windows: &[] }, day(10)), Err(Closed::NoSeat));
        let full = Some(Seat { grants: &[grant(3, 1, None)], connections_left: Some(0) });
        assert_eq!(decide(SEAT, &Facts { seat: full, windows: &[] }, day(10)), Err(Closed::AllConnected));
    }

    #[test]
    fn an_enrolment_opens_a_portal_inside_its_window() {
        let window = |from: Option<i8>, until: Option<i8>| Window { from: from.map(day), until: until.map(day) };
        let table: [Case<'_, Window>; 7] = [
            (&[], Err(Closed::NotEnrolled)),
            (&[window(None, Some(20))], Err(Closed::NotEnrolled)),
            (&[window(Some(10), Some(11))], Ok(Some(day(11)))),
            (&[window(Some(10), None)], Ok(None)),
            (&[window(Some(11), Some(12))], Err(Closed::NotBegun { at: day(11) })),
            (&[window(Some(1), Some(10))], Err(Closed::EnrolmentOver { since: day(10) })),
            (&[window(Some(1), Some(5)), window(Some(20), Some(21))], Err(Closed::NotBegun { at: day(20) })),
        ];
        for (windows, expected) in table {
            assert_eq!(decide(ENROLMENT, &Facts { seat: None, windows }, day(10)), expected, "{windows:?}");
        }
        let seat = Some(Seat { grants: &[grant(1, 1, Some(15))], connections_left: None });
        let windows = &[window(Some(1), Some(20))][..];
        assert_eq!(decide(BOTH, &Facts { seat, windows }, day(10)), Ok(Some(day(15))), "the nearer end counts");
        assert_eq!(decide(Rule::default(), &Facts { seat: None, windows: &[] }, day(10)), Ok(None));
    }

    proptest! {
        #[test]
        fn what_is_open_is_open_until_the_instant_given_and_not_at_it(
            spans in prop::collection::vec((0i64..500, prop::option::of(0i64..500)), 0..8), now in 0i64..500,
        ) {
            let at = |second: i64| Timestamp::from_second(second).unwrap();
            let spans: Vec<_> = spans.into_iter().map(|(from, until)| (at(from), until.map(at))).collect();
            let inside = |when: Timestamp| spans.iter().any(|(from, until)| *from <= when && until.is_none_or(|until| when < until));
            match covered(spans.iter().copied(), at(now)) {
                Ok(Some(until)) => {
                    prop_assert!((now..until.as_second()).all(|second| inside(at(second))));
                    prop_assert!(!inside(until));
                }
                Ok(None) => prop_assert!((now..600).all(|second| inside(at(second)))),
                Err(_) => prop_assert!(!inside(at(now))),
            }
        }
    }
}
