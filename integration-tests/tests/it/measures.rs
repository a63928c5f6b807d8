//! Suspension, termination, formal notice and the kill switch: what they end, whom they tell, and what stays so (R033, R083–R086,
//! R090).

use std::sync::Arc;
use std::time::Duration;

use habilis_integration_tests::api::ALL;
use habilis_integration_tests::protocol::{AuthorizationRequest, Tokens, refresh, tokens_for, userinfo};
use habilis_integration_tests::{Api, Browser, Engine, Inbox, Mail, Person, TestServer, Visit, database};
use serde_json::{Value, json};
use tokio::sync::Barrier;

use crate::activation;
use crate::api::{in_days, of_kind, operator, organization_of_kind, personnel};
use crate::api_keys::{READ, check_with, refused, token_with, vendor_token};
use crate::forgot::{NEW, ask, choose, link_to, local_sign_in};
use crate::token_status::introspect;

const DAY: u64 = 24 * 60 * 60;
/// Whom somebody with a stolen session invites.
const ACCOMPLICE: &str = "complice@cfa.example";

pub(crate) fn suspension() -> Value {
    json!({ "status": "suspended", "reason": "partage constaté", "breach": "Compte partagé.", "remedy": "Changer de mot de passe." })
}

pub(crate) fn lift() -> Value {
    json!({ "status": "active", "reason": "corrigé" })
}

pub(crate) fn termination() -> Value {
    json!({ "status": "terminated", "reason": "récidive", "breach": "Compte partagé." })
}

/// The id of somebody of the demonstration.
async fn id_of(api: &Api, person: &Person) -> String {
    let found = api.get(&format!("/people?q={}", person.login)).await.done(200);
    found["items"][0]["id"].as_str().unwrap().to_owned()
}

async fn offline(server: &TestServer, person: &Person) -> Tokens {
    tokens_for(server, &AuthorizationRequest::of(server.client("demo-portal")).offline(), person).await
}

async fn assert_alive(server: &TestServer, tokens: &Tokens, alive: bool) {
    let told = introspect(server, "demo-portal", tokens.access_token()).await;
    assert_eq!(told["active"], alive, "{told}");
    let told = introspect(server, "demo-portal", tokens.refresh_token()).await;
    assert_eq!(told["active"], alive, "{told}");
    assert_eq!(userinfo(server, tokens.access_token()).await.status, if alive { 200 } else { 401 });
    let refreshed = refresh(server, server.client("demo-portal"), tokens.refresh_token()).await;
    if alive {
        Tokens::from(&refreshed);
    } else {
        refreshed.assert_oauth_error(400, "invalid_grant");
    }
}

async fn signed_in(server: &TestServer, person: &Person) -> Browser {
    let mut browser = Browser::new();
    let page = local_sign_in(server, &mut browser, &person.login, &person.password).await;
    assert_eq!(page.url.path(), "/account", "{}", page.summary());
    browser
}

async fn has_session(server: &TestServer, browser: &mut Browser) -> bool {
    browser.get(&server.url("/account")).await.page().has("account-page")
}

