//! `/organizations/{organization}/data-return`: whether an organization has its data back at the end of its last order, or only destroyed
//! (R157), what a request for them is worth (R211), and what the operator agreed to in writing: an export after the end (Q10), and data that
//! are kept longer. They come back by `export.jsonl`; they are destroyed a year after the last day either way, or as agreed (R156).

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use habilis_policies::authorization::Action;
use habilis_policies::calendar;
use habilis_policies::orders::Orders;
use habilis_policies::restitution::{Excluded, Request, Restitution, export_until};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::body::{Body, fields};
use super::caller::Caller;
use super::problem::{Answer, Code, Problem};
use super::write::{Write, Written};
use super::{Problems, instant};
use crate::app::App;
use crate::db::data_returns::DataReturn as Row;
use crate::db::{Conn, Tx, audit, data_returns, members, orders, purges, subscription_ends};
use crate::outcome::Outcome;
use crate::seats;
use crate::web::routing::routes;

/// Years for which data may be kept by agreement, at the most.
const MOST_YEARS: i16 = 10;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(read, choose)).routes(routes!(agree))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Choice {
    /// Nothing is wanted back.
    Destruction,
    /// The organization takes its data before they are destroyed.
    Return,
}

impl Choice {
    fn name(self) -> &'static str {
        match self {
            Self::Destruction => "destruction",
            Self::Return => "return",
        }
    }
}

/// What is to become of the data.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewChoice {
    /// `destruction` or `return`.
    choice: Choice,
    /// The day of the writing that asks for the data back (Paris); today when absent. An earlier one is for the operator to say.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, format = Date)]
    requested_on: Option<Date>,
    /// An extra reversibility is asked for, which is invoiced: fifteen days before the end at the latest (R211).
    #[serde(default)]
    extra_reversibility: bool,
}

/// What was agreed with the organization in writing. What is not said any more is not agreed any more.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAgreements {
    /// Its administrators and API clients read and export for thirty days after the end (Q10).
    export_after_end: bool,
    /// The last day on which its data are kept, when that is later than a year after the end (R156).
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, format = Date)]
    reversibility_until: Option<Date>,
    /// Where the writing is found: a number, a date.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    reference: fields::Line,
}

/// What a request to have the data back is worth (R211).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RestitutionShown {
    /// The day of the writing.
    requested_on: String,
    /// `owed`: asked for in the month before the end. `early`: before that, or no end is known; to be asked for again. `late`: after the
    /// end. `excluded`: by now, see `excluded`.
    eligibility: &'static str,
    /// The last day on which the data are given back, when that is owed.
    due_on: Option<String>,
    /// `breach`, `unpaid` or `extra_too_late`.
    excluded: Option<&'static str>,
    /// An extra reversibility is asked for.
    extra_reversibility: bool,
}

/// What was chosen, and what was handed over.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DataReturn {
    /// `destruction` or `return`; null while nobody said.
    choice: Option<String>,
    /// Person or client.
    chosen_by: Option<String>,
    /// RFC 3339.
    chosen_at: Option<String>,
    /// When the whole export was last taken to its end, RFC 3339.
    exported_at: Option<String>,
    /// When an administrator last took the digests of its people's passwords, RFC 3339.
    password_hashes_exported_at: Option<String>,
    /// What the request is worth, when the data are wanted back.
    restitution: Option<RestitutionShown>,
    /// Whether administrators and API clients read and export for thirty days after the end (Q10).
    export_after_end: bool,
    /// Person or client.
    export_agreed_by: Option<String>,
    /// RFC 3339.
    export_agreed_at: Option<String>,
    /// When that closes, once the end is known, RFC 3339.
    export_until: Option<String>,
    /// The last day on which the data are kept by agreement.
    reversibility_until: Option<String>,
    /// Person or client.
    reversibility_agreed_by: Option<String>,
    /// RFC 3339.
    reversibility_agreed_at: Option<String>,
}

/// How the subscription of an organization stands, for a request.
struct Contract {
    over_at: Option<Timestamp>,
    for_breach: bool,
    unpaid: bool,
}

