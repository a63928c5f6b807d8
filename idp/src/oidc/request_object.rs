//! Signed request objects by value (RFC 9101, OIDC Core §6): opened before the request is read, so that what was signed is
//! read by the same code as any other parameters.

use habilis_keys::jws::Unverified;
use habilis_policies::request_objects::{self, Claims};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::answer::RedirectError;
use super::client::SharedClient;
use super::client_auth::second;
use super::client_keys::{allowed_algorithm, signed_by};
use super::request::Door;
use crate::app::App;
use crate::outcome::Outcome;
use crate::web::params::Params;

/// RFC 9101 §10.8.1.
const TYP: &str = "oauth-authz-req+jwt";
/// Claims about the object, not about the request.
const ABOUT_THE_OBJECT: [&str; 8] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id"];
/// Most parameters within an object.
const MAX_COUNT: usize = 48;
/// Longest name of a parameter, in bytes.
const MAX_NAME: usize = 64;

/// Replaces `params` by what the signed `request` among them holds; leaves them alone when there is none.
///
/// An object of an OAuth client (by its `typ`), a pushed one, and one of a client that must sign stand alone (RFC 9101 §6.3,
/// RFC 9126 §3). Otherwise the parameters beside it still count where it is silent (OIDC Core §6.1).
///
/// # Errors
/// Outer: a fault. Inner: `request_not_supported` for an unsigned object in the browser, else `invalid_request_object`; `params`
/// are then as they came.
pub async fn open(
    app: &App,
    client: &SharedClient,
    (params, door): (&mut Params, Door),
    now: Timestamp,
) -> Outcome<Result<(), RedirectError>> {
    let Some(object) = params.get("request").map(str::to_owned) else {
        let refusal = RedirectError::new("invalid_request", "this client sends signed request objects only");
        return Ok(if client.must_sign() { Err(refusal) } else { Ok(()) });
    };
    let refuse = |description: String| Ok(Err(RedirectError::new("invalid_request_object", description)));
    let token = match Unverified::parse(&object) {
        Ok(token) => token,
        Err(error) => return refuse(format!("request: {error}")),
    };
    if token.header().alg == "none" && door == Door::Browser && !client.must_sign() {
        return Ok(Err(RedirectError::new("request_not_supported", "unsigned request objects are not supported")));
    }
    let typ = token.header().typ.as_deref();
    let typ_fits = typ.is_none_or(|typ| typ.eq_ignore_ascii_case("jwt") || typ.eq_ignore_ascii_case(TYP));
    if !typ_fits {
        return refuse("request: the type is not that of a request object".to_owned());
    }
    let registered = client.metadata.request_object_signing_alg.as_deref();
    let Some(algorithm) = allowed_algorithm(client, &token, registered) else {
        return refuse("request: the algorithm is not accepted".to_owned());
    };
    let Some(claims) = signed_by(app, client, (&token, algorithm), now).await? else {
        return refuse("request: no key of the client verifies the signature".to_owned());
    };
    let rule = client.settings.profile.rules().request_object_claims;
    if let Err(refusal) = request_objects::check(&about(&claims, &app.config.server.issuer), &client.id, rule, now) {
        return refuse(format!("request: {refusal}"));
    }
    let alone = door == Door::Pushed || client.must_sign() || typ.is_some_and(|typ| typ.eq_ignore_ascii_case(TYP));
    // OIDC Core §6.1: response_type beside the object is the one within.
    let outside = params.get("response_type").filter(|_| !alone);
    let inside = claims.get("response_type").and_then(Value::as_str);
    if outside.zip(inside).is_some_and(|(outside, inside)| outside != inside) {
        return refuse("request: response_type differs from the one beside it".to_owned());
    }
    let Some(inner) = parameters(&claims) else {
        return refuse("request: a parameter is malformed".to_owned());
    };
    let mut read = if alone { Params::default() } else { std::mem::take(params) };
    read.take("request");
    for (name, value) in inner {
        read.set(&name, value);
    }
    *params = read;
    Ok(Ok(()))
}

/// What the verified claims say about the object itself, for [`request_objects::check`].
pub fn about<'a>(claims: &'a Map<String, Value>, issuer: &str) -> Claims<'a> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    // A time that is no time counts as one long past: refused, never as absent.
    let time =
        |name: &str| claims.get(name).map(|value| value.as_f64().and_then(second).unwrap_or(Timestamp::UNIX_EPOCH));
    Claims {
        issuer: claims.get("iss").map(|value| value.as_str().unwrap_or_default()),
        subject: text("sub"),
        names_us: claims.get("aud").map(|audience| match audience {
            Value::String(name) => name == issuer,
            Value::Array(names) => names.len() <= 16 && names.iter().any(|name| name.as_str() == Some(issuer)),
            _ => false,
        }),
        client_id: claims.get("client_id").map(|value| value.as_str().unwrap_or_default()),
        expires_at: time("exp"),
        not_before: time("nbf"),
        is_nested: claims.contains_key("request") || claims.contains_key("request_uri"),
    }
}

/// The parameters of the request: texts as they are, numbers and objects as JSON writes them (RFC 9101 §4). None when there
/// are too many, or one cannot be a parameter.
pub fn parameters(claims: &Map<String, Value>) -> Option<Vec<(String, String)>> {
    let about_the_request = claims.iter().filter(|(name, _)| !ABOUT_THE_OBJECT.contains(&name.as_str()));
    let parameters: Vec<_> = about_the_request
        .filter_map(|(name, value)| match value {
            Value::Null => None,
            Value::String(text) => Some((name.clone(), text.clone())),
            // RFC 8707 §2: several resources are a list.
            Value::Array(values) if name == "resource" && values.iter().all(Value::is_string) => {
                let values: Vec<_> = values.iter().filter_map(Value::as_str).collect();
                Some((name.clone(), values.join(" ")))
            }
            other => Some((name.clone(), other.to_string())),
        })
        .collect();
    let bounded = parameters.len() <= MAX_COUNT && parameters.iter().all(|(name, _)| name.len() <= MAX_NAME);
    let printable = parameters.iter().all(|(_, value)| !value.contains('\0'));
    (bounded && printable).then_some(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_about_the_request_becomes_a_parameter() {
        let claims = serde_json::json!({
            "iss": "c", "aud": "op", "exp": 1, "client_id": "c", "scope": "openid", "max_age": 60,
            "claims": { "userinfo": null }, "nonce": null, "resource": ["urn:a", "urn:b"],
        });
        let mut found = parameters(claims.as_object().unwrap()).unwrap();
        found.sort();
        let expected =
            [("claims", "{\"userinfo\":null}"), ("max_age", "60"), ("resource", "urn:a urn:b"), ("scope", "openid")];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn times_and_names_of_another_type_are_wrong_not_absent() {
        let claims = serde_json::json!({ "iss": 1, "aud": { "a": 1 }, "exp": "soon", "client_id": ["c"] });
        let about = about(claims.as_object().unwrap(), "https://op");
        assert_eq!((about.issuer, about.client_id, about.names_us), (Some(""), Some(""), Some(false)));
        assert_eq!(about.expires_at, Some(Timestamp::UNIX_EPOCH));
        assert_eq!(about.not_before, None);
    }
}
