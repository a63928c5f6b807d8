//! What every handler gets: configuration, clock, database, keys, and the few caches.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use habilis_keys::seal::MasterKey;
use habilis_keys::token::{HmacKey, derive};
use habilis_policies::authorization::Engine;
use moka::future::Cache;
use tokio::sync::{Notify, Semaphore};
use webauthn_rs::Webauthn;

use crate::api_keys::ApiKeys;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::{Db, leases};
use crate::events::deliver::Deliveries;
use crate::fetch::Fetcher;
use crate::keyring::KeyRing;
use crate::lifecycle::Lifecycle;
use crate::login::hasher::Hasher;
use crate::login::leaked::LeakedList;
use crate::oidc::backchannel_logout::Courier;
use crate::oidc::client::Client;
use crate::oidc::client_keys::FetchedKeys;
use crate::oidc::initial_access::InitialAccess;
use crate::oidc::request_uri::FetchedRequests;
use crate::oidc::subject::Subjects;
use crate::outcome::{Fault, Outcome};
use crate::web::rate::RateLimit;

/// How long a node may go on with a client as it was before another node changed it (R083: dead within five seconds).
const CLIENT_CACHE: Duration = Duration::from_secs(4);

/// The application. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// See [`App`].
pub struct Inner {
    /// Configuration.
    pub config: Config,
    /// The clock.
    pub clock: Clock,
    /// The database.
    pub db: Db,
    /// Who may do what through the management API.
    pub authorization: Engine,
    /// Signing keys.
    pub keys: KeyRing,
    /// Key of the tokens in forms.
    pub forms: HmacKey,
    /// Key of the digests of recovery codes.
    pub recovery: HmacKey,
    /// Passkeys; none where the issuer is an address rather than a name.
    pub passkeys: Option<Webauthn>,
    /// By what names clients know people.
    pub subjects: Subjects,
    /// Initial access tokens of client registration.
    pub initial_access: InitialAccess,
    /// Password hashing, bounded.
    pub hasher: Hasher,
    /// Passwords nobody may choose.
    pub leaked: Arc<LeakedList>,
    /// Clients read lately.
    pub clients: Cache<String, Option<Arc<Client>>>,
    /// Places for requests at the same time.
    pub places: Semaphore,
    /// Sign-ins begun lately, by network.
    pub begun: RateLimit,
    /// Clients registered lately, by network.
    pub registered: RateLimit,
    /// Calls of the management API lately, by person or client.
    pub api_calls: RateLimit,
    /// API keys of apprenticeship centres read lately, and their uses.
    pub api_keys: ApiKeys,
    /// Fetches what clients point at.
    pub fetcher: Fetcher,
    /// Keys fetched from clients.
    pub fetched_keys: FetchedKeys,
    /// Request objects fetched from clients.
    pub fetched_requests: FetchedRequests,
    /// Rung when mail was put into the outbox.
    pub mail_waiting: Notify,
    /// Rung when long work was put into the table of jobs.
    pub work_waiting: Notify,
    /// What the engine of all that expires needs of a process.
    pub lifecycle: Lifecycle,
    /// Tells clients that a session ended.
    pub logouts: Courier,
    /// Delivers events to webhooks.
    pub deliveries: Deliveries,
}

impl Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl App {
    /// Puts the application together: reads the key ring, makes the first keys when there are none.
    ///
    /// # Errors
    /// The database failed, the keys in it were sealed under another master key, TLS has no trusted roots, or the list of
    /// leaked passwords or the operator's rules cannot be used.
    pub async fn start(config: Config, clock: Clock, db: Db, master: MasterKey) -> Outcome<Self> {
        let recovery = HmacKey::new(derive(master.to_base64().expose().as_bytes(), "recovery-codes").as_bytes());
        let passkeys = crate::login::passkey::relying_party(&config);
        let forms = HmacKey::new(derive(master.to_base64().expose().as_bytes(), "forms").as_bytes());
        let (subjects, initial_access) = (Subjects::new(&master), InitialAccess::new(&master));
        let keys = KeyRing::open(&db, master, &config.keys, clock.now()).await?;
        if let Db::Sqlite { .. } = &db {
            // The file is this process's alone: whoever held a lease on its work is dead.
            let mut tx = db.begin().await?;
            leases::clear(&mut tx).await?;
            tx.commit().await?;
        }
        let lifecycle = Lifecycle::new(&clock);
        let places = Semaphore::new(config.server.max_requests);
        let begun = RateLimit::per_minute(config.sign_in.interactions_per_address_per_minute);
        let registered = RateLimit::per_minute(config.registration.clients_per_address_per_minute);
        let api_calls = RateLimit::per_minute(config.api.requests_per_minute);
        let api_keys = ApiKeys::new(&config);
        let fetcher = Fetcher::new(&config.fetch)?;
        let hasher = Hasher::new(&config.password_hash, config.hash_params());
        let leaked = Arc::new(LeakedList::open(config.passwords.leaked_file.as_ref()).map_err(Fault::new)?);
        let authorization = crate::authorization::engine(config.authorization.rules_file.as_deref())
            .map_err(|problems| Fault::new(format!("authorization.rules_file {}", problems.join("\n"))))?;
        Ok(Self(Arc::new(Inner {
            config,
            clock,
            db,
            keys,
            forms,
            recovery,
            passkeys,
            subjects,
            initial_access,
            hasher,
            leaked,
            clients: Cache::builder().max_capacity(10_000).time_to_live(CLIENT_CACHE).build(),
            places,
            begun,
            registered,
            api_calls,
            api_keys,
            authorization,
            fetcher,
            fetched_keys: FetchedKeys::new(),
            fetched_requests: FetchedRequests::new(),
            mail_waiting: Notify::new(),
            work_waiting: Notify::new(),
            lifecycle,
            logouts: Courier::new(),
            deliveries: Deliveries::default(),
        })))
    }

    /// Finds a client, at most four seconds old.
    ///
    /// # Errors
    /// The database failed.
    pub async fn client(&self, id: &str) -> Outcome<Option<Arc<Client>>> {
        // No client has such an id, and PostgreSQL refuses to be asked for a NUL.
        if id.len() > 256 || id.contains('\0') {
            return Ok(None);
        }
        if let Some(known) = self.clients.get(id).await {
            return Ok(known);
        }
        let row = crate::db::clients::find(&mut self.db.reader().await?, id).await?;
        let client = row.map(Client::from_row).transpose()?.map(Arc::new);
        self.clients.insert(id.to_owned(), client.clone()).await;
        Ok(client)
    }
}
