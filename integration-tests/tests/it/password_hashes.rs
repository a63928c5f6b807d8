//! Digests of passwords: to the client itself on its explicit choice, and back in beside an import (R212, R025).

use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use habilis_integration_tests::api::ALL;
use habilis_integration_tests::{Answer, Api, Browser, Engine, Inbox, Page, Person, TestServer};
use serde_json::{Value, json};

use crate::activation::{activate, link_to};
use crate::api::{all, invited, new_member, new_organization, of_kind, operator, personnel};
use crate::forgot::{NEW, local_sign_in};
use crate::imports::{applied, checked, mode, path_of};

/// Another password that suits anybody.
const OTHER: &str = "Wq5!sarneuil-Vop";

/// Somebody of this kind in the organization of that kind.
fn person_of(server: &TestServer, kind: &str, of: &str) -> Person {
    let there = |person: &&Person| person.kind == kind && person.organization.as_ref().is_some_and(|it| it.kind == of);
    server.people.iter().find(there).unwrap().clone()
}

/// Invites somebody who opens their account with [`NEW`].
async fn joined((server, boss): (&TestServer, &Api), organization: &str, mail: &str) -> String {
    let person = invited(boss, organization, &new_member(mail)).await;
    let link = link_to(server, (&format!("{mail}@societe.example"), "/activate/"), 1).await;
    activate(&mut Browser::new(), &link, NEW).await.page();
    person
}

fn lines(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("content-type"), "application/jsonl");
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The line of somebody.
fn of_login<'a>(lines: &'a [Value], login: &str) -> Option<&'a Value> {
    lines.iter().find(|line| line["data"]["login"] == login)
}

fn opens(line: &Value, password: &str) -> bool {
    let phc = line["data"]["password_hash"].as_str().unwrap();
    assert!(phc.starts_with("$argon2id$v=19$"), "{phc}");
    Argon2::default().verify_password(password.as_bytes(), phc).is_ok()
}

fn choice() -> Value {
    json!({ "reason": "Départ vers un autre prestataire", "understood": true })
}

