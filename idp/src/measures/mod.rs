//! Measures of the operator: formal notice, suspension and termination of people, organizations, orders and portals (R083–R086, R090).
//!
//! One operation for all of them ([`apply`]): the rule (`policies::sanctions`), the status, what ends with it, the letters to whom
//! it concerns, the row that proves them, and the audit line, in one transaction. The effect is at once, the notice goes out at
//! the same time (Q26). A new kind of subject is a variant of [`Subject`] with its arms.

mod kill;
mod settle;

pub use kill::{Closed, close};
pub use settle::{run, run_due, settle_person};

use habilis_policies::api_keys::Event as Happening;
use habilis_policies::calendar;
use habilis_policies::orders::Orders;
use habilis_policies::sanctions::{self, Act, Ground, Refusal, Status};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;

use crate::account::signatories;
use crate::api_keys::{happened_to_issuer, happened_to_organization};
use crate::app::App;
use crate::db::account_links::{self, Purpose};
use crate::db::audit::{self, Event};
use crate::db::measures::{self, NewMeasure};
use crate::db::{
    Tx, clients, contacts, enrolments, grants, members, membership_offers, orders, organizations, password_links,
    people, sign_in_steps,
};
use crate::lifecycle::seats::release_all_held;
use crate::login::session;
use crate::mail::duties::{StaffMeasure, StaffMeasureLetter, tell_staff};
use crate::mail::letters::Letter as _;
use crate::mail::measures::{About, MeasureLetter};
use crate::mail::{self, Post, Recipient};
use crate::oidc::client::Client;
use crate::orders::Administrator;
use crate::outcome::Outcome;
use crate::seats;
use crate::web::text::Locale;

/// Most contacts of a portal that are written to: nobody's inbox is flooded.
const MOST_CONTACTS: usize = 3;

/// Whom or what a measure is about, by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    /// The account of a person.
    Person(&'a str),
    /// An organization.
    Organization(&'a str),
    /// An order of an organization.
    Order(&'a str),
    /// A portal.
    Portal(&'a str),
}

impl<'a> Subject<'a> {
    /// The subject of a stored measure; none when it is of a kind unknown here.
    pub fn parse(kind: &str, id: &'a str) -> Option<Self> {
        match kind {
            "person" => Some(Self::Person(id)),
            "organization" => Some(Self::Organization(id)),
            "order" => Some(Self::Order(id)),
            "portal" => Some(Self::Portal(id)),
            _ => None,
        }
    }

    /// Its kind and id, as stored.
    pub fn parts(self) -> (&'static str, &'a str) {
        match self {
            Self::Person(id) => ("person", id),
            Self::Organization(id) => ("organization", id),
            Self::Order(id) => ("order", id),
            Self::Portal(id) => ("portal", id),
        }
    }

    /// The name of the audit line of `act`.
    pub fn event(self, act: Act) -> &'static str {
        match (act, self) {
            (Act::GiveNotice, _) => "measure.formal_notice",
            (_, Self::Person(_)) => "person.status_changed",
            (_, Self::Organization(_)) => "organization.status_changed",
            (_, Self::Portal(_)) => "client.status_changed",
            (Act::Suspend, Self::Order(_)) => "order.suspended",
            (Act::Lift, Self::Order(_)) => "order.reinstated",
            (Act::Terminate, Self::Order(_)) => "order.terminated",
        }
    }
}

/// What is done, and what is said with it.
#[derive(Debug, Clone, Copy)]
pub struct Decision<'a> {
    /// What.
    pub act: Act,
    /// What was not respected; empty for a lift.
    pub breach: &'a str,
    /// What has to be done about it; empty for a lift and a termination.
    pub remedy: &'a str,
    /// Why a termination waits for no formal notice (R086).
    pub irreparable: Option<&'a str>,
    /// Why, for the operator.
    pub reason: &'a str,
    /// What people read at a portal meanwhile, JSON by language (R090).
    pub banner: Option<&'a str>,
    /// The person or client who does it.
    pub by: &'a str,
}

/// Why nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// There is no such subject.
    Unknown,
    /// It has another status by now, or one that this program does not know.
    Changed,
    /// Nobody would be left who is an operator and can sign in.
    LastOperator,
    /// The rule.
    Rule(Refusal),
}

