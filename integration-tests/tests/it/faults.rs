//! What goes wrong around the server: killed, started twice, a port taken, a database gone, a key readable by everybody.
//! Nothing that was answered is lost, and what is refused says why.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use habilis_integration_tests::protocol::{
    AuthorizationRequest, AuthorizationResponse, Code, Proof, Tokens, redeem, refresh, token_request, tokens_for,
    userinfo,
};
use habilis_integration_tests::server::run_in;
use habilis_integration_tests::{Browser, Engine, Http, Inbox, TestServer};

fn offline(server: &TestServer, client_id: &str) -> AuthorizationRequest {
    AuthorizationRequest::of(server.client(client_id)).offline()
}

own_journeys! {
    async fn a_token_answered_before_a_kill_works_after_the_restart(mut server: TestServer) {
        let mut browser = Browser::new();
        let request = offline(&server, "demo-native");
        let response = browser.authorize(&server, &request, server.learner()).await;
        let client = server.client("demo-native").clone();
        let tokens = Tokens::from(&redeem(&server, &client, &Code::from(&request, &response)).await);
        server.kill();
        server.restart().await;
        // The access token verifies, the session stands, the refresh token works.
        assert_eq!(userinfo(&server, tokens.access_token()).await.status, 200);
        let silent = AuthorizationRequest::of(server.client("demo-portal")).with("prompt", "none");
        AuthorizationResponse::from_url(browser.get(&silent.url(&server)).await.left()).code();
        Tokens::from(&refresh(&server, &client, tokens.refresh_token()).await);
    }

    async fn a_code_used_before_a_kill_stays_used(mut server: TestServer) {
        let client = server.client("demo-portal").clone();
        let request = AuthorizationRequest::of(&client);
        let response = Browser::new().authorize(&server, &request, server.learner()).await;
        let code = Code::from(&request, &response);
        let tokens = Tokens::from(&redeem(&server, &client, &code).await);
        server.kill();
        server.restart().await;
        redeem(&server, &client, &code).await.assert_oauth_error(400, "invalid_grant");
        assert_eq!(userinfo(&server, tokens.access_token()).await.status, 401);
    }

    async fn no_rotation_answered_under_load_is_lost_by_a_kill(mut server: TestServer) {
        const CLIENTS: usize = 8;
        let client = Arc::new(server.client("demo-native").clone());
        let mut tasks = Vec::new();
        for index in 0..CLIENTS {
            let tokens = tokens_for(&server, &offline(&server, "demo-native"), server.learner_number(index)).await;
            let first = tokens.refresh_token().to_owned();
            let proof = Proof::of(&client, &server).await;
            let http = Http::new();
            let url_of_server = server.url("/token");
            tasks.push(tokio::spawn(async move {
                let mut last = first;
                // Rotates until the server is gone; `last` is always a token that was answered.
                loop {
                    let Proof::Form(proof) = &proof else { unreachable!("a public client") };
                    let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", last.as_str())];
                    form.extend(proof.iter().map(|(name, value)| (name.as_str(), value.as_str())));
                    let request = http.request("POST", &url_of_server).form(&form);
                    match http.try_send(request).await {
                        Ok(answer) => Tokens::from(&answer).refresh_token().clone_into(&mut last),
                        Err(_) => return last,
                    }
                }
            }));
        }
        // The moment is arbitrary on purpose.
        tokio::time::sleep(Duration::from_millis(700)).await;
        server.kill();
        let mut last = Vec::new();
        for task in tasks {
            last.push(task.await.unwrap());
        }
        server.restart().await;
        for refresh_token in &last {
            Tokens::from(&refresh(&server, &client, refresh_token).await);
        }
    }

    async fn mails_and_signing_keys_survive_a_kill(mut server: TestServer) {
        let (mails, jwks) = (Inbox::of(&server).all().await.len(), Http::new().get(&server.url("/jwks")).await.ok_json());
        for _ in 0..3 {
            server.kill();
            server.restart().await;
        }
        assert!(Inbox::of(&server).all().await.len() >= mails);
        let after = Http::new().get(&server.url("/jwks")).await.ok_json();
        for key in jwks["keys"].as_array().unwrap() {
            assert!(after["keys"].as_array().unwrap().contains(key), "{key}");
        }
    }

    async fn no_secret_lies_in_clear_in_the_data_folder(mut server: TestServer) {
        let client = server.client("demo-portal").clone();
        let request = offline(&server, "demo-portal");
        let mut browser = Browser::new();
        let response = browser.authorize(&server, &request, server.learner()).await;
        let tokens = Tokens::from(&redeem(&server, &client, &Code::from(&request, &response)).await);
        let mut secrets = vec![
            response.code().to_owned(), tokens.refresh_token().to_owned(), tokens.access_token().to_owned(),
            server.learner().password.clone(), client.client_secret.clone().unwrap(),
        ];
        secrets.extend(browser.cookies().iter().map(|cookie| cookie.value.clone()));
        server.kill();
        for entry in std::fs::read_dir(server.data()).unwrap() {
            let path = entry.unwrap().path();
            if !path.is_file() {
                continue;
            }
            let content = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            assert!(!content.contains("PRIVATE KEY"), "{}", path.display());
            for secret in &secrets {
                assert!(!content.contains(secret.as_str()), "{}… in {}", &secret[..4], path.display());
            }
        }
    }

    async fn half_a_request_holds_up_nobody(mut server: TestServer) {
        use std::io::Write as _;
        let address = format!("127.0.0.1:{}", server.port());
        let idle: Vec<_> = (0..200)
            .map(|_| {
                let mut stream = std::net::TcpStream::connect(&address).unwrap();
                stream.write_all(b"POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\ngrant_type=").unwrap();
                stream
            })
            .collect();
        for _ in 0..20 {
            assert_eq!(Http::new().get(&server.url("/healthz")).await.status, 200);
        }
        let tokens = tokens_for(&server, &AuthorizationRequest::of(server.client("demo-portal")), server.learner()).await;
        assert_eq!(userinfo(&server, tokens.access_token()).await.status, 200);
        drop(idle);
        server.kill();
    }

    async fn a_request_underway_is_answered_before_a_stop(mut server: TestServer) {
        let client = server.client("demo-portal").clone();
        let request = AuthorizationRequest::of(&client);
        let response = Browser::new().authorize(&server, &request, server.learner()).await;
        let proof = Proof::of(&client, &server).await;
        let http = Http::new();
        let code = Code::from(&request, &response);
        let request = token_request(&http, &server, &proof, &code.parameters());
        let answer = tokio::spawn(async move { http.try_send(request).await });
        tokio::task::yield_now().await;
        let status = server.terminate(Duration::from_secs(20)).await.expect("it stops within seconds");
        assert!(status.success(), "{status}");
        // Either it was answered in full, or it never arrived: a code is not lost half way.
        if let Ok(answer) = answer.await.unwrap() {
            Tokens::from(&answer);
        } else {
            server.restart().await;
            Tokens::from(&redeem(&server, &client, &code).await);
        }
    }
}

