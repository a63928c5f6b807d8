//! `/organizations/{organization}/enrolments`: from when until when a member has access to a portal for a course (R020, R021, R077,
//! R080, R081, R088, R089).

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use habilis_keys::random;
use habilis_policies::authorization::Action;
use habilis_policies::calendar;
use habilis_policies::enrolments::{
    Delivery, MOST, Registration, Status, credentials_due, delivery, registration, revives, withdrawal_ends,
};
use habilis_policies::information;
use habilis_policies::updates::{MOST_YEARS, YEARS};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::again::not_too_soon;
use super::body::{Body, NoBody, fields};
use super::caller::{Acting, Caller};
use super::page::{self, Asked, Page, Paging};
use super::precondition::stale;
use super::prior_information::{keep, said, uninformed};
use super::problem::{Answer, Code, Problem};
use super::seats::seat_problem;
use super::write::{Write, Written, found};
use super::{Problems, instant};
use crate::account::{invite, updates};
use crate::app::App;
use crate::db::enrolments::{self, Enrolment as Row, NewEnrolment, Span};
use crate::db::{Tx, audit, enrolment_links, members, people, portal_grants};
use crate::web::routing::routes;

const STATUSES: &[&str] = &["pre_registered", "registered", "lapsed", "withdrawn", "closed"];

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(report))
        .routes(routes!(read))
        .routes(routes!(step))
        .routes(routes!(resend))
}

/// An enrolment.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Enrolment {
    /// `enr_…`.
    id: String,
    /// The learner, `usr_…`.
    person: String,
    /// The portal, a `client_id`.
    portal: String,
    /// Of the course.
    title: String,
    /// `first_day`, or `opening`: the days follow from when the person opens a link (R077).
    counts_from: String,
    /// How many years there are from the opening; absent when it counts from its first day.
    years: Option<u8>,
    /// When the link was opened, RFC 3339; absent until then.
    opened_at: Option<String>,
    /// Until when the link works, RFC 3339; absent when none is on its way.
    link_expires_at: Option<String>,
    /// First day of access; null until the link is opened.
    #[schema(required = true)]
    not_before: Option<String>,
    /// Last day of access; null until the link is opened.
    #[schema(required = true)]
    not_after: Option<String>,
    /// `close`, or `keep`: then access stays until the enrolment is closed (R081).
    at_end: String,
    /// `pre_registered`, `registered`, `lapsed`, `withdrawn` or `closed`.
    status: String,
    /// Reference of the contract.
    contract: Option<String>,
    /// When it was sent.
    sent_on: Option<String>,
    /// Until when it has to come back signed (R021).
    return_by: Option<String>,
    /// RFC 3339.
    signed_at: Option<String>,
    /// When who pays was first told what comes before the payment (R028), RFC 3339.
    informed_at: Option<String>,
    /// The version of what they were told then.
    informed_version: Option<String>,
    /// RFC 3339.
    paid_at: Option<String>,
    /// Whether the learner may withdraw within fourteen days of the payment (R089).
    withdrawal: bool,
    /// Until when, RFC 3339.
    withdrawal_ends_at: Option<String>,
    /// RFC 3339.
    waived_at: Option<String>,
    /// The version of the text of the waiver.
    waiver_version: Option<String>,
    /// Last day, when closed before its end.
    closed_on: Option<String>,
    /// When access codes were sent, RFC 3339.
    credentials_sent_at: Option<String>,
    /// Until when they are due (R020), RFC 3339.
    credentials_due_at: Option<String>,
    /// How that stands: `pending`, `warning` (72 hours have passed), `on_time` or `late`; absent before the signature.
    credentials: Option<String>,
    /// The first instant of access, RFC 3339; absent while something is missing.
    opens_at: Option<String>,
    /// The first instant after, RFC 3339; absent when it does not end by itself.
    closes_at: Option<String>,
}

