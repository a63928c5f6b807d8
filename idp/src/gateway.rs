//! What the gateway in front of the operator's API asks about a key (domain facts 2): a quick check of `X-API-KEY` and the vendor's
//! bearer token, made for `auth_request` and its likes, and `GET /v2/cfakeyinfo` as the market calls it.
//!
//! Whoever has the key may ask: the answers tell nothing but what the key is for. The query of an address is in no log of ours.

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use habilis_policies::api_keys::KeyRefusal;
use habilis_policies::identifiers::Siren;
use habilis_policies::resources;
use habilis_policies::scopes::Scope;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

use crate::api_keys::{self, Caller, Known, Software, Used, Vendor, attempt};
use crate::app::App;
use crate::oidc::error::no_store;
use crate::outcome::Outcome;
use crate::web::Origin;
use crate::web::params::Params;
use crate::web::routing::{erased, get};

/// Where gateways ask.
pub const CHECK: &str = "/api-keys/check";

const ERROR: HeaderName = HeaderName::from_static("x-habilis-error");

/// The routes.
pub fn router() -> Router<App> {
    Router::new().route(CHECK, get(check).post(erased(check))).route("/v2/cfakeyinfo", get(info).post(erased(info)))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim).filter(|value| !value.is_empty())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = text(headers, "authorization")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// What the gateway wants to know: the scope the call needs, the centre it is about, the resource that the vendor's token must be for.
struct Wanted {
    scope: Scope,
    siren: Option<Siren>,
    resource: Option<String>,
}

impl Wanted {
    fn read(query: Option<String>) -> Result<Self, &'static str> {
        let mut params = Params::parse(query.unwrap_or_default().as_bytes()).map_err(|_| "the query cannot be read")?;
        let scope = Scope::parse(&params.take("scope").unwrap_or_default()).map_err(|_| "scope is malformed")?;
        let siren = params.take("siren").map(|siren| Siren::parse(&siren)).transpose();
        let siren = siren.map_err(|_| "siren is nine digits with a right check digit")?;
        let named = resources::parse(&params.take("resource").unwrap_or_default());
        let mut named = named.map_err(|_| "resource is an absolute URI without fragment")?;
        let resource = named.pop();
        if named.is_empty() { Ok(Self { scope, siren, resource }) } else { Err("resource is named once") }
    }

    /// Whether a token of this audience is for the gateway that asks: for its resource where it names one, else for this server
    /// (RFC 8707 §3, RFC 9068 §4).
    fn takes(&self, app: &App, audience: &str) -> bool {
        audience == self.resource.as_deref().unwrap_or(&app.config.server.issuer)
    }
}

/// `/api-keys/check`: 200 and who calls, or why not.
async fn check(State(app): State<App>, origin: Origin, headers: HeaderMap, RawQuery(query): RawQuery) -> Outcome {
    let now = app.clock.now();
    let wanted = match Wanted::read(query) {
        Ok(wanted) => wanted,
        Err(description) => return Ok(refused(StatusCode::BAD_REQUEST, "invalid_request", description)),
    };
    let software = Software::of(&headers);
    if software.is_none() && app.config.api_keys.software_required {
        return Ok(no(KeyRefusal::SoftwareMissing));
    }
    let vendor = match bearer(&headers) {
        None => None,
        Some(token) => match api_keys::vendor(&app, token, now).await? {
            Ok(vendor) if !wanted.takes(&app, &vendor.audience) => return Ok(no(KeyRefusal::OtherResource)),
            Ok(vendor) => Some(vendor),
            Err(reason) => return Ok(no(reason)),
        },
    };
    let client = vendor.as_ref().map_or("", |vendor| &vendor.client);
    let caller = if client.is_empty() { Caller::Anybody(&origin) } else { Caller::Vendor(client) };
    // A token that the key was exchanged for stands for the key.
    let of_token = vendor.as_ref().and_then(|vendor| vendor.key.as_deref());
    let known = match (text(&headers, "x-api-key"), of_token) {
        (None, Some(handle)) => api_keys::find(&app, handle).await?.ok_or(KeyRefusal::Unknown),
        (key, _) => api_keys::open(&app, caller, key).await?,
    };
    let known = match known {
        Ok(known) => known,
        Err(reason) => return Ok(no(reason)),
    };
    let admitted = admit(&app, (&known, vendor.as_deref()), (&wanted, &origin), now);
    let used = Used { key: &known.id, vendor: client, software: software.as_ref(), granted: admitted.is_ok() };
    app.api_keys.used(used, now);
    match admitted {
        Ok(()) => Ok(yes(&known, vendor.as_deref())),
        Err(reason) => Ok(no(reason)),
    }
}

fn admit(
    app: &App,
    (known, vendor): (&Known, Option<&Vendor>),
    (wanted, origin): (&Wanted, &Origin),
    now: Timestamp,
) -> Result<(), KeyRefusal> {
    let about = [wanted.siren.as_ref(), vendor.and_then(|vendor| vendor.siren.as_ref())];
    known.admits(&attempt(known, &about, (Some(origin.address), &wanted.scope)), now)?;
    match vendor {
        None if app.config.api_keys.vendor_required => Err(KeyRefusal::VendorMissing),
        Some(vendor) if !wanted.scope.is_within(&vendor.scope) => Err(KeyRefusal::ScopeNotGranted),
        _ => Ok(()),
    }
}

