//! Isolation: other organizations do not exist (R050), whatever the address or the body names.

use habilis_integration_tests::api::ALL;
use habilis_integration_tests::{Answer, Api, Engine, TestServer};
use serde_json::{Value, json};

use crate::api::{all, of_kind, operator, organization_of_kind, personnel};
use crate::things::{ids_for_bodies, request_body, things_of_another};

on_both_engines! { other_organizations_do_not_exist }

/// Walks the document: any administrator, any route, any id of another organization, in the address or in the body, is answered as if
/// it did not exist, and nothing changes. A route added tomorrow is walked tomorrow.
async fn other_organizations_do_not_exist(engine: Engine) {
    let mut server = TestServer::own_with(engine, &["--set", "api.requests_per_minute=100000"]).await;
    let (stranger, own) = personnel(&server).await;
    let administrator = Api::of_person(&server, &of_kind(&server, "second factor administrator"), ALL).await;
    let boss = operator(&server).await;
    let other = organization_of_kind(&server, "cfa");
    let (things, foreign) = things_of_another(&server, &boss, &other).await;
    let ids = ids_for_bodies(&things, &other);
    let before = everything(&boss, &other).await;
    let document = habilis_integration_tests::Http::new().get(&server.url("/api/v1/openapi.json")).await.ok_json();
    let own_administrator =
        administrator.get("/me").await.done(200)["organizations"][0]["id"].as_str().unwrap().to_owned();
    let missing = format!("org_{}", "0".repeat(26));
    let (mut walked, mut complaints) = (0, Vec::new());
    for (path, operations) in document["paths"].as_object().unwrap() {
        let inside = path.contains("{organization}");
        for (method, operation) in operations.as_object().unwrap() {
            // Ends the token it is walked with.
            if path.ends_with("/me/compromise") {
                continue;
            }
            let body = request_body(&document, operation, &ids);
            let sent = body.to_string();
            let names_foreign = foreign.iter().any(|id| sent.contains(id.as_str()));
            for (api, own) in [(&stranger, &own), (&administrator, &own_administrator)] {
                for (organization, within) in
                    [(other.as_str(), "other"), (missing.as_str(), "none"), (own.as_str(), "own")]
                {
                    // In one's own organization the ids of another's things are nobody's; outside of any, once is enough.
                    let names_nothing = path.matches('{').count() < 2 && !names_foreign;
                    if (within == "own" && names_nothing && inside) || (within != "own" && !inside) {
                        continue;
                    }
                    let target = path.strip_prefix("/api/v1").unwrap().replace("{organization}", organization);
                    let portal = if within == "own" && inside { "nowhere" } else { "demo-portal" };
                    let target = target.replace("{client_id}", portal);
                    let target = things.iter().fold(target, |target, (name, id)| target.replace(name, id));
                    assert!(
                        !target.contains('{'),
                        "an id of another organization for {target} is missing in this test"
                    );
                    let request = api.request(&method.to_ascii_uppercase(), &target).header("if-match", "*");
                    let answer = api.send(if body.is_null() { request } else { request.json(&body) }).await;
                    let told = foreign.iter().any(|id| {
                        answer.status < 300 && answer.body.contains(id.as_str()) && !sent.contains(id.as_str())
                    });
                    let refused = if inside && within == "own" && path.matches('{').count() < 2 {
                        nothing_done(&answer)
                    } else if inside && within != "own" {
                        answer.status == 404
                    } else if !inside && (method == "get" || path.starts_with("/api/v1/me")) {
                        // Lists and one's own account answer, and say nothing of others.
                        answer.status < 500
                    } else {
                        [403, 404].contains(&answer.status)
                    };
                    if told || !refused {
                        complaints.push(format!("{method} {target} {body}: {} {}", answer.status, answer.body));
                    }
                    walked += 1;
                }
            }
        }
    }
    assert!(complaints.is_empty(), "{} of {walked}:\n{}", complaints.len(), complaints.join("\n"));
    assert!(walked > 300, "only {walked} calls");
    let after = everything(&boss, &other).await;
    for (name, now) in &after {
        assert_eq!(before.get(name), Some(now), "{name}");
    }
    assert_eq!(before.len(), after.len());
    server.kill();
}

/// Refused as a whole, or act by act.
fn nothing_done(answer: &Answer) -> bool {
    match answer.status {
        200 => {
            answer.json()["results"].as_array().is_some_and(|results| results.iter().all(|one| one["status"] == 404))
        }
        status => [403, 404, 409, 422].contains(&status),
    }
}

/// What a stranger must not have changed: everything the operator reads of an organization.
async fn everything(api: &Api, organization: &str) -> std::collections::BTreeMap<String, Value> {
    let of = format!("/organizations/{organization}");
    let mut found = std::collections::BTreeMap::new();
    for path in ["", "/portals", "/seats"] {
        found.insert(path.to_owned(), api.get(&format!("{of}{path}")).await.done(200));
    }
    let lists = [
        "/members",
        "/invitations",
        "/contacts",
        "/api-keys",
        "/webhooks",
        "/imports",
        "/successions",
        "/overrides",
        "/reviews",
        "/document-requests",
        "/offers",
        "/orders",
        "/trials",
        "/groups",
        "/seat-requests",
        "/enrolments",
        "/notices",
        "/measures",
        "/audit",
    ];
    for path in lists {
        found.insert(path.to_owned(), all(api, &format!("{of}{path}")).await.into());
    }
    for member in found["/members"].as_array().unwrap().clone() {
        let path = format!("/members/{}", member["id"].as_str().unwrap());
        found.insert(path.clone(), api.get(&format!("{of}{path}")).await.done(200));
    }
    // A receiver that is not there is tried again and again meanwhile.
    for hook in found.get_mut("/webhooks").and_then(Value::as_array_mut).into_iter().flatten() {
        *hook = json!({ "id": hook["id"], "url": hook["url"], "types": hook["types"], "enabled": hook["enabled"] });
    }
    // Letters are on their way meanwhile.
    for path in ["/measures", "/notices"] {
        let ids = |list: &Value| list.as_array().unwrap().iter().map(|one| one["id"].clone()).collect::<Value>();
        let kept = ids(&found[path]);
        found.insert(path.to_owned(), kept);
    }
    found
}