impl Enrolment {
    pub(super) fn of(row: &Row, now: Timestamp) -> Self {
        let rule = row.rule();
        let window = rule.window();
        Self {
            id: row.id.clone(),
            person: row.person_id.clone(),
            portal: row.client_id.clone(),
            title: row.title.clone(),
            counts_from: if row.opens_years.is_some() { "opening" } else { "first_day" }.to_owned(),
            years: row.opens_years.map(|_| row.years()),
            opened_at: row.opened_at.map(instant),
            link_expires_at: row.link_expires_at.filter(|end| waits(row) && Timestamp::from(*end) > now).map(instant),
            not_before: row.first_day().map(str::to_owned),
            not_after: row.last_day().map(str::to_owned),
            at_end: row.at_end.clone(),
            status: row.status.clone(),
            contract: row.contract.clone(),
            sent_on: row.sent_on.clone(),
            return_by: rule.return_by().map(|day| day.to_string()),
            signed_at: row.signed_at.map(instant),
            informed_at: row.informed_at.map(instant),
            informed_version: row.informed_version.clone(),
            paid_at: row.paid_at.map(instant),
            withdrawal: row.withdrawal,
            withdrawal_ends_at: rule.paid_at.filter(|_| row.withdrawal).map(|paid| withdrawal_ends(paid).to_string()),
            waived_at: row.waived_at.map(instant),
            waiver_version: row.waiver_version.clone(),
            closed_on: row.closed_on.clone(),
            credentials_sent_at: row.credentials_sent_at.map(instant),
            credentials_due_at: rule.signed_at.map(|signed| credentials_due(signed).1.to_string()),
            credentials: rule.signed_at.map(|signed| {
                let word = match delivery(signed, row.credentials_sent_at.map(Timestamp::from), now) {
                    Delivery::Pending => "pending",
                    Delivery::Warning => "warning",
                    Delivery::OnTime => "on_time",
                    Delivery::Breach => "late",
                };
                word.to_owned()
            }),
            opens_at: window.from.map(|at| at.to_string()),
            closes_at: window.until.map(|at| at.to_string()),
        }
    }
}

/// Whether it waits for its link to be opened.
fn waits(row: &Row) -> bool {
    row.opens_years.is_some() && row.opened_at.is_none() && Status::parse(&row.status) == Status::Registered
}

/// What of it the trail keeps.
fn traced(row: &Row) -> Value {
    json!({
        "portal": row.client_id, "status": row.status, "not_before": row.first_day(), "not_after": row.last_day(), "sent_on": row.sent_on,
        "signed_at": row.signed_at.map(instant), "paid_at": row.paid_at.map(instant), "waived_at": row.waived_at.map(instant),
        "closed_on": row.closed_on, "credentials_sent_at": row.credentials_sent_at.map(instant),
        "informed_at": row.informed_at.map(instant), "informed_version": row.informed_version,
        "counts_from_opening": row.opens_years.is_some(), "opened_at": row.opened_at.map(instant),
    })
}

/// Which enrolments.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EnrolmentQuery {
    /// A status.
    status: Option<String>,
    /// A member, `usr_…`.
    #[param(max_length = 200)]
    person: Option<String>,
    /// Rows at the most, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[param(max_length = 512)]
    cursor: Option<String>,
}

/// List the enrolments of an organization, newest first.
#[utoipa::path(
    get, path = "/organizations/{organization}/enrolments", tag = "enrolments",
    params(("organization" = String, Path, description = "`org_…`"), EnrolmentQuery),
    responses((status = 200, description = "A page", body = Page<Enrolment>), Problems),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    Asked(query): Asked<EnrolmentQuery>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadEnrolments, &organization).await?;
    let status = page::one_of("status", query.status.as_deref(), STATUSES)?;
    let person = query.person.as_deref();
    if person.is_some_and(|person| !person.starts_with("usr_") || person.contains('\0')) {
        return Err(Problem::parameter("person", "the id of a member, usr_…").into());
    }
    let paging = Paging::new(query.limit, query.cursor.clone());
    let (limit, (at, id)) = (paging.limit()?, paging.before()?);
    let of = (acting.organization.id.as_str(), status, person);
    let now = app.clock.now();
    let rows = enrolments::list(&mut app.db.reader().await?, of, (at, &id, limit + 1)).await?;
    let cursor = |row: &Row| page::cursor_before(row.created_at.milliseconds(), &row.id);
    Ok(Page::of(rows, limit, cursor, |row| Enrolment::of(&row, now)).into_response())
}

