//! Memberships with a last day, as externals have one (R056): the administrators are reminded 30 and 7 days before; from 00:00 in
//! Paris of the day after, what the person has open ends, and the API keys that they issued are looked after.
//!
//! A last day is not put off because nobody else administers: access from outside ends (R056). But the reminders say so, to the
//! signatories too, who are told as well when it has come (R053, R055); the line of the trail counts who is left.
//!
//! The day itself needs no run: each use looks at it. The row stays, so that the administrators see who was there and may set
//! another last day.

use habilis_policies::api_keys::Event as Happening;
use habilis_policies::calendar;
use habilis_policies::reminders::{Ladder, Notice};
use jiff::Timestamp;
use serde_json::json;

use super::{Concerns, Ended, Facts, Kind, Page, Row, Saying};
use crate::account::{membership, signatories};
use crate::api_keys::happened_to_issuer;
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::members::{self, Ending};
use crate::db::{At, Conn, Tx, contacts, organizations};
use crate::mail::organizations::{Afterwards, MembershipEnds};
use crate::mail::{self, Recipient};
use crate::outcome::Outcome;
use crate::web::text::Locale;

/// See the module.
pub(super) struct Memberships;

impl Row for Ending {
    fn place(&self) -> (At, &str) {
        (self.look_at, &self.place)
    }
}

impl Kind for Memberships {
    const NAME: &'static str = "membership";
    const AT_THE_END: &'static str = "the membership gives no access any more";
    type Row = Ending;

    async fn due<C: Conn>(c: &mut C, _: &App, page: Page<'_>) -> Outcome<Vec<Ending>> {
        Ok(members::to_look_at(c, page.until, page.after, page.limit).await?)
    }

    async fn facts<C: Conn>(_: &mut C, _: &App, rows: &[&Ending], _: Timestamp) -> Outcome<Vec<Option<Facts>>> {
        rows.iter().map(|member| facts(member)).collect()
    }

    async fn plan(tx: &mut Tx, looks: &[(&Ending, Option<Timestamp>)]) -> Outcome<usize> {
        let mut moved = 0;
        for (member, next) in looks {
            moved += usize::from(members::looked_at(tx, member, *next).await?);
        }
        Ok(moved)
    }

    async fn remind(saying: &mut Saying<'_>, member: &Ending, _: &Facts, notice: Notice) -> Outcome<()> {
        let (organization, last_day) = (member.organization_id.as_str(), member.ends_on.parse()?);
        let of = (organization, member.person_id.as_str());
        let day_after = calendar::add_days(last_day, 1);
        let somebody = membership::another_administers(saying.tx, of, day_after, saying.now).await?;
        let afterwards = if somebody { Afterwards::Somebody } else { Afterwards::Nobody };
        let letter = MembershipEnds {
            organization: member.organization.clone(),
            person: format!("{} {}", member.given_name, member.family_name),
            last_day,
            days: notice.days_left,
            afterwards,
        };
        if afterwards == Afterwards::Nobody {
            for contact in contacts::of_duty(saying.tx, organization, "signatory").await? {
                let to =
                    Recipient { address: &contact.email, person: contact.person_id.as_deref(), locale: Locale::Fr };
                mail::write_to(saying.tx, saying.app.into(), (&to, &letter), (saying.now, saying.now)).await?;
            }
        }
        saying.to_administrators(&member.organization_id, &letter).await?;
        let event = Event::new("member.end_reminder_sent").about(&member.person_id);
        let event = event.in_organization(&member.organization_id).with("rung", notice.rung);
        Ok(audit::record(saying.tx, event, saying.now).await?)
    }

    async fn end(saying: &mut Saying<'_>, member: &Ending, _: &Facts) -> Outcome<Ended> {
        let (organization, person, now) = (member.organization_id.as_str(), member.person_id.as_str(), saying.now);
        membership::end_access_unless_elsewhere(saying.tx, (organization, person), now).await?;
        let issuer = (person, Some(organization), Happening::IssuerRemoved);
        happened_to_issuer(saying.tx, saying.app, issuer, now).await?;
        members::look_at_password(saying.tx, person).await?;
        let mut event = Event::new("member.ended").about(person).in_organization(organization);
        if member.role == "administrator" {
            let mut left = members::heads(saying.tx, organization, &calendar::date_at(now).to_string()).await?;
            left.retain(|one| !one.waits);
            event = event.with("administrators_left", left.len());
            if let Some(found) = organizations::find(saying.tx, organization).await? {
                signatories::administrator_changed(saying.tx, saying.app, (&found, person), now).await?;
            }
        }
        let was = json!({ "role": member.role, "ends_on": member.ends_on });
        audit::record(saying.tx, event.changed(was, serde_json::Value::Null), now).await?;
        Ok(Ended::Done)
    }

    async fn waiting<C: Conn>(c: &mut C, _: &App) -> Outcome<(i64, Option<Timestamp>)> {
        let (count, next) = members::waiting_to_end(c).await?;
        Ok((count, next.map(Timestamp::from)))
    }
}

fn facts(member: &Ending) -> Outcome<Option<Facts>> {
    if member.status != "active" {
        return Ok(None);
    }
    let after = calendar::cut_after(member.ends_on.parse()?);
    Ok(Some(Facts {
        subject: format!("{}/{}", member.organization_id, member.person_id),
        concerns: Concerns::Organization(member.organization_id.clone()),
        due: after,
        since: member.updated_at.max(member.created_at).into(),
        ladder: Ladder::MEMBERSHIP,
        end: Some(after),
    }))
}
