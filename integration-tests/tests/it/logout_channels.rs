//! Who else learns that somebody signed out. OpenID Connect Back-Channel Logout 1.0 and Front-Channel Logout 1.0.

use habilis_integration_tests::fapi::verified;
use habilis_integration_tests::jose;
use habilis_integration_tests::protocol::{AuthorizationRequest, Code, Tokens, redeem, refresh};
use habilis_integration_tests::server::run_in;
use habilis_integration_tests::{Browser, Engine, Http, Listener, TestServer, Visit};
use serde_json::json;
use url::Url;

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
const BACK: &str = "/demo-logout/backchannel";
const BACK_2: &str = "/demo-logout-2/backchannel";

async fn start(engine: Engine) -> (TestServer, Listener) {
    let listener = Listener::start().await;
    let server = TestServer::own_with(engine, &["--logout-base", &listener.base]).await;
    (server, listener)
}

/// Signs the first learner in to a client in this browser.
async fn sign_in(server: &TestServer, browser: &mut Browser, request: &AuthorizationRequest) -> Tokens {
    let response = browser.authorize(server, request, server.learner()).await;
    let client = server.client(request.get("client_id"));
    Tokens::from(&redeem(server, client, &Code::from(request, &response)).await)
}

fn request(server: &TestServer, client_id: &str) -> AuthorizationRequest {
    AuthorizationRequest::of(server.client(client_id))
}

/// Signs out of the session of these tokens.
async fn sign_out(server: &TestServer, browser: &mut Browser, tokens: &Tokens) -> Visit {
    let mut url = Url::parse(&server.url("/end-session")).unwrap();
    url.query_pairs_mut()
        .append_pair("id_token_hint", tokens.id_token())
        .append_pair("post_logout_redirect_uri", "https://rp.example/signed-out")
        .append_pair("state", "s1");
    browser.get(url.as_str()).await
}

