//! `/account/applications`: the portals of a person, and the applications of others they let in, with a way to end it.
//!
//! A portal that says where its sign-in begins gets a link there, with `iss` (OIDC Core §4). Taking an application's access back
//! ends all that came of it at once: its grants, and with them refresh tokens and access tokens; it is asked again next time.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use habilis_policies::scopes::Scope;
use jiff::Timestamp;

use super::signed_in;
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::{Tx, consents, grants, people};
use crate::login::local::Place;
use crate::mail::letters::paris;
use crate::oidc::pages::ScopeWords;
use crate::outcome::Outcome;
use crate::web::cookies::Cookies;
use crate::web::page::{Chrome, Link, Sample, sample_chrome};
use crate::web::params::Params;
use crate::web::text::Locale;
use crate::web::{Form, Origin, chrome, render, see_other};

/// Most applications, and most portals, on the page.
pub const MOST: u32 = 200;

/// The page.
#[derive(Clone, Debug, Template)]
#[template(path = "account/applications.html")]
pub struct Applications {
    /// The frame.
    pub chrome: Chrome,
    /// The token of the forms.
    pub csrf: String,
    /// Whether an access was just taken back.
    pub done: bool,
    /// The operator's portals that can be opened from here.
    pub portals: Vec<Link>,
    /// Applications of others.
    pub applications: Vec<Application>,
}

/// An application that a person let in.
#[derive(Clone, Debug)]
pub struct Application {
    /// `client_id`.
    pub id: String,
    /// Its name. No logo: fetching them would tell every application at once that the person looks at this page.
    pub name: String,
    /// What it may know and do.
    pub scopes: Vec<ScopeWords>,
    /// Since when.
    pub since: String,
    /// When it was last used, to within an hour; empty when that is not known.
    pub used: String,
    /// Where its sign-in begins, when it says so.
    pub open: Option<Link>,
}

impl Sample for Applications {
    fn samples(locale: Locale) -> Vec<Self> {
        let application = |name: &str, used: &str| Application {
            id: "cli_01".to_owned(),
            name: name.to_owned(),
            scopes: ["profile", "email", "<script>"].map(|scope| ScopeWords::of(scope, locale)).to_vec(),
            since: "15/12/2027 à 09:30 (heure de Paris)".to_owned(),
            used: used.to_owned(),
            open: None,
        };
        let empty = Self {
            chrome: sample_chrome(locale),
            csrf: "c5f0".to_owned(),
            done: false,
            portals: Vec::new(),
            applications: Vec::new(),
        };
        let hostile = Link {
            name: "<script>alert('nom')</script>".to_owned(),
            href: "https://x.example/\"><script>alert(1)</script>".to_owned(),
        };
        vec![
            empty.clone(),
            Self {
                done: true,
                portals: vec![hostile.clone()],
                applications: vec![
                    application("Campus Formation", ""),
                    Application {
                        id: "\"><script>alert(1)</script>".to_owned(),
                        open: Some(hostile),
                        ..application("<script>alert('nom')</script>", "16/12/2027 à 10:00 (heure de Paris)")
                    },
                ],
                ..empty
            },
        ]
    }
}

/// Shows the page.
///
/// # Errors
/// The database or the template failed.
pub async fn show(State(app): State<App>, origin: Origin, cookies: Cookies, RawQuery(query): RawQuery) -> Outcome {
    let now = app.clock.now();
    let Some((_, person, browser)) = signed_in(&app, &cookies, now).await? else {
        return Ok(see_other(&Place::Applications.login_path()));
    };
    let query = Params::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let locale = origin.locale(query.get("ui_locales"));
    let page = Applications {
        chrome: chrome(&app, locale, Place::Applications.path()),
        csrf: browser.csrf(&app),
        done: query.get("done").is_some(),
        portals: portals(&app, &person.id, locale, now).await?,
        applications: applications(&app, &person.id, locale).await?,
    };
    render(StatusCode::OK, &page)
}

/// The operator's portals that somebody has rights in or has used, and that can be opened by a link.
async fn portals(app: &App, person: &str, locale: Locale, now: Timestamp) -> Outcome<Vec<Link>> {
    let mut links = Vec::new();
    let ids = grants::clients_of_person(&mut app.db.reader().await?, person, (MOST, now)).await?;
    for id in ids {
        let Some(client) = app.client(&id).await?.filter(|client| client.active) else { continue };
        if client.settings.first_party {
            links.extend(client.sign_in_link(&app.config.server.issuer, locale));
        }
    }
    links.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(links)
}

async fn applications(app: &App, person: &str, locale: Locale) -> Outcome<Vec<Application>> {
    let mut shown = Vec::new();
    let given = consents::of_person(&mut app.db.reader().await?, person, MOST).await?;
    for consent in given {
        // A suspended one is shown too: what it holds would be worth something again.
        let Some(client) = app.client(&consent.client_id).await? else { continue };
        let scope = Scope::parse(&consent.scope).unwrap_or_default();
        let moment = |at: crate::db::At| paris(at.into(), locale);
        shown.push(Application {
            name: client.name_in(locale).to_owned(),
            scopes: scope.iter().map(|token| ScopeWords::of(token, locale)).collect(),
            since: moment(consent.created_at),
            used: consent.used_at.map(moment).unwrap_or_default(),
            open: client.sign_in_link(&app.config.server.issuer, locale).filter(|_| client.active),
            id: consent.client_id,
        });
    }
    Ok(shown)
}

/// Takes an application's access back.
///
/// # Errors
/// The database failed.
pub async fn revoke(State(app): State<App>, origin: Origin, cookies: Cookies, Form(form): Form) -> Outcome {
    let now = app.clock.now();
    let Some((_, person, browser)) = signed_in(&app, &cookies, now).await? else {
        return Ok(see_other(&Place::Applications.login_path()));
    };
    let params = form.unwrap_or_default();
    if !browser.sent(&app, params.get("csrf")) {
        return Ok(see_other(Place::Applications.path()));
    }
    let Some(client) = params.get("client_id") else { return Ok(see_other(Place::Applications.path())) };
    let mut tx = app.db.begin().await?;
    let event = Event::new("consent.revoked").by(&person.id).from(&origin);
    if !end(&mut tx, (&person.id, client, event), now).await? {
        return Ok(see_other(Place::Applications.path()));
    }
    tx.commit().await?;
    Ok(see_other(&format!("{}?done=1", Place::Applications.path())))
}

/// Ends all that `person` allowed `client`; false when there was nothing. The caller commits.
///
/// # Errors
/// The database failed.
pub async fn end(tx: &mut Tx, (person, client, event): (&str, &str, Event), now: Timestamp) -> Outcome<bool> {
    people::lock(tx, person).await?;
    if !consents::revoke(tx, person, client).await? {
        return Ok(false);
    }
    let revoked = grants::revoke_at_client(tx, person, client, now).await?;
    audit::record(tx, event.about(person).at_client(client).with("grants_revoked", revoked), now).await?;
    Ok(true)
}
