//! `/end-session`: signing out from a portal. RP-Initiated Logout 1.0; the eleven modules of its certification plan.

use habilis_integration_tests::jose::{self, SigningKey};
use habilis_integration_tests::protocol::{
    AuthorizationRequest, AuthorizationResponse, Code, Tokens, redeem, refresh, userinfo,
};
use habilis_integration_tests::{Browser, TestServer, Visit};
use serde_json::json;
use url::Url;

/// A browser in which the first learner has signed in to the demo portal, and the tokens.
async fn signed_in(server: &TestServer) -> (Browser, Tokens) {
    signed_in_with(server, &AuthorizationRequest::of(server.client("demo-portal"))).await
}

async fn signed_in_with(server: &TestServer, request: &AuthorizationRequest) -> (Browser, Tokens) {
    let mut browser = Browser::new();
    let response = browser.authorize(server, request, server.learner()).await;
    let tokens = Tokens::from(&redeem(server, server.client("demo-portal"), &Code::from(request, &response)).await);
    (browser, tokens)
}

/// Where the demo portal may send people after signing out.
fn registered(server: &TestServer) -> &str {
    server.client("demo-portal").post_logout_redirect_uris.first().expect("demo-portal has a post-logout redirect URI")
}

fn end_session(server: &TestServer, parameters: &[(&str, &str)]) -> String {
    let mut url = Url::parse(&server.url("/end-session")).unwrap();
    if !parameters.is_empty() {
        url.query_pairs_mut().extend_pairs(parameters);
    }
    url.into()
}

/// Confirms where the server asks, and says where it ends.
async fn confirmed(browser: &mut Browser, visit: Visit) -> Visit {
    match visit {
        Visit::Page(page) if page.has("logout-page") => browser.click("logout-confirm").await,
        other => other,
    }
}

/// Asserts whether the browser is still signed in.
async fn assert_signed_in(browser: &mut Browser, server: &TestServer, expected: bool) {
    let silent = AuthorizationRequest::of(server.client("demo-portal")).with("prompt", "none");
    let response = AuthorizationResponse::from_url(browser.get(&silent.url(server)).await.left());
    if expected {
        response.code();
    } else {
        response.assert_error("login_required", &silent, server);
    }
}

/// Asserts an error page, and that nothing redirects.
fn assert_page_without_redirect(visit: Visit) {
    let page = visit.page();
    assert_eq!(page.status, 400, "{}", page.summary());
    assert!(page.has("error-page"), "{}", page.summary());
}

