//! The load generator behind every performance figure of the README.
//!
//! A bounded number of requests over real HTTP/1.1 with keep-alive, sent by a client as cheap as can be, because it shares
//! the machine with the server; and, in the same run, the floors that no server could beat: the cryptography alone and an
//! empty answer. It speaks to loopback alone.
//!
//! ```text
//! cargo build --release --workspace
//! target/release/load all --spawn
//! target/release/load code_flow --spawn --database postgres://…  --requests 20000 --concurrency 64
//! target/release/load client_credentials --base http://localhost:8080 --pid 4242
//! ```

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command that reports to a person")]
#![expect(clippy::expect_used, reason = "a measurement that cannot go on stops")]

#[path = "load/imports.rs"]
mod imports;
#[path = "load/ledger.rs"]
mod ledger;
#[path = "load/manager.rs"]
mod manager;
#[path = "load/members.rs"]
mod members;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use habilis_integration_tests::protocol::{AuthorizationRequest, Proof};
use habilis_integration_tests::{Client, Engine, Http, Person, TestServer, jose};
use habilis_policies::authorization::{
    Action, Context, Engine as Policies, OrganizationStatus, Principal, PrincipalKind, Resource, Subject, Subscription,
};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use tokio::net::TcpStream;
use url::{Host, Url};

use self::ledger::Ledger;
use self::manager::{Manager, text};
use self::members::Members;

const USAGE: &str = "load <client_credentials|code_flow|login|key_exchange|key_check|invitation|activation|members_list|
      members_search|member_open|import|healthz|all>
    --spawn              start a server of our own beside this program (`habilis demo` in a temporary folder)
    --database URL       with --spawn: the database, in place of SQLite; an empty postgres:// one
    --hash M,T           with --spawn: Argon2id parameters, memory in KiB and iterations (default 19456,2)
    --base URL           in place of --spawn: a demo that runs already, on loopback
    --clients FILE       with --base: its clients, in place of BASE/demo/clients.json
    --people FILE        with --base: its people, in place of BASE/demo/people.json
    --pid PID            with --base: the process whose memory is reported
    --client ID          the client of code_flow and login (default demo-es256)
    --organization ID    the organization of members_* (default that of the first learner)
    --mode MODE          of import: valid_rows or all_or_nothing alone (default both, one after the other)
    --limit N            members on a page of members_* (default 50)
    --found N            members_search asks only for what at least so many members are called (default 1)
    --requests N         operations of each scenario, rows of import (default 20000; code_flow, members_* and import 5000,
                         invitation 2000, login and activation 500)
    --concurrency C      connections (default 32)";

/// A message for the person who started this.
type Failure = String;

/// What was asked for.
#[derive(Debug)]
struct Options {
    scenarios: Vec<Scenario>,
    values: BTreeMap<String, String>,
    spawn: bool,
    concurrency: usize,
}

/// What is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scenario {
    /// One token for a service.
    ClientCredentials,
    /// A person who is signed in already: authorize, token, userinfo.
    CodeFlow,
    /// A person who is not: from the authorization request through the password to the code.
    Login,
    /// An apprenticeship centre's API key for a token, by its vendor.
    KeyExchange,
    /// What a gateway asks about a call: key and vendor's token.
    KeyCheck,
    /// Somebody invited through the management API: an account, a seat of the ledger, a mail and the trail in one transaction.
    Invitation,
    /// Somebody who was invited and holds a seat: the link of the mail, and a password.
    Activation,
    /// Members of an organization by the management API, a page of fifty.
    MembersList,
    /// The same, by the beginning of a name.
    MembersSearch,
    /// One of them.
    MemberOpen,
    /// People from a spreadsheet, in both modes: not repeated, but of so many rows.
    Import,
    /// The empty handler: what HTTP alone costs.
    Healthz,
}