#[tokio::test]
async fn a_second_process_on_the_same_sqlite_file_is_refused() {
    let server = TestServer::own(Engine::Sqlite).await;
    let data = server.data();
    let outcome = run_in(&data, &["demo", "--listen", "127.0.0.1:0", "--data", "."], &[]).await;
    outcome.assert_refused(&["another", "process"]);
    // The first is not disturbed.
    let request = AuthorizationRequest::of(server.client("demo-portal"));
    tokens_for(&server, &request, server.learner()).await;
}

#[tokio::test]
async fn a_port_in_use_is_told_by_its_number() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let outcome = run_in(folder.path(), &["demo", "--listen", &address, "--data", "data"], &[]).await;
    outcome.assert_refused(&[&address, "in use"]);
}

#[tokio::test]
async fn an_unreachable_database_is_told_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let url = "postgres://somebody:s3cr3t-pw@127.0.0.1:1/habilis";
    let outcome =
        run_in(folder.path(), &["demo", "--listen", "127.0.0.1:0", "--data", "data", "--database", url], &[]).await;
    outcome.assert_refused(&["database"]);
    assert!(!outcome.err.contains("s3cr3t-pw"), "{}", outcome.err);
}

#[tokio::test]
async fn a_fault_behind_the_management_api_is_a_problem_with_the_request_id() {
    let mut server = TestServer::own(Engine::Postgres).await;
    let api = crate::api::operator(&server).await;
    let broken = Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "--dbname", &server.database_url()])
        .args(["--command", "ALTER TABLE idempotency_keys RENAME TO gone"])
        .status();
    assert!(broken.unwrap().success());
    let request = api.request("POST", "/organizations").header("idempotency-key", "f-1").header("accept", "text/html");
    let answer = api.send(request.json(&serde_json::json!({ "kind": "company", "name": "A" }))).await;
    let problem = answer.problem(500, "server_error");
    assert_eq!(problem["request_id"], answer.header("x-request-id"));
    assert!(!answer.body.contains("idempotency_keys"), "{}", answer.body);
    server.kill();
}

#[tokio::test]
async fn a_database_url_of_another_kind_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["demo", "--listen", "127.0.0.1:0", "--data", "data", "--database", "mysql://localhost/habilis"];
    run_in(folder.path(), &arguments, &[]).await.assert_refused(&["database", "postgres"]);
}

#[tokio::test]
async fn a_master_key_that_others_can_read_is_refused() {
    let mut server = TestServer::own(Engine::Sqlite).await;
    server.kill();
    let is_key =
        |path: &std::path::PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().contains("key"));
    let mut files = std::fs::read_dir(server.data()).unwrap().map(|entry| entry.unwrap().path());
    let key = files.find(is_key).expect("the demo keeps its master key in a file of the data folder");
    let name = key.file_name().unwrap().to_string_lossy().into_owned();
    for mode in [0o644, 0o640, 0o660] {
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
        let outcome = run_in(&server.data(), &["demo", "--listen", "127.0.0.1:0", "--data", "."], &[]).await;
        outcome.assert_refused(&[&name, "600"]);
    }
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    server.restart().await;
}

#[tokio::test]
async fn another_master_key_is_refused_before_anything_is_written() {
    let mut server = TestServer::own(Engine::Sqlite).await;
    let jwks = Http::new().get(&server.url("/jwks")).await.ok_json();
    server.kill();
    let is_key =
        |path: &std::path::PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().contains("key"));
    let key = std::fs::read_dir(server.data()).unwrap().map(|entry| entry.unwrap().path()).find(is_key).unwrap();
    let right = std::fs::read(&key).unwrap();
    std::fs::write(&key, "00".repeat(32)).unwrap();
    let outcome = run_in(&server.data(), &["demo", "--listen", "127.0.0.1:0", "--data", "."], &[]).await;
    outcome.assert_refused(&["master key"]);
    std::fs::write(&key, right).unwrap();
    server.restart().await;
    assert_eq!(Http::new().get(&server.url("/jwks")).await.ok_json(), jwks);
}
