//! `/revoke` (RFC 7009): a client gives back its own tokens. A refresh token takes its whole grant with it; an access token is
//! refused from now on.
//!
//! 200 says nothing: neither whether the token existed, nor whose it was.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use habilis_keys::api_key;
use habilis_keys::jws::Unverified;
use habilis_keys::token::digest;
use jiff::Timestamp;
use serde_json::Value;

use super::client::Client;
use super::error::{Refusal, no_store};
use super::{client_auth, resource};
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::{grants, refresh_tokens, revoked_tokens};
use crate::outcome::Outcome;
use crate::web::{Form, Origin};

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
    let client = match client_auth::authenticate(&app, (&headers, &mut params), "/revoke", now).await? {
        Ok(client) => client,
        Err(refusal) => return Ok(refusal.into_response()),
    };
    let Some(token) = params.take("token") else {
        return Ok(Refusal::invalid_request("token is missing").into_response());
    };
    // An API key goes on: its centre revokes it by the management API (§2.2.1). A refresh token may begin like one by chance.
    if api_key::looks_like_one(&token)
        && refresh_tokens::find(&mut app.db.reader().await?, &digest(&token)).await?.is_none()
    {
        let description = "API keys are not given back here: their centre revokes them by the management API";
        return Ok(Refusal::new("unsupported_token_type", description).into_response());
    }
    // Signed tokens have dots, so no `token_type_hint` is needed (§2.1).
    if !token.contains('.') {
        give_back_grant(&app, (&origin, &client), &token, now).await?;
    } else if resource::read(&app, &token, now).is_some() {
        give_back_access(&app, (&origin, &client), &token, now).await?;
    } else if is_another_of_ours(&app, &token) {
        let refusal = Refusal::new("unsupported_token_type", "only access and refresh tokens can be revoked");
        return Ok(refusal.into_response());
    }
    Ok((StatusCode::OK, no_store()).into_response())
}

/// A token this server signed that is no access token, such as an ID token: it cannot be taken back (§2.2.1).
fn is_another_of_ours(app: &App, token: &str) -> bool {
    Unverified::parse(token)
        .is_ok_and(|token| token.header().typ.as_deref() != Some("at+jwt") && app.keys.verify_hint(&token).is_some())
}

async fn give_back_grant(app: &App, (origin, client): (&Origin, &Client), token: &str, now: Timestamp) -> Outcome<()> {
    let mut reader = app.db.reader().await?;
    let Some(stored) = refresh_tokens::find(&mut reader, &digest(token)).await? else { return Ok(()) };
    let Some(grant) = grants::find(&mut reader, &stored.grant_id, now).await? else { return Ok(()) };
    drop(reader);
    if grant.client_id != client.id {
        return Ok(());
    }
    let mut tx = app.db.begin().await?;
    if grants::revoke(&mut tx, &grant.id, now).await? {
        let event = Event::new("grant.revoked")
            .by(&client.id)
            .about(&grant.person_id)
            .at_client(&client.id)
            .from(origin)
            .with("grant", grant.id.clone())
            .with("reason", "given_back");
        audit::record(&mut tx, event, now).await?;
    }
    tx.commit().await?;
    Ok(())
}

async fn give_back_access(app: &App, (origin, client): (&Origin, &Client), token: &str, now: Timestamp) -> Outcome<()> {
    let Some(claims) = resource::read(app, token, now) else { return Ok(()) };
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let expires_at = claims.get("exp").and_then(Value::as_i64).and_then(|at| Timestamp::from_second(at).ok());
    let (Some(jti), Some(expires_at)) = (text("jti"), expires_at) else { return Ok(()) };
    if text("client_id") != Some(&client.id) {
        return Ok(());
    }
    // The `sub` may be a pairwise one: who the person is stands in the grant.
    let grant = match text("grant_id") {
        Some(id) => grants::find(&mut app.db.reader().await?, id, now).await?,
        None => None,
    };
    let subject = grant.map_or_else(|| client.id.clone(), |grant| grant.person_id);
    let mut tx = app.db.begin().await?;
    if revoked_tokens::insert(&mut tx, jti, expires_at).await? {
        let event = Event::new("access_token.revoked")
            .by(&client.id)
            .about(&subject)
            .at_client(&client.id)
            .from(origin)
            .with("jti", jti);
        audit::record(&mut tx, event, now).await?;
    }
    tx.commit().await?;
    Ok(())
}
