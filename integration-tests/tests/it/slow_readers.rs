//! Long answers and rights that end meanwhile: whoever reads slowly does not keep what they lost (R033, R210).

use habilis_integration_tests::api::ALL;
use habilis_integration_tests::{Api, Person, TestServer};
use serde_json::{Value, json};

use crate::api::{all, operator, personnel};
use crate::imports::{checked, path_of};
use crate::measures::{lift, suspension};

/// A line of the later pieces of everything that is kept of an organization: the one behind what was taken is read already.
const LATER: &str = "\"type\":\"audit\"";
/// The last one.
const END: &str = "\"type\":\"end\"";

/// The administrator of the organization with an authenticator app.
fn chief_of(server: &TestServer, organization: &str) -> Person {
    let of = |person: &&Person| person.organization.as_ref().is_some_and(|it| it.id == organization);
    server.people.iter().filter(of).find(|person| person.kind == "second factor administrator").unwrap().clone()
}

/// Who was told in the trail to have lost the right meanwhile, the last first.
async fn lost(boss: &Api, organization: &str) -> Vec<Value> {
    let lines = all(boss, &format!("/organizations/{organization}/audit")).await;
    let meanwhile = |line: &Value| line["detail"]["reason"] == "taken_away_meanwhile";
    lines.into_iter().filter(meanwhile).map(|line| line["actor"].clone()).collect()
}

#[track_caller]
fn broken_off((text, whole): (String, bool)) {
    assert!(!whole && !text.is_empty() && !text.contains(LATER) && !text.contains(END), "{whole} {text}");
}

own_journeys! {
    async fn after_the_kill_switch_a_slow_reader_takes_no_further_piece(mut server: TestServer) {
        let (_, organization) = personnel(&server).await;
        let (boss, of) = (operator(&server).await, format!("/organizations/{organization}"));
        let export = format!("{of}/export.jsonl");
        let chief = Api::of_person(&server, &chief_of(&server, &organization), ALL).await;
        let me = chief.get("/me").await.done(200)["id"].clone();
        let (text, whole) = chief.slowly(&export).await.rest().await;
        assert!(whole && text.contains(LATER) && text.lines().last().unwrap().contains(END), "{text}");
        let reader = chief.slowly(&export).await;
        boss.post(&format!("{of}/kill-switch"), &json!({ "reason": "poste volé" })).await.done(200);
        broken_off(reader.rest().await);
        assert_eq!(lost(&boss, &organization).await, [me]);
        server.kill();
    }

    async fn who_is_removed_takes_no_further_piece_of_an_export(mut server: TestServer) {
        let (program, organization) = personnel(&server).await;
        let (boss, of) = (operator(&server).await, format!("/organizations/{organization}"));
        let export = format!("{of}/export.jsonl");
        let chief = Api::of_person(&server, &chief_of(&server, &organization), ALL).await;
        let me = chief.get("/me").await.done(200)["id"].clone();
        let reader = chief.slowly(&export).await;
        let removed = program.delete(&format!("{of}/members/{}", me.as_str().unwrap())).await;
        assert_eq!(removed.status, 204, "{}", removed.body);
        broken_off(reader.rest().await);
        assert_eq!(lost(&boss, &organization).await, [me]);
        server.kill();
    }

    async fn a_program_takes_nothing_more_of_an_organization_that_is_suspended_or_of_others(mut server: TestServer) {
        const ROWS: usize = 2100;
        let (program, organization) = personnel(&server).await;
        let (boss, of) = (operator(&server).await, format!("/organizations/{organization}"));
        let rows = (0..ROWS).map(|number| format!("Kervadec;Maëlys;lent{number}@import.example\r\n")).collect::<Vec<_>>().concat();
        let import = checked(&boss, &organization, format!("Nom;Prénom;Courriel\r\n{rows}")).await;
        let (export, report) = (format!("{of}/export.jsonl"), format!("{}/report.csv", path_of(&organization, &import)));
        let (text, whole) = program.slowly(&report).await.rest().await;
        assert!(whole && text.lines().count() == ROWS + 1, "{}", text.lines().count());

        let (lines, table) = (program.slowly(&export).await, program.slowly(&report).await);
        boss.put(&format!("{of}/status"), &suspension()).await.done(200);
        broken_off(lines.rest().await);
        let (text, whole) = table.rest().await;
        assert!(!whole && text.lines().count() <= 2001, "a thousand rows are a piece, and one is read already: {}", text.lines().count());
        assert_eq!(lost(&boss, &organization).await, ["demo-hr", "demo-hr"]);
        // The operator reads on.
        let (text, whole) = boss.slowly(&report).await.rest().await;
        assert!(whole && text.lines().count() == ROWS + 1, "{}", text.lines().count());

        // Closed as a client, and open again: what was begun before does not go on.
        boss.put(&format!("{of}/status"), &lift()).await.done(200);
        let (program, _) = personnel(&server).await;
        let reader = program.slowly(&export).await;
        let mut closed = suspension();
        closed["banner"] = json!({ "fr": "Fermé.", "en": "Closed." });
        server.advance(2).await;
        boss.put("/portals/demo-hr/status", &closed).await.done(200);
        boss.put("/portals/demo-hr/status", &lift()).await.done(200);
        broken_off(reader.rest().await);
        server.kill();
    }

    async fn the_end_of_a_subscription_ends_what_is_being_read(mut server: TestServer) {
        let boss = operator(&server).await;
        crate::seats::product(&boss, "lent").await;
        let (_, organization) = personnel(&server).await;
        let of = format!("/organizations/{organization}");
        server.advance_to_noon().await;
        let boss = operator(&server).await;
        let (today, last) = (crate::api::in_days(&server, 0).await, crate::api::in_days(&server, 1).await);
        let form = json!({ "number": "BC-LENT", "product": "lent", "seats": 5, "effect_on": today, "last_day": last, "renewal": "none" });
        crate::subscriptions::set_out(&boss, &organization, form).await;
        server.advance(24 * 60 * 60).await;
        let (program, _) = personnel(&server).await;
        let reader = program.slowly(&format!("{of}/export.jsonl")).await;
        server.advance(24 * 60 * 60).await;
        broken_off(reader.rest().await);
        // By who may export for thirty days: over is over for them, too.
        let boss = operator(&server).await;
        let agreed = json!({ "export_after_end": true, "reference": "Avenant 3" });
        boss.put(&format!("{of}/data-return/agreements"), &agreed).await.done(200);
        let (program, _) = personnel(&server).await;
        let reader = program.slowly(&format!("{of}/export.jsonl")).await;
        server.advance(31 * 24 * 60 * 60).await;
        broken_off(reader.rest().await);
        server.kill();
    }
}
