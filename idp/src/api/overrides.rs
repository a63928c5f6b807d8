//! `/organizations/{organization}/overrides`: the operator appoints or removes an administrator, but only on a written request of
//! an authorised representative, whose mandate was verified, and with a second operator's approval (R054).

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use habilis_keys::random;
use habilis_keys::token::file_digest_hex;
use habilis_policies::authorization::Action;
use habilis_policies::contact::Name;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt as _};

use super::body::{Body, RawBody, fields};
use super::caller::{Caller, OnMember};
use super::page::{self, Asked, Page};
use super::problem::{Answer, Code, Problem};
use super::requests::{DecisionNote, RequestQuery};
use super::write::{Idempotency, Write, Written};
use super::{Problems, instant};
use crate::account::documents::sniff;
use crate::account::{membership, signatories};
use crate::app::App;
use crate::db::audit;
use crate::db::members;
use crate::db::overrides::{self, Document, NewOverride};
use crate::mail::organizations::SensitiveAct;
use crate::web::routing::routes;

const STATUSES: &[&str] = &["requested", "done", "declined", "withdrawn", "expired"];
/// What documents are sealed for.
const PURPOSE: &str = "override-document";
/// Largest document, in bytes.
const MOST: usize = 5 * 1024 * 1024;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read))
        .routes(routes!(upload, download).layer(DefaultBodyLimit::max(MOST)))
        .routes(routes!(approve))
        .routes(routes!(decline))
        .routes(routes!(withdraw))
        .routes(routes!(everywhere))
}

/// What the operator does about an administrator on a written request.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Override {
    /// `ovr_…`.
    id: String,
    /// `org_…`.
    organization: String,
    /// The member concerned, `usr_…`.
    person: String,
    /// `administrator`, `member` or `removed`: what they are afterwards.
    outcome: String,
    /// Who signed the written request.
    signed_by: String,
    /// As what they signed.
    capacity: String,
    /// How their mandate was verified.
    verification: String,
    /// Why.
    reason: String,
    /// The written request, once uploaded.
    document: Option<DocumentFacts>,
    /// `requested`, `done`, `declined`, `withdrawn` or `expired` (nobody decided for 30 days).
    status: String,
    /// `usr_…`.
    requested_by: String,
    /// RFC 3339.
    requested_at: String,
    /// `usr_…`, not the same.
    decided_by: Option<String>,
    /// RFC 3339.
    decided_at: Option<String>,
    /// What was said to it.
    note: Option<String>,
}

/// What is known of an uploaded document.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DocumentFacts {
    /// `application/pdf`, `image/jpeg` or `image/png`.
    media_type: String,
    /// Bytes.
    size: i64,
    /// SHA-256, lower-case hexadecimal; the audit has it too.
    sha256: String,
    /// Whether it can still be read: it is dropped five years after the decision.
    kept: bool,
}

impl From<overrides::Override> for Override {
    fn from(row: overrides::Override) -> Self {
        let kept = row.document_kept;
        let facts = row.document_type.zip(row.document_size).zip(row.document_sha256);
        Self {
            id: row.id,
            organization: row.organization_id,
            person: row.person_id,
            outcome: row.outcome,
            signed_by: row.signed_by,
            capacity: row.capacity,
            verification: row.verification,
            reason: row.reason,
            document: facts.map(|((media_type, size), sha256)| DocumentFacts { media_type, size, sha256, kept }),
            status: row.status,
            requested_by: row.requested_by,
            requested_at: instant(row.requested_at),
            decided_by: row.decided_by,
            decided_at: row.decided_at.map(instant),
            note: row.note,
        }
    }
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum OverrideOutcome {
    Administrator,
    Member,
    Removed,
}

impl OverrideOutcome {
    fn word(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Member => "member",
            Self::Removed => "removed",
        }
    }
}

/// An override to be approved by a second operator.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewOverrideBody {
    /// The member concerned, `usr_…`. Somebody from outside is invited first.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, max_length = 200)]
    person: fields::Line,
    /// What they are afterwards.
    outcome: OverrideOutcome,
    /// Who signed the written request.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    signed_by: Name,
    /// As what they signed: « présidente », « gérant »…
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    capacity: fields::Line,
    /// How their mandate was verified: extract of the register, call back to a known number…
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 2000)]
    verification: fields::Paragraph,
    /// Why.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 2000)]
    reason: fields::Paragraph,
}

/// An approval, of the document that was read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OverrideApproval {
    /// SHA-256 of the document that was read, lower-case hexadecimal: `document.sha256` of the override.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    document_sha256: fields::Line,
    /// For the other side, and the audit trail.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    note: Option<fields::Paragraph>,
}

fn shown(rows: Vec<overrides::Override>, limit: u32) -> Page<Override> {
    Page::of(rows, limit, |row| page::cursor_before(row.requested_at.milliseconds(), &row.id), Override::from)
}

