//! `/account/applications`: what a person let in, and how it ends; portals that are opened from here (OIDC Core §4).

use std::sync::Arc;

use habilis_integration_tests::protocol::{
    AuthorizationRequest, AuthorizationResponse, Code, Proof, Tokens, code_for, post_token, redeem, refresh,
    tokens_for, userinfo,
};
use habilis_integration_tests::webdriver::Screen;
use habilis_integration_tests::{Browser, Client, Http, Page, Person, TestServer, Visit, WebDriver};
use serde_json::json;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::device;
use crate::registration::{client, register, registered};

/// The page, as this person sees it in this browser.
async fn open(server: &TestServer, browser: &mut Browser, person: &Person) -> Page {
    let page = browser.get(&server.url("/account/applications")).await.page();
    if !page.has("login-form") {
        return page;
    }
    let page = browser.sign_in(person).await.page();
    assert_eq!(page.url.path(), "/account/applications", "{}", page.summary());
    page
}

/// An application of somebody else.
async fn stranger(server: &TestServer, name: &str, initiate_login_uri: Option<&str>) -> Client {
    let mut metadata = json!({
        "client_name": name, "redirect_uris": ["https://rp.example/callback"],
        "grant_types": ["authorization_code", "refresh_token"],
    });
    if let Some(uri) = initiate_login_uri {
        metadata["initiate_login_uri"] = json!(uri);
    }
    client(&registered(&register(server, &metadata).await))
}

async fn tokens(server: &TestServer, client: &Client, person: &Person) -> Tokens {
    let request =
        AuthorizationRequest::of(client).with("scope", "openid email offline_access").with("prompt", "consent");
    let code = code_for(server, &request, person).await;
    Tokens::from(&redeem(server, client, &code).await)
}

/// Takes the access of the application of this name back.
async fn take_back(browser: &mut Browser, name: &str) -> Page {
    let names = browser.page().html.clone();
    let position =
        names.match_indices("<h3").position(|(at, _)| names[at..].split("</h3>").next().unwrap().contains(name));
    let number = position.unwrap_or_else(|| panic!("no application {name}")) + 1;
    browser.click(&format!("revoke-{number}")).await.page()
}

