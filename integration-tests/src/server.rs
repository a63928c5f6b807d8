//! The real server in a process of its own, on either engine, in its `demo` dress: people, clients, mailbox, clock.

use std::fs::OpenOptions;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::OnceCell;
use url::Url;

use crate::cleanup::{self, send_signal};
use crate::{Answer, Http, database};

/// How long a debug build may take to start on a busy machine before we call it stuck.
const START_LIMIT: Duration = Duration::from_secs(90);

/// The two databases the server runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file in the server's data folder.
    Sqlite,
    /// A database on the throwaway cluster of `integration-tests/run`.
    Postgres,
}

/// Somebody seeded by the demo.
#[derive(Clone, Debug, Deserialize)]
pub struct Person {
    /// What is typed as identifier.
    pub login: String,
    /// What is typed as password.
    pub password: String,
    /// First name.
    pub given_name: String,
    /// Last name.
    pub family_name: String,
    /// The organization the person belongs to; an operator has none.
    pub organization: Option<Organization>,
    /// The second organization of the one who belongs to two.
    #[serde(default)]
    pub second_organization: Option<Organization>,
    /// Rights, by name.
    pub roles: Vec<String>,
    /// `operator`, `administrator`, `learner`, …
    pub kind: String,
    /// The secret of the authenticator app of the one who has one.
    #[serde(default)]
    pub totp_secret: Option<String>,
}

/// An organization seeded by the demo.
#[derive(Clone, Debug, Deserialize)]
pub struct Organization {
    /// Identifier, `org_…`.
    pub id: String,
    /// Name, as people read it.
    pub name: String,
    /// What it is: training body, apprenticeship centre, …
    pub kind: String,
    /// SIRET, 14 digits.
    pub siret: String,
}

/// A client seeded by the demo.
#[derive(Clone, Debug, Deserialize)]
pub struct Client {
    /// `client_id`.
    pub client_id: String,
    /// `client_secret`; absent for public clients and for those with a key.
    pub client_secret: Option<String>,
    /// Registered redirect URIs.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// Registered post-logout redirect URIs.
    #[serde(default)]
    pub post_logout_redirect_uris: Vec<String>,
    /// `token_endpoint_auth_method`.
    pub token_endpoint_auth_method: String,
    /// `grant_types`.
    #[serde(default)]
    pub grant_types: Vec<String>,
    /// The private key of a `private_key_jwt` client.
    pub private_jwk: Option<Value>,
}

/// What `demo.json` says.
#[derive(Clone, Debug, Deserialize)]
struct Demo {
    issuer: String,
    portal: String,
    metrics: String,
    pid: u32,
}

/// A running server.
#[derive(Debug)]
pub struct TestServer {
    /// The database it runs on.
    pub engine: Engine,
    /// The issuer, without a trailing slash.
    pub issuer: String,
    /// The sample portal.
    pub portal: String,
    /// The listener of the metrics.
    pub metrics: String,
    /// The seeded people.
    pub people: Vec<Person>,
    /// The seeded clients.
    pub clients: Vec<Client>,
    /// The process id.
    pub pid: u32,
    /// How long it took from the start of the process to the first answer.
    pub cold_start: Duration,
    options: Vec<String>,
    environment: Vec<(String, String)>,
    folder: PathBuf,
    process: Child,
    /// Whether its database goes with it: neither that of a node beside it nor one to copy from does.
    database_goes: bool,
}

/// What a first start leaves: the data folder and the database of a server that has stopped. A copy of it starts as a server that was
/// just set up does, without another second of making keys and hashing passwords.
#[derive(Debug)]
struct Planted {
    engine: Engine,
    data: PathBuf,
    database: Option<String>,
}

impl Planted {
    async fn new(engine: Engine) -> Result<Self, String> {
        let mut server = TestServer::start(engine, Vec::new()).await?;
        let status = server.terminate(START_LIMIT).await;
        if !status.is_some_and(|status| status.success()) {
            return Err(format!("the server stopped with {status:?}:\n{}", server.log_end()));
        }
        server.database_goes = false;
        let database = (engine == Engine::Postgres).then(|| server.database_url());
        let planted = Self { engine, data: cleanup::folder(), database };
        planted.copy(&server.data(), &planted.data)?;
        Ok(planted)
    }

