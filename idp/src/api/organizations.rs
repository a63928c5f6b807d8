//! `/organizations`: the operator makes them; their administrators read them and correct their names.

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use habilis_keys::random;
use habilis_policies::attributes::{Asked as AttributeNames, Attribute};
use habilis_policies::authorization::Action;
use habilis_policies::identifiers::{Nda, OrganizationKind, Siren, Siret, Uai};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::body::{Body, fields};
use super::caller::Caller;
use super::page::{self, Asked, Page};
use super::precondition::{IfMatch, stale};
use super::problem::{Answer, Code, FieldError, Problem};
use super::write::{Write, Written, found};
use super::{Problems, instant};
use crate::app::App;
use crate::db::organizations_list::{self, OrganizationFilter, OrganizationRow};
use crate::db::{api_keys, audit, is_unique_violation, organizations};
use crate::web::routing::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(read, update))
}

/// An organization.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Organization {
    /// `org_…`.
    id: String,
    /// `company`, `training_body`, `cfa`, `partner` or `individual`.
    kind: String,
    /// Name as registered.
    name: String,
    /// 14 digits.
    siret: Option<String>,
    /// 9 digits.
    siren: Option<String>,
    /// Declaration number of a training body, 11 digits.
    nda: Option<String>,
    /// Code of a school, 7 digits and a letter.
    uai: Option<String>,
    /// `active`, `suspended` or `terminated`.
    status: String,
    /// What it asks of its people: `optional` or `required`.
    second_factor: String,
    /// What its people say of themselves before an account of theirs opens, beyond what is asked of everybody here (R004): `given_name`,
    /// `family_name`, `phone_number`, `birthdate`.
    mandatory_attributes: Vec<&'static str>,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339; that of the creation when it never changed.
    updated_at: String,
}

impl From<organizations::Organization> for Organization {
    fn from(row: organizations::Organization) -> Self {
        Self {
            created_at: instant(row.created_at),
            updated_at: instant(row.updated_at.max(row.created_at)),
            id: row.id,
            kind: row.kind,
            name: row.name,
            siret: row.siret,
            siren: row.siren,
            nda: row.nda,
            uai: row.uai,
            status: row.status,
            second_factor: row.second_factor,
            mandatory_attributes: AttributeNames::stored(&row.mandatory_attributes).names(),
        }
    }
}

/// An organization to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewOrganization {
    /// `company`, `training_body`, `cfa`, `partner` or `individual`.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, max_length = 20)]
    kind: OrganizationKind,
    /// Name as registered.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    name: fields::Line,
    /// 14 digits, spaces allowed.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, max_length = 24)]
    siret: Option<Siret>,
    /// 9 digits; that of the SIRET when absent.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, max_length = 16)]
    siren: Option<Siren>,
    /// Declaration number of a training body.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, max_length = 20)]
    nda: Option<Nda>,
    /// Code of a school.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, max_length = 12)]
    uai: Option<Uai>,
    /// What its people must say beyond what is asked of everybody here: names of attributes.
    #[serde(default, deserialize_with = "fields::optional_list")]
    #[schema(value_type = Option<Vec<String>>, max_items = 4)]
    mandatory_attributes: Option<Vec<Attribute>>,
}

/// What is changed of an organization: what is absent stays, null takes away (RFC 7396).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OrganizationPatch {
    /// Name as registered.
    #[serde(default, deserialize_with = "fields::kept")]
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    name: Option<fields::Line>,
    /// 14 digits.
    #[serde(default, deserialize_with = "fields::patched")]
    #[schema(value_type = Option<String>, max_length = 24)]
    siret: fields::Patched<Siret>,
    /// 9 digits.
    #[serde(default, deserialize_with = "fields::patched")]
    #[schema(value_type = Option<String>, max_length = 16)]
    siren: fields::Patched<Siren>,
    /// Declaration number of a training body.
    #[serde(default, deserialize_with = "fields::patched")]
    #[schema(value_type = Option<String>, max_length = 20)]
    nda: fields::Patched<Nda>,
    /// Code of a school.
    #[serde(default, deserialize_with = "fields::patched")]
    #[schema(value_type = Option<String>, max_length = 12)]
    uai: fields::Patched<Uai>,
    /// What its people must say beyond what is asked of everybody here: `given_name`, `family_name`, `phone_number`, `birthdate`. It is asked of
    /// newcomers before they come in, of others at their next sign-in. An empty list asks nothing more.
    #[serde(default, deserialize_with = "fields::kept_list")]
    #[schema(value_type = Vec<String>, max_items = 4)]
    mandatory_attributes: Option<Vec<Attribute>>,
}

