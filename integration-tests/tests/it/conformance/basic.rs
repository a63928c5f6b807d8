//! The basic plan, where `authorize` and `token` say less than it asks.

use habilis_integration_tests::fapi::read_signed;
use habilis_integration_tests::jose;
use habilis_integration_tests::protocol::{
    AuthorizationRequest, AuthorizationResponse, Code, Tokens, redeem, tokens_for,
};
use habilis_integration_tests::{Browser, Http, TestServer};
use serde_json::json;

use super::super::registration::{client, register, registered};

fn request(server: &TestServer) -> AuthorizationRequest {
    AuthorizationRequest::of(server.client("demo-portal"))
}

journeys! {
    async fn an_id_token_is_fresh_and_its_claims_have_their_types(server: &TestServer) {
        let tokens = tokens_for(server, &request(server), server.learner()).await;
        let (claims, now) = (tokens.id_claims(), server.now().await.as_second());
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(server.issuer), &json!("demo-portal")));
        let (issued, expires) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
        assert!((now - 60..=now + 5).contains(&issued) && expires > now, "{claims} at {now}");
        assert!(claims["auth_time"].as_i64().is_some_and(|time| time <= issued), "{claims}");
        assert!(claims["acr"].as_str().is_some_and(|acr| !acr.is_empty()), "{claims}");
        assert!(claims["amr"].as_array().is_some_and(|amr| !amr.is_empty() && amr.iter().all(serde_json::Value::is_string)));
        let subject = claims["sub"].as_str().unwrap();
        assert!(subject.is_ascii() && (1..=255).contains(&subject.len()), "{subject}");
        let header = jose::header(tokens.id_token());
        let jwks = Http::new().get(&server.url("/jwks")).await.ok_json();
        let key = jwks["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]);
        jose::assert_signed(tokens.id_token(), key.expect("the kid is in the JWKS"));
    }

    async fn a_token_response_says_how_long_and_for_what(server: &TestServer) {
        let request = request(server).with("scope", "email openid");
        let tokens = tokens_for(server, &request, server.learner()).await;
        assert_eq!(tokens.response["scope"], "openid email");
        assert!(tokens.response["expires_in"].as_u64().is_some_and(|seconds| (60..=86_400).contains(&seconds)));
        for (name, value) in tokens.response.as_object().unwrap() {
            assert!(!value.is_null(), "{name}");
        }
    }

    async fn the_acr_given_is_one_of_those_asked_for(server: &TestServer) {
        // The suite asks for all that is advertised, and warns of any other in the answer.
        let metadata = Http::new().get(&server.url("/.well-known/openid-configuration")).await.ok_json();
        let mut all: Vec<_> =
            metadata["acr_values_supported"].as_array().unwrap().iter().map(|acr| acr.as_str().unwrap()).collect();
        for _ in 0..2 {
            let asked = request(server).with("acr_values", &all.join(" "));
            let acr = tokens_for(server, &asked, server.learner()).await.id_claims()["acr"].as_str().unwrap().to_owned();
            assert!(all.contains(&acr.as_str()), "{acr} is not among {all:?}");
            all.reverse();
        }
    }

    async fn an_id_token_of_another_client_is_a_hint_too(server: &TestServer) {
        let mut browser = Browser::new();
        let elsewhere = AuthorizationRequest::of(server.client("demo-es256"));
        let response = browser.authorize(server, &elsewhere, server.learner()).await;
        let hint = Tokens::from(&redeem(server, server.client("demo-es256"), &Code::from(&elsewhere, &response)).await);
        let silent = request(server).with("prompt", "none").with("id_token_hint", hint.id_token());
        AuthorizationResponse::from_url(browser.get(&silent.url(server)).await.left()).code();
    }

    async fn select_account_shows_the_sign_in_page_to_somebody_signed_in(server: &TestServer) {
        let mut browser = Browser::new();
        browser.authorize(server, &request(server), server.learner()).await;
        let page = browser.get(&request(server).with("prompt", "select_account").url(server)).await.page();
        assert!(page.has("login-form"), "{}", page.summary());
        AuthorizationResponse::from_url(browser.sign_in(server.learner_number(1)).await.left()).code();
    }

    async fn refusals_are_signed_for_whoever_asks_for_a_signed_response(server: &TestServer) {
        let signed = AuthorizationRequest::of(server.client("demo-es256")).with("response_mode", "jwt");
        for (request, error) in [
            (signed.clone().with("prompt", "none"), "login_required"),
            (signed.clone().with("max_age", "soon"), "invalid_request"),
            (signed.clone().with("response_type", "bread"), "unsupported_response_type"),
        ] {
            let url = Browser::new().get(&request.url(server)).await.left();
            let response = read_signed(server, &AuthorizationResponse::from_url(url), "demo-es256").await;
            response.assert_error(error, &request, server);
        }
    }

    async fn auth_time_is_there_for_a_client_that_requires_it(server: &TestServer) {
        let metadata = json!({ "redirect_uris": ["https://rp.example/cb"], "require_auth_time": true });
        let registered = client(&registered(&register(server, &metadata).await));
        let request = AuthorizationRequest::of(&registered);
        let response = Browser::new().authorize(server, &request, server.learner()).await;
        let tokens = Tokens::from(&redeem(server, &registered, &Code::from(&request, &response)).await);
        assert!(tokens.id_claims()["auth_time"].is_u64(), "{}", tokens.id_claims());
    }
}

own_journeys! {
    async fn default_max_age_is_max_age_for_who_does_not_say(mut server: TestServer) {
        let metadata = json!({ "redirect_uris": ["https://rp.example/cb"], "default_max_age": 60 });
        let registered = client(&registered(&register(&server, &metadata).await));
        let request = AuthorizationRequest::of(&registered);
        let mut browser = Browser::new();
        browser.authorize(&server, &request, server.learner()).await.code();
        server.advance(30).await;
        browser.authorize(&server, &request, server.learner()).await.code();
        server.advance(40).await;
        assert!(browser.get(&request.url(&server)).await.page().has("login-form"), "the sign-in is older than a minute");
        let longer = request.with("max_age", "3600");
        browser.authorize(&server, &longer, server.learner()).await.code();
    }

    async fn a_code_reused_half_a_minute_later_takes_its_tokens_with_it(mut server: TestServer) {
        let portal = server.client("demo-portal").clone();
        let code = habilis_integration_tests::protocol::code_for(&server, &request(&server), server.learner()).await;
        let tokens = Tokens::from(&redeem(&server, &portal, &code).await);
        server.advance(30).await;
        redeem(&server, &portal, &code).await.assert_oauth_error(400, "invalid_grant");
        let answer = habilis_integration_tests::protocol::userinfo(&server, tokens.access_token()).await;
        assert_eq!(answer.status, 401, "{}", answer.body);
    }
}
