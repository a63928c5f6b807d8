//! `/introspect`: RFC 7662, and the signed answer of RFC 9701. `/revoke`: RFC 7009.

use habilis_integration_tests::protocol::{
    AuthorizationRequest, Proof, Tokens, post_token, refresh, tokens_for, userinfo,
};
use habilis_integration_tests::{Answer, Http, TestServer, jose};
use serde_json::json;

/// A POST to `path` about `token`, as this client.
async fn ask(server: &TestServer, (path, accept): (&str, &str), client: &str, token: &str) -> Answer {
    let http = Http::new();
    let mut form = vec![("token".to_owned(), token.to_owned())];
    let request = http.request("POST", &server.url(path)).header("accept", accept);
    let request = match Proof::of(server.client(client), server).await {
        Proof::Basic(header) => request.header("authorization", header),
        Proof::Form(fields) => {
            form.extend(fields);
            request
        }
    };
    http.send(request.form(&form)).await
}

pub(crate) async fn introspect(server: &TestServer, client: &str, token: &str) -> serde_json::Value {
    let answer = ask(server, ("/introspect", "application/json"), client, token).await;
    assert!(answer.header("cache-control").contains("no-store"));
    answer.ok_json()
}

pub(crate) async fn revoke(server: &TestServer, client: &str, token: &str) {
    let answer = ask(server, ("/revoke", "*/*"), client, token).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
}

pub(crate) async fn offline(server: &TestServer) -> Tokens {
    tokens_for(server, &AuthorizationRequest::of(server.client("demo-portal")).offline(), server.learner()).await
}

journeys! {
    async fn a_client_learns_what_its_tokens_allow(server: &TestServer) {
        let tokens = offline(server).await;
        let access = introspect(server, "demo-portal", tokens.access_token()).await;
        assert_eq!(access["active"], true);
        assert_eq!((&access["iss"], &access["client_id"]), (&json!(server.issuer), &json!("demo-portal")));
        assert_eq!(access["sub"], tokens.id_claims()["sub"]);
        assert_eq!(access["scope"], "openid offline_access");
        assert!(access["exp"].as_i64() > access["iat"].as_i64());
        let refresh = introspect(server, "demo-portal", tokens.refresh_token()).await;
        assert_eq!((&refresh["active"], &refresh["sub"]), (&json!(true), &access["sub"]));
    }

    async fn anything_else_is_inactive_without_a_word_why(server: &TestServer) {
        let tokens = offline(server).await;
        let broken = jose::with_broken_signature(tokens.access_token());
        for token in ["x", broken.as_str(), tokens.id_token()] {
            assert_eq!(introspect(server, "demo-portal", token).await, json!({ "active": false }));
        }
        for token in [tokens.access_token(), tokens.refresh_token()] {
            assert_eq!(introspect(server, "demo-post", token).await, json!({ "active": false }));
        }
    }

    async fn introspection_needs_a_client_that_proves_itself(server: &TestServer) {
        let tokens = offline(server).await;
        let public = ask(server, ("/introspect", "*/*"), "demo-native", tokens.access_token()).await;
        public.assert_oauth_error(401, "invalid_client");
        let http = Http::new();
        let nobody = http.post_form(&server.url("/introspect"), &[("token", tokens.access_token())]).await;
        nobody.assert_oauth_error(400, "invalid_client");
    }

    async fn the_answer_is_signed_when_asked_for(server: &TestServer) {
        let tokens = offline(server).await;
        let kind = "application/token-introspection+jwt";
        let answer = ask(server, ("/introspect", kind), "demo-portal", tokens.access_token()).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, kind));
        assert_eq!(jose::header(&answer.body)["typ"], "token-introspection+jwt");
        let claims = jose::claims(&answer.body);
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(server.issuer), &json!("demo-portal")));
        assert_eq!(claims["token_introspection"]["active"], true);
        assert!(claims.get("sub").is_none() && claims.get("exp").is_none());
    }

    async fn a_revoked_access_token_opens_nothing_and_the_grant_lives_on(server: &TestServer) {
        let tokens = offline(server).await;
        assert_eq!(userinfo(server, tokens.access_token()).await.status, 200);
        revoke(server, "demo-portal", tokens.access_token()).await;
        assert_eq!(userinfo(server, tokens.access_token()).await.status, 401);
        assert_eq!(introspect(server, "demo-portal", tokens.access_token()).await, json!({ "active": false }));
        let next = Tokens::from(&refresh(server, server.client("demo-portal"), tokens.refresh_token()).await);
        assert_eq!(userinfo(server, next.access_token()).await.status, 200);
    }

    async fn a_revoked_refresh_token_takes_its_grant_with_it(server: &TestServer) {
        let tokens = offline(server).await;
        revoke(server, "demo-portal", tokens.refresh_token()).await;
        refresh(server, server.client("demo-portal"), tokens.refresh_token()).await.assert_oauth_error(400, "invalid_grant");
        assert_eq!(userinfo(server, tokens.access_token()).await.status, 401);
        assert_eq!(introspect(server, "demo-portal", tokens.refresh_token()).await, json!({ "active": false }));
    }

    async fn another_clients_token_and_an_unknown_one_are_answered_alike_and_untouched(server: &TestServer) {
        let tokens = offline(server).await;
        for token in ["unknown", tokens.access_token(), tokens.refresh_token()] {
            revoke(server, "demo-post", token).await;
        }
        assert_eq!(userinfo(server, tokens.access_token()).await.status, 200);
        Tokens::from(&refresh(server, server.client("demo-portal"), tokens.refresh_token()).await);
    }

    async fn a_services_own_token_is_introspected_and_revoked_too(server: &TestServer) {
        let service = server.client("demo-service");
        let proof = Proof::of(service, server).await;
        let answer = post_token(&Http::new(), server, &proof, &[("grant_type", "client_credentials")]).await;
        let tokens = Tokens::from(&answer);
        assert_eq!(introspect(server, "demo-service", tokens.access_token()).await["sub"], "demo-service");
        revoke(server, "demo-service", tokens.access_token()).await;
        assert_eq!(introspect(server, "demo-service", tokens.access_token()).await, json!({ "active": false }));
    }

    async fn a_revocation_without_a_token_is_an_invalid_request(server: &TestServer) {
        ask(server, ("/revoke", "*/*"), "demo-portal", "").await.assert_oauth_error(400, "invalid_request");
    }
}
