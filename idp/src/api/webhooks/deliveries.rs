//! What was sent to a webhook, and ways to send something.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use habilis_keys::random;
use habilis_policies::authorization::Action;
use habilis_policies::events::TEST;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::super::body::NoBody;
use super::super::caller::Caller;
use super::super::page::{self, Asked, Page, Paging, cursor_before};
use super::super::problem::{Answer, Code, Problem};
use super::super::write::{Write, Written};
use super::super::{Problems, instant};
use super::{Holder, acts};
use crate::app::App;
use crate::db::events::OPERATOR;
use crate::db::webhook_deliveries::{self as deliveries, Delivery as Row};
use crate::db::{Conn, audit};
use crate::events::PublicEvent;
use crate::web::routing::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(read))
        .routes(routes!(test))
        .routes(routes!(redeliver))
        .routes(routes!(list_own))
        .routes(routes!(read_own))
        .routes(routes!(test_own))
        .routes(routes!(redeliver_own))
}

/// What became of an event on its way to a webhook.
#[derive(Debug, Serialize, ToSchema)]
struct Delivery {
    /// `whd_…`.
    id: String,
    /// The event, and the `webhook-id` of every attempt.
    event: String,
    /// Its type; `webhook.test` for a test.
    r#type: String,
    /// `pending`, `delivered` or `given_up`.
    status: String,
    /// How many times it was tried, since it was asked for the last time.
    attempts: i64,
    /// What the receiver answered, at most the last twenty.
    answers: Vec<Attempt>,
    /// RFC 3339; while it is pending.
    next_attempt_at: Option<String>,
    /// RFC 3339.
    delivered_at: Option<String>,
    /// RFC 3339.
    created_at: String,
}

/// An attempt.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct Attempt {
    /// RFC 3339.
    at: String,
    /// The status of the answer, or why there was none.
    answer: String,
}

/// A delivery, and what is sent.
#[derive(Debug, Serialize, ToSchema)]
struct DeliveryShown {
    /// The delivery.
    #[serde(flatten)]
    delivery: Delivery,
    /// The body of every attempt.
    body: String,
}

impl Delivery {
    fn new(row: Row) -> Self {
        Self {
            id: row.id,
            event: row.event_id,
            r#type: row.kind,
            status: row.status,
            attempts: row.attempts,
            answers: serde_json::from_str(&row.answers).unwrap_or_default(),
            next_attempt_at: row.next_attempt_at.map(instant),
            delivered_at: row.delivered_at.map(instant),
            created_at: instant(row.created_at),
        }
    }
}

/// Which deliveries.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DeliveryQuery {
    /// `pending`, `delivered` or `given_up`.
    status: Option<String>,
    /// Rows at the most, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[param(max_length = 512)]
    cursor: Option<String>,
}

async fn list_of(app: &App, holder: &Holder, webhook: &str, query: &DeliveryQuery) -> Answer {
    let status = page::one_of("status", query.status.as_deref(), &["pending", "delivered", "given_up"])?;
    let paging = Paging::new(query.limit, query.cursor.clone());
    let (limit, (at, id)) = (paging.limit()?, paging.before()?);
    let mut reader = app.db.reader().await?;
    acts::find(&mut reader, holder, webhook).await?;
    let of = (webhook, status.unwrap_or_default());
    let rows = deliveries::list(&mut reader, of, (at, &id), limit + 1).await?;
    let cursor = |row: &Row| cursor_before(row.created_at.milliseconds(), &row.id);
    Ok(Page::of(rows, limit, cursor, Delivery::new).into_response())
}

async fn find(c: &mut impl Conn, holder: &Holder, (webhook, id): (&str, &str)) -> Answer<Row> {
    acts::find(c, holder, webhook).await?;
    if id.contains('\0') {
        return Err(Problem::not_found().into());
    }
    deliveries::find(c, webhook, id).await?.ok_or_else(|| Problem::not_found().into())
}

async fn read_of(app: &App, holder: &Holder, at: (&str, &str)) -> Answer {
    let row = find(&mut app.db.reader().await?, holder, at).await?;
    let body = row.body.clone();
    let shown = DeliveryShown { delivery: Delivery::new(row), body };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(shown)).into_response())
}

