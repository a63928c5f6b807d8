//! `/document-requests`, `/organizations/{organization}/document-requests`: the operator asks organizations for documents, originals or
//! evidence of rights, by a last day; administrators upload and answer (R013, R091). What the operator decides about an answer is in
//! [`super::document_decisions`].
//!
//! Unanswered on the last day, the organization is suspended if the request says so; it is reinstated when the answer is accepted.

use std::collections::BTreeSet;

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderName, header};
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use habilis_keys::random;
use habilis_keys::token::{digest, file_digest_hex};
use habilis_policies::authorization::Action;
use habilis_policies::calendar;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt as _};

use super::body::{Body, NoBody, RawBody, fields};
use super::caller::Caller;
use super::page::{self, Asked, Page, Paging};
use super::problem::{Answer, Code, FieldError, Problem};
use super::requests::{DecisionNote, RequestQuery};
use super::write::{Write, Written};
use super::{Problems, instant};
use crate::account::documents::{self, sniff};
use crate::account::review;
use crate::app::App;
use crate::db::document_requests::{self as rows, NewDocument, NewRequest};
use crate::db::{Conn, audit, organizations};
use crate::mail::documents::Stage;
use crate::web::routing::routes;

const STATUSES: &[&str] = &["open", "answered", "accepted", "cancelled"];
/// What documents are sealed for.
const PURPOSE: &str = "requested-document";
/// Largest document, in bytes.
const MOST: usize = 5 * 1024 * 1024;
/// Documents of a request.
const MOST_DOCUMENTS: i64 = 50;
/// Organizations asked at once.
const MOST_ORGANIZATIONS: usize = 50;
/// Days until the last one.
const MOST_DAYS: i32 = 366;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(everywhere, create))
        .routes(routes!(list))
        .routes(routes!(read))
        .routes(routes!(upload).layer(DefaultBodyLimit::max(MOST)))
        .routes(routes!(download, remove))
        .routes(routes!(answer))
        .routes(routes!(report))
}

/// What the operator asks an organization for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DocumentRequest {
    /// `drq_…`.
    id: String,
    /// `org_…`.
    organization: String,
    /// A name that requests to many organizations share.
    campaign: Option<String>,
    /// The review of access that was opened with it, `rev_…`.
    review: Option<String>,
    /// What it is called.
    title: String,
    /// Which documents.
    wanted: String,
    /// The last day (Paris).
    due_on: String,
    /// Whether the organization is suspended when nobody has answered by then.
    suspends: bool,
    /// `open`, `answered`, `accepted` or `cancelled`.
    status: String,
    /// When the last day had passed without an answer, RFC 3339.
    overdue_at: Option<String>,
    /// The suspension, `mea_…`.
    suspension: Option<String>,
    /// `usr_…` or a client.
    requested_by: String,
    /// RFC 3339.
    requested_at: String,
    /// Who answered last.
    answered_by: Option<String>,
    /// RFC 3339.
    answered_at: Option<String>,
    /// With which words.
    answer: Option<String>,
    /// Who accepted, refused or cancelled last.
    decided_by: Option<String>,
    /// RFC 3339.
    decided_at: Option<String>,
    /// What they said.
    note: Option<String>,
    /// How often the answer was refused.
    refusals: i64,
    /// SHA-256 of the report once it is settled, lower-case hexadecimal.
    evidence_sha256: Option<String>,
    /// The documents, the first first; in lists none.
    documents: Vec<RequestedDocument>,
}

/// What is known of a document.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RequestedDocument {
    /// `doc_…`.
    id: String,
    /// Name of the file.
    name: String,
    /// `application/pdf`, `image/jpeg` or `image/png`.
    media_type: String,
    /// Bytes.
    size: i64,
    /// SHA-256, lower-case hexadecimal; the audit has it too.
    sha256: String,
    /// Whether it can still be read: it is dropped five years after the decision.
    kept: bool,
    /// How often the answer had been refused before it.
    refusals_before: i64,
    /// `usr_…` or a client.
    uploaded_by: String,
    /// RFC 3339.
    uploaded_at: String,
}