/// The letters to `address` whose subject has these words, once there are `count`.
async fn letters(server: &TestServer, address: &str, (words, count): (&str, usize)) -> Vec<Mail> {
    for _ in 0..400 {
        let found: Vec<_> =
            Inbox::of(server).to(address).await.into_iter().filter(|mail| mail.subject.contains(words)).collect();
        if found.len() >= count {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("no {count} letters with {words} to {address}");
}

async fn measures(api: &Api, subject: &str) -> Vec<Value> {
    let found = api.get(&format!("/measures?subject={subject}")).await.done(200);
    found["items"].as_array().unwrap().clone()
}

/// Closed by an address in French and in English.
fn closed_portal() -> Value {
    json!({
        "status": "suspended", "reason": "travaux", "breach": "Mise à jour.", "remedy": "Attendre la fin.",
        "banner": { "fr": "Fermé jusqu’à lundi.\nMerci de votre patience.", "en": "Closed until Monday." },
    })
}

own_journeys! {
    async fn a_person_is_suspended_at_once_and_told_and_comes_back_until_terminated(mut server: TestServer) {
        let (api, person) = (operator(&server).await, server.learner().clone());
        let id = id_of(&api, &person).await;
        let status = format!("/people/{id}/status");
        let (tokens, mut browser) = (offline(&server, &person).await, signed_in(&server, &person).await);
        for (missing, pointers) in [("breach", vec!["/breach"]), ("remedy", vec!["/remedy"])] {
            let mut body = suspension();
            body.as_object_mut().unwrap().remove(missing);
            let problem = api.put(&status, &body).await.problem(422, "invalid_fields");
            let found: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
            assert_eq!(found, pointers);
        }
        assert_alive(&server, &tokens, true).await;
        api.put(&status, &lift()).await.problem(409, "conflict");

        assert_eq!(api.put(&status, &suspension()).await.done(200)["status"], "suspended");
        assert_alive(&server, &tokens, false).await;
        assert!(!has_session(&server, &mut browser).await);
        let page = local_sign_in(&server, &mut Browser::new(), &person.login, &person.password).await;
        assert_eq!(page.status, 401, "{}", page.summary());
        api.put(&status, &suspension()).await.problem(409, "conflict");
        // In writing, with the breach and what restores the access, and the proof of it (R085).
        let letter = letters(&server, &person.login, ("suspendu", 1)).await.remove(0);
        assert!(letter.text.contains("Compte partagé.") && letter.text.contains("Changer de mot de passe."), "{}", letter.text);
        let written = measures(&api, &id).await.remove(0);
        assert_eq!((&written["measure"], &written["text_version"]), (&json!("suspension"), &json!("measure_suspended.1")));
        assert!(written["notices"][0]["sent_at"].is_string() && written["lifted_at"].is_null(), "{written}");

        assert_eq!(api.put(&status, &lift()).await.done(200)["status"], "active");
        letters(&server, &person.login, ("rétabli", 1)).await;
        assert_alive(&server, &tokens, false).await;
        let again = offline(&server, &person).await;
        assert_alive(&server, &again, true).await;

        // Termination waits for a formal notice left without effect for thirty days (R086, R202).
        api.put(&status, &termination()).await.problem(409, "formal_notice_needed");
        let notice = json!({
            "subject_kind": "person", "subject": id, "reason": "récidive", "breach": "Compte partagé.", "remedy": "Cesser.",
        });
        let mut bare = notice.clone();
        bare.as_object_mut().unwrap().remove("remedy");
        api.post("/formal-notices", &bare).await.problem(422, "invalid_fields");
        let met = api.post("/formal-notices", &notice).await.done(201);
        let compliance = format!("/formal-notices/{}/compliance", met["id"].as_str().unwrap());
        api.put(&compliance, &json!({ "reason": "corrigé" })).await.done(200);
        api.put(&compliance, &json!({ "reason": "encore" })).await.problem(409, "conflict");
        let given = api.post("/formal-notices", &notice).await.done(201);
        letters(&server, &person.login, ("Mise en demeure", 2)).await;
        assert_alive(&server, &again, true).await;
        let presentation = format!("/formal-notices/{}/presentation", given["id"].as_str().unwrap());
        let problem = api.put(&status, &termination()).await.problem(409, "formal_notice_needed");
        assert!(problem["detail"].as_str().unwrap().contains("R202"), "{problem}");
        let on = |day: String| json!({ "presented_on": day });
        for outside in [-2, 2] {
            api.put(&presentation, &on(in_days(&server, outside).await)).await.problem(422, "invalid_fields");
        }
        let paris = jiff::tz::TimeZone::get("Europe/Paris").unwrap();
        let today = server.now().await.to_zoned(paris).date();
        let shown = api.put(&presentation, &on(today.to_string())).await.done(200);
        let from = today.saturating_add(jiff::Span::new().days(31)).to_string();
        assert_eq!(shown["termination_from"], from);
        api.put(&presentation, &on(today.to_string())).await.problem(409, "conflict");
        server.advance(30 * DAY).await;
        let api = operator(&server).await;
        let problem = api.put(&status, &termination()).await.problem(409, "formal_notice_needed");
        assert_eq!(problem["from"], from);
        server.advance(DAY).await;
        let api = operator(&server).await;
        assert_eq!(api.put(&status, &termination()).await.done(200)["status"], "terminated");
        letters(&server, &person.login, ("résilié", 1)).await;
        for body in [lift(), suspension(), termination()] {
            api.put(&status, &body).await.problem(409, "conflict");
        }
        let page = local_sign_in(&server, &mut Browser::new(), &person.login, &person.password).await;
        assert_eq!(page.status, 401, "{}", page.summary());
        // No link either.
        ask(&server, &mut Browser::new(), &person.login).await;
        let kinds: Vec<_> = measures(&api, &id).await.iter().map(|one| one["measure"].as_str().unwrap().to_owned()).collect();
        assert_eq!(kinds, ["termination", "formal_notice", "formal_notice", "suspension"]);
        server.kill();
    }

    /// The version is compared while nobody else can change it.
    async fn of_several_who_read_the_same_version_one_decides(mut server: TestServer) {
        const MANY: usize = 6;
        let boss = operator(&server).await;
        crate::seats::product(&boss, "version").await;
        let (_, organization) = personnel(&server).await;
        let orders = format!("/organizations/{organization}/orders");
        let form = json!({ "number": "BC-VERSION", "product": "version", "seats": 5, "effect_on": in_days(&server, 0).await });
        let order = crate::subscriptions::set_out(&boss, &organization, form).await;
        let person = id_of(&boss, server.learner()).await;
        for subject in [format!("{orders}/{order}"), format!("/people/{person}")] {
            let etag = boss.get(&subject).await.header("etag").to_owned();
            assert!(!etag.is_empty(), "{subject}");
            let barrier = Arc::new(Barrier::new(MANY));
            let tasks: Vec<_> = (0..MANY)
                .map(|_| {
                    let (boss, barrier) = (boss.clone(), Arc::clone(&barrier));
                    let request = boss.request("PUT", &format!("{subject}/status")).header("if-match", &etag).json(&suspension());
                    tokio::spawn(async move {
                        barrier.wait().await;
                        boss.send(request).await
                    })
                })
                .collect();
            let mut done = 0;
            for task in tasks {
                let answer = task.await.unwrap();
                if answer.status == 200 {
                    done += 1;
                } else {
                    answer.problem(412, "version_mismatch");
                }
            }
            assert_eq!(done, 1, "{subject}");
        }
        server.kill();
    }

    async fn who_may_not_suspends_nobody_and_nobody_suspends_themselves(mut server: TestServer) {
        let api = operator(&server).await;
        let chief = Api::of_person(&server, &of_kind(&server, "second factor operator"), ALL).await;
        let administrator = Api::of_person(&server, &of_kind(&server, "second factor administrator"), ALL).await;
        let (learner, own) = (id_of(&api, server.learner()).await, chief.get("/me").await.done(200)["id"].as_str().unwrap().to_owned());
        chief.put(&format!("/people/{own}/status"), &suspension()).await.problem(403, "forbidden");
        administrator.put(&format!("/people/{learner}/status"), &suspension()).await.problem(404, "not_found");
        administrator.put("/portals/demo-portal/status", &closed_portal()).await.problem(403, "forbidden");
        administrator.get("/measures").await.problem(403, "forbidden");
        chief.put("/people/usr_nobody/status", &suspension()).await.problem(404, "not_found");
        api.put("/portals/nowhere/status", &closed_portal()).await.problem(404, "not_found");
        // Its own administrators read what was held against their organization, without what is for the operator.
        let organization = organization_of_kind(&server, "training_body");
        api.put(&format!("/organizations/{organization}/status"), &suspension()).await.done(200);
        // No code is taken twice.
        server.advance(60).await;
        let mine = Api::of_person(&server, &of_kind(&server, "second factor administrator"), ALL).await;
        let read = mine.get(&format!("/organizations/{organization}/measures")).await.done(200);
        assert_eq!(read["items"][0]["breach"], "Compte partagé.");
        assert!(read["items"][0].get("reason").is_none() && read["items"][0].get("imposed_by").is_none(), "{read}");
        server.kill();
    }

    async fn a_suspended_organization_takes_its_people_with_it_and_nobody_who_has_another(mut server: TestServer) {
        let api = operator(&server).await;
        let several = of_kind(&server, "two organizations");
        let company = several.organization.clone().unwrap().id;
        let learner = server.people.iter().find(|person| {
            person.kind == "learner" && person.organization.as_ref().is_some_and(|found| found.id == company)
        });
        let learner = learner.unwrap().clone();
        let stranger = server.people.iter().find(|person| person.kind == "trainer").unwrap().clone();
        let administrator = server.people.iter().find(|person| {
            person.kind == "administrator" && person.organization.as_ref().is_some_and(|found| found.id == company)
        });
        let administrator = administrator.unwrap().clone();
        let contact = json!({ "duty": "signatory", "name": "Léa Martin", "email": "lea@societe.example" });
        api.post(&format!("/organizations/{company}/contacts"), &contact).await.done(201);
        // Grants for no organization in particular, and sessions.
        let (his, theirs, other) = (offline(&server, &learner).await, offline(&server, &several).await, offline(&server, &stranger).await);
        let (mut at_home, mut elsewhere) = (signed_in(&server, &learner).await, signed_in(&server, &several).await);
        let named = AuthorizationRequest::of(server.client("demo-portal")).offline().with("organization", &company)
            .with("scope", "openid offline_access organization");
        let for_company = tokens_for(&server, &named, &several).await;
        assert_alive(&server, &for_company, true).await;

        let status = format!("/organizations/{company}/status");
        assert_eq!(api.put(&status, &suspension()).await.done(200)["status"], "suspended");
        assert_alive(&server, &his, false).await;
        assert!(!has_session(&server, &mut at_home).await);
        assert_alive(&server, &for_company, false).await;
        assert_alive(&server, &theirs, true).await;
        assert!(has_session(&server, &mut elsewhere).await);
        assert_alive(&server, &other, true).await;
        let letter = letters(&server, &administrator.login, ("suspendu", 1)).await.remove(0);
        assert!(letter.text.contains("Compte partagé.") && letter.text.contains("Boulangeries"), "{}", letter.text);
        letters(&server, "lea@societe.example", ("suspendu", 1)).await;
        assert!(Inbox::of(&server).to(&learner.login).await.iter().all(|mail| !mail.subject.contains("suspendu")));

        assert_eq!(api.put(&status, &lift()).await.done(200)["status"], "active");
        // What ended stays so, also when the rows have followed.
        server.advance(60).await;
        for dead in [&his, &for_company] {
            assert_alive(&server, dead, false).await;
        }
        assert_alive(&server, &theirs, true).await;
        assert!(!has_session(&server, &mut at_home).await && has_session(&server, &mut elsewhere).await);
        let again = tokens_for(&server, &named, &several).await;
        assert_alive(&server, &again, true).await;
        assert!(has_session(&server, &mut signed_in(&server, &learner).await).await);

        let irreparable = json!({ "status": "terminated", "reason": "fraude", "breach": "Faux documents.", "irreparable": "Rien ne les rend vrais." });
        assert_eq!(api.put(&status, &irreparable).await.done(200)["status"], "terminated");
        assert_alive(&server, &again, false).await;
        api.put(&status, &lift()).await.problem(409, "conflict");
        let told = measures(&api, &company).await;
        assert_eq!(told[0]["irreparable"], "Rien ne les rend vrais.");
        assert!(told[1]["lifted_at"].is_string() && told[1]["notices"].as_array().unwrap().len() >= 4, "{told:?}");
        server.kill();
    }

    async fn a_closed_portal_says_why_and_its_tokens_are_dead(mut server: TestServer) {
        let (api, person) = (operator(&server).await, server.learner().clone());
        let status = "/portals/demo-portal/status";
        let tokens = offline(&server, &person).await;
        let mut bare = closed_portal();
        bare.as_object_mut().unwrap().remove("banner");
        let problem = api.put(status, &bare).await.problem(422, "invalid_fields");
        assert_eq!(problem["errors"][0]["pointer"], "/banner");
        let closed = api.put(status, &closed_portal()).await.done(200);
        assert_eq!((&closed["status"], &closed["banner"]["en"]), (&json!("suspended"), &json!("Closed until Monday.")));
        let request = AuthorizationRequest::of(server.client("demo-portal"));
        for (languages, words) in [("fr", ["Fermé jusqu’à lundi.", "Merci de votre patience."]), ("en", ["Closed until Monday.", "Closed"])] {
            let page = Browser::new().speaking(languages).get(&request.url(&server)).await.page();
            assert!(page.status == 503 && page.has("portal-closed-page"), "{}", page.summary());
            assert!(words.iter().all(|word| page.all_text().contains(word)), "{}", page.summary());
        }
        assert_eq!(userinfo(&server, tokens.access_token()).await.status, 401);
        refresh(&server, server.client("demo-portal"), tokens.refresh_token()).await.assert_oauth_error(401, "invalid_client");
        assert_eq!(introspect(&server, "demo-resource", tokens.access_token()).await, json!({ "active": false }));
        let opened = api.put(status, &lift()).await.done(200);
        assert_eq!((&opened["status"], &opened["banner"]), (&json!("active"), &Value::Null));
        assert_alive(&server, &tokens, false).await;
        assert_alive(&server, &offline(&server, &person).await, true).await;
        // Somebody's own hand does not close the door behind them.
        let own = api.put("/portals/demo-automation/status", &closed_portal()).await.problem(409, "conflict");
        assert!(own["detail"].is_string(), "{own}");
        let mut over = closed_portal();
        over["status"] = "terminated".into();
        api.put(status, &over).await.done(200);
        api.put(status, &lift()).await.problem(409, "conflict");
        server.kill();
    }

    async fn the_kill_switch_closes_everything_and_a_renewed_password_opens_it(mut server: TestServer) {
        let boss = operator(&server).await;
        let cfa = organization_of_kind(&server, "cfa");
        let within = |person: &&Person| person.organization.as_ref().is_some_and(|found| found.id == cfa);
        let chief = server.people.iter().filter(within).find(|person| person.kind.starts_with("second factor")).unwrap().clone();
        let learner = server.people.iter().filter(within).find(|person| person.kind == "learner").unwrap().clone();
        let weak = server.people.iter().filter(within).find(|person| person.kind == "administrator").unwrap().clone();
        let several = of_kind(&server, "two organizations");
        let stranger = server.people.iter().find(|person| person.kind == "trainer").unwrap().clone();
        for (duty, email) in [("signatory", "dir@cfa.example"), ("dpo", "dpo@cfa.example")] {
            let contact = json!({ "duty": duty, "name": "Léa Martin", "email": email });
            boss.post(&format!("/organizations/{cfa}/contacts"), &contact).await.done(201);
        }
        let api = Api::of_person(&server, &chief, ALL).await;
        let key = json!({ "name": "Suivi", "scopes": [READ] });
        let issued = api.post(&format!("/organizations/{cfa}/api-keys"), &key).await.done(201);
        let (key, vendor) = (issued["key"].as_str().unwrap(), vendor_token(&server).await);
        let bound = token_with(&server, key).await.ok_json()["access_token"].as_str().unwrap().to_owned();
        for presented in [(key, vendor.as_str()), ("", bound.as_str())] {
            assert_eq!(check_with(&server, "", presented).await.status, 200);
        }
        // A centre with API keys keeps its SIREN: they are for it.
        let read = boss.get(&format!("/organizations/{cfa}")).await;
        let bare = boss.patch(&format!("/organizations/{cfa}"), read.header("etag"), &json!({ "siren": null, "siret": null })).await;
        assert_eq!(bare.problem(422, "invalid_fields")["errors"][0]["code"], "needed_by_api_keys");

        let (his, theirs, other) = (offline(&server, &learner).await, offline(&server, &several).await, offline(&server, &stranger).await);
        let mut session = signed_in(&server, &learner).await;
        let switch = format!("/organizations/{cfa}/kill-switch");
        let reason = json!({ "reason": "vol d’un ordinateur" });
        Api::of_person(&server, &weak, ALL).await.post(&switch, &reason).await.problem(401, "insufficient_user_authentication");
        Api::of_person(&server, &stranger, ALL).await.post(&switch, &reason).await.problem(404, "not_found");
        let closed = api.post(&switch, &reason).await.done(200);
        assert_eq!((&closed["people"], &closed["api_keys"]), (&json!(4), &json!(1)), "{closed}");
        assert!(closed["sessions"].as_i64() >= Some(3) && closed["grants"].as_i64() >= Some(4), "{closed}");
        // The key is dead, and with it the token it was exchanged for, at the first check.
        for presented in [(key, vendor.as_str()), ("", bound.as_str())] {
            refused(&check_with(&server, "", presented).await, 401, "key_revoked");
        }
        assert_eq!(introspect(&server, "demo-resource", &bound).await, json!({ "active": false }));
        let exchanged = token_with(&server, key).await.json();
        assert!(exchanged["error_description"].as_str().unwrap().starts_with("key_revoked: "), "{exchanged}");
        // The caller's own session too; those who belong elsewhere besides; nobody else.
        api.get("/me").await.problem(401, "invalid_token");
        for dead in [&his, &theirs] {
            assert_alive(&server, dead, false).await;
        }
        assert!(!has_session(&server, &mut session).await);
        assert_alive(&server, &other, true).await;
        let page = local_sign_in(&server, &mut Browser::new(), &learner.login, &learner.password).await;
        assert!(page.status == 401 || page.has("password-expired-page"), "{}", page.summary());
        for address in ["dir@cfa.example", "dpo@cfa.example"] {
            letters(&server, address, ("fermés", 1)).await;
        }
        letters(&server, &learner.login, ("fermé par précaution", 1)).await;
        let again = boss.post(&switch, &reason).await.done(200);
        assert_eq!((&again["people"], &again["sessions"], &again["api_keys"]), (&json!(0), &json!(0), &json!(0)), "{again}");

        let before = Inbox::of(&server).to(&learner.login).await.iter().filter(|mail| mail.text.contains("/password/new/")).count();
        let mut browser = Browser::new();
        ask(&server, &mut browser, &learner.login).await;
        let link = link_to(&server, &learner.login, before + 1).await;
        let page = choose(&mut browser, &link, NEW).await;
        assert!(page.has("password-changed-page"), "{}", page.summary());
        let back = Person { password: NEW.to_owned(), ..learner.clone() };
        assert!(has_session(&server, &mut signed_in(&server, &back).await).await);
        assert_alive(&server, &offline(&server, &back).await, true).await;
        assert_alive(&server, &his, false).await;
        let trail = boss.get(&format!("/organizations/{cfa}/audit?limit=200")).await.done(200);
        let switched = |line: &&Value| line["event"] == "organization.kill_switch";
        let first = trail["items"].as_array().unwrap().iter().rfind(switched).unwrap();
        assert_eq!((&first["detail"]["people"], &first["detail"]["reason"]), (&json!(4), &json!("vol d’un ordinateur")));
        // The program of an organization stops with it, until the operator opens it again.
        let (program, company) = personnel(&server).await;
        program.get(&format!("/organizations/{company}")).await.done(200);
        let closed = program.post(&format!("/organizations/{company}/kill-switch"), &reason).await.done(200);
        assert_eq!(closed["api_clients"], 1, "{closed}");
        program.get(&format!("/organizations/{company}")).await.problem(401, "invalid_token");
        boss.put("/portals/demo-hr/status", &lift()).await.done(200);
        program.get(&format!("/organizations/{company}")).await.problem(401, "invalid_token");
        // A token is dated to the second.
        server.advance(2).await;
        personnel(&server).await.0.get(&format!("/organizations/{company}")).await.done(200);
        server.kill();
    }

    async fn whoever_has_not_come_yet_stays_out_of_a_closed_organization(mut server: TestServer) {
        let boss = operator(&server).await;
        let cfa = organization_of_kind(&server, "cfa");
        let within = |person: &&Person| person.organization.as_ref().is_some_and(|found| found.id == cfa);
        let of_cfa = |kind: &str| server.people.iter().filter(within).find(|person| person.kind.starts_with(kind)).unwrap().clone();
        let (chief, learner, weak) = (of_cfa("second factor"), of_cfa("learner"), of_cfa("administrator"));
        let stranger = of_kind(&server, "trainer");
        let api = Api::of_person(&server, &chief, ALL).await;
        // An accomplice of somebody who has an administrator's session, a membership that is offered, a succession that waits.
        let members = format!("/organizations/{cfa}/members");
        let accomplice = json!({ "email": ACCOMPLICE, "given_name": "Ana", "family_name": "Complice", "role": "administrator" });
        let pending = api.post(&members, &accomplice).await.done(201)["id"].as_str().unwrap().to_owned();
        let link = activation::link_to(&server, (ACCOMPLICE, "/activate/"), 1).await;
        api.post(&members, &json!({ "email": stranger.login, "given_name": "Nom", "family_name": "Supposé" })).await.done(202);
        let succession = json!({ "leaving": id_of(&boss, &weak).await, "successor": id_of(&boss, &learner).await, "reason": "départ" });
        api.post(&format!("/organizations/{cfa}/successions"), &succession).await.done(201);
        // The form was open when the switch was used.
        let mut browser = Browser::new();
        assert!(browser.get(&link).await.page().has("activate-form"));
        let closed = api.post(&format!("/organizations/{cfa}/kill-switch"), &json!({ "reason": "vol" })).await.done(200);
        let ended = ["invitations", "offers", "successions", "imports"].map(|what| closed[what].as_i64().unwrap());
        assert_eq!(ended, [1, 1, 1, 0], "{closed}");

        let fields = [("password", NEW), ("repeated", NEW), ("accept", "yes"), ("declare", "yes")];
        for page in [browser.submit("activate-form", &fields).await.page(), Browser::new().get(&link).await.page()] {
            assert!(page.status == 410 && page.has("account-link-over-page"), "{}", page.summary());
        }
        let offered = Api::of_person(&server, &stranger, ALL).await;
        assert_eq!(offered.get("/me/offers").await.done(200)["items"], json!([]));
        let rows = boss.get(&format!("/organizations/{cfa}/invitations")).await.done(200);
        assert_eq!((&rows["items"][0]["person"], &rows["items"][0]["expires_at"]), (&json!(pending), &Value::Null), "{rows}");
        for list in ["offers", "successions"] {
            let rows = boss.get(&format!("/organizations/{cfa}/{list}")).await.done(200);
            assert_eq!(rows["items"][0]["status"], "withdrawn", "{rows}");
        }
        // Nobody gets a new link by asking for it: who asked later has theirs. An administrator's invitation is another matter.
        ask(&server, &mut Browser::new(), ACCOMPLICE).await;
        ask(&server, &mut Browser::new(), &learner.login).await;
        link_to(&server, &learner.login, 1).await;
        server.advance(600).await;
        let boss = operator(&server).await;
        let mails = Inbox::of(&server).to(ACCOMPLICE).await;
        assert_eq!(mails.iter().filter(|mail| mail.text.contains("/activate/")).count(), 1);
        boss.send(boss.request("POST", &format!("{members}/{pending}/invitation"))).await.done(200);
        let link = activation::link_to(&server, (ACCOMPLICE, "/activate/"), 2).await;
        activation::activate(&mut Browser::new(), &link, NEW).await;
        assert_eq!(boss.get(&format!("{members}/{pending}")).await.done(200)["account_status"], "active");
        server.kill();
    }

    async fn measures_that_race_leave_one_state_and_its_rows(mut server: TestServer) {
        let api = operator(&server).await;
        let id = id_of(&api, server.learner()).await;
        let status = format!("/people/{id}/status");
        let mut answers = Vec::new();
        for round in 0..3 {
            let barrier = Arc::new(Barrier::new(8));
            let tasks: Vec<_> = (0..8).map(|number| {
                let (api, barrier, status) = (api.clone(), barrier.clone(), status.clone());
                tokio::spawn(async move {
                    barrier.wait().await;
                    let body = if (number + round) % 2 == 0 { suspension() } else { lift() };
                    api.put(&status, &body).await
                })
            }).collect();
            for task in tasks {
                answers.push(task.await.unwrap());
            }
        }
        assert!(answers.iter().all(|answer| answer.status == 200 || answer.status == 409), "{answers:?}");
        let done = |status: &str| answers.iter().filter(|answer| answer.status == 200 && answer.json()["status"] == status).count();
        let rows = measures(&api, &id).await;
        let open = rows.iter().filter(|row| row["lifted_at"].is_null()).count();
        let now = api.get(&format!("/people/{id}")).await.done(200)["status"].as_str().unwrap().to_owned();
        assert_eq!(rows.len(), done("suspended"));
        assert_eq!(rows.len() - open, done("active"));
        assert_eq!(open, usize::from(now == "suspended"));

        // Two kill switches at once close everybody once.
        let organization = organization_of_kind(&server, "training_body");
        let barrier = Arc::new(Barrier::new(4));
        let tasks: Vec<_> = (0..4).map(|_| {
            let (api, barrier, path) = (api.clone(), barrier.clone(), format!("/organizations/{organization}/kill-switch"));
            tokio::spawn(async move {
                barrier.wait().await;
                api.post(&path, &json!({ "reason": "vol" })).await
            })
        }).collect();
        let mut people = Vec::new();
        for task in tasks {
            people.push(task.await.unwrap().done(200)["people"].as_i64().unwrap());
        }
        people.sort_unstable();
        let expected = server.people.iter().filter(|person| person.organization.as_ref().is_some_and(|of| of.id == organization)).count();
        let suspended = i64::from(now == "suspended");
        assert_eq!(people, [0, 0, 0, i64::try_from(expected).unwrap() - suspended]);
        server.kill();
    }
}

/// Two nodes on one database: what one suspends, the other refuses within five seconds.
#[tokio::test]
async fn a_measure_reaches_every_node_within_five_seconds() {
    let url = database::create();
    let mut one = TestServer::start_on(Engine::Postgres, vec!["--database".to_owned(), url]).await.unwrap();
    let (api, person) = (operator(&one).await, one.learner().clone());
    // Before there is another: each node of a demonstration says where its own sample portal is.
    let tokens = offline(&one, &person).await;
    let mut other = TestServer::beside(&one).await.unwrap();
    let mut session = signed_in(&other, &person).await;
    // The other node knows the portal.
    assert_alive(&other, &tokens, true).await;
    let organization = person.organization.clone().unwrap().id;
    api.put(&format!("/organizations/{organization}/status"), &suspension()).await.done(200);
    // Nothing of this is remembered: the next use sees it.
    assert_alive(&other, &tokens, false).await;
    assert!(!has_session(&other, &mut session).await);

    api.put("/portals/demo-portal/status", &closed_portal()).await.done(200);
    let closed = std::time::Instant::now();
    let request = AuthorizationRequest::of(one.client("demo-portal"));
    loop {
        let visit = Browser::new().get(&request.url(&other)).await;
        if matches!(&visit, Visit::Page(page) if page.has("portal-closed-page")) {
            break;
        }
        assert!(closed.elapsed() < Duration::from_secs(5), "still open after five seconds");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    one.kill();
    other.kill();
}
