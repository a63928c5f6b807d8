//! The OpenAPI 3.1 description of the protocol endpoints, for integrators and for tools that test servers from it.
//!
//! The protocol itself is described by its RFCs; this names paths, parameters and answers.

use utoipa::openapi::OpenApi;
use utoipa::{OpenApi as _, ToSchema};

use crate::outcome::Outcome;

/// A token request, RFC 6749 §4.1.3, §4.4.2 and §6, RFC 8628 §3.4.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form for the OpenAPI document; the endpoint reads `web::params`")]
struct TokenRequest {
    /// `authorization_code`, `refresh_token`, `client_credentials`, `urn:ietf:params:oauth:grant-type:device_code` or
    /// `urn:ietf:params:oauth:grant-type:token-exchange`.
    grant_type: String,
    /// The API key of an apprenticeship centre, with `client_credentials`.
    api_key: Option<String>,
    /// The API key of an apprenticeship centre, RFC 8693 §2.1.
    subject_token: Option<String>,
    /// `urn:habilis:params:oauth:token-type:api_key`.
    subject_token_type: Option<String>,
    /// The device code, RFC 8628 §3.4.
    device_code: Option<String>,
    /// The authorization code.
    code: Option<String>,
    /// The redirect URI of the authorization request.
    redirect_uri: Option<String>,
    /// PKCE verifier, RFC 7636 §4.5.
    code_verifier: Option<String>,
    /// The refresh token.
    refresh_token: Option<String>,
    /// Scope, space separated.
    scope: Option<String>,
    /// The resource the access token is for, RFC 8707 §2.2.
    resource: Option<String>,
    /// `client_secret_post` and public clients.
    client_id: Option<String>,
    /// `client_secret_post`.
    client_secret: Option<String>,
    /// `private_key_jwt` and `client_secret_jwt`, RFC 7523 §2.2.
    client_assertion_type: Option<String>,
    /// `private_key_jwt` and `client_secret_jwt`.
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
    /// After an exchange, RFC 8693 §2.2.1.
    issued_token_type: Option<String>,
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
    /// A resource that access tokens may be for, RFC 8707 §2.1; may be repeated.
    resource: Option<String>,
    /// The request as a signed object, RFC 9101.
    request: Option<String>,
    /// Public clients, and `client_secret_post`.
    client_id: Option<String>,
    /// `client_secret_post`.
    client_secret: Option<String>,
    /// `private_key_jwt` and `client_secret_jwt`, RFC 7523 §2.2.
    client_assertion_type: Option<String>,
    /// `private_key_jwt` and `client_secret_jwt`.
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
    post, path = "/userinfo", tag = "oidc",
    request_body(content = inline(UserinfoRequest), content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "Claims about the person, as JSON or signed (OIDC Core §5.3.2)", body = serde_json::Value),
        (status = 401, description = "No valid access token, see WWW-Authenticate", body = inline(OAuthError)),
        (status = 403, description = "The token lacks the scope openid", body = inline(OAuthError)),
    ),
    security(("token" = []), ())
)]
#[expect(dead_code, reason = "carries the description of the endpoint")]
fn userinfo_by_post() {}

/// The access token, where it is not in the Authorization header (RFC 6750 §2.2).
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form for the OpenAPI document; the endpoint reads `web::params`")]
struct UserinfoRequest {
    access_token: Option<String>,
}

/// A token to ask about or to give back, RFC 7662 §2.1, RFC 7009 §2.1, with the proof of the client.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form for the OpenAPI document; the endpoint reads `web::params`")]
struct AboutToken {
    /// An access or refresh token; for resource servers also the API key of an apprenticeship centre.
    token: String,
    /// Not needed: ignored.
    token_type_hint: Option<String>,
    /// `client_secret_post` and, to give back, public clients.
    client_id: Option<String>,
    /// `client_secret_post`.
    client_secret: Option<String>,
    /// `private_key_jwt` and `client_secret_jwt`, RFC 7523 §2.2.
    client_assertion_type: Option<String>,
    /// `private_key_jwt` and `client_secret_jwt`.
    client_assertion: Option<String>,
}

