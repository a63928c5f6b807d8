//! The `legacy` profile: implicit and hybrid response types (OIDC Core §3.2, §3.3), where the operator turned them on, for the
//! clients that have it and for no others. Module names of the conformance suite's hybrid and implicit plans stand beside.

use std::collections::BTreeMap;

use habilis_integration_tests::protocol::{
    AuthorizationRequest, Code, Proof, Tokens, post_as, post_token, redeem, refresh, userinfo,
};
use habilis_integration_tests::server::run_with_input;
use habilis_integration_tests::{Browser, Client, Engine, Http, Page, Person, TestServer, Visit, jose};
use serde_json::{Value, json};
use url::Url;

use crate::registration::{client, register, registered};

const KINDS: [&str; 5] = ["id_token", "id_token token", "code id_token", "code token", "code id_token token"];
const CALLBACK: &str = "https://rp.example/callback";

/// Journeys with a server of their own that has the profile turned on.
async fn legacy(engine: Engine) -> TestServer {
    TestServer::own_with(engine, &["--legacy"]).await
}

fn metadata(kinds: &[&str]) -> Value {
    json!({
        "client_name": "Ancien portail", "redirect_uris": [CALLBACK, "https://rp.example/callback?portal=1"],
        "response_types": kinds, "grant_types": ["authorization_code", "implicit", "refresh_token"],
        "id_token_signed_response_alg": "ES256", "post_logout_redirect_uris": ["https://rp.example/signed-out"],
    })
}

/// A client with every response type.
async fn old_portal(server: &TestServer) -> Client {
    let kinds: Vec<&str> = ["code"].into_iter().chain(KINDS).collect();
    client(&registered(&register(server, &metadata(&kinds)).await))
}

fn request(client: &Client, kind: &str) -> AuthorizationRequest {
    AuthorizationRequest::of(client).with("response_type", kind).with("scope", "openid email")
}

/// Follows a request until the redirect URI, signing in and consenting where asked.
async fn follow(server: &TestServer, browser: &mut Browser, request: &AuthorizationRequest, person: &Person) -> Url {
    let mut visit = browser.get(&request.url(server)).await;
    for _ in 0..3 {
        visit = match visit {
            Visit::Left(url) => return url,
            Visit::Page(page) if page.has("login-form") => browser.sign_in(person).await,
            Visit::Page(page) if page.has("consent-page") => browser.click("consent-allow").await,
            Visit::Page(page) => panic!("neither sign-in nor consent: {}", page.summary()),
        };
    }
    visit.left()
}

/// The parameters of the fragment; asserts that nothing came by the query.
#[track_caller]
fn fragment(url: &Url) -> BTreeMap<String, String> {
    assert_eq!(url.query(), None, "{url}");
    let mut parameters = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(url.fragment().expect("a fragment").as_bytes()) {
        assert_eq!(parameters.insert(name.into_owned(), value.into_owned()), None, "twice: {url}");
    }
    parameters
}

/// The parameters that a page posts to the client.
fn posted(page: &Page) -> BTreeMap<String, String> {
    let inputs = |name: &str| page.attributes("#form-post input", name);
    inputs("name").into_iter().zip(inputs("value")).collect()
}

/// Asserts an error in the fragment, with state and issuer, and nothing that would be worth stealing.
#[track_caller]
fn assert_error(server: &TestServer, url: &Url, request: &AuthorizationRequest, error: &str) {
    let answer = fragment(url);
    assert_eq!(answer.get("error").map(String::as_str), Some(error), "{url}");
    assert_eq!(answer.get("state").map(String::as_str), Some(request.get("state")));
    assert_eq!(answer.get("iss"), Some(&server.issuer));
    for name in ["code", "access_token", "id_token"] {
        assert!(!answer.contains_key(name), "{url}");
    }
}

/// Asserts that an ID token is this server's, for this request, and goes with what came beside it.
async fn assert_id_token(
    server: &TestServer,
    (client, request): (&Client, &AuthorizationRequest),
    answer: &BTreeMap<String, String>,
) -> Value {
    let token = &answer["id_token"];
    let keys = Http::new().get(&server.url("/jwks")).await.ok_json();
    let kid = &jose::header(token)["kid"];
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == *kid).expect("its key is published");
    jose::assert_signed(token, key);
    let claims = jose::claims(token);
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(server.issuer), &json!(client.client_id)));
    assert_eq!(claims["nonce"], json!(request.get("nonce")));
    assert!(claims["sid"].is_string() && claims["auth_time"].is_i64());
    for (what, hash) in [("code", "c_hash"), ("access_token", "at_hash")] {
        let expected = answer.get(what).map_or(Value::Null, |value| json!(jose::left_half_hash("ES256", value)));
        assert_eq!(claims.get(hash).unwrap_or(&Value::Null), &expected, "{hash} for {:?}", answer.keys());
    }
    claims
}

