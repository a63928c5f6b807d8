//! Authenticator apps and recovery codes: adding, the second step of a sign-in, use once, removal (RFC 6238, RFC 8176).

use std::sync::Arc;

use habilis_integration_tests::protocol::{AuthorizationRequest, AuthorizationResponse, Code, Tokens, redeem};
use habilis_integration_tests::webdriver::Screen;
use habilis_integration_tests::{Authenticator, Browser, Inbox, Page, Person, TestServer, Visit, WebDriver};
use tokio::sync::Barrier;

use crate::forgot::{NEW, choose, link_to, local_sign_in};

/// Adds an authenticator app to an account whose security page is open, and returns it with the page that this leads to.
pub(crate) async fn add_app(server: &TestServer, browser: &mut Browser) -> (Authenticator, Page) {
    browser.get(&server.url("/account/security")).await.page();
    let page = browser.submit("app-add-form", &[("name", "Téléphone")]).await.page();
    let app = Authenticator::from_page(&page);
    let code = app.code(server, 0).await;
    let page = browser.submit("new-app-form", &[("code", &code)]).await.page();
    (app, page)
}

/// The recovery codes that a page shows.
#[track_caller]
pub(crate) fn codes(page: &Page) -> Vec<String> {
    assert!(page.has("recovery-codes-page"), "{}", page.summary());
    let codes: Vec<String> = page.text("recovery-codes").split(' ').map(str::to_owned).collect();
    assert_eq!(codes.len(), 10, "{codes:?}");
    codes
}

/// Gives a person an app and recovery codes, and moves on to the next code.
async fn equipped(server: &mut TestServer, person: &Person) -> (Browser, Authenticator, Vec<String>) {
    let mut browser = Browser::new();
    local_sign_in(server, &mut browser, &person.login, &person.password).await;
    let (app, page) = add_app(server, &mut browser).await;
    let codes = codes(&page);
    server.advance(60).await;
    (browser, app, codes)
}

/// A fresh browser at the second step of a portal's request.
async fn at_second_step(server: &TestServer, request: &AuthorizationRequest, person: &Person) -> Browser {
    let mut browser = Browser::new();
    browser.get(&request.url(server)).await.page();
    let page = browser.sign_in(person).await.page();
    assert!(page.has("second-step-page"), "{}", page.summary());
    browser
}

async fn id_claims(server: &TestServer, request: &AuthorizationRequest, visit: Visit) -> serde_json::Value {
    let response = AuthorizationResponse::from_url(visit.left());
    let client = server.client(request.get("client_id"));
    Tokens::from(&redeem(server, client, &Code::from(request, &response)).await).id_claims()
}

fn request(server: &TestServer) -> AuthorizationRequest {
    AuthorizationRequest::of(server.client("demo-portal"))
}

