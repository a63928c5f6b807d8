//! `/account/password` and the "report a compromise" link of security mails (R031, R034, R049).

use habilis_integration_tests::protocol::{AuthorizationRequest, refresh, tokens_for};
use habilis_integration_tests::webdriver::Screen;
use habilis_integration_tests::{Browser, Engine, Inbox, TestServer, WebDriver};

use crate::forgot::{NEW, choose, link_to, local_sign_in};

/// The links of this sort in the mails to an address, newest first.
async fn links(server: &TestServer, address: &str, part: &str) -> Vec<String> {
    let mails = Inbox::of(server).to(address).await;
    mails.into_iter().flat_map(|mail| mail.links).filter(|link| link.contains(part)).collect()
}

own_journeys! {
    async fn changing_the_password_keeps_this_session_ends_the_others_and_is_told_by_mail(mut server: TestServer) {
        let person = server.learner().clone();
        let client = server.client("demo-portal").clone();
        let tokens = tokens_for(&server, &AuthorizationRequest::of(&client).offline(), &person).await;
        let (mut browser, mut other) = (Browser::new(), Browser::new());
        local_sign_in(&server, &mut other, &person.login, &person.password).await;
        local_sign_in(&server, &mut browser, &person.login, &person.password).await;
        let page = browser.click("account-password").await.page();
        assert!(page.has("change-password-form") && !page.has("present"), "just signed in: {}", page.summary());
        let page = browser.submit("change-password-form", &[("password", "court"), ("repeated", "court")]).await.page();
        assert!(page.status == 422 && page.text("password-problems").contains("trois modèles"), "{}", page.summary());
        let forged = [("csrf", "forged"), ("password", NEW), ("repeated", NEW)];
        let page = browser.submit("change-password-form", &forged).await.page();
        assert!(page.has("change-password-form"), "{}", page.summary());
        let page = browser.submit("change-password-form", &[("password", NEW), ("repeated", NEW)]).await.page();
        assert!(page.has("password-changed-page"), "{}", page.summary());
        assert!(browser.get(&server.url("/account")).await.page().has("account-page"), "this session goes on");
        assert!(other.get(&server.url("/account")).await.page().has("login-form"), "the other is over");
        refresh(&server, &client, tokens.refresh_token()).await.assert_oauth_error(400, "invalid_grant");
        assert_eq!(local_sign_in(&server, &mut Browser::new(), &person.login, &person.password).await.status, 401);
        let subjects: Vec<String> = Inbox::of(&server).to(&person.login).await.into_iter().map(|mail| mail.subject).collect();
        assert!(subjects.contains(&"Votre mot de passe a changé".to_owned()), "{subjects:?}");
        server.kill();
    }

    async fn a_session_of_some_time_ago_needs_the_present_password(mut server: TestServer) {
        let person = server.learner().clone();
        let mut browser = Browser::new();
        local_sign_in(&server, &mut browser, &person.login, &person.password).await;
        server.advance(11 * 60).await;
        let page = browser.get(&server.url("/account/password")).await.page();
        assert!(page.has("present"), "{}", page.summary());
        for present in ["", "wrong", NEW] {
            let fields = [("present", present), ("password", NEW), ("repeated", NEW)];
            let page = browser.submit("change-password-form", &fields).await.page();
            assert!(page.status == 403 && page.has("present-error"), "{}", page.summary());
        }
        let fields = [("present", person.password.as_str()), ("password", NEW), ("repeated", NEW)];
        let page = browser.submit("change-password-form", &fields).await.page();
        assert!(page.has("password-changed-page"), "{}", page.summary());
        let page = Browser::new().get(&server.url("/account/password")).await.page();
        assert!(page.has("login-form"), "nobody is signed in: {}", page.summary());
        server.kill();
    }
}

