//! Access tokens at resources: Bearer (RFC 6750) and `DPoP` (RFC 9449 §7), and the challenge when one does not do, that of a
//! stronger sign-in included (RFC 9470).

use std::fmt::Write as _;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use habilis_keys::jws::Unverified;
use habilis_policies::scopes::Scope;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::client::SharedClient;
use super::dpop::{self, Target};
use super::error::no_store;
use super::life;
use crate::api_keys;
use crate::app::App;
use crate::db::grants::{self, Grant};
use crate::db::revoked_tokens;
use crate::outcome::Outcome;

/// Why an access token opens nothing (RFC 6750 §3.1).
#[derive(Debug, Clone)]
pub struct Challenge {
    status: StatusCode,
    scheme: Scheme,
    error: Option<(&'static str, String)>,
    /// Further parameters, names and values.
    further: Vec<(&'static str, String)>,
}

/// How a token is presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Bearer,
    DPoP,
}

impl Challenge {
    fn new(status: StatusCode, error: &'static str, description: impl Into<String>) -> Self {
        Self { status, scheme: Scheme::Bearer, error: Some((error, description.into())), further: Vec::new() }
    }

    /// No token was sent: the client learns the schemes and nothing else (RFC 6750 §3).
    pub fn missing() -> Self {
        Self { status: StatusCode::UNAUTHORIZED, scheme: Scheme::Bearer, error: None, further: Vec::new() }
    }

    /// `invalid_token`.
    pub fn invalid_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid_token", "the access token is expired, revoked or malformed")
    }

    /// `invalid_request`.
    pub fn invalid_request(description: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", description)
    }

    /// `insufficient_scope`.
    pub fn insufficient_scope(scope: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "insufficient_scope", format!("the scope {scope} is needed"))
    }

    /// `insufficient_user_authentication`: the person must sign in again, or better (RFC 9470 §3).
    pub fn step_up(needed: &StepUp<'_>) -> Self {
        let mut challenge = Self::new(
            StatusCode::UNAUTHORIZED,
            "insufficient_user_authentication",
            "a stronger or more recent sign-in is needed",
        );
        if !needed.acr_values.is_empty() {
            challenge.further.push(("acr_values", needed.acr_values.join(" ")));
        }
        if let Some(seconds) = needed.max_age {
            challenge.further.push(("max_age", seconds.to_string()));
        }
        challenge
    }

    /// The registered error; none when no token was sent.
    pub fn error(&self) -> Option<&'static str> {
        self.error.as_ref().map(|(error, _)| *error)
    }

    fn on(mut self, scheme: Scheme) -> Self {
        self.scheme = scheme;
        self
    }

    fn field(&self, scheme: Scheme) -> String {
        let mut field = match scheme {
            Scheme::Bearer => "Bearer realm=\"habilis\"".to_owned(),
            Scheme::DPoP => format!("DPoP realm=\"habilis\", algs=\"{}\"", dpop::ALGORITHMS.join(" ")),
        };
        if let Some((error, description)) = &self.error {
            let parameters = [("error", (*error).to_owned()), ("error_description", description.clone())];
            for (name, value) in parameters.iter().chain(&self.further) {
                let plain: String = value.chars().filter(|c| matches!(c, ' ' | '!' | '#'..='[' | ']'..='~')).collect();
                let _ = write!(field, ", {name}=\"{plain}\"");
            }
        }
        field
    }
}

impl IntoResponse for Challenge {
    fn into_response(self) -> Response {
        let body = match &self.error {
            None => json!({ "error": "invalid_token" }),
            Some((error, description)) => json!({ "error": error, "error_description": description }),
        };
        let schemes: &[Scheme] = match (&self.error, self.scheme) {
            (None, _) => &[Scheme::Bearer, Scheme::DPoP],
            (Some(_), Scheme::Bearer) => &[Scheme::Bearer],
            (Some(_), Scheme::DPoP) => &[Scheme::DPoP],
        };
        let mut response = (self.status, no_store(), axum::Json(body)).into_response();
        for scheme in schemes {
            if let Ok(value) = HeaderValue::from_str(&self.field(*scheme)) {
                response.headers_mut().append(header::WWW_AUTHENTICATE, value);
            }
        }
        response
    }
}

/// FAPI 2.0 Security Profile §5.3.4: the caller's id of the call is given back, so that both sides find the same line in their
/// logs.
pub fn with_interaction_id(mut response: Response, headers: &HeaderMap) -> Response {
    const NAME: &str = "x-fapi-interaction-id";
    if let Some(id) = headers.get(NAME).filter(|id| id.len() <= 64 && id.to_str().is_ok()) {
        response.headers_mut().insert(NAME, id.clone());
    }
    response
}

/// What a resource asks of the sign-in behind a token (RFC 9470).
#[derive(Debug, Clone, Copy, Default)]
pub struct StepUp<'a> {
    /// Levels, one of which is needed; empty: any.
    pub acr_values: &'a [&'a str],
    /// Oldest sign-in, in seconds.
    pub max_age: Option<u32>,
}

