//! `/.well-known/openid-configuration` and `/jwks`: what the config certification plan reads, and what relying parties
//! build on. OpenID Connect Discovery 1.0 §3, RFC 8414, RFC 7517.

use std::collections::BTreeSet;

use habilis_integration_tests::jose::from_base64url;
use habilis_integration_tests::protocol::AuthorizationRequest;
use habilis_integration_tests::{Http, TestServer};
use serde_json::{Value, json};

async fn metadata(server: &TestServer) -> Value {
    let answer = Http::new().get(&server.url("/.well-known/openid-configuration")).await;
    assert!(answer.header("content-type").starts_with("application/json"));
    answer.ok_json()
}

fn texts(value: &Value) -> BTreeSet<&str> {
    value.as_array().unwrap_or_else(|| panic!("not a list: {value}")).iter().filter_map(Value::as_str).collect()
}

journeys! {
    async fn the_issuer_is_the_url_before_well_known(server: &TestServer) {
        let metadata = metadata(server).await;
        assert_eq!(metadata["issuer"], json!(server.issuer));
        assert!(!server.issuer.ends_with('/'));
    }

    async fn every_endpoint_named_belongs_to_the_issuer(server: &TestServer) {
        let metadata = metadata(server).await;
        let endpoints = ["authorization_endpoint", "token_endpoint", "userinfo_endpoint", "end_session_endpoint", "jwks_uri"];
        for name in endpoints {
            assert!(metadata[name].is_string(), "{name} is missing");
        }
        for (name, value) in metadata.as_object().unwrap() {
            if name.ends_with("_endpoint") || name == "jwks_uri" {
                assert!(value.as_str().unwrap().starts_with(&format!("{}/", server.issuer)), "{name}: {value}");
            }
        }
    }

    async fn only_what_works_is_advertised(server: &TestServer) {
        let metadata = metadata(server).await;
        assert_eq!(metadata["response_types_supported"], json!(["code"]));
        assert_eq!(metadata["subject_types_supported"], json!(["public", "pairwise"]));
        assert_eq!(metadata["code_challenge_methods_supported"], json!(["S256"]));
        assert_eq!(texts(&metadata["id_token_signing_alg_values_supported"]), ["EdDSA", "ES256", "PS256", "RS256"].into());
        let methods = texts(&metadata["token_endpoint_auth_methods_supported"]);
        assert_eq!(methods, ["client_secret_basic", "client_secret_jwt", "client_secret_post", "none", "private_key_jwt"].into());
        let grants = texts(&metadata["grant_types_supported"]);
        let device = "urn:ietf:params:oauth:grant-type:device_code";
        let exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
        assert_eq!(grants, ["authorization_code", "client_credentials", "refresh_token", device, exchange].into());
        assert!(texts(&metadata["scopes_supported"]).is_superset(
            &["openid", "profile", "email", "address", "phone", "offline_access"].into()
        ));
        assert!(texts(&metadata["claims_supported"]).is_superset(&["sub", "name", "email", "auth_time"].into()));
        assert!(texts(&metadata["token_endpoint_auth_signing_alg_values_supported"]).contains("ES256"));
        for (name, value) in metadata.as_object().unwrap() {
            if name.ends_with("_alg_values_supported") {
                assert!(!texts(value).contains("none"), "{name}");
            }
        }
    }

    async fn members_whose_default_would_mislead_are_written_out(server: &TestServer) {
        let metadata = metadata(server).await;
        assert_eq!(metadata["claims_parameter_supported"], json!(true));
        assert_eq!(metadata["request_parameter_supported"], json!(true));
        assert_eq!(metadata["request_uri_parameter_supported"], json!(false));
        assert_eq!(metadata["authorization_response_iss_parameter_supported"], json!(true));
    }

    async fn no_member_is_null_or_an_empty_list(server: &TestServer) {
        for (name, value) in metadata(server).await.as_object().unwrap() {
            assert!(!value.is_null(), "{name}");
            assert!(value.as_array().is_none_or(|list| !list.is_empty()), "{name}");
        }
    }

    async fn oauth_clients_find_the_same_document_at_their_own_address(server: &TestServer) {
        let answer = Http::new().get(&server.url("/.well-known/oauth-authorization-server")).await;
        assert_eq!(answer.ok_json(), metadata(server).await);
    }

    async fn keys_are_public_complete_and_of_every_advertised_algorithm(server: &TestServer) {
        let answer = Http::new().get(&server.url("/jwks")).await;
        let jwks = answer.ok_json();
        let keys = jwks["keys"].as_array().unwrap();
        let kids: BTreeSet<&str> = keys.iter().map(|key| key["kid"].as_str().expect("every key has a kid")).collect();
        assert_eq!(kids.len(), keys.len(), "kids are distinct");
        let algorithms: BTreeSet<&str> = keys.iter().map(|key| key["alg"].as_str().unwrap()).collect();
        assert_eq!(algorithms, ["EdDSA", "ES256", "PS256", "RS256"].into());
        for key in keys {
            assert_eq!(key["use"], "sig", "{key}");
            for secret in ["d", "p", "q", "dp", "dq", "qi", "k"] {
                assert!(key.get(secret).is_none(), "a private member: {secret}");
            }
            match key["kty"].as_str().unwrap() {
                "RSA" => {
                    assert!(from_base64url(key["n"].as_str().unwrap()).len() >= 256, "RSA of 2048 bits at least");
                    assert_eq!(key["e"], "AQAB");
                }
                "EC" => {
                    assert_eq!(key["crv"], "P-256");
                    assert_eq!(from_base64url(key["x"].as_str().unwrap()).len(), 32);
                    assert_eq!(from_base64url(key["y"].as_str().unwrap()).len(), 32);
                }
                "OKP" => {
                    assert_eq!(key["crv"], "Ed25519");
                    assert_eq!(from_base64url(key["x"].as_str().unwrap()).len(), 32);
                }
                other => panic!("an unknown kty: {other}"),
            }
        }
    }

    async fn keys_are_cached_for_minutes_not_days(server: &TestServer) {
        let answer = Http::new().get(&server.url("/jwks")).await;
        let cache = answer.header("cache-control").to_owned();
        let seconds: u64 = cache
            .split(',')
            .find_map(|directive| directive.trim().strip_prefix("max-age="))
            .unwrap_or_else(|| panic!("no max-age: {cache}"))
            .parse()
            .unwrap();
        assert!((1..=3600).contains(&seconds), "{cache}");
    }

    async fn scripts_of_other_origins_may_read_metadata_and_keys_but_not_the_authorization_endpoint(server: &TestServer) {
        let http = Http::new();
        for path in ["/.well-known/openid-configuration", "/jwks"] {
            let answer = http.send(http.request("GET", &server.url(path)).header("origin", "https://app.example")).await;
            assert_eq!(answer.header("access-control-allow-origin"), "*", "{path}");
        }
        let request = AuthorizationRequest::of(server.client("demo-portal"));
        let answer = http.send(http.request("GET", &request.url(server)).header("origin", "https://app.example")).await;
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
}
