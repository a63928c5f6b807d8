//! `habilis demo`: everything on loopback with one command, and the contract that other tests rely on: `demo.json`, people,
//! clients, mailbox, clock. The sample portal, walked through as a learner does.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use habilis_integration_tests::protocol::{AuthorizationRequest, AuthorizationResponse};
use habilis_integration_tests::server::run_in;
use habilis_integration_tests::{Authenticator, Browser, Engine, Http, Inbox, TestServer};
use serde_json::{Value, json};
use url::Url;

/// Signs in through the portal, from its front page to the learner's page.
async fn sign_in_at_portal(browser: &mut Browser, server: &TestServer) {
    let page = browser.walk(&server.portal).await;
    assert!(page.has("portal-home-page"), "{}", page.summary());
    let visit = browser.click("portal-sign-in").await;
    let page = browser.walk_on(visit).await;
    assert!(page.has("login-form"), "{}", page.summary());
    let visit = browser.sign_in(server.learner()).await;
    let mut page = browser.walk_on(visit).await;
    if page.has("consent-page") {
        let visit = browser.click("consent-allow").await;
        page = browser.walk_on(visit).await;
    }
    assert!(page.has("portal-learner-page"), "{}", page.summary());
    assert_eq!(page.url.origin(), Url::parse(&server.portal).unwrap().origin());
}

