//! Client authentication at the back-channel endpoints (OIDC Core §9, RFC 6749 §2.3, RFC 7523).
//!
//! Exactly the registered method is accepted, and one method a request. Refusals say nothing of whether the client exists.

use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use habilis_keys::jws::Unverified;
use habilis_keys::secret::Secret;
use habilis_keys::token::{digest, same};
use habilis_policies::assertions::{self, Audience, Claims};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::client::{Authentication, Client, SharedClient, open_secret};
use super::client_keys::{allowed_algorithm, signed_by};
use super::error::Refusal;
use crate::app::App;
use crate::db::used_tokens;
use crate::outcome::Outcome;
use crate::web::params::Params;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What the request presents.
enum Presented {
    Nothing { client_id: String },
    Basic { client_id: String, secret: Secret<String> },
    Post { client_id: String, secret: Secret<String> },
    Assertion { client_id: Option<String>, assertion: String },
}

/// Finds out which client is asking at `endpoint` (a path).
///
/// # Errors
/// Outer: a fault. Inner: `invalid_request` for two methods at once, else `invalid_client`, with 401 and a challenge when the
/// Authorization header was used (RFC 6749 §5.2).
pub async fn authenticate(
    app: &App,
    (headers, params): (&HeaderMap, &mut Params),
    endpoint: &str,
    now: Timestamp,
) -> Outcome<Result<SharedClient, Refusal>> {
    let presented = match presented(headers, params) {
        Ok(presented) => presented,
        Err(refusal) => return Ok(Err(refusal)),
    };
    match presented {
        Presented::Nothing { client_id } => {
            let client = app.client(&client_id).await?;
            Ok(usable(client, Authentication::None).ok_or_else(failed))
        }
        Presented::Basic { client_id, secret } => {
            let client = usable(app.client(&client_id).await?, Authentication::SecretBasic);
            Ok(client.filter(|client| knows(client, &secret)).ok_or_else(|| Refusal {
                status: StatusCode::UNAUTHORIZED,
                challenge: Some("Basic realm=\"habilis\", charset=\"UTF-8\""),
                ..failed()
            }))
        }
        Presented::Post { client_id, secret } => {
            let client = usable(app.client(&client_id).await?, Authentication::SecretPost);
            Ok(client.filter(|client| knows(client, &secret)).ok_or_else(failed))
        }
        Presented::Assertion { client_id, assertion } => asserted(app, (client_id, &assertion), endpoint, now).await,
    }
}

fn failed() -> Refusal {
    Refusal::new("invalid_client", "client authentication failed")
}

fn usable(client: Option<SharedClient>, method: Authentication) -> Option<SharedClient> {
    client.filter(|client| client.active && client.authentication == method)
}

/// Secrets are 256 random bits, so a plain digest keeps them; it is compared in constant time.
fn knows(client: &Client, secret: &Secret<String>) -> bool {
    client.secret_digest.as_ref().is_some_and(|stored| same(stored, &digest(secret.expose())))
}

fn presented(headers: &HeaderMap, params: &mut Params) -> Result<Presented, Refusal> {
    let client_id = params.take("client_id");
    let secret = params.take("client_secret").map(Secret::new);
    let assertion = params.take("client_assertion");
    let assertion_type = params.take("client_assertion_type");
    let basic = match headers.get(header::AUTHORIZATION) {
        None => None,
        Some(value) => Some(value.to_str().ok().and_then(basic).ok_or_else(|| Refusal {
            status: StatusCode::UNAUTHORIZED,
            challenge: Some("Basic realm=\"habilis\", charset=\"UTF-8\""),
            ..failed()
        })?),
    };
    if usize::from(basic.is_some()) + usize::from(secret.is_some()) + usize::from(assertion.is_some()) > 1 {
        return Err(Refusal::invalid_request("more than one client authentication method is used"));
    }
    if let Some((id, secret)) = basic {
        if client_id.is_some_and(|other| other != id) {
            return Err(Refusal::invalid_request("client_id differs from the Authorization header"));
        }
        return Ok(Presented::Basic { client_id: id, secret });
    }
    if let Some(assertion) = assertion {
        if assertion_type.as_deref() != Some(ASSERTION_TYPE) {
            return Err(Refusal::invalid_request("client_assertion_type must be jwt-bearer"));
        }
        return Ok(Presented::Assertion { client_id, assertion });
    }
    match (client_id, secret) {
        (Some(client_id), Some(secret)) => Ok(Presented::Post { client_id, secret }),
        (Some(client_id), None) => Ok(Presented::Nothing { client_id }),
        (None, _) => Err(failed()),
    }
}

/// Reads the Authorization header `Basic`, both halves form-encoded before they are joined (RFC 6749 §2.3.1).
pub fn basic(value: &str) -> Option<(String, Secret<String>)> {
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let joined = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = joined.split_once(':')?;
    Some((form_decoded(id)?, Secret::new(form_decoded(secret)?)))
}

