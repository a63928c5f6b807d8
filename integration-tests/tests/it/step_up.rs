//! A session with a password alone, and a portal that asks for more: the second factor is asked, and nothing that was given lately
//! (RFC 9470 §5, OIDC Core §5.5.1.1). And the limit of simultaneous sessions, however the sign-in ends (R002).

use habilis_integration_tests::protocol::{AuthorizationRequest, AuthorizationResponse, Code, Tokens, redeem};
use habilis_integration_tests::server::Client;
use habilis_integration_tests::webdriver::Screen;
use habilis_integration_tests::{Authenticator, Browser, Engine, Passkey, Person, TestServer, Visit, WebDriver};
use serde_json::{Value, json};

use crate::device;
use crate::factors::{add_app, codes};
use crate::forgot::local_sign_in;
use crate::passkeys;

fn request(server: &TestServer) -> AuthorizationRequest {
    AuthorizationRequest::of(server.client("demo-portal"))
}

/// A request that insists on two factors.
fn strong(server: &TestServer) -> AuthorizationRequest {
    let claims = json!({ "id_token": { "acr": { "essential": true, "value": "eidas1-mfa" } } });
    request(server).with("claims", &claims.to_string())
}

async fn claims_of(server: &TestServer, client: &Client, request: &AuthorizationRequest, visit: Visit) -> Value {
    let response = AuthorizationResponse::from_url(visit.left());
    Tokens::from(&redeem(server, client, &Code::from(request, &response)).await).id_claims()
}

async fn claims(server: &TestServer, request: &AuthorizationRequest, visit: Visit) -> Value {
    claims_of(server, server.client("demo-portal"), request, visit).await
}

/// A browser whose session has the password alone, and what it could add: an app, set up in another browser afterwards.
async fn password_alone(server: &mut TestServer, person: &Person) -> (Browser, Authenticator) {
    let (mut browser, mut other) = (Browser::new(), Browser::new());
    let request = request(server);
    browser.get(&request.url(server)).await.page();
    let visit = browser.sign_in(person).await;
    assert_eq!(claims(server, &request, visit).await["amr"], json!(["pwd"]));
    local_sign_in(server, &mut other, &person.login, &person.password).await;
    let (app, _) = add_app(server, &mut other).await;
    // The next code.
    server.advance(60).await;
    (browser, app)
}

