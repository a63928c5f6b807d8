//! The command line: `serve`, `demo`, and what an operator does beside the running server.

mod client;
mod jobs;
mod keys;
mod mail;
mod operator;
mod organization;
mod passwords;
mod person;
mod policy;
mod resource;
mod second_factor;
mod serve;

use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use habilis_keys::seal::MasterKey;
use habilis_keys::secret::Secret;
use tracing_subscriber::EnvFilter;

use crate::clock::Clock;
use crate::config::{self, Config, LogFormat};
use crate::db::Db;
use crate::demo;
use crate::login::leaked::LeakedList;
use crate::outcome::{Fault, Outcome};
use crate::tls;

/// Self-hosted identity and access server for the training sector.
#[derive(Debug, Parser)]
#[command(name = "habilis", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Configuration file over the defaults; without it, ./habilis.toml when there is one.
    #[arg(long, global = true, value_name = "FILE", env = "HABILIS_CONFIG")]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server.
    Serve,
    /// Run a demonstration on this machine: provider, sample portal, fictitious people, mailbox, movable clock.
    Demo(demo::Options),
    /// Bring the database schema up to date.
    Migrate,
    /// Look at the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Staff of the operator.
    #[command(subcommand)]
    Operator(operator::Command),
    /// Second factors: who must have one, and the reset for somebody who lost theirs.
    #[command(subcommand)]
    SecondFactor(second_factor::Command),
    /// Organizations.
    #[command(subcommand)]
    Organization(organization::Command),
    /// People and their invitations.
    #[command(subcommand)]
    Person(person::Command),
    /// Mail: what came back.
    #[command(subcommand)]
    Mail(mail::Command),
    /// All that expires: what waits, what is due, what would be said until a day.
    #[command(subcommand)]
    Jobs(jobs::Command),
    /// Client applications.
    #[command(subcommand)]
    Client(client::Command),
    /// Protected resources that access tokens can be issued for.
    #[command(subcommand)]
    Resource(resource::Command),
    /// Passwords: the list of leaked ones.
    #[command(subcommand)]
    Passwords(passwords::Command),
    /// Signing keys and the master key.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Who may do what through the management API.
    #[command(subcommand)]
    Policy(policy::Command),
    /// Print the OpenAPI description of the HTTP interface.
    Openapi {
        /// Of the management API instead of the protocol.
        #[arg(long)]
        management: bool,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Report every problem of the configuration, the master key file included.
    Check,
    /// Print the commented defaults: the documentation of every setting.
    Defaults,
}

/// Runs a command.
pub fn run(cli: Cli) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.to_string()),
    };
    // Several TLS providers could be compiled in; this names ours before anything can ask.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return fail("a TLS provider was installed before ring");
    }
    match runtime.block_on(dispatch(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => fail(&format!("{fault:?}")),
    }
}

fn fail(message: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "habilis: {}", message.trim_end());
    ExitCode::FAILURE
}

/// Prints a line of a command's result.
fn say(line: impl std::fmt::Display) {
    // A reader that left (`| head`) is no reason to fail.
    let _ = writeln!(std::io::stdout(), "{line}");
}

async fn dispatch(cli: Cli) -> Outcome<()> {
    let load = || load(cli.config.as_deref());
    match cli.command {
        Command::Demo(options) => demo::run(options).await,
        Command::Serve => serve::run(load()?).await,
        Command::Migrate => {
            let config = load()?;
            let db = open(&config).await?;
            let ran = db.migrate(Clock::System.now()).await?;
            db.close().await;
            say(format_args!("{ran} migration(s) ran; the schema is up to date"));
            Ok(())
        }
        Command::Config(ConfigCommand::Check) => {
            let config = load()?;
            master_key(&config.keys)?;
            tls::Files::of(&config.server).map(|files| files.read()).transpose()?;
            LeakedList::open(config.passwords.leaked_file.as_ref()).map_err(Fault::new)?;
            say("the configuration is valid");
            Ok(())
        }
        Command::Config(ConfigCommand::Defaults) => {
            say(config::DEFAULTS.trim_end());
            Ok(())
        }
        Command::Operator(command) => operator::run(command, load()?).await,
        Command::SecondFactor(command) => second_factor::run(command, load()?).await,
        Command::Organization(command) => organization::run(command, load()?).await,
        Command::Person(command) => person::run(command, load()?).await,
        Command::Mail(command) => mail::run(command, load()?).await,
        Command::Jobs(command) => jobs::run(command, load()?).await,
        Command::Client(command) => client::run(command, load()?).await,
        Command::Resource(command) => resource::run(command, load()?).await,
        Command::Passwords(command) => passwords::run(command, load).await,
        Command::Keys(command) => keys::run(command, load()?).await,
        Command::Policy(command) => policy::run(command, load),
        Command::Openapi { management } => {
            if management {
                say(serde_json::to_string_pretty(&crate::api::openapi())?);
            } else {
                say(crate::oidc::openapi::document()?);
            }
            Ok(())
        }
    }
}

fn load(file: Option<&Path>) -> Outcome<Config> {
    let here = Path::new("habilis.toml");
    let file = file.or_else(|| here.exists().then_some(here));
    Ok(Config::load(file, std::env::vars())?)
}

async fn open(config: &Config) -> Outcome<Db> {
    Ok(Db::open(config.database.url.expose(), config.database.connections).await?)
}

/// Opens the database and brings the schema up to date.
async fn open_migrated(config: &Config) -> Outcome<Db> {
    let db = open(config).await?;
    db.migrate(Clock::System.now()).await?;
    Ok(db)
}

/// The master key, from the environment or its file.
fn master_key(keys: &config::Keys) -> Outcome<MasterKey> {
    if !keys.master_key.expose().is_empty() {
        return Ok(MasterKey::parse(keys.master_key.expose())?);
    }
    read_master_key(&keys.master_key_file)
}

/// Reads a master key file that its owner alone may read.
///
/// # Errors
/// The file is missing, readable by others, or not a key.
pub fn read_master_key(path: &Path) -> Outcome<MasterKey> {
    let shown = path.display();
    let metadata = std::fs::metadata(path)
        .map_err(|error| Fault::new(format!("master key file {shown}: {error}; `habilis keys init` creates one")))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Fault::new(format!(
            "master key file {shown} is readable by others (mode {mode:03o}); run: chmod 600 {shown}"
        )));
    }
    let text = Secret::new(
        std::fs::read_to_string(path).map_err(|error| Fault::new(format!("master key file {shown}: {error}")))?,
    );
    MasterKey::parse(text.expose().trim()).map_err(|error| Fault::new(format!("master key file {shown}: {error}")))
}

/// Creates a master key file that its owner alone may read; never overwrites one.
///
/// # Errors
/// The file exists, or cannot be written.
pub fn create_master_key(path: &Path) -> Outcome<MasterKey> {
    let key = MasterKey::generate();
    let failed = |error: std::io::Error| Fault::new(format!("master key file {}: {error}", path.display()));
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    file.write_all(key.to_base64().expose().as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    Ok(key)
}

/// Starts the log: one line an event on standard error.
///
/// # Errors
/// The filter cannot be read, or a log was started before.
pub fn start_log(log: &config::Log) -> Outcome<()> {
    let filter = EnvFilter::try_new(&log.filter)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match log.format {
        LogFormat::Text => builder.with_ansi(false).with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_target(false).try_init(),
    };
    started.map_err(|error| Fault::new(error.to_string()))
}