journeys_on! {
    start;

    async fn a_signed_logout_token_tells_the_client_which_session_ended((mut server, listener): (TestServer, Listener)) {
        let mut browser = Browser::new();
        let tokens = sign_in(&server, &mut browser, &request(&server, "demo-logout")).await;
        sign_out(&server, &mut browser, &tokens).await;
        let received = listener.wait_for(BACK, 1).await.remove(0);
        assert!(received.head.starts_with("POST "), "{}", received.head);
        assert_eq!(received.fields.keys().collect::<Vec<_>>(), ["logout_token"]);
        let token = &received.fields["logout_token"];
        let header = jose::header(token);
        assert_eq!((&header["typ"], &header["alg"]), (&json!("logout+jwt"), &json!("ES256")));
        let (claims, id) = (verified(&server, token).await, tokens.id_claims());
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(server.issuer), &json!("demo-logout")));
        assert_eq!((&claims["sub"], &claims["sid"]), (&id["sub"], &id["sid"]));
        assert_eq!(claims["events"], json!({ EVENT: {} }));
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 120);
        assert!(claims["jti"].is_string() && claims["sid"].is_string() && claims.get("nonce").is_none(), "{claims}");
        server.kill();
    }

    async fn each_client_of_the_session_is_told_once_under_its_own_sid((mut server, listener): (TestServer, Listener)) {
        let mut browser = Browser::new();
        let first = sign_in(&server, &mut browser, &request(&server, "demo-logout")).await;
        sign_in(&server, &mut browser, &request(&server, "demo-logout")).await;
        let second = sign_in(&server, &mut browser, &request(&server, "demo-logout-2")).await;
        sign_out(&server, &mut browser, &second).await;
        let one = listener.wait_for(BACK, 1).await.remove(0);
        let two = listener.wait_for(BACK_2, 1).await.remove(0);
        let (one, two) = (&one.fields["logout_token"], &two.fields["logout_token"]);
        assert_eq!((jose::header(one)["alg"].as_str(), jose::header(two)["alg"].as_str()), (Some("ES256"), Some("RS256")));
        assert_eq!(jose::claims(one)["sid"], first.id_claims()["sid"]);
        assert_eq!(jose::claims(two)["sid"], second.id_claims()["sid"]);
        assert_ne!(jose::claims(one)["sid"], jose::claims(two)["sid"]);
        server.advance(3600).await;
        assert_eq!((listener.received(BACK).len(), listener.received(BACK_2).len()), (1, 1));
    }

    async fn a_client_that_knew_nothing_of_the_session_is_not_told((mut server, listener): (TestServer, Listener)) {
        let (mut browser, mut elsewhere) = (Browser::new(), Browser::new());
        sign_in(&server, &mut elsewhere, &request(&server, "demo-logout")).await;
        let tokens = sign_in(&server, &mut browser, &request(&server, "demo-logout-2")).await;
        // A code that was never redeemed told the client nothing.
        browser.authorize(&server, &request(&server, "demo-logout"), server.learner()).await;
        sign_out(&server, &mut browser, &tokens).await;
        listener.wait_for(BACK_2, 1).await;
        server.advance(60).await;
        assert_eq!(listener.received(BACK).len(), 0);
    }

    async fn a_client_with_offline_access_is_told_and_keeps_its_refresh_token((mut server, listener): (TestServer, Listener)) {
        let mut browser = Browser::new();
        let tokens = sign_in(&server, &mut browser, &request(&server, "demo-logout").offline()).await;
        sign_out(&server, &mut browser, &tokens).await;
        listener.wait_for(BACK, 1).await;
        Tokens::from(&refresh(&server, server.client("demo-logout"), tokens.refresh_token()).await);
        server.kill();
    }

    async fn another_person_on_the_same_browser_ends_the_first_session((mut server, listener): (TestServer, Listener)) {
        let mut browser = Browser::new();
        let tokens = sign_in(&server, &mut browser, &request(&server, "demo-logout")).await;
        let again = request(&server, "demo-logout-2").with("prompt", "login");
        browser.authorize(&server, &again, server.learner_number(1)).await;
        let received = listener.wait_for(BACK, 1).await.remove(0);
        assert_eq!(jose::claims(&received.fields["logout_token"])["sid"], tokens.id_claims()["sid"]);
        server.kill();
    }

    async fn an_unreachable_client_is_tried_again_with_a_fresh_token_until_it_answers((mut server, listener): (TestServer, Listener)) {
        listener.answer(503);
        let mut browser = Browser::new();
        let tokens = sign_in(&server, &mut browser, &request(&server, "demo-logout-2")).await;
        sign_out(&server, &mut browser, &tokens).await.left();
        listener.wait_for(BACK_2, 1).await;
        listener.answer(204);
        server.advance(600).await;
        let received = listener.wait_for(BACK_2, 2).await;
        let claims: Vec<_> = received.iter().map(|received| jose::claims(&received.fields["logout_token"])).collect();
        assert!(claims[1]["iat"].as_i64().unwrap() >= claims[0]["iat"].as_i64().unwrap() + 600);
        assert_eq!(claims[0]["sid"], claims[1]["sid"]);
        server.advance(7200).await;
        assert_eq!(listener.received(BACK_2).len(), 2);
    }

    async fn a_client_that_refuses_is_not_asked_again((mut server, listener): (TestServer, Listener)) {
        listener.answer(400);
        let mut browser = Browser::new();
        let tokens = sign_in(&server, &mut browser, &request(&server, "demo-logout-2")).await;
        sign_out(&server, &mut browser, &tokens).await.left();
        listener.wait_for(BACK_2, 1).await;
        server.advance(7200).await;
        server.advance(7200).await;
        assert_eq!(listener.received(BACK_2).len(), 1);
    }

    async fn a_logout_nobody_takes_is_given_up_after_a_day((mut server, listener): (TestServer, Listener)) {
        listener.answer(500);
        let mut browser = Browser::new();
        let tokens = sign_in(&server, &mut browser, &request(&server, "demo-logout-2")).await;
        sign_out(&server, &mut browser, &tokens).await.left();
        listener.wait_for(BACK_2, 1).await;
        server.advance(25 * 3600).await;
        let tried = listener.wait_for(BACK_2, 2).await.len();
        server.advance(25 * 3600).await;
        server.advance(25 * 3600).await;
        assert_eq!(listener.received(BACK_2).len(), tried);
    }

    async fn no_redirect_is_followed((mut server, listener): (TestServer, Listener)) {
        listener.answer(302);
        let mut browser = Browser::new();
        let tokens = sign_in(&server, &mut browser, &request(&server, "demo-logout-2")).await;
        sign_out(&server, &mut browser, &tokens).await.left();
        listener.wait_for(BACK_2, 1).await;
        server.advance(600).await;
        listener.wait_for(BACK_2, 2).await;
        assert_eq!(listener.received("/elsewhere").len(), 0);
    }

    async fn a_client_that_never_answers_holds_nobody_up((mut server, listener): (TestServer, Listener)) {
        listener.answer(0);
        let mut browser = Browser::new();
        let tokens = sign_in(&server, &mut browser, &request(&server, "demo-logout-2")).await;
        let began = std::time::Instant::now();
        sign_out(&server, &mut browser, &tokens).await.left();
        assert!(began.elapsed().as_secs() < 4, "{:?}", began.elapsed());
        listener.wait_for(BACK_2, 1).await;
        server.kill();
    }

    async fn a_logout_survives_a_power_cut((mut server, listener): (TestServer, Listener)) {
        listener.answer(503);
        let mut browser = Browser::new();
        let tokens = sign_in(&server, &mut browser, &request(&server, "demo-logout-2")).await;
        sign_out(&server, &mut browser, &tokens).await.left();
        listener.wait_for(BACK_2, 1).await;
        server.kill();
        listener.answer(200);
        server.restart().await;
        server.advance(600).await;
        listener.wait_for(BACK_2, 2).await;
    }

    async fn the_front_channel_page_frames_each_client_and_then_goes_on((mut server, listener): (TestServer, Listener)) {
        let mut browser = Browser::new();
        sign_in(&server, &mut browser, &request(&server, "demo-logout-2")).await;
        let tokens = sign_in(&server, &mut browser, &request(&server, "demo-logout")).await;
        let page = sign_out(&server, &mut browser, &tokens).await.page();
        assert!(page.has("signing-out-page"), "{}", page.summary());
        let frames = page.attributes("iframe", "src");
        assert_eq!(frames.len(), 1, "{frames:?}");
        let frame = Url::parse(&frames[0]).unwrap();
        assert!(frames[0].starts_with(&format!("{}/demo-logout/frontchannel?portal=1&", listener.base)), "{frames:?}");
        let parameters: std::collections::BTreeMap<_, _> = frame.query_pairs().into_owned().collect();
        assert_eq!(parameters["iss"], server.issuer);
        assert_eq!(json!(parameters["sid"]), tokens.id_claims()["sid"]);
        let policy = page.header("content-security-policy");
        let frame_src = policy.split(';').map(str::trim).find(|part| part.starts_with("frame-src")).unwrap();
        assert_eq!(frame_src, format!("frame-src {}", listener.base));
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        let refresh = page.attributes("meta[http-equiv=refresh]", "content");
        assert_eq!(refresh, ["2;url=https://rp.example/signed-out?state=s1"]);
        let onwards = page.attribute("signing-out-continue", "href");
        assert_eq!(onwards.as_deref(), Some("https://rp.example/signed-out?state=s1"));
        let silent = request(&server, "demo-logout").with("prompt", "none");
        assert!(browser.get(&silent.url(&server)).await.left().as_str().contains("error=login_required"));
        server.kill();
    }

    async fn without_a_return_address_the_front_channel_page_ends_on_the_signed_out_page((mut server, _listener): (TestServer, Listener)) {
        let mut browser = Browser::new();
        let tokens = sign_in(&server, &mut browser, &request(&server, "demo-logout")).await;
        let url = server.url(&format!("/end-session?id_token_hint={}", tokens.id_token()));
        let page = browser.get(&url).await.page();
        assert!(page.has("signing-out-page"), "{}", page.summary());
        let page = browser.click("signing-out-continue").await.page();
        assert!(page.has("logged-out-page"), "{}", page.summary());
        server.kill();
    }
}

