//! Measures: suspension, reinstatement and termination of people, organizations, orders and portals, the kill switch of an
//! organization, and the record of all of them (R033, R083–R086, R090). What they do is `crate::measures`; a formal notice that may
//! precede is given at [`super::formal_notices`].

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use habilis_policies::authorization::Action;
use habilis_policies::sanctions::{Act, Refusal, Said, needed};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::body::{Body, fields};
use super::caller::Caller;
use super::orders::Order as ShownOrder;
use super::organizations::Organization;
use super::page::{self, Asked, Page, Paging};
use super::people::{Person, somebody};
use super::precondition::{IfMatch, check_if_named};
use super::problem::{Answer, Code, FieldError, Problem, Stop};
use super::write::{Write, Written};
use super::{Problems, instant};
use crate::app::App;
use crate::db::audit::Event;
use crate::db::measures as rows;
use crate::db::{Conn, clients, members, orders, organizations};
use crate::measures::{self, Decision, Done, Refused, Subject};
use crate::oidc::client::Banner;
use crate::web::routing::routes;

const MEASURES: &[&str] = &["formal_notice", "suspension", "termination"];
const CHANGED: &str = "it has another status by now";

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(set_organization_status))
        .routes(routes!(set_person_status))
        .routes(routes!(set_order_status))
        .routes(routes!(set_portal_status))
        .routes(routes!(kill_switch))
        .routes(routes!(list))
        .routes(routes!(of_organization))
}

/// A measure: the status the subject is to have, and why (R085). Its people are told in writing at the same time.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StatusChange {
    /// `active`, `suspended` or `terminated`; terminated stays so.
    status: StatusName,
    /// Why, for the audit trail.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 2000)]
    reason: fields::Paragraph,
    /// What was not respected, as the letter says it; needed unless the status is `active`.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    breach: Option<fields::Paragraph>,
    /// What has to be done to be reinstated, as the letter says it; needed for `suspended`.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    remedy: Option<fields::Paragraph>,
    /// Why the breach cannot be remedied: a termination with it waits for no formal notice (R086).
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    irreparable: Option<fields::Paragraph>,
}

/// The same for a portal, with what people read there meanwhile (R090).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PortalStatusChange {
    /// `active`, `suspended` or `terminated`; terminated stays so.
    status: StatusName,
    /// Why, for the audit trail.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 2000)]
    reason: fields::Paragraph,
    /// What was not respected, or the technical or legal cause; needed unless the status is `active`.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    breach: Option<fields::Paragraph>,
    /// What opens the portal again; needed for `suspended`.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    remedy: Option<fields::Paragraph>,
    /// What people read who come from it; needed unless the status is `active`.
    banner: Option<BannerText>,
}

/// What people read where a portal is closed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BannerText {
    /// In French.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 2000)]
    fr: fields::Paragraph,
    /// In English.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 2000)]
    en: fields::Paragraph,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum StatusName {
    Active,
    Suspended,
    Terminated,
}

impl StatusName {
    fn act(self) -> Act {
        match self {
            Self::Active => Act::Lift,
            Self::Suspended => Act::Suspend,
            Self::Terminated => Act::Terminate,
        }
    }
}

/// What is said with an act.
#[derive(Clone, Copy)]
pub(super) struct Texts<'a> {
    pub(super) reason: &'a fields::Paragraph,
    pub(super) breach: Option<&'a fields::Paragraph>,
    pub(super) remedy: Option<&'a fields::Paragraph>,
    pub(super) irreparable: Option<&'a fields::Paragraph>,
}

