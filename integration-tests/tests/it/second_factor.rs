//! Who must have a second factor, stepping up to one (OIDC Core §5.5.1.1, RFC 9470), and the way back for somebody who lost
//! theirs.

use habilis_integration_tests::protocol::{AuthorizationRequest, AuthorizationResponse, Code, Tokens, redeem, refresh};
use habilis_integration_tests::webdriver::Screen;
use habilis_integration_tests::{
    Authenticator, Browser, Engine, Http, Inbox, Page, Passkey, Person, TestServer, Visit, WebDriver,
};
use serde_json::{Value, json};

use crate::api::{give_duties, operator, two_operators};
use crate::device;
use crate::factors::{add_app, codes};
use crate::forgot::local_sign_in;
use crate::passkeys;

async fn strict(engine: Engine) -> TestServer {
    TestServer::own_with(engine, &["--second-factor-of", "administrators"]).await
}

fn of_kind(server: &TestServer, kind: &str) -> Person {
    server.people.iter().find(|person| person.kind == kind).unwrap_or_else(|| panic!("no {kind}")).clone()
}

fn request(server: &TestServer) -> AuthorizationRequest {
    AuthorizationRequest::of(server.client("demo-portal"))
}

fn essential(request: AuthorizationRequest, acr: &str) -> AuthorizationRequest {
    request.with("claims", &json!({ "id_token": { "acr": { "essential": true, "value": acr } } }).to_string())
}

async fn tokens(server: &TestServer, request: &AuthorizationRequest, visit: Visit) -> Tokens {
    let response = AuthorizationResponse::from_url(visit.left());
    Tokens::from(&redeem(server, server.client("demo-portal"), &Code::from(request, &response)).await)
}

async fn acr(server: &TestServer, request: &AuthorizationRequest, visit: Visit) -> Value {
    tokens(server, request, visit).await.id_claims()["acr"].clone()
}

/// Signs in with a password to this request, and returns what comes next.
async fn by_password(
    server: &TestServer,
    browser: &mut Browser,
    request: &AuthorizationRequest,
    person: &Person,
) -> Visit {
    let page = browser.get(&request.url(server)).await.page();
    assert!(page.has("login-form"), "{}", page.summary());
    browser.sign_in(person).await
}

/// Sets an app up on the enrolment page that is open; returns the app and the page with the recovery codes.
async fn enrol_app(server: &TestServer, browser: &mut Browser) -> (Authenticator, Page) {
    let page = browser.click("enrol-app").await.page();
    let app = Authenticator::from_page(&page);
    let wrong = browser.submit("new-app-form", &[("code", "000000")]).await.page();
    assert!(wrong.has("app-error"), "{}", wrong.summary());
    let code = app.code(server, 0).await;
    (app, browser.submit("new-app-form", &[("code", &code)]).await.page())
}

