//! The FAPI 2.0 plans, where `fapi`, `par`, `dpop` and `request_object` say less than they ask.

use habilis_integration_tests::fapi::{
    DpopProof, authorize, bound, code_for, dpop, get_bound, get_with, object_claims, post, push, read_signed, redeem,
    redeem_without_key, reference, refresh, request_uri, signed, with_object,
};
use habilis_integration_tests::jose::{self, SigningKey};
use habilis_integration_tests::protocol::{AuthorizationRequest, Code, Proof, client_key, random_text};
use habilis_integration_tests::{Answer, Browser, TestServer};
use serde_json::json;

const RESOURCE: &str = "/demo/resource";

fn request(server: &TestServer) -> AuthorizationRequest {
    AuthorizationRequest::of(server.client("demo-fapi"))
}

async fn token(server: &TestServer, key: &SigningKey) -> String {
    let code = code_for(server, &request(server), server.learner()).await;
    let tokens = bound(&redeem(server, server.client("demo-fapi"), &code, key).await);
    tokens["access_token"].as_str().unwrap().to_owned()
}

/// A call of the resource with this proof.
async fn call(server: &TestServer, token: &str, proof: &str) -> Answer {
    get_with(server, RESOURCE, &[("authorization", &format!("DPoP {token}")), ("DPoP", proof)]).await
}

