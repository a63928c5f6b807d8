//! `/organizations/{organization}/reviews`: the periodic review of who still needs access: list, decide, sign off, evidence (R052,
//! R057).
//!
//! Nobody reviews their own access. Decisions take effect when the review is signed off, and from then on the review is evidence that
//! nothing changes. Where they are many a job carries them out, and the review is signed off when it has come to its end.

use axum::extract::{Path, State};
use axum::http::{HeaderName, header};
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use habilis_keys::random;
use habilis_keys::token::digest;
use habilis_policies::authorization::Action;
use habilis_policies::calendar;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::body::{Body, fields};
use super::caller::{Acting, Caller};
use super::page::{self, Asked, Page, Paging};
use super::problem::{Answer, Code, FieldError, Problem};
use super::write::{Write, Written};
use super::{Problems, instant};
use crate::account::review::{self, Signing};
use crate::account::{evidence, membership};
use crate::app::App;
use crate::db::jobs::{self, NewJob};
use crate::db::{Conn, audit, members, reviews};
use crate::jobs::sign_offs::SIGN_OFF;
use crate::web::routing::routes;

/// Decisions in one request.
const MOST: usize = 500;
/// Decisions carried out in the request that signs; more are for a job.
const AT_ONCE: i64 = 100;
/// Jobs of an organization that wait or run.
const MOST_JOBS: i64 = 5;
const DECISIONS: &[&str] = &["undecided", "keep", "suspend", "remove", "gone", "own"];

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, open))
        .routes(routes!(read))
        .routes(routes!(items))
        .routes(routes!(decide))
        .routes(routes!(sign_off))
        .routes(routes!(cancel))
        .routes(routes!(read_evidence))
}

/// A review of access.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Review {
    /// `rev_…`.
    id: String,
    /// `usr_…`, a client, or `schedule`.
    opened_by: String,
    /// RFC 3339.
    opened_at: String,
    /// The day (Paris) by which it is to be signed off.
    due_on: String,
    /// `open`, `signing` while a job carries it out, `signed_off` or `cancelled`.
    status: String,
    /// The job that carries it out, or did: `/jobs/{job}` says how far it is.
    job: Option<String>,
    /// Why that job gave the review back, to be decided and signed again: `last_administrator`.
    stopped: Option<String>,
    /// Members in it.
    members: i64,
    /// Of them, those somebody decided about.
    decided: i64,
    /// Who signed it off, or cancelled it.
    signed_by: Option<String>,
    /// RFC 3339.
    signed_at: Option<String>,
    /// What they declared.
    statement: Option<String>,
    /// SHA-256 of the evidence, lower-case hexadecimal.
    evidence_sha256: Option<String>,
}

/// A member in a review, as they were when it opened.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReviewItem {
    /// `usr_…`.
    person: String,
    /// Given name, as it is now.
    given_name: String,
    /// Family name, as it is now.
    family_name: String,
    /// `administrator` or `member`.
    role: String,
    /// `employee` or `external`.
    affiliation: String,
    /// Last day.
    ends_on: Option<String>,
    /// Roles in portals, each `client role`.
    rights: Vec<String>,
    /// RFC 3339; absent for somebody who never signed in as a member.
    signed_in_at: Option<String>,
    /// `keep`, `suspend`, `remove`; `gone` when they left meanwhile, `own` for the only administrator, who signed.
    decision: Option<String>,
    /// `usr_…` or a client.
    decided_by: Option<String>,
    /// RFC 3339.
    decided_at: Option<String>,
    /// Why.
    note: Option<String>,
}

impl From<reviews::Item> for ReviewItem {
    fn from(row: reviews::Item) -> Self {
        Self {
            person: row.person_id,
            given_name: row.given_name,
            family_name: row.family_name,
            role: row.role,
            affiliation: row.affiliation,
            ends_on: row.ends_on,
            rights: row.rights.lines().map(str::to_owned).collect(),
            signed_in_at: (row.signed_in_at.milliseconds() > 0).then(|| instant(row.signed_in_at)),
            decision: row.decision,
            decided_by: row.decided_by,
            decided_at: row.decided_at.map(instant),
            note: row.note,
        }
    }
}

/// A review to be opened.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewReview {
    /// By when it is to be signed off, within a year; as many days as the server's configuration says when absent.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, format = Date)]
    due_on: Option<Date>,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum DecisionName {
    Keep,
    Suspend,
    Remove,
}

impl DecisionName {
    fn word(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Suspend => "suspend",
            Self::Remove => "remove",
        }
    }
}

