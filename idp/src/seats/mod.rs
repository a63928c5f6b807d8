//! Seats: the one operation by which somebody gets one, and the one by which it is free again (R060, R061, R068).
//!
//! An organization that ordered a product, or tries it, has a pool of its seats. Whoever becomes a member there takes one first:
//! invited, imported, taken in by an offer, brought back. A trigger of the database refuses a member who holds none, so a way in
//! that is added later fails closed.
//!
//! Counting holds the pool's row until the transaction ends: of fifty who come at once for ten seats ten get one, on both
//! engines and on however many nodes. What the orders open is computed when an order changes, and kept with the pool; whether it is
//! open now is a question of the clock alone.

pub mod admission;
pub mod letters;
pub mod requests;

use habilis_policies::orders::{Moment, Order, Orders};
use habilis_policies::restitution::removal;
use habilis_policies::seats::{self as rules, Grant, Level, Mode, Seats, SeatsExhausted, Taken};
use habilis_policies::trials::{self as trial_rules, TrialState};
use jiff::Timestamp;

use crate::api_keys;
use crate::db::seats::{self, Happened, Pool, Seat};
use crate::db::{
    Tx, contract_moments, data_returns, members, orders as order_rows, organizations, people, subscription_ends, trials,
};
use crate::mail::Post;
use crate::outcome::Outcome;

/// Whether a seat is somebody's, or held for them until they take up an invitation or an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// By an invitation or an offer.
    Held,
    /// Theirs.
    Assigned,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Assigned => "assigned",
        }
    }
}

/// Somebody who is to have seats.
#[derive(Debug, Clone, Copy)]
pub struct Taking<'a> {
    /// Where.
    pub organization: &'a str,
    /// Who.
    pub person: &'a str,
    /// Of what; none for the only product that the organization has, or for nothing when they hold a seat already.
    pub products: Option<&'a [String]>,
    /// See [`State`].
    pub state: State,
    /// Who does it.
    pub by: &'a str,
    /// Why, in a word: `invited`, `offered`, `imported`…
    pub reason: &'a str,
    /// Seats that the order will add whose form names this person as administrator: they are invited before it opens (R022).
    pub initial_of: Option<u32>,
}

impl<'a> Taking<'a> {
    /// Somebody who comes back to an organization where they may have lost their seat.
    pub fn again((organization, person): (&'a str, &'a str), state: State, reason: &'a str) -> Self {
        Self { organization, person, products: None, state, by: person, reason, initial_of: None }
    }

    /// The same, by somebody else.
    #[must_use]
    pub fn by(self, by: &'a str) -> Self {
        Self { by, ..self }
    }
}

/// Why somebody gets no seat.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SeatRefusal {
    /// Every seat that orders open now is taken (R060).
    #[error("every seat of {product} is taken: {} of {}", .figures.taken, .figures.limit)]
    LimitReached {
        /// Of what.
        product: String,
        /// Limit and seats taken.
        figures: SeatsExhausted,
    },
    /// The organization has several products: which one is it to be?
    #[error("the organization has several products: say which the seat is of, {}", .0.join(", "))]
    ProductUnnamed(Vec<String>),
    /// The organization has no such product.
    #[error("the organization has no product {0}")]
    NoSuchProduct(String),
}

