//! One of each thing the management API has, and bodies for its operations, for the journeys that walk its document.

use habilis_integration_tests::api::ALL;
use habilis_integration_tests::{Api, Person, TestServer};
use serde_json::{Value, json};

use crate::api::{all, in_days, invited, new_member, of_kind};

/// One of each thing that belongs to an organization, by the parameter that names it in addresses.
pub(crate) async fn things_of(server: &TestServer, boss: &Api, organization: &str) -> Vec<(&'static str, String)> {
    let of = format!("/organizations/{organization}");
    let with_role = async |role: &str| {
        let found = boss.get(&format!("{of}/members?role={role}")).await.done(200);
        let active =
            found["items"].as_array().unwrap().iter().find(|member| member["account_status"] == "active").cloned();
        active.unwrap()["id"].as_str().unwrap().to_owned()
    };
    let (administrator, member) = (with_role("administrator").await, with_role("member").await);
    let succession = json!({ "leaving": administrator, "successor": member, "reason": "départ" });
    let override_ = json!({
        "person": member, "outcome": "administrator", "signed_by": "Anne Prévost", "capacity": "gérante", "verification": "Kbis",
        "reason": "demande écrite",
    });
    let chief = Api::of_person(server, &of_kind(server, "second factor operator"), ALL).await;
    let inside = |person: &&Person| person.organization.as_ref().is_some_and(|it| it.id == organization);
    let head = server.people.iter().filter(inside).find(|person| person.kind == "administrator").unwrap();
    let head = Api::of_person(server, head, ALL).await;
    let stranger = server.people.iter().find(|person| person.kind == "trainer").unwrap();
    let existing = json!({ "email": stranger.login, "given_name": "Peu", "family_name": "Importe" });
    let made = [
        ("{succession}", head.post(&format!("{of}/successions"), &succession).await),
        ("{override}", chief.post(&format!("{of}/overrides"), &override_).await),
        ("{offer}", boss.post(&format!("{of}/members"), &existing).await),
        ("{review}", boss.post(&format!("{of}/reviews"), &json!({})).await),
    ];
    let file =
        boss.request("POST", &format!("{of}/imports")).header("content-type", "text/csv").body("Nom;Prénom;Courriel\n");
    let import = boss.send(file).await.done(202)["id"].as_str().unwrap().to_owned();
    let (number, product) =
        (format!("BC-{organization}"), format!("p-{}", organization.to_lowercase().replace('_', "-")));
    boss.post("/products", &json!({ "id": product, "name": "Isolée", "trial_seats": 1 })).await.done(201);
    let accepted = json!({ "product": product, "terms_version": "1", "terms_accepted_at": "2020-01-01T00:00:00Z" });
    let trial = boss.post(&format!("{of}/trials"), &accepted).await.done(201)["id"].as_str().unwrap().to_owned();
    let form = json!({ "number": number, "product": product, "seats": 5, "effect_on": in_days(server, 0).await });
    let order = boss.post(&format!("{of}/orders"), &form).await.done(201)["id"].as_str().unwrap().to_owned();
    boss.put(&format!("{of}/portals/demo-portal"), &json!({ "roles": ["formateur"] })).await.done(200);
    let course = json!({
        "person": member, "portal": "demo-portal", "title": "Cours", "not_before": in_days(server, 0).await, "not_after": in_days(server, 90).await,
    });
    let enrolment = boss.post(&format!("{of}/enrolments"), &course).await.done(201)["id"].as_str().unwrap().to_owned();
    let team = json!({ "name": "Groupe isolé", "size_limit": 4 });
    let group = boss.post(&format!("{of}/groups"), &team).await.done(201)["id"].as_str().unwrap().to_owned();
    let duties = json!({ "operator": false, "privacy": true, "reason": "nomination" });
    let duties =
        chief.put(&format!("/people/{member}/duties"), &duties).await.done(202)["id"].as_str().unwrap().to_owned();
    let wanted = json!({ "organization": organization, "product": product });
    let wanted = head.post("/me/seat-requests", &wanted).await.done(201)["id"].as_str().unwrap().to_owned();
    let made = made.map(|(name, answer)| {
        (name, if name == "{offer}" { answer.done(202) } else { answer.done(201) }["id"].as_str().unwrap().to_owned())
    });
    let asked = json!({ "organizations": [organization], "title": "Pièces", "wanted": "Originaux", "due_on": in_days(server, 20).await });
    let asked = boss.post("/document-requests", &asked).await.done(201)["items"][0]["id"].as_str().unwrap().to_owned();
    let inside = |person: &&Person| person.organization.as_ref().is_some_and(|it| it.id == organization);
    let mut document = "doc_none".to_owned();
    if let Some(person) = server.people.iter().filter(inside).find(|person| person.kind == "administrator") {
        let own = Api::of_person(server, person, ALL).await;
        let file = own
            .request("POST", &format!("{of}/document-requests/{asked}/documents"))
            .header("content-type", "application/pdf");
        let shown = own.send(file.body("%PDF-1.7 isolée")).await.done(201);
        shown["documents"][0]["id"].as_str().unwrap().clone_into(&mut document);
    }
    let resource = json!({ "uri": format!("urn:isolee:{organization}"), "scope": "isolee" });
    let resource = chief.post("/resources", &resource).await.done(201)["id"].as_str().unwrap().to_owned();
    let key = chief.get("/signing-keys").await.done(200)["items"][0]["id"].as_str().unwrap().to_owned();
    let reported = boss.post(&format!("{of}/incidents"), &json!({ "description": "Essai" })).await.done(201);
    let others = [
        ("{incident}", reported["id"].as_str().unwrap().to_owned()),
        ("{document_request}", asked),
        ("{document}", document),
        ("{import}", import),
        ("{group}", group),
        ("{trial}", trial),
        ("{order}", order),
        ("{product}", product),
        ("{enrolment}", enrolment),
        ("{duty_change}", duties),
        ("{resource}", resource),
        ("{signing_key}", key),
        ("{seat_request}", wanted),
    ];
    made.into_iter().chain(others).collect()
}

