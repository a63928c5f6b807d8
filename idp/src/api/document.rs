//! What the API says of itself: the OpenAPI 3.1 document, and the page about each problem.

use std::sync::OnceLock;

use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use habilis_policies::authorization::SCOPES;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::security::{AuthorizationCode, ClientCredentials, Flow, OAuth2, Scopes, SecurityScheme};
use utoipa::openapi::{ObjectBuilder, OpenApi, RefOr, Schema, Type};

use super::problem::{Code, ProblemDocument};
use super::{PREFIX, openapi, reference};
use crate::app::App;
use crate::login::forgot::ui_locales;
use crate::outcome::Outcome;
use crate::web::page::{Chrome, Sample, sample_chrome};
use crate::web::routing::get;
use crate::web::text::Locale;
use crate::web::{Origin, chrome, render};

/// Title, words and what every endpoint shares.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Habilis management API",
        description = "Organizations, their members and rights. Access tokens (RFC 6750, RFC 9449) with the scopes named at each operation; refusals are problems (RFC 9457); changes need `If-Match`; any write with an `Idempotency-Key` may be repeated for a day.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(ProblemDocument)),
    modifiers(&Security)
)]
pub(super) struct Document;

struct Security;

impl utoipa::Modify for Security {
    fn modify(&self, document: &mut OpenApi) {
        let scopes = || SCOPES.into_iter().map(|name| (name, about_scope(name))).collect::<Scopes>();
        let flows = [
            Flow::AuthorizationCode(AuthorizationCode::new("/authorize", "/token", scopes())),
            Flow::ClientCredentials(ClientCredentials::new("/token", scopes())),
        ];
        let components = document.components.get_or_insert_with(Default::default);
        components.add_security_scheme("oauth2", SecurityScheme::OAuth2(OAuth2::new(flows)));
    }
}

fn about_scope(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("read") => "Read",
        Some("write") => "Read nothing, write",
        _ => "Use",
    }
}

/// Says what holds for every operation alike: the headers of answers, and how a write is repeated.
pub(super) fn say_what_is_common(document: &mut OpenApi) {
    let text = || Schema::from(ObjectBuilder::new().schema_type(Type::String));
    let header = |about: &str| HeaderBuilder::new().schema(Some(text())).description(Some(about)).build();
    let key = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .description(Some(
            "1 to 255 visible ASCII characters: for a day the same request with it gets the first answer again",
        ))
        .schema(Some(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .min_length(Some(1))
                .max_length(Some(255))
                .pattern(Some("^[!-~]+$")),
        ))
        .build();
    for item in document.paths.paths.values_mut() {
        let conditional = [&item.put, &item.patch, &item.delete].into_iter().flatten().any(takes_etag);
        let operations = [
            (false, &mut item.get),
            (true, &mut item.put),
            (true, &mut item.post),
            (true, &mut item.delete),
            (true, &mut item.patch),
        ];
        for (writes, operation) in operations {
            let Some(operation) = operation else { continue };
            let etag = if writes { takes_etag(operation) } else { conditional };
            if writes {
                operation.parameters.get_or_insert_default().push(RefOr::T(key.clone()));
            }
            for (status, response) in &mut operation.responses.responses {
                let RefOr::T(response) = response else { continue };
                let mut add = |name: &str, about: &str| {
                    response.headers.insert(name.to_owned(), RefOr::T(header(about)));
                };
                match status.as_str() {
                    "201" | "202" => add("Location", "Where it is"),
                    "200" if etag => add("ETag", "Of what is shown, for `If-Match`"),
                    "401" => add("WWW-Authenticate", "What is missing (RFC 6750, RFC 9449, RFC 9470)"),
                    "429" | "503" => add("Retry-After", "Seconds"),
                    _ => {}
                }
                if writes && status.starts_with('2') {
                    add("Idempotency-Replayed", "`true`: this was answered before");
                }
            }
        }
    }
}

fn takes_etag(operation: &utoipa::openapi::path::Operation) -> bool {
    operation.parameters.iter().flatten().any(|parameter| matches!(parameter, RefOr::T(one) if one.name == "If-Match"))
}

