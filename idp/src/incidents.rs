//! Incidents: what was reported goes into the queue of the data protection officer and is mailed to them, in one transaction (R032, R034).

use habilis_keys::random;
use jiff::Timestamp;

use crate::app::App;
use crate::db::clients::{self, MANAGES_ALL};
use crate::db::incidents::{self, NewIncident};
use crate::db::people::{self, Person};
use crate::db::{Tx, organizations};
use crate::mail::incidents::{About, Account, IncidentLetter, tell};
use crate::mail::letters::device;
use crate::outcome::Outcome;
use crate::web::Origin;

/// Who reported an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The person concerned.
    Person,
    /// An administrator of an organization, or its API client.
    Administrator,
    /// The operator's staff, or its automation.
    Operator,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Administrator => "administrator",
            Self::Operator => "operator",
        }
    }

    /// Of whoever acted upon an organization, a person or a client.
    ///
    /// # Errors
    /// The database failed.
    pub async fn of(tx: &mut Tx, by: &str) -> Outcome<Self> {
        let operator = match people::find(tx, by).await? {
            Some(person) => person.operator,
            None => clients::manages(tx, by).await?.as_deref() == Some(MANAGES_ALL),
        };
        Ok(if operator { Self::Operator } else { Self::Administrator })
    }
}

/// Whom an incident concerns, and who reports it.
#[derive(Debug, Clone, Copy)]
pub struct Reported<'a> {
    /// Who reports.
    pub kind: Kind,
    /// The person or client who does.
    pub by: &'a str,
    /// The person concerned.
    pub person: Option<&'a str>,
    /// The organization concerned. The caller holds it.
    pub organization: Option<&'a str>,
}

/// Puts an incident into the queue and writes to the data protection officer; gives its id. The caller records the line of the audit
/// trail, and commits.
///
/// # Errors
/// The database or the template failed.
pub async fn open(tx: &mut Tx, app: &App, (of, about): (Reported<'_>, About), now: Timestamp) -> Outcome<String> {
    let id = random::id("inc", now);
    let new = NewIncident {
        id: &id,
        kind: of.kind.name(),
        cause: about.cause(),
        person: of.person,
        organization: of.organization,
        description: about.description(),
        by: of.by,
    };
    incidents::insert(tx, &new, now).await?;
    let letter = IncidentLetter { about, incident: id.clone(), at: now, unappointed: false };
    tell(tx, app, letter, now).await?;
    Ok(id)
}

/// The same for what a person reported of their own account, in whichever way `about` says.
///
/// # Errors
/// The database or the template failed.
pub async fn of_account(
    tx: &mut Tx,
    app: &App,
    (person, origin): (&Person, &Origin),
    about: fn(Account) -> About,
    now: Timestamp,
) -> Outcome<String> {
    let memberships = organizations::of_person(tx, &person.id, now).await?;
    let names: Vec<String> = memberships.into_iter().map(|membership| membership.name).collect();
    let account = Account {
        person: format!("{} {}, {}", person.given_name, person.family_name, person.id),
        organizations: names.join(", "),
        device: device(&origin.user_agent),
        address: origin.address.to_string(),
    };
    // The organizations are named in the mail alone: to hold them here would be to wait for them with the person in hand.
    let of = Reported { kind: Kind::Person, by: &person.id, person: Some(&person.id), organization: None };
    open(tx, app, (of, about(account)), now).await
}