journeys! {
    async fn discovery_names_what_becomes_of_tokens_and_sessions(server: &TestServer) {
        let metadata = Http::new().get(&server.url("/.well-known/openid-configuration")).await.ok_json();
        for channel in ["backchannel", "frontchannel"] {
            assert_eq!(metadata[format!("{channel}_logout_supported")], json!(true));
            assert_eq!(metadata[format!("{channel}_logout_session_supported")], json!(true));
        }
        assert_eq!(metadata["introspection_endpoint"], json!(server.url("/introspect")));
        assert_eq!(metadata["revocation_endpoint"], json!(server.url("/revoke")));
        let introspection = metadata["introspection_endpoint_auth_methods_supported"].as_array().unwrap();
        assert!(!introspection.contains(&json!("none")) && introspection.contains(&json!("private_key_jwt")));
        assert!(metadata["revocation_endpoint_auth_methods_supported"].as_array().unwrap().contains(&json!("none")));
    }
}

#[tokio::test]
async fn a_logout_address_without_tls_is_refused_by_a_provider_that_has_it() {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), &["keys", "init"], &[]).await.printed();
    let metadata = |uri: &str| {
        json!({ "redirect_uris": ["https://p.example/cb"], "backchannel_logout_uri": uri, "client_id": "p" })
            .to_string()
    };
    for (uri, issuer, private, refused) in [
        ("http://127.0.0.1:9/logout", "https://identite.example", "true", true),
        ("http://p.example/logout", "http://localhost:8080", "true", true),
        ("https://p.example/logout#f", "https://identite.example", "true", true),
        ("http://127.0.0.1:9/logout", "http://localhost:8080", "false", true),
        ("https://10.0.0.1/logout", "https://identite.example", "false", true),
        ("http://127.0.0.1:9/logout", "http://localhost:8080", "true", false),
    ] {
        std::fs::write(folder.path().join("client.json"), metadata(uri)).unwrap();
        let environment = [("HABILIS__SERVER__ISSUER", issuer), ("HABILIS__FETCH__ALLOW_PRIVATE_ADDRESSES", private)];
        let outcome =
            run_in(folder.path(), &["client", "create", "client.json", "--resource-server"], &environment).await;
        if refused {
            outcome.assert_refused(&["logout"]);
        } else {
            outcome.printed();
        }
    }
    let shown = run_in(folder.path(), &["client", "show", "p"], &[]).await.printed();
    assert!(shown.contains("\"resource_server\": true"), "{shown}");
}
