//! Trials: a product for fifteen days from the request, before any order; then everything is kept and nothing is accessible until an order
//! is signed and paid.
//!
//! Requirements R069–R073; question Q32.

use jiff::Timestamp;

use crate::calendar;
use crate::orders::{Order, Orders};
use crate::seats::{Grant, Mode};

/// A free trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trial {
    /// When it was asked for: the clock starts then, not at activation (R071).
    pub requested_at: Timestamp,
    /// Days added because credentials came late by the provider's fault (Q32).
    pub extra_days: u16,
    /// When it was ended for misuse (R071).
    pub ended_at: Option<Timestamp>,
}

/// Why no trial starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TrialRefusal {
    /// The general conditions were not accepted (R072).
    #[error("general conditions not accepted")]
    TermsNotAccepted,
    /// There is an order, signed or not (R069).
    #[error("an order exists")]
    OrderExists,
    /// There was a trial: fifteen days would mean nothing otherwise.
    #[error("a trial was already given")]
    AlreadyTried,
}

/// Where a trial stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrialState {
    /// Usable.
    Running {
        /// The first instant it no longer is.
        until: Timestamp,
    },
    /// Nothing is accessible; data are frozen, not deleted (R073).
    Ended {
        /// Since when.
        since: Timestamp,
    },
    /// An order is signed and paid: its own standing decides from now on.
    Converted,
}

