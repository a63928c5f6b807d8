//! The OpenAPI 3.1 description of the protocol endpoints, for integrators and for tools that test servers from it.
//!
//! The protocol itself is described by its RFCs; this names paths, parameters and answers.

use utoipa::openapi::OpenApi;
use utoipa::{OpenApi as _, ToSchema};

use crate::outcome::Outcome;

/// A token request, RFC 6749 §4.1.3, §4.4.2 and §6.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form for the OpenAPI document; the endpoint reads `web::params`")]
struct TokenRequest {
    /// `authorization_code`, `refresh_token`, `client_credentials` or `urn:ietf:params:oauth:grant-type:device_code`.
    grant_type: String,
    /// The authorization code.
    code: Option<String>,
    /// The redirect URI of the authorization request.
    redirect_uri: Option<String>,
    /// PKCE verifier, RFC 7636 §4.5.
    code_verifier: Option<String>,
    /// The refresh token.
    refresh_token: Option<String>,
    /// The device code, RFC 8628 §3.4.
    device_code: Option<String>,
    /// Scope, space separated.
    scope: Option<String>,
    /// `client_secret_post` and public clients.
    client_id: Option<String>,
    /// `client_secret_post`.
    client_secret: Option<String>,
    /// `private_key_jwt`, RFC 7523 §2.2.
    client_assertion_type: Option<String>,
    /// `private_key_jwt`.
    client_assertion: Option<String>,
}

/// A token response, RFC 6749 §5.1, OIDC Core §3.1.3.3.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the answer for the OpenAPI document")]
struct TokenResponse {
    access_token: String,
    /// `Bearer`, or `DPoP` for tokens bound to a key (RFC 9449).
    token_type: String,
    /// Seconds.
    expires_in: u32,
    /// Granted scope.
    scope: String,
    refresh_token: Option<String>,
    id_token: Option<String>,
}

/// A refusal, RFC 6749 §5.2.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the answer for the OpenAPI document")]
struct OAuthError {
    /// Registered code.
    error: String,
    /// For the integrator.
    error_description: Option<String>,
}

#[utoipa::path(
    post, path = "/token", tag = "oauth",
    request_body(content = inline(TokenRequest), content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "Tokens", body = inline(TokenResponse)),
        (status = 400, description = "Refused", body = inline(OAuthError)),
        (status = 401, description = "Client authentication failed", body = inline(OAuthError)),
        (status = 413, description = "Body too large", body = inline(OAuthError)),
        (status = 503, description = "Overloaded, see Retry-After"),
    ),
    security(("client" = []), ())
)]
#[expect(dead_code, reason = "carries the description of the endpoint")]
fn token() {}

/// A pushed authorization request, RFC 9126 §2.1: the parameters of the authorization endpoint, or `request` with them signed.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form for the OpenAPI document; the endpoint reads `web::params`")]
struct PushedRequest {
    /// `code`.
    response_type: Option<String>,
    /// A registered redirect URI.
    redirect_uri: Option<String>,
    /// Scope, space separated.
    scope: Option<String>,
    state: Option<String>,
    nonce: Option<String>,
    /// PKCE challenge, RFC 7636 §4.3.
    code_challenge: Option<String>,
    /// `S256`.
    code_challenge_method: Option<String>,
    /// Thumbprint of the key to bind the code to, RFC 9449 §10.
    dpop_jkt: Option<String>,
    /// The request as a signed object, RFC 9101.
    request: Option<String>,
    /// Public clients, and `client_secret_post`.
    client_id: Option<String>,
    /// `client_secret_post`.
    client_secret: Option<String>,
    /// `private_key_jwt`, RFC 7523 §2.2.
    client_assertion_type: Option<String>,
    /// `private_key_jwt`.
    client_assertion: Option<String>,
}

/// The reference of a pushed request, RFC 9126 §2.2.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the answer for the OpenAPI document")]
struct PushedResponse {
    /// `urn:ietf:params:oauth:request_uri:…`, for the authorization endpoint.
    request_uri: String,
    /// Seconds.
    expires_in: u32,
}