impl Scenario {
    const ALL: [Self; 12] = [
        Self::Healthz,
        Self::ClientCredentials,
        Self::KeyExchange,
        Self::KeyCheck,
        Self::CodeFlow,
        Self::Login,
        Self::Invitation,
        Self::Activation,
        Self::MembersList,
        Self::MembersSearch,
        Self::MemberOpen,
        Self::Import,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::CodeFlow => "code_flow",
            Self::Login => "login",
            Self::KeyExchange => "key_exchange",
            Self::KeyCheck => "key_check",
            Self::Invitation => "invitation",
            Self::Activation => "activation",
            Self::MembersList => "members_list",
            Self::MembersSearch => "members_search",
            Self::MemberOpen => "member_open",
            Self::Import => "import",
            Self::Healthz => "healthz",
        }
    }

    fn default_requests(self) -> usize {
        match self {
            Self::ClientCredentials | Self::KeyExchange | Self::KeyCheck | Self::Healthz => 20_000,
            Self::CodeFlow | Self::MembersList | Self::MembersSearch | Self::MemberOpen | Self::Import => 5_000,
            Self::Invitation => 2_000,
            Self::Login | Self::Activation => 500,
        }
    }
}

/// The server under load, and what is needed to speak to it.
struct Target {
    base: Url,
    clients: Vec<Client>,
    people: Vec<Person>,
    pid: Option<u32>,
    /// For the scenarios that need one.
    key: Option<Key>,
    /// For those that take seats.
    ledger: Option<Ledger>,
    /// For those that look at members.
    members: Option<Members>,
    /// Kept alive until the end.
    server: Option<TestServer>,
}

/// An API key of the centre of the demonstration, and its vendor.
#[derive(Clone, Default)]
struct Key {
    text: String,
    /// The vendor's proof at the token endpoint.
    authorization: String,
    /// With the vendor's own access token.
    bearer: String,
}

