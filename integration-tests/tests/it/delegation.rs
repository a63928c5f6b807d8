//! Successions (R053), the operator's overrides (R054), and reviews of access (R052, R057).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use habilis_integration_tests::api::ALL;
use habilis_integration_tests::{Answer, Api, Inbox, Person, TestServer};
use serde_json::{Value, json};
use tokio::sync::Barrier;

use crate::api::{
    in_days, invited, new_member, new_organization, of_kind, operator, organization_of_kind, personnel, software_of,
    two_operators,
};

const DAY: u64 = 86_400;

fn texts<'a>(list: &'a Value, member: &str) -> Vec<&'a str> {
    list["items"].as_array().unwrap().iter().map(|item| item[member].as_str().unwrap_or_default()).collect()
}

/// Ids of an organization's members with a role and an open account.
async fn members_of(api: &Api, organization: &str, role: &str) -> Vec<String> {
    let found = api.get(&format!("/organizations/{organization}/members?role={role}&limit=200")).await.done(200);
    let active = found["items"].as_array().unwrap().iter().filter(|member| member["account_status"] == "active");
    active.map(|member| member["id"].as_str().unwrap().to_owned()).collect()
}

/// The role a member has now; none for somebody who is none.
async fn role(api: &Api, organization: &str, person: &str) -> Option<String> {
    let answer = api.get(&format!("/organizations/{organization}/members/{person}")).await;
    (answer.status == 200).then(|| answer.json()["role"].as_str().unwrap().to_owned())
}

async fn events(api: &Api, organization: &str) -> Vec<String> {
    let trail = api.get(&format!("/organizations/{organization}/audit?limit=200")).await.done(200);
    texts(&trail, "event").into_iter().map(str::to_owned).collect()
}

fn administrator(server: &TestServer, organization: &str) -> Person {
    let of = |person: &&Person| person.organization.as_ref().is_some_and(|it| it.id == organization);
    server.people.iter().filter(of).find(|person| person.kind == "administrator").unwrap().clone()
}

/// Leaves the person of the demonstration alone at the head of an organization; gives its software too.
async fn alone(server: &mut TestServer, organization: &str) -> (Person, Api) {
    let person = administrator(server, organization);
    let (_, software) = software_of(server, organization).await;
    let members = format!("/organizations/{organization}/members");
    let found = software.get(&format!("{members}?role=administrator&limit=200")).await.done(200);
    for other in found["items"].as_array().unwrap().iter().filter(|item| item["login"] != *person.login) {
        let role = format!("{members}/{}/role", other["id"].as_str().unwrap());
        software.put(&role, &json!({ "role": "member" })).await.done(200);
    }
    (person, software)
}

fn pdf() -> Vec<u8> {
    [b"%PDF-1.7\n".to_vec(), vec![7; 40_000]].concat()
}

async fn upload(api: &Api, path: &str, kind: &str, bytes: Vec<u8>) -> Answer {
    api.send(api.request("PUT", path).header("content-type", kind).body(bytes)).await
}

