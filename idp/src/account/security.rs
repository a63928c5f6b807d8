//! `/account/security`: passkeys, authenticator apps and recovery codes of the person.
//!
//! Every page here asks for a sign-in of the last quarter of an hour, by two factors where the person has two: a browser left
//! open is not enough to change how one signs in.

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use habilis_policies::acr::Level;
use habilis_policies::second_factor::Rule;
use jiff::Timestamp;

use super::kept::Kept;
use super::security_page::{Factor, Problem, Security, Waiting};
use super::{signed_in, still_open};
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::people::Person;
use crate::db::second_factors::{self, Found};
use crate::db::sessions::Session;
use crate::db::{Tx, passkeys, sessions, totp_devices};
use crate::login::factor_pages::{Codes, NewApp};
use crate::login::factors::{self, MAX_APPS};
use crate::login::finish::{FRESH, asked, with_methods};
use crate::login::local::Place;
use crate::login::passkey::{self, Registered};
use crate::login::second::chrome_of;
use crate::mail::factors::Change;
use crate::mail::letters::paris;
use crate::outcome::Outcome;
use crate::web::cookies::{self, Browser, Cookies};
use crate::web::params::Params;
use crate::web::routing::{form, get, post};
use crate::web::{Form, Origin, chrome, render, see_other};

const PATH: &str = "/account/security";
const APPS: &str = "/account/security/apps";
const PASSKEYS: &str = "/account/security/passkeys";
const CODES: &str = "/account/security/recovery-codes";

/// The routes of the security page.
pub fn router() -> Router<App> {
    Router::new()
        .route(PATH, get(show))
        .route("/account/security/apps", post(begin_app))
        .route("/account/security/apps/{id}", form(show_app, confirm_app))
        .route("/account/security/apps/{id}/remove", post(remove_app))
        .route("/account/security/passkeys", post(add_passkey))
        .route("/account/security/passkeys/options", post(passkey_options))
        .route("/account/security/passkeys/{id}/rename", post(rename_passkey))
        .route("/account/security/passkeys/{id}/remove", post(remove_passkey))
        .route("/account/security/recovery-codes", post(new_codes))
}

/// Somebody who has just shown that it is them.
struct Fresh {
    session: Session,
    person: Person,
    browser: Browser,
    found: Found,
}

/// Finds who has signed in lately and strongly enough, or says where to do so.
async fn fresh(app: &App, cookies: &Cookies, now: Timestamp) -> Outcome<Result<Fresh, Response>> {
    let Some((session, person, browser)) = signed_in(app, cookies, now).await? else {
        return Ok(Err(see_other(&Place::Security.login_path())));
    };
    let found = second_factors::find(&mut app.db.reader().await?, &person.id, now).await?;
    let recent = now.duration_since(session.auth_time.into()) <= FRESH;
    let strong = !found.any() || Level::of(&session.amr) == Level::TwoFactors;
    if !recent || !strong {
        return Ok(Err(see_other(&Place::Security.confirm_path())));
    }
    Ok(Ok(Fresh { session, person, browser, found }))
}

/// The same for a form, whose token must be that of the browser.
///
/// `path` is where the form was sent. A form of somebody who has to confirm first that it is them is kept for when they come back.
async fn posted(
    app: &App,
    cookies: &Cookies,
    (form, path): (Form, &str),
    now: Timestamp,
) -> Outcome<Result<(Fresh, Params), Response>> {
    let fresh = match fresh(app, cookies, now).await? {
        Ok(fresh) => fresh,
        Err(mut elsewhere) => {
            if let (Some((_, person, browser)), Ok(params)) = (signed_in(app, cookies, now).await?, form.0)
                && browser.sent(app, params.get("csrf"))
            {
                let kept = Kept::new(path, params.get("name").unwrap_or_default(), now)?;
                kept.keep(app, &person.id, &mut elsewhere)?;
            }
            return Ok(Err(elsewhere));
        }
    };
    match form.0 {
        Ok(params) if fresh.browser.sent(app, params.get("csrf")) => Ok(Ok((fresh, params))),
        _ => Ok(Err(see_other(PATH))),
    }
}