/// One connection that stays open, and a jar for its cookies.
struct Connection {
    authority: String,
    /// Headers of every request.
    headers: Vec<(&'static str, String)>,
    sender: SendRequest<Full<Bytes>>,
    cookies: BTreeMap<String, String>,
}

/// What came back.
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// The figures of one scenario.
struct Figures {
    scenario: Scenario,
    elapsed: Duration,
    /// Time of each operation, sorted.
    latencies: Vec<Duration>,
    errors: Vec<Failure>,
}

/// Everything one operation needs, made ready before the clock runs.
#[derive(Clone)]
struct Script {
    client_credentials: String,
    authorization: String,
    authorize_path: String,
    token_form: Arc<dyn Fn(&str) -> String + Send + Sync>,
    token_authorization: Option<String>,
    person: Person,
    key: Key,
    exchange: String,
    bearer: String,
    ledger: Ledger,
    members: Members,
}

// One thread: two cores are shared with the server, and a generator that used both would measure itself.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(errors) => {
            eprintln!("{errors} operations failed");
            ExitCode::FAILURE
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<usize, Failure> {
    let options = parse(std::env::args().skip(1))?;
    let mut target = target(&options).await?;
    if options.scenarios.iter().any(|scenario| matches!(scenario, Scenario::KeyExchange | Scenario::KeyCheck)) {
        target.key = Some(key(&target).await?);
    }
    if options.scenarios.iter().any(|scenario| matches!(scenario, Scenario::Invitation | Scenario::Activation)) {
        let count = |scenario: Scenario| {
            let asked = options.scenarios.contains(&scenario);
            options.requests(scenario).map(|requests| if asked { requests + warm_up(requests) } else { 0 })
        };
        let (invitations, activations) = (count(Scenario::Invitation)?, count(Scenario::Activation)?);
        target.ledger = Some(Ledger::prepare(&target, invitations, activations).await?);
    }
    let looks = [Scenario::MembersList, Scenario::MembersSearch, Scenario::MemberOpen];
    if options.scenarios.iter().any(|scenario| looks.contains(scenario)) {
        let first = target.learners().find_map(|learner| learner.organization.as_ref()).map(|it| it.id.clone());
        let organization =
            options.values.get("--organization").cloned().or(first).ok_or("no learner belongs anywhere")?;
        let limit = options.number("--limit", 200)?.unwrap_or(50);
        let found = options.number("--found", 4000)?.unwrap_or(1);
        target.members = Some(Members::prepare(&target, &organization, (limit, found)).await?);
    }
    report_floors(options.hash()?);
    println!("\n{:<20} {:>9} {:>8} {:>10} {:>10} {:>7}", "scenario", "count", "per s", "p50 ms", "p99 ms", "errors");
    let mut errors = 0;
    for scenario in &options.scenarios {
        if *scenario == Scenario::Import {
            imports::measure(&target, options.requests(*scenario)?, options.modes()?).await?;
            continue;
        }
        let figures = measure(&target, &options, *scenario).await?;
        figures.report();
        errors += figures.errors.len();
    }
    if let Some(pid) = target.pid {
        println!("\nmemory after the run: {} resident, {} at its peak", memory(pid, "VmRSS")?, memory(pid, "VmHWM")?);
    }
    drop(target.server);
    Ok(errors)
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, Failure> {
    let scenario = arguments.next().ok_or(USAGE)?;
    let scenarios = if scenario == "all" {
        Scenario::ALL.to_vec()
    } else {
        vec![Scenario::ALL.into_iter().find(|known| known.name() == scenario).ok_or(USAGE)?]
    };
    let (mut values, mut spawn) = (BTreeMap::new(), false);
    while let Some(name) = arguments.next() {
        match name.as_str() {
            "--spawn" => spawn = true,
            "--database" | "--hash" | "--base" | "--clients" | "--people" | "--pid" | "--client" | "--requests"
            | "--concurrency" | "--organization" | "--limit" | "--found" | "--mode" => {
                let value = arguments.next().ok_or_else(|| format!("{name} needs a value\n{USAGE}"))?;
                values.insert(name, value);
            }
            _ => return Err(format!("unknown option {name}\n{USAGE}")),
        }
    }
    if spawn == values.contains_key("--base") {
        return Err(format!("either --spawn or --base URL\n{USAGE}"));
    }
    let mut options = Options { scenarios, values, spawn, concurrency: 32 };
    if let Some(concurrency) = options.number("--concurrency", 1024)? {
        options.concurrency = concurrency;
    }
    options.number("--requests", 10_000_000)?;
    Ok(options)
}

impl Options {
    /// A whole number from 1 to `most`.
    fn number(&self, name: &str, most: usize) -> Result<Option<usize>, Failure> {
        let Some(text) = self.values.get(name) else { return Ok(None) };
        match text.parse() {
            Ok(number) if (1..=most).contains(&number) => Ok(Some(number)),
            _ => Err(format!("{name} is a number from 1 to {most}")),
        }
    }
}

impl Options {
    /// Operations of a scenario.
    fn requests(&self, scenario: Scenario) -> Result<usize, Failure> {
        Ok(self.number("--requests", 10_000_000)?.unwrap_or(scenario.default_requests()))
    }

    /// The modes of an import.
    fn modes(&self) -> Result<&'static [&'static str], Failure> {
        const MODES: &[&str] = &["valid_rows", "all_or_nothing"];
        let Some(mode) = self.values.get("--mode") else { return Ok(MODES) };
        let known = MODES.iter().position(|known| known == mode);
        known.map(|at| &MODES[at..=at]).ok_or_else(|| format!("--mode is valid_rows or all_or_nothing, not {mode}"))
    }

    /// The parameters of Argon2id: memory in KiB, iterations.
    fn hash(&self) -> Result<(u32, u32), Failure> {
        let Some(text) = self.values.get("--hash") else { return Ok((19_456, 2)) };
        let parts = text.split_once(',').and_then(|(m, t)| Some((m.parse().ok()?, t.parse().ok()?)));
        parts.ok_or_else(|| format!("--hash is MEMORY_KIB,ITERATIONS, not {text}"))
    }
}

impl Target {
    fn learners(&self) -> impl Iterator<Item = &Person> {
        self.people.iter().filter(|person| person.kind == "learner")
    }
}

/// Starts a server, or finds the one that runs.
async fn target(options: &Options) -> Result<Target, Failure> {
    if options.spawn {
        let (memory_kib, iterations) = options.hash()?;
        let (engine, mut arguments) = match options.values.get("--database") {
            Some(url) => (Engine::Postgres, vec!["--database".to_owned(), url.clone()]),
            None => (Engine::Sqlite, Vec::new()),
        };
        let settings = [
            format!("password_hash.memory_kib={memory_kib}"),
            format!("password_hash.iterations={iterations}"),
            // One program does what a thousand would.
            "api.requests_per_minute=1000000".to_owned(),
        ];
        for setting in settings {
            arguments.extend(["--set".to_owned(), setting]);
        }
        let mut server = TestServer::start_on(engine, arguments).await?;
        println!("first start, with keys and people made: {} ms", server.cold_start.as_millis());
        server.kill();
        server.restart().await;
        println!("cold start to the first answer:         {} ms", server.cold_start.as_millis());
        println!("memory idle:                            {} resident", memory(server.pid, "VmRSS")?);
        return Ok(Target {
            base: loopback(&server.issuer)?,
            clients: server.clients.clone(),
            people: server.people.clone(),
            pid: Some(server.pid),
            key: None,
            ledger: None,
            members: None,
            server: Some(server),
        });
    }
    let base = loopback(options.values.get("--base").ok_or(USAGE)?)?;
    let read = async |option: &str, path: &str| match options.values.get(option) {
        Some(file) => std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}")),
        None => Ok(Http::new().get(base.join(path).expect("a path").as_str()).await.body),
    };
    let clients = read("--clients", "/demo/clients.json").await?;
    let people = read("--people", "/demo/people.json").await?;
    Ok(Target {
        clients: serde_json::from_str(&clients).map_err(|error| format!("clients: {error}"))?,
        people: serde_json::from_str(&people).map_err(|error| format!("people: {error}"))?,
        pid: options.number("--pid", 1 << 22)?.and_then(|pid| u32::try_from(pid).ok()),
        base,
        key: None,
        ledger: None,
        members: None,
        server: None,
    })
}

