//! `/.well-known/openid-configuration` (OIDC Discovery §3), the same document for RFC 8414, and `/jwks`.
//!
//! Only what works is advertised; what defaults to true and is not offered is said explicitly.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::claims;
use super::client::SCOPES;
use super::issue::STRONGEST;
use super::{answer::ResponseMode, dpop};
use crate::app::App;
use crate::config::Config;
use crate::keyring::{ALGORITHMS, JWKS_MAX_AGE};
use crate::outcome::Outcome;
use crate::web::text::Locale;
use habilis_policies::acr::Vocabulary;
use habilis_policies::profiles::SecurityProfile;

/// How clients may authenticate themselves.
const METHODS: [&str; 5] =
    ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"];

/// Algorithms of client assertions: those of signatures, and the MAC of `client_secret_jwt`.
fn assertion_algorithms() -> Vec<&'static str> {
    SecurityProfile::Oidc.rules().algorithms.iter().copied().chain(["HS256"]).collect()
}

/// The metadata of this server.
pub async fn get(State(app): State<App>) -> impl IntoResponse {
    ([(header::CACHE_CONTROL, "public, max-age=300")], axum::Json(metadata(&app.config)))
}

/// What becomes of tokens and sessions: RFC 8414 §2, OIDC Back-Channel Logout §2.1, OIDC Front-Channel Logout §3.
fn afterwards(issuer: &str) -> Value {
    let at = |path: &str| format!("{issuer}{path}");
    let algorithms = SecurityProfile::Oidc.rules().algorithms;
    let confidential = METHODS.split_last().map_or(&METHODS[..0], |(_, confidential)| confidential);
    json!({
        "introspection_endpoint": at("/introspect"),
        "introspection_endpoint_auth_methods_supported": confidential,
        "introspection_endpoint_auth_signing_alg_values_supported": assertion_algorithms(),
        "introspection_signing_alg_values_supported": algorithms,
        "revocation_endpoint": at("/revoke"),
        "revocation_endpoint_auth_methods_supported": METHODS,
        "revocation_endpoint_auth_signing_alg_values_supported": assertion_algorithms(),
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "frontchannel_logout_supported": true,
        "frontchannel_logout_session_supported": true,
    })
}

fn metadata(config: &Config) -> Value {
    let issuer = &config.server.issuer;
    let at = |path: &str| format!("{issuer}{path}");
    let legacy = config.legacy.response_types;
    let rules = if legacy { SecurityProfile::Legacy.rules() } else { SecurityProfile::Oidc.rules() };
    let response_modes: Vec<_> = ResponseMode::SUPPORTED.into_iter().chain(legacy.then_some("fragment")).collect();
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "userinfo_endpoint": at("/userinfo"),
        "device_authorization_endpoint": at("/device_authorization"),
        "pushed_authorization_request_endpoint": at("/par"),
        "require_pushed_authorization_requests": false,
        "jwks_uri": at("/jwks"),
        "registration_endpoint": at("/register"),
        "end_session_endpoint": at("/end-session"),
        "scopes_supported": SCOPES,
        "response_types_supported": rules.response_types,
        "response_modes_supported": response_modes,
        "grant_types_supported": rules.grant_types,
        "acr_values_supported": acr_values(),
        "subject_types_supported": ["public", "pairwise"],
        "id_token_signing_alg_values_supported": ALGORITHMS.map(habilis_keys::jws::Algorithm::as_str),
        "token_endpoint_auth_methods_supported": METHODS,
        "token_endpoint_auth_signing_alg_values_supported": assertion_algorithms(),
        "code_challenge_methods_supported": ["S256"],
        "claim_types_supported": ["normal"],
        "claims_supported": claims::SUPPORTED,
        "claims_parameter_supported": true,
        "request_parameter_supported": true,
        "require_signed_request_object": false,
        "request_object_signing_alg_values_supported": rules.algorithms,
        "authorization_signing_alg_values_supported": rules.algorithms,
        "userinfo_signing_alg_values_supported": rules.algorithms,
        "dpop_signing_alg_values_supported": dpop::ALGORITHMS,
        "request_uri_parameter_supported": config.fetch.request_uris,
        "require_request_uri_registration": config.fetch.request_uris,
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "ui_locales_supported": Locale::ALL.map(Locale::tag),
        "authorization_response_iss_parameter_supported": true,
    });
    if let (Value::Object(all), Value::Object(further)) = (&mut document, afterwards(issuer)) {
        all.extend(further);
    }
    document
}

/// The levels that a sign-in here can reach, in the usual vocabulary.
fn acr_values() -> Vec<String> {
    let vocabulary = Vocabulary::default();
    let reachable = |acr: &&str| vocabulary.reaches(acr, STRONGEST);
    vocabulary.names().filter(reachable).map(str::to_owned).collect()
}

/// The public keys, kept by relying parties for five minutes at most: a new key is published long before it signs.
///
/// # Errors
/// A key cannot be written as JSON.
pub async fn jwks(State(app): State<App>) -> Outcome {
    let keys = app.keys.jwks(app.clock.now())?;
    let cache = format!("public, max-age={}", JWKS_MAX_AGE.as_secs());
    let kind = "application/jwk-set+json".to_owned();
    Ok(([(header::CACHE_CONTROL, cache), (header::CONTENT_TYPE, kind)], keys.to_string()).into_response())
}
