//! `/organizations/{organization}/contacts`: who signs, who pays, who answers for data protection, who stands in.

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use habilis_keys::random;
use habilis_policies::authorization::Action;
use habilis_policies::contact::{Email, Name};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::body::{Body, NoBody, fields};
use super::caller::{Acting, Caller};
use super::page::Page;
use super::precondition::{IfMatch, stale};
use super::problem::{Answer, Code, Problem};
use super::write::{Write, Written, found};
use super::{Problems, instant};
use crate::account::signatories;
use crate::app::App;
use crate::db::{audit, contacts};
use crate::web::routing::routes;

/// The duty of those who are told of sensitive acts.
const SIGNATORY: &str = "signatory";
/// Contacts an organization may have.
const MOST: i64 = 100;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(read, replace, remove))
}

/// A contact of an organization.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Contact {
    /// `con_…`.
    id: String,
    /// `signatory`, `billing`, `dpo` or `deputy`.
    duty: String,
    /// Whole name.
    name: String,
    /// Mail address.
    email: String,
    /// Telephone number.
    phone: Option<String>,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339.
    updated_at: String,
}

impl From<contacts::Contact> for Contact {
    fn from(row: contacts::Contact) -> Self {
        Self {
            id: row.id,
            duty: row.duty,
            name: row.name,
            email: row.email,
            phone: row.phone,
            created_at: instant(row.created_at),
            updated_at: instant(row.updated_at),
        }
    }
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Duty {
    Signatory,
    Billing,
    Dpo,
    Deputy,
}

impl Duty {
    fn word(self) -> &'static str {
        match self {
            Self::Signatory => "signatory",
            Self::Billing => "billing",
            Self::Dpo => "dpo",
            Self::Deputy => "deputy",
        }
    }
}

/// A contact to be written.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewContact {
    /// What the contact is for.
    duty: Duty,
    /// Whole name.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    name: Name,
    /// Mail address.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, max_length = 254)]
    email: Email,
    /// Telephone number.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, max_length = 32)]
    phone: Option<fields::Phone>,
}

impl NewContact {
    fn written(&self) -> contacts::Written<'_> {
        contacts::Written {
            duty: self.duty.word(),
            name: self.name.as_str(),
            email: self.email.as_str(),
            phone: self.phone.as_ref().map(|phone| phone.0.as_str()),
        }
    }
}

/// List the contacts.
#[utoipa::path(
    get, path = "/organizations/{organization}/contacts", tag = "contacts",
    params(("organization" = String, Path, description = "`org_…`")),
    responses((status = 200, description = "All of them, at most 100", body = Page<Contact>), Problems),
    security(("oauth2" = ["habilis.organizations.read"]))
)]
async fn list(State(app): State<App>, caller: Caller, Path(organization): Path<String>) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadContacts, &organization).await?;
    let rows = contacts::list(&mut app.db.reader().await?, &acting.organization.id).await?;
    Ok(Page { items: rows.into_iter().map(Contact::from).collect(), next: None }.into_response())
}

/// Add a contact. Who signs for the organization is changed with a recent sign-in with two factors, and told of it.
#[utoipa::path(
    post, path = "/organizations/{organization}/contacts", tag = "contacts", request_body = NewContact,
    params(("organization" = String, Path, description = "`org_…`")),
    responses((status = 201, description = "Added", body = Contact), Problems),
    security(("oauth2" = ["habilis.organizations.write"]))
)]
async fn create(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    body: Body<NewContact>,
) -> Answer {
    let (acting, signs) = leave(&app, &caller, (&organization, None), Some(body.value.duty)).await?;
    let organization = &acting.organization.id;
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let signed = signatories_before(&mut write, organization, signs).await?;
    if contacts::count(&mut write.tx, organization).await? >= MOST {
        return Err(Problem::new(Code::Conflict, "an organization has at most 100 contacts").into());
    }
    let id = random::id("con", write.now);
    contacts::insert(&mut write.tx, (organization, &id), &body.value.written(), write.now).await?;
    let row = contacts::find(&mut write.tx, organization, &id).await?;
    let Some(row) = row else { return Err(Problem::not_found().into()) };
    let (version, shown) = (row.version, Contact::from(row));
    let event = acting.event(&caller, "contact.created").about(&id).with("contact", id.clone());
    audit::record(&mut write.tx, event.changed(Value::Null, traced(&shown)), write.now).await?;
    tell(&mut write, &app, (&caller, &acting), signed).await?;
    let location = format!("/api/v1/organizations/{organization}/contacts/{id}");
    let answer = write.finish(Written::created(location, &shown)?.with_version(version)).await;
    app.mail_waiting.notify_one();
    answer
}

/// Read a contact.
#[utoipa::path(
    get, path = "/organizations/{organization}/contacts/{contact}", tag = "contacts",
    params(("organization" = String, Path, description = "`org_…`"), ("contact" = String, Path, description = "`con_…`")),
    responses((status = 200, description = "Found", body = Contact), Problems),
    security(("oauth2" = ["habilis.organizations.read"]))
)]
async fn read(State(app): State<App>, caller: Caller, Path((organization, id)): Path<(String, String)>) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadContacts, &organization).await?;
    let row = contacts::find(&mut app.db.reader().await?, &acting.organization.id, &id).await?;
    let Some(row) = row else { return Err(Problem::not_found().into()) };
    let version = row.version;
    found(&Contact::from(row), version)
}