/// Issues a key through the management API, as the operator's automation, and gets its vendor a token.
async fn key(target: &Target) -> Result<Key, Failure> {
    let centre = target.people.iter().find_map(|person| person.organization.as_ref().filter(|it| it.kind == "cfa"));
    let centre = &centre.ok_or("no centre among the organizations")?.id;
    let vendor = Manager::of(target, "demo-vendor", "apicfa.dossiers.read").await?;
    let body = serde_json::json!({ "name": "load", "scopes": ["apicfa.dossiers.read", "apicfa.dossiers.write"] });
    let manager = Manager::new(target, "habilis.keys").await?;
    let key = manager.post(&format!("/organizations/{centre}/api-keys"), &body).await?;
    let key = text(&key, "key")?.to_owned();
    let client = target.clients.iter().find(|client| client.client_id == "demo-vendor");
    let authorization = client.map(credentials).transpose()?.and_then(|(header, _)| header).unwrap_or_default();
    Ok(Key { text: key, authorization, bearer: vendor.authorization() })
}

/// Accepts a base on this machine alone: a load generator aimed at somebody else's server is a weapon.
fn loopback(base: &str) -> Result<Url, Failure> {
    let url = Url::parse(base).map_err(|error| format!("{base}: {error}"))?;
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if is_loopback && url.scheme() == "http" {
        Ok(url)
    } else {
        Err(format!("{base} is not http on the loopback interface"))
    }
}

/// A line of `/proc/PID/status`, such as the resident memory.
fn memory(pid: u32, field: &str) -> Result<String, Failure> {
    let status =
        std::fs::read_to_string(format!("/proc/{pid}/status")).map_err(|error| format!("process {pid}: {error}"))?;
    let kib: u64 = status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':')?.trim().strip_suffix(" kB")?.parse().ok())
        .ok_or_else(|| format!("no {field} of process {pid}"))?;
    Ok(format!("{}.{} MiB", kib / 1024, kib % 1024 * 10 / 1024))
}

