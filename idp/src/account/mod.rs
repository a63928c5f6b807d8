//! `/account`: the person's own page: who they are, where they are signed in, and what to do when something is wrong.

pub mod activation;
pub mod activity;
pub mod applications;
pub mod attributes;
pub mod completion;
pub mod compromise;
pub mod declaration;
pub mod devices;
pub mod documents;
pub mod evidence;
pub mod identity;
pub mod invite;
pub mod kept;
pub mod landing;
pub mod logins;
pub mod membership;
pub mod notice;
pub mod offers;
pub mod organizations_page;
pub mod pages;
pub mod password;
pub mod profile;
pub mod review;
pub mod seats_page;
pub mod security;
pub mod security_page;
pub mod sharing;
pub mod sign_up;
pub mod signatories;
pub mod succession;
pub mod updates;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use jiff::Timestamp;

use crate::app::App;
use crate::db::people::{self, Person};
use crate::db::sessions;
use crate::db::sessions::Session;
use crate::login::local::Place;
use crate::login::session::{self, still_open};
use crate::mail::letters::{device, paris};
use crate::outcome::Outcome;
use crate::web::cookies::{Browser, Cookies};
use crate::web::params::Params;
use crate::web::routing::{form, get, post};
use crate::web::{Form, Origin, chrome, render, see_other};
use pages::{Account, Device};

/// The routes of the account.
pub fn router() -> Router<App> {
    Router::new()
        .route("/account", get(show))
        .route(activity::PATH, get(activity::show))
        .route("/account/applications", get(applications::show))
        .route("/account/applications/revoke", post(applications::revoke))
        .route(organizations_page::PATH, form(organizations_page::show, organizations_page::answer))
        .route(seats_page::PATH, form(seats_page::show, seats_page::post))
        .route(completion::PATH, form(completion::show, completion::take))
        .route("/account/sign-out-others", post(devices::sign_out_others))
        .route("/account/compromise", post(report))
        .route(password::PATH, form(password::get, password::post))
        .route("/compromise/{token}", form(compromise::get, compromise::post))
        .route("/account/sign-out-device", post(devices::sign_out))
        .route("/account/profile", form(profile::show, profile::save))
        .route("/account/profile/email", post(profile::ask_email))
        .route("/account/email/{token}", form(profile::confirm_page, profile::confirm))
        .route("/account/email/undo/{token}", form(profile::undo_page, profile::undo))
        .route("/activate/{token}", form(activation::get, activation::post))
        .route("/updates/{token}", form(updates::get, updates::post))
        .route("/sign-up", form(sign_up::get, sign_up::post))
        .merge(security::router())
}

/// Who is signed in in this browser.
async fn signed_in(app: &App, cookies: &Cookies, now: Timestamp) -> Outcome<Option<(Session, Person, Browser)>> {
    let Some(browser) = cookies.browser.clone() else { return Ok(None) };
    let Some(session) = session::load(app, cookies, now).await? else { return Ok(None) };
    let person = people::find(&mut app.db.reader().await?, &session.person_id).await?;
    Ok(person.map(|person| (session, person, browser)))
}

async fn show(State(app): State<App>, origin: Origin, cookies: Cookies, RawQuery(query): RawQuery) -> Outcome {
    let now = app.clock.now();
    let Some((session, person, browser)) = signed_in(&app, &cookies, now).await? else {
        return Ok(see_other(&Place::Account.login_path()));
    };
    let chosen =
        Params::parse(query.unwrap_or_default().as_bytes()).ok().and_then(|mut params| params.take("ui_locales"));
    let locale = origin.locale(chosen.as_deref());
    let mut reader = app.db.reader().await?;
    let devices = sessions::of_person(&mut reader, &person.id, now).await?;
    let asked = attributes::asked_of(&mut reader, &app.config, (&person.id, now)).await?;
    drop(reader);
    let page = Account {
        chrome: chrome(&app, locale, Place::Account.path()),
        csrf: browser.csrf(&app),
        incomplete: !attributes::missing_of(&asked, &person)?.is_empty(),
        to_verify: person.identity_changed_at.is_some(),
        name: format!("{} {}", person.given_name, person.family_name),
        login: person.login,
        email: person.email.unwrap_or_default(),
        devices: devices
            .into_iter()
            .map(|found| Device {
                current: found.id == session.id,
                id: found.id,
                name: device(&found.user_agent),
                address: found.address,
                since: paris(found.created_at.into(), locale),
            })
            .collect(),
    };
    render(StatusCode::OK, &page)
}

/// Closes everything at once: sessions, tokens, password; a link to choose another goes to the declared address (R031).
async fn report(State(app): State<App>, origin: Origin, cookies: Cookies, Form(form): Form) -> Outcome {
    let now = app.clock.now();
    let Some((_, person, browser)) = signed_in(&app, &cookies, now).await? else {
        return Ok(see_other(&Place::Account.login_path()));
    };
    if !browser.sent(&app, form.ok().as_ref().and_then(|params| params.get("csrf"))) {
        return Ok(see_other(Place::Account.path()));
    }
    let mut tx = app.db.begin().await?;
    people::lock(&mut tx, &person.id).await?;
    let event = compromise::reported(&person, &origin, "account");
    compromise::close(&mut tx, &app, (&person, event), (&origin, now)).await?;
    tx.commit().await?;
    compromise::closed(&app, &origin)
}
