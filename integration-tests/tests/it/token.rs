//! `/token`: codes, refresh tokens and client credentials, each client's way to prove itself, and the races.
//! RFC 6749 §3.2, §5 and §6, RFC 7523, RFC 7636 §4.6, RFC 9068, RFC 9700 §4.

use std::sync::Arc;

use habilis_integration_tests::jose::{self, SigningKey};
use habilis_integration_tests::protocol::{
    AuthorizationRequest, Code, Proof, Tokens, assertion_claims, client_key, code_for, post_token, random_text, redeem,
    refresh, token_request, tokens_for, userinfo,
};
use habilis_integration_tests::{Answer, Browser, Http, RelyingParty, TestServer};
use openidconnect::{OAuth2TokenResponse as _, RefreshToken};
use serde_json::{Value, json};
use tokio::sync::Barrier;

const FORM: &str = "application/x-www-form-urlencoded";

/// A fresh code of this client for the first learner.
async fn code_of(server: &TestServer, client_id: &str) -> Code {
    code_for(server, &AuthorizationRequest::of(server.client(client_id)), server.learner()).await
}

/// Tokens of this client with a refresh token that outlives the session.
async fn offline_tokens(server: &TestServer, client_id: &str) -> Tokens {
    tokens_for(server, &AuthorizationRequest::of(server.client(client_id)).offline(), server.learner()).await
}

/// A client credentials request under this proof.
async fn client_credentials(server: &TestServer, proof: &Proof) -> Answer {
    post_token(&Http::new(), server, proof, &[("grant_type", "client_credentials")]).await
}

/// Redeems a code of `demo-jwt` under this assertion.
async fn redeem_with_assertion(server: &TestServer, assertion: &str) -> Answer {
    let code = code_of(server, "demo-jwt").await;
    post_token(&Http::new(), server, &Proof::assertion(assertion), &code.parameters()).await
}

/// Asserts that the client was not believed: 400 or 401 with `invalid_client`.
fn assert_invalid_client(answer: &Answer) {
    assert!(matches!(answer.status, 400 | 401), "{}: {}", answer.status, answer.body);
    answer.assert_oauth_error(answer.status, "invalid_client");
}

/// Sends the same refresh request from `count` tasks at one moment.
async fn refresh_at_once(server: &TestServer, count: usize, refresh_token: &str, client_id: &str) -> Vec<Answer> {
    let proof = Proof::of(server.client(client_id), server).await;
    let parameters = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
    post_at_once(server, count, &proof, &parameters).await
}

/// Sends the same token request from `count` tasks at one moment.
async fn post_at_once(server: &TestServer, count: usize, proof: &Proof, parameters: &[(&str, &str)]) -> Vec<Answer> {
    let barrier = Arc::new(Barrier::new(count));
    let tasks: Vec<_> = (0..count)
        .map(|_| {
            let (http, barrier) = (Http::new(), Arc::clone(&barrier));
            let request = token_request(&http, server, proof, parameters);
            tokio::spawn(async move {
                barrier.wait().await;
                http.send(request).await
            })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.expect("a task that does not panic"));
    }
    answers
}