/// What the machine gives without any server: two threads, as the server has two cores.
fn report_floors((memory_kib, iterations): (u32, u32)) {
    let params = argon2::Params::new(memory_kib, iterations, 1, None).expect("parameters the server took");
    let argon2 = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    let hashes = per_second(Duration::from_secs(3), || {
        let mut output = [0; 32];
        argon2.hash_password_into(b"un mot de passe", b"0123456789abcdef", &mut output).expect("a hash");
    });
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).expect("that key");
    let message = [b'x'; 600];
    let signatures = per_second(Duration::from_secs(1), || {
        key.sign(&random, &message).expect("a signature");
    });
    let name = format!("floor, Argon2id m={memory_kib} t={iterations} p=1 alone:");
    println!("{name:<39} {hashes:.0} per s on two threads");
    println!("floor, ES256 signatures alone:          {signatures:.0} per s on two threads");
    let decisions = per_second(Duration::from_secs(1), decisions());
    println!("floor, policy decisions alone:          {decisions:.0} per s on two threads");
}

/// One decision of the management API's policies: an administrator gives a member a right.
fn decisions() -> impl Fn() + Sync {
    let policies = Policies::embedded().expect("policies that a test has checked");
    move || {
        let principal = Principal {
            kind: PrincipalKind::Person,
            id: "usr_01k0administrator",
            operator: false,
            privacy: false,
            administers: &["org_01k0training"],
            member_of: &["org_01k0training", "org_01k0other"],
        };
        let subject = Subject { id: "usr_01k0member", operator: false, privacy: false, administrator: false };
        let resource = Resource { organization: Some("org_01k0training"), subject: Some(subject) };
        let (organization_status, subscription) = (Some(OrganizationStatus::Active), Some(Subscription::Open));
        let context = Context { organization_status, subscription, ..Context::default() };
        let decision = policies.decide(&principal, Action::GiveRight, &resource, &context);
        assert!(decision.is_permitted(), "{decision:?}");
    }
}

/// How often two threads together do `work` in a second.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn per_second(span: Duration, work: impl Fn() + Sync) -> f64 {
    let count = AtomicUsize::new(0);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while began.elapsed() < span {
                    work();
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    count.into_inner() as f64 / began.elapsed().as_secs_f64()
}

/// Runs one scenario: connections and sessions first, a short warm-up, then the clock.
async fn measure(target: &Target, options: &Options, scenario: Scenario) -> Result<Figures, Failure> {
    let requests = options.requests(scenario)?;
    let mut concurrency = options.concurrency.min(requests);
    if scenario == Scenario::Login {
        // More at a time for one account would be taken for guessing.
        concurrency = concurrency.min(4 * target.learners().count());
    }
    let client_id = options.values.get("--client").map_or("demo-es256", String::as_str);
    let mut workers = Vec::new();
    for index in 0..concurrency {
        let script = Script::prepare(target, client_id, index)?;
        let mut connection = Connection::open(&target.base).await?;
        if scenario == Scenario::KeyCheck {
            let software = [("editeur", "Charge"), ("logiciel", "load"), ("version", "1")];
            connection.headers = software.map(|(name, value)| (name, value.to_owned())).to_vec();
            connection.headers.push(("x-api-key", script.key.text.clone()));
        }
        if scenario == Scenario::CodeFlow {
            login(&mut connection, &script).await?;
        }
        workers.push((script, connection));
    }
    let (_, _, workers) = drive(scenario, warm_up(requests), workers).await;
    let began = Instant::now();
    let (mut latencies, errors, _) = drive(scenario, requests, workers).await;
    let elapsed = began.elapsed();
    latencies.sort_unstable();
    Ok(Figures { scenario, elapsed, latencies, errors })
}

/// Operations before the clock runs.
fn warm_up(requests: usize) -> usize {
    (requests / 20).min(1000)
}

type Worker = (Script, Connection);

