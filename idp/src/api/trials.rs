//! `/organizations/{organization}/trials`: a product for fifteen days from the request, before any order (R069–R073, Q32).

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use habilis_keys::random;
use habilis_policies::authorization::Action;
use habilis_policies::trials::{Trial as Rule, TrialState};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::body::{Body, fields};
use super::caller::Caller;
use super::page::Page;
use super::precondition::stale;
use super::problem::{Answer, Code, Problem};
use super::products::ProductId;
use super::write::{Write, Written};
use super::{Problems, instant};
use crate::app::App;
use crate::db::orders::Order;
use crate::db::trials::{self, NewTrial};
use crate::db::{audit, is_unique_violation, members, orders, products};
use crate::seats::{self, letters};
use crate::web::routing::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(change))
}

/// A trial.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Trial {
    /// `tri_…`.
    id: String,
    /// The product.
    product: String,
    /// How many seats.
    seats: i64,
    /// `running`, `ended` (data are frozen until an order is signed and paid) or `converted`.
    state: String,
    /// Which text of the general conditions was accepted.
    terms_version: String,
    /// RFC 3339: the clock starts here.
    requested_at: String,
    /// RFC 3339: the first instant it is over.
    closes_at: String,
    /// Days added because access codes came late by the provider's fault.
    extra_days: i64,
    /// Why it was ended before.
    ended_reason: Option<String>,
}

impl Trial {
    pub(super) fn of(row: &trials::Trial, orders: &[Order], now: Timestamp) -> Self {
        let rules: Vec<_> = orders.iter().filter(|order| order.product_id == row.product_id).map(Order::rule).collect();
        let state = match row.rule().state(&row.product_id, &rules, now) {
            TrialState::Running { .. } => "running",
            TrialState::Ended { .. } => "ended",
            TrialState::Converted => "converted",
        };
        Self {
            id: row.id.clone(),
            product: row.product_id.clone(),
            seats: row.seats,
            state: state.to_owned(),
            terms_version: row.terms_version.clone(),
            requested_at: instant(row.requested_at),
            closes_at: row.rule().closes_at().to_string(),
            extra_days: row.extra_days,
            ended_reason: row.ended_reason.clone(),
        }
    }
}

/// List the trials of an organization.
#[utoipa::path(
    get, path = "/organizations/{organization}/trials", tag = "orders",
    params(("organization" = String, Path, description = "`org_…`")),
    responses((status = 200, description = "All of them", body = Page<Trial>), Problems),
    security(("oauth2" = ["habilis.orders"]))
)]
async fn list(State(app): State<App>, caller: Caller, Path(organization): Path<String>) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadOrders, &organization).await?;
    let now = app.clock.now();
    let mut reader = app.db.reader().await?;
    let orders = orders::all(&mut reader, &acting.organization.id).await?;
    let rows = trials::of_organization(&mut reader, &acting.organization.id).await?;
    Ok(Page { items: rows.iter().map(|row| Trial::of(row, &orders, now)).collect(), next: None }.into_response())
}

/// A trial to begin.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTrialBody {
    /// The product.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 64)]
    product: ProductId,
    /// Which text of the general conditions was accepted (R072).
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    terms_version: fields::Line,
    /// When, RFC 3339; not later than now.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, format = DateTime, max_length = 40)]
    terms_accepted_at: Timestamp,
}