journeys! {
    async fn fifty_parallel_redemptions_give_one_success_and_revoke_it(server: &TestServer) {
        let code = code_of(server, "demo-portal").await;
        let proof = Proof::of(server.client("demo-portal"), server).await;
        let answers = post_at_once(server, 50, &proof, &code.parameters()).await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
        assert_eq!((won.len(), lost.len()), (1, 49));
        for answer in lost {
            answer.assert_oauth_error(400, "invalid_grant");
        }
        let winner = Tokens::from(won[0]);
        assert_eq!(userinfo(server, winner.access_token()).await.status, 401, "the winner may be the thief");
    }

    async fn redeeming_a_code_twice_revokes_its_tokens(server: &TestServer) {
        let client = server.client("demo-portal");
        let code = code_for(server, &AuthorizationRequest::of(client).offline(), server.learner()).await;
        let tokens = Tokens::from(&redeem(server, client, &code).await);
        assert_eq!(userinfo(server, tokens.access_token()).await.status, 200);
        redeem(server, client, &code).await.assert_oauth_error(400, "invalid_grant");
        let refused = userinfo(server, tokens.access_token()).await;
        assert_eq!(refused.status, 401, "{}", refused.body);
        refresh(server, client, tokens.refresh_token()).await.assert_oauth_error(400, "invalid_grant");
    }

    async fn a_code_nobody_issued_is_an_invalid_grant(server: &TestServer) {
        let mut code = code_of(server, "demo-portal").await;
        code.code = random_text();
        redeem(server, server.client("demo-portal"), &code).await.assert_oauth_error(400, "invalid_grant");
    }

    async fn a_code_serves_only_the_client_it_was_issued_to(server: &TestServer) {
        let code = code_of(server, "demo-portal").await;
        redeem(server, server.client("demo-post"), &code).await.assert_oauth_error(400, "invalid_grant");
    }

    async fn a_code_needs_the_redirect_uri_it_was_sent_to(server: &TestServer) {
        let client = server.client("demo-portal");
        let mut code = code_of(server, "demo-portal").await;
        code.redirect_uri.push('/');
        redeem(server, client, &code).await.assert_oauth_error(400, "invalid_grant");
        let code = code_of(server, "demo-portal").await;
        let parameters: Vec<_> = code.parameters().into_iter().filter(|(name, _)| *name != "redirect_uri").collect();
        let proof = Proof::of(client, server).await;
        post_token(&Http::new(), server, &proof, &parameters).await.assert_oauth_error(400, "invalid_grant");
    }

    async fn a_code_needs_the_verifier_of_its_challenge(server: &TestServer) {
        for client in ["demo-portal", "demo-native"] {
            let client = server.client(client);
            let proof = Proof::of(client, server).await;
            let mut code = code_of(server, &client.client_id).await;
            code.verifier = format!("{}{}", random_text(), random_text());
            redeem(server, client, &code).await.assert_oauth_error(400, "invalid_grant");
            let code = code_of(server, &client.client_id).await;
            let parameters: Vec<_> = code.parameters().into_iter().filter(|(name, _)| *name != "code_verifier").collect();
            post_token(&Http::new(), server, &proof, &parameters).await.assert_oauth_error(400, "invalid_grant");
        }
    }

    async fn a_verifier_without_a_challenge_is_an_invalid_grant(server: &TestServer) {
        let client = server.client("demo-portal");
        let code = code_for(server, &AuthorizationRequest::of(client).without_pkce(), server.learner()).await;
        redeem(server, client, &code).await.assert_oauth_error(400, "invalid_grant");
    }

    async fn basic_credentials_are_form_encoded_first(server: &TestServer) {
        let client = server.client("demo-portal");
        let percent = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
        let proof = Proof::raw_basic(&percent(&client.client_id), &percent(client.client_secret.as_deref().unwrap()));
        let code = code_of(server, "demo-portal").await;
        Tokens::from(&post_token(&Http::new(), server, &proof, &code.parameters()).await);
    }

    async fn a_wrong_secret_and_an_unknown_client_get_the_same_answer(server: &TestServer) {
        let code = code_of(server, "demo-portal").await;
        let mut bodies = Vec::new();
        for client_id in ["demo-portal", "nobody"] {
            let answer = post_token(&Http::new(), server, &Proof::basic(client_id, "wrong"), &code.parameters()).await;
            answer.assert_oauth_error(401, "invalid_client");
            assert!(answer.header("www-authenticate").starts_with("Basic"), "{}", answer.header("www-authenticate"));
            bodies.push(answer.body);
        }
        assert_eq!(bodies[0], bodies[1]);
        for proof in [Proof::post("demo-post", "wrong"), Proof::post("nobody", "wrong")] {
            assert_invalid_client(&post_token(&Http::new(), server, &proof, &code.parameters()).await);
        }
        // The attempts cost nobody anything: the code is still good.
        Tokens::from(&redeem(server, server.client("demo-portal"), &code).await);
    }

    async fn a_client_must_use_the_method_it_is_registered_for(server: &TestServer) {
        let (portal, post) = (server.client("demo-portal"), server.client("demo-post"));
        let secret = |client: &habilis_integration_tests::Client| client.client_secret.clone().unwrap();
        let code = code_of(server, "demo-portal").await;
        let proof = Proof::post(&portal.client_id, &secret(portal));
        assert_invalid_client(&post_token(&Http::new(), server, &proof, &code.parameters()).await);
        let code = code_of(server, "demo-post").await;
        let proof = Proof::basic(&post.client_id, &secret(post));
        assert_invalid_client(&post_token(&Http::new(), server, &proof, &code.parameters()).await);
        let code = code_of(server, "demo-portal").await;
        let nothing = Proof::Form(vec![("client_id".to_owned(), portal.client_id.clone())]);
        assert_invalid_client(&post_token(&Http::new(), server, &nothing, &code.parameters()).await);
    }

    async fn two_ways_to_authenticate_at_once_are_an_invalid_request(server: &TestServer) {
        let client = server.client("demo-portal");
        let code = code_of(server, "demo-portal").await;
        let mut parameters = code.parameters();
        parameters.push(("client_id", &client.client_id));
        parameters.push(("client_secret", client.client_secret.as_deref().unwrap()));
        let proof = Proof::of(client, server).await;
        post_token(&Http::new(), server, &proof, &parameters).await.assert_oauth_error(400, "invalid_request");
    }

    async fn no_credentials_at_all_are_an_invalid_client(server: &TestServer) {
        let code = code_of(server, "demo-portal").await;
        assert_invalid_client(&post_token(&Http::new(), server, &Proof::Form(Vec::new()), &code.parameters()).await);
    }

    async fn malformed_basic_credentials_are_refused(server: &TestServer) {
        let code = code_of(server, "demo-portal").await;
        for header in ["Basic", "Basic !!!", "Basic bm9jb2xvbg==", "Basic //79Og==", "Bearer x"] {
            let proof = Proof::Basic(header.to_owned());
            let answer = post_token(&Http::new(), server, &proof, &code.parameters()).await;
            assert!(matches!(answer.status, 400 | 401), "{header}: {} {}", answer.status, answer.body);
            let error = answer.json()["error"].as_str().unwrap().to_owned();
            assert!(["invalid_client", "invalid_request"].contains(&error.as_str()), "{header}: {error}");
        }
    }

    async fn an_assertion_works_once(server: &TestServer) {
        let client = server.client("demo-jwt");
        let assertion = client_key(client).sign(&assertion_claims(client, server, server.now().await));
        Tokens::from(&redeem_with_assertion(server, &assertion).await);
        assert_invalid_client(&redeem_with_assertion(server, &assertion).await);
    }

    async fn one_assertion_sent_by_fifty_tasks_authenticates_one(server: &TestServer) {
        let client = server.client("demo-jwt");
        let tokens = offline_tokens(server, "demo-jwt").await;
        let answers = refresh_at_once(server, 50, tokens.refresh_token(), &client.client_id).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            assert_invalid_client(answer);
        }
    }

    async fn an_assertion_may_name_the_issuer_or_the_token_endpoint(server: &TestServer) {
        let client = server.client("demo-jwt");
        let token_endpoint = server.url("/token");
        for audience in [json!(server.issuer), json!(token_endpoint), json!([server.issuer])] {
            let mut claims = assertion_claims(client, server, server.now().await);
            claims["aud"] = audience;
            Tokens::from(&redeem_with_assertion(server, &client_key(client).sign(&claims)).await);
        }
    }

    async fn an_assertion_with_anything_wrong_is_an_invalid_client(server: &TestServer) {
        let client = server.client("demo-jwt");
        let now = server.now().await;
        let seconds = now.as_second();
        let changes: [(&str, Value); 12] = [
            ("aud", json!("https://elsewhere.example")),
            ("aud", Value::Null),
            ("iss", json!("demo-portal")),
            ("sub", json!("demo-portal")),
            ("sub", Value::Null),
            ("exp", json!(seconds - 300)),
            ("exp", Value::Null),
            ("exp", json!("tomorrow")),
            ("jti", Value::Null),
            ("nbf", json!(seconds + 62)),
            ("iat", json!(seconds + 3600)),
            ("exp", json!(seconds + 10 * 365 * 86_400)),
        ];
        for (name, value) in changes {
            let mut claims = assertion_claims(client, server, now);
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
            let answer = redeem_with_assertion(server, &client_key(client).sign(&claims)).await;
            assert_ne!(answer.status, 200, "{name} = {value}");
            assert_invalid_client(&answer);
        }
    }

    async fn a_clock_ten_seconds_ahead_is_forgiven(server: &TestServer) {
        let client = server.client("demo-jwt");
        let mut claims = assertion_claims(client, server, server.now().await);
        let ahead = json!(server.now().await.as_second() + 8);
        claims["nbf"] = ahead.clone();
        claims["iat"] = ahead;
        Tokens::from(&redeem_with_assertion(server, &client_key(client).sign(&claims)).await);
    }

    async fn an_assertion_signed_by_nobody_or_by_somebody_else_is_an_invalid_client(server: &TestServer) {
        let client = server.client("demo-jwt");
        let claims = assertion_claims(client, server, server.now().await);
        let good = client_key(client).sign(&claims);
        let kid = jose::header(&good)["kid"].as_str().unwrap_or("unknown").to_owned();
        let forged = SigningKey::generate().announcing(&kid).sign(&claims);
        for assertion in [
            jose::unsigned(&good),
            jose::with_broken_signature(&good),
            jose::with_claim(&good, "jti", json!("another")),
            forged,
            SigningKey::generate().announcing("unheard-of").sign(&claims),
            "not.a.jwt".to_owned(),
            String::new(),
        ] {
            assert_invalid_client(&redeem_with_assertion(server, &assertion).await);
        }
        // None of them used up the jti.
        Tokens::from(&redeem_with_assertion(server, &good).await);
    }

    async fn an_assertion_of_one_client_does_not_speak_for_another(server: &TestServer) {
        let client = server.client("demo-jwt");
        let assertion = client_key(client).sign(&assertion_claims(client, server, server.now().await));
        let code = code_of(server, "demo-portal").await;
        let mut parameters = code.parameters();
        parameters.push(("client_id", "demo-portal"));
        let answer = post_token(&Http::new(), server, &Proof::assertion(&assertion), &parameters).await;
        assert!(matches!(answer.status, 400 | 401), "{}: {}", answer.status, answer.body);
    }

    async fn client_credentials_give_an_access_token_and_nothing_more(server: &TestServer) {
        let client = server.client("demo-service");
        let answer = client_credentials(server, &Proof::of(client, server).await).await;
        let tokens = Tokens::from(&answer);
        assert_eq!(tokens.response.get("id_token"), None);
        assert_eq!(tokens.response.get("refresh_token"), None);
        let header = jose::header(tokens.access_token());
        assert_eq!(header["alg"], "ES256", "a signature that costs 29 times less");
        let claims = jose::claims(tokens.access_token());
        assert_eq!((&claims["sub"], &claims["client_id"]), (&json!(client.client_id), &json!(client.client_id)));
    }

    async fn an_access_token_follows_the_jwt_profile(server: &TestServer) {
        let tokens = tokens_for(server, &AuthorizationRequest::of(server.client("demo-portal")), server.learner()).await;
        let (header, claims) = (jose::header(tokens.access_token()), jose::claims(tokens.access_token()));
        assert_eq!(header["typ"], "at+jwt");
        assert_ne!(header["alg"], "none");
        let jwks = Http::new().get(&server.url("/jwks")).await.ok_json();
        assert!(jwks["keys"].as_array().unwrap().iter().any(|key| key["kid"] == header["kid"]), "{header}");
        assert_eq!(claims["iss"], json!(server.issuer));
        assert_eq!(claims["client_id"], "demo-portal");
        assert_eq!(claims["sub"], tokens.id_claims()["sub"]);
        assert_eq!(claims["scope"], "openid");
        assert!(claims["jti"].as_str().is_some_and(|jti| jti.len() >= 16), "{claims}");
        assert!(claims["aud"].is_string() || claims["aud"].is_array(), "{claims}");
        let life = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
        assert!((tokens.response["expires_in"].as_u64().unwrap()).abs_diff(life) <= 1, "{life}");
    }

    async fn a_grant_the_client_is_not_registered_for_is_unauthorized(server: &TestServer) {
        let proof = Proof::of(server.client("demo-portal"), server).await;
        client_credentials(server, &proof).await.assert_oauth_error(400, "unauthorized_client");
        let proof = Proof::of(server.client("demo-service"), server).await;
        let parameters = [("grant_type", "refresh_token"), ("refresh_token", "x")];
        post_token(&Http::new(), server, &proof, &parameters).await.assert_oauth_error(400, "unauthorized_client");
    }

    async fn a_public_client_gets_no_client_credentials(server: &TestServer) {
        let proof = Proof::of(server.client("demo-native"), server).await;
        client_credentials(server, &proof).await.assert_oauth_error(400, "unauthorized_client");
    }

    async fn an_unknown_grant_type_is_unsupported_and_a_missing_one_invalid(server: &TestServer) {
        let proof = Proof::of(server.client("demo-portal"), server).await;
        let http = Http::new();
        for grant_type in ["password", "implicit", "urn:ietf:params:oauth:grant-type:unheard-of"] {
            let answer = post_token(&http, server, &proof, &[("grant_type", grant_type)]).await;
            answer.assert_oauth_error(400, "unsupported_grant_type");
        }
        post_token(&http, server, &proof, &[]).await.assert_oauth_error(400, "invalid_request");
        post_token(&http, server, &proof, &[("grant_type", "")]).await.assert_oauth_error(400, "invalid_request");
        let no_code = [("grant_type", "authorization_code")];
        post_token(&http, server, &proof, &no_code).await.assert_oauth_error(400, "invalid_request");
    }

    async fn a_duplicated_parameter_is_an_invalid_request(server: &TestServer) {
        let code = code_of(server, "demo-portal").await;
        let proof = Proof::of(server.client("demo-portal"), server).await;
        for name in ["grant_type", "code", "redirect_uri", "code_verifier"] {
            let mut parameters = code.parameters();
            let again = parameters.iter().find(|(known, _)| *known == name).copied().unwrap();
            parameters.push(again);
            let answer = post_token(&Http::new(), server, &proof, &parameters).await;
            answer.assert_oauth_error(400, "invalid_request");
        }
        // Refused before the code was looked at.
        Tokens::from(&redeem(server, server.client("demo-portal"), &code).await);
    }

    async fn malformed_utf8_is_an_invalid_request(server: &TestServer) {
        let http = Http::new();
        for body in [&b"grant_type=%FF%FE&code=x"[..], b"grant_type=\xFF\xFE", b"grant_type=authorization_code&code=\xC3\x28"] {
            let Proof::Basic(header) = Proof::of(server.client("demo-portal"), server).await else { unreachable!() };
            let request = http
                .request("POST", &server.url("/token"))
                .header("authorization", header)
                .header("content-type", FORM)
                .body(body.to_vec());
            http.send(request).await.assert_oauth_error(400, "invalid_request");
        }
    }

    async fn a_body_over_the_limit_is_refused_with_413(server: &TestServer) {
        let body = format!("grant_type=authorization_code&code={}", "c".repeat(100_000));
        let answer = Http::new().post_bytes(&server.url("/token"), FORM, body.into_bytes()).await;
        assert_eq!(answer.status, 413, "{}", answer.body);
    }

    async fn only_a_posted_form_is_a_token_request(server: &TestServer) {
        let http = Http::new();
        assert_eq!(http.get(&server.url("/token?grant_type=client_credentials")).await.status, 405);
        let answer = http.post_bytes(&server.url("/token"), "application/json", b"{}".to_vec()).await;
        assert!(matches!(answer.status, 400 | 401 | 415), "{}: {}", answer.status, answer.body);
    }

    async fn scripts_of_public_clients_may_call_the_token_endpoint(server: &TestServer) {
        let http = Http::new();
        let answer = http.send(http.request("POST", &server.url("/token")).header("origin", "https://app.example")).await;
        assert_eq!(answer.header("access-control-allow-origin"), "*");
    }

    async fn an_independent_library_refreshes(server: &TestServer) {
        let relying_party = RelyingParty::discover(server, server.client("demo-portal")).await;
        let tokens = offline_tokens(server, "demo-portal").await;
        let refreshed = relying_party.refresh(&RefreshToken::new(tokens.refresh_token().to_owned())).await;
        let claims = userinfo(server, refreshed.access_token().secret()).await.ok_json();
        assert_eq!(claims["sub"], tokens.id_claims()["sub"]);
    }

    async fn a_refreshed_id_token_speaks_of_the_same_sign_in(server: &TestServer) {
        let request = AuthorizationRequest::of(server.client("demo-portal")).offline().with("max_age", "10000");
        let tokens = tokens_for(server, &request, server.learner()).await;
        let answer = refresh(server, server.client("demo-portal"), tokens.refresh_token()).await;
        let refreshed = Tokens::from(&answer);
        if refreshed.response.get("id_token").is_some() {
            let (before, after) = (tokens.id_claims(), refreshed.id_claims());
            for name in ["iss", "sub", "aud", "auth_time", "azp"] {
                assert_eq!(before.get(name), after.get(name), "{name}");
            }
            assert!(after.get("nonce").is_none_or(|nonce| *nonce == before["nonce"]));
        }
        assert_eq!(userinfo(server, refreshed.access_token()).await.status, 200);
    }

    async fn a_confidential_client_may_use_its_refresh_token_again(server: &TestServer) {
        let tokens = offline_tokens(server, "demo-portal").await;
        for _ in 0..3 {
            Tokens::from(&refresh(server, server.client("demo-portal"), tokens.refresh_token()).await);
        }
    }

    async fn a_refresh_token_serves_only_its_client(server: &TestServer) {
        let tokens = offline_tokens(server, "demo-portal").await;
        let answer = refresh(server, server.client("demo-post"), tokens.refresh_token()).await;
        answer.assert_oauth_error(400, "invalid_grant");
        Tokens::from(&refresh(server, server.client("demo-portal"), tokens.refresh_token()).await);
    }

    async fn a_refresh_token_nobody_issued_is_an_invalid_grant(server: &TestServer) {
        let client = server.client("demo-portal");
        refresh(server, client, &random_text()).await.assert_oauth_error(400, "invalid_grant");
        let tokens = offline_tokens(server, "demo-portal").await;
        for (name, token) in [("access", tokens.access_token()), ("id", tokens.id_token())] {
            let answer = refresh(server, client, token).await;
            assert_eq!(answer.status, 400, "an {name} token is no refresh token");
            answer.assert_oauth_error(400, "invalid_grant");
        }
    }

    async fn a_refresh_narrows_the_scope_and_never_widens_it(server: &TestServer) {
        let client = server.client("demo-portal");
        let request = AuthorizationRequest::of(client)
            .with("scope", "openid profile email offline_access")
            .with("prompt", "consent");
        let tokens = tokens_for(server, &request, server.learner()).await;
        let proof = Proof::of(client, server).await;
        let with_scope = |scope: &'static str| {
            [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh_token()), ("scope", scope)]
        };
        let narrow = Tokens::from(&post_token(&Http::new(), server, &proof, &with_scope("openid email")).await);
        let claims = userinfo(server, narrow.access_token()).await.ok_json();
        assert!(claims["email"].is_string() && claims.get("given_name").is_none(), "{claims}");
        assert_eq!(narrow.response["scope"], "openid email");
        let wide = post_token(&Http::new(), server, &proof, &with_scope("openid phone")).await;
        wide.assert_oauth_error(400, "invalid_scope");
    }

    async fn a_public_client_gets_a_new_refresh_token_each_time(server: &TestServer) {
        let tokens = offline_tokens(server, "demo-native").await;
        let client = server.client("demo-native");
        let second = Tokens::from(&refresh(server, client, tokens.refresh_token()).await);
        assert_ne!(second.refresh_token(), tokens.refresh_token());
        let third = Tokens::from(&refresh(server, client, second.refresh_token()).await);
        assert_ne!(third.refresh_token(), second.refresh_token());
    }

    async fn fifty_parallel_refreshes_of_a_public_client_all_get_an_answer_that_works(server: &TestServer) {
        // The answer to the first may have been lost on the way: within the grace, nobody is signed out for it.
        let tokens = offline_tokens(server, "demo-native").await;
        let answers = refresh_at_once(server, 50, tokens.refresh_token(), "demo-native").await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 50);
        let last = Tokens::from(answers.last().unwrap());
        assert_eq!(userinfo(server, last.access_token()).await.status, 200);
    }

    async fn each_authorization_gives_another_code(server: &TestServer) {
        let mut browser = Browser::new();
        let request = AuthorizationRequest::of(server.client("demo-portal"));
        let first = browser.authorize(server, &request, server.learner()).await;
        let second = browser.authorize(server, &request, server.learner()).await;
        assert_ne!(first.code(), second.code());
        // Both are good: they are two grants.
        for response in [first, second] {
            Tokens::from(&redeem(server, server.client("demo-portal"), &Code::from(&request, &response)).await);
        }
    }
}

