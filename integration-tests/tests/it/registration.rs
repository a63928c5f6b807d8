//! `/register`: client registration (RFC 7591) and its management (RFC 7592), with the modules of the dynamic plan.

use std::path::Path;
use std::time::{Duration, Instant};

use habilis_integration_tests::protocol::{AuthorizationRequest, Code, Proof, Tokens, post_token};
use habilis_integration_tests::server::{free_port, habilis, run_in};
use habilis_integration_tests::{Answer, Browser, Client, Http, TestServer, Visit};
use serde_json::{Value, json};
use tokio::process::Command;

const REDIRECT: &str = "https://rp.example/cb";

/// A POST of metadata to `/register`.
pub(crate) async fn register(server: &TestServer, metadata: &Value) -> Answer {
    let http = Http::new();
    http.send(http.request("POST", &server.url("/register")).json(metadata)).await
}

/// The registration, asserted to be whole.
#[track_caller]
pub(crate) fn registered(answer: &Answer) -> Value {
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert!(answer.header("cache-control").contains("no-store"));
    assert!(answer.header("content-type").starts_with("application/json"));
    answer.json()
}

/// The registered client, for the rest of the harness.
pub(crate) fn client(registration: &Value) -> Client {
    serde_json::from_value(registration.clone()).expect("the members of a client")
}

/// A request to the management endpoint of a registration, with this token.
async fn manage(method: &str, registration: &Value, token: &str, body: Option<&Value>) -> Answer {
    let http = Http::new();
    let mut request = http.request(method, registration["registration_client_uri"].as_str().unwrap());
    request = request.header("authorization", format!("Bearer {token}"));
    if let Some(body) = body {
        request = request.json(body);
    }
    http.send(request).await
}

fn token(registration: &Value) -> &str {
    registration["registration_access_token"].as_str().unwrap()
}

#[track_caller]
fn assert_unauthorized(answer: &Answer) {
    answer.assert_oauth_error(401, "invalid_token");
    assert!(answer.header("www-authenticate").starts_with("Bearer"));
}

async fn tokens_of(server: &TestServer, registration: &Value) -> Tokens {
    let client = client(registration);
    let request = AuthorizationRequest::of(&client);
    let response = Browser::new().authorize(server, &request, server.learner()).await;
    let code = Code::from(&request, &response);
    let proof = Proof::of(&client, server).await;
    Tokens::from(&post_token(&Http::new(), server, &proof, &code.parameters()).await)
}