async fn test_of(app: &App, holder: &Holder, webhook: &str, request: &NoBody) -> Answer {
    let mut write = Write::begin(app, &holder.caller, &request.idempotency).await?;
    needs_active(acts::find(&mut write.tx, holder, webhook).await?.active)?;
    let organization = (holder.audience != OPERATOR).then(|| holder.audience.clone());
    let event = PublicEvent {
        id: random::id("evt", write.now),
        r#type: TEST.to_owned(),
        timestamp: write.now.to_string(),
        organization,
        person: None,
        data: Map::from_iter([("webhook".to_owned(), Value::from(webhook))]),
    };
    let body = serde_json::to_string(&event)?;
    let id = deliveries::insert(&mut write.tx, webhook, (&event.id, TEST, &body), write.now).await?;
    let line = holder.event("webhook.tested", webhook).with("delivery", id.clone());
    audit::record(&mut write.tx, line, write.now).await?;
    let row = find(&mut write.tx, holder, (webhook, &id)).await?;
    accepted(app, holder, (write, webhook), row).await
}

async fn redeliver_of(app: &App, holder: &Holder, at: (&str, &str), request: &NoBody) -> Answer {
    let (webhook, id) = at;
    let mut write = Write::begin(app, &holder.caller, &request.idempotency).await?;
    find(&mut write.tx, holder, at).await?;
    needs_active(acts::find(&mut write.tx, holder, webhook).await?.active)?;
    if !deliveries::again(&mut write.tx, id, write.now).await? {
        return Err(Problem::new(Code::Conflict, "it is under way").into());
    }
    let line = holder.event("webhook.redelivered", webhook).with("delivery", id);
    audit::record(&mut write.tx, line, write.now).await?;
    let row = find(&mut write.tx, holder, at).await?;
    accepted(app, holder, (write, webhook), row).await
}

fn needs_active(active: bool) -> Answer<()> {
    if active { Ok(()) } else { Err(Problem::new(Code::Conflict, "the webhook is not active").into()) }
}

async fn accepted(app: &App, holder: &Holder, (write, webhook): (Write, &str), row: Row) -> Answer {
    let location = format!("{}/{webhook}/deliveries/{}", holder.path(), row.id);
    let answer = write.finish(Written::accepted(location, &Delivery::new(row))?).await;
    app.deliveries.waiting.notify_one();
    answer
}

/// List what was sent to a webhook, newest first.
#[utoipa::path(
    get, path = "/organizations/{organization}/webhooks/{webhook}/deliveries", tag = "webhooks",
    params(("organization" = String, Path, description = "`org_…`"), ("webhook" = String, Path, description = "`whk_…`"), DeliveryQuery),
    responses((status = 200, description = "A page", body = Page<Delivery>), Problems),
    security(("oauth2" = ["habilis.webhooks"]))
)]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path((organization, webhook)): Path<(String, String)>,
    Asked(query): Asked<DeliveryQuery>,
) -> Answer {
    let holder = Holder::of(&app, caller, Action::ReadWebhooks, &organization).await?;
    list_of(&app, &holder, &webhook, &query).await
}

/// Send an event of the type `webhook.test`.
#[utoipa::path(
    post, path = "/organizations/{organization}/webhooks/{webhook}/test", tag = "webhooks",
    params(("organization" = String, Path, description = "`org_…`"), ("webhook" = String, Path, description = "`whk_…`")),
    responses((status = 202, description = "On its way", body = Delivery), Problems),
    security(("oauth2" = ["habilis.webhooks"]))
)]
async fn test(
    State(app): State<App>,
    caller: Caller,
    Path((organization, webhook)): Path<(String, String)>,
    request: NoBody,
) -> Answer {
    let holder = Holder::of(&app, caller, Action::ManageWebhooks, &organization).await?;
    test_of(&app, &holder, &webhook, &request).await
}