impl DocumentRequest {
    pub(super) fn new(row: rows::DocumentRequest, documents: Vec<rows::DocumentFacts>) -> Self {
        let documents = documents.into_iter().map(|document| RequestedDocument {
            id: document.id,
            name: document.name,
            media_type: document.media_type,
            size: document.size_bytes,
            sha256: document.sha256,
            kept: document.kept,
            refusals_before: document.round,
            uploaded_by: document.uploaded_by,
            uploaded_at: instant(document.uploaded_at),
        });
        Self {
            documents: documents.collect(),
            id: row.id,
            organization: row.organization_id,
            campaign: row.campaign,
            review: row.review_id,
            title: row.title,
            wanted: row.wanted,
            due_on: row.due_on,
            suspends: row.suspends,
            status: row.status,
            overdue_at: row.overdue_at.map(instant),
            suspension: row.measure_id,
            requested_by: row.requested_by,
            requested_at: instant(row.requested_at),
            answered_by: row.answered_by,
            answered_at: row.answered_at.map(instant),
            answer: row.answer,
            decided_by: row.decided_by,
            decided_at: row.decided_at.map(instant),
            note: row.note,
            refusals: row.refusals,
            evidence_sha256: row.evidence_sha256,
        }
    }
}

impl From<rows::DocumentRequest> for DocumentRequest {
    fn from(row: rows::DocumentRequest) -> Self {
        Self::new(row, Vec::new())
    }
}

/// A request to one organization, or the same to many.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewDocumentRequests {
    /// Who is asked, each `org_…`, 1 to 50.
    #[schema(value_type = Vec<String>, min_items = 1, max_items = 50)]
    #[serde(deserialize_with = "fields::list")]
    organizations: Vec<fields::Line>,
    /// A name that these requests share with others, to follow them together.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, max_length = 200)]
    campaign: Option<fields::Line>,
    /// What it is called.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    title: fields::Line,
    /// Which documents, as the letter says it.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 2000)]
    wanted: fields::Paragraph,
    /// The last day (Paris): after today, within 366 days.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, format = Date)]
    due_on: Date,
    /// Whether an organization that has not answered by then is suspended; not, when absent.
    #[serde(default)]
    suspends: bool,
    /// What was not respected then, as the letter of the suspension says it; needed with `suspends` (R085).
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    breach: Option<fields::Paragraph>,
    /// What has to be done about it; needed with `suspends`.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    remedy: Option<fields::Paragraph>,
    /// Whether a review of access opens with it, due on the same day, where none is open (R091).
    #[serde(default)]
    review: bool,
}

/// Requests that were made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DocumentRequestsMade {
    /// One for each organization, in their order.
    items: Vec<DocumentRequest>,
}

/// Which requests.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CampaignQuery {
    /// With this status only.
    status: Option<String>,
    /// Of this campaign only.
    #[param(max_length = 200)]
    campaign: Option<String>,
    /// Rows at the most, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[param(max_length = 512)]
    cursor: Option<String>,
}

/// How a document is called.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DocumentQuery {
    /// Name of the file; `document` when absent.
    #[param(max_length = 200)]
    name: Option<String>,
}

fn shown(found: Vec<rows::DocumentRequest>, limit: u32) -> Page<DocumentRequest> {
    let cursor = |row: &rows::DocumentRequest| page::cursor_before(row.requested_at.milliseconds(), &row.id);
    Page::of(found, limit, cursor, DocumentRequest::from)
}

