//! `/people/{person}/memberships`: to which organizations somebody belongs, for the operator and the data protection officer.

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use habilis_policies::authorization::Action;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::Problems;
use super::caller::Caller;
use super::page::Page;
use super::people::somebody;
use super::problem::Answer;
use crate::app::App;
use crate::db::organizations::{self, AnyMembership};
use crate::web::routing::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// A membership, whether it counts or not.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PersonMembership {
    /// `org_…`.
    organization: String,
    /// Its kind.
    kind: String,
    /// Its name as registered.
    name: String,
    /// `active`, `suspended` or `terminated`: of the organization.
    organization_status: String,
    /// `administrator` or `member`.
    role: String,
    /// `active` or `suspended`: of the membership.
    status: String,
    /// The last day, in Paris; absent when there is none.
    ends_on: Option<String>,
}

impl From<AnyMembership> for PersonMembership {
    fn from(row: AnyMembership) -> Self {
        Self {
            organization: row.id,
            kind: row.kind,
            name: row.name,
            organization_status: row.organization_status,
            role: row.role,
            status: row.status,
            ends_on: row.ends_on,
        }
    }
}

/// List the organizations a person belongs to, the oldest membership first, those that are suspended or over included. Terms and rights are
/// those of the member in each.
#[utoipa::path(
    get, path = "/people/{person}/memberships", tag = "people",
    params(("person" = String, Path, description = "`usr_…`")),
    responses((status = 200, description = "All of them, at most 100", body = Page<PersonMembership>), Problems),
    security(("oauth2" = ["habilis.people.read"]))
)]
async fn list(State(app): State<App>, caller: Caller, Path(person): Path<String>) -> Answer {
    let person = somebody(&mut app.db.reader().await?, &person).await;
    let person = caller.on_person(&app, Action::ReadPerson, person).await?;
    let rows = organizations::all_of_person(&mut app.db.reader().await?, &person.id).await?;
    Ok(Page { items: rows.into_iter().map(PersonMembership::from).collect(), next: None }.into_response())
}
