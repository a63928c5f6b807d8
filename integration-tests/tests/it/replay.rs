//! Every write of the document can be sent again with its key.

use habilis_integration_tests::{Engine, TestServer};

use crate::api::{operator, organization_of_kind};
use crate::things::{ids_for_bodies, request_body, things_of_another};

on_both_engines! { every_write_of_the_document_can_be_repeated }

/// Walks the document once more: whatever a write answered, the same request with the same key is answered, without being done again.
async fn every_write_of_the_document_can_be_repeated(engine: Engine) {
    let mut server = TestServer::own_with(engine, &["--set", "api.requests_per_minute=100000"]).await;
    let boss = operator(&server).await;
    let organization = organization_of_kind(&server, "cfa");
    let (things, _) = things_of_another(&server, &boss, &organization).await;
    let ids = ids_for_bodies(&things, &organization);
    let document = habilis_integration_tests::Http::new().get(&server.url("/api/v1/openapi.json")).await.ok_json();
    let mut writes = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap().iter().filter(|(method, _)| *method != "get") {
            // What ends something comes after what needs it.
            let last = ["kill-switch", "/status", "/revocation", "/last-day"].iter().any(|end| path.ends_with(end));
            let rank = if path.ends_with("kill-switch") {
                3
            } else if last {
                2
            } else {
                u8::from(method == "delete")
            };
            writes.push((rank, path, method, operation));
        }
    }
    writes.sort_by_key(|(rank, path, ..)| (*rank, std::cmp::Reverse(path.matches('/').count())));
    let (mut repeated, mut complaints) = (Vec::new(), Vec::new());
    for (number, (_, path, method, operation)) in writes.into_iter().enumerate() {
        let target = path
            .strip_prefix("/api/v1")
            .unwrap()
            .replace("{organization}", &organization)
            .replace("{client_id}", "demo-portal");
        let target = things.iter().fold(target, |target, (name, id)| target.replace(name, id));
        let kinds = operation["requestBody"]["content"].as_object().and_then(|kinds| kinds.keys().next()).cloned();
        let body = request_body(&document, operation, &ids);
        let send = async || {
            let request = boss.request(&method.to_ascii_uppercase(), &target).header("if-match", "*");
            let request = request.header("idempotency-key", format!("walk-{number}"));
            boss.send(match kinds.as_deref() {
                None => request,
                Some("application/json") => request.json(&body),
                Some(kind) => request.header("content-type", kind).body(if kind == "text/csv" {
                    "Nom;Prénom;Courriel\n"
                } else {
                    "%PDF-1.7 x"
                }),
            })
            .await
        };
        let first = send().await;
        if first.status >= 300 {
            continue;
        }
        let again = send().await;
        // A secret is shown once.
        let same = match (first.body.is_empty(), again.body.is_empty()) {
            (false, false) => {
                again.json().as_object().unwrap().iter().all(|(name, value)| first.json()[name] == *value)
            }
            (first, again) => first == again,
        };
        if (again.status, again.header("idempotency-replayed")) != (first.status, "true") || !same {
            complaints.push(format!(
                "{method} {path}: {} {}, then {} {}",
                first.status, first.body, again.status, again.body
            ));
        }
        repeated.push(format!("{method} {path}"));
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    assert!(repeated.len() > 30, "only {}: {repeated:?}", repeated.len());
    server.kill();
}