own_journeys! {
    async fn an_administrator_leaves_and_another_takes_over(mut server: TestServer) {
        let organization = organization_of_kind(&server, "cfa");
        let (person, software) = alone(&mut server, &organization).await;
        let boss = operator(&server).await;
        let of = format!("/organizations/{organization}");
        let contact = json!({ "duty": "signatory", "name": "Anne Prévost", "email": "signataire@cfa.example" });
        boss.post(&format!("{of}/contacts"), &contact).await.done(201);
        let leaving = Api::of_person(&server, &person, ALL).await;
        let me = leaving.get("/me").await.done(200)["id"].as_str().unwrap().to_owned();
        let successor = members_of(&boss, &organization, "member").await.remove(0);

        // The last administrator cannot go, and is told where to ask.
        let refused = software.delete(&format!("{of}/members/{me}")).await.problem(409, "last_administrator");
        assert_eq!(refused["successions"], format!("/api/v1{of}/successions"));
        let successions = format!("{of}/successions");
        let pending = invited(&boss, &organization, &new_member("pas.encore")).await;
        for (successor, code) in [(pending.as_str(), "not_eligible"), (me.as_str(), "not_eligible"), ("usr_nobody", "not_eligible")] {
            let body = json!({ "successor": successor, "reason": "départ" });
            let problem = leaving.post(&successions, &body).await.problem(422, "invalid_fields");
            assert_eq!((&problem["errors"][0]["pointer"], &problem["errors"][0]["code"]), (&json!("/successor"), &json!(code)));
        }
        let body = json!({ "leaving": successor, "successor": me, "reason": "départ" });
        let problem = leaving.post(&successions, &body).await.problem(422, "invalid_fields");
        assert_eq!(problem["errors"][0]["pointer"], "/leaving");
        for day in ["2001-01-01".to_owned(), in_days(&server, 400).await] {
            let body = json!({ "successor": successor, "reason": "départ", "effective_on": day });
            leaving.post(&successions, &body).await.problem(422, "invalid_fields");
        }

        // Nor somebody who leaves before it.
        let member = format!("{of}/members/{successor}");
        boss.patch(&member, "*", &json!({ "ends_on": in_days(&server, 5).await })).await.done(200);
        for (day, status) in [(6, 422), (5, 422), (4, 201)] {
            let body = json!({ "successor": successor, "reason": "départ", "effective_on": in_days(&server, day).await });
            let answer = leaving.post(&successions, &body).await;
            assert_eq!(answer.status, status, "{}", answer.body);
            if status == 201 {
                let one = format!("{successions}/{}", answer.json()["id"].as_str().unwrap());
                leaving.post(&format!("{one}/withdraw"), &json!({})).await.done(200);
            }
        }
        boss.patch(&member, "*", &json!({ "ends_on": null })).await.done(200);

        let body = json!({ "successor": successor, "reason": "Départ à la retraite.", "afterwards": "removed" });
        let asked = leaving.post(&successions, &body).await.done(201);
        assert_eq!((&asked["status"], &asked["leaving"]), (&json!("requested"), &json!(me)));
        leaving.post(&successions, &body).await.problem(409, "conflict");
        let one = format!("{successions}/{}", asked["id"].as_str().unwrap());
        // Neither who asked nor a program approves; the operator finds what waits, and needs a strong sign-in.
        let none = json!({});
        let refused = leaving.post(&format!("{one}/approve"), &none).await;
        assert!([401, 403].contains(&refused.status), "{}", refused.body);
        boss.post(&format!("{one}/approve"), &none).await.problem(403, "forbidden");
        assert_eq!(texts(&boss.get("/successions").await.done(200), "id"), [asked["id"].as_str().unwrap()]);
        leaving.get("/successions").await.problem(403, "forbidden");
        let chief = Api::of_person(&server, &of_kind(&server, "second factor operator"), ALL).await;
        let done = chief.post(&format!("{one}/approve"), &json!({ "note": "vu" })).await.done(200);
        assert_eq!((&done["status"], &done["note"]), (&json!("done"), &json!("vu")));
        chief.post(&format!("{one}/approve"), &none).await.problem(409, "conflict");
        assert_eq!(role(&boss, &organization, &successor).await.as_deref(), Some("administrator"));
        assert_eq!(role(&boss, &organization, &me).await, None);
        // They belong nowhere else: their token died with the membership.
        leaving.get(&of).await.problem(401, "invalid_token");
        let mails = Inbox::of(&server).to("signataire@cfa.example").await;
        // That they are the signatory, two requests for a succession, and its end, which is told once.
        assert_eq!(mails.len(), 4, "{mails:?}");
        let trail = events(&boss, &organization).await;
        for name in ["succession.requested", "succession.approved", "succession.done", "member.role_changed", "member.removed"] {
            assert!(trail.iter().any(|event| event == name), "{name}: {trail:?}");
        }
        server.kill();
    }

    async fn a_succession_waits_for_its_day_and_can_fail_or_be_withdrawn(mut server: TestServer) {
        let organization = organization_of_kind(&server, "training_body");
        let (program, software) = software_of(&mut server, &organization).await;
        let boss = operator(&server).await;
        let of = format!("/organizations/{organization}");
        let successions = format!("{of}/successions");
        let weak = Api::of_person(&server, &administrator(&server, &organization), ALL).await;
        let me = weak.get("/me").await.done(200)["id"].as_str().unwrap().to_owned();
        let heirs = members_of(&boss, &organization, "member").await;
        let strong = Api::of_person(&server, &of_kind(&server, "second factor administrator"), ALL).await;

        // Asked for, declined; asked for, approved for a day, withdrawn; asked for, approved for a day.
        let day = in_days(&server, 10).await;
        let body = json!({ "successor": heirs[0], "reason": "mutation", "effective_on": day });
        let ask = async || weak.post(&successions, &body).await.done(201)["id"].as_str().unwrap().to_owned();
        let first = ask().await;
        let declined = strong.post(&format!("{successions}/{first}/decline"), &json!({ "note": "pas lui" })).await.done(200);
        assert_eq!(declined["status"], "declined");
        let second = ask().await;
        strong.post(&format!("{successions}/{second}/withdraw"), &json!({})).await.problem(403, "forbidden");
        assert_eq!(strong.post(&format!("{successions}/{second}/approve"), &json!({})).await.done(200)["status"], "approved");
        assert_eq!(role(&boss, &organization, &heirs[0]).await.as_deref(), Some("member"));
        assert_eq!(weak.post(&format!("{successions}/{second}/withdraw"), &json!({})).await.done(200)["status"], "withdrawn");
        let third = ask().await;
        // Two approve at once: one does.
        let barrier = Arc::new(Barrier::new(2));
        let mut tasks = Vec::new();
        for _ in 0..2 {
            let (api, barrier, path) = (strong.clone(), Arc::clone(&barrier), format!("{successions}/{third}/approve"));
            tasks.push(tokio::spawn(async move {
                barrier.wait().await;
                api.post(&path, &json!({})).await.status
            }));
        }
        let mut statuses = Vec::new();
        for task in tasks {
            statuses.push(task.await.unwrap());
        }
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409]);
        // Another waits whose successor will not be there.
        let body = json!({ "leaving": me, "successor": heirs[1], "reason": "bis", "effective_on": day });
        software.post(&successions, &body).await.problem(409, "conflict");
        // A succession is asked for by the organization, not by the operator (R054).
        assert_eq!(boss.post(&successions, &body).await.problem(403, "forbidden")["policy"], "organization-appoints");

        server.advance(9 * DAY).await;
        let boss = operator(&server).await;
        assert_eq!(boss.get(&format!("{successions}/{third}")).await.done(200)["status"], "approved");
        server.advance(DAY).await;
        let boss = operator(&server).await;
        assert_eq!(boss.get(&format!("{successions}/{third}")).await.done(200)["status"], "done");
        assert_eq!(role(&boss, &organization, &heirs[0]).await.as_deref(), Some("administrator"));
        assert_eq!(role(&boss, &organization, &me).await.as_deref(), Some("member"));

        // The successor is gone before the day: it fails, and says why; nothing changed.
        let body = json!({ "leaving": heirs[0], "successor": heirs[1], "reason": "ter", "effective_on": in_days(&server, 5).await });
        let strong = Api::of_person(&server, &of_kind(&server, "second factor administrator"), ALL).await;
        let software = Api::of_program(&server, &program, ALL).await;
        let failing = software.post(&successions, &body).await.done(201)["id"].as_str().unwrap().to_owned();
        strong.post(&format!("{successions}/{failing}/approve"), &json!({})).await.done(200);
        let suspended = json!({ "status": "suspended", "reason": "absence" });
        boss.put(&format!("{of}/members/{}/status", heirs[1]), &suspended).await.done(200);
        server.advance(5 * DAY).await;
        let boss = operator(&server).await;
        let failed = boss.get(&format!("{successions}/{failing}")).await.done(200);
        assert_eq!(failed["status"], "failed", "{failed}");
        assert_eq!(role(&boss, &organization, &heirs[0]).await.as_deref(), Some("administrator"));
        assert!(events(&boss, &organization).await.iter().any(|event| event == "succession.failed"));
        server.kill();
    }

    async fn the_operator_overrides_on_a_written_request_that_a_second_operator_checked(mut server: TestServer) {
        let organization = organization_of_kind(&server, "cfa");
        alone(&mut server, &organization).await;
        let boss = operator(&server).await;
        let of = format!("/organizations/{organization}");
        let contact = json!({ "duty": "signatory", "name": "Anne Prévost", "email": "signataire@cfa.example" });
        boss.post(&format!("{of}/contacts"), &contact).await.done(201);
        let (chief, second) = two_operators(&server).await;
        let [last] = &members_of(&boss, &organization, "administrator").await[..] else { panic!("one administrator") };
        let overrides = format!("{of}/overrides");
        let body = json!({
            "person": last, "outcome": "removed", "signed_by": "Anne Prévost", "capacity": "présidente",
            "verification": "Extrait Kbis du jour, rappel au numéro du registre.", "reason": "L’administrateur est injoignable.",
        });
        // Programs do not do this, nor do the organization's administrators.
        boss.post(&overrides, &body).await.problem(403, "forbidden");
        let own = Api::of_person(&server, &administrator(&server, &organization), ALL).await;
        own.post(&overrides, &body).await.problem(403, "forbidden");
        let mut wrong = body.clone();
        wrong["outcome"] = json!("administrator");
        chief.post(&overrides, &wrong).await.problem(422, "invalid_fields");
        let asked = chief.post(&overrides, &body).await.done(201);
        let one = format!("{overrides}/{}", asked["id"].as_str().unwrap());
        assert_eq!((&asked["document"], &asked["status"]), (&Value::Null, &json!("requested")));
        let none = json!({});
        second.post(&format!("{one}/approve"), &none).await.problem(422, "invalid_fields");
        let approval = |sha256: &str| json!({ "document_sha256": sha256 });
        second.post(&format!("{one}/approve"), &approval("0")).await.problem(409, "document_missing");

        let document = format!("{one}/document");
        upload(&chief, &document, "application/pdf", b"<html>".to_vec()).await.problem(415, "unsupported_media_type");
        upload(&chief, &document, "image/png", pdf()).await.problem(415, "unsupported_media_type");
        upload(&chief, &document, "application/pdf", vec![b'x'; 5 * 1024 * 1024 + 1]).await.problem(413, "too_large");
        upload(&second, &document, "application/pdf", pdf()).await.problem(409, "conflict");
        let with = upload(&chief, &document, "application/pdf", pdf()).await.done(200);
        assert_eq!((&with["document"]["size"], &with["document"]["kept"]), (&json!(pdf().len()), &json!(true)));
        let sha256 = with["document"]["sha256"].as_str().unwrap();
        assert_eq!(sha256.len(), 64);
        // The organization sees that it is asked for, not the document.
        assert_eq!(texts(&own.get(&overrides).await.done(200), "id"), [asked["id"].as_str().unwrap()]);
        own.get(&document).await.problem(403, "forbidden");
        let read = second.get(&document).await;
        assert_eq!((read.status, read.header("content-type"), read.header("content-disposition")), (200, "application/pdf", "attachment"));
        chief.post(&format!("{one}/approve"), &approval(sha256)).await.problem(403, "forbidden");
        // Another document since it was read: what is approved is what was read.
        let other = [pdf(), vec![8]].concat();
        let exchanged = upload(&chief, &document, "application/pdf", other).await.done(200);
        let problem = second.post(&format!("{one}/approve"), &approval(sha256)).await.problem(409, "document_changed");
        assert_eq!(problem["sha256"], exchanged["document"]["sha256"]);
        assert_eq!(second.get(&one).await.done(200)["status"], "requested");
        upload(&chief, &document, "application/pdf", pdf()).await.done(200);
        let done = second.post(&format!("{one}/approve"), &approval(sha256)).await.done(200);
        assert_eq!(done["status"], "done");
        assert_eq!(role(&boss, &organization, last).await, None);
        upload(&chief, &document, "application/pdf", pdf()).await.problem(409, "conflict");
        let trail = boss.get(&format!("{of}/audit?limit=200")).await.done(200);
        let line = trail["items"].as_array().unwrap().iter().find(|line| line["event"] == "override.done").unwrap();
        assert_eq!((&line["detail"]["sha256"], &line["detail"]["administrators_left"]), (&json!(sha256), &json!(0)));
        // That they are the signatory, three uploads, and the end, which is told once.
        assert_eq!(Inbox::of(&server).to("signataire@cfa.example").await.len(), 5);

        // Another is appointed the same way; one nobody decides lapses.
        let heir = members_of(&boss, &organization, "member").await.remove(0);
        let mut body = body;
        (body["person"], body["outcome"]) = (json!(heir), json!("administrator"));
        let asked = second.post(&overrides, &body).await.done(201)["id"].as_str().unwrap().to_owned();
        upload(&second, &format!("{overrides}/{asked}/document"), "application/pdf", pdf()).await.done(200);
        chief.post(&format!("{overrides}/{asked}/approve"), &approval(sha256)).await.done(200);
        assert_eq!(role(&boss, &organization, &heir).await.as_deref(), Some("administrator"));
        body["outcome"] = json!("member");
        let lapsing = second.post(&overrides, &body).await.done(201)["id"].as_str().unwrap().to_owned();
        upload(&second, &format!("{overrides}/{lapsing}/document"), "application/pdf", pdf()).await.done(200);
        server.advance(31 * DAY).await;
        let boss = operator(&server).await;
        let lapsed = boss.get(&format!("{overrides}/{lapsing}")).await.done(200);
        assert_eq!((&lapsed["status"], &lapsed["document"]["kept"]), (&json!("expired"), &json!(false)));
        server.kill();
    }

    async fn access_is_reviewed_and_signed_off(mut server: TestServer) {
        let boss = operator(&server).await;
        let organization = organization_of_kind(&server, "company");
        let of = format!("/organizations/{organization}");
        let reviews = format!("{of}/reviews");
        let api = Api::of_person(&server, &administrator(&server, &organization), ALL).await;
        let me = api.get("/me").await.done(200)["id"].as_str().unwrap().to_owned();
        let members = members_of(&boss, &organization, "member").await;
        let others: Vec<_> = members_of(&boss, &organization, "administrator").await.into_iter().filter(|id| *id != me).collect();
        let gone = invited(&boss, &organization, &new_member("bientot.parti")).await;

        // Somebody who signed in long ago, and never, is found before those who did today.
        let inactive = api.get(&format!("{of}/inactive-members?days=1")).await.done(200);
        assert_eq!(inactive["items"], json!([]), "nobody is a member since before yesterday");
        api.get(&format!("{of}/inactive-members?days=0")).await.problem(400, "invalid_parameter");

        api.post(&reviews, &json!({ "due_on": "2001-01-01" })).await.problem(422, "invalid_fields");
        let opened = api.post(&reviews, &json!({})).await.done(201);
        let one = format!("{reviews}/{}", opened["id"].as_str().unwrap());
        let total = members.len() + others.len() + 2;
        assert_eq!((&opened["members"], &opened["decided"]), (&json!(total), &json!(0)));
        api.post(&reviews, &json!({})).await.problem(409, "conflict");
        let mail = Inbox::of(&server).to(&administrator(&server, &organization).login).await;
        assert!(mail.iter().any(|mail| mail.text.contains(&total.to_string())), "{mail:?}");

        let decide = async |api: &Api, people: &[&String], decision: &str| {
            let decisions: Vec<_> = people.iter().map(|person| json!({ "person": person, "decision": decision })).collect();
            api.post(&format!("{one}/decisions"), &json!({ "decisions": decisions })).await
        };
        decide(&api, &[&me], "keep").await.problem(403, "forbidden");
        let nobody = "usr_nobody".to_owned();
        let problem = decide(&api, &[&members[0], &nobody], "keep").await.problem(422, "invalid_fields");
        assert_eq!(problem["errors"][0]["pointer"], "/decisions/1/person");
        assert_eq!(api.get(&one).await.done(200)["decided"], 0, "all or none");
        decide(&api, &[&members[0]], "remove").await.done(200);
        decide(&api, &[&members[1]], "suspend").await.done(200);
        decide(&api, &others.iter().collect::<Vec<_>>(), "keep").await.done(200);
        assert_eq!(boss.delete(&format!("{of}/members/{gone}")).await.status, 204);
        let statement = json!({ "statement": "Les accès restants correspondent aux besoins." });
        let problem = api.post(&format!("{one}/sign-off"), &statement).await.problem(409, "review_incomplete");
        assert_eq!(problem["left"], 1);
        // Their own access is for somebody else: there are other administrators.
        let left = api.get(&format!("{one}/items?decision=undecided")).await.done(200);
        assert!(texts(&left, "person").contains(&me.as_str()), "{left}");
        decide(&boss, &[&me], "keep").await.done(200);
        assert_eq!(role(&boss, &organization, &members[0]).await.as_deref(), Some("member"), "nothing before the signature");
        let signed = api.post(&format!("{one}/sign-off"), &statement).await.done(200);
        assert_eq!((&signed["status"], &signed["members"], &signed["decided"]), (&json!("signed_off"), &json!(total), &json!(total)));
        assert_eq!(role(&boss, &organization, &members[0]).await, None);
        let suspended = boss.get(&format!("{of}/members/{}", members[1])).await.done(200);
        assert_eq!(suspended["status"], "suspended");
        decide(&api, &[&members[1]], "keep").await.problem(409, "conflict");
        api.post(&format!("{one}/sign-off"), &statement).await.problem(409, "conflict");

        // The evidence says it all, and always the same.
        let evidence = api.get(&format!("{one}/evidence")).await;
        assert_eq!(signed["evidence_sha256"], sha256_of(evidence.body.as_bytes()));
        let digest = ring::digest::digest(&ring::digest::SHA256, evidence.body.as_bytes());
        assert_eq!(evidence.header("repr-digest"), format!("sha-256=:{}:", STANDARD.encode(digest)));
        let lines: Vec<Value> = evidence.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((lines.len(), &lines[0]["signed_by"]), (total + 1, &json!(me)));
        let decision = |person: &String| lines.iter().find(|line| line["person"] == **person).unwrap()["decision"].clone();
        assert_eq!((decision(&members[0]), decision(&gone), decision(&me)), (json!("remove"), json!("gone"), json!("keep")));
        assert_eq!(boss.get(&format!("{one}/evidence")).await.body, evidence.body);
        server.kill();
    }

    async fn reviews_open_by_themselves_and_administrators_are_reminded(mut server: TestServer) {
        server.advance_to_noon().await;
        let organization = organization_of_kind(&server, "cfa");
        let reviews = format!("/organizations/{organization}/reviews");
        let (administrator, _) = alone(&mut server, &organization).await;
        assert_eq!(operator(&server).await.get(&reviews).await.done(200)["items"], json!([]));
        let letters = async |server: &TestServer| {
            let mails = Inbox::of(server).to(&administrator.login).await;
            mails.iter().filter(|mail| mail.subject.contains("revue des accès")).count()
        };
        server.advance(93 * DAY).await;
        for _ in 0..2 {
            let boss = operator(&server).await;
            let found = boss.get(&reviews).await.done(200);
            assert_eq!((texts(&found, "status"), texts(&found, "opened_by")), (vec!["open"], vec!["schedule"]), "{found}");
            assert_eq!(letters(&server).await, 1);
        }
        // A week before the end, and the day after.
        for (days, expected) in [(22, 1), (1, 2), (7, 2), (1, 3), (20, 3)] {
            server.advance(days * DAY).await;
            assert_eq!(letters(&server).await, expected, "after {days} more days");
        }
        // The only administrator cannot look at their own access; the evidence says so.
        let boss = operator(&server).await;
        let one = format!("{reviews}/{}", texts(&boss.get(&reviews).await.done(200), "id")[0]);
        let api = Api::of_person(&server, &administrator, ALL).await;
        let me = api.get("/me").await.done(200)["id"].as_str().unwrap().to_owned();
        let items = api.get(&format!("{one}/items?limit=200")).await.done(200);
        let decisions: Vec<_> = texts(&items, "person").into_iter().filter(|person| *person != me)
            .map(|person| json!({ "person": person, "decision": "keep", "note": "en poste" })).collect();
        api.post(&format!("{one}/decisions"), &json!({ "decisions": decisions })).await.done(200);
        api.post(&format!("{one}/sign-off"), &json!({ "statement": "Vu." })).await.done(200);
        let own = api.get(&format!("{one}/items?decision=own")).await.done(200);
        assert_eq!(texts(&own, "person"), [me.as_str()]);
        // The next one comes in its turn, and those who stayed away are found.
        server.advance(60 * DAY).await;
        let boss = operator(&server).await;
        assert_eq!(texts(&boss.get(&reviews).await.done(200), "status"), ["open", "signed_off"]);
        let inactive = boss.get(&format!("/organizations/{organization}/inactive-members?days=50")).await.done(200);
        assert!(texts(&inactive, "person").contains(&me.as_str()), "{inactive}");
        let never: Vec<_> = inactive["items"].as_array().unwrap().iter().map(|item| item["signed_in_at"].is_null()).collect();
        assert!(never[0] && !never[never.len() - 1], "those who never did come first: {inactive}");
        server.kill();
    }
}

