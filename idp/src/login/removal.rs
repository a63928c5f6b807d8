//! The last rung but one of the recovery ladder: removal of the second factors by a link to the declared address, after a
//! wait that lets their owner object. The password is still asked afterwards. The last rung is an administrator.

use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use habilis_keys::token::digest;
use jiff::{SignedDuration, Timestamp};

use super::factor_pages::Removal;
use super::password_pages::{Telling, Told};
use super::{factors, session};
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::sign_in_steps::{self, Step};
use crate::db::{factor_removals, grants, people};
use crate::mail;
use crate::mail::factors::FactorLetter;
use crate::mail::letters::paris;
use crate::oidc::error::PageError;
use crate::oidc::interaction::stale;
use crate::outcome::Outcome;
use crate::web::cookies::Browser;
use crate::web::{Form, Origin, chrome, render};

/// How long a link works once its wait is over.
const OPEN: SignedDuration = SignedDuration::from_hours(24 * 7);
/// Longest token worth a look.
const MAX_TOKEN: usize = 128;

/// Whether this server removes second factors by mail.
pub fn is_offered(app: &App) -> bool {
    app.config.second_factor.mail_removal_after_hours > 0
}

/// Announces a removal by mail to whoever has got as far as `step`; one at a time. The answer is the same when one is under way.
///
/// # Errors
/// The database or a template failed.
pub async fn ask(app: &App, origin: &Origin, (step, browser): (&Step, &Browser), now: Timestamp) -> Outcome {
    let person = step.person_id.as_str();
    let wait = SignedDuration::from_hours(i64::from(app.config.second_factor.mail_removal_after_hours));
    let ready_at = now.saturating_add(wait)?;
    let mut tx = app.db.begin().await?;
    people::lock(&mut tx, person).await?;
    // A report or a new password may have ended the step meanwhile.
    if sign_in_steps::find(&mut tx, &step.id, &browser.digest(), now).await?.is_none() {
        return stale(app, origin);
    }
    if !factor_removals::is_open(&mut tx, person, now).await? {
        let token = habilis_keys::random::token();
        let dates = (ready_at, ready_at.saturating_add(OPEN)?);
        factor_removals::insert(&mut tx, (&digest(token.expose()), person), dates, now).await?;
        let href = format!("{}/sign-in/removal/{}", app.config.server.issuer, token.expose());
        mail::write(&mut tx, app, (person, &FactorLetter::RemovalAsked { href, ready_at }), now).await?;
        audit::record(&mut tx, Event::new("second_factors.removal_asked").about(person).from(origin), now).await?;
    }
    tx.commit().await?;
    app.mail_waiting.notify_one();
    render(StatusCode::OK, &Told { chrome: chrome(app, origin.locale(None), "/"), telling: Telling::RemovalAsked })
}

/// Shows the removal: when it will be possible, or that it is; and how to stop it.
///
/// # Errors
/// The database or a template failed.
pub async fn get(
    State(app): State<App>,
    origin: Origin,
    Path(token): Path<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let now = app.clock.now();
    let ui_locales = super::forgot::ui_locales(query);
    let locale = origin.locale(ui_locales.as_deref());
    let found = factor_removals::find(&mut app.db.reader().await?, &token_digest(&token), now).await?;
    let Some(found) = found else { return over(&app, &origin) };
    let ready_at = Timestamp::from(found.ready_at);
    let path = format!("/sign-in/removal/{token}");
    let page = Removal {
        chrome: chrome(&app, locale, &path),
        action: path,
        ready_at: paris(ready_at, locale),
        ready: now >= ready_at,
    };
    render(StatusCode::OK, &page)
}

/// Removes, or stops the removal.
///
/// # Errors
/// The database or a template failed.
pub async fn post(State(app): State<App>, origin: Origin, Path(token): Path<String>, Form(form): Form) -> Outcome {
    let now = app.clock.now();
    let params = match form {
        Ok(params) => params,
        Err(error) => return PageError::unreadable(&error).show(&app, &origin, None),
    };
    let digest = token_digest(&token);
    let mut tx = app.db.begin().await?;
    let Some(found) = factor_removals::find(&mut tx, &digest, now).await? else { return over(&app, &origin) };
    let person = &found.person_id;
    let stop = match params.get("action") {
        Some("stop") => true,
        Some("remove") if now >= Timestamp::from(found.ready_at) => false,
        _ => return over(&app, &origin),
    };
    people::lock(&mut tx, person).await?;
    if !factor_removals::close(&mut tx, &digest, now).await? {
        return over(&app, &origin);
    }
    let telling = if stop {
        let event = Event::new("second_factors.removal_stopped").by(person).about(person).from(&origin);
        audit::record(&mut tx, event, now).await?;
        Telling::RemovalStopped
    } else {
        let removed = factors::remove_all(&mut tx, person, now).await?;
        let ended = session::end_of_person(&mut tx, (person, ""), now).await?;
        let revoked = grants::revoke_of_person(&mut tx, person, "", now).await?;
        let event = Event::new("second_factors.removed_by_mail").by(person).about(person).from(&origin);
        let event = event.with("removed", removed).with("sessions_ended", ended).with("grants_revoked", revoked);
        audit::record(&mut tx, event, now).await?;
        mail::write(&mut tx, &app, (person, &FactorLetter::removed_by_mail(&app, &origin, now)), now).await?;
        Telling::RemovalDone
    };
    tx.commit().await?;
    app.mail_waiting.notify_one();
    render(StatusCode::OK, &Told { chrome: chrome(&app, origin.locale(None), "/"), telling })
}

fn token_digest(token: &str) -> Vec<u8> {
    digest(if token.len() <= MAX_TOKEN { token } else { "" })
}

fn over(app: &App, origin: &Origin) -> Outcome {
    render(StatusCode::GONE, &Told { chrome: chrome(app, origin.locale(None), "/"), telling: Telling::RemovalOver })
}