journeys! {
    async fn taking_access_back_ends_every_token_and_the_question_is_asked_again(server: &TestServer) {
        let person = server.learner_number(5);
        let (gone, kept) = (stranger(server, "Outil A", None).await, stranger(server, "Outil B", None).await);
        let (first, second) = (tokens(server, &gone, person).await, tokens(server, &gone, person).await);
        let other = tokens(server, &kept, person).await;
        let somebody_else = tokens(server, &gone, server.learner_number(6)).await;
        // A code that was not exchanged yet.
        let request = AuthorizationRequest::of(&gone).with("scope", "openid email");
        let mut browser = Browser::new();
        let response = browser.authorize(server, &request, person).await;
        let code = Code::from(&request, &response);

        let page = open(server, &mut browser, person).await;
        assert!(page.all_text().contains("Outil A") && page.all_text().contains("adresse électronique"), "{}", page.summary());
        let page = take_back(&mut browser, "Outil A").await;
        assert!(page.has("applications-done"), "{}", page.summary());
        assert!(!page.all_text().contains("Outil A") && page.all_text().contains("Outil B"), "{}", page.summary());

        for tokens in [&first, &second] {
            refresh(server, &gone, tokens.refresh_token()).await.assert_oauth_error(400, "invalid_grant");
            assert_eq!(userinfo(server, tokens.access_token()).await.status, 401);
        }
        redeem(server, &gone, &code).await.assert_oauth_error(400, "invalid_grant");
        for (client, tokens) in [(&kept, &other), (&gone, &somebody_else)] {
            assert_eq!(userinfo(server, tokens.access_token()).await.status, 200);
            Tokens::from(&refresh(server, client, tokens.refresh_token()).await);
        }
        let visit = browser.get(&request.url(server)).await;
        assert!(visit.page().has("consent-page"));
        let silent = AuthorizationRequest::of(&gone).with("prompt", "none");
        let response = browser.authorize(server, &silent, person).await;
        response.assert_error("consent_required", &silent, server);
    }

    async fn no_answer_that_races_with_taking_access_back_leaves_anything_alive(server: &TestServer) {
        let person = server.learner_number(2);
        let client = stranger(server, "Outil F", None).await;
        let mut browser = Browser::new();
        let request = AuthorizationRequest::of(&client).with("scope", "openid email");
        browser.authorize(server, &request, person).await;
        open(server, &mut browser, person).await;
        let racers = 20;
        let barrier = Arc::new(Barrier::new(racers + 1));
        let mut tasks = JoinSet::new();
        for _ in 0..racers {
            let request = AuthorizationRequest::of(&client).with("scope", "openid email");
            let (mut browser, barrier, url) = (browser.clone(), Arc::clone(&barrier), request.url(server));
            tasks.spawn(async move {
                barrier.wait().await;
                (request, browser.get(&url).await)
            });
        }
        barrier.wait().await;
        assert!(take_back(&mut browser, "Outil F").await.has("applications-done"));
        for (request, visit) in tasks.join_all().await {
            match visit {
                // Answered before: what was answered is dead.
                Visit::Left(url) => {
                    let code = Code::from(&request, &AuthorizationResponse::from_url(url));
                    redeem(server, &client, &code).await.assert_oauth_error(400, "invalid_grant");
                }
                Visit::Page(page) => assert!(page.has("consent-page"), "{}", page.summary()),
            }
        }
    }

    async fn devices_let_in_are_listed_and_turned_away_as_well(server: &TestServer) {
        let (kiosk, person) = (device::kiosk(server).await, server.learner_number(7));
        let request = device::ask(server, &kiosk, "openid profile").await;
        device::allow(server, &request, person).await;
        let tokens = Tokens::from(&device::poll(server, &kiosk, &request).await);
        let late = device::ask(server, &kiosk, "openid").await;
        device::allow(server, &late, person).await;
        let mut browser = Browser::new();
        let page = open(server, &mut browser, person).await;
        assert_eq!(page.html.matches("Borne d’accueil").count(), 1, "{}", page.summary());
        take_back(&mut browser, "Borne d’accueil").await;
        refresh(server, &kiosk, tokens.refresh_token()).await.assert_oauth_error(400, "invalid_grant");
        device::poll(server, &kiosk, &late).await.assert_oauth_error(400, "invalid_grant");
    }

    async fn a_forged_form_and_an_unknown_application_change_nothing(server: &TestServer) {
        let person = server.learner_number(8);
        let client = stranger(server, "Outil C", None).await;
        let tokens = tokens(server, &client, person).await;
        let mut browser = Browser::new();
        open(server, &mut browser, person).await;
        for change in [("csrf", "forged"), ("client_id", "nobody"), ("client_id", "demo-portal")] {
            let page = browser.submit("revoke-form-1", &[change]).await.page();
            assert!(!page.has("applications-done"), "{change:?}: {}", page.summary());
        }
        let fields = [("client_id".to_owned(), client.client_id.clone())];
        browser.post_from_elsewhere(&server.url("/account/applications/revoke"), &fields).await;
        assert_eq!(userinfo(server, tokens.access_token()).await.status, 200);
    }

    async fn the_operators_own_portals_open_from_here_and_are_no_applications_of_others(server: &TestServer) {
        let person = server.learner_number(9);
        tokens_for(server, &AuthorizationRequest::of(server.client("demo-es256")), person).await;
        let mut browser = Browser::new();
        let page = open(server, &mut browser, person).await;
        assert_eq!(page.text("portals"), "Catalogue", "{}", page.summary());
        assert!(!page.has("revoke-1"), "{}", page.summary());
        let iss: String = url::form_urlencoded::byte_serialize(server.issuer.as_bytes()).collect();
        assert_eq!(page.attributes("#portals a", "href"), [format!("https://rp.example/begin?iss={iss}")]);
    }

    async fn a_sign_in_begins_at_the_client_which_learns_from_whom(server: &TestServer) {
        let person = server.learner_number(10);
        let client = stranger(server, "Outil D", Some("https://rp.example/begin?portal=1")).await;
        tokens(server, &client, person).await;
        let mut browser = Browser::new();
        let page = open(server, &mut browser, person).await;
        let links = page.attributes("a[rel=noreferrer]", "href");
        let link = links.iter().find(|link| link.contains("/begin?portal")).unwrap_or_else(|| panic!("{}", page.summary()));
        let url = url::Url::parse(link).unwrap();
        let parameters: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let expected = [("portal", "1"), ("iss", server.issuer.as_str())].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(parameters, expected);
        // The client, which found itself named, sends an ordinary request (OIDC Core §4), and the person is known already.
        let request = AuthorizationRequest::of(&client).with("scope", "openid email");
        let Visit::Left(url) = browser.get(&request.url(server)).await else { panic!("somebody was asked something") };
        assert!(url.as_str().starts_with("https://rp.example/callback?code="), "{url}");
    }

    async fn initiate_login_uri_is_echoed_and_read_back_and_https_alone_is_taken(server: &TestServer) {
        let metadata = |uri: &str| json!({ "redirect_uris": ["https://rp.example/cb"], "initiate_login_uri": uri });
        let shown = registered(&register(server, &metadata("https://rp.example/begin")).await);
        assert_eq!(shown["initiate_login_uri"], "https://rp.example/begin");
        let http = Http::new();
        let read = http
            .request("GET", shown["registration_client_uri"].as_str().unwrap())
            .bearer_auth(shown["registration_access_token"].as_str().unwrap());
        assert_eq!(http.send(read).await.ok_json()["initiate_login_uri"], "https://rp.example/begin");
        for wrong in ["http://rp.example/begin", "javascript:alert(1)", "/begin", "https://rp.example/begin#part", ""] {
            register(server, &metadata(wrong)).await.assert_oauth_error(400, "invalid_client_metadata");
        }
    }

    async fn nobody_signed_in_is_asked_to_sign_in_first(server: &TestServer) {
        let page = Browser::new().get(&server.url("/account/applications")).await.page();
        assert!(page.has("login-form"), "{}", page.summary());
    }
}

