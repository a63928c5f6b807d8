//! The example gateway of `idp/docs/gateway`: Debian's nginx in front of a sample API, called by the examples with curl and Authlib.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use habilis_integration_tests::server::free_port;
use habilis_integration_tests::{Engine, Http, TestServer};
use serde_json::{Value, json};

use crate::api_keys::issue;

/// A resource that the demonstration knows.
const DOSSIERS: &str = "https://dossiers.example/api";
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../idp/docs/gateway");

/// What the gateway tells the API of who calls, in headers `X-Habilis-…`.
const TOLD: [&str; 7] = ["organization", "siren", "siret", "uai", "key", "client", "scope"];

/// nginx with the example's configuration, on ports and in a folder of its own.
struct Gateway {
    process: Child,
    folder: tempfile::TempDir,
    base: String,
}

impl Gateway {
    async fn before(server: &TestServer) -> Self {
        Self::of_resource(server, "").await
    }

    /// The same for an API with this address, or with none.
    async fn of_resource(server: &TestServer, resource: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The next port is free too, and for the sample API.
        let port = free_port();
        let text = std::fs::read_to_string(format!("{EXAMPLES}/nginx.conf")).unwrap();
        let here = folder.path().display().to_string();
        let example = [
            ("127.0.0.1:8080", format!("127.0.0.1:{}", server.port())),
            ("127.0.0.1:8090", format!("127.0.0.1:{port}")),
            ("127.0.0.1:8091", format!("127.0.0.1:{}", port + 1)),
            ("/var/log/nginx", here.clone()),
            ("set $habilis_resource \"\"", format!("set $habilis_resource \"{resource}\"")),
        ];
        let example = example.iter().fold(text, |text, (from, to)| {
            assert!(text.contains(from), "{from} in the example");
            text.replace(from, to)
        });
        std::fs::write(folder.path().join("gateway.conf"), example).unwrap();
        let folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary = folders.map(|name| format!("{name}_temp_path {here}/{name};\n")).concat();
        // The sample API tells whom it was told of, and what it must not see.
        let told = TOLD.map(|name| format!("\"{name}\":\"$http_x_habilis_{name}\",")).concat();
        let sample = format!(
            "server {{ listen 127.0.0.1:{}; access_log off; default_type application/json; location / {{ return 200 \
             '{{{told}\"method\":\"$request_method\",\"api_key\":\"$http_x_api_key\",\"token\":\"$http_authorization\"}}'; }} }}",
            port + 1
        );
        let conf = format!(
            "daemon off; master_process off; pid {here}/pid; error_log {here}/main.log;\n\
             events {{ worker_connections 256; }}\nhttp {{ {temporary} include {here}/gateway.conf; {sample} }}\n"
        );
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, conf).unwrap();
        let process = Command::new(nginx())
            .args(["-p", &here, "-e", &format!("{here}/start.log"), "-c"])
            .arg(&file)
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx is installed: run integration-tests/run");
        let gateway = Self { process, folder, base: format!("http://127.0.0.1:{port}") };
        let began = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = |name: &str| std::fs::read_to_string(gateway.folder.path().join(name)).unwrap_or_default();
            assert!(began.elapsed() < Duration::from_secs(20), "nginx: {}{}", log("start.log"), log("main.log"));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        gateway
    }

    async fn call(&self, method: &str, (path, headers): (&str, &[(&str, &str)])) -> (u16, Value) {
        let http = Http::new();
        let software = [("EDITEUR", "Exemple"), ("LOGICIEL", "essai"), ("VERSION", "1")];
        let mut request = http.request(method, &format!("{}{path}", self.base));
        for (name, value) in software.iter().filter(|(name, _)| !headers.contains(&(name, ""))).chain(headers) {
            if !value.is_empty() {
                request = request.header(*name, *value);
            }
        }
        let answer = http.send(request).await;
        (answer.status, answer.json())
    }

    fn logs(&self) -> String {
        let names = ["gateway.log", "gateway-error.log", "main.log", "start.log"];
        names.iter().filter_map(|name| std::fs::read_to_string(self.folder.path().join(name)).ok()).collect()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn nginx() -> PathBuf {
    let usual = Path::new("/usr/sbin/nginx");
    if usual.exists() { usual.to_owned() } else { "nginx".into() }
}

/// Runs an example as its reader would, with this key.
async fn run(mut command: tokio::process::Command, (server, gateway): (&TestServer, &Gateway), key: &str) -> Output {
    let client = server.client("demo-vendor");
    let output = command
        .arg("/v2/dossiers?annee=2027")
        .env("ISSUER", &server.issuer)
        .env("GATEWAY", &gateway.base)
        .env("CLIENT_ID", &client.client_id)
        .env("CLIENT_SECRET", client.client_secret.as_deref().unwrap())
        .env("API_KEY", key)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    tokio::time::timeout(Duration::from_mins(1), output).await.expect("an answer within a minute").unwrap()
}

fn shell() -> tokio::process::Command {
    let mut command = tokio::process::Command::new("bash");
    command.arg(format!("{EXAMPLES}/centre.sh"));
    command
}

fn python() -> tokio::process::Command {
    let installed = std::env::var("HABILIS_PYTHON").expect("HABILIS_PYTHON is not set: run integration-tests/run");
    let mut command = tokio::process::Command::new(installed);
    command.arg(format!("{EXAMPLES}/vendor.py"));
    command
}

on_both_engines! { the_example_gateway_protects_an_api }

async fn the_example_gateway_protects_an_api(engine: Engine) {
    let mut server = TestServer::own_with(engine, &["--set", "server.trusted_proxies=127.0.0.1"]).await;
    let gateway = Gateway::before(&server).await;
    let new = json!({ "name": "passerelle", "scopes": ["apicfa.dossiers.read"], "networks": ["127.0.0.0/8"] });
    let issued = issue(&server, &new).await;
    let key = issued["key"].as_str().unwrap();

    // The examples, as they are printed.
    for (name, command, calls) in [("centre.sh", shell(), 1), ("vendor.py", python(), 2)] {
        let output = run(command, (&server, &gateway), key).await;
        let (said, complaint) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{name}: {said}{complaint}");
        let answers: Vec<Value> = said
            .replace("}{", "}\n{")
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{name}: {line}")))
            .collect();
        assert_eq!(answers.len(), calls, "{name}");
        for answer in answers {
            assert_eq!((&answer["client"], &answer["method"]), (&json!("demo-vendor"), &json!("GET")), "{name}");
            assert!(answer["siret"].as_str().unwrap().len() == 14, "{name}: {answer}");
            assert_eq!((&answer["api_key"], &answer["token"]), (&json!(""), &json!("")), "the API sees no secret");
        }
    }

    let token = crate::api_keys::vendor_token(&server).await;
    let bearer = format!("Bearer {token}");
    let both = [("X-API-KEY", key), ("Authorization", bearer.as_str())];
    let (status, answer) = gateway.call("GET", ("/v2/dossiers/1", &both)).await;
    assert_eq!((status, &answer["client"], &answer["scope"]), (200, &json!("demo-vendor"), &new["scopes"][0]));
    // Who says that he is somebody else is who he is, in every word of it.
    let lies = TOLD.map(|name| (format!("X-Habilis-{name}"), format!("mensonge-{name}")));
    let lying: Vec<_> = lies.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain(both).collect();
    assert_eq!(gateway.call("GET", ("/v2/dossiers/1", &lying)).await, (200, answer));
    let mistyped = format!("{key}0");
    let unknown = [("X-API-KEY", mistyped.as_str()), both[1]];
    let silent = [both[0], both[1], ("VERSION", "")];
    let other = [both[0], ("Authorization", "Bearer x.y.z")];
    let cases = [
        ("GET", &both[..0], 401, "key_missing"),
        ("GET", &unknown[..], 401, "key_malformed"),
        ("GET", &both[..1], 401, "vendor_missing"),
        ("POST", &both[..], 403, "scope_not_granted"),
        ("GET", &silent[..], 400, "software_missing"),
        ("GET", &other[..], 401, "vendor_token_invalid"),
    ];
    for (method, headers, expected, code) in cases {
        let (status, answer) = gateway.call(method, ("/v2/dossiers/1", headers)).await;
        assert_eq!((status, &answer["error"]), (expected, &json!(code)), "{method} {code}");
    }
    let (status, answer) = gateway.call("GET", (&format!("/v2/cfakeyinfo?XAPIKEY={key}"), &[])).await;
    assert_eq!((status, &answer["dateFinValidite"]), (200, &issued["ends_on"]));
    for secret in [key, token.as_str()] {
        assert!(!gateway.logs().contains(secret) && !server.log().contains(secret), "a secret in a log");
    }
    assert!(gateway.logs().contains(issued["handle"].as_str().unwrap()), "{}", gateway.logs());

    // The gateway of one API takes no token that was obtained for another, or for none.
    let strict = Gateway::of_resource(&server, DOSSIERS).await;
    let (status, answer) = strict.call("GET", ("/v2/dossiers/1", &both)).await;
    assert_eq!((status, &answer["error"]), (401, &json!("token_of_another_resource")));
    let own = format!("Bearer {}", crate::api_keys::vendor_token_for(&server, &[("resource", DOSSIERS)]).await);
    let own = [both[0], ("Authorization", own.as_str())];
    assert_eq!(strict.call("GET", ("/v2/dossiers/1", &own)).await.0, 200);
    let (status, answer) = gateway.call("GET", ("/v2/dossiers/1", &own)).await;
    assert_eq!((status, &answer["error"]), (401, &json!("token_of_another_resource")));

    // A wrong key ends the examples with what was wrong.
    for command in [shell(), python()] {
        let output = run(command, (&server, &gateway), &mistyped).await;
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{complaint}");
        assert!(complaint.contains("key_malformed") || complaint.contains("401"), "{complaint}");
    }
    // Without Habilis nobody comes in.
    server.kill();
    let (status, answer) = gateway.call("GET", ("/v2/dossiers/1", &both)).await;
    assert_eq!((status, &answer["error"]), (503, &json!("temporarily_unavailable")));
}
