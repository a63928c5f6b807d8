//! "Report a compromise" (R031, R034): by the button of the account, or by the link in every security mail. Everything closes in
//! one transaction, the data protection officer is told, and a link to choose another password goes to the declared address.
//!
//! The link shows a page and acts on its button alone: mail filters follow links.

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use habilis_keys::token::digest;
use habilis_policies::api_keys::Event as Happening;
use jiff::{SignedDuration, Timestamp};

use crate::api_keys::happened_to_issuer;
use crate::app::App;
use crate::config::Config;
use crate::db::account_links::{self, Purpose};
use crate::db::audit::{self, Event};
use crate::db::people::{self, Person};
use crate::db::{Tx, browsers, compromise_links, factor_removals, grants, password_links, passwords, sign_in_steps};
use crate::incidents;
use crate::login::factors::Removed;
use crate::login::forgot::ui_locales;
use crate::login::links::{self, Why};
use crate::login::password_pages::{Telling, Told};
use crate::login::{factors, session};
use crate::mail::incidents::About;
use crate::outcome::Outcome;
use crate::web::page::{Chrome, Sample, sample_chrome};
use crate::web::text::Locale;
use crate::web::{Origin, chrome, cookies, render};

/// How long the link of a mail works.
const LIFE: SignedDuration = factors::DOUBTED;
/// Longest token worth a look.
const MAX_TOKEN: usize = 128;

/// The question before everything is closed.
#[derive(Clone, Debug, Template)]
#[template(path = "account/compromise.html")]
pub struct Confirm {
    /// The frame.
    pub chrome: Chrome,
    /// Where the form is posted.
    pub action: String,
}

impl Sample for Confirm {
    fn samples(locale: Locale) -> Vec<Self> {
        vec![Self { chrome: sample_chrome(locale), action: "/compromise/abc".to_owned() }]
    }
}

/// Makes a link for a mail to `person`.
///
/// # Errors
/// The database failed.
pub async fn new_link(tx: &mut Tx, config: &Config, person: &str, now: Timestamp) -> Outcome<String> {
    let token = habilis_keys::random::token();
    compromise_links::insert(tx, &digest(token.expose()), (person, now.saturating_add(LIFE)?), now).await?;
    Ok(format!("{}/compromise/{}", config.server.issuer, token.expose()))
}

/// Asks whether to close everything. Changes nothing.
///
/// # Errors
/// The database or the template failed.
pub async fn get(
    State(app): State<App>,
    origin: Origin,
    Path(token): Path<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let now = app.clock.now();
    if owner(&app, &token, now).await?.is_none() {
        return over(&app, &origin);
    }
    let path = format!("/compromise/{token}");
    let locale = origin.locale(ui_locales(query).as_deref());
    render(StatusCode::OK, &Confirm { chrome: chrome(&app, locale, &path), action: path })
}

/// Closes everything, once.
///
/// # Errors
/// The database or the template failed.
pub async fn post(State(app): State<App>, origin: Origin, Path(token): Path<String>) -> Outcome {
    let now = app.clock.now();
    let Some(person) = owner(&app, &token, now).await? else { return over(&app, &origin) };
    let mut tx = app.db.begin().await?;
    people::lock(&mut tx, &person.id).await?;
    if !compromise_links::use_up(&mut tx, &digest(&token), now).await? {
        return over(&app, &origin);
    }
    close(&mut tx, &app, (&person, reported(&person, &origin, "mail")), (&origin, now)).await?;
    tx.commit().await?;
    closed(&app, &origin)
}

/// The line of the trail about a report on a page: from which, `account` or `mail`.
pub fn reported(person: &Person, origin: &Origin, by: &'static str) -> Event {
    Event::new("account.compromise_reported").by(&person.id).about(&person.id).from(origin).with("by", by)
}

/// Shuts the account, see [`shut`]. Sends a link to choose another password, and tells the data protection officer through their queue. The link of a
/// mail that takes a changed address back stays good. `event` says who reports, and how. The caller holds the lock on the person, and commits.
///
/// # Errors
/// The database or a template failed.
pub async fn close(
    tx: &mut Tx,
    app: &App,
    (person, event): (&Person, Event),
    (origin, now): (&Origin, Timestamp),
) -> Outcome<()> {
    let shut = shut(tx, app, person, now).await?;
    links::send(tx, app, (&person.id, Why::Compromised(shut.removed)), now).await?;
    let incident = incidents::of_account(tx, app, (person, origin), About::Compromise, now).await?;
    Ok(audit::record(tx, shut.tell(event.with("incident", incident)), now).await?)
}

/// What was open of an account, and is no more.
#[derive(Debug)]
pub(super) struct Shut {
    sessions: u64,
    grants: u64,
    browsers: u64,
    pub(super) removed: Removed,
}

impl Shut {
    /// Adds it to a line of the trail.
    pub(super) fn tell(&self, event: Event) -> Event {
        let event = event
            .with("sessions_ended", self.sessions)
            .with("grants_revoked", self.grants)
            .with("browsers_forgotten", self.browsers);
        self.removed.tell(event)
    }
}

/// Ends every session and token and tells the portals, takes the password away, forgets the browsers the account knew (the
/// thief's may be among them, and would have tries of its own), voids what waits for a link: a password, another address, the
/// removal of second factors. Removes the passkeys, apps and recovery codes of the last thirty days. The older ones stay, but a passkey
/// opens nothing before another password was chosen by the link: it may be the thief's all the same. Who had no password to renew, or
/// no address to send a link to, goes on with an older passkey. The caller holds the lock on the person, and commits.
///
/// # Errors
/// The database or a template failed.
pub(super) async fn shut(tx: &mut Tx, app: &App, person: &Person, now: Timestamp) -> Outcome<Shut> {
    let id = person.id.as_str();
    let sessions = session::end_of_person(tx, (id, ""), now).await?;
    let grants = grants::revoke_of_person(tx, id, "", now).await?;
    happened_to_issuer(tx, app, (id, None, Happening::IssuerCompromised), now).await?;
    if passwords::take_away(tx, id, now).await? && person.email.is_some() {
        people::ask_renewal(tx, id, now).await?;
    }
    password_links::void(tx, id, now).await?;
    compromise_links::void(tx, id, now).await?;
    sign_in_steps::void(tx, id, now).await?;
    account_links::void(tx, id, Purpose::NewEmail, now).await?;
    factor_removals::void(tx, id, now).await?;
    let removed = factors::remove_doubted(tx, id, now).await?;
    let browsers = browsers::forget(tx, id).await?;
    Ok(Shut { sessions, grants, browsers, removed })
}

/// The page that says so.
///
/// # Errors
/// The template failed.
pub fn closed(app: &App, origin: &Origin) -> Outcome {
    app.mail_waiting.notify_one();
    let page = Told { chrome: chrome(app, origin.locale(None), "/"), telling: Telling::Compromised };
    let mut response = render(StatusCode::OK, &page)?;
    cookies::clear_session(app, &mut response);
    Ok(response)
}

async fn owner(app: &App, token: &str, now: Timestamp) -> Outcome<Option<Person>> {
    if token.len() > MAX_TOKEN {
        return Ok(None);
    }
    let mut reader = app.db.reader().await?;
    let Some(id) = compromise_links::find(&mut reader, &digest(token), now).await? else { return Ok(None) };
    Ok(people::find(&mut reader, &id).await?.filter(|person| links::may_be_sent(&person.status)))
}

fn over(app: &App, origin: &Origin) -> Outcome {
    render(StatusCode::GONE, &Told { chrome: chrome(app, origin.locale(None), "/"), telling: Telling::ReportOver })
}