/// A request to a resource.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// HTTP method, in capitals.
    pub method: &'a str,
    /// Its path.
    pub path: &'a str,
    /// `access_token` of a form (RFC 6750 §2.2), where the resource takes forms.
    pub in_form: Option<&'a str>,
}

/// What an access token opens.
#[derive(Debug)]
pub struct Access {
    /// The claims of the token.
    pub claims: Map<String, Value>,
    /// What the token was granted.
    pub scope: Scope,
    /// The living grant of a person; none for a client that acts for itself.
    pub grant: Option<Grant>,
    scheme: Scheme,
}

impl Access {
    /// A text of the token's claims; empty when absent.
    pub fn claim(&self, name: &str) -> &str {
        self.claims.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Asks for a scope.
    ///
    /// # Errors
    /// The challenge `insufficient_scope`.
    pub fn needs_scope(&self, scope: &str) -> Result<(), Challenge> {
        if self.scope.contains(scope) { Ok(()) } else { Err(Challenge::insufficient_scope(scope).on(self.scheme)) }
    }

    /// The challenge when what was granted ended meanwhile, in the scheme of this token.
    pub fn over(&self) -> Challenge {
        Challenge::invalid_token().on(self.scheme)
    }

    /// The challenge for a better sign-in, in the scheme of this token.
    pub fn step_up(&self, needed: &StepUp<'_>) -> Challenge {
        Challenge::step_up(needed).on(self.scheme)
    }

    /// Asks for a sign-in that is good enough and recent enough (RFC 9470).
    ///
    /// # Errors
    /// The challenge `insufficient_user_authentication`, which names what is needed.
    pub fn needs_sign_in(&self, needed: &StepUp<'_>, now: Timestamp) -> Result<(), Challenge> {
        let strong = needed.acr_values.is_empty() || needed.acr_values.contains(&self.claim("acr"));
        let recent = needed.max_age.is_none_or(|seconds| {
            let signed_in = self.claims.get("auth_time").and_then(Value::as_i64);
            signed_in.is_some_and(|at| now.as_second() - at <= i64::from(seconds))
        });
        if strong && recent { Ok(()) } else { Err(self.step_up(needed)) }
    }
}

/// Finds out what the token of a request opens.
///
/// # Errors
/// Outer: a fault. Inner: the [`Challenge`] to answer with.
pub async fn open(app: &App, presented: Presented<'_>, now: Timestamp) -> Outcome<Result<Access, Challenge>> {
    let (scheme, token) = match (in_header(presented.headers), presented.in_form) {
        (Some(_), Some(_)) => return Ok(Err(Challenge::invalid_request("the access token is sent twice"))),
        (Some(found), None) => found,
        (None, Some(token)) => (Scheme::Bearer, token),
        (None, None) => return Ok(Err(Challenge::missing())),
    };
    // RFC 9068 §4: a token for another resource opens nothing here.
    let ours =
        |claims: &Map<String, Value>| claims.get("aud").and_then(Value::as_str) == Some(&app.config.server.issuer);
    let Some(claims) = read(app, token, now).filter(ours) else {
        return Ok(Err(Challenge::invalid_token().on(scheme)));
    };
    let bound = claims.get("cnf").and_then(|cnf| cnf.get("jkt")).and_then(Value::as_str);
    match (bound, scheme) {
        (None, Scheme::Bearer) => {}
        // RFC 9449 §7.1 and §7.2: a token is presented in the scheme it was issued for.
        (None, Scheme::DPoP) | (Some(_), Scheme::Bearer) => {
            return Ok(Err(Challenge::new(
                StatusCode::UNAUTHORIZED,
                "invalid_token",
                "the access token was issued for another scheme",
            )
            .on(Scheme::DPoP)));
        }
        (Some(jkt), Scheme::DPoP) => {
            let target = Target { method: presented.method, path: presented.path, access_token: Some(token) };
            let refusal = match dpop::proof(app, presented.headers, target, now).await? {
                Ok(Some(proven)) if proven == jkt => None,
                Ok(Some(_)) => Some("DPoP proof: of another key than the token's".to_owned()),
                Ok(None) => Some("DPoP proof: missing".to_owned()),
                Err(refusal) => Some(refusal.description),
            };
            if let Some(description) = refusal {
                let challenge = Challenge::new(StatusCode::UNAUTHORIZED, "invalid_dpop_proof", description);
                return Ok(Err(challenge.on(Scheme::DPoP)));
            }
        }
    }
    let grant = match standing(app, &claims, now).await? {
        Standing::Dead => return Ok(Err(Challenge::invalid_token().on(scheme))),
        Standing::OfClient => None,
        Standing::OfPerson(grant) => Some(*grant),
    };
    let scope = claims.get("scope").and_then(Value::as_str).and_then(|scope| Scope::parse(scope).ok());
    Ok(Ok(Access { scope: scope.unwrap_or_default(), claims, grant, scheme }))
}

/// What stands behind an access token whose signature and times are good.
pub(crate) enum Standing {
    /// Nothing any more: it was revoked, its grant withdrawn, or its client suspended.
    Dead,
    /// A client that acts for itself.
    OfClient,
    /// The living grant of a person.
    OfPerson(Box<Grant>),
}

/// Finds out what stands behind the access token with these claims.
///
/// # Errors
/// The database failed.
pub(crate) async fn standing(app: &App, claims: &Map<String, Value>, now: Timestamp) -> Outcome<Standing> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if let Some(key) = text("key") {
        return of_centre(app, (claims, key), now).await;
    }
    let client = app.client(text("client_id").unwrap_or_default()).await?.filter(|client| client.active);
    let Some(client) = client else { return Ok(Standing::Dead) };
    let mut reader = app.db.reader().await?;
    if revoked_tokens::contains(&mut reader, text("jti").unwrap_or_default()).await? {
        return Ok(Standing::Dead);
    }
    let Some(id) = text("grant_id") else {
        let ended = issued(claims).is_none_or(|at| client.ended_since(at));
        return Ok(if ended { Standing::Dead } else { Standing::OfClient });
    };
    let Some(mut grant) = grants::find(&mut reader, id, now).await? else { return Ok(Standing::Dead) };
    let over = life::is_over(&mut reader, &mut grant, &client, now).await?;
    Ok(if over { Standing::Dead } else { Standing::OfPerson(Box::new(grant)) })
}

