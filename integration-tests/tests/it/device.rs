//! Devices that sign in through another browser (RFC 8628).

use std::sync::Arc;
use std::time::{Duration, Instant};

use habilis_integration_tests::protocol::{Proof, Tokens, post_as, post_token, refresh, userinfo};
use habilis_integration_tests::server::{free_port, habilis, run_in};
use habilis_integration_tests::webdriver::Screen;
use habilis_integration_tests::{Answer, Browser, Client, Http, Page, Person, TestServer, Visit, WebDriver};
use serde_json::{Value, json};
use tokio::sync::Barrier;

use crate::registration::{client, register, registered};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A kiosk: a public client that uses no redirect at all.
pub(crate) async fn kiosk(server: &TestServer) -> Client {
    let metadata = json!({
        "client_name": "Borne d’accueil", "token_endpoint_auth_method": "none",
        "grant_types": [GRANT, "refresh_token"], "response_types": [],
    });
    client(&registered(&register(server, &metadata).await))
}

/// A request of this device.
pub(crate) async fn ask(server: &TestServer, client: &Client, scope: &str) -> Value {
    let answer = post_as(server, client, ("/device_authorization", &[("scope", scope)])).await;
    let request = answer.ok_json();
    assert!(answer.header("cache-control").contains("no-store"));
    request
}

fn text<'a>(request: &'a Value, name: &str) -> &'a str {
    request[name].as_str().unwrap_or_else(|| panic!("no {name} in {request}"))
}

pub(crate) async fn poll(server: &TestServer, client: &Client, request: &Value) -> Answer {
    let proof = Proof::of(client, server).await;
    let form = [("grant_type", GRANT), ("device_code", text(request, "device_code"))];
    post_token(&Http::new(), server, &proof, &form).await
}

/// Types a code at the address the device shows, and returns the page this leads to.
async fn enter(server: &TestServer, browser: &mut Browser, typed: &str) -> Page {
    browser.get(&server.url("/device")).await.page();
    browser.submit("device-form", &[("user_code", typed)]).await.page()
}

/// Types the code and signs in; asserts that the question is asked.
async fn up_to_the_question(server: &TestServer, browser: &mut Browser, (typed, person): (&str, &Person)) -> Page {
    let mut page = enter(server, browser, typed).await;
    if page.has("login-form") {
        page = browser.sign_in(person).await.page();
    }
    assert!(page.has("device-allow"), "{}", page.summary());
    page
}

/// Allows a device as this person, in a fresh browser.
pub(crate) async fn allow(server: &TestServer, request: &Value, person: &Person) {
    let mut browser = Browser::new();
    up_to_the_question(server, &mut browser, (text(request, "user_code"), person)).await;
    let page = browser.click("device-allow").await.page();
    assert!(page.has("device-outcome"), "{}", page.summary());
}

#[tokio::test]
async fn one_network_cannot_begin_without_bound() {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), &["keys", "init"], &[]).await.printed();
    let metadata = json!({
        "client_id": "kiosk", "token_endpoint_auth_method": "none", "grant_types": [GRANT], "response_types": [],
    });
    std::fs::write(folder.path().join("client.json"), metadata.to_string()).unwrap();
    run_in(folder.path(), &["client", "create", "client.json"], &[]).await.printed();
    let address = format!("127.0.0.1:{}", free_port());
    let mut command = habilis();
    command
        .arg("serve")
        .current_dir(folder.path())
        .env("HABILIS__SERVER__ISSUER", format!("http://{address}"))
        .env("HABILIS__SERVER__LISTEN", &address)
        .env("HABILIS__SERVER__METRICS_LISTEN", "")
        .env("HABILIS__SIGN_IN__INTERACTIONS_PER_ADDRESS_PER_MINUTE", "3")
        .env("HABILIS__DEVICE__CODE_MINUTES", "2")
        .env("HABILIS__DEVICE__INTERVAL_SECONDS", "7")
        .stderr(std::fs::File::create(folder.path().join("log")).unwrap());
    let _process = tokio::process::Command::from(command).kill_on_drop(true).spawn().unwrap();
    let (http, began) = (Http::new(), Instant::now());
    let ready = || http.request("GET", &format!("http://{address}/readyz"));
    while !http.try_send(ready()).await.is_ok_and(|answer| answer.status == 200) {
        assert!(began.elapsed() < Duration::from_mins(1), "not ready after a minute");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let url = format!("http://{address}/device_authorization");
    for _ in 0..3 {
        let answer = http.post_form(&url, &[("client_id", "kiosk")]).await.ok_json();
        assert_eq!((&answer["expires_in"], &answer["interval"]), (&json!(120), &json!(7)), "as configured");
    }
    http.post_form(&url, &[("client_id", "kiosk")]).await.assert_oauth_error(429, "temporarily_unavailable");
    Http::new().post_form(&url, &[("client_id", "kiosk")]).await.ok_json();
}

