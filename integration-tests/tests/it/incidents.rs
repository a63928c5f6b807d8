//! The queue of the data protection officer: what people and administrators report comes there, and is mailed at once (R032, R034).

use habilis_integration_tests::api::ALL;
use habilis_integration_tests::{Api, Browser, Engine, Inbox, Person, TestServer};
use serde_json::{Value, json};

use crate::activation::link_to;
use crate::api::{give_duties, of_kind, operator, organization_of_kind, personnel, two_operators};
use crate::forgot::local_sign_in;

const DAY: u64 = 86_400;

/// Signs in on a new device, and reports a compromise by the link of the mail about it.
async fn report_compromise(server: &TestServer, person: &Person) {
    local_sign_in(server, &mut Browser::new(), &person.login, &person.password).await;
    let link = link_to(server, (&person.login, "/compromise/"), 1).await;
    let mut browser = Browser::new();
    browser.get(&link).await.page();
    let page = browser.submit("report-form", &[]).await.page();
    assert!(page.has("compromise-reported-page"), "{}", page.summary());
}

/// The mails to an address with this subject.
async fn told(server: &TestServer, address: &str, subject: &str) -> Vec<String> {
    let mails = Inbox::of(server).to(address).await.into_iter().filter(|mail| mail.subject == subject);
    mails.map(|mail| mail.text).collect()
}

async fn id_of(boss: &Api, person: &Person) -> String {
    let found = boss.get(&format!("/people?q={}", person.login)).await.done(200);
    found["items"][0]["id"].as_str().unwrap().to_owned()
}

fn within(server: &TestServer, organization: &str, kind: &str) -> Person {
    let of = |person: &&Person| person.organization.as_ref().is_some_and(|it| it.id == organization);
    server.people.iter().filter(of).find(|person| person.kind == kind).unwrap_or_else(|| panic!("no {kind}")).clone()
}

/// The incidents with this status, newest first.
async fn queue(api: &Api, status: &str) -> Vec<Value> {
    api.get(&format!("/incidents?status={status}&limit=200")).await.done(200)["items"].as_array().unwrap().clone()
}

