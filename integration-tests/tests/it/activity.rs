//! `/account/activity`: people read what happened to their account, and nobody else's. Requirements R030, R031.

use habilis_integration_tests::webdriver::Screen;
use habilis_integration_tests::{Browser, TestServer, WebDriver};

use crate::forgot::local_sign_in;

const PATH: &str = "/account/activity";

own_journeys! {
    async fn people_read_what_happened_to_their_own_account(mut server: TestServer) {
        let (person, other) = (server.learner_number(1).clone(), server.learner_number(2).clone());
        local_sign_in(&server, &mut Browser::new(), &person.login, "wrong").await;
        let mut browser = Browser::new();
        let page = browser.get(&server.url(PATH)).await.page();
        assert!(page.has("login-form"), "{}", page.summary());
        let page = browser.sign_in(&person).await.page();
        assert_eq!(page.url.path(), PATH, "{}", page.summary());
        let said = page.summary();
        let titles: Vec<&str> = page.html.split("class=\"list__title\">").skip(1).map(|rest| rest.split('<').next().unwrap()).collect();
        assert_eq!(titles, ["Connexion", "Tentative de connexion refusée"], "newest first");
        assert!(said.contains(" – 127."), "{said}");

        let mut browser = Browser::new();
        local_sign_in(&server, &mut browser, &other.login, &other.password).await;
        let said = browser.get(&server.url(PATH)).await.page().summary();
        assert!(!said.contains("refusée"), "another's: {said}");
        server.kill();
    }

    async fn older_pages_follow_one_another_without_a_gap(mut server: TestServer) {
        let person = server.learner_number(3).clone();
        // Sixty sign-ins in one instant of the clock or in many: each is shown once.
        for _ in 0..60 {
            let mut browser = Browser::new();
            let page = local_sign_in(&server, &mut browser, &person.login, &person.password).await;
            assert_eq!(page.url.path(), "/account", "{}", page.summary());
        }
        let mut browser = Browser::new();
        local_sign_in(&server, &mut browser, &person.login, &person.password).await;
        let mut counts = Vec::new();
        let mut page = browser.get(&server.url(PATH)).await.page();
        loop {
            counts.push(page.html.matches("class=\"list__title\"").count());
            let Some(at) = page.html.find("id=\"activity-older\" href=\"") else { break };
            let link = page.html[at..].split('"').nth(3).unwrap().replace("&#38;", "&");
            page = browser.get(&server.url(&link)).await.page();
        }
        assert_eq!(counts, [50, 11]);
        for hostile in ["?before=x", "?before=1.'", "?before=9223372036854775807.%00"] {
            let page = browser.get(&server.url(&format!("{PATH}{hostile}"))).await.page();
            assert_eq!(page.status, 200, "{hostile}: {}", page.summary());
        }
        server.kill();
    }

    async fn axe_finds_nothing_wrong_with_the_activity(mut server: TestServer) {
        let person = server.learner_number(4).clone();
        let browser = WebDriver::start().await;
        browser.goto(&server.url("/login?to=activity")).await;
        browser.fill("username", &person.login).await;
        browser.fill("password", &person.password).await;
        browser.click("login-submit").await;
        browser.wait_for_url(&server.url(PATH)).await;
        for (screen, name) in [(Screen::Phone, "phone"), (Screen::Desktop, "desktop")] {
            browser.set_screen(screen).await;
            for language in ["fr", "en"] {
                browser.goto(&server.url(&format!("{PATH}?ui_locales={language}"))).await;
                browser.text("h1").await;
                browser.screenshot(&format!("activity-{name}-{language}")).await;
                assert_eq!(browser.axe().await, Vec::<String>::new(), "{name} {language}");
            }
        }
        server.kill();
    }
}
