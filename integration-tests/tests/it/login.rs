//! `/interaction/login/{id}`: the sign-in page. Equal words and equal work for everybody, forms that only their own browser
//! can send, limits for those who guess. OpenID Connect Core §3.1.2.3, CNIL délibération 2022-100.

use std::sync::Arc;
use std::time::Duration;

use habilis_integration_tests::protocol::{AuthorizationRequest, AuthorizationResponse};
use habilis_integration_tests::{Browser, Http, Page, TestServer, Visit};
use tokio::sync::Barrier;

fn request(server: &TestServer) -> AuthorizationRequest {
    AuthorizationRequest::of(server.client("demo-portal"))
}

/// A browser with the sign-in page open.
async fn at_login(server: &TestServer) -> Browser {
    let mut browser = Browser::new();
    let page = browser.get(&request(server).url(server)).await.page();
    assert!(page.has("login-form"), "{}", page.summary());
    browser
}

/// Tries to sign in, and returns the page that refuses.
async fn refused(browser: &mut Browser, login: &str, password: &str) -> Page {
    let page = browser.submit("login-form", &[("username", login), ("password", password)]).await.page();
    assert!(page.has("login-form"), "{}", page.summary());
    page
}

/// The document without what differs from one person and one moment to the next.
fn without_particulars(page: &Page, login: &str) -> String {
    let mut html = page.html.replace(login, "LOGIN");
    for css in ["input[name=csrf]"] {
        for value in page.attributes(css, "value") {
            html = html.replace(&value, "CSRF");
        }
    }
    let interaction = page.url.path().rsplit('/').next().unwrap_or_default();
    html.replace(interaction, "INTERACTION")
}