/// Read a delivery with what was sent.
#[utoipa::path(
    get, path = "/organizations/{organization}/webhooks/{webhook}/deliveries/{delivery}", tag = "webhooks",
    params(("organization" = String, Path, description = "`org_…`"), ("webhook" = String, Path, description = "`whk_…`"), ("delivery" = String, Path, description = "`whd_…`")),
    responses((status = 200, description = "Found", body = DeliveryShown), Problems),
    security(("oauth2" = ["habilis.webhooks"]))
)]
async fn read(
    State(app): State<App>,
    caller: Caller,
    Path((organization, webhook, delivery)): Path<(String, String, String)>,
) -> Answer {
    let holder = Holder::of(&app, caller, Action::ReadWebhooks, &organization).await?;
    read_of(&app, &holder, (&webhook, &delivery)).await
}

/// Send again what was delivered or given up.
#[utoipa::path(
    post, path = "/organizations/{organization}/webhooks/{webhook}/deliveries/{delivery}/redeliver", tag = "webhooks",
    params(("organization" = String, Path, description = "`org_…`"), ("webhook" = String, Path, description = "`whk_…`"), ("delivery" = String, Path, description = "`whd_…`")),
    responses((status = 202, description = "On its way", body = Delivery), Problems),
    security(("oauth2" = ["habilis.webhooks"]))
)]
async fn redeliver(
    State(app): State<App>,
    caller: Caller,
    Path((organization, webhook, delivery)): Path<(String, String, String)>,
    request: NoBody,
) -> Answer {
    let holder = Holder::of(&app, caller, Action::ManageWebhooks, &organization).await?;
    redeliver_of(&app, &holder, (&webhook, &delivery), &request).await
}

/// List what was sent to a webhook, newest first (the operator's own).
#[utoipa::path(
    get, path = "/webhooks/{webhook}/deliveries", tag = "webhooks",
    params(("webhook" = String, Path, description = "`whk_…`"), DeliveryQuery),
    responses((status = 200, description = "A page", body = Page<Delivery>), Problems),
    security(("oauth2" = ["habilis.webhooks"]))
)]
async fn list_own(
    State(app): State<App>,
    caller: Caller,
    Path(webhook): Path<String>,
    Asked(query): Asked<DeliveryQuery>,
) -> Answer {
    let holder = Holder::own(&app, caller, Action::ReadWebhooks).await?;
    list_of(&app, &holder, &webhook, &query).await
}

/// Send an event of the type `webhook.test` (the operator's own).
#[utoipa::path(
    post, path = "/webhooks/{webhook}/test", tag = "webhooks",
    params(("webhook" = String, Path, description = "`whk_…`")),
    responses((status = 202, description = "On its way", body = Delivery), Problems),
    security(("oauth2" = ["habilis.webhooks"]))
)]
async fn test_own(State(app): State<App>, caller: Caller, Path(webhook): Path<String>, request: NoBody) -> Answer {
    let holder = Holder::own(&app, caller, Action::ManageWebhooks).await?;
    test_of(&app, &holder, &webhook, &request).await
}

/// Read a delivery with what was sent (the operator's own).
#[utoipa::path(
    get, path = "/webhooks/{webhook}/deliveries/{delivery}", tag = "webhooks",
    params(("webhook" = String, Path, description = "`whk_…`"), ("delivery" = String, Path, description = "`whd_…`")),
    responses((status = 200, description = "Found", body = DeliveryShown), Problems),
    security(("oauth2" = ["habilis.webhooks"]))
)]
async fn read_own(State(app): State<App>, caller: Caller, Path((webhook, delivery)): Path<(String, String)>) -> Answer {
    let holder = Holder::own(&app, caller, Action::ReadWebhooks).await?;
    read_of(&app, &holder, (&webhook, &delivery)).await
}

/// Send again what was delivered or given up (the operator's own).
#[utoipa::path(
    post, path = "/webhooks/{webhook}/deliveries/{delivery}/redeliver", tag = "webhooks",
    params(("webhook" = String, Path, description = "`whk_…`"), ("delivery" = String, Path, description = "`whd_…`")),
    responses((status = 202, description = "On its way", body = Delivery), Problems),
    security(("oauth2" = ["habilis.webhooks"]))
)]
async fn redeliver_own(
    State(app): State<App>,
    caller: Caller,
    Path((webhook, delivery)): Path<(String, String)>,
    request: NoBody,
) -> Answer {
    let holder = Holder::own(&app, caller, Action::ManageWebhooks).await?;
    redeliver_of(&app, &holder, (&webhook, &delivery), &request).await
}