/// What was done.
#[derive(Debug, Clone)]
pub struct Done {
    /// The row, `mea_…`; for a lift that of the suspension, none when there was no row.
    pub measure: Option<String>,
    /// The status before.
    pub from: String,
    /// The status after.
    pub to: String,
}

/// A subject as it is, and whom its measures concern.
struct Found {
    status: String,
    /// The organization in whose journal the measure is written, when it has one.
    organization: Option<String>,
    about: About,
    to: Vec<To>,
}

/// Somebody to be written to.
pub(crate) struct To {
    address: String,
    person: Option<String>,
    locale: Locale,
}

impl To {
    /// Where a letter to them goes.
    pub(crate) fn recipient(&self) -> Recipient<'_> {
        Recipient { address: &self.address, person: self.person.as_deref(), locale: self.locale }
    }
}

impl Found {
    /// Where it stands; none when its status is unknown here.
    fn standing(&self) -> Option<Status> {
        match self.status.as_str() {
            "active" | "suspended_password" | "pending" => Some(Status::Active),
            "suspended" => Some(Status::Suspended),
            "terminated" | "closed" => Some(Status::Terminated),
            _ => None,
        }
    }
}

/// Does what `decision` says, writes to whom it concerns and records `event`, to which it adds what was said and done. The caller
/// commits, and then calls [`spread`].
///
/// # Errors
/// Outer: the database or a template failed. Inner: [`Refused`]; nothing was written then.
pub async fn apply(
    tx: &mut Tx,
    post: Post<'_>,
    (subject, decision, event): (Subject<'_>, &Decision<'_>, Event),
    now: Timestamp,
) -> Outcome<Result<Done, Refused>> {
    if !hold(tx, subject, decision.act).await? {
        return Ok(Err(Refused::LastOperator));
    }
    if let Subject::Person(id) = subject {
        settle_person(tx, post, id, now).await?;
    }
    let Some(found) = find(tx, subject, now).await? else { return Ok(Err(Refused::Unknown)) };
    let Some(standing) = found.standing() else { return Ok(Err(Refused::Changed)) };
    let ground = match (subject, decision.irreparable) {
        (Subject::Portal(_), _) => Ground::Free,
        (_, Some(_)) => Ground::Irreparable,
        (_, None) => notice(tx, subject).await?,
    };
    if let Err(refusal) = sanctions::decide(standing, decision.act, ground, calendar::date_at(now)) {
        return Ok(Err(Refused::Rule(refusal)));
    }
    let suspension = measures::standing(tx, subject.parts(), "suspension").await?.into_iter().next();
    let from = found.status.clone();
    let to = match decision.act {
        Act::GiveNotice => from.clone(),
        Act::Suspend => "suspended".to_owned(),
        Act::Terminate => "terminated".to_owned(),
        Act::Lift => restored(tx, subject, suspension.as_ref().map(|found| found.earlier.as_str())).await?,
    };
    if decision.act != Act::GiveNotice && !carry_out(tx, post, (subject, decision), (&from, &to), now).await? {
        return Ok(Err(Refused::Changed));
    }
    if let Subject::Person(id) = subject {
        tell_of_staff(tx, post, (id, decision), now).await?;
    }
    let letter = MeasureLetter {
        act: decision.act,
        about: found.about,
        breach: decision.breach.to_owned(),
        remedy: decision.remedy.to_owned(),
        irreparable: decision.irreparable.map(str::to_owned),
        at: now,
    };
    let mut notices = Vec::with_capacity(found.to.len());
    for to in &found.to {
        notices.push(mail::write_to(tx, post, (&to.recipient(), &letter), (now, now)).await?);
    }
    let letters = notices.join(" ");
    let measure = match (decision.act, suspension) {
        (Act::Lift, None) => None,
        (Act::Lift, Some(suspension)) => {
            measures::lift(tx, &suspension.id, (decision.by, decision.reason, &letters), now).await?;
            Some(suspension.id)
        }
        (act, _) => {
            let id = habilis_keys::random::id("mea", now);
            let new = NewMeasure {
                id: &id,
                subject: subject.parts(),
                measure: match act {
                    Act::GiveNotice => "formal_notice",
                    Act::Terminate => "termination",
                    Act::Suspend | Act::Lift => "suspension",
                },
                earlier: &from,
                breach: decision.breach,
                remedy: decision.remedy,
                irreparable: decision.irreparable,
                reason: decision.reason,
                text_version: letter.template(),
                notices: &letters,
                by: decision.by,
            };
            measures::insert(tx, &new, now).await?;
            Some(id)
        }
    };
    let said = |text: &str| if text.is_empty() { Value::Null } else { text.into() };
    let event = match &found.organization {
        Some(organization) => event.in_organization(organization),
        None => event,
    };
    let event = match subject {
        Subject::Person(id) | Subject::Organization(id) | Subject::Order(id) => event.about(id),
        Subject::Portal(id) => event.about(id).at_client(id).with("portal", id),
    };
    let event = event
        .with("reason", decision.reason)
        .with("breach", said(decision.breach))
        .with("remedy", said(decision.remedy))
        .with("measure", measure.clone())
        .with("notices", notices)
        .changed(from.clone().into(), to.clone().into());
    let event = match decision.irreparable {
        Some(why) => event.with("irreparable", why),
        None => event,
    };
    audit::record(tx, event, now).await?;
    Ok(Ok(Done { measure, from, to }))
}

