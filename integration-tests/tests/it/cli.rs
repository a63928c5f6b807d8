//! The command line: what an operator types, and what it says when something is wrong.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use habilis_integration_tests::protocol::{AuthorizationRequest, AuthorizationResponse, Code, Proof, Tokens};
use habilis_integration_tests::server::{free_port, habilis, run_in};
use habilis_integration_tests::{Authenticator, Browser, Client, Http, database};
use serde_json::Value;
use tempfile::TempDir;

use crate::activation::activate;

const LOGIN: &str = "exploitation@identite.example";
const PASSWORD: &str = "Zk7!rouvent-Pliq";
const OPERATOR: [&str; 11] = [
    "operator",
    "create",
    "--login",
    LOGIN,
    "--email",
    LOGIN,
    "--given-name",
    "Odile",
    "--family-name",
    "Garnier",
    "--print-link",
];

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

/// A folder with a master key and a migrated database, on defaults.
async fn installed(database: Option<&str>) -> TempDir {
    let folder = folder();
    let environment: Vec<(&str, &str)> = database.map(|url| ("HABILIS__DATABASE__URL", url)).into_iter().collect();
    run_in(folder.path(), &["keys", "init"], &environment).await.printed();
    run_in(folder.path(), &["migrate"], &environment).await.printed();
    folder
}

#[tokio::test]
async fn help_names_every_command() {
    let folder = folder();
    let help = run_in(folder.path(), &["--help"], &[]).await.printed();
    for command in ["serve", "demo", "migrate", "config", "operator", "person", "client", "resource", "keys", "openapi"]
    {
        assert!(help.contains(command), "{command}: {help}");
    }
    for (command, parts) in [
        ("client", ["create", "list", "show"].as_slice()),
        ("keys", &["list", "rotate"]),
        ("resource", &["add", "list", "remove"]),
        ("operator", &["create"]),
        ("person", &["invite", "resend", "show", "sharing"]),
        ("config", &["check"]),
    ] {
        let help = run_in(folder.path(), &[command, "--help"], &[]).await.printed();
        for part in parts {
            assert!(help.contains(part), "{command} {part}: {help}");
        }
    }
    let version = run_in(folder.path(), &["--version"], &[]).await.printed();
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
}

#[tokio::test]
async fn an_unknown_command_or_option_is_refused() {
    let folder = folder();
    run_in(folder.path(), &["conjure"], &[]).await.assert_refused(&["conjure"]);
    run_in(folder.path(), &["serve", "--surprise"], &[]).await.assert_refused(&["--surprise"]);
}

#[tokio::test]
async fn a_good_configuration_passes_the_check() {
    let folder = folder();
    run_in(folder.path(), &["keys", "init"], &[]).await.printed();
    write(folder.path(), "good.toml", "[server]\nissuer = \"https://identite.example\"\n");
    run_in(folder.path(), &["config", "check", "--config", "good.toml"], &[]).await.printed();
}

#[tokio::test]
async fn an_unknown_key_is_refused_and_all_problems_are_told_at_once() {
    let folder = folder();
    write(
        folder.path(),
        "bad.toml",
        "[server]\nisuer = \"https://a.example\"\n[nowhere]\na = 1\n[tokens]\nid_token_seconds = \"x\"\n",
    );
    let environment = [("HABILIS__LOG__LEVELS", "info")];
    for command in [&["config", "check", "--config", "bad.toml"][..], &["serve", "--config", "bad.toml"]] {
        let outcome = run_in(folder.path(), command, &environment).await;
        outcome.assert_refused(&["server.isuer", "nowhere", "tokens.id_token_seconds", "HABILIS__LOG__LEVELS"]);
    }
}

#[tokio::test]
async fn a_configuration_that_is_not_there_or_not_toml_is_refused_by_name() {
    let folder = folder();
    run_in(folder.path(), &["config", "check", "--config", "absent.toml"], &[]).await.assert_refused(&["absent.toml"]);
    write(folder.path(), "broken.toml", "[server\n");
    run_in(folder.path(), &["config", "check", "--config", "broken.toml"], &[]).await.assert_refused(&["broken.toml"]);
}