async fn the_link_of_a_security_mail_closes_everything_once_and_a_filter_that_follows_it_does_no_harm(engine: Engine) {
    const DPO: &str = "dpo@operateur.example";
    let mut server = TestServer::own_with(engine, &["--set", &format!("mail.dpo={DPO}")]).await;
    let person = server.learner().clone();
    let client = server.client("demo-portal").clone();
    let tokens = tokens_for(&server, &AuthorizationRequest::of(&client).offline(), &person).await;
    let mut browser = Browser::new();
    local_sign_in(&server, &mut browser, &person.login, &person.password).await;
    server.advance(1).await;
    let reports = links(&server, &person.login, "/compromise/").await;
    assert_eq!(reports.len(), 2, "each new device is told, with a link");
    // A mail filter follows the link, as often as it likes.
    for _ in 0..3 {
        let page = Browser::new().get(&reports[0]).await.page();
        assert!(page.status == 200 && page.has("report-form"), "{}", page.summary());
    }
    assert!(browser.get(&server.url("/account")).await.page().has("account-page"), "looking does no harm");
    let tampered = format!("{}x", &reports[0][..reports[0].len() - 1]);
    assert_eq!(Browser::new().get(&tampered).await.page().status, 410);
    let mut browsers = Vec::new();
    for _ in 0..10 {
        let mut browser = Browser::new();
        browser.get(&reports[0]).await.page();
        browsers.push(browser);
    }
    let submit = |mut browser: Browser| tokio::spawn(async move { browser.submit("report-form", &[]).await.page() });
    let tasks: Vec<_> = browsers.into_iter().map(submit).collect();
    let mut reported = 0;
    for task in tasks {
        let page = task.await.unwrap();
        assert!(matches!(page.status, 200 | 410), "{}", page.summary());
        reported += usize::from(page.has("compromise-reported-page"));
    }
    assert_eq!(reported, 1);
    for report in &reports {
        let page = Browser::new().get(report).await.page();
        assert!(page.status == 410 && page.has("report-over-page"), "{}", page.summary());
    }
    assert!(browser.get(&server.url("/account")).await.page().has("login-form"), "the session is over");
    refresh(&server, &client, tokens.refresh_token()).await.assert_oauth_error(400, "invalid_grant");
    assert_eq!(local_sign_in(&server, &mut Browser::new(), &person.login, &person.password).await.status, 401);
    let to_dpo = Inbox::of(&server).to(DPO).await;
    assert_eq!(to_dpo.len(), 1);
    assert!(to_dpo[0].text.contains(&person.family_name) && to_dpo[0].subject.contains("Compromission"), "{to_dpo:?}");
    let link = link_to(&server, &person.login, 1).await;
    assert!(choose(&mut Browser::new(), &link, NEW).await.has("password-changed-page"));
    server.advance(31 * 86_400).await;
    let late = links(&server, &person.login, "/compromise/").await;
    assert_eq!(Browser::new().get(&late[0]).await.page().status, 410, "thirty days are over");
}

on_both_engines! { the_link_of_a_security_mail_closes_everything_once_and_a_filter_that_follows_it_does_no_harm }

own_journeys! {
    async fn axe_finds_nothing_wrong_with_changing_a_password_and_reporting(mut server: TestServer) {
        let person = server.learner().clone();
        let browser = WebDriver::start().await;
        browser.goto(&server.url("/login")).await;
        browser.fill("username", &person.login).await;
        browser.fill("password", &person.password).await;
        browser.click("login-submit").await;
        browser.wait_for_url(&server.url("/account")).await;
        server.advance(11 * 60).await;
        let report = links(&server, &person.login, "/compromise/").await.remove(0);
        for (screen, size) in [(Screen::Phone, "phone"), (Screen::Desktop, "desktop")] {
            for language in ["fr", "en"] {
                browser.set_screen(screen).await;
                for (name, url) in [("change", server.url("/account/password")), ("report", report.clone())] {
                    browser.goto(&format!("{url}?ui_locales={language}")).await;
                    browser.screenshot(&format!("{name}-{size}-{language}")).await;
                    assert_eq!(browser.axe().await, Vec::<String>::new(), "{name} {size} {language}");
                }
            }
        }
        server.kill();
    }
}
