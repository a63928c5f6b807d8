//! Back-channel logout (OpenID Connect Back-Channel Logout 1.0): each client that knew of a session that ended gets a signed
//! logout token, from server to server.
//!
//! What is to be told lies in an outbox since the transaction that ended the session; the token is signed anew for each attempt,
//! because it lives two minutes. The first attempt is made right after the commit, the others by the jobs.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::client::Client;
use crate::app::App;
use crate::db::logout_outbox::{self, Claimed};
use crate::fetch::FetchError;
use crate::login::session::Ended;
use crate::outcome::Outcome;

/// The event that a logout token tells of (§2.4).
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// Life of a logout token (§2.4 recommends at most two minutes).
const LIFE: SignedDuration = SignedDuration::from_mins(2);
/// How long a node holds a logout it is delivering: well beyond [`TIME_LIMIT`](crate::fetch::TIME_LIMIT).
const HOLD: SignedDuration = SignedDuration::from_mins(1);
/// After so long without success a logout is given up.
const GIVE_UP: SignedDuration = SignedDuration::from_hours(24);
/// Logouts delivered at the same time by one round.
const BATCH: u32 = 16;
/// Rounds at the same time; what finds no place is delivered by the jobs a moment later.
const ROUNDS: usize = 8;

/// What delivers logout tokens, within the limits of [`fetch`](crate::fetch).
#[derive(Debug)]
pub struct Courier {
    rounds: Semaphore,
}

impl Courier {
    /// A courier with nothing under way.
    pub fn new() -> Self {
        Self { rounds: Semaphore::new(ROUNDS) }
    }
}

impl Default for Courier {
    fn default() -> Self {
        Self::new()
    }
}

/// What became of an attempt.
enum Delivery {
    /// 200, or 204 as some servers answer (§2.8).
    Accepted(String),
    /// To be tried again.
    Later(String),
    /// The client refuses (400), or wants to hear nothing any more.
    Never(String),
}

/// Begins to deliver what the end of a session put into the outbox, and does not wait for it.
pub fn deliver_soon(app: &App, ended: &Ended) {
    if ended.clients.iter().any(|client| client.metadata.backchannel_logout_uri.is_some()) {
        let app = app.clone();
        tokio::spawn(async move {
            let now = app.clock.now();
            if let Err(fault) = deliver_due(&app, now).await {
                tracing::error!(event = "logout_delivery_failed", cause = ?fault);
            }
        });
    }
}

/// Delivers what is due, several at a time, and waits for the answers.
///
/// # Errors
/// The database failed, or signing did. A client that does not answer is no error: it is tried again later.
pub async fn deliver_due(app: &App, now: Timestamp) -> Outcome<()> {
    let Ok(_place) = app.logouts.rounds.try_acquire() else { return Ok(()) };
    loop {
        let until = now.saturating_add(HOLD)?;
        let mut single = app.db.single().await?;
        let claimed = logout_outbox::claim(&mut single, now, until, BATCH).await?;
        single.commit().await?;
        let last = claimed.len() < BATCH as usize;
        let mut round = JoinSet::new();
        for logout in claimed {
            let app = app.clone();
            round.spawn(async move { deliver(&app, &logout, now).await });
        }
        while let Some(done) = round.join_next().await {
            done??;
        }
        if last {
            return Ok(());
        }
    }
}

async fn deliver(app: &App, logout: &Claimed, now: Timestamp) -> Outcome<()> {
    let delivery = match app.client(&logout.client_id).await? {
        Some(client) => send(app, &client, logout, now).await?,
        None => Delivery::Never("the client is gone".to_owned()),
    };
    let mut single = app.db.single().await?;
    let outcome = match delivery {
        Delivery::Accepted(answer) => {
            logout_outbox::delivered(&mut single, &logout.id, now, &answer).await?;
            "delivered"
        }
        Delivery::Later(answer) => {
            let age = now.duration_since(logout.created_at.into());
            let next = if age > GIVE_UP { None } else { Some(now.saturating_add(backoff(logout.attempts))?) };
            tracing::warn!(
                event = "logout_delayed",
                logout = logout.id,
                client = logout.client_id,
                attempts = logout.attempts,
                answer
            );
            logout_outbox::failed(&mut single, &logout.id, next, &answer).await?;
            if next.is_some() { "delayed" } else { "given_up" }
        }
        Delivery::Never(answer) => {
            tracing::warn!(event = "logout_refused", logout = logout.id, client = logout.client_id, answer);
            logout_outbox::failed(&mut single, &logout.id, None, &answer).await?;
            "refused"
        }
    };
    single.commit().await?;
    metrics::counter!("habilis_logout_tokens_total", "outcome" => outcome).increment(1);
    Ok(())
}

async fn send(app: &App, client: &Client, logout: &Claimed, now: Timestamp) -> Outcome<Delivery> {
    let Some(uri) = client.backchannel_logout_uri(&app.config) else {
        return Ok(Delivery::Never("the client has no usable backchannel_logout_uri".to_owned()));
    };
    let token = logout_token(app, client, logout, now)?;
    Ok(match app.fetcher.post(uri, &[("logout_token", &token)]).await {
        Ok(status @ (200 | 204)) => Delivery::Accepted(status.to_string()),
        Ok(400) => Delivery::Never("400".to_owned()),
        Ok(status) => Delivery::Later(status.to_string()),
        Err(error @ FetchError::Address) => Delivery::Never(error.to_string()),
        Err(error) => Delivery::Later(error.to_string()),
    })
}

/// A logout token (§2.4): of the type and with the algorithm the client expects, and never a `nonce`, so that it passes for no
/// ID token.
fn logout_token(app: &App, client: &Client, logout: &Claimed, now: Timestamp) -> Outcome<String> {
    let claims = json!({
        "iss": app.config.server.issuer,
        "aud": client.id,
        "iat": now.as_second(),
        "exp": now.as_second() + LIFE.as_secs(),
        "jti": habilis_keys::random::id("lgt", now),
        "events": { EVENT: {} },
        "sub": app.subjects.of(client, &logout.person_id),
        "sid": logout.sid,
    });
    app.keys.sign(client.id_token_algorithm, Some("logout+jwt"), &claims, now)
}

/// Ten seconds, then forty, ninety… at most an hour.
fn backoff(attempts: i64) -> SignedDuration {
    SignedDuration::from_secs(attempts.saturating_mul(attempts).saturating_mul(10).clamp(10, 3600))
}