impl Contract {
    async fn of(c: &mut impl Conn, organization: &str) -> Outcome<Self> {
        let said = subscription_ends::said(c, organization).await?;
        let rules: Vec<_> = orders::all(c, organization).await?.iter().map(orders::Order::rule).collect();
        let all = Orders(&rules);
        Ok(Self { over_at: all.over_at(said), for_breach: all.ended_for_breach(), unpaid: all.owes() })
    }

    fn weigh(&self, (requested_on, extra): (Date, bool)) -> Result<Restitution, Excluded> {
        let last_day = self.over_at.map(|at| calendar::add_days(calendar::date_at(at), -1));
        Request { requested_on, last_day, for_breach: self.for_breach, unpaid: self.unpaid, extra }.weigh()
    }

    fn restitution(&self, row: &Row) -> Option<RestitutionShown> {
        let requested_on = row.requested_on.clone()?;
        let weighed = self.weigh((requested_on.parse().ok()?, row.extra_reversibility));
        let (eligibility, due_on, excluded) = match weighed {
            Ok(Restitution::Owed { due_on }) => ("owed", Some(due_on.to_string()), None),
            Ok(Restitution::Early) => ("early", None, None),
            Ok(Restitution::Late) => ("late", None, None),
            Err(why) => ("excluded", None, Some(why.name())),
        };
        Some(RestitutionShown {
            requested_on,
            eligibility,
            due_on,
            excluded,
            extra_reversibility: row.extra_reversibility,
        })
    }
}

impl DataReturn {
    fn of(row: Row, contract: &Contract) -> Self {
        let export_after_end = row.export_agreed_at.is_some();
        Self {
            restitution: contract.restitution(&row),
            export_until: contract.over_at.filter(|_| export_after_end).map(|at| export_until(at).to_string()),
            choice: row.choice,
            chosen_by: row.chosen_by,
            chosen_at: row.chosen_at.map(instant),
            exported_at: row.exported_at.map(instant),
            password_hashes_exported_at: row.hashes_exported_at.map(instant),
            export_after_end,
            export_agreed_by: row.export_agreed_by,
            export_agreed_at: row.export_agreed_at.map(instant),
            reversibility_until: row.reversibility_until,
            reversibility_agreed_by: row.reversibility_agreed_by,
            reversibility_agreed_at: row.reversibility_agreed_at.map(instant),
        }
    }

    pub(super) async fn shown(c: &mut impl Conn, organization: &str) -> Outcome<Self> {
        let row = data_returns::find(c, organization).await?;
        Ok(Self::of(row, &Contract::of(c, organization).await?))
    }
}

/// Read whether an organization has its data back at the end, when it took them last, and what was agreed about them.
#[utoipa::path(
    get, path = "/organizations/{organization}/data-return", tag = "orders",
    params(("organization" = String, Path, description = "`org_…`")),
    responses((status = 200, description = "As it is", body = DataReturn), Problems),
    security(("oauth2" = ["habilis.orders"]))
)]
async fn read(State(app): State<App>, caller: Caller, Path(organization): Path<String>) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadOrders, &organization).await?;
    let shown = DataReturn::shown(&mut app.db.reader().await?, &acting.organization.id).await?;
    Ok(axum::Json(shown).into_response())
}