    /// Copies what a server keeps from one data folder into another.
    fn copy(&self, from: &Path, to: &Path) -> Result<(), String> {
        let files: &[&str] = match self.engine {
            Engine::Sqlite => &["habilis.key", "habilis.db"],
            Engine::Postgres => &["habilis.key"],
        };
        let copied = files.iter().try_for_each(|file| std::fs::copy(from.join(file), to.join(file)).map(drop));
        copied.map_err(|error| format!("{}: {error}", from.display()))
    }

    async fn start(&self) -> Result<TestServer, String> {
        let folder = cleanup::folder();
        let data = folder.join("data");
        std::fs::create_dir_all(&data).map_err(|error| error.to_string())?;
        self.copy(&self.data, &data)?;
        let copy = self.database.as_deref().map(database::copy);
        let options = copy.into_iter().flat_map(|url| ["--database".to_owned(), url]).collect();
        TestServer::launch_in(folder, free_port(), (self.engine, options, Vec::new())).await
    }
}

impl TestServer {
    /// The server that all tests of this engine share. Its clock is never moved.
    pub async fn shared(engine: Engine) -> &'static Self {
        static SQLITE: OnceCell<Result<TestServer, String>> = OnceCell::const_new();
        static POSTGRES: OnceCell<Result<TestServer, String>> = OnceCell::const_new();
        let cell = match engine {
            Engine::Sqlite => &SQLITE,
            Engine::Postgres => &POSTGRES,
        };
        // The failure is kept too: a server that cannot start is reported by each test, but tried once.
        cell.get_or_init(|| Self::start(engine, Vec::new())).await.as_ref().unwrap_or_else(|reason| panic!("{reason}"))
    }

    /// A server of this test's own, to age, kill and restart. It finds keys and people that were made once for all of these.
    pub async fn own(engine: Engine) -> Self {
        static SQLITE: OnceCell<Result<Planted, String>> = OnceCell::const_new();
        static POSTGRES: OnceCell<Result<Planted, String>> = OnceCell::const_new();
        let cell = match engine {
            Engine::Sqlite => &SQLITE,
            Engine::Postgres => &POSTGRES,
        };
        let planted = cell.get_or_init(|| Planted::new(engine)).await;
        let started = match planted {
            Ok(planted) => planted.start().await,
            Err(reason) => Err(reason.clone()),
        };
        started.unwrap_or_else(|reason| panic!("{reason}"))
    }

    /// A server of this test's own with further options of `habilis demo`.
    pub async fn own_with(engine: Engine, options: &[&str]) -> Self {
        let options = options.iter().map(|&option| option.to_owned()).collect();
        Self::start(engine, options).await.unwrap_or_else(|reason| panic!("{reason}"))
    }

    /// A server of this test's own with these environment variables.
    ///
    /// # Errors
    /// When the server does not start, with the end of its log.
    pub async fn own_in(engine: Engine, environment: &[(&str, &str)]) -> Result<Self, String> {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        let options = Self::with_database(engine, Vec::new());
        Self::launch(engine, options, environment.iter().map(owned).collect()).await
    }

    async fn start(engine: Engine, options: Vec<String>) -> Result<Self, String> {
        Self::start_on(engine, Self::with_database(engine, options)).await
    }

    fn with_database(engine: Engine, mut options: Vec<String>) -> Vec<String> {
        if engine == Engine::Postgres {
            options.extend(["--database".to_owned(), database::create()]);
        }
        options
    }

    /// A server with a database that exists already, given among `options` as `--database URL`.
    ///
    /// # Errors
    /// When the server does not start, with the end of its log.
    pub async fn start_on(engine: Engine, options: Vec<String>) -> Result<Self, String> {
        Self::launch(engine, options, Vec::new()).await
    }

    /// Another node of the same installation: the same PostgreSQL, master key and issuer at an address of its own. Its `issuer`
    /// here is that address, where tests reach it.
    ///
    /// # Errors
    /// When the server does not start, with the end of its log.
    pub async fn beside(other: &Self) -> Result<Self, String> {
        let folder = cleanup::folder();
        let data = folder.join("data");
        std::fs::create_dir_all(&data).map_err(|error| error.to_string())?;
        std::fs::copy(other.data().join("habilis.key"), data.join("habilis.key")).map_err(|error| error.to_string())?;
        let mut options = other.options.clone();
        options.extend(["--issuer".to_owned(), other.issuer.clone()]);
        let port = free_port();
        let mut node = Self::launch_in(folder, port, (other.engine, options, other.environment.clone())).await?;
        node.issuer = format!("http://localhost:{port}");
        node.database_goes = false;
        let own = Http::new().get(&node.url("/readyz")).await;
        if own.status == 200 { Ok(node) } else { Err(format!("/readyz answers {}", own.status)) }
    }

    async fn launch(engine: Engine, options: Vec<String>, environment: Vec<(String, String)>) -> Result<Self, String> {
        Self::launch_in(cleanup::folder(), free_port(), (engine, options, environment)).await
    }

    async fn launch_in(
        folder: PathBuf,
        port: u16,
        (engine, options, environment): (Engine, Vec<String>, Vec<(String, String)>),
    ) -> Result<Self, String> {
        let started = Instant::now();
        let process = spawn(&folder, &format!("127.0.0.1:{port}"), (&options, &environment));
        let mut server = Self {
            engine,
            issuer: String::new(),
            portal: String::new(),
            metrics: String::new(),
            people: Vec::new(),
            clients: Vec::new(),
            pid: process.id(),
            cold_start: Duration::ZERO,
            options,
            environment,
            folder,
            process,
            database_goes: engine == Engine::Postgres,
        };
        server.wait_until_ready(started).await?;
        Ok(server)
    }

    /// Waits for `demo.json` of this very process, then for the first answer, and reads people and clients.
    async fn wait_until_ready(&mut self, started: Instant) -> Result<(), String> {
        let demo = loop {
            if let Some(demo) = self.demo() {
                break demo;
            }
            if let Some(status) = self.process.try_wait().expect("a child of ours") {
                return Err(format!("the server ended at start with {status}:\n{}", self.log_end()));
            }
            if started.elapsed() > START_LIMIT {
                return Err(format!("the server did not start in {START_LIMIT:?}:\n{}", self.log_end()));
            }
            // Polling, because the file is the contract; nothing is measured in units of this pause but a cold start.
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        self.issuer = demo.issuer;
        self.portal = demo.portal;
        self.metrics = demo.metrics;
        let http = Http::new();
        let health = http.get(&self.url("/healthz")).await;
        self.cold_start = started.elapsed();
        if health.status != 200 {
            return Err(format!("/healthz answers {}: {}", health.status, health.body));
        }
        self.people = serde_json::from_value(http.get(&self.url("/demo/people.json")).await.ok_json())
            .map_err(|error| format!("people.json: {error}"))?;
        self.clients = serde_json::from_value(http.get(&self.url("/demo/clients.json")).await.ok_json())
            .map_err(|error| format!("clients.json: {error}"))?;
        Ok(())
    }

    fn demo(&self) -> Option<Demo> {
        let text = std::fs::read_to_string(self.data().join("demo.json")).ok()?;
        let demo: Demo =
            serde_json::from_str(&text).expect("demo.json is written whole, with the members of the contract");
        // After a restart the file of the dead process may still be there.
        (demo.pid == self.process.id()).then_some(demo)
    }

    /// A URL of the provider.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    /// The port of the provider.
    pub fn port(&self) -> u16 {
        Url::parse(&self.issuer).expect("the issuer is a URL").port().expect("the issuer names its port")
    }

    /// The data folder given to the server.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The URL of its database, for a command beside it: stop the server first when it is SQLite.
    pub fn database_url(&self) -> String {
        let given = self.options.iter().skip_while(|option| *option != "--database").nth(1);
        given.cloned().unwrap_or_else(|| format!("sqlite://{}", self.data().join("habilis.db").display()))
    }

    /// Runs a command of the server's binary on the database of this server, which must be stopped, with further settings
    /// such as `("PASSWORDS__HISTORY", "3")`.
    pub async fn command_with(&self, arguments: &[&str], settings: &[(&str, &str)]) -> Outcome {
        let key = self.data().join("habilis.key").display().to_string();
        let names: Vec<String> = settings.iter().map(|(name, _)| format!("HABILIS__{name}")).collect();
        let url = self.database_url();
        let mut environment = vec![("HABILIS__DATABASE__URL", url.as_str()), ("HABILIS__KEYS__MASTER_KEY_FILE", &key)];
        environment.extend(names.iter().zip(settings).map(|(name, (_, value))| (name.as_str(), *value)));
        run_in(&self.data(), arguments, &environment).await
    }

    /// Everything the server has logged (standard error).
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("server.log")).unwrap_or_default()
    }

    /// Everything the server has printed for people (standard output).
    pub fn printed(&self) -> String {
        std::fs::read_to_string(self.folder.join("server.out")).unwrap_or_default()
    }

    fn log_end(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// The client with this id.
    pub fn client(&self, client_id: &str) -> &Client {
        self.clients
            .iter()
            .find(|client| client.client_id == client_id)
            .unwrap_or_else(|| panic!("the demo has no client {client_id}"))
    }

    /// The first learner, who has every standard claim.
    pub fn learner(&self) -> &Person {
        self.learner_number(0)
    }

    /// One of the learners, counted from 0; the count wraps around.
    pub fn learner_number(&self, index: usize) -> &Person {
        let learners: Vec<&Person> = self.people.iter().filter(|person| person.kind == "learner").collect();
        assert!(!learners.is_empty(), "the demo has learners");
        learners[index % learners.len()]
    }

    /// Runs a command of the server's binary on the database of this server: beside it on PostgreSQL, in its place on SQLite,
    /// which one process has to itself.
    pub async fn manage(&mut self, arguments: &[&str]) -> Outcome {
        if self.engine == Engine::Sqlite {
            self.kill();
        }
        let outcome = self.command_with(arguments, &[("SERVER__ISSUER", &self.issuer)]).await;
        if self.engine == Engine::Sqlite {
            self.restart().await;
        }
        outcome
    }

    /// Changes rows of the database of this server by a statement, to what only an earlier version let through: beside it on PostgreSQL,
    /// in its place on SQLite.
    pub async fn rewrite(&mut self, statement: &str) {
        const SCRIPT: &str =
            "import sqlite3, sys\nwith sqlite3.connect(sys.argv[1]) as file:\n    file.execute(sys.argv[2])\n";
        if self.engine == Engine::Postgres {
            return database::execute(&self.database_url(), statement);
        }
        self.kill();
        let python = std::env::var("HABILIS_PYTHON").expect("HABILIS_PYTHON is not set: run integration-tests/run");
        let file = self.data().join("habilis.db");
        let done = Command::new(python).args(["-c", SCRIPT]).arg(file).arg(statement).output().expect("Python starts");
        assert!(done.status.success(), "sqlite3: {}", String::from_utf8_lossy(&done.stderr));
        self.restart().await;
    }

    /// Moves the server's clock forward.
    pub async fn advance(&mut self, seconds: u64) {
        self.set_clock(&json!({ "advance_seconds": seconds })).await.ok_json();
    }

    /// Moves the server's clock to the next noon of Paris: from there, steps of whole days skip no midnight of
    /// France whatever the hour of the run and the hour of summer.
    pub async fn advance_to_noon(&mut self) {
        let now = self.now().await.in_tz("Europe/Paris").expect("a known zone");
        let noon = now.date().tomorrow().expect("a day to come").at(12, 0, 0, 0);
        let noon = noon.in_tz("Europe/Paris").expect("a known zone");
        self.advance(noon.timestamp().as_second().abs_diff(now.timestamp().as_second())).await;
    }

    /// Sends a command to the clock, as JSON, and returns the answer.
    pub async fn set_clock(&mut self, command: &Value) -> Answer {
        let http = Http::new();
        http.send(http.request("POST", &self.url("/demo/clock")).json(command)).await
    }

    /// The server's time.
    pub async fn now(&self) -> jiff::Timestamp {
        let answer = Http::new().get(&self.url("/demo/clock")).await.ok_json();
        answer["now"].as_str().expect("`now` is text").parse().expect("RFC 3339")
    }

    /// Kills the process as a power cut would (SIGKILL), and returns when it is gone.
    pub fn kill(&mut self) {
        self.process.kill().expect("a child of ours");
        self.process.wait().expect("a child of ours");
    }

    /// Asks the process to stop (SIGTERM), and waits for its end up to `limit`.
    pub async fn terminate(&mut self, limit: Duration) -> Option<ExitStatus> {
        send_signal("TERM", self.process.id());
        let asked = Instant::now();
        while asked.elapsed() < limit {
            if let Some(status) = self.process.try_wait().expect("a child of ours") {
                return Some(status);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        None
    }

    /// Starts the server again on the same data and the same port, hence with the same issuer.
    pub async fn restart(&mut self) {
        let listen = format!("127.0.0.1:{}", self.port());
        let started = Instant::now();
        self.process = spawn(&self.folder, &listen, (&self.options, &self.environment));
        self.pid = self.process.id();
        self.wait_until_ready(started).await.unwrap_or_else(|reason| panic!("{reason}"));
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
        if self.database_goes {
            database::drop_it(&self.database_url());
        }
    }
}

/// A command of the server's binary, with an environment free of settings of ours.
pub fn habilis() -> Command {
    let mut command = Command::new(binary());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HABILIS") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// A port on 127.0.0.1 that is free, with the next one, which `habilis demo` takes for its portal.
///
/// Below the range from which the kernel hands out ports of its own accord, so that a server that was killed finds both
/// still free when it comes back.
pub fn free_port() -> u16 {
    const FIRST: u32 = 20_000;
    const PAIRS: u32 = 6_000;
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    // Test binaries that run side by side begin elsewhere.
    let offset = std::process::id().wrapping_mul(97);
    for _ in 0..PAIRS {
        let pair = offset.wrapping_add(COUNTER.fetch_add(1, Ordering::Relaxed)) % PAIRS;
        let port = u16::try_from(FIRST + 2 * pair).expect("below 32000");
        let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        if free(port) && free(port + 1) {
            return port;
        }
    }
    panic!("no two free ports between {FIRST} and {}", FIRST + 2 * PAIRS);
}

/// What a command of the server's binary printed, and how it ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Whether the exit code was 0.
    pub success: bool,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Outcome {
    /// Asserts success, and returns what was printed.
    #[track_caller]
    pub fn printed(self) -> String {
        assert!(self.success, "{}{}", self.out, self.err);
        self.out
    }

    /// Asserts a failure that tells people why: on standard error, these words in it, and no panic.
    #[track_caller]
    pub fn assert_refused(&self, words: &[&str]) {
        assert!(!self.success, "succeeded: {}{}", self.out, self.err);
        for word in words {
            assert!(self.err.to_lowercase().contains(&word.to_lowercase()), "no \"{word}\" in: {}", self.err);
        }
        assert!(!self.err.contains("panicked"), "{}", self.err);
    }
}

/// Runs a command of the server's binary in `folder` to its end; one that is still there after a minute is killed and
/// reported.
pub async fn run_in(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Outcome {
    let mut command = habilis();
    command.args(arguments).envs(environment.iter().copied()).current_dir(folder);
    finish(command, "").await
}

/// The same, without further environment, with `input` on standard input.
pub async fn run_with_input(folder: &Path, arguments: &[&str], input: &str) -> Outcome {
    let mut command = habilis();
    command.args(arguments).current_dir(folder);
    finish(command, input).await
}

async fn finish(mut command: Command, input: &str) -> Outcome {
    let shown = format!("{command:?}");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process =
        tokio::process::Command::from(command).kill_on_drop(true).spawn().expect("the server's binary starts");
    let mut stdin = process.stdin.take().expect("its input is a pipe");
    // Most commands do not read it, and may be gone by now.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = tokio::time::timeout(Duration::from_mins(1), process.wait_with_output())
        .await
        .unwrap_or_else(|_| panic!("still running after a minute: {shown}"))
        .expect("a child of ours");
    Outcome {
        success: output.status.success(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The server's binary: `HABILIS_BIN`, or the one built beside this test.
fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("HABILIS_BIN") {
        return path.into();
    }
    let here = std::env::current_exe().expect("the path of this test");
    here.ancestors()
        .skip(1)
        .map(|folder| folder.join("habilis"))
        .find(|path| path.is_file())
        .expect("target/debug/habilis is not built: run `cargo build --workspace`, or integration-tests/run")
}

fn spawn(folder: &Path, listen: &str, (options, environment): (&[String], &[(String, String)])) -> Child {
    let file = |name| OpenOptions::new().create(true).append(true).open(folder.join(name)).expect("a log file");
    let data = folder.join("data");
    std::fs::create_dir_all(&data).expect("a data folder");
    habilis()
        .args(["demo", "--listen", listen, "--data"])
        .arg(&data)
        // Years pass in journeys, and RSA keys take long to make. A journey about keys says itself how often they change.
        .args(["--set", "keys.sign_for_days=1825"])
        .args(options)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdout(file("server.out"))
        .stderr(file("server.log"))
        .spawn()
        .expect("the server's binary starts")
}
