//! An apprenticeship centre's API key for a short access token (R102): as the parameter `api_key` of `client_credentials`, or as the
//! subject token of an exchange (RFC 8693). The token is bound to vendor and centre and never outlives the key. Nothing is
//! stored but the count of uses.
//!
//! A centre may come alone, without a vendor's client, where `api_keys.vendor_required` is off.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use habilis_keys::secret::Secret;
use habilis_policies::api_keys::KeyRefusal;
use habilis_policies::scopes::Scope;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{Holder, Tokens};
use crate::api_keys::{self, Caller, Known, Software, Used, attempt};
use crate::app::App;
use crate::oidc::audience;
use crate::oidc::error::Refusal;
use crate::oidc::issue::{self, CentreToken};
use crate::outcome::Outcome;
use crate::web::Origin;
use crate::web::params::Params;

/// What the subject token of an exchange is: an API key of this server.
pub(super) const SUBJECT_TOKEN_TYPE: &str = "urn:habilis:params:oauth:token-type:api_key";
/// What comes out (RFC 8693 §3).
pub(super) const ACCESS_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";

/// Reads the parameters of an exchange (RFC 8693 §2.1).
pub(super) fn subject(params: &mut Params) -> Result<Secret<String>, Refusal> {
    let Some(token) = params.take("subject_token").map(Secret::new) else {
        return Err(Refusal::invalid_request("subject_token is missing"));
    };
    if params.take("subject_token_type").as_deref() != Some(SUBJECT_TOKEN_TYPE) {
        return Err(Refusal::invalid_request(format!("subject_token_type must be {SUBJECT_TOKEN_TYPE}")));
    }
    if params.take("actor_token").is_some() || params.take("actor_token_type").is_some() {
        return Err(Refusal::invalid_request("there is no actor_token: the client itself acts"));
    }
    if params.take("requested_token_type").is_some_and(|kind| kind != ACCESS_TOKEN_TYPE) {
        return Err(Refusal::invalid_request("only access tokens are issued"));
    }
    if params.take("audience").is_some() {
        return Err(Refusal::new("invalid_target", "name the resource by the parameter resource (RFC 8707)"));
    }
    Ok(token)
}

/// A refusal of a key as the token endpoint says it: the stable word first (RFC 6749 §5.2).
fn refusal(refusal: KeyRefusal) -> Refusal {
    let error = match refusal {
        KeyRefusal::ScopeNotGranted => "invalid_scope",
        KeyRefusal::VendorNotAllowed => "unauthorized_client",
        KeyRefusal::VendorMissing => "invalid_client",
        _ => "invalid_grant",
    };
    let status = match refusal {
        KeyRefusal::TooManyGuesses => StatusCode::TOO_MANY_REQUESTS,
        KeyRefusal::VendorMissing => StatusCode::UNAUTHORIZED,
        _ => StatusCode::BAD_REQUEST,
    };
    Refusal::new(error, format!("{}: {refusal}", refusal.code())).with_status(status)
}

/// The same as an exchange says it: a subject token that is not acceptable makes the request invalid (RFC 8693 §2.2.2).
pub(super) fn of_exchange(refusal: Refusal) -> Refusal {
    if refusal.error == "invalid_grant" { Refusal { error: "invalid_request", ..refusal } } else { refusal }
}

