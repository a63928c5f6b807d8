//! `habilis organization member`, `suspend` and `resume`: who belongs to an organization and on which terms, from the operator's
//! command line.

use habilis_policies::calendar;
use habilis_policies::memberships::{ACTIVE, check_end};
use jiff::civil::Date;
use serde_json::{Value, json};

use super::person::one;
use super::{master_key, say};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::audit::{self, Event};
use crate::db::organizations::{self, Terms};
use crate::db::{Db, clients};
use crate::mail::Post;
use crate::measures::{self, Decision, Refused, Subject};
use crate::outcome::{Fault, Outcome};
use crate::seats::{self, State, Taking};

/// Options of `habilis organization member`.
#[derive(Debug, clap::Args)]
pub(super) struct Change {
    /// `org_…`.
    organization: String,
    /// Who: id, login or mail address.
    person: String,
    /// Their role there.
    #[arg(long, value_parser = ["member", "administrator"])]
    role: Option<String>,
    /// By what right they act for it; `none` for somebody who may not.
    #[arg(long, value_parser = ["legal_representative", "delegation", "invitation", "none"])]
    mandate: Option<String>,
    /// `external` for subcontractors and other people from outside: they need a last day.
    #[arg(long, value_parser = ["employee", "external"])]
    affiliation: Option<String>,
    /// Suspend the membership, or open it again.
    #[arg(long, value_parser = ["active", "suspended"])]
    status: Option<String>,
    /// The last day, in Paris: `2027-12-31`, or `none`.
    #[arg(long, value_name = "DATE", value_parser = last_day)]
    ends_on: Option<LastDay>,
    /// A right in a portal. May be given several times.
    #[arg(long, value_name = "CLIENT=ROLE", value_parser = super::person::right)]
    right: Vec<(String, String)>,
    /// A product they take a seat of, where the organization ordered several. May be given several times.
    #[arg(long, value_name = "PRODUCT")]
    product: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
enum LastDay {
    None,
    On(Date),
}

fn last_day(text: &str) -> Result<LastDay, String> {
    match text {
        "none" => Ok(LastDay::None),
        day => day.parse().map(LastDay::On).map_err(|_| "write YEAR-MONTH-DAY, or none".to_owned()),
    }
}

impl Change {
    pub(super) async fn run(self, db: Db, post: Post<'_>) -> Outcome<()> {
        let now = Clock::System.now();
        let mut tx = db.begin().await?;
        let person = one(&mut tx, &self.person).await?;
        let organization = &self.organization;
        if !organizations::exists(&mut tx, organization).await? {
            return Err(Fault::new(format!("there is no organization {organization}")));
        }
        for (client, _) in &self.right {
            if clients::find(&mut tx, client).await?.is_none() {
                return Err(Fault::new(format!("there is no client {client}; nothing was changed")));
            }
        }
        let before = organizations::terms(&mut tx, &person.id, organization).await?;
        let mut terms = before.clone().unwrap_or_else(|| Terms {
            role: "member".to_owned(),
            mandate: Some("invitation".to_owned()),
            status: ACTIVE.to_owned(),
            affiliation: "employee".to_owned(),
            ends_on: None,
        });
        let ends = self.ends_on.is_some() || self.affiliation.is_some();
        terms.role = self.role.unwrap_or(terms.role);
        terms.status = self.status.unwrap_or(terms.status);
        terms.affiliation = self.affiliation.unwrap_or(terms.affiliation);
        if let Some(mandate) = self.mandate {
            terms.mandate = (mandate != "none").then_some(mandate);
        }
        match self.ends_on {
            None => {}
            Some(LastDay::None) => terms.ends_on = None,
            Some(LastDay::On(day)) => terms.ends_on = Some(day.to_string()),
        }
        let last = terms.ends_on.as_deref().and_then(|day| day.parse().ok());
        if ends && let Err(problem) = check_end(&terms.affiliation, last, calendar::date_at(now)) {
            return Err(Fault::new(format!("{problem}: --ends-on; nothing was changed")));
        }
        if before.is_none() || terms.status == ACTIVE {
            let state = if person.status == "pending" { State::Held } else { State::Assigned };
            let products = (!self.product.is_empty()).then_some(&self.product[..]);
            let seat = Taking { products, ..Taking::again((organization, &person.id), state, "command") }.by("cli");
            let taken = seats::take(&mut tx, post, &seat, now).await?;
            taken.map_err(|refusal| Fault::new(format!("{}: {refusal}; nothing was changed", person.login)))?;
        }
        organizations::set_member(&mut tx, (&person.id, organization), &terms, now).await?;
        for (client, role) in &self.right {
            organizations::give_right(&mut tx, (&person.id, organization), (client, role), now).await?;
        }
        let rights: Vec<_> = self.right.iter().map(|(client, role)| format!("{client}={role}")).collect();
        let event = Event::new("membership.changed")
            .by("cli")
            .about(&person.id)
            .in_organization(organization)
            .changed(before.as_ref().map_or(Value::Null, traced), traced(&terms))
            .with("rights", rights);
        audit::record(&mut tx, event, now).await?;
        tx.commit().await?;
        db.close().await;
        say(format_args!("{}  {organization}  {}", person.login, line(&terms)));
        Ok(())
    }
}

/// As the management API traces it.
fn traced(terms: &Terms) -> Value {
    json!({
        "role": terms.role, "status": terms.status, "affiliation": terms.affiliation, "ends_on": terms.ends_on,
        "mandate": terms.mandate,
    })
}

fn line(terms: &Terms) -> String {
    let (mandate, until) = (terms.mandate.as_deref().unwrap_or("none"), terms.ends_on.as_deref().unwrap_or("none"));
    format!("{} {} {} mandate={mandate} ends_on={until}", terms.role, terms.status, terms.affiliation)
}

/// Suspends an organization, or ends its suspension.
pub(super) async fn set_status(config: &Config, db: Db, (organization, order): (&str, Decision<'_>)) -> Outcome<()> {
    let now = Clock::System.now();
    let master = master_key(&config.keys)?;
    let mut tx = db.begin().await?;
    let subject = Subject::Organization(organization);
    let event = Event::new(subject.event(order.act)).by("cli");
    let post = Post { config, master: &master };
    let done = measures::apply(&mut tx, post, (subject, &order, event), now).await?;
    let done = done.map_err(|refused| match refused {
        Refused::Unknown => Fault::new(format!("there is no organization {organization}")),
        Refused::Changed | Refused::LastOperator => Fault::new(format!("{organization} has another status by now")),
        Refused::Rule(refusal) => Fault::new(format!("{organization}: {refusal}")),
    })?;
    tx.commit().await?;
    db.close().await;
    say(format_args!("{organization}  {}; the running server sends the notice", done.to));
    Ok(())
}
