//! What is done with webhooks, whoever's they are.

use axum::response::{IntoResponse, Response};
use habilis_keys::{random, webhook};
use habilis_policies::webhooks::{MOST, OVERLAP};
use serde_json::Value;

use super::super::body::{Body, NoBody};
use super::super::page::Page;
use super::super::precondition::{IfMatch, stale};
use super::super::problem::{Answer, Code, Problem};
use super::super::write::{Write, Written, found};
use super::Holder;
use super::shapes::{NewWebhook, Wanted, Webhook, WebhookPatch};
use crate::app::App;
use crate::db::webhooks::{self, Webhook as Row};
use crate::db::{Conn, audit, events};
use crate::events::deliver;

/// The webhook `id` of the holder.
pub(super) async fn find(c: &mut impl Conn, holder: &Holder, id: &str) -> Answer<Row> {
    if id.contains('\0') {
        return Err(Problem::not_found().into());
    }
    webhooks::find(c, &holder.audience, id).await?.ok_or_else(|| Problem::not_found().into())
}

pub(super) async fn list(app: &App, holder: &Holder) -> Answer {
    let rows = webhooks::list(&mut app.db.reader().await?, &holder.audience).await?;
    let items = rows.into_iter().map(Webhook::new).collect::<Answer<_>>()?;
    Ok(Page { items, next: None }.into_response())
}

pub(super) async fn create(app: &App, holder: &Holder, body: &Body<NewWebhook>) -> Answer {
    let wanted = Wanted::new(app, &body.value)?;
    let mut write = Write::begin(app, &holder.caller, &body.idempotency).await?;
    // Two at once are counted one after the other.
    events::hold(&mut write.tx).await?;
    if webhooks::count(&mut write.tx, &holder.audience).await? >= MOST {
        return Err(Problem::new(Code::Conflict, format!("there are at most {MOST} webhooks")).into());
    }
    let (id, secret) = (random::id("whk", write.now), webhook::secret());
    let sealed = deliver::seal(app, &id, &secret);
    webhooks::insert(&mut write.tx, (&holder.audience, &id), (&wanted.written(), &sealed), write.now).await?;
    let row = find(&mut write.tx, holder, &id).await?;
    let (version, shown) = (row.version, Webhook::new(row)?);
    let event = holder.event("webhook.created", &id).changed(Value::Null, shown.traced());
    audit::record(&mut write.tx, event, write.now).await?;
    let written = Written::created(format!("{}/{id}", holder.path()), &shown)?.with_version(version);
    write.finish(written.with_secret("secret", secret)).await
}

pub(super) async fn read(app: &App, holder: &Holder, id: &str) -> Answer<Response> {
    let row = find(&mut app.db.reader().await?, holder, id).await?;
    let version = row.version;
    found(&Webhook::new(row)?, version)
}

pub(super) async fn update(
    app: &App,
    holder: &Holder,
    (id, if_match): (&str, &IfMatch),
    body: &Body<WebhookPatch>,
) -> Answer {
    let mut write = Write::begin(app, &holder.caller, &body.idempotency).await?;
    let before = find(&mut write.tx, holder, id).await?;
    if_match.check(before.version)?;
    let wanted = Wanted::changed(app, &before, &body.value)?;
    let at = (holder.audience.as_str(), id, before.version);
    if !webhooks::update(&mut write.tx, at, &wanted.written(), write.now).await? {
        return Err(stale(before.version).into());
    }
    let after = find(&mut write.tx, holder, id).await?;
    let version = after.version;
    let (before, after) = (Webhook::new(before)?, Webhook::new(after)?);
    let event = holder.event("webhook.updated", id).changed(before.traced(), after.traced());
    audit::record(&mut write.tx, event, write.now).await?;
    write.finish(Written::changed(&after)?.with_version(version)).await
}

pub(super) async fn remove(app: &App, holder: &Holder, (id, if_match): (&str, &IfMatch), request: &NoBody) -> Answer {
    let mut write = Write::begin(app, &holder.caller, &request.idempotency).await?;
    let before = find(&mut write.tx, holder, id).await?;
    if_match.check(before.version)?;
    if !webhooks::remove(&mut write.tx, (&holder.audience, id, before.version)).await? {
        return Err(stale(before.version).into());
    }
    let event = holder.event("webhook.removed", id).changed(Webhook::new(before)?.traced(), Value::Null);
    audit::record(&mut write.tx, event, write.now).await?;
    write.finish(Written::nothing()).await
}

pub(super) async fn rotate(app: &App, holder: &Holder, id: &str, request: &NoBody) -> Answer {
    let mut write = Write::begin(app, &holder.caller, &request.idempotency).await?;
    find(&mut write.tx, holder, id).await?;
    let secret = webhook::secret();
    let until = write.now.saturating_add(OVERLAP)?;
    let sealed = deliver::seal(app, id, &secret);
    webhooks::rotate(&mut write.tx, (&holder.audience, id), &sealed, (until, write.now)).await?;
    let row = find(&mut write.tx, holder, id).await?;
    let version = row.version;
    audit::record(&mut write.tx, holder.event("webhook.secret_replaced", id), write.now).await?;
    let written = Written::changed(&Webhook::new(row)?)?.with_version(version);
    write.finish(written.with_secret("secret", secret)).await
}