#[tokio::test]
async fn an_issuer_without_tls_beyond_loopback_is_refused() {
    let folder = folder();
    let environment = [("HABILIS__SERVER__ISSUER", "http://identite.example")];
    run_in(folder.path(), &["config", "check"], &environment).await.assert_refused(&["server.issuer", "https"]);
}

#[tokio::test]
async fn a_database_password_is_never_shown() {
    let folder = installed(None).await;
    let environment = [("HABILIS__DATABASE__URL", "postgres://habilis:s3cr3t-pw@127.0.0.1:1/habilis")];
    for command in [&["migrate"][..], &["serve"], &["config", "check"]] {
        let outcome = run_in(folder.path(), command, &environment).await;
        assert!(!outcome.err.contains("s3cr3t-pw") && !outcome.out.contains("s3cr3t-pw"), "{}", outcome.err);
    }
}

#[tokio::test]
async fn the_master_key_is_made_once_for_its_owner_alone() {
    let folder = folder();
    run_in(folder.path(), &["keys", "init"], &[]).await.printed();
    let path = folder.path().join("habilis.key");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "{mode:o}");
    let before = std::fs::read(&path).unwrap();
    run_in(folder.path(), &["keys", "init"], &[]).await.assert_refused(&["habilis.key"]);
    assert_eq!(std::fs::read(&path).unwrap(), before, "an existing key is never overwritten");
}

#[tokio::test]
async fn migrating_twice_changes_nothing() {
    for database in [None, Some(database::create())] {
        let folder = installed(database.as_deref()).await;
        let environment: Vec<(&str, &str)> =
            database.as_deref().map(|url| ("HABILIS__DATABASE__URL", url)).into_iter().collect();
        run_in(folder.path(), &["migrate"], &environment).await.printed();
    }
}

#[tokio::test]
async fn keys_are_listed_and_rotated_without_showing_a_private_one() {
    let folder = installed(None).await;
    run_in(folder.path(), &["keys", "rotate"], &[]).await.printed();
    let list = run_in(folder.path(), &["keys", "list"], &[]).await.printed();
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        assert!(list.contains(algorithm), "{algorithm}: {list}");
    }
    assert!(!list.contains("PRIVATE") && !list.contains("\"d\""), "{list}");
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let content = std::fs::read(entry.unwrap().path()).unwrap();
        let text = String::from_utf8_lossy(&content);
        assert!(!text.contains("PRIVATE KEY") && !text.contains("\"d\":\""), "a private key in clear");
    }
}

#[tokio::test]
async fn a_client_is_created_once_and_its_secret_shown_once() {
    let folder = installed(None).await;
    write(
        folder.path(),
        "client.json",
        r#"{"client_id":"portail","client_name":"Portail","redirect_uris":["https://p.example/cb"]}"#,
    );
    let created = run_in(folder.path(), &["client", "create", "client.json"], &[]).await.printed();
    let created: Value = serde_json::from_str(&created).unwrap();
    let secret = created["client_secret"].as_str().unwrap();
    assert!(secret.len() >= 43, "256 bits: {}", secret.len());
    run_in(folder.path(), &["client", "create", "client.json"], &[]).await.assert_refused(&["portail", "exists"]);
    let list = run_in(folder.path(), &["client", "list"], &[]).await.printed();
    assert!(list.contains("portail") && list.contains("client_secret_basic"), "{list}");
    let shown = run_in(folder.path(), &["client", "show", "portail"], &[]).await.printed();
    assert!(shown.contains("https://p.example/cb") && !shown.contains(secret), "{shown}");
    run_in(folder.path(), &["client", "show", "nobody"], &[]).await.assert_refused(&["nobody"]);
}

