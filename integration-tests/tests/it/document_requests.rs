//! Documents that the operator asks organizations for: asked, reminded, uploaded, refused, accepted; and what happens to who does not
//! answer (R013, R091).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use habilis_integration_tests::api::ALL;
use habilis_integration_tests::{Answer, Api, Inbox, Person, TestServer};
use serde_json::{Value, json};

use crate::api::{give_duties, in_days, new_organization, of_kind, operator, organization_of_kind, two_operators};

const DAY: u64 = 86_400;

fn administrator(server: &TestServer, organization: &str) -> Person {
    let of = |person: &&Person| person.organization.as_ref().is_some_and(|it| it.id == organization);
    server.people.iter().filter(of).find(|person| person.kind == "administrator").unwrap().clone()
}

fn file(start: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = start.to_vec();
    bytes.resize(size, 7);
    bytes
}

async fn upload(api: &Api, path: &str, kind: &str, bytes: Vec<u8>) -> Answer {
    api.send(api.request("POST", path).header("content-type", kind).body(bytes)).await
}

fn sha256_of(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// Waits for what a job does.
async fn until(done: impl AsyncFn() -> bool) {
    for _ in 0..100 {
        if done().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

async fn trail(api: &Api, organization: &str) -> Vec<Value> {
    let page = api.get(&format!("/organizations/{organization}/audit?limit=200")).await.done(200);
    page["items"].as_array().unwrap().clone()
}

async fn subjects(server: &TestServer, to: &str) -> Vec<String> {
    Inbox::of(server).to(to).await.into_iter().map(|mail| mail.subject).collect()
}

/// What cannot be asked, and leaves nothing.
async fn refused(
    boss: &Api,
    (organization, other): (&str, &str),
    (ask, today, due_on): (&impl Fn(&[&str], &str) -> Value, &str, &str),
) {
    boss.post("/document-requests", &ask(&[organization], today)).await.problem(422, "invalid_fields");
    let problem = boss
        .post("/document-requests", &ask(&[organization, "org_nobody"], due_on))
        .await
        .problem(422, "invalid_fields");
    assert_eq!(problem["errors"][0]["pointer"], "/organizations/1");
    let problem = boss.post("/document-requests", &ask(&[other, other], due_on)).await.problem(422, "invalid_fields");
    assert_eq!(problem["errors"][0]["code"], "duplicate");
    let mut threat = ask(&[organization], due_on);
    threat["suspends"] = json!(true);
    let problem = boss.post("/document-requests", &threat).await.problem(422, "invalid_fields");
    assert_eq!(problem["errors"].as_array().unwrap().len(), 2, "{problem}");
    assert_eq!(boss.get("/document-requests").await.done(200)["items"], json!([]), "all or none");
}

/// The report says it all, and always the same, under its digest.
async fn reported(api: &Api, path: &str, accepted: &Value) -> String {
    let report = api.get(&format!("{path}/report")).await;
    assert_eq!(accepted["evidence_sha256"], sha256_of(report.body.as_bytes()));
    let digest = ring::digest::digest(&ring::digest::SHA256, report.body.as_bytes());
    assert_eq!(report.header("repr-digest"), format!("sha-256=:{}:", STANDARD.encode(digest)));
    let first: Value = serde_json::from_str(report.body.lines().next().unwrap()).unwrap();
    assert_eq!(first["status"], "accepted");
    report.body
}

/// What the trail says of it.
async fn traced(boss: &Api, organization: &str, accepted: &Value) {
    let trail = trail(boss, organization).await;
    for (event, count) in [
        ("document_request.opened", 1),
        ("document_request.document_uploaded", 3),
        ("document_request.document_removed", 1),
        ("document_request.document_read", 1),
        ("document_request.answered", 2),
        ("document_request.refused", 1),
        ("document_request.accepted", 1),
    ] {
        assert_eq!(trail.iter().filter(|line| line["event"] == event).count(), count, "{event}");
    }
    assert_eq!(
        trail.iter().find(|line| line["event"] == "document_request.accepted").unwrap()["detail"]["sha256"],
        accepted["evidence_sha256"]
    );
}

own_journeys! {
    async fn documents_are_asked_for_uploaded_refused_and_accepted(mut server: TestServer) {
        let boss = operator(&server).await;
        let organization = organization_of_kind(&server, "company");
        let person = administrator(&server, &organization);
        let api = Api::of_person(&server, &person, ALL).await;
        let other = new_organization(&boss, "Campagne").await;
        let today = in_days(&server, 0).await;
        let ask = |organizations: &[&str], due_on: &str| json!({
            "organizations": organizations, "campaign": "Audit 2027", "title": "Originaux des mandats", "wanted": "Les mandats signés",
            "due_on": due_on,
        });
        let due_on = in_days(&server, 20).await;
        refused(&boss, (&organization, &other), (&ask, &today, &due_on)).await;
        api.post("/document-requests", &ask(&[&organization], &due_on)).await.problem(403, "forbidden");

        // Two organizations, each with a review of access.
        let mut both = ask(&[&organization, &other], &due_on);
        both["review"] = json!(true);
        let made = boss.post("/document-requests", &both).await.done(201);
        let one = &made["items"][0];
        assert_eq!((&one["organization"], &one["status"], &one["suspends"]), (&json!(organization), &json!("open"), &json!(false)));
        let review = format!("/organizations/{organization}/reviews/{}", one["review"].as_str().unwrap());
        assert_eq!(api.get(&review).await.done(200)["due_on"], json!(due_on));
        let campaign = boss.get("/document-requests?campaign=Audit%202027&status=open").await.done(200);
        assert_eq!(campaign["items"].as_array().unwrap().len(), 2);
        assert!(subjects(&server, &person.login).await.iter().any(|subject| subject.contains("documents à fournir")));
        let list = format!("/organizations/{organization}/document-requests");
        assert_eq!(api.get(&list).await.done(200)["items"][0]["id"], one["id"]);
        let path = format!("{list}/{}", one["id"].as_str().unwrap());
        api.get(&format!("{path}/report")).await.problem(404, "not_found");

        // What is taken: files that are what they say, of the organization alone.
        let documents = format!("{path}/documents");
        let empty = json!({});
        api.post(&format!("{path}/answer"), &empty).await.problem(409, "document_missing");
        let pdf = file(b"%PDF-1.7\n", 40_000);
        upload(&api, &documents, "application/pdf", b"<html>".to_vec()).await.problem(415, "unsupported_media_type");
        upload(&api, &documents, "image/png", pdf.clone()).await.problem(415, "unsupported_media_type");
        upload(&boss, &documents, "application/pdf", pdf.clone()).await.problem(403, "forbidden");
        upload(&api, &format!("{documents}?name=%00"), "application/pdf", pdf.clone()).await.problem(400, "invalid_parameter");
        let shown = upload(&api, &format!("{documents}?name=mandat%20sign%C3%A9.pdf"), "application/pdf", pdf.clone()).await.done(201);
        let document = &shown["documents"][0];
        assert_eq!((&document["name"], &document["size"], &document["sha256"]), (&json!("mandat signé.pdf"), &json!(40_000), &json!(sha256_of(&pdf))));
        let wrong = upload(&api, &documents, "image/jpeg", file(b"\xff\xd8\xff\xe0", 100)).await.done(201);
        let wrong = wrong["documents"][1]["id"].as_str().unwrap().to_owned();
        assert_eq!(api.delete(&format!("{documents}/{wrong}")).await.status, 204);
        api.delete(&format!("{documents}/{wrong}")).await.problem(404, "not_found");
        api.get(&format!("{documents}/{wrong}")).await.problem(404, "not_found");
        let document = document["id"].as_str().unwrap().to_owned();
        boss.post(&format!("{path}/accept"), &empty).await.problem(409, "conflict");
        let answered = api.post(&format!("{path}/answer"), &json!({ "note": "Le voici." })).await.done(200);
        assert_eq!((&answered["status"], &answered["answer"]), (&json!("answered"), &json!("Le voici.")));
        api.post(&format!("{path}/answer"), &empty).await.problem(409, "conflict");
        upload(&api, &documents, "application/pdf", pdf.clone()).await.problem(409, "conflict");
        api.delete(&format!("{documents}/{document}")).await.problem(409, "conflict");

        // The operator reads it, byte for byte, which is noted; the data protection officer knows of it and does not.
        let read = boss.send(boss.request("GET", &format!("{documents}/{document}"))).await;
        assert_eq!((read.status, read.header("content-type"), read.header("content-disposition")), (200, "application/pdf", "attachment"));
        assert!(read.body.starts_with("%PDF-1.7"));
        let operators = two_operators(&server).await;
        let officer = of_kind(&server, "trainer");
        let found = operators.0.get(&format!("/people?q={}", officer.login)).await.done(200);
        let duties = json!({ "operator": false, "privacy": true, "reason": "nomination" });
        give_duties(&operators, found["items"][0]["id"].as_str().unwrap(), &duties).await;
        let privacy = Api::of_person(&server, &officer, ALL).await;
        privacy.get(&path).await.done(200);
        privacy.get(&format!("{documents}/{document}")).await.problem(403, "forbidden");
        privacy.post(&format!("{path}/accept"), &empty).await.problem(403, "forbidden");
        api.post(&format!("{path}/accept"), &empty).await.problem(403, "forbidden");

        // It does not do: open again, until another day.
        let again = in_days(&server, 30).await;
        let refusal = json!({ "reason": "La signature manque.", "due_on": again });
        boss.post(&format!("{path}/refuse"), &json!({ "reason": "non", "due_on": today })).await.problem(422, "invalid_fields");
        let open = boss.post(&format!("{path}/refuse"), &refusal).await.done(200);
        assert_eq!((&open["status"], &open["due_on"], &open["refusals"]), (&json!("open"), &json!(again), &json!(1)));
        let mails = Inbox::of(&server).to(&person.login).await;
        assert!(mails.iter().any(|mail| mail.text.contains("La signature manque.")), "{mails:?}");
        // What was refused is no answer any more, and cannot be taken back.
        api.post(&format!("{path}/answer"), &empty).await.problem(409, "document_missing");
        api.delete(&format!("{documents}/{document}")).await.problem(404, "not_found");
        let png = file(b"\x89PNG\r\n\x1a\n", 3000);
        upload(&api, &documents, "image/png", png).await.done(201);
        api.post(&format!("{path}/answer"), &empty).await.done(200);
        let accepted = boss.post(&format!("{path}/accept"), &json!({ "note": "Complet." })).await.done(200);
        assert_eq!((&accepted["status"], &accepted["note"]), (&json!("accepted"), &json!("Complet.")));
        boss.post(&format!("{path}/accept"), &empty).await.problem(409, "conflict");
        boss.post(&format!("{path}/cancel"), &json!({ "reason": "tard" })).await.problem(409, "conflict");

        let report = reported(&api, &path, &accepted).await;
        assert_eq!((report.lines().count(), report.contains(&sha256_of(&pdf))), (3, true));
        assert!(!report.contains("mandat signé.pdf") && !report.contains(&person.login));
        traced(&boss, &organization, &accepted).await;

        // Withdrawn is settled as well. Five years after, the files are gone, and what is known of them is not.
        let second = &made["items"][1];
        let second = format!("/organizations/{other}/document-requests/{}", second["id"].as_str().unwrap());
        assert_eq!(boss.post(&format!("{second}/cancel"), &json!({ "reason": "erreur" })).await.done(200)["status"], "cancelled");
        assert_eq!(boss.get(&format!("{second}/report")).await.status, 200);
        server.advance(5 * 366 * DAY + 2 * DAY).await;
        let boss = operator(&server).await;
        until(async || boss.get(&path).await.done(200)["documents"][0]["kept"] == false).await;
        let kept = boss.get(&path).await.done(200);
        assert_eq!((&kept["documents"][0]["kept"], &kept["documents"][0]["sha256"]), (&json!(false), &json!(sha256_of(&pdf))));
        boss.get(&format!("{documents}/{document}")).await.problem(404, "not_found");
        assert_eq!(boss.get(&format!("{path}/report")).await.body, report);
        server.kill();
    }

    async fn who_does_not_answer_is_reminded_suspended_and_reinstated_when_the_answer_is_accepted(mut server: TestServer) {
        let boss = operator(&server).await;
        let organization = organization_of_kind(&server, "company");
        let person = administrator(&server, &organization);
        let new = json!({
            "organizations": [organization], "title": "Pièces", "wanted": "Les originaux", "due_on": in_days(&server, 20).await, "suspends": true,
            "breach": "Les originaux n’ont pas été produits.", "remedy": "Déposer les originaux.",
        });
        let made = boss.post("/document-requests", &new).await.done(201);
        let path = format!("/organizations/{organization}/document-requests/{}", made["items"][0]["id"].as_str().unwrap());
        let status = async |api: &Api| api.get(&format!("/organizations/{organization}")).await.done(200)["status"].as_str().unwrap().to_owned();
        let count = async |server: &TestServer, words: &str| {
            subjects(server, &person.login).await.iter().filter(|subject| subject.contains(words)).count()
        };
        server.advance(13 * DAY).await;
        until(async || count(&server, "attendus le").await == 1).await;
        server.advance(5 * DAY).await;
        until(async || count(&server, "attendus le").await == 2).await;
        assert_eq!(count(&server, "attendus le").await, 2, "a week and two days before: {:?}", subjects(&server, &person.login).await);
        let boss = operator(&server).await;
        assert_eq!(status(&boss).await, "active");
        server.advance(3 * DAY).await;
        let boss = operator(&server).await;
        until(async || status(&boss).await == "suspended").await;
        assert_eq!(status(&boss).await, "suspended");
        let shown = boss.get(&path).await.done(200);
        assert!(shown["status"] == "open" && shown["overdue_at"].is_string(), "{shown}");
        let measures = boss.get(&format!("/organizations/{organization}/measures")).await.done(200);
        assert_eq!((&measures["items"][0]["id"], &measures["items"][0]["breach"]), (&shown["suspension"], &new["breach"]), "{measures}");
        assert_eq!(count(&server, "ne sont pas arrivés").await, 1);

        // Suspended, its administrators sign in again and can do one thing: answer.
        let api = Api::of_person(&server, &person, ALL).await;
        let contact = json!({ "duty": "deputy", "name": "Zoé", "email": "zoe@societe.example" });
        api.post(&format!("/organizations/{organization}/contacts"), &contact).await.problem(403, "organization_not_active");
        upload(&api, &format!("{path}/documents"), "application/pdf", file(b"%PDF-1.7\n", 500)).await.done(201);
        api.post(&format!("{path}/answer"), &json!({})).await.done(200);
        assert_eq!(status(&boss).await, "suspended", "an answer alone reinstates nobody");
        // Refused after the last day: nothing is suspended twice, and a new last day counts.
        let due_on = in_days(&server, 5).await;
        boss.post(&format!("{path}/refuse"), &json!({ "reason": "Illisible.", "due_on": due_on })).await.done(200);
        server.advance(6 * DAY).await;
        let boss = operator(&server).await;
        until(async || boss.get(&path).await.done(200)["overdue_at"].is_string()).await;
        assert_eq!(count(&server, "ne sont pas arrivés").await, 2);
        assert_eq!(boss.get(&path).await.done(200)["suspension"], shown["suspension"]);
        let api = Api::of_person(&server, &person, ALL).await;
        upload(&api, &format!("{path}/documents"), "application/pdf", file(b"%PDF-1.7\n", 600)).await.done(201);
        api.post(&format!("{path}/answer"), &json!({})).await.done(200);
        // Who reinstates an organization shows that it is them: with two factors, just now.
        let weak = Api::of_person(&server, &of_kind(&server, "operator"), ALL).await;
        weak.post(&format!("{path}/accept"), &json!({})).await.problem(401, "insufficient_user_authentication");
        let boss = operator(&server).await;
        boss.post(&format!("{path}/accept"), &json!({ "note": "Reçus." })).await.done(200);
        assert_eq!(status(&boss).await, "active");
        let measures = boss.get(&format!("/organizations/{organization}/measures")).await.done(200);
        assert!(measures["items"][0]["lifted_at"].is_string(), "{measures}");
        api.post(&format!("/organizations/{organization}/contacts"), &contact).await.done(201);
        let line = trail(&boss, &organization).await;
        let changes: Vec<_> = line.iter().filter(|line| line["event"] == "organization.status_changed").map(|line| line["detail"]["after"].clone()).collect();
        assert_eq!(changes, [json!("active"), json!("suspended")], "{line:?}");

        // Withdrawn while suspended: reinstated as well. By then another suspension of the operator's own stands for itself.
        let made = boss.post("/document-requests", &{ let mut new = new.clone(); new["due_on"] = json!(in_days(&server, 1).await); new }).await.done(201);
        let path = format!("/organizations/{organization}/document-requests/{}", made["items"][0]["id"].as_str().unwrap());
        server.advance(2 * DAY).await;
        let boss = operator(&server).await;
        until(async || status(&boss).await == "suspended").await;
        boss.post(&format!("{path}/cancel"), &json!({ "reason": "produits par courrier" })).await.done(200);
        assert_eq!(status(&boss).await, "active");
        let suspend = json!({ "status": "suspended", "reason": "impayé", "breach": "Facture.", "remedy": "Régler." });
        let made = boss.post("/document-requests", &{ let mut new = new.clone(); new["due_on"] = json!(in_days(&server, 1).await); new }).await.done(201);
        let path = format!("/organizations/{organization}/document-requests/{}", made["items"][0]["id"].as_str().unwrap());
        boss.put(&format!("/organizations/{organization}/status"), &suspend).await.done(200);
        server.advance(2 * DAY).await;
        let boss = operator(&server).await;
        until(async || boss.get(&path).await.done(200)["overdue_at"].is_string()).await;
        assert_eq!(boss.get(&path).await.done(200)["suspension"], Value::Null);
        boss.post(&format!("{path}/cancel"), &json!({ "reason": "fini" })).await.done(200);
        assert_eq!(status(&boss).await, "suspended", "that is another affair");
        server.kill();
    }
}