impl<'a> Texts<'a> {
    /// The decision, when it says what it has to (R085).
    pub(super) fn decision(self, act: Act, by: &'a str) -> Result<Decision<'a>, Problem> {
        let text = |text: Option<&'a fields::Paragraph>| text.map_or("", |text| text.0.as_str());
        let decision = Decision {
            act,
            breach: if act == Act::Lift { "" } else { text(self.breach) },
            remedy: if matches!(act, Act::Suspend | Act::GiveNotice) { text(self.remedy) } else { "" },
            irreparable: self.irreparable.filter(|_| act == Act::Terminate).map(|why| why.0.as_str()),
            reason: &self.reason.0,
            banner: None,
            by,
        };
        let missing = needed(act).iter().filter_map(|said| {
            let (text, pointer, detail) = match said {
                Said::Breach => (decision.breach, "/breach", "say what was not respected (R085)"),
                Said::Remedy => (decision.remedy, "/remedy", "say what has to be done to be reinstated (R085)"),
            };
            let error = FieldError { pointer: pointer.to_owned(), code: "missing", detail: detail.to_owned() };
            text.is_empty().then_some(error)
        });
        let missing: Vec<_> = missing.collect();
        if missing.is_empty() { Ok(decision) } else { Err(Problem::fields(missing)) }
    }
}

impl StatusChange {
    fn texts(&self) -> Texts<'_> {
        Texts {
            reason: &self.reason,
            breach: self.breach.as_ref(),
            remedy: self.remedy.as_ref(),
            irreparable: self.irreparable.as_ref(),
        }
    }
}

fn refused(refusal: Refused) -> Stop {
    let problem = match refusal {
        Refused::Unknown => Problem::not_found(),
        Refused::Changed => Problem::new(Code::Conflict, CHANGED),
        Refused::LastOperator => Problem::new(Code::Conflict, "no operator would be left who can sign in"),
        Refused::Rule(refusal @ Refusal::TermRuns { from }) => {
            Problem::new(Code::FormalNoticeNeeded, refusal.to_string()).with("from", from.to_string())
        }
        Refused::Rule(refusal @ (Refusal::NoNotice | Refusal::NotPresented)) => {
            Problem::new(Code::FormalNoticeNeeded, refusal.to_string())
        }
        Refused::Rule(refusal) => Problem::new(Code::Conflict, refusal.to_string()),
    };
    problem.into()
}

/// Does it within the write.
pub(super) async fn apply(
    app: &App,
    write: &mut Write,
    (subject, decision, event): (Subject<'_>, &Decision<'_>, Event),
) -> Answer<Done> {
    let done = measures::apply(&mut write.tx, app.into(), (subject, decision, event), write.now).await?;
    done.map_err(refused)
}

/// Suspend, reinstate or terminate an organization. What its people were granted for it ends at once and for good.
#[utoipa::path(
    put, path = "/organizations/{organization}/status", tag = "measures", request_body = StatusChange,
    params(
        ("organization" = String, Path, description = "`org_…`"),
        ("If-Match" = Option<String>, Header, description = "`ETag` that was read; may be left out")
    ),
    responses((status = 200, description = "As it is now", body = Organization), Problems),
    security(("oauth2" = ["habilis.organizations.write"]))
)]
async fn set_organization_status(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    if_match: Option<IfMatch>,
    body: Body<StatusChange>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::SetOrganizationStatus, &organization).await?;
    let act = body.value.status.act();
    let decision = body.value.texts().decision(act, caller.id())?;
    let subject = Subject::Organization(&acting.organization.id);
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    members::lock(&mut write.tx, &acting.organization.id).await?;
    let before = organizations::find(&mut write.tx, &acting.organization.id).await?;
    check_if_named(if_match.as_ref(), before.ok_or_else(Problem::not_found)?.version)?;
    let event = acting.event(&caller, subject.event(act));
    apply(&app, &mut write, (subject, &decision, event)).await?;
    let after = organizations::find(&mut write.tx, &acting.organization.id).await?;
    let Some(after) = after else { return Err(Problem::not_found().into()) };
    let version = after.version;
    let answer = write.finish(Written::changed(&Organization::from(after))?.with_version(version)).await;
    measures::spread(&app, subject).await;
    answer
}