/// What is decided about a member.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReviewDecision {
    /// `usr_…`.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, max_length = 200)]
    person: fields::Line,
    /// Takes effect when the review is signed off.
    decision: DecisionName,
    /// Why.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    note: Option<fields::Paragraph>,
}

/// Decisions about members, all or none.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReviewDecisions {
    /// One for each member, 1 to 500; a later one about the same member counts.
    #[schema(min_items = 1, max_items = 500)]
    decisions: Vec<ReviewDecision>,
}

/// The signature under a review.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignOff {
    /// What is declared: that the remaining access matches operational needs (R056), in one's own words.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 2000)]
    statement: fields::Paragraph,
}

/// Why a review is not done.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Cancellation {
    /// For the evidence and the audit trail.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 2000)]
    reason: fields::Paragraph,
}

/// Which members of a review.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ItemQuery {
    /// `undecided`, `keep`, `suspend`, `remove`, `gone` or `own`.
    decision: Option<String>,
    /// Rows at the most, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[param(max_length = 512)]
    cursor: Option<String>,
}

async fn show(c: &mut impl Conn, organization: &str, id: &str) -> Answer<Review> {
    let Some(row) = reviews::find(c, organization, id).await? else { return Err(Problem::not_found().into()) };
    let counts = reviews::counts(c, id).await?;
    Ok(shown(row, counts))
}

pub(super) fn shown(row: reviews::Review, (members, decided): (i64, i64)) -> Review {
    Review {
        id: row.id,
        opened_by: row.opened_by,
        opened_at: instant(row.opened_at),
        due_on: row.due_on,
        status: if row.signing.is_some() { "signing".to_owned() } else { row.status },
        job: row.job_id,
        stopped: row.stopped,
        members,
        decided,
        signed_by: row.signed_by,
        signed_at: row.signed_at.map(instant),
        statement: row.statement,
        evidence_sha256: row.evidence_sha256,
    }
}

/// List the reviews, newest first.
#[utoipa::path(
    get, path = "/organizations/{organization}/reviews", tag = "reviews",
    params(("organization" = String, Path, description = "`org_…`"), Paging),
    responses((status = 200, description = "A page", body = Page<Review>), Problems),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    Asked(paging): Asked<Paging>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadActivity, &organization).await?;
    let (limit, (at, id)) = (paging.limit()?, paging.before()?);
    let mut reader = app.db.reader().await?;
    let rows = reviews::list(&mut reader, &acting.organization.id, (at, &id, limit + 1)).await?;
    let cursor = |row: &reviews::Review| page::cursor_before(row.opened_at.milliseconds(), &row.id);
    let page = Page::of(rows, limit, cursor, |row| row);
    let mut items = Vec::new();
    for row in page.items {
        let counts = reviews::counts(&mut reader, &row.id).await?;
        items.push(shown(row, counts));
    }
    Ok(Page { items, next: page.next }.into_response())
}

/// Open a review of everybody who is a member today. One at a time; the schedule opens one every few months by itself.
#[utoipa::path(
    post, path = "/organizations/{organization}/reviews", tag = "reviews", request_body = NewReview,
    params(("organization" = String, Path, description = "`org_…`")),
    responses((status = 201, description = "Open; the administrators are written to", body = Review), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn open(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    body: Body<NewReview>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ReviewAccess, &organization).await?;
    let organization = &acting.organization;
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let today = calendar::date_at(write.now);
    let usual = calendar::add_days(today, i32::from(app.config.reviews.due_days));
    let due_on = body.value.due_on.unwrap_or(usual);
    if due_on < today || due_on > calendar::add_years(today, 1) {
        return Err(Problem::field("/due_on", "out_of_range", "a day from today on, within a year").into());
    }
    let opened = review::open(&mut write.tx, &app, (organization, caller.id(), due_on), write.now).await?;
    let Some((id, members)) = opened else {
        return Err(Problem::new(Code::Conflict, "a review is open already").into());
    };
    let event = acting.event(&caller, "review.opened").with("review", id.clone()).with("members", members);
    audit::record(&mut write.tx, event, write.now).await?;
    let shown = show(&mut write.tx, &organization.id, &id).await?;
    let location = format!("/api/v1/organizations/{}/reviews/{id}", organization.id);
    let answer = write.finish(Written::created(location, &shown)?).await;
    app.mail_waiting.notify_one();
    answer
}

