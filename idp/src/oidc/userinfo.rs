//! `/userinfo` (OIDC Core §5.3): who the person is, to a client that holds an access token of a living grant.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use habilis_keys::jws::Unverified;
use habilis_policies::scopes::Scope;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::claims::{ClaimsRequest, Place, Wanted};
use super::error::no_store;
use super::token::is_withdrawn;
use crate::app::App;
use crate::db::{grants, people, used_tokens};
use crate::outcome::Outcome;
use crate::web::{Form, FormError};

/// Why an access token opens nothing (RFC 6750 §3.1).
struct Challenge {
    status: StatusCode,
    error: Option<(&'static str, &'static str)>,
}

impl IntoResponse for Challenge {
    fn into_response(self) -> Response {
        let (value, body) = match self.error {
            // RFC 6750 §3: a request without a token learns the scheme and nothing else.
            None => ("Bearer realm=\"habilis\"".to_owned(), json!({ "error": "invalid_token" })),
            Some((error, description)) => (
                format!("Bearer realm=\"habilis\", error=\"{error}\", error_description=\"{description}\""),
                json!({ "error": error, "error_description": description }),
            ),
        };
        let mut response = (self.status, no_store(), axum::Json(body)).into_response();
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
        }
        response
    }
}

const INVALID: Challenge = Challenge {
    status: StatusCode::UNAUTHORIZED,
    error: Some(("invalid_token", "the access token is expired, revoked or malformed")),
};

/// GET, with the token in the Authorization header.
///
/// # Errors
/// The database failed.
pub async fn get(State(app): State<App>, headers: HeaderMap) -> Outcome {
    answer(&app, bearer(&headers)).await
}

/// POST, with the token in the Authorization header or as `access_token` in the form (RFC 6750 §2.2), not both.
///
/// # Errors
/// The database failed.
pub async fn post(State(app): State<App>, headers: HeaderMap, Form(form): Form) -> Outcome {
    let in_header = bearer(&headers);
    let in_form = match form {
        Ok(mut params) => params.take("access_token"),
        Err(FormError::NotAForm) if in_header.is_some() => None,
        Err(error) => return Ok(super::error::Refusal::from(error).into_response()),
    };
    if in_header.is_some() && in_form.is_some() {
        let both = Challenge {
            status: StatusCode::BAD_REQUEST,
            error: Some(("invalid_request", "the access token is sent twice")),
        };
        return Ok(both.into_response());
    }
    answer(&app, in_header.or(in_form)).await
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

async fn answer(app: &App, token: Option<String>) -> Outcome {
    let now = app.clock.now();
    let Some(token) = token else {
        return Ok(Challenge { status: StatusCode::UNAUTHORIZED, error: None }.into_response());
    };
    let Some(claims) = read(app, &token, now).await? else { return Ok(INVALID.into_response()) };
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    let scope = Scope::parse(text("scope")).unwrap_or_default();
    let mut reader = app.db.reader().await?;
    let grant = grants::find(&mut reader, text("grant_id")).await?.filter(|grant| !is_withdrawn(grant));
    let Some(grant) = grant else { return Ok(INVALID.into_response()) };
    if !scope.contains("openid") {
        let insufficient = Challenge {
            status: StatusCode::FORBIDDEN,
            error: Some(("insufficient_scope", "the scope openid is needed")),
        };
        return Ok(insufficient.into_response());
    }
    let Some(person) = people::find(&mut reader, &grant.person_id).await? else { return Ok(INVALID.into_response()) };
    let request = grant.claims.as_deref().map(ClaimsRequest::parse).transpose()?.unwrap_or_default();
    let mut info =
        Wanted::new(&scope, &request, Place::UserInfo).collect(&mut reader, &person, &grant.client_id).await?;
    info.insert("sub".to_owned(), json!(person.id));
    Ok((no_store(), axum::Json(info)).into_response())
}

/// The claims of an access token of ours that has neither expired nor been revoked. Whether its grant lives is the caller's to
/// ask.
///
/// # Errors
/// The database failed.
pub(super) async fn read(app: &App, token: &str, now: Timestamp) -> Outcome<Option<Map<String, Value>>> {
    let Some(claims) = verified(app, token, now) else { return Ok(None) };
    let Some(jti) = claims.get("jti").and_then(Value::as_str) else { return Ok(None) };
    let revoked = used_tokens::is_used(&mut app.db.reader().await?, super::revoke::LIST, jti).await?;
    Ok((!revoked).then_some(claims))
}

fn verified(app: &App, token: &str, now: Timestamp) -> Option<Map<String, Value>> {
    let token = Unverified::parse(token).ok()?;
    if token.header().typ.as_deref() != Some("at+jwt") {
        return None;
    }
    let claims = app.keys.verify(&token)?;
    let ours = claims.get("iss")?.as_str()? == app.config.server.issuer;
    let alive = claims.get("exp")?.as_i64()? > now.as_second();
    (ours && alive).then_some(claims)
}
