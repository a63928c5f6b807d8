//! Formal notices: given to a person, an organization or about an order, presented, and met or left without effect (R086, R202). What they
//! do is `crate::measures`; they are listed with the other measures.

use axum::extract::{Path, State};
use habilis_policies::authorization::Action;
use habilis_policies::calendar;
use habilis_policies::sanctions::Act;
use jiff::civil::Date;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::Problems;
use super::body::{Body, fields};
use super::caller::Caller;
use super::measures::{MeasureTaken, Texts, apply};
use super::people::somebody;
use super::problem::{Answer, Code, Problem};
use super::write::{Write, Written};
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::measures as rows;
use crate::db::orders;
use crate::measures::{self, Subject};
use crate::web::routing::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(give_notice)).routes(routes!(present)).routes(routes!(met))
}

/// A formal notice to be given (R086).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewFormalNotice {
    /// `person`, `organization` or `order`.
    subject_kind: NoticedKind,
    /// Its id.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    subject: fields::Line,
    /// Why, for the audit trail.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 2000)]
    reason: fields::Paragraph,
    /// What is not respected, as the letter says it.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    breach: Option<fields::Paragraph>,
    /// What has to be done about it, as the letter says it.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    remedy: Option<fields::Paragraph>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum NoticedKind {
    Person,
    Organization,
    Order,
}

/// Asks for leave to act upon the subject of a formal notice, and gives the audit line's beginning.
async fn leave(app: &App, caller: &Caller, subject: Subject<'_>, name: &'static str) -> Answer<Event> {
    match subject {
        Subject::Organization(id) => {
            let acting = caller.in_organization(app, Action::SetOrganizationStatus, id).await?;
            Ok(acting.event(caller, name))
        }
        Subject::Person(id) => {
            let person = somebody(&mut app.db.reader().await?, id).await;
            caller.on_person(app, Action::SetPersonStatus, person).await?;
            Ok(caller.event(name).about(id))
        }
        Subject::Order(id) => {
            let whose = orders::whose(&mut app.db.reader().await?, id).await?;
            let Some(organization) = whose else { return Err(Problem::not_found().into()) };
            let acting = caller.in_organization(app, Action::SetOrganizationStatus, &organization).await?;
            Ok(acting.event(caller, name).about(id))
        }
        Subject::Portal(_) => Err(Problem::not_found().into()),
    }
}

/// Give formal notice about a person, an organization or an order: after thirty days without effect a termination may follow.
#[utoipa::path(
    post, path = "/formal-notices", tag = "measures", request_body = NewFormalNotice,
    responses((status = 201, description = "Given", body = MeasureTaken), Problems),
    security(("oauth2" = ["habilis.measures", "habilis.organizations.write"]))
)]
async fn give_notice(State(app): State<App>, caller: Caller, body: Body<NewFormalNotice>) -> Answer {
    let new = &body.value;
    let id = new.subject.0.as_str();
    let subject = match new.subject_kind {
        NoticedKind::Person => Subject::Person(id),
        NoticedKind::Organization => Subject::Organization(id),
        NoticedKind::Order => Subject::Order(id),
    };
    let event = leave(&app, &caller, subject, subject.event(Act::GiveNotice)).await?;
    let (breach, remedy) = (new.breach.as_ref(), new.remedy.as_ref());
    let texts = Texts { reason: &new.reason, breach, remedy, irreparable: None };
    let decision = texts.decision(Act::GiveNotice, caller.id())?;
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let done = apply(&app, &mut write, (subject, &decision, event)).await?;
    let id = done.measure.unwrap_or_default();
    let Some(row) = rows::find(&mut write.tx, &id).await? else { return Err(Problem::not_found().into()) };
    let shown = MeasureTaken::shown(&mut write.tx, row).await?;
    let answer = write.finish(Written::created(format!("/api/v1/measures?subject={}", shown.subject), &shown)?).await;
    measures::spread(&app, subject).await;
    answer
}

/// The formal notice `id`, if the caller may act on its subject, and the audit line's beginning.
async fn noticed(app: &App, caller: &Caller, id: &str, name: &'static str) -> Answer<(rows::Measure, Event)> {
    // Whoever may not even list learns nothing of what exists.
    caller.may(app, Action::ReadMeasures).await?;
    let found = rows::find(&mut app.db.reader().await?, id).await?;
    let Some(found) = found.filter(|found| found.measure == "formal_notice") else {
        return Err(Problem::not_found().into());
    };
    let Some(subject) = Subject::parse(&found.subject_kind, &found.subject_id) else {
        return Err(Problem::not_found().into());
    };
    let event = leave(app, caller, subject, name).await?.with("measure", found.id.clone());
    Ok((found, event))
}

/// When a formal notice was first presented.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Presentation {
    /// Civil day in Paris: a letter that was returned was presented all the same (R202).
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, format = Date, max_length = 10)]
    presented_on: Date,
}

/// Record when a formal notice was first presented to its addressee: the thirty days run from then. Once.
#[utoipa::path(
    put, path = "/formal-notices/{measure}/presentation", tag = "measures", request_body = Presentation,
    params(("measure" = String, Path, description = "`mea_…`")),
    responses((status = 200, description = "As it is now", body = MeasureTaken), Problems),
    security(("oauth2" = ["habilis.measures", "habilis.organizations.write"]))
)]
async fn present(
    State(app): State<App>,
    caller: Caller,
    Path(measure): Path<String>,
    body: Body<Presentation>,
) -> Answer {
    let (found, event) = noticed(&app, &caller, &measure, "measure.presented").await?;
    let day = body.value.presented_on;
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let first = calendar::date_at(found.imposed_at.into());
    if day < first || day > calendar::date_at(write.now) {
        let detail = format!("between {first}, when it was given, and today");
        return Err(Problem::field("/presented_on", "out_of_range", detail).into());
    }
    if !rows::present(&mut write.tx, &found.id, &day.to_string()).await? {
        return Err(Problem::new(Code::Conflict, "its presentation is recorded, or it does not stand any more").into());
    }
    audit::record(&mut write.tx, event.with("presented_on", day.to_string()), write.now).await?;
    finish(write, &found.id).await
}

/// Why a formal notice does not stand any more.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Compliance {
    /// What was done about the breach, for the audit trail.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 2000)]
    reason: fields::Paragraph,
}

/// Record that a formal notice had its effect: no termination rests on it any more.
#[utoipa::path(
    put, path = "/formal-notices/{measure}/compliance", tag = "measures", request_body = Compliance,
    params(("measure" = String, Path, description = "`mea_…`")),
    responses((status = 200, description = "As it is now", body = MeasureTaken), Problems),
    security(("oauth2" = ["habilis.measures", "habilis.organizations.write"]))
)]
async fn met(State(app): State<App>, caller: Caller, Path(measure): Path<String>, body: Body<Compliance>) -> Answer {
    let (found, event) = noticed(&app, &caller, &measure, "measure.met").await?;
    let reason = body.value.reason.0.as_str();
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    if !rows::lift(&mut write.tx, &found.id, (caller.id(), reason, ""), write.now).await? {
        return Err(Problem::new(Code::Conflict, "it does not stand any more").into());
    }
    audit::record(&mut write.tx, event.with("reason", reason), write.now).await?;
    finish(write, &found.id).await
}

async fn finish(mut write: Write, id: &str) -> Answer {
    let Some(row) = rows::find(&mut write.tx, id).await? else { return Err(Problem::not_found().into()) };
    let shown = MeasureTaken::shown(&mut write.tx, row).await?;
    write.finish(Written::changed(&shown)?).await
}