/// Read a review.
#[utoipa::path(
    get, path = "/organizations/{organization}/reviews/{review}", tag = "reviews",
    params(("organization" = String, Path, description = "`org_…`"), ("review" = String, Path, description = "`rev_…`")),
    responses((status = 200, description = "Found", body = Review), Problems),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn read(State(app): State<App>, caller: Caller, Path((organization, id)): Path<(String, String)>) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadActivity, &organization).await?;
    let shown = show(&mut app.db.reader().await?, &acting.organization.id, &id).await?;
    Ok(Written::changed(&shown)?.into_response())
}

/// List the members of a review, the least recently signed in first.
#[utoipa::path(
    get, path = "/organizations/{organization}/reviews/{review}/items", tag = "reviews",
    params(
        ("organization" = String, Path, description = "`org_…`"), ("review" = String, Path, description = "`rev_…`"), ItemQuery
    ),
    responses((status = 200, description = "A page", body = Page<ReviewItem>), Problems),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn items(
    State(app): State<App>,
    caller: Caller,
    Path((organization, id)): Path<(String, String)>,
    Asked(query): Asked<ItemQuery>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadActivity, &organization).await?;
    let decision = page::one_of("decision", query.decision.as_deref(), DECISIONS)?;
    let paging = Paging::new(query.limit, query.cursor.clone());
    let (limit, (at, person)) = (paging.limit()?, paging.after()?);
    let mut reader = app.db.reader().await?;
    if reviews::find(&mut reader, &acting.organization.id, &id).await?.is_none() {
        return Err(Problem::not_found().into());
    }
    let rows = reviews::items(&mut reader, (&id, decision), (at, &person, limit + 1)).await?;
    let cursor = |row: &reviews::Item| page::cursor_before(row.signed_in_at.milliseconds(), &row.person_id);
    Ok(Page::of(rows, limit, cursor, ReviewItem::from).into_response())
}

/// Takes an open review for a change; others wait.
async fn take(write: &mut Write, acting: &Acting, id: &str) -> Answer<()> {
    let organization = &acting.organization.id;
    if reviews::find(&mut write.tx, organization, id).await?.is_none() {
        return Err(Problem::not_found().into());
    }
    if !reviews::lock(&mut write.tx, organization, id).await? {
        return Err(Problem::new(Code::Conflict, "the review is not open, or is being carried out").into());
    }
    Ok(())
}

/// Decide about members, all of the request or none. Nobody decides about themselves.
#[utoipa::path(
    post, path = "/organizations/{organization}/reviews/{review}/decisions", tag = "reviews", request_body = ReviewDecisions,
    params(("organization" = String, Path, description = "`org_…`"), ("review" = String, Path, description = "`rev_…`")),
    responses((status = 200, description = "The review as it is now", body = Review), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn decide(
    State(app): State<App>,
    caller: Caller,
    Path((organization, id)): Path<(String, String)>,
    body: Body<ReviewDecisions>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ReviewAccess, &organization).await?;
    let decisions = &body.value.decisions;
    if decisions.is_empty() || decisions.len() > MOST {
        return Err(Problem::field("/decisions", "out_of_range", "1 to 500 decisions").into());
    }
    if let Some(index) = decisions.iter().position(|one| Some(one.person.0.as_str()) == caller.person()) {
        // The policy says so too; asking it tells the audit.
        let own = caller.person().unwrap_or_default();
        caller.on_member(&app, Action::ReviewAccess, (&acting.organization.id, own)).await?;
        return Err(Problem::field(&format!("/decisions/{index}/person"), "own", "not one's own access").into());
    }
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    take(&mut write, &acting, &id).await?;
    let mut wrong = Vec::new();
    for (index, one) in decisions.iter().enumerate() {
        let (word, note) = (one.decision.word(), one.note.as_ref().map(|note| note.0.as_str()));
        let decision = (word, caller.id(), note);
        if one.person.0.contains('\0')
            || !reviews::decide(&mut write.tx, (&id, &one.person.0), decision, write.now).await?
        {
            let pointer = format!("/decisions/{index}/person");
            wrong.push(FieldError { pointer, code: "not_found", detail: "not in this review".to_owned() });
        }
    }
    if !wrong.is_empty() {
        return Err(Problem::fields(wrong).into());
    }
    let event = acting.event(&caller, "review.decided").with("review", id.clone());
    let count = |word| decisions.iter().filter(|one| one.decision.word() == word).count();
    let after = json!({ "keep": count("keep"), "suspend": count("suspend"), "remove": count("remove") });
    audit::record(&mut write.tx, event.changed(Value::Null, after), write.now).await?;
    let shown = show(&mut write.tx, &acting.organization.id, &id).await?;
    write.finish(Written::changed(&shown)?).await
}

