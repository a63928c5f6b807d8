//! Orders and subscriptions: from when until when they open seats. Trials are in [`crate::trials`].
//!
//! An order opens seats once its reception is acknowledged and it is signed (R023): at the later of its effect date and the
//! moment the credentials were sent (R024, Q08). Its term counts from the effect date all the same. It renews itself year after
//! year unless it says otherwise or notice was given in time, and ends at 00:00 in Paris on the day after its last day (R087).
//! An unpaid invoice interrupts it, a newer order may take its place without a gap.
//!
//! Delays in days follow code de procédure civile art. 641–642: the day of the event does not count, the last day counts whole.
//!
//! Requirements R020–R024, R060–R074, R078, R087, R156, R202; questions Q07, Q08, Q11, Q32.

mod due;

use jiff::Timestamp;
use jiff::civil::Date;

pub use self::due::{Moment, Notice, Removal, interruption, notice, notice_deadline, purge_on};
use crate::calendar;
use crate::seats::{Grant, Mode};

/// What the server knows of one order form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its id.
    pub id: String,
    /// The product it is for; limits add up per product (R062).
    pub product: String,
    /// How many seats (R060).
    pub seats: u32,
    /// How they are counted (Q09).
    pub mode: Mode,
    /// A subscription of its own, or an option on one.
    pub kind: Kind,
    /// When its reception was acknowledged (R023).
    pub acknowledged_at: Option<Timestamp>,
    /// When it was signed.
    pub signed_at: Option<Timestamp>,
    /// When it was first paid: a later invoice that stays unpaid undoes nothing of what that opened (R074).
    pub paid_at: Option<Timestamp>,
    /// Whether it must be paid before it opens.
    pub opening: Opening,
    /// When the first administrator's credentials were sent (R024).
    pub credentials_sent_at: Option<Timestamp>,
    /// First day of the first term.
    pub effect_on: Date,
    /// Last day of the first term, inclusive; one year when not stated (R063).
    pub last_day: Option<Date>,
    /// Whether it renews itself.
    pub renewal: Renewal,
    /// The day a notice of non-renewal was first presented (R064, R065, R202).
    pub notice_presented_on: Option<Date>,
    /// The last day, when terminated before its term (R086).
    pub terminated_on: Option<Date>,
    /// The day the reminder of an invoice still unpaid was first presented; cleared when paid (R074).
    pub unpaid_since: Option<Date>,
    /// The order it takes the place of (R066).
    pub supersedes: Option<String>,
    /// Since when it is suspended for a breach that can be remedied (R084).
    pub suspended_at: Option<Timestamp>,
}

/// What an order is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A subscription of its own.
    Subscription,
    /// An option: follows the term of its subscription unless it states a last day (R067).
    Option {
        /// The id of the subscription, which cannot be an option itself.
        of: String,
    },
}

/// What opens an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// Acknowledged and signed, the ordinary case.
    OnSignature,
    /// Paid once as well: the organization had a trial (R073).
    OnPayment,
}

/// What happens at the end of a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// Renewed for a year unless notice is given in time (R064).
    Tacit,
    /// Ends.
    None,
}

/// What an order still lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Acknowledgement of reception.
    Acknowledgement,
    /// Signature.
    Signature,
    /// Payment, after a trial.
    Payment,
    /// Credentials not sent yet.
    Credentials,
    /// The subscription of an option is unknown or is an option itself.
    Subscription,
}

/// Why seats close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// The term ended or the order was terminated.
    Ended,
    /// An invoice stayed unpaid; paying opens the seats again (R074).
    Unpaid,
    /// Another order took its place (R066).
    Superseded,
    /// Suspended until a breach is remedied (R084).
    Suspended,
}

/// Where an order stands at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Opens nothing until something arrives; the first thing missing.
    Awaiting(Missing),
    /// Complete; opens later.
    Scheduled {
        /// When.
        opens_at: Timestamp,
    },
    /// Its seats may be used.
    Open,
    /// Its seats may no longer be used.
    Closed {
        /// Since when.
        since: Timestamp,
        /// Why.
        why: Closing,
    },
}

/// One term of an order, both days inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// First day.
    pub first_day: Date,
    /// Last day.
    pub last_day: Date,
}

impl Term {
    /// Days of the term from `from` on, and days of the whole term: the share to be credited on an upgrade (R066).
    pub fn unused_from(&self, from: Date) -> (i32, i32) {
        let total = calendar::days_between(self.first_day, self.last_day) + 1;
        let unused = calendar::days_between(from, self.last_day) + 1;
        (unused.clamp(0, total.max(0)), total)
    }
}

impl Order {
    /// The first day of the n-th renewal: 0 is the day after the first term. Counted from the start, so that an order of 29
    /// February finds its day again in leap years.
    fn renews_on(&self, renewal: i16) -> Date {
        match self.last_day {
            Some(last_day) => calendar::add_years(calendar::add_days(last_day, 1), renewal),
            None => calendar::add_years(self.effect_on, renewal.saturating_add(1)),
        }
    }

    /// The term running on `today`, or the first one before it begins, supposing that the order goes on.
    ///
    /// Requirements R063, R064.
    pub fn term_on(&self, today: Date) -> Term {
        let next = (0..i16::MAX)
            .find(|&renewal| self.renews_on(renewal) > today || self.renews_on(renewal) == Date::MAX)
            .unwrap_or(0);
        let first_day =
            if next == 0 || self.renewal == Renewal::None { self.effect_on } else { self.renews_on(next - 1) };
        let next = if self.renewal == Renewal::None { 0 } else { next };
        Term { first_day, last_day: calendar::add_days(self.renews_on(next), -1) }
    }

    /// The last day of all; `None` while the order renews itself, or as an option follows its subscription.
    ///
    /// A notice ends the order at the first renewal it is in time for; a late one therefore a year later.
    ///
    /// Requirements R063–R065, R067, R086, question Q07.
    pub fn final_day(&self) -> Option<Date> {
        let in_time = |presented, day| notice(presented, day).stops_renewal() || day == Date::MAX;
        let by_term = match (self.renewal, self.notice_presented_on) {
            _ if self.kind != Kind::Subscription && self.last_day.is_none() => None,
            (Renewal::None, _) => Some(self.renews_on(0)),
            (Renewal::Tacit, None) => None,
            (Renewal::Tacit, Some(presented)) => {
                (0..i16::MAX).map(|renewal| self.renews_on(renewal)).find(|&day| in_time(presented, day))
            }
        };
        let by_term = by_term.map(|day| calendar::add_days(day, -1));
        by_term.into_iter().chain(self.terminated_on).min()
    }

