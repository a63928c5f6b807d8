//! `/people`: everybody on the server, for the operator and the data protection officer.

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use habilis_policies::authorization::Action;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::caller::Caller;
use super::declarations::Declaration;
use super::members::ADDRESSES;
use super::page::{self, Asked, Page};
use super::problem::{Answer, Problem};
use super::write::found;
use super::{Problems, instant};
use crate::app::App;
use crate::db::people_list::{self, PersonFilter, PersonRow};
use crate::db::{At, Conn, declarations, people};
use crate::web::routing::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read))
}

/// A person with an account.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Person {
    /// `usr_…`.
    id: String,
    /// What they sign in with.
    login: String,
    /// Mail address.
    email: Option<String>,
    /// Whether it was proven.
    email_verified: bool,
    /// Given name.
    given_name: String,
    /// Family name.
    family_name: String,
    /// `pending`, `active`, `suspended`, `suspended_password`, `terminated` or `closed`.
    status: String,
    /// Staff of the operator.
    operator: bool,
    /// Data protection officer of the operator.
    privacy: bool,
    /// `settled`, or `to_be_verified`: what the account says became all of somebody else, and portals refuse it (R007).
    identity_status: &'static str,
}

/// What the API calls it, of somebody whose portals wait since `changed_at` or do not.
pub(super) fn identity_status(changed_at: Option<At>) -> &'static str {
    if changed_at.is_some() { "to_be_verified" } else { "settled" }
}

impl From<people::Person> for Person {
    fn from(row: people::Person) -> Self {
        Self {
            id: row.id,
            login: row.login,
            email: row.email,
            email_verified: row.email_verified,
            given_name: row.given_name,
            family_name: row.family_name,
            status: row.status,
            operator: row.operator,
            privacy: row.privacy,
            identity_status: identity_status(row.identity_changed_at),
        }
    }
}

/// A person with what they declared.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PersonRead {
    #[serde(flatten)]
    person: Person,
    /// What they declared true and exact, the oldest first (R012).
    declarations: Vec<Declaration>,
}

/// A person in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PersonListed {
    #[serde(flatten)]
    person: Person,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339; as far as a session still tells.
    signed_in_at: Option<String>,
}

impl From<PersonRow> for PersonListed {
    fn from(row: PersonRow) -> Self {
        Self {
            person: Person {
                id: row.id,
                login: row.login,
                email: row.email,
                email_verified: row.email_verified,
                given_name: row.given_name,
                family_name: row.family_name,
                status: row.status,
                operator: row.operator,
                privacy: row.privacy,
                identity_status: identity_status(row.identity_changed_at),
            },
            created_at: instant(row.created_at),
            signed_in_at: row.signed_in_at.map(instant),
        }
    }
}

/// Which people.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PersonQuery {
    /// Beginnings of words of the name, the login or the mail address; accents and case do not matter, all must be found.
    #[param(max_length = 200)]
    q: Option<String>,
    /// A status.
    status: Option<String>,
    /// Whether staff of the operator.
    operator: Option<bool>,
    /// Whose mail address is `proven`, is there and `unproven`, or has `refused` a mail (R005).
    address: Option<String>,
    /// Whose identity is `settled` or `to_be_verified` (R007).
    identity_status: Option<String>,
    /// `name`, `-name`, `created` or `-created`; by name when absent. A search has an order of its own.
    sort: Option<String>,
    /// Rows at the most, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[param(max_length = 2048)]
    cursor: Option<String>,
}

/// List or search everybody.
#[utoipa::path(
    get, path = "/people", tag = "people", params(PersonQuery),
    responses((status = 200, description = "A page", body = Page<PersonListed>), Problems),
    security(("oauth2" = ["habilis.people.read"]))
)]
async fn list(State(app): State<App>, caller: Caller, Asked(query): Asked<PersonQuery>) -> Answer {
    caller.may(&app, Action::ListPeople).await?;
    let words = page::words(query.q.as_deref())?;
    let (order, after) = page::place((query.sort.as_deref(), "created"), query.cursor.as_deref(), &words)?;
    let statuses = ["pending", "active", "suspended", "suspended_password", "terminated", "closed"];
    let status = page::one_of("status", query.status.as_deref(), &statuses)?;
    let address = page::one_of("address", query.address.as_deref(), ADDRESSES)?;
    let identity = page::one_of("identity_status", query.identity_status.as_deref(), &["settled", "to_be_verified"])?;
    let filter = PersonFilter { words: &words, status, operator: query.operator, address, identity };
    let limit = page::limit(query.limit)?;
    let found = people_list::list(&mut app.db.reader().await?, &filter, (order, after), limit).await?;
    Ok(Page::shown(found, PersonListed::from).into_response())
}

pub(super) async fn somebody(c: &mut impl Conn, id: &str) -> Answer<people::Person> {
    let found = if id.contains('\0') { None } else { people::find(c, id).await? };
    found.ok_or_else(|| Problem::not_found().into())
}

/// Read a person.
#[utoipa::path(
    get, path = "/people/{person}", tag = "people",
    params(("person" = String, Path, description = "`usr_…`")),
    responses((status = 200, description = "Found", body = PersonRead), Problems),
    security(("oauth2" = ["habilis.people.read"]))
)]
async fn read(State(app): State<App>, caller: Caller, Path(person): Path<String>) -> Answer {
    let person = somebody(&mut app.db.reader().await?, &person).await;
    let person = caller.on_person(&app, Action::ReadPerson, person).await?;
    let declared = declarations::of_person(&mut app.db.reader().await?, &person.id).await?;
    let (version, declarations) = (person.version, declared.into_iter().map(Declaration::from).collect());
    found(&PersonRead { person: Person::from(person), declarations }, version)
}
