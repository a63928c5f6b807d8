//! What administrators and operators do about other people's credentials through the management API: the reset of second factors, the link to
//! choose another password (R035), whose password is due (R045, R046), and the organization's own rules (R040).

use std::time::Duration;

use habilis_integration_tests::api::ALL;
use habilis_integration_tests::{Answer, Api, Browser, Inbox, Person, TestServer};
use serde_json::{Value, json};

use crate::api::{give_duties, invited, new_member, of_kind, operator, two_operators};
use crate::forgot::{NEW, ask, choose, link_to, local_sign_in};

/// Somebody of this kind in an organization.
fn in_organization(server: &TestServer, organization: &str, kind: &str) -> Person {
    let of = |person: &&Person| person.organization.as_ref().is_some_and(|it| it.id == organization);
    server.people.iter().filter(of).find(|person| person.kind == kind).unwrap_or_else(|| panic!("no {kind}")).clone()
}

async fn id_of(boss: &Api, person: &Person) -> String {
    let found = boss.get(&format!("/people?q={}", person.login)).await.done(200);
    found["items"][0]["id"].as_str().unwrap().to_owned()
}

/// The text of the mail to an address whose subject and text hold these words.
async fn mail_saying(server: &TestServer, address: &str, words: &str) -> String {
    for _ in 0..400 {
        let mails =
            Inbox::of(server).to(address).await.into_iter().map(|mail| format!("{}\n{}", mail.subject, mail.text));
        if let Some(mail) = mails.into_iter().find(|mail| mail.contains(words)) {
            return mail;
        }
        // Mail goes out after the answer.
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("no mail to {address} says {words}: {:?}", Inbox::of(server).to(address).await);
}

/// The last line of this name in an organization's audit trail.
async fn line(api: &Api, organization: &str, event: &str) -> Value {
    let trail = api.get(&format!("/organizations/{organization}/audit?limit=200")).await.done(200);
    let found = trail["items"].as_array().unwrap().iter().find(|line| line["event"] == event).cloned();
    found.unwrap_or_else(|| panic!("no {event}: {trail}"))
}

async fn bare(api: &Api, path: &str) -> Answer {
    api.send(api.request("POST", path)).await
}

own_journeys! {
    async fn an_administrator_resets_the_second_factors_of_a_member_who_lost_theirs(mut server: TestServer) {
        let boss = operator(&server).await;
        let lost = of_kind(&server, "second factor");
        let organization = lost.organization.clone().unwrap();
        let of = format!("/organizations/{}", organization.id);
        let strong = in_organization(&server, &organization.id, "second factor administrator");
        let administrator = Api::of_person(&server, &strong, ALL).await;
        let weak = Api::of_person(&server, &in_organization(&server, &organization.id, "administrator"), ALL).await;
        let contact = json!({ "duty": "signatory", "name": "Anne Prévost", "email": "signataire@campus.example" });
        boss.post(&format!("{of}/contacts"), &contact).await.done(201);
        let id = id_of(&boss, &lost).await;
        let member = format!("{of}/members/{id}");
        assert_eq!(weak.get(&member).await.done(200)["second_factor"], true);
        let reset = format!("{member}/second-factors/reset");
        let reason = json!({ "reason": "reconnue en visioconférence" });
        administrator.post(&reset, &json!({})).await.problem(422, "invalid_fields");
        weak.post(&reset, &reason).await.problem(401, "insufficient_user_authentication");
        // A program cannot judge whether somebody has proven who they are.
        boss.post(&reset, &reason).await.problem(403, "forbidden");
        let own = format!("{of}/members/{}/second-factors/reset", id_of(&boss, &strong).await);
        administrator.post(&own, &reason).await.problem(403, "forbidden");
        // Two live sessions, one as an administrator: the signatory learns of the reset.
        Api::of_person(&server, &lost, ALL).await;
        administrator.put(&format!("{member}/role"), &json!({ "role": "administrator" })).await.done(200);
        assert_eq!(administrator.post(&reset, &reason).await.done(200)["removed"], 1);
        administrator.post(&reset, &reason).await.problem(409, "conflict");
        assert_eq!(weak.get(&member).await.done(200)["second_factor"], false);
        let told = line(&boss, &organization.id, "second_factors.reset").await;
        assert_eq!((&told["subject"], &told["detail"]["sessions_ended"]), (&json!(id), &json!(1)), "{told}");
        assert_eq!((&told["detail"]["reason"], &told["detail"]["policy"]), (&reason["reason"], &json!("administrator")));
        assert_eq!(told["actor"], *id_of(&boss, &strong).await);
        let page = local_sign_in(&server, &mut Browser::new(), &lost.login, &lost.password).await;
        assert!(page.has("account-page"), "the password alone: {}", page.summary());
        let mail = mail_saying(&server, &lost.login, "Un administrateur de Campus Formation vient de retirer").await;
        assert!(!mail.contains("support") && mail.contains("/compromise/"), "{mail}");
        mail_saying(&server, "signataire@campus.example", "seconde étape d’un administrateur retirée").await;
        server.kill();
    }

    async fn who_belongs_elsewhere_as_well_or_works_for_the_operator_is_reset_by_the_operator_alone(mut server: TestServer) {
        let boss = operator(&server).await;
        let chief_person = of_kind(&server, "second factor operator");
        let operators = two_operators(&server).await;
        let chief = &operators.0;
        let several = of_kind(&server, "two organizations");
        let organization = several.organization.clone().unwrap().id;
        let of = format!("/organizations/{organization}");
        let strong = in_organization(&server, &organization, "second factor administrator");
        let administrator = Api::of_person(&server, &strong, ALL).await;
        let reason = json!({ "reason": "pièce d’identité vue" });
        let shared = format!("{of}/members/{}/second-factors/reset", id_of(&boss, &several).await);
        administrator.post(&shared, &reason).await.problem(409, "in_other_organizations");
        // Staff of the operator are out of reach, even as members.
        let learner = id_of(&boss, &in_organization(&server, &organization, "learner")).await;
        let duties = json!({ "operator": false, "privacy": true, "reason": "nomination" });
        give_duties(&operators, &learner, &duties).await;
        administrator.post(&format!("{of}/members/{learner}/second-factors/reset"), &reason).await.problem(404, "not_found");
        // The operator: everybody but oneself, with two factors, and never by a program.
        let contact = json!({ "duty": "signatory", "name": "Anne Prévost", "email": "signataire@societe.example" });
        boss.post(&format!("{of}/contacts"), &contact).await.done(201);
        let id = id_of(&boss, &strong).await;
        let path = format!("/people/{id}/second-factors");
        let found = boss.get(&path).await.done(200);
        assert_eq!((&found["authenticator_apps"], &found["passkeys"], &found["password"]), (&json!(1), &json!(0), &json!(true)));
        administrator.get(&path).await.problem(404, "not_found");
        let reset = format!("{path}/reset");
        administrator.post(&reset, &reason).await.problem(404, "not_found");
        boss.post(&reset, &reason).await.problem(403, "forbidden");
        let weak = Api::of_person(&server, &of_kind(&server, "operator"), ALL).await;
        weak.post(&reset, &reason).await.problem(401, "insufficient_user_authentication");
        let own = format!("/people/{}/second-factors/reset", id_of(&boss, &chief_person).await);
        chief.post(&own, &reason).await.problem(403, "forbidden");
        chief.post("/people/usr_nobody/second-factors/reset", &reason).await.problem(404, "not_found");
        assert_eq!(chief.post(&reset, &reason).await.done(200)["removed"], 1);
        assert_eq!(boss.get(&path).await.done(200)["authenticator_apps"], 0);
        mail_saying(&server, &strong.login, "Le support vient de retirer").await;
        mail_saying(&server, "signataire@societe.example", "seconde étape d’un administrateur retirée").await;
        server.kill();
    }

    async fn a_member_is_sent_the_link_to_another_password_and_nobody_else_sees_it(mut server: TestServer) {
        let boss = operator(&server).await;
        let person = server.learner().clone();
        let organization = person.organization.clone().unwrap();
        let members = format!("/organizations/{}/members", organization.id);
        let strong = in_organization(&server, &organization.id, "second factor administrator");
        let administrator = Api::of_person(&server, &strong, ALL).await;
        let weak = Api::of_person(&server, &in_organization(&server, &organization.id, "administrator"), ALL).await;
        let waiting = invited(&administrator, &organization.id, &new_member("attente")).await;
        bare(&administrator, &format!("{members}/{waiting}/renewal")).await.problem(409, "account_pending");
        let renewal = format!("{members}/{}/renewal", id_of(&boss, &person).await);
        bare(&weak, &renewal).await.problem(401, "insufficient_user_authentication");
        let answer = bare(&administrator, &renewal).await;
        assert!(answer.status == 204 && answer.body.is_empty(), "{}", answer.body);
        line(&boss, &organization.id, "password.reissued").await;
        let link = link_to(&server, &person.login, 1).await;
        mail_saying(&server, &person.login, "Un administrateur de Campus Formation vous envoie").await;
        let page = local_sign_in(&server, &mut Browser::new(), &person.login, &person.password).await;
        assert!(page.has("account-page"), "nothing changes before: {}", page.summary());
        assert!(choose(&mut Browser::new(), &link, NEW).await.has("password-changed-page"));
        let page = local_sign_in(&server, &mut Browser::new(), &person.login, NEW).await;
        assert!(page.has("account-page"), "{}", page.summary());
        for _ in 0..4 {
            assert_eq!(bare(&administrator, &renewal).await.status, 204);
        }
        let answer = bare(&administrator, &renewal).await;
        answer.problem(429, "rate_limited");
        assert!(answer.header("retry-after").parse::<u64>().unwrap() > 60);
        // What an administrator does takes nothing from what the person may ask for.
        let page = ask(&server, &mut Browser::new(), &person.login).await;
        assert!(page.has("link-sent-page"), "{}", page.summary());
        let other = in_organization(&server, &organization.id, "trainer");
        server.manage(&["mail", "bounced", &other.login]).await.printed();
        let boss = operator(&server).await;
        let renewal = format!("{members}/{}/renewal", id_of(&boss, &other).await);
        bare(&boss, &renewal).await.problem(409, "address_unproven");
        server.kill();
    }

    async fn the_api_says_whose_password_is_due_as_the_command_line_does(mut server: TestServer) {
        let (late, soon) = (server.learner_number(1).clone(), server.learner_number(2).clone());
        let organization = late.organization.clone().unwrap().id;
        let today = server.now().await;
        // The command line lives by the machine's clock, so the server goes back to when the passwords were chosen.
        for (person, days) in [(&late, 367), (&soon, 364)] {
            let then = today - jiff::SignedDuration::from_hours(24 * days);
            server.set_clock(&json!({ "set": then.to_string() })).await.ok_json();
            ask(&server, &mut Browser::new(), &person.login).await;
            let link = link_to(&server, &person.login, 1).await;
            assert!(choose(&mut Browser::new(), &link, NEW).await.has("password-changed-page"));
        }
        server.set_clock(&json!({ "set": today.to_string() })).await.ok_json();
        let boss = operator(&server).await;
        let weak = Api::of_person(&server, &in_organization(&server, &organization, "administrator"), ALL).await;
        let of = format!("/organizations/{organization}");
        let listed = weak.get(&format!("{of}/passwords?due_within=3")).await.done(200);
        let items = listed["items"].as_array().unwrap();
        let text = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
        let mut by_api: Vec<_> = items.iter().map(|item| [text(item, "status"), text(item, "expires_on"), text(item, "login")]).collect();
        let first = weak.get(&format!("{of}/passwords?due_within=3&limit=1")).await.done(200);
        assert_eq!(first["items"].as_array().unwrap(), &items[..1]);
        let next = first["next"].as_str().unwrap();
        let second = weak.get(&format!("{of}/passwords?due_within=3&limit=1&cursor={next}")).await.done(200);
        assert_eq!((second["items"].as_array().unwrap().as_slice(), &second["next"]), (&items[1..], &Value::Null));
        for wrong in ["due_within=0", "due_within=397", "due_within=x", "cursor=x", "days=3"] {
            assert_eq!(weak.get(&format!("{of}/passwords?{wrong}")).await.status, 400, "{wrong}");
        }
        let figures = boss.get("/passwords/figures?due_within=3").await.done(200);
        weak.get("/passwords/figures").await.problem(403, "forbidden");
        weak.get(&format!("{of}/passwords.csv")).await.problem(401, "insufficient_user_authentication");
        let sheet = boss.get(&format!("{of}/passwords.csv?due_within=3")).await;
        assert_eq!((sheet.status, sheet.header("content-type")), (200, "text/csv; charset=utf-8; header=present"));
        assert_eq!(sheet.body.lines().count(), 3, "{}", sheet.body);
        let row = sheet.body.lines().find(|row| row.contains(&late.login)).unwrap();
        assert!(row.starts_with(&late.family_name) && row.contains(";Expiré;"), "{row}");
        line(&boss, &organization, "passwords.exported").await;

        let said = server.manage(&["passwords", "due", "--days", "3", "--organization", &organization]).await.printed();
        let word = |said: &str| if said == "expires" { "expiring".to_owned() } else { said.to_owned() };
        let rows = said.lines().filter(|line| line.starts_with("expired ") || line.starts_with("expires "));
        let mut by_command: Vec<_> = rows
            .map(|row| row.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
            .map(|words| [word(&words[0]), words[1].clone(), words[2].clone()])
            .collect();
        by_api.sort();
        by_command.sort();
        assert_eq!(by_api, by_command, "{said}");
        assert_eq!(by_api.len(), 2, "{said}");
        let said = server.manage(&["passwords", "due", "--days", "3", "--summary"]).await.printed();
        let figure = |name: &str| -> u64 {
            let line = said.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {said}"));
            line.rsplit(' ').next().unwrap().parse().unwrap()
        };
        for (name, line) in [
            ("active", "active accounts"), ("expired", "of them expired"), ("expiring", "expiring within"), ("suspended", "suspended for"),
        ] {
            assert_eq!(figures[name], figure(line), "{name}: {figures} and {said}");
        }
        let campaign = |which: &str| figures[which]["due"].as_u64().unwrap_or_default();
        assert_eq!(campaign("last_campaign") + campaign("next_campaign"), figure("due by the campaign"), "{figures} and {said}");
        server.kill();
    }

    async fn the_figures_follow_the_campaign_and_the_suspended_are_listed(mut server: TestServer) {
        let person = server.learner_number(1).clone();
        let organization = person.organization.clone().unwrap().id;
        let passwords = format!("/organizations/{organization}/passwords");
        // Chosen in spring, so old enough for the December campaign.
        server.set_clock(&json!({ "set": "2030-03-01T12:00:00+01:00" })).await.ok_json();
        for someone in [&person, server.learner_number(2)] {
            ask(&server, &mut Browser::new(), &someone.login).await;
            let link = link_to(&server, &someone.login, 1).await;
            assert!(choose(&mut Browser::new(), &link, NEW).await.has("password-changed-page"));
        }
        let figures = operator(&server).await.get("/passwords/figures").await.done(200);
        let held_on = figures["next_campaign"]["held_on"].as_str().unwrap().to_owned();
        assert!(held_on.starts_with("2030-12-"), "{figures}");
        assert_eq!(figures["next_campaign"]["due"], 2, "{figures}");
        server.set_clock(&json!({ "set": format!("{held_on}T12:00:00+01:00") })).await.ok_json();
        let boss = operator(&server).await;
        let listed = boss.get(&passwords).await.done(200);
        let of = |listed: &Value, person: &Person| {
            let items = listed["items"].as_array().unwrap();
            items.iter().find(|item| item["login"] == *person.login).cloned().unwrap_or_default()
        };
        let (one, two) = (of(&listed, &person), server.learner_number(2).clone());
        assert_eq!((&one["status"], &one["cause"], &one["expires_on"]), (&json!("expired"), &json!("campaign"), &json!(held_on)));
        // One of the two renews.
        ask(&server, &mut Browser::new(), &two.login).await;
        let link = link_to(&server, &two.login, 2).await;
        assert!(choose(&mut Browser::new(), &link, "Zk7!rouvent-Pliq-2").await.has("password-changed-page"));
        let figures = boss.get("/passwords/figures").await.done(200);
        assert_eq!(figures["last_campaign"], json!({ "held_on": held_on, "due": 1, "renewed": 1 }), "{figures}");
        assert_eq!(of(&boss.get(&passwords).await.done(200), &two), Value::Null);
        // The grace passes.
        server.advance(40 * 86_400).await;
        let boss = operator(&server).await;
        let mut found = Value::Null;
        for _ in 0..400 {
            found = of(&boss.get(&passwords).await.done(200), &person);
            if found["status"] == "suspended" {
                break;
            }
            // A job suspends.
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        assert_eq!((&found["status"], &found["expires_on"]), (&json!("suspended"), &json!(held_on)), "{found}");
        server.kill();
    }

    async fn an_organization_states_its_rules_within_the_floor(mut server: TestServer) {
        let boss = operator(&server).await;
        let person = server.learner().clone();
        let organization = person.organization.clone().unwrap().id;
        let of = format!("/organizations/{organization}");
        let rules = format!("{of}/rules");
        let contact = json!({ "duty": "signatory", "name": "Anne Prévost", "email": "signataire@campus.example" });
        boss.post(&format!("{of}/contacts"), &contact).await.done(201);
        let strong = in_organization(&server, &organization, "second factor administrator");
        let administrator = Api::of_person(&server, &strong, ALL).await;
        let weak = Api::of_person(&server, &in_organization(&server, &organization, "administrator"), ALL).await;
        let answer = weak.get(&rules).await;
        let etag = answer.header("etag").to_owned();
        let shown = answer.done(200);
        assert_eq!((&shown["password"], &shown["second_factor"]), (&Value::Null, &json!("optional")));
        assert_eq!(shown["password_floor"]["four_classes_min"], 12, "{shown}");
        let longer = json!({ "password": { "four_classes_min": 20, "three_classes_min": 22 }, "second_factor": "required" });
        weak.patch(&rules, &etag, &longer).await.problem(401, "insufficient_user_authentication");
        let weaker = json!({ "password": { "four_classes_min": 11, "history": 25 } });
        let problem = administrator.patch(&rules, &etag, &weaker).await.problem(422, "invalid_fields");
        let named: Vec<&str> = problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        assert_eq!(named, ["/password/four_classes_min", "/password/history"], "{problem}");
        let answer = administrator.patch(&rules, &etag, &longer).await;
        let newer = answer.header("etag").to_owned();
        let now = answer.done(200);
        assert_eq!((&now["password_in_force"]["four_classes_min"], &now["second_factor"]), (&json!(20), &json!("required")), "{now}");
        assert_eq!(now["password"]["history"], shown["password_in_force"]["history"], "what is not named stays as it is in force");
        administrator.patch(&rules, &etag, &longer).await.problem(412, "version_mismatch");
        assert_eq!(boss.get(&of).await.header("etag"), newer);
        let again = administrator.patch(&rules, &newer, &longer).await;
        assert_eq!((again.status, again.header("etag")), (200, newer.as_str()), "nothing changes");
        ask(&server, &mut Browser::new(), &person.login).await;
        let page = Browser::new().get(&link_to(&server, &person.login, 1).await).await.page();
        assert_eq!(page.attribute("password-rules", "data-four").as_deref(), Some("20"));
        let page = local_sign_in(&server, &mut Browser::new(), &person.login, &person.password).await;
        assert!(page.has("enrol-page"), "{}", page.summary());
        mail_saying(&server, "signataire@campus.example", "règles de connexion modifiées").await;
        let set = line(&boss, &organization, "organization.password_policy_set").await;
        assert_eq!((&set["detail"]["before"], &set["detail"]["after"]["four_classes_min"]), (&Value::Null, &json!(20)), "{set}");
        line(&boss, &organization, "organization.second_factor_set").await;
        let back = administrator.patch(&rules, &newer, &json!({ "password": null })).await.done(200);
        assert_eq!((&back["password"], &back["password_in_force"]), (&Value::Null, &shown["password_in_force"]));
        assert_eq!(back["second_factor"], "required");
        server.kill();
    }
}