/// One of each thing that another organization has, by the parameter that names it, and those of their ids that nobody else may be told.
pub(crate) async fn things_of_another(
    server: &TestServer,
    boss: &Api,
    other: &str,
) -> (Vec<(&'static str, String)>, Vec<String>) {
    let of = format!("/organizations/{other}");
    let text = |value: &Value| value["id"].as_str().unwrap().to_owned();
    boss.put(&format!("{of}/portals/demo-portal"), &json!({ "roles": ["apprenant"] })).await.done(200);
    let person = invited(boss, other, &new_member("ailleurs")).await;
    let contact = json!({ "duty": "dpo", "name": "Zoé Dubois", "email": "dpo@ailleurs.example" });
    let contact = text(&boss.post(&format!("{of}/contacts"), &contact).await.done(201));
    let mut things = things_of(server, boss, other).await;
    let key = json!({ "name": "isolée", "scopes": [crate::api_keys::READ] });
    things.push(("{key}", text(&boss.post(&format!("{of}/api-keys"), &key).await.done(201))));
    let hook =
        text(&boss.post(&format!("{of}/webhooks"), &json!({ "url": "https://ailleurs.example/" })).await.done(201));
    let tested = boss.send(boss.request("POST", &format!("{of}/webhooks/{hook}/test"))).await.done(202);
    let notice = json!({ "subject_kind": "organization", "subject": other, "reason": "essai", "breach": "Facture.", "remedy": "Régler." });
    things.push(("{measure}", text(&boss.post("/formal-notices", &notice).await.done(201))));
    let inside = |person: &&Person| person.organization.as_ref().is_some_and(|it| it.id == other);
    let somebody = server.people.iter().filter(inside).find(|person| person.kind == "administrator").unwrap();
    let sessions = Api::of_person(server, somebody, ALL).await.get("/me/sessions").await.done(200);
    let jobs = all(boss, &format!("/jobs?organization={other}")).await;
    things.extend([
        ("{session}", text(&sessions["items"][0])),
        ("{job}", text(&jobs[0])),
        ("{person}", person),
        ("{contact}", contact),
        ("{webhook}", hook),
        ("{delivery}", text(&tested)),
    ]);
    for _ in 0..600 {
        if all(boss, &format!("{of}/imports")).await.iter().all(|import| import["state"] != "checking") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    // Products are the operator's.
    let secret = things.iter().filter(|(name, id)| *name != "{product}" && id != "doc_none").map(|(_, id)| id.clone());
    let secret = secret.chain([other.to_owned()]).collect();
    (things, secret)
}

/// What fields of bodies that name things are filled with.
pub(crate) fn ids_for_bodies(things: &[(&'static str, String)], organization: &str) -> Vec<(&'static str, String)> {
    let id = |of: &str| things.iter().find(|(name, _)| *name == of).unwrap().1.clone();
    let mut ids: Vec<_> =
        ["person", "successor", "leaving", "from", "to"].into_iter().map(|name| (name, id("{person}"))).collect();
    ids.extend([("organization", organization.to_owned()), ("organizations", organization.to_owned())]);
    ids.extend([("subject", organization.to_owned()), ("group", id("{group}")), ("order", id("{order}"))]);
    ids.extend([("review", id("{review}")), ("enrolment", id("{enrolment}")), ("product", id("{product}"))]);
    ids.extend([("client_id", "demo-portal".to_owned()), ("portal", "demo-portal".to_owned())]);
    ids
}

/// A body for an operation, its ids filled in; null for none.
pub(crate) fn request_body(document: &Value, operation: &Value, ids: &[(&str, String)]) -> Value {
    if operation["requestBody"].is_null() {
        return Value::Null;
    }
    filled(document, &operation["requestBody"]["content"]["application/json"]["schema"], ids)
}

/// A body that a schema of the document admits.
pub(crate) fn example(document: &Value, schema: &Value) -> Value {
    filled(document, schema, &[])
}

/// The same with these values in the fields of these names, those that may be left out included.
fn filled(document: &Value, schema: &Value, ids: &[(&str, String)]) -> Value {
    if let Some(name) = schema["$ref"].as_str() {
        return filled(document, document.pointer(name.trim_start_matches('#')).unwrap(), ids);
    }
    if let Some(values) = schema["enum"].as_array() {
        return values[0].clone();
    }
    if let Some(choices) = schema["oneOf"].as_array().or_else(|| schema["allOf"].as_array()) {
        return filled(document, choices.last().unwrap(), ids);
    }
    let kind = schema["type"].as_array().map_or(&schema["type"], |kinds| &kinds[0]);
    match kind.as_str().unwrap_or("object") {
        "object" => {
            let needed: Vec<_> =
                schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let properties = schema["properties"].as_object().into_iter().flatten();
            let members = properties
                .filter(|(name, schema)| needed.contains(&name.as_str()) || id_for(name, schema, ids).is_some());
            Value::Object(members.map(|(name, schema)| (name.clone(), named(document, (name, schema), ids))).collect())
        }
        "array" if schema["minItems"].as_u64().is_some_and(|least| least > 0) => each(document, &schema["items"], ids),
        "array" => json!([]),
        "boolean" => json!(false),
        "integer" | "number" => json!(1),
        _ if schema["format"] == "date" => json!("2100-12-31"),
        _ if schema["format"] == "date-time" => json!("2020-01-01T00:00:00Z"),
        _ => json!("texte"),
    }
}

/// A list of one thing, or of one of each kind where ids are to be filled in.
fn each(document: &Value, items: &Value, ids: &[(&str, String)]) -> Value {
    let items = items["$ref"].as_str().map_or(items, |name| document.pointer(name.trim_start_matches('#')).unwrap());
    match items["oneOf"].as_array().filter(|_| !ids.is_empty()) {
        Some(choices) => choices.iter().map(|choice| filled(document, choice, ids)).collect(),
        None => json!([filled(document, items, ids)]),
    }
}

/// The id a field is filled with: a text, or a list of texts, that is no day.
fn id_for(name: &str, schema: &Value, ids: &[(&str, String)]) -> Option<Value> {
    let (_, id) = ids.iter().find(|(of, _)| *of == name)?;
    let kinds = schema["type"].to_string();
    if schema["format"].is_string() || schema["enum"].is_array() {
        return None;
    }
    if kinds.contains("array") {
        return Some(json!([id]));
    }
    kinds.contains("string").then(|| json!(id))
}

fn named(document: &Value, (name, schema): (&str, &Value), ids: &[(&str, String)]) -> Value {
    if let Some(id) = id_for(name, schema, ids) {
        return id;
    }
    match name {
        "email" => json!("quelquun@ailleurs.example"),
        "kind" => json!("company"),
        _ => filled(document, schema, ids),
    }
}
