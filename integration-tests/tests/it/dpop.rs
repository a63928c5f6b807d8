//! DPoP: proofs at the token endpoint, at `/par` and at resources. RFC 9449, and the modules of the FAPI 2.0 plan about it.

use std::sync::Arc;

use habilis_integration_tests::fapi::{
    DpopProof, bound, code_for, dpop, get_bound, get_with, post, push, redeem, redeem_without_key, refresh, request_uri,
};
use habilis_integration_tests::jose::{self, SigningKey};
use habilis_integration_tests::protocol::{AuthorizationRequest, Code, Proof, random_text};
use habilis_integration_tests::{Answer, Http, TestServer};
use serde_json::{Value, json};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

const RESOURCE: &str = "/demo/resource";

fn request(server: &TestServer) -> AuthorizationRequest {
    AuthorizationRequest::of(server.client("demo-fapi"))
}

async fn code(server: &TestServer) -> Code {
    code_for(server, &request(server), server.learner()).await
}

/// A token of `demo-fapi` bound to `key`.
async fn token(server: &TestServer, key: &SigningKey) -> String {
    let answer = redeem(server, server.client("demo-fapi"), &code(server).await, key).await;
    bound(&answer)["access_token"].as_str().unwrap().to_owned()
}

/// A code of `demo-fapi` asked for with these extras, its proof at `/par` among them.
async fn code_asked_with(server: &TestServer, request: &AuthorizationRequest, dpop: &[&str]) -> Code {
    let uri = request_uri(&push(server, request, dpop).await);
    let reference = habilis_integration_tests::fapi::reference(request, &uri);
    let response = habilis_integration_tests::Browser::new().authorize(server, &reference, server.learner()).await;
    Code::from(request, &response)
}

/// A proof for the resource that goes with `token`, to be bent.
async fn proof(server: &TestServer, key: &SigningKey, token: &str) -> DpopProof {
    let now = server.now().await.as_second();
    DpopProof::new(key, ("GET", &server.url(RESOURCE)), now).for_token(token)
}

async fn call(server: &TestServer, token: &str, proofs: &[&str]) -> Answer {
    let authorization = format!("DPoP {token}");
    let mut headers = vec![("authorization", authorization.as_str())];
    headers.extend(proofs.iter().map(|proof| ("DPoP", *proof)));
    get_with(server, RESOURCE, &headers).await
}

/// Asserts a refusal at a resource: 401, the scheme, and which algorithms proofs may have.
#[track_caller]
fn assert_refused(answer: &Answer, error: &str, case: &str) {
    assert_eq!(answer.status, 401, "{case}: {}", answer.body);
    let challenge = answer.header("www-authenticate");
    assert!(challenge.starts_with("DPoP "), "{case}: {challenge}");
    assert!(challenge.contains("algs=\"ES256 PS256 EdDSA\""), "{case}: {challenge}");
    assert!(challenge.contains(&format!("error=\"{error}\"")), "{case}: {challenge}");
}

/// A DPoP error at the token endpoint or at `/par`.
fn assert_proof_refused(answer: &Answer) {
    answer.assert_oauth_error(400, "invalid_dpop_proof");
}