async fn show(State(app): State<App>, origin: Origin, cookies: Cookies, RawQuery(query): RawQuery) -> Outcome {
    let now = app.clock.now();
    let fresh = match fresh(&app, &cookies, now).await? {
        Ok(fresh) => fresh,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let mut query = Params::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let page = page(&app, &origin, &fresh, query.take("ui_locales").as_deref()).await?;
    let Some(kept) = Kept::find(&app, &cookies, (&fresh.person.id, now)) else {
        return render(StatusCode::OK, &page);
    };
    // An app that is being set up goes on at its own page; anything else waits for a last word.
    let setting_up = kept.path.strip_prefix("/account/security/apps/").is_some_and(|rest| !rest.contains('/'));
    let mut response = if setting_up {
        see_other(&kept.path)
    } else {
        let waiting = Waiting::of(&kept, &page);
        render(StatusCode::OK, &Security { waiting, ..page })?
    };
    cookies::clear_kept(&app, &mut response);
    Ok(response)
}

async fn page(app: &App, origin: &Origin, fresh: &Fresh, ui_locales: Option<&str>) -> Outcome<Security> {
    let locale = origin.locale(ui_locales);
    let mut reader = app.db.reader().await?;
    let passkeys = passkeys::of_person(&mut reader, &fresh.person.id).await?;
    let apps = totp_devices::of_person(&mut reader, &fresh.person.id).await?;
    drop(reader);
    let date = |at: crate::db::At| paris(at.into(), locale);
    Ok(Security {
        chrome: chrome(app, locale, PATH),
        csrf: fresh.browser.csrf(app),
        required: asked(app, &fresh.found, Rule::Optional) == Rule::Required,
        passkeys_offered: app.passkeys.is_some(),
        passkeys: passkeys
            .into_iter()
            .map(|key| Factor {
                id: key.id,
                name: key.name,
                added: date(key.created_at),
                used: key.last_used_at.map(date),
            })
            .collect(),
        apps: apps
            .into_iter()
            .map(|device| Factor {
                id: device.id,
                name: device.name,
                added: date(device.created_at),
                used: device.last_used_at.map(date),
            })
            .collect(),
        codes_left: u64::try_from(fresh.found.codes).unwrap_or(0),
        waiting: None,
        problem: None,
    })
}

async fn refused(app: &App, origin: &Origin, fresh: &Fresh, problem: Problem) -> Outcome {
    let page = page(app, origin, fresh, None).await?;
    render(StatusCode::UNPROCESSABLE_ENTITY, &Security { problem: Some(problem), ..page })
}

async fn begin_app(State(app): State<App>, origin: Origin, cookies: Cookies, form: Form) -> Outcome {
    let now = app.clock.now();
    let (fresh, params) = match posted(&app, &cookies, (form, APPS), now).await? {
        Ok(posted) => posted,
        Err(elsewhere) => return Ok(elsewhere),
    };
    if fresh.found.apps >= MAX_APPS {
        return refused(&app, &origin, &fresh, Problem::TooMany).await;
    }
    let name = factors::name(params.get("name"), &origin.locale(None).text("factors-default-name"));
    let mut tx = app.db.begin().await?;
    let id = factors::begin_app(&mut tx, &app, (&fresh.person.id, &name), now).await?;
    tx.commit().await?;
    Ok(see_other(&format!("{PATH}/apps/{id}")))
}

async fn show_app(
    State(app): State<App>,
    origin: Origin,
    cookies: Cookies,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let now = app.clock.now();
    let fresh = match fresh(&app, &cookies, now).await? {
        Ok(fresh) => fresh,
        Err(mut elsewhere) => {
            if let Some((_, person, _)) = signed_in(&app, &cookies, now).await? {
                Kept::new(&format!("{APPS}/{id}"), "", now)?.keep(&app, &person.id, &mut elsewhere)?;
            }
            return Ok(elsewhere);
        }
    };
    let mut query = Params::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    match new_app(&app, &origin, (&fresh, &id, query.take("ui_locales").as_deref()), now).await? {
        Some(page) => render(StatusCode::OK, &page),
        None => Ok(see_other(PATH)),
    }
}

async fn new_app(
    app: &App,
    origin: &Origin,
    (fresh, id, ui_locales): (&Fresh, &str, Option<&str>),
    now: Timestamp,
) -> Outcome<Option<NewApp>> {
    let secret = factors::enrolment(&mut app.db.reader().await?, app, (id, &fresh.person.id), now).await?;
    let Some(secret) = secret else { return Ok(None) };
    let action = format!("{PATH}/apps/{id}");
    let page = NewApp::new(
        chrome(app, origin.locale(ui_locales), &action),
        (action.clone(), fresh.browser.csrf(app), PATH.to_owned()),
        (&secret, &fresh.person.login),
    )?;
    Ok(Some(page))
}

async fn confirm_app(
    State(app): State<App>,
    origin: Origin,
    cookies: Cookies,
    Path(id): Path<String>,
    form: Form,
) -> Outcome {
    let now = app.clock.now();
    let (fresh, mut params) = match posted(&app, &cookies, (form, &format!("{APPS}/{id}")), now).await? {
        Ok(posted) => posted,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let Some(page) = new_app(&app, &origin, (&fresh, &id, None), now).await? else { return Ok(see_other(PATH)) };
    let typed = params.take("code").unwrap_or_default();
    let person = &fresh.person.id;
    let mut tx = app.db.begin().await?;
    if !still_open(&mut tx, &fresh.session, now).await? {
        return Ok(see_other(PATH));
    }
    if !factors::confirm_app(&mut tx, &app, (&id, person, &typed, &origin), now).await? {
        return render(StatusCode::UNPROCESSABLE_ENTITY, &NewApp { wrong: true, ..page });
    }
    added(tx, &app, (&origin, &fresh, factors::OTP), now).await
}

/// After a factor was added: this session has proven it, and the first one brings recovery codes.
async fn added(mut tx: Tx, app: &App, (origin, fresh, methods): (&Origin, &Fresh, &str), now: Timestamp) -> Outcome {
    let amr = with_methods(&fresh.session.amr, methods);
    sessions::strengthen(&mut tx, &fresh.session.id, &amr).await?;
    let codes = factors::first_codes(&mut tx, app, (&fresh.person.id, origin), now).await?;
    tx.commit().await?;
    app.mail_waiting.notify_one();
    if codes.is_empty() {
        return Ok(see_other(PATH));
    }
    render(StatusCode::OK, &Codes::new(chrome_of(app, origin, None), &codes, PATH.to_owned()))
}

async fn passkey_options(State(app): State<App>, origin: Origin, cookies: Cookies, form: Form) -> Outcome {
    let now = app.clock.now();
    let fresh = match posted(&app, &cookies, (form, PATH), now).await? {
        Ok((fresh, _)) if app.passkeys.is_some() && app.begun.admit(&origin.network()) => fresh,
        _ => return Ok(passkey::stale_script()),
    };
    passkey::new_options(&app, (&fresh.browser, &fresh.person), now).await
}

async fn add_passkey(State(app): State<App>, origin: Origin, cookies: Cookies, form: Form) -> Outcome {
    let now = app.clock.now();
    let (fresh, mut params) = match posted(&app, &cookies, (form, PATH), now).await? {
        Ok(posted) => posted,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let mut tx = app.db.begin().await?;
    if !still_open(&mut tx, &fresh.session, now).await? {
        return Ok(see_other(PATH));
    }
    let who = (fresh.person.id.as_str(), &fresh.browser, &origin);
    match passkey::register(&mut tx, &app, who, (&mut params, now)).await? {
        Registered::Added(methods) => added(tx, &app, (&origin, &fresh, methods), now).await,
        other => {
            drop(tx);
            let problem =
                if matches!(other, Registered::TooMany) { Problem::TooMany } else { Problem::PasskeyNotTaken };
            refused(&app, &origin, &fresh, problem).await
        }
    }
}

async fn rename_passkey(
    State(app): State<App>,
    origin: Origin,
    cookies: Cookies,
    Path(id): Path<String>,
    form: Form,
) -> Outcome {
    let now = app.clock.now();
    let (fresh, params) = match posted(&app, &cookies, (form, &format!("{PASSKEYS}/{id}/rename")), now).await? {
        Ok(posted) => posted,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let (person, name) = (&fresh.person.id, factors::name(params.get("name"), ""));
    if name.is_empty() {
        return Ok(see_other(PATH));
    }
    let mut tx = app.db.begin().await?;
    if still_open(&mut tx, &fresh.session, now).await? && passkeys::rename(&mut tx, (&id, person), &name).await? {
        let event = Event::new("passkey.renamed").by(person).about(person).from(&origin).with("passkey", id);
        audit::record(&mut tx, event, now).await?;
        tx.commit().await?;
    }
    Ok(see_other(PATH))
}

async fn remove_passkey(
    State(app): State<App>,
    origin: Origin,
    cookies: Cookies,
    Path(id): Path<String>,
    form: Form,
) -> Outcome {
    let now = app.clock.now();
    let (fresh, _) = match posted(&app, &cookies, (form, &format!("{PASSKEYS}/{id}/remove")), now).await? {
        Ok(posted) => posted,
        Err(elsewhere) => return Ok(elsewhere),
    };
    remove(&app, &origin, (&fresh, Change::PasskeyRemoved, &id), now).await
}

async fn remove_app(
    State(app): State<App>,
    origin: Origin,
    cookies: Cookies,
    Path(id): Path<String>,
    form: Form,
) -> Outcome {
    let now = app.clock.now();
    let (fresh, _) = match posted(&app, &cookies, (form, &format!("{APPS}/{id}/remove")), now).await? {
        Ok(posted) => posted,
        Err(elsewhere) => return Ok(elsewhere),
    };
    remove(&app, &origin, (&fresh, Change::AppRemoved, &id), now).await
}

/// Removes a factor, unless it is the last way in, or the last of what is asked of the person.
async fn remove(app: &App, origin: &Origin, (fresh, change, id): (&Fresh, Change, &str), now: Timestamp) -> Outcome {
    let person = fresh.person.id.as_str();
    let mut tx = app.db.begin().await?;
    if !still_open(&mut tx, &fresh.session, now).await? {
        return Ok(see_other(PATH));
    }
    let removed = match change {
        Change::PasskeyRemoved => passkeys::delete(&mut tx, (id, person)).await?,
        _ => totp_devices::delete(&mut tx, (id, person)).await?,
    };
    if !removed {
        return Ok(see_other(PATH));
    }
    let left = second_factors::find(&mut tx, person, now).await?;
    if let Some(problem) = last(app, &left) {
        drop(tx);
        return refused(app, origin, fresh, problem).await;
    }
    factors::tidy(&mut tx, person, now).await?;
    factors::changed(&mut tx, app, (person, change, origin), now).await?;
    tx.commit().await?;
    app.mail_waiting.notify_one();
    Ok(see_other(PATH))
}

/// Why what would be left is not enough.
fn last(app: &App, left: &Found) -> Option<Problem> {
    if left.passwords == 0 && left.passkeys == 0 {
        return Some(Problem::LastWayIn);
    }
    (!left.any() && asked(app, left, Rule::Optional) == Rule::Required).then_some(Problem::LastRequired)
}

async fn new_codes(State(app): State<App>, origin: Origin, cookies: Cookies, form: Form) -> Outcome {
    let now = app.clock.now();
    let (fresh, _) = match posted(&app, &cookies, (form, CODES), now).await? {
        Ok(posted) => posted,
        Err(elsewhere) => return Ok(elsewhere),
    };
    if !fresh.found.any() {
        return Ok(see_other(PATH));
    }
    let mut tx = app.db.begin().await?;
    if !still_open(&mut tx, &fresh.session, now).await? {
        return Ok(see_other(PATH));
    }
    let codes = factors::new_codes(&mut tx, &app, (&fresh.person.id, &origin), now).await?;
    tx.commit().await?;
    app.mail_waiting.notify_one();
    render(StatusCode::OK, &Codes::new(chrome_of(&app, &origin, None), &codes, PATH.to_owned()))
}
