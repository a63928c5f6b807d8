//! `/account/profile`: who a person is, and the address their account hangs on (R004, R005).

use habilis_integration_tests::protocol::{AuthorizationRequest, tokens_for, userinfo};
use habilis_integration_tests::webdriver::Screen;
use habilis_integration_tests::{Browser, Inbox, Page, Person, TestServer, WebDriver};

use crate::activation::link_to;
use crate::forgot::{NEW, choose, local_sign_in};

const ANEW: &str = "nouvelle.adresse@ailleurs.example";

pub(crate) async fn at_profile(server: &TestServer, person: &Person) -> Browser {
    let mut browser = Browser::new();
    local_sign_in(server, &mut browser, &person.login, &person.password).await;
    let page = browser.get(&server.url("/account/profile")).await.page();
    assert!(page.has("profile-page"), "{}", page.summary());
    browser
}

/// Asks for another address, and gives the link that was sent there.
pub(crate) async fn ask(server: &TestServer, browser: &mut Browser, email: &str) -> String {
    browser.get(&server.url("/account/profile")).await.page();
    let page = browser.submit("email-form", &[("email", email)]).await.page();
    assert!(page.has("email-sent-page"), "{}", page.summary());
    link_to(server, (email, "/account/email/"), 1).await
}

/// Opens a link and presses its button, in a browser that is signed in nowhere.
pub(crate) async fn press(link: &str, form: &str) -> Page {
    let mut browser = Browser::new();
    let page = browser.get(link).await.page();
    assert!(page.has(form), "{}", page.summary());
    browser.submit(form, &[]).await.page()
}

