//! Inviting somebody who has an account already: theirs to accept, through the account page or the management API.

use habilis_integration_tests::api::ALL;
use habilis_integration_tests::{Api, Browser, Inbox, TestServer, Visit};
use serde_json::{Value, json};

use crate::activation::{activate, link_to};
use crate::api::{invited, new_organization, of_kind, operator};
use crate::forgot::{NEW, local_sign_in};
use crate::sign_up::{fill, work};

const DAY: u64 = 86_400;

fn invitation(login: &str) -> Value {
    json!({ "email": login, "given_name": "Nom", "family_name": "Supposé", "rights": [{ "client_id": "demo-portal", "role": "formateur" }] })
}

/// An organization that may give a right, with the address of its members.
async fn organization(boss: &Api, name: &str) -> (String, String) {
    let organization = new_organization(boss, name).await;
    let grants = json!({ "roles": ["formateur"] });
    boss.put(&format!("/organizations/{organization}/portals/demo-portal"), &grants).await.done(200);
    let members = format!("/organizations/{organization}/members");
    (organization, members)
}

own_journeys! {
    async fn somebody_with_an_account_joins_when_they_accept(mut server: TestServer) {
        let boss = operator(&server).await;
        let (organization, members) = organization(&boss, "Accueil").await;
        let person = of_kind(&server, "trainer");
        let offered = boss.post(&members, &invitation(&person.login)).await.done(202);
        // Nothing but the address is known of them.
        assert_eq!((&offered["email"], &offered["person"], &offered["status"]), (&json!(person.login), &Value::Null, &json!("open")));
        boss.post(&members, &invitation(&person.login)).await.problem(409, "conflict");
        assert_eq!(boss.get(&members).await.done(200)["items"], json!([]));
        let mails = Inbox::of(&server).to(&person.login).await;
        let mail = mails.iter().find(|mail| mail.subject.contains("Accueil")).expect("a letter");
        let link = mail.links.iter().find(|link| link.ends_with("/account/organizations")).expect("a link").clone();

        let mut browser = Browser::new();
        let page = browser.get(&link).await.page();
        assert!(page.has("login-page"));
        let Visit::Page(page) = browser.sign_in(&person).await else { panic!("the page of organizations") };
        assert!(page.has("organizations-page") && page.text("offer-1") == "Accueil", "{}", page.summary());
        let Visit::Page(page) = browser.submit("offer-form-1", &[]).await else { panic!("the page again") };
        assert!(page.has("organizations-done") && !page.has("offer-form-1"), "{}", page.summary());
        let found = boss.get(&members).await.done(200);
        let id = found["items"][0]["id"].as_str().unwrap();
        let member = boss.get(&format!("{members}/{id}")).await.done(200);
        assert_eq!((&member["given_name"], &member["rights"]), (&json!(person.given_name), &invitation("")["rights"]));
        let offers = boss.get(&format!("/organizations/{organization}/offers")).await.done(200);
        assert_eq!((&offers["items"][0]["status"], &offers["items"][0]["person"]), (&json!("accepted"), &json!(id)));
        boss.post(&members, &invitation(&person.login)).await.problem(409, "conflict");
        // A form sent twice, or by another page, changes nothing.
        let trail = boss.get(&format!("/organizations/{organization}/audit?limit=200")).await.done(200);
        assert_eq!(trail["items"].as_array().unwrap().iter().filter(|line| line["event"] == "member.joined").count(), 1);
        server.kill();
    }

    async fn offers_are_declined_withdrawn_and_lapse_and_rights_are_those_of_the_day(mut server: TestServer) {
        let boss = operator(&server).await;
        let (organization, members) = organization(&boss, "Essais").await;
        let offers = format!("/organizations/{organization}/offers");
        let person = of_kind(&server, "trainer");
        let api = Api::of_person(&server, &person, ALL).await;
        let other = Api::of_person(&server, server.learner(), ALL).await;
        let offer = async |boss: &Api| boss.post(&members, &invitation(&person.login)).await.done(202)["id"].as_str().unwrap().to_owned();

        let first = offer(&boss).await;
        let mine = api.get("/me/offers").await.done(200);
        assert_eq!((&mine["items"][0]["id"], &mine["items"][0]["organization_name"]), (&json!(first), &json!("Essais")));
        assert_eq!(other.get("/me/offers").await.done(200)["items"], json!([]));
        let post = async |api: &Api, offer: &str, what: &str| api.send(api.request("POST", &format!("/me/offers/{offer}/{what}"))).await;
        post(&other, &first, "accept").await.problem(404, "not_found");
        assert_eq!(post(&api, &first, "decline").await.status, 204);
        post(&api, &first, "accept").await.problem(404, "not_found");

        let second = offer(&boss).await;
        assert_eq!(boss.delete(&format!("{offers}/{second}")).await.status, 204);
        boss.delete(&format!("{offers}/{second}")).await.problem(409, "conflict");
        post(&api, &second, "accept").await.problem(404, "not_found");

        let third = offer(&boss).await;
        server.advance(31 * DAY).await;
        let boss = operator(&server).await;
        let api = Api::of_person(&server, &person, ALL).await;
        assert_eq!(api.get("/me/offers").await.done(200)["items"], json!([]));
        post(&api, &third, "accept").await.problem(404, "not_found");
        let statuses: Vec<_> = boss.get(&offers).await.done(200)["items"].as_array().unwrap().iter().map(|item| item["status"].clone()).collect();
        assert_eq!(statuses, ["expired", "withdrawn", "declined"]);

        // What the operator takes back meanwhile is not given.
        let fourth = offer(&boss).await;
        boss.put(&format!("/organizations/{organization}/portals/demo-portal"), &json!({ "roles": ["apprenant"] })).await.done(200);
        assert_eq!(post(&api, &fourth, "accept").await.status, 204);
        let id = api.get("/me").await.done(200)["id"].as_str().unwrap().to_owned();
        assert_eq!(boss.get(&format!("{members}/{id}")).await.done(200)["rights"], json!([]));
        // The operator's staff and who has not come yet are a login that is taken.
        let staff = server.people.iter().find(|person| person.kind == "operator").unwrap().login.clone();
        let administrator = Api::of_client(&server, "demo-hr", ALL).await;
        let own = server.people.iter().filter_map(|person| person.organization.clone()).find(|it| it.kind == "company").unwrap().id;
        let body = json!({ "email": staff, "given_name": "Nom", "family_name": "Supposé" });
        administrator.post(&format!("/organizations/{own}/members"), &body).await.problem(409, "login_taken");
        server.kill();
    }

    async fn the_address_of_somebody_else_is_nobodys_login(mut server: TestServer) {
        const OWNER: &str = "pdg@grande.example";
        const OTHER: &str = "Mq9!tambour-Vexin";
        let boss = operator(&server).await;
        let (_, members) = organization(&boss, "Curieuse").await;
        let stranger = |login: &str| json!({ "email": "moi@mal.example", "login": login, "given_name": "Nom", "family_name": "Supposé" });
        for login in [OWNER, "PDG@Grande.Example", "pdg＠grande.example", "pdg@interne"] {
            let problem = boss.post(&members, &stranger(login)).await.problem(422, "invalid_fields");
            assert_eq!((&problem["errors"][0]["pointer"], &problem["errors"][0]["code"]), (&json!("/login"), &json!("not_theirs")));
        }
        let names = ["--given-name", "Nom", "--family-name", "Supposé", "--email", "moi@mal.example", "--login", OWNER];
        server.manage(&[&["person", "invite"], &names[..]].concat()).await.assert_refused(&["--login"]);
        server.manage(&[&["operator", "create"], &names[..]].concat()).await.assert_refused(&["--login"]);
        let person = invited(&boss, members.split('/').nth(2).unwrap(), &stranger("curieux")).await;
        activate(&mut Browser::new(), &link_to(&server, ("moi@mal.example", "/activate/"), 1).await, NEW).await;

        // Only at their own address are they somebody who can be asked.
        let (_, elsewhere) = organization(&boss, "Trompée").await;
        let mut offered = stranger("curieux");
        offered["email"] = json!("luc@mal.example");
        boss.post(&elsewhere, &offered).await.problem(409, "login_taken");
        boss.post(&elsewhere, &stranger("curieux")).await.done(202);

        // An earlier version let that login through, and made an offer that was meant for the owner.
        server.rewrite(&format!("UPDATE people SET login = '{OWNER}' WHERE id = '{person}'")).await;
        server.rewrite(&format!("UPDATE membership_offers SET email = '{OWNER}' WHERE person_id = '{person}'")).await;
        let mut browser = Browser::new();
        assert_eq!(local_sign_in(&server, &mut browser, OWNER, NEW).await.url.path(), "/account");
        let page = browser.get(&server.url("/account/organizations")).await.page();
        assert!(page.has("organizations-page") && !page.has("offer-form-1"), "{}", page.summary());

        // Whoever invites the owner learns that it cannot be, and the stranger nothing.
        let letters = Inbox::of(&server).to("moi@mal.example").await.len();
        let (big, their_members) = organization(&boss, "Grande").await;
        let chief = json!({ "email": OWNER, "given_name": "Anne", "family_name": "Roy", "role": "administrator" });
        boss.post(&their_members, &chief).await.problem(409, "login_taken");
        let file = format!("Nom;Prénom;Courriel;Identifiant\r\nRoy;Anne;{OWNER};\r\nRoy;Luc;luc@mal.example;{OWNER}\r\n");
        let codes = wrong_rows(&boss, &big, file).await;
        assert_eq!(codes, [(2, "login_taken".to_owned()), (3, "login_address".to_owned())]);

        // The owner signs up as anybody does, and has the login; the stranger signs in with their own address.
        let mut owner = Browser::new();
        let page = owner.get(&server.url("/sign-up")).await.page();
        let proof = work(&page);
        assert_eq!(fill(&mut owner, "PDG@Grande.example", &proof).await.status, 200);
        let link = link_to(&server, ("PDG@grande.example", "/activate/"), 1).await;
        assert_eq!(Inbox::of(&server).to("moi@mal.example").await.len(), letters);
        activate(&mut owner, &link, OTHER).await;
        assert_eq!(local_sign_in(&server, &mut Browser::new(), OWNER, OTHER).await.url.path(), "/account");
        assert_eq!(local_sign_in(&server, &mut Browser::new(), OWNER, NEW).await.status, 401);
        assert_eq!(local_sign_in(&server, &mut Browser::new(), "moi@mal.example", NEW).await.url.path(), "/account");
        let mails = Inbox::of(&server).to("moi@mal.example").await;
        assert!(mails.iter().any(|mail| mail.subject == "Votre identifiant a changé" && mail.text.contains(OWNER)), "{mails:?}");
        boss.post(&their_members, &invitation(OWNER)).await.done(202);
        let letters = Inbox::of(&server).to("PDG@grande.example").await;
        assert!(letters.iter().any(|mail| mail.subject.contains("Grande")), "{letters:?}");
        server.kill();
    }
}

/// The first problem of each wrong row of a file, with its line.
async fn wrong_rows(api: &Api, organization: &str, file: String) -> Vec<(i64, String)> {
    let imports = format!("/organizations/{organization}/imports");
    let sent = api.send(api.request("POST", &imports).header("content-type", "text/csv").body(file)).await.done(202);
    let one = format!("{imports}/{}", sent["id"].as_str().unwrap());
    for _ in 0..1200 {
        let import = api.get(&one).await.done(200);
        if import["state"] == "checked" {
            let rows = import["first_problems"].as_array().unwrap().iter();
            let code =
                |row: &Value| (row["line"].as_i64().unwrap(), row["problems"][0]["code"].as_str().unwrap().to_owned());
            return rows.map(code).collect();
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("never checked: {}", api.get(&one).await.body);
}