/// Exchanges a key for a token of the vendor's client.
pub(super) async fn exchange(
    app: &App,
    (holder, origin, headers): (Holder<'_>, &Origin, &HeaderMap),
    (key, asked): (&Secret<String>, Option<Scope>),
    now: Timestamp,
) -> Outcome<Result<Tokens, Refusal>> {
    let client = holder.client;
    if !client.settings.api_keys {
        return Ok(Err(refusal(KeyRefusal::VendorNotAllowed)));
    }
    let known = match api_keys::open(app, Caller::Vendor(&client.id), Some(key.expose())).await? {
        Ok(known) => known,
        Err(reason) => return Ok(Err(refusal(reason))),
    };
    // By default what the key opens and the vendor may use.
    let needs = asked.unwrap_or_else(|| known.rule.scope.common(&client.scope));
    let admitted = if needs.is_empty() || !needs.is_within(&client.scope) {
        Err(KeyRefusal::ScopeNotGranted)
    } else {
        known.admits(&attempt(&known, &[], (Some(origin.address), &needs)), now)
    };
    count(app, (&known, &client.id, headers), admitted.is_ok(), now);
    if let Err(reason) = admitted {
        return Ok(Err(refusal(reason)));
    }
    let audience = match audience::of_client(app, &needs, holder.resources).await? {
        Ok(audience) => audience,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut claims = known.claims();
    claims.insert("azp".to_owned(), json!(client.id));
    claims.insert("act".to_owned(), json!({ "sub": client.id }));
    let expires_at = known.token_end(life(app), now)?;
    let token = CentreToken { centre: &known.organization, client_id: &client.id, claims, expires_at };
    let access_token = issue::centre_token(app, &token, (&audience, holder.jkt), now)?;
    Ok(Ok(answer((access_token, holder.token_type()), &audience.scope, (expires_at, now))))
}

/// Whether a request carries a key and nothing that says which client asks.
pub(super) fn comes_alone(headers: &HeaderMap, params: &Params) -> bool {
    let named = ["client_id", "client_secret", "client_assertion"].iter().any(|name| params.get(name).is_some());
    params.get("grant_type") == Some("client_credentials")
        && params.get("api_key").is_some()
        && !named
        && !headers.contains_key(header::AUTHORIZATION)
}

/// Exchanges a key for a token of the centre's own.
pub(super) async fn alone(
    app: &App,
    (origin, headers): (&Origin, &HeaderMap),
    mut params: Params,
    now: Timestamp,
) -> Outcome {
    let tokens = alone_for(app, (origin, headers), &mut params, now).await?;
    let outcome = if tokens.is_ok() { "issued" } else { "refused" };
    metrics::counter!("habilis_tokens_total", "grant_type" => "client_credentials", "outcome" => outcome).increment(1);
    Ok(match tokens {
        Ok(tokens) => tokens.into_response(),
        Err(refusal) => refusal.into_response(),
    })
}

async fn alone_for(
    app: &App,
    (origin, headers): (&Origin, &HeaderMap),
    params: &mut Params,
    now: Timestamp,
) -> Outcome<Result<Tokens, Refusal>> {
    if app.config.api_keys.vendor_required {
        return Ok(Err(refusal(KeyRefusal::VendorMissing)));
    }
    let key = params.take("api_key").map(Secret::new);
    let text = key.as_ref().map(|key| key.expose().as_str());
    let known = match api_keys::open(app, Caller::Anybody(origin), text).await? {
        Ok(known) => known,
        Err(reason) => return Ok(Err(refusal(reason))),
    };
    let (needs, resources) = match (super::scope(params), audience::asked(params)) {
        (Ok(asked), Ok(resources)) => (asked.unwrap_or_else(|| known.rule.scope.clone()), resources),
        (Err(refusal), _) | (_, Err(refusal)) => return Ok(Err(refusal)),
    };
    let admitted = known.admits(&attempt(&known, &[], (Some(origin.address), &needs)), now);
    count(app, (&known, "", headers), admitted.is_ok(), now);
    if let Err(reason) = admitted {
        return Ok(Err(refusal(reason)));
    }
    let audience = match audience::of_client(app, &needs, &resources).await? {
        Ok(audience) => audience,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let expires_at = known.token_end(life(app), now)?;
    let token = CentreToken { centre: &known.organization, client_id: &known.id, claims: known.claims(), expires_at };
    let access_token = issue::centre_token(app, &token, (&audience, None), now)?;
    Ok(Ok(answer((access_token, "Bearer"), &audience.scope, (expires_at, now))))
}

fn life(app: &App) -> SignedDuration {
    SignedDuration::from_secs(i64::from(app.config.tokens.access_token_seconds))
}

fn answer(
    (access_token, token_type): (String, &'static str),
    scope: &Scope,
    (expires_at, now): (Timestamp, Timestamp),
) -> Tokens {
    Tokens {
        access_token,
        token_type,
        expires_in: u32::try_from(expires_at.as_second() - now.as_second()).unwrap_or(0),
        scope: scope.to_string(),
        refresh_token: None,
        id_token: None,
        issued_token_type: None,
    }
}

fn count(app: &App, (known, vendor, headers): (&Known, &str, &HeaderMap), granted: bool, now: Timestamp) {
    let software = Software::of(headers);
    app.api_keys.used(Used { key: &known.id, vendor, software: software.as_ref(), granted }, now);
}