/// Makes this node forget what it remembers of the subject, and sends the letters. After the commit.
pub async fn spread(app: &App, subject: Subject<'_>) {
    if let Subject::Portal(id) = subject {
        app.clients.invalidate(id).await;
    }
    app.api_keys.forget();
    app.mail_waiting.notify_one();
}

/// Holds the subject until the commit; false when the act would leave no operator. Whoever compares its version holds it before.
///
/// # Errors
/// The database failed.
pub async fn hold(tx: &mut Tx, subject: Subject<'_>, act: Act) -> Outcome<bool> {
    match subject {
        Subject::Person(id) => {
            if matches!(act, Act::Suspend | Act::Terminate) && !another_operator(tx, id).await? {
                return Ok(false);
            }
            people::lock(tx, id).await?;
        }
        Subject::Organization(id) => members::lock(tx, id).await?,
        Subject::Order(id) => {
            if let Some(organization) = orders::whose(tx, id).await? {
                members::lock(tx, &organization).await?;
            }
        }
        Subject::Portal(id) => clients::lock(tx, id).await?,
    }
    Ok(true)
}

/// Whether there is an operator without `person`, or `person` is none. The operators are held, so that of two who are closed at once, each
/// by a program, the second sees the first.
async fn another_operator(tx: &mut Tx, person: &str) -> Outcome<bool> {
    let all = people::operators(tx).await?;
    if !all.iter().any(|operator| operator == person) {
        return Ok(true);
    }
    for operator in &all {
        people::lock(tx, operator).await?;
    }
    Ok(people::operators(tx).await?.iter().any(|operator| operator != person))
}

