//! `/userinfo`: who may read which claims, and by which token. OpenID Connect Core §5.3 and §5.4, RFC 6750.

use std::collections::BTreeSet;

use habilis_integration_tests::jose::{self, SigningKey};
use habilis_integration_tests::protocol::{AuthorizationRequest, Proof, Tokens, post_token, tokens_for, userinfo};
use habilis_integration_tests::{Answer, Http, TestServer};
use serde_json::{Value, json};

/// The claims of scope `profile`; the conformance suite counts each that is missing.
const PROFILE: [&str; 14] = [
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "updated_at",
];

async fn tokens_with_scope(server: &TestServer, scope: &str) -> Tokens {
    let request = AuthorizationRequest::of(server.client("demo-portal")).with("scope", scope);
    tokens_for(server, &request, server.learner()).await
}

async fn claims_of_scope(server: &TestServer, scope: &str) -> Value {
    let tokens = tokens_with_scope(server, scope).await;
    userinfo(server, tokens.access_token()).await.ok_json()
}

fn names(claims: &Value) -> BTreeSet<&str> {
    claims.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Asserts a refusal by RFC 6750 §3.1.
fn assert_bearer_error(answer: &Answer, status: u16, error: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    let challenge = answer.header("www-authenticate");
    assert!(challenge.starts_with("Bearer"), "{challenge}");
    assert!(challenge.contains(&format!("error=\"{error}\"")), "{challenge}");
}

journeys! {
    async fn a_token_is_taken_from_the_header_or_from_a_posted_form(server: &TestServer) {
        let tokens = tokens_with_scope(server, "openid").await;
        let (http, url) = (Http::new(), server.url("/userinfo"));
        let answers = [
            http.send(http.request("GET", &url).bearer_auth(tokens.access_token())).await,
            http.send(http.request("POST", &url).bearer_auth(tokens.access_token())).await,
            http.post_form(&url, &[("access_token", tokens.access_token())]).await,
            http.send(http.request("GET", &url).header("authorization", format!("bearer {}", tokens.access_token()))).await,
        ];
        for answer in answers {
            let claims = answer.ok_json();
            assert!(answer.header("content-type").starts_with("application/json"), "{}", answer.header("content-type"));
            assert_eq!(claims["sub"], tokens.id_claims()["sub"]);
            assert!(!answer.header("date").is_empty());
            assert!(answer.header("cache-control").contains("no-store"), "{}", answer.header("cache-control"));
        }
    }

    async fn a_token_in_the_query_is_not_looked_at(server: &TestServer) {
        let tokens = tokens_with_scope(server, "openid").await;
        let answer = Http::new().get(&server.url(&format!("/userinfo?access_token={}", tokens.access_token()))).await;
        assert!(matches!(answer.status, 400 | 401), "{}: {}", answer.status, answer.body);
    }

    async fn a_token_sent_in_two_ways_is_an_invalid_request(server: &TestServer) {
        let tokens = tokens_with_scope(server, "openid").await;
        let http = Http::new();
        let request = http
            .request("POST", &server.url("/userinfo"))
            .bearer_auth(tokens.access_token())
            .form(&[("access_token", tokens.access_token())]);
        assert_bearer_error(&http.send(request).await, 400, "invalid_request");
    }

    async fn without_a_token_the_challenge_names_no_error(server: &TestServer) {
        let answer = Http::new().get(&server.url("/userinfo")).await;
        assert_eq!(answer.status, 401);
        let challenge = answer.header("www-authenticate");
        assert!(challenge.starts_with("Bearer"), "{challenge}");
        assert!(!challenge.contains("error="), "{challenge}");
    }

    async fn a_token_bent_in_any_way_is_an_invalid_token(server: &TestServer) {
        let tokens = tokens_with_scope(server, "openid").await;
        let good = tokens.access_token();
        let kid = jose::header(good)["kid"].as_str().unwrap().to_owned();
        for token in [
            jose::unsigned(good),
            jose::with_broken_signature(good),
            jose::with_claim(good, "sub", json!("usr_somebody_else")),
            jose::with_claim(good, "scope", json!("openid profile email address phone")),
            jose::with_claim(good, "exp", json!(4_102_444_800_i64)),
            SigningKey::generate().announcing(&kid).sign(&jose::claims(good)),
            tokens.id_token().to_owned(),
            "x".to_owned(),
            "a.b.c".to_owned(),
            "x".repeat(6000),
        ] {
            assert_bearer_error(&userinfo(server, &token).await, 401, "invalid_token");
        }
        assert_eq!(userinfo(server, good).await.status, 200);
    }

    async fn without_openid_the_scope_is_insufficient(server: &TestServer) {
        let request = AuthorizationRequest::of(server.client("demo-portal")).with("scope", "profile").without("nonce");
        let tokens = tokens_for(server, &request, server.learner()).await;
        assert_bearer_error(&userinfo(server, tokens.access_token()).await, 403, "insufficient_scope");
    }

    async fn a_service_without_a_person_reads_nobody(server: &TestServer) {
        let proof = Proof::of(server.client("demo-service"), server).await;
        let answer = post_token(&Http::new(), server, &proof, &[("grant_type", "client_credentials")]).await;
        let answer = userinfo(server, Tokens::from(&answer).access_token()).await;
        assert!(matches!(answer.status, 401 | 403), "{}: {}", answer.status, answer.body);
    }

    async fn openid_alone_gives_the_subject_alone(server: &TestServer) {
        assert_eq!(names(&claims_of_scope(server, "openid").await), ["sub"].into());
    }

    async fn profile_gives_every_claim_of_the_scope(server: &TestServer) {
        let claims = claims_of_scope(server, "openid profile").await;
        let expected: BTreeSet<&str> = PROFILE.into_iter().chain(["sub"]).collect();
        assert_eq!(names(&claims), expected);
        let person = server.learner();
        assert_eq!((&claims["given_name"], &claims["family_name"]), (&json!(person.given_name), &json!(person.family_name)));
        let updated_at = claims["updated_at"].as_i64().expect("updated_at is a number of seconds");
        assert!((631_152_000..=server.now().await.as_second()).contains(&updated_at), "{updated_at}");
        let birthdate = claims["birthdate"].as_str().unwrap();
        assert!(birthdate.parse::<jiff::civil::Date>().is_ok() || birthdate.len() == 4, "{birthdate}");
        for name in ["profile", "picture", "website"] {
            url::Url::parse(claims[name].as_str().unwrap()).unwrap();
        }
    }

    async fn email_gives_address_and_verification(server: &TestServer) {
        let claims = claims_of_scope(server, "openid email").await;
        assert_eq!(names(&claims), ["email", "email_verified", "sub"].into());
        assert!(claims["email"].as_str().unwrap().contains('@') && claims["email_verified"].is_boolean(), "{claims}");
    }

    async fn phone_gives_number_and_verification(server: &TestServer) {
        let claims = claims_of_scope(server, "openid phone").await;
        assert_eq!(names(&claims), ["phone_number", "phone_number_verified", "sub"].into());
        assert!(claims["phone_number"].as_str().unwrap().starts_with('+') && claims["phone_number_verified"].is_boolean());
    }

    async fn address_gives_an_object_of_texts(server: &TestServer) {
        let claims = claims_of_scope(server, "openid address").await;
        assert_eq!(names(&claims), ["address", "sub"].into());
        let address = claims["address"].as_object().unwrap();
        assert!(!address.is_empty() && address.values().all(Value::is_string), "{claims}");
    }

    async fn every_scope_gives_every_standard_claim_and_no_blank_or_null(server: &TestServer) {
        let claims = claims_of_scope(server, "openid profile email address phone").await;
        assert!(names(&claims).len() >= 20, "{claims}");
        for (name, value) in claims.as_object().unwrap() {
            assert!(!value.is_null(), "{name}");
            assert!(value.as_str().is_none_or(|text| !text.trim().is_empty() && text != "null"), "{name}: {value}");
        }
    }

    async fn every_seeded_person_has_claims_that_are_present_or_absent_but_never_blank(server: &TestServer) {
        for index in 0..3 {
            let request = AuthorizationRequest::of(server.client("demo-portal")).with("scope", "openid profile email phone address");
            let tokens = tokens_for(server, &request, server.learner_number(index)).await;
            let claims = userinfo(server, tokens.access_token()).await.ok_json();
            for (name, value) in claims.as_object().unwrap() {
                assert!(!value.is_null() && value.as_str() != Some(""), "{name}");
            }
        }
    }

    async fn scripts_of_other_origins_may_read_userinfo_with_a_token(server: &TestServer) {
        let http = Http::new();
        let preflight = http
            .request("OPTIONS", &server.url("/userinfo"))
            .header("origin", "https://app.example")
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "authorization");
        let answer = http.send(preflight).await;
        assert!(matches!(answer.status, 200 | 204), "{}", answer.status);
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert!(answer.header("access-control-allow-headers").to_ascii_lowercase().contains("authorization"));
        let answer = http.send(http.request("GET", &server.url("/userinfo")).header("origin", "https://app.example")).await;
        assert_eq!(answer.header("access-control-allow-origin"), "*");
    }

    async fn a_body_over_the_limit_is_refused_with_413(server: &TestServer) {
        let body = format!("access_token={}", "x".repeat(100_000));
        let form = "application/x-www-form-urlencoded";
        let answer = Http::new().post_bytes(&server.url("/userinfo"), form, body.into_bytes()).await;
        assert_eq!(answer.status, 413, "{}", answer.body);
    }
}

own_journeys! {
    async fn an_expired_access_token_is_an_invalid_token(mut server: TestServer) {
        let tokens = tokens_with_scope(&server, "openid").await;
        server.advance(tokens.response["expires_in"].as_u64().unwrap() - 5).await;
        assert_eq!(userinfo(&server, tokens.access_token()).await.status, 200);
        server.advance(10).await;
        assert_bearer_error(&userinfo(&server, tokens.access_token()).await, 401, "invalid_token");
    }
}
