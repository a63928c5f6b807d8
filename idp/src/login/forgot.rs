//! `/password/forgot`: sends a one-time link to the declared address (R044, R048).
//!
//! The same page, the same work and the same time for everybody: the request only counts and keeps itself, in one transaction
//! before the answer. Who it is about is looked up by a job, which a crash does not keep from coming; the trail gets a line either
//! way. What was typed is sealed until then: people type other things than their address into that field.

use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use habilis_policies::login::{self, TooEarly};
use jiff::{SignedDuration, Timestamp};

use super::links::{self, Why};
use super::password::recent;
use super::password_pages::{Forgot, ForgotProblem, Telling, Told};
use crate::account::invite;
use crate::app::App;
use crate::db::Tx;
use crate::db::audit::{self, Event};
use crate::db::failures::{self, Subject};
use crate::db::link_requests::{self, LinkRequest};
use crate::db::people::{self, fold_login};
use crate::oidc::error::PageError;
use crate::outcome::Outcome;
use crate::web::cookies::{self, Browser, Cookies};
use crate::web::params::Params;
use crate::web::{Form, Origin, chrome, render};

/// Links asked for one name in an hour.
pub(super) const PER_NAME: u32 = 5;
/// Characters kept of what is typed; no login and no address is longer.
const MAX_TYPED: usize = 320;
/// A request older than this is not answered any more: who asked has long asked again.
const ANSWERED_WITHIN: SignedDuration = SignedDuration::from_hours(24);
const SEALED_FOR: &str = "link-request";
/// The path.
pub const PATH: &str = "/password/forgot";

/// Shows the form.
///
/// # Errors
/// The template failed.
pub async fn get(State(app): State<App>, origin: Origin, cookies: Cookies, RawQuery(query): RawQuery) -> Outcome {
    let ui_locales = ui_locales(query);
    let known = cookies.browser.is_some();
    let browser = cookies.browser.unwrap_or_else(Browser::named_at_random);
    let page = page(&app, &origin, &browser, ui_locales.as_deref());
    let mut response = render(StatusCode::OK, &page)?;
    if !known {
        cookies::set_browser(&app, &mut response, &browser);
    }
    Ok(response)
}

/// Takes a request for a link.
///
/// # Errors
/// The database or the template failed.
pub async fn post(State(app): State<App>, origin: Origin, cookies: Cookies, Form(form): Form) -> Outcome {
    let now = app.clock.now();
    let mut params = match form {
        Ok(params) => params,
        Err(error) => return PageError::unreadable(&error).show(&app, &origin, None),
    };
    let known = cookies.browser.clone();
    let browser = known.clone().unwrap_or_else(Browser::named_at_random);
    let shown = page(&app, &origin, &browser, None);
    if !known.is_some_and(|browser| browser.sent(&app, params.get("csrf"))) {
        return stale(&app, &browser, &shown);
    }
    let typed = params.take("username").unwrap_or_default();
    if let Err(TooEarly { retry_at }) = count(&app, &origin, &typed, now).await? {
        let seconds = u64::try_from(retry_at.duration_since(now).as_secs() + 1).unwrap_or(1);
        let page = Forgot { problem: Some(ForgotProblem::TryLater { seconds }), ..shown };
        let mut response = render(StatusCode::TOO_MANY_REQUESTS, &page)?;
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        return Ok(response);
    }
    app.mail_waiting.notify_one();
    render(StatusCode::OK, &Told { chrome: chrome(&app, origin.locale(None), PATH), telling: Telling::LinkSent })
}

fn stale(app: &App, browser: &Browser, shown: &Forgot) -> Outcome<Response> {
    let page = Forgot { problem: Some(ForgotProblem::Stale), ..shown.clone() };
    let mut response = render(StatusCode::FORBIDDEN, &page)?;
    cookies::set_browser(app, &mut response, browser);
    Ok(response)
}

fn page(app: &App, origin: &Origin, browser: &Browser, ui_locales: Option<&str>) -> Forgot {
    Forgot {
        chrome: chrome(app, origin.locale(ui_locales), PATH),
        action: PATH.to_owned(),
        csrf: browser.csrf(app),
        problem: None,
    }
}

/// The language asked for in a query.
pub(crate) fn ui_locales(query: Option<String>) -> Option<String> {
    Params::parse(query.unwrap_or_default().as_bytes()).ok().and_then(|mut params| params.take("ui_locales"))
}

async fn count(app: &App, origin: &Origin, typed: &str, now: Timestamp) -> Outcome<Result<(), TooEarly>> {
    let mut tx = app.db.begin().await?;
    let per_address = app.config.sign_in.links_per_address_per_hour;
    let subjects =
        [(Subject::link(&fold_login(typed)), PER_NAME), (Subject::links_of_network(&origin.network()), per_address)];
    for (subject, per_hour) in subjects {
        let so_far = recent(failures::lock(&mut tx, &subject, now).await?, now);
        if let Err(too_early) = login::admit_network(Some(so_far), per_hour, now) {
            tx.commit().await?;
            return Ok(Err(too_early));
        }
        failures::set(&mut tx, &subject, i64::from(so_far.count) + 1, so_far.hour_of(now)).await?;
    }
    let id = link_requests::new_id(now);
    let typed: String = typed.chars().take(MAX_TYPED).collect();
    let request = LinkRequest {
        typed_sealed: app.keys.master().seal(SEALED_FOR, id.as_bytes(), typed.as_bytes()),
        id,
        address: origin.address.to_string(),
        request_id: origin.request_id.clone(),
        created_at: now.into(),
    };
    link_requests::insert(&mut tx, &request).await?;
    tx.commit().await?;
    Ok(Ok(()))
}

/// Answers every request that waits: called when one was just written, and by the clock, so that one that was written before a
/// crash is answered after it.
///
/// # Errors
/// The database or a template failed.
pub async fn answer_waiting(app: &App, now: Timestamp) -> Outcome<()> {
    loop {
        let mut tx = app.db.begin().await?;
        let Some(request) = link_requests::take(&mut tx).await? else { return Ok(()) };
        // This round may have begun before the request came: the link lives from the request on.
        send(&mut tx, app, &request, now.max(request.created_at.into())).await?;
        tx.commit().await?;
    }
}

async fn send(tx: &mut Tx, app: &App, request: &LinkRequest, now: Timestamp) -> Outcome<()> {
    let opened = app.keys.master().open(SEALED_FOR, request.id.as_bytes(), &request.typed_sealed);
    let Some(typed) = opened.ok().and_then(|typed| String::from_utf8(typed.expose().clone()).ok()) else {
        // Sealed under a master key of another time; it must not keep the others waiting.
        tracing::error!(event = "link_request_unreadable", request_id = request.request_id);
        return Ok(());
    };
    let mut event = Event::new("password.link_requested");
    (event.address, event.request_id) = (Some(request.address.clone()), Some(request.request_id.clone()));
    let fresh = now.duration_since(request.created_at.into()) <= ANSWERED_WITHIN;
    let found = if fresh { people::find_by_login_or_email(tx, &typed).await? } else { Vec::new() };
    // Somebody who was invited and never came asks for the same thing: a way in.
    for person in found.iter().filter(|person| person.status == "pending") {
        if let Some(mail) = invite::send_again(tx, app.into(), person, now).await? {
            event = event.about(&person.id).with("invitation", mail);
        }
    }
    for person in found.iter().filter(|person| links::may_be_sent(&person.status)) {
        links::send(tx, app, (&person.id, Why::Forgotten), now).await?;
        event = event.about(&person.id);
    }
    Ok(audit::record(tx, event, now).await?)
}
