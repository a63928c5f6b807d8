//! The API for people who write programs: a page made from the OpenAPI document, so that it cannot say anything else.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use serde_json::{Map, Value};

use super::openapi;
use super::problem::Code;
use crate::app::App;
use crate::login::forgot::ui_locales;
use crate::outcome::Outcome;
use crate::web::page::{Chrome, Sample, sample_chrome};
use crate::web::text::Locale;
use crate::web::{Origin, chrome, render};

/// The page.
#[derive(Clone, Debug, Template)]
#[template(path = "api/reference.html")]
pub struct Reference {
    /// The frame.
    pub chrome: Chrome,
    /// What the document says.
    pub contents: Arc<Contents>,
    /// Every problem: code, status, title.
    pub problems: Vec<(&'static str, u16, &'static str)>,
}

/// What was read out of the document.
#[derive(Debug)]
pub struct Contents {
    /// The operations, by group.
    pub groups: Vec<Group>,
    /// What bodies and answers are made of, by name.
    pub types: Vec<Shape>,
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
    /// Its name for programs, and its place in the page.
    pub id: String,
    /// In capitals.
    pub method: String,
    /// Whole path.
    pub path: String,
    /// What it does.
    pub summary: Vec<Piece>,
    /// What else there is to know.
    pub description: Vec<Piece>,
    /// The scope a token needs.
    pub scope: String,
    /// Members of the body.
    pub fields: Vec<Field>,
    /// Parameters of the address and headers.
    pub parameters: Vec<Field>,
    /// What it answers when it did what was asked.
    pub answers: Vec<Reply>,
}

/// An answer that is no problem.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: String,
    /// What it means.
    pub meaning: Vec<Piece>,
    /// What it holds; nothing for an empty one.
    pub kind: Option<Kind>,
}

/// An object that has a name.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Its name.
    pub name: String,
    /// What it is.
    pub meaning: Vec<Piece>,
    /// Its members.
    pub fields: Vec<Field>,
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

/// A member of an object, or a parameter.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// Whether it must be there.
    pub needed: bool,
    /// What it means.
    pub meaning: Vec<Piece>,
}

/// What a value may be: words, the object it leads to, and its bounds, such as `array of`, `Member`, `1 to 50`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kind {
    /// The type, or what stands before the object.
    pub words: String,
    /// The name of an object that the page shows.
    pub object: Option<String>,
    /// Bounds of length, number or count.
    pub bounds: String,
}

impl Sample for Reference {
    fn samples(locale: Locale) -> Vec<Self> {
        let kind = Kind { words: "array of".to_owned(), object: Some("Thing".to_owned()), bounds: "1 to 5".to_owned() };
        let meaning = || pieces("<What> it means: `<name>`");
        let field =
            |name: &str, needed| Field { name: name.to_owned(), kind: kind.clone(), needed, meaning: meaning() };
        let operation = Operation {
            id: "patch_organizations_organization".to_owned(),
            method: "PATCH".to_owned(),
            path: "/api/v1/organizations/{organization}".to_owned(),
            summary: pieces("Correct an organization."),
            description: pieces("The name alone."),
            scope: "habilis.organizations.write".to_owned(),
            fields: vec![field("name", false)],
            parameters: vec![field("organization", true)],
            answers: vec![Reply { status: "200".to_owned(), meaning: meaning(), kind: Some(kind.clone()) }],
        };
        let groups = vec![Group { name: "organizations".to_owned(), operations: vec![operation] }];
        let types = vec![Shape { name: "Thing".to_owned(), meaning: meaning(), fields: vec![field("id", true)] }];
        let contents = Arc::new(Contents { groups, types });
        vec![Self { chrome: sample_chrome(locale), contents, problems: problems() }]
    }
}

/// `GET /api/v1/docs`.
pub(super) async fn page(State(app): State<App>, origin: Origin, RawQuery(query): RawQuery) -> Outcome {
    let locale = origin.locale(ui_locales(query).as_deref());
    let chrome = chrome(&app, locale, "/api/v1/docs");
    render(StatusCode::OK, &Reference { chrome, contents: contents()?, problems: problems() })
}

/// Read once: the document stays the same as long as the program runs, and anybody may ask for the page.
fn contents() -> Outcome<Arc<Contents>> {
    static CONTENTS: OnceLock<Arc<Contents>> = OnceLock::new();
    if let Some(contents) = CONTENTS.get() {
        return Ok(Arc::clone(contents));
    }
    let document = serde_json::to_value(openapi())?;
    let groups = groups(&document);
    let types = types(&document, &groups);
    Ok(Arc::clone(CONTENTS.get_or_init(|| Arc::new(Contents { groups, types }))))
}

