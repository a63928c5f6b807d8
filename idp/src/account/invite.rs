//! Inviting a person: an account that waits, and a one-time link to the address. There is never an initial password (R025).
//!
//! One operation for every way in: command line, management API, imports. Into an organization the way is [`admit`].

use habilis_keys::secret::Secret;
use habilis_keys::token::digest;
use habilis_policies::attributes::Attribute;
use habilis_policies::contact::{Email, Name};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::attributes;
use super::landing::Landing;
use crate::config::Config;
use crate::db::account_links::{self, NewLink, Purpose};
use crate::db::audit::{self, Event};
use crate::db::members::{self, Terms};
use crate::db::people::{self, NewPerson, Person};
use crate::db::{Conn, Tx, clients, enrolments, is_unique_violation, organizations, search};
use crate::mail::accounts::AccountLetter;
use crate::mail::{self, Post, Recipient};
use crate::oidc::client::Client;
use crate::outcome::{Fault, Outcome};
use crate::seats::{self, SeatRefusal, State, Taking};
use crate::web::text::Locale;

/// Where a link to open an account leads, before the token.
pub const PATH: &str = "/activate/";

/// Somebody to invite.
#[derive(Debug)]
pub struct Invitation<'a> {
    /// What they will sign in with, folded.
    pub login: &'a str,
    /// Where the link goes.
    pub email: &'a Email,
    /// Given and family name.
    pub names: (&'a Name, &'a Name),
    /// What else is known of them, in the form it is kept in.
    pub attributes: &'a [(Attribute, String)],
    /// What becomes of an account that does not say all it must.
    pub incomplete: Incomplete,
    /// The language of the mail, and theirs until they choose another.
    pub locale: Locale,
    /// The organization they will belong to, and the role there: `administrator` or `member`.
    pub organization: Option<(&'a str, &'a str)>,
    /// Rights in portals, as client and role; only with an organization.
    pub rights: &'a [(String, String)],
    /// The products they take a seat of; none for the only one the organization has.
    pub products: Option<&'a [String]>,
    /// Seats that the order will add whose form names them as administrator (R022).
    pub initial_of: Option<u32>,
    /// Staff of the operator.
    pub operator: bool,
    /// Where they go afterwards.
    pub landing: Landing,
    /// Who invites: an id, or `cli`.
    pub by: &'a str,
}

/// What becomes of an account that does not say all that is asked of its person (R004).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incomplete {
    /// Nobody is invited: who invites knows them.
    Refused,
    /// The activation page asks.
    AskedLater,
}

/// A person who was invited.
#[derive(Debug)]
pub struct Invited {
    /// `usr_…`.
    pub person: String,
    /// The mail that carries the link, `mail_…`.
    pub mail: String,
}

/// Why nobody was invited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InviteRefusal {
    /// The login belongs to somebody (R001).
    #[error("the login exists already")]
    LoginTaken,
    /// The login reads as an address that is not theirs.
    #[error("a login that reads as a mail address is the person's own address")]
    LoginOfAnother,
    /// There is no such organization.
    #[error("there is no organization {0}")]
    NoSuchOrganization(String),
    /// There is no such client.
    #[error("there is no client {0}")]
    NoSuchClient(String),
    /// Rights are given to members.
    #[error("rights need an organization")]
    RightsWithoutOrganization,
    /// No seat for them (R060).
    #[error(transparent)]
    Seat(#[from] SeatRefusal),
    /// What is asked of the organization's people and was not said (R004).
    #[error("what is asked of people was not said: {}", .0.iter().map(|attribute| attribute.claim()).collect::<Vec<_>>().join(", "))]
    Missing(Vec<Attribute>),
    /// The page to land on is not the portal's.
    #[error("the target is not a page of that portal: its origin is that of a redirect URI or of initiate_login_uri")]
    TargetElsewhere,
}