/// Read an enrolment.
#[utoipa::path(
    get, path = "/organizations/{organization}/enrolments/{enrolment}", tag = "enrolments",
    params(("organization" = String, Path, description = "`org_…`"), ("enrolment" = String, Path, description = "`enr_…`")),
    responses((status = 200, description = "Found", body = Enrolment), Problems),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn read(State(app): State<App>, caller: Caller, Path((organization, id)): Path<(String, String)>) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadEnrolments, &organization).await?;
    let row = enrolments::find(&mut app.db.reader().await?, &acting.organization.id, &id).await?;
    let Some(row) = row else { return Err(Problem::not_found().into()) };
    found(&Enrolment::of(&row, app.clock.now()), row.version)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum AtEnd {
    Close,
    Keep,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum CountsFrom {
    /// The first day that is stated.
    FirstDay,
    /// The day on which the person opens the link that is mailed to them: an account for updates (R077).
    Opening,
}

/// Somebody to enrol.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewEnrolmentBody {
    /// A member, `usr_…`.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    person: fields::Line,
    /// A portal in which the organization gives rights, a `client_id`.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    portal: fields::Line,
    /// Of the course.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    title: fields::Line,
    /// What the access counts from; `first_day` when absent. From `opening` there are `years` in the place of days, and no contract to be
    /// sent, paid or withdrawn from: that of the course before is behind it.
    counts_from: Option<CountsFrom>,
    /// With `opening`: how many years from it; 5 when absent.
    #[schema(minimum = 1, maximum = 10)]
    years: Option<u8>,
    /// With `first_day`, needed: first day of access, from a year back to three years ahead.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, format = Date)]
    not_before: Option<Date>,
    /// With `first_day`, needed: last day of access, within ten years of the first.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, format = Date)]
    not_after: Option<Date>,
    /// `close` when absent; `keep` with `first_day` alone.
    at_end: Option<AtEnd>,
    /// Reference of the contract.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    contract: Option<fields::Line>,
    /// When the contract was sent: it has to come back signed within fifteen days (R021).
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, format = Date)]
    sent_on: Option<Date>,
    /// Whether the learner may withdraw within fourteen days of the payment, as consumers may (R089); `false` when absent.
    #[serde(default)]
    withdrawal: bool,
}

impl NewEnrolmentBody {
    /// Which days there will be, or what is wrong with what was said of them.
    fn span(&self, today: Date) -> Answer<Span> {
        if self.counts_from == Some(CountsFrom::Opening) {
            return self.years();
        }
        if self.years.is_some() {
            return Err(Problem::field("/years", "invalid", "they count from the opening of a link alone").into());
        }
        let missing =
            |pointer: &str| Problem::field(pointer, "missing", "the days of access have a first and a last one");
        let (first, last) = (
            self.not_before.ok_or_else(|| missing("/not_before"))?,
            self.not_after.ok_or_else(|| missing("/not_after"))?,
        );
        if first < calendar::add_years(today, -1) || first > calendar::add_years(today, 3) {
            return Err(Problem::field("/not_before", "out_of_range", "from a year back to three years ahead").into());
        }
        if last < first.max(today) || last > calendar::add_years(first, 10) {
            let detail = "not past, not before the first day, within ten years of it";
            return Err(Problem::field("/not_after", "out_of_range", detail).into());
        }
        if self.sent_on.is_some_and(|sent| sent > today || sent < calendar::add_days(today, -15)) {
            return Err(Problem::field("/sent_on", "out_of_range", "within the last fifteen days").into());
        }
        Ok(Span::Days(first, last))
    }

    /// The same for an account for updates: nothing of it but its years is stated.
    fn years(&self) -> Answer<Span> {
        let not_said = [
            ("/not_before", self.not_before.is_some()),
            ("/not_after", self.not_after.is_some()),
            ("/at_end", self.at_end == Some(AtEnd::Keep)),
            ("/sent_on", self.sent_on.is_some()),
            ("/withdrawal", self.withdrawal),
        ];
        if let Some((pointer, _)) = not_said.into_iter().find(|(_, said)| *said) {
            let detail = "what counts from the opening of a link ends with its years, and has no contract of its own";
            return Err(Problem::field(pointer, "invalid", detail).into());
        }
        let years = self.years.unwrap_or(YEARS);
        if !(1..=MOST_YEARS).contains(&years) {
            return Err(Problem::field("/years", "out_of_range", "1 to 10").into());
        }
        Ok(Span::Years(years))
    }
}