fn problems() -> Vec<(&'static str, u16, &'static str)> {
    Code::ALL.iter().map(|code| (code.name(), code.status().as_u16(), code.title())).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Reads the operations out of the document.
fn groups(document: &Value) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (path, operations) in document["paths"].as_object().into_iter().flatten() {
        for (method, described) in operations.as_object().into_iter().flatten() {
            if !described.is_object() {
                continue;
            }
            let operation = operation(document, (method, path), described);
            let name = text(&described["tags"][0]);
            match groups.iter_mut().find(|group| group.name == name) {
                Some(group) => group.operations.push(operation),
                None => groups.push(Group { name, operations: vec![operation] }),
            }
        }
    }
    groups
}

fn operation(document: &Value, (method, path): (&str, &str), described: &Value) -> Operation {
    let parameter = |parameter: &Value| Field {
        name: text(&parameter["name"]),
        kind: kind(document, &parameter["schema"]),
        needed: parameter["required"].as_bool().unwrap_or_default(),
        meaning: pieces(&text(&parameter["description"])),
    };
    let reply = |(status, response): (&String, &Value)| Reply {
        status: status.clone(),
        meaning: pieces(&text(&response["description"])),
        kind: response["content"].as_object().and_then(|content| content.iter().next()).map(|(media, content)| {
            let kind = kind(document, &content["schema"]);
            // What is no JSON is named by its media type.
            if media == "application/json" { kind } else { Kind { words: media.clone(), ..Kind::default() } }
        }),
    };
    let responses = described["responses"].as_object().into_iter().flatten();
    Operation {
        id: text(&described["operationId"]),
        method: method.to_ascii_uppercase(),
        path: path.to_owned(),
        summary: pieces(&text(&described["summary"])),
        description: pieces(&text(&described["description"])),
        scope: text(&described["security"][0]["oauth2"][0]),
        fields: fields(document, &described["requestBody"]["content"]["application/json"]["schema"]),
        parameters: described["parameters"].as_array().into_iter().flatten().map(parameter).collect(),
        answers: responses.filter(|(status, _)| status.starts_with('2')).map(reply).collect(),
    }
}

/// The objects that the operations lead to, and those that these lead to, by name.
fn types(document: &Value, groups: &[Group]) -> Vec<Shape> {
    let operations = || groups.iter().flat_map(|group| &group.operations);
    let fields_of = operations().flat_map(|one| one.fields.iter().chain(&one.parameters)).map(|field| &field.kind);
    let answers = operations().flat_map(|one| &one.answers).filter_map(|reply| reply.kind.as_ref());
    let mut waiting: Vec<String> = fields_of.chain(answers).filter_map(|kind| kind.object.clone()).collect();
    let (mut seen, mut shapes) = (BTreeSet::new(), Vec::new());
    while let Some(name) = waiting.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let schema = &document["components"]["schemas"][&name];
        let fields = fields(document, schema);
        waiting.extend(fields.iter().filter_map(|field| field.kind.object.clone()));
        shapes.push(Shape { name, meaning: pieces(&text(&schema["description"])), fields });
    }
    shapes.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    shapes
}

/// The name that a reference leads to, and what is there.
fn named<'a>(document: &'a Value, schema: &'a Value) -> Option<(&'a str, &'a Value)> {
    let reference = schema["$ref"].as_str()?.strip_prefix("#")?;
    Some((reference.rsplit('/').next()?, document.pointer(reference)?))
}

/// Members of an object, of all the objects that it is made of.
fn fields(document: &Value, schema: &Value) -> Vec<Field> {
    let (_, schema) = named(document, schema).unwrap_or(("", schema));
    let needed = |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|one| one == name));
    let of_parts = schema["allOf"].as_array().into_iter().flatten().flat_map(|part| fields(document, part));
    let own = schema["properties"].as_object().into_iter().flatten().map(|(name, property)| {
        let meant = named(document, property).map(|(_, shown)| shown);
        let words = property["description"].as_str().or_else(|| meant?["description"].as_str());
        Field {
            name: name.clone(),
            kind: kind(document, property),
            needed: needed(name),
            meaning: pieces(words.unwrap_or_default()),
        }
    });
    of_parts.chain(own).collect()
}

fn kind(document: &Value, schema: &Value) -> Kind {
    if let Some((name, shown)) = named(document, schema) {
        // What has members is shown once, under its name; the rest where it stands.
        if shown["properties"].is_object() || shown["allOf"].is_array() {
            return Kind { object: Some(name.to_owned()), ..Kind::default() };
        }
        return kind(document, shown);
    }
    if let Some(choices) = schema["oneOf"].as_array().or_else(|| schema["allOf"].as_array()) {
        let (none, some): (Vec<_>, Vec<_>) = choices.iter().partition(|choice| choice["type"] == "null");
        let Some(first) = some.first().map(|choice| kind(document, choice)) else { return Kind::default() };
        let words = if none.is_empty() { first.words } else { format!("null or {}", first.words) };
        return Kind { words: words.trim_end().to_owned(), ..first };
    }
    let of = |before: &str, inner: &Value| {
        let inner = kind(document, inner);
        Kind { words: format!("{before} {}", inner.words).trim_end().to_owned(), ..inner }
    };
    if let Some(values) = schema["enum"].as_array() {
        let words = values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" | ");
        return Kind { words, ..Kind::default() };
    }
    let bounds = bounds(schema);
    if schema["items"].is_object() {
        return Kind { bounds, ..of("array of", &schema["items"]) };
    }
    if schema["additionalProperties"].is_object() && schema["properties"].as_object().is_none_or(Map::is_empty) {
        return of("object of", &schema["additionalProperties"]);
    }
    let words = match &schema["type"] {
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" | "),
        _ => "anything".to_owned(),
    };
    let format = schema["format"].as_str().filter(|format| words.contains("string") && !format.is_empty());
    let words = format.map_or_else(|| words.clone(), |format| format!("{words} ({format})"));
    Kind { words, object: None, bounds }
}