journeys! {
    async fn the_smallest_registration_is_answered_with_every_default(server: &TestServer) {
        let shown = registered(&register(server, &json!({ "redirect_uris": [REDIRECT] })).await);
        assert_eq!(shown["response_types"], json!(["code"]));
        assert_eq!(shown["grant_types"], json!(["authorization_code"]));
        assert_eq!(shown["token_endpoint_auth_method"], "client_secret_basic");
        assert_eq!(shown["id_token_signed_response_alg"], "RS256");
        assert_eq!(shown["application_type"], "web");
        assert_eq!(shown["subject_type"], "public");
        assert_eq!(shown["client_secret_expires_at"], 0);
        assert!(shown["client_secret"].as_str().unwrap().len() >= 43);
        assert!(shown["scope"].as_str().unwrap().contains("openid"));
        let issued = shown["client_id_issued_at"].as_i64().unwrap();
        assert!((server.now().await.as_second() - issued).abs() < 60);
        let uri = server.url(&format!("/register/{}", shown["client_id"].as_str().unwrap()));
        assert_eq!(shown["registration_client_uri"], json!(uri));
    }

    async fn a_registered_client_signs_people_in(server: &TestServer) {
        let shown = registered(&register(server, &json!({ "redirect_uris": [REDIRECT] })).await);
        let claims = tokens_of(server, &shown).await.id_claims();
        assert_eq!(claims["aud"], shown["client_id"]);
    }

    async fn what_is_registered_is_echoed_and_unknown_members_are_ignored(server: &TestServer) {
        let metadata = json!({
            "redirect_uris": [REDIRECT, "https://rp.example/cb?a=1"],
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "client_secret_post",
            "client_name": "Centre de formation", "client_name#en": "Training centre",
            "logo_uri#en-GB": "https://rp.example/en.png", "policy_uri#en": "https://rp.example/en/policy",
            "tos_uri#fr": "https://rp.example/fr/conditions", "client_uri#fr": "https://rp.example/fr",
            "client_uri": "https://rp.example/", "logo_uri": "https://rp.example/logo.png",
            "policy_uri": "https://rp.example/policy", "tos_uri": "https://rp.example/tos",
            "contacts": ["rp@example.org"], "initiate_login_uri": "https://rp.example/login",
            "post_logout_redirect_uris": ["https://rp.example/out"], "default_max_age": 600, "require_auth_time": true,
            "default_acr_values": ["eidas1"], "userinfo_signed_response_alg": "RS256", "id_token_signed_response_alg": "ES256",
            "require_pushed_authorization_requests": true, "dpop_bound_access_tokens": true,
        });
        let mut sent = metadata.clone();
        sent["fr.example.unknown"] = json!({ "a": [1] });
        sent["logo_dark_uri"] = json!(null);
        sent["contacts#fr"] = json!(["rp@example.org"]);
        let shown = registered(&register(server, &sent).await);
        for (name, value) in metadata.as_object().unwrap() {
            assert_eq!(&shown[name], value, "{name}");
        }
        assert!(shown.get("fr.example.unknown").is_none() && shown.get("contacts#fr").is_none());
    }

    async fn pages_show_the_name_the_logo_and_the_links_in_their_own_language(server: &TestServer) {
        let metadata = json!({
            "redirect_uris": [REDIRECT], "client_name": "Portail d’essai", "client_name#en": "Trial portal",
            "logo_uri": "https://rp.example/logo.png", "logo_uri#en-GB": "https://rp.example/en.png",
            "policy_uri": "https://rp.example/vie-privee", "policy_uri#en": "https://rp.example/privacy",
            "tos_uri#fr": "https://rp.example/conditions",
        });
        let client = client(&registered(&register(server, &metadata).await));
        let cases = [
            ("fr", "Portail d’essai", "https://rp.example/logo.png", vec!["https://rp.example/vie-privee", "https://rp.example/conditions"]),
            ("en", "Trial portal", "https://rp.example/en.png", vec!["https://rp.example/privacy"]),
        ];
        for (language, name, logo, links) in cases {
            let mut browser = Browser::new();
            let first = browser.get(&AuthorizationRequest::of(&client).with("ui_locales", language).url(server)).await;
            let Visit::Page(login) = first else { panic!("no sign-in page") };
            let Visit::Page(consent) = browser.sign_in(server.learner()).await else { panic!("no consent page") };
            for page in [&login, &consent] {
                assert!(page.all_text().contains(name), "{language}: {}", page.summary());
                assert!(page.attributes("img", "src").contains(&logo.to_owned()), "{language}");
                let shown: Vec<_> = page.attributes("a", "href").into_iter().filter(|href| href.contains("//rp.example")).collect();
                assert_eq!(shown, links, "{language}");
            }
        }
    }

    async fn what_clients_name_too_often_or_at_length_is_refused(server: &TestServer) {
        let mut metadata = json!({ "redirect_uris": [REDIRECT] });
        for number in 0..65 {
            metadata[format!("client_name#fr-x{number}")] = json!("a");
        }
        register(server, &metadata).await.assert_oauth_error(400, "invalid_client_metadata");
        let long = json!({ "redirect_uris": [REDIRECT], "client_name#fr": "a".repeat(257) });
        register(server, &long).await.assert_oauth_error(400, "invalid_client_metadata");
    }

    async fn userinfo_is_signed_for_a_client_that_registers_it(server: &TestServer) {
        let metadata = json!({ "redirect_uris": [REDIRECT], "userinfo_signed_response_alg": "RS256" });
        let shown = registered(&register(server, &metadata).await);
        let tokens = tokens_of(server, &shown).await;
        let http = Http::new();
        let bearer = format!("Bearer {}", tokens.access_token());
        let answer = http.send(http.request("GET", &server.url("/userinfo")).header("authorization", bearer)).await;
        assert!(answer.header("content-type").starts_with("application/jwt"), "{}", answer.header("content-type"));
        let claims = habilis_integration_tests::fapi::verified(server, &answer.body).await;
        assert_eq!((&claims["sub"], &claims["aud"]), (&tokens.id_claims()["sub"], &shown["client_id"]));
    }

    async fn a_redirect_uri_with_a_query_keeps_it_and_must_match_it(server: &TestServer) {
        let shown = registered(&register(server, &json!({ "redirect_uris": ["https://rp.example/cb?a=1"] })).await);
        let request = AuthorizationRequest::of(&client(&shown));
        let response = Browser::new().authorize(server, &request, server.learner()).await;
        assert!(response.url.as_str().starts_with("https://rp.example/cb?a=1&code="), "{}", response.url);
        for other in ["https://rp.example/cb?a=2", "https://rp.example/cb", "https://rp.example/cb?a=1&b=2"] {
            let visit = Browser::new().get(&request.clone().with("redirect_uri", other).url(server)).await;
            assert!(matches!(visit, Visit::Page(ref page) if page.has("error-page")), "{other}");
        }
    }

    async fn with_two_redirect_uris_one_must_be_named(server: &TestServer) {
        let metadata = json!({ "redirect_uris": [REDIRECT, "https://rp.example/other"] });
        let request = AuthorizationRequest::of(&client(&registered(&register(server, &metadata).await)));
        let visit = Browser::new().get(&request.without("redirect_uri").url(server)).await;
        assert!(matches!(visit, Visit::Page(ref page) if page.has("error-page")));
    }

    async fn the_page_shows_the_logo_the_policy_and_the_terms(server: &TestServer) {
        let links = ["https://rp.example/logo.png", "https://rp.example/policy", "https://rp.example/tos"];
        let metadata = json!({
            "redirect_uris": [REDIRECT], "client_name": "Portail d’essai",
            "logo_uri": links[0], "policy_uri": links[1], "tos_uri": links[2],
        });
        let request = AuthorizationRequest::of(&client(&registered(&register(server, &metadata).await)));
        let mut browser = Browser::new();
        browser.get(&request.url(server)).await;
        let Visit::Page(page) = browser.sign_in(server.learner()).await else { panic!("no consent page") };
        assert!(page.attributes("img", "src").contains(&links[0].to_owned()));
        for link in &links[1..] {
            assert!(page.attributes("a", "href").contains(&(*link).to_owned()), "{link}");
        }
    }

    async fn what_contradicts_itself_is_refused_with_its_code(server: &TestServer) {
        let key = habilis_integration_tests::jose::SigningKey::generate().public_jwk();
        let cases = [
            (json!({ "redirect_uris": ["https://rp.example/cb#f"] }), "invalid_redirect_uri"),
            (json!({}), "invalid_redirect_uri"),
            (json!({ "redirect_uris": ["javascript:alert(1)"] }), "invalid_redirect_uri"),
            (json!({ "initiate_login_uri": "http://rp.example/" }), "invalid_client_metadata"),
            (json!({ "jwks": { "keys": [key] }, "jwks_uri": "https://rp.example/jwks" }), "invalid_client_metadata"),
            (json!({ "jwks_uri": "http://rp.example/jwks" }), "invalid_client_metadata"),
            (json!({ "jwks_uri": "file:///etc/passwd" }), "invalid_client_metadata"),
            (json!({ "grant_types": ["client_credentials"] }), "invalid_client_metadata"),
            (json!({ "grant_types": ["password"] }), "invalid_client_metadata"),
            (json!({ "id_token_signed_response_alg": "none" }), "invalid_client_metadata"),
            (json!({ "token_endpoint_auth_method": "private_key_jwt" }), "invalid_client_metadata"),
            (json!({ "redirect_uris": REDIRECT }), "invalid_client_metadata"),
            (json!({ "subject_type": "none" }), "invalid_client_metadata"),
            (json!({ "backchannel_logout_uri": "https://rp.example/#f" }), "invalid_client_metadata"),
            (json!({ "client_name#fr": "a\u{7}" }), "invalid_client_metadata"),
            (json!({ "client_name#fr": 1 }), "invalid_client_metadata"),
            (json!({ "logo_uri#fr": "http://rp.example/logo.png" }), "invalid_client_metadata"),
            (json!({ "policy_uri#fr_FR": "https://rp.example/" }), "invalid_client_metadata"),
        ];
        for (mut metadata, error) in cases {
            if error == "invalid_client_metadata" && metadata.get("redirect_uris").is_none() {
                metadata["redirect_uris"] = json!([REDIRECT]);
            }
            let answer = register(server, &metadata).await;
            assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some(error)), "{metadata}: {}", answer.body);
            answer.assert_oauth_error(400, error);
        }
    }

    async fn what_is_no_json_object_is_refused(server: &TestServer) {
        let http = Http::new();
        let url = server.url("/register");
        let post = async |kind: &str, body: Vec<u8>| http.post_bytes(&url, kind, body).await;
        post("text/plain", b"{}".to_vec()).await.assert_oauth_error(415, "invalid_client_metadata");
        for body in [&b"[]"[..], b"", b"{", b"\xff", b"null", b"{\"redirect_uris\":[\"\\ud800\"]}"] {
            post("application/json", body.to_vec()).await.assert_oauth_error(400, "invalid_client_metadata");
        }
        let deep = "[".repeat(10_000);
        post("application/json", format!("{{\"a\":{deep}").into()).await.assert_oauth_error(400, "invalid_client_metadata");
        let huge = format!("{{\"a\":\"{}\"}}", "a".repeat(100_000));
        post("application/json", huge.into()).await.assert_oauth_error(413, "invalid_client_metadata");
        assert_eq!(http.get(&url).await.status, 405);
    }

    async fn a_client_reads_its_registration_with_its_token_alone(server: &TestServer) {
        let shown = registered(&register(server, &json!({ "redirect_uris": [REDIRECT] })).await);
        let other = registered(&register(server, &json!({ "redirect_uris": [REDIRECT] })).await);
        let read = manage("GET", &shown, token(&shown), None).await;
        let mut expected = shown.clone();
        expected.as_object_mut().unwrap().remove("client_secret");
        assert_eq!(read.ok_json(), expected);
        assert!(read.header("cache-control").contains("no-store"));
        for wrong in ["wrong", "", token(&other)] {
            for (method, body) in [("GET", None), ("PUT", Some(&shown)), ("DELETE", None)] {
                assert_unauthorized(&manage(method, &shown, wrong, body).await);
            }
        }
        assert_eq!(manage("GET", &shown, token(&shown), None).await.status, 200);
    }

    async fn a_client_replaces_its_registration_at_once(server: &TestServer) {
        let shown = registered(&register(server, &json!({ "redirect_uris": [REDIRECT], "client_name": "Avant" })).await);
        tokens_of(server, &shown).await;
        let new = json!({ "client_id": shown["client_id"], "client_secret": shown["client_secret"], "redirect_uris": ["https://rp.example/new"] });
        let answer = manage("PUT", &shown, token(&shown), Some(&new)).await;
        let mut changed = answer.ok_json();
        assert!(answer.header("cache-control").contains("no-store"));
        assert_eq!(changed["redirect_uris"], new["redirect_uris"]);
        assert!(changed.get("client_name").is_none(), "left out is removed");
        assert!(changed.get("client_secret").is_none(), "the secret is as it was");
        changed["client_secret"] = shown["client_secret"].clone();
        tokens_of(server, &changed).await;
        let visit = Browser::new().get(&AuthorizationRequest::of(&client(&shown)).url(server)).await;
        assert!(matches!(visit, Visit::Page(ref page) if page.has("error-page")), "the old URI is gone");
    }

    async fn a_replacement_names_the_client_and_nothing_of_ours(server: &TestServer) {
        let shown = registered(&register(server, &json!({ "redirect_uris": [REDIRECT] })).await);
        let good = json!({ "client_id": shown["client_id"], "redirect_uris": [REDIRECT] });
        let bend = |name: &str, value: Value| {
            let mut bent = good.clone();
            bent[name] = value;
            bent
        };
        let cases = [
            bend("client_id", json!("other")),
            bend("client_id", json!(null)),
            bend("client_secret", json!("other")),
            bend("registration_access_token", json!("x")),
            bend("client_id_issued_at", json!(1)),
            bend("grant_types", json!(["password"])),
        ];
        for bent in cases {
            manage("PUT", &shown, token(&shown), Some(&bent)).await.assert_oauth_error(400, "invalid_client_metadata");
        }
        manage("PUT", &shown, token(&shown), Some(&good)).await.ok_json();
    }

    async fn nobody_registers_a_scope_of_an_api_that_it_would_use_by_itself(server: &TestServer) {
        let service = |scope: &str| json!({ "grant_types": ["client_credentials"], "response_types": [], "scope": scope });
        let person = json!({ "redirect_uris": [REDIRECT], "scope": "openid apicfa.dossiers.read" });
        let mut both = person.clone();
        both["grant_types"] = json!(["authorization_code", "client_credentials"]);
        let mut exchange = service("apicfa.dossiers.read");
        exchange["grant_types"] = json!(["urn:ietf:params:oauth:grant-type:token-exchange"]);
        for metadata in [service("apicfa.dossiers.read"), service("email habilis.keys"), exchange, both.clone()] {
            let refused = register(server, &metadata).await;
            refused.assert_oauth_error(400, "invalid_client_metadata");
            assert!(refused.body.contains("the operator's to give"), "{}", refused.body);
        }
        // What people say yes to may be registered; and becomes nothing else afterwards.
        let shown = registered(&register(server, &person).await);
        for (mut changed, status) in [(person, 200), (both, 400), (service("apicfa.dossiers.read"), 400)] {
            changed["client_id"] = shown["client_id"].clone();
            let answer = manage("PUT", &shown, token(&shown), Some(&changed)).await;
            assert_eq!(answer.status, status, "{changed}: {}", answer.body);
        }
        // By itself such a client gets nothing at an API.
        let shown = registered(&register(server, &service("openid email")).await);
        let proof = Proof::of(&client(&shown), server).await;
        let credentials = [("grant_type", "client_credentials")];
        assert_eq!(post_token(&Http::new(), server, &proof, &credentials).await.ok_json()["scope"], "");
        let wanting = [credentials[0], ("scope", "apicfa.dossiers.read")];
        post_token(&Http::new(), server, &proof, &wanting).await.assert_oauth_error(400, "invalid_scope");
    }

    async fn a_client_that_begins_to_use_a_secret_is_given_one(server: &TestServer) {
        let metadata = json!({ "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none" });
        let shown = registered(&register(server, &metadata).await);
        assert!(shown.get("client_secret").is_none() && shown.get("client_secret_expires_at").is_none());
        let new = json!({ "client_id": shown["client_id"], "redirect_uris": [REDIRECT] });
        let changed = manage("PUT", &shown, token(&shown), Some(&new)).await.ok_json();
        tokens_of(server, &changed).await;
    }

    async fn a_deleted_client_is_gone_at_once(server: &TestServer) {
        let shown = registered(&register(server, &json!({ "redirect_uris": [REDIRECT] })).await);
        let tokens = tokens_of(server, &shown).await;
        let deleted = manage("DELETE", &shown, token(&shown), None).await;
        assert_eq!((deleted.status, deleted.body.as_str()), (204, ""));
        for method in ["GET", "DELETE"] {
            assert_unauthorized(&manage(method, &shown, token(&shown), None).await);
        }
        let visit = Browser::new().get(&AuthorizationRequest::of(&client(&shown)).url(server)).await;
        assert!(matches!(visit, Visit::Page(ref page) if page.has("error-page")));
        let http = Http::new();
        let bearer = format!("Bearer {}", tokens.access_token());
        let answer = http.send(http.request("GET", &server.url("/userinfo")).header("authorization", bearer)).await;
        assert_eq!(answer.status, 401, "{}", answer.body);
    }

    async fn discovery_names_the_endpoint_and_scripts_may_call_it(server: &TestServer) {
        let http = Http::new();
        let metadata = http.get(&server.url("/.well-known/openid-configuration")).await.ok_json();
        assert_eq!(metadata["registration_endpoint"], json!(server.url("/register")));
        let preflight = http
            .request("OPTIONS", &server.url("/register"))
            .header("origin", "https://rp.example")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type");
        assert_eq!(http.send(preflight).await.header("access-control-allow-origin"), "*");
    }
}