journeys! {
    async fn a_device_is_told_what_to_show_and_how_often_to_ask(server: &TestServer) {
        let request = ask(server, &kiosk(server).await, "openid").await;
        assert_eq!(request["verification_uri"], json!(server.url("/device")));
        let code = text(&request, "user_code");
        assert_eq!(request["verification_uri_complete"], json!(server.url(&format!("/device?user_code={code}"))));
        assert_eq!((&request["expires_in"], &request["interval"]), (&json!(600), &json!(5)));
        assert!(text(&request, "device_code").len() >= 43);
        assert_eq!(code.len(), 9);
        assert!(code.chars().all(|c| c == '-' || "BCDFGHJKLMNPQRSTVWXZ".contains(c)), "{code}");
    }

    async fn a_person_types_the_code_signs_in_sees_who_asks_and_the_device_gets_tokens_once(server: &TestServer) {
        let (client, person) = (kiosk(server).await, server.learner_number(3));
        let request = ask(server, &client, "openid profile offline_access unknown").await;
        poll(server, &client, &request).await.assert_oauth_error(400, "authorization_pending");
        let code = text(&request, "user_code");
        let mut browser = Browser::new();
        let page = up_to_the_question(server, &mut browser, (&code.to_lowercase().replace('-', " "), person)).await;
        assert_eq!(page.text("device-user-code"), code);
        assert!(page.all_text().contains("Borne d’accueil") && page.all_text().contains(&person.family_name));
        assert!(page.all_text().contains("refusez"), "the warning: {}", page.summary());
        let page = browser.click("device-allow").await.page();
        assert!(page.text("device-outcome").contains("C’est fait"), "{}", page.summary());
        let tokens = Tokens::from(&poll(server, &client, &request).await);
        assert_eq!(tokens.response["scope"], "openid offline_access profile");
        let claims = tokens.id_claims();
        assert_eq!(claims["aud"], json!(client.client_id));
        assert!(claims.get("sid").is_none() && claims.get("nonce").is_none() && claims["auth_time"].is_i64());
        let known = userinfo(server, tokens.access_token()).await.ok_json();
        assert_eq!((&known["sub"], &known["family_name"]), (&claims["sub"], &json!(person.family_name)));
        poll(server, &client, &request).await.assert_oauth_error(400, "invalid_grant");
        let next = Tokens::from(&refresh(server, &client, tokens.refresh_token()).await);
        assert_eq!(next.id_claims()["sub"], claims["sub"]);
    }

    async fn the_complete_address_fills_the_field_and_sends_nothing_by_itself(server: &TestServer) {
        let (client, person) = (kiosk(server).await, server.learner_number(3));
        let request = ask(server, &client, "openid").await;
        let mut browser = Browser::new();
        let page = browser.get(text(&request, "verification_uri_complete")).await.page();
        assert_eq!(page.attribute("user_code", "value").as_deref(), Some(text(&request, "user_code")));
        let page = browser.get(&server.url("/device/confirm")).await.page();
        assert!(page.has("device-form") && !page.has("device-allow"), "{}", page.summary());
        browser.get(text(&request, "verification_uri_complete")).await.page();
        browser.submit("device-form", &[]).await.page();
        let page = browser.sign_in(person).await.page();
        assert!(page.has("device-allow"), "{}", page.summary());
    }

    async fn a_refused_device_is_told_so(server: &TestServer) {
        let client = kiosk(server).await;
        let request = ask(server, &client, "openid").await;
        let mut browser = Browser::new();
        up_to_the_question(server, &mut browser, (text(&request, "user_code"), server.learner_number(3))).await;
        let page = browser.click("device-deny").await.page();
        assert!(page.text("device-outcome").contains("n’a pas été"), "{}", page.summary());
        for _ in 0..2 {
            poll(server, &client, &request).await.assert_oauth_error(400, "access_denied");
        }
        let page = enter(server, &mut browser, text(&request, "user_code")).await;
        assert!(page.status == 422 && page.has("device-error"), "{}", page.summary());
    }

    async fn who_may_not_ask_is_refused_with_the_registered_code(server: &TestServer) {
        let portal = server.client("demo-portal");
        let answer = post_as(server, portal, ("/device_authorization", &[("scope", "openid")])).await;
        answer.assert_oauth_error(400, "unauthorized_client");
        let form = [("grant_type", GRANT), ("device_code", "x")];
        let answer = post_token(&Http::new(), server, &Proof::of(portal, server).await, &form).await;
        answer.assert_oauth_error(400, "unauthorized_client");
        let http = Http::new();
        http.post_form(&server.url("/device_authorization"), &[]).await.assert_oauth_error(400, "invalid_client");
        let kiosk = kiosk(server).await;
        let answer = post_as(server, &kiosk, ("/device_authorization", &[("scope", "a\"b")])).await;
        answer.assert_oauth_error(400, "invalid_scope");
        let proof = Proof::of(&kiosk, server).await;
        let answer = post_token(&http, server, &proof, &[("grant_type", GRANT)]).await;
        answer.assert_oauth_error(400, "invalid_request");
        let answer = post_token(&http, server, &proof, &[("grant_type", GRANT), ("device_code", "unknown")]).await;
        answer.assert_oauth_error(400, "invalid_grant");
    }

    async fn another_client_gets_nothing_for_a_device_code(server: &TestServer) {
        let (client, other) = (kiosk(server).await, kiosk(server).await);
        let request = ask(server, &client, "openid").await;
        poll(server, &other, &request).await.assert_oauth_error(400, "invalid_grant");
        allow(server, &request, server.learner_number(3)).await;
        poll(server, &other, &request).await.assert_oauth_error(400, "invalid_grant");
        Tokens::from(&poll(server, &client, &request).await);
    }

    async fn a_device_code_is_no_authorization_code(server: &TestServer) {
        let metadata = json!({
            "redirect_uris": ["https://rp.example/callback"], "grant_types": ["authorization_code", GRANT],
        });
        let client = client(&registered(&register(server, &metadata).await));
        let request = ask(server, &client, "openid").await;
        allow(server, &request, server.learner_number(3)).await;
        let (proof, code) = (Proof::of(&client, server).await, text(&request, "device_code"));
        for redirect_uri in ["", "https://rp.example/callback"] {
            let form = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", redirect_uri)];
            let answer = post_token(&Http::new(), server, &proof, &form).await;
            assert_eq!(answer.status, 400, "{}", answer.body);
        }
        let tokens = Tokens::from(&poll(server, &client, &request).await);
        assert!(tokens.response.get("refresh_token").is_none(), "the grant refresh_token is not registered");
    }

    async fn the_question_is_for_the_browser_that_typed_the_code(server: &TestServer) {
        let (client, person) = (kiosk(server).await, server.learner_number(3));
        let request = ask(server, &client, "openid").await;
        let mut first = Browser::new();
        up_to_the_question(server, &mut first, (text(&request, "user_code"), person)).await;
        let mut second = Browser::new();
        let page = second.get(&server.url("/device/confirm")).await.page();
        assert!(!page.has("device-allow"), "{}", page.summary());
        // Whoever types it last answers; the other page asks anew.
        up_to_the_question(server, &mut second, (text(&request, "user_code"), server.learner_number(4))).await;
        let page = first.click("device-allow").await.page();
        assert!(!page.has("device-outcome"), "{}", page.summary());
        poll(server, &client, &request).await.assert_oauth_error(400, "authorization_pending");
        assert!(second.click("device-allow").await.page().has("device-outcome"));
        Tokens::from(&poll(server, &client, &request).await);
    }

    async fn an_answer_is_to_the_code_on_the_page_and_needs_its_token(server: &TestServer) {
        let (client, person) = (kiosk(server).await, server.learner_number(3));
        let (shown, newer) = (ask(server, &client, "openid").await, ask(server, &client, "openid").await);
        let mut browser = Browser::new();
        up_to_the_question(server, &mut browser, (text(&shown, "user_code"), person)).await;
        let page = browser.submit("device-form", &[("csrf", "forged")]).await.page();
        assert!(page.has("device-allow"), "asked again: {}", page.summary());
        let mut tab = browser.clone();
        up_to_the_question(server, &mut tab, (text(&newer, "user_code"), person)).await;
        let page = browser.click("device-allow").await.page();
        assert_eq!(page.text("device-user-code"), text(&newer, "user_code"), "the newer code is asked about");
        for request in [&shown, &newer] {
            poll(server, &client, request).await.assert_oauth_error(400, "authorization_pending");
        }
    }

    async fn wrong_codes_are_slowed_down_by_browser(server: &TestServer) {
        let request = ask(server, &kiosk(server).await, "openid").await;
        let mut browser = Browser::new();
        for typed in ["", "BCDF-GHJK", "nonsense", "BCDF-GHJL", "BCDF-GHJM"] {
            let page = enter(server, &mut browser, typed).await;
            assert!(page.status == 422 && page.has("device-error"), "{typed}: {}", page.summary());
        }
        let page = enter(server, &mut browser, text(&request, "user_code")).await;
        assert_eq!(page.status, 429, "the right one as well: {}", page.summary());
        assert!(!page.header("retry-after").is_empty());
        let page = enter(server, &mut Browser::new(), text(&request, "user_code")).await;
        assert!(page.has("login-form"), "another browser is heard: {}", page.summary());
    }

    async fn wrong_codes_are_bounded_by_address_whatever_the_browser(server: &TestServer) {
        let request = ask(server, &kiosk(server).await, "openid").await;
        let mut browser = Browser::new();
        for round in 0..100 {
            browser.forget_cookies();
            let page = enter(server, &mut browser, "BCDF-GHJK").await;
            assert_eq!(page.status, 422, "{round}: {}", page.summary());
        }
        browser.forget_cookies();
        let page = enter(server, &mut browser, text(&request, "user_code")).await;
        assert_eq!(page.status, 429, "{}", page.summary());
    }

    async fn a_form_from_elsewhere_ties_no_code_to_this_browser(server: &TestServer) {
        let request = ask(server, &kiosk(server).await, "openid").await;
        let mut browser = Browser::new();
        browser.get(&server.url("/device")).await.page();
        let fields = [("user_code".to_owned(), text(&request, "user_code").to_owned())];
        let Visit::Page(page) = browser.post_from_elsewhere(&server.url("/device"), &fields).await else {
            panic!("led away")
        };
        assert!(page.has("device-form"), "{}", page.summary());
        let page = browser.get(&server.url("/device/confirm")).await.page();
        assert!(!page.has("device-allow") && !page.has("login-form"), "{}", page.summary());
    }

    async fn fifty_parallel_polls_give_exactly_one_set_of_tokens(server: &TestServer) {
        let client = kiosk(server).await;
        let request = ask(server, &client, "openid offline_access").await;
        allow(server, &request, server.learner_number(3)).await;
        let barrier = Arc::new(Barrier::new(50));
        let proof = Proof::of(&client, server).await;
        let polls = (0..50).map(|_| {
            let (barrier, proof, http) = (Arc::clone(&barrier), proof.clone(), Http::new());
            let form = vec![
                ("grant_type".to_owned(), GRANT.to_owned()),
                ("device_code".to_owned(), text(&request, "device_code").to_owned()),
            ];
            let sent = form.clone();
            let url = server.url("/token");
            tokio::spawn(async move {
                let Proof::Form(mut fields) = proof else { panic!("a public client") };
                fields.extend(sent);
                barrier.wait().await;
                http.send(http.request("POST", &url).form(&fields)).await
            })
        });
        let polls: Vec<_> = polls.collect();
        let mut given = Vec::new();
        for answer in polls {
            let answer = answer.await.unwrap();
            if answer.status == 200 { given.push(answer) } else { answer.assert_oauth_error(400, "invalid_grant") }
        }
        assert_eq!(given.len(), 1);
        let tokens = Tokens::from(&given[0]);
        assert_eq!(userinfo(server, tokens.access_token()).await.status, 200, "and they stay good");
        Tokens::from(&refresh(server, &client, tokens.refresh_token()).await);
    }

    async fn a_device_outlives_the_session_that_let_it_in_and_ends_with_the_others(server: &TestServer) {
        let (client, person) = (kiosk(server).await, server.learner_number(3));
        let request = ask(server, &client, "openid").await;
        let mut browser = Browser::new();
        up_to_the_question(server, &mut browser, (text(&request, "user_code"), person)).await;
        browser.click("device-allow").await.page();
        let tokens = Tokens::from(&poll(server, &client, &request).await);
        browser.get(&server.url("/end-session")).await.page();
        browser.click("logout-confirm").await.page();
        let tokens = Tokens::from(&refresh(server, &client, tokens.refresh_token()).await);
        crate::forgot::local_sign_in(server, &mut browser, &person.login, &person.password).await;
        browser.submit("sign-out-others-form", &[]).await.page();
        refresh(server, &client, tokens.refresh_token()).await.assert_oauth_error(400, "invalid_grant");
    }

    async fn fapi_clients_have_no_device_grant(server: &TestServer) {
        let fapi = server.client("demo-fapi");
        let answer = post_as(server, fapi, ("/device_authorization", &[("scope", "openid")])).await;
        answer.assert_oauth_error(400, "unauthorized_client");
        let document = Http::new().get(&server.url("/.well-known/openid-configuration")).await.ok_json();
        assert_eq!(document["device_authorization_endpoint"], json!(server.url("/device_authorization")));
        assert!(document["grant_types_supported"].as_array().unwrap().contains(&json!(GRANT)));
    }
}