/// Gives every operation a name of its own, which programs that are made from the document call it by: the method and the words of its
/// address. It stays as long as the address does.
pub(super) fn name_operations(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        let words = path.strip_prefix(PREFIX).unwrap_or(path).replace(['{', '}'], "").replace(['/', '-', '.'], "_");
        let operations = [
            ("get", &mut item.get),
            ("put", &mut item.put),
            ("post", &mut item.post),
            ("delete", &mut item.delete),
            ("patch", &mut item.patch),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                operation.operation_id = Some(format!("{method}{words}"));
            }
        }
    }
}

/// The routes of the documents.
pub(super) fn router() -> Router<App> {
    Router::new()
        .route(&format!("{PREFIX}/openapi.json"), get(json))
        .route(&format!("{PREFIX}/docs"), get(reference::page))
        .route("/problems/{code}", get(problem))
}

async fn json() -> Outcome {
    // Written once: it stays the same as long as the program runs, and anybody may ask for it.
    static DOCUMENT: OnceLock<Bytes> = OnceLock::new();
    let document = if let Some(document) = DOCUMENT.get() {
        document.clone()
    } else {
        let document = Bytes::from(serde_json::to_vec(&openapi())?);
        DOCUMENT.get_or_init(|| document).clone()
    };
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "public, max-age=300"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    Ok((headers, document).into_response())
}

/// The page about a problem: where its `type` leads.
#[derive(Clone, Debug, Template)]
#[template(path = "api/problem.html")]
pub struct ProblemPage {
    /// The frame.
    pub chrome: Chrome,
    /// The stable word.
    pub code: String,
    /// Its title.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What it means.
    pub about: String,
}

impl Sample for ProblemPage {
    fn samples(locale: Locale) -> Vec<Self> {
        vec![Self::of(sample_chrome(locale), Code::VersionMismatch)]
    }
}

impl ProblemPage {
    fn of(chrome: Chrome, code: Code) -> Self {
        Self {
            chrome,
            code: code.name().to_owned(),
            title: code.title().to_owned(),
            status: code.status().as_u16(),
            about: code.about().trim().to_owned(),
        }
    }
}

async fn problem(
    State(app): State<App>,
    origin: Origin,
    Path(code): Path<String>,
    RawQuery(query): RawQuery,
) -> Outcome<Response> {
    let locale = origin.locale(ui_locales(query).as_deref());
    match Code::ALL.iter().find(|one| one.name() == code) {
        Some(found) => {
            let path = format!("/problems/{}", found.name());
            render(StatusCode::OK, &ProblemPage::of(chrome(&app, locale, &path), *found))
        }
        None => Ok(super::problem::Problem::not_found().into_response()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_operation_has_a_name_of_its_own() {
        let document = serde_json::to_value(openapi()).unwrap();
        let operations =
            document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
        let names: Vec<_> = operations.map(|operation| operation["operationId"].as_str().unwrap().to_owned()).collect();
        assert!(names.len() > 200, "{}", names.len());
        assert!(names.contains(&"get_organizations_organization_members_csv".to_owned()), "{names:?}");
        let mut unique = names.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), names.len());
    }

    #[test]
    fn the_example_of_the_documentation_can_be_sent() {
        let documented = include_str!("../../docs/management-api.md");
        let (_, rest) = documented.split_once("\"siret\": \"").expect("an example");
        let siret = rest.split('"').next().unwrap();
        assert!(habilis_policies::identifiers::Siret::parse(siret).is_ok(), "{siret}");
    }

    /// Two types of one name would be told as one of them.
    #[test]
    fn no_two_types_of_the_document_have_one_name() {
        let (mut seen, mut twice) = (BTreeSet::new(), Vec::new());
        let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api")];
        while let Some(folder) = folders.pop() {
            for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = std::fs::read_to_string(path).unwrap();
                for item in text.split("ToSchema)]").skip(1) {
                    let mut words = item.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
                    let name = words.by_ref().skip_while(|word| !["struct", "enum"].contains(word)).nth(1).unwrap();
                    if !seen.insert(name.to_owned()) {
                        twice.push(name.to_owned());
                    }
                }
            }
        }
        assert!(seen.contains("PortalGranted") && seen.len() > 100, "{seen:?}");
        assert_eq!(twice, [""; 0]);
    }
}