own_journeys! {
    async fn a_client_keeps_the_scope_that_the_operator_gave_and_widens_it_not(mut server: TestServer) {
        let service = |scope: &str| json!({ "grant_types": ["client_credentials"], "response_types": [], "scope": scope });
        let shown = registered(&register(&server, &service("openid")).await);
        let id = shown["client_id"].as_str().unwrap().to_owned();
        let scope = "apicfa.dossiers.read apicfa.dossiers.write";
        server.manage(&["client", "update", &id, "--scope", "a\"b"]).await.assert_refused(&["the scope is malformed"]);
        server.manage(&["client", "update", &id, "--scope", scope]).await.printed();
        let uri = server.url(&format!("/register/{id}"));
        let put = async |scope: &str| {
            let mut changed = service(scope);
            changed["client_id"] = json!(id);
            let http = Http::new();
            let request = http.request("PUT", &uri).header("authorization", format!("Bearer {}", token(&shown)));
            http.send(request.json(&changed)).await
        };
        put("apicfa.dossiers.read apicfa.factures.read").await.assert_oauth_error(400, "invalid_client_metadata");
        assert_eq!(put(scope).await.ok_json()["scope"], scope);
        let proof = Proof::of(&client(&shown), &server).await;
        let answer = post_token(&Http::new(), &server, &proof, &[("grant_type", "client_credentials")]).await;
        assert_eq!(answer.ok_json()["scope"], scope);
        // What it lets go it does not take back.
        assert_eq!(put("apicfa.dossiers.read").await.ok_json()["scope"], "apicfa.dossiers.read");
        put(scope).await.assert_oauth_error(400, "invalid_client_metadata");
        server.kill();
    }
}

