//! Every field of every route of the management API, from its own document: a wrong type, too long a text, control characters, a
//! word that is none of those listed, an unknown member, a lost update. A route added tomorrow is walked tomorrow.

use habilis_integration_tests::api::ALL;
use habilis_integration_tests::{Answer, Api, Engine, Http, TestServer};
use serde_json::{Value, json};

use crate::api::{of_kind, operator, organization_of_kind};
use crate::things::{example, things_of};

/// What a schema is once names and alternatives with null are followed.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    if let Some(name) = schema["$ref"].as_str() {
        return resolved(document, document.pointer(name.trim_start_matches('#')).unwrap());
    }
    let named = schema["$ref"].as_str().and_then(|name| document.pointer(name.trim_start_matches('#')));
    let schema = named.unwrap_or(schema);
    let choices = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array());
    match choices.and_then(|choices| choices.iter().find(|choice| choice["type"] != "null")) {
        Some(choice) => resolved(document, choice),
        None => schema,
    }
}

fn is(schema: &Value, kind: &str) -> bool {
    schema["type"] == kind || schema["type"].as_array().is_some_and(|kinds| kinds.contains(&json!(kind)))
}

/// Values that a field cannot have, each with the pointer below the field that names it.
fn wrong(document: &Value, schema: &Value, at: &str) -> Vec<(Value, String)> {
    let here = |value: Value| (value, String::new());
    let named = schema["$ref"].as_str().and_then(|name| document.pointer(name.trim_start_matches('#')));
    let schema = named.unwrap_or(schema);
    let choices =
        schema["oneOf"].as_array().map_or(0, |choices| choices.iter().filter(|it| it["type"] != "null").count());
    if choices > 1 {
        // What such a choice holds is read with the whole of it.
        return vec![here(json!("a")), here(json!(7)), here(json!({ "no_such_member": 1 }))];
    }
    let schema = resolved(document, schema);
    if schema["enum"].is_array() {
        return vec![here(json!("no such word")), here(json!(7)), here(json!({})), here(json!(""))];
    }
    if is(schema, "string") {
        let mut values = vec![here(json!(7)), here(json!({ "a": 1 })), here(json!(["a"])), here(json!(true))];
        values.extend(["", "a\u{0}b", "a\u{7}b", "\u{1b}[2J"].map(|text| here(json!(text))));
        let longest = schema["maxLength"].as_u64();
        assert!(longest.is_some() || schema["format"] == "date", "{at} has no maxLength");
        if let Some(longest) = longest {
            values.push(here(json!("x".repeat(usize::try_from(longest).unwrap() + 1))));
        }
        if schema["format"] == "date" {
            values.extend(["31/12/2027", "2027-02-30", "tomorrow"].map(|text| here(json!(text))));
        }
        return values;
    }
    if is(schema, "array") {
        let mut values = vec![here(json!("a")), here(json!({})), here(json!(7))];
        let items = &schema["items"];
        // Words of a list whose meaning only the server knows (scopes, networks, types) are judged there, not in the document.
        let word = is(items, "string") && items["maxLength"].is_null();
        let nested = if word { vec![here(json!(7)), here(json!({}))] } else { wrong(document, items, at) };
        values.extend(nested.into_iter().map(|(value, below)| (json!([value]), format!("/0{below}"))));
        return values;
    }
    if is(schema, "boolean") {
        return vec![here(json!("yes")), here(json!(1)), here(json!([]))];
    }
    if is(schema, "integer") {
        return vec![here(json!("1")), here(json!(-1)), here(json!(1.5)), here(json!([])), here(json!(u64::MAX))];
    }
    let mut values = vec![here(json!("a")), here(json!(7))];
    for (body, pointer) in wrong_bodies(document, schema, at) {
        values.push((body, pointer));
    }
    values
}

