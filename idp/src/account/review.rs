//! Opening a review of access and writing to those who have to do it (R052, R057).

use habilis_keys::random;
use habilis_policies::calendar;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::membership;
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::members::Member;
use crate::db::organizations::{self, Organization};
use crate::db::reviews::{self, Review};
use crate::db::{Tx, is_unique_violation, members};
use crate::lifecycle::Saying;
use crate::mail;
use crate::mail::organizations::{ReviewLetter, ReviewStage};
use crate::outcome::Outcome;

/// Administrators are reminded so many days before the end.
const REMIND: u16 = 7;

/// Opens a review until `due_on`, tells the administrators, and gives its id; none when one is open. The caller records and commits,
/// or rolls back.
///
/// # Errors
/// The database or a template failed.
pub async fn open(
    tx: &mut Tx,
    app: &App,
    (organization, by, due_on): (&Organization, &str, Date),
    now: Timestamp,
) -> Outcome<Option<(String, u64)>> {
    let opened = insert(tx, (organization, by, due_on), now).await?;
    if let Some((id, _)) = &opened {
        let letter = letter(tx, (id, &organization.name), (ReviewStage::Opened, due_on)).await?;
        let today = calendar::date_at(now).to_string();
        for person in members::administrators(tx, &organization.id, &today).await? {
            mail::write(tx, app, (&person, &letter), now).await?;
        }
    }
    Ok(opened)
}

/// The same when its time has come.
///
/// # Errors
/// The database or a template failed.
pub async fn open_by_schedule(
    saying: &mut Saying<'_>,
    (organization, due_on): (&Organization, Date),
) -> Outcome<Option<(String, u64)>> {
    let opened = insert(saying.tx, (organization, "schedule", due_on), saying.now).await?;
    if let Some((id, _)) = &opened {
        let letter = letter(saying.tx, (id, &organization.name), (ReviewStage::Opened, due_on)).await?;
        saying.to_administrators(&organization.id, &letter).await?;
    }
    Ok(opened)
}

async fn insert(
    tx: &mut Tx,
    (organization, by, due_on): (&Organization, &str, Date),
    now: Timestamp,
) -> Outcome<Option<(String, u64)>> {
    let id = random::id("rev", now);
    let today = calendar::date_at(now).to_string();
    let notice = next_notice(due_on, now).unwrap_or(now);
    let opened = (id.as_str(), organization.id.as_str(), by);
    match reviews::open(tx, opened, (&today, &due_on.to_string(), notice), now).await {
        Err(error) if is_unique_violation(&error) => Ok(None),
        opened => Ok(Some((id, opened?))),
    }
}

/// When the administrators are next written to about a review.
fn next_notice(due_on: Date, now: Timestamp) -> Option<Timestamp> {
    let before = calendar::midnight(calendar::add_days(due_on, -i32::from(REMIND)));
    let after = calendar::cut_after(due_on);
    [before, after].into_iter().find(|at| *at > now)
}

/// Writes to the administrators about an open review: that it is to be signed, or overdue.
///
/// # Errors
/// The database or a template failed.
pub async fn tell(saying: &mut Saying<'_>, (review, stage): (&Review, ReviewStage)) -> Outcome<()> {
    let found = organizations::find(saying.tx, &review.organization_id).await?;
    let Some(organization) = found else { return Ok(()) };
    let letter = letter(saying.tx, (&review.id, &organization.name), (stage, review.due_on.parse()?)).await?;
    saying.to_administrators(&organization.id, &letter).await
}

async fn letter(
    tx: &mut Tx,
    (id, organization): (&str, &str),
    (stage, due_on): (ReviewStage, Date),
) -> Outcome<ReviewLetter> {
    let (total, decided) = reviews::counts(tx, id).await?;
    Ok(ReviewLetter { stage, organization: organization.to_owned(), due_on, left: total - decided })
}

/// How a review is being signed off by a job, in whose name.
#[derive(Debug, Serialize, Deserialize)]
pub struct Signing {
    /// Who signs.
    pub by: String,
    /// What they declare.
    pub statement: String,
    /// Through which client.
    pub client: Option<String>,
    /// From where.
    pub address: Option<String>,
    /// By which request.
    pub request: Option<String>,
    /// The policy that gave leave.
    pub policy: String,
}

impl Signing {
    /// An event of this signature.
    pub fn event(&self, name: &'static str, organization: &str) -> Event {
        let mut event = Event::new(name).by(&self.by).in_organization(organization);
        event.client_id.clone_from(&self.client);
        event.address.clone_from(&self.address);
        event.request_id.clone_from(&self.request);
        event.with("policy", self.policy.clone())
    }
}

/// Carries a decision of a review out, and records it by the event that `event` makes of its name; false when the organization would be
/// without an administrator. The organization is locked; the caller commits.
///
/// # Errors
/// The database or a template failed.
pub async fn carry_out(
    (tx, app): (&mut Tx, &App),
    (review, organization): (&str, &str),
    (member, decision, by): (&Member, &str, &str),
    event: impl Fn(&'static str) -> Event,
    now: Timestamp,
) -> Outcome<bool> {
    let person = member.person_id.as_str();
    let today = calendar::date_at(now);
    if !membership::another_administers(tx, (organization, person), today, now).await? {
        return Ok(false);
    }
    let (name, after) = if decision == "remove" {
        membership::remove(tx, app, (organization, member, by), now).await?;
        ("member.removed", Value::Null)
    } else if member.status == "active" {
        membership::suspend(tx, app, (organization, member), now).await?;
        ("member.status_changed", json!({ "role": member.role, "status": "suspended" }))
    } else {
        return Ok(true);
    };
    let before = json!({ "role": member.role, "status": member.status });
    let event = event(name).about(person).with("review", review).changed(before, after);
    audit::record(tx, event, now).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn administrators_are_written_to_a_week_before_the_end_and_the_day_after() {
        let due_on = date(2027, 3, 31);
        let at = |month, day| calendar::midnight(date(2027, month, day));
        let table =
            [(at(3, 1), Some(at(3, 24))), (at(3, 24), Some(at(4, 1))), (at(3, 31), Some(at(4, 1))), (at(4, 1), None)];
        for (now, next) in table {
            assert_eq!(next_notice(due_on, now), next, "{now}");
        }
    }
}
