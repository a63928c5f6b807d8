//! The FAPI 2.0 profiles end to end, levels of sign-in (`acr`), and signed userinfo: the modules of the FAPI 2.0 Security Profile
//! plan that are not about PAR or DPoP alone, RFC 9470, OpenID Connect Core §5.3.2 and §5.5.

use habilis_integration_tests::fapi::{
    authorize, bound, code_for, get_bound, get_with, post, push, redeem, reference, request_uri, verified,
};
use habilis_integration_tests::jose::{self, SigningKey};
use habilis_integration_tests::protocol::{
    AuthorizationRequest, AuthorizationResponse, Code, Proof, Tokens, assertion_claims, client_key, random_text,
    tokens_for,
};
use habilis_integration_tests::server::{Outcome, run_in};
use habilis_integration_tests::{Answer, Browser, Http, TestServer};
use serde_json::{Value, json};

fn request(server: &TestServer) -> AuthorizationRequest {
    AuthorizationRequest::of(server.client("demo-fapi"))
}

/// The token response of `demo-fapi` to this request.
async fn tokens(server: &TestServer, request: &AuthorizationRequest, key: &SigningKey) -> Value {
    let code = code_for(server, request, server.learner()).await;
    bound(&redeem(server, server.client(request.get("client_id")), &code, key).await)
}

fn id_claims(tokens: &Value) -> Value {
    jose::claims(tokens["id_token"].as_str().unwrap())
}

/// Redeems a good code of `demo-fapi` under claims and header of the assertion bent.
async fn redeem_bent(server: &TestServer, header: Value, bend: impl FnOnce(&mut Value)) -> Answer {
    let client = server.client("demo-fapi");
    let code = code_for(server, &request(server), server.learner()).await;
    let mut claims = assertion_claims(client, server, server.now().await);
    bend(&mut claims);
    let proof = Proof::assertion(&client_key(client).sign_with(&header, &claims));
    redeem_with(server, &code, &proof).await
}

async fn redeem_with(server: &TestServer, code: &Code, proof: &Proof) -> Answer {
    let dpop = habilis_integration_tests::fapi::dpop(server, &SigningKey::generate(), ("POST", "/token"), None).await;
    let parameters: Vec<_> =
        code.parameters().into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    post(server, "/token", (proof, &parameters), &[&dpop]).await
}

/// The claims parameter that asks for an essential `acr`.
fn essential(values: &Value) -> String {
    json!({ "id_token": { "acr": { "essential": true, "values": values } } }).to_string()
}

/// Registers this metadata with `habilis client create` and these options.
async fn create(folder: &std::path::Path, metadata: &Value, options: &[&str]) -> Outcome {
    std::fs::write(folder.join("client.json"), metadata.to_string()).unwrap();
    run_in(folder, &[&["client", "create", "client.json"], options].concat(), &[]).await
}

#[tokio::test]
async fn an_operator_registers_a_client_of_the_profile_and_hears_what_it_forbids() {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), &["keys", "init"], &[]).await.printed();
    let mut jwk = SigningKey::generate().public_jwk();
    jwk["kid"] = json!("1");
    let good = json!({
        "client_id": "registre",
        "redirect_uris": ["https://rp.example/callback"],
        "token_endpoint_auth_method": "private_key_jwt",
        "id_token_signed_response_alg": "PS256",
        "authorization_signed_response_alg": "PS256",
        "jwks": { "keys": [jwk] },
    });
    let profile = ["--profile", "fapi2_message_signing", "--acr", "bronze=one_factor", "--acr", "silver=two_factors"];
    for (name, value) in [
        ("id_token_signed_response_alg", json!("RS256")),
        ("authorization_signed_response_alg", json!("RS256")),
        ("request_object_signing_alg", json!("none")),
        ("userinfo_signed_response_alg", json!("HS256")),
        ("token_endpoint_auth_signing_alg", json!("RS256")),
        ("token_endpoint_auth_method", json!("client_secret_basic")),
        ("response_types", json!(["code", "code id_token"])),
        ("default_acr_values", json!(["two words"])),
    ] {
        let mut bad = good.clone();
        bad[name] = value;
        let first_word = name.split('_').next().unwrap();
        let words = if name == "response_types" { "response type" } else { first_word };
        create(folder.path(), &bad, &profile).await.assert_refused(&["invalid_client_metadata", words]);
    }
    create(folder.path(), &good, &["--acr", "bronze=golden"]).await.assert_refused(&["one_factor"]);
    create(folder.path(), &good, &profile).await.printed();
    let shown = run_in(folder.path(), &["client", "show", "registre"], &[]).await.printed();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["settings"]["profile"], "fapi2_message_signing");
    assert_eq!(shown["settings"]["acr"][1], json!({ "acr": "silver", "level": "two_factors" }));
}