#[tokio::test]
async fn client_metadata_that_cannot_work_is_refused_by_name() {
    let folder = installed(None).await;
    for (metadata, word) in [
        (r#"{"redirect_uris":["http://p.example/cb"]}"#, "invalid_redirect_uri"),
        (r#"{"redirect_uris":["https://p.example/cb#x"]}"#, "redirect_uri"),
        (
            r#"{"redirect_uris":["https://p.example/cb"],"token_endpoint_auth_method":"magic"}"#,
            "token_endpoint_auth_method",
        ),
        (r#"{"client_id":"two words","redirect_uris":["https://p.example/cb"]}"#, "client_id"),
        ("{", "client.json"),
    ] {
        write(folder.path(), "client.json", metadata);
        run_in(folder.path(), &["client", "create", "client.json"], &[]).await.assert_refused(&[word]);
    }
    assert_eq!(run_in(folder.path(), &["client", "list"], &[]).await.printed().trim(), "", "nothing was created");
}

#[tokio::test]
async fn a_set_up_without_mail_gets_the_first_operators_link_printed_and_never_a_password() {
    let folder = installed(None).await;
    let printed = run_in(folder.path(), &OPERATOR, &[]).await.printed();
    let link = printed.lines().last().unwrap();
    assert!(link.starts_with("https://") && link.contains("/activate/"), "{printed}");
    run_in(folder.path(), &OPERATOR, &[]).await.assert_refused(&["exists"]);
    let mailed = OPERATOR.map(|word| if word == LOGIN { "autre@identite.example" } else { word });
    let printed = run_in(folder.path(), &mailed[..10], &[]).await.printed();
    assert!(!printed.contains("/activate/"), "{printed}");
}

#[tokio::test]
async fn openapi_is_a_document() {
    let folder = folder();
    let document: Value = serde_json::from_str(&run_in(folder.path(), &["openapi"], &[]).await.printed()).unwrap();
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.")), "{document}");
    assert!(document["paths"].is_object());
}

/// A production set-up as the README describes it: an operator, a portal, `habilis serve`.
struct Served {
    folder: TempDir,
    process: tokio::process::Child,
    /// Where it listens, as `http://127.0.0.1:port`.
    address: String,
    client: Client,
    /// The path of the operator's link.
    link: String,
}

/// Starts `habilis serve` with an operator and a portal; `environment` sees the address it will listen on.
async fn served(environment: impl Fn(&str) -> Vec<(&'static str, String)>) -> Served {
    let folder = installed(None).await;
    let printed = run_in(folder.path(), &OPERATOR, &[]).await.printed();
    let link = printed[printed.find("/activate/").unwrap()..].trim().to_owned();
    let metadata = r#"{"client_id":"portail","redirect_uris":["https://p.example/cb"]}"#;
    write(folder.path(), "client.json", metadata);
    let created = run_in(folder.path(), &["client", "create", "client.json", "--first-party"], &[]).await.printed();
    let client = serde_json::from_str(&created).unwrap();
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let mut command = habilis();
    command
        .arg("serve")
        .current_dir(folder.path())
        .env("HABILIS__SERVER__LISTEN", &listen)
        .env("HABILIS__SERVER__METRICS_LISTEN", "")
        .envs(environment(&format!("http://localhost:{port}")));
    let mut process = tokio::process::Command::from(command).kill_on_drop(true).spawn().unwrap();
    let address = format!("http://{listen}");
    let http = Http::new();
    let began = Instant::now();
    loop {
        let request = http.request("GET", &format!("{address}/readyz"));
        if http.try_send(request).await.is_ok_and(|answer| answer.status == 200) {
            return Served { folder, process, address, client, link };
        }
        assert!(process.try_wait().unwrap().is_none(), "the server ended");
        assert!(began.elapsed() < Duration::from_mins(1), "not ready after a minute");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The URL of a request of the portal.
fn authorize(issuer: &str, request: &AuthorizationRequest) -> String {
    let mut url = url::Url::parse(&format!("{issuer}/authorize")).unwrap();
    url.query_pairs_mut().extend_pairs(&request.parameters);
    url.into()
}

#[tokio::test]
async fn a_minimal_production_set_up_signs_its_operator_in() {
    let mut served = served(|issuer| vec![("HABILIS__SERVER__ISSUER", issuer.to_owned())]).await;
    let issuer = served.address.replace("127.0.0.1", "localhost");
    activate(&mut Browser::new(), &format!("{issuer}{}", served.link), PASSWORD).await.page();
    let request = AuthorizationRequest::of(&served.client);
    let mut browser = Browser::new();
    browser.get(&authorize(&issuer, &request)).await.page();
    // By default the operator's own staff have a second factor: it is set up at the first sign-in.
    let page = browser.submit("login-form", &[("username", LOGIN), ("password", PASSWORD)]).await.page();
    assert!(page.has("enrol-page"), "{}", page.summary());
    let page = browser.click("enrol-app").await.page();
    let app = Authenticator::from_page(&page);
    #[expect(
        clippy::disallowed_methods,
        reason = "a server that is no demonstration lives by the clock of the machine"
    )]
    let step = jiff::Timestamp::now().as_second() / 30;
    browser.submit("new-app-form", &[("code", &app.code_of_step(step))]).await.page();
    let left = browser.click("codes-next").await.left();
    let code = Code::from(&request, &AuthorizationResponse::from_url(left));
    let Proof::Basic(header) = Proof::basic("portail", served.client.client_secret.as_deref().unwrap()) else {
        unreachable!()
    };
    let http = Http::new();
    let token =
        http.request("POST", &format!("{issuer}/token")).header("authorization", header).form(&code.parameters());
    let tokens = Tokens::from(&http.send(token).await);
    assert_eq!(tokens.id_claims()["iss"], serde_json::json!(issuer));
    // The command line keeps away from the file while the server has it.
    run_in(served.folder.path(), &["client", "list"], &[]).await.assert_refused(&["another habilis process"]);
    served.process.kill().await.unwrap();
}

#[tokio::test]
async fn an_address_that_tries_many_accounts_is_slowed_and_others_are_not() {
    let environment = |issuer: &str| {
        vec![
            ("HABILIS__SERVER__ISSUER", issuer.to_owned()),
            ("HABILIS__SIGN_IN__FAILURES_PER_ADDRESS_PER_HOUR", "8".to_owned()),
            ("HABILIS__SECOND_FACTOR__REQUIRED_OF", String::new()),
        ]
    };
    let mut served = served(environment).await;
    let issuer = served.address.replace("127.0.0.1", "localhost");
    activate(&mut Browser::new(), &format!("{issuer}{}", served.link), PASSWORD).await.page();
    let url = authorize(&issuer, &AuthorizationRequest::of(&served.client));
    let mut guesser = Browser::new();
    guesser.get(&url).await.page();
    let mut statuses = Vec::new();
    for index in 0..10 {
        let login = format!("nobody{index}@nowhere.example");
        let page = guesser.submit("login-form", &[("username", &login), ("password", "wrong password")]).await.page();
        statuses.push(page.status);
    }
    assert_eq!(statuses, [401, 401, 401, 401, 401, 401, 401, 401, 429, 429]);
    assert!(guesser.page().header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds <= 3600));
    // Neither the right password from there, nor an address the guesser makes up.
    let page = guesser.submit("login-form", &[("username", LOGIN), ("password", PASSWORD)]).await.page();
    assert_eq!(page.status, 429, "{}", page.summary());
    let mut other = Browser::new();
    other.get(&url).await.page();
    other.submit("login-form", &[("username", LOGIN), ("password", PASSWORD)]).await.left();
    served.process.kill().await.unwrap();
}

#[tokio::test]
async fn behind_https_there_is_no_demonstration_and_cookies_are_bound_to_the_host() {
    let mut served = served(|_| vec![("HABILIS__SERVER__ISSUER", "https://identite.example".to_owned())]).await;
    let http = Http::new();
    // As the reverse proxy in front would ask.
    let answer = http.get(&format!("{}/.well-known/openid-configuration", served.address)).await;
    let metadata = answer.ok_json();
    assert_eq!(metadata["issuer"], "https://identite.example");
    for (name, value) in metadata.as_object().unwrap() {
        assert!(!name.ends_with("_endpoint") || value.as_str().unwrap().starts_with("https://"), "{name}: {value}");
    }
    assert!(answer.header("strict-transport-security").starts_with("max-age="));
    let answer = http.get(&authorize(&served.address, &AuthorizationRequest::of(&served.client))).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap()).collect();
    assert!(!cookies.is_empty());
    for cookie in cookies {
        assert!(cookie.starts_with("__Host-"), "{cookie}");
        for attribute in ["; Secure", "; HttpOnly", "; Path=/", "; SameSite=Lax"] {
            assert!(cookie.contains(attribute), "{attribute}: {cookie}");
        }
    }
    for path in ["/demo", "/demo/people.json", "/demo/clients.json", "/demo/mailbox.json", "/demo/clock"] {
        assert_eq!(http.get(&format!("{}{path}", served.address)).await.status, 404, "{path}");
    }
    served.process.kill().await.unwrap();
}
