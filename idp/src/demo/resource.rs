//! `/demo/resource`: a protected resource to try access tokens on (FAPI 2.0 §5.3.4), with the sign-in a caller may ask it to
//! insist on (RFC 9470): `?acr_values=…&max_age=…`. And two resources elsewhere that portals can ask tokens for (RFC 8707).

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::json;

use crate::app::App;
use crate::db::Tx;
use crate::db::resources::{self, Written};
use crate::oidc::resource::{self, Access, Challenge, Presented, StepUp};
use crate::outcome::Outcome;
use crate::web::params::Params;

/// Resources that are known: address, resource server, scope.
const RESOURCES: [(&str, Option<&str>, &str); 2] = [
    ("https://dossiers.example/api", Some("demo-resource"), "apicfa.dossiers.read apicfa.dossiers.write"),
    ("urn:example:agenda", None, "apicfa.dossiers.read organization"),
];

/// Makes the resources known that are not yet.
pub(super) async fn plant(tx: &mut Tx, now: Timestamp) -> Outcome<()> {
    for (uri, server, scopes) in RESOURCES {
        if resources::find(tx, uri).await?.is_none() {
            let id = habilis_keys::random::id("rsc", now);
            resources::insert(tx, (&id, uri), Written { client_id: server, scopes }, now).await?;
        }
    }
    Ok(())
}

pub(super) async fn get(State(app): State<App>, headers: HeaderMap, RawQuery(query): RawQuery) -> Outcome {
    let now = app.clock.now();
    let mut params = Params::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let acr_values = params.take("acr_values").unwrap_or_default();
    let acr_values: Vec<_> = acr_values.split_ascii_whitespace().take(16).collect();
    let max_age = params.take("max_age").and_then(|seconds| seconds.parse().ok());
    let presented = Presented { headers: &headers, method: "GET", path: "/demo/resource", in_form: None };
    let opened = resource::open(&app, presented, now).await?;
    let answer = opened.and_then(|access| {
        access.needs_sign_in(&StepUp { acr_values: &acr_values, max_age }, now)?;
        Ok(access)
    });
    Ok(resource::with_interaction_id(respond(answer), &headers))
}

fn respond(answer: Result<Access, Challenge>) -> Response {
    match answer {
        Ok(access) => Json(json!({
            "sub": access.claim("sub"),
            "client_id": access.claim("client_id"),
            "scope": access.scope.to_string(),
        }))
        .into_response(),
        Err(challenge) => challenge.into_response(),
    }
}