/// Choose whether an organization has its data back at the end or only destroyed; until their removal begins.
#[utoipa::path(
    put, path = "/organizations/{organization}/data-return", tag = "orders", request_body = NewChoice,
    params(("organization" = String, Path, description = "`org_…`")),
    responses((status = 200, description = "As it is now", body = DataReturn), Problems),
    security(("oauth2" = ["habilis.orders"]))
)]
async fn choose(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    body: Body<NewChoice>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ChooseDataReturn, &organization).await?;
    let (id, choice) = (acting.organization.id.as_str(), body.value.choice.name());
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    members::lock(&mut write.tx, id).await?;
    not_begun(&mut write.tx, id).await?;
    let wanted = body.value.choice == Choice::Return;
    let today = calendar::date_at(write.now);
    let requested_on = body.value.requested_on.unwrap_or(today);
    let dated_back = requested_on < today && (!caller.is_operator() || requested_on < calendar::add_years(today, -1));
    if requested_on > today || dated_back {
        let detail = "today; the operator says an earlier day, within a year";
        return Err(Problem::field("/requested_on", "out_of_range", detail).into());
    }
    let extra = body.value.extra_reversibility && wanted;
    if wanted && let Err(why) = Contract::of(&mut write.tx, id).await?.weigh((requested_on, extra)) {
        return Err(Problem::bare(Code::RestitutionExcluded).with("why", why.name()).into());
    }
    let before = data_returns::find(&mut write.tx, id).await?.choice;
    let requested_on = wanted.then_some(requested_on);
    let new = data_returns::NewChoice { choice, by: caller.id(), requested_on, extra };
    data_returns::choose(&mut write.tx, id, &new, write.now).await?;
    let event = acting.event(&caller, "organization.data_return_chosen").about(id);
    let event = event.with("requested_on", requested_on.map(|day| day.to_string()));
    audit::record(&mut write.tx, event.changed(before.into(), choice.into()), write.now).await?;
    let shown = DataReturn::shown(&mut write.tx, id).await?;
    write.finish(Written::changed(&shown)?).await
}

/// Record what was agreed with an organization in writing about its data after the end, in the place of what was agreed before; until
/// their removal begins. For the operator.
#[utoipa::path(
    put, path = "/organizations/{organization}/data-return/agreements", tag = "orders", request_body = NewAgreements,
    params(("organization" = String, Path, description = "`org_…`")),
    responses((status = 200, description = "As it is now", body = DataReturn), Problems),
    security(("oauth2" = ["habilis.orders"]))
)]
async fn agree(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    body: Body<NewAgreements>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::WriteOrders, &organization).await?;
    let (id, new) = (acting.organization.id.as_str(), &body.value);
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    members::lock(&mut write.tx, id).await?;
    not_begun(&mut write.tx, id).await?;
    let today = calendar::date_at(write.now);
    let kept = |day: Date| day < today || day > calendar::add_years(today, MOST_YEARS);
    if new.reversibility_until.is_some_and(kept) {
        let detail = "today or later, within ten years";
        return Err(Problem::field("/reversibility_until", "out_of_range", detail).into());
    }
    let before = data_returns::find(&mut write.tx, id).await?;
    let (by, at) = (Some(caller.id().to_owned()), Some(write.now.into()));
    let mut after = Row::default();
    if new.export_after_end {
        let known = before.export_agreed_at.is_some();
        (after.export_agreed_by, after.export_agreed_at) =
            if known { (before.export_agreed_by.clone(), before.export_agreed_at) } else { (by.clone(), at) };
    }
    if let Some(day) = new.reversibility_until {
        after.reversibility_until = Some(day.to_string());
        let known = before.reversibility_until == after.reversibility_until;
        (after.reversibility_agreed_by, after.reversibility_agreed_at) =
            if known { (before.reversibility_agreed_by.clone(), before.reversibility_agreed_at) } else { (by, at) };
    }
    data_returns::agree(&mut write.tx, id, &after).await?;
    // The removal is due when the agreement says. One that begins at this moment holds what was planned: it was before, or does not happen.
    seats::refresh(&mut write.tx, (&app).into(), id, write.now).await?;
    not_begun(&mut write.tx, id).await?;
    let told = |row: &Row| json!({ "export_after_end": row.export_agreed_at.is_some(), "reversibility_until": row.reversibility_until });
    let event = acting.event(&caller, "organization.data_return_agreed").about(id);
    let event = event.with("reference", new.reference.0.clone()).changed(told(&before), told(&after));
    audit::record(&mut write.tx, event, write.now).await?;
    let shown = DataReturn::shown(&mut write.tx, id).await?;
    write.finish(Written::changed(&shown)?).await
}

/// Says no once the removal of an organization's data has begun.
async fn not_begun(tx: &mut Tx, organization: &str) -> Answer<()> {
    if purges::list(tx, organization).await?.is_empty() {
        return Ok(());
    }
    Err(Problem::new(Code::Conflict, "the removal of the data has begun").into())
}