journeys_on! {
    legacy;

    async fn each_response_type_gives_what_it_names_in_the_fragment(mut server: TestServer) {
        let (client, person) = (old_portal(&server).await, server.learner().clone());
        let mut browser = Browser::new();
        for kind in KINDS {
            let request = request(&client, kind);
            let answer = fragment(&follow(&server, &mut browser, &request, &person).await);
            let has = |word| kind.split(' ').any(|known| known == word);
            assert_eq!(answer.contains_key("code"), has("code"), "{kind}: {:?}", answer.keys());
            assert_eq!(answer.contains_key("id_token"), has("id_token"), "{kind}");
            assert_eq!(answer.contains_key("access_token"), has("token"), "{kind}");
            assert_eq!((&answer["state"], &answer["iss"]), (&request.get("state").to_owned(), &server.issuer));
            assert!(!answer.contains_key("refresh_token"), "{kind}");
            if has("id_token") {
                let claims = assert_id_token(&server, (&client, &request), &answer).await;
                // OIDC Core §5.4: by scope only where there is no userinfo to ask.
                assert_eq!(claims.get("email").is_some(), kind == "id_token", "{kind}: {claims}");
            }
            if has("token") {
                assert_eq!((answer["token_type"].as_str(), answer["expires_in"].as_str()), ("Bearer", "600"));
                assert_eq!(answer["scope"], "openid email");
                assert_eq!(userinfo(&server, &answer["access_token"]).await.ok_json()["email"], json!(person.login));
            }
            if has("code") {
                let code = Code {
                    code: answer["code"].clone(), redirect_uri: CALLBACK.to_owned(), verifier: request.verifier.clone(),
                };
                let tokens = Tokens::from(&redeem(&server, &client, &code).await);
                assert!(tokens.response["refresh_token"].is_string(), "by the code, as ever");
                if has("id_token") {
                    let (front, back) = (jose::claims(&answer["id_token"]), tokens.id_claims());
                    for claim in ["iss", "sub", "nonce", "auth_time", "sid"] {
                        assert_eq!(front[claim], back[claim], "{kind}: {claim}");
                    }
                }
            }
        }
        server.kill();
    }

    async fn the_words_of_a_response_type_come_in_any_order(mut server: TestServer) {
        let mixed = metadata(&["token id_token", "token code id_token", "code"]);
        let client = client(&registered(&register(&server, &mixed).await));
        let mut browser = Browser::new();
        for kind in ["id_token token", "token id_token", "id_token token code"] {
            let url = follow(&server, &mut browser, &request(&client, kind), server.learner()).await;
            assert!(fragment(&url).contains_key("id_token"), "{kind}: {url}");
        }
        server.kill();
    }

    async fn errors_come_in_the_fragment_too(mut server: TestServer) {
        // oidcc-prompt-none-not-logged-in, -ensure-request-without-nonce-fails
        let client = old_portal(&server).await;
        let mut browser = Browser::new();
        for kind in KINDS {
            let silent = request(&client, kind).with("prompt", "none");
            let url = browser.get(&silent.url(&server)).await.left();
            assert_error(&server, &url, &silent, "login_required");
            let wrong = request(&client, kind).with("prompt", "none login");
            let url = browser.get(&wrong.url(&server)).await.left();
            assert_error(&server, &url, &wrong, "invalid_request");
            if kind != "code token" {
                let without = request(&client, kind).without("nonce");
                let url = browser.get(&without.url(&server)).await.left();
                assert_error(&server, &url, &without, "invalid_request");
                let without = request(&client, kind).with("scope", "email");
                let url = browser.get(&without.url(&server)).await.left();
                assert_error(&server, &url, &without, "invalid_scope");
            }
        }
        let without = request(&client, "code token").without("nonce");
        let answer = fragment(&follow(&server, &mut browser, &without, server.learner()).await);
        assert!(answer.contains_key("access_token"), "no ID token, no nonce needed");
        // The person declines.
        let request = request(&client, "id_token token").with("prompt", "consent");
        browser.get(&request.url(&server)).await.page();
        let url = browser.click("consent-deny").await.left();
        assert_error(&server, &url, &request, "access_denied");
        server.kill();
    }

    async fn tokens_never_travel_in_a_query(mut server: TestServer) {
        let client = old_portal(&server).await;
        for kind in KINDS {
            for mode in ["query", "query.jwt", "jwt", "form_post.jwt", "unknown"] {
                let request = request(&client, kind).with("response_mode", mode);
                let url = Browser::new().get(&request.url(&server)).await.left();
                assert_error(&server, &url, &request, "invalid_request");
            }
        }
        server.kill();
    }

    async fn form_post_posts_tokens_and_errors(mut server: TestServer) {
        let (client, mut browser) = (old_portal(&server).await, Browser::new());
        let signing_in = request(&client, "code id_token token");
        follow(&server, &mut browser, &signing_in, server.learner()).await;
        let request = request(&client, "code id_token token").with("response_mode", "form_post");
        let page = browser.get(&request.url(&server)).await.page();
        assert_eq!(page.attribute("form-post", "action").as_deref(), Some(CALLBACK));
        let answer = posted(&page);
        assert_id_token(&server, (&client, &request), &answer).await;
        assert_eq!(answer["iss"], server.issuer);
        let page = browser.get(&request.without("nonce").url(&server)).await.page();
        assert_eq!(posted(&page)["error"], "invalid_request");
        server.kill();
    }

    async fn a_redirect_uri_keeps_its_query_before_the_fragment(mut server: TestServer) {
        let client = old_portal(&server).await;
        let request = request(&client, "id_token").with("redirect_uri", "https://rp.example/callback?portal=1");
        let url = follow(&server, &mut Browser::new(), &request, server.learner()).await;
        assert!(url.as_str().starts_with("https://rp.example/callback?portal=1#id_token="), "{url}");
        server.kill();
    }

    async fn implicit_tokens_are_never_refreshed_and_end_with_the_session(mut server: TestServer) {
        let client = old_portal(&server).await;
        let mut browser = Browser::new();
        let request = request(&client, "id_token token").with("scope", "openid email offline_access").with("prompt", "consent");
        let answer = fragment(&follow(&server, &mut browser, &request, server.learner()).await);
        assert_eq!(answer["scope"], "openid email", "offline_access needs a code");
        let proof = Proof::of(&client, &server).await;
        for (grant, name) in [("refresh_token", "refresh_token"), ("authorization_code", "code")] {
            let form = [("grant_type", grant), (name, answer["access_token"].as_str()), ("redirect_uri", CALLBACK)];
            post_token(&Http::new(), &server, &proof, &form).await.assert_oauth_error(400, "invalid_grant");
        }
        let introspected = post_as(&server, &client, ("/introspect", &[("token", &answer["access_token"])])).await;
        assert_eq!(introspected.ok_json()["active"], true);
        assert_eq!(userinfo(&server, &answer["access_token"]).await.status, 200);
        browser.get(&server.url("/end-session")).await.page();
        browser.click("logout-confirm").await.page();
        assert_eq!(userinfo(&server, &answer["access_token"]).await.status, 401);
        server.kill();
    }

    async fn a_code_used_twice_takes_the_token_of_the_fragment_with_it(mut server: TestServer) {
        // oidcc-codereuse
        let client = old_portal(&server).await;
        let request = request(&client, "code token");
        let answer = fragment(&follow(&server, &mut Browser::new(), &request, server.learner()).await);
        let code = Code {
            code: answer["code"].clone(), redirect_uri: CALLBACK.to_owned(), verifier: request.verifier.clone(),
        };
        let tokens = Tokens::from(&redeem(&server, &client, &code).await);
        redeem(&server, &client, &code).await.assert_oauth_error(400, "invalid_grant");
        for token in [tokens.access_token(), &answer["access_token"]] {
            assert_eq!(userinfo(&server, token).await.status, 401);
        }
        refresh(&server, &client, tokens.refresh_token()).await.assert_oauth_error(400, "invalid_grant");
        server.kill();
    }

    async fn a_public_client_proves_its_code_and_needs_no_proof_without_one(mut server: TestServer) {
        let mut metadata = metadata(&["id_token", "code id_token"]);
        metadata["token_endpoint_auth_method"] = json!("none");
        let client = client(&registered(&register(&server, &metadata).await));
        let implicit = request(&client, "id_token").without_pkce();
        let answer = fragment(&follow(&server, &mut Browser::new(), &implicit, server.learner()).await);
        assert!(answer.contains_key("id_token"));
        let hybrid = request(&client, "code id_token").without_pkce();
        let url = Browser::new().get(&hybrid.url(&server)).await.left();
        assert_error(&server, &url, &hybrid, "invalid_request");
        server.kill();
    }

    async fn other_clients_are_no_weaker_beside_it(mut server: TestServer) {
        let fragmented = |url: &Url| url.fragment().is_some();
        for id in ["demo-portal", "demo-third-party"] {
            let client = server.client(id).clone();
            for kind in KINDS {
                let url = Browser::new().get(&request(&client, kind).url(&server)).await.left();
                assert!(!fragmented(&url) && url.as_str().contains("error=unsupported_response_type"), "{url}");
            }
            let request = AuthorizationRequest::of(&client).with("response_mode", "fragment");
            let url = Browser::new().get(&request.url(&server)).await.left();
            assert!(!fragmented(&url) && url.as_str().contains("error=invalid_request"), "{url}");
        }
        // A client of the profile without the response type.
        let hybrid = client(&registered(&register(&server, &metadata(&["code", "code id_token"])).await));
        let request = request(&hybrid, "id_token");
        let url = Browser::new().get(&request.url(&server)).await.left();
        assert_error(&server, &url, &request, "unauthorized_client");
        // Its plain code flow is as everybody's, in the query.
        let response = Browser::new().authorize(&server, &AuthorizationRequest::of(&hybrid), server.learner()).await;
        assert!(response.get("code").is_some());
        server.kill();
    }

    async fn registration_takes_what_belongs_together_and_discovery_says_so(mut server: TestServer) {
        // oidcc-discovery-endpoint-verification of the dynamic plan
        let document = Http::new().get(&server.url("/.well-known/openid-configuration")).await.ok_json();
        let lists = |name: &str, value: &str| document[name].as_array().unwrap().contains(&json!(value));
        for kind in ["code"].into_iter().chain(KINDS) {
            assert!(lists("response_types_supported", kind), "{kind}");
        }
        assert!(lists("grant_types_supported", "implicit") && lists("grant_types_supported", "authorization_code"));
        assert!(lists("response_modes_supported", "fragment") && lists("response_modes_supported", "form_post"));
        let wrong = [
            (json!(["id_token"]), json!(["authorization_code"])),
            (json!(["code id_token"]), json!(["implicit"])),
            (json!(["code"]), json!(["authorization_code", "implicit"])),
            (json!(["id_token"]), json!(["implicit", "refresh_token"])),
            (json!(["token"]), json!(["implicit"])),
        ];
        for (kinds, grants) in wrong {
            let metadata = json!({ "redirect_uris": [CALLBACK], "response_types": kinds, "grant_types": grants });
            register(&server, &metadata).await.assert_oauth_error(400, "invalid_client_metadata");
        }
        let mut bound = metadata(&["code", "code token"]);
        bound["dpop_bound_access_tokens"] = json!(true);
        register(&server, &bound).await.assert_oauth_error(400, "invalid_client_metadata");
        let alone = json!({ "redirect_uris": [CALLBACK], "response_types": ["id_token"], "grant_types": ["implicit"] });
        registered(&register(&server, &alone).await);
        server.kill();
    }
}

