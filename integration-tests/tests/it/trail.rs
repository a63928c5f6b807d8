//! What is read of the audit trail: all of it by the operator's staff, and by an organization that the operator acted, not who (R036, R085).

use habilis_integration_tests::api::ALL;
use habilis_integration_tests::{Api, TestServer};
use serde_json::{Value, json};

use crate::api::{all, of_kind, operator, personnel};
use crate::measures::{lift, suspension};

/// The newest line of this name of which `wanted` holds.
#[track_caller]
fn line<'a>(trail: &'a [Value], event: &str, wanted: impl Fn(&Value) -> bool) -> &'a Value {
    let found = trail.iter().find(|line| line["event"] == event && wanted(line));
    found.unwrap_or_else(|| panic!("no such {event}: {trail:?}"))
}

/// As the organization reads the suspension by the operator.
#[track_caller]
fn anonymous(trail: &[Value]) {
    let suspended = line(trail, "organization.status_changed", |line| line["detail"]["after"] == "suspended");
    assert_eq!((&suspended["actor"], &suspended["address"]), (&json!("operator"), &Value::Null), "{suspended}");
    assert_eq!(suspended["detail"]["breach"], "Compte partagé.", "{suspended}");
    assert!(suspended["detail"].get("reason").is_none() && suspended["request_id"].is_string(), "{suspended}");
}

own_journeys! {
    async fn an_organization_reads_that_the_operator_acted_and_staff_reads_who_and_why(mut server: TestServer) {
        let (_, organization) = personnel(&server).await;
        let (boss, of) = (operator(&server).await, format!("/organizations/{organization}"));
        let audit = format!("{of}/audit");
        let chief = Api::of_person(&server, &of_kind(&server, "second factor operator"), ALL).await;
        let chief_id = chief.get("/me").await.done(200)["id"].as_str().unwrap().to_owned();
        chief.put(&format!("{of}/status"), &suspension()).await.done(200);
        chief.put(&format!("{of}/status"), &lift()).await.done(200);
        let contact = |name: &str| json!({ "duty": "billing", "name": name, "email": "compta@societe.example" });
        let theirs = boss.post(&format!("{of}/contacts"), &contact("Anne Faure")).await.done(201)["id"].clone();
        let mut within = server.people.iter().filter(|person| person.organization.as_ref().is_some_and(|it| it.id == organization));
        let person = within.find(|person| person.kind == "administrator").unwrap().clone();
        let administrator = Api::of_person(&server, &person, ALL).await;
        let me = administrator.get("/me").await.done(200)["id"].as_str().unwrap().to_owned();
        let ours = administrator.post(&format!("{of}/contacts"), &contact("Jean Faure")).await.done(201)["id"].clone();

        // Their administrator: the operator's staff and automation are one; their own people are who they are.
        let trail = all(&administrator, &audit).await;
        anonymous(&trail);
        let by_automation = line(&trail, "contact.created", |line| line["detail"]["contact"] == theirs);
        let (actor, client) = (&by_automation["actor"], &by_automation["client_id"]);
        assert_eq!((actor, client, &by_automation["address"]), (&json!("operator"), &Value::Null, &Value::Null));
        let by_us = line(&trail, "contact.created", |line| line["detail"]["contact"] == ours);
        assert!(by_us["actor"] == me && by_us["address"].is_string() && by_us["client_id"].is_string(), "{by_us}");
        let text = json!(trail).to_string();
        for hidden in [chief_id.as_str(), "demo-automation", "partage constaté"] {
            assert!(!text.contains(hidden), "{hidden}");
        }
        // Their software, and everything that is kept of them: the same lines.
        let (program, _) = personnel(&server).await;
        let exported = program.get(&format!("{of}/export.jsonl")).await;
        assert_eq!(exported.status, 200, "{}", exported.body);
        let lines = exported.body.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let kept: Vec<_> = lines.filter(|line| line["type"] == "audit").map(|line| line["data"].clone()).collect();
        anonymous(&kept);
        assert!(trail.iter().all(|line| kept.contains(line)), "{kept:?}");
        for hidden in [chief_id.as_str(), "partage constaté"] {
            assert!(!exported.body.contains(hidden), "{hidden}");
            assert!(!program.get(&format!("{of}/events?limit=200")).await.body.contains(hidden), "{hidden}");
        }
        // Staff reads all of it.
        let whole = all(&boss, &audit).await;
        let suspended = line(&whole, "organization.status_changed", |line| line["detail"]["after"] == "suspended");
        assert!(suspended["actor"] == chief_id && suspended["address"].is_string(), "{suspended}");
        assert_eq!(suspended["detail"]["reason"], "partage constaté", "{suspended}");

        // Who was of the staff when they acted stays unnamed.
        server.rewrite(&format!("UPDATE people SET operator = FALSE WHERE id = '{chief_id}'")).await;
        anonymous(&all(&personnel(&server).await.0, &audit).await);
        server.kill();
    }

    async fn people_read_what_others_did_to_their_account_and_not_from_where(mut server: TestServer) {
        let (boss, person) = (operator(&server).await, server.learner().clone());
        let found = boss.get(&format!("/people?q={}", person.login)).await.done(200);
        let status = format!("/people/{}/status", found["items"][0]["id"].as_str().unwrap());
        boss.put(&status, &suspension()).await.done(200);
        boss.put(&status, &lift()).await.done(200);
        let learner = Api::of_person(&server, &person, ALL).await;
        let activity = all(&learner, "/me/activity").await;
        let suspended = line(&activity, "person.status_changed", |_| true);
        assert_eq!((&suspended["address"], &suspended["client_id"]), (&Value::Null, &Value::Null), "{suspended}");
        assert!(line(&activity, "session.started", |_| true)["address"].is_string(), "{activity:?}");
        server.kill();
    }
}