/// Suspend, reinstate or terminate somebody's account: sessions and tokens end at once.
#[utoipa::path(
    put, path = "/people/{person}/status", tag = "measures", request_body = StatusChange,
    params(
        ("person" = String, Path, description = "`usr_…`"),
        ("If-Match" = Option<String>, Header, description = "`ETag` that was read; may be left out")
    ),
    responses((status = 200, description = "As it is now", body = Person), Problems),
    security(("oauth2" = ["habilis.measures"]))
)]
async fn set_person_status(
    State(app): State<App>,
    caller: Caller,
    Path(person): Path<String>,
    if_match: Option<IfMatch>,
    body: Body<StatusChange>,
) -> Answer {
    let person = somebody(&mut app.db.reader().await?, &person).await;
    let person = caller.on_person(&app, Action::SetPersonStatus, person).await?;
    let act = body.value.status.act();
    let decision = body.value.texts().decision(act, caller.id())?;
    let subject = Subject::Person(&person.id);
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    measures::hold(&mut write.tx, subject, act).await?;
    check_if_named(if_match.as_ref(), somebody(&mut write.tx, &person.id).await?.version)?;
    apply(&app, &mut write, (subject, &decision, caller.event(subject.event(act)))).await?;
    let after = somebody(&mut write.tx, &person.id).await?;
    let version = after.version;
    let answer = write.finish(Written::changed(&Person::from(after))?.with_version(version)).await;
    measures::spread(&app, subject).await;
    answer
}

/// Suspend, reinstate or terminate an order for a breach: it closes at once, and its administrators and signatories are told (R084–R086).
#[utoipa::path(
    put, path = "/organizations/{organization}/orders/{order}/status", tag = "measures", request_body = StatusChange,
    params(
        ("organization" = String, Path, description = "`org_…`"), ("order" = String, Path, description = "`ord_…`"),
        ("If-Match" = Option<String>, Header, description = "`ETag` that was read; may be left out")
    ),
    responses((status = 200, description = "As it is now", body = ShownOrder), Problems),
    security(("oauth2" = ["habilis.orders"]))
)]
async fn set_order_status(
    State(app): State<App>,
    caller: Caller,
    Path((organization, order)): Path<(String, String)>,
    if_match: Option<IfMatch>,
    body: Body<StatusChange>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::WriteOrders, &organization).await?;
    let organization = acting.organization.id.as_str();
    let act = body.value.status.act();
    let decision = body.value.texts().decision(act, caller.id())?;
    let subject = Subject::Order(&order);
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    members::lock(&mut write.tx, organization).await?;
    // Of another organization: not found, as everywhere.
    let all = orders::all(&mut write.tx, organization).await?;
    let Some(before) = all.iter().find(|row| row.id == order) else { return Err(Problem::not_found().into()) };
    check_if_named(if_match.as_ref(), before.version)?;
    let event = acting.event(&caller, subject.event(act));
    apply(&app, &mut write, (subject, &decision, event)).await?;
    let all = orders::all(&mut write.tx, organization).await?;
    let Some(after) = all.iter().find(|row| row.id == order) else { return Err(Problem::not_found().into()) };
    let shown = ShownOrder::of(after, &all, write.now);
    let answer = write.finish(Written::changed(&shown)?.with_version(after.version)).await;
    measures::spread(&app, subject).await;
    answer
}

/// A portal as the operator sees it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PortalState {
    /// `client_id`.
    client_id: String,
    /// `active`, `suspended` or `terminated`.
    status: String,
    /// What people read who come from it.
    banner: Option<BannerShown>,
}

/// What people read where a portal is closed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BannerShown {
    /// In French.
    fr: String,
    /// In English.
    en: String,
}

impl PortalState {
    fn of(row: clients::ClientRow) -> Answer<Self> {
        let banner = row.banner.as_deref().map(serde_json::from_str::<Banner>).transpose()?;
        let banner = banner.map(|Banner { fr, en }| BannerShown { fr, en });
        Ok(Self { client_id: row.id, status: row.status, banner })
    }
}

