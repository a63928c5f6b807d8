//! Signed request objects and signed responses: RFC 9101, JARM, and the modules of the FAPI 2.0 Message Signing plan.

use habilis_integration_tests::fapi::{
    bound, object_claims, push, read_signed, redeem, reference, request_uri, signed, with_object,
};
use habilis_integration_tests::jose::{self, SigningKey};
use habilis_integration_tests::protocol::{
    AuthorizationRequest, AuthorizationResponse, Code, Tokens, client_key, random_text,
};
use habilis_integration_tests::{Answer, Browser, TestServer, Visit};
use serde_json::{Value, json};

const CLIENT: &str = "demo-fapi-signed";

fn request(server: &TestServer) -> AuthorizationRequest {
    AuthorizationRequest::of(server.client(CLIENT)).with("response_mode", "jwt")
}

fn key(server: &TestServer, client: &str) -> SigningKey {
    client_key(server.client(client))
}

/// Pushes an object of the client whose claims and header were bent.
async fn push_bent(server: &TestServer, header: Value, bend: impl FnOnce(&mut Value)) -> Answer {
    let request = request(server);
    let mut claims = object_claims(server, &request, server.now().await.as_second());
    bend(&mut claims);
    push(server, &with_object(&request, &key(server, CLIENT).sign_with(&header, &claims)), &[]).await
}

fn typ() -> Value {
    json!({ "typ": "oauth-authz-req+jwt" })
}

/// Asserts `invalid_request_object` at `/par`.
fn assert_object_refused(answer: &Answer) {
    answer.assert_oauth_error(400, "invalid_request_object");
}

/// Walks a signed request of the client through a fresh browser, and reads the signed response.
async fn authorize_signed(server: &TestServer, request: &AuthorizationRequest) -> AuthorizationResponse {
    let uri = request_uri(&push(server, &signed(server, request).await, &[]).await);
    let response = Browser::new().authorize(server, &reference(request, &uri), server.learner()).await;
    read_signed(server, &response, request.get("client_id")).await
}

/// A request by value in the browser of a client without duties: `demo-jwt`, whose key is known.
async fn object_of_demo_jwt(
    server: &TestServer,
    header: Value,
    bend: impl FnOnce(&mut Value),
) -> (AuthorizationRequest, String) {
    let request = AuthorizationRequest::of(server.client("demo-jwt"));
    let mut claims = object_claims(server, &request, server.now().await.as_second());
    bend(&mut claims);
    let object = key(server, "demo-jwt").sign_with(&header, &claims);
    (request, object)
}