/// Enrol a member in a course. Access opens once the contract is signed; from the opening of a link, which is mailed to the member now.
#[utoipa::path(
    post, path = "/organizations/{organization}/enrolments", tag = "enrolments", request_body = NewEnrolmentBody,
    params(("organization" = String, Path, description = "`org_…`")),
    responses((status = 201, description = "Recorded", body = Enrolment), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn create(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    body: Body<NewEnrolmentBody>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::WriteEnrolments, &organization).await?;
    let (organization, new) = (acting.organization.id.as_str(), &body.value);
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let span = new.span(calendar::date_at(write.now))?;
    let member = members::find(&mut write.tx, organization, &new.person.0).await?;
    let member = member.filter(|member| caller.sees(&member.person_id, (member.operator, member.privacy)));
    let Some(member) = member else {
        return Err(Problem::field("/person", "unknown", "there is no such member").into());
    };
    let granted = portal_grants::list(&mut write.tx, organization).await?;
    if !granted.iter().any(|grant| grant.client_id == new.portal.0) {
        let detail = "the operator has not granted this portal to the organization";
        return Err(Problem::field("/portal", "not_granted", detail).into());
    }
    // Held before they are counted: of two at once the second sees the first.
    people::lock(&mut write.tx, &member.person_id).await?;
    let of = (organization, member.person_id.as_str(), new.portal.0.as_str());
    if enrolments::standing(&mut write.tx, of, write.now).await? >= MOST {
        let detail = format!(
            "a member has at most {MOST} enrolments at a portal that are open or may open: close some, or wait a day"
        );
        return Err(Problem::new(Code::Conflict, detail).into());
    }
    let id = random::id("enr", write.now);
    let row = NewEnrolment {
        id: &id,
        organization,
        person: &member.person_id,
        client: &new.portal.0,
        title: &new.title.0,
        span,
        at_end: if new.at_end == Some(AtEnd::Keep) { "keep" } else { "close" },
        contract: new.contract.as_ref().map(|line| line.0.as_str()),
        sent_on: new.sent_on,
        withdrawal: new.withdrawal,
        by: caller.id(),
    };
    enrolments::insert(&mut write.tx, &row, write.now).await?;
    let row = enrolments::find(&mut write.tx, organization, &id).await?;
    let Some(mut row) = row else { return Err(Problem::not_found().into()) };
    enrolments::plan(&mut write.tx, &row, write.now).await?;
    let mut event = acting.event(&caller, "enrolment.recorded").about(&row.person_id).with("enrolment", id.clone());
    if waits(&row) {
        let mail = send_link(&mut write.tx, &app, (&mut row, &acting), write.now).await?;
        event = event.with("mail", mail);
    }
    audit::record(&mut write.tx, event.changed(Value::Null, traced(&row)), write.now).await?;
    let location = format!("/api/v1/organizations/{organization}/enrolments/{id}");
    let shown = Enrolment::of(&row, write.now);
    let answer = write.finish(Written::created(location, &shown)?.with_version(row.version)).await;
    app.mail_waiting.notify_one();
    answer
}

/// Mails the link that opens an account for updates; gives the mail's id. The row says afterwards until when the link works.
async fn send_link(tx: &mut Tx, app: &App, (row, acting): (&mut Row, &Acting), now: Timestamp) -> Answer<String> {
    let organization = &acting.organization;
    let sent = match people::find(tx, &row.person_id).await? {
        Some(person) => updates::send(tx, app.into(), (row, &person, &organization.name), now).await?,
        None => None,
    };
    let Some(mail) = sent else {
        let detail = "the link is mailed, and the member has no mail address";
        return Err(Problem::new(Code::Conflict, detail).into());
    };
    if let Some(sent) = enrolments::find(tx, &organization.id, &row.id).await? {
        *row = sent;
    }
    Ok(mail)
}

