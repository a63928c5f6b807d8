//! What no client would send: each answer is a refusal with its registered code, on both engines, and never a 500.

use habilis_integration_tests::jose::SigningKey;
use habilis_integration_tests::protocol::{
    AuthorizationRequest, Proof, assertion_claims, client_key, post_token, random_text,
};
use habilis_integration_tests::{Browser, Http, TestServer};
use serde_json::{Value, json};

use super::super::registration::register;

const CREDENTIALS: [(&str, &str); 1] = [("grant_type", "client_credentials")];

journeys! {
    async fn a_nul_in_a_name_is_the_name_of_nobody(server: &TestServer) {
        // PostgreSQL knows no NUL in texts; a client must not learn so.
        for proof in [Proof::raw_basic("%00", "x"), Proof::raw_basic("demo%00portal", "x"), Proof::raw_basic("demo-portal", "%00")] {
            post_token(&Http::new(), server, &proof, &CREDENTIALS).await.assert_oauth_error(401, "invalid_client");
        }
        let client = server.client("demo-jwt");
        for name in ["sub", "iss", "jti", "aud"] {
            let mut claims = assertion_claims(client, server, server.now().await);
            claims[name] = json!(format!("{}\u{0}", claims[name].as_str().unwrap()));
            let proof = Proof::assertion(&client_key(client).sign(&claims));
            let answer = post_token(&Http::new(), server, &proof, &CREDENTIALS).await;
            if name == "jti" {
                // As good as any other: it is kept as a digest.
                answer.ok_json();
            } else {
                answer.assert_oauth_error(400, "invalid_client");
            }
        }
        let mut header = json!({ "alg": "EdDSA", "typ": "JWT", "kid": "\u{0}" });
        for kid in ["\u{0}", "demo\u{0}"] {
            header["kid"] = json!(kid);
            let claims = assertion_claims(client, server, server.now().await);
            let proof = Proof::assertion(&SigningKey::generate().sign_with(&header, &claims));
            post_token(&Http::new(), server, &proof, &CREDENTIALS).await.assert_oauth_error(400, "invalid_client");
        }
    }

    async fn a_nul_in_the_claims_parameter_is_a_value_like_another(server: &TestServer) {
        let claims = json!({ "userinfo": { "locale": { "value": "\u{0}" } }, "id_token": { "acr": { "values": ["\u{0}"] } } });
        let request = AuthorizationRequest::of(server.client("demo-portal")).with("claims", &claims.to_string());
        Browser::new().authorize(server, &request, server.learner()).await.code();
        let nobody = json!({ "id_token": { "sub": { "value": "\u{0}" } } });
        let request = request.with("claims", &nobody.to_string()).with("prompt", "none");
        let url = Browser::new().get(&request.url(server)).await.left();
        assert!(url.as_str().contains("error=login_required"), "{url}");
    }

    async fn registration_refuses_links_that_only_a_lenient_parser_takes(server: &TestServer) {
        let links = [
            "https:/rp.example/a", "https:rp.example", "https://rp.example/\u{0}", "https://rp.example/a b", " https://rp.example/",
            "https://rp.example/\n", "https://user@rp.example/", "javascript:alert(1)", "data:text/html,x", "//rp.example/", "",
        ];
        for name in ["logo_uri", "policy_uri", "tos_uri", "client_uri", "jwks_uri", "initiate_login_uri"] {
            for link in links {
                let mut metadata = json!({ "redirect_uris": ["https://rp.example/cb"] });
                metadata[name] = json!(link);
                register(server, &metadata).await.assert_oauth_error(400, "invalid_client_metadata");
            }
        }
    }

    async fn registration_survives_members_of_every_wrong_type(server: &TestServer) {
        let names = [
            "redirect_uris", "response_types", "grant_types", "application_type", "client_name", "scope", "jwks", "jwks_uri", "contacts",
            "token_endpoint_auth_method", "id_token_signed_response_alg", "default_max_age", "require_auth_time", "default_acr_values",
            "post_logout_redirect_uris", "backchannel_logout_uri", "userinfo_signed_response_alg", "dpop_bound_access_tokens",
        ];
        let values: [Value; 6] =
            [json!(1.5), json!({ "\u{0}": 1 }), json!([[]]), json!("\u{0}"), json!(-1), json!(["é\u{0}\"\\"])];
        for name in names {
            for value in &values {
                let mut metadata = json!({ "redirect_uris": ["https://rp.example/cb"] });
                metadata[name] = value.clone();
                let answer = register(server, &metadata).await;
                assert_eq!(answer.status, 400, "{name} = {value}: {}", answer.body);
                let error = answer.json()["error"].as_str().unwrap().to_owned();
                assert!(["invalid_client_metadata", "invalid_redirect_uri"].contains(&error.as_str()), "{name}: {error}");
            }
        }
    }

    async fn no_endpoint_breaks_over_rubbish(server: &TestServer) {
        let http = Http::new();
        let long = "a".repeat(4000);
        let texts = ["", "\u{0}", "null", "{}", "[]", "....", "e30.e30.", "%", "é", &long, &random_text()];
        let names = [
            "client_id", "request", "request_uri", "client_assertion", "client_assertion_type", "code", "refresh_token", "grant_type",
            "token", "id_token_hint", "post_logout_redirect_uri", "scope", "claims", "dpop_jkt", "login_hint", "access_token",
        ];
        for path in ["/token", "/par", "/revoke", "/introspect", "/userinfo", "/authorize", "/end-session"] {
            for text in texts {
                let form: Vec<_> = names.iter().map(|name| (*name, text)).collect();
                let request = http
                    .request("POST", &server.url(path))
                    .header("authorization", "Basic %%%")
                    .header("dpop", if text.is_ascii() && !text.contains('\u{0}') { text } else { "x" })
                    .form(&form);
                let answer = http.send(request).await;
                assert!(answer.status < 500, "{path} with {text:?}: {} {}", answer.status, answer.body);
                assert!(answer.header("location").is_empty() || answer.header("location").starts_with('/') || answer.header("location").starts_with(&server.issuer), "{path}: {}", answer.header("location"));
            }
        }
    }
}
