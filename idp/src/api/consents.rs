//! `/people/{person}/consents`: what somebody let applications know of them, for the data protection officer.

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use habilis_policies::authorization::Action;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::caller::Caller;
use super::people::somebody;
use super::problem::Answer;
use super::{Problems, instant};
use crate::app::App;
use crate::db::consents;
use crate::web::routing::routes;

/// Most of one person; more than there are portals.
const MOST: u32 = 1000;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// What a person allowed an application.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Consent {
    /// `client_id` of the application.
    client_id: String,
    /// The scopes, separated by spaces (RFC 6749 §3.3).
    scope: String,
    /// RFC 3339: when they first allowed it something.
    created_at: String,
    /// RFC 3339: when the application last got tokens, to within an hour; null when that is not known.
    used_at: Option<String>,
}

/// What a person allowed, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Consents {
    /// One an application.
    items: Vec<Consent>,
}

/// List what a person allowed applications, newest first. The person takes it back at `/me/applications`.
#[utoipa::path(
    get, path = "/people/{person}/consents", tag = "people",
    params(("person" = String, Path, description = "`usr_…`")),
    responses((status = 200, description = "All of them", body = Consents), Problems),
    security(("oauth2" = ["habilis.privacy"]))
)]
async fn list(State(app): State<App>, caller: Caller, Path(person): Path<String>) -> Answer {
    let person = somebody(&mut app.db.reader().await?, &person).await;
    let person = caller.on_person(&app, Action::ReadConsents, person).await?;
    let rows = consents::of_person(&mut app.db.reader().await?, &person.id, MOST).await?;
    let items = rows.into_iter().map(|row| Consent {
        client_id: row.client_id,
        scope: row.scope,
        created_at: instant(row.created_at),
        used_at: row.used_at.map(instant),
    });
    Ok(axum::Json(Consents { items: items.collect() }).into_response())
}
