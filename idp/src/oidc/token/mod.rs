//! `/token`: the token endpoint (RFC 6749 §3.2, OIDC Core §3.1.3). One file a grant.

mod api_key;
mod authorization_code;
mod client_credentials;
mod device_code;
mod refresh_token;

pub use authorization_code::is_withdrawn;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use habilis_keys::secret::Secret;
use habilis_policies::profiles::TOKEN_EXCHANGE;
use habilis_policies::scopes::Scope;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Map;

use super::audience::{self, Audience};
use super::claims::{self, ClaimsRequest, ORGANIZATION_SCOPE, Place, Wanted};
use super::client::SharedClient;
use super::dpop::{self, Target};
use super::error::{Refusal, no_store};
use super::{client_auth, device, issue};
use crate::app::App;
use crate::db::grants::Grant;
use crate::db::{consents, people};
use crate::outcome::Outcome;
use crate::web::params::Params;
use crate::web::{Form, Origin};

/// A token response (RFC 6749 §5.1).
#[derive(Debug, Serialize)]
struct Tokens {
    access_token: String,
    token_type: &'static str,
    expires_in: u32,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_token_type: Option<&'static str>,
}

impl IntoResponse for Tokens {
    fn into_response(self) -> Response {
        (no_store(), axum::Json(self)).into_response()
    }
}

/// Who asks for tokens: a client that proved itself, and the key it proved to hold (RFC 9449 §5); and for which resources (RFC 8707).
#[derive(Clone, Copy)]
struct Holder<'a> {
    client: &'a SharedClient,
    jkt: Option<&'a str>,
    resources: &'a [String],
}

impl Holder<'_> {
    /// `DPoP` for tokens bound to a key (RFC 9449 §5).
    fn token_type(self) -> &'static str {
        if self.jkt.is_some() { "DPoP" } else { "Bearer" }
    }

    /// Refuses another key than the one something is `bound` to, or none (RFC 9449 §5 and §10).
    fn holds(self, bound: Option<&str>) -> Result<(), Refusal> {
        match (bound, self.jkt) {
            (Some(_), None) => Err(without_proof()),
            (Some(bound), Some(jkt)) if jkt != bound => {
                Err(Refusal::new("invalid_dpop_proof", "DPoP proof: of another key than the one bound"))
            }
            _ => Ok(()),
        }
    }
}

/// No proof where there must be one: a parameter that is missing (RFC 6749 §5.2), not a proof that is wrong. The FAPI 2.0 plan
/// takes nothing else when a refresh token comes without.
fn without_proof() -> Refusal {
    Refusal::invalid_request("DPoP proof: missing, and the tokens of this client are bound to a key")
}

/// A token request, by grant.
enum Request {
    AuthorizationCode { code: String, redirect_uri: Option<String>, code_verifier: Option<String> },
    RefreshToken { refresh_token: String, scope: Option<Scope> },
    ClientCredentials { scope: Option<Scope> },
    ApiKey { key: Secret<String>, scope: Option<Scope> },
    TokenExchange { key: Secret<String>, scope: Option<Scope> },
    DeviceCode { device_code: String },
}

impl Request {
    fn read(params: &mut Params) -> Result<Self, Refusal> {
        let mut required =
            |name: &str| params.take(name).ok_or_else(|| Refusal::invalid_request(format!("{name} is missing")));
        match required("grant_type")?.as_str() {
            "authorization_code" => Ok(Self::AuthorizationCode {
                code: required("code")?,
                redirect_uri: params.take("redirect_uri"),
                code_verifier: params.take("code_verifier"),
            }),
            "refresh_token" => {
                Ok(Self::RefreshToken { refresh_token: required("refresh_token")?, scope: scope(params)? })
            }
            "client_credentials" => match params.take("api_key") {
                Some(key) => Ok(Self::ApiKey { key: Secret::new(key), scope: scope(params)? }),
                None => Ok(Self::ClientCredentials { scope: scope(params)? }),
            },
            TOKEN_EXCHANGE => Ok(Self::TokenExchange { key: api_key::subject(params)?, scope: scope(params)? }),
            device::GRANT_TYPE => Ok(Self::DeviceCode { device_code: required("device_code")? }),
            _ => Err(Refusal::new("unsupported_grant_type", "the grant type is not supported")),
        }
    }

    fn grant_type(&self) -> &'static str {
        match self {
            Self::AuthorizationCode { .. } => "authorization_code",
            Self::RefreshToken { .. } => "refresh_token",
            Self::ClientCredentials { .. } | Self::ApiKey { .. } => "client_credentials",
            Self::TokenExchange { .. } => TOKEN_EXCHANGE,
            Self::DeviceCode { .. } => device::GRANT_TYPE,
        }
    }
}

fn scope(params: &mut Params) -> Result<Option<Scope>, Refusal> {
    let scope = params.take("scope").map(|scope| Scope::parse(&scope)).transpose();
    scope.map_err(|error| Refusal::new("invalid_scope", error.to_string()))
}