journeys! {
    async fn a_signed_request_is_answered_by_a_signed_response(server: &TestServer) {
        let request = request(server);
        let response = authorize_signed(server, &request).await;
        assert_eq!(response.get("state"), Some(request.get("state")));
        let code = Code::from(&request, &response);
        bound(&redeem(server, server.client(CLIENT), &code, &SigningKey::generate()).await);
    }

    async fn errors_are_signed_as_well(server: &TestServer) {
        let request = request(server).with("prompt", "none");
        let uri = request_uri(&push(server, &signed(server, &request).await, &[]).await);
        let url = Browser::new().get(&reference(&request, &uri).url(server)).await.left();
        let response = read_signed(server, &AuthorizationResponse::from_url(url), CLIENT).await;
        response.assert_error("login_required", &request, server);
    }

    async fn a_refusal_by_the_person_is_signed_as_well(server: &TestServer) {
        let request = request(server);
        let uri = request_uri(&push(server, &signed(server, &request).await, &[]).await);
        let mut browser = Browser::new();
        browser.get(&reference(&request, &uri).url(server)).await.page();
        let url = browser.click("login-cancel").await.left();
        let response = read_signed(server, &AuthorizationResponse::from_url(url), CLIENT).await;
        response.assert_error("access_denied", &request, server);
    }

    async fn a_client_of_signed_messages_gets_signed_answers_even_when_it_does_not_ask(server: &TestServer) {
        let request = request(server).without("response_mode");
        authorize_signed(server, &request).await.code();
        for mode in ["query", "form_post"] {
            let request = request.clone().with("response_mode", mode);
            push(server, &signed(server, &request).await, &[]).await.assert_oauth_error(400, "invalid_request");
        }
    }

    async fn any_client_may_ask_for_a_signed_response(server: &TestServer) {
        for mode in ["jwt", "query.jwt"] {
            let request = AuthorizationRequest::of(server.client("demo-es256")).with("response_mode", mode);
            let response = Browser::new().authorize(server, &request, server.learner()).await;
            let alg = jose::header(response.get("response").unwrap())["alg"].clone();
            assert_eq!(alg, "RS256", "JARM §3: the default");
            let response = read_signed(server, &response, "demo-es256").await;
            assert_eq!(response.get("state"), Some(request.get("state")));
            let answer = habilis_integration_tests::protocol::redeem(
                server, server.client("demo-es256"), &Code::from(&request, &response)).await;
            Tokens::from(&answer);
        }
    }

    async fn a_signed_response_keeps_the_query_of_the_redirect_uri(server: &TestServer) {
        let request = AuthorizationRequest::of(server.client("demo-fapi-2")).with("response_mode", "jwt");
        let uri = request_uri(&push(server, &request, &[]).await);
        let response = Browser::new().authorize(server, &reference(&request, &uri), server.learner()).await;
        assert_eq!((response.get("dummy1"), response.get("dummy2")), (Some("lorem"), Some("ipsum")));
        let alg = jose::header(response.get("response").unwrap())["alg"].clone();
        assert_eq!(alg, "ES256", "never RS256 in a FAPI profile");
        read_signed(server, &response, "demo-fapi-2").await.code();
    }

    async fn a_signed_response_can_be_posted(server: &TestServer) {
        let request = AuthorizationRequest::of(server.client("demo-es256")).with("response_mode", "form_post.jwt");
        let mut browser = Browser::new();
        browser.get(&request.url(server)).await.page();
        let page = browser.sign_in(server.learner()).await.page();
        assert!(page.has("form-post"), "{}", page.summary());
        assert_eq!(page.attributes("#form-post input", "name"), ["response"]);
        let mut url = url::Url::parse(request.get("redirect_uri")).unwrap();
        url.query_pairs_mut().append_pair("response", &page.attributes("#form-post input", "value")[0]);
        read_signed(server, &AuthorizationResponse::from_url(url), "demo-es256").await.code();
    }

    async fn an_object_may_name_several_audiences_and_begin_a_little_ahead(server: &TestServer) {
        let now = server.now().await.as_second();
        let issuer = server.issuer.clone();
        let several = push_bent(server, typ(), |claims| claims["aud"] = json!(["https://other.example", issuer])).await;
        assert_eq!(several.status, 201, "{}", several.body);
        let ahead = push_bent(server, typ(), |claims| claims["nbf"] = json!(now + 8)).await;
        assert_eq!(ahead.status, 201, "{}", ahead.body);
    }

    async fn the_type_of_an_object_may_be_absent_or_jwt(server: &TestServer) {
        for header in [json!({}), json!({ "typ": "JWT" }), typ()] {
            let answer = push_bent(server, header, |_| {}).await;
            assert_eq!(answer.status, 201, "{}", answer.body);
        }
        assert_object_refused(&push_bent(server, json!({ "typ": "at+jwt" }), |_| {}).await);
    }

    async fn an_object_without_its_times_or_beyond_them_is_refused(server: &TestServer) {
        let now = server.now().await.as_second();
        let remove = |name: &'static str| move |claims: &mut Value| { claims.as_object_mut().unwrap().remove(name); };
        assert_object_refused(&push_bent(server, typ(), remove("exp")).await);
        assert_object_refused(&push_bent(server, typ(), remove("nbf")).await);
        for (name, offset) in [("exp", -300), ("exp", 70 * 60), ("nbf", -70 * 60), ("nbf", 62)] {
            let answer = push_bent(server, typ(), |claims| claims[name] = json!(now + offset)).await;
            assert_object_refused(&answer);
        }
        assert_object_refused(&push_bent(server, typ(), |claims| claims["exp"] = json!("soon")).await);
    }

    async fn an_object_for_another_server_or_of_another_client_is_refused(server: &TestServer) {
        assert_object_refused(&push_bent(server, typ(), |claims| claims["aud"] = json!("https://other.example")).await);
        assert_object_refused(&push_bent(server, typ(), |claims| { claims.as_object_mut().unwrap().remove("aud"); }).await);
        assert_object_refused(&push_bent(server, typ(), |claims| claims["iss"] = json!("demo-fapi")).await);
        assert_object_refused(&push_bent(server, typ(), |claims| claims["client_id"] = json!("demo-fapi")).await);
    }

    async fn a_client_assertion_is_no_request_object(server: &TestServer) {
        assert_object_refused(&push_bent(server, json!({}), |claims| claims["sub"] = json!(CLIENT)).await);
    }

    async fn an_object_of_another_algorithm_or_none_is_refused(server: &TestServer) {
        let rs256 = push_bent(server, json!({ "alg": "RS256" }), |_| {}).await;
        assert_object_refused(&rs256);
        assert!(rs256.body.contains("algorithm"), "{}", rs256.body);
        let request = request(server);
        let good = signed(server, &request).await;
        let unsigned = with_object(&request, &jose::unsigned(good.get("request")));
        assert_object_refused(&push(server, &unsigned, &[]).await);
    }

    async fn an_object_whose_signature_does_not_verify_is_refused(server: &TestServer) {
        let request = request(server);
        let good = signed(server, &request).await;
        let object = good.get("request");
        let bent = [
            jose::with_broken_signature(object),
            jose::with_claim(object, "scope", json!("openid email")),
            "rubbish".to_owned(),
            "a.b.c".to_owned(),
            String::from("e30.e30.e30"),
        ];
        for object in bent {
            assert_object_refused(&push(server, &with_object(&request, &object), &[]).await);
        }
    }

    async fn an_object_signed_with_the_key_of_another_client_is_refused(server: &TestServer) {
        let request = request(server);
        let claims = object_claims(server, &request, server.now().await.as_second());
        for stranger in [key(server, "demo-fapi"), SigningKey::generate().announcing("demo"), SigningKey::generate()] {
            let object = stranger.sign_with(&typ(), &claims);
            assert_object_refused(&push(server, &with_object(&request, &object), &[]).await);
        }
    }

    async fn an_unsigned_request_of_a_client_that_signs_is_refused(server: &TestServer) {
        push(server, &request(server), &[]).await.assert_oauth_error(400, "invalid_request");
    }

    async fn at_the_authorization_endpoint_that_refusal_is_signed(server: &TestServer) {
        // Neither signed nor pushed: refused, and even the refusal can be relied on.
        let request = request(server).without("response_mode");
        let url = Browser::new().get(&request.url(server)).await.left();
        let response = read_signed(server, &AuthorizationResponse::from_url(url), CLIENT).await;
        response.assert_error("invalid_request", &request, server);
        // Signed, and still not pushed.
        let by_value = signed(server, &request).await.with("redirect_uri", request.get("redirect_uri"));
        let url = Browser::new().get(&by_value.url(server)).await.left();
        let response = read_signed(server, &AuthorizationResponse::from_url(url), CLIENT).await;
        response.assert_error("invalid_request", &request, server);
    }

    async fn an_object_within_an_object_is_refused(server: &TestServer) {
        let uri = format!("urn:ietf:params:oauth:request_uri:{}", random_text());
        assert_object_refused(&push_bent(server, typ(), |claims| claims["request_uri"] = json!(uri)).await);
        assert_object_refused(&push_bent(server, typ(), |claims| claims["request"] = json!("a.b.c")).await);
    }

    async fn only_what_was_signed_counts_when_pushing(server: &TestServer) {
        let request = request(server);
        // Not by its type, but because it is pushed by a client that signs.
        let without_nonce = request.clone().without("nonce");
        let claims = object_claims(server, &without_nonce, server.now().await.as_second());
        let object = key(server, CLIENT).sign_with(&json!({ "typ": "JWT" }), &claims);
        let pushed = with_object(&request, &object)
            .with("state", "outside")
            .with("scope", "openid email")
            .with("nonce", "outside");
        let uri = request_uri(&push(server, &pushed, &[]).await);
        let response = Browser::new().authorize(server, &reference(&request, &uri), server.learner()).await;
        let response = read_signed(server, &response, CLIENT).await;
        assert_eq!(response.get("state"), Some(request.get("state")));
        let answer = redeem(server, server.client(CLIENT), &Code::from(&request, &response), &SigningKey::generate()).await;
        let tokens = bound(&answer);
        assert_eq!(tokens["scope"], "openid");
        assert_eq!(jose::claims(tokens["id_token"].as_str().unwrap()).get("nonce"), None);
        // A redirect URI that was not signed is none.
        let mut claims = object_claims(server, &request, server.now().await.as_second());
        claims.as_object_mut().unwrap().remove("redirect_uri");
        let object = key(server, CLIENT).sign_with(&json!({}), &claims);
        let outside = with_object(&request, &object).with("redirect_uri", request.get("redirect_uri"));
        push(server, &outside, &[]).await.assert_oauth_error(400, "invalid_request");
    }

    async fn what_a_request_asks_is_checked_within_an_object_as_without(server: &TestServer) {
        let cases = [
            ("redirect_uri", json!("https://evil.example/"), "invalid_request"),
            ("response_type", json!("token"), "unsupported_response_type"),
            ("code_challenge_method", json!("plain"), "invalid_request"),
            ("max_age", json!("soon"), "invalid_request"),
            ("max_age", json!(-1), "invalid_request"),
            ("prompt", json!("none login"), "invalid_request"),
            ("claims", json!([]), "invalid_request"),
        ];
        for (name, value, error) in cases {
            let answer = push_bent(server, typ(), |claims| claims[name] = value).await;
            answer.assert_oauth_error(400, error);
        }
        let answer = push_bent(server, typ(), |claims| {
            claims["claims"] = json!({ "userinfo": { "name": null } });
            claims["max_age"] = json!(600);
        }).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
    }

    async fn an_object_by_value_is_read_at_the_authorization_endpoint(server: &TestServer) {
        // As OpenID Connect Core §6.1 has it: what is within wins, what is only beside it counts.
        let (request, object) = object_of_demo_jwt(server, json!({}), |claims| {
            claims["state"] = json!("within");
            claims.as_object_mut().unwrap().remove("nonce");
        }).await;
        let beside = request.clone().with("state", "beside").with("request", &object);
        let response = Browser::new().authorize(server, &beside, server.learner()).await;
        assert_eq!(response.get("state"), Some("within"));
        let answer = habilis_integration_tests::protocol::redeem(
            server, server.client("demo-jwt"), &Code::from(&request, &response)).await;
        assert_eq!(Tokens::from(&answer).id_claims()["nonce"], json!(request.get("nonce")));
    }

    async fn an_oauth_object_stands_alone_at_the_authorization_endpoint(server: &TestServer) {
        let (request, object) = object_of_demo_jwt(server, typ(), |claims| {
            claims.as_object_mut().unwrap().remove("state");
        }).await;
        let alone = with_object(&request, &object).with("state", "beside");
        Browser::new().authorize(server, &alone, server.learner()).await.code();
        let response = Browser::new().authorize(server, &alone, server.learner()).await;
        assert_eq!(response.get("state"), None);
    }

    async fn a_bad_object_at_the_authorization_endpoint_is_told_to_the_client_or_shown(server: &TestServer) {
        let (request, object) = object_of_demo_jwt(server, json!({}), |_| {}).await;
        for bad in [jose::with_broken_signature(&object), jose::with_claim(&object, "scope", json!("openid email"))] {
            let known = request.clone().with("request", &bad);
            let url = Browser::new().get(&known.url(server)).await.left();
            AuthorizationResponse::from_url(url).assert_error("invalid_request_object", &known, server);
            let unknown = with_object(&request, &bad);
            Browser::new().get(&unknown.url(server)).await.assert_error_page("invalid_request_object");
        }
        let (request, object) = object_of_demo_jwt(server, json!({}), |claims| {
            claims["redirect_uri"] = json!("https://evil.example/");
        }).await;
        let visit = Browser::new().get(&request.with("request", &object).url(server)).await;
        assert!(matches!(visit, Visit::Page(page) if page.has("error-page")), "never to an unverified URI");
    }

    async fn response_type_and_client_beside_an_object_must_be_those_within(server: &TestServer) {
        let (request, object) = object_of_demo_jwt(server, json!({}), |claims| claims["response_type"] = json!("code")).await;
        let differs = request.clone().with("response_type", "token").with("request", &object);
        let url = Browser::new().get(&differs.url(server)).await.left();
        AuthorizationResponse::from_url(url).assert_error("invalid_request_object", &differs, server);
        let stolen = AuthorizationRequest::of(server.client("demo-portal")).with("request", &object);
        let url = Browser::new().get(&stolen.url(server)).await.left();
        AuthorizationResponse::from_url(url).assert_error("invalid_request_object", &stolen, server);
    }
}