/// `habilis serve` in `folder`, registration closed as by default unless the environment says otherwise.
async fn serve(folder: &Path, environment: &[(&str, &str)]) -> (tokio::process::Child, String) {
    run_in(folder, &["keys", "init"], &[]).await.printed();
    let port = free_port();
    let url = format!("http://localhost:{port}");
    let mut command = habilis();
    command
        .arg("serve")
        .current_dir(folder)
        .env("HABILIS__SERVER__ISSUER", &url)
        .env("HABILIS__SERVER__LISTEN", format!("127.0.0.1:{port}"))
        .env("HABILIS__SERVER__METRICS_LISTEN", "")
        .envs(environment.iter().copied())
        .stderr(std::fs::File::create(folder.join("log")).unwrap());
    let mut process = Command::from(command).kill_on_drop(true).spawn().unwrap();
    let began = Instant::now();
    let http = Http::new();
    while http.try_send(http.request("GET", &format!("{url}/readyz"))).await.is_err() {
        let log = || std::fs::read_to_string(folder.join("log")).unwrap();
        assert!(process.try_wait().unwrap().is_none(), "{}", log());
        assert!(began.elapsed() < Duration::from_mins(1), "{}", log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    (process, format!("{url}/register"))
}

async fn register_at(url: &str, token: Option<&str>, metadata: &Value) -> Answer {
    let http = Http::from_address(std::net::Ipv4Addr::new(127, 9, 9, 9));
    let mut request = http.request("POST", url).json(metadata);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    http.send(request).await
}

#[tokio::test]
async fn registration_is_closed_unless_the_operator_opens_it_or_gives_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let (_process, url) = serve(folder.path(), &[]).await;
    // While the server runs, on SQLite, which is one process's at a time: only the master key is needed.
    let command = async |arguments: &[&str]| {
        run_in(folder.path(), &[&["client", "initial-access-token"][..], arguments].concat(), &[]).await
    };
    let first = command(&["--uses", "2", "--days", "1"]).await.printed();
    let other = command(&[]).await.printed();
    for (uses, days) in [("0", "1"), ("1", "0"), ("1", "91")] {
        command(&["--uses", uses, "--days", days]).await.assert_refused(&["invalid value"]);
    }
    let token = first.trim();
    let metadata = json!({ "redirect_uris": [REDIRECT] });
    assert_unauthorized(&register_at(&url, None, &metadata).await);
    let more_uses = token.replacen("2.", "9.", 1);
    for wrong in ["wrong", "", &more_uses, &token[1..], &token[..token.len() - 1]] {
        assert_unauthorized(&register_at(&url, Some(wrong), &metadata).await);
    }
    let elsewhere = tempfile::tempdir().unwrap();
    run_in(elsewhere.path(), &["client", "initial-access-token"], &[]).await.assert_refused(&["master key"]);
    run_in(elsewhere.path(), &["keys", "init"], &[]).await.printed();
    let foreign = run_in(elsewhere.path(), &["client", "initial-access-token"], &[]).await.printed();
    assert_unauthorized(&register_at(&url, Some(foreign.trim()), &metadata).await);
    // A registration that is refused uses nothing up.
    register_at(&url, Some(token), &json!({})).await.assert_oauth_error(400, "invalid_redirect_uri");
    let racing = (0..6).map(|_| {
        let (url, token, metadata) = (url.clone(), token.to_owned(), metadata.clone());
        tokio::spawn(async move { register_at(&url, Some(&token), &metadata).await.status })
    });
    let mut statuses = Vec::new();
    for task in racing.collect::<Vec<_>>() {
        statuses.push(task.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 201, 401, 401, 401, 401], "two uses, whoever comes first");
    // Private addresses are closed as well by default.
    let inside = json!({ "redirect_uris": [REDIRECT], "jwks_uri": "https://169.254.169.254/jwks" });
    register_at(&url, Some(other.trim()), &inside).await.assert_oauth_error(400, "invalid_client_metadata");
    // So are those that logout tokens would be posted to, and sectors.
    for member in ["backchannel_logout_uri", "sector_identifier_uri"] {
        let mut inside = metadata.clone();
        for address in ["https://10.0.0.1/x", "http://127.0.0.1:1/x", "https://[::1]/x"] {
            inside[member] = json!(address);
            register_at(&url, Some(other.trim()), &inside).await.assert_oauth_error(400, "invalid_client_metadata");
        }
    }
    // Nothing is fetched for somebody whose token does not serve.
    let stub = habilis_integration_tests::stub::Stub::with_keys(&[]).await;
    let mut sector = metadata.clone();
    sector["sector_identifier_uri"] = json!(stub.url());
    assert_unauthorized(&register_at(&url, Some(token), &sector).await);
    assert_eq!(stub.asked(), 0);
    assert_eq!(register_at(&url, Some(other.trim()), &metadata).await.status, 201);
}

#[tokio::test]
async fn a_provider_behind_tls_posts_no_logout_token_in_clear_and_changes_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        ("HABILIS__SERVER__ISSUER", "https://identite.example"),
        ("HABILIS__REGISTRATION__OPEN", "true"),
        ("HABILIS__REGISTRATION__CLIENTS_PER_ADDRESS_PER_MINUTE", "8"),
        ("HABILIS__FETCH__ALLOW_PRIVATE_ADDRESSES", "true"),
    ];
    let (_process, url) = serve(folder.path(), &settings).await;
    for (member, uri, status) in [
        ("backchannel_logout_uri", "http://127.0.0.1:9/logout", 400),
        ("frontchannel_logout_uri", "http://127.0.0.1:9/logout", 400),
        ("backchannel_logout_uri", "https://127.0.0.1:9/logout", 201),
        ("frontchannel_logout_uri", "https://rp.example/logout", 201),
    ] {
        let metadata = json!({ "redirect_uris": [REDIRECT, "http://127.0.0.1:9/cb"], member: uri });
        let answer = register_at(&url, None, &metadata).await;
        assert_eq!(answer.status, status, "{uri}: {}", answer.body);
        if status == 400 {
            answer.assert_oauth_error(400, "invalid_client_metadata");
        }
    }
    let stub = habilis_integration_tests::stub::Stub::with_keys(&[]).await;
    stub.reply(habilis_integration_tests::stub::Reply::Body(json!([REDIRECT]).to_string()));
    let metadata = json!({ "redirect_uris": [REDIRECT], "sector_identifier_uri": stub.url() });
    let shown = registered(&register_at(&url, None, &metadata).await);
    let mut new = metadata.clone();
    new["client_id"] = shown["client_id"].clone();
    let http = Http::new();
    let address = format!("{url}/{}", shown["client_id"].as_str().unwrap());
    let mut statuses = Vec::new();
    for _ in 0..9 {
        let request = http.request("PUT", &address).header("authorization", format!("Bearer {}", token(&shown)));
        statuses.push(http.send(request.json(&new)).await.status);
    }
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 200, 200, 429]);
    assert_eq!(stub.asked(), 9, "the one that was refused made nobody fetch");
}

#[tokio::test]
async fn open_registration_is_bounded_per_network() {
    let folder = tempfile::tempdir().unwrap();
    let settings =
        [("HABILIS__REGISTRATION__OPEN", "true"), ("HABILIS__REGISTRATION__CLIENTS_PER_ADDRESS_PER_MINUTE", "2")];
    let (_process, url) = serve(folder.path(), &settings).await;
    let metadata = json!({ "redirect_uris": [REDIRECT] });
    for _ in 0..2 {
        assert_eq!(register_at(&url, None, &metadata).await.status, 201);
    }
    register_at(&url, None, &metadata).await.assert_oauth_error(429, "temporarily_unavailable");
}