/// Gives somebody their seats, and tells the administrators when few or none are left. Who sits already keeps their seat. A refusal
/// leaves everything as it was.
///
/// # Errors
/// The database or a template failed.
pub async fn take(
    tx: &mut Tx,
    post: Post<'_>,
    taking: &Taking<'_>,
    now: Timestamp,
) -> Outcome<Result<(), SeatRefusal>> {
    let products = match wanted(tx, taking, now).await? {
        Ok(products) => products,
        Err(refusal) => return Ok(Err(refusal)),
    };
    // All are counted before anybody sits, so that a refusal has nothing to undo but the count.
    let mut counted = Vec::new();
    for product in &products {
        let at = (taking.organization, product.as_str());
        let Some(pool) = seats::count(tx, at, 1).await? else { continue };
        let refused = refused(&pool, taking.initial_of, now);
        counted.push(pool);
        if let Some(figures) = refused {
            for pool in &counted {
                seats::count(tx, (&pool.organization_id, &pool.product_id), -1).await?;
            }
            return Ok(Err(SeatRefusal::LimitReached { product: product.clone(), figures }));
        }
    }
    for pool in &counted {
        let at = (pool.organization_id.as_str(), pool.product_id.as_str());
        seats::sit(tx, at, (taking.person, taking.state.word()), now).await?;
        tell(tx, at, (taking.person, taking.state.word()), (taking.by, taking.reason), now).await?;
        level(tx, post, pool, now).await?;
        // Who is yet to come asked for nothing.
        if taking.state == State::Assigned {
            requests::settle(tx, post, (at.0, at.1, taking.person), taking.by, now).await?;
        }
    }
    Ok(Ok(()))
}

/// Says whether there are seats for somebody who is not there yet, and holds their pools until the transaction ends, so that
/// [`take`] finds them.
///
/// # Errors
/// The database failed.
pub async fn check(tx: &mut Tx, taking: &Taking<'_>, now: Timestamp) -> Outcome<Result<(), SeatRefusal>> {
    let products = match wanted(tx, taking, now).await? {
        Ok(products) => products,
        Err(refusal) => return Ok(Err(refusal)),
    };
    for product in products {
        let Some(mut pool) = seats::count(tx, (taking.organization, &product), 0).await? else { continue };
        pool.taken += 1;
        if let Some(figures) = refused(&pool, taking.initial_of, now) {
            return Ok(Err(SeatRefusal::LimitReached { product, figures }));
        }
    }
    Ok(Ok(()))
}

/// The products somebody is to sit in and does not yet, in the order in which pools are locked.
async fn wanted(tx: &mut Tx, taking: &Taking<'_>, now: Timestamp) -> Outcome<Result<Vec<String>, SeatRefusal>> {
    let pools = seats::pools(tx, taking.organization).await?;
    if pools.is_empty() && taking.products.is_none() {
        return Ok(Ok(Vec::new()));
    }
    // Held until the end: otherwise the same person may be seated by two at once, and counted twice.
    people::lock(tx, taking.person).await?;
    let held = seats::of_member(tx, taking.organization, taking.person).await?;
    let mut products: Vec<String> = match taking.products {
        Some(named) => {
            let unknown = named.iter().find(|name| !pools.iter().any(|pool| pool.product_id == **name));
            if let Some(unknown) = unknown {
                return Ok(Err(SeatRefusal::NoSuchProduct(unknown.clone())));
            }
            named.to_vec()
        }
        None if !held.is_empty() => Vec::new(),
        None => match only(&pools, now) {
            Ok(products) => products,
            Err(refusal) => return Ok(Err(refusal)),
        },
    };
    products.retain(|product| !held.iter().any(|seat| seat.product_id == *product));
    products.sort_unstable();
    products.dedup();
    Ok(Ok(products))
}

/// What somebody takes a seat of who names nothing: the only product that is open, or the only one.
fn only(pools: &[Pool], now: Timestamp) -> Result<Vec<String>, SeatRefusal> {
    let is_open = |pool: &&Pool| pool.grants().iter().any(|grant| grant.is_open(now));
    let open: Vec<_> = pools.iter().filter(is_open).collect();
    match (&open[..], pools) {
        (_, []) => Ok(Vec::new()),
        ([only], _) => Ok(vec![only.product_id.clone()]),
        ([], [only]) => Ok(vec![only.product_id.clone()]),
        _ => Err(SeatRefusal::ProductUnnamed(pools.iter().map(|pool| pool.product_id.clone()).collect())),
    }
}

