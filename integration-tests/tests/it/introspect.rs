//! `/introspect`: what a token is worth, to whom, and how it is said. RFC 7662, RFC 9701.

use habilis_integration_tests::fapi::verified;
use habilis_integration_tests::jose;
use habilis_integration_tests::protocol::{
    AuthorizationRequest, Code, Proof, Tokens, post_as, post_token, proven, redeem, tokens_for,
};
use habilis_integration_tests::{Answer, Browser, Http, TestServer, fapi};
use serde_json::{Value, json};

async fn introspect(server: &TestServer, client_id: &str, token: &str) -> Value {
    let answer = post_as(server, server.client(client_id), ("/introspect", &[("token", token)])).await;
    assert!(answer.header("cache-control").contains("no-store"), "{}", answer.header("cache-control"));
    answer.ok_json()
}

async fn tokens(server: &TestServer) -> Tokens {
    tokens_for(server, &AuthorizationRequest::of(server.client("demo-portal")).offline(), server.learner()).await
}

fn inactive() -> Value {
    json!({ "active": false })
}

async fn introspect_signed(server: &TestServer, token: &str) -> Answer {
    let client = server.client("demo-resource");
    let (http, proof) = (Http::new(), Proof::of(client, server).await);
    let request = http.request("POST", &server.url("/introspect"));
    let request = request.header("accept", "application/token-introspection+jwt");
    http.send(proven(request, &proof, &[("token", token)])).await
}