own_journeys! {
    async fn a_session_is_stepped_up_by_a_code_alone(mut server: TestServer) {
        let person = server.learner().clone();
        let (mut browser, app) = password_alone(&mut server, &person).await;
        let plain = request(&server);
        let before = claims(&server, &plain, browser.get(&plain.url(&server)).await).await;
        let strong = strong(&server);
        let page = browser.get(&strong.url(&server)).await.page();
        assert!(page.has("second-step-page") && page.has("step-signed-in"), "{}", page.summary());
        let page = browser.submit("second-step-form", &[("code", "000000")]).await.page();
        assert!(page.status == 401 && page.has("step-signed-in"), "{}", page.summary());
        let code = app.code(&server, 0).await;
        let visit = browser.submit("second-step-form", &[("code", &code)]).await;
        let after = claims(&server, &strong, visit).await;
        assert_eq!((&after["acr"], &after["amr"]), (&json!("eidas1-mfa"), &json!(["pwd", "otp", "mfa"])));
        // The same session, as old as its password.
        assert_eq!((&after["sid"], &after["auth_time"]), (&before["sid"], &before["auth_time"]));
        // The session has it from now on, at every portal.
        let silent = self::strong(&server).with("prompt", "none");
        let later = claims(&server, &silent, browser.get(&silent.url(&server)).await).await;
        assert_eq!(later["amr"], json!(["pwd", "otp", "mfa"]));
        server.kill();
    }

    async fn a_session_is_stepped_up_by_a_passkey_alone(mut server: TestServer) {
        let person = server.learner().clone();
        let (mut browser, mut other) = (Browser::new(), Browser::new());
        let plain = request(&server);
        browser.get(&plain.url(&server)).await.page();
        let visit = browser.sign_in(&person).await;
        let before = claims(&server, &plain, visit).await;
        local_sign_in(&server, &mut other, &person.login, &person.password).await;
        other.get(&server.url("/account/security")).await.page();
        let mut passkey = Passkey::new(&server.issuer);
        codes(&passkeys::add(&mut other, &mut passkey).await.page());
        server.advance(60).await;
        let strong = strong(&server);
        let page = browser.get(&strong.url(&server)).await.page();
        assert!(page.has("second-step-page") && page.has("passkey-form"), "{}", page.summary());
        let after = claims(&server, &strong, passkeys::sign_in(&mut browser, &mut passkey).await).await;
        assert_eq!((&after["acr"], &after["sid"]), (&json!("eidas1-mfa"), &before["sid"]));
        assert!(after["amr"].as_array().unwrap().contains(&json!("user")), "{after}");
        // A passkey is a sign-in of its own.
        assert!(after["auth_time"].as_i64().unwrap() >= before["auth_time"].as_i64().unwrap() + 60, "{after}");
        server.kill();
    }

    async fn a_password_of_some_time_ago_is_asked_again_before_the_code(mut server: TestServer) {
        let person = server.learner().clone();
        let (mut browser, app) = password_alone(&mut server, &person).await;
        server.advance(59 * 60).await;
        let strong = strong(&server);
        let page = browser.get(&strong.url(&server)).await.page();
        assert!(page.has("login-form"), "an hour is over: {}", page.summary());
        let page = browser.sign_in(&person).await.page();
        assert!(page.has("second-step-page") && !page.has("step-signed-in"), "{}", page.summary());
        let code = app.code(&server, 0).await;
        let after = claims(&server, &strong, browser.submit("second-step-form", &[("code", &code)]).await).await;
        assert_eq!(after["acr"], "eidas1-mfa");
        server.kill();
    }

    async fn a_portal_that_wants_everything_again_gets_everything(mut server: TestServer) {
        let person = server.learner().clone();
        let (mut browser, _) = password_alone(&mut server, &person).await;
        for (name, value) in [("prompt", "login"), ("max_age", "30"), ("max_age", "0")] {
            let page = browser.get(&strong(&server).with(name, value).url(&server)).await.page();
            assert!(page.has("login-form"), "{name}={value}: {}", page.summary());
        }
        let page = browser.get(&strong(&server).with("max_age", "600").url(&server)).await.page();
        assert!(page.has("second-step-page"), "{}", page.summary());
        // Who is somebody else says so there.
        let again = page.attributes(".ways a", "href");
        let again = again.iter().find(|href| href.ends_with("?again=yes")).expect("a way to sign in as another");
        let page = browser.get(&server.url(again)).await.page();
        assert!(page.has("login-form"), "{}", page.summary());
        server.kill();
    }

    async fn a_second_step_ends_with_the_session_it_would_add_to(mut server: TestServer) {
        let person = server.learner().clone();
        let (mut browser, app) = password_alone(&mut server, &person).await;
        let page = browser.get(&strong(&server).url(&server)).await.page();
        assert!(page.has("second-step-page"), "{}", page.summary());
        let mut elsewhere = browser.clone();
        // Signed out in another tab.
        elsewhere.get(&server.url("/end-session")).await.page();
        elsewhere.submit("logout-form", &[]).await.page();
        assert!(elsewhere.get(&server.url("/account")).await.page().has("login-form"));
        let code = app.code(&server, 0).await;
        let page = browser.submit("second-step-form", &[("code", &code)]).await.page();
        assert_eq!(page.status, 400, "{}", page.summary());
        assert!(browser.get(&server.url("/account")).await.page().has("login-form"));
        server.kill();
    }

    async fn a_portal_that_requires_a_second_factor_gets_it_from_a_session_without(mut server: TestServer) {
        let metadata = json!({
            "client_id": "coffre", "client_name": "Coffre des évaluations", "redirect_uris": ["https://coffre.example/cb"],
            "token_endpoint_auth_method": "none",
        });
        std::fs::write(server.data().join("coffre.json"), metadata.to_string()).unwrap();
        let create = ["client", "create", "coffre.json", "--first-party", "--require-second-factor"];
        server.manage(&create).await.printed();
        let client: Client = serde_json::from_value(metadata).unwrap();
        let wanted = AuthorizationRequest::of(&client);
        let person = server.learner().clone();
        // Somebody who has none sets one up, on the strength of a sign-in of the last quarter of an hour.
        let mut browser = Browser::new();
        local_sign_in(&server, &mut browser, &person.login, &person.password).await;
        let silent = wanted.clone().with("prompt", "none");
        let response = AuthorizationResponse::from_url(browser.get(&silent.url(&server)).await.left());
        response.assert_error("login_required", &silent, &server);
        let page = browser.get(&wanted.url(&server)).await.page();
        assert!(page.has("enrol-page"), "{}", page.summary());
        let page = browser.click("enrol-app").await.page();
        let app = Authenticator::from_page(&page);
        let code = app.code(&server, 0).await;
        codes(&browser.submit("new-app-form", &[("code", &code)]).await.page());
        let after = claims_of(&server, &client, &wanted, browser.click("codes-next").await).await;
        assert_eq!((&after["acr"], &after["amr"]), (&json!("eidas1-mfa"), &json!(["pwd", "otp", "mfa"])));
        // Another device, from the beginning.
        server.advance(60).await;
        let mut other = Browser::new();
        let wanted = AuthorizationRequest::of(&client);
        other.get(&wanted.url(&server)).await.page();
        let page = other.sign_in(&person).await.page();
        assert!(page.has("second-step-page"), "{}", page.summary());
        let code = app.code(&server, 0).await;
        let after = claims_of(&server, &client, &wanted, other.submit("second-step-form", &[("code", &code)]).await).await;
        assert_eq!(after["acr"], "eidas1-mfa");
        // Twenty minutes are too long to set up the first factor of somebody else.
        let colleague = server.learner_number(1).clone();
        let mut left_open = Browser::new();
        local_sign_in(&server, &mut left_open, &colleague.login, &colleague.password).await;
        server.advance(20 * 60).await;
        let page = left_open.get(&AuthorizationRequest::of(&client).url(&server)).await.page();
        assert!(page.has("login-form"), "{}", page.summary());
        server.kill();
    }

    async fn the_security_page_asks_for_what_is_missing_and_what_was_begun_waits(mut server: TestServer) {
        let person = server.learner().clone();
        let (mut browser, app) = password_alone(&mut server, &person).await;
        // The password is a minute old: the second factor is all that is missing.
        let page = browser.get(&server.url("/account/security")).await.page();
        assert!(page.has("second-step-page") && page.has("step-signed-in"), "{}", page.summary());
        let page = browser.submit("second-step-form", &[("code", "000000")]).await.page();
        assert_eq!(page.status, 401, "{}", page.summary());
        let code = app.code(&server, 0).await;
        let page = browser.submit("second-step-form", &[("code", &code)]).await.page();
        assert!(page.has("security-page") && !page.has("waiting-form"), "{}", page.summary());
        // Left open, it asks for the password again, not for who one is; what was asked for waits.
        server.advance(16 * 60).await;
        let form = page.attributes("#apps form", "id").concat();
        let page = browser.submit(&form, &[]).await.page();
        assert!(page.has("login-form") && page.has("login-not-you"), "{}", page.summary());
        assert_eq!(page.attribute("username", "value").as_deref(), Some(person.login.as_str()));
        assert!(page.attribute("username", "readonly").is_some());
        let page = browser.submit("login-form", &[("password", "tout à fait faux")]).await.page();
        assert!(page.status == 401 && page.has("login-not-you"), "{}", page.summary());
        let page = browser.submit("login-form", &[("password", &person.password)]).await.page();
        assert!(page.has("second-step-page"), "{}", page.summary());
        let code = app.code(&server, 0).await;
        let page = browser.submit("second-step-form", &[("code", &code)]).await.page();
        assert!(page.has("security-page") && page.has("apps") && page.text("waiting-form").contains("Retirer"), "{}", page.summary());
        assert!(page.all_text().contains("Téléphone"), "{}", page.summary());
        let mut again = browser.clone();
        let page = browser.submit("waiting-form", &[]).await.page();
        assert!(page.has("security-page") && !page.has("apps"), "{}", page.summary());
        // It waits once.
        let page = again.get(&server.url("/account/security")).await.page();
        assert!(page.has("security-page") && !page.has("waiting-form"), "{}", page.summary());
        // Who is somebody else says so there.
        server.advance(16 * 60).await;
        browser.get(&server.url("/account/security")).await.page();
        let page = browser.click("login-not-you").await.page();
        assert!(page.has("login-form") && !page.has("login-not-you"), "{}", page.summary());
        assert_eq!(page.attribute("username", "value").unwrap_or_default(), "");
        let colleague = server.learner_number(1).clone();
        let page = browser.sign_in(&colleague).await.page();
        assert!(page.has("security-page"), "{}", page.summary());
        server.kill();
    }

    async fn what_was_typed_waits_for_its_own_person(mut server: TestServer) {
        let person = server.learner().clone();
        let (mut browser, mut elsewhere, mut at_security) = (Browser::new(), Browser::new(), Browser::new());
        for (browser, path) in [
            (&mut browser, "/account/profile"),
            (&mut elsewhere, "/account/profile"),
            (&mut at_security, "/account/security"),
        ] {
            local_sign_in(&server, browser, &person.login, &person.password).await;
            browser.get(&server.url(path)).await.page();
        }
        server.advance(16 * 60).await;
        browser.submit("email-form", &[("email", "nouvelle@exemple.example")]).await.page();
        let page = browser.submit("login-form", &[("password", &person.password)]).await.page();
        assert_eq!(page.url.path(), "/account/profile");
        assert_eq!(page.attribute("email", "value").as_deref(), Some("nouvelle@exemple.example"));
        let page = browser.get(&server.url("/account/profile")).await.page();
        assert_eq!(page.attribute("email", "value").unwrap_or_default(), "");
        // Somebody else who signs in there does not see it.
        elsewhere.submit("email-form", &[("email", "nouvelle@exemple.example")]).await.page();
        elsewhere.click("login-not-you").await.page();
        let colleague = server.learner_number(1).clone();
        let page = elsewhere.sign_in(&colleague).await.page();
        assert_eq!(page.url.path(), "/account/profile");
        assert_eq!(page.attribute("email", "value").unwrap_or_default(), "");
        // The name of an app that was about to be added.
        at_security.submit("app-add-form", &[("name", "Tablette")]).await.page();
        let page = at_security.submit("login-form", &[("password", &person.password)]).await.page();
        assert!(page.has("waiting-form"), "{}", page.summary());
        assert_eq!(page.attributes("#waiting-form input[name=name]", "value"), ["Tablette"]);
        server.kill();
    }

    async fn a_device_asks_for_the_second_factor_alone(mut server: TestServer) {
        let metadata = json!({
            "client_id": "borne", "client_name": "Borne", "redirect_uris": [], "response_types": [],
            "grant_types": ["urn:ietf:params:oauth:grant-type:device_code"], "token_endpoint_auth_method": "none",
        });
        std::fs::write(server.data().join("borne.json"), metadata.to_string()).unwrap();
        let create = ["client", "create", "borne.json", "--first-party", "--require-second-factor"];
        server.manage(&create).await.printed();
        let client: Client = serde_json::from_value(metadata).unwrap();
        let person = server.learner().clone();
        let (mut browser, app) = password_alone(&mut server, &person).await;
        let request = device::ask(&server, &client, "openid").await;
        let page = device::enter(&server, &mut browser, request["user_code"].as_str().unwrap()).await;
        assert!(page.has("second-step-page") && page.has("step-signed-in"), "{}", page.summary());
        let code = app.code(&server, 0).await;
        let page = browser.submit("second-step-form", &[("code", &code)]).await.page();
        assert!(page.has("device-allow"), "{}", page.summary());
        let page = browser.click("device-allow").await.page();
        assert!(page.has("device-outcome"), "{}", page.summary());
        let tokens = device::poll(&server, &client, &request).await;
        assert_eq!(Tokens::from(&tokens).id_claims()["amr"], json!(["pwd", "otp", "mfa"]));
        // After an hour the password is asked again, and the device still waits.
        let colleague = server.learner_number(1).clone();
        let (mut browser, app) = password_alone(&mut server, &colleague).await;
        server.advance(60 * 60).await;
        let request = device::ask(&server, &client, "openid").await;
        let page = device::enter(&server, &mut browser, request["user_code"].as_str().unwrap()).await;
        assert!(page.has("login-form") && page.has("login-not-you"), "{}", page.summary());
        let page = browser.submit("login-form", &[("password", &colleague.password)]).await.page();
        assert!(page.has("second-step-page"), "{}", page.summary());
        let code = app.code(&server, 0).await;
        let page = browser.submit("second-step-form", &[("code", &code)]).await.page();
        assert!(page.has("device-allow"), "{}", page.summary());
        server.kill();
    }

    async fn a_portal_that_wants_the_password_again_does_not_ask_who_it_is(mut server: TestServer) {
        let person = server.learner().clone();
        let mut browser = Browser::new();
        local_sign_in(&server, &mut browser, &person.login, &person.password).await;
        let wanted = request(&server).with("prompt", "login");
        let page = browser.get(&wanted.url(&server)).await.page();
        assert!(page.has("login-not-you"), "{}", page.summary());
        let page = browser.submit("login-form", &[("password", "tout à fait faux")]).await.page();
        assert!(page.status == 401 && page.has("login-not-you"), "{}", page.summary());
        let visit = browser.submit("login-form", &[("password", &person.password)]).await;
        AuthorizationResponse::from_url(visit.left());
        for (name, value) in [("prompt", "select_account"), ("login_hint", "quelqu.un@exemple.example")] {
            let wanted = request(&server).with("max_age", "0").with(name, value);
            let page = browser.get(&wanted.url(&server)).await.page();
            assert!(page.has("login-form") && !page.has("login-not-you"), "{name}: {}", page.summary());
        }
        server.kill();
    }

    async fn axe_finds_nothing_wrong_with_confirming(mut server: TestServer) {
        let person = server.learner().clone();
        let browser = WebDriver::start().await;
        browser.goto(&server.url("/login?to=security")).await;
        browser.fill("username", &person.login).await;
        browser.fill("password", &person.password).await;
        browser.click("login-submit").await;
        browser.text("#security-page").await;
        server.advance(16 * 60).await;
        browser.fill("app-name", "Tablette").await;
        browser.click("app-add-submit").await;
        browser.text("#login-not-you").await;
        for (screen, size) in [(Screen::Phone, "phone"), (Screen::Desktop, "desktop")] {
            browser.set_screen(screen).await;
            for language in ["fr", "en"] {
                browser.goto(&server.url(&format!("/login?to=security&again=yes&ui_locales={language}"))).await;
                browser.text("#login-not-you").await;
                browser.screenshot(&format!("confirm-{size}-{language}")).await;
                assert_eq!(browser.axe().await, Vec::<String>::new(), "{size} {language}");
            }
        }
        browser.fill("password", &person.password).await;
        browser.click("login-submit").await;
        browser.text("#waiting-form").await;
        browser.screenshot("waiting-form").await;
        assert_eq!(browser.axe().await, Vec::<String>::new(), "what waits");
        browser.click("waiting-submit").await;
        browser.text("#new-app-form").await;
        server.kill();
    }

    async fn axe_finds_nothing_wrong_with_stepping_up(mut server: TestServer) {
        let person = server.learner().clone();
        let browser = WebDriver::start().await;
        browser.goto(&server.url("/login")).await;
        browser.fill("username", &person.login).await;
        browser.fill("password", &person.password).await;
        browser.click("login-submit").await;
        browser.wait_for_url(&server.url("/account")).await;
        let mut other = Browser::new();
        local_sign_in(&server, &mut other, &person.login, &person.password).await;
        add_app(&server, &mut other).await;
        for (screen, size) in [(Screen::Phone, "phone"), (Screen::Desktop, "desktop")] {
            browser.set_screen(screen).await;
            for language in ["fr", "en"] {
                browser.goto(&strong(&server).with("ui_locales", language).url(&server)).await;
                browser.text("#step-signed-in").await;
                browser.screenshot(&format!("step-up-{size}-{language}")).await;
                assert_eq!(browser.axe().await, Vec::<String>::new(), "{size} {language}");
            }
        }
        server.kill();
    }
}

