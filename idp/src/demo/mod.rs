//! `habilis demo`: everything on one machine with no other software, on loopback only. Provider, sample portal, fictitious
//! people, a mailbox, and a clock that can be moved: the whole server, jobs included, lives by it.
//!
//! When ready it writes `demo.json` into its data folder; tests rely on that and on the JSON beside each page.

mod clients;
mod clock;
mod mailbox;
pub mod pages;
mod portal;
mod resource;
mod seed;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Json, Router};
use axum_server::Handle;
use clap::Args;
use habilis_keys::secret::Secret;
use serde_json::{Value, json};

use crate::app::App;
use crate::cli::{create_master_key, read_master_key, start_log};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::Db;
use crate::mail::transport::Transport;
use crate::outcome::{Fault, Outcome};
use crate::web::cookies::{self, Browser, Cookies};
use crate::web::routing::{form, get};
use crate::web::{Origin, chrome, render};
use crate::{console, jobs, server, tls};
use pages::{DemoIndex, DemoPlace};
use seed::Seed;

/// Options of `habilis demo`.
#[derive(Debug, Args)]
pub struct Options {
    /// Where the provider listens; loopback only. Port 0 takes any free one.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Folder for the database, the master key and `demo.json`; kept between runs.
    #[arg(long, default_value = "habilis-demo", value_name = "DIR")]
    data: PathBuf,
    /// Another database than the SQLite file in the data folder.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Which fictitious people: the same number gives the same people.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The provider's public address, when that is not `localhost`: behind a proxy, or with a certificate for a name.
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// Of whom a second factor is required: `operators`, `privacy`, `administrators`, `everybody`, separated by commas.
    #[arg(long, default_value = "", value_name = "ROLES")]
    second_factor_of: String,
    /// Seed two more clients, which are told of sign-outs at this address.
    #[arg(long, value_name = "URL")]
    logout_base: Option<String>,
    /// Let clients send the address of a request instead of the request (`request_uri`).
    #[arg(long)]
    request_uris: bool,
    /// Turn the implicit and hybrid response types on, for clients that register for them.
    #[arg(long)]
    legacy: bool,
    /// Certificate chain for TLS, PEM; self-signed is fine.
    #[arg(long, value_name = "FILE", requires = "tls_key_file")]
    tls_certificate_file: Option<PathBuf>,
    /// Private key for TLS, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_certificate_file")]
    tls_key_file: Option<PathBuf>,
    /// A setting of `habilis config defaults`, such as `passwords.history=3`. May be given several times.
    #[arg(long, value_name = "SECTION.KEY=VALUE", value_parser = setting)]
    set: Vec<(String, String)>,
}

/// A setting as the name and value of the environment variable that stands for it.
fn setting(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("SECTION.KEY=VALUE")?;
    let (section, key) = name.split_once('.').ok_or("SECTION.KEY=VALUE")?;
    Ok((format!("HABILIS__{section}__{key}"), value.to_owned()))
}