journeys! {
    async fn a_missing_proof_is_an_invalid_request_wherever_tokens_are_asked_for(server: &TestServer) {
        // The refresh module takes `invalid_request`, `invalid_grant` and no other; those of codes take them as well.
        let (client, key) = (server.client("demo-fapi"), SigningKey::generate());
        let code = code_for(server, &request(server), server.learner()).await;
        redeem_without_key(server, client, &code).await.assert_oauth_error(400, "invalid_request");
        let tokens = bound(&redeem(server, client, &code, &key).await);
        let refresh_token = tokens["refresh_token"].as_str().unwrap();
        let without = habilis_integration_tests::protocol::refresh(server, client, refresh_token).await;
        without.assert_oauth_error(400, "invalid_request");
        bound(&refresh(server, client, refresh_token, &key).await);
    }

    async fn every_answer_of_a_resource_carries_a_date_and_the_caller_s_id(server: &TestServer) {
        let key = SigningKey::generate();
        let token = token(server, &key).await;
        let id = "c770aef3-6784-41f7-8e0e-ff5f97bddb3a";
        for path in [RESOURCE, "/userinfo"] {
            let proof = dpop(server, &key, ("GET", path), Some(&token)).await;
            let authorization = format!("DPoP {token}");
            let headers = [("authorization", authorization.as_str()), ("DPoP", &proof), ("x-fapi-interaction-id", id)];
            let good = get_with(server, path, &headers).await;
            let refused = get_with(server, path, &headers[2..]).await;
            assert_eq!((good.status, refused.status), (200, 401), "{path}");
            for answer in [good, refused] {
                assert!(answer.header("date").ends_with(" GMT"), "{path}: {}", answer.header("date"));
                assert_eq!(answer.header("x-fapi-interaction-id"), id, "{path}");
                assert!(answer.header("content-type").starts_with("application/json"), "{path}");
            }
            let without = get_bound(server, path, &token, &key).await;
            assert_eq!(without.header("x-fapi-interaction-id"), "", "not invented");
        }
    }

    async fn proofs_ten_seconds_off_are_taken_where_tokens_are_asked_for(server: &TestServer) {
        let client = server.client("demo-fapi");
        for offset in [-10, 10] {
            let key = SigningKey::generate();
            let now = server.now().await.as_second();
            let proof = |path: &str| DpopProof::new(&key, ("POST", &server.url(path)), now).claim("iat", json!(now + offset)).sign(&key);
            let request = request(server);
            let uri = request_uri(&push(server, &request, &[&proof("/par")]).await);
            let response = Browser::new().authorize(server, &reference(&request, &uri), server.learner()).await;
            let code = Code::from(&request, &response);
            let parameters: Vec<_> =
                code.parameters().into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let authentication = Proof::of(client, server).await;
            bound(&post(server, "/token", (&authentication, &parameters), &[&proof("/token")]).await);
        }
    }

    async fn a_proof_may_carry_what_nobody_asked_for(server: &TestServer) {
        let key = SigningKey::generate();
        let token = token(server, &key).await;
        let now = server.now().await.as_second();
        let good = DpopProof::new(&key, ("GET", &server.url(RESOURCE)), now).for_token(&token);
        let cases = [
            good.clone().claim("nonce", json!("never given out")),
            good.clone().header("kid", json!("mine")).header("extra", json!({ "a": [1] })).claim("extra", json!(["b"])),
            good.clone().claim("htu", json!(format!("{}?a=b#c", server.url(RESOURCE)))),
        ];
        for proof in cases {
            let proof = proof.claim("jti", json!(random_text()));
            let answer = call(server, &token, &proof.sign(&key)).await;
            assert_eq!(answer.status, 200, "{:?}: {}", proof.claims, answer.body);
            assert_eq!(answer.header("dpop-nonce"), "", "nonces are not asked for");
        }
        // A query of the request itself is not part of the comparison either.
        let proof = good.clone().claim("jti", json!(random_text())).sign(&key);
        let path = format!("{RESOURCE}?max_age=3600");
        let answer = get_with(server, &path, &[("authorization", &format!("DPoP {token}")), ("DPoP", &proof)]).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    async fn a_proof_without_type_or_algorithm_is_refused(server: &TestServer) {
        let key = SigningKey::generate();
        let token = token(server, &key).await;
        let now = server.now().await.as_second();
        let good = DpopProof::new(&key, ("GET", &server.url(RESOURCE)), now).for_token(&token);
        let mut untyped = good.clone();
        untyped.header.as_object_mut().unwrap().remove("typ");
        let compact = good.sign(&key);
        let (header, rest) = compact.split_once('.').unwrap();
        let mut members = jose::header(&compact);
        members.as_object_mut().unwrap().remove("alg");
        let without_algorithm = format!("{}.{rest}", jose::base64url(members.to_string()));
        for (case, proof) in [
            ("no typ", untyped.sign(&key)),
            ("no alg", without_algorithm),
            ("two parts", format!("{header}.{}", rest.split_once('.').unwrap().0)),
            ("empty", String::new()),
        ] {
            let answer = call(server, &token, &proof).await;
            assert_eq!(answer.status, 401, "{case}: {}", answer.body);
            assert!(answer.header("www-authenticate").contains("invalid_dpop_proof"), "{case}");
        }
        assert_eq!(call(server, &token, &compact).await.status, 200);
    }

    async fn a_client_of_the_profile_gets_nothing_for_a_token_of_the_other(server: &TestServer) {
        let key = SigningKey::generate();
        let code = code_for(server, &AuthorizationRequest::of(server.client("demo-fapi-2")), server.learner()).await;
        let tokens = bound(&redeem(server, server.client("demo-fapi-2"), &code, &key).await);
        let refresh_token = tokens["refresh_token"].as_str().unwrap();
        refresh(server, server.client("demo-fapi"), refresh_token, &key).await.assert_oauth_error(400, "invalid_grant");
        bound(&refresh(server, server.client("demo-fapi-2"), refresh_token, &key).await);
    }

    async fn a_refresh_of_plain_oauth_brings_no_id_token(server: &TestServer) {
        let key = SigningKey::generate();
        let request = request(server).with("scope", "profile").without("nonce");
        let code = code_for(server, &request, server.learner()).await;
        let tokens = bound(&redeem(server, server.client("demo-fapi"), &code, &key).await);
        let fresh = bound(&refresh(server, server.client("demo-fapi"), tokens["refresh_token"].as_str().unwrap(), &key).await);
        assert_eq!((tokens.get("id_token"), fresh.get("id_token")), (None, None));
    }

    async fn a_signed_request_may_have_a_plain_answer(server: &TestServer) {
        // Message signing with `fapi_response_mode=plain_response`: a client that signs of its own accord.
        let request = request(server);
        let uri = request_uri(&push(server, &signed(server, &request).await, &[]).await);
        let response = Browser::new().authorize(server, &reference(&request, &uri), server.learner()).await;
        assert_eq!(response.get("state"), Some(request.get("state")));
        assert_eq!(response.get("iss"), Some(server.issuer.as_str()));
        bound(&redeem(server, server.client("demo-fapi"), &Code::from(&request, &response), &SigningKey::generate()).await);
        let mut claims = object_claims(server, &request, server.now().await.as_second());
        claims.as_object_mut().unwrap().remove("nbf");
        let object = client_key(server.client("demo-fapi")).sign(&claims);
        push(server, &with_object(&request, &object), &[]).await.assert_oauth_error(400, "invalid_request_object");
    }

    async fn an_unsigned_request_may_have_a_signed_answer(server: &TestServer) {
        let request = request(server).with("response_mode", "jwt");
        let response = authorize(server, &request, server.learner()).await;
        let read = read_signed(server, &response, "demo-fapi").await;
        assert_eq!(read.get("state"), Some(request.get("state")));
        bound(&redeem(server, server.client("demo-fapi"), &Code::from(&request, &read), &SigningKey::generate()).await);
    }

    async fn messages_are_signed_in_plain_oauth_as_well(server: &TestServer) {
        let client = server.client("demo-fapi-signed");
        let request = AuthorizationRequest::of(client)
            .with("response_mode", "jwt")
            .with("scope", "profile")
            .without("nonce");
        let uri = request_uri(&push(server, &signed(server, &request).await, &[]).await);
        let response = Browser::new().authorize(server, &reference(&request, &uri), server.learner()).await;
        let read = read_signed(server, &response, &client.client_id).await;
        let tokens = bound(&redeem(server, client, &Code::from(&request, &read), &SigningKey::generate()).await);
        assert_eq!((tokens.get("id_token"), &tokens["scope"]), (None, &json!("profile")));
    }

    async fn a_signed_response_holds_what_a_plain_one_would_and_three_claims_more(server: &TestServer) {
        let request = request(server).with("response_mode", "jwt");
        let response = authorize(server, &request, server.learner()).await;
        let token = response.get("response").unwrap();
        let header = jose::header(token);
        assert!(header["kid"].is_string() && header["alg"] != "none", "{header}");
        let claims = jose::claims(token);
        let mut names: Vec<_> = claims.as_object().unwrap().keys().collect();
        names.sort_unstable();
        assert_eq!(names, ["aud", "code", "exp", "iss", "state"]);
        assert!(claims["aud"].is_string() && claims["exp"].is_i64(), "{claims}");
    }

    async fn errors_of_the_back_channel_are_described_in_the_characters_of_the_standard(server: &TestServer) {
        let names = ["scope\"\\é", "\u{1}", "redirect_uri"];
        for name in names {
            let request = request(server).adding(name, "1").adding(name, "2");
            let answer = push(server, &request, &[]).await;
            assert_eq!(answer.status, 400, "{}", answer.body);
            let description = answer.json()["error_description"].as_str().unwrap().to_owned();
            let allowed = |c: char| matches!(c, ' '..='!' | '#'..='[' | ']'..='~');
            assert!(description.chars().all(allowed), "{description}");
        }
    }
}
