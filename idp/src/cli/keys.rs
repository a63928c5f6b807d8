//! `habilis keys`: the master key, and the signing keys.

use clap::Subcommand;
use habilis_keys::jws::Algorithm;
use habilis_keys::keyring::Rotation;

use super::{create_master_key, master_key, open_migrated, say};
use crate::clock::Clock;
use crate::config::Config;
use crate::keyring::{ALGORITHMS, KeyRing};
use crate::outcome::{Fault, Outcome};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create the master key file, readable by its owner alone. Keep a copy apart from the database's backups.
    Init,
    /// List the signing keys.
    List,
    /// Publish new signing keys now; they sign after the announcement time, the old ones stay until no token needs them.
    Rotate {
        /// Only this algorithm: RS256, PS256, ES256 or EdDSA.
        #[arg(long)]
        algorithm: Option<String>,
        /// A compromised key: it is withdrawn at once and its tokens stop being accepted.
        #[arg(long, value_name = "KID", conflicts_with = "algorithm")]
        compromised: Option<String>,
    },
}

pub(super) async fn run(command: Command, config: Config) -> Outcome<()> {
    let path = &config.keys.master_key_file;
    if matches!(command, Command::Init) {
        create_master_key(path)?;
        say(format_args!("created {}; without it the database's secrets cannot be read", path.display()));
        return Ok(());
    }
    let now = Clock::System.now();
    let master = master_key(&config.keys)?;
    let db = open_migrated(&config).await?;
    let ring = KeyRing::open(&db, master, &config.keys, now).await?;
    match command {
        Command::Init | Command::List => {}
        Command::Rotate { compromised: Some(kid), .. } => {
            if !ring.rotate_now(&db, Rotation::Emergency { kid: &kid }, now).await? {
                return Err(Fault::new(format!("there is no signing key {kid}")));
            }
        }
        Command::Rotate { algorithm, compromised: None } => {
            for algorithm in chosen(algorithm.as_deref())? {
                ring.rotate_now(&db, Rotation::Planned { algorithm }, now).await?;
            }
        }
    }
    for key in ring.list(now) {
        let dates = key.dates;
        let until = dates.remove_at.map_or_else(|| "-".to_owned(), |at| at.to_string());
        say(format_args!(
            "{}  {:5}  {:8}  signs from {}  published until {until}",
            dates.kid,
            dates.algorithm.as_str(),
            key.state,
            dates.sign_from
        ));
    }
    db.close().await;
    Ok(())
}

fn chosen(name: Option<&str>) -> Outcome<Vec<Algorithm>> {
    match name {
        None => Ok(ALGORITHMS.to_vec()),
        Some(name) => match name.parse() {
            Ok(algorithm) if ALGORITHMS.contains(&algorithm) => Ok(vec![algorithm]),
            _ => Err(Fault::new(format!("{name} is not one of RS256, PS256, ES256, EdDSA"))),
        },
    }
}