/// Suspend, reopen or close a portal: people read what the operator says, and what was granted to it ends at once and for good.
#[utoipa::path(
    put, path = "/portals/{client_id}/status", tag = "measures", request_body = PortalStatusChange,
    params(
        ("client_id" = String, Path, description = "`client_id` of the portal"),
        ("If-Match" = Option<String>, Header, description = "`ETag` of the portal that was read; may be left out")
    ),
    responses((status = 200, description = "As it is now", body = PortalState), Problems),
    security(("oauth2" = ["habilis.measures"]))
)]
async fn set_portal_status(
    State(app): State<App>,
    caller: Caller,
    Path(client_id): Path<String>,
    if_match: Option<IfMatch>,
    body: Body<PortalStatusChange>,
) -> Answer {
    let policy = caller.may(&app, Action::SetPortalStatus).await?;
    let change = &body.value;
    let act = change.status.act();
    let (breach, remedy) = (change.breach.as_ref(), change.remedy.as_ref());
    let texts = Texts { reason: &change.reason, breach, remedy, irreparable: None };
    let decision = texts.decision(act, caller.id())?;
    let banner = change.banner.as_ref().filter(|_| act != Act::Lift);
    if banner.is_none() && act != Act::Lift {
        return Err(Problem::field("/banner", "missing", "say what people read meanwhile (R090)").into());
    }
    let banner = banner.map(|BannerText { fr, en }| Banner { fr: fr.0.clone(), en: en.0.clone() });
    let banner = banner.map(|banner| serde_json::to_string(&banner)).transpose()?;
    let decision = Decision { banner: banner.as_deref(), ..decision };
    if client_id.len() > 256 || client_id.contains('\0') {
        return Err(Problem::not_found().into());
    }
    if caller.client() == client_id && act != Act::Lift {
        return Err(Problem::new(Code::Conflict, "this very call comes through that client").into());
    }
    let subject = Subject::Portal(&client_id);
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    clients::lock(&mut write.tx, &client_id).await?;
    let before = clients::find_managed(&mut write.tx, &client_id).await?.ok_or_else(Problem::not_found)?;
    check_if_named(if_match.as_ref(), before.version)?;
    let event = caller.event(subject.event(act)).with("policy", policy);
    apply(&app, &mut write, (subject, &decision, event)).await?;
    let after = clients::find_managed(&mut write.tx, &client_id).await?.ok_or_else(Problem::not_found)?;
    let answer = write.finish(Written::changed(&PortalState::of(after.row)?)?.with_version(after.version)).await;
    measures::spread(&app, subject).await;
    answer
}

/// Why everything is closed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KillSwitchBody {
    /// For the audit trail.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 2000)]
    reason: fields::Paragraph,
}

/// What was closed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct KillSwitchClosed {
    /// `org_…`.
    organization: String,
    /// RFC 3339.
    closed_at: String,
    /// Accounts closed until their people renew the password by a link.
    people: i64,
    /// Sessions ended.
    sessions: i64,
    /// Grants ended, with every token of them.
    grants: i64,
    /// API keys revoked.
    api_keys: i64,
    /// API clients of the organization suspended: the operator opens them again (`/portals/{client_id}/status`).
    api_clients: usize,
    /// Invitations ended: their links open no account any more. An administrator sends another, or removes the member.
    invitations: i64,
    /// Offers of a membership withdrawn.
    offers: usize,
    /// Imports stopped that waited or ran: the rest of their rows is refused (`access_closed`).
    imports: i64,
    /// Successions withdrawn that waited for an approval or their day.
    successions: u64,
}

