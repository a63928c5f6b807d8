//! The management API, `/api/v1`: one file an endpoint group. The shape all share is told in
//! `docs/decisions/0002-management-api.md`.

mod again;
mod api_keys;
mod attributes;
pub mod body;
mod bounces;
mod bulk;
pub mod caller;
mod compromise;
mod consents;
mod contacts;
mod credentials;
mod csv;
mod data_return;
mod declarations;
pub mod document;
mod document_decisions;
mod document_requests;
mod duty_changes;
mod enrolments;
mod events;
mod export;
mod formal_notices;
mod groups;
mod identity_verifications;
mod import_report;
mod imports;
mod inactivity;
mod incidents;
mod invitations;
mod jobs;
mod jsonl;
mod lifecycle;
mod me;
mod measures;
mod members;
mod notices;
mod offers;
mod order_steps;
mod orders;
mod organization_rules;
mod organizations;
mod overrides;
pub mod page;
mod password_hashes;
mod password_renewals;
mod people;
mod people_invitations;
mod person_mails;
mod person_memberships;
mod portals;
pub mod precondition;
mod prior_information;
pub mod problem;
mod products;
pub mod reference;
mod requests;
mod resources;
mod reviews;
mod rights;
mod seat_requests;
mod seats;
mod sharing;
mod signing_keys;
mod successions;
mod trail;
mod trials;
mod usage;
mod webhooks;
mod whole;
mod whole_kinds;
pub mod write;

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use tower_http::cors::{Any, CorsLayer};
use utoipa::openapi::{OpenApi, Ref, RefOr, ResponseBuilder, response};
use utoipa::{IntoResponses, OpenApi as _};
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::db::At;
use problem::{Code, Problem, Stop};

/// Where the API is.
pub const PREFIX: &str = "/api/v1";

/// Whether a path is the API's.
pub fn is_below(path: &str) -> bool {
    path.strip_prefix(PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Every endpoint, with the document made from them.
fn endpoints() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(document::Document::openapi())
        .merge(me::router())
        .merge(compromise::router())
        .merge(organizations::router())
        .merge(contacts::router())
        .merge(rights::router())
        .merge(members::router())
        .merge(offers::router())
        .merge(invitations::router())
        .merge(imports::router())
        .merge(import_report::router())
        .merge(bulk::router())
        .merge(export::router())
        .merge(whole::router())
        .merge(password_hashes::router())
        .merge(successions::router())
        .merge(overrides::router())
        .merge(document_requests::router())
        .merge(document_decisions::router())
        .merge(inactivity::router())
        .merge(reviews::router())
        .merge(people::router())
        .merge(people_invitations::router())
        .merge(person_memberships::router())
        .merge(person_mails::router())
        .merge(identity_verifications::router())
        .merge(bounces::router())
        .merge(portals::router())
        .merge(resources::router())
        .merge(signing_keys::router())
        .merge(consents::router())
        .merge(duty_changes::router())
        .merge(credentials::router())
        .merge(password_renewals::router())
        .merge(organization_rules::router())
        .merge(products::router())
        .merge(data_return::router())
        .merge(orders::router())
        .merge(order_steps::router())
        .merge(trials::router())
        .merge(seats::router())
        .merge(seat_requests::router())
        .merge(usage::router())
        .merge(enrolments::router())
        .merge(groups::router())
        .merge(measures::router())
        .merge(incidents::router())
        .merge(formal_notices::router())
        .merge(api_keys::router())
        .merge(trail::router())
        .merge(sharing::router())
        .merge(notices::router())
        .merge(jobs::router())
        .merge(lifecycle::router())
        .merge(events::router())
        .merge(webhooks::router())
}

/// The routes: what is not in the document is not routed.
pub fn router() -> Router<App> {
    let (endpoints, _) = endpoints().split_for_parts();
    let api = endpoints
        .fallback(|| async { Stop::from(Problem::not_found()) })
        .method_not_allowed_fallback(|| async { Stop::from(Problem::bare(Code::MethodNotAllowed)) })
        .layer(axum::middleware::from_fn(told_when_read))
        .layer(axum::middleware::from_fn(text_alone))
        .layer(
            // Consoles may be pages of another origin; no cookie counts here.
            CorsLayer::new()
                .allow_origin(Any)
                .allow_methods(Any)
                .allow_headers([
                    header::AUTHORIZATION,
                    header::CONTENT_TYPE,
                    header::IF_MATCH,
                    HeaderName::from_static("idempotency-key"),
                    HeaderName::from_static("dpop"),
                ])
                .expose_headers([
                    header::ETAG,
                    header::LOCATION,
                    header::RETRY_AFTER,
                    header::WWW_AUTHENTICATE,
                    HeaderName::from_static("idempotency-replayed"),
                ]),
        );
    // A slash behind the prefix is an address of nothing, too.
    let nothing = axum::routing::any(|| async { Stop::from(Problem::not_found()) });
    Router::new().nest(PREFIX, api).route(&format!("{PREFIX}/"), nothing).merge(document::router())
}

/// What is told of when it is read, such as an export, is not looked at without being read: HEAD is safe everywhere else (RFC 9110 §9.2.1).
async fn told_when_read(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let told = [".csv", ".jsonl"].iter().any(|end| path.ends_with(end))
        || path.contains("/documents/")
        || path.ends_with("/document");
    if request.method() == Method::HEAD && told {
        let problem = Problem::bare(Code::MethodNotAllowed);
        return problem.with_header(header::ALLOW, HeaderValue::from_static("GET")).into_response();
    }
    next.run(request).await
}

/// Nothing is at an address whose octets are no text: ids are.
async fn text_alone(request: Request, next: Next) -> Response {
    match percent_decode_str(request.uri().path()).decode_utf8() {
        Ok(_) => next.run(request).await,
        Err(_) => Problem::not_found().into_response(),
    }
}

/// The OpenAPI description of the API, addresses whole.
pub fn openapi() -> OpenApi {
    let mut described = OpenApiRouter::<App>::new().nest(PREFIX, endpoints()).into_openapi();
    described.info = document::Document::openapi().info;
    document::name_operations(&mut described);
    document::say_what_is_common(&mut described);
    described
}

/// An instant as the API writes it: RFC 3339 in UTC.
fn instant(at: At) -> String {
    Timestamp::from(at).to_string()
}

/// The refusals every endpoint may answer with, for the OpenAPI description.
struct Problems;

impl IntoResponses for Problems {
    fn responses() -> BTreeMap<String, RefOr<response::Response>> {
        let problem = |description: &str| {
            let content = utoipa::openapi::ContentBuilder::new()
                .schema(Some(RefOr::Ref(Ref::from_schema_name("Problem"))))
                .build();
            ResponseBuilder::new().description(description).content("application/problem+json", content).build()
        };
        let responses: BTreeMap<String, RefOr<response::Response>> = Code::ALL
            .iter()
            .map(|code| code.status())
            .map(|status| (status.as_u16().to_string(), RefOr::T(problem(&describe(status)))))
            .collect();
        responses
    }
}

/// The problems with a status.
fn describe(status: StatusCode) -> String {
    let names: Vec<_> =
        Code::ALL.iter().filter(|code| code.status() == status).map(|code| format!("`{}`", code.name())).collect();
    names.join(", ")
}