/// Lets the workers take operations from one counter until `count` are done.
async fn drive(scenario: Scenario, count: usize, workers: Vec<Worker>) -> (Vec<Duration>, Vec<Failure>, Vec<Worker>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = workers
        .into_iter()
        .map(|(script, mut connection)| {
            let taken = Arc::clone(&taken);
            tokio::spawn(async move {
                let (mut latencies, mut errors) = (Vec::new(), Vec::new());
                while taken.fetch_add(1, Ordering::Relaxed) < count {
                    let began = Instant::now();
                    match operate(scenario, &mut connection, &script).await {
                        Ok(()) => latencies.push(began.elapsed()),
                        Err(failure) => errors.push(failure),
                    }
                }
                (latencies, errors, (script, connection))
            })
        })
        .collect();
    let (mut latencies, mut errors, mut workers) = (Vec::new(), Vec::new(), Vec::new());
    for task in tasks {
        let (these, failed, worker) = task.await.expect("a worker does not panic");
        latencies.extend(these);
        errors.extend(failed);
        workers.push(worker);
    }
    (latencies, errors, workers)
}

async fn operate(scenario: Scenario, connection: &mut Connection, script: &Script) -> Result<(), Failure> {
    match scenario {
        Scenario::Healthz => connection.get("/healthz", None).await?.expect_status(StatusCode::OK).map(drop),
        Scenario::ClientCredentials => {
            let reply = connection.post("/token", &script.client_credentials, Some(&script.authorization)).await?;
            reply.expect_status(StatusCode::OK)?.member("access_token").map(drop)
        }
        Scenario::KeyExchange => {
            let reply = connection.post("/token", &script.exchange, Some(&script.key.authorization)).await?;
            reply.expect_status(StatusCode::OK)?.member("access_token").map(drop)
        }
        Scenario::KeyCheck => {
            let path = "/api-keys/check?scope=apicfa.dossiers.read";
            let reply = connection.get(path, Some(&script.bearer)).await?;
            reply.expect_status(StatusCode::OK)?.member("siret").map(drop)
        }
        Scenario::CodeFlow => {
            let code = connection.get(&script.authorize_path, None).await?.code()?;
            let form = (script.token_form)(&code);
            let reply = connection.post("/token", &form, script.token_authorization.as_deref()).await?;
            let token = reply.expect_status(StatusCode::OK)?.member("access_token")?;
            let reply = connection.get("/userinfo", Some(&format!("Bearer {token}"))).await?;
            reply.expect_status(StatusCode::OK)?.member("sub").map(drop)
        }
        Scenario::Invitation => script.ledger.invite(connection).await,
        Scenario::Activation => script.ledger.activate(connection).await,
        Scenario::MembersList | Scenario::MembersSearch | Scenario::MemberOpen => {
            script.members.look(scenario, connection).await
        }
        Scenario::Import => Err("an import is not repeated".to_owned()),
        Scenario::Login => {
            connection.forget_cookies();
            login(connection, script).await
        }
    }
}

/// From the authorization request through the sign-in page to the code.
async fn login(connection: &mut Connection, script: &Script) -> Result<(), Failure> {
    let page_path = connection.get(&script.authorize_path, None).await?.location()?;
    let page_path = connection.own_path(&page_path)?;
    let page = connection.get(&page_path, None).await?.expect_status(StatusCode::OK)?;
    let csrf = between(&page.text(), "name=\"csrf\" value=\"", "\"").ok_or("no csrf field on the sign-in page")?;
    let form = form(&[("csrf", &csrf), ("username", &script.person.login), ("password", &script.person.password)]);
    let mut reply = connection.post(&page_path, &form, None).await?;
    // Back to the request, which then answers; a consent page would be a wrong set-up of the demo's clients.
    for _ in 0..3 {
        if let Ok(_code) = reply.code() {
            return Ok(());
        }
        let path = connection.own_path(&reply.location()?)?;
        reply = connection.get(&path, None).await?;
    }
    Err(format!("no code after the password: {} {}", reply.status, reply.text()))
}