/// Bodies with one wrong member each, and its pointer.
fn wrong_bodies(document: &Value, schema: &Value, at: &str) -> Vec<(Value, String)> {
    let schema = resolved(document, schema);
    let mut bodies = Vec::new();
    // An object without members of its own is somebody else's (RFC 7591), who says what is ignored.
    if schema["properties"].is_object() {
        let mut unknown = example(document, schema);
        unknown["no_such_member"] = json!(1);
        bodies.push((unknown, "/no_such_member".to_owned()));
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        for (value, below) in wrong(document, field, &format!("{at}/{name}")) {
            let mut body = example(document, schema);
            body[name] = value;
            bodies.push((body, format!("/{name}{below}")));
        }
    }
    bodies
}

/// Addresses with one part or one parameter that is nobody's: a NUL (which PostgreSQL cannot even be asked for), something long, a
/// word where none is known.
fn wrong_addresses(path: &str, things: &[(&str, String)], operation: &Value) -> Vec<String> {
    let odd = ["a%00b".to_owned(), "x".repeat(3000), "%F0%9F%92%A9".to_owned()];
    let filled = |path: &str| {
        let path = things.iter().fold(path.replace("/api/v1", ""), |path, (name, id)| path.replace(name, id));
        path.split('/').map(|word| if word.starts_with('{') { "none" } else { word }).collect::<Vec<_>>().join("/")
    };
    let parts = path.split('/').filter(|part| part.starts_with('{'));
    let mut addresses: Vec<String> =
        parts.flat_map(|part| odd.iter().map(move |odd| filled(&path.replace(part, odd)))).collect();
    for parameter in operation["parameters"].as_array().into_iter().flatten().filter(|one| one["in"] == "query") {
        let name = parameter["name"].as_str().unwrap();
        // A search takes any text; a portal and a right go together, and nobody may have them. Nobody knows every campaign.
        let any = ["q", "portal", "right"].contains(&name);
        let odd = odd.iter().filter(|odd| !any && (name != "campaign" || odd.len() != 12));
        addresses.extend(odd.map(|odd| format!("{}?{name}={odd}", filled(path))));
    }
    addresses
}

fn judge(answer: &Answer, what: &str, pointer: &str, complaints: &mut Vec<String>) {
    let error = if answer.status == 422 { answer.json()["errors"][0].clone() } else { Value::Null };
    let named = error["pointer"].as_str();
    // What is missing of a thing is named within it.
    let within = error["code"] == "missing" && named.is_some_and(|named| named.starts_with(&format!("{pointer}/")));
    if named != Some(pointer) && !within {
        complaints.push(format!(
            "{what} {pointer}: {} {}",
            answer.status,
            answer.body.chars().take(300).collect::<String>()
        ));
    }
}

on_both_engines! { every_field_of_every_route_refuses_what_it_cannot_be }

