//! The console: a relying party of its own, with no power of its own.
//!
//! It holds no database handle and no key. Whatever it shows, it asks the provider for with the token of the person signed
//! in, each time: a session that has ended at the provider shows nothing here. It uses the same relying party and session
//! store as the demonstration's portal.

pub mod pages;
pub mod relying_party;
pub mod sessions;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::rejection::RawFormRejection;
use axum::extract::{RawForm, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use habilis_keys::secret::Secret;
use habilis_keys::token::same;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tower_sessions::cookie::SameSite;
use tower_sessions::cookie::time::Duration;
use tower_sessions::{Expiry, Session, SessionManagerLayer};

use pages::{ErrorPage, Frame, Locale, Overview, Problem, SignedOut};
use relying_party::{Answer, Claims, Failure, Now, RelyingParty, SignIn, SignedIn};
use sessions::Sessions;

const SCOPES: [&str; 3] = ["profile", "email", "organization"];
/// How long a session lives without use; the tokens in it end sooner.
const IDLE: Duration = Duration::minutes(30);

/// What the console is told.
pub struct Settings {
    /// The provider's issuer; the console is mounted at its origin.
    pub issuer: String,
    /// `client_id`.
    pub client_id: String,
    /// `client_secret`.
    pub client_secret: Secret<String>,
    /// Certificates (PEM) to trust beside the usual ones.
    pub certificates: Option<Vec<u8>>,
    /// The time ID tokens are judged by.
    pub now: Now,
}

#[derive(Clone)]
struct Console(Arc<RelyingParty>);

/// Who is signed in, as the session keeps it.
#[derive(Serialize, Deserialize)]
struct Visitor {
    signed_in: SignedIn,
    csrf: String,
}

/// The routes under `/console`. Security headers are those of the router this is merged into.
///
/// # Errors
/// [`Failure::Settings`].
pub fn router<S: Clone + Send + Sync + 'static>(settings: Settings) -> Result<Router<S>, Failure> {
    let Settings { issuer, client_id, client_secret, certificates, now } = settings;
    let secure = issuer.starts_with("https://");
    let party = RelyingParty::new(relying_party::Settings {
        redirect_uri: format!("{issuer}/console/callback"),
        post_logout_redirect_uri: format!("{issuer}/console/signed-out"),
        scopes: SCOPES.map(str::to_owned).to_vec(),
        issuer,
        client_id,
        client_secret,
        certificates,
        now,
    })?;
    // Lax: the browser comes back from the provider's pages, and perhaps from another site's.
    let sessions = SessionManagerLayer::new(Sessions::default())
        .with_name(if secure { "__Host-habilis_console" } else { "habilis_console" })
        .with_same_site(SameSite::Lax)
        .with_secure(secure)
        .with_expiry(Expiry::OnInactivity(IDLE))
        .with_always_save(true);
    Ok(Router::new()
        .route("/console", get(overview))
        .route("/console/callback", get(callback))
        .route("/console/sign-out", post(sign_out))
        .route("/console/signed-out", get(signed_out))
        .layer(sessions)
        .with_state(Console(Arc::new(party))))
}

/// Who is signed in; anybody else is sent to sign in.
async fn overview(
    State(Console(party)): State<Console>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    session: Session,
) -> Response {
    let frame = frame(&headers, query.as_deref(), "/console");
    let visitor = match session.get::<Visitor>("visitor").await {
        Ok(Some(visitor)) => visitor,
        Ok(None) => return begin(&party, &session, frame).await,
        Err(error) => return broken(frame, &error),
    };
    match party.claims(&visitor.signed_in).await {
        Ok(claims) => page(StatusCode::OK, &overview_of(frame, &claims, visitor.csrf)),
        // The token has ended: the provider knows whether the person may have another.
        Err(Failure::Refused(_)) => begin(&party, &session, frame).await,
        Err(failure) => failed(frame, &failure),
    }
}

fn overview_of(frame: Frame, claims: &Claims, csrf: String) -> Overview {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    let rights = claims.get("roles").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    Overview {
        frame,
        name: text("name").or_else(|| text("sub")).unwrap_or_default(),
        email: text("email"),
        organization: text("org_name"),
        rights: rights.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        csrf,
    }
}

