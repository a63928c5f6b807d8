//! `/introspect` (RFC 7662): whether a token is alive, and what it allows. Asked with
//! `Accept: application/token-introspection+jwt` the answer is signed (RFC 9701).
//!
//! A client learns of its own tokens only; anything else is `active: false`, without a word why (RFC 7662 §2.2).

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use habilis_keys::token::digest;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::client::{Authentication, Client};
use super::error::{Refusal, no_store};
use super::token::is_withdrawn;
use super::{client_auth, resource};
use crate::app::App;
use crate::db::{grants, refresh_tokens};
use crate::outcome::Outcome;
use crate::web::Form;

/// RFC 9701 §4: the media type of a signed answer.
const SIGNED: &str = "application/token-introspection+jwt";

/// POST.
///
/// # Errors
/// The database failed, or signing did.
pub async fn post(State(app): State<App>, headers: HeaderMap, Form(form): Form) -> Outcome {
    let now = app.clock.now();
    let mut params = match form {
        Ok(params) => params,
        Err(error) => return Ok(Refusal::from(error).into_response()),
    };
    let client = match client_auth::authenticate(&app, (&headers, &mut params), "/introspect", now).await? {
        Ok(client) => client,
        Err(refusal) => return Ok(refusal.into_response()),
    };
    // RFC 7662 §2.1: whoever asks proves who it is, or tokens could be fished for.
    if client.authentication == Authentication::None {
        let refusal = Refusal::new("invalid_client", "introspection needs client authentication");
        return Ok(refusal.with_status(StatusCode::UNAUTHORIZED).into_response());
    }
    let Some(token) = params.take("token") else {
        return Ok(Refusal::invalid_request("token is missing").into_response());
    };
    let found = match access_token(&app, &client, &token, now).await? {
        None => refresh_token(&app, &client, &token, now).await?,
        found => found,
    };
    let answer = match found {
        None => json!({ "active": false }),
        Some(mut claims) => {
            claims.insert("active".to_owned(), json!(true));
            Value::Object(claims)
        }
    };
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accept.split(',').any(|kind| kind.split(';').next().is_some_and(|kind| kind.trim() == SIGNED)) {
        return signed(&app, &client, &answer, now);
    }
    Ok((no_store(), axum::Json(answer)).into_response())
}

/// RFC 9701 §5: the answer as one claim, so that it is never taken for an access token.
fn signed(app: &App, client: &Client, answer: &Value, now: Timestamp) -> Outcome<Response> {
    let claims = json!({
        "iss": app.config.server.issuer,
        "aud": client.id,
        "iat": now.as_second(),
        "token_introspection": answer,
    });
    let jwt = app.keys.sign(client.id_token_algorithm, Some("token-introspection+jwt"), &claims, now)?;
    Ok((no_store(), [(header::CONTENT_TYPE, SIGNED)], jwt).into_response())
}

async fn access_token(app: &App, client: &Client, token: &str, now: Timestamp) -> Outcome<Option<Map<String, Value>>> {
    let Some(mut claims) = resource::read(app, token, now).await? else { return Ok(None) };
    if claims.get("client_id").and_then(Value::as_str) != Some(&client.id) {
        return Ok(None);
    }
    // A token without a grant is the client's own (`client_credentials`).
    if let Some(grant) = claims.remove("grant_id") {
        let id = grant.as_str().unwrap_or_default();
        let alive = grants::find(&mut app.db.reader().await?, id).await?.is_some_and(|grant| !is_withdrawn(&grant));
        if !alive {
            return Ok(None);
        }
    }
    let token_type = if claims.contains_key("cnf") { "DPoP" } else { "Bearer" };
    claims.insert("token_type".to_owned(), json!(token_type));
    Ok(Some(claims))
}

async fn refresh_token(app: &App, client: &Client, token: &str, now: Timestamp) -> Outcome<Option<Map<String, Value>>> {
    let mut reader = app.db.reader().await?;
    let Some(stored) = refresh_tokens::find(&mut reader, &digest(token)).await? else { return Ok(None) };
    let expires_at = Timestamp::from(stored.expires_at);
    if stored.replaced_at.is_some() || expires_at <= now {
        return Ok(None);
    }
    let grant = grants::find(&mut reader, &stored.grant_id).await?;
    let Some(grant) = grant.filter(|grant| grant.client_id == client.id && !is_withdrawn(grant)) else {
        return Ok(None);
    };
    let claims = [
        ("iss", json!(app.config.server.issuer)),
        ("sub", json!(grant.person_id)),
        ("client_id", json!(grant.client_id)),
        ("scope", json!(grant.scope)),
        ("exp", json!(expires_at.as_second())),
    ];
    Ok(Some(claims.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()))
}
