//! `/authorize`: the code flow and everything that can be wrong with a request. OpenID Connect Core §3.1.2, RFC 6749
//! §4.1, RFC 7636, RFC 9207; the modules of the basic certification plan that apply to registered clients.

use habilis_integration_tests::jose;
use habilis_integration_tests::protocol::{
    AuthorizationRequest, AuthorizationResponse, Code, Proof, Tokens, code_for, post_token, redeem, tokens_for,
    userinfo,
};
use habilis_integration_tests::{Browser, Http, RelyingParty, TestServer, Visit};
use openidconnect::core::CoreJwsSigningAlgorithm;
use serde_json::json;

/// A plain request of the demo portal.
fn request(server: &TestServer) -> AuthorizationRequest {
    AuthorizationRequest::of(server.client("demo-portal"))
}

/// What an error redirect carries, without anybody signed in.
async fn refusal(server: &TestServer, request: &AuthorizationRequest) -> AuthorizationResponse {
    AuthorizationResponse::from_url(Browser::new().get(&request.url(server)).await.left())
}

/// The tokens of one more authorization in a browser that may be signed in.
async fn tokens_in(browser: &mut Browser, server: &TestServer, request: &AuthorizationRequest) -> Tokens {
    let response = browser.authorize(server, request, server.learner()).await;
    let client = server.client(request.get("client_id"));
    Tokens::from(&redeem(server, client, &Code::from(request, &response)).await)
}

/// Asserts that the answer is the sign-in page.
fn assert_login_page(visit: Visit) {
    let page = visit.page();
    assert!(page.has("login-form"), "{}", page.summary());
    assert!(page.url.path().starts_with("/interaction/login/"), "{}", page.url);
}

/// Signs in through `openidconnect`, which verifies everything, and says which algorithm signed.
async fn sign_in_with_openidconnect(server: &TestServer, client_id: &str) -> CoreJwsSigningAlgorithm {
    let relying_party = RelyingParty::discover(server, server.client(client_id)).await;
    let sign_in = relying_party.begin(&["profile", "email"]);
    let person = server.learner();
    let mut browser = Browser::new();
    let visit = browser.get(sign_in.url.as_str()).await;
    let callback = browser.finish(visit, person).await;
    let signed_in = relying_party.finish(sign_in, &callback.url).await;
    let userinfo = relying_party.userinfo(&signed_in).await;
    let given_name = userinfo.given_name().and_then(|names| names.get(None)).map(|name| name.as_str().to_owned());
    assert_eq!(given_name.as_deref(), Some(person.given_name.as_str()));
    assert_eq!(userinfo.subject(), signed_in.claims.subject());
    signed_in.algorithm
}