/// Makes the account that waits, and sends the link. The caller commits; a refusal leaves nothing to commit.
///
/// # Errors
/// The database or the template failed.
pub async fn invite(
    tx: &mut Tx,
    post: Post<'_>,
    invitation: &Invitation<'_>,
    now: Timestamp,
) -> Outcome<Result<Invited, InviteRefusal>> {
    if let Some(refusal) = refusal(tx, invitation).await? {
        return Ok(Err(refusal));
    }
    let (given, family) = invitation.names;
    let said = |(attribute, value): &(Attribute, String)| (attribute.claim().to_owned(), value.clone().into());
    let claims: Map<String, Value> = invitation.attributes.iter().map(said).collect();
    if let (Incomplete::Refused, Some((organization, _))) = (invitation.incomplete, invitation.organization) {
        let asked = attributes::asked_by(tx, post.config, organization).await?;
        let claims = Value::Object(claims.clone()).to_string();
        let missing = attributes::missing(&asked, (given.as_str(), family.as_str(), &claims))?;
        if !missing.is_empty() {
            return Ok(Err(InviteRefusal::Missing(missing)));
        }
    }
    let id = habilis_keys::random::id("usr", now);
    let seat = invitation.organization.map(|(organization, _)| Taking {
        organization,
        person: &id,
        products: invitation.products,
        state: State::Held,
        by: invitation.by,
        reason: "invited",
        initial_of: invitation.initial_of,
    });
    // Before anything is written; the pool is held from here on, so the seat is still there below.
    if let Some(seat) = &seat
        && let Err(refusal) = seats::check(tx, seat, now).await?
    {
        return Ok(Err(refusal.into()));
    }
    let new = NewPerson {
        id: &id,
        login: invitation.login,
        email: Some((invitation.email.as_str(), false)),
        names: (given.as_str(), family.as_str()),
        locale: invitation.locale.tag(),
        claims,
        status: "pending",
        operator: invitation.operator,
    };
    match people::insert(tx, new, now).await {
        Err(error) if is_unique_violation(&error) => return Ok(Err(InviteRefusal::LoginTaken)),
        inserted => inserted?,
    }
    if let Some(seat) = &seat
        && let Err(refusal) = seats::take(tx, post, seat, now).await?
    {
        return Err(Fault::new(format!("the seat that was there is gone: {refusal}")));
    }
    if let Some((organization, role)) = invitation.organization {
        organizations::add_member(tx, &id, (organization, role), now).await?;
        for (client, right) in invitation.rights {
            organizations::give_right(tx, (&id, organization), (client, right), now).await?;
        }
    }
    let Some(person) = people::find(tx, &id).await? else { return Ok(Err(InviteRefusal::LoginTaken)) };
    let mail = write_to(tx, post, (&person, invitation), now).await?;
    Ok(Ok(Invited { person: id, mail }))
}

