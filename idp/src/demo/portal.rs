//! The sample portal: a training portal that knows nothing of the provider but its issuer, its own client id and secret; and beside it,
//! at `/closed`, one that is closed to companies.
//!
//! Written as an integrator would, on the relying party and the session store of the console.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use habilis_admin_console::relying_party::{Answer, Failure, RelyingParty, Settings, SignIn, SignedIn};
use habilis_admin_console::sessions::Sessions;
use habilis_keys::secret::Secret;
use habilis_keys::token::same;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tower_sessions::cookie::SameSite;
use tower_sessions::{Session, SessionManagerLayer};

use super::pages::{PortalError, PortalHome, PortalLearner};
use super::seed::Seed;
use crate::app::App;
use crate::assets;
use crate::console;
use crate::outcome::{Fault, Outcome};
use crate::web::page::Chrome;
use crate::web::params::Params;
use crate::web::routing::{get, post};
use crate::web::text::Locale;
use crate::web::{Form, render, see_other};

const SCOPES: [&str; 3] = ["profile", "email", "organization"];

#[derive(Clone)]
struct Portal {
    party: Arc<RelyingParty>,
    name: &'static str,
    /// What its paths begin with.
    base: &'static str,
}

impl Portal {
    fn new(app: &App, seed: &Seed, (client_id, name, base): Place, (issuer, origin): (&str, &str)) -> Outcome<Self> {
        let secret = seed.secret(client_id).ok_or_else(|| Fault::new("the portal is not among the seeded clients"))?;
        let party = RelyingParty::new(Settings {
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
            client_secret: Secret::new(secret),
            redirect_uri: format!("{origin}{base}/callback"),
            post_logout_redirect_uri: format!("{origin}{base}/signed-out"),
            scopes: SCOPES.map(str::to_owned).to_vec(),
            certificates: console::own_certificate(app)?,
            now: console::time_source(app),
        })?;
        Ok(Self { party: Arc::new(party), name, base })
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn home(&self) -> String {
        if self.base.is_empty() { "/".to_owned() } else { self.base.to_owned() }
    }

    /// The name of what is kept in the browser's session for this portal.
    fn key(&self, what: &str) -> String {
        format!("{what}{}", self.base)
    }

    fn router(self) -> Router {
        Router::new()
            .route("/", get(home))
            .route("/sign-in", get(sign_in))
            .route("/callback", get(callback))
            .route("/sign-out", post(sign_out))
            .route("/signed-out", get(signed_out))
            .with_state(self)
    }
}

/// Client, name, and what the paths begin with.
type Place = (&'static str, &'static str, &'static str);

const OPEN_TO_ALL: Place = ("demo-portal", "Campus Formation", "");
const CLOSED: Place = (super::clients::CLOSED, super::clients::CLOSED_NAME, "/closed");

/// Who is signed in.
#[derive(Serialize, Deserialize)]
struct Learner {
    signed_in: SignedIn,
    claims: BTreeMap<String, Value>,
    csrf: String,
}

/// The routes of the portal at `origin`, relying on the provider `issuer`.
pub(super) fn router(app: &App, seed: &Seed, (issuer, origin): (&str, &str)) -> Outcome<Router> {
    let portal = Portal::new(app, seed, OPEN_TO_ALL, (issuer, origin))?;
    let closed = Portal::new(app, seed, CLOSED, (issuer, origin))?;
    let sessions = SessionManagerLayer::new(Sessions::default())
        .with_name("campus_session")
        .with_same_site(SameSite::Lax)
        .with_secure(false);
    Ok(portal
        .router()
        .nest("/closed", closed.router())
        .nest("/assets", assets::router())
        .layer(sessions)
        .layer(middleware::from_fn(headers)))
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

fn chrome(portal: &Portal, headers: &HeaderMap, query: Option<&str>) -> Chrome {
    let language = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let chosen = Params::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default().take("ui_locales");
    Chrome {
        languages: Locale::ALL
            .into_iter()
            .map(|locale| (locale, format!("{}?ui_locales={}", portal.home(), locale.tag())))
            .collect(),
        ..Chrome::new(Locale::negotiate(chosen.as_deref(), language), portal.name)
    }
}

async fn home(
    State(portal): State<Portal>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    session: Session,
) -> Outcome {
    let chrome = chrome(&portal, &headers, query.as_deref());
    let Some(learner) = session.get::<Learner>(&portal.key("learner")).await? else {
        return render(StatusCode::OK, &PortalHome { chrome, sign_in_href: portal.at("/sign-in"), signed_out: false });
    };
    let text = |name: &str| learner.claims.get(name).and_then(Value::as_str).map(str::to_owned);
    let rights = learner.claims.get("roles").and_then(Value::as_array).cloned().unwrap_or_default();
    let page = PortalLearner {
        chrome,
        name: text("name").unwrap_or_default(),
        organization: text("org_name"),
        rights: rights.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        userinfo: learner.claims.iter().map(|(name, value)| (name.clone(), shown(value))).collect(),
        sign_out_action: portal.at("/sign-out"),
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

async fn signed_out(State(portal): State<Portal>, headers: HeaderMap, RawQuery(query): RawQuery) -> Outcome {
    let chrome = chrome(&portal, &headers, query.as_deref());
    render(StatusCode::OK, &PortalHome { chrome, sign_in_href: portal.at("/sign-in"), signed_out: true })
}

/// Sends the learner to the provider.
async fn sign_in(State(portal): State<Portal>, session: Session) -> Outcome {
    let (url, sign_in) = portal.party.begin().await?;
    session.insert(&portal.key("sign_in"), sign_in).await?;
    Ok(see_other(url.as_str()))
}

/// The learner comes back with a code, or with the provider's "no".
async fn callback(
    State(portal): State<Portal>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    session: Session,
) -> Outcome {
    let refuse = |status: StatusCode, error: &str, description: &str| {
        let page = PortalError {
            chrome: chrome(&portal, &headers, None),
            error: error.to_owned(),
            description: description.to_owned(),
            retry_href: portal.at("/sign-in"),
        };
        render(status, &page)
    };
    let answer = Answer::parse(&query.unwrap_or_default());
    let key = portal.key("sign_in");
    let Some(sign_in) = session.get::<SignIn>(&key).await?.filter(|sign_in| sign_in.is_answered_by(&answer)) else {
        return refuse(StatusCode::BAD_REQUEST, "invalid_request", "no such sign-in was under way in this browser");
    };
    session.remove::<SignIn>(&key).await?;
    match portal.party.finish(sign_in, answer).await {
        Ok((signed_in, claims)) => {
            let learner = Learner { signed_in, claims, csrf: habilis_keys::random::token().expose().clone() };
            // A session id from before the sign-in is worth nothing after it.
            session.cycle_id().await?;
            session.insert(&portal.key("learner"), learner).await?;
            Ok(see_other(&portal.home()))
        }
        Err(Failure::Denied { error, description }) => refuse(StatusCode::OK, &error, &description),
        Err(failure @ Failure::Foreign) => refuse(StatusCode::BAD_REQUEST, "invalid_request", &failure.to_string()),
        Err(failure) => {
            tracing::warn!(event = "portal_sign_in_failed", cause = %failure);
            refuse(StatusCode::BAD_GATEWAY, "server_error", "the provider's answer could not be used")
        }
    }
}

/// Signs out here, then at the provider, which comes back to `/signed-out`.
async fn sign_out(State(portal): State<Portal>, session: Session, Form(form): Form) -> Outcome {
    let learner = session.get::<Learner>(&portal.key("learner")).await?;
    let csrf = form.ok().and_then(|mut params| params.take("csrf")).unwrap_or_default();
    let Some(learner) = learner.filter(|learner| same(csrf.as_bytes(), learner.csrf.as_bytes())) else {
        return Ok(see_other(&portal.home()));
    };
    session.flush().await?;
    Ok(see_other(&portal.party.sign_out_url(&learner.signed_in.id_token).await?))
}
