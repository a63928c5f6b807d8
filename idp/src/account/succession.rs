//! Carrying a succession out: the successor administers, and who leaves does no more (R053).

use habilis_policies::calendar;
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::json;

use super::membership;
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::members::{self, Member};
use crate::db::organizations::{self, Organization};
use crate::db::successions::Succession;
use crate::db::{Tx, people};
use crate::mail::organizations::SensitiveAct;
use crate::outcome::Outcome;

/// Why a succession cannot be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SuccessionRefusal {
    /// The organization is gone or not active.
    #[error("the organization is not active")]
    NotActive,
    /// The successor cannot administer.
    #[error("the successor is no active member with an open account and a later last day")]
    NoSuccessor,
    /// There would be nobody: the successor's last day has come.
    #[error("nobody would administer the organization")]
    NobodyLeft,
}

/// Whether a member can take over on `day`: their own last day comes later.
pub fn can_administer(member: &Member, day: Date) -> bool {
    let stays = member.ends_on.as_deref().is_none_or(|last| last.parse::<Date>().is_ok_and(|last| last > day));
    stays && member.status == "active" && matches!(member.account_status.as_str(), "active" | "suspended_password")
}

/// Makes the successor an administrator, ends the role of who leaves, and tells the signatories. The caller commits, or rolls back
/// on a refusal.
///
/// # Errors
/// The database or a template failed.
pub async fn carry_out(
    tx: &mut Tx,
    app: &App,
    (succession, by): (&Succession, &str),
    now: Timestamp,
) -> Outcome<Result<(), SuccessionRefusal>> {
    let id = &succession.organization_id;
    members::lock(tx, id).await?;
    let organization = organizations::find(tx, id).await?.filter(|found| found.status == "active");
    let Some(organization) = organization else { return Ok(Err(SuccessionRefusal::NotActive)) };
    let today = calendar::date_at(now);
    let successor = members::find(tx, id, &succession.successor).await?;
    let successor = successor.filter(|member| can_administer(member, today));
    let Some(successor) = successor else { return Ok(Err(SuccessionRefusal::NoSuccessor)) };
    let event = |name| Event::new(name).by(by).in_organization(id).with("succession", succession.id.clone());
    if successor.role != "administrator" {
        members::set_role(tx, (id, &successor.person_id), (&successor.role, "administrator"), now).await?;
        let event = event("member.role_changed").about(&successor.person_id);
        let event = event.changed(json!({ "role": successor.role }), json!({ "role": "administrator" }));
        audit::record(tx, event, now).await?;
    }
    if !membership::another_administers(tx, (id, &succession.leaving), today, now).await? {
        return Ok(Err(SuccessionRefusal::NobodyLeft));
    }
    if let Some(leaving) = members::find(tx, id, &succession.leaving).await? {
        let about = |name| event(name).about(&leaving.person_id);
        if succession.afterwards == "removed" {
            membership::end(tx, app, (id, &leaving, by), now).await?;
            let event = about("member.removed").changed(json!({ "role": leaving.role }), serde_json::Value::Null);
            audit::record(tx, event, now).await?;
        } else if leaving.role == "administrator" {
            members::set_role(tx, (id, &leaving.person_id), ("administrator", "member"), now).await?;
            let event = about("member.role_changed");
            let event = event.changed(json!({ "role": "administrator" }), json!({ "role": "member" }));
            audit::record(tx, event, now).await?;
        }
    }
    audit::record(tx, event("succession.done").about(&succession.successor), now).await?;
    tell(tx, app, (&organization, succession, Stage::Done), now).await?;
    Ok(Ok(()))
}

/// What the signatories are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Somebody asked for it.
    Requested,
    /// It is so.
    Done,
}

/// Tells the signatories about a succession.
///
/// # Errors
/// The database or the template failed.
pub async fn tell(
    tx: &mut Tx,
    app: &App,
    (organization, succession, stage): (&Organization, &Succession, Stage),
    now: Timestamp,
) -> Outcome<()> {
    let mut names = Vec::new();
    for person in [&succession.leaving, &succession.successor] {
        let found = people::find(tx, person).await?;
        names.push(found.map_or_else(|| person.clone(), |it| format!("{} {}", it.given_name, it.family_name)));
    }
    let (leaving, successor) = (names.swap_remove(0), names.swap_remove(0));
    let act = match stage {
        Stage::Requested => SensitiveAct::SuccessionRequested { leaving, successor },
        Stage::Done => SensitiveAct::SuccessionDone { leaving, successor },
    };
    super::signatories::tell(tx, app, (organization, act), now).await
}