impl Script {
    fn prepare(target: &Target, client_id: &str, index: usize) -> Result<Self, Failure> {
        let find = |id: &str| {
            target.clients.iter().find(|client| client.client_id == id).ok_or_else(|| format!("no client {id}"))
        };
        let (service, client) = (find("demo-service")?, find(client_id)?);
        let learners: Vec<_> = target.learners().collect();
        let person = (*learners.get(index % learners.len().max(1)).ok_or("no learner among the people")?).clone();
        let verifier = "load-generator-verifier-0123456789-abcdefghijk";
        let request = AuthorizationRequest::of(client).with("code_challenge", &jose::s256(verifier));
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&request.parameters);
        let redirect_uri = request.get("redirect_uri").to_owned();
        let (authorization, fields) = credentials(client)?;
        let token_form = move |code: &str| {
            let mut all = vec![
                ("grant_type", "authorization_code"),
                ("code", code),
                ("redirect_uri", &redirect_uri),
                ("code_verifier", verifier),
            ];
            all.extend(fields.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            form(&all)
        };
        let (service_authorization, _) = credentials(service)?;
        let key = target.key.clone().unwrap_or_default();
        Ok(Self {
            exchange: form(&[("grant_type", "client_credentials"), ("api_key", &key.text)]),
            bearer: key.bearer.clone(),
            ledger: target.ledger.clone().unwrap_or_default(),
            members: target.members.clone().unwrap_or_default(),
            key,
            client_credentials: form(&[("grant_type", "client_credentials")]),
            authorization: service_authorization.ok_or("demo-service authenticates with client_secret_basic")?,
            authorize_path: format!("/authorize?{}", query.finish()),
            token_form: Arc::new(token_form),
            token_authorization: authorization,
            person,
        })
    }
}

/// `Authorization` header, and form fields.
type Credentials = (Option<String>, Vec<(String, String)>);

/// Header and form fields that authenticate a client with a secret, or name a public one.
fn credentials(client: &Client) -> Result<Credentials, Failure> {
    let secret = client.client_secret.as_deref();
    match (client.token_endpoint_auth_method.as_str(), secret) {
        ("client_secret_basic", Some(secret)) => match Proof::basic(&client.client_id, secret) {
            Proof::Basic(header) => Ok((Some(header), Vec::new())),
            Proof::Form(fields) => Ok((None, fields)),
        },
        ("client_secret_post", Some(secret)) => match Proof::post(&client.client_id, secret) {
            Proof::Basic(header) => Ok((Some(header), Vec::new())),
            Proof::Form(fields) => Ok((None, fields)),
        },
        ("none", _) => Ok((None, vec![("client_id".to_owned(), client.client_id.clone())])),
        (method, _) => Err(format!("{} authenticates with {method}, which is not measured here", client.client_id)),
    }
}

fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

fn between(text: &str, before: &str, after: &str) -> Option<String> {
    let rest = &text[text.find(before)? + before.len()..];
    Some(rest[..rest.find(after)?].to_owned())
}

impl Connection {
    async fn open(base: &Url) -> Result<Self, Failure> {
        let authority =
            format!("{}:{}", base.host_str().unwrap_or_default(), base.port_or_known_default().unwrap_or(80));
        let sender = Self::connect(&authority).await?;
        Ok(Self { authority, headers: Vec::new(), sender, cookies: BTreeMap::new() })
    }

    async fn connect(authority: &str) -> Result<SendRequest<Full<Bytes>>, Failure> {
        let failed = |error: &dyn std::fmt::Display| format!("{authority}: {error}");
        let stream = TcpStream::connect(authority).await.map_err(|error| failed(&error))?;
        stream.set_nodelay(true).map_err(|error| failed(&error))?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
        tokio::spawn(connection);
        Ok(sender)
    }

    async fn get(&mut self, path: &str, authorization: Option<&str>) -> Result<Reply, Failure> {
        self.send("GET", path, (None, authorization)).await
    }

    async fn post(&mut self, path: &str, form: &str, authorization: Option<&str>) -> Result<Reply, Failure> {
        self.send("POST", path, (Some(("application/x-www-form-urlencoded", form)), authorization)).await
    }

    /// Another browser.
    fn forget_cookies(&mut self) {
        self.cookies.clear();
    }

