//! `/console`: a relying party in the provider's own process, as a person and an attacker see it.

use std::collections::BTreeSet;

use habilis_integration_tests::protocol::{AuthorizationRequest, AuthorizationResponse};
use habilis_integration_tests::webdriver::Screen;
use habilis_integration_tests::{Browser, Http, Page, TestServer, WebDriver};
use url::Url;

/// Signs in at the console, from its address to its page.
async fn sign_in_at_console(browser: &mut Browser, server: &TestServer) -> Page {
    let page = browser.walk(&server.url("/console")).await;
    assert!(page.has("login-form"), "{}", page.summary());
    let visit = browser.sign_in(server.learner()).await;
    let page = browser.walk_on(visit).await;
    assert!(page.has("console-name"), "{}", page.summary());
    page
}

/// Begins a sign-in; gives the state that went to the provider.
async fn begun(browser: &mut Browser, server: &TestServer) -> String {
    let page = browser.get(&server.url("/console")).await.page();
    assert!(page.has("login-form"), "{}", page.summary());
    let hop = browser.hops().first().expect("sent to the provider").1.clone();
    assert_eq!(hop.path(), "/authorize");
    hop.query_pairs().find(|(name, _)| name == "state").expect("a state").1.into_owned()
}

fn callback(server: &TestServer, parameters: &[(&str, &str)]) -> String {
    let mut url = Url::parse(&server.url("/console/callback")).unwrap();
    url.query_pairs_mut().extend_pairs(parameters);
    url.into()
}

fn assert_refused(page: &Page) {
    assert_eq!((page.status, page.text("error").as_str()), (400, "invalid_request"), "{}", page.summary());
    assert!(page.has("console-page") && !page.has("console-name"), "{}", page.summary());
}

async fn key_ids(server: &TestServer) -> BTreeSet<String> {
    let keys = Http::new().get(&server.url("/jwks")).await.ok_json()["keys"].as_array().expect("keys").clone();
    keys.iter().map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect()
}