/// Close everything of an organization at once: users, sessions, tokens, API keys and clients; the caller's own session too.
#[utoipa::path(
    post, path = "/organizations/{organization}/kill-switch", tag = "measures", request_body = KillSwitchBody,
    params(("organization" = String, Path, description = "`org_…`")),
    responses((status = 200, description = "What was closed", body = KillSwitchClosed), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn kill_switch(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    body: Body<KillSwitchBody>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::KillSwitch, &organization).await?;
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let event = acting.event(&caller, "organization.kill_switch").with("reason", body.value.reason.0.clone());
    let of = (&acting.organization, caller.id(), event);
    let closed = measures::close(&mut write.tx, &app, of, write.now).await?;
    let shown = KillSwitchClosed {
        organization: acting.organization.id.clone(),
        closed_at: instant(closed.at.into()),
        people: closed.people,
        sessions: closed.sessions,
        grants: closed.grants,
        api_keys: closed.api_keys,
        api_clients: closed.api_clients.len(),
        invitations: closed.invitations,
        offers: closed.offers,
        imports: closed.imports,
        successions: closed.successions,
    };
    let answer = write.finish(Written::changed(&shown)?).await;
    for client in &closed.api_clients {
        measures::spread(&app, Subject::Portal(client)).await;
    }
    measures::spread(&app, Subject::Organization(&acting.organization.id)).await;
    answer
}

/// What a letter became.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NoticeSent {
    /// `mail_…`.
    id: String,
    /// RFC 3339: written, in the transaction of the measure.
    written_at: String,
    /// RFC 3339: when the mail server took it.
    sent_at: Option<String>,
    /// RFC 3339: when it came back.
    bounced_at: Option<String>,
}

/// A measure.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MeasureTaken {
    /// `mea_…`.
    id: String,
    /// `person`, `organization` or `portal`.
    subject_kind: String,
    /// Its id.
    pub(super) subject: String,
    /// `formal_notice`, `suspension` or `termination`.
    measure: String,
    /// What was not respected.
    breach: String,
    /// What has to be done about it.
    remedy: Option<String>,
    /// Why a termination waited for no formal notice.
    irreparable: Option<String>,
    /// For the operator: left out for the organization itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Name and version of the letter.
    text_version: String,
    /// The letters, as proof of notice (R085).
    notices: Vec<NoticeSent>,
    /// Person or client: left out for the organization itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    imposed_by: Option<String>,
    /// RFC 3339.
    imposed_at: String,
    /// A formal notice: civil day of its first presentation (R202).
    presented_on: Option<String>,
    /// A formal notice: the first day on which a termination may follow (R086).
    termination_from: Option<String>,
    /// RFC 3339: when it was lifted.
    lifted_at: Option<String>,
}

impl MeasureTaken {
    /// As the organization itself sees it.
    pub(super) fn for_its_subject(self) -> Self {
        Self { reason: None, imposed_by: None, ..self }
    }

    /// As the operator sees it.
    pub(super) async fn shown(c: &mut impl Conn, row: rows::Measure) -> Answer<Self> {
        let mut notices = Vec::new();
        let letters = row.notices.split(' ').chain(row.lifted_notices.iter().flat_map(|ids| ids.split(' ')));
        for id in letters.filter(|id| !id.is_empty()) {
            let Some(sent) = rows::sent(c, id).await? else { continue };
            notices.push(NoticeSent {
                id: sent.id,
                written_at: instant(sent.created_at),
                sent_at: sent.sent_at.map(instant),
                bounced_at: sent.bounced_at.map(instant),
            });
        }
        let presented = row.presented_on.as_deref().and_then(|day| day.parse::<Date>().ok());
        let from = presented.map(habilis_policies::sanctions::termination_from);
        Ok(Self {
            id: row.id,
            subject_kind: row.subject_kind,
            subject: row.subject_id,
            measure: row.measure,
            breach: row.breach,
            remedy: Some(row.remedy).filter(|remedy| !remedy.is_empty()),
            irreparable: row.irreparable,
            reason: Some(row.reason),
            text_version: row.text_version,
            notices,
            imposed_by: Some(row.imposed_by),
            imposed_at: instant(row.imposed_at),
            presented_on: row.presented_on,
            termination_from: from.map(|day| day.to_string()),
            lifted_at: row.lifted_at.map(instant),
        })
    }
}