/// The parameters of a form, owned.
fn owned(parameters: &[(&str, &str)]) -> Vec<(String, String)> {
    parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

journeys! {
    async fn a_token_is_bound_to_the_key_of_the_proof(server: &TestServer) {
        let key = SigningKey::generate();
        let token = token(server, &key).await;
        assert_eq!(jose::claims(&token)["cnf"]["jkt"], json!(key.thumbprint()));
        let answer = get_bound(server, RESOURCE, &token, &key).await.ok_json();
        assert_eq!(answer["client_id"], "demo-fapi");
        let claims = get_bound(server, "/userinfo", &token, &key).await.ok_json();
        assert_eq!(claims["sub"], answer["sub"]);
    }

    async fn a_client_that_must_bind_gets_nothing_without_a_proof(server: &TestServer) {
        let code = code(server).await;
        let answer = redeem_without_key(server, server.client("demo-fapi"), &code).await;
        answer.assert_oauth_error(400, "invalid_request");
        let proof = Proof::of(server.client("demo-fapi"), server).await;
        let credentials = owned(&[("grant_type", "client_credentials")]);
        post(server, "/token", (&proof, &credentials), &[]).await.assert_oauth_error(400, "invalid_request");
    }

    async fn a_service_s_token_is_bound_as_well(server: &TestServer) {
        let key = SigningKey::generate();
        let proof = Proof::of(server.client("demo-fapi"), server).await;
        let dpop = dpop(server, &key, ("POST", "/token"), None).await;
        let answer = post(server, "/token", (&proof, &owned(&[("grant_type", "client_credentials")])), &[&dpop]).await;
        let token = bound(&answer)["access_token"].as_str().unwrap().to_owned();
        assert_eq!(get_bound(server, RESOURCE, &token, &key).await.ok_json()["sub"], "demo-fapi");
    }

    async fn any_client_may_bind_its_tokens(server: &TestServer) {
        let client = server.client("demo-portal");
        let key = SigningKey::generate();
        let code = habilis_integration_tests::protocol::code_for(server, &AuthorizationRequest::of(client), server.learner()).await;
        let tokens = bound(&redeem(server, client, &code, &key).await);
        let token = tokens["access_token"].as_str().unwrap();
        assert_eq!(get_bound(server, "/userinfo", token, &key).await.status, 200);
        assert_refused(&get_with(server, "/userinfo", &[("authorization", &format!("Bearer {token}"))]).await, "invalid_token", "Bearer");
    }

    async fn a_bearer_token_is_not_taken_in_the_other_scheme(server: &TestServer) {
        let request = AuthorizationRequest::of(server.client("demo-portal"));
        let tokens = habilis_integration_tests::protocol::tokens_for(server, &request, server.learner()).await;
        let answer = get_bound(server, "/userinfo", tokens.access_token(), &SigningKey::generate()).await;
        assert_refused(&answer, "invalid_token", "DPoP with a Bearer token");
    }

    async fn a_bad_proof_at_the_resource_is_refused(server: &TestServer) {
        let key = SigningKey::generate();
        let token = token(server, &key).await;
        let good = proof(server, &key, &token).await;
        let now = server.now().await.as_second();
        let without_key = {
            let mut proof = good.clone();
            proof.header.as_object_mut().unwrap().remove("jwk");
            proof
        };
        let mut private = good.header["jwk"].clone();
        private["d"] = json!("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI");
        let cases = [
            ("typ", good.clone().header("typ", json!("JWT"))),
            ("alg none", good.clone().header("alg", json!("none"))),
            ("alg RS256", good.clone().header("alg", json!("RS256"))),
            ("alg HS256", good.clone().header("alg", json!("HS256"))),
            ("no jwk", without_key),
            ("private jwk", good.clone().header("jwk", private)),
            ("no jti", good.clone().without("jti")),
            ("no htm", good.clone().without("htm")),
            ("no htu", good.clone().without("htu")),
            ("no iat", good.clone().without("iat")),
            ("no ath", good.clone().without("ath")),
            ("wrong htm", good.clone().claim("htm", json!("POST"))),
            ("wrong htu", good.clone().claim("htu", json!(server.url("/userinfo")))),
            ("wrong ath", good.clone().for_token("another")),
            ("an hour old", good.clone().claim("iat", json!(now - 3600))),
            ("an hour ahead", good.clone().claim("iat", json!(now + 3600))),
        ];
        for (case, proof) in cases {
            assert_refused(&call(server, &token, &[&proof.sign(&key)]).await, "invalid_dpop_proof", case);
        }
        let broken = jose::with_broken_signature(&good.sign(&key));
        assert_refused(&call(server, &token, &[&broken]).await, "invalid_dpop_proof", "signature");
        assert_refused(&call(server, &token, &["rubbish"]).await, "invalid_dpop_proof", "rubbish");
        // None of them used anything up.
        assert_eq!(call(server, &token, &[&good.sign(&key)]).await.status, 200);
    }

    async fn two_proofs_or_none_are_refused(server: &TestServer) {
        let key = SigningKey::generate();
        let token = token(server, &key).await;
        let (first, second) = (proof(server, &key, &token).await.sign(&key), proof(server, &key, &token).await.sign(&key));
        assert_refused(&call(server, &token, &[&first, &second]).await, "invalid_dpop_proof", "two");
        assert_refused(&call(server, &token, &[]).await, "invalid_dpop_proof", "none");
        let code = code(server).await;
        let client = Proof::of(server.client("demo-fapi"), server).await;
        let (first, second) = (dpop(server, &key, ("POST", "/token"), None).await, dpop(server, &key, ("POST", "/token"), None).await);
        assert_proof_refused(&post(server, "/token", (&client, &owned(&code.parameters())), &[&first, &second]).await);
    }

    async fn a_bound_token_under_the_bearer_scheme_is_refused(server: &TestServer) {
        let key = SigningKey::generate();
        let token = token(server, &key).await;
        let proof = proof(server, &key, &token).await.sign(&key);
        let answer = get_with(server, RESOURCE, &[("authorization", &format!("Bearer {token}")), ("DPoP", &proof)]).await;
        assert_refused(&answer, "invalid_token", "Bearer");
        let in_form = Http::new().post_form(&server.url("/userinfo"), &[("access_token", &token)]).await;
        assert_refused(&in_form, "invalid_token", "form");
    }

    async fn a_proof_of_another_key_opens_nothing(server: &TestServer) {
        let (key, thief) = (SigningKey::generate(), SigningKey::generate());
        let token = token(server, &key).await;
        let proof = proof(server, &thief, &token).await.sign(&thief);
        assert_refused(&call(server, &token, &[&proof]).await, "invalid_dpop_proof", "another key");
    }

    async fn a_proof_is_used_once(server: &TestServer) {
        let key = SigningKey::generate();
        let token = token(server, &key).await;
        let proof = proof(server, &key, &token).await.sign(&key);
        assert_eq!(call(server, &token, &[&proof]).await.status, 200);
        assert_refused(&call(server, &token, &[&proof]).await, "invalid_dpop_proof", "replay");
    }

    async fn fifty_parallel_uses_of_one_proof_open_once(server: &TestServer) {
        let key = SigningKey::generate();
        let token = token(server, &key).await;
        let proof = proof(server, &key, &token).await.sign(&key);
        let barrier = Arc::new(Barrier::new(50));
        let mut tasks = JoinSet::new();
        for _ in 0..50 {
            let (http, barrier) = (Http::new(), Arc::clone(&barrier));
            let request = http
                .request("GET", &server.url(RESOURCE))
                .header("authorization", format!("DPoP {token}"))
                .header("DPoP", &proof);
            tasks.spawn(async move {
                barrier.wait().await;
                http.send(request).await.status
            });
        }
        let statuses = tasks.join_all().await;
        let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
        assert_eq!((count(200), count(401)), (1, 49), "{statuses:?}");
    }

    async fn a_proof_may_say_more_and_spell_the_address_differently(server: &TestServer) {
        let key = SigningKey::generate();
        let token = token(server, &key).await;
        let good = proof(server, &key, &token).await;
        let now = server.now().await.as_second();
        let url = server.url(RESOURCE);
        let cases = [
            good.clone().claim("nbf", json!(now - 10)).claim("exp", json!(now + 60)),
            good.clone().claim("unknown", json!({ "x": 1 })),
            good.clone().claim("iat", json!(now - 10)),
            good.clone().claim("iat", json!(now + 10)),
            good.clone().claim("htu", json!(format!("{url}?a=1"))),
            good.clone().claim("htu", json!(format!("{url}#part"))),
            good.clone().claim("htu", json!(url.replace("http://localhost", "HTTP://LOCALHOST"))),
        ];
        for proof in cases {
            let proof = proof.claim("jti", json!(random_text()));
            let answer = call(server, &token, &[&proof.sign(&key)]).await;
            assert_eq!(answer.status, 200, "{:?}: {}", proof.claims, answer.body);
        }
    }

    async fn scheme_and_header_are_taken_in_any_case(server: &TestServer) {
        let key = SigningKey::generate();
        let token = token(server, &key).await;
        for (scheme, header) in [("dpop", "dpop"), ("DPOP", "DPOP"), ("DPoP", "dPoP")] {
            let proof = proof(server, &key, &token).await.sign(&key);
            let answer = get_with(server, RESOURCE, &[("authorization", &format!("{scheme} {token}")), (header, &proof)]).await;
            assert_eq!(answer.status, 200, "{scheme}: {}", answer.body);
        }
        let request = AuthorizationRequest::of(server.client("demo-portal"));
        let tokens = habilis_integration_tests::protocol::tokens_for(server, &request, server.learner()).await;
        for scheme in ["bearer", "BEARER"] {
            let header = format!("{scheme} {}", tokens.access_token());
            assert_eq!(get_with(server, RESOURCE, &[("authorization", &header)]).await.status, 200, "{scheme}");
        }
    }

    async fn a_bad_proof_is_refused_wherever_tokens_are_asked_for(server: &TestServer) {
        let key = SigningKey::generate();
        let now = server.now().await.as_second();
        for path in ["/token", "/par"] {
            let good = DpopProof::new(&key, ("POST", &server.url(path)), now);
            let cases = [
                good.clone().claim("htm", json!("GET")),
                good.clone().claim("htu", json!(server.url("/userinfo"))),
                good.clone().claim("iat", json!(now - 3600)),
                good.clone().header("typ", json!("JWT")),
                good.clone().without("jti"),
            ];
            let parameters = if path == "/par" {
                request(server).without("client_id").parameters
            } else {
                owned(&code(server).await.parameters())
            };
            for case in cases {
                let client = Proof::of(server.client("demo-fapi"), server).await;
                assert_proof_refused(&post(server, path, (&client, &parameters), &[&case.sign(&key)]).await);
            }
            let client = Proof::of(server.client("demo-fapi"), server).await;
            let answer = post(server, path, (&client, &parameters), &[&good.sign(&key)]).await;
            assert!(matches!(answer.status, 200 | 201), "{path}: {}", answer.body);
        }
    }

    async fn a_proof_at_par_binds_the_code(server: &TestServer) {
        let (key, other) = (SigningKey::generate(), SigningKey::generate());
        let dpop = dpop(server, &key, ("POST", "/par"), None).await;
        let code = code_asked_with(server, &request(server), &[&dpop]).await;
        let client = server.client("demo-fapi");
        assert_proof_refused(&redeem(server, client, &code, &other).await);
        bound(&redeem(server, client, &code, &key).await);
    }

    async fn dpop_jkt_binds_the_code(server: &TestServer) {
        let (key, other) = (SigningKey::generate(), SigningKey::generate());
        let request = request(server).with("dpop_jkt", &key.thumbprint());
        let code = code_asked_with(server, &request, &[]).await;
        let client = server.client("demo-fapi");
        assert_proof_refused(&redeem(server, client, &code, &other).await);
        bound(&redeem(server, client, &code, &key).await);
    }

    async fn dpop_jkt_binds_the_code_of_any_client_without_par(server: &TestServer) {
        let key = SigningKey::generate();
        let client = server.client("demo-portal");
        let request = AuthorizationRequest::of(client).with("dpop_jkt", &key.thumbprint());
        let code = habilis_integration_tests::protocol::code_for(server, &request, server.learner()).await;
        redeem_without_key(server, client, &code).await.assert_oauth_error(400, "invalid_request");
        bound(&redeem(server, client, &code, &key).await);
    }

    async fn dpop_jkt_and_the_proof_at_par_must_agree(server: &TestServer) {
        let (key, other) = (SigningKey::generate(), SigningKey::generate());
        let request = request(server).with("dpop_jkt", &other.thumbprint());
        let proof = dpop(server, &key, ("POST", "/par"), None).await;
        assert_proof_refused(&push(server, &request, &[&proof]).await);
        let proof = dpop(server, &other, ("POST", "/par"), None).await;
        request_uri(&push(server, &request, &[&proof]).await);
    }

    async fn a_confidential_client_may_refresh_with_a_new_key(server: &TestServer) {
        let (key, next) = (SigningKey::generate(), SigningKey::generate());
        let client = server.client("demo-fapi");
        let tokens = bound(&redeem(server, client, &code(server).await, &key).await);
        let refresh_token = tokens["refresh_token"].as_str().unwrap();
        let fresh = bound(&refresh(server, client, refresh_token, &next).await);
        assert_eq!(jose::claims(fresh["access_token"].as_str().unwrap())["cnf"]["jkt"], json!(next.thumbprint()));
        assert_eq!(fresh["refresh_token"], json!(refresh_token), "not rotated");
        // Without a proof nothing, and nothing for another client.
        let proof = Proof::of(client, server).await;
        let parameters = owned(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]);
        post(server, "/token", (&proof, &parameters), &[]).await.assert_oauth_error(400, "invalid_request");
        refresh(server, server.client("demo-fapi-2"), refresh_token, &key).await.assert_oauth_error(400, "invalid_grant");
    }

    async fn a_public_client_refreshes_with_the_key_it_began_with(server: &TestServer) {
        let (key, thief) = (SigningKey::generate(), SigningKey::generate());
        let client = server.client("demo-native");
        let request = AuthorizationRequest::of(client).offline();
        let code = habilis_integration_tests::protocol::code_for(server, &request, server.learner()).await;
        let tokens = bound(&redeem(server, client, &code, &key).await);
        let first = tokens["refresh_token"].as_str().unwrap();
        assert_proof_refused(&refresh(server, client, first, &thief).await);
        let without = habilis_integration_tests::protocol::refresh(server, client, first).await;
        without.assert_oauth_error(400, "invalid_request");
        let second = bound(&refresh(server, client, first, &key).await)["refresh_token"].clone();
        assert_ne!(second, json!(first));
        assert_proof_refused(&refresh(server, client, second.as_str().unwrap(), &thief).await);
        bound(&refresh(server, client, second.as_str().unwrap(), &key).await);
    }

    async fn without_a_token_both_schemes_are_offered(server: &TestServer) {
        let answer = Http::new().get(&server.url(RESOURCE)).await;
        assert_eq!(answer.status, 401);
        let challenges: Vec<_> =
            answer.headers.get_all("www-authenticate").iter().map(|value| value.to_str().unwrap().to_owned()).collect();
        assert_eq!(challenges.len(), 2);
        assert!(challenges[0].starts_with("Bearer") && challenges[1].starts_with("DPoP"), "{challenges:?}");
    }

    async fn metadata_and_cors_let_scripts_use_it(server: &TestServer) {
        let http = Http::new();
        let metadata = http.get(&server.url("/.well-known/openid-configuration")).await.ok_json();
        assert_eq!(metadata["dpop_signing_alg_values_supported"], json!(["ES256", "PS256", "EdDSA"]));
        let answer = http.send(http.request("GET", &server.url("/userinfo")).header("origin", "https://app.example")).await;
        let exposed = answer.header("access-control-expose-headers").to_ascii_lowercase();
        assert!(exposed.contains("www-authenticate") && exposed.contains("dpop-nonce"), "{exposed}");
    }
}

own_journeys! {
    async fn a_proof_is_remembered_as_long_as_it_could_be_used(mut server: TestServer) {
        let key = SigningKey::generate();
        let token = token(&server, &key).await;
        let now = server.now().await.as_second();
        let ahead = proof(&server, &key, &token).await.claim("iat", Value::from(now + 50)).sign(&key);
        assert_eq!(call(&server, &token, &[&ahead]).await.status, 200);
        server.advance(100).await;
        assert_refused(&call(&server, &token, &[&ahead]).await, "invalid_dpop_proof", "replay");
    }
}
