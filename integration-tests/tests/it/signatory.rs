//! The organization's signatory is told of every sensitive act, and who administers or signs is changed by a strong sign-in alone,
//! whichever way it is done (R055).

use habilis_integration_tests::api::ALL;
use habilis_integration_tests::{Api, Engine, Inbox, Person, TestServer};
use serde_json::{Value, json};

use crate::api::{invited, new_organization, operator, organization_of_kind};
use crate::api_keys::READ;
use crate::seats::{open_order, product};

fn of_kind_in(server: &TestServer, organization: &str, kind: &str) -> Person {
    let within = |person: &&Person| person.organization.as_ref().is_some_and(|it| it.id == organization);
    server.people.iter().filter(within).find(|person| person.kind == kind).unwrap().clone()
}

/// How many letters with these words in their subject went to an address.
async fn letters(server: &TestServer, address: &str, subject: &str) -> usize {
    Inbox::of(server).to(address).await.iter().filter(|mail| mail.subject.contains(subject)).count()
}

fn administrator(mail: &str, name: &str) -> Value {
    json!({ "email": mail, "given_name": name, "family_name": "Kervadec", "role": "administrator" })
}

own_journeys! {
    async fn every_change_of_who_administers_is_told_once(mut server: TestServer) {
        const CHANGED: &str = "administrateurs modifiés";
        let boss = operator(&server).await;
        let organization = new_organization(&boss, "Signée").await;
        let of = format!("/organizations/{organization}");
        let engine = format!("{:?}", server.engine).to_lowercase();
        let to = format!("signe.{engine}@signee.example");
        let contact = json!({ "duty": "signatory", "name": "Anne Prévost", "email": to });
        boss.post(&format!("{of}/contacts"), &contact).await.done(201);
        let member = |mail: &str, name: &str| administrator(&format!("{mail}.{engine}@signee.example"), name);
        invited(&boss, &organization, &member("premier", "Anne")).await;
        let mut told = 1;
        assert_eq!(letters(&server, &to, CHANGED).await, told);
        let mut plain = member("simple", "Luc");
        plain["role"] = json!("member");
        let plain = invited(&boss, &organization, &plain).await;
        let chief = invited(&boss, &organization, &member("second", "Zoé")).await;
        told += 1;
        let status = |status: &str| json!({ "status": status, "reason": "absence" });
        let (plain, chief_path) = (format!("{of}/members/{plain}"), format!("{of}/members/{chief}"));
        for to_be in ["suspended", "active"] {
            boss.put(&format!("{plain}/status"), &status(to_be)).await.done(200);
            assert_eq!(letters(&server, &to, CHANGED).await, told, "a member is none of their business");
            boss.put(&format!("{chief_path}/status"), &status(to_be)).await.done(200);
            // The same again is no change and no mail.
            boss.put(&format!("{chief_path}/status"), &status(to_be)).await.done(200);
            told += 1;
            assert_eq!(letters(&server, &to, CHANGED).await, told, "{to_be}");
        }
        let bulk = json!({ "operations": [{ "operation": "suspend", "person": chief, "reason": "absence" }] });
        assert_eq!(boss.post(&format!("{of}/members/bulk"), &bulk).await.done(200)["done"], 1);
        assert_eq!(letters(&server, &to, CHANGED).await, told + 1);
        assert_eq!(boss.delete(&chief_path).await.status, 204);
        assert_eq!(letters(&server, &to, CHANGED).await, told + 2);
        assert_eq!(boss.delete(&plain).await.status, 204);

        // By a review: suspended here, removed there.
        let (away, gone) = (invited(&boss, &organization, &member("absent", "Léa")).await, invited(&boss, &organization, &member("parti", "Hugo")).await);
        let before = letters(&server, &to, CHANGED).await;
        let review = boss.post(&format!("{of}/reviews"), &json!({})).await.done(201);
        let review = format!("{of}/reviews/{}", review["id"].as_str().unwrap());
        let items = boss.get(&format!("{review}/items")).await.done(200);
        let people = items["items"].as_array().unwrap().iter().map(|item| item["person"].as_str().unwrap());
        let decision = |person: &str| if person == away { "suspend" } else if person == gone { "remove" } else { "keep" };
        let decisions: Vec<_> = people.map(|person| json!({ "person": person, "decision": decision(person) })).collect();
        boss.post(&format!("{review}/decisions"), &json!({ "decisions": decisions })).await.done(200);
        boss.post(&format!("{review}/sign-off"), &json!({ "statement": "Vu." })).await.done(200);
        let mails = Inbox::of(&server).to(&to).await;
        let mails: Vec<_> = mails.iter().filter(|mail| mail.subject.contains(CHANGED)).collect();
        assert_eq!(mails.len(), before + 2, "{mails:?}");
        for name in ["Léa Kervadec", "Hugo Kervadec"] {
            assert_eq!(mails.iter().filter(|mail| mail.text.contains(name)).count(), 2, "{name}: {mails:?}");
        }

        // Whom an order names, who had no account: told with the invitation (R022).
        product(&boss, "signee").await;
        let other = new_organization(&boss, "Signée aussi").await;
        let to = format!("aussi.{engine}@signee.example");
        let contact = json!({ "duty": "signatory", "name": "Anne Prévost", "email": to });
        boss.post(&format!("/organizations/{other}/contacts"), &contact).await.done(201);
        open_order(&boss, &server, &other, ("BC-SIGNEE", "signee", 2)).await;
        assert_eq!(letters(&server, &to, CHANGED).await, 1);
        server.kill();
    }

    async fn who_signed_and_who_signs_are_told_of_the_change(mut server: TestServer) {
        const CHANGED: &str = "signataire modifié";
        let boss = operator(&server).await;
        let organization = new_organization(&boss, "Resignée").await;
        let contacts = format!("/organizations/{organization}/contacts");
        let engine = format!("{:?}", server.engine).to_lowercase();
        let (old, new) = (format!("ancienne.{engine}@resignee.example"), format!("nouveau.{engine}@resignee.example"));
        let contact = |duty: &str, name: &str, email: &str| json!({ "duty": duty, "name": name, "email": email });
        let made = boss.post(&contacts, &contact("signatory", "Anne Prévost", &old)).await;
        let one = format!("{contacts}/{}", made.done(201)["id"].as_str().unwrap());
        assert_eq!(letters(&server, &old, CHANGED).await, 1);
        let replace = async |etag: &str, body: Value| boss.send(boss.request("PUT", &one).header("if-match", etag).json(&body)).await;
        let replaced = replace(made.header("etag"), contact("signatory", "Luc Roy", &new)).await;
        replaced.done(200);
        let mails = Inbox::of(&server).to(&old).await;
        assert!(mails.iter().any(|mail| mail.text.contains("Luc Roy") && mail.text.contains(": Habilis\n")), "{mails:?}");
        assert_eq!((letters(&server, &old, CHANGED).await, letters(&server, &new, CHANGED).await), (2, 1));
        // Whoever is none any more is told as well; another contact is nobody's business.
        let replaced = replace(replaced.header("etag"), contact("deputy", "Luc Roy", &new)).await;
        replaced.done(200);
        assert_eq!(letters(&server, &new, CHANGED).await, 2);
        let replaced = replace(replaced.header("etag"), contact("billing", "Luc Roy", &new)).await;
        replaced.done(200);
        assert_eq!(letters(&server, &new, CHANGED).await, 2);
        let replaced = replace(replaced.header("etag"), contact("signatory", "Luc Roy", &new)).await;
        replaced.done(200);
        let removed = boss.send(boss.request("DELETE", &one).header("if-match", replaced.header("etag"))).await;
        assert_eq!(removed.status, 204);
        assert_eq!((letters(&server, &old, CHANGED).await, letters(&server, &new, CHANGED).await), (2, 4));
        server.kill();
    }

    async fn who_administers_and_who_signs_needs_a_strong_sign_in_whichever_way(mut server: TestServer) {
        const WEAK: &str = "insufficient_user_authentication";
        let organization = organization_of_kind(&server, "cfa");
        let of = format!("/organizations/{organization}");
        let weak = Api::of_person(&server, &of_kind_in(&server, &organization, "administrator"), ALL).await;
        let strong = Api::of_person(&server, &of_kind_in(&server, &organization, "second factor administrator"), ALL).await;
        let boss = operator(&server).await;
        let chief = invited(&strong, &organization, &administrator("cheffe@cfa.example", "Zoé")).await;
        let members = format!("{of}/members");
        let chief_path = format!("{members}/{chief}");
        let suspended = json!({ "status": "suspended", "reason": "absence" });
        weak.put(&format!("{chief_path}/status"), &suspended).await.problem(401, WEAK);
        weak.delete(&chief_path).await.problem(401, WEAK);
        weak.patch(&chief_path, "*", &json!({ "ends_on": "2000-01-01" })).await.problem(401, WEAK);
        let bulk = |operation: Value| json!({ "operations": [operation] });
        for operation in [json!({ "operation": "suspend", "person": chief, "reason": "absence" }), json!({ "operation": "remove", "person": chief })] {
            weak.post(&format!("{members}/bulk"), &bulk(operation)).await.problem(401, WEAK);
        }
        let plain = json!({ "email": "simple@cfa.example", "given_name": "Luc", "family_name": "Roy" });
        let plain = invited(&weak, &organization, &plain).await;
        weak.put(&format!("{members}/{plain}/status"), &suspended).await.done(200);

        // A review that ends an administrator is signed as strongly; one that does not is not.
        let review = weak.post(&format!("{of}/reviews"), &json!({})).await.done(201);
        let review = format!("{of}/reviews/{}", review["id"].as_str().unwrap());
        let items = weak.get(&format!("{review}/items?limit=200")).await.done(200);
        let everybody = items["items"].as_array().unwrap().iter().map(|item| item["person"].as_str().unwrap());
        let keep: Vec<_> = everybody.map(|person| json!({ "person": person, "decision": "keep" })).collect();
        boss.post(&format!("{review}/decisions"), &json!({ "decisions": keep })).await.done(200);
        let against = json!({ "decisions": [{ "person": chief, "decision": "suspend" }] });
        weak.post(&format!("{review}/decisions"), &against).await.done(200);
        let statement = json!({ "statement": "Vu." });
        weak.post(&format!("{review}/sign-off"), &statement).await.problem(401, WEAK);
        strong.post(&format!("{review}/sign-off"), &statement).await.done(200);
        assert_eq!(boss.get(&chief_path).await.done(200)["status"], "suspended");
        weak.put(&format!("{chief_path}/status"), &json!({ "status": "active", "reason": "retour" })).await.problem(401, WEAK);

        // The register: who signs, not who pays.
        let contacts = format!("{of}/contacts");
        let contact = |duty: &str| json!({ "duty": duty, "name": "Anne Prévost", "email": "signataire@cfa.example" });
        weak.post(&contacts, &contact("signatory")).await.problem(401, WEAK);
        let made = weak.post(&contacts, &contact("billing")).await;
        let one = format!("{contacts}/{}", made.done(201)["id"].as_str().unwrap());
        let replace = async |api: &Api, etag: &str, duty: &str| api.send(api.request("PUT", &one).header("if-match", etag).json(&contact(duty))).await;
        replace(&weak, made.header("etag"), "signatory").await.problem(401, WEAK);
        let signs = replace(&strong, made.header("etag"), "signatory").await;
        signs.done(200);
        replace(&weak, signs.header("etag"), "billing").await.problem(401, WEAK);
        weak.send(weak.request("DELETE", &one).header("if-match", signs.header("etag"))).await.problem(401, WEAK);

        // A key is told, by name.
        let key = json!({ "name": "Suivi des élèves", "scopes": [READ] });
        let answer = strong.post(&format!("{of}/api-keys"), &key).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let mails = Inbox::of(&server).to("signataire@cfa.example").await;
        let issued: Vec<_> = mails.iter().filter(|mail| mail.subject.contains("clé d’API émise")).collect();
        assert!(issued.len() == 1 && issued[0].text.contains("Suivi des élèves"), "{mails:?}");
        server.kill();
    }
}