/// List what organizations were asked for, newest first: of all, or of one campaign.
#[utoipa::path(
    get, path = "/document-requests", tag = "document requests", params(CampaignQuery),
    responses((status = 200, description = "A page", body = Page<DocumentRequest>), Problems),
    security(("oauth2" = ["habilis.organizations.read"]))
)]
async fn everywhere(State(app): State<App>, caller: Caller, Asked(query): Asked<CampaignQuery>) -> Answer {
    caller.may(&app, Action::ReadDocumentRequests).await?;
    let status = page::one_of("status", query.status.as_deref(), STATUSES)?;
    let campaign = query.campaign.as_deref();
    let good = |campaign: &str| (1..=200).contains(&campaign.chars().count()) && !campaign.contains(char::is_control);
    if campaign.is_some_and(|campaign| !good(campaign)) {
        return Err(Problem::parameter("campaign", "1 to 200 characters on one line").into());
    }
    let paging = Paging::new(query.limit, query.cursor.clone());
    let (limit, (at, id)) = (paging.limit()?, paging.before()?);
    let found = rows::everywhere(&mut app.db.reader().await?, (status, campaign), (at, &id, limit + 1)).await?;
    Ok(shown(found, limit).into_response())
}

/// Ask organizations for documents, all of the list or none. Their administrators are written to.
#[utoipa::path(
    post, path = "/document-requests", tag = "document requests", request_body = NewDocumentRequests,
    responses((status = 201, description = "Asked", body = DocumentRequestsMade), Problems),
    security(("oauth2" = ["habilis.organizations.write"]))
)]
async fn create(State(app): State<App>, caller: Caller, body: Body<NewDocumentRequests>) -> Answer {
    let policy = caller.may(&app, Action::RequestDocuments).await?;
    let new = &body.value;
    let today = calendar::date_at(app.clock.now());
    check(new, today)?;
    if new.suspends {
        // Who has an organization suspended may suspend it.
        for organization in &new.organizations {
            caller.in_organization(&app, Action::SetOrganizationStatus, &organization.0).await?;
        }
    }
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let mut items = Vec::with_capacity(new.organizations.len());
    for (index, organization) in new.organizations.iter().enumerate() {
        let id = organization.0.as_str();
        let found = if id.contains('\0') { None } else { organizations::find(&mut write.tx, id).await? };
        let Some(found) = found.filter(|found| found.status != "terminated") else {
            let detail = "no such organization, or it was terminated";
            return Err(Problem::field(&format!("/organizations/{index}"), "not_found", detail).into());
        };
        let mut review = None;
        if new.review {
            let opened = review::open(&mut write.tx, &app, (&found, caller.id(), new.due_on), write.now).await?;
            review = opened.map(|(review, _)| review);
        }
        let request = random::id("drq", write.now);
        let text = |text: &Option<fields::Paragraph>| text.as_ref().filter(|_| new.suspends).map(|text| text.0.clone());
        let (breach, remedy) = (text(&new.breach).unwrap_or_default(), text(&new.remedy).unwrap_or_default());
        let row = NewRequest {
            id: &request,
            organization: id,
            campaign: new.campaign.as_ref().map(|campaign| campaign.0.as_str()),
            review: review.as_deref(),
            title: &new.title.0,
            wanted: &new.wanted.0,
            due_on: &new.due_on.to_string(),
            suspends: new.suspends,
            breach: &breach,
            remedy: &remedy,
            by: caller.id(),
        };
        rows::insert(&mut write.tx, &row, write.now).await?;
        let row = of(&mut write.tx, id, &request).await?;
        documents::tell(&mut write.tx, &app, (&row, Stage::Opened), write.now).await?;
        let event = caller.event("document_request.opened").in_organization(id).with("policy", policy.clone());
        let event = event.with("document_request", request).with("due_on", row.due_on.clone());
        let event = event.with("suspends", new.suspends).with("campaign", row.campaign.clone()).with("review", review);
        audit::record(&mut write.tx, event, write.now).await?;
        items.push(DocumentRequest::from(row));
    }
    let made = DocumentRequestsMade { items };
    let answer = write.finish(Written::created("/api/v1/document-requests".to_owned(), &made)?).await;
    app.mail_waiting.notify_one();
    answer
}

