//! `/register`: dynamic registration (RFC 7591, OIDC Registration §3) and its management (RFC 7592).

use habilis_integration_tests::protocol::{AuthorizationRequest, Code, Tokens, redeem, userinfo};
use habilis_integration_tests::{Answer, Browser, Client, Http, TestServer, Visit};
use serde_json::{Value, json};

const CALLBACK: &str = "https://portail.example/retour";

async fn register(server: &TestServer, metadata: &Value) -> Answer {
    let http = Http::new();
    http.send(http.request("POST", &server.url("/register")).json(metadata)).await
}

async fn registered(server: &TestServer, metadata: &Value) -> Value {
    let answer = register(server, metadata).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert!(answer.header("cache-control").contains("no-store"));
    answer.json()
}

async fn manage(method: &str, client: &Value, token: &str, body: Option<&Value>) -> Answer {
    let http = Http::new();
    let uri = client["registration_client_uri"].as_str().unwrap();
    let request = http.request(method, uri).bearer_auth(token);
    http.send(match body {
        Some(body) => request.json(body),
        None => request,
    })
    .await
}

fn token(client: &Value) -> &str {
    client["registration_access_token"].as_str().unwrap()
}

journeys! {
    async fn a_registration_gets_its_defaults_its_secret_and_its_address(server: &TestServer) {
        let client = registered(server, &json!({ "redirect_uris": [CALLBACK], "unknown": 1, "logo_uri": null })).await;
        assert_eq!(client["response_types"], json!(["code"]));
        assert_eq!(client["grant_types"], json!(["authorization_code"]));
        assert_eq!(client["token_endpoint_auth_method"], "client_secret_basic");
        assert_eq!(client["id_token_signed_response_alg"], "RS256");
        assert_eq!((&client["subject_type"], &client["application_type"]), (&json!("public"), &json!("web")));
        assert_eq!(client["client_secret_expires_at"], 0);
        assert!(client["client_secret"].as_str().is_some_and(|secret| secret.len() >= 43), "{client}");
        assert!(client["client_id_issued_at"].as_i64().is_some_and(|at| at > 1_700_000_000), "{client}");
        assert!(client.get("unknown").is_none() && client.get("logo_uri").is_none(), "{client}");
        let discovery = Http::new().get(&server.url("/.well-known/openid-configuration")).await.ok_json();
        assert_eq!(discovery["registration_endpoint"], server.url("/register"));
    }

    async fn a_registered_client_signs_people_in_after_their_consent(server: &TestServer) {
        let answer = registered(server, &json!({ "redirect_uris": [CALLBACK], "client_name": "Portail neuf" })).await;
        let client: Client = serde_json::from_value(answer).unwrap();
        let request = AuthorizationRequest::of(&client);
        let mut browser = Browser::new();
        browser.get(&request.url(server)).await.page();
        let consent = browser.sign_in(server.learner()).await.page();
        assert!(consent.has("consent-page"), "{}", consent.summary());
        let response = browser.finish(Visit::Page(consent), server.learner()).await;
        let tokens = Tokens::from(&redeem(server, &client, &Code::from(&request, &response)).await);
        assert_eq!(tokens.id_claims()["aud"], json!(client.client_id));
        assert_eq!(userinfo(server, tokens.access_token()).await.status, 200);
    }

    async fn metadata_that_cannot_be_is_refused_with_its_code(server: &TestServer) {
        let with = |name: &str, value: Value| json!({ "redirect_uris": [CALLBACK], name: value });
        let cases = [
            (json!({ "redirect_uris": ["https://portail.example/#part"] }), "invalid_redirect_uri"),
            (json!({}), "invalid_redirect_uri"),
            (with("initiate_login_uri", json!("http://portail.example/login")), "invalid_client_metadata"),
            (with("response_types", json!(["id_token"])), "invalid_client_metadata"),
            (with("grant_types", json!("authorization_code")), "invalid_client_metadata"),
            (with("token_endpoint_auth_method", json!("private_key_jwt")), "invalid_client_metadata"),
            (with("id_token_signed_response_alg", json!("none")), "invalid_client_metadata"),
            (with("subject_type", json!("pairwise")), "invalid_client_metadata"),
            (with("jwks", json!({ "keys": [{ "kty": "oct", "k": "AAAA" }] })), "invalid_client_metadata"),
            (json!([CALLBACK]), "invalid_client_metadata"),
        ];
        for (metadata, error) in cases {
            register(server, &metadata).await.assert_oauth_error(400, error);
        }
        let answer = Http::new().post_bytes(&server.url("/register"), "application/json", b"{".to_vec()).await;
        answer.assert_oauth_error(400, "invalid_client_metadata");
    }

    async fn a_stranger_cannot_take_a_scope_of_the_operators(server: &TestServer) {
        let client = registered(server, &json!({ "redirect_uris": [CALLBACK], "scope": "openid habilis.admin" })).await;
        assert_eq!(client["scope"], "openid");
    }

    async fn a_registration_is_read_again_with_its_token(server: &TestServer) {
        let login = "https://portail.example/connexion";
        let client = registered(server, &json!({ "redirect_uris": [CALLBACK], "initiate_login_uri": login })).await;
        let answer = manage("GET", &client, token(&client), None).await;
        assert!(answer.header("cache-control").contains("no-store"));
        let read = answer.ok_json();
        assert_eq!((&read["client_id"], &read["initiate_login_uri"]), (&client["client_id"], &json!(login)));
    }

    async fn a_registration_is_replaced_and_keeps_its_secret(server: &TestServer) {
        let answer = registered(server, &json!({ "redirect_uris": [CALLBACK], "client_uri": "https://a.example/" })).await;
        let other = "https://portail.example/autre";
        let body = json!({ "client_id": answer["client_id"], "redirect_uris": [other] });
        let changed = manage("PUT", &answer, token(&answer), Some(&body)).await.ok_json();
        assert_eq!(changed["redirect_uris"], json!([other]));
        assert!(changed.get("client_uri").is_none(), "what is left out is gone: {changed}");
        let mut client: Client = serde_json::from_value(answer.clone()).unwrap();
        client.redirect_uris = vec![other.to_owned()];
        tokens_with(server, &client).await;
        let body = json!({ "client_id": "demo-portal", "redirect_uris": [other] });
        manage("PUT", &answer, token(&answer), Some(&body)).await.assert_oauth_error(400, "invalid_request");
    }

    async fn a_deleted_client_is_gone_at_once(server: &TestServer) {
        let answer = registered(server, &json!({ "redirect_uris": [CALLBACK] })).await;
        let client: Client = serde_json::from_value(answer.clone()).unwrap();
        let tokens = tokens_with(server, &client).await;
        let deleted = manage("DELETE", &answer, token(&answer), None).await;
        assert_eq!((deleted.status, deleted.body.as_str()), (204, ""));
        manage("GET", &answer, token(&answer), None).await.assert_oauth_error(401, "invalid_token");
        manage("DELETE", &answer, token(&answer), None).await.assert_oauth_error(401, "invalid_token");
        assert_eq!(userinfo(server, tokens.access_token()).await.status, 401);
        let page = Browser::new().get(&AuthorizationRequest::of(&client).url(server)).await.page();
        assert_eq!(page.status, 400, "{}", page.summary());
    }

    async fn a_wrong_token_opens_no_registration(server: &TestServer) {
        let mine = registered(server, &json!({ "redirect_uris": [CALLBACK] })).await;
        let other = registered(server, &json!({ "redirect_uris": [CALLBACK] })).await;
        for method in ["GET", "DELETE"] {
            manage(method, &mine, token(&other), None).await.assert_oauth_error(401, "invalid_token");
        }
        let operators = json!({ "registration_client_uri": server.url("/register/demo-portal") });
        manage("DELETE", &operators, token(&other), None).await.assert_oauth_error(401, "invalid_token");
        manage("GET", &mine, token(&mine), None).await.ok_json();
    }

    async fn one_network_registers_a_bounded_number_of_clients(server: &TestServer) {
        let http = Http::new();
        let metadata = json!({ "redirect_uris": [CALLBACK] });
        for _ in 0..20 {
            assert_eq!(http.send(http.request("POST", &server.url("/register")).json(&metadata)).await.status, 201);
        }
        assert_eq!(http.send(http.request("POST", &server.url("/register")).json(&metadata)).await.status, 429);
        registered(server, &metadata).await;
    }
}

async fn tokens_with(server: &TestServer, client: &Client) -> Tokens {
    let request = AuthorizationRequest::of(client);
    let response = Browser::new().authorize(server, &request, server.learner()).await;
    Tokens::from(&redeem(server, client, &Code::from(&request, &response)).await)
}