/// The letters of this subject to an address, once there is one.
async fn letters(server: &TestServer, address: &str, subject: &str) -> Vec<String> {
    for _ in 0..400 {
        let mails = Inbox::of(server).to(address).await;
        let found: Vec<_> =
            mails.into_iter().filter(|mail| mail.subject.contains(subject)).map(|mail| mail.text).collect();
        if !found.is_empty() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("no letter about {subject} to {address}");
}

own_journeys! {
    async fn digests_go_to_an_administrator_in_person_and_to_nobody_else(mut server: TestServer) {
        let boss = operator(&server).await;
        let (software, organization) = personnel(&server).await;
        let of = format!("/organizations/{organization}");
        let path = format!("{of}/password-hashes");
        let weak = Api::of_person(&server, &person_of(&server, "administrator", "company"), ALL).await;
        let answer = weak.post(&path, &choice()).await;
        answer.problem(401, "insufficient_user_authentication");
        assert!(answer.header("www-authenticate").contains("insufficient_user_authentication"));
        assert_eq!(software.post(&path, &choice()).await.problem(403, "forbidden")["policy"], "client-alone");
        boss.post(&path, &choice()).await.problem(403, "forbidden");
        let staff = Api::of_person(&server, &of_kind(&server, "second factor operator"), ALL).await;
        staff.post(&path, &choice()).await.problem(403, "forbidden");
        let stranger = Api::of_person(&server, &person_of(&server, "second factor administrator", "cfa"), ALL).await;
        stranger.post(&path, &choice()).await.problem(404, "not_found");
        assert!(all(&boss, &format!("{of}/audit")).await.iter().all(|line| line["event"] != "account.password_hash_exported"));
        assert_eq!(boss.get(&format!("{of}/data-return")).await.done(200)["password_hashes_exported_at"], Value::Null);
        server.kill();
    }

    async fn the_digests_of_an_organizations_own_people_open_what_they_chose_and_everybody_is_told(mut server: TestServer) {
        let boss = operator(&server).await;
        let person = person_of(&server, "second factor administrator", "company");
        let organization = person.organization.clone().unwrap().id;
        let of = format!("/organizations/{organization}");
        let path = format!("{of}/password-hashes");
        for (duty, email) in [("signatory", "signataire@export.example"), ("dpo", "dpo@export.example")] {
            boss.post(&format!("{of}/contacts"), &json!({ "duty": duty, "name": "Luc Roy", "email": email })).await.done(201);
        }
        joined((&server, &boss), &organization, "partie").await;
        joined((&server, &boss), &organization, "ailleurs").await;
        let closed = joined((&server, &boss), &organization, "fermee").await;
        let suspended = json!({ "status": "suspended", "reason": "essai", "breach": "Facture.", "remedy": "Régler." });
        boss.put(&format!("/people/{closed}/status"), &suspended).await.done(200);
        invited(&boss, &organization, &new_member("jamais")).await;
        // An offer elsewhere is enough for the account not to be this organization's alone.
        let elsewhere = new_organization(&boss, "Ailleurs").await;
        boss.post(&format!("/organizations/{elsewhere}/members"), &new_member("ailleurs")).await.done(202);

        let chief = Api::of_person(&server, &person, ALL).await;
        for body in [json!({ "reason": "Départ", "understood": false }), json!({ "reason": "Départ" }), json!({ "reason": "", "understood": true })] {
            chief.post(&path, &body).await.problem(422, "invalid_fields");
        }
        let with_key = async || chief.send(chief.request("POST", &path).header("idempotency-key", "hashes-1").json(&choice())).await;
        let found = lines(&with_key().await);
        let (end, people) = found.split_last().unwrap();
        assert_eq!((&end["type"], &end["data"]["lines"]), (&json!("end"), &json!(people.len())), "{end}");
        let expected = json!({ "account_closed": 1, "no_password": 1, "not_yours_alone": 2, "to_be_renewed": 0 });
        assert_eq!(end["data"]["left_out"], expected, "{end}");
        let own = server.people.iter().filter(|person| {
            person.organization.as_ref().is_some_and(|it| it.id == organization) && person.second_organization.is_none()
        });
        let own: Vec<_> = own.map(|person| (person.login.clone(), person.password.clone())).collect();
        assert_eq!(people.len(), own.len() + 1, "{found:?}");
        for (login, password) in own.iter().map(|(login, password)| (login.as_str(), password.as_str())).chain([("partie@societe.example", NEW)]) {
            let line = of_login(people, login).unwrap_or_else(|| panic!("no line of {login}"));
            assert!(line["type"] == "password_hash" && opens(line, password) && !opens(line, "autre"), "{login}");
            assert!(line["data"]["person"].as_str().unwrap().starts_with("usr_") && line["data"]["changed_at"].is_string());
        }
        for login in ["ailleurs", "fermee", "jamais"] {
            assert_eq!(of_login(&found, &format!("{login}@societe.example")), None);
        }

        // The same request again is told that it was done, and nothing that is secret.
        let again = with_key().await;
        assert_eq!((again.header("idempotency-replayed"), &again.done(200)["people"]), ("true", &json!(people.len())));
        assert!(!again.body.contains("argon2id"), "{}", again.body);
        for _ in 0..2 {
            assert_eq!(lines(&chief.post(&path, &choice()).await).len(), found.len());
        }
        let answer = chief.post(&path, &choice()).await;
        answer.problem(429, "rate_limited");
        assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);

        let trail = all(&boss, &format!("{of}/audit")).await;
        let told = |event: &str| trail.iter().filter(|line| line["event"] == event).collect::<Vec<_>>();
        let exports = told("organization.password_hashes_exported");
        assert_eq!(exports.len(), 3);
        assert_eq!((&exports[0]["detail"]["reason"], &exports[0]["detail"]["people"]), (&choice()["reason"], &json!(people.len())));
        assert_eq!(told("account.password_hash_exported").len(), 3 * people.len());
        assert!(told("account.password_hash_exported").iter().all(|line| line["actor"] == exports[0]["actor"]));
        assert!(!json!(trail).to_string().contains("argon2id"));
        assert!(boss.get(&format!("{of}/data-return")).await.done(200)["password_hashes_exported_at"].is_string());
        for address in ["signataire@export.example", "dpo@export.example"] {
            let letters = letters(&server, address, "empreintes de mots de passe exportées").await;
            assert!(letters[0].contains("Départ vers un autre prestataire") && letters[0].contains(&person.family_name), "{}", letters[0]);
        }
        let mut browser = Browser::new();
        local_sign_in(&server, &mut browser, "partie@societe.example", NEW).await;
        let page = browser.get(&server.url("/account/activity")).await.page();
        assert!(page.summary().contains("Empreinte du mot de passe remise"), "{}", page.summary());
        server.kill();
    }
}

on_both_engines! { people_keep_their_password_from_one_server_to_the_next }