/// What can be said of a request before anything is looked up.
fn check(new: &NewDocumentRequests, today: Date) -> Result<(), Problem> {
    if new.organizations.is_empty() || new.organizations.len() > MOST_ORGANIZATIONS {
        return Err(Problem::field("/organizations", "out_of_range", "1 to 50 organizations"));
    }
    let mut wrong = Vec::new();
    let mut fault =
        |pointer: String, code, detail: &str| wrong.push(FieldError { pointer, code, detail: detail.to_owned() });
    let mut seen = BTreeSet::new();
    for (index, organization) in new.organizations.iter().enumerate() {
        if !seen.insert(&organization.0) {
            fault(format!("/organizations/{index}"), "duplicate", "each once");
        }
    }
    if new.suspends {
        for (text, pointer) in [(&new.breach, "/breach"), (&new.remedy, "/remedy")] {
            if text.is_none() {
                fault(
                    pointer.to_owned(),
                    "required",
                    "a suspension says what was not respected and what is to be done (R085)",
                );
            }
        }
    }
    if !wrong.is_empty() {
        return Err(Problem::fields(wrong));
    }
    last_day(new.due_on, today)
}

pub(super) fn last_day(due_on: Date, today: Date) -> Result<(), Problem> {
    if due_on > today && due_on <= calendar::add_days(today, MOST_DAYS) {
        return Ok(());
    }
    Err(Problem::field("/due_on", "out_of_range", "after today, within 366 days"))
}

pub(super) async fn of(c: &mut impl Conn, organization: &str, id: &str) -> Answer<rows::DocumentRequest> {
    rows::find(c, organization, id).await?.ok_or_else(|| Problem::not_found().into())
}

pub(super) async fn whole(c: &mut impl Conn, organization: &str, id: &str) -> Answer<DocumentRequest> {
    let row = of(c, organization, id).await?;
    let documents = rows::documents(c, id).await?;
    Ok(DocumentRequest::new(row, documents))
}

/// List what an organization was asked for, newest first.
#[utoipa::path(
    get, path = "/organizations/{organization}/document-requests", tag = "document requests",
    params(("organization" = String, Path, description = "`org_…`"), RequestQuery),
    responses((status = 200, description = "A page", body = Page<DocumentRequest>), Problems),
    security(("oauth2" = ["habilis.organizations.read"]))
)]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    Asked(query): Asked<RequestQuery>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadDocumentRequests, &organization).await?;
    let (status, paging) = (query.status(STATUSES)?, query.paging());
    let (limit, (at, id)) = (paging.limit()?, paging.before()?);
    let asked = (acting.organization.id.as_str(), status);
    let found = rows::list(&mut app.db.reader().await?, asked, (at, &id, limit + 1)).await?;
    Ok(shown(found, limit).into_response())
}

/// Read a request, with what is known of its documents.
#[utoipa::path(
    get, path = "/organizations/{organization}/document-requests/{document_request}", tag = "document requests",
    params(
        ("organization" = String, Path, description = "`org_…`"), ("document_request" = String, Path, description = "`drq_…`")
    ),
    responses((status = 200, description = "Found", body = DocumentRequest), Problems),
    security(("oauth2" = ["habilis.organizations.read"]))
)]
async fn read(State(app): State<App>, caller: Caller, Path((organization, id)): Path<(String, String)>) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadDocumentRequests, &organization).await?;
    let found = whole(&mut app.db.reader().await?, &acting.organization.id, &id).await?;
    Ok(Written::changed(&found)?.into_response())
}

/// Takes a request that has a status; others wait.
pub(super) async fn take(
    write: &mut Write,
    (organization, id): (&str, &str),
    status: &str,
) -> Answer<rows::DocumentRequest> {
    of(&mut write.tx, organization, id).await?;
    if !rows::hold(&mut write.tx, (organization, id), status).await? {
        let row = of(&mut write.tx, organization, id).await?;
        let detail = format!("the request is {}, not {status}", row.status);
        return Err(Problem::new(Code::Conflict, detail).with("status", row.status).into());
    }
    of(&mut write.tx, organization, id).await
}