/// List what the operator did about an organization's administrators, newest first. The organization sees it too (R055).
#[utoipa::path(
    get, path = "/organizations/{organization}/overrides", tag = "overrides",
    params(("organization" = String, Path, description = "`org_…`"), RequestQuery),
    responses((status = 200, description = "A page", body = Page<Override>), Problems),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    Asked(query): Asked<RequestQuery>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadSuccessions, &organization).await?;
    let (status, paging) = (query.status(STATUSES)?, query.paging());
    let (limit, (at, id)) = (paging.limit()?, paging.before()?);
    let of = (acting.organization.id.as_str(), status);
    let rows = overrides::list(&mut app.db.reader().await?, of, (at, &id, limit + 1)).await?;
    Ok(shown(rows, limit).into_response())
}

/// List the overrides of all organizations with one status, newest first: `requested` when absent.
#[utoipa::path(
    get, path = "/overrides", tag = "overrides", params(RequestQuery),
    responses((status = 200, description = "A page", body = Page<Override>), Problems),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn everywhere(State(app): State<App>, caller: Caller, Asked(query): Asked<RequestQuery>) -> Answer {
    caller.may(&app, Action::ReadSuccessions).await?;
    let (status, paging) = (query.status(STATUSES)?.unwrap_or("requested"), query.paging());
    let (limit, (at, id)) = (paging.limit()?, paging.before()?);
    let rows = overrides::everywhere(&mut app.db.reader().await?, status, (at, &id, limit + 1)).await?;
    Ok(shown(rows, limit).into_response())
}

/// Record a written request about an administrator. Upload it next; a second operator approves.
#[utoipa::path(
    post, path = "/organizations/{organization}/overrides", tag = "overrides", request_body = NewOverrideBody,
    params(("organization" = String, Path, description = "`org_…`")),
    responses((status = 201, description = "Waits for the document and an approval", body = Override), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn create(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    body: Body<NewOverrideBody>,
) -> Answer {
    let new = &body.value;
    // Who may not do this learns nothing of who is a member.
    caller.in_organization(&app, Action::ReadSuccessions, &organization).await?;
    let on = caller.on_member(&app, Action::OverrideAdministrator, (&organization, &new.person.0)).await?;
    let (organization, person) = (&on.organization.id, &on.member.person_id);
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let outcome = new.outcome.word();
    if on.member.role == outcome {
        return Err(Problem::field("/outcome", "no_change", "that is what the member is already").into());
    }
    if outcome == "member" && on.member.role != "administrator" {
        return Err(Problem::field("/outcome", "no_change", "the member is no administrator").into());
    }
    let id = random::id("ovr", write.now);
    let row = NewOverride {
        id: &id,
        organization,
        person,
        outcome,
        signed: (new.signed_by.as_str(), &new.capacity.0),
        verification: &new.verification.0,
        reason: &new.reason.0,
        by: caller.id(),
    };
    overrides::insert(&mut write.tx, &row, write.now).await?;
    let event = on.event(&caller, "override.requested").with("override", id.clone()).with("outcome", outcome);
    audit::record(&mut write.tx, event.with("reason", new.reason.0.clone()), write.now).await?;
    let row = of(&mut write, organization, &id).await?;
    let location = format!("/api/v1/organizations/{organization}/overrides/{id}");
    write.finish(Written::created(location, &Override::from(row))?).await
}

async fn of(write: &mut Write, organization: &str, id: &str) -> Answer<overrides::Override> {
    overrides::find(&mut write.tx, organization, id).await?.ok_or_else(|| Problem::not_found().into())
}

/// Read an override.
#[utoipa::path(
    get, path = "/organizations/{organization}/overrides/{override}", tag = "overrides",
    params(("organization" = String, Path, description = "`org_…`"), ("override" = String, Path, description = "`ovr_…`")),
    responses((status = 200, description = "Found", body = Override), Problems),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn read(State(app): State<App>, caller: Caller, Path((organization, id)): Path<(String, String)>) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadSuccessions, &organization).await?;
    let row = overrides::find(&mut app.db.reader().await?, &acting.organization.id, &id).await?;
    let Some(row) = row else { return Err(Problem::not_found().into()) };
    Ok(Written::changed(&Override::from(row))?.into_response())
}

/// An override and leave to do something with it; `asked`: to decide what somebody else asked for.
async fn leave(
    app: &App,
    caller: &Caller,
    (organization, id): (&str, &str),
    asked: bool,
) -> Answer<(OnMember, overrides::Override)> {
    let acting = caller.in_organization(app, Action::ReadSuccessions, organization).await?;
    let row = overrides::find(&mut app.db.reader().await?, &acting.organization.id, id).await?;
    let Some(row) = row else { return Err(Problem::not_found().into()) };
    if members::find(&mut app.db.reader().await?, &row.organization_id, &row.person_id).await?.is_none() {
        return Err(Problem::new(Code::Conflict, "the person is not a member any more").into());
    }
    let at = (row.organization_id.as_str(), row.person_id.as_str());
    let by = asked.then_some(row.requested_by.as_str());
    let on = caller.on_member_asked(app, Action::OverrideAdministrator, at, by).await?;
    Ok((on, row))
}