#[utoipa::path(
    post, path = "/introspect", tag = "oauth",
    request_body(content = inline(AboutToken), content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "What the token is worth (RFC 7662 §2.2); signed for those who accept application/token-introspection+jwt (RFC 9701)", body = serde_json::Value),
        (status = 400, description = "Refused", body = inline(OAuthError)),
        (status = 401, description = "Client authentication failed", body = inline(OAuthError)),
        (status = 413, description = "Body too large", body = inline(OAuthError)),
        (status = 503, description = "Overloaded, see Retry-After"),
    ),
    security(("client" = []), ())
)]
#[expect(dead_code, reason = "carries the description of the endpoint")]
fn introspect() {}

#[utoipa::path(
    post, path = "/revoke", tag = "oauth",
    request_body(content = inline(AboutToken), content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "Given back, or unknown (RFC 7009 §2.2)"),
        (status = 400, description = "Refused", body = inline(OAuthError)),
        (status = 401, description = "Client authentication failed", body = inline(OAuthError)),
        (status = 413, description = "Body too large", body = inline(OAuthError)),
        (status = 503, description = "Overloaded, see Retry-After"),
    ),
    security(("client" = []), ())
)]
#[expect(dead_code, reason = "carries the description of the endpoint")]
fn revoke() {}

#[utoipa::path(
    get, path = "/api-keys/check", tag = "api keys",
    params(
        ("scope" = Option<String>, Query, description = "What the call needs, space separated"),
        ("siren" = Option<String>, Query, description = "The centre that the call is about"),
        ("resource" = Option<String>, Query, description = "The API called, which the vendor's token must then be for (RFC 8707); without it, a token for no resource"),
        ("X-API-KEY" = Option<String>, Header, description = "The key of an apprenticeship centre"),
        ("Authorization" = Option<String>, Header, description = "`Bearer` and the vendor's access token"),
        ("EDITEUR" = Option<String>, Header, description = "Who makes the software that calls"),
        ("LOGICIEL" = Option<String>, Header, description = "Its name"),
        ("VERSION" = Option<String>, Header, description = "Its version"),
    ),
    responses(
        (status = 200, description = "Let in: who calls, also in headers X-Habilis-…", body = serde_json::Value),
        (status = 400, description = "Refused", body = inline(OAuthError)),
        (status = 401, description = "Refused: the key or the token is none", body = inline(OAuthError)),
        (status = 403, description = "Refused: the key or the token does not reach so far", body = inline(OAuthError)),
        (status = 429, description = "Too many unknown keys, see Retry-After", body = inline(OAuthError)),
        (status = 503, description = "Overloaded, see Retry-After"),
    )
)]
#[expect(dead_code, reason = "carries the description of the endpoint")]
fn check_api_key() {}

