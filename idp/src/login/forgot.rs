//! `/password/forgot`: sends a one-time link to the declared address (R044, R048).
//!
//! The same page, the same work and the same time for everybody: the request only counts itself; who it is about is looked
//! up after the answer, and the trail gets a line either way.

use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use habilis_policies::login::{self, TooEarly};
use jiff::Timestamp;

use super::links::{self, Why};
use super::password::recent;
use super::password_pages::{Forgot, ForgotProblem, Telling, Told};
use crate::account::invite;
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::failures::{self, Subject};
use crate::db::people::{self, fold_login};
use crate::oidc::error::PageError;
use crate::outcome::Outcome;
use crate::web::cookies::{self, Browser, Cookies};
use crate::web::params::Params;
use crate::web::{Form, Origin, chrome, render};

/// Links asked for one name in an hour.
pub(super) const PER_NAME: u32 = 5;
/// Links asked from one network in an hour.
const PER_NETWORK: u32 = 30;
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
    let answer =
        render(StatusCode::OK, &Told { chrome: chrome(&app, origin.locale(None), PATH), telling: Telling::LinkSent });
    // The answer does not wait for what follows, so that its time tells nothing.
    tokio::spawn(async move {
        if let Err(fault) = send(&app, &origin, &typed, now).await {
            tracing::error!(event = "link_not_sent", request_id = origin.request_id, cause = ?fault);
        }
    });
    answer
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
    let subjects =
        [(Subject::link(&fold_login(typed)), PER_NAME), (Subject::links_of_network(&origin.network()), PER_NETWORK)];
    for (subject, per_hour) in subjects {
        let so_far = recent(failures::lock(&mut tx, &subject, now).await?, now);
        if let Err(too_early) = login::admit_network(Some(so_far), per_hour, now) {
            tx.commit().await?;
            return Ok(Err(too_early));
        }
        failures::set(&mut tx, &subject, i64::from(so_far.count) + 1, now).await?;
    }
    tx.commit().await?;
    Ok(Ok(()))
}

async fn send(app: &App, origin: &Origin, typed: &str, now: Timestamp) -> Outcome<()> {
    let mut tx = app.db.begin().await?;
    let found = people::find_by_login_or_email(&mut tx, typed).await?;
    let mut event = Event::new("password.link_requested").from(origin);
    // Somebody who was invited and never came asks for the same thing: a way in.
    for person in found.iter().filter(|person| person.status == "pending") {
        if let Some(mail) = invite::send_again(&mut tx, &app.config, person, now).await? {
            event = event.about(&person.id).with("invitation", mail);
        }
    }
    for person in found.iter().filter(|person| links::may_be_sent(&person.status)) {
        links::send(&mut tx, app, (&person.id, Why::Forgotten), now).await?;
        event = event.about(&person.id);
    }
    audit::record(&mut tx, event, now).await?;
    tx.commit().await?;
    app.mail_waiting.notify_one();
    Ok(())
}
