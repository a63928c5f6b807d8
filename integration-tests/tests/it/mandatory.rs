//! What an account must say of its person before it opens (R004): what is missing is asked, and named when it does not come.

use habilis_integration_tests::protocol::{
    AuthorizationRequest, AuthorizationResponse, Code, Tokens, redeem, userinfo,
};
use habilis_integration_tests::webdriver::Screen;
use habilis_integration_tests::{Browser, Engine, Person, TestServer, WebDriver};
use serde_json::json;

use crate::activation::link_to;
use crate::forgot::{NEW, local_sign_in};
use crate::sign_up::{fill, work};

const EMAIL: &str = "zoe.nouvelle@apprenante.example";
const INVITE: [&str; 8] = ["person", "invite", "--email", EMAIL, "--given-name", "Zoé", "--family-name", "Martin"];

async fn demanding(engine: Engine) -> TestServer {
    let mandatory = "accounts.mandatory=given_name,family_name,phone_number,birthdate";
    TestServer::own_with(engine, &["--set", mandatory, "--set", "accounts.self_registration=true"]).await
}

const CHOICE: [(&str, &str); 4] = [("password", NEW), ("repeated", NEW), ("accept", "yes"), ("declare", "yes")];

journeys_on! {
    demanding;

    async fn an_account_opens_when_it_says_what_it_must(mut server: TestServer) {
        server.manage(&INVITE).await.printed();
        let link = link_to(&server, (EMAIL, "/activate/"), 1).await;
        let mut browser = Browser::new();
        let page = browser.get(&link).await.page();
        assert!(page.has("phone_number") && page.has("birthdate"), "{}", page.summary());
        assert!(!page.has("given_name") && !page.has("family_name"), "the invitation said them: {}", page.summary());
        for (phone, born, wrong) in [
            ("", "", ["phone_number-error", "birthdate-error"].as_slice()),
            ("06 12 34 56 78", "", &["birthdate-error"]),
            ("six", "1987-10-16", &["phone_number-error"]),
            ("06 12 34 56 78", "2999-01-01", &["birthdate-error"]),
        ] {
            let fields = [&CHOICE[..], &[("phone_number", phone), ("birthdate", born)]].concat();
            let page = browser.submit("activate-form", &fields).await.page();
            assert_eq!(page.status, 422, "{}", page.summary());
            for error in ["phone_number-error", "birthdate-error"] {
                assert_eq!(page.has(error), wrong.contains(&error), "{phone} {born} {error}: {}", page.summary());
            }
            assert_eq!(page.attribute("phone_number", "value").unwrap_or_default(), phone, "what was typed stays");
        }
        let page = browser.page();
        assert!(page.text("birthdate-error").contains("date de naissance"), "it is named: {}", page.summary());
        let shown = server.manage(&["person", "show", EMAIL]).await.printed();
        assert!(shown.contains("pending"), "nothing opened: {shown}");
        // What was right does not get lost when the password is not taken.
        let fields = [("phone_number", "06 12 34 56 78"), ("birthdate", "1987-10-16")];
        let short = [&fields[..], &[("password", "court"), ("repeated", "court"), ("accept", "yes"), ("declare", "yes")]].concat();
        browser.get(&link).await.page();
        let page = browser.submit("activate-form", &short).await.page();
        assert!(page.status == 422 && page.has("password-problems"), "{}", page.summary());
        assert_eq!(page.attribute("phone_number", "value").as_deref(), Some("06 12 34 56 78"));
        let page = browser.submit("activate-form", &[&CHOICE[..], &fields].concat()).await.page();
        assert!(page.has("account-page"), "{}", page.summary());
        // The portal gets them as claims, the number in one form.
        let client = server.client("demo-portal");
        let request = AuthorizationRequest::of(client).with("scope", "openid profile phone");
        let visit = browser.get(&request.url(&server)).await;
        let response = AuthorizationResponse::from_url(visit.left());
        let tokens = Tokens::from(&redeem(&server, client, &Code::from(&request, &response)).await);
        let claims = userinfo(&server, tokens.access_token()).await.ok_json();
        assert_eq!((&claims["phone_number"], &claims["birthdate"]), (&json!("+33612345678"), &json!("1987-10-16")));
        assert_eq!((&claims["given_name"], &claims["family_name"]), (&json!("Zoé"), &json!("Martin")));
        server.kill();
    }

    async fn a_sign_up_says_it_too(mut server: TestServer) {
        let mut browser = Browser::new();
        let page = browser.get(&server.url("/sign-up")).await.page();
        let proof = work(&page);
        fill(&mut browser, EMAIL, &proof).await;
        let link = link_to(&server, (EMAIL, "/activate/"), 1).await;
        browser.get(&link).await.page();
        let page = browser.submit("activate-form", &CHOICE).await.page();
        assert!(page.status == 422 && page.has("phone_number-error") && page.has("birthdate-error"), "{}", page.summary());
        let page = local_sign_in(&server, &mut Browser::new(), EMAIL, NEW).await;
        assert_eq!(page.status, 401, "there is no account yet");
        let fields = [&CHOICE[..], &[("phone_number", "+32 470 12 34 56"), ("birthdate", "2001-02-03")]].concat();
        let page = browser.submit("activate-form", &fields).await.page();
        assert!(page.has("account-page"), "{}", page.summary());
        let person = Person { login: EMAIL.to_owned(), password: NEW.to_owned(), ..server.learner().clone() };
        let client = server.client("demo-portal");
        let request = AuthorizationRequest::of(client).with("scope", "openid phone");
        let response = Browser::new().authorize(&server, &request, &person).await;
        let tokens = Tokens::from(&redeem(&server, client, &Code::from(&request, &response)).await);
        assert_eq!(userinfo(&server, tokens.access_token()).await.ok_json()["phone_number"], "+32470123456");
        server.kill();
    }

    async fn axe_finds_nothing_wrong_with_what_is_asked(mut server: TestServer) {
        server.manage(&INVITE).await.printed();
        let link = link_to(&server, (EMAIL, "/activate/"), 1).await;
        let browser = WebDriver::start().await;
        for (screen, size) in [(Screen::Phone, "phone"), (Screen::Desktop, "desktop")] {
            browser.set_screen(screen).await;
            for language in ["fr", "en"] {
                browser.goto(&format!("{link}?ui_locales={language}")).await;
                browser.text("#activate-page").await;
                browser.screenshot(&format!("mandatory-{size}-{language}")).await;
                assert_eq!(browser.axe().await, Vec::<String>::new(), "{size} {language}");
            }
        }
        server.kill();
    }
}

own_journeys! {
    async fn nothing_more_is_asked_unless_the_operator_says_so(mut server: TestServer) {
        server.manage(&INVITE).await.printed();
        let link = link_to(&server, (EMAIL, "/activate/"), 1).await;
        let mut browser = Browser::new();
        let page = browser.get(&link).await.page();
        assert!(!page.has("phone_number") && !page.has("birthdate"), "{}", page.summary());
        let page = browser.submit("activate-form", &CHOICE).await.page();
        assert!(page.has("account-page"), "{}", page.summary());
        server.kill();
    }
}
