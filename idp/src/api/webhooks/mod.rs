//! `/organizations/{organization}/webhooks` and `/webhooks`, the operator's own: where events are delivered to, what became of
//! each delivery, and ways to test.

mod acts;
mod deliveries;
mod shapes;

use axum::extract::{Path, State};
use habilis_policies::authorization::Action;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;

use self::shapes::{NewWebhook, Webhook, WebhookPatch};
use super::Problems;
use super::body::{Body, NoBody};
use super::caller::Caller;
use super::page::Page;
use super::precondition::IfMatch;
use super::problem::Answer;
use crate::app::App;
use crate::db::audit::Event;
use crate::db::events::OPERATOR;
use crate::db::{Conn, webhooks};
use crate::web::routing::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, update, remove))
        .routes(routes!(rotate))
        .routes(routes!(list_own, create_own))
        .routes(routes!(read_own, update_own, remove_own))
        .routes(routes!(rotate_own))
        .merge(deliveries::router())
}

/// Leave to act on the webhooks of an organization, or on the operator's own.
struct Holder {
    caller: Caller,
    audience: String,
    policy: String,
}

impl Holder {
    async fn of(app: &App, caller: Caller, action: Action, organization: &str) -> Answer<Self> {
        let acting = caller.in_organization(app, action, organization).await?;
        Ok(Self { caller, audience: acting.organization.id, policy: acting.policy })
    }

    async fn own(app: &App, caller: Caller, action: Action) -> Answer<Self> {
        let policy = caller.may(app, action).await?;
        Ok(Self { caller, audience: OPERATOR.to_owned(), policy })
    }

    /// Where the webhooks are.
    fn path(&self) -> String {
        if self.audience == OPERATOR {
            "/api/v1/webhooks".to_owned()
        } else {
            format!("/api/v1/organizations/{}/webhooks", self.audience)
        }
    }

    fn event(&self, name: &'static str, webhook: &str) -> Event {
        let event = self.caller.event(name).about(webhook).with("policy", Value::from(self.policy.clone()));
        if self.audience == OPERATOR { event } else { event.in_organization(&self.audience) }
    }
}

/// The webhooks of an organization as the list shows them, for its export.
pub(super) async fn exported(c: &mut impl Conn, organization: &str) -> Answer<Vec<Value>> {
    let rows = webhooks::list(c, organization).await?;
    rows.into_iter().map(|row| Ok(serde_json::to_value(Webhook::new(row)?)?)).collect()
}

/// List the webhooks.
#[utoipa::path(
    get, path = "/organizations/{organization}/webhooks", tag = "webhooks",
    params(("organization" = String, Path, description = "`org_…`")),
    responses((status = 200, description = "All of them, at most 20", body = Page<Webhook>), Problems),
    security(("oauth2" = ["habilis.webhooks"]))
)]
async fn list(State(app): State<App>, caller: Caller, Path(organization): Path<String>) -> Answer {
    let holder = Holder::of(&app, caller, Action::ReadWebhooks, &organization).await?;
    acts::list(&app, &holder).await
}

/// Add a webhook. Its secret is shown this once.
#[utoipa::path(
    post, path = "/organizations/{organization}/webhooks", tag = "webhooks", request_body = NewWebhook,
    params(("organization" = String, Path, description = "`org_…`")),
    responses((status = 201, description = "Added; `secret` is not shown again", body = Webhook), Problems),
    security(("oauth2" = ["habilis.webhooks"]))
)]
async fn create(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    body: Body<NewWebhook>,
) -> Answer {
    let holder = Holder::of(&app, caller, Action::ManageWebhooks, &organization).await?;
    acts::create(&app, &holder, &body).await
}

/// Read a webhook.
#[utoipa::path(
    get, path = "/organizations/{organization}/webhooks/{webhook}", tag = "webhooks",
    params(("organization" = String, Path, description = "`org_…`"), ("webhook" = String, Path, description = "`whk_…`")),
    responses((status = 200, description = "Found", body = Webhook), Problems),
    security(("oauth2" = ["habilis.webhooks"]))
)]
async fn read(State(app): State<App>, caller: Caller, Path((organization, webhook)): Path<(String, String)>) -> Answer {
    let holder = Holder::of(&app, caller, Action::ReadWebhooks, &organization).await?;
    acts::read(&app, &holder, &webhook).await
}

/// Change a webhook, pause it or switch it on again.
#[utoipa::path(
    patch, path = "/organizations/{organization}/webhooks/{webhook}", tag = "webhooks", request_body = WebhookPatch,
    params(("organization" = String, Path, description = "`org_…`"), ("webhook" = String, Path, description = "`whk_…`"), ("If-Match" = String, Header, description = "`ETag` that was read")),
    responses((status = 200, description = "As it is now", body = Webhook), Problems),
    security(("oauth2" = ["habilis.webhooks"]))
)]
async fn update(
    State(app): State<App>,
    caller: Caller,
    Path((organization, webhook)): Path<(String, String)>,
    if_match: IfMatch,
    body: Body<WebhookPatch>,
) -> Answer {
    let holder = Holder::of(&app, caller, Action::ManageWebhooks, &organization).await?;
    acts::update(&app, &holder, (&webhook, &if_match), &body).await
}

