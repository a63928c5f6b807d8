//! `/par`: pushed authorization requests (RFC 9126). All checks of the authorization endpoint, answered in JSON; then the browser
//! carries a reference only.
//!
//! A reference is bound to its client, may be opened for [`pushed_request_seconds`](habilis_policies::profiles::Rules), any
//! number of times (people reload), and is used up when an authorization response is sent.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use habilis_keys::token::digest;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::client::{Authentication, SharedClient};
use super::client_auth;
use super::dpop::{self, Target};
use super::error::{Refusal, no_store};
use super::request::{self, Door, Invalid, Request};
use crate::app::App;
use crate::db::{Conn, pushed_requests};
use crate::outcome::Outcome;
use crate::web::params::Params;
use crate::web::{Form, Origin};

/// What every reference begins with (RFC 9126 §2.2).
pub const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";

/// POST.
///
/// # Errors
/// The database failed.
pub async fn post(State(app): State<App>, origin: Origin, headers: HeaderMap, Form(form): Form) -> Outcome {
    let now = app.clock.now();
    let mut params = match form {
        Ok(params) => params,
        Err(error) => return Ok(Refusal::from(error).into_response()),
    };
    let client = match client_auth::authenticate(&app, (&headers, &mut params), "/par", now).await? {
        Ok(client) => client,
        Err(refusal) => return Ok(refusal.into_response()),
    };
    // A pushed request is a row: how many somebody who need not prove anything may leave behind is bounded.
    if client.authentication == Authentication::None && !app.begun.admit(&origin.network()) {
        let description = "too many requests were pushed from this network, try again in a minute";
        let refusal = Refusal::new("temporarily_unavailable", description);
        return Ok(refusal.with_status(StatusCode::TOO_MANY_REQUESTS).into_response());
    }
    let request = match read(&app, &client, (&headers, &mut params), now).await? {
        Ok(request) => request,
        Err(refusal) => return Ok(refusal.into_response()),
    };
    let reference = format!("{PREFIX}{}", habilis_keys::random::token().expose());
    let seconds = client.settings.profile.rules().pushed_request_seconds;
    let expires_at = now.saturating_add(SignedDuration::from_secs(i64::from(seconds)))?;
    let stored = serde_json::to_string(&request)?;
    let mut single = app.db.single().await?;
    pushed_requests::insert(&mut single, &digest(&reference), (&client.id, &stored, expires_at), now).await?;
    single.commit().await?;
    let body = json!({ "request_uri": reference, "expires_in": seconds });
    Ok((StatusCode::CREATED, no_store(), axum::Json(body)).into_response())
}

async fn read(
    app: &App,
    client: &SharedClient,
    (headers, params): (&HeaderMap, &mut Params),
    now: Timestamp,
) -> Outcome<Result<Request, Refusal>> {
    if params.get("request_uri").is_some() {
        return Ok(Err(Refusal::invalid_request("request_uri cannot be pushed")));
    }
    let target = Target { method: "POST", path: "/par", access_token: None };
    let proven = match dpop::proof(app, headers, target, now).await? {
        Ok(proven) => proven,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut request = match request::check(app, client, (params, Door::Pushed), now).await? {
        Ok(request) => request,
        // Who has authenticated is open.
        Err(Invalid::Closed(_)) => return Ok(Err(Refusal::new("invalid_client", "the client is suspended"))),
        Err(Invalid::Page(error)) => return Ok(Err(Refusal::new(error.error, error.description))),
        Err(Invalid::Redirect(_, error)) => return Ok(Err(Refusal::new(error.error, error.description))),
    };
    // RFC 9449 §10.1: the proof is as good as the parameter; when both are there they agree.
    if let Some(proven) = proven {
        if request.dpop_jkt.as_ref().is_some_and(|asked| *asked != proven) {
            return Ok(Err(Refusal::new("invalid_dpop_proof", "dpop_jkt is not the key of the DPoP proof")));
        }
        request.dpop_jkt = Some(proven);
    }
    Ok(Ok(request))
}

/// The request behind a reference, if `client` pushed it and it may still be opened.
///
/// # Errors
/// The database failed.
pub async fn find(app: &App, client: &SharedClient, reference: &str, now: Timestamp) -> Outcome<Option<Request>> {
    let digest = digest(reference);
    let stored = pushed_requests::find(&mut app.db.reader().await?, &digest, &client.id, now).await?;
    let Some(stored) = stored else { return Ok(None) };
    let request = Request { pushed: Some(digest), ..serde_json::from_str(&stored)? };
    Ok(Some(request))
}

/// Uses up the reference a request came by, because an answer is about to be sent; false when one was sent before.
///
/// # Errors
/// The database failed.
pub async fn answer(c: &mut impl Conn, request: &Request, now: Timestamp) -> Outcome<bool> {
    match &request.pushed {
        None => Ok(true),
        Some(digest) => Ok(pushed_requests::answer(c, digest, now).await?),
    }
}