/// How long, how great or how many.
fn bounds(schema: &Value) -> String {
    let between = |least: &str, most: &str, unit: &str| {
        let number = |name: &str| schema[name].as_f64();
        match (number(least), number(most)) {
            (Some(least), Some(most)) => Some(format!("{least} to {most}{unit}")),
            (None, Some(most)) => Some(format!("at most {most}{unit}")),
            (Some(least), None) if least > 0.0 => Some(format!("at least {least}{unit}")),
            _ => None,
        }
    };
    let found = [
        between("minLength", "maxLength", " characters"),
        between("minimum", "maximum", ""),
        between("minItems", "maxItems", " of them"),
    ];
    found.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_between_backticks_are_told_apart() {
        let words = |text: &str| Piece::Words(text.to_owned());
        let name = |text: &str| Piece::Name(text.to_owned());
        assert_eq!(pieces("`org_…`"), [name("org_…")]);
        assert_eq!(pieces("`a` or `b`."), [name("a"), words(" or "), name("b"), words(".")]);
        assert_eq!(pieces("plain"), [words("plain")]);
        assert_eq!(pieces(""), []);
    }

    #[test]
    fn a_value_is_told_by_type_object_and_bounds() {
        let document = json!({ "components": { "schemas": {
            "Thing": { "type": "object", "properties": { "id": { "type": "string" } } },
            "Choice": { "type": "string", "enum": ["one", "two"] },
        } } });
        let thing = json!({ "$ref": "#/components/schemas/Thing" });
        let rows = [
            (thing.clone(), ("", Some("Thing"), "")),
            (json!({ "$ref": "#/components/schemas/Choice" }), ("one | two", None, "")),
            (json!({ "oneOf": [{ "type": "null" }, thing] }), ("null or", Some("Thing"), "")),
            (
                json!({ "type": "array", "items": thing, "maxItems": 9 }),
                ("array of", Some("Thing"), "at most 9 of them"),
            ),
            (json!({ "type": ["string", "null"], "format": "date" }), ("string | null (date)", None, "")),
            (json!({ "type": "string", "minLength": 1, "maxLength": 200 }), ("string", None, "1 to 200 characters")),
            (json!({ "type": "integer", "format": "int32", "minimum": 0, "maximum": 5 }), ("integer", None, "0 to 5")),
            (json!({ "type": "integer", "format": "int32", "minimum": 0 }), ("integer", None, "")),
            (json!({ "type": "object", "additionalProperties": { "type": "string" } }), ("object of string", None, "")),
            (json!({}), ("anything", None, "")),
        ];
        for (schema, (words, object, bounds)) in rows {
            let meant = Kind { words: words.to_owned(), object: object.map(str::to_owned), bounds: bounds.to_owned() };
            assert_eq!(kind(&document, &schema), meant, "{schema}");
        }
    }

    /// Whatever the page leads to is in it: no link to nowhere, no object without its members.
    #[test]
    fn every_object_that_is_named_is_shown() {
        let document = serde_json::to_value(openapi()).unwrap();
        let groups = groups(&document);
        let types = types(&document, &groups);
        let operations: Vec<_> = groups.iter().flat_map(|group| &group.operations).collect();
        assert!(operations.len() > 200 && types.len() > 100, "{} {}", operations.len(), types.len());
        for operation in &operations {
            assert!(!operation.answers.is_empty() && !operation.summary.is_empty(), "{operation:?}");
        }
        let shown: BTreeSet<_> = types.iter().map(|shape| shape.name.as_str()).collect();
        assert_eq!(shown.len(), types.len());
        for shape in &types {
            assert!(!shape.fields.is_empty(), "{} has no members", shape.name);
            for object in shape.fields.iter().filter_map(|field| field.kind.object.as_deref()) {
                assert!(shown.contains(object), "{object} of {}", shape.name);
            }
        }
        let order = operations.iter().find(|one| one.id == "post_organizations_organization_orders").unwrap();
        let administrator = order.fields.iter().find(|field| field.name == "administrator").unwrap();
        assert!(administrator.kind.object.is_some(), "{administrator:?}");
    }
}
