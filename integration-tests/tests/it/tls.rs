//! TLS in the binary: what the FAPI 2.0 plans check of it (TLS 1.2 with ECDHE and AES-GCM alone, 1.3 preferred), and certificates
//! that change without a restart. Self-signed certificates of `openssl`, and clients that trust nothing else.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use habilis_integration_tests::http::install_ring;
use habilis_integration_tests::server::{free_port, habilis, run_in};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

const RSA: &[&str] = &["rsa:2048"];
const P256: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

/// A server with a certificate.
struct Served {
    folder: TempDir,
    process: tokio::process::Child,
    port: u16,
}

async fn run(command: &mut Command) -> Output {
    let run = command.stdin(Stdio::null()).kill_on_drop(true).output();
    tokio::time::timeout(Duration::from_secs(30), run).await.expect("an end within half a minute").unwrap()
}

/// A self-signed certificate for `localhost` in `name.crt` and `name.key`.
async fn certificate(folder: &Path, name: &str, kind: &[&str]) {
    let mut command = Command::new("openssl");
    command
        .current_dir(folder)
        .args(["req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=localhost", "-newkey"])
        .args(kind)
        .args(["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", &format!("{name}.key"), "-out", &format!("{name}.crt")]);
    let output = run(&mut command).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

impl Served {
    /// Starts `habilis serve` with a fresh certificate of this kind.
    async fn start(kind: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        run_in(folder.path(), &["keys", "init"], &[]).await.printed();
        certificate(folder.path(), "first", kind).await;
        for part in ["crt", "key"] {
            std::fs::copy(folder.path().join(format!("first.{part}")), folder.path().join(format!("tls.{part}")))
                .unwrap();
        }
        let port = free_port();
        let mut command = habilis();
        command
            .arg("serve")
            .current_dir(folder.path())
            .env("HABILIS__SERVER__ISSUER", format!("https://localhost:{port}"))
            .env("HABILIS__SERVER__LISTEN", format!("127.0.0.1:{port}"))
            .env("HABILIS__SERVER__METRICS_LISTEN", "")
            .env("HABILIS__SERVER__TLS_CERTIFICATE_FILE", "tls.crt")
            .env("HABILIS__SERVER__TLS_KEY_FILE", "tls.key")
            .stderr(std::fs::File::create(folder.path().join("log")).unwrap());
        let process = Command::from(command).kill_on_drop(true).spawn().unwrap();
        let mut served = Self { folder, process, port };
        let began = Instant::now();
        while !served.trusts("first").await {
            assert!(served.process.try_wait().unwrap().is_none(), "{}", served.log());
            assert!(began.elapsed() < Duration::from_mins(1), "{}", served.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        served
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// A client that trusts this certificate and no other.
    fn client(&self, certificate: &str) -> reqwest::Client {
        install_ring();
        let pem = std::fs::read(self.folder.path().join(format!("{certificate}.crt"))).unwrap();
        reqwest::Client::builder()
            .no_proxy()
            .cookie_store(true)
            .tls_certs_only([reqwest::Certificate::from_pem(&pem).unwrap()])
            .timeout(Duration::from_secs(20))
            .build()
            .unwrap()
    }

    /// Whether a fresh client that trusts this certificate alone gets an answer.
    async fn trusts(&self, certificate: &str) -> bool {
        let url = format!("https://localhost:{}/readyz", self.port);
        self.client(certificate).get(url).send().await.is_ok_and(|answer| answer.status() == 200)
    }

    /// What `openssl s_client` says of a handshake with these options.
    async fn handshake(&self, options: &[&str]) -> (bool, String) {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-brief", "-connect", &format!("127.0.0.1:{}", self.port)]).args(options);
        let output = run(&mut command).await;
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    async fn assert_accepts(&self, options: &[&str], version: &str, suite: &str) {
        let (done, text) = self.handshake(options).await;
        assert!(done && text.contains("CONNECTION ESTABLISHED"), "{options:?}: {text}");
        assert!(text.contains(&format!("Protocol version: {version}")), "{options:?}: {text}");
        assert!(text.contains(&format!("Ciphersuite: {suite}")), "{options:?}: {text}");
    }

    /// Asserts that the server, not `openssl` itself, refuses.
    async fn assert_refuses(&self, options: &[&str]) {
        let (done, text) = self.handshake(options).await;
        assert!(!done && !text.contains("CONNECTION ESTABLISHED"), "{options:?}: {text}");
        assert!(
            text.contains("alert handshake failure") || text.contains("alert protocol version"),
            "{options:?}: {text}"
        );
    }

    async fn wait_for(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let began = Instant::now();
        while !holds().await {
            assert!(began.elapsed() < Duration::from_secs(40), "{what}: {}", self.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Puts another certificate in place, both files written aside and renamed.
    fn replace(&self, name: &str) {
        for part in ["key", "crt"] {
            let aside = self.folder.path().join(format!("aside.{part}"));
            std::fs::copy(self.folder.path().join(format!("{name}.{part}")), &aside).unwrap();
            std::fs::rename(aside, self.folder.path().join(format!("tls.{part}"))).unwrap();
        }
    }

    async fn hang_up(&self) {
        let pid = self.process.id().unwrap().to_string();
        assert!(run(Command::new("kill").args(["-HUP", &pid])).await.status.success());
    }
}

#[tokio::test]
async fn tls_1_2_takes_ecdhe_with_aes_gcm_and_nothing_else() {
    for (kind, name) in [(RSA, "RSA"), (P256, "ECDSA")] {
        let served = Served::start(kind).await;
        for bits in ["128-GCM-SHA256", "256-GCM-SHA384"] {
            let suite = format!("ECDHE-{name}-AES{bits}");
            served.assert_accepts(&["-tls1_2", "-cipher", &suite], "TLSv1.2", &suite).await;
        }
        let mut others = vec![
            format!("ECDHE-{name}-CHACHA20-POLY1305"),
            format!("ECDHE-{name}-AES128-SHA256"),
            format!("ECDHE-{name}-AES256-SHA"),
        ];
        others.extend(["DHE-RSA-AES128-GCM-SHA256", "AES128-GCM-SHA256", "AES256-SHA"].map(str::to_owned));
        for suite in &others {
            served.assert_refuses(&["-tls1_2", "-cipher", suite]).await;
        }
    }
}

#[tokio::test]
async fn tls_1_3_is_preferred_and_nothing_before_1_2_is_spoken() {
    let served = Served::start(RSA).await;
    served.assert_accepts(&[], "TLSv1.3", "TLS_AES_256_GCM_SHA384").await;
    // The order is the server's.
    let theirs = ["-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"];
    served.assert_accepts(&theirs, "TLSv1.3", "TLS_AES_128_GCM_SHA256").await;
    for version in ["-tls1_1", "-tls1"] {
        served.assert_refuses(&[version, "-cipher", "DEFAULT:@SECLEVEL=0"]).await;
    }
    // Plain HTTP on the port is no way in.
    let plain = reqwest::Client::builder().no_proxy().build().unwrap();
    assert!(plain.get(format!("http://127.0.0.1:{}/healthz", served.port)).send().await.is_err());
}

#[tokio::test]
async fn the_server_behaves_as_one_that_is_reached_over_https() {
    let served = Served::start(RSA).await;
    let client = served.client("first");
    let origin = format!("https://localhost:{}", served.port);
    let answer = client.get(format!("{origin}/.well-known/openid-configuration")).send().await.unwrap();
    assert!(answer.headers().contains_key("strict-transport-security"));
    let metadata: Value = answer.json().await.unwrap();
    for (name, value) in metadata.as_object().unwrap() {
        if name.ends_with("_endpoint") || name == "jwks_uri" || name == "issuer" {
            assert!(value.as_str().unwrap().starts_with(&origin), "{name}: {value}");
        }
    }
}

#[tokio::test]
async fn a_certificate_that_changed_on_disk_is_served_without_a_restart() {
    let served = Served::start(RSA).await;
    certificate(served.folder.path(), "second", P256).await;
    assert!(!served.trusts("second").await, "another certificate is not believed");
    // A connection from before goes on.
    let (before, url) = (served.client("first"), format!("https://localhost:{}/healthz", served.port));
    before.get(&url).send().await.unwrap();
    served.replace("second");
    served.wait_for("the new certificate", async || served.trusts("second").await).await;
    assert!(!served.trusts("first").await);
}

#[tokio::test]
async fn sighup_reads_the_certificate_at_once_and_a_bad_one_leaves_the_old_in_place() {
    let served = Served::start(RSA).await;
    std::fs::write(served.folder.path().join("tls.crt"), "rubbish").unwrap();
    served.hang_up().await;
    served.wait_for("a complaint", async || served.log().contains("tls_not_reloaded")).await;
    assert!(served.trusts("first").await);
    // A certificate without its own key is no better.
    certificate(served.folder.path(), "second", RSA).await;
    std::fs::copy(served.folder.path().join("second.crt"), served.folder.path().join("tls.crt")).unwrap();
    served.hang_up().await;
    served.wait_for("a second complaint", async || served.log().matches("tls_not_reloaded").count() >= 2).await;
    assert!(served.trusts("first").await);
    served.replace("second");
    served.hang_up().await;
    served.wait_for("the new certificate", async || served.trusts("second").await).await;
    assert!(served.log().contains("tls_reloaded"));
}

#[tokio::test]
async fn files_that_cannot_serve_are_said_by_name_before_the_server_starts() {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), &["keys", "init"], &[]).await.printed();
    certificate(folder.path(), "first", RSA).await;
    certificate(folder.path(), "second", RSA).await;
    std::fs::write(folder.path().join("empty.pem"), "").unwrap();
    let cases = [
        ("nowhere.crt", "first.key", "nowhere.crt"),
        ("first.crt", "nowhere.key", "nowhere.key"),
        ("empty.pem", "first.key", "empty.pem"),
        ("first.crt", "empty.pem", "empty.pem"),
        ("first.crt", "second.key", "first.crt"),
        ("first.crt", "", "server.tls_key_file"),
    ];
    for (certificate, key, named) in cases {
        let environment = [
            ("HABILIS__SERVER__TLS_CERTIFICATE_FILE", certificate),
            ("HABILIS__SERVER__TLS_KEY_FILE", key),
            ("HABILIS__SERVER__METRICS_LISTEN", ""),
            ("HABILIS__SERVER__LISTEN", "127.0.0.1:0"),
        ];
        for command in [&["config", "check"][..], &["serve"]] {
            run_in(folder.path(), command, &environment).await.assert_refused(&[named]);
        }
    }
}

#[tokio::test]
async fn the_demonstration_can_be_reached_over_https_and_its_portal_signs_people_in() {
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path(), "first", RSA).await;
    let mut command = habilis();
    command
        .current_dir(folder.path())
        .args(["demo", "--listen", &format!("127.0.0.1:{}", free_port()), "--data", "data"])
        .args(["--tls-certificate-file", "first.crt", "--tls-key-file", "first.key"])
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(folder.path().join("log")).unwrap());
    let mut process = Command::from(command).kill_on_drop(true).spawn().unwrap();
    let began = Instant::now();
    let demo: Value = loop {
        if let Ok(text) = std::fs::read_to_string(folder.path().join("data/demo.json")) {
            break serde_json::from_str(&text).unwrap();
        }
        assert!(process.try_wait().unwrap().is_none() && began.elapsed() < Duration::from_mins(1));
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let issuer = demo["issuer"].as_str().unwrap();
    assert!(issuer.starts_with("https://localhost:"), "{issuer}");
    let served = Served { port: url::Url::parse(issuer).unwrap().port().unwrap(), folder, process };
    // The portal believes the certificate: it discovers the provider and sends the person there.
    let answer =
        served.client("first").get(format!("{}/sign-in", demo["portal"].as_str().unwrap())).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", served.log());
    assert!(answer.url().as_str().starts_with(&format!("{issuer}/interaction/login/")), "{}", answer.url());
}