journeys! {
    async fn a_learner_signs_in_to_the_portal_reads_who_they_are_and_signs_out_everywhere(server: &TestServer) {
        let mut browser = Browser::new();
        sign_in_at_portal(&mut browser, server).await;
        let person = server.learner();
        let page = browser.page();
        let name = page.text("portal-name");
        assert!(name.contains(&person.given_name) && name.contains(&person.family_name), "{name}");
        assert_eq!(page.text("portal-organization"), person.organization.as_ref().unwrap().name);
        let visit = browser.click("portal-sign-out").await;
        let mut page = browser.walk_on(visit).await;
        if page.has("logout-page") {
            let visit = browser.click("logout-confirm").await;
            page = browser.walk_on(visit).await;
        }
        assert!(page.has("portal-home-page"), "{}", page.summary());
        let silent = AuthorizationRequest::of(server.client("demo-portal")).with("prompt", "none");
        let response = AuthorizationResponse::from_url(browser.get(&silent.url(server)).await.left());
        response.assert_error("login_required", &silent, server);
    }

    async fn a_second_visit_to_the_portal_asks_for_no_second_password(server: &TestServer) {
        let mut browser = Browser::new();
        sign_in_at_portal(&mut browser, server).await;
        let portal_cookies: Vec<_> = browser.cookies().to_vec();
        assert!(!portal_cookies.is_empty());
        let request = AuthorizationRequest::of(server.client("demo-post"));
        AuthorizationResponse::from_url(browser.get(&request.url(server)).await.left()).code();
    }

    async fn declining_at_the_sign_in_page_brings_back_to_the_portal_with_a_word(server: &TestServer) {
        let mut browser = Browser::new();
        browser.walk(&server.portal).await;
        let visit = browser.click("portal-sign-in").await;
        browser.walk_on(visit).await;
        let visit = browser.click("login-cancel").await;
        let page = browser.walk_on(visit).await;
        assert!(page.has("portal-error-page"), "{}", page.summary());
        assert_eq!(page.text("error"), "access_denied");
    }

    async fn a_forged_callback_signs_nobody_in_to_the_portal(server: &TestServer) {
        let mut browser = Browser::new();
        browser.walk(&server.portal).await;
        let visit = browser.click("portal-sign-in").await;
        browser.walk_on(visit).await;
        let uris = &server.client("demo-portal").redirect_uris;
        let callback = uris.iter().find(|uri| uri.starts_with(&server.portal)).expect("the portal is a client");
        let mut callback = Url::parse(callback).unwrap();
        callback.set_query(Some("code=forged&state=forged"));
        let page = browser.walk(callback.as_str()).await;
        assert!(!page.has("portal-learner-page"), "{}", page.summary());
        assert!(page.status < 500, "{}", page.summary());
    }

    async fn the_seeded_people_are_french_and_of_every_kind(server: &TestServer) {
        let kinds: BTreeSet<&str> = server.people.iter().map(|person| person.kind.as_str()).collect();
        assert!(kinds.is_superset(&["administrator", "learner", "operator", "second factor"].into()), "{kinds:?}");
        let logins: BTreeSet<&str> = server.people.iter().map(|person| person.login.as_str()).collect();
        assert_eq!(logins.len(), server.people.len(), "one account each");
        for person in &server.people {
            assert!(person.password.chars().count() >= 12, "{}", person.login);
            assert!(!person.given_name.is_empty() && !person.family_name.is_empty());
            assert_eq!(person.organization.is_none(), person.kind.ends_with("operator"), "{}", person.login);
        }
        assert!(server.people.iter().filter(|person| person.kind == "learner").count() >= 5, "enough learners for the tests");
    }

    async fn every_seeded_person_can_sign_in(server: &TestServer) {
        // One of each kind: the others differ in their names alone.
        let mut seen = BTreeSet::new();
        for person in server.people.iter().filter(|person| seen.insert(person.kind.clone())) {
            let request = AuthorizationRequest::of(server.client("demo-portal"));
            let mut browser = Browser::new();
            let Some(secret) = &person.totp_secret else {
                browser.authorize(server, &request, person).await.code();
                continue;
            };
            browser.get(&request.url(server)).await.page();
            assert!(browser.sign_in(person).await.page().has("second-step-page"));
            let code = Authenticator::from_text(secret).code(server, 0).await;
            AuthorizationResponse::from_url(browser.submit("second-step-form", &[("code", &code)]).await.left()).code();
        }
    }

    async fn the_seeded_clients_cover_every_way_to_authenticate(server: &TestServer) {
        for (client_id, method) in [
            ("demo-portal", "client_secret_basic"), ("demo-post", "client_secret_post"), ("demo-native", "none"),
            ("demo-jwt", "private_key_jwt"),
        ] {
            let client = server.client(client_id);
            assert_eq!(client.token_endpoint_auth_method, method, "{client_id}");
            assert_eq!(client.client_secret.is_some(), method.starts_with("client_secret"), "{client_id}");
            assert_eq!(client.private_jwk.is_some(), method == "private_key_jwt", "{client_id}");
        }
        for client_id in ["demo-service", "demo-es256", "demo-eddsa"] {
            server.client(client_id);
        }
        assert!(server.client("demo-service").grant_types.contains(&"client_credentials".to_owned()));
    }

    async fn the_mailbox_is_a_list_and_a_page(server: &TestServer) {
        Inbox::of(server).all().await;
        let page = Browser::new().get(&server.url("/demo/mailbox")).await.page();
        assert_eq!(page.status, 200);
    }

    async fn the_index_lists_people_and_places(server: &TestServer) {
        let page = Browser::new().get(&server.url("/demo")).await.page();
        assert_eq!(page.status, 200);
        assert!(page.html.contains(&server.learner().login), "sample credentials");
        assert!(page.html.contains(&server.portal), "the way to the portal");
        let printed = server.printed();
        for needed in [&server.issuer, &server.portal, &server.learner().login, &server.learner().password] {
            assert!(printed.contains(needed), "printed at start: {needed}");
        }
    }

    async fn health_and_readiness_answer_and_metrics_live_elsewhere(server: &TestServer) {
        let http = Http::new();
        assert_eq!(http.get(&server.url("/healthz")).await.status, 200);
        assert_eq!(http.get(&server.url("/readyz")).await.status, 200);
        assert_eq!(http.get(&server.url("/metrics")).await.status, 404);
        let metrics = http.get(&format!("{}/metrics", server.metrics)).await;
        assert_eq!(metrics.status, 200);
        assert!(metrics.header("content-type").starts_with("text/plain"), "{}", metrics.header("content-type"));
        assert!(metrics.body.lines().any(|line| line.starts_with("# TYPE ")), "{}", metrics.body);
    }

    async fn every_answer_carries_the_id_of_its_request(server: &TestServer) {
        let http = Http::new();
        let mut ids = BTreeSet::new();
        for path in ["/healthz", "/nowhere", "/authorize", "/token"] {
            let answer = http.get(&server.url(path)).await;
            let id = answer.header("x-request-id").to_owned();
            assert!(id.len() >= 8, "{path}: {id}");
            ids.insert(id);
        }
        assert_eq!(ids.len(), 4);
    }

    async fn an_unknown_path_is_not_found(server: &TestServer) {
        let answer = Http::new().get(&server.url("/nowhere/at/all")).await;
        assert_eq!(answer.status, 404);
        assert!(answer.header("x-content-type-options") == "nosniff", "{:?}", answer.headers);
    }
}