/// Which measures.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct MeasureQuery {
    /// Against this person, organization, order or portal only, by id.
    #[param(max_length = 256)]
    subject: Option<String>,
    /// `formal_notice`, `suspension` or `termination` only.
    measure: Option<String>,
    /// Rows at the most, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[param(max_length = 512)]
    cursor: Option<String>,
}

async fn shown(c: &mut impl Conn, found: Vec<rows::Measure>, limit: u32) -> Answer<Page<MeasureTaken>> {
    let cursor = |row: &rows::Measure| page::cursor_before(row.imposed_at.milliseconds(), &row.id);
    let page = Page::of(found, limit, cursor, |row| row);
    let mut items = Vec::with_capacity(page.items.len());
    for row in page.items {
        items.push(MeasureTaken::shown(c, row).await?);
    }
    Ok(Page { items, next: page.next })
}

/// List the measures against everybody, newest first, with the proof of their notices.
#[utoipa::path(
    get, path = "/measures", tag = "measures", params(MeasureQuery),
    responses((status = 200, description = "A page", body = Page<MeasureTaken>), Problems),
    security(("oauth2" = ["habilis.measures"]))
)]
async fn list(State(app): State<App>, caller: Caller, Asked(query): Asked<MeasureQuery>) -> Answer {
    caller.may(&app, Action::ReadMeasures).await?;
    let measure = page::one_of("measure", query.measure.as_deref(), MEASURES)?;
    let is_id = |id: &String| (1..=256).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    if !query.subject.as_ref().is_none_or(is_id) {
        return Err(Problem::parameter("subject", "the id of a person, an organization, an order or a portal").into());
    }
    let paging = Paging::new(query.limit, query.cursor.clone());
    let (limit, (at, id)) = (paging.limit()?, paging.before()?);
    let mut reader = app.db.reader().await?;
    let found = rows::list(&mut reader, (query.subject.as_deref(), measure), (at, &id, limit + 1)).await?;
    Ok(shown(&mut reader, found, limit).await?.into_response())
}

/// List the measures against an organization and its orders, newest first: what its administrators were told.
#[utoipa::path(
    get, path = "/organizations/{organization}/measures", tag = "measures",
    params(("organization" = String, Path, description = "`org_…`"), Paging),
    responses((status = 200, description = "A page", body = Page<MeasureTaken>), Problems),
    security(("oauth2" = ["habilis.measures"]))
)]
async fn of_organization(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    Asked(paging): Asked<Paging>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadMeasures, &organization).await?;
    let (limit, (at, id)) = (paging.limit()?, paging.before()?);
    let mut reader = app.db.reader().await?;
    let found = rows::of_organization(&mut reader, &acting.organization.id, (at, &id, limit + 1)).await?;
    let mut page = shown(&mut reader, found, limit).await?;
    if !caller.is_operator() {
        page.items = page.items.into_iter().map(MeasureTaken::for_its_subject).collect();
    }
    Ok(page.into_response())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_decision_says_what_its_subject_has_to_read() {
        let text = |text: &str| fields::Paragraph(text.to_owned());
        let (reason, said) = (text("impayé"), text("Facture."));
        for (act, breach, remedy, missing) in [
            (Act::Suspend, None, None, vec!["/breach", "/remedy"]),
            (Act::Suspend, Some(&said), None, vec!["/remedy"]),
            (Act::Suspend, Some(&said), Some(&said), vec![]),
            (Act::GiveNotice, None, Some(&said), vec!["/breach"]),
            (Act::Terminate, None, None, vec!["/breach"]),
            (Act::Terminate, Some(&said), None, vec![]),
            (Act::Lift, None, None, vec![]),
        ] {
            let decision = Texts { reason: &reason, breach, remedy, irreparable: None }.decision(act, "usr_1");
            let found = decision.err().map_or_else(|| json!({ "errors": [] }), Problem::document);
            let found: Vec<_> = found["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
            assert_eq!(found, missing, "{act:?}");
        }
    }
}