/// What a newcomer takes a seat of in an organization; `named` products, or the only one.
///
/// # Errors
/// The database failed.
pub async fn products_of_newcomer(
    tx: &mut Tx,
    organization: &str,
    named: Option<&[String]>,
    now: Timestamp,
) -> Outcome<Result<Vec<String>, SeatRefusal>> {
    let pools = seats::pools(tx, organization).await?;
    let Some(named) = named else { return Ok(only(&pools, now)) };
    Ok(match named.iter().find(|name| !pools.iter().any(|pool| pool.product_id == **name)) {
        Some(unknown) => Err(SeatRefusal::NoSuchProduct(unknown.clone())),
        None => Ok(named.to_vec()),
    })
}

/// Counts many seats of a product at once, for people who all sit down or none; the pool is held until the transaction ends. Where there
/// are fewer, gives how many there are, and counts nothing. The caller has them sit, and looks at the level.
///
/// # Errors
/// The database failed.
pub async fn count_many(
    tx: &mut Tx,
    (organization, product): (&str, &str),
    wanted: i64,
    now: Timestamp,
) -> Outcome<Result<(), i64>> {
    let at = (organization, product);
    let Some(pool) = seats::count(tx, at, 0).await? else { return Ok(Err(0)) };
    let figures = Seats { grants: pool.grants(), taken: taken(u32::try_from(pool.taken).unwrap_or(u32::MAX)) };
    let admitted = rules::admit(&figures, u32::try_from(wanted).unwrap_or(u32::MAX), now);
    if let (Mode::Named, Err(full)) = (pool.mode(now), admitted) {
        return Ok(Err(i64::try_from(full.limit.saturating_sub(full.taken)).unwrap_or(i64::MAX)));
    }
    seats::count(tx, at, wanted).await?;
    Ok(Ok(()))
}

/// Whether the seat that was counted last is one too many.
fn refused(pool: &Pool, initial_of: Option<u32>, now: Timestamp) -> Option<SeatsExhausted> {
    let before = u32::try_from(pool.taken - 1).unwrap_or(u32::MAX);
    if pool.mode(now) == Mode::Concurrent {
        return None;
    }
    let mut seats = Seats { grants: pool.grants(), taken: taken(before) };
    // Whom an order names is invited before it opens: what it will add counts for them.
    seats.grants.extend(initial_of.map(|seats| Grant { seats, mode: Mode::Named, from: Timestamp::MIN, until: None }));
    rules::admit(&seats, 1, now).err()
}

fn taken(seats: u32) -> Taken {
    Taken::Named { active: seats, suspended: 0, pending: 0 }
}

/// Turns the seats held for somebody, in one organization or (`""`) in all, into theirs: they took up the invitation, or the offer.
///
/// # Errors
/// The database failed.
pub async fn taken_up(tx: &mut Tx, person: &str, organization: &str, now: Timestamp) -> Outcome<()> {
    for seat in seats::assign(tx, person, organization, now).await? {
        let at = (seat.organization_id.as_str(), seat.product_id.as_str());
        tell(tx, at, (person, "assigned"), (person, "taken_up"), now).await?;
    }
    Ok(())
}

/// Frees the seats of somebody in an organization, of one product or of all; gives how many. `why` says who does it, and why in a word.
///
/// # Errors
/// The database failed.
pub async fn release(
    tx: &mut Tx,
    (organization, person): (&str, &str),
    product: Option<&str>,
    why: (&str, &str),
    now: Timestamp,
) -> Outcome<usize> {
    let mut freed = 0;
    for seat in seats::of_member(tx, organization, person).await? {
        if product.is_none_or(|product| product == seat.product_id) {
            freed += usize::from(free(tx, &seat, why, now).await?);
        }
    }
    Ok(freed)
}

async fn free(tx: &mut Tx, seat: &Seat, why: (&str, &str), now: Timestamp) -> Outcome<bool> {
    let at = (seat.organization_id.as_str(), seat.product_id.as_str());
    let Some(pool) = seats::count(tx, at, -1).await? else { return Ok(false) };
    if !seats::free(tx, at, &seat.person_id).await? {
        seats::count(tx, at, 1).await?;
        return Ok(false);
    }
    tell(tx, at, (&seat.person_id, "released"), why, now).await?;
    let now_at = level_of(&pool, now);
    if now_at != Level::Closed && now_at < pool.noticed() {
        seats::noticed(tx, at, now_at).await?;
    }
    Ok(true)
}