async fn every_field_of_every_route_refuses_what_it_cannot_be(engine: Engine) {
    // More requests than one caller is let to make in a minute.
    let mut server = TestServer::own_with(engine, &["--set", "api.requests_per_minute=100000"]).await;
    let boss = operator(&server).await;
    // Programs register none, and have nothing to do with keys.
    let chief = Api::of_person(&server, &of_kind(&server, "second factor second operator"), ALL).await;
    let organization = organization_of_kind(&server, "cfa");
    let mut things = things_of(&server, &boss, &organization).await;
    let members = boss.get(&format!("/organizations/{organization}/members")).await.done(200);
    let hook = json!({ "url": "https://ailleurs.example/" });
    let hook_here = boss.post(&format!("/organizations/{organization}/webhooks"), &hook).await.done(201);
    let hook_everywhere = boss.post("/webhooks", &hook).await.done(201);
    things.push(("{organization}", organization));
    things.push(("{person}", members["items"][0]["id"].as_str().unwrap().to_owned()));
    things.push(("{client_id}", "demo-portal".to_owned()));
    let document = Http::new().get(&server.url("/api/v1/openapi.json")).await.ok_json();
    let (mut sent, mut addresses, mut complaints) = (0, 0, Vec::new());
    for (path, operations) in document["paths"].as_object().unwrap() {
        let of_people =
            ["/v1/portals", "/initial-access-tokens", "/resources", "/signing-keys", "/identity-verifications"]
                .iter()
                .any(|those| path.contains(those));
        let boss = if of_people { &chief } else { &boss };
        for (method, operation) in operations.as_object().unwrap() {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            let changes =
                operation["parameters"].as_array().into_iter().flatten().find(|one| one["name"] == "If-Match");
            let target = things.iter().fold(path.replace("/api/v1", ""), |target, (name, id)| target.replace(name, id));
            let hook = if path.contains("{organization}") { &hook_here } else { &hook_everywhere };
            let target = target.replace("{webhook}", hook["id"].as_str().unwrap());
            // What a parameter names that this test does not make is not there: bodies are read before anything is looked for.
            let words = target.split('/').map(|word| if word.starts_with('{') { "none" } else { word });
            let target = words.collect::<Vec<_>>().join("/");
            let what = format!("{method} {path}");
            let request = |api: &Api| api.request(&method.to_ascii_uppercase(), &target);
            if schema.is_object() {
                for (body, pointer) in wrong_bodies(&document, schema, &what) {
                    let answer = boss.send(request(boss).header("if-match", "*").json(&body)).await;
                    judge(&answer, &what, &pointer, &mut complaints);
                    sent += 1;
                }
                for body in [json!([1]), json!("a"), json!(7), Value::Null] {
                    let answer = boss.send(request(boss).header("if-match", "*").json(&body)).await;
                    judge(&answer, &what, "", &mut complaints);
                }
            }
            for address in wrong_addresses(path, &things, operation) {
                let mut request = boss.request(&method.to_ascii_uppercase(), &address).header("if-match", "*");
                if schema.is_object() {
                    request = request.json(&example(&document, schema));
                }
                let status = boss.send(request).await.status;
                // Some things are for the organization's own alone, some for the data protection officer's eyes, not for the operator.
                let mut not_theirs = [
                    "/document-requests/",
                    "/successions",
                    "/consents",
                    "/handled",
                    "/imports/{import}/password-hashes",
                    "/organizations/{organization}/seat-requests/",
                ]
                .iter();
                let not_theirs = not_theirs.any(|those| path.contains(those));
                let own = not_theirs && status == 403;
                if !own && ![400, 404, 409, 410, 415, 422].contains(&status) {
                    complaints.push(format!("{method} {address}: {status}"));
                }
                addresses += 1;
            }
            if let Some(parameter) = changes {
                // Where it may be left out, a request without it would be carried out.
                let needed = parameter["required"] == true;
                for status in ["412", "428"] {
                    assert!(operation["responses"][status].is_object(), "{what} does not describe {status}");
                }
                let body = if schema.is_object() { Some(example(&document, schema)) } else { None };
                let change = async |etag: Option<&str>| {
                    let mut request = request(boss);
                    if let Some(etag) = etag {
                        request = request.header("if-match", etag);
                    }
                    if let Some(body) = &body {
                        request = request.json(body);
                    }
                    boss.send(request).await.status
                };
                let cases = [(None, 428), (Some("\"v99999\""), 412), (Some("v1"), 412)];
                for (etag, expected) in cases.into_iter().filter(|(etag, _)| needed || etag.is_some()) {
                    let status = change(etag).await;
                    // What is not there is not stale, and who may not is not told.
                    if status != expected && status != 404 && (needed || status != 403) {
                        complaints.push(format!("{what} with If-Match {etag:?}: {status}"));
                    }
                }
            }
        }
    }
    assert!(complaints.is_empty(), "{} of {sent}:\n{}", complaints.len(), complaints.join("\n"));
    assert!(sent > 500 && addresses > 300, "only {sent} bodies and {addresses} addresses");
    server.kill();
}
