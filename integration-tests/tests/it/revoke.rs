//! `/revoke`: a client gives back its tokens. RFC 7009.

use habilis_integration_tests::protocol::{
    AuthorizationRequest, Proof, Tokens, post_as, post_token, refresh, tokens_for, userinfo,
};
use habilis_integration_tests::{Answer, Http, TestServer};
use serde_json::{Value, json};

async fn revoke(server: &TestServer, client_id: &str, token: &str) -> Answer {
    post_as(server, server.client(client_id), ("/revoke", &[("token", token)])).await
}

async fn active(server: &TestServer, token: &str) -> Value {
    let answer = post_as(server, server.client("demo-portal"), ("/introspect", &[("token", token)])).await;
    answer.ok_json()["active"].clone()
}

async fn tokens(server: &TestServer) -> Tokens {
    tokens_for(server, &AuthorizationRequest::of(server.client("demo-portal")).offline(), server.learner()).await
}

journeys! {
    async fn a_revoked_access_token_opens_nothing_and_its_grant_lives(server: &TestServer) {
        let tokens = tokens(server).await;
        assert_eq!(userinfo(server, tokens.access_token()).await.status, 200);
        let answer = revoke(server, "demo-portal", tokens.access_token()).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, ""));
        assert_eq!(userinfo(server, tokens.access_token()).await.status, 401);
        assert_eq!(active(server, tokens.access_token()).await, json!(false));
        let again = Tokens::from(&refresh(server, server.client("demo-portal"), tokens.refresh_token()).await);
        assert_eq!(userinfo(server, again.access_token()).await.status, 200);
    }

    async fn a_revoked_access_token_opens_no_other_resource(server: &TestServer) {
        let tokens = tokens(server).await;
        let http = Http::new();
        let get = || http.request("GET", &server.url("/demo/resource")).bearer_auth(tokens.access_token());
        assert_eq!(http.send(get()).await.status, 200);
        assert_eq!(revoke(server, "demo-portal", tokens.access_token()).await.status, 200);
        assert_eq!(http.send(get()).await.status, 401);
    }

    async fn a_revoked_refresh_token_ends_its_whole_grant(server: &TestServer) {
        let tokens = tokens(server).await;
        assert_eq!(revoke(server, "demo-portal", tokens.refresh_token()).await.status, 200);
        refresh(server, server.client("demo-portal"), tokens.refresh_token()).await.assert_oauth_error(400, "invalid_grant");
        assert_eq!(userinfo(server, tokens.access_token()).await.status, 401);
        assert_eq!(active(server, tokens.refresh_token()).await, json!(false));
    }

    async fn a_service_token_can_be_given_back(server: &TestServer) {
        let client = server.client("demo-service");
        let proof = Proof::of(client, server).await;
        let answer = post_token(&Http::new(), server, &proof, &[("grant_type", "client_credentials")]).await;
        let token = Tokens::from(&answer).access_token().to_owned();
        assert_eq!(revoke(server, "demo-service", &token).await.status, 200);
        let answer = post_as(server, client, ("/introspect", &[("token", &token)])).await;
        assert_eq!(answer.ok_json(), json!({ "active": false }));
    }

    async fn revoking_twice_or_the_unknown_is_answered_alike(server: &TestServer) {
        let tokens = tokens(server).await;
        for token in [tokens.access_token(), tokens.access_token(), tokens.refresh_token(), tokens.refresh_token(), "x", "a.b.c"] {
            let answer = revoke(server, "demo-portal", token).await;
            assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{token}");
        }
    }

    async fn another_clients_token_is_untouched_and_nothing_is_told(server: &TestServer) {
        let tokens = tokens(server).await;
        for token in [tokens.access_token(), tokens.refresh_token()] {
            let answer = revoke(server, "demo-post", token).await;
            assert_eq!((answer.status, answer.body.as_str()), (200, ""));
        }
        assert_eq!(userinfo(server, tokens.access_token()).await.status, 200);
        Tokens::from(&refresh(server, server.client("demo-portal"), tokens.refresh_token()).await);
    }

    async fn a_wrong_hint_changes_nothing(server: &TestServer) {
        let tokens = tokens(server).await;
        let parameters = [("token", tokens.refresh_token()), ("token_type_hint", "access_token")];
        assert_eq!(post_as(server, server.client("demo-portal"), ("/revoke", &parameters)).await.status, 200);
        assert_eq!(active(server, tokens.refresh_token()).await, json!(false));
    }

    async fn an_id_token_cannot_be_revoked(server: &TestServer) {
        let tokens = tokens(server).await;
        revoke(server, "demo-portal", tokens.id_token()).await.assert_oauth_error(400, "unsupported_token_type");
    }

    async fn a_public_client_gives_back_its_own_tokens(server: &TestServer) {
        let request = AuthorizationRequest::of(server.client("demo-native"));
        let tokens = tokens_for(server, &request, server.learner()).await;
        assert_eq!(revoke(server, "demo-native", tokens.access_token()).await.status, 200);
        assert_eq!(userinfo(server, tokens.access_token()).await.status, 401);
    }

    async fn the_client_proves_itself_first(server: &TestServer) {
        let tokens = tokens(server).await;
        let fields = [("token", tokens.refresh_token()), ("client_id", "demo-portal")];
        Http::new().post_form(&server.url("/revoke"), &fields).await.assert_oauth_error(400, "invalid_client");
        assert_eq!(active(server, tokens.refresh_token()).await, json!(true));
        post_as(server, server.client("demo-portal"), ("/revoke", &[])).await.assert_oauth_error(400, "invalid_request");
        assert_eq!(Http::new().get(&server.url("/revoke")).await.status, 405);
    }
}
