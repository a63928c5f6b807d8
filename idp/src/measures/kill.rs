//! The kill switch (R033): one call closes all users, sessions, tokens and keys of an organization. Each of its people comes back
//! by renewing the password through a link. Whoever was let in but has not come yet stays out: invitations, offers, imports and
//! successions end with it, or somebody with an administrator's session would leave an accomplice behind.

use habilis_policies::api_keys::Event as Happening;
use jiff::Timestamp;

use crate::account::signatories;
use crate::api_keys::happened_to_organization;
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::organizations::Organization;
use crate::db::{Tx, clients, jobs, members, membership_offers, organizations, seat_requests, successions};
use crate::incidents::{self, Kind, Reported};
use crate::jobs::imports::APPLY;
use crate::lifecycle::seats;
use crate::mail::incidents::About;
use crate::mail::organizations::SensitiveAct;
use crate::outcome::Outcome;

/// Offers whose seats are freed with the switch itself. Those of more go with the daily look at seats held for nobody.
const FREED_AT_ONCE: usize = 500;

/// What was closed.
#[derive(Debug, Clone)]
pub struct Closed {
    /// When: whatever was made until then is dead.
    pub at: Timestamp,
    /// Accounts that a renewed password opens again.
    pub people: i64,
    /// Their sessions.
    pub sessions: i64,
    /// What they had granted, with the tokens of it.
    pub grants: i64,
    /// API keys of the organization.
    pub api_keys: i64,
    /// Its API clients, by id: suspended until the operator opens them again.
    pub api_clients: Vec<String>,
    /// Invitations whose link opens no account any more.
    pub invitations: i64,
    /// Memberships that were offered.
    pub offers: usize,
    /// Imports that waited or ran: they let nobody in any more.
    pub imports: i64,
    /// Successions that waited for an approval or their day.
    pub successions: u64,
}

/// Closes everything of `organization`, tells its signatories, its data protection contacts and the operator's data protection
/// officer, and records `event`. The caller commits; afterwards the node forgets API keys and lets the rows follow.
///
/// The operator's staff keeps its accounts: what they granted for the organization ends, their passwords are not its affair.
///
/// # Errors
/// The database or a template failed.
pub async fn close(
    tx: &mut Tx,
    app: &App,
    (organization, by, event): (&Organization, &str, Event),
    now: Timestamp,
) -> Outcome<Closed> {
    let id = organization.id.as_str();
    members::lock(tx, id).await?;
    // Whoever held the organization until now may have come after the request began; what they made is older than this.
    let now = now.max(app.clock.now());
    let invitations = members::open_invitations(tx, id, now).await?;
    let imports = jobs::unfinished_of_kind(tx, id, APPLY).await?;
    let successions = successions::close(tx, id, (by, "kill_switch"), now).await?;
    let seat_requests = seat_requests::withdraw_of_organization(tx, id, now).await?;
    let (people, sessions, grants) = members::open(tx, id, now).await?;
    organizations::close(tx, id, now).await?;
    let keys = happened_to_organization(tx, app, (id, Happening::KillSwitch, by), now).await?;
    let api_clients = clients::suspend_of_organization(tx, id, now).await?;
    let offers = close_offers(tx, id, now).await?;
    let api_keys = i64::try_from(keys).unwrap_or(i64::MAX);
    let closed =
        Closed { at: now, people, sessions, grants, api_keys, api_clients, invitations, offers, imports, successions };
    let act = SensitiveAct::KillSwitch { person: signatories::acted(tx, &app.config, by).await?, people };
    for duty in ["signatory", "dpo"] {
        signatories::tell_duty(tx, app, (organization, duty, act.clone()), now).await?;
    }
    let of = Reported { kind: Kind::of(tx, by).await?, by, person: None, organization: Some(id) };
    let about = About::KillSwitch { organization: format!("{}, {id}", organization.name), people };
    let incident = incidents::open(tx, app, (of, about), now).await?;
    let event = event
        .about(id)
        .with("incident", incident)
        .with("people", closed.people)
        .with("sessions", closed.sessions)
        .with("grants", closed.grants)
        .with("api_keys", closed.api_keys)
        .with("api_clients", closed.api_clients.clone())
        .with("invitations", closed.invitations)
        .with("offers", closed.offers)
        .with("imports", closed.imports)
        .with("successions", closed.successions)
        .with("seat_requests", seat_requests);
    audit::record(tx, event, now).await?;
    Ok(closed)
}

/// Withdraws what was offered, and frees the seats that were held for it; says how many offers.
async fn close_offers(tx: &mut Tx, organization: &str, now: Timestamp) -> Outcome<usize> {
    let offered = membership_offers::close(tx, organization, now).await?;
    for person in offered.iter().take(FREED_AT_ONCE) {
        seats::release_held(tx, (organization, person), now).await?;
    }
    Ok(offered.len())
}