/// Upload the written request: PDF, JPEG or PNG, at most 5 MiB. Who recorded the override does, and may again until it is decided.
#[utoipa::path(
    put, path = "/organizations/{organization}/overrides/{override}/document", tag = "overrides",
    request_body(content = Vec<u8>, content_type = "application/pdf"),
    params(("organization" = String, Path, description = "`org_…`"), ("override" = String, Path, description = "`ovr_…`")),
    responses((status = 200, description = "As it is now", body = Override), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn upload(
    State(app): State<App>,
    caller: Caller,
    Path((organization, id)): Path<(String, String)>,
    body: RawBody,
) -> Answer {
    let (on, row) = leave(&app, &caller, (&organization, &id), false).await?;
    let known = sniff(&body.bytes).filter(|kind| *kind == body.media_type);
    let Some(media_type) = known else {
        let detail = "send a PDF, a JPEG or a PNG, under its own media type";
        return Err(Problem::new(Code::UnsupportedMediaType, detail).into());
    };
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let sha256 = file_digest_hex(&body.bytes);
    let document = Document {
        media_type,
        size: i64::try_from(body.bytes.len()).unwrap_or(i64::MAX),
        sha256: &sha256,
        sealed: &app.keys.master().seal(PURPOSE, row.id.as_bytes(), &body.bytes),
    };
    let at = (row.organization_id.as_str(), row.id.as_str());
    if !overrides::set_document(&mut write.tx, (at.0, at.1, caller.id()), &document).await? {
        let detail = "only who recorded the override uploads its document, until it is decided";
        return Err(Problem::new(Code::Conflict, detail).into());
    }
    let event = on.event(&caller, "override.document_uploaded").with("override", row.id.clone());
    audit::record(&mut write.tx, event.with("sha256", sha256.clone()), write.now).await?;
    let act = SensitiveAct::OverrideRequested { person: name(&on), signed_by: row.signed_by.clone() };
    signatories::tell(&mut write.tx, &app, (&on.organization, act), write.now).await?;
    finish(&app, write, at).await
}

fn name(on: &OnMember) -> String {
    format!("{} {}", on.member.given_name, on.member.family_name)
}

/// Read the written request. It is noted who did.
#[utoipa::path(
    get, path = "/organizations/{organization}/overrides/{override}/document", tag = "overrides",
    params(("organization" = String, Path, description = "`org_…`"), ("override" = String, Path, description = "`ovr_…`")),
    responses((status = 200, description = "The file", body = Vec<u8>, content_type = "application/pdf"), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn download(State(app): State<App>, caller: Caller, Path((organization, id)): Path<(String, String)>) -> Answer {
    let (on, row) = leave(&app, &caller, (&organization, &id), false).await?;
    let found = overrides::document(&mut app.db.reader().await?, &row.organization_id, &row.id).await?;
    let Some((media_type, sealed)) = found else { return Err(Problem::not_found().into()) };
    let opened = app.keys.open_sealed(PURPOSE, &row.id, &sealed)?;
    let mut tx = app.db.begin().await?;
    let event = on.event(&caller, "override.document_read").with("override", row.id.clone());
    audit::record(&mut tx, event, app.clock.now()).await?;
    tx.commit().await?;
    let headers = [
        (header::CONTENT_TYPE, media_type.as_str()),
        (header::CONTENT_DISPOSITION, "attachment"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, opened.expose().clone()).into_response())
}

/// Approve what another operator recorded, by the document that was read: it is done at once. It may leave the organization without an
/// administrator.
#[utoipa::path(
    post, path = "/organizations/{organization}/overrides/{override}/approve", tag = "overrides", request_body = OverrideApproval,
    params(("organization" = String, Path, description = "`org_…`"), ("override" = String, Path, description = "`ovr_…`")),
    responses((status = 200, description = "Done", body = Override), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn approve(
    State(app): State<App>,
    caller: Caller,
    Path((organization, id)): Path<(String, String)>,
    body: Body<OverrideApproval>,
) -> Answer {
    let (on, row) = leave(&app, &caller, (&organization, &id), true).await?;
    let note = body.value.note.as_ref().map(|note| note.0.as_str());
    let mut write = decide(&app, &caller, (&body.idempotency, note), (&row, "done")).await?;
    let row = of(&mut write, &row.organization_id, &row.id).await?;
    let Some(sha256) = row.document_sha256.clone().filter(|_| row.document_kept) else {
        return Err(Problem::bare(Code::DocumentMissing).into());
    };
    // Who recorded it may upload another until now: what is approved is what was read.
    if body.value.document_sha256.0 != sha256 {
        return Err(Problem::bare(Code::DocumentChanged).with("sha256", sha256).into());
    }
    let (organization, person) = (&row.organization_id, &row.person_id);
    members::lock(&mut write.tx, organization).await?;
    let Some(member) = members::find(&mut write.tx, organization, person).await? else {
        return Err(Problem::new(Code::Conflict, "the person is not a member any more").into());
    };
    if row.outcome == "removed" {
        membership::end(&mut write.tx, &app, (organization, &member, caller.id()), write.now).await?;
    } else if !members::set_role(&mut write.tx, (organization, person), (&member.role, &row.outcome), write.now).await?
    {
        return Err(Problem::new(Code::Conflict, "the member has changed meanwhile").into());
    }
    let today = habilis_policies::calendar::date_at(write.now).to_string();
    let left = members::administrators(&mut write.tx, organization, &today).await?.len();
    let facts = |name| on.event(&caller, name).with("override", row.id.clone());
    let after = if row.outcome == "removed" { Value::Null } else { json!({ "role": row.outcome }) };
    let name_of_act = if row.outcome == "removed" { "member.removed" } else { "member.role_changed" };
    audit::record(&mut write.tx, facts(name_of_act).changed(json!({ "role": member.role }), after), write.now).await?;
    let event = facts("override.done").with("sha256", sha256).with("requested_by", row.requested_by.clone());
    audit::record(&mut write.tx, event.with("administrators_left", left), write.now).await?;
    let act = SensitiveAct::OverrideDone { person: name(&on), signed_by: row.signed_by.clone() };
    signatories::tell(&mut write.tx, &app, (&on.organization, act), write.now).await?;
    finish(&app, write, (organization, &row.id)).await
}

/// Decline what another operator recorded.
#[utoipa::path(
    post, path = "/organizations/{organization}/overrides/{override}/decline", tag = "overrides", request_body = DecisionNote,
    params(("organization" = String, Path, description = "`org_…`"), ("override" = String, Path, description = "`ovr_…`")),
    responses((status = 200, description = "As it is now", body = Override), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn decline(
    State(app): State<App>,
    caller: Caller,
    Path((organization, id)): Path<(String, String)>,
    body: Body<DecisionNote>,
) -> Answer {
    let (on, row) = leave(&app, &caller, (&organization, &id), true).await?;
    let mut write = decide(&app, &caller, (&body.idempotency, body.value.text()), (&row, "declined")).await?;
    let event = on.event(&caller, "override.declined").with("override", row.id.clone());
    audit::record(&mut write.tx, event, write.now).await?;
    finish(&app, write, (&row.organization_id, &row.id)).await
}

/// Withdraw what one recorded oneself.
#[utoipa::path(
    post, path = "/organizations/{organization}/overrides/{override}/withdraw", tag = "overrides", request_body = DecisionNote,
    params(("organization" = String, Path, description = "`org_…`"), ("override" = String, Path, description = "`ovr_…`")),
    responses((status = 200, description = "As it is now", body = Override), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn withdraw(
    State(app): State<App>,
    caller: Caller,
    Path((organization, id)): Path<(String, String)>,
    body: Body<DecisionNote>,
) -> Answer {
    let (on, row) = leave(&app, &caller, (&organization, &id), false).await?;
    if row.requested_by != caller.id() {
        return Err(Problem::new(Code::Forbidden, "it is withdrawn by who recorded it").into());
    }
    let mut write = decide(&app, &caller, (&body.idempotency, body.value.text()), (&row, "withdrawn")).await?;
    let event = on.event(&caller, "override.withdrawn").with("override", row.id.clone());
    audit::record(&mut write.tx, event, write.now).await?;
    finish(&app, write, (&row.organization_id, &row.id)).await
}

/// Takes the decision in a transaction that goes on: of two at once, one.
async fn decide(
    app: &App,
    caller: &Caller,
    (idempotency, note): (&Idempotency, Option<&str>),
    (row, to): (&overrides::Override, &str),
) -> Answer<Write> {
    let mut write = Write::begin(app, caller, idempotency).await?;
    let (at, by) = ((row.organization_id.as_str(), row.id.as_str()), (to, caller.id(), note));
    if !overrides::decide(&mut write.tx, at, by, write.now).await? {
        return Err(Problem::new(Code::Conflict, "it was decided already").into());
    }
    Ok(write)
}

async fn finish(app: &App, mut write: Write, (organization, id): (&str, &str)) -> Answer {
    let after = of(&mut write, organization, id).await?;
    let answer = write.finish(Written::changed(&Override::from(after))?).await;
    app.mail_waiting.notify_one();
    answer
}