on_both_engines! { a_file_with_an_administrator_is_never_applied_by_a_weak_sign_in }

/// A file is asked to be applied while it is being checked, when nobody knows yet that there are administrators in it.
async fn a_file_with_an_administrator_is_never_applied_by_a_weak_sign_in(engine: Engine) {
    // More requests than one caller is let to make in a minute.
    let mut server = TestServer::own_with(engine, &["--set", "api.requests_per_minute=100000"]).await;
    let organization = organization_of_kind(&server, "cfa");
    let of = format!("/organizations/{organization}");
    let weak = Api::of_person(&server, &of_kind_in(&server, &organization, "administrator"), ALL).await;
    let mut file = "Nom;Prénom;Courriel;Rôle\r\nRoy;Luc;luc@import.example;Administrateur\r\n".to_owned();
    file.extend((0..2000).map(|number| format!("Kervadec;Maëlys;ligne{number}@import.example;\r\n")));
    let upload = weak.request("POST", &format!("{of}/imports")).header("content-type", "text/csv").body(file);
    let import = weak.send(upload).await.done(202);
    let apply = format!("{of}/imports/{}/apply", import["id"].as_str().unwrap());
    let how = json!({ "mode": "valid_rows", "people_informed": true });
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let (api, path, body) = (weak.clone(), apply.clone(), how.clone());
            tokio::spawn(async move {
                loop {
                    let answer = api.post(&path, &body).await;
                    if answer.status != 409 {
                        return answer.status;
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), 401);
    }
    let left = weak.get(&apply.replace("/apply", "")).await.done(200);
    assert_eq!((&left["state"], &left["rows"]["administrators"]), (&json!("checked"), &json!(1)), "{left}");
    server.kill();
}