async fn is_signed_in(server: &TestServer, browser: &mut Browser) -> bool {
    browser.get(&server.url("/account")).await.page().has("account-page")
}

/// A person with an app and a passkey, and one session: that in which they were added.
async fn equipped(server: &TestServer, person: &Person) -> (Browser, Authenticator, Passkey) {
    let mut browser = Browser::new();
    local_sign_in(server, &mut browser, &person.login, &person.password).await;
    let (app, _) = add_app(server, &mut browser).await;
    browser.get(&server.url("/account/security")).await.page();
    let mut passkey = Passkey::new(&server.issuer);
    passkeys::add(&mut browser, &mut passkey).await.page();
    (browser, app, passkey)
}

/// A fresh browser, after the password.
async fn at_second_step(server: &TestServer, person: &Person) -> Browser {
    let mut browser = Browser::new();
    let page = local_sign_in(server, &mut browser, &person.login, &person.password).await;
    assert!(page.has("second-step-page"), "{}", page.summary());
    browser
}

async fn the_oldest_session_ends_when_a_code_or_a_passkey_opens_another(engine: Engine) {
    let mut server = TestServer::own_with(engine, &["--set", "accounts.sessions_per_person=1"]).await;
    let person = server.learner().clone();
    let (mut first, app, mut passkey) = equipped(&server, &person).await;
    server.advance(60).await;
    let mut second = at_second_step(&server, &person).await;
    assert!(is_signed_in(&server, &mut first).await, "half a sign-in ends nobody's session");
    let code = app.code(&server, 0).await;
    let page = second.submit("second-step-form", &[("code", &code)]).await.page();
    assert!(page.has("account-page"), "{}", page.summary());
    assert!(!is_signed_in(&server, &mut first).await);
    let mut third = at_second_step(&server, &person).await;
    let page = passkeys::sign_in(&mut third, &mut passkey).await.page();
    assert!(page.has("account-page"), "{}", page.summary());
    assert!(!is_signed_in(&server, &mut second).await && is_signed_in(&server, &mut third).await);
    // And by the passkey alone.
    let mut fourth = Browser::new();
    fourth.get(&server.url("/login")).await.page();
    passkeys::sign_in(&mut fourth, &mut passkey).await.page();
    assert!(!is_signed_in(&server, &mut third).await && is_signed_in(&server, &mut fourth).await);
    server.kill();
}

