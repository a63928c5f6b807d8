//! API keys of apprenticeship centres at work (R100–R104): finding out what a key that was presented opens.
//!
//! What is read of a key is kept for three seconds, so that a check costs no query and a revocation reaches every node within
//! five (R083); the node that revokes forgets at once. Dates are held against the clock at every use: a key dies at its second.

mod fate;
mod uses;
mod vendor;

pub(crate) use fate::compromised;
pub use fate::{follow_subscription, happened_to_issuer, happened_to_organization, last_day, subscription_ends};
pub use uses::{Software, Used, flush};
pub use vendor::{Vendor, vendor};

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use habilis_keys::api_key;
use habilis_keys::token::same;
use habilis_policies::api_keys::{Attempt, Centre, Key, KeyRefusal, dies_at, judge, token_expiry};
use habilis_policies::calendar;
use habilis_policies::identifiers::{Siren, Siret};
use habilis_policies::networks::Network;
use habilis_policies::orders::{Order, Orders};
use habilis_policies::scopes::Scope;
use jiff::{SignedDuration, Timestamp};
use moka::future::Cache;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::config::Config;
use crate::db::api_keys::{self, KnownKey};
use crate::db::orders;
use crate::outcome::{Fault, Outcome};
use crate::web::Origin;
use crate::web::rate::RateLimit;

/// How long a node goes on with what it read.
const KEEP: Duration = Duration::from_secs(3);
const MAX_KEPT: u64 = 50_000;

/// What a node remembers of keys.
pub struct ApiKeys {
    known: Cache<String, Option<Arc<Known>>>,
    vendors: Cache<Vec<u8>, Arc<Vendor>>,
    unknown: RateLimit,
    uses: uses::Uses,
}

impl ApiKeys {
    /// Nothing yet.
    pub fn new(config: &Config) -> Self {
        Self {
            known: Cache::builder().max_capacity(MAX_KEPT).time_to_live(KEEP).build(),
            vendors: Cache::builder().max_capacity(MAX_KEPT).time_to_live(KEEP).build(),
            unknown: RateLimit::per_minute(config.api_keys.unknown_per_network_per_minute),
            uses: uses::Uses::default(),
        }
    }

    /// Forgets what was read: something changed.
    pub fn forget(&self) {
        self.known.invalidate_all();
        self.vendors.invalidate_all();
    }
}

/// A key and its centre.
#[derive(Debug)]
pub struct Known {
    /// `key_…`.
    pub id: String,
    /// The centre, `org_…`.
    pub organization: String,
    /// The readable part.
    pub handle: String,
    /// What the rules ask about.
    pub rule: Key,
    digest: Vec<u8>,
    siret: Option<String>,
    uai: Option<String>,
    issued_at: Timestamp,
    tokens_from: Timestamp,
    /// The first instant at which the centre's orders say something else.
    holds_until: Option<Timestamp>,
}

impl Known {
    fn from_row(row: KnownKey, orders: &[Order], now: Timestamp) -> Outcome<Self> {
        // The SIRET begins with the SIREN.
        let within = || row.siret.as_deref().and_then(|siret| Siret::parse(siret).ok()).map(|siret| siret.siren());
        let siren = row.siren.as_deref().and_then(|siren| Siren::parse(siren).ok()).or_else(within);
        let centre = match row.status.as_str() {
            "active" if row.kind == "cfa" => Centre::Active,
            "suspended" if row.kind == "cfa" => Centre::Suspended,
            _ => Centre::Ended,
        };
        let (interrupted, holds_until) = Orders(orders).interrupted(now);
        let centre = centre.subscribed(Orders(orders).last_day(None), interrupted, calendar::date_at(now));
        let networks = row.networks.split_ascii_whitespace().map(Network::parse).collect::<Result<_, _>>()?;
        let rule = Key {
            siren: siren.ok_or_else(|| Fault::new(format!("the centre of {} has no SIREN any more", row.id)))?,
            end_date: row.ends_on.parse()?,
            revoked_at: row.revoked_at.map(Timestamp::from),
            centre,
            scope: Scope::parse(&row.scopes)?,
            networks,
        };
        Ok(Self {
            id: row.id,
            organization: row.organization_id,
            handle: row.handle,
            rule,
            digest: row.digest,
            siret: row.siret,
            uai: row.uai,
            issued_at: row.created_at.into(),
            tokens_from: row.tokens_from.into(),
            holds_until,
        })
    }

    /// Says whether the key works for what is attempted.
    ///
    /// # Errors
    /// See [`judge`].
    pub fn admits(&self, attempt: &Attempt<'_>, now: Timestamp) -> Result<(), KeyRefusal> {
        judge(&self.rule, attempt, now)
    }

    /// Whether a token obtained with the key at `issued` is still good.
    pub fn carries(&self, issued: Timestamp, now: Timestamp) -> bool {
        let anything = Attempt { about: None, address: None, needs: &Scope::default() };
        issued >= self.tokens_from && self.admits(&anything, now).is_ok()
    }