    /// Whether it is a contract: acknowledged and signed (R023). Whether anything of it was paid is another question.
    fn is_concluded(&self) -> bool {
        self.acknowledged_at.is_some() && self.signed_at.is_some()
    }

    /// Whether it is a contract on the day `today`: acknowledged, signed, and not over. Whether its seats may be used is another
    /// question: a contract begins before its first day, and holds while it is unpaid or suspended.
    ///
    /// Requirements R006, R023.
    pub fn is_in_force(&self, today: Date) -> bool {
        self.is_concluded() && self.final_day().is_none_or(|last_day| today <= last_day)
    }

    /// Whether it is an option with neither a last day of its own nor a day on which it was terminated: it ends when its
    /// subscription does (R067).
    fn follows(&self) -> bool {
        self.kind != Kind::Subscription && self.last_day.is_none() && self.terminated_on.is_none()
    }

    /// The last day that was said of what was signed by the instant it was said at, where this order was.
    fn when_signed_by(&self, said: Option<(Date, Timestamp)>) -> Option<Date> {
        said.filter(|&(_, said_at)| self.signed_at.is_some_and(|signed_at| signed_at <= said_at)).map(|(day, _)| day)
    }

    /// Whether credentials came after the effect date, which costs the client days of the term and raises an alert (Q08).
    pub fn credentials_are_late(&self, now: Timestamp) -> bool {
        calendar::date_at(self.credentials_sent_at.unwrap_or(now)) > self.effect_on
    }

    /// When the order's own conditions are all met: the latest of what it needs.
    fn opens_at(&self) -> Result<Timestamp, Missing> {
        let acknowledged = self.acknowledged_at.ok_or(Missing::Acknowledgement)?;
        let signed = self.signed_at.ok_or(Missing::Signature)?;
        let paid = match self.opening {
            Opening::OnSignature => signed,
            Opening::OnPayment => self.paid_at.ok_or(Missing::Payment)?,
        };
        let sent = self.credentials_sent_at.ok_or(Missing::Credentials)?;
        Ok(calendar::midnight(self.effect_on).max(acknowledged).max(signed).max(paid).max(sent))
    }

    /// The first of the order's own ends.
    fn own_closing(&self) -> Option<(Timestamp, Closing)> {
        let ended = self.final_day().map(|day| (calendar::cut_after(day), Closing::Ended));
        let unpaid = self.unpaid_since.map(|presented| (interruption(presented), Closing::Unpaid));
        let suspended = self.suspended_at.map(|at| (at, Closing::Suspended));
        ended.into_iter().chain(unpaid).chain(suspended).min_by_key(|&(at, _)| at)
    }
}

/// From when until when an order opens seats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    from: Timestamp,
    closing: Option<(Timestamp, Closing)>,
}

impl Window {
    /// Whether it opens anything at all.
    fn opens(&self) -> bool {
        self.closing.is_none_or(|(closes_at, _)| self.from < closes_at)
    }
}

/// All orders of one organization, read together: options look at their subscription, upgrades at what they replace.
#[derive(Debug, Clone, Copy)]
pub struct Orders<'a>(pub &'a [Order]);