fn sha256_of(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

journeys! {
    async fn an_empty_organization_has_nothing_to_review(server: &TestServer) {
        let boss = operator(server).await;
        let organization = new_organization(&boss, "Personne").await;
        let reviews = format!("/organizations/{organization}/reviews");
        let one = boss.post(&reviews, &json!({})).await.done(201)["id"].as_str().unwrap().to_owned();
        boss.get(&format!("{reviews}/{one}/evidence")).await.problem(404, "not_found");
        assert_eq!(boss.post(&format!("{reviews}/{one}/cancel"), &json!({ "reason": "rien à voir" })).await.done(200)["status"], "cancelled");
        boss.post(&format!("{reviews}/{one}/sign-off"), &json!({ "statement": "Vu." })).await.problem(409, "conflict");
    }
}

own_journeys! {
    /// Leave is asked for before the transaction: whoever lost it by then writes nothing.
    async fn who_is_no_administrator_any_more_writes_nothing(mut server: TestServer) {
        const WRITES: usize = 12;
        let organization = organization_of_kind(&server, "company");
        let of = format!("/organizations/{organization}");
        let (boss, software) = (operator(&server).await, personnel(&server).await.0);
        let person = administrator(&server, &organization);
        let api = Api::of_person(&server, &person, ALL).await;
        let me = api.get("/me").await.done(200)["id"].as_str().unwrap().to_owned();
        // Another administrator of theirs, so that both hold the organization before they take the time.
        let within = |other: &&Person| other.organization.as_ref().is_some_and(|it| it.id == organization);
        let chief = server.people.iter().filter(within).find(|other| other.kind == "second factor administrator").unwrap();
        let chief = Api::of_person(&server, chief, ALL).await;
        let mut late = 0;
        for round in 0..6 {
            // What they had died with the suspension.
            let api = Api::of_person(&server, &person, ALL).await;
            let barrier = Arc::new(Barrier::new(WRITES + 1));
            let tasks: Vec<_> = (0..WRITES)
                .map(|number| {
                    let (api, barrier, path) = (api.clone(), barrier.clone(), format!("{of}/contacts"));
                    let contact = json!({ "duty": "deputy", "name": format!("Zoé {round} {number}"), "email": "zoe@societe.example" });
                    tokio::spawn(async move {
                        barrier.wait().await;
                        api.post(&path, &contact).await
                    })
                })
                .collect();
            barrier.wait().await;
            let (path, loss, back) = if round % 2 == 0 {
                (format!("{of}/members/{me}/status"), json!({ "status": "suspended", "reason": "essai" }), json!({ "status": "active", "reason": "essai" }))
            } else {
                (format!("{of}/members/{me}/role"), json!({ "role": "member" }), json!({ "role": "administrator" }))
            };
            let taken = chief.put(&path, &loss).await;
            assert_eq!(taken.status, 200, "{}", taken.body);
            for task in tasks {
                let answer = task.await.unwrap();
                assert!(matches!(answer.status, 201 | 401 | 403 | 404), "{} {}", answer.status, answer.body);
                late += usize::from(answer.status != 201);
            }
            software.put(&path, &back).await.done(200);
        }
        // In the order of the trail, nothing by them stands between the loss and the return.
        let mut trail = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = boss.get(&format!("{of}/audit?limit=200{cursor}")).await.done(200);
            trail.extend(page["items"].as_array().unwrap().iter().cloned());
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        trail.reverse();
        let mut lost_at = None::<String>;
        let (mut losses, mut writes) = (0, 0);
        for line in &trail {
            let (event, at) = (line["event"].as_str().unwrap(), line["at"].as_str().unwrap());
            let about_me = line["subject"] == *me;
            if about_me && matches!(event, "member.status_changed" | "member.role_changed") {
                let after = &line["detail"]["after"];
                let lost = after["status"] == "suspended" || after["role"] == "member";
                losses += usize::from(lost);
                lost_at = lost.then(|| at.to_owned());
            } else if event == "contact.created" && line["actor"] == *me {
                writes += 1;
                // Two lines of one millisecond have no order.
                assert!(lost_at.as_deref().is_none_or(|lost| lost == at), "{line} after {lost_at:?}");
            }
        }
        assert_eq!(losses, 6);
        assert_eq!(writes + late, 6 * WRITES, "who was not late is in the trail");
        server.kill();
    }

    /// Hundreds lose their access by one signature: a job carries it out, whoever dies meanwhile, and then it is signed off.
    async fn a_review_of_many_is_carried_out_by_a_job_and_signed_when_it_is(mut server: TestServer) {
        const MANY: usize = 260;
        let boss = operator(&server).await;
        let organization = new_organization(&boss, "Très nombreuse").await;
        let of = format!("/organizations/{organization}");
        let chief = json!({ "email": "cheffe@revue.example", "given_name": "Anne", "family_name": "Roy", "role": "administrator" });
        let chief = invited(&boss, &organization, &chief).await;
        let rows: Vec<_> = (0..MANY).map(|number| format!("Kervadec;Maëlys;revue{number}@revue.example")).collect();
        let file = boss.request("POST", &format!("{of}/imports")).header("content-type", "text/csv");
        let import = boss.send(file.body(format!("Nom;Prénom;Courriel\r\n{}\r\n", rows.join("\r\n")))).await.done(202);
        let import = format!("{of}/imports/{}", import["id"].as_str().unwrap());
        let until = async |api: &Api, path: &str, states: &[&str], member: &str| {
            for _ in 0..1200 {
                let found = api.get(path).await.done(200);
                if states.contains(&found[member].as_str().unwrap()) {
                    return found;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            panic!("never {states:?}: {}", api.get(path).await.body);
        };
        until(&boss, &import, &["checked"], "state").await;
        boss.post(&format!("{import}/apply"), &json!({ "mode": "all_or_nothing", "people_informed": true })).await.done(202);
        until(&boss, &import, &["applied"], "state").await;

        let opened = boss.post(&format!("{of}/reviews"), &json!({})).await.done(201);
        assert_eq!(opened["members"], MANY + 1);
        let one = format!("{of}/reviews/{}", opened["id"].as_str().unwrap());
        let mut people = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = boss.get(&format!("{one}/items?limit=200{cursor}")).await.done(200);
            people.extend(texts(&page, "person").into_iter().map(str::to_owned));
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        let decisions: Vec<_> = people.iter().map(|person| json!({ "person": person, "decision": "remove" })).collect();
        boss.post(&format!("{one}/decisions"), &json!({ "decisions": decisions })).await.done(200);
        let statement = json!({ "statement": "Fin de session." });
        // Nobody would administer it any more: that is known before anything is done.
        boss.post(&format!("{one}/sign-off"), &statement).await.problem(409, "last_administrator");
        assert_eq!(boss.get(&one).await.done(200)["status"], "open");
        let keep = json!({ "decisions": [{ "person": chief, "decision": "keep" }, { "person": people.iter().find(|one| **one != chief).unwrap(), "decision": "suspend" }] });
        boss.post(&format!("{one}/decisions"), &keep).await.done(200);
        let signing = boss.post(&format!("{one}/sign-off"), &statement).await.done(202);
        assert_eq!((&signing["status"], &signing["signed_at"]), (&json!("signing"), &Value::Null), "{signing}");
        let job = signing["job"].as_str().unwrap().to_owned();
        boss.post(&format!("{one}/sign-off"), &statement).await.problem(409, "conflict");
        boss.post(&format!("{one}/decisions"), &keep).await.problem(409, "conflict");
        boss.post(&format!("{one}/cancel"), &json!({ "reason": "trop tard" })).await.problem(409, "conflict");
        boss.post(&format!("{of}/reviews"), &json!({})).await.problem(409, "conflict");
        loop {
            let shown = boss.get(&format!("/jobs/{job}")).await.done(200);
            assert_eq!(shown["total"], MANY, "{shown}");
            if shown["done"].as_i64().unwrap() > 0 || shown["state"] == "done" {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        server.kill();
        server.restart().await;
        server.advance(61).await;
        let boss = operator(&server).await;
        let signed = until(&boss, &one, &["signed_off"], "status").await;
        assert_eq!((&signed["signed_by"], &signed["statement"]), (&json!("demo-automation"), &json!("Fin de session.")));
        let left = boss.get(&format!("{of}/members?limit=200")).await.done(200);
        assert_eq!(left["items"].as_array().unwrap().len(), 2);
        let evidence = boss.get(&format!("{one}/evidence")).await;
        assert_eq!(signed["evidence_sha256"], sha256_of(evidence.body.as_bytes()));
        let (mut removed, mut suspended, mut signed, mut cursor) = (0, 0, 0, String::new());
        loop {
            let page = boss.get(&format!("{of}/audit?limit=200{cursor}")).await.done(200);
            for line in page["items"].as_array().unwrap() {
                removed += usize::from(line["event"] == "member.removed");
                suspended += usize::from(line["event"] == "member.status_changed");
                signed += usize::from(line["event"] == "review.signed_off");
            }
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!((removed, suspended, signed), (MANY - 1, 1, 1));
        assert_eq!(boss.get(&format!("/jobs/{job}")).await.done(200)["state"], "done");
        server.kill();
    }
}