journeys! {
    async fn a_client_learns_what_its_access_token_is_worth(server: &TestServer) {
        let tokens = tokens(server).await;
        let claims = jose::claims(tokens.access_token());
        let found = introspect(server, "demo-portal", tokens.access_token()).await;
        assert_eq!((&found["active"], &found["token_type"]), (&json!(true), &json!("Bearer")));
        for name in ["iss", "sub", "aud", "client_id", "scope", "exp", "iat", "jti", "acr", "auth_time"] {
            assert!(!found[name].is_null() && found[name] == claims[name], "{name}: {found}");
        }
        assert!(found.get("grant_id").is_none() && found.get("cnf").is_none(), "{found}");
    }

    async fn a_client_learns_what_its_refresh_token_is_worth(server: &TestServer) {
        let tokens = tokens(server).await;
        let found = introspect(server, "demo-portal", tokens.refresh_token()).await;
        assert_eq!(found["active"], json!(true));
        assert_eq!(found["sub"], tokens.id_claims()["sub"]);
        assert_eq!((&found["client_id"], &found["scope"]), (&json!("demo-portal"), &json!("openid offline_access")));
        assert!(found["exp"].as_i64().unwrap() > found["iat"].as_i64().unwrap());
        assert!(found.get("token_type").is_none(), "nobody may take it for an access token: {found}");
    }

    async fn a_wrong_hint_changes_nothing(server: &TestServer) {
        let tokens = tokens(server).await;
        for (token, hint) in [
            (tokens.access_token(), "refresh_token"), (tokens.refresh_token(), "access_token"), (tokens.access_token(), "x"),
        ] {
            let parameters = [("token", token), ("token_type_hint", hint)];
            let answer = post_as(server, server.client("demo-portal"), ("/introspect", &parameters)).await;
            assert_eq!(answer.ok_json()["active"], json!(true), "{hint}");
        }
    }

    async fn another_client_learns_nothing(server: &TestServer) {
        let tokens = tokens(server).await;
        for token in [tokens.access_token(), tokens.refresh_token()] {
            assert_eq!(introspect(server, "demo-post", token).await, inactive());
        }
    }

    async fn a_resource_server_is_told_of_every_access_token_and_of_no_refresh_token(server: &TestServer) {
        let tokens = tokens(server).await;
        let found = introspect(server, "demo-resource", tokens.access_token()).await;
        assert_eq!((&found["active"], &found["client_id"]), (&json!(true), &json!("demo-portal")));
        assert_eq!(introspect(server, "demo-resource", tokens.refresh_token()).await, inactive());
    }

    async fn what_is_no_living_token_is_inactive_and_nothing_more(server: &TestServer) {
        let tokens = tokens(server).await;
        for token in [
            "unknown",
            "a.b.c",
            tokens.id_token(),
            &jose::unsigned(tokens.access_token()),
            &jose::with_broken_signature(tokens.access_token()),
            &jose::with_claim(tokens.access_token(), "scope", json!("admin")),
        ] {
            assert_eq!(introspect(server, "demo-resource", token).await, inactive(), "{token}");
        }
    }

    async fn a_service_token_is_active_without_a_person(server: &TestServer) {
        let client = server.client("demo-service");
        let proof = Proof::of(client, server).await;
        let answer = post_token(&Http::new(), server, &proof, &[("grant_type", "client_credentials")]).await;
        let found = introspect(server, "demo-service", Tokens::from(&answer).access_token()).await;
        assert_eq!((&found["active"], &found["sub"]), (&json!(true), &json!("demo-service")));
        assert!(found.get("auth_time").is_none(), "{found}");
    }

    async fn a_bound_token_shows_its_key(server: &TestServer) {
        let request = AuthorizationRequest::of(server.client("demo-fapi"));
        let code = fapi::code_for(server, &request, server.learner()).await;
        let key = jose::SigningKey::generate();
        let bound = fapi::bound(&fapi::redeem(server, server.client("demo-fapi"), &code, &key).await);
        let found = introspect(server, "demo-resource", bound["access_token"].as_str().unwrap()).await;
        assert_eq!((&found["active"], &found["token_type"]), (&json!(true), &json!("DPoP")));
        assert_eq!(found["cnf"]["jkt"], json!(key.thumbprint()));
    }

    async fn only_a_client_that_proves_itself_may_ask(server: &TestServer) {
        let tokens = tokens(server).await;
        let http = Http::new();
        let fields = [("token", tokens.access_token())];
        let anonymous = http.post_form(&server.url("/introspect"), &fields).await;
        anonymous.assert_oauth_error(400, "invalid_client");
        post_as(server, server.client("demo-native"), ("/introspect", &fields)).await.assert_oauth_error(401, "invalid_client");
        let wrong = Proof::basic("demo-portal", "wrong");
        let request = http.request("POST", &server.url("/introspect"));
        http.send(proven(request, &wrong, &fields)).await.assert_oauth_error(401, "invalid_client");
        let bearer = http.request("POST", &server.url("/introspect")).bearer_auth(tokens.access_token()).form(&fields);
        assert_eq!(http.send(bearer).await.status, 401);
    }

    async fn without_a_token_the_request_is_invalid(server: &TestServer) {
        let answer = post_as(server, server.client("demo-portal"), ("/introspect", &[])).await;
        answer.assert_oauth_error(400, "invalid_request");
        let twice = [("token", "a"), ("token", "b")];
        post_as(server, server.client("demo-portal"), ("/introspect", &twice)).await.assert_oauth_error(400, "invalid_request");
        assert_eq!(Http::new().get(&server.url("/introspect")).await.status, 405);
    }

    async fn signing_out_ends_the_token(server: &TestServer) {
        let request = AuthorizationRequest::of(server.client("demo-portal"));
        let mut browser = Browser::new();
        let response = browser.authorize(server, &request, server.learner()).await;
        let tokens = Tokens::from(&redeem(server, server.client("demo-portal"), &Code::from(&request, &response)).await);
        assert_eq!(introspect(server, "demo-portal", tokens.access_token()).await["active"], json!(true));
        browser.get(&server.url(&format!("/end-session?id_token_hint={}", tokens.id_token()))).await.page();
        assert_eq!(introspect(server, "demo-portal", tokens.access_token()).await, inactive());
    }

    async fn the_answer_is_signed_for_a_caller_that_asks(server: &TestServer) {
        let tokens = tokens(server).await;
        for (token, active) in [(tokens.access_token(), true), ("unknown", false)] {
            let answer = introspect_signed(server, token).await;
            assert_eq!((answer.status, answer.header("content-type")), (200, "application/token-introspection+jwt"));
            assert!(answer.header("cache-control").contains("no-store"));
            let header = jose::header(&answer.body);
            assert_eq!((&header["typ"], &header["alg"]), (&json!("token-introspection+jwt"), &json!("ES256")));
            let claims = verified(server, &answer.body).await;
            assert_eq!((&claims["iss"], &claims["aud"]), (&json!(server.issuer), &json!("demo-resource")));
            assert_eq!(claims["token_introspection"]["active"], json!(active));
            assert!(claims["iat"].is_i64() && claims.get("exp").is_none() && claims.get("sub").is_none(), "{claims}");
        }
    }
}

own_journeys! {
    async fn an_expired_token_is_inactive(mut server: TestServer) {
        let tokens = tokens(&server).await;
        server.advance(61 * 60).await;
        assert_eq!(introspect(&server, "demo-portal", tokens.access_token()).await, inactive());
        assert_eq!(introspect(&server, "demo-portal", tokens.refresh_token()).await["active"], json!(true));
        server.advance(400 * 24 * 3600).await;
        assert_eq!(introspect(&server, "demo-portal", tokens.refresh_token()).await, inactive());
    }
}