/// Tells the operator's staff at once when the account of one of them is closed or opened again: one operator alone can do it, so that a
/// stolen account is stopped, and nobody does it unseen.
async fn tell_of_staff(
    tx: &mut Tx,
    post: Post<'_>,
    (id, decision): (&str, &Decision<'_>),
    now: Timestamp,
) -> Outcome<()> {
    let Some(measure) = StaffMeasure::of(decision.act) else { return Ok(()) };
    let Some(person) = people::find(tx, id).await?.filter(|person| person.operator || person.privacy) else {
        return Ok(());
    };
    let letter = StaffMeasureLetter {
        measure,
        person: format!("{} {}", person.given_name, person.family_name),
        duties: (person.operator, person.privacy),
        by: signatories::actor(tx, decision.by).await?,
        reason: decision.reason.to_owned(),
        at: now,
    };
    tell_staff(tx, post, (&letter, Some(id)), now).await
}

async fn find(tx: &mut Tx, subject: Subject<'_>, now: Timestamp) -> Outcome<Option<Found>> {
    Ok(match subject {
        Subject::Person(id) => people::find(tx, id).await?.map(|person| {
            let locale = Locale::negotiate(Some(&person.locale), None);
            let to = person.email.map(|address| To { address, person: Some(person.id), locale });
            Found { status: person.status, organization: None, about: About::Person, to: to.into_iter().collect() }
        }),
        Subject::Organization(id) => match organizations::find(tx, id).await? {
            Some(organization) => Some(Found {
                to: of_organization(tx, id, now).await?,
                status: organization.status,
                organization: Some(organization.id),
                about: About::Organization(organization.name),
            }),
            None => None,
        },
        Subject::Order(id) => match an_order(tx, id).await? {
            Some(order) => Some(Found {
                to: of_organization(tx, &order.organization_id, now).await?,
                status: status_of(&order, now).to_owned(),
                organization: Some(order.organization_id),
                about: About::Order(order.number),
            }),
            None => None,
        },
        Subject::Portal(id) => match clients::find(tx, id).await? {
            Some(row) => {
                let (status, client) = (row.status.clone(), Client::from_row(row)?);
                let contacts = client.metadata.contacts.iter().take(MOST_CONTACTS);
                let to = contacts.map(|address| To { address: address.clone(), person: None, locale: Locale::Fr });
                Some(Found {
                    status,
                    organization: None,
                    to: to.collect(),
                    about: About::Portal(client.name().to_owned()),
                })
            }
            None => None,
        },
    })
}

async fn an_order(tx: &mut Tx, id: &str) -> Outcome<Option<orders::Order>> {
    Ok(match orders::whose(tx, id).await? {
        Some(organization) => orders::find(tx, &organization, id).await?,
        None => None,
    })
}

/// Where an order stands for a measure: one that has ended cannot be suspended any more.
fn status_of(order: &orders::Order, now: Timestamp) -> &'static str {
    let over = order.rule().final_day().is_some_and(|day| calendar::cut_after(day) <= now);
    match order.suspended_at {
        // What was terminated for a breach stays closed through its last day.
        Some(_) if order.terminated_on.is_some() => "terminated",
        _ if over => "terminated",
        Some(_) => "suspended",
        None => "active",
    }
}

/// The administrators in force and the signatories, each address once.
pub(crate) async fn of_organization(tx: &mut Tx, id: &str, now: Timestamp) -> Outcome<Vec<To>> {
    let mut to = Vec::<To>::new();
    for administrator in members::administrators(tx, id, &calendar::date_at(now).to_string()).await? {
        let Some(person) = people::find(tx, &administrator).await? else { continue };
        let locale = Locale::negotiate(Some(&person.locale), None);
        to.extend(person.email.map(|address| To { address, person: Some(person.id), locale }));
    }
    add_contacts(tx, &mut to, (id, "signatory")).await?;
    Ok(to)
}

/// The same with those who see to invoices, the administrator that an order form names and who was asked to administer and has not answered:
/// whom an order concerns before it is paid.
pub(crate) async fn of_buyer(
    tx: &mut Tx,
    (id, named): (&str, Option<&Administrator>),
    now: Timestamp,
) -> Outcome<Vec<To>> {
    let mut to = of_organization(tx, id, now).await?;
    add_contacts(tx, &mut to, (id, "billing")).await?;
    if let Some(named) = named {
        let locale = Locale::negotiate(Some(&named.locale), None);
        add(&mut to, To { address: named.email.clone(), person: None, locale });
    }
    for offer in membership_offers::to_administer(tx, id, now).await? {
        let Some(person) = people::find(tx, &offer.person_id).await? else { continue };
        let locale = Locale::negotiate(Some(&person.locale), None);
        // Who they are is nobody's business until they accept.
        add(&mut to, To { address: offer.email, person: None, locale });
    }
    Ok(to)
}

/// Adds the contacts of a duty.
async fn add_contacts(tx: &mut Tx, to: &mut Vec<To>, (organization, duty): (&str, &str)) -> Outcome<()> {
    for contact in contacts::of_duty(tx, organization, duty).await? {
        add(to, To { address: contact.email, person: contact.person_id, locale: Locale::Fr });
    }
    Ok(())
}