/// Sign a review off: what was decided takes effect, and the evidence is sealed by its digest. Needs a recent sign-in with two factors
/// where an administrator loses their access.
#[utoipa::path(
    post, path = "/organizations/{organization}/reviews/{review}/sign-off", tag = "reviews", request_body = SignOff,
    params(("organization" = String, Path, description = "`org_…`"), ("review" = String, Path, description = "`rev_…`")),
    responses(
        (status = 200, description = "Signed off", body = Review),
        (status = 202, description = "More than a hundred members lose their access: a job carries it out, then it is signed off", body = Review),
        Problems
    ),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn sign_off(
    State(app): State<App>,
    caller: Caller,
    Path((organization, id)): Path<(String, String)>,
    body: Body<SignOff>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::SignOffReview, &organization).await?;
    let organization = &acting.organization.id;
    let strong = reviews::ends_administrators(&mut app.db.reader().await?, (organization, &id)).await?;
    if strong {
        caller.upon_administrators(&app, Action::SignOffReview, organization).await?;
    }
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    take(&mut write, &acting, &id).await?;
    members::lock(&mut write.tx, organization).await?;
    if !strong && reviews::ends_administrators(&mut write.tx, (organization, &id)).await? {
        let detail = "meanwhile it was decided that an administrator loses their access: sign off again";
        return Err(Problem::new(Code::Conflict, detail).into());
    }
    complete(&mut write, &caller, (organization, &id)).await?;
    if reviews::count_to_carry_out(&mut write.tx, &id).await? > AT_ONCE {
        return hand_over(&app, write, (&caller, &acting), (&id, &body.value.statement.0)).await;
    }
    carry_out(&mut write, &app, &caller, (&acting, &id)).await?;
    let Some(row) = reviews::find(&mut write.tx, organization, &id).await? else {
        return Err(Problem::not_found().into());
    };
    let statement = body.value.statement.0.as_str();
    let signature = evidence::Signature { by: caller.id(), at: write.now, statement };
    let sha256 = evidence::digest(&mut write.tx, (&row, &signature)).await?;
    reviews::sign(&mut write.tx, (organization, &id), (caller.id(), statement, &sha256), write.now).await?;
    let event = acting.event(&caller, "review.signed_off").with("review", id.clone()).with("sha256", sha256);
    audit::record(&mut write.tx, event, write.now).await?;
    let shown = show(&mut write.tx, organization, &id).await?;
    let answer = write.finish(Written::changed(&shown)?).await;
    app.mail_waiting.notify_one();
    answer
}

/// Everybody was looked at; who left meanwhile needs no look, and the only administrator cannot look at themselves.
async fn complete(write: &mut Write, caller: &Caller, (organization, id): (&str, &str)) -> Answer<()> {
    reviews::gone(&mut write.tx, (id, organization), caller.id(), write.now).await?;
    if let Some(own) = caller.person() {
        let today = calendar::date_at(write.now).to_string();
        let mut able = members::heads(&mut write.tx, organization, &today).await?;
        able.retain(|one| !one.waits);
        if able.iter().all(|one| one.person_id == own) && !able.is_empty() {
            let undecided = reviews::items(&mut write.tx, (id, Some("undecided")), (-1, "", 2)).await?;
            if undecided.iter().any(|item| item.person_id == own) {
                reviews::decide(&mut write.tx, (id, own), ("own", own, None), write.now).await?;
            }
        }
    }
    let (total, decided) = reviews::counts(&mut write.tx, id).await?;
    if total > decided {
        return Err(Problem::bare(Code::ReviewIncomplete).with("left", total - decided).into());
    }
    Ok(())
}

async fn carry_out(write: &mut Write, app: &App, caller: &Caller, (acting, id): (&Acting, &str)) -> Answer<()> {
    let organization = acting.organization.id.as_str();
    for (person, decision) in reviews::to_carry_out(&mut write.tx, id).await? {
        let Some(member) = members::find(&mut write.tx, organization, &person).await? else { continue };
        if Some(person.as_str()) == caller.person() || !caller.sees(&person, (member.operator, member.privacy)) {
            return Err(not_for(&person).into());
        }
        let event = |name| acting.event(caller, name);
        let of = (member, decision);
        let done = (&of.0, of.1.as_str(), caller.id());
        let carried = review::carry_out((&mut write.tx, app), (id, organization), done, event, write.now).await?;
        if !carried {
            return Err(Problem::bare(Code::LastAdministrator).with("person", person).into());
        }
    }
    Ok(())
}

fn not_for(person: &str) -> Problem {
    let detail = "somebody else signs a review off that decides about oneself, or about the operator's staff";
    Problem::new(Code::Conflict, detail).with("person", person)
}

