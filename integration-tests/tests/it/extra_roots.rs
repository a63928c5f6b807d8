//! `fetch.extra_roots_file`: a portal whose certificate comes from an authority of the operator's own. Certificates are verified
//! all the same: there is no switch that turns that off.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use habilis_integration_tests::jose::SigningKey;
use habilis_integration_tests::protocol::{Proof, assertion_claims, post_token};
use habilis_integration_tests::{Answer, Engine, Http, TestServer};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::registration::{client, register, registered};

const ROOTS: &str = "HABILIS__FETCH__EXTRA_ROOTS_FILE";

async fn openssl(folder: &Path, arguments: &[&str]) {
    let run =
        Command::new("openssl").current_dir(folder).args(arguments).stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(Duration::from_secs(30), run).await.expect("an end").unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A private authority in `name.crt` and `name.key`.
async fn authority(folder: &Path, name: &str) {
    let (key, certificate) = (format!("{name}.key"), format!("{name}.crt"));
    let arguments = [
        "req",
        "-x509",
        "-nodes",
        "-days",
        "30",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-subj",
        "/CN=Autorite privee",
        "-addext",
        "basicConstraints=critical,CA:TRUE",
        "-addext",
        "keyUsage=critical,keyCertSign",
        "-keyout",
        &key,
        "-out",
        &certificate,
    ];
    openssl(folder, &arguments).await;
}

/// A portal on this machine that publishes a key over TLS, with a certificate for `localhost` by the authority `ca`.
struct Portal {
    folder: TempDir,
    port: u16,
    key: SigningKey,
    _process: Child,
}

impl Portal {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        authority(at, "ca").await;
        authority(at, "stranger").await;
        let request = [
            "req",
            "-nodes",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-subj",
            "/CN=localhost",
            "-keyout",
            "portal.key",
            "-out",
            "portal.csr",
        ];
        openssl(at, &request).await;
        std::fs::write(at.join("extensions"), "subjectAltName=DNS:localhost\nbasicConstraints=critical,CA:FALSE\n")
            .unwrap();
        let sign = [
            "x509",
            "-req",
            "-days",
            "30",
            "-in",
            "portal.csr",
            "-CA",
            "ca.crt",
            "-CAkey",
            "ca.key",
            "-extfile",
            "extensions",
            "-out",
            "portal.crt",
        ];
        openssl(at, &sign).await;
        let key = SigningKey::generate().announcing("a");
        let mut public = key.public_jwk();
        public["kid"] = json!("a");
        let body = json!({ "keys": [public] }).to_string();
        let answer = format!(
            "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        std::fs::write(at.join("jwks"), answer).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new("openssl")
            .current_dir(at)
            .args(["s_server", "-quiet", "-HTTP", "-cert", "portal.crt", "-key", "portal.key", "-accept"])
            .arg(format!("127.0.0.1:{port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        for _ in 0..400 {
            if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return Self { folder, port, key, _process: process };
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the portal does not listen");
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// A token request by a client whose keys are here, at this name of the machine.
    async fn sign_in(&self, server: &TestServer, host: &str) -> Answer {
        let metadata = json!({
            "grant_types": ["client_credentials"], "response_types": [], "token_endpoint_auth_method": "private_key_jwt",
            "jwks_uri": format!("https://{host}:{}/jwks", self.port),
        });
        let client = client(&registered(&register(server, &metadata).await));
        let proof = Proof::assertion(&self.key.sign(&assertion_claims(&client, server, server.now().await)));
        post_token(&Http::new(), server, &proof, &[("grant_type", "client_credentials")]).await
    }
}

async fn a_private_authority_is_trusted_for_its_own_and_for_its_names(engine: Engine) {
    let portal = Portal::start().await;
    let trusting = TestServer::own_in(engine, &[(ROOTS, &portal.file("ca.crt"))]).await.unwrap();
    portal.sign_in(&trusting, "localhost").await.ok_json();
    portal.sign_in(&trusting, "127.0.0.1").await.assert_oauth_error(400, "invalid_client");
    drop(trusting);
    let ordinary = TestServer::own(engine).await;
    portal.sign_in(&ordinary, "localhost").await.assert_oauth_error(400, "invalid_client");
    drop(ordinary);
    let elsewhere = TestServer::own_in(engine, &[(ROOTS, &portal.file("stranger.crt"))]).await.unwrap();
    portal.sign_in(&elsewhere, "localhost").await.assert_oauth_error(400, "invalid_client");
}

on_both_engines! { a_private_authority_is_trusted_for_its_own_and_for_its_names }

#[tokio::test]
async fn a_file_without_a_certificate_stops_the_start_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("empty.pem"), "not a certificate\n").unwrap();
    for file in ["nowhere.pem", "empty.pem"] {
        let path = folder.path().join(file).display().to_string();
        let refused = TestServer::own_in(Engine::Sqlite, &[(ROOTS, &path)]).await.unwrap_err();
        assert!(refused.contains("extra_roots_file") && refused.contains(file), "{refused}");
        assert!(!refused.contains("panicked"), "{refused}");
    }
}
