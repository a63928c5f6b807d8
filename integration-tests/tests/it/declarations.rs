//! “What I entered is true and exact” (R012): nobody comes in without it, and what is kept says which words they had before them.

use habilis_integration_tests::api::ALL;
use habilis_integration_tests::{Api, Browser, Person, TestServer};
use serde_json::{Value, json};

use crate::activation::link_to;
use crate::api::{give_duties, operator, two_operators};
use crate::forgot::NEW;
use crate::sign_up::{fill, work};

const EMAIL: &str = "zoe.declarante@apprenante.example";
const INVITE: [&str; 8] = ["person", "invite", "--email", EMAIL, "--given-name", "Zoé", "--family-name", "Martin"];
const CHOICE: [(&str, &str); 3] = [("password", NEW), ("repeated", NEW), ("accept", "yes")];
const OWN: &str = "habilis.self";

fn sha256(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

async fn own_declarations(server: &TestServer) -> Value {
    let person = Person { login: EMAIL.to_owned(), password: NEW.to_owned(), ..server.learner().clone() };
    Api::of_person(server, &person, OWN).await.get("/me").await.done(200)
}

own_journeys! {
    async fn an_account_opens_with_a_declaration_that_is_kept_with_its_words(mut server: TestServer) {
        server.manage(&INVITE).await.printed();
        let link = link_to(&server, (EMAIL, "/activate/"), 1).await;
        let mut browser = Browser::new();
        let page = browser.get(&format!("{link}?ui_locales=en")).await.page();
        let words = page.select("label[for=declare]").expect("the words");
        assert!(words.contains("true and exact"), "{words}");
        let page = browser.submit("activate-form", &CHOICE).await.page();
        assert!(page.status == 422 && page.has("declare-error") && !page.has("accept-error"), "{}", page.summary());
        // The other box is still ticked, and the page still speaks English.
        assert!(page.attribute("accept", "checked").is_some() && page.attribute("declare", "checked").is_none());
        assert_eq!(page.select("label[for=declare]").as_deref(), Some(words.as_str()));
        // Words that are not those of the page are not declared.
        let other = [&CHOICE[..], &[("declare", "yes"), ("declaration", "exactness.0 en")]].concat();
        let page = browser.submit("activate-form", &other).await.page();
        assert!(page.status == 422 && page.has("declare-error"), "{}", page.summary());
        let page = browser.submit("activate-form", &[&CHOICE[..], &[("declare", "yes")]].concat()).await.page();
        assert!(page.has("account-page"), "{}", page.summary());

        let me = own_declarations(&server).await;
        let [declared] = me["declarations"].as_array().unwrap().as_slice() else { panic!("one: {me}") };
        assert_eq!((&declared["made_on"], &declared["locale"]), (&json!("activation"), &json!("en")));
        assert_eq!(declared["text_sha256"], sha256(&words));
        assert_eq!(declared["text_version"], "exactness.1");
        assert!(declared["address"].as_str().unwrap().starts_with("127.") && declared["declared_at"].is_string(), "{declared}");
        // The operator and the data protection officer see the same, and the trail has it.
        let boss = operator(&server).await;
        let path = format!("/people/{}", me["id"].as_str().unwrap());
        assert_eq!(boss.get(&path).await.done(200)["declarations"], me["declarations"]);
        let operators = two_operators(&server).await;
        let colleague = server.learner().clone();
        let own = Api::of_person(&server, &colleague, OWN).await.get("/me").await.done(200);
        let duties = json!({ "operator": false, "privacy": true, "reason": "nomination" });
        give_duties(&operators, own["id"].as_str().unwrap(), &duties).await;
        let officer = Api::of_person(&server, &colleague, ALL).await;
        assert_eq!(officer.get(&path).await.done(200)["declarations"], me["declarations"]);
        let trail = boss.get("/audit?limit=100").await.done(200);
        let opened = trail["items"].as_array().unwrap().iter().find(|line| line["event"] == "account.activated").unwrap();
        assert_eq!(opened["detail"]["declarations"][0]["sha256"], declared["text_sha256"]);
        server.kill();
    }

    async fn whoever_signs_up_declares_once(mut server: TestServer) {
        let mut browser = Browser::new();
        let page = browser.get(&server.url("/sign-up")).await.page();
        let words = page.select("label[for=declare]").expect("the words");
        let names = [("given_name", "Zoé"), ("family_name", "Martin"), ("email", EMAIL)];
        let proof = work(&page);
        let page = browser.submit("sign-up-form", &[&names[..], &[("proof", &proof)]].concat()).await.page();
        assert!(page.status == 422 && page.has("declare-error"), "{}", page.summary());
        assert_eq!(page.attribute("email", "value").as_deref(), Some(EMAIL), "what was typed stays");
        assert_eq!(page.attribute("given-name", "value").as_deref(), Some("Zoé"));
        let proof = work(&page);
        let page = fill(&mut browser, EMAIL, &proof).await;
        assert!(page.has("sign-up-sent-page"), "{}", page.summary());
        let link = link_to(&server, (EMAIL, "/activate/"), 1).await;
        let page = browser.get(&link).await.page();
        assert!(!page.has("declare"), "nothing new is entered here: {}", page.summary());
        let page = browser.submit("activate-form", &CHOICE).await.page();
        assert!(page.has("account-page"), "{}", page.summary());
        let me = own_declarations(&server).await;
        let [declared] = me["declarations"].as_array().unwrap().as_slice() else { panic!("one: {me}") };
        assert_eq!((&declared["made_on"], &declared["text_sha256"]), (&json!("sign_up"), &json!(sha256(&words))));
        server.kill();
    }
}