own_journeys! {
    async fn a_hurried_device_is_slowed_down_and_its_interval_grows(mut server: TestServer) {
        let client = kiosk(&server).await;
        let request = ask(&server, &client, "openid").await;
        poll(&server, &client, &request).await.assert_oauth_error(400, "authorization_pending");
        server.advance(5).await;
        poll(&server, &client, &request).await.assert_oauth_error(400, "authorization_pending");
        // At once: from now on ten seconds, then fifteen.
        poll(&server, &client, &request).await.assert_oauth_error(400, "slow_down");
        server.advance(6).await;
        poll(&server, &client, &request).await.assert_oauth_error(400, "slow_down");
        server.advance(12).await;
        poll(&server, &client, &request).await.assert_oauth_error(400, "slow_down");
        server.advance(20).await;
        poll(&server, &client, &request).await.assert_oauth_error(400, "authorization_pending");
        allow(&server, &request, server.learner()).await;
        Tokens::from(&poll(&server, &client, &request).await);
    }

    async fn codes_end_after_ten_minutes_typed_allowed_or_not(mut server: TestServer) {
        let client = kiosk(&server).await;
        let (idle, allowed) = (ask(&server, &client, "openid").await, ask(&server, &client, "openid").await);
        let mut browser = Browser::new();
        up_to_the_question(&server, &mut browser, (text(&idle, "user_code"), server.learner())).await;
        allow(&server, &allowed, server.learner()).await;
        server.advance(590).await;
        poll(&server, &client, &idle).await.assert_oauth_error(400, "authorization_pending");
        server.advance(11).await;
        for request in [&idle, &allowed] {
            poll(&server, &client, request).await.assert_oauth_error(400, "expired_token");
        }
        let page = browser.click("device-allow").await.page();
        assert!(!page.has("device-outcome"), "{}", page.summary());
        let page = enter(&server, &mut browser, text(&idle, "user_code")).await;
        assert_eq!(page.status, 422, "{}", page.summary());
        server.advance(2 * 86_400).await;
        poll(&server, &client, &idle).await.assert_oauth_error(400, "invalid_grant");
    }

    async fn axe_finds_nothing_wrong_with_the_pages_of_devices(mut server: TestServer) {
        let (client, person) = (kiosk(&server).await, server.learner().clone());
        let request = ask(&server, &client, "openid profile email offline_access").await;
        let browser = WebDriver::start().await;
        let screens = [(Screen::Phone, "phone"), (Screen::Desktop, "desktop")];
        for (screen, name) in screens {
            browser.set_screen(screen).await;
            browser.goto(text(&request, "verification_uri_complete")).await;
            browser.screenshot(&format!("device-code-{name}")).await;
            assert_eq!(browser.axe().await, Vec::<String>::new(), "code {name}");
        }
        browser.fill("user_code", "BCDF-GHJK").await;
        browser.click("device-submit").await;
        browser.text("#device-error").await;
        browser.screenshot("device-wrong").await;
        assert_eq!(browser.axe().await, Vec::<String>::new(), "wrong code");
        browser.fill("user_code", text(&request, "user_code")).await;
        browser.click("device-submit").await;
        browser.fill("username", &person.login).await;
        browser.fill("password", &person.password).await;
        browser.click("login-submit").await;
        browser.wait_for_url(&server.url("/device/confirm")).await;
        for language in ["fr", "en"] {
            browser.goto(&server.url(&format!("/device/confirm?ui_locales={language}"))).await;
            for (screen, name) in screens {
                browser.set_screen(screen).await;
                browser.screenshot(&format!("device-confirm-{language}-{name}")).await;
                assert_eq!(browser.axe().await, Vec::<String>::new(), "confirm {language} {name}");
            }
        }
        browser.click("device-allow").await;
        browser.text("#device-outcome").await;
        browser.screenshot("device-done").await;
        assert_eq!(browser.axe().await, Vec::<String>::new(), "done");
        server.kill();
    }
}
