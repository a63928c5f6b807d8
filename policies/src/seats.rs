//! Seats: how many people an organization may let in, and who counts.
//!
//! A seat belongs to a named person (R068). Whoever is invited, active or suspended holds one, administrators too; deleting the
//! person or letting the invitation lapse frees it. The limit is the sum of the orders open at that instant: nobody edits it, a
//! new order raises it (R061). An organization may have bought connections instead of names; then those connected count.
//!
//! Deciding is pure; the caller holds the lock on the organization's row while it counts, decides and inserts.
//!
//! Requirements R060, R061, R062, R068; question Q09.

use jiff::Timestamp;

/// What one order opens, as computed by [`crate::orders::Orders::grants`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// How many seats.
    pub seats: u32,
    /// How they are counted.
    pub mode: Mode,
    /// The first instant they may be used.
    pub from: Timestamp,
    /// The first instant they no longer may; `None` while the order renews itself.
    pub until: Option<Timestamp>,
}

impl Grant {
    /// Whether these seats may be used at `now`.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.from <= now && self.until.is_none_or(|until| now < until)
    }
}

/// How the seats of a product are counted in an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// By name, the default (Q09).
    Named,
    /// By connection.
    Concurrent,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 2] = [Self::Named, Self::Concurrent];

    /// The word it is stored and told by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::Concurrent => "concurrent",
        }
    }

    /// The mode of a word; a word that is unknown counts by name, the stricter.
    pub fn parse(word: &str) -> Self {
        if word == "concurrent" { Self::Concurrent } else { Self::Named }
    }
}

/// Who holds the seats of one product in one organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Named seats, the default (Q09).
    Named {
        /// People who may sign in, administrators included.
        active: u32,
        /// Suspended people: they keep their seat.
        suspended: u32,
        /// Invitations sent and still open.
        pending: u32,
    },
    /// As many people as wanted, so many connected at once.
    Concurrent {
        /// People connected now.
        connected: u32,
    },
}

/// Where a person stands as regards seats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// Invited, the invitation still open.
    Pending,
    /// May sign in.
    Active,
    /// Suspended: may come back without asking for a seat.
    Suspended,
    /// Deleted.
    Deleted,
    /// Invited, and the invitation lapsed or was withdrawn.
    Lapsed,
}

impl Taken {
    /// Counts named seats, for callers that hold a list rather than three figures.
    pub fn named(holders: impl IntoIterator<Item = Holder>) -> Self {
        let (mut active, mut suspended, mut pending) = (0, 0, 0);
        for holder in holders {
            match holder {
                Holder::Active => active += 1,
                Holder::Suspended => suspended += 1,
                Holder::Pending => pending += 1,
                Holder::Deleted | Holder::Lapsed => {}
            }
        }
        Self::Named { active, suspended, pending }
    }

    fn total(self) -> u64 {
        match self {
            Self::Named { active, suspended, pending } => u64::from(active) + u64::from(suspended) + u64::from(pending),
            Self::Concurrent { connected } => u64::from(connected),
        }
    }
}

/// The seats of one product in one organization: what orders open and who sits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seats {
    /// One grant per order, open or not.
    pub grants: Vec<Grant>,
    /// Who holds them.
    pub taken: Taken,
}

/// No seat is left. The figures are to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{wanted} wanted, {taken} of {limit} seats taken")]
pub struct SeatsExhausted {
    /// Seats of all orders open now.
    pub limit: u64,
    /// Seats taken, invitations included.
    pub taken: u64,
    /// Seats asked for.
    pub wanted: u32,
}

/// The seats of all orders open at `now`: orders of one product add up (R062).
pub fn limit(grants: &[Grant], now: Timestamp) -> u64 {
    grants.iter().filter(|grant| grant.is_open(now)).map(|grant| u64::from(grant.seats)).sum()
}

/// How the seats of a product are counted at `now`: as the order says that opened last, of those that are open, or of those that were
/// where none is. An order that is not signed, or not open yet, says nothing.
///
/// Requirements R023, R061; question Q09.
pub fn mode(grants: &[Grant], now: Timestamp) -> Mode {
    let begun = grants.iter().filter(|grant| grant.from <= now);
    begun.max_by_key(|grant| (grant.is_open(now), grant.from)).map_or(Mode::Named, |grant| grant.mode)
}

impl Seats {
    /// See [`limit`].
    pub fn limit(&self, now: Timestamp) -> u64 {
        limit(&self.grants, now)
    }