/// POST.
///
/// # Errors
/// The database failed, or signing did.
pub async fn post(State(app): State<App>, origin: Origin, headers: HeaderMap, Form(form): Form) -> Outcome {
    let now = app.clock.now();
    let mut params = match form {
        Ok(params) => params,
        Err(error) => return Ok(Refusal::from(error).into_response()),
    };
    if api_key::comes_alone(&headers, &params) {
        return api_key::alone(&app, (&origin, &headers), params, now).await;
    }
    let client = match client_auth::authenticate(&app, (&headers, &mut params), "/token", now).await? {
        Ok(client) => client,
        Err(refusal) => return Ok(refusal.into_response()),
    };
    let request = match Request::read(&mut params) {
        Ok(request) => request,
        Err(refusal) => return Ok(refusal.into_response()),
    };
    let resources = match audience::asked(&mut params) {
        Ok(resources) => resources,
        Err(refusal) => return Ok(refusal.into_response()),
    };
    let grant_type = request.grant_type();
    let target = Target { method: "POST", path: "/token", access_token: None };
    let jkt = match dpop::proof(&app, &headers, target, now).await? {
        Ok(None) if client.must_bind() => return Ok(without_proof().into_response()),
        Ok(jkt) => jkt,
        Err(refusal) => return Ok(refusal.into_response()),
    };
    let holder = Holder { client: &client, jkt: jkt.as_deref(), resources: &resources };
    let answer = if client.metadata.allows_grant(grant_type) {
        match request {
            Request::AuthorizationCode { code, redirect_uri, code_verifier } => {
                let code = authorization_code::Presented { code, redirect_uri, code_verifier };
                authorization_code::redeem(&app, holder, code, now).await?
            }
            Request::RefreshToken { refresh_token, scope } => {
                refresh_token::refresh(&app, holder, (&refresh_token, scope), now).await?
            }
            Request::ClientCredentials { scope } => client_credentials::grant(&app, holder, scope, now).await?,
            Request::ApiKey { key, scope } => {
                api_key::exchange(&app, (holder, &origin, &headers), (&key, scope), now).await?
            }
            Request::TokenExchange { key, scope } => {
                let tokens = api_key::exchange(&app, (holder, &origin, &headers), (&key, scope), now).await?;
                let told = |tokens| Tokens { issued_token_type: Some(api_key::ACCESS_TOKEN_TYPE), ..tokens };
                tokens.map(told).map_err(api_key::of_exchange)
            }
            Request::DeviceCode { device_code } => device_code::redeem(&app, holder, &device_code, now).await?,
        }
    } else {
        Err(Refusal::new("unauthorized_client", "this client may not use that grant type"))
    };
    let outcome = if answer.is_ok() { "issued" } else { "refused" };
    metrics::counter!("habilis_tokens_total", "grant_type" => grant_type, "outcome" => outcome).increment(1);
    Ok(match answer {
        Ok(tokens) => tokens.into_response(),
        Err(refusal) => refusal.into_response(),
    })
}

/// The tokens of a grant, without a refresh token: an access token for `audience`, and the person's identity within `scope`.
async fn tokens(
    app: &App,
    holder: Holder<'_>,
    (grant, scope, audience): (&Grant, &Scope, &Audience),
    now: Timestamp,
) -> Outcome<Tokens> {
    let client = holder.client;
    let request = grant.claims.as_deref().map(ClaimsRequest::parse).transpose()?.unwrap_or_default();
    let wanted = Wanted::new(client.settings.claims, scope, &request, Place::IdToken);
    let in_access_token = audience.scope.contains(ORGANIZATION_SCOPE) && client.settings.claims.is_standard();
    let (mut organization, mut claims) = (Map::new(), Map::new());
    if in_access_token || !wanted.is_empty() {
        let mut reader = app.db.reader().await?;
        if in_access_token || wanted.has_organization() {
            organization = claims::of_organization(&mut reader, grant, now).await?;
        }
        if !wanted.is_empty()
            && let Some(person) = people::find(&mut reader, &grant.person_id).await?
        {
            claims = wanted.collect(&person, &organization)?;
        }
    }
    if !in_access_token {
        organization.clear();
    }
    let subject = issue::Subject::Person(grant, &organization);
    let access_token = issue::access_token(app, client, (subject, audience, holder.jkt), now)?;
    let id_token = if scope.contains("openid") {
        Some(issue::id_token(app, client, (grant, Some(&access_token), claims), now)?)
    } else {
        None
    };
    if !client.settings.first_party {
        let mut single = app.db.single().await?;
        consents::used(&mut single, (&grant.person_id, &client.id), now).await?;
        single.commit().await?;
    }
    Ok(Tokens {
        access_token,
        token_type: holder.token_type(),
        expires_in: issue::expires_in(app, Some(grant), now),
        scope: audience.scope.to_string(),
        refresh_token: None,
        id_token,
        issued_token_type: None,
    })
}