journeys! {
    async fn the_page_has_what_people_password_managers_and_machines_look_for(server: &TestServer) {
        let browser = at_login(server).await;
        let page = browser.page();
        assert_eq!(page.status, 200);
        assert!(page.has("login-page"), "the marker element");
        assert!(page.url.path().starts_with("/interaction/login/"), "{}", page.url);
        for (id, attribute, value) in [
            ("username", "name", "username"), ("username", "autocomplete", "username"),
            ("password", "name", "password"), ("password", "autocomplete", "current-password"),
            ("password", "type", "password"), ("login-submit", "type", "submit"), ("login-form", "method", "post"),
        ] {
            assert_eq!(page.attribute(id, attribute).as_deref(), Some(value), "#{id} {attribute}");
        }
        assert!(page.has("login-cancel"));
        assert_eq!(page.attributes("input[type=hidden][name=csrf]", "value").len(), 2, "one for each of the two forms");
        assert!(!page.attributes("meta[name=viewport]", "content").is_empty());
    }

    async fn the_page_needs_no_script_and_nothing_from_elsewhere(server: &TestServer) {
        let browser = at_login(server).await;
        let page = browser.page();
        assert!(!page.html.contains("<script"), "no script");
        assert!(!page.html.contains(" style="), "no inline style");
        assert!(page.attributes("*", "onclick").is_empty());
        let http = Http::new();
        let assets = page.attributes("link[rel=stylesheet], link[rel=icon]", "href").into_iter().chain(page.attributes("img", "src"));
        let mut count = 0;
        for asset in assets {
            let url = page.url.join(&asset).unwrap();
            assert_eq!(url.origin(), page.url.origin(), "{asset}");
            assert_eq!(http.get(url.as_str()).await.status, 200, "{asset}");
            count += 1;
        }
        assert!(count >= 1, "a style sheet");
    }

    async fn the_page_is_guarded_by_its_headers(server: &TestServer) {
        let browser = at_login(server).await;
        let page = browser.page();
        let policy = page.header("content-security-policy");
        for needed in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"] {
            assert!(policy.contains(needed), "{needed}: {policy}");
        }
        for forbidden in ["unsafe-inline", "unsafe-eval", "*", "form-action"] {
            assert!(!policy.contains(forbidden), "{forbidden}: {policy}");
        }
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert_eq!(page.header("referrer-policy"), "no-referrer");
        assert!(page.header("cache-control").contains("no-store"), "{}", page.header("cache-control"));
        assert!(page.header("content-type").eq_ignore_ascii_case("text/html; charset=utf-8"));
    }

    async fn the_page_speaks_french_first_and_english_on_request(server: &TestServer) {
        let plain = at_login(server).await;
        assert_eq!(plain.page().attributes("html", "lang"), ["fr"]);
        let french_title = plain.page().select("h1").unwrap();
        let english = request(server).with("ui_locales", "en-GB fr");
        let page = Browser::new().get(&english.url(server)).await.page();
        assert_eq!(page.attributes("html", "lang"), ["en"]);
        assert_eq!(page.select("h1").as_deref(), Some("Sign in"));
        assert_ne!(french_title, "Sign in");
        let page = Browser::new().speaking("en-US,en;q=0.9").get(&request(server).url(server)).await.page();
        assert_eq!(page.attributes("html", "lang"), ["en"]);
        let unknown = request(server).with("ui_locales", "se");
        let page = Browser::new().get(&unknown.url(server)).await.page();
        assert_eq!(page.attributes("html", "lang"), ["fr"]);
    }

    async fn an_unknown_account_and_a_wrong_password_read_the_same(server: &TestServer) {
        let person = server.learner_number(2);
        let mut bodies = Vec::new();
        for (login, password) in [(person.login.as_str(), "wrong password"), ("nobody@nowhere.example", &person.password)] {
            let mut browser = at_login(server).await;
            let page = refused(&mut browser, login, password).await;
            assert!(matches!(page.status, 200 | 401), "{}", page.status);
            assert_eq!(page.attribute("login-error", "role").as_deref(), Some("alert"));
            bodies.push((page.status, without_particulars(&page, login)));
        }
        assert_eq!(bodies[0], bodies[1]);
    }

    async fn a_refused_attempt_keeps_the_name_and_never_the_password(server: &TestServer) {
        let mut browser = at_login(server).await;
        let before = browser.page().url.clone();
        let page = refused(&mut browser, "somebody@nowhere.example", "S3cret-Of-Mine").await;
        assert_eq!(page.url.path(), before.path());
        assert_eq!(page.attribute("username", "value").as_deref(), Some("somebody@nowhere.example"));
        assert!(!page.html.contains("S3cret-Of-Mine"));
        // The next attempt on the same page succeeds.
        let response = AuthorizationResponse::from_url(browser.sign_in(server.learner()).await.left());
        response.code();
    }

    async fn the_name_is_found_whatever_its_case_and_spaces_around(server: &TestServer) {
        let person = server.learner();
        for login in [person.login.to_uppercase(), format!("  {} ", person.login)] {
            let mut browser = at_login(server).await;
            let visit = browser.submit("login-form", &[("username", &login), ("password", &person.password)]).await;
            AuthorizationResponse::from_url(visit.left()).code();
        }
    }

    async fn strange_passwords_are_wrong_passwords_and_nothing_worse(server: &TestServer) {
        let person = server.learner_number(5);
        let long = "x".repeat(5000);
        for password in ["", " ", "é\u{301}🎓", &long, &person.password.to_uppercase()] {
            let mut browser = at_login(server).await;
            let page = refused(&mut browser, "nobody@strange.example", password).await;
            assert!(page.status < 500 && page.status != 303, "{}", page.summary());
        }
    }

    async fn a_form_without_its_token_is_refused_and_signs_nobody_in(server: &TestServer) {
        let person = server.learner();
        let mut browser = at_login(server).await;
        for token in ["", "forged"] {
            let fields = [("username", person.login.as_str()), ("password", &person.password), ("csrf", token)];
            let page = browser.submit("login-form", &fields).await.page();
            assert!(matches!(page.status, 400 | 403), "{}", page.summary());
            browser.get(&request(server).url(server)).await.page();
        }
        let silent = request(server).with("prompt", "none");
        let response = AuthorizationResponse::from_url(browser.get(&silent.url(server)).await.left());
        response.assert_error("login_required", &silent, server);
    }

    async fn the_form_of_one_browser_is_of_no_use_in_another(server: &TestServer) {
        let person = server.learner();
        let victim = at_login(server).await;
        let mut other = victim.clone();
        other.forget_cookies();
        let page = match other.get(victim.page().url.as_str()).await {
            Visit::Page(page) => page,
            Visit::Left(url) => panic!("led to {url}"),
        };
        assert_eq!(page.status, 400, "{}", page.summary());
        assert!(page.has("error-page") && !page.has("login-form"), "{}", page.summary());
        // With the form as it stood in the first browser.
        let csrf = victim.page().attributes("#login-form input[name=csrf]", "value")[0].clone();
        let url = victim.page().url.clone();
        let answer = Http::new()
            .post_form(url.as_str(), &[("csrf", &csrf), ("username", &person.login), ("password", &person.password)])
            .await;
        assert!(matches!(answer.status, 400 | 403), "{}: {}", answer.status, answer.body);
    }

    async fn a_form_sent_from_another_site_is_refused(server: &TestServer) {
        let person = server.learner();
        let mut browser = at_login(server).await;
        let csrf = browser.page().attributes("#login-form input[name=csrf]", "value")[0].clone();
        let url = browser.page().url.to_string();
        let fields = [("csrf", csrf), ("username", person.login.clone()), ("password", person.password.clone())]
            .map(|(name, value)| (name.to_owned(), value));
        let page = browser.post_from_elsewhere(&url, &fields).await.page();
        assert!(matches!(page.status, 400 | 403), "{}", page.summary());
    }

    async fn a_page_that_is_unknown_or_over_says_so_with_400(server: &TestServer) {
        let page = Browser::new().get(&server.url("/interaction/login/int_unknown")).await.page();
        assert_eq!(page.status, 400, "{}", page.summary());
        assert!(page.has("error-page"), "{}", page.summary());
        let mut browser = at_login(server).await;
        let over = browser.page().url.clone();
        browser.sign_in(server.learner()).await.left();
        let page = browser.get(over.as_str()).await.page();
        assert_eq!(page.status, 400, "{}", page.summary());
        assert!(page.has("error-page"), "{}", page.summary());
    }

    async fn the_page_survives_a_reload_and_a_double_submit_is_harmless(server: &TestServer) {
        let mut browser = at_login(server).await;
        let url = browser.page().url.clone();
        browser.get(url.as_str()).await.page();
        let mut twin = browser.clone();
        AuthorizationResponse::from_url(browser.sign_in(server.learner()).await.left()).code();
        if let Visit::Page(page) = twin.sign_in(server.learner()).await {
            assert!(page.status < 500, "{}", page.summary());
        }
    }

    async fn the_session_cookie_is_kept_from_scripts_and_other_sites_and_is_new_at_each_sign_in(server: &TestServer) {
        let mut browser = at_login(server).await;
        let before = browser.cookies().to_vec();
        browser.sign_in(server.learner()).await.left();
        let new: Vec<_> = browser.cookies().iter().filter(|cookie| !before.contains(cookie)).collect();
        assert!(!new.is_empty(), "a session has begun");
        for cookie in browser.cookies() {
            assert!(cookie.http_only, "{cookie:?}");
            assert!(["Lax", "Strict"].contains(&cookie.same_site.as_str()), "{cookie:?}");
        }
        // Signing in again, in the same browser, gives another value: a planted cookie never becomes a session.
        let old: Vec<String> = new.iter().map(|cookie| cookie.value.clone()).collect();
        browser.get(&request(server).with("prompt", "login").url(server)).await.page();
        browser.sign_in(server.learner()).await.left();
        assert!(browser.cookies().iter().all(|cookie| !old.contains(&cookie.value)), "{:?}", browser.cookies());
    }

    async fn a_planted_session_cookie_opens_nothing(server: &TestServer) {
        let mut browser = at_login(server).await;
        browser.sign_in(server.learner()).await.left();
        let http = Http::new();
        let silent = request(server).with("prompt", "none");
        for cookie in browser.cookies() {
            let planted = format!("{}={}", cookie.name, "A".repeat(cookie.value.len()));
            let answer = http.send(http.request("GET", &silent.url(server)).header("cookie", planted)).await;
            assert!(answer.header("location").contains("error=login_required"), "{}", answer.header("location"));
        }
    }

    async fn malformed_and_oversized_forms_are_refused(server: &TestServer) {
        let browser = at_login(server).await;
        let (http, url, form) = (Http::new(), browser.page().url.to_string(), "application/x-www-form-urlencoded");
        for body in [&b"username=\xFF&password=%FF"[..], b"username=a&password=%00", b"username=a&username=b"] {
            let answer = http.post_bytes(&url, form, body.to_vec()).await;
            assert_eq!(answer.status, 400, "{}", answer.body);
        }
        let answer = http.post_bytes(&url, form, format!("username={}", "u".repeat(100_000)).into_bytes()).await;
        assert_eq!(answer.status, 413, "{}", answer.body);
    }
}