/// Adds somebody whose address is not there yet.
fn add(to: &mut Vec<To>, new: To) {
    if !to.iter().any(|known| people::fold_login(&known.address) == people::fold_login(&new.address)) {
        to.push(new);
    }
}

/// The formal notice that a termination of the subject can rest on: the one presented first.
async fn notice(tx: &mut Tx, subject: Subject<'_>) -> Outcome<Ground> {
    let standing = measures::standing(tx, subject.parts(), "formal_notice").await?;
    if standing.is_empty() {
        return Ok(Ground::None);
    }
    let presented = standing.iter().filter_map(|notice| notice.presented_on.as_deref()?.parse::<Date>().ok());
    Ok(Ground::Notice(presented.min()))
}

/// The status that a suspension is lifted to.
async fn restored(tx: &mut Tx, subject: Subject<'_>, earlier: Option<&str>) -> Outcome<String> {
    let earlier = earlier.unwrap_or("active");
    Ok(match subject {
        // A kill switch meanwhile found the account suspended; its password is of no use all the same.
        Subject::Person(id) if earlier == "active" && people::has_old_password(tx, id).await? => {
            "suspended_password".to_owned()
        }
        _ => earlier.to_owned(),
    })
}

/// Gives the subject another status, and ends what ends with it; false when it had another status by then.
async fn carry_out(
    tx: &mut Tx,
    post: Post<'_>,
    (subject, decision): (Subject<'_>, &Decision<'_>),
    (from, to): (&str, &str),
    now: Timestamp,
) -> Outcome<bool> {
    match subject {
        Subject::Person(id) => {
            if !people::set_status(tx, id, (from, to), now).await? {
                return Ok(false);
            }
            if decision.act != Act::Lift {
                session::end_of_person(tx, (id, ""), now).await?;
                grants::revoke_of_person(tx, id, "", now).await?;
                password_links::void(tx, id, now).await?;
                sign_in_steps::void(tx, id, now).await?;
                account_links::void(tx, id, Purpose::NewEmail, now).await?;
            }
            if to == "active" {
                enrolments::have_credentials(tx, (id, None), now).await?;
            }
            if decision.act == Act::Terminate {
                account_links::void(tx, id, Purpose::Activate, now).await?;
                release_all_held(tx, id, now).await?;
                happened_to_issuer(tx, post, (id, None, Happening::IssuerRemoved), now).await?;
            }
        }
        Subject::Organization(id) => {
            if !organizations::set_status(tx, id, (from, to), now).await? {
                return Ok(false);
            }
            if decision.act != Act::Lift {
                organizations::end_access(tx, id, now).await?;
            }
            let happening = match decision.act {
                Act::Terminate => Happening::CentreTerminated,
                Act::Lift => Happening::CentreRestored,
                Act::Suspend | Act::GiveNotice => Happening::CentreSuspended,
            };
            happened_to_organization(tx, post, (id, happening, decision.by), now).await?;
        }
        Subject::Order(id) => {
            let Some(mut order) = an_order(tx, id).await? else { return Ok(false) };
            order.suspended_at = (decision.act != Act::Lift).then(|| order.suspended_at.unwrap_or(now.into()));
            if decision.act == Act::Terminate {
                order.terminated_on = Some(calendar::date_at(now).to_string());
                order.termination_reason = Some(decision.reason.to_owned());
            }
            if !orders::record(tx, &order, now).await? {
                return Ok(false);
            }
            seats::refresh(tx, post, &order.organization_id, now).await?;
            let all = orders::all(tx, &order.organization_id).await?;
            let rules: Vec<_> = all.iter().map(orders::Order::rule).collect();
            // The keys of a centre that has nothing else open nothing until it does; which of them end, the last day says.
            if decision.act != Act::Lift && Orders(&rules).interrupted(now).0 {
                let happening = (order.organization_id.as_str(), Happening::SubscriptionSuspended, decision.by);
                happened_to_organization(tx, post, happening, now).await?;
            }
        }
        Subject::Portal(id) => {
            if !clients::set_status(tx, id, (from, to, decision.banner), now).await? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}
