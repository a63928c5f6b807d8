//! Delivery of events to webhooks, signed as Standard Webhooks 1.0 says.
//!
//! A node takes on a webhook for a turn and delivers what is due there, one after the other, until nothing is or the receiver
//! fails: so a slow receiver keeps a place, and delays nobody. Webhooks take turns, who waited longest first. A node that dies in a
//! turn leaves a claim that runs out; what it may have sent is sent again under the same id.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, PoisonError};

use habilis_keys::secret::Secret;
use habilis_keys::{random, webhook};
use habilis_policies::{calendar, webhooks as rules};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet};

use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::events::OPERATOR;
use crate::db::webhook_deliveries::{self as deliveries, Delivery};
use crate::db::webhooks::{self, Webhook};
use crate::db::{Tx, members, organizations, people};
use crate::fetch::FetchError;
use crate::mail;
use crate::mail::webhooks::Disabled;
use crate::outcome::Outcome;

/// Receivers served at the same time by one node.
const PARALLEL: usize = 32;
/// Deliveries of one turn.
const PER_TURN: usize = 20;
/// How long a node holds a webhook.
const HOLD: SignedDuration = SignedDuration::from_mins(2);
/// Nothing is sent so shortly before the end of the hold: well beyond [`TIME_LIMIT`](crate::fetch::TIME_LIMIT).
const MARGIN: SignedDuration = SignedDuration::from_secs(30);
/// Answers that are kept of a delivery.
const ANSWERS: usize = 20;
/// What the secrets are sealed for.
const PURPOSE: &str = "webhook";

/// What this node is delivering.
#[derive(Debug, Default)]
pub struct Deliveries {
    /// Rung when something was put into the outbox.
    pub waiting: Notify,
    /// The webhooks in a turn here, and until when they are held: however far the clock jumps, none has two turns.
    turns: Mutex<HashMap<String, Timestamp>>,
}

/// A turn of a webhook here; dropped, it is over.
struct Turn {
    app: App,
    webhook: String,
    /// Its place may be another turn's by now.
    ended: bool,
}

impl Turn {
    /// A turn that holds `webhook` until `until`. None when there is one, which then holds it so long.
    fn of(app: &App, webhook: String, until: Timestamp) -> Option<Self> {
        let mut turns = app.deliveries.turns.lock().unwrap_or_else(PoisonError::into_inner);
        match turns.entry(webhook.clone()) {
            Entry::Occupied(mut held) => {
                held.insert(until);
                None
            }
            Entry::Vacant(free) => {
                free.insert(until);
                Some(Self { app: app.clone(), webhook, ended: false })
            }
        }
    }

    /// Ends it, and says until when it held the webhook. Before the webhook is given back: who takes it on next finds the place free.
    fn end(mut self) -> Option<Timestamp> {
        self.ended = true;
        self.app.deliveries.turns.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.webhook)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.ended {
            self.app.deliveries.turns.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.webhook);
        }
    }
}

/// What became of an attempt.
enum Answer {
    Taken(String),
    /// 410: the receiver wants to hear nothing any more.
    Gone(String),
    Failed(String),
}

/// Seals the secret of the webhook `id`.
pub fn seal(app: &App, id: &str, secret: &Secret<String>) -> Vec<u8> {
    app.keys.master().seal(PURPOSE, id.as_bytes(), secret.expose().as_bytes())
}

fn unseal(app: &App, id: &str, sealed: &[u8]) -> Option<Secret<String>> {
    let opened = app.keys.master().open(PURPOSE, id.as_bytes(), sealed).ok()?;
    String::from_utf8(opened.expose().clone()).ok().map(Secret::new)
}

/// Begins a turn of each webhook with something due, as far as there are places; says how many.
///
/// # Errors
/// The database failed.
pub(super) async fn begin(app: &App, turns: &mut JoinSet<Outcome<()>>) -> Outcome<usize> {
    let free = PARALLEL.saturating_sub(turns.len());
    if free == 0 {
        return Ok(0);
    }
    let now = app.clock.now();
    let until = now.saturating_add(HOLD)?;
    let mut single = app.db.single().await?;
    let claimed = webhooks::claim(&mut single, now, until, u32::try_from(free)?).await?;
    single.commit().await?;
    let mut begun = 0;
    for turn in claimed.into_iter().filter_map(|id| Turn::of(app, id, until)) {
        turns.spawn(take(turn, until));
        begun += 1;
    }
    Ok(begun)
}

/// Logs a turn that broke.
pub(super) fn log(ended: &Result<Outcome<()>, JoinError>) {
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(fault)) => tracing::error!(event = "webhook_turn_failed", cause = ?fault),
        Err(error) => tracing::error!(event = "webhook_turn_failed", cause = %error),
    }
}

async fn take(turn: Turn, until: Timestamp) -> Outcome<()> {
    let (app, id) = (&turn.app.clone(), turn.webhook.clone());
    let id = id.as_str();
    let mut sent = 0;
    while sent < PER_TURN && app.clock.now().saturating_add(MARGIN)? < until {
        let mut reader = app.db.reader().await?;
        // Read anew each time: it may have been paused, moved or given another secret meanwhile.
        let webhook = webhooks::find_in_any_organization(&mut reader, id).await?.filter(|webhook| webhook.active);
        let Some(webhook) = webhook else { break };
        let Some(delivery) = deliveries::due(&mut reader, id, app.clock.now()).await? else { break };
        drop(reader);
        let answer = send(app, &webhook, &delivery).await;
        sent += 1;
        if !settle(app, (&webhook, &delivery), answer).await? {
            break;
        }
    }
    let held = turn.end().unwrap_or(until);
    let mut single = app.db.single().await?;
    webhooks::release(&mut single, id, (held, app.clock.now())).await?;
    single.commit().await?;
    app.deliveries.waiting.notify_one();
    Ok(())
}

