//! `habilis keys`: the master key, and the signing keys.

use clap::Subcommand;
use habilis_keys::jws::Algorithm;
use habilis_keys::keyring::Rotation;
use jiff::Timestamp;

use super::{create_master_key, master_key, open_migrated, say};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::Db;
use crate::db::audit::Event;
use crate::keyring::{self, ALGORITHMS, KeyRing};
use crate::mail::Post;
use crate::outcome::{Fault, Outcome};
use crate::rotation::{self, Withdrawal};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create the master key file, readable by its owner alone. Keep a copy apart from the database's backups.
    Init,
    /// List the signing keys, also those retired within a year.
    List,
    /// Publish new signing keys now; they sign after the announcement time, the old ones stay until no token needs them.
    Rotate {
        /// Only this algorithm: RS256, PS256, ES256 or EdDSA.
        #[arg(long)]
        algorithm: Option<String>,
        /// A compromised key, also a retired one: it is withdrawn at once, and nothing it signed is accepted. Operators and data protection
        /// officers are told.
        #[arg(long, value_name = "KID", conflicts_with = "algorithm")]
        compromised: Option<String>,
        /// Why it is compromised, for the audit trail and the letter.
        #[arg(long, requires = "compromised")]
        reason: Option<String>,
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
        Command::Rotate { compromised: Some(kid), reason, .. } => {
            let reason = reason.as_deref().unwrap_or("compromised");
            withdraw(&config, (&db, &ring), Withdrawal { kid: &kid, reason, by: "cli" }, now).await?;
        }
        Command::Rotate { algorithm, compromised: None, .. } => {
            announce((&db, &ring), &chosen(algorithm.as_deref())?, now).await?;
        }
    }
    for key in keyring::lines(&mut db.reader().await?, now).await? {
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

async fn announce((db, ring): (&Db, &KeyRing), algorithms: &[Algorithm], now: Timestamp) -> Outcome<()> {
    let made = ring.make_for(&rotation::planned(algorithms), now).await?;
    let mut tx = db.begin().await?;
    let event = Event::new("signing_keys.announced").by("cli");
    rotation::announce(&mut tx, ring, (algorithms, made, event), now).await?;
    Ok(tx.commit().await?)
}

async fn withdraw(
    config: &Config,
    (db, ring): (&Db, &KeyRing),
    withdrawal: Withdrawal<'_>,
    now: Timestamp,
) -> Outcome<()> {
    let post = Post { config, master: ring.master() };
    let made = ring.make_for(&[Rotation::Emergency { kid: withdrawal.kid }], now).await?;
    let mut tx = db.begin().await?;
    let event = Event::new("signing_key.withdrawn").by("cli");
    if !rotation::withdraw(&mut tx, (ring, post), (withdrawal, made, event), now).await? {
        return Err(Fault::new(format!("there is no signing key {}", withdrawal.kid)));
    }
    Ok(tx.commit().await?)
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
