//! The authorization request: parsed once into a value that is then trusted (OIDC Core §3.1.2.1, RFC 6749 §4.1.1, RFC 7636).
//!
//! Order matters: client, then redirect URI (a page until then), then everything else (an error redirect from then on).
//! Queries, pushed requests and signed objects, at hand or by reference, are all read by [`check`].

use habilis_policies::acr;
use habilis_policies::authorize::Prompt;
use habilis_policies::resources::TargetProblem;
use habilis_policies::response_types::ResponseType;
use habilis_policies::scopes::Scope;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::answer::{RedirectError, ResponseMode, ReturnTo};
use super::claims::ClaimsRequest;
use super::client::{Authentication, Client, SharedClient};
use super::end_session::read_hint;
use super::error::PageError;
use super::{audience, dpop, par, request_uri};
use crate::app::App;
use crate::outcome::Outcome;
use crate::web::params::Params;

/// Longest `state`, `nonce` and `login_hint`, in bytes.
const MAX_TEXT: usize = 2048;

/// A valid authorization request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// Where the answer goes.
    pub return_to: ReturnTo,
    /// What the authorization endpoint gives.
    #[serde(default)]
    pub response_type: ResponseType,
    /// Scope granted if the person agrees: what was asked, within what the client may ask.
    pub scope: String,
    /// `nonce`.
    pub nonce: Option<String>,
    /// PKCE challenge, S256.
    pub code_challenge: Option<String>,
    /// `prompt`.
    pub prompt: Prompt,
    /// `max_age`, or the client's default.
    pub max_age: Option<u32>,
    /// `claims`, JSON.
    pub claims: Option<String>,
    /// Subject named by `id_token_hint`.
    pub hint: Option<String>,
    /// `login_hint`.
    pub login_hint: Option<String>,
    /// `ui_locales`.
    pub ui_locales: Option<String>,
    /// `acr_values`, the `acr` that `claims` asks for, or the client's default.
    #[serde(default)]
    pub acr: acr::Wanted,
    /// `dpop_jkt`: the key the code will be bound to (RFC 9449 §10).
    #[serde(default)]
    pub dpop_jkt: Option<String>,
    /// Resources the access tokens may be for (RFC 8707), space separated.
    #[serde(default)]
    pub resources: String,
    /// `organization`: the id of the organization the person is to sign in for.
    #[serde(default)]
    pub organization: Option<String>,
    /// SHA-256 of the `request_uri` it came by (RFC 9126).
    #[serde(default)]
    pub pushed: Option<Vec<u8>>,
}

/// Where a request comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Through the person's browser, at the authorization endpoint.
    Browser,
    /// From the client itself, at `/par`.
    Pushed,
}

/// Why a request is not answered with a code.
pub enum Invalid {
    /// Shown to the person.
    Page(PageError),
    /// The portal is closed: shown to the person (R090).
    Closed(SharedClient),
    /// Sent to the client.
    Redirect(ReturnTo, RedirectError),
}

/// Reads the parameters that a browser brings: a whole request, or the reference of a pushed one, beside which nothing counts
/// (RFC 9126 §4, RFC 9101 §5).
///
/// # Errors
/// Outer: a fault. Inner: [`Invalid`], a page until client and redirect URI are known to be genuine.
pub async fn read(app: &App, params: &mut Params, now: Timestamp) -> Outcome<Result<(SharedClient, Request), Invalid>> {
    let Some(client_id) = params.take("client_id") else {
        return Ok(Err(page("invalid_request", "client_id is missing")));
    };
    let Some(client) = app.client(&client_id).await? else {
        return Ok(Err(page("invalid_client", "no such client is registered here")));
    };
    if !client.active {
        return Ok(Err(Invalid::Closed(client)));
    }
    if let Some(reference) = params.get("request_uri").filter(|uri| uri.starts_with(par::PREFIX)) {
        let gone = "request_uri is unknown, expired, used up, or of another client";
        let found = par::find(app, &client, reference, now).await?;
        return Ok(found.map(|request| (client, request)).ok_or_else(|| page("invalid_request_uri", gone)));
    }
    let request = check(app, &client, (params, Door::Browser), now).await?;
    Ok(request.map(|request| (client, request)))
}

