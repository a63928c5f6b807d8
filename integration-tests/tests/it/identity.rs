//! Accounts are nobody else's (R007): who changes name, address and day of birth, in however many steps, is turned away at portals until an
//! operator verified who they are, or the account says again what it said.

use habilis_integration_tests::api::{ALL, CONSOLE};
use habilis_integration_tests::protocol::{
    AuthorizationRequest, Code, Tokens, post_as, redeem, refresh, tokens_for, userinfo,
};
use habilis_integration_tests::{Api, Browser, Client, Inbox, Person, TestServer, Visit};
use serde_json::{Value, json};

use crate::activation::link_to;
use crate::api::{of_kind, operator, two_operators};
use crate::forgot::local_sign_in;
use crate::profile::{ask, at_profile, press};

const OWN: &str = "habilis.self";
const ANEW: &str = "paul.roux@ailleurs.example";
const DAY: u64 = 86_400;
const TO_VERIFY: &str = "L’identité de votre compte est à vérifier";

async fn id_of(boss: &Api, login: &str) -> String {
    let found = boss.get(&format!("/people?q={login}")).await.done(200);
    found["items"][0]["id"].as_str().unwrap().to_owned()
}

async fn identity_status(boss: &Api, person: &str) -> Value {
    boss.get(&format!("/people/{person}")).await.done(200)["identity_status"].clone()
}

/// Changes one's own profile by a sign-in of this moment; gives what the API answers.
async fn change(server: &TestServer, person: &Person, changes: &Value) -> Value {
    let own = Api::of_person(server, person, OWN).await;
    let etag = own.get("/me").await.header("etag").to_owned();
    own.patch("/me", &etag, changes).await.done(200)
}

/// Moves the account to [`ANEW`]; gives its person, who signs in with that address from now on.
async fn move_away(server: &TestServer, person: &Person) -> Person {
    let mut browser = at_profile(server, person).await;
    let link = ask(server, &mut browser, ANEW).await;
    assert!(press(&link, "confirm-email-form").await.has("email-changed-page"));
    Person { login: ANEW.to_owned(), ..person.clone() }
}

/// Whether anything of these tokens is still worth anything.
async fn lives(server: &TestServer, client: &Client, tokens: &Tokens) -> bool {
    let access = ("/introspect", &[("token", tokens.access_token())][..]);
    let told = post_as(server, client, access).await.ok_json()["active"] == true;
    let token = ("/introspect", &[("token", tokens.refresh_token())][..]);
    assert_eq!(post_as(server, client, token).await.ok_json()["active"] == true, told);
    assert_eq!(userinfo(server, tokens.access_token()).await.status == 200, told);
    let renewed = refresh(server, client, tokens.refresh_token()).await;
    assert_eq!(renewed.status == 200, told, "{renewed:?}");
    told
}

/// What the portal's sign-in says to somebody it turns away; none when they get in.
async fn turned_away(server: &TestServer, client: &Client, person: &Person) -> Option<String> {
    let mut browser = Browser::new();
    browser.get(&AuthorizationRequest::of(client).url(server)).await;
    match browser.sign_in(person).await {
        Visit::Page(page) if page.has("not-for-you-page") => {
            let Visit::Left(url) = browser.click("not-for-you-back").await else { panic!("back") };
            assert!(
                url.as_str().contains("error=access_denied") && url.as_str().contains("identity_to_verify"),
                "{url}"
            );
            let silent = AuthorizationRequest::of(client).with("prompt", "none");
            let Visit::Left(url) = browser.get(&silent.url(server)).await else { panic!("no answer") };
            assert!(
                url.as_str().contains("error=access_denied") && url.as_str().contains("identity_to_verify"),
                "{url}"
            );
            Some(page.text("not-for-you-why"))
        }
        Visit::Left(url) if url.as_str().contains("code=") => None,
        other => panic!("{other:?}"),
    }
}