    /// When a token obtained now ends: after `life`, never after the key (R102).
    ///
    /// # Errors
    /// The instant is out of the calendar.
    pub fn token_end(&self, life: SignedDuration, now: Timestamp) -> Outcome<Timestamp> {
        Ok(token_expiry(&self.rule, now.saturating_add(life)?))
    }

    /// When the key stops.
    pub fn dies_at(&self) -> Timestamp {
        dies_at(self.rule.end_date)
    }

    /// When it was issued.
    pub fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// What tokens and introspection say of the centre.
    pub fn claims(&self) -> Map<String, Value> {
        let mut claims = Map::new();
        let mut set = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                claims.insert(name.to_owned(), json!(value));
            }
        };
        set("org_id", Some(&self.organization));
        set("siren", Some(self.rule.siren.as_str()));
        set("siret", self.siret.as_deref());
        set("uai", self.uai.as_deref());
        set("key", Some(&self.handle));
        claims
    }

    /// SIRET of the centre.
    pub fn siret(&self) -> Option<&str> {
        self.siret.as_deref()
    }

    /// UAI code of the centre.
    pub fn uai(&self) -> Option<&str> {
        self.uai.as_deref()
    }
}

/// The key with this readable part, as it was at most three seconds ago.
///
/// # Errors
/// The database failed.
pub async fn find(app: &App, handle: &str) -> Outcome<Option<Arc<Known>>> {
    if handle.len() > 64 || handle.contains('\0') {
        return Ok(None);
    }
    let now = app.clock.now();
    let holds = |kept: &Option<Arc<Known>>| {
        kept.as_ref().and_then(|known| known.holds_until).is_none_or(|holds_until| now < holds_until)
    };
    if let Some(kept) = app.api_keys.known.get(handle).await.filter(holds) {
        return Ok(kept);
    }
    let mut reader = app.db.reader().await?;
    let known = match api_keys::known(&mut reader, handle).await? {
        Some(row) => {
            let orders = orders::all(&mut reader, &row.organization_id).await?;
            let rules: Vec<_> = orders.iter().map(orders::Order::rule).collect();
            Some(Arc::new(Known::from_row(row, &rules, now)?))
        }
        None => None,
    };
    app.api_keys.known.insert(handle.to_owned(), known.clone()).await;
    Ok(known)
}

/// Who presents a key, which decides how wrong ones are counted.
#[derive(Debug, Clone, Copy)]
pub enum Caller<'a> {
    /// A resource server that proved itself. It asks for others: not counted.
    ResourceServer,
    /// The client of a vendor that proved itself: by key, and its good keys never wait. One centre that tries wrong keys shuts out no
    /// other centre of the same vendor.
    Vendor(&'a str),
    /// Anybody else: by network, and then good keys wait too, so that guessing learns nothing.
    Anybody(&'a Origin),
}

/// Finds the key that was presented. Nothing is said yet of whether it works.
///
/// The checksum comes first: what is no key costs no look-up. The secret is compared in constant time, with that of nobody where the
/// readable part is unknown. Wrong keys are counted by their [`Caller`]: who presents too many has to wait.
///
/// # Errors
/// Outer: the database failed. Inner: missing, malformed, unknown, or too many unknown ones from there.
pub async fn open(app: &App, caller: Caller<'_>, text: Option<&str>) -> Outcome<Result<Arc<Known>, KeyRefusal>> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(Err(KeyRefusal::Missing)) };
    let Ok(presented) = api_key::parse(text, &app.config.api_keys.environment) else {
        return Ok(Err(KeyRefusal::Malformed));
    };
    let guesses = &app.api_keys.unknown;
    let network = if let Caller::Anybody(origin) = caller { Some(origin.network()) } else { None };
    if network.as_ref().is_some_and(|network| guesses.is_exhausted(network)) {
        return Ok(Err(KeyRefusal::TooManyGuesses));
    }
    let found = find(app, &presented.handle).await?;
    let nobody = [0; 32];
    let right = same(found.as_ref().map_or(&nobody[..], |known| &known.digest), &presented.digest);
    match found {
        Some(known) if right => Ok(Ok(known)),
        found => {
            metrics::counter!("habilis_unknown_api_keys_total").increment(1);
            let counted = match caller {
                Caller::ResourceServer => None,
                Caller::Vendor(client) => {
                    Some(format!("{client} {}", found.as_ref().map_or("", |known| &known.handle)))
                }
                Caller::Anybody(_) => network,
            };
            let admitted = counted.is_none_or(|counted| guesses.admit(&counted));
            Ok(Err(if admitted { KeyRefusal::Unknown } else { KeyRefusal::TooManyGuesses }))
        }
    }
}

/// What is attempted from `address` within the centres `about`, of which each must be the key's.
pub fn attempt<'a>(
    known: &Known,
    about: &[Option<&'a Siren>],
    (address, needs): (Option<IpAddr>, &'a Scope),
) -> Attempt<'a> {
    let about = about.iter().flatten().find(|siren| ***siren != known.rule.siren).copied();
    Attempt { about, address, needs }
}