/// The identifiers of a kind agree with each other and with it (R008).
fn check(kind: &str, new: &organizations::Written<'_>) -> Result<(), Problem> {
    let mut errors = Vec::new();
    let mut wrong = |pointer: &str, code, detail: &str| {
        errors.push(FieldError { pointer: pointer.to_owned(), code, detail: detail.to_owned() });
    };
    if let (Some(siret), Some(siren)) = (new.siret, new.siren)
        && !siret.starts_with(siren)
    {
        wrong("/siren", "contradicts_siret", "the SIRET begins with another SIREN");
    }
    if new.nda.is_some() && !matches!(kind, "training_body" | "cfa") {
        wrong("/nda", "not_of_kind", "only training bodies have a declaration number");
    }
    if new.uai.is_some() && kind != "cfa" {
        wrong("/uai", "not_of_kind", "only apprenticeship centres have a UAI here");
    }
    if errors.is_empty() { Ok(()) } else { Err(Problem::fields(errors)) }
}

/// Which organizations.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OrganizationQuery {
    /// Words of the name, or the beginning of a SIRET, SIREN, NDA or UAI; accents and case do not matter.
    #[param(max_length = 200)]
    q: Option<String>,
    /// A kind.
    kind: Option<String>,
    /// A status.
    status: Option<String>,
    /// `name`, `-name`, `created` or `-created`; by name when absent. A search has an order of its own.
    sort: Option<String>,
    /// Rows at the most, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[param(max_length = 2048)]
    cursor: Option<String>,
}

/// List or search organizations.
#[utoipa::path(
    get, path = "/organizations", tag = "organizations", params(OrganizationQuery),
    responses((status = 200, description = "A page", body = Page<OrganizationListed>), Problems),
    security(("oauth2" = ["habilis.organizations.read"]))
)]
async fn list(State(app): State<App>, caller: Caller, Asked(query): Asked<OrganizationQuery>) -> Answer {
    caller.may(&app, Action::ListOrganizations).await?;
    let words = page::words(query.q.as_deref())?;
    let (order, after) = page::place((query.sort.as_deref(), "created"), query.cursor.as_deref(), &words)?;
    let kinds = ["company", "training_body", "cfa", "partner", "individual"];
    let kind = page::one_of("kind", query.kind.as_deref(), &kinds)?;
    let status = page::one_of("status", query.status.as_deref(), &["active", "suspended", "terminated"])?;
    let filter = OrganizationFilter { words: &words, status, kind };
    let limit = page::limit(query.limit)?;
    let found = organizations_list::list_page(&mut app.db.reader().await?, &filter, (order, after), limit).await?;
    Ok(Page::shown(found, OrganizationListed::from).into_response())
}

/// An organization in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OrganizationListed {
    /// `org_…`.
    id: String,
    /// Its kind.
    kind: String,
    /// Name as registered.
    name: String,
    /// 14 digits.
    siret: Option<String>,
    /// 9 digits.
    siren: Option<String>,
    /// `active`, `suspended` or `terminated`.
    status: String,
    /// RFC 3339.
    created_at: String,
}

impl From<OrganizationRow> for OrganizationListed {
    fn from(row: OrganizationRow) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            name: row.name,
            siret: row.siret,
            siren: row.siren,
            status: row.status,
            created_at: instant(row.created_at),
        }
    }
}

/// Make an organization.
#[utoipa::path(
    post, path = "/organizations", tag = "organizations", request_body = NewOrganization,
    responses((status = 201, description = "Made", body = Organization), Problems),
    security(("oauth2" = ["habilis.organizations.write"]))
)]
async fn create(State(app): State<App>, caller: Caller, body: Body<NewOrganization>) -> Answer {
    let policy = caller.may(&app, Action::CreateOrganization).await?;
    let new = &body.value;
    let siren = new.siren.clone().or_else(|| new.siret.as_ref().map(Siret::siren));
    let written = organizations::Written {
        name: &new.name.0,
        siret: new.siret.as_ref().map(Siret::as_str),
        siren: siren.as_ref().map(Siren::as_str),
        nda: new.nda.as_ref().map(Nda::as_str),
        uai: new.uai.as_ref().map(Uai::as_str),
        mandatory: &asked_names(new.mandatory_attributes.as_deref()).unwrap_or_default(),
    };
    let kind = word(new.kind);
    check(&kind, &written)?;
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let id = random::id("org", write.now);
    match organizations::create(&mut write.tx, (&id, &kind), &written, write.now).await {
        Err(error) if is_unique_violation(&error) => return Err(Problem::bare(Code::SiretTaken).into()),
        created => created?,
    }
    let Some(row) = organizations::find(&mut write.tx, &id).await? else { return Err(Problem::not_found().into()) };
    let (version, shown) = (row.version, Organization::from(row));
    let event = caller.event("organization.created").in_organization(&id).about(&id).with("policy", policy);
    audit::record(&mut write.tx, event.changed(Value::Null, serde_json::to_value(&shown)?), write.now).await?;
    write.finish(Written::created(format!("/api/v1/organizations/{id}"), &shown)?.with_version(version)).await
}