    /// How full the organization is, for the 80 % and 100 % notices.
    pub fn level(&self, now: Timestamp) -> Level {
        let (limit, taken) = (self.limit(now), self.taken.total());
        if limit == 0 {
            Level::Closed
        } else if taken > limit {
            Level::Over
        } else if taken * 5 < limit * 4 {
            Level::Free
        } else if taken < limit {
            Level::NearlyFull
        } else {
            Level::Full
        }
    }
}

/// Says whether `wanted` more people may be invited.
///
/// Pending invitations count as taken: a seat promised is a seat used. Orders ending today count until midnight in Paris. For
/// concurrent seats, asked at sign-in, `wanted` are connections.
///
/// # Errors
/// [`SeatsExhausted`] with the figures to show, when active + suspended + pending + `wanted` exceeds the limit.
///
/// Requirements R060, R061, question Q09.
pub fn admit(seats: &Seats, wanted: u32, now: Timestamp) -> Result<(), SeatsExhausted> {
    let (limit, taken) = (seats.limit(now), seats.taken.total());
    if taken + u64::from(wanted) > limit { Err(SeatsExhausted { limit, taken, wanted }) } else { Ok(()) }
}

/// How full an organization is. Ordered: a higher level is worth a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// No order opens a seat, or none any more: a matter of the orders, which have letters of their own.
    Closed,
    /// Less than 80 %.
    Free,
    /// 80 % or more.
    NearlyFull,
    /// Every seat is taken.
    Full,
    /// More seats are taken than orders allow, because one ended: nobody new comes in, nobody is thrown out.
    Over,
}

