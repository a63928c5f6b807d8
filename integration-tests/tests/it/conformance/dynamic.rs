//! The dynamic plan, and what the other plans ask when the client has registered itself.

use habilis_integration_tests::fapi::verified;
use habilis_integration_tests::jose::{self, SigningKey};
use habilis_integration_tests::protocol::{
    AuthorizationRequest, AuthorizationResponse, Code, Proof, Tokens, assertion_claims, post_token, redeem, refresh,
    userinfo,
};
use habilis_integration_tests::stub::Stub;
use habilis_integration_tests::{Answer, Browser, Client, Http, Listener, TestServer};
use serde_json::{Value, json};

use super::super::registration::{client, register, registered};

const REDIRECT: &str = "https://rp.example/cb";

/// A client that registered this beside its redirect URI.
async fn registered_with(server: &TestServer, mut metadata: Value) -> (Client, Value) {
    metadata["redirect_uris"] = json!([REDIRECT]);
    let shown = registered(&register(server, &metadata).await);
    (client(&shown), shown)
}

fn key(kid: &str) -> (SigningKey, Value) {
    let key = SigningKey::generate().announcing(kid);
    let mut public = key.public_jwk();
    public["kid"] = json!(kid);
    (key, public)
}

async fn code(server: &TestServer, request: &AuthorizationRequest, browser: &mut Browser) -> Code {
    Code::from(request, &browser.authorize(server, request, server.learner()).await)
}

/// A token request of this client under an assertion for the token endpoint, as the dynamic plan makes them.
async fn ask_as(server: &TestServer, client: &Client, key: &SigningKey, parameters: &[(&str, &str)]) -> Answer {
    let mut claims = assertion_claims(client, server, server.now().await);
    claims["aud"] = json!(server.url("/token"));
    post_token(&Http::new(), server, &Proof::assertion(&key.sign(&claims)), parameters).await
}