fn form_decoded(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    let decoded = percent_encoding::percent_decode_str(&spaced).decode_utf8().ok()?;
    (!decoded.contains('\0')).then(|| decoded.into_owned())
}

/// `private_key_jwt` and `client_secret_jwt`.
async fn asserted(
    app: &App,
    (client_id, assertion): (Option<String>, &str),
    endpoint: &str,
    now: Timestamp,
) -> Outcome<Result<SharedClient, Refusal>> {
    let refuse = |description: String| Ok(Err(Refusal::new("invalid_client", description)));
    let token = match Unverified::parse(assertion) {
        Ok(token) => token,
        Err(error) => return refuse(format!("client_assertion: {error}")),
    };
    let subject = token.claims_unverified().ok().and_then(|claims| claims.get("sub")?.as_str().map(str::to_owned));
    let Some(subject) = subject.filter(|subject| client_id.as_ref().is_none_or(|id| id == subject)) else {
        return refuse("client_assertion: sub must be the client_id".to_owned());
    };
    let found = app.client(&subject).await?;
    let (client, verified) = if let Some(client) = usable(found.clone(), Authentication::PrivateKeyJwt) {
        let registered = client.metadata.token_endpoint_auth_signing_alg.as_deref();
        let Some(algorithm) = allowed_algorithm(&client, &token, registered) else {
            return refuse("client_assertion: the algorithm is not accepted".to_owned());
        };
        let verified = signed_by(app, &client, (&token, algorithm), now).await?;
        (client, verified)
    } else if let Some(client) = usable(found, Authentication::SecretJwt) {
        let verified = under_secret(app, &client, &token)?;
        (client, verified)
    } else {
        return Ok(Err(failed()));
    };
    let Some(claims) = verified else { return Ok(Err(failed())) };
    let rules = client.settings.profile.rules();

    let issuer = &app.config.server.issuer;
    let (token_endpoint, endpoint) = (format!("{issuer}/token"), format!("{issuer}{endpoint}"));
    let accepted = [issuer.as_str(), &token_endpoint, &endpoint];
    let facts = facts(&claims, &accepted);
    match assertions::check(&facts, &client.id, (rules.assertion_audience, &accepted), now) {
        Err(refusal) => refuse(format!("client_assertion: {refusal}")),
        Ok(remember_until) => {
            let id = facts.id.unwrap_or_default();
            let mut single = app.db.single().await?;
            let is_new = used_tokens::first_use(&mut single, &client.id, id, remember_until).await?;
            single.commit().await?;
            if is_new { Ok(Ok(client)) } else { refuse("client_assertion: jti was used before".to_owned()) }
        }
    }
}

/// The claims of an assertion under a MAC (HS256) of the client's secret. Never where the profile forbids that method, however
/// the client came by it.
fn under_secret(app: &App, client: &Client, token: &Unverified) -> Outcome<Option<Map<String, Value>>> {
    let allowed = client.settings.profile.rules().client_authentication.contains(&"client_secret_jwt");
    let Some(sealed) = client.secret_sealed.as_ref().filter(|_| allowed) else { return Ok(None) };
    let secret = open_secret(app.keys.master(), &client.id, sealed)?;
    Ok(token.verify_hmac(&secret).ok())
}

fn facts<'a>(claims: &'a Map<String, Value>, accepted: &[&str]) -> Claims<'a> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let time = |name: &str| claims.get(name).and_then(Value::as_f64).and_then(second);
    Claims {
        issuer: text("iss"),
        subject: text("sub"),
        audience: match claims.get("aud") {
            Some(Value::String(name)) => Audience::One(name),
            Some(Value::Array(names)) if names.len() <= 16 => {
                Audience::Many { names_us: names.iter().filter_map(Value::as_str).any(|name| accepted.contains(&name)) }
            }
            _ => Audience::Missing,
        },
        expires_at: time("exp"),
        not_before: time("nbf"),
        issued_at: time("iat"),
        id: text("jti"),
    }
}

/// `NumericDate` (RFC 7519 §2); a number no calendar has is no time at all.
pub(super) fn second(number: f64) -> Option<Timestamp> {
    #[expect(clippy::cast_possible_truncation, reason = "`from_second` refuses what is out of the calendar")]
    Timestamp::from_second(number as i64).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials_are_form_decoded() {
        let encoded = STANDARD.encode("client%3A1:a%2Bb+c");
        let (id, secret) = basic(&format!("Basic {encoded}")).unwrap();
        assert_eq!((id.as_str(), secret.expose().as_str()), ("client:1", "a+b c"));
        for bad in ["Basic", "Basic !!!", "Bearer abc", "Basic YQ==", "Basic JTAwOmE="] {
            assert!(basic(bad).is_none(), "{bad}");
        }
    }
}