impl<'a> Orders<'a> {
    /// The order that takes the place of another, and when. One that was called off before it opened takes nothing over.
    fn successor(&self, order: &Order) -> Option<(&'a Order, Timestamp)> {
        let named = self.0.iter().filter(|other| other.id != order.id && other.supersedes.as_ref() == Some(&order.id));
        let takes_over = |other: &'a Order| {
            let opens_at = other.opens_at().ok()?;
            let opens = other.own_closing().is_none_or(|(closes_at, _)| opens_at < closes_at);
            opens.then_some((other, opens_at))
        };
        named.filter_map(takes_over).min_by_key(|&(_, opens_at)| opens_at)
    }

    /// A subscription by its id, then the orders that took its place one after the other (R066).
    fn line(&self, subscription: &str) -> Vec<&'a Order> {
        let first = self.0.iter().find(|order| order.id == subscription && order.kind == Kind::Subscription);
        let next = |order: &&'a Order| self.successor(order).map(|(successor, _)| successor);
        std::iter::successors(first, next).take(self.0.len()).collect()
    }

    /// The window of an order by itself, whatever it is an option on.
    fn alone(&self, order: &Order) -> Result<Window, Missing> {
        // INVARIANT: the old order closes at the instant the new one opens, never before: no lock-out on an upgrade (R066).
        let superseded = self.successor(order).map(|(_, opens_at)| (opens_at, Closing::Superseded));
        let closing = superseded.into_iter().chain(order.own_closing()).min_by_key(|&(at, _)| at);
        Ok(Window { from: order.opens_at()?, closing })
    }

    /// When an order opens seats: once, or for an option that follows its subscription, whenever that one or what took its place
    /// does. Never empty.
    fn windows(&self, order: &Order) -> Result<Vec<Window>, Missing> {
        let own = self.alone(order)?;
        let Kind::Option { of } = &order.kind else { return Ok(vec![own]) };
        let line = self.line(of);
        let parent = self.alone(line.first().ok_or(Missing::Subscription)?)?;
        // One that states its own last day keeps it, even beyond its subscription (R067).
        if order.last_day.is_some() {
            return Ok(vec![Window { from: own.from.max(parent.from), ..own }]);
        }
        let mut windows = Vec::<Window>::new();
        for subscription in line {
            let theirs = self.alone(subscription)?;
            let closing = own.closing.into_iter().chain(theirs.closing).min_by_key(|&(at, _)| at);
            let next = Window { from: own.from.max(theirs.from), closing };
            match windows.last_mut() {
                // The subscription changes hands, the option goes on (R067).
                Some(Window { closing: last @ Some((_, Closing::Superseded)), .. })
                    if last.is_some_and(|(at, _)| next.from <= at) =>
                {
                    *last = next.closing;
                }
                _ => windows.push(next),
            }
        }
        if windows.iter().any(Window::opens) {
            windows.retain(Window::opens);
        }
        Ok(windows)
    }

    /// When the contract is over, and why: after its last day, or when another order takes its place; an option that states no last
    /// day, with its subscription or the last order that took its place. None while it goes on, be it interrupted or not.
    ///
    /// Requirements R066, R067, R087.
    pub fn end(&self, order: &Order) -> Option<(Timestamp, Closing)> {
        let ended = order.final_day().map(|day| (calendar::cut_after(day), Closing::Ended));
        let before = match &order.kind {
            Kind::Subscription => self.successor(order).map(|(_, opens_at)| (opens_at, Closing::Superseded)),
            Kind::Option { of } if order.last_day.is_none() => self.line(of).last().and_then(|last| self.end(last)),
            Kind::Option { .. } => None,
        };
        before.into_iter().chain(ended).min_by_key(|&(at, _)| at)
    }

    /// Whether an order has come to its end by `now`, whatever had closed it before.
    pub fn has_ended(&self, order: &Order, now: Timestamp) -> bool {
        self.end(order).is_some_and(|(at, why)| at <= now && why == Closing::Ended)
    }

    /// Whether an order came to nothing: it ended before it opened, or was called off while something was missing. What only interrupts
    /// it undoes nothing, for it may open yet.
    ///
    /// Requirements R023, R062, R066.
    pub fn is_void(&self, order: &Order, now: Timestamp) -> bool {
        match (order.opens_at(), self.end(order)) {
            (Ok(opens_at), Some((at, Closing::Ended))) => at <= opens_at,
            (Ok(_), _) => false,
            (Err(_), end) => {
                let called_off = order.terminated_on.is_some_and(|day| day <= calendar::date_at(now));
                called_off || end.is_some_and(|(at, _)| at <= now)
            }
        }
    }

    /// Whether another order takes the place of this one, or may yet: one that came to nothing counts for nothing.
    ///
    /// Requirement R066.
    pub fn is_replaced(&self, order: &Order, now: Timestamp) -> bool {
        let mut named = self.0.iter().filter(|other| other.supersedes.as_ref() == Some(&order.id));
        named.any(|other| !self.is_void(other, now))
    }

    /// The seats that the order `id` opens at `now`; none while it is not open.
    pub fn open_seats(&self, id: &str, now: Timestamp) -> u32 {
        let order = self.0.iter().find(|order| order.id == id);
        order.filter(|order| self.standing(order, now) == Standing::Open).map_or(0, |order| order.seats)
    }

    /// The subscriptions that were concluded: acknowledged and signed (R023).
    fn contracts(&self) -> impl Iterator<Item = &'a Order> {
        self.0.iter().filter(|order| order.kind == Kind::Subscription && order.is_concluded())
    }

    /// The last day of the organization's subscription: the latest of its contracts'. One that is interrupted goes on, one whose place
    /// another took is that one's affair. A last day that was `said` beside the orders, and when, is that of what was signed by then, or of
    /// an organization without any contract. None while something has no last day.
    ///
    /// Requirements R023, R074, R087.
    pub fn last_day(&self, said: Option<(Date, Timestamp)>) -> Option<Date> {
        if self.contracts().next().is_none() {
            return said.map(|(day, _)| day);
        }
        let mut last = None::<Date>;
        for order in self.contracts() {
            if !matches!(self.end(order), Some((_, Closing::Superseded))) {
                let said = order.when_signed_by(said);
                last = last.max(Some(order.final_day().into_iter().chain(said).min()?));
            }
        }
        last
    }

    /// When all that the organization subscribed to is over, options that go on longer included; none while anything goes on, be it
    /// interrupted or not, and where no subscription was ever concluded. A last day that was `said` beside the orders, and when, is that of
    /// what was signed by then.
    ///
    /// Requirements R023, R066, R067, R087.
    pub fn over_at(&self, said: Option<(Date, Timestamp)>) -> Option<Timestamp> {
        self.contracts().next()?;
        let mut over = None::<Timestamp>;
        let concluded = |order: &&Order| order.acknowledged_at.is_some() && order.signed_at.is_some();
        for order in self.0.iter().filter(|order| !order.follows()).filter(concluded) {
            let end = match self.end(order) {
                Some((_, Closing::Superseded)) => continue,
                end => end.map(|(at, _)| at),
            };
            let said = order.when_signed_by(said).map(calendar::cut_after);
            over = over.max(Some(end.into_iter().chain(said).min()?));
        }
        over
    }

    /// Whether the subscription ended, or is to end, by a termination for a breach: nothing goes on longer than what was terminated.
    ///
    /// Requirements R086, R211.
    pub fn ended_for_breach(&self) -> bool {
        let Some(over_at) = self.over_at(None) else { return false };
        let terminated = |order: &&Order| order.suspended_at.is_some() && order.terminated_on.is_some();
        self.contracts().filter(terminated).any(|order| self.end(order).is_some_and(|(at, _)| at == over_at))
    }

    /// Whether an invoice of a contract is unpaid.
    ///
    /// Requirements R074, R211.
    pub fn owes(&self) -> bool {
        self.contracts().any(|order| order.unpaid_since.is_some())
    }

    /// Whether all that the organization subscribed to is interrupted at `now`, unpaid or suspended, and until when that answer
    /// holds; none when no change is known.
    ///
    /// Requirements R074, R083, R084.
    pub fn interrupted(&self, now: Timestamp) -> (bool, Option<Timestamp>) {
        let (mut open, mut interrupted, mut changes) = (false, false, None::<Timestamp>);
        for order in self.contracts() {
            let Ok(window) = self.alone(order) else { continue };
            let ended = self.end(order).map(|(at, _)| at);
            match self.standing(order, now) {
                Standing::Open => open = true,
                Standing::Closed { why: Closing::Unpaid | Closing::Suspended, .. } => {
                    interrupted |= ended.is_none_or(|at| now < at);
                }
                _ => {}
            }
            let instants = [Some(window.from), window.closing.map(|(at, _)| at), ended].into_iter().flatten();
            changes = changes.into_iter().chain(instants.filter(|&at| now < at)).min();
        }
        (interrupted && !open, changes)
    }

    /// Where an order stands at `now`.
    ///
    /// Requirements R023, R066, R067, R073, R074, R087; question Q08.
    pub fn standing(&self, order: &Order, now: Timestamp) -> Standing {
        let windows = match self.windows(order) {
            Ok(windows) => windows,
            Err(missing) => return Standing::Awaiting(missing),
        };
        let window = windows.iter().rev().find(|window| window.from <= now).or(windows.first());
        match window {
            None => Standing::Awaiting(Missing::Subscription),
            Some(Window { closing: Some((since, why)), .. }) if *since <= now => {
                Standing::Closed { since: *since, why: *why }
            }
            Some(Window { from, .. }) if now < *from => Standing::Scheduled { opens_at: *from },
            Some(_) => Standing::Open,
        }
    }

    /// Days of the running term that the client does not get, and days of that term: the share to be credited when a larger order takes
    /// its place or it is terminated as agreed (R066). None while it runs its course, and for what closed it through the client's doing.
    pub fn unused(&self, order: &Order) -> Option<(i32, i32)> {
        let (at, why) = self.windows(order).ok()?.last()?.closing?;
        let from = calendar::date_at(at);
        let early = match why {
            Closing::Superseded => true,
            Closing::Ended => order.terminated_on.is_some() && order.suspended_at.is_none(),
            Closing::Unpaid | Closing::Suspended => false,
        };
        let (days, of) = order.term_on(calendar::add_days(from, -1)).unused_from(from);
        (early && days > 0).then_some((days, of))
    }

    /// What the orders of a product open: input of [`crate::seats::admit`]. An order that lacks anything opens nothing.
    ///
    /// Requirements R023, R062.
    pub fn grants(&self, product: &str) -> Vec<Grant> {
        self.0.iter().filter(|order| order.product == product).flat_map(|order| self.grants_of(order)).collect()
    }

    /// What one of the orders opens.
    pub fn grants_of(&self, order: &Order) -> Vec<Grant> {
        let windows = self.windows(order).unwrap_or_default();
        let (seats, mode) = (order.seats, order.mode);
        let grant = |Window { from, closing }: Window| Grant { seats, mode, from, until: closing.map(|(at, _)| at) };
        windows.into_iter().map(grant).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;
    use crate::calendar::{add_days, cut_after, midnight};

    pub(crate) fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    pub(crate) fn order(id: &str, effect_on: Date) -> Order {
        let before = Some(midnight(add_days(effect_on, -10)));
        Order {
            id: id.to_owned(),
            product: "lms".to_owned(),
            seats: 10,
            mode: Mode::Named,
            kind: Kind::Subscription,
            acknowledged_at: before,
            signed_at: before,
            paid_at: None,
            opening: Opening::OnSignature,
            credentials_sent_at: before,
            effect_on,
            last_day: None,
            renewal: Renewal::None,
            notice_presented_on: None,
            terminated_on: None,
            unpaid_since: None,
            supersedes: None,
            suspended_at: None,
        }
    }

    pub(crate) const START: Date = Date::constant(2026, 9, 1);

    fn limit(orders: &[Order], now: Timestamp) -> u32 {
        Orders(orders).grants("lms").iter().filter(|grant| grant.is_open(now)).map(|grant| grant.seats).sum()
    }

    #[test]
    fn an_order_opens_nothing_until_it_is_acknowledged_signed_and_its_credentials_sent() {
        let now = midnight(date(2026, 10, 1));
        let whole = order("a", START);
        let table = [
            (whole.clone(), Standing::Open),
            (Order { acknowledged_at: None, ..whole.clone() }, Standing::Awaiting(Missing::Acknowledgement)),
            (Order { signed_at: None, ..whole.clone() }, Standing::Awaiting(Missing::Signature)),
            (Order { credentials_sent_at: None, ..whole.clone() }, Standing::Awaiting(Missing::Credentials)),
            (Order { opening: Opening::OnPayment, ..whole.clone() }, Standing::Awaiting(Missing::Payment)),
            (Order { opening: Opening::OnPayment, paid_at: Some(now), ..whole.clone() }, Standing::Open),
            (
                Order { kind: Kind::Option { of: "z".into() }, ..whole.clone() },
                Standing::Awaiting(Missing::Subscription),
            ),
            (Order { kind: Kind::Option { of: "a".into() }, ..whole }, Standing::Awaiting(Missing::Subscription)),
        ];
        for (order, expected) in table {
            let orders = [order];
            assert_eq!(Orders(&orders).standing(&orders[0], now), expected);
            assert_eq!(limit(&orders, now), if expected == Standing::Open { 10 } else { 0 });
        }
    }

    #[test]
    fn an_order_is_a_contract_from_its_signature_to_its_last_day() {
        let whole = order("a", START);
        let (before, last, after) = (date(2026, 8, 1), date(2027, 8, 31), date(2027, 9, 1));
        let table = [
            (whole.clone(), [true, true, false]),
            (Order { acknowledged_at: None, ..whole.clone() }, [false; 3]),
            (Order { signed_at: None, ..whole.clone() }, [false; 3]),
            // Neither opens seats; both bind.
            (Order { suspended_at: Some(midnight(START)), ..whole.clone() }, [true, true, false]),
            (Order { unpaid_since: Some(START), ..whole.clone() }, [true, true, false]),
            (Order { renewal: Renewal::Tacit, ..whole.clone() }, [true; 3]),
            (Order { terminated_on: Some(before), ..whole }, [true, false, false]),
        ];
        for (order, expected) in table {
            assert_eq!([before, last, after].map(|day| order.is_in_force(day)), expected, "{order:?}");
        }
    }

    #[test]
    fn access_opens_at_the_later_of_effect_date_and_credentials() {
        let late = at("2026-09-03T08:00:00Z");
        let early = order("a", START);
        let slow = Order { credentials_sent_at: Some(late), ..early.clone() };
        let table = [(&early, midnight(START), false), (&slow, late, true)];
        for (order, opens_at, alert) in table {
            let orders = [order.clone()];
            let just_before = opens_at - std::time::Duration::from_nanos(1);
            assert_eq!(Orders(&orders).standing(order, just_before), Standing::Scheduled { opens_at });
            assert_eq!(Orders(&orders).standing(order, opens_at), Standing::Open);
            assert_eq!(order.credentials_are_late(opens_at), alert);
            assert_eq!(order.final_day(), Some(date(2027, 8, 31)), "the term counts from the effect date");
        }
        let unsent = Order { credentials_sent_at: None, ..early };
        assert!(
            unsent.credentials_are_late(midnight(date(2026, 9, 2))) && !unsent.credentials_are_late(midnight(START))
        );
    }

    #[test]
    fn an_order_ends_at_midnight_in_paris_after_its_last_day() {
        let table = [
            (order("a", START), date(2027, 8, 31), "2027-08-31T22:00:00Z"),
            (order("a", date(2028, 2, 29)), date(2029, 2, 27), "2029-02-27T23:00:00Z"),
            (
                Order { last_day: Some(date(2027, 3, 27)), ..order("a", START) },
                date(2027, 3, 27),
                "2027-03-27T23:00:00Z",
            ),
            (
                Order { terminated_on: Some(date(2027, 1, 10)), ..order("a", START) },
                date(2027, 1, 10),
                "2027-01-10T23:00:00Z",
            ),
        ];
        for (order, last_day, cut) in table {
            let since = at(cut);
            assert_eq!(order.final_day(), Some(last_day));
            assert_eq!(Orders(&[]).standing(&order, since - std::time::Duration::from_nanos(1)), Standing::Open);
            assert_eq!(Orders(&[]).standing(&order, since), Standing::Closed { since, why: Closing::Ended });
        }
    }

    #[test]
    fn an_order_renews_itself_each_year_unless_notice_comes_in_time() {
        let tacit = Order { renewal: Renewal::Tacit, ..order("a", START) };
        let table = [
            (None, None),
            (Some(date(2027, 7, 31)), Some(date(2027, 8, 31))),
            (Some(date(2027, 8, 2)), Some(date(2027, 8, 31))),
            // Twenty-nine days before: one more year.
            (Some(date(2027, 8, 3)), Some(date(2028, 8, 31))),
            (Some(date(2029, 1, 1)), Some(date(2029, 8, 31))),
        ];
        for (notice_presented_on, expected) in table {
            assert_eq!(Order { notice_presented_on, ..tacit.clone() }.final_day(), expected, "{notice_presented_on:?}");
        }
        let term = |first_day, last_day| Term { first_day, last_day };
        assert_eq!(tacit.term_on(date(2026, 1, 1)), term(START, date(2027, 8, 31)));
        assert_eq!(tacit.term_on(date(2027, 8, 31)), term(START, date(2027, 8, 31)));
        assert_eq!(tacit.term_on(date(2027, 9, 1)), term(date(2027, 9, 1), date(2028, 8, 31)));
        assert_eq!(order("a", START).term_on(date(2030, 1, 1)), term(START, date(2027, 8, 31)));
        let leap = Order { renewal: Renewal::Tacit, ..order("a", date(2028, 2, 29)) };
        assert_eq!(leap.term_on(date(2032, 3, 1)), term(date(2032, 2, 29), date(2033, 2, 27)));
        let stated = Order { last_day: Some(date(2026, 12, 31)), ..tacit };
        assert_eq!(stated.term_on(date(2027, 6, 1)), term(date(2027, 1, 1), date(2027, 12, 31)));
    }

    #[test]
    fn several_orders_of_a_product_add_up() {
        let other = Order { product: "exams".into(), ..order("c", START) };
        let orders = [order("a", START), Order { seats: 5, ..order("b", date(2027, 1, 1)) }, other];
        let table = [
            (date(2026, 8, 31), 0),
            (START, 10),
            (date(2026, 12, 31), 10),
            (date(2027, 1, 1), 15),
            (date(2027, 8, 31), 15),
            (date(2027, 9, 1), 5),
            (date(2028, 1, 1), 0),
        ];
        for (day, expected) in table {
            assert_eq!(limit(&orders, midnight(day)), expected, "{day}");
        }
    }

    #[test]
    fn an_upgrade_takes_over_without_a_gap() {
        let switch = date(2027, 3, 1);
        let new = Order { seats: 25, supersedes: Some("a".into()), ..order("b", switch) };
        let orders = [order("a", START), new.clone()];
        let opens_at = midnight(switch);
        assert_eq!(limit(&orders, opens_at - std::time::Duration::from_nanos(1)), 10);
        assert_eq!(limit(&orders, opens_at), 25);
        let closed = Standing::Closed { since: opens_at, why: Closing::Superseded };
        assert_eq!(Orders(&orders).standing(&orders[0], opens_at), closed);
        assert_eq!(new.final_day(), Some(date(2028, 2, 29)), "a new term of one year");
        // As long as the new one is not signed the old one goes on.
        let unsigned = Order { signed_at: None, ..new.clone() };
        let called_off = Order { terminated_on: Some(date(2027, 2, 1)), ..new };
        for other in [unsigned, called_off] {
            assert_eq!(limit(&[order("a", START), other], midnight(date(2027, 6, 1))), 10);
        }
        // The share to be credited, from the day the new one begins (R066).
        assert_eq!(Orders(&orders).unused(&orders[0]), Some((184, 365)));
        assert_eq!(Orders(&orders).unused(&orders[1]), None);
        let agreed = Order { terminated_on: Some(date(2027, 2, 28)), ..order("a", START) };
        assert_eq!(Orders(std::slice::from_ref(&agreed)).unused(&agreed), Some((184, 365)));
        for closed in [
            Order { terminated_on: Some(date(2027, 8, 31)), ..order("a", START) },
            Order { suspended_at: Some(midnight(switch)), terminated_on: Some(switch), ..order("a", START) },
            Order { unpaid_since: Some(date(2027, 1, 1)), ..order("a", START) },
            order("a", START),
        ] {
            assert_eq!(Orders(std::slice::from_ref(&closed)).unused(&closed), None, "{closed:?}");
        }
        assert_eq!(order("a", START).term_on(switch).unused_from(switch), (184, 365));
        assert_eq!(order("a", START).term_on(switch).unused_from(date(2028, 1, 1)), (0, 365));
    }

    #[test]
    fn an_option_follows_its_subscription_unless_it_states_a_last_day() {
        let parent = Order { renewal: Renewal::Tacit, ..order("a", START) };
        let option = Order { kind: Kind::Option { of: "a".into() }, seats: 3, ..order("b", date(2027, 2, 1)) };
        let ended = Order { notice_presented_on: Some(date(2027, 6, 1)), ..parent.clone() };
        let late = midnight(date(2027, 3, 1));
        let slow = Order { credentials_sent_at: Some(late), ..parent.clone() };
        let stated = Order { last_day: Some(date(2027, 4, 30)), ..option.clone() };
        let stopped = Order { terminated_on: Some(date(2027, 4, 30)), ..option.clone() };
        let closed = |day| Standing::Closed { since: cut_after(day), why: Closing::Ended };
        let table = [
            (parent.clone(), option.clone(), date(2028, 6, 1), Standing::Open),
            (slow, option.clone(), date(2027, 2, 20), Standing::Scheduled { opens_at: late }),
            (ended.clone(), option.clone(), date(2027, 8, 31), Standing::Open),
            (ended, option.clone(), date(2027, 9, 1), closed(date(2027, 8, 31))),
            (parent.clone(), stated, date(2027, 5, 1), closed(date(2027, 4, 30))),
            (parent.clone(), stopped, date(2027, 5, 1), closed(date(2027, 4, 30))),
            (
                Order { signed_at: None, ..parent.clone() },
                option,
                date(2027, 5, 1),
                Standing::Awaiting(Missing::Signature),
            ),
        ];
        for (parent, option, day, expected) in table {
            let orders = [parent.clone(), option];
            assert_eq!(Orders(&orders).standing(&orders[1], midnight(day)), expected, "{day}");
            assert_eq!(
                orders[0].final_day(),
                parent.final_day(),
                "an option never changes the term of its subscription"
            );
        }
    }

    #[test]
    fn an_unpaid_order_is_interrupted_on_the_sixteenth_day_and_not_before() {
        let presented = date(2027, 3, 15);
        let unpaid = Order { unpaid_since: Some(presented), ..order("a", START) };
        let since = midnight(date(2027, 3, 31));
        assert_eq!((interruption(presented), since), (since, at("2027-03-30T22:00:00Z")));
        let last = since - std::time::Duration::from_nanos(1);
        assert_eq!(Orders(&[]).standing(&unpaid, last), Standing::Open, "J+15");
        assert_eq!(Orders(&[]).standing(&unpaid, since), Standing::Closed { since, why: Closing::Unpaid }, "J+16");
        assert_eq!(Orders(&[]).standing(&Order { unpaid_since: None, ..unpaid }, since), Standing::Open);
    }

    #[test]
    fn what_was_paid_once_stays_open_through_the_delay_of_a_later_invoice() {
        let paid = midnight(date(2026, 9, 10));
        let after_trial = Order { opening: Opening::OnPayment, paid_at: Some(paid), ..order("a", START) };
        let unpaid = Order { unpaid_since: Some(date(2027, 3, 15)), ..after_trial.clone() };
        let cut = midnight(date(2027, 3, 31));
        let never_paid = Order { paid_at: None, ..unpaid.clone() };
        let table = [
            (&after_trial, cut, Standing::Open),
            (&unpaid, cut - std::time::Duration::from_nanos(1), Standing::Open),
            (&unpaid, cut, Standing::Closed { since: cut, why: Closing::Unpaid }),
            (&never_paid, cut, Standing::Awaiting(Missing::Payment)),
        ];
        for (order, now, expected) in table {
            assert_eq!(Orders(&[]).standing(order, now), expected, "{now} {order:?}");
        }
        // What is due stays so: it opened when it was first paid, and renews itself.
        let tacit = Order { renewal: Renewal::Tacit, ..unpaid };
        let renews = midnight(date(2027, 9, 1));
        assert_eq!(
            Orders(std::slice::from_ref(&tacit)).moments(&tacit, cut),
            [(Moment::Opens, paid), (Moment::Interrupts, cut), (Moment::Renews, renews)]
        );
    }

    #[test]
    fn an_option_goes_on_with_the_order_that_takes_the_place_of_its_subscription() {
        let (switch, last) = (date(2027, 3, 1), date(2028, 2, 29));
        let parent = Order { renewal: Renewal::Tacit, ..order("a", START) };
        let option = Order { kind: Kind::Option { of: "a".into() }, seats: 3, ..order("o", date(2027, 2, 1)) };
        let larger = Order { seats: 20, supersedes: Some("a".into()), ..order("b", switch) };
        let largest = Order { seats: 30, supersedes: Some("b".into()), ..order("c", date(2027, 6, 1)) };
        let unpaid = Order { unpaid_since: Some(date(2027, 1, 31)), ..parent.clone() };
        let (closed, ended) = (midnight(date(2027, 2, 16)), cut_after(last));
        let with = |parent: &Order, others: &[&Order]| {
            [parent, &option].into_iter().chain(others.iter().copied()).cloned().collect::<Vec<_>>()
        };
        let unsigned = Order { signed_at: None, ..larger.clone() };
        let table = [
            (with(&parent, &[]), date(2028, 6, 1), Standing::Open),
            (with(&parent, &[&larger]), date(2027, 2, 28), Standing::Open),
            (with(&parent, &[&larger]), switch, Standing::Open),
            (with(&parent, &[&larger]), last, Standing::Open),
            (with(&parent, &[&larger]), date(2028, 3, 1), Standing::Closed { since: ended, why: Closing::Ended }),
            (with(&parent, &[&larger, &largest]), date(2028, 5, 31), Standing::Open),
            (
                with(&parent, &[&larger, &largest]),
                date(2028, 6, 1),
                Standing::Closed { since: midnight(date(2028, 6, 1)), why: Closing::Ended },
            ),
            // Not signed: nothing changes hands.
            (with(&parent, &[&unsigned]), date(2028, 6, 1), Standing::Open),
            // Interrupted with its subscription, until another takes over.
            (with(&unpaid, &[&larger]), date(2027, 2, 15), Standing::Open),
            (with(&unpaid, &[&larger]), date(2027, 2, 28), Standing::Closed { since: closed, why: Closing::Unpaid }),
            (with(&unpaid, &[&larger]), switch, Standing::Open),
        ];
        for (orders, day, expected) in table {
            assert_eq!(Orders(&orders).standing(&orders[1], midnight(day)), expected, "{day} {orders:?}");
        }
        // The seats of both, through the switch.
        let orders = with(&parent, &[&larger]);
        for (now, expected) in [
            (midnight(switch) - std::time::Duration::from_nanos(1), 13),
            (midnight(switch), 23),
            (midnight(date(2028, 3, 1)), 0),
        ] {
            assert_eq!(limit(&orders, now), expected, "{now}");
        }
        assert_eq!(Orders(&orders).end(&orders[1]), Some((ended, Closing::Ended)));
        assert_eq!(Orders(&orders).unused(&orders[1]), None, "an option that goes on leaves nothing unused");
    }

    #[test]
    fn the_subscription_lasts_as_long_as_its_last_contract_whatever_interrupts_it() {
        let fixed = order("a", START);
        let tacit = Order { renewal: Renewal::Tacit, ..order("b", START) };
        let longer = order("c", date(2027, 1, 1));
        let replacing = Order { supersedes: Some("b".into()), ..order("d", date(2027, 1, 1)) };
        let (last, later) = (date(2027, 8, 31), date(2027, 12, 31));
        let breach = date(2027, 2, 3);
        let table = [
            (vec![], None),
            (vec![Order { signed_at: None, ..fixed.clone() }], None),
            (vec![fixed.clone()], Some(last)),
            (vec![tacit.clone()], None),
            (vec![fixed.clone(), tacit.clone()], None),
            (vec![fixed.clone(), longer.clone()], Some(later)),
            (vec![Order { notice_presented_on: Some(date(2027, 5, 1)), ..tacit.clone() }], Some(last)),
            // Unpaid or suspended when it ends, or terminated for a breach: it ends all the same.
            (vec![Order { unpaid_since: Some(date(2027, 1, 5)), ..fixed.clone() }], Some(last)),
            (vec![Order { suspended_at: Some(midnight(breach)), ..fixed.clone() }], Some(last)),
            (
                vec![Order { suspended_at: Some(midnight(breach)), terminated_on: Some(breach), ..tacit.clone() }],
                Some(breach),
            ),
            // Its neighbour goes on, interrupted as it is.
            (vec![fixed.clone(), Order { unpaid_since: Some(date(2027, 1, 5)), ..tacit.clone() }], None),
            (vec![fixed.clone(), Order { suspended_at: Some(midnight(breach)), ..longer }], Some(later)),
            // What another took the place of is over.
            (vec![tacit.clone(), replacing.clone()], Some(later)),
            (vec![tacit.clone(), Order { signed_at: None, ..replacing }], None),
            // An option is no subscription.
            (vec![fixed, Order { kind: Kind::Option { of: "a".into() }, ..tacit }], Some(last)),
        ];
        for (orders, expected) in table {
            assert_eq!(Orders(&orders).last_day(None), expected, "{orders:?}");
        }
    }

    #[test]
    fn a_last_day_said_beside_the_orders_is_that_of_what_was_signed_by_then() {
        let said_at = at("2027-02-03T09:00:00Z");
        let (day, last, late) = (date(2027, 6, 30), date(2027, 8, 31), date(2028, 7, 31));
        let fixed = order("a", START);
        let tacit = Order { renewal: Renewal::Tacit, ..order("b", START) };
        let next = order("c", date(2027, 8, 1));
        let at_once = Order { signed_at: Some(said_at), ..next.clone() };
        let replacing = Order { supersedes: Some("b".into()), ..next.clone() };
        let endless = Order { renewal: Renewal::Tacit, ..next.clone() };
        let unsigned = Order { signed_at: None, ..endless.clone() };
        let table = [
            (vec![], day, Some(day)),
            (vec![unsigned.clone()], day, Some(day)),
            (vec![fixed.clone()], day, Some(day)),
            (vec![fixed.clone()], late, Some(last)),
            (vec![tacit.clone()], day, Some(day)),
            (vec![fixed.clone(), tacit.clone(), unsigned], day, Some(day)),
            // Signed after it was said: a contract of its own.
            (vec![fixed.clone(), next], day, Some(late)),
            (vec![tacit.clone(), endless.clone()], day, None),
            (vec![endless], day, None),
            (vec![fixed, at_once], day, Some(day)),
            (vec![tacit, replacing], day, Some(late)),
        ];
        for (orders, day, expected) in table {
            assert_eq!(Orders(&orders).last_day(Some((day, said_at))), expected, "{day} {orders:?}");
        }
    }

    #[test]
    fn an_order_that_was_called_off_before_it_opened_came_to_nothing() {
        let now = midnight(date(2026, 8, 1)) + std::time::Duration::from_hours(10);
        let (today, tomorrow) = (date(2026, 8, 1), date(2026, 8, 2));
        let whole = order("b", START);
        let unsigned = Order { signed_at: None, ..whole.clone() };
        let unpaid = Order { opening: Opening::OnPayment, ..whole.clone() };
        let begun = order("b", date(2026, 7, 1));
        let table = [
            (whole.clone(), false),
            (unsigned.clone(), false),
            // It ends before it opens, or on the day on which it does.
            (Order { terminated_on: Some(tomorrow), ..whole.clone() }, true),
            (Order { terminated_on: Some(date(2026, 8, 31)), ..whole.clone() }, true),
            (Order { terminated_on: Some(START), ..whole.clone() }, false),
            (Order { terminated_on: Some(today), ..begun.clone() }, false),
            // Called off while something is missing; one that is to end later may open yet.
            (Order { terminated_on: Some(today), ..unsigned.clone() }, true),
            (Order { terminated_on: Some(tomorrow), ..unsigned.clone() }, false),
            (Order { terminated_on: Some(today), ..unpaid.clone() }, true),
            (Order { acknowledged_at: None, terminated_on: Some(today), ..begun.clone() }, true),
            // Its term went by.
            (Order { last_day: Some(date(2026, 7, 31)), signed_at: None, ..begun.clone() }, true),
            (Order { last_day: Some(today), signed_at: None, ..begun.clone() }, false),
            (Order { last_day: Some(date(2026, 7, 31)), ..begun }, false),
            // Interrupted, and it may open yet.
            (Order { suspended_at: Some(now), ..whole.clone() }, false),
            (Order { unpaid_since: Some(date(2026, 7, 1)), ..whole.clone() }, false),
        ];
        for (order, expected) in table {
            assert_eq!(Orders(std::slice::from_ref(&order)).is_void(&order, now), expected, "{order:?}");
        }
        // Somebody took its place before anything arrived; an option that nobody signed goes with its subscription.
        let (since, later) = (midnight(START), midnight(date(2027, 9, 1)));
        let replacing = Order { supersedes: Some("b".into()), ..order("c", START) };
        let option = Order { id: "o".into(), kind: Kind::Option { of: "c".into() }, ..unsigned.clone() };
        let orders = [unsigned, replacing, option];
        for (index, now, expected) in [
            (0, now, false),
            (0, since, true),
            (1, since, false),
            (2, since, false),
            (2, later, true),
            (1, later, false),
        ] {
            assert_eq!(Orders(&orders).is_void(&orders[index], now), expected, "{index} {now}");
        }
    }

    #[test]
    fn an_order_has_one_successor_and_those_that_were_called_off_count_for_nothing() {
        let now = midnight(date(2026, 10, 1));
        let old = order("a", START);
        let next = Order { supersedes: Some("a".into()), ..order("b", date(2026, 11, 1)) };
        let off = Order { terminated_on: Some(date(2026, 10, 1)), ..next.clone() };
        let unsigned = Order { signed_at: None, ..next.clone() };
        let never = Order { id: "c".into(), signed_at: None, ..off.clone() };
        let elsewhere = Order { supersedes: Some("z".into()), ..next.clone() };
        let table = [
            (vec![], false),
            (vec![next.clone()], true),
            (vec![unsigned], true),
            (vec![elsewhere], false),
            (vec![off.clone()], false),
            (vec![off.clone(), never.clone()], false),
            (vec![off, Order { id: "d".into(), ..next.clone() }, never], true),
            (vec![Order { suspended_at: Some(now), ..next }], true),
        ];
        for (mut orders, expected) in table {
            orders.insert(0, old.clone());
            assert_eq!(Orders(&orders).is_replaced(&orders[0], now), expected, "{orders:?}");
        }
    }

    #[test]
    fn an_order_opens_its_seats_while_it_is_open_and_none_otherwise() {
        let now = midnight(date(2026, 10, 1));
        let whole = order("a", START);
        let table = [
            (whole.clone(), 10),
            (Order { acknowledged_at: None, ..whole.clone() }, 0),
            (Order { signed_at: None, ..whole.clone() }, 0),
            (Order { suspended_at: Some(now), ..whole.clone() }, 0),
            (Order { unpaid_since: Some(START), ..whole.clone() }, 0),
            (Order { terminated_on: Some(date(2026, 9, 30)), ..whole.clone() }, 0),
            (Order { terminated_on: Some(date(2026, 10, 1)), ..whole }, 10),
            (order("a", date(2026, 10, 2)), 0),
        ];
        for (order, expected) in table {
            assert_eq!(Orders(std::slice::from_ref(&order)).open_seats("a", now), expected, "{order:?}");
            assert_eq!(Orders(&[order]).open_seats("b", now), 0);
        }
    }

    #[test]
    fn all_is_over_when_the_last_contract_is_and_not_before() {
        let fixed = order("a", START);
        let tacit = Order { renewal: Renewal::Tacit, ..order("b", START) };
        let longer = order("c", date(2027, 1, 1));
        let replacing = Order { supersedes: Some("b".into()), ..longer.clone() };
        let option = Order { kind: Kind::Option { of: "a".into() }, ..order("o", START) };
        let stated = Order { last_day: Some(date(2028, 2, 29)), ..option.clone() };
        let unsigned = Order { signed_at: None, ..tacit.clone() };
        let (end, later) = (midnight(date(2027, 9, 1)), midnight(date(2028, 1, 1)));
        let breach = date(2027, 2, 3);
        let broken = Order { suspended_at: Some(midnight(breach)), terminated_on: Some(breach), ..order("x", START) };
        let signed = fixed.signed_at.unwrap();
        let moment = std::time::Duration::from_nanos(1);
        let table = [
            // orders, what was said; when all is over, and whether for a breach
            (vec![], None, (None, false)),
            (vec![unsigned.clone()], None, (None, false)),
            (vec![Order { acknowledged_at: None, ..fixed.clone() }], None, (None, false)),
            (vec![fixed.clone()], None, (Some(end), false)),
            (vec![tacit.clone()], None, (None, false)),
            (vec![fixed.clone(), tacit.clone()], None, (None, false)),
            (vec![fixed.clone(), unsigned], None, (Some(end), false)),
            (vec![fixed.clone(), longer.clone()], None, (Some(later), false)),
            (vec![tacit.clone(), replacing], None, (Some(later), false)),
            (vec![Order { unpaid_since: Some(date(2027, 1, 5)), ..fixed.clone() }], None, (Some(end), false)),
            // An option ends with its subscription, or on a day of its own; alone it is no subscription.
            (vec![fixed.clone(), option], None, (Some(end), false)),
            (vec![fixed.clone(), stated.clone()], None, (Some(midnight(date(2028, 3, 1))), false)),
            (vec![stated], None, (None, false)),
            // What was said is said of what there was.
            (vec![tacit.clone()], Some((breach, signed)), (Some(cut_after(breach)), false)),
            (vec![fixed.clone()], Some((breach, signed)), (Some(cut_after(breach)), false)),
            (vec![fixed.clone()], Some((date(2028, 1, 1), signed)), (Some(end), false)),
            (vec![fixed.clone()], Some((breach, signed - moment)), (Some(end), false)),
            (vec![], Some((breach, signed)), (None, false)),
            // Terminated for a breach, with nothing that goes on, or with something.
            (vec![broken.clone()], None, (Some(cut_after(breach)), true)),
            (vec![broken.clone(), fixed], None, (Some(end), false)),
            (vec![broken, tacit], None, (None, false)),
        ];
        for (orders, said, expected) in table {
            let found = Orders(&orders);
            assert_eq!((found.over_at(said), found.ended_for_breach()), expected, "{said:?} {orders:?}");
        }
    }

    #[test]
    fn a_subscription_is_interrupted_while_a_contract_is_and_none_is_open() {
        let now = midnight(date(2027, 2, 1));
        let end = midnight(date(2027, 9, 1));
        let open = order("a", START);
        let (cut, at) = (midnight(date(2027, 1, 17)), midnight(date(2027, 1, 20)));
        let unpaid = Order { unpaid_since: Some(date(2027, 1, 1)), ..order("b", START) };
        let suspended = Order { suspended_at: Some(at), ..order("c", START) };
        let soon = Order { unpaid_since: Some(date(2027, 1, 30)), ..open.clone() };
        let future = order("d", date(2027, 3, 1));
        let table = [
            (vec![], now, (false, None)),
            (vec![open.clone()], now, (false, Some(end))),
            (vec![unpaid.clone()], now, (true, Some(end))),
            (vec![unpaid.clone()], cut - std::time::Duration::from_nanos(1), (false, Some(cut))),
            (vec![suspended.clone()], now, (true, Some(end))),
            (vec![suspended.clone()], end, (false, None)),
            (vec![soon], now, (false, Some(midnight(date(2027, 2, 15))))),
            (vec![unpaid.clone(), open], now, (false, Some(end))),
            (vec![unpaid, suspended.clone()], now, (true, Some(end))),
            // What opens later opens later.
            (vec![future.clone()], now, (false, Some(midnight(date(2027, 3, 1))))),
            (vec![suspended.clone(), future.clone()], now, (true, Some(midnight(date(2027, 3, 1))))),
            (vec![suspended.clone(), future], midnight(date(2027, 3, 1)), (false, Some(end))),
            (vec![Order { kind: Kind::Option { of: "x".into() }, ..suspended }], now, (false, None)),
        ];
        for (orders, now, expected) in table {
            assert_eq!(Orders(&orders).interrupted(now), expected, "{now} {orders:?}");
        }
    }

    #[test]
    fn the_mode_of_an_order_counts_from_the_instant_it_opens() {
        use crate::seats::mode;
        let switch = date(2027, 3, 1);
        let named = order("a", START);
        let other = Order { mode: Mode::Concurrent, supersedes: Some("a".into()), ..order("b", switch) };
        let unsigned = Order { signed_at: None, ..other.clone() };
        let back = |order: &Order, mode| Order { mode, ..order.clone() };
        let (before, after) = (midnight(switch) - std::time::Duration::from_nanos(1), midnight(switch));
        let table = [
            (vec![named.clone(), unsigned.clone()], [Mode::Named, Mode::Named]),
            (vec![named.clone(), other.clone()], [Mode::Named, Mode::Concurrent]),
            (vec![back(&named, Mode::Concurrent), back(&unsigned, Mode::Named)], [Mode::Concurrent, Mode::Concurrent]),
            (vec![back(&named, Mode::Concurrent), back(&other, Mode::Named)], [Mode::Concurrent, Mode::Named]),
        ];
        for (orders, expected) in table {
            let grants = Orders(&orders).grants("lms");
            assert_eq!([before, after].map(|now| mode(&grants, now)), expected, "{orders:?}");
        }
    }

    proptest! {
        #[test]
        fn a_notice_never_ends_an_order_before_it_was_given_nor_more_than_thirteen_months_later(
            start in 0_i32..3000, given in 0_i32..3000,
        ) {
            let effect_on = add_days(date(2024, 1, 1), start);
            let presented = add_days(effect_on, given);
            let order = Order { renewal: Renewal::Tacit, notice_presented_on: Some(presented), ..order("a", effect_on) };
            let last_day = order.final_day().unwrap();
            prop_assert!(last_day > presented && last_day <= calendar::add_months(presented, 13));
            prop_assert_eq!(order.term_on(last_day).last_day, last_day);
        }
    }
}
