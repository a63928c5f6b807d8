//! The kill switch (R033): one call closes all users, sessions, tokens and keys of an organization. Each of its people comes back
//! by renewing the password through a link.

use habilis_policies::api_keys::Event as Happening;
use jiff::Timestamp;

use crate::account::signatories;
use crate::api_keys::happened_to_organization;
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::organizations::Organization;
use crate::db::{Tx, clients, members, organizations};
use crate::mail::incidents;
use crate::mail::organizations::SensitiveAct;
use crate::outcome::Outcome;

/// What was closed.
#[derive(Debug, Clone)]
pub struct Closed {
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
    let (people, sessions, grants) = members::open(tx, id, now).await?;
    organizations::close(tx, id, now).await?;
    let keys = happened_to_organization(tx, app, (id, Happening::KillSwitch, by), now).await?;
    let api_clients = clients::suspend_of_organization(tx, id, now).await?;
    let closed = Closed { people, sessions, grants, api_keys: i64::try_from(keys).unwrap_or(i64::MAX), api_clients };
    let act = SensitiveAct::KillSwitch { person: signatories::actor(tx, by).await?, people };
    for duty in ["signatory", "dpo"] {
        signatories::tell_duty(tx, app, (organization, duty, act.clone()), now).await?;
    }
    incidents::tell_dpo_of_kill_switch(tx, app, (organization, people), now).await?;
    let event = event
        .about(id)
        .with("people", closed.people)
        .with("sessions", closed.sessions)
        .with("grants", closed.grants)
        .with("api_keys", closed.api_keys)
        .with("api_clients", closed.api_clients.clone());
    audit::record(tx, event, now).await?;
    Ok(closed)
}
