//! `/duty-changes`: who is an operator or data protection officer. One operator asks (`PUT /people/{person}/duties`), a second one, who is
//! not the person concerned either, approves or refuses; all of the operator's staff are told (R054).

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use habilis_keys::random;
use habilis_policies::authorization::Action;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::body::{Body, fields};
use super::caller::Caller;
use super::page::{self, Asked, Page};
use super::people::somebody;
use super::precondition::{IfMatch, check_if_named};
use super::problem::{Answer, Code, Problem};
use super::requests::{DecisionNote, RequestQuery};
use super::write::{Write, Written};
use super::{Problems, instant};
use crate::account::signatories;
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::duty_changes::{self, NewDutyChange};
use crate::db::{is_unique_violation, people};
use crate::mail;
use crate::mail::duties::{DutyLetter, DutyStage};
use crate::web::routing::routes;

const STATUSES: &[&str] = &["requested", "done", "refused", "withdrawn", "expired"];

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(ask))
        .routes(routes!(list))
        .routes(routes!(read))
        .routes(routes!(approve))
        .routes(routes!(refuse))
        .routes(routes!(withdraw))
}

/// The duties somebody is to have in the operator's house.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Duties {
    /// Staff of the operator.
    operator: bool,
    /// Data protection officer.
    privacy: bool,
    /// Why, for who decides and for the audit trail.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 2000)]
    reason: fields::Paragraph,
}

/// A change of somebody's duties.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DutyChange {
    /// `dut_…`.
    id: String,
    /// The person concerned, `usr_…`.
    person: String,
    /// Whether they are staff of the operator afterwards.
    operator: bool,
    /// Whether they are its data protection officer afterwards.
    privacy: bool,
    /// Why.
    reason: String,
    /// `requested`, `done`, `refused`, `withdrawn` or `expired` (nobody decided for seven days).
    status: String,
    /// `usr_…`.
    requested_by: String,
    /// RFC 3339.
    requested_at: String,
    /// `usr_…`: another operator, or for what was withdrawn the same.
    decided_by: Option<String>,
    /// RFC 3339.
    decided_at: Option<String>,
    /// What was said to it.
    note: Option<String>,
}

impl From<duty_changes::DutyChange> for DutyChange {
    fn from(row: duty_changes::DutyChange) -> Self {
        Self {
            id: row.id,
            person: row.person_id,
            operator: row.operator,
            privacy: row.privacy,
            reason: row.reason,
            status: row.status,
            requested_by: row.requested_by,
            requested_at: instant(row.requested_at),
            decided_by: row.decided_by,
            decided_at: row.decided_at.map(instant),
            note: row.note,
        }
    }
}

/// Ask to make somebody staff of the operator or its data protection officer, or to end that. A second operator decides.
#[utoipa::path(
    put, path = "/people/{person}/duties", tag = "people", request_body = Duties,
    params(
        ("person" = String, Path, description = "`usr_…`"),
        ("If-Match" = Option<String>, Header, description = "`ETag` that was read; may be left out")
    ),
    responses((status = 202, description = "Waits for a second operator", body = DutyChange), Problems),
    security(("oauth2" = ["habilis.duties"]))
)]
async fn ask(
    State(app): State<App>,
    caller: Caller,
    Path(person): Path<String>,
    if_match: Option<IfMatch>,
    body: Body<Duties>,
) -> Answer {
    let person = somebody(&mut app.db.reader().await?, &person).await;
    let person = caller.on_person(&app, Action::ManageDuties, person).await?;
    let asked = &body.value;
    if asked.operator && asked.privacy {
        // The one supervises the other (GDPR art. 38(6)).
        return Err(Problem::new(Code::Conflict, "nobody is both operator and data protection officer").into());
    }
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let person = somebody(&mut write.tx, &person.id).await?;
    check_if_named(if_match.as_ref(), person.version)?;
    if (person.operator, person.privacy) == (asked.operator, asked.privacy) {
        return Err(Problem::new(Code::Conflict, "these are the person's duties already").into());
    }
    can_have(&person, (asked.operator, asked.privacy))?;
    let id = random::id("dut", write.now);
    let new = NewDutyChange {
        id: &id,
        person: &person.id,
        duties: (asked.operator, asked.privacy),
        reason: &asked.reason.0,
        by: caller.id(),
    };
    match duty_changes::insert(&mut write.tx, &new, write.now).await {
        Err(error) if is_unique_violation(&error) => {
            return Err(Problem::new(Code::Conflict, "a change of this person's duties waits already").into());
        }
        inserted => inserted?,
    }
    let event = caller.event("person.duties_change_requested").about(&person.id).with("duty_change", id.clone());
    let after = json!({ "operator": asked.operator, "privacy": asked.privacy });
    let event = event.with("reason", asked.reason.0.clone()).changed(traced(&person), after);
    audit::record(&mut write.tx, event, write.now).await?;
    let row = found(&mut write, &id).await?;
    let staff = people::staff(&mut write.tx).await?;
    tell(&mut write, &app, (&row, DutyStage::Requested, caller.id()), staff).await?;
    let location = format!("/api/v1/duty-changes/{id}");
    let answer = write.finish(Written::accepted(location, &DutyChange::from(row))?).await;
    app.mail_waiting.notify_one();
    answer
}