own_journeys! {
    async fn the_clock_moves_forward_and_to_a_given_time_and_the_whole_server_with_it(mut server: TestServer) {
        let before = server.now().await;
        server.advance(3600).await;
        let moved = server.now().await.duration_since(before).as_secs();
        assert!((3600..3660).contains(&moved), "{moved}");
        // A month ahead: a year from now the passwords would have expired (R043), as `expiry::` shows.
        let wanted = before + jiff::SignedDuration::from_hours(24 * 30);
        let in_paris = wanted.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(1)));
        let text = jiff::fmt::strtime::format("%Y-%m-%dT%H:%M:%S%:z", &in_paris).unwrap();
        let set = server.set_clock(&json!({ "set": text })).await.ok_json();
        let now: jiff::Timestamp = set["now"].as_str().unwrap().parse().unwrap();
        assert!(now.duration_since(wanted).as_secs().abs() < 60, "{now}");
        let request = AuthorizationRequest::of(server.client("demo-portal"));
        let tokens = habilis_integration_tests::protocol::tokens_for(&server, &request, server.learner()).await;
        let iat = tokens.id_claims()["iat"].as_i64().unwrap();
        assert!((iat - wanted.as_second()).abs() < 60, "{iat}");
    }

    async fn a_clock_command_that_makes_no_sense_is_refused(mut server: TestServer) {
        for command in [json!({}), json!({ "set": "yesterday" }), json!({ "advance_seconds": "x" }), json!([]), Value::Null] {
            let answer = server.set_clock(&command).await;
            assert!((400..500).contains(&answer.status), "{command}: {}", answer.status);
        }
        server.now().await;
    }

    async fn nothing_listens_beyond_loopback(mut server: TestServer) {
        // Everything the process listens on, from the kernel's own table: 00000000 is every address.
        let table = std::fs::read_to_string(format!("/proc/{}/net/tcp", server.pid)).unwrap();
        let port = format!(":{:04X} ", server.port());
        let own: Vec<&str> = table.lines().filter(|line| line.contains(&port) && line.contains(" 0A ")).collect();
        assert!(!own.is_empty(), "{table}");
        assert!(own.iter().all(|line| line.contains("0100007F:")), "{own:?}");
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, server.port())).is_ok());
        server.kill();
    }

    async fn asked_to_stop_it_stops_in_good_order(mut server: TestServer) {
        let status = server.terminate(Duration::from_secs(15)).await.expect("it stops within seconds");
        assert!(status.success(), "{status}");
    }
}

#[tokio::test]
async fn an_address_beyond_loopback_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8080"] {
        let outcome = run_in(folder.path(), &["demo", "--listen", listen, "--data", "data"], &[]).await;
        outcome.assert_refused(&["loopback"]);
    }
}

#[tokio::test]
async fn the_same_seed_gives_the_same_people_and_another_seed_others() {
    let mut logins = Vec::new();
    for seed in ["7", "7", "8"] {
        let server = TestServer::own_with(Engine::Sqlite, &["--seed", seed]).await;
        logins.push(server.people.iter().map(|person| person.login.clone()).collect::<Vec<_>>());
    }
    assert_eq!(logins[0], logins[1]);
    assert_ne!(logins[0], logins[2]);
}