async fn a_code_or_a_passkey_opens_no_session_beyond_the_limit(engine: Engine) {
    let options = ["--set", "accounts.sessions_per_person=2", "--set", "accounts.sessions_beyond=refuse_new"];
    let mut server = TestServer::own_with(engine, &options).await;
    let person = server.learner().clone();
    let (mut first, app, mut passkey) = equipped(&server, &person).await;
    server.advance(60).await;
    // Three are past the password while there is room for one.
    let mut by_code = at_second_step(&server, &person).await;
    let mut by_key = at_second_step(&server, &person).await;
    let mut second = at_second_step(&server, &person).await;
    let code = app.code(&server, 0).await;
    second.submit("second-step-form", &[("code", &code)]).await.page();
    assert!(is_signed_in(&server, &mut second).await);
    server.advance(60).await;
    let code = app.code(&server, 0).await;
    let page = by_code.submit("second-step-form", &[("code", &code)]).await.page();
    assert!(page.status == 403 && page.text("step-error").contains("appareils"), "{}", page.summary());
    let page = passkeys::sign_in(&mut by_key, &mut passkey).await.page();
    assert!(page.status == 403 && page.text("step-error").contains("appareils"), "{}", page.summary());
    let mut alone = Browser::new();
    alone.get(&server.url("/login")).await.page();
    let page = passkeys::sign_in(&mut alone, &mut passkey).await.page();
    assert!(page.status == 403 && page.text("login-error").contains("appareils"), "{}", page.summary());
    for browser in [&mut by_code, &mut by_key, &mut alone] {
        assert!(!is_signed_in(&server, browser).await);
    }
    assert!(is_signed_in(&server, &mut first).await && is_signed_in(&server, &mut second).await);
    server.kill();
}

on_both_engines! {
    the_oldest_session_ends_when_a_code_or_a_passkey_opens_another,
    a_code_or_a_passkey_opens_no_session_beyond_the_limit,
}
