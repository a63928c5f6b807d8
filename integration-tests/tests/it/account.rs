//! `/account`: the person's own page (R031, R049).

use habilis_integration_tests::protocol::{AuthorizationRequest, refresh, tokens_for};
use habilis_integration_tests::webdriver::Screen;
use habilis_integration_tests::{Browser, TestServer, WebDriver};

use crate::forgot::{NEW, choose, link_to, local_sign_in};

own_journeys! {
    async fn reporting_a_compromise_closes_everything_and_the_link_opens_again(mut server: TestServer) {
        let person = server.learner().clone();
        let client = server.client("demo-portal").clone();
        let tokens = tokens_for(&server, &AuthorizationRequest::of(&client).offline(), &person).await;
        let (mut browser, mut other) = (Browser::new(), Browser::new());
        local_sign_in(&server, &mut other, &person.login, &person.password).await;
        local_sign_in(&server, &mut browser, &person.login, &person.password).await;
        let page = browser.submit("compromise-form", &[]).await.page();
        assert!(page.has("compromise-reported-page"), "{}", page.summary());
        refresh(&server, &client, tokens.refresh_token()).await.assert_oauth_error(400, "invalid_grant");
        for browser in [&mut browser, &mut other] {
            let page = browser.get(&server.url("/account")).await.page();
            assert!(page.has("login-form"), "{}", page.summary());
        }
        let page = local_sign_in(&server, &mut Browser::new(), &person.login, &person.password).await;
        assert_eq!(page.status, 401, "the old password opens nothing: {}", page.summary());
        let link = link_to(&server, &person.login, 1).await;
        let page = choose(&mut browser, &link, &person.password).await;
        assert_eq!(page.status, 422, "{}", page.summary());
        assert!(choose(&mut browser, &link, NEW).await.has("password-changed-page"));
        server.kill();
    }
}

journeys! {
    async fn a_form_of_the_account_without_its_token_does_nothing(server: &TestServer) {
        let person = server.learner_number(12);
        let mut browser = Browser::new();
        local_sign_in(server, &mut browser, &person.login, &person.password).await;
        browser.submit("compromise-form", &[("csrf", "forged")]).await.page();
        let page = browser.get(&server.url("/account")).await.page();
        assert!(page.has("account-page"), "{}", page.summary());
    }
}

own_journeys! {
    async fn signing_out_the_others_leaves_this_browser_alone(mut server: TestServer) {
        let person = server.learner().clone();
        let (mut browser, mut other) = (Browser::new(), Browser::new());
        local_sign_in(&server, &mut other, &person.login, &person.password).await;
        let page = local_sign_in(&server, &mut browser, &person.login, &person.password).await;
        assert_eq!(page.html.matches("list__title").count(), 2, "{}", page.summary());
        let page = browser.submit("sign-out-others-form", &[]).await.page();
        assert_eq!(page.html.matches("list__title").count(), 1, "{}", page.summary());
        let page = other.get(&server.url("/account")).await.page();
        assert!(page.has("login-form"), "{}", page.summary());
        server.kill();
    }

    async fn axe_finds_nothing_wrong_with_the_pages_of_passwords_and_account(mut server: TestServer) {
        let person = server.learner().clone();
        let browser = WebDriver::start().await;
        for (screen, name) in [(Screen::Phone, "phone"), (Screen::Desktop, "desktop")] {
            browser.set_screen(screen).await;
            browser.goto(&server.url("/password/forgot")).await;
            browser.screenshot(&format!("forgot-{name}")).await;
            assert_eq!(browser.axe().await, Vec::<String>::new(), "forgot {name}");
        }
        browser.fill("username", &person.login).await;
        browser.click("forgot-submit").await;
        browser.text("#link-sent-page").await;
        assert_eq!(browser.axe().await, Vec::<String>::new(), "sent");
        let link = link_to(&server, &person.login, 1).await;
        for (screen, name) in [(Screen::Phone, "phone"), (Screen::Desktop, "desktop")] {
            browser.set_screen(screen).await;
            browser.goto(&link).await;
            browser.fill("new-password", NEW).await;
            let said = browser.text("#password-strength").await;
            assert!(said.starts_with("This password follows an accepted pattern."), "{said}");
            browser.screenshot(&format!("new-password-{name}")).await;
            assert_eq!(browser.axe().await, Vec::<String>::new(), "new {name}");
        }
        browser.goto(&server.url("/login")).await;
        browser.fill("username", &person.login).await;
        browser.fill("password", &person.password).await;
        browser.click("login-submit").await;
        browser.wait_for_url(&server.url("/account")).await;
        for (screen, name) in [(Screen::Phone, "phone"), (Screen::Desktop, "desktop")] {
            browser.set_screen(screen).await;
            browser.screenshot(&format!("account-{name}")).await;
            assert_eq!(browser.axe().await, Vec::<String>::new(), "account {name}");
        }
        server.kill();
    }
}
