//! The outermost layer: gives a request its id and origin, and its answer the security headers; logs one line; turns a fault
//! into an answer that says no more than the request id.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::{Origin, chrome, render};
use crate::api;
use crate::api::problem::Problem;
use crate::app::App;
use crate::oidc::pages::{Advice, ErrorPage};
use crate::outcome::{Fault, FaultReport};

/// What our pages may load; a page that frames others adds to it.
pub(crate) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data: https:; \
     frame-ancestors 'none'; base-uri 'none'";

/// The layer, see the module.
pub async fn boundary(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let origin = origin(&app, &request);
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let form = form(&request);
    request.extensions_mut().insert(origin.clone());

    let mut response = match app.places.try_acquire() {
        Ok(_place) => {
            let limit = Duration::from_secs(app.config.server.request_timeout_seconds);
            let answer = tokio::time::timeout(limit, next.run(request)).await;
            answer.unwrap_or_else(|_| Fault::overloaded(5).into_response())
        }
        Err(_) => Fault::overloaded(1).into_response(),
    };

    if let Some(report) = response.extensions_mut().remove::<FaultReport>() {
        if report.retry_after.is_none() {
            tracing::error!(event = "fault", request_id = origin.request_id, route, cause = report.message);
        } else {
            tracing::warn!(event = "come_back", request_id = origin.request_id, route, cause = report.message);
        }
        response = answer(&app, &origin, &report, form);
    }
    finish(&app, &origin, response.headers_mut());

    let status = response.status().as_u16();
    let elapsed = began.elapsed();
    tracing::info!(
        event = "request",
        request_id = origin.request_id,
        %method,
        route,
        status,
        milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
    );
    metrics::counter!("habilis_requests_total", "route" => route.clone(), "status" => status.to_string()).increment(1);
    metrics::histogram!("habilis_request_seconds", "route" => route).record(elapsed.as_secs_f64());
    response
}

fn origin(app: &App, request: &Request) -> Origin {
    let headers = request.headers();
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::from([0, 0, 0, 0]), |ConnectInfo(peer)| peer.ip().to_canonical());
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    Origin {
        address: client_address(peer, headers, &app.config.server.trusted_proxies),
        request_id: habilis_keys::random::id("req", app.clock.now()),
        user_agent: text(header::USER_AGENT).unwrap_or_default().chars().take(256).collect(),
        accept_language: text(header::ACCEPT_LANGUAGE).map(|value| value.chars().take(256).collect()),
    }
}

/// Reads `X-Forwarded-For` from the right: the first address that is no trusted proxy is the client.
fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    if !trusted.contains(&peer) {
        return peer;
    }
    let forwarded: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    let mut nearest = peer;
    for entry in forwarded.iter().rev().take(16) {
        let Ok(address) = entry.trim().parse::<IpAddr>() else { break };
        nearest = address.to_canonical();
        if !trusted.contains(&nearest) {
            break;
        }
    }
    nearest
}

/// What a fault is told as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A page for people.
    Page,
    /// The errors of OAuth (RFC 6749 §5.2).
    Error,
    /// A problem (RFC 9457): below the management API, whoever asks.
    Problem,
}

fn form(request: &Request) -> Form {
    if api::is_below(request.uri().path()) {
        return Form::Problem;
    }
    if accepts_html(request.headers()) { Form::Page } else { Form::Error }
}

fn accepts_html(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains("text/html"))
}

fn answer(app: &App, origin: &Origin, report: &FaultReport, form: Form) -> Response {
    if form == Form::Problem {
        return Problem::broken(report.retry_after, &origin.request_id).into_response();
    }
    let (status, error, description) = match report.retry_after {
        Some(_) => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", "too much at once, please try again"),
        None => {
            (StatusCode::INTERNAL_SERVER_ERROR, "server_error", "an error on our side, logged under the request id")
        }
    };
    let page = (form == Form::Page).then(|| {
        let page = ErrorPage {
            chrome: chrome(app, origin.locale(None), "/"),
            error: error.to_owned(),
            description: description.to_owned(),
            advice: Advice::TryLater,
            request_id: origin.request_id.clone(),
            portal: None,
        };
        render(status, &page).ok()
    });
    let mut response = page.flatten().unwrap_or_else(|| {
        (
            status,
            [(header::CACHE_CONTROL, "no-store")],
            axum::Json(json!({ "error": error, "error_description": description, "request_id": origin.request_id })),
        )
            .into_response()
    });
    if let Some(seconds) = report.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn finish(app: &App, origin: &Origin, headers: &mut HeaderMap) {
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    ];
    for (name, value) in fixed {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if !app.config.is_loopback_http() {
        headers
            .insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=63072000; includeSubDomains"));
    }
    if let Ok(id) = HeaderValue::from_str(&origin.request_id) {
        headers.insert("x-request-id", id);
    }
}

/// Answers a panic like any other fault.
#[expect(clippy::needless_pass_by_value, reason = "the signature `CatchPanicLayer` asks for")]
pub fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("of unknown kind");
    Fault::new(format!("panic: {message}")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_below_the_management_api_is_a_problem_whoever_asks() {
        for (path, accept, expected) in [
            ("/api/v1/organizations", "text/html", Form::Problem),
            ("/api/v1", "*/*", Form::Problem),
            ("/api/v10/x", "*/*", Form::Error),
            ("/token", "application/json", Form::Error),
            ("/login", "text/html,*/*", Form::Page),
        ] {
            let request = axum::http::Request::builder().uri(path).header(header::ACCEPT, accept);
            assert_eq!(form(&request.body(axum::body::Body::empty()).unwrap()), expected, "{path} {accept}");
        }
    }

    #[test]
    fn forwarded_addresses_are_believed_only_from_trusted_proxies() {
        let trusted = ["127.0.0.1".parse().unwrap(), "10.0.0.1".parse().unwrap()];
        let cases = [
            ("192.0.2.1", "198.51.100.9", "192.0.2.1"),
            ("127.0.0.1", "", "127.0.0.1"),
            ("127.0.0.1", "198.51.100.9", "198.51.100.9"),
            ("127.0.0.1", "1.1.1.1, 198.51.100.9", "198.51.100.9"),
            ("127.0.0.1", "198.51.100.9, 10.0.0.1", "198.51.100.9"),
            ("127.0.0.1", "198.51.100.9, rubbish", "127.0.0.1"),
            ("127.0.0.1", "::ffff:198.51.100.9", "198.51.100.9"),
        ];
        for (peer, forwarded, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", HeaderValue::from_str(forwarded).unwrap());
            let found = client_address(peer.parse().unwrap(), &headers, &trusted);
            assert_eq!(found.to_string(), expected, "{peer} {forwarded}");
        }
    }
}
