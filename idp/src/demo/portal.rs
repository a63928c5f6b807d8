//! The sample portal: a training portal that knows nothing of the provider but its issuer, its own client id and secret.
//!
//! Written as an integrator would: the `openidconnect` crate does the protocol, `tower-sessions` keeps the learner signed in.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use chrono::{DateTime, Utc};
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreGenderClaim, CoreProviderMetadata};
use openidconnect::{
    AdditionalClaims, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, HttpRequest, HttpResponse, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, Scope, TokenResponse, UserInfoClaims,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::OnceCell;
use tower_sessions::cookie::SameSite;
use tower_sessions::{MemoryStore, Session, SessionManagerLayer};

use super::pages::{PortalError, PortalHome, PortalLearner};
use super::seed::Seed;
use crate::app::App;
use crate::assets;
use crate::clock::Clock;
use crate::oidc::answer::with_query;
use crate::outcome::{Fault, Outcome};
use crate::web::page::Chrome;
use crate::web::params::Params;
use crate::web::text::Locale;
use crate::web::{Form, render, see_other};

const NAME: &str = "Campus Formation";
const CLIENT_ID: &str = "demo-portal";
const SCOPES: [&str; 3] = ["profile", "email", "organization"];

type Provider =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

#[derive(Clone)]
struct Portal(Arc<Inner>);

struct Inner {
    origin: String,
    issuer: String,
    secret: String,
    /// Only because the demonstration's clock can be moved: tokens are judged by the same time they were made in.
    clock: Clock,
    http: reqwest::Client,
    provider: OnceCell<Provider>,
}

/// A sign-in under way, kept in the learner's session.
#[derive(Serialize, Deserialize)]
struct SignIn {
    state: CsrfToken,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
}

/// Who is signed in.
#[derive(Serialize, Deserialize)]
struct Learner {
    id_token: String,
    claims: BTreeMap<String, Value>,
    csrf: String,
}

/// Every claim of userinfo as it came, beside those the crate knows.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    #[serde(flatten)]
    all: BTreeMap<String, Value>,
}

impl AdditionalClaims for Claims {}

/// The routes of the portal at `origin`, relying on the provider `issuer`.
pub(super) fn router(app: &App, seed: &Seed, (issuer, origin): (&str, &str)) -> Outcome<Router> {
    let mut http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    // The demonstration's own certificate may be self-signed.
    if let Some(file) = &app.config.server.tls_certificate_file {
        http = http.tls_certs_merge(reqwest::Certificate::from_pem_bundle(&std::fs::read(file)?)?);
    }
    let http = http.build()?;
    let portal = Portal(Arc::new(Inner {
        origin: origin.to_owned(),
        issuer: issuer.to_owned(),
        secret: seed.secret(CLIENT_ID).ok_or_else(|| Fault::new("the portal is not among the seeded clients"))?,
        clock: app.clock.clone(),
        http,
        provider: OnceCell::new(),
    }));
    let sessions = SessionManagerLayer::new(MemoryStore::default())
        .with_name("campus_session")
        .with_same_site(SameSite::Lax)
        .with_secure(false);
    Ok(Router::new()
        .route("/", get(home))
        .route("/sign-in", get(sign_in))
        .route("/callback", get(callback))
        .route("/sign-out", post(sign_out))
        .route("/signed-out", get(signed_out))
        .nest("/assets", assets::router())
        .layer(sessions)
        .layer(middleware::from_fn(headers))
        .with_state(portal))
}

