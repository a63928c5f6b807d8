//! Whether somebody may use a portal now: the facts for `policies::admission`. Asked at authorize, and again wherever something is
//! issued, refreshed, told or opened, so that nothing outlives the order, the trial or the course.

use habilis_policies::admission::{self, Closed, Facts, Seat, Window};
use habilis_policies::seats::{self as rules, Mode, Seats, Taken};
use jiff::Timestamp;

use crate::db::sessions::Session;
use crate::db::{Conn, Tx, enrolments, seats};
use crate::oidc::client::Client;
use crate::outcome::Outcome;

/// What somebody holds at one portal, in all their organizations.
#[derive(Debug, Clone, Default)]
pub struct Held {
    seats: Vec<seats::Admissible>,
    openings: Vec<enrolments::Opening>,
}

impl Held {
    /// Whether they may use the portal for `organization` at `now`, and until when.
    ///
    /// # Errors
    /// The reason to show.
    pub fn admits(&self, client: &Client, organization: &str, now: Timestamp) -> Result<Option<Timestamp>, Closed> {
        self.decide(client, (organization, true), now)
    }

    /// The same for somebody who is connected already: it does not matter how many others are.
    ///
    /// # Errors
    /// The reason.
    pub fn lets_stay(&self, client: &Client, organization: &str, now: Timestamp) -> Result<Option<Timestamp>, Closed> {
        self.decide(client, (organization, false), now)
    }

    fn decide(
        &self,
        client: &Client,
        (organization, comes): (&str, bool),
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Closed> {
        let found = self.seats.iter().find(|seat| seat.organization_id == organization);
        let grants = found.map(seats::Admissible::grants).unwrap_or_default();
        let connections_left = found.filter(|_| comes).and_then(|seat| seat.connections_left(now));
        let windows: Vec<Window> = self
            .openings
            .iter()
            .filter(|opening| opening.organization_id == organization)
            .map(enrolments::Opening::window)
            .collect();
        let seat = found.map(|_| Seat { grants: &grants, connections_left });
        admission::decide(client.settings.access(), &Facts { seat, windows: &windows }, now)
    }
}

/// Finds what `person` holds at a portal, of the organization they act for where that is known. The session of theirs is not counted among
/// those that are connected.
///
/// # Errors
/// The database failed.
pub async fn held(
    c: &mut impl Conn,
    client: &Client,
    (person, session, organization): (&str, &str, Option<&str>),
    now: Timestamp,
) -> Outcome<Held> {
    let mut held = Held::default();
    if let Some(product) = &client.settings.product {
        held.seats = seats::admissible(c, (person, product, session), now).await?;
    }
    if client.settings.enrolment {
        held.openings = enrolments::windows(c, (person, &client.id, organization), now).await?;
    }
    Ok(held)
}

/// Counts a session among those that use the portal's product, where an organization bought connections instead of names. False when
/// all are in use: decided with the pool held, so that of fifty at once for ten connections ten get one.
///
/// # Errors
/// The database failed.
pub async fn connect(
    tx: &mut Tx,
    client: &Client,
    (organization, session): (Option<&str>, &Session),
    now: Timestamp,
) -> Outcome<bool> {
    let Some((organization, product)) = counted(tx, client, organization, now).await? else { return Ok(true) };
    let at = (organization, product, session.id.as_str());
    if !has_room(tx, at, now).await? {
        return Ok(false);
    }
    seats::connect(tx, at, now).await?;
    Ok(true)
}

/// What tokens are issued for.
#[derive(Debug, Clone, Copy)]
pub struct Issuing<'a> {
    /// The organization the person acts for.
    pub organization: Option<&'a str>,
    /// The grant, already stored.
    pub grant: &'a str,
    /// The session it was given in.
    pub session: Option<&'a str>,
    /// When the tokens end that are issued now.
    pub until: Timestamp,
}

/// The same for tokens, which outlive a session (`offline_access`, a refresh after the session's end) or never had one (devices): the
/// connection is theirs until they end. Who is connected stays; who was not any more needs one that is left.
///
/// # Errors
/// The database failed.
pub async fn stay_connected(tx: &mut Tx, client: &Client, issuing: Issuing<'_>, now: Timestamp) -> Outcome<bool> {
    let Some((organization, product)) = counted(tx, client, issuing.organization, now).await? else { return Ok(true) };
    let holder = issuing.session.unwrap_or(issuing.grant);
    let at = (organization, product, holder);
    seats::count(tx, (organization, product), 0).await?;
    if !seats::is_connected(tx, at, now).await? && !has_room(tx, at, now).await? {
        return Ok(false);
    }
    seats::lease(tx, (organization, product, issuing.grant), issuing.until).await?;
    Ok(true)
}

/// The organization and product whose connections are counted at the portal; none where seats are by name, or nothing is sold.
///
/// # Errors
/// The database failed.
pub async fn counted<'a>(
    c: &mut impl Conn,
    client: &'a Client,
    organization: Option<&'a str>,
    now: Timestamp,
) -> Outcome<Option<(&'a str, &'a str)>> {
    let (Some(product), Some(organization)) = (client.settings.product.as_deref(), organization) else {
        return Ok(None);
    };
    let by_names = seats::pool(c, organization, product).await?.is_none_or(|pool| pool.mode(now) == Mode::Named);
    Ok((!by_names).then_some((organization, product)))
}

/// Whether a connection is left beside those of others; the pool is held from here on.
async fn has_room(tx: &mut Tx, (organization, product, holder): (&str, &str, &str), now: Timestamp) -> Outcome<bool> {
    let Some(pool) = seats::count(tx, (organization, product), 0).await? else { return Ok(false) };
    let connected = seats::connected(tx, (organization, product, holder), now).await?;
    let taken = Taken::Concurrent { connected: u32::try_from(connected).unwrap_or(u32::MAX) };
    Ok(rules::admit(&Seats { grants: pool.grants(), taken }, 1, now).is_ok())
}
