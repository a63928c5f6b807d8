//! What the API says of itself: the OpenAPI 3.1 document, a page for people made from it, and the page about each problem.

use askama::Template;
use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use habilis_policies::authorization::SCOPES;
use serde_json::Value;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::security::{AuthorizationCode, ClientCredentials, Flow, OAuth2, Scopes, SecurityScheme};
use utoipa::openapi::{ObjectBuilder, OpenApi, RefOr, Schema, Type};

use super::problem::{Code, ProblemDocument};
use super::{PREFIX, openapi};
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
        .route(&format!("{PREFIX}/docs"), get(page))
        .route("/problems/{code}", get(problem))
}

async fn json() -> Outcome {
    let document = serde_json::to_string(&openapi())?;
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "public, max-age=300"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    Ok((headers, document).into_response())
}

/// The API for people who write programs.
#[derive(Clone, Debug, Template)]
#[template(path = "api/reference.html")]
pub struct Reference {
    /// The frame.
    pub chrome: Chrome,
    /// Its operations, by group.
    pub groups: Vec<Group>,
    /// Every problem: code, status, title.
    pub problems: Vec<(&'static str, u16, &'static str)>,
}

/// Operations on the same things.
#[derive(Clone, Debug)]
pub struct Group {
    /// What they are about.
    pub name: String,
    /// The operations.
    pub operations: Vec<Operation>,
}

/// One operation.
#[derive(Clone, Debug)]
pub struct Operation {
    /// In capitals.
    pub method: String,
    /// Whole path.
    pub path: String,
    /// What it does.
    pub summary: Vec<Piece>,
    /// The scope a token needs.
    pub scope: String,
    /// Members of the body: name, type, whether needed, meaning.
    pub fields: Vec<Field>,
    /// Parameters of the address and headers.
    pub parameters: Vec<Field>,
}

/// A piece of a sentence: words, or a name between backticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Words.
    Words(String),
    /// A name, shown as code.
    Name(String),
}

/// The pieces of a sentence of the document.
fn pieces(text: &str) -> Vec<Piece> {
    let pieces = text.split('`').enumerate().filter(|(_, piece)| !piece.is_empty());
    pieces
        .map(|(place, piece)| match place % 2 {
            0 => Piece::Words(piece.to_owned()),
            _ => Piece::Name(piece.to_owned()),
        })
        .collect()
}

/// A member of a body, or a parameter.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: String,
    /// Whether it must be there.
    pub needed: bool,
    /// What it means.
    pub meaning: Vec<Piece>,
}

impl Sample for Reference {
    fn samples(locale: Locale) -> Vec<Self> {
        let field = |name: &str, needed| Field {
            name: name.to_owned(),
            kind: "string".to_owned(),
            needed,
            meaning: pieces("<What> it means: `<name>`"),
        };
        let operation = Operation {
            method: "PATCH".to_owned(),
            path: "/api/v1/organizations/{organization}".to_owned(),
            summary: pieces("Correct an organization."),
            scope: "habilis.organizations.write".to_owned(),
            fields: vec![field("name", false)],
            parameters: vec![field("organization", true)],
        };
        let groups = vec![Group { name: "organizations".to_owned(), operations: vec![operation] }];
        vec![Self { chrome: sample_chrome(locale), groups, problems: problems() }]
    }
}

async fn page(State(app): State<App>, origin: Origin, RawQuery(query): RawQuery) -> Outcome {
    let locale = origin.locale(ui_locales(query).as_deref());
    let document = serde_json::to_value(openapi())?;
    let chrome = chrome(&app, locale, "/api/v1/docs");
    render(StatusCode::OK, &Reference { chrome, groups: groups(&document), problems: problems() })
}

fn problems() -> Vec<(&'static str, u16, &'static str)> {
    Code::ALL.iter().map(|code| (code.name(), code.status().as_u16(), code.title())).collect()
}

/// Reads the operations out of the document, so that the page cannot say anything else.
fn groups(document: &Value) -> Vec<Group> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut groups: Vec<Group> = Vec::new();
    for (path, operations) in document["paths"].as_object().into_iter().flatten() {
        for (method, described) in operations.as_object().into_iter().flatten() {
            if !described.is_object() {
                continue;
            }
            let schema = &described["requestBody"]["content"]["application/json"]["schema"];
            let operation = Operation {
                method: method.to_ascii_uppercase(),
                path: path.clone(),
                summary: pieces(&text(&described["summary"])),
                scope: text(&described["security"][0]["oauth2"][0]),
                fields: fields(document, resolved(document, schema)),
                parameters: described["parameters"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|parameter| Field {
                        name: text(&parameter["name"]),
                        kind: kind(&parameter["schema"]),
                        needed: parameter["required"].as_bool().unwrap_or_default(),
                        meaning: pieces(&text(&parameter["description"])),
                    })
                    .collect(),
            };
            let name = text(&described["tags"][0]);
            match groups.iter_mut().find(|group| group.name == name) {
                Some(group) => group.operations.push(operation),
                None => groups.push(Group { name, operations: vec![operation] }),
            }
        }
    }
    groups
}

fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let named = schema["$ref"].as_str().and_then(|name| name.strip_prefix("#"));
    named.and_then(|pointer| document.pointer(pointer)).unwrap_or(schema)
}

fn fields(document: &Value, schema: &Value) -> Vec<Field> {
    let needed = |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|one| one == name));
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties
        .map(|(name, property)| {
            let shown = resolved(document, property);
            let words = property["description"].as_str().or_else(|| shown["description"].as_str());
            Field {
                name: name.clone(),
                kind: kind(shown),
                needed: needed(name),
                meaning: pieces(words.unwrap_or_default()),
            }
        })
        .collect()
}

fn kind(schema: &Value) -> String {
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" | ");
    }
    match &schema["type"] {
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" | "),
        _ => "object".to_owned(),
    }
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

    /// Two types of one name would be told as one of them.
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

    #[test]
    fn names_between_backticks_are_told_apart() {
        let words = |text: &str| Piece::Words(text.to_owned());
        let name = |text: &str| Piece::Name(text.to_owned());
        assert_eq!(pieces("`org_…`"), [name("org_…")]);
        assert_eq!(pieces("`a` or `b`."), [name("a"), words(" or "), name("b"), words(".")]);
        assert_eq!(pieces("plain"), [words("plain")]);
        assert_eq!(pieces(""), []);
    }
}