/// The newest link of this kind sent to somebody.
async fn link(server: &TestServer, person: &Person, part: &str) -> String {
    let inbox = Inbox::of(server);
    for _ in 0..400 {
        let links = inbox.to(&person.login).await.into_iter().flat_map(|mail| mail.links);
        if let Some(link) = links.into_iter().find(|link| link.contains(part)) {
            return link;
        }
        // Mail goes out after the answer.
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("no {part} to {}", person.login);
}

journeys_on! {
    strict;

    async fn an_invited_administrator_sets_up_a_factor_before_there_is_any_session(mut server: TestServer) {
        // The first one of an organization.
        let organization = crate::api::new_organization(&operator(&server).await, "Lumière").await;
        let email = "amelie.nouvelle@cfa-lumiere.example";
        let target = format!("{}/sign-in", server.portal);
        let invite = [
            "person", "invite", "--email", email, "--given-name", "Amélie", "--family-name", "Nouvelle",
            "--organization", &organization, "--role", "administrator", "--right", "demo-portal=gestionnaire",
            "--portal", "demo-portal", "--target", &target,
        ];
        server.manage(&invite).await.printed();
        let link = crate::activation::link_to(&server, (email, "/activate/"), 1).await;
        let mut browser = Browser::new();
        let page = crate::activation::activate(&mut browser, &link, crate::forgot::NEW).await.page();
        assert!(page.has("enrol-app"), "{}", page.summary());
        let elsewhere = browser.clone().get(&server.url("/account")).await.page();
        assert!(elsewhere.has("login-form"), "no session yet: {}", elsewhere.summary());
        let (_, page) = enrol_app(&server, &mut browser).await;
        assert_eq!(codes(&page).len(), 10);
        // And lands where the invitation leads.
        let visit = browser.click("codes-next").await;
        let page = browser.walk_on(visit).await;
        assert!(page.url.as_str().starts_with(&server.portal), "{}", page.summary());
        assert!(page.text("portal-name").contains("Amélie"), "{}", page.summary());
        let page = browser.get(&server.url("/account")).await.page();
        assert!(page.has("account-page"), "{}", page.summary());
        server.kill();
    }

    async fn an_administrator_is_led_to_set_up_an_app_and_then_on_to_the_portal(mut server: TestServer) {
        let person = of_kind(&server, "administrator");
        let (mut browser, request) = (Browser::new(), request(&server));
        let page = by_password(&server, &mut browser, &request, &person).await.page();
        assert!(page.has("enrol-page"), "{}", page.summary());
        let elsewhere = browser.get(&server.url("/account")).await.page();
        assert!(elsewhere.has("login-form"), "no session yet: {}", elsewhere.summary());
        browser.get(page.url.as_str()).await.page();
        let (app, page) = enrol_app(&server, &mut browser).await;
        assert_eq!(codes(&page).len(), 10);
        assert_eq!(acr(&server, &request, browser.click("codes-next").await).await, "eidas1-mfa");
        // A single sign-on afterwards asks for nothing.
        let again = self::request(&server);
        let visit = browser.get(&again.url(&server)).await;
        assert_eq!(acr(&server, &again, visit).await, "eidas1-mfa");
        // And the next sign-in asks for the app.
        server.advance(60).await;
        let mut browser = Browser::new();
        let page = by_password(&server, &mut browser, &request, &person).await.page();
        assert!(page.has("second-step-page"), "{}", page.summary());
        let code = app.code(&server, 0).await;
        assert_eq!(acr(&server, &request, browser.submit("second-step-form", &[("code", &code)]).await).await, "eidas1-mfa");
        server.kill();
    }

    async fn an_administrator_may_set_up_a_passkey_instead(mut server: TestServer) {
        let person = of_kind(&server, "administrator");
        let (mut browser, request) = (Browser::new(), request(&server));
        let page = by_password(&server, &mut browser, &request, &person).await.page();
        assert!(page.has("enrol-page"), "{}", page.summary());
        let broken = passkeys::send(&mut browser, "passkey-add-form", (&json!("cer_none"), "nonsense")).await.page();
        assert!(broken.status == 422 && broken.has("enrol-error"), "{}", broken.summary());
        let mut passkey = Passkey::new(&server.issuer);
        let page = passkeys::add(&mut browser, &mut passkey).await.page();
        codes(&page);
        let claims = tokens(&server, &request, browser.click("codes-next").await).await.id_claims();
        assert_eq!(claims["amr"], json!(["pwd", "pop", "hwk", "user", "mfa"]));
        // The last of what is required stays.
        browser.get(&server.url("/account/security")).await.page();
        let form = browser.page().attributes("#passkeys form[id^=remove-]", "id").concat();
        let page = browser.submit(&form, &[]).await.page();
        assert!(page.status == 422 && page.has("security-error"), "{}", page.summary());
        server.kill();
    }

    async fn others_are_asked_for_nothing_and_cancelling_is_told_to_the_portal(mut server: TestServer) {
        let request = request(&server);
        let learner = server.learner().clone();
        let visit = by_password(&server, &mut Browser::new(), &request, &learner).await;
        assert_eq!(acr(&server, &request, visit).await, "eidas1");
        let mut browser = Browser::new();
        let page = by_password(&server, &mut browser, &request, &of_kind(&server, "administrator")).await.page();
        assert!(page.has("enrol-page"), "{}", page.summary());
        let response = AuthorizationResponse::from_url(browser.click("enrol-cancel").await.left());
        response.assert_error("access_denied", &request, &server);
        let page = browser.get(page.url.as_str()).await.page();
        assert_eq!(page.status, 400, "{}", page.summary());
        server.kill();
    }
}

own_journeys! {
    async fn an_organization_that_requires_a_second_factor_gets_it_at_the_next_request(mut server: TestServer) {
        let person = server.learner().clone();
        let organization = person.organization.as_ref().unwrap().id.clone();
        let (mut browser, request) = (Browser::new(), request(&server));
        let visit = by_password(&server, &mut browser, &request, &person).await;
        assert_eq!(acr(&server, &request, visit).await, "eidas1");
        server.manage(&["second-factor", "require", "--organization", &organization]).await.printed();
        server.manage(&["second-factor", "require", "--organization", "org_none"]).await.assert_refused(&["org_none"]);
        // The session of before is not enough any more.
        let silent = request.clone().with("prompt", "none");
        let response = AuthorizationResponse::from_url(browser.get(&silent.url(&server)).await.left());
        response.assert_error("login_required", &silent, &server);
        // On SQLite the command restarted the server: the sign-in is recent all the same, and not asked again.
        let page = browser.get(&request.url(&server)).await.page();
        assert!(page.has("enrol-page"), "{}", page.summary());
        server.manage(&["second-factor", "release", "--organization", &organization]).await.printed();
        let visit = by_password(&server, &mut Browser::new(), &request, &person).await;
        assert_eq!(acr(&server, &request, visit).await, "eidas1");
        server.kill();
    }

    async fn a_device_is_let_in_only_with_the_second_factor_that_is_required(mut server: TestServer) {
        let person = server.learner().clone();
        let organization = person.organization.as_ref().unwrap().id.clone();
        let asked = device::ask(&server, &device::kiosk(&server).await, "openid").await;
        let mut browser = Browser::new();
        device::enter(&server, &mut browser, asked["user_code"].as_str().unwrap()).await;
        let page = browser.sign_in(&person).await.page();
        assert!(page.has("device-allow"), "{}", page.summary());
        server.manage(&["second-factor", "require", "--organization", &organization]).await.printed();
        // The password was typed just now: what is missing is asked, and no more.
        let page = browser.click("device-allow").await.page();
        assert!(page.has("enrol-page"), "{}", page.summary());
        let (_, page) = enrol_app(&server, &mut browser).await;
        codes(&page);
        let page = browser.click("codes-next").await.page();
        assert!(page.has("device-allow"), "{}", page.summary());
        let page = browser.click("device-allow").await.page();
        assert!(page.has("device-outcome"), "{}", page.summary());
        server.kill();
    }

    async fn an_essential_level_of_two_factors_is_stepped_up_to(mut server: TestServer) {
        let person = server.learner().clone();
        let mut browser = Browser::new();
        let plain = request(&server);
        let visit = by_password(&server, &mut browser, &plain, &person).await;
        assert_eq!(acr(&server, &plain, visit).await, "eidas1");
        let strong = essential(request(&server), "eidas1-mfa");
        let silent = strong.clone().with("prompt", "none");
        let response = AuthorizationResponse::from_url(browser.get(&silent.url(&server)).await.left());
        response.assert_error("unmet_authentication_requirements", &silent, &server);
        // Nobody with a second factor yet: it is set up on the way.
        let page = browser.get(&strong.url(&server)).await.page();
        assert!(page.has("enrol-page"), "{}", page.summary());
        let (_, page) = enrol_app(&server, &mut browser).await;
        codes(&page);
        assert_eq!(acr(&server, &strong, browser.click("codes-next").await).await, "eidas1-mfa");
        let visit = browser.get(&silent.url(&server)).await;
        assert_eq!(acr(&server, &silent, visit).await, "eidas1-mfa");
        server.kill();
    }

    async fn a_preferred_level_is_stepped_up_to_by_those_who_can(mut server: TestServer) {
        let person = server.learner().clone();
        let wanted = request(&server).with("acr_values", "eidas1-mfa");
        // Without a second factor it stays a wish.
        let mut browser = Browser::new();
        let visit = by_password(&server, &mut browser, &wanted, &person).await;
        assert_eq!(acr(&server, &wanted, visit).await, "eidas1");
        let visit = browser.get(&wanted.url(&server)).await;
        assert_eq!(acr(&server, &wanted, visit).await, "eidas1");
        // It is added elsewhere: this session can do better from now on.
        let mut other = Browser::new();
        local_sign_in(&server, &mut other, &person.login, &person.password).await;
        let (app, _) = add_app(&server, &mut other).await;
        server.advance(60).await;
        let silent = wanted.clone().with("prompt", "none");
        let visit = browser.get(&silent.url(&server)).await;
        assert_eq!(acr(&server, &silent, visit).await, "eidas1");
        let plain = request(&server);
        let visit = browser.get(&plain.url(&server)).await;
        assert_eq!(acr(&server, &plain, visit).await, "eidas1");
        let page = browser.get(&wanted.url(&server)).await.page();
        assert!(page.has("second-step-page"), "{}", page.summary());
        let code = app.code(&server, 0).await;
        assert_eq!(acr(&server, &wanted, browser.submit("second-step-form", &[("code", &code)]).await).await, "eidas1-mfa");
        // The session in which it was added has proven it, and goes on without a word.
        let visit = other.get(&wanted.url(&server)).await;
        assert_eq!(acr(&server, &wanted, visit).await, "eidas1-mfa");
        server.kill();
    }

    async fn a_resource_that_wants_two_factors_gets_them(mut server: TestServer) {
        let person = of_kind(&server, "second factor");
        let app = Authenticator::from_text(person.totp_secret.as_deref().unwrap());
        let learner = server.learner().clone();
        let plain = request(&server);
        let weak = tokens(&server, &plain, by_password(&server, &mut Browser::new(), &plain, &learner).await).await;
        let call = async |token: &str| {
            let http = Http::new();
            http.send(http.request("GET", &server.url("/demo/resource?acr_values=eidas1-mfa")).bearer_auth(token)).await
        };
        let answer = call(weak.access_token()).await;
        assert_eq!(answer.status, 401, "{}", answer.body);
        let field = answer.header("www-authenticate");
        assert!(field.contains("insufficient_user_authentication") && field.contains("acr_values=\"eidas1-mfa\""), "{field}");
        let wanted = request(&server).with("acr_values", "eidas1-mfa");
        let mut browser = Browser::new();
        by_password(&server, &mut browser, &wanted, &person).await.page();
        let code = app.code(&server, 0).await;
        let strong = tokens(&server, &wanted, browser.submit("second-step-form", &[("code", &code)]).await).await;
        assert_eq!(call(strong.access_token()).await.status, 200);
        server.kill();
    }

    async fn a_password_alone_adds_no_second_factor_beside_the_first(mut server: TestServer) {
        let person = of_kind(&server, "second factor");
        let mut thief = Browser::new();
        let page = by_password(&server, &mut thief, &request(&server), &person).await.page();
        assert!(page.has("second-step-page"), "{}", page.summary());
        let step = page.url.path().to_owned();
        let csrf = page.attributes("#second-step-form input[name=csrf]", "value").concat();
        for action in ["app", "passkey-add"] {
            let answer = thief.fetch(&step, &[("csrf", &csrf), ("action", action)]).await;
            assert_eq!((answer.status, answer.header("location")), (303, step.as_str()), "{action}: {}", answer.body);
        }
        let answer = thief.fetch(&format!("{step}/passkey-options"), &[("csrf", &csrf)]).await;
        assert_eq!(answer.status, 403, "{}", answer.body);
        server.kill();
    }

    async fn everything_lost_is_removed_by_mail_after_a_day_unless_somebody_objects(mut server: TestServer) {
        let person = of_kind(&server, "second factor");
        let app = Authenticator::from_text(person.totp_secret.as_deref().unwrap());
        // A device that stays signed in.
        let kiosk = device::kiosk(&server).await;
        let asked = device::ask(&server, &kiosk, "openid offline_access").await;
        let mut browser = Browser::new();
        device::enter(&server, &mut browser, asked["user_code"].as_str().unwrap()).await;
        assert!(browser.sign_in(&person).await.page().has("second-step-page"));
        let code = app.code(&server, 0).await;
        let page = browser.submit("second-step-form", &[("code", &code)]).await.page();
        assert!(page.has("device-allow"), "{}", page.summary());
        browser.click("device-allow").await.page();
        let tokens = Tokens::from(&device::poll(&server, &kiosk, &asked).await);
        let ask = async |server: &TestServer| {
            let mut browser = Browser::new();
            by_password(server, &mut browser, &request(server), &person).await.page();
            let page = browser.submit("lost-form", &[]).await.page();
            assert!(page.has("removal-asked-page"), "{}", page.summary());
        };
        ask(&server).await;
        let first = link(&server, &person, "/sign-in/removal/").await;
        ask(&server).await;
        let mut browser = Browser::new();
        let page = browser.get(&first).await.page();
        assert!(page.has("removal-wait") && !page.has("removal-form"), "{}", page.summary());
        // Before its time the link removes nothing.
        let early = browser.fetch(page.url.path(), &[("action", "remove")]).await;
        assert_eq!(early.status, 410, "{}", early.body);
        let page = browser.submit("removal-stop-form", &[]).await.page();
        assert!(page.has("removal-stopped-page"), "{}", page.summary());
        server.advance(25 * 3600).await;
        let page = browser.get(&first).await.page();
        assert!(page.status == 410 && page.has("removal-over-page"), "{}", page.summary());

        ask(&server).await;
        let mails = Inbox::of(&server).to(&person.login).await;
        assert_eq!(mails.iter().filter(|mail| mail.subject.contains("Retrait")).count(), 2, "one mail for one removal");
        let mut second = link(&server, &person, "/sign-in/removal/").await;
        for _ in 0..400 {
            let links = Inbox::of(&server).to(&person.login).await.into_iter().flat_map(|mail| mail.links);
            if let Some(new) = links.into_iter().find(|link| link.contains("/sign-in/removal/") && *link != first) {
                second = new;
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        server.advance(24 * 3600 + 1).await;
        let page = browser.get(&second).await.page();
        assert!(page.has("removal-form"), "{}", page.summary());
        let tokens = Tokens::from(&refresh(&server, &kiosk, tokens.refresh_token()).await);
        let page = browser.submit("removal-form", &[]).await.page();
        assert!(page.has("removal-done-page"), "{}", page.summary());
        refresh(&server, &kiosk, tokens.refresh_token()).await.assert_oauth_error(400, "invalid_grant");
        let page = browser.get(&second).await.page();
        assert_eq!(page.status, 410, "{}", page.summary());
        // The password is still asked, and nothing else.
        let plain = request(&server);
        let visit = by_password(&server, &mut Browser::new(), &plain, &person).await;
        assert_eq!(acr(&server, &plain, visit).await, "eidas1");
        server.kill();
    }

    async fn the_operator_resets_on_the_command_line_and_the_person_is_told_and_signed_out(mut server: TestServer) {
        let person = server.learner().clone();
        let mut browser = Browser::new();
        local_sign_in(&server, &mut browser, &person.login, &person.password).await;
        let (_, page) = add_app(&server, &mut browser).await;
        let recovery = codes(&page);
        let kiosk = device::kiosk(&server).await;
        let asked = device::ask(&server, &kiosk, "openid offline_access").await;
        let page = device::enter(&server, &mut browser, asked["user_code"].as_str().unwrap()).await;
        assert!(page.has("device-allow"), "{}", page.summary());
        browser.click("device-allow").await.page();
        let tokens = Tokens::from(&device::poll(&server, &kiosk, &asked).await);
        server.manage(&["second-factor", "reset", "--login", "nobody@nowhere.example"]).await.assert_refused(&["nobody"]);
        let printed = server.manage(&["second-factor", "reset", "--login", &person.login]).await.printed();
        assert!(printed.contains("removed 1 second factor"), "{printed}");
        refresh(&server, &kiosk, tokens.refresh_token()).await.assert_oauth_error(400, "invalid_grant");
        let trail = operator(&server).await.get("/audit?limit=100").await.done(200);
        let reset = trail["items"].as_array().unwrap().iter().find(|line| line["event"] == "second_factors.reset").unwrap();
        let ended = [&reset["detail"]["sessions_ended"], &reset["detail"]["grants_revoked"]];
        assert_eq!(ended, [&json!(1), &json!(1)], "{reset}");
        let page = browser.get(&server.url("/account")).await.page();
        assert!(page.has("login-form"), "{}", page.summary());
        let page = local_sign_in(&server, &mut browser, &person.login, &person.password).await;
        assert!(page.has("account-page"), "{}", page.summary());
        assert!(!page.html.contains(&recovery[0]));
        server.advance(10).await;
        let inbox = Inbox::of(&server);
        let mut told = false;
        for _ in 0..800 {
            told = inbox.to(&person.login).await.iter().any(|mail| mail.text.contains("Le support vient de retirer"));
            if told {
                break;
            }
            // Another process wrote the mail: the server finds it when it looks next.
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        assert!(told, "{:?}", inbox.to(&person.login).await);
        server.kill();
    }
}

journeys_on! {
    strict;

    async fn chromium_sets_up_a_passkey_on_the_way_to_the_portal(mut server: TestServer) {
        let person = of_kind(&server, "administrator");
        let browser = WebDriver::start().await;
        let authenticator = browser.add_authenticator().await;
        browser.goto(&server.portal).await;
        browser.click("portal-sign-in").await;
        browser.wait_for_url(&server.url("/interaction/login/")).await;
        browser.fill("username", &person.login).await;
        browser.fill("password", &person.password).await;
        browser.click("login-submit").await;
        browser.text("#enrol-page").await;
        for (screen, name) in [(Screen::Phone, "phone"), (Screen::Desktop, "desktop")] {
            browser.set_screen(screen).await;
            browser.screenshot(&format!("enrol-{name}")).await;
            assert_eq!(browser.axe().await, Vec::<String>::new(), "{name}");
        }
        browser.click("passkey-add-submit").await;
        browser.text("#recovery-codes-page").await;
        assert_eq!(browser.credentials(&authenticator).await.len(), 1);
        browser.click("codes-next").await;
        browser.wait_for_url(&server.portal).await;
        browser.text("#portal-name").await;
        server.kill();
    }
}

on_both_engines! { the_data_protection_officer_is_led_to_set_one_up }

async fn the_data_protection_officer_is_led_to_set_one_up(engine: Engine) {
    let mut server = TestServer::own_with(engine, &["--second-factor-of", "operators,privacy"]).await;
    let (officer, other) = (server.learner().clone(), server.learner_number(1).clone());
    let page = local_sign_in(&server, &mut Browser::new(), &officer.login, &officer.password).await;
    assert!(page.has("account-page"), "{}", page.summary());
    let operators = two_operators(&server).await;
    let found = operators.0.get(&format!("/people?q={}", officer.login)).await.done(200);
    let duties = json!({ "operator": false, "privacy": true, "reason": "nomination" });
    give_duties(&operators, found["items"][0]["id"].as_str().unwrap(), &duties).await;
    let mut browser = Browser::new();
    let asked = local_sign_in(&server, &mut browser, &officer.login, &officer.password).await;
    assert!(asked.has("enrol-page"), "{}", asked.summary());
    let page = browser.get(&server.url("/account")).await.page();
    assert!(page.has("login-form"), "no session yet: {}", page.summary());
    browser.get(asked.url.as_str()).await.page();
    let (_, page) = enrol_app(&server, &mut browser).await;
    codes(&page);
    let page = browser.click("codes-next").await.page();
    assert!(page.has("account-page"), "{}", page.summary());
    let page = local_sign_in(&server, &mut Browser::new(), &other.login, &other.password).await;
    assert!(page.has("account-page"), "of others nothing is asked: {}", page.summary());
    server.kill();
}