impl Level {
    /// The word it is stored and told by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Free => "free",
            Self::NearlyFull => "nearly_full",
            Self::Full => "full",
            Self::Over => "over",
        }
    }

    /// The level of a word; one that is unknown is the lowest, so that it is told again.
    pub fn parse(word: &str) -> Self {
        match word {
            "nearly_full" => Self::NearlyFull,
            "full" => Self::Full,
            "over" => Self::Over,
            _ => Self::Free,
        }
    }

    /// The notice to send when the level was last `noticed` and is now `self`: only on the way up, once.
    ///
    /// The caller stores the new level, so that falling and rising again is told again; but for [`Level::Closed`], so that an order which
    /// is interrupted and opens again tells nothing twice.
    #[must_use]
    pub fn notice_since(self, noticed: Self) -> Option<Self> {
        (self > noticed).then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;
    use crate::calendar::{cut_after, midnight};

    fn now() -> Timestamp {
        midnight(date(2027, 3, 1))
    }

    fn named(limit: u32, active: u32, suspended: u32, pending: u32) -> Seats {
        let grant = Grant { seats: limit, mode: Mode::Named, from: now(), until: None };
        Seats { grants: vec![grant], taken: Taken::Named { active, suspended, pending } }
    }

    #[test]
    fn nobody_comes_in_beyond_the_limit() {
        let table = [
            (named(10, 0, 0, 0), 10, true),
            (named(10, 0, 0, 0), 11, false),
            (named(10, 9, 0, 0), 1, true),
            (named(10, 10, 0, 0), 1, false),
            (named(10, 5, 0, 5), 1, false),
            (named(10, 5, 4, 0), 1, true),
            (named(10, 5, 5, 0), 1, false),
            (named(0, 0, 0, 0), 1, false),
            (named(u32::MAX, u32::MAX, 0, 0), u32::MAX, false),
        ];
        for (seats, wanted, admitted) in table {
            assert_eq!(admit(&seats, wanted, now()).is_ok(), admitted, "{seats:?} + {wanted}");
        }
        let figures = SeatsExhausted { limit: 10, taken: 10, wanted: 2 };
        assert_eq!(admit(&named(10, 6, 1, 3), 2, now()), Err(figures));
    }

    #[test]
    fn orders_add_up_and_one_ending_today_counts_until_midnight_in_paris() {
        let end = cut_after(date(2027, 3, 31));
        let grants = vec![
            Grant { seats: 10, mode: Mode::Named, from: now(), until: Some(end) },
            Grant { seats: 5, mode: Mode::Named, from: now(), until: None },
            Grant { seats: 100, mode: Mode::Named, from: midnight(date(2027, 5, 1)), until: None },
        ];
        let seats = Seats { grants, taken: Taken::Named { active: 12, suspended: 0, pending: 0 } };
        let last = end - std::time::Duration::from_nanos(1);
        assert_eq!(end.to_string(), "2027-03-31T22:00:00Z");
        assert_eq!((seats.limit(last), admit(&seats, 3, last)), (15, Ok(())));
        assert_eq!((seats.limit(end), seats.level(end)), (5, Level::Over));
        assert_eq!(admit(&seats, 1, end), Err(SeatsExhausted { limit: 5, taken: 12, wanted: 1 }));
        assert_eq!(seats.limit(now() - std::time::Duration::from_secs(1)), 0);
    }

    #[test]
    fn the_suspended_keep_their_seat_and_the_deleted_free_it() {
        use Holder::{Active, Deleted, Lapsed, Pending, Suspended};
        let taken = Taken::named([Active, Active, Suspended, Pending, Deleted, Lapsed]);
        assert_eq!(taken, Taken::Named { active: 2, suspended: 1, pending: 1 });
    }

    #[test]
    fn concurrent_seats_count_those_connected() {
        let grants = vec![Grant { seats: 2, mode: Mode::Concurrent, from: now(), until: None }];
        let seats = |connected| Seats { grants: grants.clone(), taken: Taken::Concurrent { connected } };
        assert_eq!(admit(&seats(1), 1, now()), Ok(()));
        assert!(admit(&seats(2), 1, now()).is_err());
    }

    #[test]
    fn notices_go_out_at_eighty_and_a_hundred_per_cent_once_each() {
        let table = [
            (10, 7, Level::Free),
            (10, 8, Level::NearlyFull),
            (10, 9, Level::NearlyFull),
            (10, 10, Level::Full),
            (10, 11, Level::Over),
            (1, 0, Level::Free),
            (1, 1, Level::Full),
            (3, 2, Level::Free),
            // What opens nothing is not too full.
            (0, 0, Level::Closed),
            (0, 3, Level::Closed),
        ];
        for (limit, active, expected) in table {
            assert_eq!(named(limit, active, 0, 0).level(now()), expected, "{active} of {limit}");
        }
        let mut noticed = Level::Free;
        let mut sent = Vec::new();
        for active in [7, 8, 9, 8, 10, 10, 9, 5, 8] {
            let level = named(10, active, 0, 0).level(now());
            sent.extend(level.notice_since(noticed));
            noticed = level;
        }
        assert_eq!(sent, [Level::NearlyFull, Level::Full, Level::NearlyFull]);
    }

    #[test]
    fn what_is_closed_is_written_about_by_nobody() {
        for noticed in [Level::Free, Level::NearlyFull, Level::Full, Level::Over] {
            assert_eq!(Level::Closed.notice_since(noticed), None);
        }
        assert_eq!(Level::parse(Level::Closed.name()), Level::Free);
    }

    #[test]
    fn seats_are_counted_as_the_open_order_says_that_opened_last() {
        use Mode::{Concurrent, Named};
        let (before, later) = (midnight(date(2027, 1, 1)), midnight(date(2027, 5, 1)));
        let grant = |mode, from, until| Grant { seats: 5, mode, from, until };
        let table = [
            (vec![], Named),
            (vec![grant(Concurrent, before, None)], Concurrent),
            // One that opens later says nothing yet.
            (vec![grant(Concurrent, later, None)], Named),
            (vec![grant(Named, before, Some(later)), grant(Concurrent, later, None)], Named),
            (vec![grant(Concurrent, before, Some(later)), grant(Named, later, None)], Concurrent),
            // The switch, at its very instant.
            (vec![grant(Named, before, Some(now())), grant(Concurrent, now(), None)], Concurrent),
            (vec![grant(Concurrent, before, Some(now())), grant(Named, now(), None)], Named),
            // None is open any more: as it was.
            (vec![grant(Concurrent, before, Some(now()))], Concurrent),
            (vec![grant(Named, before, None), grant(Concurrent, now(), Some(now()))], Named),
        ];
        for (grants, expected) in table {
            assert_eq!(mode(&grants, now()), expected, "{grants:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_asked_seats_taken_never_pass_the_limit(limit in 0_u32..50, asked in proptest::collection::vec(0_u32..9, 0..40)) {
            let mut active = 0;
            for wanted in asked {
                let fits = active + wanted <= limit;
                let verdict = admit(&named(limit, active, 0, 0), wanted, now());
                prop_assert_eq!(verdict.is_ok(), fits);
                active += if fits { wanted } else { 0 };
            }
            prop_assert!(active <= limit);
        }
    }
}
