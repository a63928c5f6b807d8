//! `/par`: pushed authorization requests. RFC 9126, and the modules of the FAPI 2.0 plan that name PAR.

use std::sync::Arc;
use std::time::{Duration, Instant};

use habilis_integration_tests::fapi::{authorize, code_for, post, push, redeem, reference, request_uri};
use habilis_integration_tests::jose::SigningKey;
use habilis_integration_tests::protocol::{
    AuthorizationRequest, AuthorizationResponse, Code, Proof, Tokens, assertion_claims, client_key, random_text,
};
use habilis_integration_tests::server::{free_port, habilis, run_in};
use habilis_integration_tests::{Answer, Browser, Http, TestServer, Visit};
use serde_json::json;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

fn request(server: &TestServer) -> AuthorizationRequest {
    AuthorizationRequest::of(server.client("demo-fapi"))
}

/// Pushes as `demo-fapi` with claims of the assertion bent by `bend`.
async fn push_with_assertion(server: &TestServer, bend: impl FnOnce(&mut serde_json::Value)) -> Answer {
    let client = server.client("demo-fapi");
    let mut claims = assertion_claims(client, server, server.now().await);
    bend(&mut claims);
    let proof = Proof::assertion(&client_key(client).sign(&claims));
    post(server, "/par", (&proof, &request(server).parameters), &[]).await
}

/// Asserts a refusal of the client (conformance: IC, 400 or 401).
fn assert_invalid_client(answer: &Answer) {
    assert!(matches!(answer.status, 400 | 401), "{}", answer.body);
    answer.assert_oauth_error(answer.status, "invalid_client");
}