own_journeys! {
    async fn a_code_lives_sixty_seconds(mut server: TestServer) {
        let client = server.client("demo-portal").clone();
        let (fresh, stale) = (code_of(&server, "demo-portal").await, code_of(&server, "demo-portal").await);
        server.advance(30).await;
        Tokens::from(&redeem(&server, &client, &fresh).await);
        server.advance(32).await;
        redeem(&server, &client, &stale).await.assert_oauth_error(400, "invalid_grant");
    }

    async fn a_code_reused_after_its_end_still_revokes_its_tokens(mut server: TestServer) {
        let client = server.client("demo-portal").clone();
        let code = code_of(&server, "demo-portal").await;
        let tokens = Tokens::from(&redeem(&server, &client, &code).await);
        server.advance(90).await;
        assert_eq!(userinfo(&server, tokens.access_token()).await.status, 200);
        redeem(&server, &client, &code).await.assert_oauth_error(400, "invalid_grant");
        assert_eq!(userinfo(&server, tokens.access_token()).await.status, 401);
    }

    async fn a_public_refresh_token_reused_after_the_grace_revokes_its_family(mut server: TestServer) {
        let client = server.client("demo-native").clone();
        let first = offline_tokens(&server, "demo-native").await;
        let second = Tokens::from(&refresh(&server, &client, first.refresh_token()).await);
        // The answer was lost, and the client asks again at once: heard.
        Tokens::from(&refresh(&server, &client, first.refresh_token()).await);
        server.advance(120).await;
        // Two minutes later only a thief would: the whole family dies.
        refresh(&server, &client, first.refresh_token()).await.assert_oauth_error(400, "invalid_grant");
        refresh(&server, &client, second.refresh_token()).await.assert_oauth_error(400, "invalid_grant");
        assert_eq!(userinfo(&server, second.access_token()).await.status, 401);
        assert_eq!(userinfo(&server, first.access_token()).await.status, 401);
    }

    async fn an_assertion_is_remembered_as_long_as_it_lives(mut server: TestServer) {
        let client = server.client("demo-jwt").clone();
        let mut claims = assertion_claims(&client, &server, server.now().await);
        claims["exp"] = json!(server.now().await.as_second() + 240);
        let assertion = client_key(&client).sign(&claims);
        Tokens::from(&redeem_with_assertion(&server, &assertion).await);
        server.advance(180).await;
        assert_invalid_client(&redeem_with_assertion(&server, &assertion).await);
    }

    async fn an_offline_refresh_token_outlives_the_session(mut server: TestServer) {
        let client = server.client("demo-portal").clone();
        let tokens = offline_tokens(&server, "demo-portal").await;
        server.advance(13 * 3600).await;
        Tokens::from(&refresh(&server, &client, tokens.refresh_token()).await);
    }

}

