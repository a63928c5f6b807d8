//! `/me`: who the token speaks for, and what they may manage. The first call of a console.

use axum::extract::State;
use axum::response::IntoResponse;
use axum::{Json, http::header};
use habilis_policies::authorization::Action;
use habilis_policies::calendar;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Problems;
use super::caller::Caller;
use super::problem::{Answer, Problem};
use crate::app::App;
use crate::db::{members, organizations, people};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(me))
}

/// Who calls.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Me {
    /// `usr_…`.
    id: String,
    /// Given name.
    given_name: String,
    /// Family name.
    family_name: String,
    /// Mail address.
    email: Option<String>,
    /// `fr` or `en`.
    locale: String,
    /// Staff of the operator.
    operator: bool,
    /// Data protection officer of the operator.
    privacy: bool,
    /// Where the person belongs today.
    organizations: Vec<Mine>,
}

/// An organization of the person.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Mine {
    /// `org_…`.
    id: String,
    /// Its kind.
    kind: String,
    /// Name as registered.
    name: String,
    /// `active`, `suspended` or `terminated`.
    status: String,
    /// `administrator` or `member`.
    role: String,
}

/// Read who calls. Clients that act for themselves are nobody: 404.
#[utoipa::path(
    get, path = "/me", tag = "me",
    responses((status = 200, description = "The person", body = Me), Problems),
    security(("oauth2" = ["habilis.self"]))
)]
async fn me(State(app): State<App>, caller: Caller) -> Answer {
    caller.on_self(&app, Action::ReadSelf).await?;
    let mut reader = app.db.reader().await?;
    let Some(id) = caller.person() else { return Err(Problem::not_found().into()) };
    let Some(person) = people::find(&mut reader, id).await? else { return Err(Problem::not_found().into()) };
    let today = calendar::date_at(app.clock.now()).to_string();
    let mut mine = Vec::new();
    for of in members::in_force(&mut reader, id, &today).await? {
        let Some(row) = organizations::find(&mut reader, &of.organization_id).await? else { continue };
        mine.push(Mine { id: row.id, kind: row.kind, name: row.name, status: row.status, role: of.role });
    }
    let me = Me {
        id: person.id,
        given_name: person.given_name,
        family_name: person.family_name,
        email: person.email,
        locale: person.locale,
        operator: person.operator,
        privacy: person.privacy,
        organizations: mine,
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(me)).into_response())
}