#[tokio::test]
async fn a_client_that_need_not_prove_anything_cannot_push_without_bound() {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), &["keys", "init"], &[]).await.printed();
    let metadata =
        r#"{"client_id":"app","redirect_uris":["https://p.example/cb"],"token_endpoint_auth_method":"none"}"#;
    std::fs::write(folder.path().join("client.json"), metadata).unwrap();
    run_in(folder.path(), &["client", "create", "client.json"], &[]).await.printed();
    let address = format!("127.0.0.1:{}", free_port());
    let mut command = habilis();
    command
        .arg("serve")
        .current_dir(folder.path())
        .env("HABILIS__SERVER__ISSUER", format!("http://{address}"))
        .env("HABILIS__SERVER__LISTEN", &address)
        .env("HABILIS__SERVER__METRICS_LISTEN", "")
        .env("HABILIS__SIGN_IN__INTERACTIONS_PER_ADDRESS_PER_MINUTE", "3")
        .stderr(std::fs::File::create(folder.path().join("log")).unwrap());
    let _process = tokio::process::Command::from(command).kill_on_drop(true).spawn().unwrap();
    let (http, began) = (Http::new(), Instant::now());
    let ready = || http.request("GET", &format!("http://{address}/readyz"));
    while !http.try_send(ready()).await.is_ok_and(|answer| answer.status == 200) {
        assert!(began.elapsed() < Duration::from_mins(1), "not ready after a minute");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let challenge = habilis_integration_tests::jose::s256("v");
    let form = [
        ("client_id", "app"),
        ("response_type", "code"),
        ("redirect_uri", "https://p.example/cb"),
        ("scope", "openid"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(http.post_form(&format!("http://{address}/par"), &form).await.status);
    }
    assert_eq!(statuses, [201, 201, 201, 429]);
    // Somebody else's network is not concerned.
    assert_eq!(Http::new().post_form(&format!("http://{address}/par"), &form).await.status, 201);
}

journeys! {
    async fn a_pushed_request_is_answered_with_a_reference_that_leads_to_a_code(server: &TestServer) {
        let request = request(server);
        let answer = push(server, &request, &[]).await;
        let uri = request_uri(&answer);
        assert!((60..=90).contains(&answer.json()["expires_in"].as_u64().unwrap()), "{}", answer.body);
        assert!(uri.rsplit(':').next().unwrap().len() >= 43, "256 bits");
        let response = Browser::new().authorize(server, &reference(&request, &uri), server.learner()).await;
        assert_eq!(response.get("state"), Some(request.get("state")));
        assert_eq!(response.get("iss"), Some(server.issuer.as_str()));
        redeem(server, server.client("demo-fapi"), &Code::from(&request, &response), &SigningKey::generate()).await.ok_json();
    }

    async fn any_client_may_push_with_its_own_authentication(server: &TestServer) {
        for client_id in ["demo-portal", "demo-post", "demo-jwt"] {
            let request = AuthorizationRequest::of(server.client(client_id));
            let response = authorize(server, &request, server.learner()).await;
            let code = Code::from(&request, &response);
            let answer = habilis_integration_tests::protocol::redeem(server, server.client(client_id), &code).await;
            Tokens::from(&answer);
        }
    }

    async fn parameters_beside_the_reference_are_ignored(server: &TestServer) {
        let request = request(server);
        let uri = request_uri(&push(server, &request, &[]).await);
        let beside = request.clone().with("request_uri", &uri).with("state", "other").with("nonce", "other")
            .with("scope", "openid email").with("redirect_uri", "https://evil.example/").with("response_type", "token");
        let response = Browser::new().authorize(server, &beside, server.learner()).await;
        assert_eq!(response.get("state"), Some(request.get("state")));
        let answer = redeem(server, server.client("demo-fapi"), &Code::from(&request, &response), &SigningKey::generate()).await;
        let tokens = answer.ok_json();
        assert_eq!(tokens["scope"], "openid");
        let claims = habilis_integration_tests::jose::claims(tokens["id_token"].as_str().unwrap());
        assert_eq!(claims["nonce"], json!(request.get("nonce")));
    }

    async fn a_state_that_stands_only_beside_the_reference_is_not_returned(server: &TestServer) {
        let request = request(server).without("state");
        let uri = request_uri(&push(server, &request, &[]).await);
        let beside = reference(&request, &uri).with("state", "outside");
        let response = Browser::new().authorize(server, &beside, server.learner()).await;
        assert_eq!(response.get("state"), None);
        response.code();
    }

    async fn a_reference_may_be_opened_again_until_it_is_answered(server: &TestServer) {
        let request = request(server);
        let uri = request_uri(&push(server, &request, &[]).await);
        let mut browser = Browser::new();
        for _ in 0..2 {
            assert!(browser.get(&reference(&request, &uri).url(server)).await.page().has("login-form"));
        }
        let visit = browser.sign_in(server.learner()).await;
        AuthorizationResponse::from_url(visit.left()).code();
        for mut browser in [browser, Browser::new()] {
            browser.get(&reference(&request, &uri).url(server)).await.assert_error_page("invalid_request_uri");
        }
    }

    async fn two_browsers_with_one_reference_get_one_answer(server: &TestServer) {
        let request = request(server);
        let uri = request_uri(&push(server, &request, &[]).await);
        let (mut first, mut second) = (Browser::new(), Browser::new());
        for browser in [&mut first, &mut second] {
            browser.get(&reference(&request, &uri).url(server)).await.page();
        }
        AuthorizationResponse::from_url(first.sign_in(server.learner()).await.left()).code();
        let page = second.sign_in(server.learner()).await.page();
        assert_eq!(page.status, 400, "{}", page.summary());
    }

    async fn ten_parallel_answers_to_one_reference_give_one_code(server: &TestServer) {
        let request = request(server);
        let uri = request_uri(&push(server, &request, &[]).await);
        // Ten browsers of one person who is signed in: no page stands between the reference and the code.
        let mut browser = Browser::new();
        browser.authorize(server, &AuthorizationRequest::of(server.client("demo-portal")), server.learner()).await;
        let barrier = Arc::new(Barrier::new(10));
        let mut tasks = JoinSet::new();
        for _ in 0..10 {
            let (mut browser, barrier) = (browser.clone(), Arc::clone(&barrier));
            let url = reference(&request, &uri).url(server);
            tasks.spawn(async move {
                barrier.wait().await;
                matches!(browser.get(&url).await, Visit::Left(_))
            });
        }
        let answered = tasks.join_all().await.into_iter().filter(|left| *left).count();
        assert_eq!(answered, 1);
    }

    async fn a_refusal_uses_the_reference_up_as_well(server: &TestServer) {
        let request = request(server).with("prompt", "none");
        let uri = request_uri(&push(server, &request, &[]).await);
        let response = Browser::new().get(&reference(&request, &uri).url(server)).await.left();
        AuthorizationResponse::from_url(response).assert_error("login_required", &request, server);
        Browser::new().get(&reference(&request, &uri).url(server)).await.assert_error_page("invalid_request_uri");
    }

    async fn a_reference_serves_only_the_client_that_pushed(server: &TestServer) {
        let request = request(server);
        let uri = request_uri(&push(server, &request, &[]).await);
        let other = AuthorizationRequest::of(server.client("demo-fapi-2")).with("request_uri", &uri);
        Browser::new().get(&other.url(server)).await.assert_error_page("invalid_request_uri");
        // It is still good for its own.
        Browser::new().authorize(server, &reference(&request, &uri), server.learner()).await.code();
    }

    async fn a_reference_nobody_got_is_an_error_page(server: &TestServer) {
        let uri = format!("urn:ietf:params:oauth:request_uri:{}", random_text());
        let visit = Browser::new().get(&reference(&request(server), &uri).url(server)).await;
        visit.assert_error_page("invalid_request_uri");
    }

    async fn a_request_uri_cannot_be_pushed(server: &TestServer) {
        let uri = request_uri(&push(server, &request(server), &[]).await);
        for uri in [uri.as_str(), "https://rp.example/request.jwt"] {
            let answer = push(server, &request(server).with("request_uri", uri), &[]).await;
            answer.assert_oauth_error(400, "invalid_request");
        }
    }

    async fn only_post_is_answered(server: &TestServer) {
        let http = Http::new();
        for method in ["GET", "PUT", "DELETE", "PATCH"] {
            assert_eq!(http.send(http.request(method, &server.url("/par"))).await.status, 405, "{method}");
        }
    }

    async fn a_huge_body_is_too_large(server: &TestServer) {
        let answer = push(server, &request(server).with("claims", &"x".repeat(200_000)), &[]).await;
        answer.assert_oauth_error(413, "invalid_request");
    }

    async fn another_content_type_is_an_invalid_request(server: &TestServer) {
        let answer = Http::new().post_bytes(&server.url("/par"), "application/json", b"{}".to_vec()).await;
        answer.assert_oauth_error(400, "invalid_request");
    }

    async fn every_check_of_the_authorization_endpoint_is_made_when_pushing(server: &TestServer) {
        let good = request(server);
        let cases = [
            (good.clone().without("redirect_uri"), "invalid_request"),
            (good.clone().with("redirect_uri", "https://evil.example/callback"), "invalid_request"),
            (good.clone().with("redirect_uri", "https://rp.example/callback?x=1"), "invalid_request"),
            (good.clone().without("response_type"), "invalid_request"),
            (good.clone().with("response_type", "code id_token"), "unsupported_response_type"),
            (good.clone().with("response_type", "token"), "unsupported_response_type"),
            (good.clone().without_pkce(), "invalid_request"),
            (good.clone().with("code_challenge_method", "plain"), "invalid_request"),
            (good.clone().without("code_challenge_method"), "invalid_request"),
            (good.clone().with("response_mode", "pigeon"), "invalid_request"),
            (good.clone().with("prompt", "none login"), "invalid_request"),
            (good.clone().with("max_age", "soon"), "invalid_request"),
            (good.clone().with("claims", "{"), "invalid_request"),
            (good.clone().with("dpop_jkt", "short"), "invalid_request"),
            (good.clone().with("id_token_hint", "rubbish"), "invalid_request"),
            (good.clone().with("state", &"s".repeat(3000)), "invalid_request"),
            (good.clone().adding("scope", "email"), "invalid_request"),
        ];
        for (request, error) in cases {
            let answer = push(server, &request, &[]).await;
            assert_eq!(answer.json()["error"], error, "{:?}", request.parameters);
            answer.assert_oauth_error(400, error);
        }
    }

    async fn a_public_client_must_use_pkce_when_pushing(server: &TestServer) {
        let request = AuthorizationRequest::of(server.client("demo-native")).without_pkce();
        let proof = Proof::of(server.client("demo-native"), server).await;
        let request = request.without("client_id");
        post(server, "/par", (&proof, &request.parameters), &[]).await.assert_oauth_error(400, "invalid_request");
    }

    async fn pushing_needs_the_client_s_authentication(server: &TestServer) {
        let nothing = Proof::Form(Vec::new());
        assert_invalid_client(&post(server, "/par", (&nothing, &request(server).parameters), &[]).await);
        let unknown = SigningKey::generate().announcing("demo");
        let claims = assertion_claims(server.client("demo-fapi"), server, server.now().await);
        let proof = Proof::assertion(&unknown.sign(&claims));
        assert_invalid_client(&post(server, "/par", (&proof, &request(server).parameters), &[]).await);
    }

    async fn an_assertion_names_the_issuer_alone_as_its_audience(server: &TestServer) {
        assert_eq!(push_with_assertion(server, |_| {}).await.status, 201);
        for audience in [json!([server.issuer]), json!(server.url("/par")), json!(server.url("/token")), json!("https://x.example")] {
            assert_invalid_client(&push_with_assertion(server, |claims| claims["aud"] = audience).await);
        }
    }

    async fn an_assertion_may_begin_eight_seconds_ahead_but_not_a_minute(server: &TestServer) {
        let now = server.now().await.as_second();
        assert_eq!(push_with_assertion(server, |claims| claims["nbf"] = json!(now + 8)).await.status, 201);
        assert_invalid_client(&push_with_assertion(server, |claims| claims["nbf"] = json!(now + 62)).await);
    }

    async fn an_expired_assertion_or_one_without_subject_proves_nothing(server: &TestServer) {
        let now = server.now().await.as_second();
        assert_invalid_client(&push_with_assertion(server, |claims| claims["exp"] = json!(now - 300)).await);
        assert_invalid_client(&push_with_assertion(server, |claims| {
            claims.as_object_mut().unwrap().remove("sub");
        }).await);
    }

    async fn a_client_that_must_push_is_refused_at_the_authorization_endpoint(server: &TestServer) {
        let request = request(server);
        let response = AuthorizationResponse::from_url(Browser::new().get(&request.url(server)).await.left());
        response.assert_error("invalid_request", &request, server);
        let unregistered = request.with("redirect_uri", "https://evil.example/");
        assert!(matches!(Browser::new().get(&unregistered.url(server)).await, Visit::Page(page) if page.has("error-page")));
    }

    async fn scripts_of_other_origins_may_push(server: &TestServer) {
        let http = Http::new();
        let preflight = http
            .request("OPTIONS", &server.url("/par"))
            .header("origin", "https://app.example")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "dpop,content-type");
        let answer = http.send(preflight).await;
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert!(answer.header("access-control-allow-headers").contains("dpop"));
    }
}

own_journeys! {
    async fn a_reference_lives_no_longer_than_it_said_but_the_person_may_take_their_time(mut server: TestServer) {
        let (early, late) = (request(&server), request(&server));
        let early_uri = request_uri(&push(&server, &early, &[]).await);
        let late_uri = request_uri(&push(&server, &late, &[]).await);
        let mut browser = Browser::new();
        browser.get(&reference(&early, &early_uri).url(&server)).await.page();
        server.advance(91).await;
        Browser::new().get(&reference(&late, &late_uri).url(&server)).await.assert_error_page("invalid_request_uri");
        AuthorizationResponse::from_url(browser.sign_in(server.learner()).await.left()).code();
    }

    async fn a_code_of_a_pushed_request_lives_sixty_seconds(mut server: TestServer) {
        let client = server.client("demo-fapi").clone();
        let code = code_for(&server, &request(&server), server.learner()).await;
        server.advance(62).await;
        redeem(&server, &client, &code, &SigningKey::generate()).await.assert_oauth_error(400, "invalid_grant");
    }
}
