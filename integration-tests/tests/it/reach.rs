//! Where a server in production reaches out to: addresses on the internet, and nowhere inside. Issue 3, scope of fetching.

use std::path::Path;
use std::time::{Duration, Instant};

use habilis_integration_tests::protocol::{AuthorizationRequest, AuthorizationResponse, Code, Proof, Tokens, proven};
use habilis_integration_tests::server::{free_port, habilis, run_in};
use habilis_integration_tests::{Browser, Client, Http, Listener, database};
use serde_json::json;

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

/// `habilis serve` in `folder` with these settings, until it is ready.
async fn serve(folder: &Path, settings: &[(&str, &str)], issuer: &str) -> tokio::process::Child {
    let mut command = habilis();
    command
        .arg("serve")
        .current_dir(folder)
        .envs(settings.iter().copied())
        .stderr(std::fs::File::create(folder.join("log")).unwrap());
    let mut process = tokio::process::Command::from(command).kill_on_drop(true).spawn().unwrap();
    let (http, began) = (Http::new(), Instant::now());
    loop {
        let request = http.request("GET", &format!("{issuer}/readyz"));
        if http.try_send(request).await.is_ok_and(|answer| answer.status == 200) {
            return process;
        }
        let log = || std::fs::read_to_string(folder.join("log")).unwrap();
        assert!(process.try_wait().unwrap().is_none(), "{}", log());
        assert!(began.elapsed() < Duration::from_mins(1), "{}", log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Signs the operator in to a client with a logout address on this machine, and out again; gives what came to the address.
async fn sign_out_with_a_logout_address_inside(database: &str, allowed: &str) -> (usize, String) {
    let folder = tempfile::tempdir().unwrap();
    let listener = Listener::start().await;
    let port = free_port();
    let (issuer, listen) = (format!("http://localhost:{port}"), format!("127.0.0.1:{port}"));
    let settings = |private| {
        [
            ("HABILIS__DATABASE__URL", database),
            ("HABILIS__SERVER__ISSUER", issuer.as_str()),
            ("HABILIS__SERVER__LISTEN", listen.as_str()),
            ("HABILIS__SERVER__METRICS_LISTEN", ""),
            ("HABILIS__FETCH__ALLOW_PRIVATE_ADDRESSES", private),
        ]
    };
    run_in(folder.path(), &["keys", "init"], &[]).await.printed();
    std::fs::write(
        folder.path().join("habilis.toml"),
        format!("[database]\nurl = \"{database}\"\n[second_factor]\nrequired_of = []\n"),
    )
    .unwrap();
    let open = settings("true");
    let link = run_in(folder.path(), &OPERATOR, &open).await.printed().lines().last().unwrap().to_owned();
    let metadata = json!({
        "client_id": "portail", "redirect_uris": ["https://p.example/cb"],
        "backchannel_logout_uri": format!("{}/back", listener.base),
    });
    std::fs::write(folder.path().join("client.json"), metadata.to_string()).unwrap();
    // Registered while private addresses were allowed.
    let arguments = ["client", "create", "client.json", "--first-party"];
    let client: Client =
        serde_json::from_str(&run_in(folder.path(), &arguments, &settings("true")).await.printed()).unwrap();
    let mut process = serve(folder.path(), &settings(allowed), &issuer).await;

    activate(&mut Browser::new(), &link, PASSWORD).await.page();
    let request = AuthorizationRequest::of(&client);
    let mut url = url::Url::parse(&format!("{issuer}/authorize")).unwrap();
    url.query_pairs_mut().extend_pairs(&request.parameters);
    let mut browser = Browser::new();
    browser.get(url.as_str()).await.page();
    let left = browser.submit("login-form", &[("username", LOGIN), ("password", PASSWORD)]).await.left();
    let code = Code::from(&request, &AuthorizationResponse::from_url(left));
    let proof = Proof::basic("portail", client.client_secret.as_deref().unwrap());
    let http = Http::new();
    let token = proven(http.request("POST", &format!("{issuer}/token")), &proof, &code.parameters());
    let tokens = Tokens::from(&http.send(token).await);
    browser.get(&format!("{issuer}/end-session?id_token_hint={}", tokens.id_token())).await;

    // Until the server says what became of the token.
    let began = Instant::now();
    let log = loop {
        let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
        let told = listener.received("/back").len();
        if told > 0 || log.contains("logout_refused") {
            break log;
        }
        assert!(began.elapsed() < Duration::from_mins(1), "{log}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    process.kill().await.unwrap();
    (listener.received("/back").len(), log)
}

async fn logout_tokens_stay_out_of_the_operators_network(database: impl Fn() -> String) {
    let (told, log) = sign_out_with_a_logout_address_inside(&database(), "false").await;
    assert_eq!(told, 0, "{log}");
    assert!(log.contains("the address is not allowed"), "{log}");
    // The same, where the operator allows it.
    assert_eq!(sign_out_with_a_logout_address_inside(&database(), "true").await.0, 1);
}

#[tokio::test]
async fn logout_tokens_stay_out_of_the_operators_network_on_sqlite() {
    logout_tokens_stay_out_of_the_operators_network(|| "sqlite://habilis.db".to_owned()).await;
}

#[tokio::test]
async fn logout_tokens_stay_out_of_the_operators_network_on_postgres() {
    logout_tokens_stay_out_of_the_operators_network(database::create).await;
}
