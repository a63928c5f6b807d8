//! Public relying-party libraries against the running server: what they verify is judged by people who do not know us.
//!
//! `openid-client` for Node and Authlib for Python, pinned in `integration-tests/run`, over the scripts in `libraries/`.

use std::process::Stdio;
use std::time::Duration;

use habilis_integration_tests::{Browser, Client, TestServer, Visit};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;

/// Where the library is, as `integration-tests/run` says.
fn installed(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set: run integration-tests/run"))
}

/// The script that speaks through `openid-client`.
fn openid_client() -> Command {
    let mut command = Command::new("node");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/libraries/openid-client.mjs")).arg(installed("HABILIS_NODE"));
    command
}

/// The script that speaks through Authlib.
fn authlib() -> Command {
    let mut command = Command::new(installed("HABILIS_PYTHON"));
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/libraries/authlib_client.py"));
    command
}

/// A sign-in through a library as `client_id`, with what `wanted` adds: PAR, DPoP, signed requests, signed responses.
async fn sign_in(server: &TestServer, library: Command, (client_id, wanted): (&str, Value)) {
    sign_in_as(server, library, (server.client(client_id), wanted)).await;
}

/// The same for any client; gives what the library told in the end.
async fn sign_in_as(server: &TestServer, mut library: Command, (client, wanted): (&Client, Value)) -> Value {
    let mut scenario = json!({
        "issuer": server.issuer,
        "client_id": client.client_id,
        "client_secret": client.client_secret,
        "private_jwk": client.private_jwk,
        // The library takes the whole query of the callback for the response.
        "redirect_uri": client.redirect_uris.iter().find(|uri| uri.starts_with("https://") && !uri.contains('?')),
        "post_logout_redirect_uri": client.post_logout_redirect_uris.first(),
    });
    for (name, value) in wanted.as_object().unwrap() {
        scenario[name] = value.clone();
    }
    let mut process = library
        .arg(scenario.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the library's interpreter is installed");
    let mut said = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut next_line = async || {
        let line = tokio::time::timeout(Duration::from_mins(1), said.next_line()).await;
        line.expect("an answer within a minute").unwrap().expect("the library is content (its complaint is above)")
    };
    let mut browser = Browser::new();
    let visit = browser.get(&next_line().await).await;
    let response = browser.finish(visit, server.learner()).await;
    assert_eq!(response.get("response").is_some(), wanted["jarm"] == true, "{}", response.url);
    let line = format!("{}\n", response.url);
    process.stdin.as_mut().unwrap().write_all(line.as_bytes()).await.unwrap();
    let result: Value = serde_json::from_str(&next_line().await).unwrap();
    let token_type = if wanted["dpop"] == true { "dpop" } else { "bearer" };
    assert_eq!(result["token_type"], token_type, "{result}");
    assert_eq!(result["email"], json!(server.learner().login), "{result}");
    assert_eq!((&result["again"], &result["resource"]), (&result["email"], &json!(200)), "{result}");
    if let Some(target) = client.post_logout_redirect_uris.first() {
        let visit = browser.get(result["end_session"].as_str().unwrap()).await;
        assert!(matches!(visit, Visit::Left(url) if url.as_str().starts_with(target)));
    }
    result
}

/// A client that registers itself: pairwise subjects, assertions under its secret, and a resource elsewhere.
async fn modern(server: &TestServer) -> Client {
    let metadata = json!({
        "redirect_uris": ["https://modern.example/cb"], "post_logout_redirect_uris": ["https://modern.example/out"],
        "grant_types": ["authorization_code", "refresh_token"], "subject_type": "pairwise",
        "token_endpoint_auth_method": "client_secret_jwt", "scope": "openid email apicfa.dossiers.read",
    });
    super::registration::client(&super::registration::registered(
        &super::registration::register(server, &metadata).await,
    ))
}

journeys! {
    async fn openid_client_signs_in_refreshes_and_signs_out(server: &TestServer) {
        sign_in(server, openid_client(), ("demo-portal", json!({ "algorithm": "RS256" }))).await;
        let wanted = json!({ "algorithm": "RS256", "jarm": true, "dpop": true });
        sign_in(server, openid_client(), ("demo-portal", wanted)).await;
    }

    async fn openid_client_completes_the_fapi_2_security_profile(server: &TestServer) {
        for client in ["demo-fapi", "demo-fapi-2"] {
            let wanted = json!({ "algorithm": "ES256", "par": true, "dpop": true });
            sign_in(server, openid_client(), (client, wanted)).await;
        }
    }

    async fn openid_client_completes_fapi_2_message_signing(server: &TestServer) {
        let wanted = json!({ "algorithm": "ES256", "par": true, "dpop": true, "jar": true, "jarm": true });
        sign_in(server, openid_client(), ("demo-fapi-signed", wanted)).await;
    }

    async fn openid_client_sends_a_signed_request_by_value(server: &TestServer) {
        sign_in(server, openid_client(), ("demo-jwt", json!({ "algorithm": "RS256", "jar": true }))).await;
    }

    async fn openid_client_knows_the_person_by_a_pairwise_name_and_gets_tokens_for_a_resource(server: &TestServer) {
        let client = modern(server).await;
        let wanted = json!({
            "algorithm": "RS256", "secret_jwt": true, "scope": "openid email apicfa.dossiers.read",
            "resource": "https://dossiers.example/api",
        });
        let result = sign_in_as(server, openid_client(), (&client, wanted)).await;
        assert_eq!(result["audience"], "https://dossiers.example/api");
        assert!(!result["subject"].as_str().unwrap().starts_with("usr_"), "{result}");
        // The other library finds the same name.
        let wanted = json!({ "method": "client_secret_jwt" });
        assert_eq!(sign_in_as(server, authlib(), (&client, wanted)).await["subject"], result["subject"]);
    }

    async fn authlib_signs_in_refreshes_and_signs_out(server: &TestServer) {
        for client in ["demo-portal", "demo-es256", "demo-eddsa", "demo-jwt"] {
            sign_in(server, authlib(), (client, json!({}))).await;
        }
    }

    async fn authlib_pushes_its_request_and_holds_a_key(server: &TestServer) {
        for client in ["demo-portal", "demo-jwt"] {
            sign_in(server, authlib(), (client, json!({ "par": true, "dpop": true }))).await;
        }
    }
}