/// Registration metadata, RFC 7591 §2 and OIDC Registration §2. Unknown members are ignored; what is left out has its default.
/// `client_name`, `client_uri`, `logo_uri`, `policy_uri` and `tos_uri` may be given in further languages (`client_name#fr`).
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the document for the OpenAPI document; the endpoint reads `client::Metadata`")]
struct ClientMetadata {
    redirect_uris: Option<Vec<String>>,
    /// `code`.
    response_types: Option<Vec<String>>,
    /// `authorization_code`, `refresh_token`, `client_credentials`, `urn:ietf:params:oauth:grant-type:device_code`.
    grant_types: Option<Vec<String>>,
    /// `web` or `native`.
    application_type: Option<String>,
    client_name: Option<String>,
    client_uri: Option<String>,
    logo_uri: Option<String>,
    policy_uri: Option<String>,
    tos_uri: Option<String>,
    contacts: Option<Vec<String>>,
    /// Space separated.
    scope: Option<String>,
    /// Public keys; not together with `jwks_uri`.
    jwks: Option<serde_json::Value>,
    jwks_uri: Option<String>,
    /// `client_secret_basic`, `client_secret_post`, `client_secret_jwt`, `private_key_jwt` or `none`.
    token_endpoint_auth_method: Option<String>,
    token_endpoint_auth_signing_alg: Option<String>,
    id_token_signed_response_alg: Option<String>,
    userinfo_signed_response_alg: Option<String>,
    authorization_signed_response_alg: Option<String>,
    introspection_signed_response_alg: Option<String>,
    request_object_signing_alg: Option<String>,
    /// `public` or `pairwise`.
    subject_type: Option<String>,
    sector_identifier_uri: Option<String>,
    request_uris: Option<Vec<String>>,
    /// Seconds.
    default_max_age: Option<u32>,
    require_auth_time: Option<bool>,
    default_acr_values: Option<Vec<String>>,
    initiate_login_uri: Option<String>,
    post_logout_redirect_uris: Option<Vec<String>>,
    backchannel_logout_uri: Option<String>,
    backchannel_logout_session_required: Option<bool>,
    frontchannel_logout_uri: Option<String>,
    frontchannel_logout_session_required: Option<bool>,
    require_pushed_authorization_requests: Option<bool>,
    require_signed_request_object: Option<bool>,
    dpop_bound_access_tokens: Option<bool>,
}

/// A registration, RFC 7591 §3.2.1 and RFC 7592 §3: the metadata in force, defaults included, and these.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the answer for the OpenAPI document")]
struct ClientInformation {
    client_id: String,
    /// Shown when it is made, and never again.
    client_secret: Option<String>,
    /// 0: it does not expire.
    client_secret_expires_at: Option<u64>,
    /// Seconds since 1970.
    client_id_issued_at: u64,
    registration_client_uri: String,
    registration_access_token: String,
}

#[utoipa::path(
    post, path = "/register", tag = "registration",
    request_body(content = inline(ClientMetadata), content_type = "application/json"),
    responses(
        (status = 201, description = "Registered", body = inline(ClientInformation)),
        (status = 400, description = "Refused (RFC 7591 §3.2.2)", body = inline(OAuthError)),
        (status = 401, description = "Registration takes an initial access token here, and this is none", body = inline(OAuthError)),
        (status = 413, description = "Body too large", body = inline(OAuthError)),
        (status = 415, description = "Not JSON", body = inline(OAuthError)),
        (status = 429, description = "Too many clients from this network", body = inline(OAuthError)),
        (status = 503, description = "Overloaded, see Retry-After"),
    ),
    security(("registration" = []), ())
)]
#[expect(dead_code, reason = "carries the description of the endpoint")]
fn register() {}

#[utoipa::path(
    get, path = "/register/{client_id}", tag = "registration",
    params(("client_id" = String, Path, description = "The client")),
    responses(
        (status = 200, description = "The registration, without the secret", body = inline(ClientInformation)),
        (status = 401, description = "Not the registration access token of a client", body = inline(OAuthError)),
    ),
    security(("registration" = []))
)]
#[expect(dead_code, reason = "carries the description of the endpoint")]
fn registration() {}

#[utoipa::path(
    put, path = "/register/{client_id}", tag = "registration",
    params(("client_id" = String, Path, description = "The client")),
    request_body(content = inline(ClientMetadata), description = "All of the metadata, and `client_id` (RFC 7592 §2.2)", content_type = "application/json"),
    responses(
        (status = 200, description = "Replaced", body = inline(ClientInformation)),
        (status = 400, description = "Refused", body = inline(OAuthError)),
        (status = 401, description = "Not the registration access token of a client", body = inline(OAuthError)),
        (status = 413, description = "Body too large", body = inline(OAuthError)),
        (status = 415, description = "Not JSON", body = inline(OAuthError)),
        (status = 429, description = "Too many changes", body = inline(OAuthError)),
    ),
    security(("registration" = []))
)]
#[expect(dead_code, reason = "carries the description of the endpoint")]
fn replace_registration() {}

