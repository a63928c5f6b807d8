//! `/password/forgot` and `/password/new/{token}`: the one-time link (R044, R048, R049, Q04), and `/login` without a portal.

use std::time::Duration;

use habilis_integration_tests::protocol::{AuthorizationRequest, Tokens, refresh, tokens_for};
use habilis_integration_tests::{Browser, Inbox, Page, TestServer};

/// A password that suits anybody.
pub(crate) const NEW: &str = "Zk7!rouvent-Pliq";

/// Signs in to the provider itself, and returns the page this leads to.
pub(crate) async fn local_sign_in(server: &TestServer, browser: &mut Browser, login: &str, password: &str) -> Page {
    browser.get(&server.url("/login")).await.page();
    browser.submit("login-form", &[("username", login), ("password", password)]).await.page()
}

/// Asks for a link and returns the answer.
pub(crate) async fn ask(server: &TestServer, browser: &mut Browser, typed: &str) -> Page {
    browser.get(&server.url("/password/forgot")).await.page();
    browser.submit("forgot-form", &[("username", typed)]).await.page()
}

/// The newest link to choose a password sent to this address, once there are `count` of them.
pub(crate) async fn link_to(server: &TestServer, address: &str, count: usize) -> String {
    let inbox = Inbox::of(server);
    for _ in 0..400 {
        let mails = inbox.to(address).await;
        let links: Vec<String> =
            mails.into_iter().flat_map(|mail| mail.links).filter(|link| link.contains("/password/new/")).collect();
        if links.len() >= count {
            return links[0].clone();
        }
        // The link is written after the answer, on purpose.
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("no link {count} to {address}");
}

/// Opens a link and sets this password by it.
pub(crate) async fn choose(browser: &mut Browser, link: &str, password: &str) -> Page {
    let page = browser.get(link).await.page();
    assert!(page.has("new-password-form"), "{}", page.summary());
    browser.submit("new-password-form", &[("password", password), ("repeated", password)]).await.page()
}

own_journeys! {
    async fn the_link_sets_a_password_once_and_the_old_one_works_until_then(mut server: TestServer) {
        let person = server.learner().clone();
        let mut browser = Browser::new();
        let page = ask(&server, &mut browser, &person.login).await;
        assert!(page.has("link-sent-page"), "{}", page.summary());
        let link = link_to(&server, &person.login, 1).await;
        let page = local_sign_in(&server, &mut Browser::new(), &person.login, &person.password).await;
        assert_eq!(page.url.path(), "/account", "{}", page.summary());
        let page = choose(&mut browser, &link, NEW).await;
        assert!(page.has("password-changed-page"), "{}", page.summary());
        let page = browser.get(&link).await.page();
        assert!(page.status == 410 && page.has("link-over-page"), "{}", page.summary());
        let page = local_sign_in(&server, &mut Browser::new(), &person.login, &person.password).await;
        assert_eq!(page.status, 401, "{}", page.summary());
        let page = local_sign_in(&server, &mut Browser::new(), &person.login, NEW).await;
        assert_eq!(page.url.path(), "/account", "{}", page.summary());
        let subjects: Vec<String> = Inbox::of(&server).to(&person.login).await.into_iter().map(|mail| mail.subject).collect();
        assert!(subjects.iter().any(|subject| subject == "Votre mot de passe a changé"), "{subjects:?}");
        server.kill();
    }

    async fn a_reset_ends_sessions_and_refresh_tokens(mut server: TestServer) {
        let person = server.learner().clone();
        let client = server.client("demo-portal").clone();
        let tokens: Tokens = tokens_for(&server, &AuthorizationRequest::of(&client).offline(), &person).await;
        let mut other = Browser::new();
        local_sign_in(&server, &mut other, &person.login, &person.password).await;
        let mut browser = Browser::new();
        ask(&server, &mut browser, &person.login).await;
        let link = link_to(&server, &person.login, 1).await;
        choose(&mut browser, &link, NEW).await;
        refresh(&server, &client, tokens.refresh_token()).await.assert_oauth_error(400, "invalid_grant");
        let page = other.get(&server.url("/login")).await.page();
        assert!(page.has("login-form"), "the session is over: {}", page.summary());
        server.kill();
    }

    async fn an_expired_a_tampered_and_a_superseded_link_open_nothing(mut server: TestServer) {
        let person = server.learner().clone();
        let mut browser = Browser::new();
        ask(&server, &mut browser, &person.login).await;
        let first = link_to(&server, &person.login, 1).await;
        ask(&server, &mut browser, &person.login).await;
        let second = link_to(&server, &person.login, 2).await;
        assert_ne!(first, second);
        let tampered = format!("{}x", &second[..second.len() - 1]);
        assert_eq!(browser.get(&tampered).await.page().status, 410);
        let endless = server.url(&format!("/password/new/{}", "a".repeat(4000)));
        assert_eq!(browser.get(&endless).await.page().status, 410);
        choose(&mut browser, &second, NEW).await;
        assert_eq!(browser.get(&first).await.page().status, 410, "the other link is void");
        server.advance(3700).await;
        ask(&server, &mut browser, &person.login).await;
        let third = link_to(&server, &person.login, 3).await;
        server.advance(60 * 60).await;
        assert_eq!(browser.get(&third).await.page().status, 410, "sixty minutes are over");
    }

    async fn of_concurrent_resets_exactly_one_sets_the_password(mut server: TestServer) {
        let person = server.learner().clone();
        let mut browser = Browser::new();
        ask(&server, &mut browser, &person.login).await;
        ask(&server, &mut browser, &person.login).await;
        link_to(&server, &person.login, 2).await;
        let links: Vec<String> = Inbox::of(&server).to(&person.login).await.into_iter().flat_map(|mail| mail.links).collect();
        assert_eq!(links.len(), 2, "{links:?}");
        let mut tasks = Vec::new();
        for n in 0..8 {
            let (link, mut browser) = (links[n % 2].clone(), Browser::new());
            browser.get(&link).await.page();
            tasks.push(tokio::spawn(async move {
                let password = format!("{NEW}{n}");
                browser.submit("new-password-form", &[("password", &password), ("repeated", &password)]).await.page()
            }));
        }
        let mut set = 0;
        for task in tasks {
            let page = task.await.unwrap();
            assert!(matches!(page.status, 200 | 410), "{}", page.summary());
            set += usize::from(page.has("password-changed-page"));
        }
        assert_eq!(set, 1);
        server.kill();
    }

    async fn asking_too_often_has_to_wait_alike_for_everybody(mut server: TestServer) {
        for typed in [server.learner().login.clone(), "nobody@nowhere.example".to_owned()] {
            let mut statuses = Vec::new();
            for _ in 0..7 {
                // Each from another address: it is the name that is guarded here.
                statuses.push(ask(&server, &mut Browser::new(), &typed).await.status);
            }
            assert_eq!(statuses, [200, 200, 200, 200, 200, 429, 429], "{typed}");
        }
        server.kill();
    }
}

journeys! {
    async fn an_unknown_address_gets_the_same_answer_and_no_mail(server: &TestServer) {
        let known = ask(server, &mut Browser::new(), &server.learner_number(7).login).await;
        let unknown = ask(server, &mut Browser::new(), "personne@nulle-part.example").await;
        assert_eq!((known.status, &known.html), (unknown.status, &unknown.html));
        assert!(Inbox::of(server).to("personne@nulle-part.example").await.is_empty());
    }

    async fn signing_in_never_leads_away_from_the_provider(server: &TestServer) {
        let person = server.learner_number(9);
        for to in ["https://evil.example/", "//evil.example", "/\\evil.example"] {
            let mut browser = Browser::new();
            browser.get(&server.url(&format!("/login?to={}", to.replace('/', "%2F").replace('\\', "%5C")))).await.page();
            let page = browser
                .submit("login-form", &[("username", &person.login), ("password", &person.password)])
                .await
                .page();
            assert_eq!(page.url.path(), "/account", "{}", page.summary());
        }
    }
}

own_journeys! {
    async fn weak_personal_repeated_and_current_passwords_are_refused(mut server: TestServer) {
        let person = server.learner().clone();
        let mut browser = Browser::new();
        ask(&server, &mut browser, &person.login).await;
        let link = link_to(&server, &person.login, 1).await;
        let personal = format!("Zk7!rouvent-{}", person.family_name);
        for (password, words) in [
            ("court", "trois modèles"),
            ("Aaaaaaaaaaa1!", "facile à deviner"),
            (&personal, "désigne"),
            (&format!("Zk7!{}", "é".repeat(300)), "256"),
        ] {
            let page = choose(&mut browser, &link, password).await;
            assert!(page.status == 422 && page.text("password-problems").contains(words), "{password}: {}", page.summary());
        }
        browser.get(&link).await.page();
        let page = browser.submit("new-password-form", &[("password", NEW), ("repeated", "another")]).await.page();
        assert_eq!(page.status, 422, "{}", page.summary());
        assert!(choose(&mut browser, &link, NEW).await.has("password-changed-page"));
        ask(&server, &mut browser, &person.login).await;
        let link = link_to(&server, &person.login, 2).await;
        let page = choose(&mut browser, &link, NEW).await;
        assert!(page.status == 422 && page.text("password-problems").contains("récemment"), "{}", page.summary());
        server.kill();
    }
}