/// Remove a webhook with its deliveries.
#[utoipa::path(
    delete, path = "/organizations/{organization}/webhooks/{webhook}", tag = "webhooks",
    params(("organization" = String, Path, description = "`org_…`"), ("webhook" = String, Path, description = "`whk_…`"), ("If-Match" = String, Header, description = "`ETag` that was read")),
    responses((status = 204, description = "Removed"), Problems),
    security(("oauth2" = ["habilis.webhooks"]))
)]
async fn remove(
    State(app): State<App>,
    caller: Caller,
    Path((organization, webhook)): Path<(String, String)>,
    if_match: IfMatch,
    request: NoBody,
) -> Answer {
    let holder = Holder::of(&app, caller, Action::ManageWebhooks, &organization).await?;
    acts::remove(&app, &holder, (&webhook, &if_match), &request).await
}

/// Replace the secret; the one before signs too for a day.
#[utoipa::path(
    post, path = "/organizations/{organization}/webhooks/{webhook}/secret", tag = "webhooks",
    params(("organization" = String, Path, description = "`org_…`"), ("webhook" = String, Path, description = "`whk_…`")),
    responses((status = 200, description = "`secret` is the new one, not shown again", body = Webhook), Problems),
    security(("oauth2" = ["habilis.webhooks"]))
)]
async fn rotate(
    State(app): State<App>,
    caller: Caller,
    Path((organization, webhook)): Path<(String, String)>,
    request: NoBody,
) -> Answer {
    let holder = Holder::of(&app, caller, Action::ManageWebhooks, &organization).await?;
    acts::rotate(&app, &holder, &webhook, &request).await
}

/// List the webhooks of the operator's own.
#[utoipa::path(
    get, path = "/webhooks", tag = "webhooks",
    responses((status = 200, description = "All of them, at most 20", body = Page<Webhook>), Problems),
    security(("oauth2" = ["habilis.webhooks"]))
)]
async fn list_own(State(app): State<App>, caller: Caller) -> Answer {
    let holder = Holder::own(&app, caller, Action::ReadWebhooks).await?;
    acts::list(&app, &holder).await
}

/// Add a webhook. Its secret is shown this once (the operator's own).
#[utoipa::path(
    post, path = "/webhooks", tag = "webhooks", request_body = NewWebhook,
    responses((status = 201, description = "Added; `secret` is not shown again", body = Webhook), Problems),
    security(("oauth2" = ["habilis.webhooks"]))
)]
async fn create_own(State(app): State<App>, caller: Caller, body: Body<NewWebhook>) -> Answer {
    let holder = Holder::own(&app, caller, Action::ManageWebhooks).await?;
    acts::create(&app, &holder, &body).await
}

/// Read a webhook (the operator's own).
#[utoipa::path(
    get, path = "/webhooks/{webhook}", tag = "webhooks",
    params(("webhook" = String, Path, description = "`whk_…`")),
    responses((status = 200, description = "Found", body = Webhook), Problems),
    security(("oauth2" = ["habilis.webhooks"]))
)]
async fn read_own(State(app): State<App>, caller: Caller, Path(webhook): Path<String>) -> Answer {
    let holder = Holder::own(&app, caller, Action::ReadWebhooks).await?;
    acts::read(&app, &holder, &webhook).await
}

/// Change a webhook, pause it or switch it on again (the operator's own).
#[utoipa::path(
    patch, path = "/webhooks/{webhook}", tag = "webhooks", request_body = WebhookPatch,
    params(("webhook" = String, Path, description = "`whk_…`"), ("If-Match" = String, Header, description = "`ETag` that was read")),
    responses((status = 200, description = "As it is now", body = Webhook), Problems),
    security(("oauth2" = ["habilis.webhooks"]))
)]
async fn update_own(
    State(app): State<App>,
    caller: Caller,
    Path(webhook): Path<String>,
    if_match: IfMatch,
    body: Body<WebhookPatch>,
) -> Answer {
    let holder = Holder::own(&app, caller, Action::ManageWebhooks).await?;
    acts::update(&app, &holder, (&webhook, &if_match), &body).await
}

/// Remove a webhook with its deliveries (the operator's own).
#[utoipa::path(
    delete, path = "/webhooks/{webhook}", tag = "webhooks",
    params(("webhook" = String, Path, description = "`whk_…`"), ("If-Match" = String, Header, description = "`ETag` that was read")),
    responses((status = 204, description = "Removed"), Problems),
    security(("oauth2" = ["habilis.webhooks"]))
)]
async fn remove_own(
    State(app): State<App>,
    caller: Caller,
    Path(webhook): Path<String>,
    if_match: IfMatch,
    request: NoBody,
) -> Answer {
    let holder = Holder::own(&app, caller, Action::ManageWebhooks).await?;
    acts::remove(&app, &holder, (&webhook, &if_match), &request).await
}

/// Replace the secret; the one before signs too for a day (the operator's own).
#[utoipa::path(
    post, path = "/webhooks/{webhook}/secret", tag = "webhooks",
    params(("webhook" = String, Path, description = "`whk_…`")),
    responses((status = 200, description = "`secret` is the new one, not shown again", body = Webhook), Problems),
    security(("oauth2" = ["habilis.webhooks"]))
)]
async fn rotate_own(State(app): State<App>, caller: Caller, Path(webhook): Path<String>, request: NoBody) -> Answer {
    let holder = Holder::own(&app, caller, Action::ManageWebhooks).await?;
    acts::rotate(&app, &holder, &webhook, &request).await
}
