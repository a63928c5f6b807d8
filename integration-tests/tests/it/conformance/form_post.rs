//! The form post plan: every answer of the authorization endpoint as a form that sends itself. OAuth 2.0 Form Post Response Mode.

use habilis_integration_tests::browser::Page;
use habilis_integration_tests::protocol::{AuthorizationRequest, Code, Tokens, redeem};
use habilis_integration_tests::{Browser, Listener, TestServer, WebDriver};
use serde_json::json;

use super::super::registration::{client, register, registered};

fn request(server: &TestServer) -> AuthorizationRequest {
    AuthorizationRequest::of(server.client("demo-portal")).with("response_mode", "form_post")
}

/// Asserts a refusal by form: the code, the state, the issuer, and nothing else but the sentence.
#[track_caller]
fn assert_refusal(page: &Page, error: &str, request: &AuthorizationRequest, server: &TestServer) {
    assert_eq!(page.status, 200, "{}", page.summary());
    assert_eq!(page.attribute("form-post", "action").as_deref(), Some(request.get("redirect_uri")));
    let value = |name: &str| page.attributes(&format!("#form-post input[name={name}]"), "value");
    assert_eq!(value("error"), [error]);
    assert_eq!(value("state"), [request.get("state")]);
    assert_eq!(value("iss"), [server.issuer.as_str()]);
    for name in page.attributes("#form-post input", "name") {
        assert!(["error", "error_description", "state", "iss"].contains(&name.as_str()), "{name}");
    }
}

journeys! {
    async fn every_refusal_that_may_reach_the_client_comes_as_a_form(server: &TestServer) {
        let cases = [
            (request(server).with("prompt", "none"), "login_required"),
            (request(server).without("response_type"), "invalid_request"),
            (request(server).with("response_type", "bread"), "unsupported_response_type"),
            (request(server).with("max_age", "soon"), "invalid_request"),
        ];
        for (request, error) in cases {
            let page = Browser::new().get(&request.url(server)).await.page();
            assert_refusal(&page, error, &request, server);
        }
        let request = request(server);
        let mut browser = Browser::new();
        browser.get(&request.url(server)).await.page();
        assert_refusal(&browser.click("login-cancel").await.page(), "access_denied", &request, server);
    }

    async fn an_unregistered_redirect_uri_gets_a_page_and_no_form(server: &TestServer) {
        let request = request(server).with("redirect_uri", "https://evil.example/callback");
        let page = Browser::new().get(&request.url(server)).await.assert_error_page("invalid_request");
        assert!(!page.has("form-post"), "{}", page.html);
    }

    async fn a_silent_answer_comes_as_a_form_too(server: &TestServer) {
        let mut browser = Browser::new();
        browser.authorize(server, &AuthorizationRequest::of(server.client("demo-portal")), server.learner()).await;
        let silent = request(server).with("prompt", "none");
        let page = browser.get(&silent.url(server)).await.page();
        let code = Code {
            code: page.attributes("#form-post input[name=code]", "value")[0].clone(),
            redirect_uri: silent.get("redirect_uri").to_owned(),
            verifier: silent.verifier.clone(),
        };
        Tokens::from(&redeem(server, server.client("demo-portal"), &code).await);
    }

    async fn the_form_has_a_button_for_who_runs_no_scripts_and_may_go_where_it_must(server: &TestServer) {
        let page = Browser::new().get(&request(server).with("prompt", "none").url(server)).await.page();
        let (before, after) = page.html.split_once("<noscript>").expect("a part for who runs no scripts");
        assert!(before.contains("id=\"form-post\"") && after.contains("type=\"submit\""), "{}", page.html);
        assert!(page.header("cache-control").contains("no-store"), "{}", page.header("cache-control"));
        let policy = page.header("content-security-policy");
        assert!(!policy.contains("form-action") || policy.contains("https://rp.example"), "{policy}");
        assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe-inline"), "{policy}");
    }

    async fn a_real_browser_posts_the_answer_by_itself(server: &TestServer) {
        let listener = Listener::start().await;
        let metadata = json!({ "redirect_uris": [format!("{}/cb", listener.base)] });
        let registered = client(&registered(&register(server, &metadata).await));
        let request = AuthorizationRequest::of(&registered).with("response_mode", "form_post");
        let (browser, person) = (WebDriver::start().await, server.learner());
        browser.goto(&request.url(server)).await;
        browser.fill("username", &person.login).await;
        browser.fill("password", &person.password).await;
        browser.click("login-submit").await;
        browser.click("consent-allow").await;
        let posted = listener.wait_for("/cb", 1).await.remove(0);
        assert!(posted.head.starts_with("POST /cb "), "{}", posted.head);
        assert_eq!(posted.fields.keys().collect::<Vec<_>>(), ["code", "iss", "state"]);
        assert_eq!(posted.fields["state"], request.get("state"));
        let code = Code {
            code: posted.fields["code"].clone(),
            redirect_uri: request.get("redirect_uri").to_owned(),
            verifier: request.verifier.clone(),
        };
        Tokens::from(&redeem(server, &registered, &code).await);
    }
}