/// How many mails to an address have this subject, once there are as many as `least`.
async fn mails(server: &TestServer, address: &str, (subject, least): (&str, usize)) -> usize {
    let mut found = 0;
    for _ in 0..400 {
        found = Inbox::of(server).to(address).await.into_iter().filter(|mail| mail.subject == subject).count();
        if found >= least {
            return found;
        }
        // Mail goes out after the answer.
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("{found} of {least} mails to {address}: {subject}");
}

/// A name of somebody else, and another day of birth.
fn somebody_else() -> Value {
    json!({ "given_name": "Paul", "family_name": "Roux", "birthdate": "1990-01-01" })
}

own_journeys! {
    async fn three_changes_of_three_days_close_the_portals_and_an_operator_opens_them(mut server: TestServer) {
        let person = server.learner().clone();
        let (client, id) = (server.client("demo-portal").clone(), id_of(&operator(&server).await, &person.login).await);
        let request = AuthorizationRequest::of(&client).offline();
        assert_eq!(change(&server, &person, &json!({ "birthdate": "1990-01-01" })).await["identity_status"], "settled");
        server.advance(2 * DAY).await;
        let changed = change(&server, &person, &json!({ "given_name": "Paul", "family_name": "Roux" })).await;
        assert_eq!(changed["identity_status"], "settled", "the address is what it was: {changed}");
        server.advance(2 * DAY).await;
        let (boss, (chief, _)) = (operator(&server).await, two_operators(&server).await);
        let tokens = tokens_for(&server, &request, &person).await;
        assert!(lives(&server, &client, &tokens).await);
        let moved = move_away(&server, &person).await;
        assert!(!lives(&server, &client, &tokens).await);
        let why = turned_away(&server, &client, &moved).await.unwrap();
        assert!(why.contains("vérifié votre identité"), "{why}");
        let mut browser = Browser::new();
        let page = local_sign_in(&server, &mut browser, &moved.login, &moved.password).await;
        assert!(page.has("account-page") && page.has("account-to-verify"), "{}", page.summary());

        // Who has to know does, also at the address that the account had; and who looks for it finds it.
        for address in [ANEW, &person.login] {
            assert_eq!(mails(&server, address, (TO_VERIFY, 1)).await, 1, "{address}");
        }
        let operators = of_kind(&server, "second factor operator");
        mails(&server, &operators.login, ("Une identité est à vérifier", 1)).await;
        let organization = person.organization.clone().unwrap().id;
        let inside = |one: &&Person| one.organization.as_ref().is_some_and(|it| it.id == organization);
        let administrator = server.people.iter().filter(inside).find(|one| one.kind == "administrator").unwrap();
        let subject = format!("L’identité du compte de {} {} est à vérifier", person.given_name, person.family_name);
        mails(&server, &administrator.login, (&subject, 1)).await;
        let waiting = boss.get("/people?identity_status=to_be_verified").await.done(200);
        assert_eq!((&waiting["items"][0]["id"], &waiting["items"][1]), (&json!(id), &Value::Null), "{waiting}");
        let member = boss.get(&format!("/organizations/{organization}/members/{id}")).await.done(200);
        assert_eq!(member["identity_status"], "to_be_verified");

        // An operator, in person, of somebody else, about what they looked at.
        let verifications = format!("/people/{id}/identity-verifications");
        let verify = async |api: &Api, path: &str, etag: &str, body: &Value| {
            api.send(api.request("POST", path).header("if-match", etag).json(body)).await
        };
        let etag = chief.get(&format!("/people/{id}")).await.header("etag").to_owned();
        let good = json!({ "method": "video", "reference": "dossier 2027-14", "reason": "adoption simple" });
        verify(&boss, &verifications, &etag, &good).await.problem(403, "forbidden");
        let own = chief.get("/me").await.done(200)["id"].as_str().unwrap().to_owned();
        verify(&chief, &format!("/people/{own}/identity-verifications"), "*", &good).await.problem(403, "forbidden");
        chief.post(&verifications, &good).await.problem(428, "precondition_required");
        verify(&chief, &verifications, "\"v0\"", &good).await.problem(412, "version_mismatch");
        for wrong in [json!({}), json!({ "method": "on_trust" }), json!({ "method": "video", "reference": "" })] {
            assert_eq!(verify(&chief, &verifications, &etag, &wrong).await.status, 422, "{wrong}");
        }
        let made = verify(&chief, &verifications, &etag, &good).await.done(201);
        assert_eq!((&made["method"], &made["verified_by"]), (&json!("video"), &json!(own)), "{made}");
        assert_eq!(identity_status(&boss, &id).await, "settled");
        assert_eq!(boss.get(&verifications).await.done(200)["items"], json!([made]));
        assert_eq!(turned_away(&server, &client, &moved).await, None);
        assert!(!lives(&server, &client, &tokens).await, "what ended does not come back");
        assert!(lives(&server, &client, &tokens_for(&server, &request, &moved).await).await);
        mails(&server, ANEW, ("Les portails vous sont de nouveau ouverts", 1)).await;
        let mut kinds: Vec<Value> = Vec::new();
        // The feed is made after the answers.
        for _ in 0..400 {
            let feed = boss.get("/events?types=account.identity_changed,account.identity_settled&limit=200").await.done(200);
            kinds = feed["items"].as_array().unwrap().iter().map(|event| event["type"].clone()).collect();
            if kinds.len() >= 2 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        assert_eq!(kinds, ["account.identity_changed", "account.identity_settled"]);
        // From now on this is the account's person: who marries stays theirs.
        let changed = change(&server, &moved, &json!({ "family_name": "Leroy" })).await;
        assert_eq!(changed["identity_status"], "settled");
        server.kill();
    }

    async fn a_marriage_closes_nothing_and_whoever_goes_back_gets_in_again(mut server: TestServer) {
        let boss = operator(&server).await;
        let person = server.learner().clone();
        let (client, id) = (server.client("demo-portal").clone(), id_of(&boss, &person.login).await);
        let before = boss.get(&format!("/people/{id}")).await.done(200);
        let tokens = tokens_for(&server, &AuthorizationRequest::of(&client).offline(), &person).await;
        change(&server, &person, &json!({ "family_name": "Le Guen" })).await;
        let moved = move_away(&server, &person).await;
        assert!(lives(&server, &client, &tokens).await, "another name and another employer, born the same day");

        // The third: the token that did it ends with the others.
        let own = Api::of_person(&server, &moved, OWN).await;
        let etag = own.get("/me").await.header("etag").to_owned();
        let changed = own.patch("/me", &etag, &somebody_else()).await.done(200);
        assert_eq!(changed["identity_status"], "to_be_verified", "{changed}");
        own.get("/me").await.problem(401, "invalid_token");
        assert!(!lives(&server, &client, &tokens).await);
        assert!(turned_away(&server, &client, &moved).await.is_some());

        // The pages of the account stay open: with the name back it is its person's again.
        let mut browser = at_profile(&server, &moved).await;
        let text = |name: &str| before[name].as_str().unwrap().to_uppercase();
        let names = [text("given_name"), text("family_name")];
        let page = browser.submit("profile-form", &[("given_name", &names[0]), ("family_name", &names[1])]).await.page();
        assert!(page.has("profile-saved") && !page.has("profile-to-verify"), "{}", page.summary());
        assert_eq!(identity_status(&boss, &id).await, "settled");
        assert_eq!(turned_away(&server, &client, &moved).await, None);
        mails(&server, ANEW, ("Les portails vous sont de nouveau ouverts", 1)).await;

        // Back and forth tells nobody else again; the link of the former address takes the account back, and the wait with it.
        let page = browser.submit("profile-form", &[("given_name", "Paul"), ("family_name", "Roux")]).await.page();
        assert!(page.has("profile-saved") && page.has("profile-to-verify"), "{}", page.summary());
        assert_eq!(mails(&server, ANEW, (TO_VERIFY, 2)).await, 2);
        assert_eq!(mails(&server, &person.login, (TO_VERIFY, 1)).await, 1);
        let undo = link_to(&server, (&person.login, "/account/email/undo/"), 1).await;
        assert!(press(&undo, "undo-email-form").await.has("email-restored-page"));
        assert_eq!(identity_status(&boss, &id).await, "settled");
        server.kill();
    }

    async fn without_a_day_of_birth_name_and_address_decide(mut server: TestServer) {
        let boss = operator(&server).await;
        let person = server.learner_number(1).clone();
        let id = id_of(&boss, &person.login).await;
        change(&server, &person, &json!({ "birthdate": "1990-01-01" })).await;
        let moved = move_away(&server, &person).await;
        assert_eq!(identity_status(&boss, &id).await, "settled");
        let changed = change(&server, &moved, &json!({ "given_name": "Paul", "family_name": "Roux" })).await;
        assert_eq!(changed["identity_status"], "to_be_verified", "{changed}");
        server.kill();
    }

    async fn a_session_left_open_changes_nobody_s_name(mut server: TestServer) {
        let person = server.learner().clone();
        let mut browser = at_profile(&server, &person).await;
        let mut elsewhere = browser.clone();
        server.advance(16 * 60).await;
        let console = server.client(CONSOLE);
        let request = AuthorizationRequest::of(console).with("scope", &format!("openid {OWN}"));
        let response = elsewhere.authorize(&server, &request, &person).await;
        let answer = redeem(&server, console, &Code::from(&request, &response)).await;
        let stale = Api::with_token(&server, Tokens::from(&answer).access_token());
        let etag = stale.get("/me").await.header("etag").to_owned();
        for changes in [json!({ "family_name": "Roux" }), json!({ "birthdate": "1990-01-01" })] {
            stale.patch("/me", &etag, &changes).await.problem(401, "insufficient_user_authentication");
        }
        // What says nothing of who they are asks for nothing.
        stale.patch("/me", &etag, &json!({ "locale": "fr", "zoneinfo": "Indian/Reunion" })).await.done(200);

        // On the page nothing of what was typed is lost.
        let page = browser.submit("profile-form", &[("family_name", "Roux")]).await.page();
        assert!(page.has("login-form"), "{}", page.summary());
        let fields = [("username", person.login.as_str()), ("password", &person.password)];
        let page = browser.submit("login-form", &fields).await.page();
        assert!(page.has("profile-waiting"), "{}", page.summary());
        assert_eq!(page.attribute("family-name", "value").as_deref(), Some("Roux"));
        let page = browser.submit("profile-form", &[]).await.page();
        assert!(page.has("profile-saved"), "{}", page.summary());
        let own = Api::of_person(&server, &person, ALL).await;
        assert_eq!(own.get("/me").await.done(200)["family_name"], "Roux");
        server.kill();
    }
}