    /// Sends a body of this content type, and waits for the answer.
    async fn send(
        &mut self,
        method: &str,
        path: &str,
        (body, authorization): (Option<(&'static str, &str)>, Option<&str>),
    ) -> Result<Reply, Failure> {
        // A server may close an idle connection; that is no error.
        if self.sender.ready().await.is_err() {
            self.sender = Self::connect(&self.authority).await?;
        }
        let mut request = Request::builder().method(method).uri(path).header("host", &self.authority);
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if !self.cookies.is_empty() {
            let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header("cookie", cookies.join("; "));
        }
        if let Some((content_type, _)) = body {
            request = request
                .header("content-type", content_type)
                .header("origin", format!("http://{}", self.authority))
                .header("sec-fetch-site", "same-origin");
        }
        let body = Full::new(body.map_or_else(Bytes::new, |(_, text)| Bytes::copy_from_slice(text.as_bytes())));
        let request = request.body(body).map_err(|error| error.to_string())?;
        let response = self.sender.send_request(request).await.map_err(|error| error.to_string())?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
        for cookie in parts.headers.get_all("set-cookie") {
            let pair = cookie.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(Reply { status: parts.status, headers: parts.headers, body })
    }

    /// The path of a redirect to the server itself.
    fn own_path(&self, location: &str) -> Result<String, Failure> {
        if location.starts_with('/') {
            return Ok(location.to_owned());
        }
        location
            .strip_prefix(&format!("http://{}", self.authority))
            .map(str::to_owned)
            .ok_or_else(|| format!("led away to {location}"))
    }
}

impl Reply {
    fn expect_status(self, status: StatusCode) -> Result<Self, Failure> {
        if self.status == status { Ok(self) } else { Err(format!("{} {}", self.status, self.text())) }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn location(&self) -> Result<String, Failure> {
        let location = self.headers.get("location").and_then(|value| value.to_str().ok());
        location.map(str::to_owned).ok_or_else(|| format!("no redirect: {} {}", self.status, self.text()))
    }

    /// The code of a redirect to a client.
    fn code(&self) -> Result<String, Failure> {
        let location = self.location()?;
        let query = location.split_once('?').map_or("", |(_, query)| query);
        url::form_urlencoded::parse(query.as_bytes())
            .find(|(name, _)| name == "code")
            .map(|(_, code)| code.into_owned())
            .ok_or_else(|| format!("no code: {location}"))
    }

    /// A text member of a JSON answer, found without parsing: tokens and subjects need no unescaping.
    fn member(&self, name: &str) -> Result<String, Failure> {
        let text = self.text();
        between(&text, &format!("\"{name}\":\""), "\"").ok_or_else(|| format!("no {name}: {text}"))
    }
}

impl Figures {
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    fn report(&self) {
        let count = self.latencies.len();
        let percentile = |hundredths: usize| {
            let index = (count * hundredths / 100).min(count.saturating_sub(1));
            self.latencies.get(index).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
        };
        println!(
            "{:<20} {:>9} {:>8.0} {:>10.2} {:>10.2} {:>7}",
            self.scenario.name(),
            count,
            count as f64 / self.elapsed.as_secs_f64(),
            percentile(50),
            percentile(99),
            self.errors.len(),
        );
        for failure in self.errors.iter().take(3) {
            let short: String = failure.chars().take(300).collect();
            eprintln!("    {short}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_put_under_load() {
        for good in ["http://localhost:8080", "http://127.0.0.1:1", "http://[::1]:1"] {
            assert!(loopback(good).is_ok(), "{good}");
        }
        for bad in
            ["http://example.com", "https://localhost", "http://localhost.example.com", "http://10.0.0.1", "localhost"]
        {
            assert!(loopback(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn options_are_bounded() {
        let parsed = |text: &str| parse(text.split(' ').map(str::to_owned));
        assert!(parsed("login --spawn --requests 10 --concurrency 4").is_ok_and(|options| options.concurrency == 4));
        for bad in [
            "",
            "login",
            "dance --spawn",
            "login --spawn --concurrency 0",
            "login --spawn --requests 99999999",
            "login --spawn --base http://localhost",
        ] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
    }
}