/// Upload a document: PDF, JPEG or PNG, at most 5 MiB, fifty of a request. It is sealed at rest.
#[utoipa::path(
    post, path = "/organizations/{organization}/document-requests/{document_request}/documents", tag = "document requests",
    request_body(content = Vec<u8>, content_type = "application/pdf"),
    params(
        ("organization" = String, Path, description = "`org_…`"), ("document_request" = String, Path, description = "`drq_…`"),
        DocumentQuery
    ),
    responses((status = 201, description = "The request as it is now", body = DocumentRequest), Problems),
    security(("oauth2" = ["habilis.organizations.write"]))
)]
async fn upload(
    State(app): State<App>,
    caller: Caller,
    Path((organization, request)): Path<(String, String)>,
    Asked(query): Asked<DocumentQuery>,
    body: RawBody,
) -> Answer {
    let acting = caller.in_organization(&app, Action::AnswerDocumentRequest, &organization).await?;
    let organization = acting.organization.id.as_str();
    of(&mut app.db.reader().await?, organization, &request).await?;
    let name = query.name.as_deref().unwrap_or("document");
    if name.is_empty() || name.chars().count() > 200 || name.contains(char::is_control) {
        return Err(Problem::parameter("name", "1 to 200 characters on one line").into());
    }
    let Some(media_type) = sniff(&body.bytes).filter(|kind| *kind == body.media_type) else {
        let detail = "send a PDF, a JPEG or a PNG, under its own media type";
        return Err(Problem::new(Code::UnsupportedMediaType, detail).into());
    };
    let id = random::id("doc", app.clock.now());
    // Not within the transaction.
    let sealed = app.keys.master().seal(PURPOSE, id.as_bytes(), &body.bytes);
    let sha256 = file_digest_hex(&body.bytes);
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    take(&mut write, (organization, &request), "open").await?;
    if rows::count_documents(&mut write.tx, &request).await?.0 >= MOST_DOCUMENTS {
        return Err(Problem::new(Code::Conflict, "fifty documents are there already").into());
    }
    let new = NewDocument {
        id: &id,
        request: &request,
        name,
        media_type,
        size_bytes: i64::try_from(body.bytes.len()).unwrap_or(i64::MAX),
        sha256: &sha256,
        sealed: &sealed,
        by: caller.id(),
    };
    rows::add_document(&mut write.tx, &new, write.now).await?;
    let event = acting.event(&caller, "document_request.document_uploaded").with("document_request", request.clone());
    audit::record(&mut write.tx, event.with("document", id.clone()).with("sha256", sha256.clone()), write.now).await?;
    let found = whole(&mut write.tx, organization, &request).await?;
    let location = format!("/api/v1/organizations/{organization}/document-requests/{request}/documents/{id}");
    write.finish(Written::created(location, &found)?).await
}

/// Read a document. It is noted who did.
#[utoipa::path(
    get, path = "/organizations/{organization}/document-requests/{document_request}/documents/{document}", tag = "document requests",
    params(
        ("organization" = String, Path, description = "`org_…`"), ("document_request" = String, Path, description = "`drq_…`"),
        ("document" = String, Path, description = "`doc_…`")
    ),
    responses((status = 200, description = "The file", body = Vec<u8>, content_type = "application/pdf"), Problems),
    security(("oauth2" = ["habilis.organizations.write"]))
)]
async fn download(
    State(app): State<App>,
    caller: Caller,
    Path((organization, request, id)): Path<(String, String, String)>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadRequestedDocument, &organization).await?;
    let mut reader = app.db.reader().await?;
    let row = of(&mut reader, &acting.organization.id, &request).await?;
    let found = rows::document(&mut reader, &row.id, &id).await?;
    drop(reader);
    let Some((media_type, sealed)) = found else { return Err(Problem::not_found().into()) };
    let opened = app.keys.open_sealed(PURPOSE, &id, &sealed)?;
    let mut tx = app.db.begin().await?;
    let event = acting.event(&caller, "document_request.document_read").with("document_request", row.id);
    audit::record(&mut tx, event.with("document", id), app.clock.now()).await?;
    tx.commit().await?;
    let headers = [
        (header::CONTENT_TYPE, media_type.as_str()),
        (header::CONTENT_DISPOSITION, "attachment"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, opened.expose().clone()).into_response())
}