/// What the demonstration's own pages need.
struct Demo {
    seed: Seed,
    transport: Transport,
    places: Vec<(&'static str, String)>,
}

/// Runs the demonstration until it is told to stop.
///
/// # Errors
/// An address beyond loopback, a port in use, a database that cannot be opened.
pub async fn run(options: Options) -> Outcome<()> {
    if !options.listen.ip().is_loopback() {
        return Err(Fault::new(format!(
            "the demonstration only listens on this machine: {} is not a loopback address",
            options.listen
        )));
    }
    std::fs::create_dir_all(&options.data)
        .map_err(|error| Fault::new(format!("--data {}: {error}", options.data.display())))?;
    let listener = server::listen(options.listen)?;
    let listen = listener.local_addr()?;
    let portal_listener = portal_listener(listen, options.listen.port())?;
    let metrics_listener = server::listen(SocketAddr::new(listen.ip(), 0))?;
    let scheme = if options.tls_certificate_file.is_some() { "https" } else { "http" };
    let issuer = options.issuer.clone().unwrap_or_else(|| format!("{scheme}://localhost:{}", listen.port()));
    let portal = origin(portal_listener.local_addr()?);
    let metrics = format!("http://{}", metrics_listener.local_addr()?);

    let mut seed = Seed::new(options.seed, &portal).with_console(&issuer);
    if let Some(base) = &options.logout_base {
        seed = seed.with_logout_at(options.seed, base);
    }
    let mut config = config(&options, &issuer, listen)?;
    clients::CONSOLE.clone_into(&mut config.console.client_id);
    config.console.client_secret = Secret::new(seed.secret(clients::CONSOLE).unwrap_or_default());
    start_log(&config.log)?;
    let tls = tls::Files::of(&config.server).map(tls::watch).transpose()?;
    let db = Db::open(config.database.url.expose(), config.database.connections).await?;
    let clock = Clock::movable();
    db.migrate(clock.now()).await?;
    let app = App::start(config, clock, db, master_key(&options.data)?).await?;
    seed.plant(&app).await?;

    let places = vec![
        ("portal", portal.clone()),
        ("closed", format!("{portal}/closed")),
        ("console", format!("{issuer}/console")),
        ("demo", format!("{issuer}/demo")),
        ("mailbox", format!("{issuer}/demo/mailbox")),
        ("discovery", format!("{issuer}/.well-known/openid-configuration")),
        ("metrics", format!("{metrics}/metrics")),
    ];
    let portal_router = portal::router(&app, &seed, (&issuer, &portal))?;
    let demo = Arc::new(Demo { seed, transport: Transport::open(&app.config.mail)?, places });
    let recorder = server::metrics_recorder()?;
    let handle = Handle::new();
    tokio::spawn(server::stop_on_signal(handle.clone()));
    tokio::spawn(server::serve(metrics_listener, server::metrics_router(recorder), Handle::new()));
    tokio::spawn(server::serve(portal_listener, portal_router, Handle::new()));
    let jobs = tokio::spawn(jobs::run(app.clone(), Transport::open(&app.config.mail)?));
    let ready = announce(
        &options,
        &demo,
        &json!({ "issuer": issuer, "portal": portal, "metrics": metrics, "pid": std::process::id() }),
    );
    let router = server::router(&app, router(demo).merge(console::router(&app)?));
    let serving = tokio::spawn(async move {
        match tls {
            Some(tls) => server::serve_tls(listener, router, handle, tls).await,
            None => server::serve(listener, router, handle).await,
        }
    });
    ready?;
    let served = serving.await?;
    jobs.abort();
    let _ = jobs.await;
    // Uses of API keys that were counted and not written yet.
    if let Err(fault) = crate::api_keys::flush(&app).await {
        tracing::error!(event = "uses_lost", cause = ?fault);
    }
    app.db.close().await;
    served
}

/// `localhost`, because passkeys want a name; the listener is on loopback all the same.
fn origin(address: SocketAddr) -> String {
    format!("http://localhost:{}", address.port())
}

/// The port after the provider's, or any when the provider took any.
fn portal_listener(provider: SocketAddr, asked: u16) -> Outcome<std::net::TcpListener> {
    let port = if asked == 0 { 0 } else { provider.port().saturating_add(1) };
    server::listen(SocketAddr::new(provider.ip(), port))
}

fn config(options: &Options, issuer: &str, listen: SocketAddr) -> Outcome<Config> {
    let file = std::path::absolute(options.data.join("habilis.db"))?;
    let database = options.database.clone().unwrap_or_else(|| format!("sqlite://{}", file.display()));
    let file = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    let settings = [
        ("SERVER__TLS_CERTIFICATE_FILE", file(&options.tls_certificate_file)),
        ("SERVER__TLS_KEY_FILE", file(&options.tls_key_file)),
        ("SERVER__ISSUER", issuer.to_owned()),
        ("SERVER__LISTEN", listen.to_string()),
        ("SERVER__TRUSTED_PROXIES", String::new()),
        ("DATABASE__URL", database),
        ("REGISTRATION__OPEN", "true".to_owned()),
        ("SECOND_FACTOR__REQUIRED_OF", options.second_factor_of.clone()),
        ("SECOND_FACTOR__MAIL_REMOVAL_AFTER_HOURS", "24".to_owned()),
        ("MAIL__TRANSPORT", "memory".to_owned()),
        ("API_KEYS__ENVIRONMENT", "demo".to_owned()),
        ("REGISTRATION__OPEN", "true".to_owned()),
        ("REGISTRATION__CLIENTS_PER_ADDRESS_PER_MINUTE", "1000".to_owned()),
        ("LEGACY__RESPONSE_TYPES", options.legacy.to_string()),
        ("LEGACY__AT_REGISTRATION", options.legacy.to_string()),
        ("FETCH__ALLOW_PRIVATE_ADDRESSES", "true".to_owned()),
        ("FETCH__REQUEST_URIS", options.request_uris.to_string()),
        // Tests and load generators all come from one address.
        ("SIGN_IN__FAILURES_PER_ADDRESS_PER_HOUR", "10000".to_owned()),
        ("SIGN_IN__FAILURES_PER_NETWORK_PER_HOUR", "100000".to_owned()),
        ("ACCOUNTS__SELF_REGISTRATION", "true".to_owned()),
        ("SIGN_IN__INTERACTIONS_PER_ADDRESS_PER_MINUTE", "1000000".to_owned()),
    ];
    let settings = settings.map(|(name, value)| (format!("HABILIS__{name}"), value));
    let log = std::env::vars()
        .filter(|(name, _)| name.starts_with("HABILIS__LOG__") || name == "HABILIS__FETCH__EXTRA_ROOTS_FILE");
    Ok(Config::load(None, settings.into_iter().chain(log).chain(options.set.iter().cloned()))?)
}

fn master_key(data: &Path) -> Outcome<habilis_keys::seal::MasterKey> {
    let path = data.join("habilis.key");
    if path.exists() { read_master_key(&path) } else { create_master_key(&path) }
}

/// Writes `demo.json` (aside, then renamed) and tells the person at the terminal where to go.
fn announce(options: &Options, demo: &Demo, facts: &Value) -> Outcome<()> {
    let partial = options.data.join(".demo.json");
    std::fs::write(&partial, facts.to_string())?;
    std::fs::rename(&partial, options.data.join("demo.json"))?;
    let mut text = "\nHabilis, demonstration. Everybody in it is fictitious.\n\n".to_owned();
    for (name, href) in &demo.places {
        let _ = writeln!(text, "  {name:<10} {href}");
    }
    text.push_str("\n  sign in as\n");
    for person in demo.seed.people.iter().take(3) {
        let _ = writeln!(text, "    {:<34} {:<28} {}", person.login, person.password, person.kind);
    }
    let _ = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
    Ok(())
}

fn router(demo: Arc<Demo>) -> Router<App> {
    Router::new()
        .route("/demo", get(index))
        .route("/demo/people.json", get(people))
        .route("/demo/clients.json", get(clients))
        .route("/demo/resource", get(resource::get))
        .route("/demo/components", get(components))
        .route("/demo/mailbox", get(mailbox::page))
        .route("/demo/mailbox.json", get(mailbox::json))
        .route("/demo/clock", form(clock::get, clock::post))
        .layer(axum::Extension(demo))
}

type Shared = axum::Extension<Arc<Demo>>;

async fn index(State(app): State<App>, axum::Extension(demo): Shared, origin: Origin, cookies: Cookies) -> Outcome {
    let locale = origin.locale(None);
    let (browser, is_new) = match cookies.browser {
        Some(browser) => (browser, false),
        None => (Browser::named_at_random(), true),
    };
    let places = demo.places.iter().map(|(place, href)| DemoPlace {
        name: match *place {
            "portal" => locale.text("demo-place-portal"),
            "closed" => locale.text("demo-place-closed"),
            "console" => locale.text("demo-place-console"),
            "demo" => locale.text("demo-place-demo"),
            "mailbox" => locale.text("demo-place-mailbox"),
            "discovery" => locale.text("demo-place-discovery"),
            _ => locale.text("demo-place-metrics"),
        },
        detail: String::new(),
        href: href.clone(),
    });
    let page = DemoIndex {
        chrome: chrome(&app, locale, "/demo"),
        places: places.collect(),
        people: demo.seed.people.iter().map(seed::DemoPerson::row).collect(),
        clock: Some(clock::form(&app, &browser)),
    };
    let mut response = render(StatusCode::OK, &page)?;
    if is_new {
        cookies::set_browser(&app, &mut response, &browser);
    }
    Ok(response)
}

async fn components(State(app): State<App>, origin: Origin) -> Outcome {
    render(StatusCode::OK, &pages::Components { chrome: chrome(&app, origin.locale(None), "/demo/components") })
}

async fn people(axum::Extension(demo): Shared) -> Json<Value> {
    Json(json!(demo.seed.people))
}

async fn clients(axum::Extension(demo): Shared) -> Json<Value> {
    Json(demo.seed.clients_json())
}