impl Trial {
    /// Starts a trial.
    ///
    /// # Errors
    /// Conditions not accepted by `now`, any order, or an earlier trial: see [`TrialRefusal`].
    ///
    /// Requirements R069, R071, R072.
    pub fn start(
        orders: &[Order],
        earlier: &[Self],
        accepted_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Self, TrialRefusal> {
        if !orders.is_empty() {
            Err(TrialRefusal::OrderExists)
        } else if !earlier.is_empty() {
            Err(TrialRefusal::AlreadyTried)
        } else if accepted_at.is_none_or(|accepted| accepted > now) {
            Err(TrialRefusal::TermsNotAccepted)
        } else {
            Ok(Self { requested_at: now, extra_days: 0, ended_at: None })
        }
    }

    /// When it closes: after the fifteenth day following the request, extra days added, or at once for misuse.
    pub fn closes_at(&self) -> Timestamp {
        let last_day = calendar::add_days(calendar::date_at(self.requested_at), 15 + i32::from(self.extra_days));
        let closes_at = calendar::cut_after(last_day);
        self.ended_at.map_or(closes_at, |ended| ended.min(closes_at))
    }

    /// Where the trial of `product` stands at `now`: only an order of that product both signed and paid unlocks what a trial has closed
    /// (R073).
    pub fn state(&self, product: &str, orders: &[Order], now: Timestamp) -> TrialState {
        let done = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        let closes_at = self.closes_at();
        let bought = |order: &Order| order.product == product && done(order.signed_at) && done(order.paid_at);
        if orders.iter().any(bought) {
            TrialState::Converted
        } else if now < closes_at {
            TrialState::Running { until: closes_at }
        } else {
            TrialState::Ended { since: closes_at }
        }
    }
}

/// All that opens seats of a product: orders, and a trial with so many seats until it closes or an order opens.
///
/// Requirements R023, R062, R066, R071, R073.
pub fn grants(orders: &Orders<'_>, trial: Option<(&Trial, u32)>, product: &str) -> Vec<Grant> {
    let mut grants = orders.grants(product);
    let tried = trial.map(|(trial, seats)| grant_of(trial, seats, &grants));
    grants.extend(tried);
    grants
}

/// What a trial opens beside what the orders of its product do: one that opens while it runs takes its place, and the two do not add up.
pub fn grant_of(trial: &Trial, seats: u32, ordered: &[Grant]) -> Grant {
    let opening = ordered.iter().filter(|grant| grant.until.is_none_or(|until| grant.from < until));
    let opens = opening.map(|grant| grant.from).min();
    let until = opens.map_or(trial.closes_at(), |opens| opens.min(trial.closes_at()));
    Grant { seats, mode: Mode::Named, from: trial.requested_at, until: Some(until) }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::calendar::{add_days, midnight};
    use crate::orders::tests::{START, at, order};
    use crate::orders::{Opening, Standing};

    #[test]
    fn a_trial_starts_once_before_any_order_and_with_the_conditions_accepted() {
        let now = at("2027-02-01T09:00:00Z");
        let trial = Trial { requested_at: now, extra_days: 0, ended_at: None };
        let unsigned = Order { signed_at: None, ..order("a", START) };
        assert_eq!(Trial::start(&[], &[], Some(now), now), Ok(trial));
        assert_eq!(Trial::start(&[], &[], None, now), Err(TrialRefusal::TermsNotAccepted));
        assert_eq!(Trial::start(&[unsigned], &[], Some(now), now), Err(TrialRefusal::OrderExists));
        assert_eq!(Trial::start(&[], &[trial], Some(now), now), Err(TrialRefusal::AlreadyTried));
    }

    #[test]
    fn a_trial_lasts_fifteen_days_from_the_request() {
        let trial = Trial { requested_at: at("2027-02-01T09:00:00Z"), extra_days: 0, ended_at: None };
        let misuse = at("2027-02-05T10:00:00Z");
        let table = [
            (trial, midnight(date(2027, 2, 17))),
            (Trial { extra_days: 3, ..trial }, midnight(date(2027, 2, 20))),
            (Trial { ended_at: Some(misuse), ..trial }, misuse),
            (Trial { ended_at: Some(at("2028-01-01T00:00:00Z")), ..trial }, midnight(date(2027, 2, 17))),
        ];
        for (trial, until) in table {
            assert_eq!(
                trial.state("lms", &[], until - std::time::Duration::from_nanos(1)),
                TrialState::Running { until }
            );
            assert_eq!(trial.state("lms", &[], until), TrialState::Ended { since: until });
        }
    }

    #[test]
    fn an_order_that_never_opens_leaves_the_trial_alone() {
        let (requested_at, opens) = (midnight(add_days(START, -5)), midnight(START));
        let trial = Trial { requested_at, extra_days: 0, ended_at: None };
        let paid = Order { paid_at: Some(requested_at), ..order("a", START) };
        let called_off = Order { terminated_on: Some(add_days(START, -3)), ..paid.clone() };
        for (order, expected) in [(paid, opens), (called_off, trial.closes_at())] {
            let found = grants(&Orders(&[order]), Some((&trial, 3)), "lms");
            let of_trial = found.iter().find(|grant| grant.seats == 3).unwrap();
            assert_eq!(of_trial.until, Some(expected), "{found:?}");
        }
    }

    #[test]
    fn only_an_order_signed_and_paid_unlocks_after_a_trial() {
        let trial = Trial { requested_at: at("2027-02-01T09:00:00Z"), extra_days: 0, ended_at: None };
        let now = at("2027-03-01T09:00:00Z");
        let ended = TrialState::Ended { since: midnight(date(2027, 2, 17)) };
        let signed = Order { opening: Opening::OnPayment, ..order("a", START) };
        let table = [
            (signed.clone(), ended),
            (Order { signed_at: None, paid_at: Some(now), ..signed.clone() }, ended),
            // Another product was bought.
            (Order { paid_at: Some(now), product: "exams".to_owned(), ..signed.clone() }, ended),
            (Order { paid_at: Some(now + std::time::Duration::from_secs(1)), ..signed.clone() }, ended),
            (Order { paid_at: Some(now), ..signed }, TrialState::Converted),
        ];
        for (order, expected) in table {
            let open = order.product == "lms" && Orders(&[]).standing(&order, now) == Standing::Open;
            assert_eq!((trial.state("lms", &[order], now), open), (expected, expected == TrialState::Converted));
        }
    }
}