async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; img-src 'self' https:; frame-ancestors 'none'; base-uri 'none'",
        ),
    ];
    for (name, value) in fixed {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn chrome(headers: &HeaderMap, query: Option<&str>) -> Chrome {
    let language = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let chosen = Params::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default().take("ui_locales");
    Chrome {
        languages: Locale::ALL.into_iter().map(|locale| (locale, format!("/?ui_locales={}", locale.tag()))).collect(),
        ..Chrome::new(Locale::negotiate(chosen.as_deref(), language), NAME)
    }
}

async fn home(headers: HeaderMap, RawQuery(query): RawQuery, session: Session) -> Outcome {
    let chrome = chrome(&headers, query.as_deref());
    let Some(learner) = session.get::<Learner>("learner").await? else {
        return render(StatusCode::OK, &PortalHome { chrome, sign_in_href: "/sign-in".to_owned(), signed_out: false });
    };
    let text = |name: &str| learner.claims.get(name).and_then(Value::as_str).map(str::to_owned);
    let rights = learner.claims.get("roles").and_then(Value::as_array).cloned().unwrap_or_default();
    let page = PortalLearner {
        chrome,
        name: text("name").unwrap_or_default(),
        organization: text("org_name"),
        rights: rights.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        userinfo: learner.claims.iter().map(|(name, value)| (name.clone(), shown(value))).collect(),
        sign_out_action: "/sign-out".to_owned(),
        csrf: learner.csrf,
    };
    render(StatusCode::OK, &page)
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(shown).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

async fn signed_out(headers: HeaderMap, RawQuery(query): RawQuery) -> Outcome {
    let chrome = chrome(&headers, query.as_deref());
    render(StatusCode::OK, &PortalHome { chrome, sign_in_href: "/sign-in".to_owned(), signed_out: true })
}

/// Sends the learner to the provider.
async fn sign_in(State(Portal(portal)): State<Portal>, session: Session) -> Outcome {
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state, nonce) = portal
        .provider()
        .await?
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
        .add_scopes(SCOPES.into_iter().map(|scope| Scope::new(scope.to_owned())))
        .set_pkce_challenge(challenge)
        .url();
    session.insert("sign_in", SignIn { state, nonce, verifier }).await?;
    Ok(see_other(url.as_str()))
}

/// The learner comes back with a code, or with the provider's "no".
async fn callback(
    State(Portal(portal)): State<Portal>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    session: Session,
) -> Outcome {
    let refuse = |status: StatusCode, error: &str, description: &str| {
        let page = PortalError {
            chrome: chrome(&headers, None),
            error: error.to_owned(),
            description: description.to_owned(),
            retry_href: "/sign-in".to_owned(),
        };
        render(status, &page)
    };
    let mut params = Params::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let Some(sign_in) = session.remove::<SignIn>("sign_in").await? else {
        return refuse(StatusCode::BAD_REQUEST, "invalid_request", "no sign-in was under way in this browser");
    };
    if params.take("state").as_ref() != Some(sign_in.state.secret())
        || params.take("iss").as_ref() != Some(&portal.issuer)
    {
        return refuse(StatusCode::BAD_REQUEST, "invalid_request", "the answer does not belong to the question");
    }
    if let Some(error) = params.take("error") {
        return refuse(StatusCode::OK, &error, &params.take("error_description").unwrap_or_default());
    }
    let Some(code) = params.take("code") else {
        return refuse(StatusCode::BAD_REQUEST, "invalid_request", "the answer has no code");
    };
    match portal.learner(code, sign_in).await {
        Ok(learner) => {
            // A session id from before the sign-in is worth nothing after it.
            session.cycle_id().await?;
            session.insert("learner", learner).await?;
            Ok(see_other("/"))
        }
        Err(fault) => {
            tracing::warn!(event = "portal_sign_in_failed", cause = ?fault);
            refuse(StatusCode::BAD_GATEWAY, "server_error", "the provider's answer could not be used")
        }
    }
}

/// Signs out here, then at the provider, which comes back to `/signed-out`.
async fn sign_out(State(Portal(portal)): State<Portal>, session: Session, Form(form): Form) -> Outcome {
    let learner = session.get::<Learner>("learner").await?;
    let csrf = form.ok().and_then(|mut params| params.take("csrf"));
    let Some(learner) = learner.filter(|learner| csrf.as_ref() == Some(&learner.csrf)) else {
        return Ok(see_other("/"));
    };
    session.flush().await?;
    let back = format!("{}/signed-out", portal.origin);
    let parameters = [("id_token_hint", learner.id_token.as_str()), ("post_logout_redirect_uri", &back)];
    Ok(see_other(&with_query(&format!("{}/end-session", portal.issuer), &parameters)))
}

impl Inner {
    /// The provider, discovered at the first sign-in.
    async fn provider(&self) -> Outcome<&Provider> {
        self.provider
            .get_or_try_init(|| async {
                let issuer = IssuerUrl::new(self.issuer.clone())?;
                let http = self.http.clone();
                let metadata =
                    CoreProviderMetadata::discover_async(issuer, &move |request| send(http.clone(), request)).await?;
                let redirect_uri = RedirectUrl::new(format!("{}/callback", self.origin))?;
                let secret = ClientSecret::new(self.secret.clone());
                Ok(CoreClient::from_provider_metadata(metadata, ClientId::new(CLIENT_ID.to_owned()), Some(secret))
                    .set_redirect_uri(redirect_uri))
            })
            .await
    }

    /// Exchanges the code, verifies the ID token, asks who it is.
    async fn learner(&self, code: String, sign_in: SignIn) -> Outcome<Learner> {
        let provider = self.provider().await?;
        let http = self.http.clone();
        let carry = move |request| send(http.clone(), request);
        let tokens = provider
            .exchange_code(AuthorizationCode::new(code))?
            .set_pkce_verifier(sign_in.verifier)
            .request_async(&carry)
            .await?;
        let id_token = tokens.id_token().ok_or_else(|| Fault::new("the provider sent no ID token"))?;
        let verifier = provider.id_token_verifier().set_time_fn(|| self.now());
        let subject = id_token.claims(&verifier, &sign_in.nonce)?.subject().clone();
        let info: UserInfoClaims<Claims, CoreGenderClaim> =
            provider.user_info(tokens.access_token().clone(), Some(subject))?.request_async(&carry).await?;
        // The crate keeps the standard claims apart from the others; the page shows them all.
        let claims = match serde_json::to_value(&info)? {
            Value::Object(claims) => claims.into_iter().collect(),
            _ => BTreeMap::new(),
        };
        Ok(Learner { id_token: id_token.to_string(), claims, csrf: habilis_keys::random::token().expose().clone() })
    }

    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.clock.now().as_millisecond()).unwrap_or_default()
    }
}

/// Carries a request of the crate: its own HTTP client would bring another TLS provider.
async fn send(http: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, SendError> {
    let request = reqwest::Request::try_from(request).map_err(SendError)?;
    let response = http.execute(request).await.map_err(SendError)?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut answer = HttpResponse::new(response.bytes().await.map_err(SendError)?.to_vec());
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    Ok(answer)
}

/// The provider could not be reached.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct SendError(reqwest::Error);
