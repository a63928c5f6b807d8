//! The config plan and its checks of metadata, which every other plan begins with as well. OpenID Connect Discovery 1.0 §3.

use std::collections::BTreeSet;

use habilis_integration_tests::{Http, TestServer};
use serde_json::Value;
use url::Url;

/// The members that the suite's schema of metadata knows and an OpenID provider could have; any other is a warning in each plan.
const KNOWN: [&str; 76] = [
    "acr_values_supported",
    "authorization_details_types_supported",
    "authorization_encryption_alg_values_supported",
    "authorization_encryption_enc_values_supported",
    "authorization_endpoint",
    "authorization_response_iss_parameter_supported",
    "authorization_signing_alg_values_supported",
    "backchannel_authentication_endpoint",
    "backchannel_authentication_request_signing_alg_values_supported",
    "backchannel_logout_session_supported",
    "backchannel_logout_supported",
    "backchannel_token_delivery_modes_supported",
    "backchannel_user_code_parameter_supported",
    "check_session_iframe",
    "claim_types_supported",
    "claims_locales_supported",
    "claims_parameter_supported",
    "claims_supported",
    "client_id_metadata_document_supported",
    "code_challenge_methods_supported",
    "device_authorization_endpoint",
    "display_values_supported",
    "dpop_signing_alg_values_supported",
    "end_session_endpoint",
    "frontchannel_logout_session_supported",
    "frontchannel_logout_supported",
    "grant_types_supported",
    "id_token_encryption_alg_values_supported",
    "id_token_encryption_enc_values_supported",
    "id_token_signing_alg_values_supported",
    "introspection_encryption_alg_values_supported",
    "introspection_encryption_enc_values_supported",
    "introspection_endpoint",
    "introspection_endpoint_auth_methods_supported",
    "introspection_endpoint_auth_signing_alg_values_supported",
    "introspection_signing_alg_values_supported",
    "issuer",
    "jwks_uri",
    "mtls_endpoint_aliases",
    "op_policy_uri",
    "op_tos_uri",
    "prompt_values_supported",
    "protected_resources",
    "pushed_authorization_request_endpoint",
    "registration_endpoint",
    "request_object_encryption_alg_values_supported",
    "request_object_encryption_enc_values_supported",
    "request_object_signing_alg_values_supported",
    "request_parameter_supported",
    "request_uri_parameter_supported",
    "require_pushed_authorization_requests",
    "require_request_uri_registration",
    "require_signed_request_object",
    "response_modes_supported",
    "response_types_supported",
    "revocation_endpoint",
    "revocation_endpoint_auth_methods_supported",
    "revocation_endpoint_auth_signing_alg_values_supported",
    "scopes_supported",
    "service_documentation",
    "signed_metadata",
    "subject_types_supported",
    "tls_client_certificate_bound_access_tokens",
    "token_endpoint",
    "token_endpoint_auth_methods_supported",
    "token_endpoint_auth_signing_alg_values_supported",
    "ui_locales_supported",
    "userinfo_encryption_alg_values_supported",
    "userinfo_encryption_enc_values_supported",
    "userinfo_endpoint",
    "userinfo_signing_alg_values_supported",
    "claims_in_verified_claims_supported",
    "documents_supported",
    "electronic_records_supported",
    "evidence_supported",
    "trust_frameworks_supported",
];

async fn metadata(server: &TestServer) -> serde_json::Map<String, Value> {
    let answer = Http::new().get(&server.url("/.well-known/openid-configuration")).await.ok_json();
    answer.as_object().unwrap().clone()
}

fn texts(value: &Value) -> BTreeSet<&str> {
    let list = value.as_array().unwrap_or_else(|| panic!("not a list: {value}"));
    let texts: BTreeSet<&str> = list.iter().map(|value| value.as_str().expect("a text")).collect();
    assert_eq!(texts.len(), list.len(), "a value twice: {value}");
    texts
}

journeys! {
    async fn the_suite_knows_every_member_of_the_metadata(server: &TestServer) {
        for name in metadata(server).await.keys() {
            assert!(KNOWN.contains(&name.as_str()), "{name}");
        }
    }

    async fn every_member_has_its_type(server: &TestServer) {
        for (name, value) in &metadata(server).await {
            if name == "issuer" || name.ends_with("_endpoint") || name.ends_with("_uri") {
                let url = Url::parse(value.as_str().unwrap_or_else(|| panic!("{name} is no text"))).unwrap();
                assert_eq!((url.fragment(), url.query()), (None, None), "{name}");
            } else if name.ends_with("s_supported") && !name.ends_with("_requests") && !value.is_boolean() {
                assert!(!texts(value).is_empty(), "{name}");
            } else {
                assert!(value.is_boolean(), "{name}: {value}");
            }
        }
    }

    async fn the_values_are_those_the_config_plan_asks_for(server: &TestServer) {
        let metadata = metadata(server).await;
        assert!(texts(&metadata["response_types_supported"]).contains("code"));
        assert!(texts(&metadata["subject_types_supported"]).is_subset(&["public", "pairwise"].into()));
        for name in ["id_token_signing_alg_values_supported", "request_object_signing_alg_values_supported"] {
            assert!(texts(&metadata[name]).contains("RS256"), "{name}");
        }
        assert!(texts(&metadata["userinfo_signing_alg_values_supported"]).contains("RS256"));
        assert!(texts(&metadata["claims_supported"]).contains("sub"));
        assert!(texts(&metadata["grant_types_supported"]).contains("authorization_code"));
        assert!(texts(&metadata["code_challenge_methods_supported"]).contains("S256"));
        assert!(texts(&metadata["response_modes_supported"]).is_superset(&["query", "form_post"].into()));
        let scopes = texts(&metadata["scopes_supported"]);
        assert!(scopes.contains("openid"));
        for scope in scopes {
            assert!(scope.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E)), "{scope}");
        }
        for locale in texts(&metadata["ui_locales_supported"]) {
            assert!((2..=3).contains(&locale.len()) && locale.bytes().all(|byte| byte.is_ascii_lowercase()), "{locale}");
        }
    }
}