/// When a token was issued, to the second.
fn issued(claims: &Map<String, Value>) -> Option<Timestamp> {
    claims.get("iat").and_then(Value::as_i64).and_then(|at| Timestamp::from_second(at).ok())
}

/// A token that an API key was exchanged for lives as long as the key does, the centre and the vendor's client.
async fn of_centre(app: &App, (claims, key): (&Map<String, Value>, &str), now: Timestamp) -> Outcome<Standing> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if let Some(vendor) = text("azp") {
        let allowed = |client: &SharedClient| {
            let ended = issued(claims).is_none_or(|at| client.ended_since(at));
            client.active && client.settings.api_keys && !ended
        };
        if !app.client(vendor).await?.as_ref().is_some_and(allowed) {
            return Ok(Standing::Dead);
        }
    } else if app.config.api_keys.vendor_required {
        return Ok(Standing::Dead);
    }
    let (Some(issued), Some(known)) = (issued(claims), api_keys::find(app, key).await?) else {
        return Ok(Standing::Dead);
    };
    if !known.carries(issued, now) {
        return Ok(Standing::Dead);
    }
    let mut reader = app.db.reader().await?;
    let revoked = revoked_tokens::contains(&mut reader, text("jti").unwrap_or_default()).await?;
    Ok(if revoked { Standing::Dead } else { Standing::OfClient })
}

/// The token in the Authorization header; schemes in any case (RFC 9110 §11.1).
fn in_header(headers: &HeaderMap) -> Option<(Scheme, &str)> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let scheme = match scheme {
        _ if scheme.eq_ignore_ascii_case("bearer") => Scheme::Bearer,
        _ if scheme.eq_ignore_ascii_case("dpop") => Scheme::DPoP,
        _ => return None,
    };
    Some((scheme, token.trim()))
}

/// The claims of an access token of ours that has not expired.
pub(crate) fn read(app: &App, token: &str, now: Timestamp) -> Option<Map<String, Value>> {
    let token = Unverified::parse(token).ok()?;
    if token.header().typ.as_deref() != Some("at+jwt") {
        return None;
    }
    let claims = app.keys.verify(&token, now)?;
    let ours = claims.get("iss")?.as_str()? == app.config.server.issuer;
    let alive = claims.get("exp")?.as_i64()? > now.as_second();
    (ours && alive).then_some(claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_for_a_better_sign_in_says_what_is_needed() {
        let needed = StepUp { acr_values: &["eidas1-mfa", "ei\"das2"], max_age: Some(60) };
        let response = Challenge::step_up(&needed).on(Scheme::DPoP).into_response();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        let field = response.headers()[header::WWW_AUTHENTICATE].to_str().unwrap();
        assert!(field.starts_with("DPoP realm=\"habilis\", algs=\"ES256 PS256 EdDSA\""), "{field}");
        assert!(field.contains("error=\"insufficient_user_authentication\""), "{field}");
        assert!(field.ends_with("acr_values=\"eidas1-mfa eidas2\", max_age=\"60\""), "{field}");
    }

    #[test]
    fn without_a_token_both_schemes_are_named_and_no_error() {
        let response = Challenge::missing().into_response();
        let fields: Vec<_> = response.headers().get_all(header::WWW_AUTHENTICATE).iter().collect();
        assert_eq!(fields, ["Bearer realm=\"habilis\"", "DPoP realm=\"habilis\", algs=\"ES256 PS256 EdDSA\""]);
    }
}