/// List changes of duties, newest first.
#[utoipa::path(
    get, path = "/duty-changes", tag = "people", params(RequestQuery),
    responses((status = 200, description = "A page", body = Page<DutyChange>), Problems),
    security(("oauth2" = ["habilis.people.read"]))
)]
async fn list(State(app): State<App>, caller: Caller, Asked(query): Asked<RequestQuery>) -> Answer {
    caller.may(&app, Action::ReadDutyChanges).await?;
    let (status, paging) = (query.status(STATUSES)?, query.paging());
    let (limit, (at, id)) = (paging.limit()?, paging.before()?);
    let rows = duty_changes::list(&mut app.db.reader().await?, status, (at, &id, limit + 1)).await?;
    let cursor = |row: &duty_changes::DutyChange| page::cursor_before(row.requested_at.milliseconds(), &row.id);
    Ok(Page::of(rows, limit, cursor, DutyChange::from).into_response())
}

/// Read a change of duties.
#[utoipa::path(
    get, path = "/duty-changes/{duty_change}", tag = "people",
    params(("duty_change" = String, Path, description = "`dut_…`")),
    responses((status = 200, description = "Found", body = DutyChange), Problems),
    security(("oauth2" = ["habilis.people.read"]))
)]
async fn read(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Answer {
    caller.may(&app, Action::ReadDutyChanges).await?;
    let row = duty_changes::find(&mut app.db.reader().await?, &id).await?;
    let Some(row) = row else { return Err(Problem::not_found().into()) };
    Ok(Written::changed(&DutyChange::from(row))?.into_response())
}

/// Approve what another operator asked for: it is so at once.
#[utoipa::path(
    post, path = "/duty-changes/{duty_change}/approve", tag = "people", request_body = DecisionNote,
    params(("duty_change" = String, Path, description = "`dut_…`")),
    responses((status = 200, description = "Done", body = DutyChange), Problems),
    security(("oauth2" = ["habilis.duties"]))
)]
async fn approve(State(app): State<App>, caller: Caller, Path(id): Path<String>, body: Body<DecisionNote>) -> Answer {
    let row = leave(&app, &caller, (&id, Action::DecideDutyChange)).await?;
    let mut write = decide(&app, &caller, &body, (&row, "done")).await?;
    let staff = people::staff(&mut write.tx).await?;
    // Of operators who decide about one another at once, each sees what the one before did.
    let mut held = [caller.id(), &row.requested_by, &row.person_id];
    held.sort_unstable();
    for person in held {
        people::lock(&mut write.tx, person).await?;
    }
    for operator in [caller.id(), &row.requested_by] {
        let person = people::find(&mut write.tx, operator).await?;
        if !person.is_some_and(|person| person.operator && person.is_active()) {
            let detail = "who asked, or who decides, is no operator any more";
            return Err(Problem::new(Code::Conflict, detail).into());
        }
    }
    let before = somebody(&mut write.tx, &row.person_id).await?;
    can_have(&before, (row.operator, row.privacy))?;
    people::set_duties(&mut write.tx, &before.id, (row.operator, row.privacy), write.now).await?;
    let after = somebody(&mut write.tx, &before.id).await?;
    let event = told(&caller, "person.duties_changed", &row).with("requested_by", row.requested_by.clone());
    let event = event.with("reason", row.reason.clone()).changed(traced(&before), traced(&after));
    audit::record(&mut write.tx, event, write.now).await?;
    tell(&mut write, &app, (&row, DutyStage::Done, caller.id()), staff).await?;
    finish(&app, write, &row).await
}