/// Who calls, in headers for the gateway to pass on and in JSON.
fn yes(known: &Arc<Known>, vendor: Option<&Vendor>) -> Response {
    let scope = vendor.map_or_else(|| known.rule.scope.clone(), |vendor| vendor.scope.common(&known.rule.scope));
    let mut body = known.claims();
    let client = vendor.map(|vendor| vendor.client.as_str()).filter(|client| !client.is_empty());
    body.insert("client_id".to_owned(), json!(client));
    body.insert("scope".to_owned(), json!(scope.to_string()));
    body.insert("dateFinValidite".to_owned(), json!(known.rule.end_date.to_string()));
    let named = [
        ("x-habilis-organization", "org_id"),
        ("x-habilis-siren", "siren"),
        ("x-habilis-siret", "siret"),
        ("x-habilis-uai", "uai"),
        ("x-habilis-key", "key"),
        ("x-habilis-client", "client_id"),
        ("x-habilis-scope", "scope"),
    ];
    let mut headers = HeaderMap::new();
    for (name, member) in named {
        let value = body.get(member).and_then(Value::as_str).and_then(|value| HeaderValue::from_str(value).ok());
        if let Some(value) = value {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    (no_store(), headers, axum::Json(Value::Object(body))).into_response()
}

fn no(reason: KeyRefusal) -> Response {
    let status = StatusCode::from_u16(reason.status()).unwrap_or(StatusCode::FORBIDDEN);
    let mut response = refused(status, reason.code(), &reason.to_string());
    let headers = response.headers_mut();
    match (reason, status) {
        (KeyRefusal::VendorMissing | KeyRefusal::VendorTokenInvalid | KeyRefusal::OtherResource, _) => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"habilis\""));
        }
        (_, StatusCode::UNAUTHORIZED) => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("X-API-KEY realm=\"habilis\""));
        }
        (_, StatusCode::TOO_MANY_REQUESTS) => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
        }
        _ => {}
    }
    response
}

fn refused(status: StatusCode, code: &'static str, description: &str) -> Response {
    let body = axum::Json(json!({ "error": code, "error_description": description }));
    (status, no_store(), [(ERROR, HeaderValue::from_static(code))], body).into_response()
}

/// `/v2/cfakeyinfo`: whether a key is valid and until when, in the form of the market: `siren` and `XAPIKEY` in the query, or the
/// key in the header `X-API-KEY`, which stays out of everybody's logs.
async fn info(State(app): State<App>, origin: Origin, headers: HeaderMap, RawQuery(query): RawQuery) -> Outcome {
    let now = app.clock.now();
    let Ok(mut params) = Params::parse(query.unwrap_or_default().as_bytes()) else {
        return Ok(told((StatusCode::BAD_REQUEST, "error"), None, Some("VALIDATION_ERROR: the query cannot be read")));
    };
    let Ok(siren) = params.take("siren").map(|siren| Siren::parse(&siren)).transpose() else {
        return Ok(told((StatusCode::BAD_REQUEST, "error"), None, Some("VALIDATION_ERROR: siren is nine digits")));
    };
    let in_query = params.take("XAPIKEY");
    let key = text(&headers, "x-api-key").or(in_query.as_deref());
    let known = match api_keys::open(&app, Caller::Anybody(&origin), key).await? {
        Ok(known) => known,
        Err(reason) => return Ok(unhappy(reason, None)),
    };
    let about = [siren.as_ref()];
    let admitted = known.admits(&attempt(&known, &about, (Some(origin.address), &Scope::default())), now);
    let software = Software::of(&headers);
    let used = Used { key: &known.id, vendor: "", software: software.as_ref(), granted: admitted.is_ok() };
    app.api_keys.used(used, now);
    let last_day = known.rule.end_date.to_string();
    Ok(match admitted {
        Ok(()) => told((StatusCode::OK, "success"), Some(&last_day), None),
        // Whoever asks about another centre learns nothing of this one's.
        Err(KeyRefusal::OtherCentre) => unhappy(KeyRefusal::OtherCentre, None),
        Err(reason) => unhappy(reason, Some(&last_day)),
    })
}

fn unhappy(reason: KeyRefusal, last_day: Option<&str>) -> Response {
    let status = match reason {
        KeyRefusal::Missing => StatusCode::FORBIDDEN,
        _ => StatusCode::from_u16(reason.status()).unwrap_or(StatusCode::FORBIDDEN),
    };
    let comment = format!("{}: {reason}", reason.code());
    let mut response = told((status, "error"), last_day, Some(&comment));
    response.headers_mut().insert(ERROR, HeaderValue::from_static(reason.code()));
    response
}

fn told((status, word): (StatusCode, &'static str), last_day: Option<&str>, comment: Option<&str>) -> Response {
    let body = json!({ "status": word, "dateFinValidite": last_day, "comment": comment });
    (status, no_store(), axum::Json(body)).into_response()
}