journeys! {
    async fn id_tokens_are_rs256_with_a_kid_unless_another_algorithm_is_registered(server: &TestServer) {
        let cases = [
            (json!({}), "RS256"),
            (json!({ "id_token_signed_response_alg": "RS256" }), "RS256"),
            (json!({ "id_token_signed_response_alg": "ES256" }), "ES256"),
        ];
        for (metadata, algorithm) in cases {
            let (client, _) = registered_with(server, metadata).await;
            let code = code(server, &AuthorizationRequest::of(&client), &mut Browser::new()).await;
            let tokens = Tokens::from(&redeem(server, &client, &code).await);
            let header = jose::header(tokens.id_token());
            assert_eq!(header["alg"], algorithm);
            assert!(header["kid"].as_str().is_some_and(|kid| !kid.is_empty()), "{header}");
            assert_eq!(verified(server, tokens.id_token()).await["aud"], json!(client.client_id));
        }
    }

    async fn userinfo_is_an_rs256_jwt_for_who_registers_it(server: &TestServer) {
        let (client, _) = registered_with(server, json!({ "userinfo_signed_response_alg": "RS256" })).await;
        let code = code(server, &AuthorizationRequest::of(&client), &mut Browser::new()).await;
        let tokens = Tokens::from(&redeem(server, &client, &code).await);
        let answer = userinfo(server, tokens.access_token()).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/jwt"));
        assert_eq!(jose::header(&answer.body)["alg"], "RS256");
        let claims = verified(server, &answer.body).await;
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(server.issuer), &json!(client.client_id)));
        assert_eq!((&claims["sub"], claims.get("nonce")), (&tokens.id_claims()["sub"], None));
    }

    async fn a_client_proves_itself_by_an_assertion_for_the_issuer_or_for_the_token_endpoint(server: &TestServer) {
        let (signs, public) = key("1");
        let metadata = json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": { "keys": [public] } });
        let (client, _) = registered_with(server, metadata).await;
        for audience in [json!(server.url("/token")), json!(server.issuer), json!([server.issuer])] {
            let code = code(server, &AuthorizationRequest::of(&client), &mut Browser::new()).await;
            let mut claims = assertion_claims(&client, server, server.now().await);
            claims["aud"] = audience;
            let proof = Proof::assertion(&signs.sign(&claims));
            Tokens::from(&post_token(&Http::new(), server, &proof, &code.parameters()).await);
        }
    }

    async fn two_clients_refresh_and_neither_can_with_the_token_of_the_other(server: &TestServer) {
        let metadata = || json!({ "grant_types": ["authorization_code", "refresh_token"] });
        let (one, _) = registered_with(server, metadata()).await;
        let (two, _) = registered_with(server, metadata()).await;
        let mut given = Vec::new();
        for client in [&one, &two] {
            let request = AuthorizationRequest::of(client).offline();
            let tokens = Tokens::from(&redeem(server, client, &code(server, &request, &mut Browser::new()).await).await);
            let token = tokens.refresh_token().to_owned();
            assert!(token.len() >= 43 && token.bytes().all(|byte| byte.is_ascii_graphic()), "RFC 6749 A.17");
            let again = Tokens::from(&refresh(server, client, &token).await);
            let (before, after) = (tokens.id_claims(), again.id_claims());
            for name in ["iss", "sub", "aud", "auth_time"] {
                assert_eq!(before[name], after[name], "{name}");
            }
            given.push(token);
        }
        refresh(server, &one, &given[1]).await.assert_oauth_error(400, "invalid_grant");
        refresh(server, &two, &given[0]).await.assert_oauth_error(400, "invalid_grant");
    }

    async fn the_first_page_shows_logo_policy_and_terms(server: &TestServer) {
        let metadata = json!({
            "logo_uri": "https://rp.example/logo.png", "policy_uri": "https://rp.example/policy", "tos_uri": "https://rp.example/tos",
        });
        let (client, _) = registered_with(server, metadata).await;
        let mut browser = Browser::new();
        let first = browser.get(&AuthorizationRequest::of(&client).url(server)).await.page();
        let second = browser.sign_in(server.learner()).await.page();
        assert!(first.has("login-page") && second.has("consent-page"));
        for page in [first, second] {
            assert_eq!(page.attribute("client-logo", "src").as_deref(), Some("https://rp.example/logo.png"));
            assert_eq!(page.attribute("client-policy", "href").as_deref(), Some("https://rp.example/policy"));
            assert_eq!(page.attribute("client-tos", "href").as_deref(), Some("https://rp.example/tos"));
            let policy = page.header("content-security-policy");
            assert!(policy.contains("img-src") && policy.contains("https:"), "{policy}");
            assert!(!policy.contains("form-action"), "{policy}");
        }
    }

    async fn a_registered_client_signs_people_out_to_the_address_it_registered(server: &TestServer) {
        let metadata = json!({ "post_logout_redirect_uris": ["https://rp.example/out"] });
        let (client, shown) = registered_with(server, metadata).await;
        assert_eq!(shown["post_logout_redirect_uris"], json!(["https://rp.example/out"]));
        let mut browser = Browser::new();
        let request = AuthorizationRequest::of(&client);
        let tokens = Tokens::from(&redeem(server, &client, &code(server, &request, &mut browser).await).await);
        let query = format!("?id_token_hint={}&post_logout_redirect_uri=https%3A%2F%2Frp.example%2Fout", tokens.id_token());
        let refused = browser.get(&server.url(&format!("/end-session{query}%3Ffoo%3Dbar"))).await;
        refused.assert_error_page("invalid_request");
        let left = browser.get(&server.url(&format!("/end-session{query}&state=s1"))).await.left();
        assert_eq!(left.as_str(), "https://rp.example/out?state=s1");
        let silent = request.with("prompt", "none");
        let response = AuthorizationResponse::from_url(browser.get(&silent.url(server)).await.left());
        response.assert_error("login_required", &silent, server);
    }

    async fn logout_addresses_are_echoed_and_used(server: &TestServer) {
        let listener = Listener::start().await;
        let metadata = json!({
            "redirect_uris": [format!("{}/cb", listener.base)],
            "backchannel_logout_uri": format!("{}/back", listener.base), "backchannel_logout_session_required": true,
            "frontchannel_logout_uri": format!("{}/front", listener.base), "frontchannel_logout_session_required": true,
        });
        let shown = registered(&register(server, &metadata).await);
        for (name, value) in metadata.as_object().unwrap() {
            assert_eq!(&shown[name], value, "{name}");
        }
        let client = client(&shown);
        let mut browser = Browser::new();
        let code = code(server, &AuthorizationRequest::of(&client), &mut browser).await;
        let id = Tokens::from(&redeem(server, &client, &code).await);
        let page = browser.get(&server.url(&format!("/end-session?id_token_hint={}", id.id_token()))).await.page();
        let frames = page.attributes("iframe", "src");
        assert!(frames.len() == 1 && frames[0].starts_with(&format!("{}/front?", listener.base)), "{frames:?}");
        let token = listener.wait_for("/back", 1).await.remove(0).fields["logout_token"].clone();
        let claims = verified(server, &token).await;
        assert_eq!((&claims["sid"], &claims["aud"]), (&id.id_claims()["sid"], &shown["client_id"]));
        assert!(claims["sid"].is_string(), "{claims}");
    }

    async fn only_a_client_that_follows_sessions_hears_their_name(server: &TestServer) {
        // The suite warns of an `sid` that nobody asked for.
        let (client, _) = registered_with(server, json!({})).await;
        let code = code(server, &AuthorizationRequest::of(&client), &mut Browser::new()).await;
        let tokens = Tokens::from(&redeem(server, &client, &code).await);
        assert_eq!(tokens.id_claims().get("sid"), None);
    }
}

own_journeys! {
    async fn a_client_refreshes_with_the_key_it_published_a_minute_ago(mut server: TestServer) {
        let ((old, old_public), (new, new_public)) = (key("old"), key("new"));
        let site = Stub::with_keys(&[old_public]).await;
        let metadata = json!({
            "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": site.url(),
            "grant_types": ["authorization_code", "refresh_token"],
        });
        let (client, _) = registered_with(&server, metadata).await;
        let request = AuthorizationRequest::of(&client).offline();
        let code = code(&server, &request, &mut Browser::new()).await;
        let tokens = Tokens::from(&ask_as(&server, &client, &old, &code.parameters()).await);
        site.publish(&[new_public]);
        server.advance(60).await;
        let parameters = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh_token())];
        Tokens::from(&ask_as(&server, &client, &new, &parameters).await);
        let refused = ask_as(&server, &client, &old, &parameters).await;
        refused.assert_oauth_error(400, "invalid_client");
    }
}