/// Take a document back that was not answered with yet.
#[utoipa::path(
    delete, path = "/organizations/{organization}/document-requests/{document_request}/documents/{document}", tag = "document requests",
    params(
        ("organization" = String, Path, description = "`org_…`"), ("document_request" = String, Path, description = "`drq_…`"),
        ("document" = String, Path, description = "`doc_…`")
    ),
    responses((status = 204, description = "Gone"), Problems),
    security(("oauth2" = ["habilis.organizations.write"]))
)]
async fn remove(
    State(app): State<App>,
    caller: Caller,
    Path((organization, request, id)): Path<(String, String, String)>,
    body: NoBody,
) -> Answer {
    let acting = caller.in_organization(&app, Action::AnswerDocumentRequest, &organization).await?;
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    take(&mut write, (&acting.organization.id, &request), "open").await?;
    let Some(sha256) = rows::remove_document(&mut write.tx, &request, &id).await? else {
        return Err(Problem::not_found().into());
    };
    let event = acting.event(&caller, "document_request.document_removed").with("document_request", request);
    audit::record(&mut write.tx, event.with("document", id).with("sha256", sha256), write.now).await?;
    write.finish(Written::nothing()).await
}

/// Answer a request, with the documents uploaded since it was opened or refused, or with words.
#[utoipa::path(
    post, path = "/organizations/{organization}/document-requests/{document_request}/answer", tag = "document requests",
    request_body = DecisionNote,
    params(
        ("organization" = String, Path, description = "`org_…`"), ("document_request" = String, Path, description = "`drq_…`")
    ),
    responses((status = 200, description = "Answered: the operator decides", body = DocumentRequest), Problems),
    security(("oauth2" = ["habilis.organizations.write"]))
)]
async fn answer(
    State(app): State<App>,
    caller: Caller,
    Path((organization, id)): Path<(String, String)>,
    body: Body<DecisionNote>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::AnswerDocumentRequest, &organization).await?;
    let at = (acting.organization.id.as_str(), id.as_str());
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    take(&mut write, at, "open").await?;
    let (_, fresh) = rows::count_documents(&mut write.tx, &id).await?;
    let words = body.value.text();
    if fresh == 0 && words.is_none() {
        return Err(Problem::bare(Code::DocumentMissing).into());
    }
    rows::answer(&mut write.tx, at, (caller.id(), words), write.now).await?;
    let event = acting.event(&caller, "document_request.answered").with("document_request", id.clone());
    audit::record(&mut write.tx, event.with("documents", fresh), write.now).await?;
    let found = whole(&mut write.tx, at.0, at.1).await?;
    write.finish(Written::changed(&found)?).await
}

/// Read the report of a request that was settled: JSON Lines, first the request, then each document by its digest, without names. Its
/// SHA-256, in `Repr-Digest` (RFC 9530) as it is now, is `evidence_sha256` of the request, and in the audit.
#[utoipa::path(
    get, path = "/organizations/{organization}/document-requests/{document_request}/report", tag = "document requests",
    params(
        ("organization" = String, Path, description = "`org_…`"), ("document_request" = String, Path, description = "`drq_…`")
    ),
    responses((status = 200, description = "The report", body = String, content_type = "application/jsonl"), Problems),
    security(("oauth2" = ["habilis.organizations.read"]))
)]
async fn report(State(app): State<App>, caller: Caller, Path((organization, id)): Path<(String, String)>) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadDocumentRequests, &organization).await?;
    let mut reader = app.db.reader().await?;
    let row = of(&mut reader, &acting.organization.id, &id).await?;
    if row.evidence_sha256.is_none() {
        return Err(Problem::not_found().into());
    }
    let text = documents::report(&mut reader, &row).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/jsonl".to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (HeaderName::from_static("repr-digest"), format!("sha-256=:{}:", STANDARD.encode(digest(&text)))),
    ];
    Ok((headers, text).into_response())
}