/// Read an organization.
#[utoipa::path(
    get, path = "/organizations/{organization}", tag = "organizations",
    params(("organization" = String, Path, description = "`org_…`")),
    responses((status = 200, description = "Found", body = Organization), Problems),
    security(("oauth2" = ["habilis.organizations.read"]))
)]
async fn read(State(app): State<App>, caller: Caller, Path(organization): Path<String>) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadOrganization, &organization).await?;
    let version = acting.organization.version;
    found(&Organization::from(acting.organization), version)
}

/// Correct an organization.
#[utoipa::path(
    patch, path = "/organizations/{organization}", tag = "organizations", request_body = OrganizationPatch,
    params(("organization" = String, Path, description = "`org_…`"), ("If-Match" = String, Header, description = "`ETag` that was read")),
    responses((status = 200, description = "As it is now", body = Organization), Problems),
    security(("oauth2" = ["habilis.organizations.write"]))
)]
async fn update(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    if_match: IfMatch,
    body: Body<OrganizationPatch>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::UpdateOrganization, &organization).await?;
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let before = organizations::find(&mut write.tx, &acting.organization.id).await?;
    let Some(before) = before else { return Err(Problem::not_found().into()) };
    if_match.check(before.version)?;
    let patch = &body.value;
    let asked = asked_names(patch.mandatory_attributes.as_deref());
    let written = organizations::Written {
        name: patch.name.as_ref().map_or(before.name.as_str(), |name| &name.0),
        siret: patch.siret.over(before.siret.as_deref(), Siret::as_str),
        siren: patch.siren.over(before.siren.as_deref(), Siren::as_str),
        nda: patch.nda.over(before.nda.as_deref(), Nda::as_str),
        uai: patch.uai.over(before.uai.as_deref(), Uai::as_str),
        mandatory: asked.as_deref().unwrap_or(&before.mandatory_attributes),
    };
    check(&before.kind, &written)?;
    if written.says(&before) {
        let version = before.version;
        return write.finish(Written::changed(&Organization::from(before))?.with_version(version)).await;
    }
    // An API key is that of a SIREN: without one nothing could say what it opens (R101).
    let (has, had) = (written.siren.or(written.siret), before.siren.as_ref().or(before.siret.as_ref()));
    if has.is_none() && had.is_some() && api_keys::any(&mut write.tx, &before.id).await? {
        return Err(Problem::field(
            "/siren",
            "needed_by_api_keys",
            "the organization has API keys, which are for a SIREN",
        )
        .into());
    }
    match organizations::update(&mut write.tx, (&before.id, before.version), &written, write.now).await {
        Err(error) if is_unique_violation(&error) => return Err(Problem::bare(Code::SiretTaken).into()),
        Ok(false) => return Err(stale(before.version).into()),
        updated => updated?,
    };
    let after = organizations::find(&mut write.tx, &before.id).await?;
    let Some(after) = after else { return Err(Problem::not_found().into()) };
    let version = after.version;
    let (before, after) = (Organization::from(before), Organization::from(after));
    let event = acting.event(&caller, "organization.updated").about(&after.id);
    let event = event.changed(serde_json::to_value(&before)?, serde_json::to_value(&after)?);
    audit::record(&mut write.tx, event, write.now).await?;
    write.finish(Written::changed(&after)?.with_version(version)).await
}

/// Names of attributes, each once, as stored.
fn asked_names(attributes: Option<&[Attribute]>) -> Option<String> {
    attributes.map(|attributes| attributes.iter().copied().collect::<AttributeNames>().names().join(" "))
}

/// The word of a kind, as stored.
fn word(kind: OrganizationKind) -> String {
    serde_json::to_value(kind).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}