journeys! {
    async fn a_person_signs_in_and_sees_who_they_are(server: &TestServer) {
        let mut browser = Browser::new();
        let page = sign_in_at_console(&mut browser, server).await;
        let person = server.learner();
        assert_eq!(page.text("console-name"), format!("{} {}", person.given_name, person.family_name));
        assert_eq!(page.text("console-email"), person.login);
        assert_eq!(page.text("console-organization"), person.organization.as_ref().unwrap().name);
        assert_eq!(page.text("console-rights"), person.roles.join(" "));
        assert_eq!(page.url.as_str(), server.url("/console"));
        assert_eq!(page.header("cache-control"), "no-store");
        assert!(page.header("content-security-policy").contains("default-src 'none'"));
        let cookie = browser.cookies().iter().find(|cookie| cookie.name.ends_with("habilis_console")).expect("a session");
        assert!(cookie.http_only && cookie.same_site == "Lax", "{cookie:?}");
        let english = browser.get(&server.url("/console?ui_locales=en")).await.page();
        assert!(page.html.contains("Bonjour") && english.html.contains("Hello"));
    }

    async fn the_session_from_before_the_sign_in_is_worth_nothing_after_it(server: &TestServer) {
        let mut browser = Browser::new();
        browser.walk(&server.url("/console")).await;
        let mut thief = browser.clone();
        let visit = browser.sign_in(server.learner()).await;
        assert!(browser.walk_on(visit).await.has("console-name"));
        assert!(thief.walk(&server.url("/console")).await.has("login-form"));
    }

    async fn signing_out_ends_the_session_here_and_at_the_provider(server: &TestServer) {
        let mut browser = Browser::new();
        sign_in_at_console(&mut browser, server).await;
        let mut copy = browser.clone();
        let visit = browser.click("console-sign-out").await;
        let page = browser.walk_on(visit).await;
        assert!(page.has("console-signed-out"), "{}", page.summary());
        assert_eq!(page.url.path(), "/console/signed-out");
        let silent = AuthorizationRequest::of(server.client("demo-portal")).with("prompt", "none");
        let response = AuthorizationResponse::from_url(browser.get(&silent.url(server)).await.left());
        response.assert_error("login_required", &silent, server);
        assert!(copy.walk(&server.url("/console")).await.has("login-form"), "a copied cookie is worth nothing either");
    }

    async fn signing_out_at_another_portal_ends_what_the_console_shows(server: &TestServer) {
        let mut browser = Browser::new();
        sign_in_at_console(&mut browser, server).await;
        browser.get(&server.url("/end-session")).await;
        browser.click("logout-confirm").await;
        let page = browser.walk(&server.url("/console")).await;
        assert!(page.has("login-form"), "{}", page.summary());
    }

    async fn a_sign_out_from_elsewhere_or_without_its_token_signs_nobody_out(server: &TestServer) {
        let mut browser = Browser::new();
        sign_in_at_console(&mut browser, server).await;
        let fields = [("csrf".to_owned(), "guessed".to_owned())];
        browser.clone().post_from_elsewhere(&server.url("/console/sign-out"), &fields).await;
        let visit = browser.submit("console-sign-out-form", &[("csrf", "guessed")]).await;
        assert!(browser.walk_on(visit).await.has("console-name"));
        assert!(browser.walk(&server.url("/console")).await.has("console-name"));
    }

    async fn a_forged_callback_signs_nobody_in_and_does_not_disturb_the_sign_in_under_way(server: &TestServer) {
        let answer = Http::new().get(&callback(server, &[("code", "forged"), ("state", "forged")])).await;
        assert_eq!(answer.status, 400);
        let mut browser = Browser::new();
        let state = begun(&mut browser, server).await;
        let login = browser.clone();
        for parameters in [
            &[("code", "forged"), ("state", "forged"), ("iss", server.issuer.as_str())][..],
            &[("code", "forged"), ("iss", server.issuer.as_str())],
            &[("code", "forged"), ("state", state.as_str()), ("state", state.as_str())],
            &[],
        ] {
            assert_refused(&browser.get(&callback(server, parameters)).await.page());
        }
        let mut browser = login;
        let visit = browser.sign_in(server.learner()).await;
        assert!(browser.walk_on(visit).await.has("console-name"));
    }

    async fn a_code_of_nobody_or_another_issuer_is_not_accepted(server: &TestServer) {
        let mut browser = Browser::new();
        let state = begun(&mut browser, server).await;
        let wrong = callback(server, &[("code", "c"), ("state", &state), ("iss", "https://evil.example")]);
        assert_refused(&browser.get(&wrong).await.page());
        let state = begun(&mut browser, server).await;
        let forged = callback(server, &[("code", "forged"), ("state", &state), ("iss", &server.issuer)]);
        let page = browser.get(&forged).await.page();
        assert_eq!((page.status, page.text("error").as_str()), (502, "server_error"), "{}", page.summary());
    }

    async fn an_answer_to_another_browser_is_refused(server: &TestServer) {
        let (mut victim, mut attacker) = (Browser::new(), Browser::new());
        begun(&mut victim, server).await;
        begun(&mut attacker, server).await;
        let visit = attacker.sign_in(server.learner_number(1)).await;
        assert!(visit.page().has("console-name"), "good in the browser that began it");
        let used = attacker.hops().iter().find(|(_, url)| url.path() == "/console/callback").expect("a callback").1.clone();
        assert_refused(&victim.get(used.as_str()).await.page());
        let mut nobody = Browser::new();
        assert_refused(&nobody.get(used.as_str()).await.page());
        assert!(victim.walk(&server.url("/console")).await.has("login-form"), "nobody was signed in");
    }

    async fn declining_brings_back_to_the_console_with_a_word(server: &TestServer) {
        let mut browser = Browser::new();
        begun(&mut browser, server).await;
        let visit = browser.click("login-cancel").await;
        let page = browser.walk_on(visit).await;
        assert_eq!(page.text("error"), "access_denied");
        assert!(page.has("console-page") && page.has("console-retry"), "{}", page.summary());
    }

    async fn axe_finds_nothing_wrong_with_the_console(server: &TestServer) {
        let browser = WebDriver::start().await;
        let person = server.learner();
        browser.set_screen(Screen::Desktop).await;
        browser.goto(&server.url("/console")).await;
        browser.fill("username", &person.login).await;
        browser.fill("password", &person.password).await;
        browser.click("login-submit").await;
        browser.wait_for_url(&server.url("/console")).await;
        assert!(browser.text("#console-name").await.contains(&person.family_name));
        browser.screenshot("console").await;
        for (screen, scheme) in [(Screen::Desktop, "light"), (Screen::Phone, "dark")] {
            browser.set_screen(screen).await;
            browser.set_colour_scheme(scheme).await;
            assert_eq!(browser.axe().await, Vec::<String>::new(), "{scheme}");
        }
        browser.click("console-sign-out").await;
        browser.wait_for_url(&server.url("/console/signed-out")).await;
        assert_eq!(browser.axe().await, Vec::<String>::new());
        browser.goto(&server.url("/console/callback?code=forged")).await;
        browser.text("#error").await;
        assert_eq!(browser.axe().await, Vec::<String>::new());
    }
}

journeys_on! { crate::rotation::rotating;
    async fn a_token_that_has_ended_is_renewed_unseen_and_the_provider_may_change_its_keys(mut server: TestServer) {
        let mut browser = Browser::new();
        sign_in_at_console(&mut browser, &server).await;
        server.advance(30 * 60).await;
        assert!(browser.walk(&server.url("/console")).await.has("console-name"), "signed in at the provider all the while");
        // The console discovered the provider before any of these keys was there.
        let before = key_ids(&server).await;
        server.advance(91 * 86_400).await;
        let asked = std::time::Instant::now();
        while key_ids(&server).await.is_subset(&before) {
            assert!(asked.elapsed().as_secs() < 30, "the jobs make new keys within seconds");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        server.advance(30 * 86_400).await;
        sign_in_at_console(&mut Browser::new(), &server).await;
    }
}