/// Send the link that opens an account for updates again; earlier links are void.
#[utoipa::path(
    post, path = "/organizations/{organization}/enrolments/{enrolment}/link", tag = "enrolments",
    params(("organization" = String, Path, description = "`org_…`"), ("enrolment" = String, Path, description = "`enr_…`")),
    responses((status = 200, description = "On its way", body = Enrolment), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn resend(
    State(app): State<App>,
    caller: Caller,
    Path((organization, id)): Path<(String, String)>,
    request: NoBody,
) -> Answer {
    let acting = caller.in_organization(&app, Action::WriteEnrolments, &organization).await?;
    let organization = acting.organization.id.as_str();
    let mut write = Write::begin(&app, &caller, &request.idempotency).await?;
    let row = enrolments::find(&mut write.tx, organization, &id).await?;
    let Some(row) = row else { return Err(Problem::not_found().into()) };
    // Who opens it holds the person, too: it is looked at after that.
    people::lock(&mut write.tx, &row.person_id).await?;
    let row = enrolments::find(&mut write.tx, organization, &id).await?;
    let Some(mut row) = row else { return Err(Problem::not_found().into()) };
    if !waits(&row) {
        let detail = "nothing waits to be opened: it counts from its first day, or was opened or closed";
        return Err(Problem::new(Code::Conflict, detail).into());
    }
    let last = enrolment_links::latest_made(&mut write.tx, &row.id).await?;
    not_too_soon(last, write.now)?;
    let mail = send_link(&mut write.tx, &app, (&mut row, &acting), write.now).await?;
    let event = acting.event(&caller, "enrolment.link_sent").about(&row.person_id).with("enrolment", id);
    audit::record(&mut write.tx, event.with("mail", mail), write.now).await?;
    let shown = Enrolment::of(&row, write.now);
    let answer = write.finish(Written::changed(&shown)?.with_version(row.version)).await;
    app.mail_waiting.notify_one();
    answer
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum EnrolmentStepName {
    /// The contract was sent.
    Sent,
    /// It came back signed: the learner is registered, and access codes leave (R020). One that came back within the fifteen days is
    /// recorded after the enrolment lapsed, too (R021).
    Signed,
    /// Who pays was told how to pay and how to start (R028).
    Informed,
    /// The course was paid. Who may withdraw, or waived that, was told before.
    Paid,
    /// The learner waived the right to withdraw.
    Waived,
    /// The learner withdrew.
    Withdrawn,
    /// The course ends on a day before its end (R088).
    Closed,
    /// The last day of access was moved.
    Moved,
}

/// Something that happened to an enrolment.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EnrolmentStep {
    /// What happened.
    step: EnrolmentStepName,
    /// On which day (Paris); today when absent. Not in the future, but for `closed` and `moved`, where it is the last day.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, format = Date)]
    on: Option<Date>,
    /// At which instant, RFC 3339, in the place of `on`; for `informed` and `paid`, where the order counts within a day.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, format = DateTime, max_length = 40)]
    at: Option<Timestamp>,
    /// Version of the text of the waiver, or of what was told; needed to waive and to inform.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    text_version: Option<fields::Line>,
    /// Why; needed to close and to move.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 2000)]
    reason: Option<fields::Paragraph>,
}

/// Record what happened to an enrolment.
#[utoipa::path(
    post, path = "/organizations/{organization}/enrolments/{enrolment}/steps", tag = "enrolments", request_body = EnrolmentStep,
    params(("organization" = String, Path, description = "`org_…`"), ("enrolment" = String, Path, description = "`enr_…`")),
    responses((status = 200, description = "As it is now", body = Enrolment), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn step(
    State(app): State<App>,
    caller: Caller,
    Path((organization, id)): Path<(String, String)>,
    body: Body<EnrolmentStep>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::WriteEnrolments, &organization).await?;
    let (organization, asked) = (acting.organization.id.as_str(), &body.value);
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let row = enrolments::find(&mut write.tx, organization, &id).await?;
    let Some(mut row) = row else { return Err(Problem::not_found().into()) };
    let before = traced(&row);
    apply(&mut row, asked, write.now)?;
    if asked.step == EnrolmentStepName::Signed {
        send_credentials(&mut write.tx, &app, &mut row, write.now).await?;
    }
    if !enrolments::record(&mut write.tx, &row, write.now).await? {
        return Err(stale(row.version).into());
    }
    let after = enrolments::find(&mut write.tx, organization, &id).await?;
    let Some(after) = after else { return Err(Problem::not_found().into()) };
    let mut event = acting.event(&caller, "enrolment.changed").about(&row.person_id).with("enrolment", id);
    if let Some(version) = asked.text_version.as_ref().filter(|_| asked.step == EnrolmentStepName::Informed) {
        event = event.with("text_version", version.0.clone());
    }
    if let Some(reason) = &asked.reason {
        event = event.with("reason", reason.0.clone());
    }
    audit::record(&mut write.tx, event.changed(before, traced(&after)), write.now).await?;
    let shown = Enrolment::of(&after, write.now);
    let answer = write.finish(Written::changed(&shown)?.with_version(after.version)).await;
    app.mail_waiting.notify_one();
    answer
}

/// Takes a step, or says why it cannot be taken.
fn apply(row: &mut Row, asked: &EnrolmentStep, now: Timestamp) -> Answer<()> {
    let today = calendar::date_at(now);
    let on = asked.on.unwrap_or(today);
    let ahead = matches!(asked.step, EnrolmentStepName::Closed | EnrolmentStepName::Moved);
    if !ahead && (on > today || on < calendar::add_years(today, -1)) {
        return Err(Problem::field("/on", "out_of_range", "not in the future, and within a year").into());
    }
    if asked.at.is_some() && !matches!(asked.step, EnrolmentStepName::Informed | EnrolmentStepName::Paid) {
        return Err(Problem::field("/at", "contradiction", "of `informed` and `paid` alone").into());
    }
    let said = said((asked.on, asked.at), now)?;
    let at = said.noted();
    let conflict = |detail: &str| Err(Problem::new(Code::Conflict, detail).into());
    let status = Status::parse(&row.status);
    match status {
        // It came back in time, and is typed in after the enrolment lapsed.
        Status::Lapsed if asked.step == EnrolmentStepName::Signed && revives(row.rule().sent_on, on, today) => {}
        Status::Lapsed => return conflict("the enrolment has lapsed: enrol the person anew"),
        Status::Withdrawn => return conflict("the learner withdrew"),
        Status::Closed => return conflict("the enrolment is closed"),
        Status::PreRegistered | Status::Registered => {}
    }
    if row.opens_years.is_some() && !ahead {
        return conflict("it counts from the opening of a link, and has no contract of its own");
    }
    if waits(row) && asked.step == EnrolmentStepName::Moved {
        return conflict("the link was not opened: there is no last day to be moved");
    }
    match asked.step {
        EnrolmentStepName::Sent if row.sent_on.is_some() => return conflict("the contract was sent already"),
        EnrolmentStepName::Sent => row.sent_on = Some(on.to_string()),
        EnrolmentStepName::Signed if row.signed_at.is_some() => return conflict("the contract is signed already"),
        EnrolmentStepName::Signed => {
            let sent = row.rule().sent_on;
            if sent.is_some_and(|sent| registration(sent, Some(on), today) == Registration::Lapsed) {
                return conflict("the contract came back after fifteen days: enrol the person anew (R021)");
            }
            row.signed_at = Some(at.into());
            Status::Registered.name().clone_into(&mut row.status);
        }
        EnrolmentStepName::Paid if row.paid_at.is_some() => return conflict("the course is paid already"),
        EnrolmentStepName::Paid => {
            let (duty, informed_at) = (row.rule().withdrawal.into(), row.informed_at.map(Timestamp::from));
            information::payment(duty, informed_at, said.earliest()).map_err(uninformed)?;
            row.paid_at = Some(said.earliest().into());
        }
        EnrolmentStepName::Informed => {
            let Some(version) = &asked.text_version else {
                return Err(Problem::field("/text_version", "missing", "which version they were told (R028)").into());
            };
            keep((&mut row.informed_at, &mut row.informed_version), (said.latest(), &version.0), row.paid_at)?;
        }
        EnrolmentStepName::Waived if !row.withdrawal => return conflict("the learner has no right to withdraw"),
        EnrolmentStepName::Waived if row.waived_at.is_some() => return conflict("it is waived already"),
        EnrolmentStepName::Waived => {
            let Some(version) = &asked.text_version else {
                let detail = "the version of the text that was accepted is kept (R089)";
                return Err(Problem::field("/text_version", "missing", detail).into());
            };
            row.waived_at = Some(at.into());
            row.waiver_version = Some(version.0.clone());
        }
        EnrolmentStepName::Withdrawn => {
            let late = row.paid_at.is_some_and(|paid| at >= withdrawal_ends(paid.into()));
            if !row.withdrawal || row.waived_at.is_some() || late {
                return conflict("there is no right to withdraw, or not any more: close the enrolment instead");
            }
            Status::Withdrawn.name().clone_into(&mut row.status);
        }
        EnrolmentStepName::Closed | EnrolmentStepName::Moved => {
            let Some(reason) = &asked.reason else {
                return Err(Problem::field("/reason", "missing", "say why").into());
            };
            let first = if waits(row) { today } else { row.rule().not_before };
            if on < today
                || on > calendar::add_years(first.max(today), 10)
                || (asked.step == EnrolmentStepName::Moved && on < first)
            {
                return Err(Problem::field("/on", "out_of_range", "a last day from today on").into());
            }
            if asked.step == EnrolmentStepName::Moved {
                row.not_after = on.to_string();
            } else {
                row.closed_on = Some(on.to_string());
                row.closed_reason = Some(reason.0.clone());
                Status::Closed.name().clone_into(&mut row.status);
            }
        }
    }
    Ok(())
}

/// Sends access codes to a learner whose contract is signed: a fresh link to who has not come yet; who has an account has them.
async fn send_credentials(tx: &mut Tx, app: &App, row: &mut Row, now: Timestamp) -> Answer<()> {
    let Some(person) = people::find(tx, &row.person_id).await? else { return Ok(()) };
    if person.status == "pending" {
        let sent = invite::invite_again(tx, app.into(), &person, now).await?;
        row.credentials_mail = sent.map_err(|refusal| seat_problem(&refusal))?;
        row.credentials_sent_at = row.credentials_mail.is_some().then(|| now.into());
    } else if person.status == "active" {
        row.credentials_sent_at = row.signed_at;
    }
    Ok(())
}

/// Which contracts a report is about.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ReportQuery {
    /// Signed on this day or later; a year back when absent.
    #[param(value_type = Option<String>, format = Date)]
    from: Option<Date>,
    /// Signed on this day or before; today when absent.
    #[param(value_type = Option<String>, format = Date)]
    to: Option<Date>,
}

