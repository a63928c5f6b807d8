//! `/revoke` (RFC 7009): a client gives back a token it no longer needs.
//!
//! A refresh token takes its whole grant with it; an access token is put on a list until it would have expired anyway. A token
//! that is unknown, or another client's, changes nothing and gets the same answer.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use habilis_keys::token::digest;
use jiff::Timestamp;
use serde_json::Value;

use super::error::{Refusal, no_store};
use super::{client_auth, resource};
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::{grants, refresh_tokens, used_tokens};
use crate::outcome::Outcome;
use crate::web::Form;

/// The list of revoked access tokens, among the used ones. No client is called so: a `client_id` has no space.
pub(super) const LIST: &str = "revoked access tokens";

/// POST.
///
/// # Errors
/// The database failed.
pub async fn post(State(app): State<App>, headers: HeaderMap, Form(form): Form) -> Outcome {
    let now = app.clock.now();
    let mut params = match form {
        Ok(params) => params,
        Err(error) => return Ok(Refusal::from(error).into_response()),
    };
    let client = match client_auth::authenticate(&app, (&headers, &mut params), "/revoke", now).await? {
        Ok(client) => client,
        Err(refusal) => return Ok(refusal.into_response()),
    };
    // `token_type_hint` only speeds a search up (RFC 7009 §2.1); ours needs no help.
    let Some(token) = params.take("token") else {
        return Ok(Refusal::invalid_request("token is missing").into_response());
    };
    if let Some(claims) = resource::read(&app, &token, now).await? {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("client_id") == client.id {
            let expires_at = claims.get("exp").and_then(Value::as_i64).map_or(Ok(now), Timestamp::from_second)?;
            used_tokens::first_use(&mut app.db.single().await?, LIST, text("jti"), expires_at).await?;
        }
    } else {
        revoke_grant(&app, &client.id, &token, now).await?;
    }
    Ok((StatusCode::OK, no_store()).into_response())
}

async fn revoke_grant(app: &App, client: &str, refresh_token: &str, now: Timestamp) -> Outcome<()> {
    let mut tx = app.db.begin().await?;
    let Some(stored) = refresh_tokens::find(&mut tx, &digest(refresh_token)).await? else { return Ok(()) };
    let Some(grant) = grants::find(&mut tx, &stored.grant_id).await? else { return Ok(()) };
    if grant.client_id == client && grants::revoke(&mut tx, &grant.id, now).await? {
        let event = Event::new("grant.revoked")
            .by(client)
            .about(&grant.person_id)
            .at_client(client)
            .with("grant", grant.id.clone())
            .with("reason", "client_request");
        audit::record(&mut tx, event, now).await?;
    }
    tx.commit().await?;
    Ok(())
}
