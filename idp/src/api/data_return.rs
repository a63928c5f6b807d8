//! `/organizations/{organization}/data-return`: whether an organization has its data back at the end of its last order, or only destroyed
//! (R157). The data come back by `export.jsonl`; they are destroyed a year after the last day either way (R156).

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use habilis_policies::authorization::Action;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::Body;
use super::caller::Caller;
use super::problem::{Answer, Code, Problem};
use super::write::{Write, Written};
use super::{Problems, instant};
use crate::app::App;
use crate::db::{audit, data_returns, members, purges};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(read, choose))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Choice {
    /// Nothing is wanted back.
    Destruction,
    /// The organization takes its data before they are destroyed.
    Return,
}

impl Choice {
    fn name(self) -> &'static str {
        match self {
            Self::Destruction => "destruction",
            Self::Return => "return",
        }
    }
}

/// What is to become of the data.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewChoice {
    /// `destruction` or `return`.
    choice: Choice,
}

/// What was chosen, and what was handed over.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DataReturn {
    /// `destruction` or `return`; null while nobody said.
    choice: Option<String>,
    /// Person or client.
    chosen_by: Option<String>,
    /// RFC 3339.
    chosen_at: Option<String>,
    /// When the whole export was last taken to its end, RFC 3339.
    exported_at: Option<String>,
}

impl From<data_returns::DataReturn> for DataReturn {
    fn from(row: data_returns::DataReturn) -> Self {
        Self {
            choice: row.choice,
            chosen_by: row.chosen_by,
            chosen_at: row.chosen_at.map(instant),
            exported_at: row.exported_at.map(instant),
        }
    }
}

/// Read whether an organization has its data back at the end, and when it took them last.
#[utoipa::path(
    get, path = "/organizations/{organization}/data-return", tag = "orders",
    params(("organization" = String, Path, description = "`org_…`")),
    responses((status = 200, description = "As it is", body = DataReturn), Problems),
    security(("oauth2" = ["habilis.orders"]))
)]
async fn read(State(app): State<App>, caller: Caller, Path(organization): Path<String>) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadOrders, &organization).await?;
    let found = data_returns::find(&mut app.db.reader().await?, &acting.organization.id).await?;
    Ok(axum::Json(DataReturn::from(found)).into_response())
}

/// Choose whether an organization has its data back at the end or only destroyed; until their removal begins.
#[utoipa::path(
    put, path = "/organizations/{organization}/data-return", tag = "orders", request_body = NewChoice,
    params(("organization" = String, Path, description = "`org_…`")),
    responses((status = 200, description = "As it is now", body = DataReturn), Problems),
    security(("oauth2" = ["habilis.orders"]))
)]
async fn choose(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    body: Body<NewChoice>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ChooseDataReturn, &organization).await?;
    let (id, choice) = (acting.organization.id.as_str(), body.value.choice.name());
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    members::lock(&mut write.tx, id).await?;
    if !purges::list(&mut write.tx, id).await?.is_empty() {
        return Err(Problem::new(Code::Conflict, "the removal of the data has begun").into());
    }
    let before = data_returns::find(&mut write.tx, id).await?.choice;
    data_returns::choose(&mut write.tx, id, (choice, caller.id()), write.now).await?;
    let event = acting.event(&caller, "organization.data_return_chosen").about(id);
    audit::record(&mut write.tx, event.changed(before.into(), choice.into()), write.now).await?;
    let shown = DataReturn::from(data_returns::find(&mut write.tx, id).await?);
    write.finish(Written::changed(&shown)?).await
}