async fn send(app: &App, webhook: &Webhook, delivery: &Delivery) -> Answer {
    let now = app.clock.now();
    let Some(signatures) = signatures(app, webhook, delivery, now) else {
        return Answer::Failed("the secret cannot be unsealed".to_owned());
    };
    let seconds = now.as_second().to_string();
    let headers =
        [("webhook-id", &delivery.event_id), ("webhook-timestamp", &seconds), ("webhook-signature", &signatures)];
    match app.fetcher.post_json(&webhook.url, &headers, &delivery.body).await {
        Ok(status @ 200..=299) => Answer::Taken(status.to_string()),
        Ok(410) => Answer::Gone("410".to_owned()),
        Ok(status) => Answer::Failed(status.to_string()),
        Err(error @ (FetchError::Address | FetchError::Unreachable)) => Answer::Failed(error.to_string()),
        Err(_) => Answer::Failed("no answer".to_owned()),
    }
}

/// A signature by the secret, and one by the secret that it replaced, for a day.
fn signatures(app: &App, webhook: &Webhook, delivery: &Delivery, now: Timestamp) -> Option<String> {
    let earlier = webhook.earlier_until.is_some_and(|until| now < until.into());
    let earlier = webhook.earlier_secret.as_deref().filter(|_| earlier);
    let mut signatures = Vec::new();
    for sealed in [Some(webhook.secret.as_slice()), earlier].into_iter().flatten() {
        let secret = unseal(app, &webhook.id, sealed)?;
        signatures.push(webhook::sign(secret.expose(), (&delivery.event_id, now.as_second()), &delivery.body)?);
    }
    Some(signatures.join(" "))
}

/// Writes down the answer, and says whether to go on with this receiver.
async fn settle(app: &App, (webhook, delivery): (&Webhook, &Delivery), answer: Answer) -> Outcome<bool> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let (outcome, told) = match answer {
        Answer::Taken(answer) => {
            deliveries::delivered(&mut tx, &delivery.id, &answers(delivery, &answer, now)?, now).await?;
            webhooks::answered(&mut tx, &webhook.id).await?;
            ("delivered", false)
        }
        Answer::Gone(answer) => {
            deliveries::failed(&mut tx, &delivery.id, &answers(delivery, &answer, now)?, None).await?;
            ("gone", disable(&mut tx, app, (webhook, "gone"), now).await?)
        }
        Answer::Failed(answer) => {
            let [chance] = random::bytes();
            let wait = rules::retry_after(delivery.attempts.saturating_add(1), chance);
            let next = wait.map(|wait| now.saturating_add(wait)).transpose()?;
            tracing::warn!(event = "webhook_delayed", webhook = webhook.id, delivery = delivery.id, answer);
            deliveries::failed(&mut tx, &delivery.id, &answers(delivery, &answer, now)?, next).await?;
            (if next.is_some() { "delayed" } else { "given_up" }, note_failure(&mut tx, app, webhook, now).await?)
        }
    };
    tx.commit().await?;
    if told {
        app.mail_waiting.notify_one();
    }
    metrics::counter!("habilis_webhook_deliveries_total", "outcome" => outcome).increment(1);
    Ok(outcome == "delivered")
}

/// Lets the receiver be for a while, or for good; true when somebody was told.
async fn note_failure(tx: &mut Tx, app: &App, webhook: &Webhook, now: Timestamp) -> Outcome<bool> {
    let Some((failures, since)) = webhooks::failed(tx, &webhook.id, now).await? else { return Ok(false) };
    if now.duration_since(since.into()) >= rules::SILENT {
        return disable(tx, app, (webhook, "unreachable"), now).await;
    }
    webhooks::wait(tx, &webhook.id, now.saturating_add(rules::pause(failures))?).await?;
    Ok(false)
}

/// Switches the webhook off, gives up what waits for it, and tells those who look after it, once.
async fn disable(tx: &mut Tx, app: &App, (webhook, why): (&Webhook, &str), now: Timestamp) -> Outcome<bool> {
    if !webhooks::disable(tx, &webhook.id, why, now).await? {
        return Ok(false);
    }
    let given_up = deliveries::give_up(tx, &webhook.id).await?;
    let mut event = Event::new("webhook.disabled")
        .about(&webhook.id)
        .with("webhook", webhook.id.clone())
        .with("reason", why)
        .with("given_up", given_up);
    let (caretakers, organization) = if webhook.audience == OPERATOR {
        (people::operators(tx).await?, None)
    } else {
        event = event.in_organization(&webhook.audience);
        let today = calendar::date_at(now).to_string();
        let name = organizations::find(tx, &webhook.audience).await?.map(|organization| organization.name);
        (members::administrators(tx, &webhook.audience, &today).await?, name)
    };
    audit::record(tx, event, now).await?;
    let letter = Disabled::of(organization, &webhook.id, &webhook.url, why == "gone");
    for person in caretakers {
        mail::write(tx, app, (&person, &letter), now).await?;
    }
    tracing::warn!(event = "webhook_disabled", webhook = webhook.id, why);
    Ok(true)
}

/// The answers so far and this one: the last twenty.
fn answers(delivery: &Delivery, answer: &str, now: Timestamp) -> Outcome<String> {
    let mut answers: Vec<Value> = serde_json::from_str(&delivery.answers)?;
    answers.push(json!({ "at": now.to_string(), "answer": answer }));
    let beyond = answers.len().saturating_sub(ANSWERS);
    Ok(serde_json::to_string(&answers[beyond..])?)
}