own_journeys! {
    async fn what_is_reported_waits_in_the_queue_until_the_data_protection_officer_handles_it(mut server: TestServer) {
        let boss = operator(&server).await;
        let operators = two_operators(&server).await;
        // Nobody is the data protection officer yet: the operators read of it, and that.
        report_compromise(&server, server.learner()).await;
        let chief = of_kind(&server, "second factor operator").login;
        let texts = told(&server, &chief, "Compromission de compte signalée").await;
        assert!(texts.len() == 1 && texts[0].contains("Aucun délégué à la protection des données"), "{texts:?}");
        let victim = id_of(&boss, server.learner()).await;
        let found = queue(&boss, "open").await;
        assert_eq!(found.len(), 1, "{found:?}");
        let first = &found[0];
        assert!(texts[0].contains(first["id"].as_str().unwrap()), "{texts:?}");
        assert_eq!((&first["cause"], &first["kind"], &first["person"]), (&json!("compromise"), &json!("person"), &json!(victim)));
        assert_eq!((&first["reported_by"], &first["organization"], &first["description"]), (&json!(victim), &Value::Null, &Value::Null));

        let officer = of_kind(&server, "second factor");
        let officer_id = id_of(&boss, &officer).await;
        give_duties(&operators, &officer_id, &json!({ "operator": false, "privacy": true, "reason": "nomination" })).await;
        let privacy = Api::of_person(&server, &officer, ALL).await;
        let organization = officer.organization.clone().unwrap().id;
        let administrator = Api::of_person(&server, &within(&server, &organization, "administrator"), ALL).await;
        let trainer = id_of(&boss, &within(&server, &organization, "trainer")).await;
        let path = format!("/organizations/{organization}/incidents");
        let body = json!({ "description": "Mot de passe affiché à l’accueil.", "person": trainer });
        let answer = administrator.post(&path, &body).await;
        let made = answer.done(201);
        let id = made["id"].as_str().unwrap().to_owned();
        assert!(id.starts_with("inc_") && made["reported_at"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{made}");
        assert_eq!((&made["kind"], &made["cause"], &made["status"]), (&json!("administrator"), &json!("report"), &json!("open")));
        assert_eq!((&made["person"], &made["organization"]), (&json!(trainer), &json!(organization)));
        assert_eq!(answer.header("location"), format!("/api/v1{path}"), "where who reported it reads it");
        let texts = told(&server, &officer.login, "Incident signalé par une organisation").await;
        assert!(texts.len() == 1 && texts[0].contains("Mot de passe affiché à l’accueil."), "{texts:?}");
        assert!(!texts[0].contains("Aucun délégué"), "{texts:?}");
        assert!(told(&server, &chief, "Incident signalé par une organisation").await.is_empty(), "the officer alone");

        // Of the operator's staff an administrator learns nothing; strangers and members report nothing.
        for person in [officer_id.as_str(), "usr_nobody"] {
            let wrong = json!({ "description": "Rien.", "person": person });
            assert_eq!(administrator.post(&path, &wrong).await.problem(422, "invalid_fields")["errors"][0]["code"], "no_member");
        }
        administrator.post(&path, &json!({ "description": " " })).await.problem(422, "invalid_fields");
        personnel(&server).await.0.post(&path, &body).await.problem(404, "not_found");
        administrator.get("/incidents").await.problem(403, "forbidden");
        administrator.get(&format!("/incidents/{id}")).await.problem(403, "forbidden");
        // The trail says that it was reported, not what.
        let trail = administrator.get(&format!("/organizations/{organization}/audit?limit=200")).await.done(200);
        let line = trail["items"].as_array().unwrap().iter().find(|line| line["event"] == "incident.reported").cloned().unwrap();
        assert_eq!((&line["detail"]["incident"], &line["subject"]), (&json!(id), &json!(trainer)));
        assert!(!line.to_string().contains("affiché"), "{line}");

        // Operators read the queue; the officer says what is handled.
        let one = format!("/incidents/{id}");
        let note = json!({ "note": "Affiche retirée, mot de passe changé." });
        boss.post(&format!("{one}/handled"), &note).await.problem(403, "forbidden");
        operators.0.post(&format!("{one}/handled"), &note).await.problem(403, "forbidden");
        operators.0.get(&one).await.done(200);
        privacy.post(&format!("{one}/handled"), &json!({})).await.problem(422, "invalid_fields");
        privacy.post("/incidents/inc_none/handled", &note).await.problem(404, "not_found");
        let handled = privacy.post(&format!("{one}/handled"), &note).await.done(200);
        assert_eq!((&handled["status"], &handled["handled_by"], &handled["note"]), (&json!("handled"), &json!(officer_id), &note["note"]));
        privacy.post(&format!("{one}/handled"), &note).await.problem(409, "conflict");
        // Who reported it reads that it was handled, and no more; others read nothing.
        let theirs = async |api: &Api, query: &str| api.get(&format!("{path}{query}")).await.done(200)["items"].as_array().unwrap().clone();
        let read = theirs(&administrator, "").await;
        assert_eq!(read.iter().map(|one| &one["id"]).collect::<Vec<_>>(), [&json!(id)], "{read:?}");
        assert_eq!((&read[0]["status"], &read[0]["note"], &read[0]["handled_by"]), (&json!("handled"), &Value::Null, &Value::Null));
        assert!(theirs(&administrator, "?status=open").await.is_empty());
        assert_eq!(theirs(&privacy, "?status=handled").await[0]["note"], note["note"]);
        personnel(&server).await.0.get(&path).await.problem(404, "not_found");
        let ids = |found: &[Value]| found.iter().map(|one| one["id"].clone()).collect::<Vec<_>>();
        assert_eq!(ids(&queue(&privacy, "open").await), [first["id"].clone()]);
        assert_eq!(ids(&queue(&privacy, "handled").await), [json!(id)]);
        let page = privacy.get("/incidents?limit=1").await.done(200);
        let next = privacy.get(&format!("/incidents?limit=1&cursor={}", page["next"].as_str().unwrap())).await.done(200);
        assert_eq!((ids(page["items"].as_array().unwrap()), ids(next["items"].as_array().unwrap())), (vec![json!(id)], vec![first["id"].clone()]));
        assert_eq!(next["next"], Value::Null);
        privacy.get("/incidents?status=lost").await.problem(400, "invalid_parameter");

        // Three years after it was handled it is forgotten; what waits stays.
        server.advance(3 * 366 * DAY).await;
        let boss = operator(&server).await;
        assert!(queue(&boss, "handled").await.is_empty());
        assert_eq!(ids(&queue(&boss, "open").await), [first["id"].clone()]);
        server.kill();
    }

    async fn the_kill_switch_comes_into_the_queue_and_reports_are_bounded(mut server: TestServer) {
        let boss = operator(&server).await;
        let (software, company) = personnel(&server).await;
        let path = format!("/organizations/{company}/incidents");
        let body = json!({ "description": "Clé trouvée dans un dépôt public." });
        for _ in 0..20 {
            software.post(&path, &body).await.done(201);
        }
        let answer = software.post(&path, &body).await;
        answer.problem(429, "rate_limited");
        assert!(answer.header("retry-after").parse::<u64>().unwrap() > 3600);
        assert_eq!(boss.post(&path, &body).await.done(201)["kind"], "operator");
        server.advance(DAY + 60).await;
        let (boss, software) = (operator(&server).await, personnel(&server).await.0);
        software.post(&path, &body).await.done(201);
        let cfa = organization_of_kind(&server, "cfa");
        boss.post(&format!("/organizations/{cfa}/kill-switch"), &json!({ "reason": "vol d’un ordinateur" })).await.done(200);
        let newest = queue(&boss, "open").await[0].clone();
        assert_eq!((&newest["cause"], &newest["kind"], &newest["organization"]), (&json!("kill_switch"), &json!("operator"), &json!(cfa)));
        // A suspended organization still reports, and does nothing else.
        let suspended = json!({ "status": "suspended", "reason": "impayé", "breach": "Facture.", "remedy": "Régler." });
        boss.put(&format!("/organizations/{company}/status"), &suspended).await.done(200);
        let software = personnel(&server).await.0;
        software.post(&path, &body).await.done(201);
        server.kill();
    }
}

async fn the_address_of_the_data_protection_officer_is_told_and_nobody_else(engine: Engine) {
    const DPO: &str = "dpo@operateur.example";
    const SUBJECT: &str = "Incident signalé par une organisation";
    let mut server = TestServer::own_with(engine, &["--set", &format!("mail.dpo={DPO}")]).await;
    let (software, company) = personnel(&server).await;
    let body = json!({ "description": "Ordinateur volé." });
    software.post(&format!("/organizations/{company}/incidents"), &body).await.done(201);
    let texts = told(&server, DPO, SUBJECT).await;
    assert!(texts.len() == 1 && texts[0].contains("demo-hr") && texts[0].contains(&company), "{texts:?}");
    for kind in ["operator", "second factor operator"] {
        assert!(told(&server, &of_kind(&server, kind).login, SUBJECT).await.is_empty(), "{kind}");
    }
    server.kill();
}

on_both_engines! { the_address_of_the_data_protection_officer_is_told_and_nobody_else }