async fn subjects(server: &TestServer, person: &Person, count: usize) -> Vec<String> {
    let inbox = Inbox::of(server);
    for _ in 0..400 {
        let mails = inbox.to(&person.login).await;
        if mails.len() >= count {
            return mails.into_iter().map(|mail| mail.subject).collect();
        }
        // Mail goes out after the answer.
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("not {count} mails to {}: {:?}", person.login, inbox.to(&person.login).await);
}

own_journeys! {
    async fn an_app_is_added_asked_for_and_told_of(mut server: TestServer) {
        let person = server.learner().clone();
        let (mut browser, app, _) = equipped(&mut server, &person).await;
        let page = browser.get(&server.url("/account/security")).await.page();
        assert!(page.text("apps").contains("Téléphone"), "{}", page.summary());
        let told = subjects(&server, &person, 3).await;
        assert_eq!(told.iter().filter(|subject| subject.contains("La connexion à votre compte a changé")).count(), 2, "{told:?}");

        let request = request(&server);
        let mut browser = at_second_step(&server, &request, &person).await;
        let elsewhere = browser.get(&server.url("/account")).await.page();
        assert!(elsewhere.has("login-form"), "half a sign-in opens nothing: {}", elsewhere.summary());

        let mut browser = at_second_step(&server, &request, &person).await;
        let page = browser.submit("second-step-form", &[("code", "000000")]).await.page();
        assert_eq!((page.status, page.has("step-error")), (401, true), "{}", page.summary());
        let code = app.code(&server, 0).await;
        let spaced = format!("{} {}", &code[..3], &code[3..]);
        let claims = id_claims(&server, &request, browser.submit("second-step-form", &[("code", &spaced)]).await).await;
        assert_eq!(claims["amr"], serde_json::json!(["pwd", "otp", "mfa"]));
        assert_eq!(claims["acr"], "eidas1-mfa");
        server.kill();
    }

    async fn a_secret_counts_for_nothing_before_its_first_code(mut server: TestServer) {
        let person = server.learner().clone();
        let mut browser = Browser::new();
        local_sign_in(&server, &mut browser, &person.login, &person.password).await;
        browser.get(&server.url("/account/security")).await.page();
        let page = browser.submit("app-add-form", &[]).await.page();
        Authenticator::from_page(&page);
        let wrong = browser.submit("new-app-form", &[("code", "123456")]).await.page();
        assert_eq!((wrong.status, wrong.has("app-error")), (422, true), "{}", wrong.summary());
        assert_eq!(wrong.text("app-secret"), page.text("app-secret"), "the same secret is still to be confirmed");
        let page = local_sign_in(&server, &mut Browser::new(), &person.login, &person.password).await;
        assert!(page.has("account-page"), "no second step yet: {}", page.summary());
        // Half an hour later the enrolment is over.
        server.advance(31 * 60).await;
        browser.get(&server.url("/login?to=security&again=1")).await.page();
        browser.submit("login-form", &[("username", &person.login), ("password", &person.password)]).await.page();
        let page = browser.get(wrong.url.as_str()).await.page();
        assert!(page.has("security-page") && !page.has("apps"), "{}", page.summary());
        server.kill();
    }

    async fn a_code_is_good_one_step_early_or_late_and_never_twice(mut server: TestServer) {
        let person = server.learner().clone();
        let (_, app, _) = equipped(&mut server, &person).await;
        let request = request(&server);
        for (ahead, good) in [(-2, false), (-1, true), (-1, false), (1, true), (0, false), (2, false)] {
            let mut browser = at_second_step(&server, &request, &person).await;
            let visit = browser.submit("second-step-form", &[("code", &app.code(&server, ahead).await)]).await;
            assert_eq!(matches!(visit, Visit::Left(_)), good, "{ahead}");
            if !good {
                // A later code forgives the failure.
                server.advance(120).await;
                let code = app.code(&server, 0).await;
                browser.submit("second-step-form", &[("code", &code)]).await.left();
                server.advance(60).await;
            }
        }
        server.kill();
    }

    async fn fifty_uses_of_one_code_at_once_open_one_session(mut server: TestServer) {
        let person = server.learner().clone();
        let (_, app, codes) = equipped(&mut server, &person).await;
        for recovery in [None, Some(&codes[0])] {
            let request = request(&server);
            let mut browsers = Vec::new();
            for _ in 0..50 {
                browsers.push(at_second_step(&server, &request, &person).await);
            }
            // Only now: fifty passwords take longer than a code lives.
            let typed = match recovery {
                Some(code) => code.clone(),
                None => app.code(&server, 0).await,
            };
            let barrier = Arc::new(Barrier::new(browsers.len()));
            let tasks: Vec<_> = browsers
                .into_iter()
                .map(|mut browser| {
                    let (barrier, typed) = (Arc::clone(&barrier), typed.clone());
                    tokio::spawn(async move {
                        barrier.wait().await;
                        match browser.submit("second-step-form", &[("code", &typed)]).await {
                            Visit::Left(_) => 303,
                            Visit::Page(page) => page.status,
                        }
                    })
                })
                .collect();
            let mut statuses = Vec::new();
            for task in tasks {
                statuses.push(task.await.unwrap());
            }
            assert_eq!(statuses.iter().filter(|status| **status == 303).count(), 1, "{statuses:?}");
            assert!(statuses.iter().all(|status| matches!(status, 303 | 401 | 429)), "{statuses:?}");
            server.advance(3700).await;
        }
        server.kill();
    }

    async fn guesses_are_delayed_told_of_and_forgotten_after_a_right_one(mut server: TestServer) {
        let person = server.learner().clone();
        let (_, app, _) = equipped(&mut server, &person).await;
        let before = subjects(&server, &person, 3).await.len();
        let request = request(&server);
        let mut browser = at_second_step(&server, &request, &person).await;
        for _ in 0..5 {
            let page = browser.submit("second-step-form", &[("code", "000000")]).await.page();
            assert_eq!(page.status, 401, "{}", page.summary());
        }
        let right = app.code(&server, 0).await;
        let page = browser.submit("second-step-form", &[("code", &right)]).await.page();
        assert_eq!(page.status, 429, "not even looked at: {}", page.summary());
        assert!(page.header("retry-after").parse::<u64>().is_ok_and(|seconds| (1..=16).contains(&seconds)));
        let told = subjects(&server, &person, before + 1).await;
        assert_eq!(told.iter().filter(|subject| subject.contains("Quelqu’un connaît-il")).count(), 1, "{told:?}");
        server.advance(16).await;
        browser.submit("second-step-form", &[("code", &app.code(&server, 0).await)]).await.left();
        server.kill();
    }

    async fn recovery_codes_open_once_each_and_a_new_set_voids_the_old(mut server: TestServer) {
        let person = server.learner().clone();
        let (mut own, app, codes) = equipped(&mut server, &person).await;
        let request = request(&server);
        let mut browser = at_second_step(&server, &request, &person).await;
        let page = browser.click("step-recovery").await.page();
        assert_eq!(page.attribute("code", "autocomplete").as_deref(), Some("off"));
        let typed = codes[3].to_uppercase().replace('-', " ");
        let claims = id_claims(&server, &request, browser.submit("second-step-form", &[("code", &typed)]).await).await;
        assert_eq!(claims["acr"], "eidas1-mfa");
        let mails = subjects(&server, &person, 5).await;
        assert!(mails.iter().any(|subject| subject == "Un code de secours a servi"), "{mails:?}");

        let mut again = at_second_step(&server, &request, &person).await;
        let page = again.submit("second-step-form", &[("code", &codes[3])]).await.page();
        assert_eq!(page.status, 401, "{}", page.summary());

        let page = own.get(&server.url("/account/security")).await.page();
        assert!(page.text("codes-left").contains('9'), "{}", page.text("codes-left"));
        let page = own.submit("codes-form", &[]).await.page();
        let new = self::codes(&page);
        assert!(new.iter().all(|code| !codes.contains(code)));
        let file = page.attribute("codes-download", "href").unwrap();
        assert!(file.starts_with("data:text/plain;charset=utf-8,"), "{file}");
        assert!(page.attribute("codes-download", "download").is_some());
        let page = again.submit("second-step-form", &[("code", &codes[4])]).await.page();
        assert_eq!(page.status, 401, "{}", page.summary());
        again.submit("second-step-form", &[("code", &new[0])]).await.left();
        drop(app);
        server.kill();
    }

    async fn removal_asks_for_a_fresh_and_strong_sign_in_and_takes_the_recovery_codes_along(mut server: TestServer) {
        let person = server.learner().clone();
        let (mut browser, app, codes) = equipped(&mut server, &person).await;
        server.advance(15 * 60).await;
        let page = browser.get(&server.url("/account/security")).await.page();
        assert!(page.has("login-form") && page.has("login-notice"), "{}", page.summary());
        let page = browser.submit("login-form", &[("username", &person.login), ("password", &person.password)]).await.page();
        assert!(page.has("second-step-page"), "{}", page.summary());
        let page = browser.submit("second-step-form", &[("code", &app.code(&server, 0).await)]).await.page();
        assert!(page.has("security-page"), "{}", page.summary());
        let form = page.attributes("#apps form", "id").concat();
        let page = browser.submit(&form, &[]).await.page();
        assert!(page.has("security-page") && !page.has("apps") && !page.has("codes-left"), "{}", page.summary());
        let page = local_sign_in(&server, &mut Browser::new(), &person.login, &person.password).await;
        assert!(page.has("account-page"), "{}", page.summary());
        // A later app begins with new codes: the old ones stay void.
        server.advance(60).await;
        let (_, page) = add_app(&server, &mut browser).await;
        assert!(!self::codes(&page).contains(&codes[0]));
        server.kill();
    }

    async fn a_new_password_ends_a_sign_in_that_waits_for_its_second_step(mut server: TestServer) {
        let person = server.learner().clone();
        let (_, app, _) = equipped(&mut server, &person).await;
        let mut thief = at_second_step(&server, &request(&server), &person).await;
        let mut browser = Browser::new();
        browser.get(&server.url("/password/forgot")).await.page();
        browser.submit("forgot-form", &[("username", &person.login)]).await.page();
        let link = link_to(&server, &person.login, 1).await;
        assert!(choose(&mut browser, &link, NEW).await.has("password-changed-page"));
        let page = thief.submit("second-step-form", &[("code", &app.code(&server, 0).await)]).await.page();
        assert_eq!(page.status, 400, "{}", page.summary());
        // The second step outlives the password.
        let page = local_sign_in(&server, &mut browser, &person.login, NEW).await;
        assert!(page.has("second-step-page"), "{}", page.summary());
        server.kill();
    }

    async fn a_second_step_belongs_to_its_browser_and_its_form_to_its_token(mut server: TestServer) {
        let person = server.learner().clone();
        let (_, app, _) = equipped(&mut server, &person).await;
        let mut browser = at_second_step(&server, &request(&server), &person).await;
        let url = browser.page().url.to_string();
        let mut other = at_second_step(&server, &request(&server), &person).await;
        let page = other.get(&url).await.page();
        assert_eq!(page.status, 400, "{}", page.summary());
        let code = app.code(&server, 0).await;
        let page = browser.submit("second-step-form", &[("code", &code), ("csrf", "forged")]).await.page();
        assert!(page.has("second-step-page"), "{}", page.summary());
        browser.submit("second-step-form", &[("code", &code)]).await.left();
        let page = browser.get(&url).await.page();
        assert_eq!(page.status, 400, "the step is over: {}", page.summary());
        server.kill();
    }

    async fn hostile_codes_are_refused_and_nothing_breaks(mut server: TestServer) {
        let person = server.learner().clone();
        let (_, _, _) = equipped(&mut server, &person).await;
        let mut browser = at_second_step(&server, &request(&server), &person).await;
        for typed in ["' OR 1=1 --", &"9".repeat(5000), "१२३४५६", "\u{202e}123456", "zzzz-zzzz-zzzz"] {
            let page = browser.submit("second-step-form", &[("code", typed)]).await.page();
            assert!(matches!(page.status, 401 | 429), "{}", page.summary());
            server.advance(3700).await;
            browser = at_second_step(&server, &request(&server), &person).await;
        }
        server.kill();
    }

    async fn axe_finds_nothing_wrong_with_the_pages_of_second_factors(mut server: TestServer) {
        let person = server.learner().clone();
        let (_, _, _) = equipped(&mut server, &person).await;
        let other = server.learner_number(1).clone();
        let browser = WebDriver::start().await;
        let look = async |name: &str| {
            for (screen, size) in [(Screen::Phone, "phone"), (Screen::Desktop, "desktop")] {
                browser.set_screen(screen).await;
                browser.screenshot(&format!("{name}-{size}")).await;
                assert_eq!(browser.axe().await, Vec::<String>::new(), "{name} {size}");
                let wider = browser.script("return document.documentElement.scrollWidth > window.innerWidth").await;
                assert_eq!(wider, false, "nothing to scroll sideways: {name} {size}");
            }
        };
        let sign_in = async |person: &Person| {
            browser.goto(&AuthorizationRequest::of(server.client("demo-portal")).with("prompt", "login").url(&server)).await;
            browser.fill("username", &person.login).await;
            browser.fill("password", &person.password).await;
            browser.click("login-submit").await;
        };
        sign_in(&person).await;
        browser.text("#second-step-page").await;
        look("second-step").await;
        let french = async || browser.goto(&format!("{}?ui_locales=fr", browser.url().await)).await;
        french().await;
        look("second-step-fr").await;
        browser.fill("code", "000000").await;
        browser.click("second-step-submit").await;
        browser.text("#step-error").await;
        look("second-step-wrong").await;
        browser.click("step-recovery").await;
        browser.text("#step-back").await;
        look("second-step-recovery").await;

        browser.goto(&server.url("/login?to=security")).await;
        browser.fill("username", &other.login).await;
        browser.fill("password", &other.password).await;
        browser.click("login-submit").await;
        browser.text("#security-page").await;
        look("security-empty").await;
        browser.click("app-add-submit").await;
        browser.text("#new-app-page").await;
        look("new-app").await;
        french().await;
        look("new-app-fr").await;
        let secret = browser.script("return document.getElementById('app-secret').textContent").await;
        let app = Authenticator::from_text(secret.as_str().unwrap());
        browser.fill("code", &app.code(&server, 0).await).await;
        browser.click("new-app-submit").await;
        browser.text("#recovery-codes-page").await;
        look("recovery-codes").await;
        browser.click("codes-next").await;
        browser.text("#codes-left").await;
        look("security").await;
        french().await;
        look("security-fr").await;
        server.kill();
    }
}
