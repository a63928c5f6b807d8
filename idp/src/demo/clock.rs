//! `/demo/clock`: shows the clock and moves it. What falls due by the move is done before the answer.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

use super::Demo;
use super::pages::ClockForm;
use crate::app::App;
use crate::jobs;
use crate::outcome::Outcome;
use crate::web::cookies::{Browser, Cookies};
use crate::web::params::Params;
use crate::web::see_other;

/// Farthest move, either way: a hundred years.
const FARTHEST: i64 = 100 * 366 * 86_400;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Move {
    advance_seconds: Option<i64>,
    set: Option<Timestamp>,
}

pub(super) async fn get(State(app): State<App>) -> impl IntoResponse {
    Json(json!({ "now": app.clock.now() }))
}

/// JSON from tests (a cross-site page cannot send it), a form with its token from the page.
pub(super) async fn post(
    State(app): State<App>,
    Extension(demo): Extension<Arc<Demo>>,
    cookies: Cookies,
    headers: HeaderMap,
    body: Bytes,
) -> Outcome<Response> {
    let is_json =
        headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let wanted = if is_json { from_json(&app, &body) } else { from_form(&app, &cookies, &body) };
    let moved = wanted.is_some_and(|wanted| app.clock.set(wanted));
    if !moved {
        let hint = "send {\"advance_seconds\": n} or {\"set\": \"2027-12-15T08:00:00+01:00\"}";
        return Ok((StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_request", "error_description": hint })))
            .into_response());
    }
    jobs::run_due(&app, &demo.transport).await?;
    if is_json { Ok(Json(json!({ "now": app.clock.now() })).into_response()) } else { Ok(see_other("/demo")) }
}

fn advanced(app: &App, seconds: i64) -> Option<Timestamp> {
    let far = seconds.checked_abs().is_none_or(|seconds| seconds > FARTHEST);
    if far { None } else { app.clock.now().saturating_add(SignedDuration::from_secs(seconds)).ok() }
}

fn from_json(app: &App, body: &[u8]) -> Option<Timestamp> {
    match serde_json::from_slice(body).ok()? {
        Move { advance_seconds: Some(seconds), set: None } => advanced(app, seconds),
        Move { advance_seconds: None, set: Some(wanted) } => Some(wanted),
        _ => None,
    }
}

fn from_form(app: &App, cookies: &Cookies, body: &[u8]) -> Option<Timestamp> {
    let mut params = Params::parse(body).ok()?;
    if !cookies.browser.as_ref()?.sent(app, params.take("csrf").as_deref()) {
        return None;
    }
    if let Some(seconds) = params.take("advance_seconds") {
        return advanced(app, seconds.parse().ok()?);
    }
    let civil: DateTime = params.take("set_to")?.parse().ok()?;
    civil.to_zoned(habilis_policies::calendar::paris()).ok().map(|zoned| zoned.timestamp())
}

/// The form on the demonstration's page.
pub(super) fn form(app: &App, browser: &Browser) -> ClockForm {
    let now = app.clock.now();
    let paris = now.to_zoned(habilis_policies::calendar::paris());
    let moved = match &app.clock {
        crate::clock::Clock::System => false,
        crate::clock::Clock::Movable(offset) => offset.load(std::sync::atomic::Ordering::SeqCst) != 0,
    };
    ClockForm {
        csrf: browser.csrf(app),
        now: jiff::fmt::strtime::format("%d/%m/%Y %H:%M:%S", &paris).unwrap_or_else(|_| now.to_string()),
        now_local: jiff::fmt::strtime::format("%Y-%m-%dT%H:%M", &paris).unwrap_or_default(),
        moved,
    }
}
