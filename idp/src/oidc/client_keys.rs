//! The public keys of a client, registered or fetched from its `jwks_uri`, and what it signed with them: assertions (RFC 7523)
//! and request objects (RFC 9101).

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use habilis_keys::jwk::Jwks;
use habilis_keys::jws::{Algorithm, Unverified};
use jiff::{SignedDuration, Timestamp};
use moka::sync::Cache;
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use super::client::Client;
use crate::app::App;
use crate::outcome::Outcome;

/// A client's document is asked for no more often than this, whatever is signed under keys it does not hold.
const ASK_EVERY: SignedDuration = SignedDuration::from_secs(30);
/// Keys are asked for again after so long even when they serve, so that one the client withdrew stops serving.
const STALE_AFTER: SignedDuration = SignedDuration::from_mins(15);
/// Documents remembered, and for how long after their last use.
const MOST_DOCUMENTS: u64 = 2_000;
const FORGET_AFTER: Duration = Duration::from_hours(24);

/// Keys fetched from clients, by client and address.
pub struct FetchedKeys(Cache<(String, String), Arc<Document>>);

/// The document of one client.
#[derive(Default)]
struct Document {
    known: RwLock<Known>,
    /// When it was asked for last; held while asking, so that one request asks and the others wait.
    asked_at: Mutex<Option<Timestamp>>,
}

#[derive(Default, Clone)]
struct Known {
    keys: Arc<Jwks>,
    fetched_at: Option<Timestamp>,
}

impl FetchedKeys {
    /// Nothing fetched yet.
    pub fn new() -> Self {
        Self(Cache::builder().max_capacity(MOST_DOCUMENTS).time_to_idle(FORGET_AFTER).build())
    }

    fn of(&self, client: &str, uri: &str) -> Arc<Document> {
        self.0.get_with((client.to_owned(), uri.to_owned()), Arc::default)
    }
}

impl Default for FetchedKeys {
    fn default() -> Self {
        Self::new()
    }
}

impl Document {
    fn known(&self) -> Known {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks for the document, unless that was done a moment ago. A failure leaves the keys as they were.
    async fn refresh(&self, app: &App, (client, uri): (&str, &str), now: Timestamp) {
        let mut asked_at = self.asked_at.lock().await;
        if asked_at.is_some_and(|before| now.duration_since(before) < ASK_EVERY) {
            return;
        }
        *asked_at = Some(now);
        let fetched = match app.fetcher.get(uri).await {
            Ok(body) => Jwks::parse(&body).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match fetched {
            Ok(keys) => {
                let known = Known { keys: Arc::new(keys), fetched_at: Some(now) };
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
            }
            Err(cause) => tracing::warn!(event = "jwks_not_fetched", client, cause),
        }
    }
}

/// The algorithm a token of the client is signed with, if its profile and its registration allow it.
pub fn allowed_algorithm(client: &Client, token: &Unverified, registered: Option<&str>) -> Option<Algorithm> {
    let allowed = client.settings.profile.rules().algorithms;
    token.header().alg.parse::<Algorithm>().ok().filter(|algorithm| {
        let name = algorithm.as_str();
        allowed.contains(&name) && registered.is_none_or(|registered| registered == name)
    })
}

/// The claims of a token that one of the client's keys signed; none when none did.
///
/// # Errors
/// A fault while getting at the keys.
pub async fn signed_by(
    app: &App,
    client: &Client,
    (token, algorithm): (&Unverified, Algorithm),
    now: Timestamp,
) -> Outcome<Option<Map<String, Value>>> {
    let kid = token.header().kid.as_deref();
    let verify = |keys: &Jwks| keys.candidates(kid, algorithm).find_map(|key| token.verify(key, algorithm).ok());
    let Some(uri) = client.metadata.jwks_uri.as_deref() else {
        return Ok(client.metadata.jwks.as_ref().and_then(verify));
    };
    let document = app.fetched_keys.of(&client.id, uri);
    let known = document.known();
    let fresh = known.fetched_at.is_some_and(|at| now.duration_since(at) < STALE_AFTER);
    // OIDC Core §10.1.1: a key that is not there may be a new one; without a name for it, any failure may mean that.
    let lacks_key = known.keys.candidates(kid, algorithm).next().is_none();
    if fresh
        && !lacks_key
        && let verified @ Some(_) = verify(&known.keys)
    {
        return Ok(verified);
    }
    if !fresh || lacks_key || kid.is_none() {
        document.refresh(app, (&client.id, uri), now).await;
    }
    Ok(verify(&document.known().keys))
}