/// Frees a seat that is held for an invitation or an offer which nobody can take any more; false when somebody was faster, or it was
/// renewed meanwhile.
///
/// # Errors
/// The database failed.
pub async fn lapse(tx: &mut Tx, seat: &Seat, now: Timestamp) -> Outcome<bool> {
    // The pool first: who renews the invitation holds it, too.
    seats::count(tx, (&seat.organization_id, &seat.product_id), 0).await?;
    if !seats::is_held_for_nobody(tx, seat, now).await? {
        return Ok(false);
    }
    free(tx, seat, ("lifecycle", "lapsed"), now).await
}

/// Why a seat is not handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TransferRefusal {
    /// Who is to give it over holds none.
    #[error("the first holds no seat of the product")]
    NotHeld,
    /// Who is to take it over holds one.
    #[error("the second holds a seat of the product already")]
    HeldAlready,
}

/// Hands a seat from one to another: it is counted, shown and kept in the history, because a seat that is passed around is a shared
/// credential (R068).
///
/// # Errors
/// The database or a template failed.
pub async fn transfer(
    tx: &mut Tx,
    post: Post<'_>,
    (organization, product): (&str, &str),
    (from, to, state): (&str, &str, State),
    why: (&str, &str),
    now: Timestamp,
) -> Outcome<Result<(), TransferRefusal>> {
    let at = (organization, product);
    seats::count(tx, at, 0).await?;
    if seats::of_member(tx, organization, to).await?.iter().any(|seat| seat.product_id == product) {
        return Ok(Err(TransferRefusal::HeldAlready));
    }
    if !seats::free(tx, at, from).await? {
        return Ok(Err(TransferRefusal::NotHeld));
    }
    seats::sit(tx, at, (to, state.word()), now).await?;
    seats::count_transfer(tx, at).await?;
    for (person, event, other) in [(from, "given_over", to), (to, "taken_over", from)] {
        let (by, reason) = why;
        let happened = Happened { organization, product, person, event, other: Some(other), by, reason };
        seats::tell(tx, &happened, now).await?;
    }
    requests::settle(tx, post, (organization, product, to), why.0, now).await?;
    Ok(Ok(()))
}

/// Writes into the history that seats are held for somebody who was seated with many others, since when they are. One that was given back
/// before it was told of, as [`release`] tells, was nobody's.
///
/// # Errors
/// The database failed.
pub async fn tell_held(
    tx: &mut Tx,
    (organization, person): (&str, &str),
    products: &[String],
    why: (&str, &str),
) -> Outcome<()> {
    for seat in seats::of_member(tx, organization, person).await? {
        if products.contains(&seat.product_id) {
            let at = (organization, seat.product_id.as_str());
            tell(tx, at, (person, State::Held.word()), why, seat.since.into()).await?;
        }
    }
    Ok(())
}

async fn tell(
    tx: &mut Tx,
    (organization, product): (&str, &str),
    (person, event): (&str, &str),
    (by, reason): (&str, &str),
    now: Timestamp,
) -> Outcome<()> {
    let happened = Happened { organization, product, person, event, other: None, by, reason };
    Ok(seats::tell(tx, &happened, now).await?)
}

/// How full a pool is at `now`; one of connections is never full of names.
pub fn level_of(pool: &Pool, now: Timestamp) -> Level {
    if pool.mode(now) == Mode::Concurrent {
        return Level::Free;
    }
    let taken = taken(u32::try_from(pool.taken).unwrap_or(u32::MAX));
    Seats { grants: pool.grants(), taken }.level(now)
}

/// Tells the administrators when a pool has become fuller than they know, once a level.
async fn level(tx: &mut Tx, post: Post<'_>, pool: &Pool, now: Timestamp) -> Outcome<()> {
    let level = level_of(pool, now);
    // Nothing is open: that is told by the letters of the orders, and what was told of the seats stays told.
    if level == Level::Closed || level == pool.noticed() {
        return Ok(());
    }
    seats::noticed(tx, (&pool.organization_id, &pool.product_id), level).await?;
    match level.notice_since(pool.noticed()) {
        Some(level) => letters::level(tx, post, (pool, level), now).await,
        None => Ok(()),
    }
}