/// Refuse what another operator asked for.
#[utoipa::path(
    post, path = "/duty-changes/{duty_change}/refuse", tag = "people", request_body = DecisionNote,
    params(("duty_change" = String, Path, description = "`dut_…`")),
    responses((status = 200, description = "As it is now", body = DutyChange), Problems),
    security(("oauth2" = ["habilis.duties"]))
)]
async fn refuse(State(app): State<App>, caller: Caller, Path(id): Path<String>, body: Body<DecisionNote>) -> Answer {
    let row = leave(&app, &caller, (&id, Action::DecideDutyChange)).await?;
    let mut write = decide(&app, &caller, &body, (&row, "refused")).await?;
    let event = told(&caller, "person.duties_change_refused", &row);
    audit::record(&mut write.tx, event, write.now).await?;
    let staff = people::staff(&mut write.tx).await?;
    tell(&mut write, &app, (&row, DutyStage::Refused, caller.id()), staff).await?;
    finish(&app, write, &row).await
}

/// Withdraw what one asked for oneself.
#[utoipa::path(
    post, path = "/duty-changes/{duty_change}/withdraw", tag = "people", request_body = DecisionNote,
    params(("duty_change" = String, Path, description = "`dut_…`")),
    responses((status = 200, description = "As it is now", body = DutyChange), Problems),
    security(("oauth2" = ["habilis.duties"]))
)]
async fn withdraw(State(app): State<App>, caller: Caller, Path(id): Path<String>, body: Body<DecisionNote>) -> Answer {
    let row = leave(&app, &caller, (&id, Action::ManageDuties)).await?;
    if row.requested_by != caller.id() {
        return Err(Problem::new(Code::Forbidden, "it is withdrawn by who asked for it").into());
    }
    let mut write = decide(&app, &caller, &body, (&row, "withdrawn")).await?;
    let event = told(&caller, "person.duties_change_withdrawn", &row);
    audit::record(&mut write.tx, event, write.now).await?;
    finish(&app, write, &row).await
}

/// Whose account was closed for good has no duty.
fn can_have(person: &people::Person, (operator, privacy): (bool, bool)) -> Result<(), Problem> {
    if (operator || privacy) && matches!(person.status.as_str(), "closed" | "terminated") {
        return Err(Problem::new(Code::Conflict, "the person's account is closed"));
    }
    Ok(())
}

/// A change of duties, and leave to do something with it.
async fn leave(app: &App, caller: &Caller, (id, action): (&str, Action)) -> Answer<duty_changes::DutyChange> {
    // Who has nothing to do with the operator's house does not learn what waits in it.
    if !caller.is_operator() {
        caller.may(app, Action::ReadDutyChanges).await?;
    }
    let row = duty_changes::find(&mut app.db.reader().await?, id).await?;
    let Some(row) = row else { return Err(Problem::not_found().into()) };
    let person = somebody(&mut app.db.reader().await?, &row.person_id).await;
    caller.on_person_asked(app, action, person, Some(&row.requested_by)).await?;
    Ok(row)
}

/// Takes the decision in a transaction that goes on: of two at once, one.
async fn decide(
    app: &App,
    caller: &Caller,
    body: &Body<DecisionNote>,
    (row, to): (&duty_changes::DutyChange, &str),
) -> Answer<Write> {
    let mut write = Write::begin(app, caller, &body.idempotency).await?;
    if !duty_changes::decide(&mut write.tx, &row.id, (to, caller.id(), body.value.text()), write.now).await? {
        return Err(Problem::new(Code::Conflict, "it was decided already").into());
    }
    Ok(write)
}

async fn found(write: &mut Write, id: &str) -> Answer<duty_changes::DutyChange> {
    duty_changes::find(&mut write.tx, id).await?.ok_or_else(|| Problem::not_found().into())
}

async fn finish(app: &App, mut write: Write, row: &duty_changes::DutyChange) -> Answer {
    let after = found(&mut write, &row.id).await?;
    let answer = write.finish(Written::changed(&DutyChange::from(after))?).await;
    app.mail_waiting.notify_one();
    answer
}

fn told(caller: &Caller, name: &'static str, row: &duty_changes::DutyChange) -> Event {
    caller.event(name).about(&row.person_id).with("duty_change", row.id.clone())
}

fn traced(person: &people::Person) -> Value {
    json!({ "operator": person.operator, "privacy": person.privacy })
}

/// Writes to the operator's staff as it was, and to the person once it is decided.
async fn tell(
    write: &mut Write,
    app: &App,
    (row, stage, by): (&duty_changes::DutyChange, DutyStage, &str),
    mut to: Vec<String>,
) -> Answer<()> {
    if stage == DutyStage::Done && !to.contains(&row.person_id) {
        to.push(row.person_id.clone());
    }
    let letter = DutyLetter {
        stage,
        person: signatories::actor(&mut write.tx, &row.person_id).await?,
        by: signatories::actor(&mut write.tx, by).await?,
        duties: (row.operator, row.privacy),
        at: write.now,
    };
    for person in to {
        mail::write(&mut write.tx, app, (&person, &letter), write.now).await?;
    }
    Ok(())
}