/// The digest of a password as another server with cheaper parameters keeps it.
fn elsewhere(password: &str) -> String {
    let params = Params::new(8192, 3, 1, None).unwrap();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_with_salt(password.as_bytes(), b"0123456789abcdef").unwrap().to_string()
}

fn line(login: &str, phc: &str, changed_at: &str) -> String {
    let data = json!({ "login": login, "password_hash": phc, "changed_at": changed_at });
    json!({ "type": "password_hash", "data": data }).to_string() + "\n"
}

async fn put(api: &Api, path: &str, text: String) -> Answer {
    api.send(api.request("PUT", path).header("content-type", "application/jsonl").body(text)).await
}

async fn refused(api: &Api, path: &str, text: String) -> Vec<(String, String)> {
    let problem = put(api, path, text).await.problem(422, "invalid_fields");
    let word = |error: &Value, name: &str| error[name].as_str().unwrap().to_owned();
    problem["errors"].as_array().unwrap().iter().map(|error| (word(error, "pointer"), word(error, "code"))).collect()
}

/// Opens the link of an invitation and gives the page.
async fn at_link(server: &TestServer, browser: &mut Browser, login: &str) -> Page {
    let link = link_to(server, (login, "/activate/"), 1).await;
    browser.get(&link).await.page()
}

fn chosen(password: &str) -> [(&str, &str); 4] {
    [("password", password), ("repeated", password), ("accept", "yes"), ("declare", "yes")]
}

/// What may not be kept is not chosen anew either, however often.
async fn another_is_chosen(server: &TestServer, login: &str) {
    let mut browser = Browser::new();
    let page = at_link(server, &mut browser, login).await;
    assert!(page.has("new-password") && !page.has("kept-password"), "{}", page.summary());
    for _ in 0..2 {
        let page = browser.submit("activate-form", &chosen(NEW)).await.page();
        assert!(page.status == 422 && page.has("password-problems") && page.has("new-password"), "{}", page.summary());
    }
    let page = browser.submit("activate-form", &chosen(OTHER)).await.page();
    assert!(page.has("account-page"), "{}", page.summary());
    // Nor later: it is among the earlier ones.
    browser.get(&server.url("/account/password")).await.page();
    let page = browser.submit("change-password-form", &[("password", NEW), ("repeated", NEW)]).await.page();
    assert!(page.status == 422 && page.has("password-problems"), "{}", page.summary());
}