/// How many access codes were sent within 96 hours of the signature (R020).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeliveryReport {
    /// Contracts signed.
    signed: i64,
    /// Access codes sent in time.
    on_time: i64,
    /// Neither sent nor late yet.
    waiting: i64,
    /// Sent late, or late and not sent.
    late: i64,
    /// Of those that are not waiting, in per cent with two decimals; absent when there are none.
    on_time_percent: Option<f64>,
}

/// Read how many access codes were sent in time.
#[utoipa::path(
    get, path = "/organizations/{organization}/enrolment-report", tag = "enrolments",
    params(("organization" = String, Path, description = "`org_…`"), ReportQuery),
    responses((status = 200, description = "Counted", body = DeliveryReport), Problems),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn report(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    Asked(query): Asked<ReportQuery>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadEnrolments, &organization).await?;
    let now = app.clock.now();
    let to = query.to.unwrap_or(calendar::date_at(now));
    let from = query.from.unwrap_or(calendar::add_years(to, -1));
    if from > to {
        return Err(Problem::parameter("from", "not after `to`").into());
    }
    let span = (calendar::midnight(from), calendar::cut_after(to));
    let mut reader = app.db.reader().await?;
    let (signed, on_time, waiting) = enrolments::report(&mut reader, &acting.organization.id, span, now).await?;
    let settled = signed - waiting;
    #[expect(clippy::cast_precision_loss, reason = "counts of contracts")]
    let percent = (settled > 0).then(|| (on_time as f64 * 10_000.0 / settled as f64).round() / 100.0);
    let body = DeliveryReport { signed, on_time, waiting, late: settled - on_time, on_time_percent: percent };
    Ok(Written::changed(&body)?.into_response())
}