journeys! {
    async fn signing_out_returns_to_the_portal_with_its_state_and_nothing_else(server: &TestServer) {
        let (mut browser, tokens) = signed_in(server).await;
        let url = end_session(server, &[
            ("id_token_hint", tokens.id_token()), ("post_logout_redirect_uri", registered(server)), ("state", "s+ t/1"),
        ]);
        let visit = browser.get(&url).await;
        let left = confirmed(&mut browser, visit).await.left();
        assert!(left.as_str().starts_with(registered(server)), "{left}");
        let parameters: Vec<_> = left.query_pairs().into_owned().collect();
        assert_eq!(parameters, [("state".to_owned(), "s+ t/1".to_owned())]);
        assert_signed_in(&mut browser, server, false).await;
    }

    async fn a_hint_of_the_same_session_needs_no_confirmation(server: &TestServer) {
        let (mut browser, tokens) = signed_in(server).await;
        let url = end_session(server, &[("id_token_hint", tokens.id_token()), ("post_logout_redirect_uri", registered(server))]);
        browser.get(&url).await.left();
        assert_signed_in(&mut browser, server, false).await;
    }

    async fn state_is_not_invented(server: &TestServer) {
        let (mut browser, tokens) = signed_in(server).await;
        let url = end_session(server, &[("id_token_hint", tokens.id_token()), ("post_logout_redirect_uri", registered(server))]);
        let visit = browser.get(&url).await;
        assert_eq!(confirmed(&mut browser, visit).await.left().as_str(), registered(server));
    }

    async fn a_form_may_be_posted_as_well(server: &TestServer) {
        let (mut browser, tokens) = signed_in(server).await;
        let fields = [
            ("id_token_hint".to_owned(), tokens.id_token().to_owned()),
            ("post_logout_redirect_uri".to_owned(), registered(server).to_owned()),
            ("state".to_owned(), "posted".to_owned()),
        ];
        let visit = browser.post_from_elsewhere(&server.url("/end-session"), &fields).await;
        let left = confirmed(&mut browser, visit).await.left();
        assert_eq!(left.as_str(), format!("{}?state=posted", registered(server)));
        assert_signed_in(&mut browser, server, false).await;
    }

    async fn an_unregistered_return_address_gets_a_page_and_never_a_redirect(server: &TestServer) {
        let (mut browser, tokens) = signed_in(server).await;
        for uri in ["https://evil.example/", &format!("{}?foo=bar", registered(server)), &format!("{}/", registered(server))] {
            let url = end_session(server, &[("id_token_hint", tokens.id_token()), ("post_logout_redirect_uri", uri)]);
            assert_page_without_redirect(browser.get(&url).await);
        }
    }

    async fn a_hint_not_signed_by_us_gets_a_page_and_never_a_redirect(server: &TestServer) {
        let (mut browser, tokens) = signed_in(server).await;
        let kid = jose::header(tokens.id_token())["kid"].as_str().unwrap().to_owned();
        for hint in [
            jose::unsigned(tokens.id_token()),
            jose::with_broken_signature(tokens.id_token()),
            jose::with_claim(tokens.id_token(), "aud", json!("demo-post")),
            SigningKey::generate().announcing(&kid).sign(&tokens.id_claims()),
            "x".to_owned(),
        ] {
            let url = end_session(server, &[("id_token_hint", &hint), ("post_logout_redirect_uri", registered(server))]);
            assert_page_without_redirect(browser.get(&url).await);
        }
        assert_signed_in(&mut browser, server, true).await;
    }

    async fn an_access_token_is_no_hint(server: &TestServer) {
        let (mut browser, tokens) = signed_in(server).await;
        let parameters = [("id_token_hint", tokens.access_token()), ("post_logout_redirect_uri", registered(server))];
        assert_page_without_redirect(browser.get(&end_session(server, &parameters)).await);
    }

    async fn without_a_hint_nobody_is_sent_anywhere_even_after_yes(server: &TestServer) {
        let (mut browser, _) = signed_in(server).await;
        let url = end_session(server, &[("post_logout_redirect_uri", registered(server)), ("state", "x")]);
        let visit = browser.get(&url).await;
        confirmed(&mut browser, visit).await.page();
    }

    async fn without_parameters_the_person_confirms_and_sees_that_it_is_done(server: &TestServer) {
        for parameters in [&[][..], &[("state", "alone")][..]] {
            let (mut browser, _) = signed_in(server).await;
            let page = browser.get(&end_session(server, parameters)).await.page();
            assert!(page.has("logout-page"), "{}", page.summary());
            assert_signed_in(&mut browser, server, true).await;
            browser.get(&end_session(server, parameters)).await.page();
            let page = browser.click("logout-confirm").await.page();
            assert!(page.has("logged-out-page"), "{}", page.summary());
            assert_eq!(page.status, 200);
            assert_signed_in(&mut browser, server, false).await;
        }
    }

    async fn a_hint_without_a_return_address_ends_on_the_signed_out_page(server: &TestServer) {
        let (mut browser, tokens) = signed_in(server).await;
        let visit = browser.get(&end_session(server, &[("id_token_hint", tokens.id_token())])).await;
        let page = confirmed(&mut browser, visit).await.page();
        assert!(page.has("logged-out-page"), "{}", page.summary());
        assert_signed_in(&mut browser, server, false).await;
    }

    async fn nobody_signed_in_sees_the_signed_out_page_at_once(server: &TestServer) {
        let page = Browser::new().get(&end_session(server, &[])).await.page();
        assert!(page.has("logged-out-page"), "{}", page.summary());
    }

    async fn a_client_id_without_a_hint_asks_first_and_then_returns(server: &TestServer) {
        let (mut browser, _) = signed_in(server).await;
        let parameters = [("client_id", "demo-portal"), ("post_logout_redirect_uri", registered(server)), ("state", "c")];
        let page = browser.get(&end_session(server, &parameters)).await.page();
        assert!(page.has("logout-page"), "{}", page.summary());
        let left = browser.click("logout-confirm").await.left();
        assert_eq!(left.as_str(), format!("{}?state=c", registered(server)));
        assert_signed_in(&mut browser, server, false).await;
    }

    async fn staying_keeps_the_session(server: &TestServer) {
        let (mut browser, _) = signed_in(server).await;
        browser.get(&end_session(server, &[])).await.page();
        browser.click("logout-stay").await;
        assert_signed_in(&mut browser, server, true).await;
    }

    async fn a_confirmation_without_its_token_signs_nobody_out(server: &TestServer) {
        let (mut browser, _) = signed_in(server).await;
        browser.get(&end_session(server, &[])).await.page();
        let page = browser.submit("logout-form", &[("csrf", "forged")]).await.page();
        assert!(!page.has("logged-out-page") && page.status < 500, "{}", page.summary());
        assert_signed_in(&mut browser, server, true).await;
    }

    async fn a_hint_of_another_session_asks_first(server: &TestServer) {
        let (_, elsewhere) = signed_in(server).await;
        let (mut browser, _) = signed_in(server).await;
        let parameters = [("id_token_hint", elsewhere.id_token()), ("post_logout_redirect_uri", registered(server))];
        let page = browser.get(&end_session(server, &parameters)).await.page();
        assert!(page.has("logout-page"), "{}", page.summary());
        assert_signed_in(&mut browser, server, true).await;
    }

    async fn a_stolen_cookie_is_worth_nothing_after_signing_out(server: &TestServer) {
        let (mut browser, tokens) = signed_in(server).await;
        let mut thief = browser.clone();
        assert_signed_in(&mut thief, server, true).await;
        let visit = browser.get(&end_session(server, &[("id_token_hint", tokens.id_token())])).await;
        confirmed(&mut browser, visit).await.page();
        assert_signed_in(&mut thief, server, false).await;
    }

    async fn signing_out_of_one_browser_leaves_the_other_signed_in(server: &TestServer) {
        let (mut first, tokens) = signed_in(server).await;
        let (mut second, _) = signed_in(server).await;
        let visit = first.get(&end_session(server, &[("id_token_hint", tokens.id_token())])).await;
        confirmed(&mut first, visit).await.page();
        assert_signed_in(&mut second, server, true).await;
    }

    async fn an_offline_refresh_token_survives_signing_out(server: &TestServer) {
        let request = AuthorizationRequest::of(server.client("demo-portal")).offline();
        let (mut browser, tokens) = signed_in_with(server, &request).await;
        let visit = browser.get(&end_session(server, &[("id_token_hint", tokens.id_token())])).await;
        confirmed(&mut browser, visit).await.page();
        let refreshed = Tokens::from(&refresh(server, server.client("demo-portal"), tokens.refresh_token()).await);
        assert_eq!(userinfo(server, refreshed.access_token()).await.status, 200);
    }

    async fn a_refresh_token_bound_to_the_session_ends_with_it(server: &TestServer) {
        let (mut browser, tokens) = signed_in(server).await;
        // A client without `offline_access` may get none at all, which is as good.
        let online = tokens.response.get("refresh_token").and_then(|token| token.as_str()).map(str::to_owned);
        let visit = browser.get(&end_session(server, &[("id_token_hint", tokens.id_token())])).await;
        confirmed(&mut browser, visit).await.page();
        if let Some(online) = online {
            refresh(server, server.client("demo-portal"), &online).await.assert_oauth_error(400, "invalid_grant");
        }
    }

    async fn a_code_of_an_ended_session_opens_nothing(server: &TestServer) {
        let request = AuthorizationRequest::of(server.client("demo-portal"));
        let (mut browser, tokens) = signed_in(server).await;
        let response = browser.authorize(server, &request, server.learner()).await;
        let visit = browser.get(&end_session(server, &[("id_token_hint", tokens.id_token())])).await;
        confirmed(&mut browser, visit).await.page();
        let answer = redeem(server, server.client("demo-portal"), &Code::from(&request, &response)).await;
        answer.assert_oauth_error(400, "invalid_grant");
    }
}

own_journeys! {
    async fn an_expired_id_token_still_signs_out(mut server: TestServer) {
        let (mut browser, tokens) = signed_in(&server).await;
        server.advance(100 * 60).await;
        let parameters = [("id_token_hint", tokens.id_token()), ("post_logout_redirect_uri", registered(&server))];
        let visit = browser.get(&end_session(&server, &parameters)).await;
        assert_eq!(confirmed(&mut browser, visit).await.left().as_str(), registered(&server));
        assert_signed_in(&mut browser, &server, false).await;
    }
}