journeys_on! { crate::rotation::rotating;
    async fn the_next_key_is_published_before_it_signs_and_the_old_one_stays_for_its_tokens(mut server: TestServer) {
        let kids = async |server: &TestServer| {
            let jwks = Http::new().get(&server.url("/jwks")).await.ok_json();
            let keys = jwks["keys"].as_array().unwrap().iter();
            keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let signing_kid = async |server: &TestServer| {
            let request = AuthorizationRequest::of(server.client("demo-portal"));
            let tokens = tokens_for(server, &request, server.learner()).await;
            jose::header(tokens.id_token())["kid"].as_str().unwrap().to_owned()
        };
        let (first, before) = (signing_kid(&server).await, kids(&server).await);
        // 90 days of signing, the successor published a day ahead: the defaults.
        server.advance(89 * 86_400 + 12 * 3600).await;
        let ahead = kids(&server).await;
        assert!(ahead.len() > before.len(), "the successors are published: {ahead:?}");
        assert_eq!(signing_kid(&server).await, first, "published, not yet signing");
        server.advance(86_400).await;
        let second = signing_kid(&server).await;
        assert_ne!(second, first);
        assert!(ahead.contains(&second), "published before it signed");
        assert!(kids(&server).await.contains(&first), "tokens signed a moment ago must verify");
    }
}