#[utoipa::path(
    post, path = "/par", tag = "oauth",
    request_body(content = inline(PushedRequest), content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 201, description = "Taken", body = inline(PushedResponse)),
        (status = 400, description = "Refused", body = inline(OAuthError)),
        (status = 401, description = "Client authentication failed", body = inline(OAuthError)),
        (status = 413, description = "Body too large", body = inline(OAuthError)),
        (status = 503, description = "Overloaded, see Retry-After"),
    ),
    security(("client" = []), ())
)]
#[expect(dead_code, reason = "carries the description of the endpoint")]
fn par() {}

/// A device authorization request, RFC 8628 §3.1.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form for the OpenAPI document; the endpoint reads `web::params`")]
struct DeviceRequest {
    /// Scope, space separated.
    scope: Option<String>,
    /// Public clients, and `client_secret_post`.
    client_id: Option<String>,
    /// `client_secret_post`.
    client_secret: Option<String>,
    /// `private_key_jwt`, RFC 7523 §2.2.
    client_assertion_type: Option<String>,
    /// `private_key_jwt`.
    client_assertion: Option<String>,
}

/// What the device shows and how it asks, RFC 8628 §3.2.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the answer for the OpenAPI document")]
struct DeviceResponse {
    /// For the token endpoint.
    device_code: String,
    /// For the person.
    user_code: String,
    /// Where the person types it.
    verification_uri: String,
    /// The same with the code, for a QR code.
    verification_uri_complete: String,
    /// Seconds.
    expires_in: u32,
    /// Seconds between two questions.
    interval: u32,
}

#[utoipa::path(
    post, path = "/device_authorization", tag = "oauth",
    request_body(content = inline(DeviceRequest), content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "Codes", body = inline(DeviceResponse)),
        (status = 400, description = "Refused", body = inline(OAuthError)),
        (status = 401, description = "Client authentication failed", body = inline(OAuthError)),
        (status = 413, description = "Body too large", body = inline(OAuthError)),
        (status = 429, description = "Too many requests from this network", body = inline(OAuthError)),
        (status = 503, description = "Overloaded, see Retry-After"),
    ),
    security(("client" = []), ())
)]
#[expect(dead_code, reason = "carries the description of the endpoint")]
fn device_authorization() {}

#[utoipa::path(
    get, path = "/userinfo", tag = "oidc",
    responses(
        (status = 200, description = "Claims about the person, by scope and claims parameter (OIDC Core §5.3)", body = serde_json::Value),
        (status = 401, description = "No valid access token, see WWW-Authenticate", body = inline(OAuthError)),
        (status = 403, description = "The token lacks the scope openid", body = inline(OAuthError)),
    ),
    security(("token" = []))
)]
#[expect(dead_code, reason = "carries the description of the endpoint")]
fn userinfo() {}

#[utoipa::path(
    get, path = "/jwks", tag = "oidc",
    responses((status = 200, description = "Public signing keys (RFC 7517)", body = serde_json::Value, content_type = "application/jwk-set+json"))
)]
#[expect(dead_code, reason = "carries the description of the endpoint")]
fn jwks() {}

#[utoipa::path(
    get, path = "/.well-known/openid-configuration", tag = "oidc",
    responses((status = 200, description = "Provider metadata (OIDC Discovery §3)", body = serde_json::Value))
)]
#[expect(dead_code, reason = "carries the description of the endpoint")]
fn discovery() {}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Habilis",
        description = "OpenID Connect provider for the training sector. Browser endpoints (authorization, end of session) are described by their specifications.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(token, par, device_authorization, userinfo, jwks, discovery),
    modifiers(&Security)
)]
struct Document;

struct Security;

impl utoipa::Modify for Security {
    fn modify(&self, document: &mut OpenApi) {
        use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
        let components = document.components.get_or_insert_with(Default::default);
        components.add_security_scheme("client", SecurityScheme::Http(Http::new(HttpAuthScheme::Basic)));
        components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    }
}

/// The document as JSON.
///
/// # Errors
/// It cannot be written as JSON.
pub fn document() -> Outcome<String> {
    Ok(serde_json::to_string_pretty(&Document::openapi())?)
}