journeys! {
    async fn nothing_of_it_is_there_until_the_operator_turns_it_on(server: &TestServer) {
        let document = Http::new().get(&server.url("/.well-known/openid-configuration")).await.ok_json();
        assert_eq!(document["response_types_supported"], json!(["code"]));
        assert!(!document["grant_types_supported"].as_array().unwrap().contains(&json!("implicit")));
        assert!(!document["response_modes_supported"].as_array().unwrap().contains(&json!("fragment")));
        for kind in KINDS {
            register(server, &metadata(&[kind])).await.assert_oauth_error(400, "invalid_client_metadata");
            let request = request(server.client("demo-portal"), kind);
            let url = Browser::new().get(&request.url(server)).await.left();
            assert!(url.fragment().is_none() && url.as_str().contains("error=unsupported_response_type"), "{url}");
        }
    }
}

#[tokio::test]
async fn the_command_line_makes_such_a_client_only_where_the_profile_is_on() {
    let folder = tempfile::tempdir().unwrap();
    let text = metadata(&["code", "code id_token"]).to_string();
    let create = ["client", "create", "--profile", "legacy", "-"];
    run_with_input(folder.path(), &create, &text).await.assert_refused(&["legacy.response_types"]);
    std::fs::write(folder.path().join("habilis.toml"), "[legacy]\nat_registration = true\n").unwrap();
    run_with_input(folder.path(), &create, &text).await.assert_refused(&["legacy.at_registration needs"]);
    std::fs::write(folder.path().join("habilis.toml"), "[legacy]\nresponse_types = true\n").unwrap();
    run_with_input(folder.path(), &create, &text).await.printed();
    let plain = ["client", "create", "-"];
    run_with_input(folder.path(), &plain, &text).await.assert_refused(&["a response type is not supported"]);
}