/// Sends the first link to somebody whose account waits, with its line of the trail; gives the mail's id.
async fn write_to(
    tx: &mut Tx,
    post: Post<'_>,
    (person, invitation): (&Person, &Invitation<'_>),
    now: Timestamp,
) -> Outcome<String> {
    let mail = send(tx, post, (person, &invitation.landing), now).await?;
    let mut event = Event::new("account.invited").by(invitation.by).about(&person.id).with("mail", mail.clone());
    if let Some((organization, role)) = invitation.organization {
        event = event.with("organization", organization).with("role", role);
    }
    audit::record(tx, event, now).await?;
    Ok(mail)
}

/// Invites somebody into an organization on these terms: account, membership, rights, link, letter, and the lines of the trail.
/// The one way in for whoever administers it, one by one or by a file. `event` says who acts and where, by which policy.
///
/// The caller holds what the rights depend on, and commits; a refusal leaves nothing to commit.
///
/// # Errors
/// The database or the template failed.
pub async fn admit(
    tx: &mut Tx,
    post: Post<'_>,
    (invitation, terms, event): (&Invitation<'_>, &Terms<'_>, Event),
    now: Timestamp,
) -> Outcome<Result<Invited, InviteRefusal>> {
    let invited = match invite(tx, post, invitation, now).await? {
        Ok(invited) => invited,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if let Some((organization, _)) = invitation.organization {
        members::set_terms(tx, (organization, &invited.person), terms, now).await?;
        let event = event.about(&invited.person).with("mail", invited.mail.clone());
        audit::record(tx, admitted((invitation, terms, event)), now).await?;
    }
    Ok(Ok(invited))
}

/// The line of the trail of a membership by invitation.
fn admitted((invitation, terms, event): (&Invitation<'_>, &Terms<'_>, Event)) -> Event {
    let right = |(client, role): &(String, String)| json!({ "client_id": client, "role": role });
    let after = json!({
        "role": invitation.organization.map(|(_, role)| role), "status": "active", "affiliation": terms.affiliation,
        "ends_on": terms.ends_on, "mandate": terms.mandate,
        "rights": invitation.rights.iter().map(right).collect::<Vec<_>>(), "account_status": "pending",
    });
    event.changed(Value::Null, after)
}

/// What follows for somebody who was entered with many others, as account, member and seat: rights, link, letter and the lines of the
/// trail. Who was taken out again meanwhile gets none of it but the line. The caller commits.
///
/// # Errors
/// The database or the template failed.
pub async fn announce(
    tx: &mut Tx,
    post: Post<'_>,
    (person, (invitation, terms, event)): (&str, (&Invitation<'_>, &Terms<'_>, Event)),
    now: Timestamp,
) -> Outcome<()> {
    people::lock(tx, person).await?;
    let Some(found) = people::find(tx, person).await? else { return Ok(()) };
    let mut event = event.about(person);
    let organization = invitation.organization.map(|(organization, _)| organization).unwrap_or_default();
    let waits = found.status == "pending" && !account_links::invitation_closed(tx, person).await?;
    if waits && members::find(tx, organization, person).await?.is_some() {
        search::index(tx, person, now).await?;
        for (client, right) in invitation.rights {
            organizations::give_right(tx, (person, organization), (client, right), now).await?;
        }
        event = event.with("mail", write_to(tx, post, (&found, invitation), now).await?);
    } else {
        event = event.with("withdrawn", true);
    }
    Ok(audit::record(tx, admitted((invitation, terms, event)), now).await?)
}

async fn refusal(tx: &mut Tx, invitation: &Invitation<'_>) -> Outcome<Option<InviteRefusal>> {
    if !invitation.email.may_have_login(invitation.login) {
        return Ok(Some(InviteRefusal::LoginOfAnother));
    }
    if let Some((organization, _)) = invitation.organization
        && !organizations::exists(tx, organization).await?
    {
        return Ok(Some(InviteRefusal::NoSuchOrganization(organization.to_owned())));
    }
    if invitation.organization.is_none() && !invitation.rights.is_empty() {
        return Ok(Some(InviteRefusal::RightsWithoutOrganization));
    }
    for client in invitation.rights.iter().map(|(client, _)| client) {
        if clients::find(tx, client).await?.is_none() {
            return Ok(Some(InviteRefusal::NoSuchClient(client.clone())));
        }
    }
    landing_refusal(tx, &invitation.landing).await
}

/// Why nobody can land there.
///
/// # Errors
/// The database failed, or what is known of the portal cannot be read.
pub async fn landing_refusal(c: &mut impl Conn, landing: &Landing) -> Outcome<Option<InviteRefusal>> {
    let Some(portal) = &landing.client else { return Ok(None) };
    let Some(row) = clients::find(c, portal).await? else {
        return Ok(Some(InviteRefusal::NoSuchClient(portal.clone())));
    };
    let elsewhere = !landing.is_at(&Client::from_row(row)?);
    Ok(elsewhere.then_some(InviteRefusal::TargetElsewhere))
}

/// Invites somebody again who has not come yet, as [`send_again`]. Where the invitation had lapsed, and their seat with it, they take
/// one again. The caller records and commits.
///
/// # Errors
/// The database or the template failed.
pub async fn invite_again(
    tx: &mut Tx,
    post: Post<'_>,
    person: &Person,
    now: Timestamp,
) -> Outcome<Result<Option<String>, SeatRefusal>> {
    if person.status != "pending" || person.email.is_none() {
        return Ok(Ok(None));
    }
    members::lock_all(tx, &person.id).await?;
    people::lock(tx, &person.id).await?;
    for membership in organizations::all_of_person(tx, &person.id).await? {
        let (organization, person) = (membership.id.as_str(), person.id.as_str());
        let seat = Taking::again((organization, person), State::Held, "invited_again");
        if let Err(refusal) = seats::take(tx, post, &seat, now).await? {
            return Ok(Err(refusal));
        }
    }
    account_links::void(tx, &person.id, Purpose::Activate, now).await?;
    send_fresh(tx, post, person, now).await.map(|mail| Ok(Some(mail)))
}

/// Sends a fresh link to somebody invited who has not come yet, and gives the mail's id; earlier ones that were mailed are void, one that
/// was handed over is not for a stranger to take away. None for anybody else. It takes no seat, because nobody knows who asks for it: who opens the link takes one, or reads that there is none. For the same
/// reason it brings nobody back whose invitation a kill switch ended: that is for an administrator, by [`invite_again`]. The caller
/// records and commits.
///
/// # Errors
/// The database or the template failed.
pub async fn send_again(tx: &mut Tx, post: Post<'_>, person: &Person, now: Timestamp) -> Outcome<Option<String>> {
    if account_links::invitation_closed(tx, &person.id).await? || person.status != "pending" || person.email.is_none() {
        return Ok(None);
    }
    people::lock(tx, &person.id).await?;
    account_links::void_mailed(tx, &person.id, now).await?;
    send_fresh(tx, post, person, now).await.map(Some)
}

async fn send_fresh(tx: &mut Tx, post: Post<'_>, person: &Person, now: Timestamp) -> Outcome<String> {
    let landing = account_links::latest_detail(tx, &person.id, Purpose::Activate).await?;
    let landing: Landing = landing.and_then(|detail| serde_json::from_str(&detail).ok()).unwrap_or_default();
    let landing = Landing { by_hand: false, ..landing };
    send(tx, post, (person, &landing), now).await
}

/// Makes one more link for an operator who was invited, with its line of the trail, to be handed over where no mail goes out yet. Like the
/// one that was mailed it opens the account once, and proves no address. The caller commits.
///
/// # Errors
/// The database failed.
pub async fn hand_over(tx: &mut Tx, config: &Config, person: &str, now: Timestamp) -> Outcome<Secret<String>> {
    let landing = Landing { by_hand: true, ..Landing::default() };
    let href = link(tx, config, (person, &landing), now).await?;
    audit::record(tx, Event::new("account.link_handed_over").by("cli").about(person), now).await?;
    Ok(href)
}

/// Makes a link, and gives its address.
async fn link(
    tx: &mut Tx,
    config: &Config,
    (person, landing): (&str, &Landing),
    now: Timestamp,
) -> Outcome<Secret<String>> {
    let days = config.accounts.invitation_days;
    let token = habilis_keys::random::token();
    let link = NewLink {
        digest: &digest(token.expose()),
        purpose: Purpose::Activate,
        person: Some(person),
        detail: &serde_json::to_string(landing)?,
        expires_at: now.saturating_add(SignedDuration::from_hours(24 * i64::from(days)))?,
    };
    account_links::insert(tx, &link, now).await?;
    Ok(Secret::new(format!("{}{PATH}{}", config.server.issuer, token.expose())))
}

async fn send(tx: &mut Tx, post: Post<'_>, (person, landing): (&Person, &Landing), now: Timestamp) -> Outcome<String> {
    let days = post.config.accounts.invitation_days;
    let href = link(tx, post.config, (&person.id, landing), now).await?;
    let organization = organizations::of_person(tx, &person.id, now).await?.into_iter().next();
    let letter = AccountLetter::Invitation {
        login: person.login.clone(),
        organization: organization.map(|membership| membership.name),
        days,
        href: href.expose().clone(),
    };
    let to = Recipient {
        address: person.email.as_deref().unwrap_or_default(),
        person: Some(&person.id),
        locale: Locale::negotiate(Some(&person.locale), None),
    };
    let mail = mail::write_to(tx, post, (&to, &letter), (now, now)).await?;
    enrolments::have_credentials(tx, (&person.id, Some(&mail)), now).await?;
    Ok(mail)
}