/// Reads the parameters of a request by a client that is known.
///
/// # Errors
/// Outer: a fault. Inner: [`Invalid`], a page until the redirect URI is known to be genuine.
pub async fn check(
    app: &App,
    client: &SharedClient,
    (params, door): (&mut Params, Door),
    now: Timestamp,
) -> Outcome<Result<Request, Invalid>> {
    let opened = request_uri::open(app, client, (params, door), now).await?;
    let mut return_to = match (place(client, params), &opened) {
        (Ok(return_to), _) => return_to,
        (Err(_), Err(error)) => return Ok(Err(page(error.error, &error.description))),
        (Err(problem), Ok(())) => return Ok(Err(page("invalid_request", problem))),
    };
    let moded = response_mode(app, client, params, &mut return_to);
    if let Err(error) = opened.and(moded) {
        return Ok(Err(Invalid::Redirect(return_to, error)));
    }
    if door == Door::Browser && client.must_push() {
        let error = invalid("this client sends pushed authorization requests only");
        return Ok(Err(Invalid::Redirect(return_to, error)));
    }
    let hint = match hint(app, client, params).await? {
        Ok(hint) => hint,
        Err(error) => return Ok(Err(Invalid::Redirect(return_to, error))),
    };
    let named = params.take("resource").unwrap_or_default();
    let mut request = match rest((app, client), params, return_to.clone(), hint) {
        Ok(request) => request,
        Err(error) => return Ok(Err(Invalid::Redirect(return_to, error))),
    };
    let scope = Scope::parse(&request.scope).unwrap_or_default();
    match audience::authorized(app, &named, &scope).await? {
        Ok(resources) if request.response_type.has_token() && resources.contains(' ') => {
            let several = RedirectError::new("invalid_target", TargetProblem::Several.to_string());
            return Ok(Err(Invalid::Redirect(return_to, several)));
        }
        Ok(resources) => request.resources = resources,
        Err(error) => return Ok(Err(Invalid::Redirect(return_to, error))),
    }
    Ok(Ok(request))
}

/// The subject that `id_token_hint` names, as `client` knows it. A hint issued to another client serves only where both know
/// people by the same names (OIDC Core §8).
async fn hint(app: &App, client: &Client, params: &mut Params) -> Outcome<Result<Option<String>, RedirectError>> {
    let Some(hint) = params.take("id_token_hint") else { return Ok(Ok(None)) };
    let Some(hint) = read_hint(app, &hint) else {
        return Ok(Err(invalid("id_token_hint was not issued here")));
    };
    if hint.client != client.id
        && let Some(other) = app.client(&hint.client).await?
        && other.sector != client.sector
    {
        return Ok(Err(invalid("id_token_hint was issued to a client that knows people by other names")));
    }
    Ok(Ok(Some(hint.subject)))
}

/// Where the answer goes, or why nowhere.
fn place(client: &Client, params: &mut Params) -> Result<ReturnTo, &'static str> {
    let redirect_uri = params.take("redirect_uri").ok_or("redirect_uri is missing")?;
    let state = params.take("state");
    ReturnTo::verify(client, &redirect_uri, state).ok_or("redirect_uri is not registered for this client")
}

fn page(error: &'static str, description: &str) -> Invalid {
    Invalid::Page(PageError::new(error, description))
}

fn invalid(description: &str) -> RedirectError {
    RedirectError::new("invalid_request", description)
}

/// A client whose messages are signed gets signed answers, this complaint included. Where tokens were asked for, everything
/// comes in the fragment unless it is posted, errors included (OAuth 2.0 Multiple Response Types §5).
fn response_mode(
    app: &App,
    client: &Client,
    params: &mut Params,
    return_to: &mut ReturnTo,
) -> Result<(), RedirectError> {
    let kind = params.get("response_type").and_then(ResponseType::parse);
    let has_tokens = kind.is_some_and(|kind| kind.is_front_channel() && may_use(app, client, kind));
    if has_tokens {
        return_to.mode = ResponseMode::Fragment;
    }
    let Some(name) = params.take("response_mode") else { return Ok(()) };
    let mode = ResponseMode::parse(&name).ok_or_else(|| invalid("response_mode is not supported"))?;
    match (has_tokens, mode) {
        (true, ResponseMode::Fragment | ResponseMode::FormPost) => {}
        (true, _) => return Err(invalid("response_mode must be fragment or form_post for this response_type")),
        (false, ResponseMode::Fragment) => return Err(invalid("response_mode is not supported")),
        (false, _) => {}
    }
    if client.settings.profile.rules().signed_messages && !mode.is_signed() {
        return Err(invalid("response_mode must be jwt, query.jwt or form_post.jwt for this client"));
    }
    return_to.mode = mode;
    Ok(())
}