/// Begin a trial. The clock starts now, whenever people are invited. The organization's administrators and its API client may do so where
/// `orders.self_service_trials` says so; otherwise it is the operator's. Administrators and signatories are told by mail.
#[utoipa::path(
    post, path = "/organizations/{organization}/trials", tag = "orders", request_body = NewTrialBody,
    params(("organization" = String, Path, description = "`org_…`")),
    responses((status = 201, description = "Begun", body = Trial), Problems),
    security(("oauth2" = ["habilis.orders"]))
)]
async fn create(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    body: Body<NewTrialBody>,
) -> Answer {
    let own = app.config.orders.self_service_trials && !caller.is_operator();
    let action = if own { Action::RequestTrial } else { Action::WriteOrders };
    let acting = caller.in_organization(&app, action, &organization).await?;
    let (organization, new) = (acting.organization.id.as_str(), &body.value);
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    members::lock(&mut write.tx, organization).await?;
    let product = products::find(&mut write.tx, &new.product.0).await?;
    let Some(product) = product.filter(|product| product.trial_seats > 0 && product.sold) else {
        return Err(Problem::field("/product", "no_trial", "there is no such product, or no trial of it").into());
    };
    let orders = orders::all(&mut write.tx, organization).await?;
    let rules: Vec<_> = orders.iter().map(Order::rule).collect();
    let earlier: Vec<Rule> = trials::of_organization(&mut write.tx, organization)
        .await?
        .iter()
        .filter(|trial| trial.product_id == product.id)
        .map(trials::Trial::rule)
        .collect();
    if let Err(refusal) = Rule::start(&rules, &earlier, Some(new.terms_accepted_at), write.now) {
        return Err(Problem::new(Code::Conflict, format!("no trial: {refusal}")).into());
    }
    let id = random::id("tri", write.now);
    let row = NewTrial {
        id: &id,
        organization,
        product: &product.id,
        seats: product.trial_seats,
        terms_version: &new.terms_version.0,
        accepted_at: new.terms_accepted_at,
        by: caller.id(),
    };
    match trials::insert(&mut write.tx, &row, write.now).await {
        Err(error) if is_unique_violation(&error) => {
            return Err(Problem::new(Code::Conflict, "no trial: a trial was already given").into());
        }
        inserted => inserted?,
    }
    seats::refresh(&mut write.tx, (&app).into(), organization, write.now).await?;
    let Some(row) = trials::find(&mut write.tx, organization, &id).await? else {
        return Err(Problem::not_found().into());
    };
    let shown = Trial::of(&row, &orders, write.now);
    let event = acting.event(&caller, "trial.started").about(&id);
    audit::record(&mut write.tx, event.changed(Value::Null, serde_json::to_value(&shown)?), write.now).await?;
    letters::trial_begun(&mut write.tx, (&app).into(), &row, write.now).await?;
    let location = format!("/api/v1/organizations/{organization}/trials");
    let answer = write.finish(Written::created(location, &shown)?).await;
    app.mail_waiting.notify_one();
    answer
}

/// What changes of a trial.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TrialPatch {
    /// Days added in all, because access codes came late by the provider's fault (Q32).
    #[schema(minimum = 0, maximum = 15)]
    extra_days: Option<u8>,
    /// `true` ends it now, for misuse (R071).
    end: Option<bool>,
    /// Why.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 2000)]
    reason: fields::Paragraph,
}

/// Extend a trial by the days that access codes came late, or end it for misuse.
#[utoipa::path(
    patch, path = "/organizations/{organization}/trials/{trial}", tag = "orders", request_body = TrialPatch,
    params(("organization" = String, Path, description = "`org_…`"), ("trial" = String, Path, description = "`tri_…`")),
    responses((status = 200, description = "As it is now", body = Trial), Problems),
    security(("oauth2" = ["habilis.orders"]))
)]
async fn change(
    State(app): State<App>,
    caller: Caller,
    Path((organization, id)): Path<(String, String)>,
    body: Body<TrialPatch>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::WriteOrders, &organization).await?;
    let (organization, patch) = (acting.organization.id.as_str(), &body.value);
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    members::lock(&mut write.tx, organization).await?;
    let row = trials::find(&mut write.tx, organization, &id).await?;
    let Some(mut row) = row else { return Err(Problem::not_found().into()) };
    if patch.extra_days.is_some_and(|days| days > 15) {
        return Err(Problem::field("/extra_days", "out_of_range", "between 0 and 15").into());
    }
    if row.ended_at.is_some() {
        return Err(Problem::new(Code::Conflict, "the trial was ended").into());
    }
    let before = json!({ "extra_days": row.extra_days, "ended": false });
    row.extra_days = patch.extra_days.map_or(row.extra_days, i64::from);
    if patch.end == Some(true) {
        row.ended_at = Some(write.now.into());
        row.ended_reason = Some(patch.reason.0.clone());
    }
    if !trials::record(&mut write.tx, &row, write.now).await? {
        return Err(stale(row.version).into());
    }
    seats::refresh(&mut write.tx, (&app).into(), organization, write.now).await?;
    let orders = orders::all(&mut write.tx, organization).await?;
    let shown = Trial::of(&row, &orders, write.now);
    let event = acting.event(&caller, "trial.changed").about(&row.id).with("reason", patch.reason.0.clone());
    let event = event.changed(before, json!({ "extra_days": row.extra_days, "ended": row.ended_at.is_some() }));
    audit::record(&mut write.tx, event, write.now).await?;
    write.finish(Written::changed(&shown)?).await
}
