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
use axum::routing::{get, post};
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
use crate::web::{Form, Origin, chrome, render, see_other};
use pages::{Account, Device};

/// The routes of the account.
pub fn router() -> Router<App> {
    Router::new()
        .route("/account", get(show))
        .route(activity::PATH, get(activity::show))
        .route("/account/applications", get(applications::show))
        .route("/account/applications/revoke", post(applications::revoke))
        .route(organizations_page::PATH, get(organizations_page::show).post(organizations_page::answer))
        .route(seats_page::PATH, get(seats_page::show).post(seats_page::post))
        .route(completion::PATH, get(completion::show).post(completion::take))
        .route("/account/sign-out-others", post(devices::sign_out_others))
        .route("/account/compromise", post(report))
        .route(password::PATH, get(password::get).post(password::post))
        .route("/compromise/{token}", get(compromise::get).post(compromise::post))
        .route("/account/sign-out-device", post(devices::sign_out))
        .route("/account/profile", get(profile::show).post(profile::save))
        .route("/account/profile/email", post(profile::ask_email))
        .route("/account/email/{token}", get(profile::confirm_page).post(profile::confirm))
        .route("/account/email/undo/{token}", get(profile::undo_page).post(profile::undo))
        .route("/activate/{token}", get(activation::get).post(activation::post))
        .route("/updates/{token}", get(updates::get).post(updates::post))
        .route("/sign-up", get(sign_up::get).post(sign_up::post))
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