fn rest(
    (app, client): (&App, &Client),
    params: &mut Params,
    return_to: ReturnTo,
    hint: Option<String>,
) -> Result<Request, RedirectError> {
    let bounded = |value: Option<String>, name: &str| match value {
        Some(value) if value.len() > MAX_TEXT => Err(invalid(&format!("{name} is longer than 2048 bytes"))),
        value => Ok(value),
    };
    if return_to.state.as_ref().is_some_and(|state| state.len() > MAX_TEXT) {
        return Err(invalid("state is longer than 2048 bytes"));
    }
    let response_type = response_type(app, client, params)?;
    let prompt = params.take("prompt").map_or(Ok(Prompt::default()), |prompt| Prompt::parse(&prompt));
    let prompt = prompt.map_err(|error| invalid(&error.to_string()))?;
    let asked = Scope::parse(&params.take("scope").unwrap_or_default())
        .map_err(|error| RedirectError::new("invalid_scope", error.to_string()))?;
    let max_age = match params.take("max_age") {
        None => client.metadata.default_max_age,
        Some(seconds) => Some(seconds.parse().map_err(|_| invalid("max_age is a whole number of seconds"))?),
    };
    let claims = bounded(params.take("claims"), "claims")?;
    let wanted = claims.as_deref().map(ClaimsRequest::parse).transpose();
    let wanted = wanted.map_err(|error| invalid(&error.to_string()))?.unwrap_or_default();
    let dpop_jkt = params.take("dpop_jkt");
    if dpop_jkt.as_deref().is_some_and(|jkt| !dpop::is_thumbprint(jkt)) {
        return Err(invalid("dpop_jkt is not a SHA-256 in base64url"));
    }
    // OIDC Core §5.5.1: a `sub` asked for by value is the person expected.
    let subject = wanted.subject().map(str::to_owned);
    if subject.is_some() && hint.is_some() && subject != hint {
        return Err(invalid("claims and id_token_hint name different people"));
    }
    let nonce = bounded(params.take("nonce"), "nonce")?;
    if response_type.has_id_token() && nonce.is_none() {
        return Err(invalid("nonce is missing: an ID token is asked for"));
    }
    let scope = granted(&asked, client, (prompt, response_type));
    if response_type.has_id_token() && !scope.contains("openid") {
        return Err(RedirectError::new("invalid_scope", "an ID token needs the scope openid"));
    }
    Ok(Request {
        response_type,
        scope: scope.to_string(),
        code_challenge: code_challenge(client, params, response_type)?,
        nonce,
        login_hint: bounded(params.take("login_hint"), "login_hint")?,
        ui_locales: bounded(params.take("ui_locales"), "ui_locales")?,
        acr: wanted_acr(client, &wanted, bounded(params.take("acr_values"), "acr_values")?.as_deref()),
        return_to,
        prompt,
        max_age,
        claims,
        hint: hint.or(subject),
        dpop_jkt,
        resources: String::new(),
        organization: bounded(params.take("organization"), "organization")?,
        pushed: None,
    })
}

/// The `acr` wanted: as a claim (OIDC Core §5.5.1.1), by `acr_values`, or as the client registered it.
fn wanted_acr(client: &Client, claims: &ClaimsRequest, acr_values: Option<&str>) -> acr::Wanted {
    claims.acr().unwrap_or_else(|| match acr_values {
        Some(values) => acr::Wanted::voluntary(values),
        None => acr::Wanted { values: client.metadata.default_acr_values.clone(), essential: false },
    })
}

/// Whether the client's profile, and for tokens in the browser the operator, knows a response type.
fn may_use(app: &App, client: &Client, kind: ResponseType) -> bool {
    client.settings.profile.rules().response_types.contains(&kind.name())
        && (!kind.is_front_channel() || app.config.legacy.response_types)
}

fn response_type(app: &App, client: &Client, params: &mut Params) -> Result<ResponseType, RedirectError> {
    let name = params.take("response_type").ok_or_else(|| invalid("response_type is missing"))?;
    let Some(kind) = ResponseType::parse(&name).filter(|kind| may_use(app, client, *kind)) else {
        return Err(RedirectError::new("unsupported_response_type", "the response_type is not supported"));
    };
    if client.metadata.response_types.iter().any(|known| ResponseType::parse(known) == Some(kind)) {
        Ok(kind)
    } else {
        Err(RedirectError::new("unauthorized_client", "the response_type is not registered for this client"))
    }
}

/// What of the scope asked can be granted. `offline_access` counts only with `prompt=consent` and a code (OIDC Core §11), else
/// it is left out without an error, as is what the client may not have.
fn granted(asked: &Scope, client: &Client, (prompt, response_type): (Prompt, ResponseType)) -> Scope {
    let scope = asked.common(&client.scope);
    if prompt.consent && response_type.has_code() && client.metadata.allows_grant("refresh_token") {
        scope
    } else {
        scope.without("offline_access")
    }
}

fn code_challenge(
    client: &Client,
    params: &mut Params,
    response_type: ResponseType,
) -> Result<Option<String>, RedirectError> {
    let is_public = client.authentication == Authentication::None;
    let required = response_type.has_code() && (client.settings.profile.rules().pkce_for_all || is_public);
    let method = params.take("code_challenge_method");
    let Some(challenge) = params.take("code_challenge") else {
        return if required || method.is_some() { Err(invalid("code_challenge is missing")) } else { Ok(None) };
    };
    // Without a method the challenge would be `plain` (RFC 7636 §4.3), which protects nothing here.
    if method.as_deref() != Some("S256") {
        return Err(invalid("code_challenge_method must be S256"));
    }
    if !habilis_keys::pkce::is_s256_challenge(&challenge) {
        return Err(invalid("code_challenge is not a SHA-256 in base64url"));
    }
    Ok(Some(challenge))
}