own_journeys! {
    async fn the_page_says_since_when_and_when_last_used(mut server: TestServer) {
        let person = server.learner().clone();
        let client = stranger(&server, "Outil E", None).await;
        server.set_clock(&json!({ "set": "2027-03-01T10:00:00+01:00" })).await.ok_json();
        let given = tokens(&server, &client, &person).await;
        server.set_clock(&json!({ "set": "2027-03-03T11:30:00+01:00" })).await.ok_json();
        let proof = Proof::of(&client, &server).await;
        let form = [("grant_type", "refresh_token"), ("refresh_token", given.refresh_token())];
        Tokens::from(&post_token(&Http::new(), &server, &proof, &form).await);
        let page = open(&server, &mut Browser::new(), &person).await;
        let text = page.all_text();
        assert!(text.contains("01/03/2027 à 10:00") && text.contains("03/03/2027 à 11:30"), "{}", page.summary());
        server.kill();
    }

    async fn axe_finds_nothing_wrong_with_the_applications(mut server: TestServer) {
        let person = server.learner().clone();
        let client = server.client("demo-third-party").clone();
        tokens(&server, &client, &person).await;
        tokens(&server, &stranger(&server, "Agenda partagé", Some("https://rp.example/begin")).await, &person).await;
        let browser = WebDriver::start().await;
        browser.goto(&server.url("/login?to=applications")).await;
        browser.fill("username", &person.login).await;
        browser.fill("password", &person.password).await;
        browser.click("login-submit").await;
        browser.wait_for_url(&server.url("/account/applications")).await;
        for language in ["fr", "en"] {
            browser.goto(&server.url(&format!("/account/applications?ui_locales={language}"))).await;
            for (screen, name) in [(Screen::Phone, "phone"), (Screen::Desktop, "desktop")] {
                browser.set_screen(screen).await;
                browser.screenshot(&format!("applications-{language}-{name}")).await;
                assert_eq!(browser.axe().await, Vec::<String>::new(), "{language} {name}");
            }
        }
        browser.click("revoke-1").await;
        browser.text("#applications-done").await;
        browser.screenshot("applications-done").await;
        assert_eq!(browser.axe().await, Vec::<String>::new(), "done");
        server.kill();
    }
}