async fn people_keep_their_password_from_one_server_to_the_next(engine: Engine) {
    let (mut first, mut second) = (TestServer::own(engine).await, TestServer::own(engine).await);
    let boss = operator(&first).await;
    let person = person_of(&first, "second factor administrator", "company");
    let of = format!("/organizations/{}", person.organization.clone().unwrap().id);
    let logins = ["un", "deux", "trois", "quatre"].map(|name| format!("{name}@societe.example"));
    for name in ["un", "deux", "trois", "quatre"] {
        joined((&first, &boss), of.trim_start_matches("/organizations/"), name).await;
    }
    let chief = Api::of_person(&first, &person, ALL).await;
    let people = chief.get(&format!("{of}/members.csv")).await.body;
    let digests = lines(&chief.post(&format!("{of}/password-hashes"), &choice()).await);
    let digest = |login: &str| of_login(&digests, login).unwrap()["data"]["password_hash"].as_str().unwrap().to_owned();

    // The people of the spreadsheet, and one more who has an account where they go.
    let known = second.learner().login.clone();
    let mut file: String = people
        .split_inclusive("\r\n")
        .enumerate()
        .filter(|(number, row)| *number == 0 || logins.iter().any(|login| row.contains(&format!(";{login};"))))
        .map(|(_, row)| row)
        .collect();
    let more = file.lines().find(|row| row.contains(&logins[0])).unwrap().replace(&logins[0], &known);
    file += &(more + "\r\n");
    let boss = operator(&second).await;
    let organization = new_organization(&boss, "Arrivée").await;
    let import = checked(&boss, &organization, file).await;
    assert_eq!((&import["rows"]["ready"], &import["rows"]["offers"]), (&json!(5), &json!(1)), "{import}");
    let path = format!("{}/password-hashes", path_of(&organization, &import));

    let staff = Api::of_person(&second, &of_kind(&second, "second factor operator"), ALL).await;
    let now = second.now().await;
    let ago = |days: i64| (now - jiff::SignedDuration::from_hours(24 * days)).to_string();
    let good = line(&logins[0], &digest(&logins[0]), &ago(40))
        + &line(&logins[1], &elsewhere(NEW), &ago(1))
        // Older than a year: it opens nothing.
        + &line(&logins[2], &digest(&logins[2]), &ago(400))
        + &line(&logins[3], &digest(&logins[3]), &ago(40));
    assert_eq!(put(&boss, &path, good.clone()).await.problem(403, "forbidden")["policy"], "people-decide");
    staff.put(&path, &json!({})).await.problem(415, "unsupported_media_type");
    let absurd = digest(&logins[0]).replace("m=19456", "m=1048576");
    let tomorrow = (now + jiff::SignedDuration::from_hours(24)).to_string();
    let wrong = line(&logins[0], &absurd, &ago(1))
        + &line(&logins[1], "secret", &ago(1))
        + &line(&logins[2], &elsewhere(NEW), &tomorrow);
    let expected = [
        ("/0/data/password_hash", "too_dear"),
        ("/1/data/password_hash", "no_argon2id"),
        ("/2/data/changed_at", "future"),
    ];
    assert_eq!(refused(&staff, &path, wrong).await, expected.map(|(at, code)| (at.to_owned(), code.to_owned())));
    let wrong =
        line(&known, &elsewhere(NEW), &ago(1)) + &line("personne@societe.example", &elsewhere(NEW), &ago(1)) + &good;
    let expected = [("/0/data/login", "account_exists"), ("/1/data/login", "no_such_row")];
    assert_eq!(refused(&staff, &path, wrong).await, expected.map(|(at, code)| (at.to_owned(), code.to_owned())));
    let shown = boss.get(&path_of(&organization, &import)).await.done(200);
    assert_eq!(shown["rows"]["password_hashes"], 0, "nothing of a file with a wrong line is taken");
    assert_eq!(put(&staff, &path, good.clone()).await.done(200)["rows"]["password_hashes"], 4);
    let import = applied(&boss, &organization, &import, &mode("all_or_nothing")).await;
    assert_eq!((&import["rows"]["made"], &import["rows"]["offered"]), (&json!(4), &json!(1)), "{import}");
    put(&staff, &path, good).await.problem(409, "conflict");

    // The digest alone opens nothing: the link proves the address.
    let page = local_sign_in(&second, &mut Browser::new(), &logins[0], NEW).await;
    assert_eq!(page.status, 401, "{}", page.summary());
    let consent = |password| [("password", password), ("accept", "yes"), ("declare", "yes")];
    for login in &logins[..2] {
        let mut browser = Browser::new();
        let page = at_link(&second, &mut browser, login).await;
        assert!(page.has("kept-password") && !page.has("new-password"), "{}", page.summary());
        let page = browser.submit("activate-form", &consent("Faux!passe-0123")).await.page();
        assert!(page.status == 422 && page.has("password-problems") && page.has("kept-password"), "{}", page.summary());
        let page = browser.submit("activate-form", &consent(NEW)).await.page();
        assert!(page.has("account-page"), "{}", page.summary());
        let page = local_sign_in(&second, &mut Browser::new(), login, NEW).await;
        assert_eq!(page.url.path(), "/account", "{}", page.summary());
    }
    another_is_chosen(&second, &logins[2]).await;
    // Five tries, and another one is chosen.
    let mut browser = Browser::new();
    at_link(&second, &mut browser, &logins[3]).await;
    for tries in 1..=5 {
        let page = browser.submit("activate-form", &consent("Faux!passe-0123")).await.page();
        assert_eq!((page.status, page.has("kept-password")), (422, tries < 5), "{}", page.summary());
    }
    let page = browser.submit("activate-form", &chosen(NEW)).await.page();
    assert!(page.status == 422 && page.has("password-problems"), "{}", page.summary());
    let page = browser.submit("activate-form", &chosen(OTHER)).await.page();
    assert!(page.has("account-page"), "{}", page.summary());
    let page = local_sign_in(&second, &mut Browser::new(), &logins[3], NEW).await;
    assert_eq!(page.status, 401, "{}", page.summary());

    let trail = all(&boss, "/audit").await;
    let kept = |line: &&Value| line["event"] == "account.activated" && line["detail"]["password_kept"] == true;
    assert_eq!(trail.iter().filter(kept).count(), 2);
    let added = trail.iter().find(|line| line["event"] == "import.password_hashes_added").unwrap();
    assert_eq!(added["detail"]["people"], 4, "{added}");
    assert!(!json!(trail).to_string().contains("argon2id"));
    first.kill();
    second.kill();
}