journeys! {
    async fn a_learner_signs_in_and_an_independent_library_believes_every_token(server: &TestServer) {
        let algorithm = sign_in_with_openidconnect(server, "demo-portal").await;
        assert_eq!(algorithm, CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256, "the default of OpenID Connect");
    }

    async fn a_client_chooses_the_algorithm_of_its_id_tokens(server: &TestServer) {
        assert_eq!(sign_in_with_openidconnect(server, "demo-es256").await, CoreJwsSigningAlgorithm::EcdsaP256Sha256);
        assert_eq!(sign_in_with_openidconnect(server, "demo-eddsa").await, CoreJwsSigningAlgorithm::EdDsa);
    }

    async fn each_way_to_authenticate_a_client_completes_the_code_flow(server: &TestServer) {
        for client in ["demo-portal", "demo-post", "demo-native", "demo-jwt"] {
            let tokens = tokens_for(server, &AuthorizationRequest::of(server.client(client)), server.learner()).await;
            assert_eq!(tokens.id_claims()["aud"], json!(client));
        }
    }

    async fn the_id_token_of_the_code_flow_holds_protocol_claims_only(server: &TestServer) {
        let request = request(server).with("scope", "openid profile email address phone");
        let claims = tokens_for(server, &request, server.learner()).await.id_claims();
        let expected = [
            "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "at_hash", "c_hash", "sid", "jti",
        ];
        for name in claims.as_object().unwrap().keys() {
            assert!(expected.contains(&name.as_str()), "{name}");
        }
        assert_eq!(claims["nonce"], json!(request.get("nonce")));
        assert!(claims["acr"].as_str().is_some_and(|acr| !acr.is_empty()));
    }

    async fn at_hash_belongs_to_the_access_token(server: &TestServer) {
        for client in ["demo-portal", "demo-es256", "demo-eddsa"] {
            let tokens = tokens_for(server, &AuthorizationRequest::of(server.client(client)), server.learner()).await;
            let alg = jose::header(tokens.id_token())["alg"].as_str().unwrap().to_owned();
            if let Some(at_hash) = tokens.id_claims()["at_hash"].as_str() {
                assert_eq!(at_hash, jose::left_half_hash(&alg, tokens.access_token()), "{alg}");
            }
        }
    }

    async fn a_response_carries_code_state_and_issuer_and_nothing_else(server: &TestServer) {
        let request = request(server);
        let response = Browser::new().authorize(server, &request, server.learner()).await;
        assert_eq!(response.parameters.keys().collect::<Vec<_>>(), ["code", "iss", "state"]);
        assert_eq!(response.get("state"), Some(request.get("state")));
        assert_eq!(response.get("iss"), Some(server.issuer.as_str()));
        assert!(response.code().len() >= 43, "256 bits: {}", response.code().len());
    }

    async fn state_and_nonce_are_not_invented(server: &TestServer) {
        let request = request(server).without("state").without("nonce");
        let response = Browser::new().authorize(server, &request, server.learner()).await;
        assert_eq!(response.get("state"), None);
        let tokens = Tokens::from(&redeem(server, server.client("demo-portal"), &Code::from(&request, &response)).await);
        assert_eq!(tokens.id_claims().get("nonce"), None);
    }

    async fn state_and_nonce_of_384_characters_come_back_whole(server: &TestServer) {
        let (state, nonce) = ("s~._-".repeat(80)[..384].to_owned(), "n~._-".repeat(80)[..384].to_owned());
        let request = request(server).with("state", &state).with("nonce", &nonce);
        let response = Browser::new().authorize(server, &request, server.learner()).await;
        assert_eq!(response.get("state"), Some(state.as_str()));
        let tokens = Tokens::from(&redeem(server, server.client("demo-portal"), &Code::from(&request, &response)).await);
        assert_eq!(tokens.id_claims()["nonce"], json!(nonce));
    }

    async fn an_empty_parameter_counts_as_absent(server: &TestServer) {
        let mut request = request(server);
        for name in ["state", "nonce", "prompt", "max_age", "claims", "login_hint", "id_token_hint", "ui_locales"] {
            request = request.with(name, "");
        }
        let response = Browser::new().authorize(server, &request, server.learner()).await;
        assert_eq!(response.get("state"), None);
        response.code();
    }

    async fn parameters_nobody_needs_are_tolerated(server: &TestServer) {
        let extras = [
            ("extra", "foobar"), ("display", "page"), ("display", "popup"), ("ui_locales", "se"), ("claims_locales", "se"),
            ("acr_values", "1 2"), ("login_hint", "buffy@localhost"), ("ui_locales", "fr-CA en"),
        ];
        for (name, value) in extras {
            let request = request(server).with(name, value);
            Browser::new().authorize(server, &request, server.learner()).await.code();
        }
    }

    async fn the_order_of_scopes_and_parameters_does_not_matter(server: &TestServer) {
        let mut request = request(server).with("scope", "phone email profile openid");
        request.parameters.reverse();
        tokens_for(server, &request, server.learner()).await.id_token();
    }

    async fn without_openid_there_is_no_id_token(server: &TestServer) {
        let request = request(server).with("scope", "profile").without("nonce");
        let tokens = tokens_for(server, &request, server.learner()).await;
        assert_eq!(tokens.response.get("id_token"), None);
    }

    async fn pkce_with_the_right_verifier_succeeds_and_is_optional_for_confidential_clients(server: &TestServer) {
        tokens_for(server, &request(server), server.learner()).await;
        let code = code_for(server, &request(server).without_pkce(), server.learner()).await;
        let parameters: Vec<_> = code.parameters().into_iter().filter(|(name, _)| *name != "code_verifier").collect();
        let proof = Proof::of(server.client("demo-portal"), server).await;
        Tokens::from(&post_token(&Http::new(), server, &proof, &parameters).await);
    }

    async fn a_public_client_must_use_pkce(server: &TestServer) {
        let request = AuthorizationRequest::of(server.client("demo-native")).without_pkce();
        refusal(server, &request).await.assert_error("invalid_request", &request, server);
    }

    async fn plain_pkce_and_malformed_challenges_are_refused(server: &TestServer) {
        let plain = request(server).with("code_challenge_method", "plain");
        refusal(server, &plain).await.assert_error("invalid_request", &plain, server);
        let unsaid = request(server).without("code_challenge_method");
        refusal(server, &unsaid).await.assert_error("invalid_request", &unsaid, server);
        for challenge in ["short", "contains spaces and is as long as a challenge has to be", &"x".repeat(129)] {
            let request = request(server).with("code_challenge", challenge);
            refusal(server, &request).await.assert_error("invalid_request", &request, server);
        }
    }

    async fn an_unknown_client_gets_a_page_and_never_a_redirect(server: &TestServer) {
        let request = request(server);
        for request in [request.clone().with("client_id", "nobody"), request.without("client_id")] {
            let page = Browser::new().get(&request.url(server)).await.page();
            assert_eq!(page.status, 400, "{}", page.summary());
            assert!(page.has("error-page"), "{}", page.summary());
            assert!(["invalid_client", "invalid_request"].contains(&page.text("error").as_str()), "{}", page.summary());
        }
    }

    async fn an_unregistered_redirect_uri_gets_a_page_and_never_a_redirect(server: &TestServer) {
        let registered = server.client("demo-portal").redirect_uris[0].clone();
        let upper_case = registered.replace("https://rp", "https://RP").replace("http://localhost", "http://LOCALHOST");
        for uri in [
            "https://evil.example/callback".to_owned(),
            format!("{registered}/"),
            format!("{registered}?foo=bar"),
            format!("{registered}#fragment"),
            format!("{registered}/../callback"),
            upper_case,
            "javascript:alert(1)".to_owned(),
            "/callback".to_owned(),
        ] {
            assert_ne!(uri, registered);
            let request = request(server).with("redirect_uri", &uri);
            Browser::new().get(&request.url(server)).await.assert_error_page("invalid_request");
        }
    }

    async fn a_missing_redirect_uri_gets_a_page_even_if_only_one_is_registered(server: &TestServer) {
        let request = request(server).without("redirect_uri");
        Browser::new().get(&request.url(server)).await.assert_error_page("invalid_request");
    }

    async fn a_native_application_may_listen_on_any_loopback_port_and_nowhere_else(server: &TestServer) {
        let native = AuthorizationRequest::of(server.client("demo-native"));
        let good = native.clone().with("redirect_uri", "http://127.0.0.1:51004/callback");
        let response = Browser::new().authorize(server, &good, server.learner()).await;
        assert!(response.url.as_str().starts_with("http://127.0.0.1:51004/callback?"), "{}", response.url);
        for uri in [
            "http://127.0.0.1:51004/other",
            "http://localhost:51004/callback",
            "https://127.0.0.1:51004/callback",
            "http://127.0.0.1:99999/callback",
            "http://127.0.0.1:80@evil.example/callback",
            "http://127.0.0.2:51004/callback",
        ] {
            let request = native.clone().with("redirect_uri", uri);
            Browser::new().get(&request.url(server)).await.assert_error_page("invalid_request");
        }
    }

    async fn a_client_without_the_code_grant_cannot_start_one(server: &TestServer) {
        let request = request(server).with("client_id", "demo-service");
        let page = Browser::new().get(&request.url(server)).await.page();
        assert_eq!(page.status, 400, "{}", page.summary());
        assert!(page.has("error-page"), "{}", page.summary());
    }

    async fn a_missing_response_type_is_told_to_the_client(server: &TestServer) {
        let request = request(server).without("response_type");
        refusal(server, &request).await.assert_error("invalid_request", &request, server);
    }

    async fn an_unknown_response_type_is_told_to_the_client(server: &TestServer) {
        for response_type in ["foo", "token", "id_token", "code token", "code id_token"] {
            let request = request(server).with("response_type", response_type);
            let answer = Browser::new().get(&request.url(server)).await.left();
            assert!(answer.as_str().contains("error=unsupported_response_type"), "{answer}");
        }
    }

    async fn a_duplicated_parameter_is_an_invalid_request(server: &TestServer) {
        let request = request(server);
        for (name, value) in [("client_id", "demo-portal"), ("redirect_uri", "https://evil.example/")] {
            let request = request.clone().adding(name, value);
            Browser::new().get(&request.url(server)).await.assert_error_page("invalid_request");
        }
        for (name, value) in [("scope", "email"), ("nonce", "again"), ("response_type", "code"), ("code_challenge", "x")] {
            let request = request.clone().adding(name, value);
            match Browser::new().get(&request.url(server)).await {
                Visit::Left(url) => AuthorizationResponse::from_url(url).assert_error("invalid_request", &request, server),
                page @ Visit::Page(_) => drop(page.assert_error_page("invalid_request")),
            }
        }
    }

    async fn request_objects_are_refused_by_name(server: &TestServer) {
        let object = format!("{}.{}.", jose::base64url(r#"{"alg":"none"}"#), jose::base64url("{}"));
        let by_value = request(server).with("request", &object);
        refusal(server, &by_value).await.assert_error("request_not_supported", &by_value, server);
        let by_reference = request(server).with("request_uri", "https://rp.example/request.jwt");
        refusal(server, &by_reference).await.assert_error("request_uri_not_supported", &by_reference, server);
    }

    async fn malformed_parameters_are_told_to_the_client(server: &TestServer) {
        for (name, value) in [
            ("max_age", "soon"), ("max_age", "-1"), ("claims", "{"), ("claims", "[]"), ("prompt", "none login"),
            ("response_mode", "pigeon"),
        ] {
            let request = request(server).with(name, value);
            refusal(server, &request).await.assert_error("invalid_request", &request, server);
        }
    }

    async fn prompt_none_without_a_session_says_login_required(server: &TestServer) {
        let state = "0123456789abcdef".repeat(8);
        let request = request(server).with("prompt", "none").with("state", &state);
        refusal(server, &request).await.assert_error("login_required", &request, server);
    }

    async fn prompt_none_with_a_session_answers_at_once_with_the_same_sign_in(server: &TestServer) {
        let mut browser = Browser::new();
        let first = tokens_in(&mut browser, server, &request(server).with("max_age", "10000")).await.id_claims();
        let silent = request(server).with("prompt", "none").with("max_age", "10000");
        let response = AuthorizationResponse::from_url(browser.get(&silent.url(server)).await.left());
        let code = Code::from(&silent, &response);
        let second = Tokens::from(&redeem(server, server.client("demo-portal"), &code).await).id_claims();
        assert_eq!((&second["sub"], &second["auth_time"]), (&first["sub"], &first["auth_time"]));
        assert!(first["auth_time"].is_u64(), "max_age makes auth_time mandatory");
    }

    async fn max_age_in_the_future_asks_for_no_second_sign_in(server: &TestServer) {
        let mut browser = Browser::new();
        let first = tokens_in(&mut browser, server, &request(server).with("max_age", "15000")).await.id_claims();
        let again = request(server).with("max_age", "10000");
        let response = AuthorizationResponse::from_url(browser.get(&again.url(server)).await.left());
        let second = Tokens::from(&redeem(server, server.client("demo-portal"), &Code::from(&again, &response)).await);
        assert_eq!(second.id_claims()["auth_time"], first["auth_time"]);
        assert!(first["auth_time"].is_u64());
    }

    async fn max_age_zero_asks_once_and_does_not_loop(server: &TestServer) {
        let mut browser = Browser::new();
        tokens_in(&mut browser, server, &request(server)).await;
        let again = request(server).with("max_age", "0");
        let visit = browser.get(&again.url(server)).await;
        assert_login_page(visit);
        // `sign_in` must lead to the client at once, not to one more sign-in page.
        let response = AuthorizationResponse::from_url(browser.sign_in(server.learner()).await.left());
        response.code();
    }

    async fn an_id_token_hint_of_the_same_person_is_honoured(server: &TestServer) {
        let mut browser = Browser::new();
        let first = tokens_in(&mut browser, server, &request(server)).await;
        let silent = request(server).with("prompt", "none").with("id_token_hint", first.id_token());
        let response = AuthorizationResponse::from_url(browser.get(&silent.url(server)).await.left());
        let second = Tokens::from(&redeem(server, server.client("demo-portal"), &Code::from(&silent, &response)).await);
        assert_eq!(second.id_claims()["sub"], first.id_claims()["sub"]);
    }

    async fn an_id_token_hint_of_somebody_else_says_login_required(server: &TestServer) {
        let other = tokens_for(server, &request(server), server.learner_number(1)).await;
        let mut browser = Browser::new();
        tokens_in(&mut browser, server, &request(server)).await;
        let silent = request(server).with("prompt", "none").with("id_token_hint", other.id_token());
        let response = AuthorizationResponse::from_url(browser.get(&silent.url(server)).await.left());
        response.assert_error("login_required", &silent, server);
    }

    async fn an_id_token_hint_nobody_signed_is_no_hint_of_ours(server: &TestServer) {
        let mut browser = Browser::new();
        let first = tokens_in(&mut browser, server, &request(server)).await;
        for hint in [jose::unsigned(first.id_token()), jose::with_broken_signature(first.id_token()), "x".to_owned()] {
            let silent = request(server).with("prompt", "none").with("id_token_hint", &hint);
            match browser.get(&silent.url(server)).await {
                Visit::Left(url) => {
                    let response = AuthorizationResponse::from_url(url);
                    let error = response.get("error").unwrap_or_default().to_owned();
                    assert!(["invalid_request", "login_required"].contains(&error.as_str()), "{}", response.url);
                    response.assert_error(&error, &silent, server);
                }
                page @ Visit::Page(_) => drop(page.assert_error_page("invalid_request")),
            }
        }
    }

    async fn login_hint_fills_the_form_and_is_escaped(server: &TestServer) {
        let hint = "\"><script>alert('moi')</script>";
        let request = request(server).with("login_hint", hint);
        let page = Browser::new().get(&request.url(server)).await.page();
        assert_eq!(page.attribute("username", "value").as_deref(), Some(hint));
        assert!(!page.html.contains("<script>alert"), "{}", page.html);
    }

    async fn an_essential_claim_of_userinfo_is_given_there_and_not_in_the_id_token(server: &TestServer) {
        let request = request(server).with("claims", r#"{"userinfo":{"name":{"essential":true},"unheard_of":null}}"#);
        let tokens = tokens_for(server, &request, server.learner()).await;
        assert_eq!(tokens.id_claims().get("name"), None);
        let userinfo = userinfo(server, tokens.access_token()).await.ok_json();
        assert!(userinfo["name"].as_str().is_some_and(|name| name.contains(&server.learner().family_name)), "{userinfo}");
        assert_eq!(userinfo.get("email"), None, "only what was asked for");
        assert_eq!(userinfo.get("unheard_of"), None);
    }

    async fn claims_of_the_id_token_can_be_asked_for_by_name(server: &TestServer) {
        let request = request(server).with("claims", r#"{"id_token":{"auth_time":{"essential":true},"email":null}}"#);
        let claims = tokens_for(server, &request, server.learner()).await.id_claims();
        assert!(claims["auth_time"].is_u64(), "{claims}");
        assert!(claims["email"].is_string(), "{claims}");
    }

    async fn a_posted_request_leads_to_sign_in_without_any_cookie(server: &TestServer) {
        let request = request(server);
        let mut browser = Browser::new();
        let visit = browser.post_from_elsewhere(&server.url("/authorize"), &request.parameters).await;
        let response = browser.finish(visit, server.learner()).await;
        assert_eq!(response.get("state"), Some(request.get("state")));
        response.code();
    }

    async fn a_request_posted_from_another_site_finds_the_session(server: &TestServer) {
        let mut browser = Browser::new();
        tokens_in(&mut browser, server, &request(server)).await;
        let request = request(server);
        let visit = browser.post_from_elsewhere(&server.url("/authorize"), &request.parameters).await;
        AuthorizationResponse::from_url(visit.left()).code();
    }

    async fn a_posted_request_is_checked_like_any_other(server: &TestServer) {
        let unregistered = request(server).with("redirect_uri", "https://evil.example/");
        let visit = Browser::new().post_from_elsewhere(&server.url("/authorize"), &unregistered.parameters).await;
        visit.assert_error_page("invalid_request");
    }

    async fn redirects_are_never_stored_and_never_repeat_a_post(server: &TestServer) {
        let http = Http::new();
        let answer = http.get(&request(server).with("prompt", "none").url(server)).await;
        assert!(matches!(answer.status, 302 | 303), "{}", answer.status);
        assert!(answer.header("cache-control").contains("no-store"), "{}", answer.header("cache-control"));
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        let mut browser = Browser::new();
        browser.get(&request(server).url(server)).await.page();
        browser.sign_in(server.learner()).await;
        assert!(!browser.hops().is_empty());
        for (status, url) in browser.hops() {
            assert!(matches!(status, 302 | 303), "{status} to {url}");
        }
    }

    async fn declining_to_sign_in_tells_the_client_access_denied(server: &TestServer) {
        let request = request(server);
        let mut browser = Browser::new();
        browser.get(&request.url(server)).await.page();
        let response = AuthorizationResponse::from_url(browser.click("login-cancel").await.left());
        response.assert_error("access_denied", &request, server);
    }

    async fn declining_consent_tells_the_client_access_denied(server: &TestServer) {
        let request = request(server).offline();
        let mut browser = Browser::new();
        browser.get(&request.url(server)).await.page();
        let page = browser.sign_in(server.learner()).await.page();
        assert!(page.has("consent-page"), "{}", page.summary());
        assert!(page.url.path().starts_with("/interaction/consent/"), "{}", page.url);
        let response = AuthorizationResponse::from_url(browser.click("consent-deny").await.left());
        response.assert_error("access_denied", &request, server);
    }

    async fn prompt_consent_asks_for_consent_every_time(server: &TestServer) {
        let mut browser = Browser::new();
        tokens_in(&mut browser, server, &request(server)).await;
        for _ in 0..2 {
            let request = request(server).with("prompt", "consent");
            let page = browser.get(&request.url(server)).await.page();
            assert!(page.has("consent-page"), "{}", page.summary());
            AuthorizationResponse::from_url(browser.click("consent-allow").await.left()).code();
        }
    }

    async fn a_third_party_is_consented_to_once_and_again_when_it_asks_for_more(server: &TestServer) {
        // Consent is remembered for good, so this person and this client belong to this test.
        let person = server.learner_number(3);
        let request = |scope: &str, prompt: &str| {
            AuthorizationRequest::of(server.client("demo-third-party")).with("scope", scope).with("prompt", prompt)
        };
        let mut browser = Browser::new();
        let page = browser.get(&request("openid profile", "").url(server)).await.page();
        for id in ["client-logo", "client-policy", "client-tos"] {
            assert!(page.has(id), "the first page shows #{id}: {}", page.html);
        }
        let page = browser.sign_in(person).await.page();
        assert!(page.has("consent-page"), "{}", page.summary());
        let silent = request("openid profile", "none");
        let refused = AuthorizationResponse::from_url(browser.get(&silent.url(server)).await.left());
        refused.assert_error("consent_required", &silent, server);
        browser.get(&request("openid profile", "").url(server)).await.page();
        AuthorizationResponse::from_url(browser.click("consent-allow").await.left()).code();
        for scope in ["openid profile", "openid"] {
            AuthorizationResponse::from_url(browser.get(&request(scope, "none").url(server)).await.left()).code();
        }
        let more = request("openid profile email", "none");
        let refused = AuthorizationResponse::from_url(browser.get(&more.url(server)).await.left());
        refused.assert_error("consent_required", &more, server);
        let page = browser.get(&request("openid profile email", "").url(server)).await.page();
        assert!(page.has("consent-page"), "{}", page.summary());
    }

    async fn a_consent_without_its_token_is_no_consent(server: &TestServer) {
        let mut browser = Browser::new();
        browser.get(&request(server).with("prompt", "consent").url(server)).await.page();
        let page = browser.sign_in(server.learner()).await.page();
        let url = page.url.to_string();
        let fields = [("csrf".to_owned(), "forged".to_owned()), ("action".to_owned(), "allow".to_owned())];
        let page = browser.post_from_elsewhere(&url, &fields).await.page();
        assert!(!page.has("form-post") && page.status < 500, "{}", page.summary());
        let answer = Http::new().post_form(&url, &[("csrf", "forged"), ("action", "allow")]).await;
        assert!(!answer.header("location").contains("code="), "{}", answer.header("location"));
    }

    async fn offline_access_without_prompt_consent_is_ignored_without_a_word(server: &TestServer) {
        let request = request(server).with("scope", "openid offline_access");
        let tokens = tokens_for(server, &request, server.learner()).await;
        let scope = tokens.response["scope"].as_str().unwrap_or("openid");
        assert!(!scope.split(' ').any(|token| token == "offline_access"), "{scope}");
    }

    async fn the_error_page_escapes_what_it_shows(server: &TestServer) {
        let hostile = "\"><script>alert(1)</script>";
        let request = request(server).with("client_id", hostile).with("redirect_uri", hostile).with("state", hostile);
        let page = Browser::new().get(&request.url(server)).await.page();
        assert_eq!(page.status, 400);
        assert!(!page.html.contains("<script>alert"), "{}", page.html);
        assert_eq!(page.attributes("script", "src").len(), page.html.matches("<script").count());
    }

    async fn form_post_answers_with_a_form_that_goes_to_the_client(server: &TestServer) {
        let request = request(server).with("response_mode", "form_post");
        let mut browser = Browser::new();
        browser.get(&request.url(server)).await.page();
        let page = browser.sign_in(server.learner()).await.page();
        assert_eq!(page.status, 200, "{}", page.summary());
        assert_eq!(page.attribute("form-post", "action").as_deref(), Some(request.get("redirect_uri")));
        assert_eq!(page.attribute("form-post", "method").as_deref(), Some("post"));
        let value = |name: &str| page.attributes(&format!("#form-post input[name={name}]"), "value");
        assert_eq!(value("state"), [request.get("state")]);
        assert_eq!(value("iss"), [server.issuer.as_str()]);
        let code = Code {
            code: value("code")[0].clone(),
            redirect_uri: request.get("redirect_uri").to_owned(),
            verifier: request.verifier.clone(),
        };
        Tokens::from(&redeem(server, server.client("demo-portal"), &code).await);
        // Errors travel the same way.
        let wrong = request.without("response_type").with("state", "\"><script>");
        let page = Browser::new().get(&wrong.url(server)).await.page();
        assert_eq!(page.attributes("#form-post input[name=error]", "value"), ["invalid_request"]);
        assert_eq!(page.attributes("#form-post input[name=state]", "value"), ["\"><script>"]);
        assert!(!page.html.contains("\"><script>"), "{}", page.html);
    }

    async fn hostile_state_cannot_break_out_of_the_redirect(server: &TestServer) {
        let hostile = "\r\nSet-Cookie: a=b&error=none#é";
        let request = request(server).with("state", hostile).with("prompt", "none");
        let response = refusal(server, &request).await;
        let error = response.get("error").unwrap_or_default();
        assert!(["login_required", "invalid_request"].contains(&error), "{}", response.url);
        assert!(response.get("state").is_none_or(|state| state == hostile), "echoed whole or not at all: {}", response.url);
    }

    async fn oversized_requests_are_refused_without_a_redirect_to_nowhere(server: &TestServer) {
        let http = Http::new();
        let request = request(server).with("state", &"s".repeat(60_000));
        let answer = http.get(&request.url(server)).await;
        match answer.status {
            302 | 303 => assert!(answer.header("location").contains("error=invalid_request")),
            status => assert!(matches!(status, 400 | 413 | 414 | 431), "{status}"),
        }
        let body = format!("client_id=demo-portal&state={}", "s".repeat(100_000));
        let answer =
            http.post_bytes(&server.url("/authorize"), "application/x-www-form-urlencoded", body.into_bytes()).await;
        assert_eq!(answer.status, 413, "{}", answer.body);
    }

    async fn malformed_utf8_is_an_invalid_request(server: &TestServer) {
        let http = Http::new();
        let base = request(server).without("state").url(server);
        let answer = http.get(&format!("{base}&state=%FF%FE")).await;
        match answer.status {
            400 => assert!(answer.body.contains("invalid_request"), "{}", answer.body),
            302 | 303 => assert!(answer.header("location").contains("error=invalid_request"), "{}", answer.header("location")),
            other => panic!("{other}: {}", answer.body),
        }
    }

    async fn a_response_keeps_the_query_of_the_registered_redirect_uri(server: &TestServer) {
        let uris = server.clients.iter().flat_map(|client| client.redirect_uris.iter().map(move |uri| (client, uri)));
        let (client, uri) =
            uris.into_iter().find(|(_, uri)| uri.contains('?')).expect("a demo client registers a redirect URI with a query");
        let request = AuthorizationRequest::of(client).with("redirect_uri", uri);
        let response = Browser::new().authorize(server, &request, server.learner()).await;
        assert!(response.url.as_str().starts_with(&format!("{uri}&")), "{}", response.url);
        response.code();
        let changed = request.with("redirect_uri", &format!("{uri}&more=1"));
        Browser::new().get(&changed.url(server)).await.assert_error_page("invalid_request");
    }
}

own_journeys! {
    async fn prompt_login_asks_again_and_renews_auth_time(mut server: TestServer) {
        let mut browser = Browser::new();
        let first = tokens_in(&mut browser, &server, &request(&server).with("max_age", "10000")).await.id_claims();
        server.advance(5).await;
        let again = request(&server).with("prompt", "login").with("max_age", "10000");
        let visit = browser.get(&again.url(&server)).await;
        assert_login_page(visit);
        let response = AuthorizationResponse::from_url(browser.sign_in(server.learner()).await.left());
        let client = server.client("demo-portal");
        let second = Tokens::from(&redeem(&server, client, &Code::from(&again, &response)).await).id_claims();
        assert_eq!(second["sub"], first["sub"]);
        assert!(second["auth_time"].as_u64() >= first["auth_time"].as_u64().map(|seconds| seconds + 5), "{first} {second}");
    }

    async fn a_session_older_than_max_age_signs_in_again(mut server: TestServer) {
        let mut browser = Browser::new();
        let first = tokens_in(&mut browser, &server, &request(&server).with("max_age", "1")).await.id_claims();
        server.advance(2).await;
        let again = request(&server).with("max_age", "1");
        let visit = browser.get(&again.url(&server)).await;
        assert_login_page(visit);
        let response = AuthorizationResponse::from_url(browser.sign_in(server.learner()).await.left());
        let client = server.client("demo-portal");
        let second = Tokens::from(&redeem(&server, client, &Code::from(&again, &response)).await).id_claims();
        assert!(second["auth_time"].as_u64() > first["auth_time"].as_u64(), "{first} {second}");
        let now = server.now().await.as_second();
        assert!(second["auth_time"].as_i64().is_some_and(|time| (now - time).abs() <= 5), "{second} at {now}");
    }

    async fn an_expired_id_token_is_still_a_hint(mut server: TestServer) {
        let mut browser = Browser::new();
        let first = tokens_in(&mut browser, &server, &request(&server)).await;
        let life = first.id_claims()["exp"].as_u64().unwrap() - first.id_claims()["iat"].as_u64().unwrap();
        // In steps, each with a visit: a session unused for so long would end.
        let mut passed = 0;
        while passed <= life {
            server.advance(1800).await;
            passed += 1800;
            let request = request(&server).with("prompt", "none");
            AuthorizationResponse::from_url(browser.get(&request.url(&server)).await.left()).code();
        }
        let silent = request(&server).with("prompt", "none").with("id_token_hint", first.id_token());
        AuthorizationResponse::from_url(browser.get(&silent.url(&server)).await.left()).code();
    }

    async fn a_session_ends_when_it_is_not_used(mut server: TestServer) {
        let mut browser = Browser::new();
        tokens_in(&mut browser, &server, &request(&server)).await;
        server.advance(13 * 3600).await;
        let silent = request(&server).with("prompt", "none");
        let response = AuthorizationResponse::from_url(browser.get(&silent.url(&server)).await.left());
        response.assert_error("login_required", &silent, &server);
    }
}