own_journeys! {
    async fn guessing_one_account_is_slowed_and_an_hour_forgives(mut server: TestServer) {
        let person = server.learner().clone();
        for _ in 0..5 {
            // Each guess from another address: it is the account that is guarded here.
            let mut browser = at_login(&server).await;
            assert_ne!(refused(&mut browser, &person.login, "wrong password").await.status, 429);
        }
        let mut browser = at_login(&server).await;
        let page = refused(&mut browser, &person.login, &person.password).await;
        assert_eq!(page.status, 429, "even the right password has to wait: {}", page.summary());
        assert!(page.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds <= 3600), "{}", page.header("retry-after"));
        // Others are not concerned.
        let mut other = at_login(&server).await;
        AuthorizationResponse::from_url(other.sign_in(server.learner_number(1)).await.left()).code();
        server.advance(3700).await;
        let mut browser = at_login(&server).await;
        AuthorizationResponse::from_url(browser.sign_in(&person).await.left()).code();
    }

    async fn an_unknown_account_is_slowed_like_a_known_one(mut server: TestServer) {
        for login in [server.learner().login.clone(), "nobody@nowhere.example".to_owned()] {
            let mut statuses = Vec::new();
            for _ in 0..7 {
                let mut browser = at_login(&server).await;
                statuses.push(refused(&mut browser, &login, "wrong password").await.status == 429);
            }
            assert_eq!(statuses, [false, false, false, false, false, true, true], "{login}");
        }
        server.kill();
    }

    async fn twenty_sign_ins_at_one_moment_all_get_in(mut server: TestServer) {
        // Four for each of the five learners: one more at a time would be taken for guessing.
        for _ in 0..3 {
            let barrier = Arc::new(Barrier::new(20));
            let mut tasks = Vec::new();
            for index in 0..20 {
                let mut browser = at_login(&server).await;
                let (person, barrier) = (server.learner_number(index).clone(), Arc::clone(&barrier));
                tasks.push(tokio::spawn(async move {
                    barrier.wait().await;
                    AuthorizationResponse::from_url(browser.sign_in(&person).await.left()).code().len()
                }));
            }
            for task in tasks {
                assert!(task.await.unwrap() > 20);
            }
        }
        server.kill();
    }

    async fn fifty_guesses_at_one_moment_are_fifty_guesses(mut server: TestServer) {
        let login = server.learner().login.clone();
        let barrier = Arc::new(Barrier::new(50));
        let mut tasks = Vec::new();
        for _ in 0..50 {
            let mut browser = at_login(&server).await;
            let (login, barrier) = (login.clone(), Arc::clone(&barrier));
            tasks.push(tokio::spawn(async move {
                barrier.wait().await;
                refused(&mut browser, &login, "wrong password").await.status
            }));
        }
        let mut heard = 0;
        for task in tasks {
            heard += u32::from(task.await.unwrap() != 429);
        }
        assert_eq!(heard, 5, "the sixth has to wait, however many come together");
        server.kill();
    }

    async fn the_log_never_holds_a_password_a_code_a_token_or_an_address_of_a_person(mut server: TestServer) {
        use habilis_integration_tests::protocol::{Code, Tokens, redeem, refresh};
        let person = server.learner().clone();
        let mut browser = at_login(&server).await;
        refused(&mut browser, &person.login, "Wr0ng-Secret-Typed").await;
        let request = request(&server).offline();
        let response = browser.authorize(&server, &request, &person).await;
        let client = server.client("demo-portal").clone();
        let tokens = Tokens::from(&redeem(&server, &client, &Code::from(&request, &response)).await);
        refresh(&server, &client, tokens.refresh_token()).await.ok_json();
        let cookies: Vec<String> = browser.cookies().iter().map(|cookie| cookie.value.clone()).collect();
        server.terminate(Duration::from_secs(15)).await.expect("the server stops when asked");
        let log = server.log();
        assert!(!log.is_empty(), "there is a log");
        let secrets = [
            "Wr0ng-Secret-Typed", &person.password, response.code(), tokens.access_token(), tokens.id_token(),
            tokens.refresh_token(), client.client_secret.as_deref().unwrap(), &request.verifier, &person.login,
        ];
        for secret in secrets.into_iter().chain(cookies.iter().map(String::as_str)) {
            assert!(!log.contains(secret), "in the log: {}…", &secret[..4]);
        }
    }
}