/// Hands the review over to a job, once it is certain that it can be carried out as things are.
async fn hand_over(
    app: &App,
    mut write: Write,
    (caller, acting): (&Caller, &Acting),
    (id, statement): (&str, &str),
) -> Answer {
    let organization = acting.organization.id.as_str();
    let staff = caller.sees("", (true, true));
    if let Some(person) = reviews::not_for(&mut write.tx, id, (caller.id(), staff)).await? {
        return Err(not_for(&person).into());
    }
    let leaving = reviews::administrators_leaving(&mut write.tx, id).await?;
    if let Some(last) = membership::last_of(&mut write.tx, organization, &leaving, write.now).await? {
        return Err(Problem::bare(Code::LastAdministrator).with("person", last).into());
    }
    if jobs::unfinished(&mut write.tx, organization).await? >= MOST_JOBS {
        return Err(Problem::new(Code::Conflict, "five jobs of the organization wait or run already").into());
    }
    let event = caller.event("review.signing");
    let signing = Signing {
        by: caller.id().to_owned(),
        statement: statement.to_owned(),
        client: event.client_id,
        address: event.address,
        request: event.request_id,
        policy: acting.policy.clone(),
    };
    let job = random::id("job", write.now);
    let text = serde_json::to_string(&signing)?;
    if !reviews::begin_signing(&mut write.tx, (organization, id), (&text, &job)).await? {
        return Err(Problem::new(Code::Conflict, "the review is not open, or is being carried out").into());
    }
    let total = reviews::count_to_carry_out(&mut write.tx, id).await?;
    let new = NewJob { id: &job, organization, kind: SIGN_OFF, subject: id, total, by: caller.id() };
    jobs::insert(&mut write.tx, &new, write.now).await?;
    let event = acting.event(caller, "review.signing").with("review", id).with("decisions", total);
    audit::record(&mut write.tx, event, write.now).await?;
    let shown = show(&mut write.tx, organization, id).await?;
    let location = format!("/api/v1/organizations/{organization}/reviews/{id}");
    let answer = write.finish(Written::accepted(location, &shown)?).await;
    app.work_waiting.notify_one();
    answer
}

/// Cancel an open review; nothing that was decided takes effect.
#[utoipa::path(
    post, path = "/organizations/{organization}/reviews/{review}/cancel", tag = "reviews", request_body = Cancellation,
    params(("organization" = String, Path, description = "`org_…`"), ("review" = String, Path, description = "`rev_…`")),
    responses((status = 200, description = "Cancelled", body = Review), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn cancel(
    State(app): State<App>,
    caller: Caller,
    Path((organization, id)): Path<(String, String)>,
    body: Body<Cancellation>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::SignOffReview, &organization).await?;
    let organization = &acting.organization.id;
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    take(&mut write, &acting, &id).await?;
    let reason = body.value.reason.0.as_str();
    reviews::cancel(&mut write.tx, (organization, &id), (caller.id(), reason), write.now).await?;
    let event = acting.event(&caller, "review.cancelled").with("review", id.clone()).with("reason", reason);
    audit::record(&mut write.tx, event, write.now).await?;
    let shown = show(&mut write.tx, organization, &id).await?;
    write.finish(Written::changed(&shown)?).await
}

/// Read the evidence of a review that was signed off: JSON Lines, first the review, then each member as they were and what was
/// decided. Its SHA-256, in `Repr-Digest` (RFC 9530) as it is now, is `evidence_sha256` of the review.
#[utoipa::path(
    get, path = "/organizations/{organization}/reviews/{review}/evidence", tag = "reviews",
    params(("organization" = String, Path, description = "`org_…`"), ("review" = String, Path, description = "`rev_…`")),
    responses((status = 200, description = "The evidence", body = String, content_type = "application/jsonl"), Problems),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn read_evidence(
    State(app): State<App>,
    caller: Caller,
    Path((organization, id)): Path<(String, String)>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadActivity, &organization).await?;
    let mut reader = app.db.reader().await?;
    let row = reviews::find(&mut reader, &acting.organization.id, &id).await?;
    let Some(row) = row else { return Err(Problem::not_found().into()) };
    let (Some(by), Some(at), Some(statement)) = (&row.signed_by, row.signed_at, &row.statement) else {
        return Err(Problem::not_found().into());
    };
    let signature = evidence::Signature { by, at: at.into(), statement };
    let text = evidence::text(&mut reader, (&row, &signature)).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/jsonl".to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (HeaderName::from_static("repr-digest"), format!("sha-256=:{}:", STANDARD.encode(digest(&text)))),
    ];
    Ok((headers, text).into_response())
}