own_journeys! {
    async fn names_language_and_time_zone_are_the_persons_own(mut server: TestServer) {
        let person = server.learner().clone();
        let mut browser = at_profile(&server, &person).await;
        let fields = [
            ("given_name", "  Éléonore "), ("family_name", "d’Almeida"), ("locale", "en"), ("zoneinfo", "Indian/Reunion"),
        ];
        let page = browser.submit("profile-form", &fields).await.page();
        assert!(page.has("profile-saved"), "{}", page.summary());
        assert_eq!(page.attribute("given-name", "value").as_deref(), Some("Éléonore"));
        assert_eq!(page.attributes("html", "lang"), ["en"]);
        let client = server.client("demo-portal").clone();
        let request = AuthorizationRequest::of(&client).with("scope", "openid profile");
        let tokens = tokens_for(&server, &request, &person).await;
        let claims = userinfo(&server, tokens.access_token()).await.ok_json();
        assert_eq!(claims["given_name"], "Éléonore");
        assert_eq!(claims["family_name"], "d’Almeida");
        assert_eq!(claims["zoneinfo"], "Indian/Reunion");
        // What is wrong is shown as typed, and changes nothing.
        let long = "a".repeat(101);
        for (given, family) in [("", "x"), ("<b>x</b>", "x"), ("x", long.as_str()), ("x", "12")] {
            let page = browser.submit("profile-form", &[("given_name", given), ("family_name", family)]).await.page();
            assert!(page.status == 422 && (page.has("given-name-error") || page.has("family-name-error")), "{}", page.summary());
        }
        browser.get(&server.url("/account/profile")).await.page();
        browser.submit("profile-form", &[("given_name", "Autre"), ("csrf", "forged")]).await.page();
        let page = browser.get(&server.url("/account/profile")).await.page();
        assert_eq!(page.attribute("given-name", "value").as_deref(), Some("Éléonore"));
        browser.submit("profile-form", &[("zoneinfo", "Mars/Olympus")]).await.page();
        let claims = userinfo(&server, tokens.access_token()).await.ok_json();
        assert_eq!(claims["zoneinfo"], "Indian/Reunion", "only zones there are");
        server.kill();
    }

    async fn another_address_is_proven_before_it_counts_and_the_former_one_is_told(mut server: TestServer) {
        let person = server.learner().clone();
        let mut browser = at_profile(&server, &person).await;
        let link = ask(&server, &mut browser, ANEW).await;
        let page = browser.get(&server.url("/account/profile")).await.page();
        assert!(page.text("profile-email").contains(&person.login), "nothing changes before: {}", page.summary());
        let page = press(&link, "confirm-email-form").await;
        assert!(page.has("email-changed-page"), "{}", page.summary());
        assert_eq!(Browser::new().get(&link).await.page().status, 410);
        let page = browser.get(&server.url("/account/profile")).await.page();
        assert!(page.text("profile-email").contains(ANEW), "the session goes on: {}", page.summary());
        // Who signed in with the address goes on doing so, with the new one.
        let page = local_sign_in(&server, &mut Browser::new(), ANEW, &person.password).await;
        assert_eq!(page.url.path(), "/account", "{}", page.summary());
        assert_eq!(local_sign_in(&server, &mut Browser::new(), &person.login, &person.password).await.status, 401);
        let undo = link_to(&server, (&person.login, "/account/email/undo/"), 1).await;
        let mails = Inbox::of(&server).to(&person.login).await;
        assert!(mails.iter().any(|mail| mail.subject == "L’adresse de votre compte a changé"), "{mails:?}");

        // The former address takes the account back: sessions and password end, a link comes.
        let page = press(&undo, "undo-email-form").await;
        assert!(page.has("email-restored-page"), "{}", page.summary());
        assert!(browser.get(&server.url("/account")).await.page().has("login-form"));
        for login in [ANEW, &person.login] {
            assert_eq!(local_sign_in(&server, &mut Browser::new(), login, &person.password).await.status, 401, "{login}");
        }
        let queue = crate::api::operator(&server).await.get("/incidents?status=open").await.done(200);
        assert_eq!((&queue["items"][0]["cause"], &queue["items"][1]), (&"address_restored".into(), &serde_json::Value::Null));
        let chosen = choose(&mut Browser::new(), &link_to(&server, (&person.login, "/password/new/"), 1).await, NEW).await;
        assert!(chosen.has("password-changed-page"), "{}", chosen.summary());
        let page = local_sign_in(&server, &mut Browser::new(), &person.login, NEW).await;
        assert_eq!(page.url.path(), "/account", "{}", page.summary());
        assert_eq!(Browser::new().get(&undo).await.page().status, 410);
        let mails = Inbox::of(&server).to(ANEW).await;
        assert!(mails.iter().any(|mail| mail.subject == "Votre changement d’adresse a été annulé"), "{mails:?}");
        server.kill();
    }

    async fn the_first_address_takes_back_whatever_came_after(mut server: TestServer) {
        let person = server.learner().clone();
        let mut thief = at_profile(&server, &person).await;
        for email in ["un@voleur.example", "deux@voleur.example"] {
            let link = ask(&server, &mut thief, email).await;
            press(&link, "confirm-email-form").await;
        }
        let of_thief = link_to(&server, ("un@voleur.example", "/account/email/undo/"), 1).await;
        let of_victim = link_to(&server, (&person.login, "/account/email/undo/"), 1).await;
        assert!(press(&of_victim, "undo-email-form").await.has("email-restored-page"));
        assert_eq!(Browser::new().get(&of_thief).await.page().status, 410, "the thief cannot take it again");
        link_to(&server, (&person.login, "/password/new/"), 1).await;
        server.kill();
    }

    async fn links_end_serve_once_and_the_last_one_counts(mut server: TestServer) {
        let person = server.learner().clone();
        let mut browser = at_profile(&server, &person).await;
        let first = ask(&server, &mut browser, "premiere@ailleurs.example").await;
        let second = ask(&server, &mut browser, ANEW).await;
        assert_eq!(Browser::new().get(&first).await.page().status, 410, "a newer link voids it");
        let tampered = format!("{}x", &second[..second.len() - 1]);
        assert_eq!(Browser::new().get(&tampered).await.page().status, 410);
        let mut browsers = Vec::new();
        for _ in 0..8 {
            let mut browser = Browser::new();
            browser.get(&second).await.page();
            browsers.push(browser);
        }
        let mut tasks = Vec::new();
        for mut browser in browsers {
            tasks.push(tokio::spawn(async move {
                let page = browser.submit("confirm-email-form", &[]).await.page();
                assert!(matches!(page.status, 200 | 410), "{}", page.summary());
                page.status == 200
            }));
        }
        let mut confirmed = 0;
        for task in tasks {
            confirmed += usize::from(task.await.unwrap());
        }
        assert_eq!(confirmed, 1);
        let third = ask(&server, &mut browser, "troisieme@ailleurs.example").await;
        server.advance(3600).await;
        assert_eq!(Browser::new().get(&third).await.page().status, 410, "sixty minutes are over");
        let undo = link_to(&server, (&person.login, "/account/email/undo/"), 1).await;
        server.advance(7 * 24 * 3600).await;
        assert_eq!(Browser::new().get(&undo).await.page().status, 410, "seven days are over");
        server.kill();
    }

    async fn a_session_left_open_does_not_give_the_address_away(mut server: TestServer) {
        let person = server.learner().clone();
        let mut browser = at_profile(&server, &person).await;
        let mut stale = browser.clone();
        server.advance(16 * 60).await;
        let page = stale.submit("email-form", &[("email", ANEW)]).await.page();
        assert!(page.has("login-form") && page.has("login-notice"), "{}", page.summary());
        assert!(Inbox::of(&server).to(ANEW).await.is_empty());
        let page = browser.get(&server.url("/account/profile")).await.page();
        assert!(!page.has("email-form"), "{}", page.summary());
        browser.click("profile-confirm").await.page();
        let fields = [("username", person.login.as_str()), ("password", &person.password)];
        let page = browser.submit("login-form", &fields).await.page();
        assert!(page.url.path() == "/account/profile" && page.has("email-form"), "{}", page.summary());
        ask(&server, &mut browser, ANEW).await;
        server.kill();
    }

    async fn an_address_somebody_signs_in_with_is_not_taken_over(mut server: TestServer) {
        let (person, other) = (server.learner().clone(), server.learner_number(1).clone());
        let mut browser = at_profile(&server, &person).await;
        let link = ask(&server, &mut browser, &other.login).await;
        let page = press(&link, "confirm-email-form").await;
        assert!(page.status == 409 && page.has("account-exists-page"), "{}", page.summary());
        for person in [&person, &other] {
            let page = local_sign_in(&server, &mut Browser::new(), &person.login, &person.password).await;
            assert_eq!(page.url.path(), "/account", "{}", page.summary());
        }
        for wrong in ["", "pas une adresse", "a@b"] {
            browser.get(&server.url("/account/profile")).await.page();
            let page = browser.submit("email-form", &[("email", wrong)]).await.page();
            assert!(page.status == 422 && page.has("email-error"), "{}", page.summary());
        }
        let mut statuses = Vec::new();
        for n in 0..5 {
            browser.get(&server.url("/account/profile")).await.page();
            statuses.push(browser.submit("email-form", &[("email", &format!("a{n}@ailleurs.example"))]).await.page().status);
        }
        assert_eq!(statuses, [200, 200, 200, 200, 429], "five an hour, the one above among them");
        server.kill();
    }

    async fn axe_finds_nothing_wrong_with_profile_and_devices(mut server: TestServer) {
        let person = server.learner().clone();
        local_sign_in(&server, &mut Browser::new(), &person.login, &person.password).await;
        let browser = WebDriver::start().await;
        browser.goto(&server.url("/login?to=profile")).await;
        browser.fill("username", &person.login).await;
        browser.fill("password", &person.password).await;
        browser.click("login-submit").await;
        browser.wait_for_url(&server.url("/account/profile")).await;
        for (screen, name) in [(Screen::Phone, "phone"), (Screen::Desktop, "desktop")] {
            browser.set_screen(screen).await;
            for (path, page) in [("/account/profile?saved=yes", "profile"), ("/account", "devices")] {
                for language in ["fr", "en"] {
                    let joint = if path.contains('?') { '&' } else { '?' };
                    browser.goto(&server.url(&format!("{path}{joint}ui_locales={language}"))).await;
                    browser.text("h1").await;
                    browser.screenshot(&format!("{page}-{name}-{language}")).await;
                    assert_eq!(browser.axe().await, Vec::<String>::new(), "{page} {name} {language}");
                    let wider = browser.script("return document.documentElement.scrollWidth > window.innerWidth").await;
                    assert_eq!(wider, false, "nothing to scroll sideways: {page} {name}");
                }
            }
        }
        // The other browser is signed out with a pointer: nothing lies over the button.
        let ours = browser.text("#account-devices").await;
        let other_device = browser.script("return document.querySelector('#account-devices form button').form.id").await;
        let form = other_device.as_str().unwrap().to_owned();
        browser.script(&format!("document.querySelector('#{form} button').id = 'sign-out-other'; return true")).await;
        browser.click("sign-out-other").await;
        browser.wait_for_url(&server.url("/account")).await;
        let left = browser.script("return document.querySelectorAll('#account-devices form').length").await;
        assert_eq!(left, 0, "{ours}");
        let mut other = at_profile(&server, &person).await;
        let link = ask(&server, &mut other, ANEW).await;
        browser.goto(&link).await;
        browser.screenshot("confirm-email").await;
        assert_eq!(browser.axe().await, Vec::<String>::new(), "confirm");
        browser.click("confirm-email-submit").await;
        browser.text("#email-changed-page").await;
        let undo = link_to(&server, (&person.login, "/account/email/undo/"), 1).await;
        browser.goto(&undo).await;
        browser.screenshot("undo-email").await;
        assert_eq!(browser.axe().await, Vec::<String>::new(), "undo");
        server.kill();
    }
}