/// Sends the browser to the provider.
async fn begin(party: &RelyingParty, session: &Session, frame: Frame) -> Response {
    let (url, sign_in) = match party.begin().await {
        Ok(begun) => begun,
        Err(failure) => return failed(frame, &failure),
    };
    if let Err(error) = session.insert("sign_in", sign_in).await {
        return broken(frame, &error);
    }
    see_other(url.as_str())
}

/// The browser comes back with a code, or with the provider's "no".
async fn callback(
    State(Console(party)): State<Console>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    session: Session,
) -> Response {
    // The query holds a code: it goes into no link.
    let frame = frame(&headers, None, "");
    let answer = Answer::parse(&query.unwrap_or_default());
    let sign_in = match session.get::<SignIn>("sign_in").await {
        // A forged answer does not end the sign-in that is under way.
        Ok(sign_in) => sign_in.filter(|sign_in| sign_in.is_answered_by(&answer)),
        Err(error) => return broken(frame, &error),
    };
    let Some(sign_in) = sign_in else { return failed(frame, &Failure::Foreign) };
    if let Err(error) = session.remove::<SignIn>("sign_in").await {
        return broken(frame, &error);
    }
    let signed_in = match party.finish(sign_in, answer).await {
        Ok((signed_in, _)) => signed_in,
        Err(failure) => return failed(frame, &failure),
    };
    let visitor = Visitor { signed_in, csrf: habilis_keys::random::token().expose().clone() };
    // A session id from before the sign-in is worth nothing after it.
    let kept = match session.cycle_id().await {
        Ok(()) => session.insert("visitor", visitor).await,
        Err(error) => Err(error),
    };
    match kept {
        Ok(()) => see_other("/console"),
        Err(error) => broken(frame, &error),
    }
}

/// Signs out here, then at the provider, which comes back to `/console/signed-out`.
async fn sign_out(
    State(Console(party)): State<Console>,
    headers: HeaderMap,
    session: Session,
    form: Result<RawForm, RawFormRejection>,
) -> Response {
    let frame = frame(&headers, None, "");
    let visitor = match session.get::<Visitor>("visitor").await {
        Ok(visitor) => visitor,
        Err(error) => return broken(frame, &error),
    };
    let sent = form.ok().and_then(|RawForm(body)| value_of(&body, "csrf")).unwrap_or_default();
    let Some(visitor) = visitor.filter(|visitor| same(visitor.csrf.as_bytes(), sent.as_bytes())) else {
        return see_other("/console");
    };
    if let Err(error) = session.flush().await {
        return broken(frame, &error);
    }
    match party.sign_out_url(&visitor.signed_in.id_token).await {
        Ok(url) => see_other(&url),
        Err(failure) => failed(frame, &failure),
    }
}

async fn signed_out(headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    page(StatusCode::OK, &SignedOut { frame: frame(&headers, query.as_deref(), "/console/signed-out") })
}

fn frame(headers: &HeaderMap, query: Option<&str>, path: &'static str) -> Frame {
    let chosen = query.and_then(|query| value_of(query.as_bytes(), "ui_locales"));
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    Frame { locale: Locale::negotiate(chosen.as_deref(), accepted), path }
}

fn value_of(encoded: &[u8], name: &str) -> Option<String> {
    url::form_urlencoded::parse(encoded).find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

/// The error page for `failure`; the cause goes to the log alone.
fn failed(frame: Frame, failure: &Failure) -> Response {
    let (status, problem) = match failure {
        Failure::Denied { .. } => (StatusCode::OK, Problem::Denied),
        Failure::Foreign => (StatusCode::BAD_REQUEST, Problem::Foreign),
        _ => {
            tracing::warn!(event = "console_failed", cause = %failure);
            (StatusCode::BAD_GATEWAY, Problem::Unreachable)
        }
    };
    page(status, &ErrorPage { frame, problem })
}

fn broken(frame: Frame, error: &tower_sessions::session::Error) -> Response {
    tracing::error!(event = "console_session_failed", cause = %error);
    page(StatusCode::INTERNAL_SERVER_ERROR, &ErrorPage { frame, problem: Problem::Unreachable })
}

fn page(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => (status, [(header::CACHE_CONTROL, "no-store")], Html(html)).into_response(),
        Err(error) => {
            tracing::error!(event = "console_page_failed", cause = %error);
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Sends the browser on with a GET (RFC 9700 §4.12).
fn see_other(location: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, location), (header::CACHE_CONTROL, "no-store")]).into_response()
}
