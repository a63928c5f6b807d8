//! What an organization asks of its people beyond what everybody is asked (R004): of newcomers before they come in, of others on the way
//! from their next sign-in.

use std::time::Duration;

use habilis_integration_tests::api::ALL;
use habilis_integration_tests::protocol::{
    AuthorizationRequest, AuthorizationResponse, Code, Tokens, redeem, userinfo,
};
use habilis_integration_tests::webdriver::Screen;
use habilis_integration_tests::{Answer, Api, Browser, Person, TestServer, WebDriver};
use serde_json::{Value, json};

use crate::activation::{activate, link_to};
use crate::api::{invited, new_member, new_organization, of_kind, operator};
use crate::forgot::{NEW, local_sign_in};

const OWN: &str = "habilis.self";

/// Has an organization ask for these.
async fn ask(api: &Api, organization: &str, attributes: &[&str]) -> Value {
    let path = format!("/organizations/{organization}");
    let etag = api.get(&path).await.header("etag").to_owned();
    api.patch(&path, &etag, &json!({ "mandatory_attributes": attributes })).await.done(200)
}

fn pointers(answer: &Answer) -> Vec<String> {
    let problem = answer.problem(422, "invalid_fields");
    problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
}

fn with(mail: &str, more: &Value) -> Value {
    let mut body = new_member(mail);
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

async fn lacking(api: &Api, organization: &str, what: &str) -> Vec<String> {
    let found = api.get(&format!("/organizations/{organization}/members?missing={what}")).await.done(200);
    let mut logins: Vec<String> =
        found["items"].as_array().unwrap().iter().map(|item| item["login"].as_str().unwrap().to_owned()).collect();
    logins.sort();
    logins
}

/// Somebody who has just opened their account in an organization that asks nothing yet.
async fn member(server: &TestServer, api: &Api, organization: &str, name: &str) -> Person {
    invited(api, organization, &new_member(name)).await;
    let login = format!("{name}@societe.example");
    let link = link_to(server, (&login, "/activate/"), 1).await;
    activate(&mut Browser::new(), &link, NEW).await.page();
    Person { login, password: NEW.to_owned(), ..server.learner().clone() }
}

own_journeys! {
    async fn newcomers_say_what_their_organization_asks(mut server: TestServer) {
        let api = operator(&server).await;
        let organization = new_organization(&api, "Exigeante").await;
        let of = format!("/organizations/{organization}");
        let early = invited(&api, &organization, &new_member("avant")).await;
        let read = api.get(&of).await;
        assert_eq!(read.done(200)["mandatory_attributes"], json!([]));
        let etag = read.header("etag").to_owned();
        for wrong in [json!(["shoe_size"]), json!("birthdate"), json!([7])] {
            let answer = api.patch(&of, &etag, &json!({ "mandatory_attributes": wrong })).await;
            assert!(pointers(&answer)[0].starts_with("/mandatory_attributes"), "{}", answer.body);
        }
        let asked = ask(&api, &organization, &["birthdate", "phone_number", "birthdate"]).await;
        assert_eq!(asked["mandatory_attributes"], json!(["phone_number", "birthdate"]));
        api.patch(&of, &etag, &json!({ "mandatory_attributes": [] })).await.problem(412, "version_mismatch");
        let trail = api.get(&format!("{of}/audit?limit=5")).await.done(200);
        let updated = trail["items"].as_array().unwrap().iter().find(|line| line["event"] == "organization.updated").unwrap();
        assert_eq!(updated["detail"]["before"]["mandatory_attributes"], json!([]));
        assert_eq!(updated["detail"]["after"]["mandatory_attributes"], json!(["phone_number", "birthdate"]));

        let members = format!("{of}/members");
        let nothing = api.post(&members, &new_member("sans")).await;
        assert_eq!(pointers(&nothing), ["/phone_number", "/birthdate"]);
        let half = api.post(&members, &with("sans", &json!({ "birthdate": "1987-10-16" }))).await;
        assert_eq!(pointers(&half), ["/phone_number"]);
        for (more, pointer) in [
            (json!({ "phone_number": "six", "birthdate": "1987-10-16" }), "/phone_number"),
            (json!({ "phone_number": "06 12 34 56 78", "birthdate": "2999-01-01" }), "/birthdate"),
        ] {
            assert_eq!(pointers(&api.post(&members, &with("sans", &more)).await), [pointer]);
        }
        let whole = json!({ "phone_number": "06 12 34 56 78", "birthdate": "1987-10-16" });
        let made = api.post(&members, &with("avec", &whole)).await;
        let shown = made.done(201);
        assert_eq!(shown["missing_attributes"], json!([]));
        // What is asked is not taken away again, and a mistake is corrected while nobody has come.
        let path = format!("{members}/{}", shown["id"].as_str().unwrap());
        let etag = made.header("etag").to_owned();
        let gone = api.patch(&path, &etag, &json!({ "phone_number": null, "birthdate": null })).await;
        assert_eq!(pointers(&gone), ["/phone_number", "/birthdate"]);
        let corrected = api.patch(&path, &etag, &json!({ "phone_number": "+32 470 12 34 56" })).await;
        assert_eq!(corrected.done(200)["missing_attributes"], json!([]));

        // Who was invited before is asked at the door.
        assert_eq!(lacking(&api, &organization, "any").await, ["avant@societe.example"]);
        let shown = api.get(&format!("{members}/{early}")).await.done(200);
        assert_eq!(shown["missing_attributes"], json!(["phone_number", "birthdate"]));
        let link = link_to(&server, ("avant@societe.example", "/activate/"), 1).await;
        let mut browser = Browser::new();
        browser.get(&link).await.page();
        let choice = [("password", NEW), ("repeated", NEW), ("accept", "yes"), ("declare", "yes"), ("phone_number", "0612345678")];
        let page = browser.submit("activate-form", &choice).await.page();
        assert!(page.status == 422 && page.has("birthdate-error") && !page.has("phone_number-error"), "{}", page.summary());
        assert_eq!(page.attribute("phone_number", "value").as_deref(), Some("0612345678"));
        let page = browser.submit("activate-form", &[&choice[..], &[("birthdate", "1990-01-01")]].concat()).await.page();
        assert!(page.has("account-page") && !page.has("account-incomplete"), "{}", page.summary());
        assert_eq!(lacking(&api, &organization, "any").await, Vec::<String>::new());
        // Of open accounts nothing is said by others.
        let read = api.get(&format!("{members}/{early}")).await;
        let answer = api.patch(&format!("{members}/{early}"), read.header("etag"), &json!({ "birthdate": "1990-01-02" })).await;
        assert_eq!(pointers(&answer), ["/birthdate"]);
        // The portal learns them.
        let person = Person { login: "avant@societe.example".to_owned(), password: NEW.to_owned(), ..server.learner().clone() };
        let client = server.client("demo-portal");
        let request = AuthorizationRequest::of(client).with("scope", "openid profile phone");
        let response = Browser::new().authorize(&server, &request, &person).await;
        let tokens = Tokens::from(&redeem(&server, client, &Code::from(&request, &response)).await);
        let claims = userinfo(&server, tokens.access_token()).await.ok_json();
        assert_eq!((&claims["phone_number"], &claims["birthdate"]), (&json!("+33612345678"), &json!("1990-01-01")));
        server.kill();
    }

    async fn an_import_names_what_each_row_does_not_say(mut server: TestServer) {
        let api = operator(&server).await;
        let organization = new_organization(&api, "Importatrice").await;
        let of = format!("/organizations/{organization}");
        ask(&api, &organization, &["phone_number"]).await;
        let file = "Nom;Prénom;Courriel;Téléphone;Date de naissance\r\n\
            Roy;Anne;anne@societe.example;06 12 34 56 78;16/10/1987\r\n\
            Roy;Luc;luc@societe.example;;\r\n\
            Roy;Zoé;zoe@societe.example;six;\r\n\
            Roy;Léa;lea@societe.example;612345679;01/01/2999\r\n\
            Roy;Ana;ana@societe.example;+32 470 12 34 56;\r\n";
        let post = api.request("POST", &format!("{of}/imports")).header("content-type", "text/csv").body(file);
        let made = api.send(post).await.done(202);
        let import = settled(&api, &of, &made, "checking").await;
        assert_eq!(import["file"]["form"]["unknown_columns"], json!([]), "{import}");
        let problems: Vec<_> = import["first_problems"].as_array().unwrap().iter().map(|row| {
            let wrong = &row["problems"][0];
            (row["line"].clone(), wrong["code"].clone(), wrong["attribute"].clone(), wrong["column"].clone())
        }).collect();
        assert_eq!(problems, [
            (json!(3), json!("attribute_missing"), json!("phone_number"), Value::Null),
            (json!(4), json!("phone"), Value::Null, json!("Téléphone")),
            (json!(5), json!("date"), Value::Null, json!("Date de naissance")),
        ], "{import}");
        // The organization asks for more before the import is applied.
        ask(&api, &organization, &["phone_number", "birthdate"]).await;
        let path = format!("{of}/imports/{}", made["id"].as_str().unwrap());
        api.post(&format!("{path}/apply"), &json!({ "mode": "valid_rows", "people_informed": true })).await.done(202);
        let import = settled(&api, &of, &made, "applying").await;
        assert_eq!((&import["rows"]["made"], &import["rows"]["refused"]), (&json!(1), &json!(1)), "{import}");
        let refused = api.get(&format!("{path}/rows?state=refused")).await.done(200);
        let wrong = &refused["items"][0]["problems"][0];
        assert_eq!((&wrong["code"], &wrong["attribute"]), (&json!("attribute_missing"), &json!("birthdate")));
        let report = api.get(&format!("{path}/report.csv")).await;
        assert!(report.body.contains("L’organisation demande une date de naissance."), "{}", report.body);
        assert_eq!(lacking(&api, &organization, "any").await, Vec::<String>::new());
        let found = api.get(&format!("{of}/members")).await.done(200);
        assert_eq!(found["items"].as_array().unwrap().len(), 1);
        server.kill();
    }

    async fn who_has_an_account_is_asked_on_the_way_and_never_locked_out(mut server: TestServer) {
        let api = operator(&server).await;
        let organization = new_organization(&api, "Changeante").await;
        let person = member(&server, &api, &organization, "maelys").await;
        invited(&api, &organization, &new_member("autre")).await;
        let client = server.client("demo-portal");
        let request = AuthorizationRequest::of(client).with("scope", "openid phone");
        let mut open = Browser::new();
        open.authorize(&server, &request, &person).await;
        ask(&api, &organization, &["phone_number"]).await;
        assert_eq!(lacking(&api, &organization, "any").await, ["autre@societe.example", "maelys@societe.example"]);
        assert_eq!(lacking(&api, &organization, "phone_number").await.len(), 2);
        assert_eq!(lacking(&api, &organization, "given_name").await.len(), 0);
        assert_eq!(lacking(&api, &organization, "birthdate").await.len(), 2, "whether it is asked or not");
        let members = format!("/organizations/{organization}/members");
        api.get(&format!("{members}?missing=shoe_size")).await.problem(400, "invalid_parameter");
        let sheet = api.get(&format!("{members}.csv?missing=any")).await;
        assert!(sheet.body.contains("maelys@societe.example"), "{}", sheet.body);

        // A session that is open goes on; its account says what is missing.
        let visit = open.get(&request.url(&server)).await;
        AuthorizationResponse::from_url(visit.left());
        let page = open.get(&server.url("/account")).await.page();
        assert!(page.has("account-incomplete"), "{}", page.summary());
        // At the next sign-in it is asked, by name, and may wait.
        let mut browser = Browser::new();
        browser.get(&request.url(&server)).await.page();
        let page = browser.sign_in(&person).await.page();
        assert!(page.has("complete-page") && page.all_text().contains("Changeante"), "{}", page.summary());
        let visit = browser.click("complete-later").await;
        let response = AuthorizationResponse::from_url(visit.left());
        let tokens = Tokens::from(&redeem(&server, client, &Code::from(&request, &response)).await);
        assert_eq!(userinfo(&server, tokens.access_token()).await.ok_json()["phone_number"], Value::Null);
        // The time after, the answer goes with them.
        let mut browser = Browser::new();
        let request = AuthorizationRequest::of(client).with("scope", "openid phone");
        browser.get(&request.url(&server)).await.page();
        browser.sign_in(&person).await.page();
        let page = browser.submit("complete-form", &[("phone_number", "six")]).await.page();
        assert!(page.status == 422 && page.has("phone_number-error"), "{}", page.summary());
        assert_eq!(page.attribute("phone_number", "value").as_deref(), Some("six"));
        let page = browser.submit("complete-form", &[("phone_number", "0612345678"), ("csrf", "forged")]).await.page();
        assert!(page.status == 403 && page.has("complete-error"), "{}", page.summary());
        let visit = browser.submit("complete-form", &[("phone_number", "06 12 34 56 78")]).await;
        let response = AuthorizationResponse::from_url(visit.left());
        let tokens = Tokens::from(&redeem(&server, client, &Code::from(&request, &response)).await);
        assert_eq!(userinfo(&server, tokens.access_token()).await.ok_json()["phone_number"], "+33612345678");
        // Then nothing is asked any more.
        let page = local_sign_in(&server, &mut Browser::new(), &person.login, NEW).await;
        assert!(page.has("account-page") && !page.has("account-incomplete"), "{}", page.summary());
        assert_eq!(lacking(&api, &organization, "any").await, ["autre@societe.example"]);

        // Nor is it taken away: not on the page, not through the API.
        let page = browser.get(&server.url("/account/profile")).await.page();
        assert_eq!(page.attribute("phone_number", "value").as_deref(), Some("+33612345678"));
        let page = browser.submit("profile-form", &[("phone_number", "")]).await.page();
        assert!(page.status == 422 && page.has("phone_number-error"), "{}", page.summary());
        let own = Api::of_person(&server, &person, OWN).await;
        let me = own.get("/me").await;
        let answer = own.patch("/me", me.header("etag"), &json!({ "phone_number": null })).await;
        assert_eq!(pointers(&answer), ["/phone_number"]);
        let changed = own.patch("/me", me.header("etag"), &json!({ "phone_number": "0033 6 12 34 56 79", "birthdate": "1990-01-01" })).await;
        assert_eq!(changed.done(200)["phone_number"], "+33612345679");
        let gone = own.patch("/me", changed.header("etag"), &json!({ "birthdate": null })).await;
        assert_eq!((gone.done(200)["birthdate"].clone(), gone.done(200)["missing_attributes"].clone()), (Value::Null, json!([])));
        ask(&api, &organization, &[]).await;
        let gone = own.patch("/me", gone.header("etag"), &json!({ "phone_number": null })).await;
        assert_eq!(gone.done(200)["phone_number"], Value::Null);
        server.kill();
    }

    async fn who_joins_with_an_account_says_it_when_they_accept(mut server: TestServer) {
        let api = operator(&server).await;
        let organization = new_organization(&api, "Accueillante").await;
        ask(&api, &organization, &["phone_number", "birthdate"]).await;
        let person = of_kind(&server, "trainer");
        let members = format!("/organizations/{organization}/members");
        let body = json!({ "email": person.login, "given_name": "Nom", "family_name": "Supposé" });
        let offer = api.post(&members, &body).await.done(202)["id"].as_str().unwrap().to_owned();
        let own = Api::of_person(&server, &person, ALL).await;
        let before: Vec<String> = {
            let accept = own.send(own.request("POST", &format!("/me/offers/{offer}/accept"))).await;
            pointers(&accept)
        };
        assert!(before.contains(&"/birthdate".to_owned()), "{before:?}");
        let mut browser = Browser::new();
        local_sign_in(&server, &mut browser, &person.login, &person.password).await;
        let page = browser.get(&server.url("/account/organizations")).await.page();
        assert!(page.has("offer-1-phone_number") && page.has("offer-1-birthdate"), "{}", page.summary());
        let page = browser.submit("offer-form-1", &[("phone_number", "06 12 34 56 78"), ("birthdate", "2999-01-01")]).await.page();
        assert!(page.status == 422 && page.has("offer-1-birthdate-error"), "{}", page.summary());
        assert_eq!(page.attribute("offer-1-phone_number", "value").as_deref(), Some("06 12 34 56 78"));
        assert_eq!(api.get(&members).await.done(200)["items"], json!([]));
        let page = browser.submit("offer-form-1", &[("phone_number", "06 12 34 56 78"), ("birthdate", "1980-05-06")]).await.page();
        assert!(page.has("organizations-done"), "{}", page.summary());
        assert_eq!(lacking(&api, &organization, "any").await, Vec::<String>::new());
        assert_eq!(api.get(&members).await.done(200)["items"].as_array().unwrap().len(), 1);
        // Through the API: first said, then accepted.
        let second = new_organization(&api, "Suivante").await;
        ask(&api, &second, &["phone_number"]).await;
        let colleague = server.learner_number(1).clone();
        let body = json!({ "email": colleague.login, "given_name": "Nom", "family_name": "Supposé" });
        let offer = api.post(&format!("/organizations/{second}/members"), &body).await.done(202)["id"].as_str().unwrap().to_owned();
        let own = Api::of_person(&server, &colleague, ALL).await;
        let path = format!("/me/offers/{offer}/accept");
        assert_eq!(pointers(&own.send(own.request("POST", &path)).await), ["/phone_number"]);
        let etag = own.get("/me").await.header("etag").to_owned();
        own.patch("/me", &etag, &json!({ "phone_number": "0612345678" })).await.done(200);
        assert_eq!(own.send(own.request("POST", &path)).await.status, 204);
        server.kill();
    }

    async fn axe_finds_nothing_wrong_with_what_is_asked_on_the_way(mut server: TestServer) {
        let api = operator(&server).await;
        let organization = new_organization(&api, "Campus des Métiers").await;
        let person = member(&server, &api, &organization, "axe").await;
        ask(&api, &organization, &["phone_number", "birthdate"]).await;
        let offering = new_organization(&api, "CFA de l’Estuaire").await;
        ask(&api, &offering, &["birthdate"]).await;
        let body = json!({ "email": person.login, "given_name": "Nom", "family_name": "Supposé" });
        api.post(&format!("/organizations/{offering}/members"), &body).await.done(202);
        let browser = WebDriver::start().await;
        browser.goto(&server.url("/login")).await;
        browser.fill("username", &person.login).await;
        browser.fill("password", &person.password).await;
        browser.click("login-submit").await;
        browser.wait_for_url(&server.url("/account/complete")).await;
        for (screen, size) in [(Screen::Phone, "phone"), (Screen::Desktop, "desktop")] {
            browser.set_screen(screen).await;
            for language in ["fr", "en"] {
                for (path, page) in [
                    ("/account/complete?to=account&", "complete"),
                    ("/account/organizations?", "offer-asks"),
                    ("/account/profile?", "profile-asks"),
                    ("/account?", "account-incomplete"),
                ] {
                    browser.goto(&server.url(&format!("{path}ui_locales={language}"))).await;
                    browser.text("h1").await;
                    browser.screenshot(&format!("{page}-{size}-{language}")).await;
                    assert_eq!(browser.axe().await, Vec::<String>::new(), "{page} {size} {language}");
                }
            }
        }
        server.kill();
    }
}

/// Waits until an import is in another state.
async fn settled(api: &Api, of: &str, import: &Value, state: &str) -> Value {
    let path = format!("{of}/imports/{}", import["id"].as_str().unwrap());
    for _ in 0..600 {
        let now = api.get(&path).await.done(200);
        if now["state"] != state {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("still {state}");
}