/// Replace a contact. Who signs for the organization is changed with a recent sign-in with two factors, and told of it.
#[utoipa::path(
    put, path = "/organizations/{organization}/contacts/{contact}", tag = "contacts", request_body = NewContact,
    params(
        ("organization" = String, Path, description = "`org_…`"), ("contact" = String, Path, description = "`con_…`"),
        ("If-Match" = String, Header, description = "`ETag` that was read")
    ),
    responses((status = 200, description = "As it is now", body = Contact), Problems),
    security(("oauth2" = ["habilis.organizations.write"]))
)]
async fn replace(
    State(app): State<App>,
    caller: Caller,
    Path((organization, id)): Path<(String, String)>,
    if_match: IfMatch,
    body: Body<NewContact>,
) -> Answer {
    let (acting, signs) = leave(&app, &caller, (&organization, Some(&id)), Some(body.value.duty)).await?;
    let organization = &acting.organization.id;
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let before = contacts::find(&mut write.tx, organization, &id).await?;
    let Some(before) = before else { return Err(Problem::not_found().into()) };
    if_match.check(before.version)?;
    same_duty(&before, signs)?;
    let signed = signatories_before(&mut write, organization, signs).await?;
    let at = (organization.as_str(), id.as_str(), before.version);
    if !contacts::update(&mut write.tx, at, &body.value.written(), write.now).await? {
        return Err(stale(before.version).into());
    }
    let after = contacts::find(&mut write.tx, organization, &id).await?;
    let Some(after) = after else { return Err(Problem::not_found().into()) };
    let version = after.version;
    let (before, after) = (Contact::from(before), Contact::from(after));
    let event = acting
        .event(&caller, "contact.updated")
        .about(&id)
        .with("contact", id.clone())
        .changed(traced(&before), traced(&after));
    audit::record(&mut write.tx, event, write.now).await?;
    tell(&mut write, &app, (&caller, &acting), signed).await?;
    let answer = write.finish(Written::changed(&after)?.with_version(version)).await;
    app.mail_waiting.notify_one();
    answer
}

/// Remove a contact. Who signs for the organization is changed with a recent sign-in with two factors, and told of it.
#[utoipa::path(
    delete, path = "/organizations/{organization}/contacts/{contact}", tag = "contacts",
    params(
        ("organization" = String, Path, description = "`org_…`"), ("contact" = String, Path, description = "`con_…`"),
        ("If-Match" = String, Header, description = "`ETag` that was read")
    ),
    responses((status = 204, description = "Removed"), Problems),
    security(("oauth2" = ["habilis.organizations.write"]))
)]
async fn remove(
    State(app): State<App>,
    caller: Caller,
    Path((organization, id)): Path<(String, String)>,
    if_match: IfMatch,
    request: NoBody,
) -> Answer {
    let (acting, signs) = leave(&app, &caller, (&organization, Some(&id)), None).await?;
    let organization = &acting.organization.id;
    let mut write = Write::begin(&app, &caller, &request.idempotency).await?;
    let before = contacts::find(&mut write.tx, organization, &id).await?;
    let Some(before) = before else { return Err(Problem::not_found().into()) };
    if_match.check(before.version)?;
    same_duty(&before, signs)?;
    let signed = signatories_before(&mut write, organization, signs).await?;
    if !contacts::remove(&mut write.tx, (organization, &id, before.version)).await? {
        return Err(stale(before.version).into());
    }
    let event = acting.event(&caller, "contact.removed").about(&id).with("contact", id.clone());
    audit::record(&mut write.tx, event.changed(traced(&Contact::from(before)), Value::Null), write.now).await?;
    tell(&mut write, &app, (&caller, &acting), signed).await?;
    let answer = write.finish(Written::nothing()).await;
    app.mail_waiting.notify_one();
    answer
}

/// Leave to write the contact `id`, or a new one, that has the duty `to` afterwards; and whether it is about who signs for the
/// organization, which needs a recent sign-in with two factors.
async fn leave(
    app: &App,
    caller: &Caller,
    (organization, id): (&str, Option<&str>),
    to: Option<Duty>,
) -> Answer<(Acting, bool)> {
    let acting = caller.in_organization(app, Action::WriteContacts, organization).await?;
    let before = match id {
        Some(id) => contacts::find(&mut app.db.reader().await?, &acting.organization.id, id).await?,
        None => None,
    };
    let signs = matches!(to, Some(Duty::Signatory)) || before.is_some_and(|contact| contact.duty == SIGNATORY);
    if !signs {
        return Ok((acting, false));
    }
    Ok((caller.in_organization(app, Action::WriteSignatory, organization).await?, true))
}

/// Leave was given for a contact that signs, or for another: which became a signatory meanwhile needs another leave.
fn same_duty(before: &contacts::Contact, signs: bool) -> Result<(), Problem> {
    if signs || before.duty != SIGNATORY {
        return Ok(());
    }
    Err(Problem::new(Code::Conflict, "the contact has become a signatory meanwhile"))
}

/// Who signs for the organization before a write about that; none before another.
async fn signatories_before(
    write: &mut Write,
    organization: &str,
    signs: bool,
) -> Answer<Option<Vec<contacts::Contact>>> {
    if !signs {
        return Ok(None);
    }
    Ok(Some(contacts::of_duty(&mut write.tx, organization, SIGNATORY).await?))
}

/// Tells who signed, and who signs now, that it has changed (R055).
async fn tell(
    write: &mut Write,
    app: &App,
    (caller, acting): (&Caller, &Acting),
    signed: Option<Vec<contacts::Contact>>,
) -> Answer<()> {
    if let Some(before) = signed {
        signatories::changed(&mut write.tx, app, (&acting.organization, &before, caller.id()), write.now).await?;
    }
    Ok(())
}

/// What the audit trail keeps of a contact: whom it is about is in the register, not in the trail, which nobody can erase.
fn traced(contact: &Contact) -> Value {
    serde_json::json!({ "duty": contact.duty, "updated_at": contact.updated_at })
}