#[utoipa::path(
    delete, path = "/register/{client_id}", tag = "registration",
    params(("client_id" = String, Path, description = "The client")),
    responses(
        (status = 204, description = "Removed, with all that was granted to it"),
        (status = 401, description = "Not the registration access token of a client", body = inline(OAuthError)),
    ),
    security(("registration" = []))
)]
#[expect(dead_code, reason = "carries the description of the endpoint")]
fn delete_registration() {}

#[utoipa::path(
    get, path = "/authorize", tag = "browser",
    params(
        ("client_id" = String, Query, description = "The client"),
        ("response_type" = Option<String>, Query, description = "`code`"),
        ("redirect_uri" = Option<String>, Query, description = "A registered redirect URI"),
        ("scope" = Option<String>, Query, description = "Space separated"),
        ("state" = Option<String>, Query, description = "Given back"),
        ("nonce" = Option<String>, Query, description = "In the ID token"),
        ("code_challenge" = Option<String>, Query, description = "PKCE, RFC 7636 §4.3"),
        ("code_challenge_method" = Option<String>, Query, description = "`S256`"),
        ("request_uri" = Option<String>, Query, description = "Of a pushed request (RFC 9126 §4), or registered where the operator allows it (RFC 9101 §5.2)"),
        ("request" = Option<String>, Query, description = "The request as a signed object, RFC 9101"),
        ("resource" = Option<Vec<String>>, Query, description = "Resources that access tokens may be for, RFC 8707"),
    ),
    responses(
        (status = 200, description = "An authorization response as a form that posts itself", content_type = "text/html"),
        (status = 303, description = "To the redirect URI with the answer, or to where the person signs in or consents"),
        (status = 400, description = "Client or redirect URI are not known: a page, never a redirect", content_type = "text/html"),
        (status = 429, description = "Too many sign-ins begun from this network", content_type = "text/html"),
    ),
    security(())
)]
#[expect(dead_code, reason = "carries the description of the endpoint")]
fn authorize() {}

#[utoipa::path(
    get, path = "/end-session", tag = "browser",
    params(
        ("id_token_hint" = Option<String>, Query, description = "An ID token of the session, expired or not"),
        ("client_id" = Option<String>, Query, description = "The client, where there is no hint"),
        ("post_logout_redirect_uri" = Option<String>, Query, description = "Registered, where the person goes afterwards"),
        ("state" = Option<String>, Query, description = "Given back"),
        ("ui_locales" = Option<String>, Query, description = "Languages of the page, best first"),
    ),
    responses(
        (status = 200, description = "The question, or that nobody is signed in any more", content_type = "text/html"),
        (status = 303, description = "Signed out: onwards", content_type = "text/html"),
        (status = 400, description = "Refused: a page, never a redirect", content_type = "text/html"),
    ),
    security(())
)]
#[expect(dead_code, reason = "carries the description of the endpoint")]
fn end_session() {}

#[utoipa::path(
    get, path = "/.well-known/oauth-authorization-server", tag = "oauth",
    responses((status = 200, description = "The same document (RFC 8414 §3)", body = serde_json::Value))
)]
#[expect(dead_code, reason = "carries the description of the endpoint")]
fn oauth_discovery() {}

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
        description = "OpenID Connect provider for the training sector. Pages that people walk through between the browser endpoints are not described.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(
        token, par, introspect, revoke, device_authorization, userinfo, userinfo_by_post, register, registration, replace_registration,
        delete_registration, authorize, end_session, jwks, discovery, oauth_discovery, check_api_key
    ),
    modifiers(&Security)
)]
struct Document;

struct Security;

impl utoipa::Modify for Security {
    fn modify(&self, document: &mut OpenApi) {
        use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
        let components = document.components.get_or_insert_with(Default::default);
        components.add_security_scheme("client", SecurityScheme::Http(Http::new(HttpAuthScheme::Basic)));
        components.add_security_scheme("registration", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
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