journeys! {
    async fn both_clients_complete_the_flow(server: &TestServer) {
        for client in ["demo-fapi", "demo-fapi-2"] {
            let request = AuthorizationRequest::of(server.client(client));
            let key = SigningKey::generate();
            let tokens = tokens(server, &request, &key).await;
            let claims = verified(server, tokens["id_token"].as_str().unwrap()).await;
            assert_eq!((&claims["aud"], &claims["nonce"]), (&json!(client), &json!(request.get("nonce"))));
            let answer = get_bound(server, "/demo/resource", tokens["access_token"].as_str().unwrap(), &key).await;
            assert!(answer.header("content-type").starts_with("application/json"));
            assert!(!answer.header("date").is_empty());
            answer.ok_json();
        }
    }

    async fn the_query_of_a_redirect_uri_stays_as_it_is(server: &TestServer) {
        let response = authorize(server, &AuthorizationRequest::of(server.client("demo-fapi-2")), server.learner()).await;
        assert!(response.url.query().unwrap().starts_with("dummy1=lorem&dummy2=ipsum&code="), "{}", response.url);
    }

    async fn the_metadata_are_those_of_the_profile(server: &TestServer) {
        for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"] {
            let metadata = Http::new().get(&server.url(path)).await.ok_json();
            assert_eq!(metadata["pushed_authorization_request_endpoint"], json!(server.url("/par")));
            assert_eq!(metadata["require_pushed_authorization_requests"], json!(false));
            assert_eq!(metadata["authorization_response_iss_parameter_supported"], json!(true));
            let has = |name: &str, value: &str| metadata[name].as_array().is_some_and(|list| list.contains(&json!(value)));
            for name in [
                "token_endpoint_auth_signing_alg_values_supported", "id_token_signing_alg_values_supported",
                "request_object_signing_alg_values_supported", "dpop_signing_alg_values_supported",
                "authorization_signing_alg_values_supported",
            ] {
                assert!(has(name, "ES256") && has(name, "PS256"), "{name}");
                assert!(!has(name, "none"), "{name}");
            }
            assert!(has("response_modes_supported", "jwt") && has("response_modes_supported", "form_post.jwt"));
            assert!(has("userinfo_signing_alg_values_supported", "RS256"));
            assert!(has("token_endpoint_auth_methods_supported", "private_key_jwt"));
            assert!(has("acr_values_supported", "eidas1") && has("acr_values_supported", "eidas1-mfa"));
        }
    }

    async fn a_person_who_cancels_is_told_to_both_clients(server: &TestServer) {
        for client in ["demo-fapi", "demo-fapi-2"] {
            let request = AuthorizationRequest::of(server.client(client));
            let uri = request_uri(&push(server, &request, &[]).await);
            let mut browser = Browser::new();
            browser.get(&reference(&request, &uri).url(server)).await.page();
            let response = AuthorizationResponse::from_url(browser.click("login-cancel").await.left());
            assert_eq!(response.get("error"), Some("access_denied"), "{}", response.url);
            assert_eq!(response.get("state"), Some(request.get("state")));
            assert_eq!(response.get("iss"), Some(server.issuer.as_str()));
        }
    }

    async fn state_and_nonce_are_optional_and_come_back_whole(server: &TestServer) {
        let key = SigningKey::generate();
        let without = request(server).without("state").without("nonce");
        let response = authorize(server, &without, server.learner()).await;
        assert_eq!(response.get("state"), None);
        let answer = redeem(server, server.client("demo-fapi"), &Code::from(&without, &response), &key).await;
        assert_eq!(id_claims(&bound(&answer)).get("nonce"), None);
        for length in [64, 384] {
            let (state, nonce) = ("s".repeat(length), "n".repeat(length));
            let request = request(server).with("state", &state).with("nonce", &nonce);
            let response = authorize(server, &request, server.learner()).await;
            assert_eq!(response.get("state"), Some(state.as_str()));
            let answer = redeem(server, server.client("demo-fapi"), &Code::from(&request, &response), &key).await;
            assert_eq!(id_claims(&bound(&answer))["nonce"], json!(nonce));
        }
    }

    async fn the_order_of_scopes_is_free(server: &TestServer) {
        let tokens = tokens(server, &request(server).with("scope", "email profile openid"), &SigningKey::generate()).await;
        assert!(tokens["id_token"].is_string());
    }

    async fn without_openid_it_is_plain_oauth(server: &TestServer) {
        let key = SigningKey::generate();
        let tokens = tokens(server, &request(server).with("scope", "profile").without("nonce"), &key).await;
        assert_eq!(tokens.get("id_token"), None);
        let token = tokens["access_token"].as_str().unwrap();
        assert_eq!(get_bound(server, "/demo/resource", token, &key).await.ok_json()["scope"], "profile");
        let refused = get_bound(server, "/userinfo", token, &key).await;
        assert_eq!(refused.status, 403, "{}", refused.body);
        assert!(refused.header("www-authenticate").starts_with("DPoP"), "{}", refused.header("www-authenticate"));
        assert!(refused.header("www-authenticate").contains("insufficient_scope"));
    }

    async fn the_claims_parameter_may_name_everything_and_more(server: &TestServer) {
        let metadata = Http::new().get(&server.url("/.well-known/openid-configuration")).await.ok_json();
        let mut names: Vec<_> =
            metadata["claims_supported"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
        names.push("invented_by_the_suite".to_owned());
        let all: serde_json::Map<String, Value> = names.iter().map(|name| (name.clone(), Value::Null)).collect();
        let claims = json!({ "id_token": all, "userinfo": all }).to_string();
        let key = SigningKey::generate();
        let tokens = tokens(server, &request(server).with("claims", &claims), &key).await;
        let info = get_bound(server, "/userinfo", tokens["access_token"].as_str().unwrap(), &key).await.ok_json();
        for found in [id_claims(&tokens), info] {
            assert!(found["email"].is_string() && found["birthdate"].is_string(), "{found}");
            assert_eq!(found.get("invented_by_the_suite"), None);
        }
    }

    async fn the_resource_gives_the_interaction_id_back(server: &TestServer) {
        let key = SigningKey::generate();
        let tokens = tokens(server, &request(server), &key).await;
        let token = tokens["access_token"].as_str().unwrap();
        let proof = habilis_integration_tests::fapi::dpop(server, &key, ("GET", "/demo/resource"), Some(token)).await;
        let id = "c770aef3-6784-41f7-8e0e-ff5f97bddb3a";
        let authorization = format!("DPoP {token}");
        let headers = [("authorization", authorization.as_str()), ("DPoP", &proof), ("x-fapi-interaction-id", id)];
        let answer = get_with(server, "/demo/resource", &headers).await;
        assert_eq!((answer.status, answer.header("x-fapi-interaction-id")), (200, id));
        let refused = get_with(server, "/demo/resource", &[("x-fapi-interaction-id", id)]).await;
        assert_eq!((refused.status, refused.header("x-fapi-interaction-id")), (401, id));
    }

    async fn tokens_and_codes_have_256_bits(server: &TestServer) {
        let code = code_for(server, &request(server), server.learner()).await;
        assert!(code.code.len() >= 43);
        let answer = redeem(server, server.client("demo-fapi"), &code, &SigningKey::generate()).await;
        assert!(bound(&answer)["refresh_token"].as_str().unwrap().len() >= 43);
    }

    async fn a_code_serves_one_client_once(server: &TestServer) {
        let key = SigningKey::generate();
        let code = code_for(server, &request(server), server.learner()).await;
        redeem(server, server.client("demo-fapi-2"), &code, &key).await.assert_oauth_error(400, "invalid_grant");
        let first = bound(&redeem(server, server.client("demo-fapi"), &code, &key).await);
        redeem(server, server.client("demo-fapi"), &code, &key).await.assert_oauth_error(400, "invalid_grant");
        let answer = get_bound(server, "/demo/resource", first["access_token"].as_str().unwrap(), &key).await;
        assert_eq!(answer.status, 401, "the first token died with the second use");
    }

    async fn a_code_needs_its_verifier(server: &TestServer) {
        let code = code_for(server, &request(server), server.learner()).await;
        let wrong = Code { verifier: format!("{}{}", random_text(), random_text()), ..code.clone() };
        let proof = Proof::of(server.client("demo-fapi"), server).await;
        redeem_with(server, &wrong, &proof).await.assert_oauth_error(400, "invalid_grant");
        let without = Code { verifier: String::new(), ..code };
        let proof = Proof::of(server.client("demo-fapi"), server).await;
        redeem_with(server, &without, &proof).await.assert_oauth_error(400, "invalid_grant");
    }

    async fn an_assertion_of_another_algorithm_is_refused(server: &TestServer) {
        let answer = redeem_bent(server, json!({ "alg": "RS256" }), |_| {}).await;
        answer.assert_oauth_error(400, "invalid_client");
        assert!(answer.body.contains("algorithm"), "{}", answer.body);
    }

    async fn an_assertion_that_is_old_for_others_or_without_subject_is_refused(server: &TestServer) {
        let now = server.now().await.as_second();
        let issuer = server.issuer.clone();
        let typ = || json!({ "typ": "JWT" });
        bound(&redeem_bent(server, typ(), |_| {}).await);
        let answers = [
            redeem_bent(server, typ(), |claims| claims["exp"] = json!(now - 300)).await,
            redeem_bent(server, typ(), |claims| claims["aud"] = json!("https://other.example")).await,
            redeem_bent(server, typ(), |claims| claims["aud"] = json!([issuer])).await,
            redeem_bent(server, typ(), |claims| claims["aud"] = json!(format!("{issuer}/token"))).await,
            redeem_bent(server, typ(), |claims| { claims.as_object_mut().unwrap().remove("sub"); }).await,
        ];
        for answer in answers {
            answer.assert_oauth_error(400, "invalid_client");
        }
    }

    async fn a_token_request_without_assertion_or_with_another_client_id_is_refused(server: &TestServer) {
        let code = code_for(server, &request(server), server.learner()).await;
        let nobody = Proof::Form(vec![("client_id".to_owned(), "demo-fapi".to_owned())]);
        redeem_with(server, &code, &nobody).await.assert_oauth_error(400, "invalid_client");
        redeem_with(server, &code, &Proof::Form(Vec::new())).await.assert_oauth_error(400, "invalid_client");
        let Proof::Form(mut fields) = Proof::of(server.client("demo-fapi"), server).await else { panic!("an assertion") };
        fields.push(("client_id".to_owned(), "demo-fapi-2".to_owned()));
        redeem_with(server, &code, &Proof::Form(fields)).await.assert_oauth_error(400, "invalid_client");
    }

    async fn an_essential_level_that_is_reached_is_given(server: &TestServer) {
        let client = server.client("demo-portal");
        let request = AuthorizationRequest::of(client).with("claims", &essential(&json!(["eidas3", "eidas1"])));
        assert_eq!(tokens_for(server, &request, server.learner()).await.id_claims()["acr"], "eidas1");
        let one = json!({ "id_token": { "acr": { "essential": true, "value": "eidas1" } } }).to_string();
        let request = AuthorizationRequest::of(client).with("claims", &one);
        assert_eq!(tokens_for(server, &request, server.learner()).await.id_claims()["acr"], "eidas1");
    }

    async fn an_essential_level_that_cannot_be_reached_is_an_error(server: &TestServer) {
        let request = AuthorizationRequest::of(server.client("demo-portal"))
            .with("claims", &essential(&json!(["eidas0-mfa", "eidas3"])));
        let mut browser = Browser::new();
        for _ in 0..2 {
            let url = browser.get(&request.url(server)).await.left();
            let response = AuthorizationResponse::from_url(url);
            response.assert_error("unmet_authentication_requirements", &request, server);
            // The second time somebody is signed in, which changes nothing.
            browser.authorize(server, &AuthorizationRequest::of(server.client("demo-portal")), server.learner()).await;
        }
    }

    async fn a_level_that_is_only_wished_for_stops_nobody(server: &TestServer) {
        let client = server.client("demo-portal");
        let wished = json!({ "id_token": { "acr": { "values": ["eidas3"] } } }).to_string();
        for request in [
            AuthorizationRequest::of(client).with("acr_values", "eidas3 eidas2"),
            AuthorizationRequest::of(client).with("claims", &wished),
            AuthorizationRequest::of(client).with("claims", &essential(&json!([]))),
        ] {
            assert_eq!(tokens_for(server, &request, server.learner()).await.id_claims()["acr"], "eidas1");
        }
    }

    async fn a_subject_asked_for_by_value_is_the_one_expected(server: &TestServer) {
        let client = server.client("demo-portal");
        let subject = tokens_for(server, &AuthorizationRequest::of(client), server.learner()).await.id_claims()["sub"].clone();
        let asked = json!({ "id_token": { "sub": { "value": subject } } }).to_string();
        let request = AuthorizationRequest::of(client).with("claims", &asked);
        assert_eq!(tokens_for(server, &request, server.learner()).await.id_claims()["sub"], subject);
        let response = Browser::new().authorize(server, &request, server.learner_number(1)).await;
        response.assert_error("login_required", &request, server);
    }

    async fn a_claim_asked_for_by_value_is_given_only_with_that_value(server: &TestServer) {
        let asked = json!({ "userinfo": { "zoneinfo": { "value": "Europe/Paris" }, "gender": { "values": ["x", "y"] } } });
        let request = AuthorizationRequest::of(server.client("demo-portal")).with("claims", &asked.to_string());
        let tokens = tokens_for(server, &request, server.learner()).await;
        let info = habilis_integration_tests::protocol::userinfo(server, tokens.access_token()).await.ok_json();
        assert_eq!((info["zoneinfo"].as_str(), info.get("gender")), (Some("Europe/Paris"), None));
    }

    async fn a_resource_may_ask_for_a_stronger_or_fresher_sign_in(server: &TestServer) {
        let request = AuthorizationRequest::of(server.client("demo-portal"));
        let tokens = tokens_for(server, &request, server.learner()).await;
        let authorization = format!("Bearer {}", tokens.access_token());
        let call = async |query: &str| {
            get_with(server, &format!("/demo/resource{query}"), &[("authorization", &authorization)]).await
        };
        assert_eq!(call("?acr_values=eidas1&max_age=3600").await.status, 200);
        let answer = call("?acr_values=eidas2%20eidas3&max_age=300").await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (401, Some("insufficient_user_authentication")));
        let challenge = answer.header("www-authenticate");
        assert!(challenge.starts_with("Bearer"), "{challenge}");
        for part in ["error=\"insufficient_user_authentication\"", "acr_values=\"eidas2 eidas3\"", "max_age=\"300\""] {
            assert!(challenge.contains(part), "{challenge}");
        }
    }

    async fn userinfo_is_signed_for_a_client_that_registered_so(server: &TestServer) {
        let client = server.client("demo-signed-userinfo");
        let request = AuthorizationRequest::of(client).with("scope", "openid email");
        let tokens: Tokens = tokens_for(server, &request, server.learner()).await;
        let answer = habilis_integration_tests::protocol::userinfo(server, tokens.access_token()).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/jwt"));
        let claims = verified(server, &answer.body).await;
        assert_eq!(claims["sub"], tokens.id_claims()["sub"]);
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(server.issuer), &json!("demo-signed-userinfo")));
        assert_eq!(claims["email"], json!(server.learner().login));
        assert_eq!(claims.get("nonce"), None);
    }

    async fn a_level_registered_by_default_counts_when_none_is_asked(server: &TestServer) {
        // The client's own vocabulary calls a password `urn:example:bronze`, and so does its registration.
        let request = AuthorizationRequest::of(server.client("demo-signed-userinfo"));
        assert_eq!(tokens_for(server, &request, server.learner()).await.id_claims()["acr"], "urn:example:bronze");
        let request = request.with("acr_values", "eidas1");
        let response = Browser::new().authorize(server, &request, server.learner()).await;
        let answer = habilis_integration_tests::protocol::redeem(
            server, server.client("demo-signed-userinfo"), &Code::from(&request, &response)).await;
        assert_eq!(Tokens::from(&answer).id_claims()["acr"], "eidas1");
    }
}

own_journeys! {
    async fn a_resource_knows_how_old_a_sign_in_is(mut server: TestServer) {
        let tokens = tokens_for(&server, &AuthorizationRequest::of(server.client("demo-portal")), server.learner()).await;
        let authorization = format!("Bearer {}", tokens.access_token());
        server.advance(120).await;
        let call = async |path: &str| get_with(&server, path, &[("authorization", &authorization)]).await.status;
        assert_eq!((call("/demo/resource?max_age=60").await, call("/demo/resource?max_age=300").await), (401, 200));
    }
}