/// Computes again what the orders and trials of an organization open, product by product, and when something is due about them; tells
/// the administrators when that leaves too few seats, and lets no key outlive them. Called in the transaction of whatever changed them; holds the organization, so that
/// of two changes at once the later one sees the earlier.
///
/// # Errors
/// The database or a template failed.
pub async fn refresh(tx: &mut Tx, post: Post<'_>, organization: &str, now: Timestamp) -> Outcome<()> {
    // INVARIANT: what is written below is computed from what is read below, by one transaction at a time.
    members::lock(tx, organization).await?;
    let rows = order_rows::all(tx, organization).await?;
    let tried = trials::of_organization(tx, organization).await?;
    let all: Vec<_> = rows.iter().map(order_rows::Order::rule).collect();
    for rule in &all {
        plan(tx, organization, (rule, &all), now).await?;
    }
    for trial in &tried {
        let converted = trial.rule().state(&trial.product_id, &all, now) == TrialState::Converted;
        let due = if converted { &[][..] } else { &[("ends", trial.rule().closes_at())] };
        contract_moments::set(tx, ("trial", &trial.id, organization), due, now).await?;
    }
    let mut products: Vec<&str> = rows.iter().map(|row| row.product_id.as_str()).collect();
    products.extend(tried.iter().map(|trial| trial.product_id.as_str()));
    products.sort_unstable();
    products.dedup();
    for product in products {
        let trial = tried.iter().find(|trial| trial.product_id == product).map(|trial| (trial.rule(), trial.seats()));
        let grants = trial_rules::grants(&Orders(&all), trial.as_ref().map(|(rule, seats)| (rule, *seats)), product);
        seats::ensure_pool(tx, (organization, product), &grants, now).await?;
        if let Some(pool) = seats::pool(tx, organization, product).await? {
            level(tx, post, &pool, now).await?;
        }
    }
    set_over(tx, (organization, &all)).await?;
    api_keys::follow_subscription(tx, (organization, &all), now).await.map(drop)
}

/// Keeps when all that an organization subscribed to or tries is over, for who asks for its data (R087). The caller holds the organization.
///
/// # Errors
/// The database failed.
pub async fn set_over(tx: &mut Tx, (organization, all): (&str, &[Order])) -> Outcome<()> {
    let said = subscription_ends::said(tx, organization).await?;
    let tried = trials::of_organization(tx, organization).await?;
    let trials_close = tried.iter().map(|trial| trial.rule().closes_at()).max();
    let over_at = Orders(all).over_at(said).map(|at| at.max(trials_close.unwrap_or(at)));
    Ok(organizations::set_over_at(tx, organization, over_at).await?)
}

/// Says when something is due about an order, among all orders of its organization.
///
/// # Errors
/// The database failed.
pub async fn plan(tx: &mut Tx, organization: &str, (order, all): (&Order, &[Order]), now: Timestamp) -> Outcome<()> {
    let mut due: Vec<_> = Orders(all).moments(order, now).into_iter().map(|(moment, at)| (moment.name(), at)).collect();
    if let Some((_, at)) = due.iter_mut().find(|(moment, _)| *moment == Moment::Purges.name()) {
        *at = removal(*at, data_returns::find(tx, organization).await?.kept_until());
    }
    Ok(contract_moments::set(tx, ("order", &order.id, organization), &due, now).await?)
}

/// Tells the administrators of a pool that is fuller than they know: an order ended.
///
/// # Errors
/// The database or a template failed.
pub async fn look_at_level(
    tx: &mut Tx,
    post: Post<'_>,
    (organization, product): (&str, &str),
    now: Timestamp,
) -> Outcome<()> {
    match seats::count(tx, (organization, product), 0).await? {
        Some(pool) => level(tx, post, &pool, now).await,
        None => Ok(()),
    }
}
