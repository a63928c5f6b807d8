//! `/organizations/{organization}/orders/{order}/steps`: what happens to an order after it was recorded (R022, R023, R064, R065, R074,
//! R202). What follows for access is computed by `seats::refresh` in the transaction of the step.

use axum::extract::{Path, State};
use habilis_policies::authorization::Action;
use habilis_policies::calendar;
use habilis_policies::orders::interruption;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Problems;
use super::body::{Body, fields};
use super::caller::{Acting, Caller};
use super::orders::{Order, refreshed};
use super::precondition::stale;
use super::problem::{Answer, Code, Problem};
use super::seats::seat_problem;
use super::write::{Write, Written};
use crate::app::App;
use crate::db::orders::{self, Order as Row};
use crate::db::{Tx, audit, members};
use crate::lifecycle;
use crate::mail;
use crate::mail::subscriptions::Notice as Told;
use crate::measures;
use crate::orders::{Administrator, Appointed, appoint};
use crate::seats;
use crate::seats::letters::{self, About};

/// What a formal notice about an invoice is called among the notices: it is of the order, as its reminders are.
const ORDER_NOTICE: &str = "order";
/// Days that it leaves, see [`interruption`].
const UNPAID_DAYS: u16 = 15;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(step))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum StepName {
    /// Its reception was acknowledged: the administrator it names is invited (R022, R023).
    Acknowledged,
    /// It was signed.
    Signed,
    /// It was paid: nothing is unpaid any more.
    Paid,
    /// A reminder of an unpaid invoice was first presented: fifteen days are left (R074, R202).
    Unpaid,
    /// A notice of non-renewal was first presented (R064, R065, R202).
    NonRenewal,
    /// It ends on a day before its term, as agreed; for a breach see `PUT …/orders/{order}/status`.
    Terminated,
}

/// Something that happened to an order.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OrderStep {
    /// What happened.
    step: StepName,
    /// On which day (Paris); today when absent. Not in the future, except the last day of an order that is terminated.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, format = Date)]
    on: Option<Date>,
    /// Why; needed to terminate.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 2000)]
    reason: Option<fields::Paragraph>,
}

/// Record what happened to an order.
#[utoipa::path(
    post, path = "/organizations/{organization}/orders/{order}/steps", tag = "orders", request_body = OrderStep,
    params(("organization" = String, Path, description = "`org_…`"), ("order" = String, Path, description = "`ord_…`")),
    responses((status = 200, description = "As it is now", body = Order), Problems),
    security(("oauth2" = ["habilis.orders"]))
)]
async fn step(
    State(app): State<App>,
    caller: Caller,
    Path((organization, id)): Path<(String, String)>,
    body: Body<OrderStep>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::WriteOrders, &organization).await?;
    let (organization, asked) = (acting.organization.id.as_str(), &body.value);
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    members::lock(&mut write.tx, organization).await?;
    let all = orders::all(&mut write.tx, organization).await?;
    let Some(row) = all.iter().find(|row| row.id == id) else { return Err(Problem::not_found().into()) };
    let before = Order::of(row, &all, write.now).traced();
    let mut row = row.clone();
    apply(&mut write.tx, &app, (&caller, &acting, asked), &mut row, write.now).await?;
    if !orders::record(&mut write.tx, &row, write.now).await? {
        return Err(stale(row.version).into());
    }
    let (shown, version) = refreshed(&mut write, &app, (organization, &id)).await?;
    tell(&mut write.tx, &app, (asked, &row), write.now).await?;
    let event = acting
        .event(&caller, step_event(asked.step))
        .about(&id)
        .with("reason", asked.reason.as_ref().map(|reason| reason.0.clone()))
        .changed(before, shown.traced());
    audit::record(&mut write.tx, event, write.now).await?;
    let answer = write.finish(Written::changed(&shown)?.with_version(version)).await;
    app.api_keys.forget();
    app.mail_waiting.notify_one();
    answer
}

fn step_event(step: StepName) -> &'static str {
    match step {
        StepName::Acknowledged => "order.acknowledged",
        StepName::Signed => "order.signed",
        StepName::Paid => "order.paid",
        StepName::Unpaid => "order.unpaid",
        StepName::NonRenewal => "order.non_renewal",
        StepName::Terminated => "order.terminated",
    }
}

/// Takes a step, or says why it cannot be taken.
async fn apply(
    tx: &mut Tx,
    app: &App,
    (caller, acting, asked): (&Caller, &Acting, &OrderStep),
    row: &mut Row,
    now: Timestamp,
) -> Answer<()> {
    let today = calendar::date_at(now);
    let on = asked.on.unwrap_or(today);
    if asked.step != StepName::Terminated && (on > today || on < calendar::add_years(today, -1)) {
        return Err(Problem::field("/on", "out_of_range", "not in the future, and within a year").into());
    }
    let at = if on == today { now } else { calendar::midnight(on) };
    let again = |what: &str| Err(Problem::new(Code::Conflict, format!("the order is {what} already")).into());
    let over = row.rule().final_day().is_some_and(|day| day < today);
    if over && asked.step != StepName::Paid {
        return Err(Problem::new(Code::Conflict, "the order has ended").into());
    }
    match asked.step {
        StepName::Acknowledged if row.acknowledged_at.is_some() => return again("acknowledged"),
        StepName::Acknowledged => {
            row.acknowledged_at = Some(now.into());
            let replaced = match &row.supersedes {
                Some(old) => orders::find(tx, &row.organization_id, old).await?.map_or(0, |old| old.seats),
                None => 0,
            };
            let seats = u32::try_from(row.seats - replaced).unwrap_or(0);
            let named = row.administrator.take();
            let named: Option<Administrator> = named.as_deref().map(serde_json::from_str).transpose()?;
            // The pool has to be there before its first seat is taken.
            seats::refresh(tx, app.into(), &acting.organization.id, now).await?;
            let whom = (named.as_ref(), row.product_id.as_str(), seats);
            match appoint(tx, app, (&acting.organization, whom, caller.id()), now).await? {
                Appointed::Invited { mail } => {
                    row.credentials_sent_at = Some(now.into());
                    row.credentials_mail = mail;
                }
                Appointed::AlreadyThere => row.credentials_sent_at = Some(now.into()),
                Appointed::Nobody => {
                    let detail =
                        "nobody administers the organization: record the order with the administrator it names";
                    return Err(Problem::new(Code::Conflict, detail).into());
                }
                Appointed::Refused(detail) => return Err(Problem::new(Code::Conflict, detail).into()),
                Appointed::NoSeat(refusal) => return Err(seat_problem(&refusal).into()),
            }
        }
        StepName::Signed if row.signed_at.is_some() => return again("signed"),
        StepName::Signed => row.signed_at = Some(at.into()),
        StepName::Paid => {
            // The first payment opened it; one of a later invoice only ends what is unpaid.
            row.paid_at = row.paid_at.or(Some(at.into()));
            row.unpaid_since = None;
        }
        StepName::Unpaid if row.unpaid_since.is_some() => return again("unpaid"),
        StepName::Unpaid => row.unpaid_since = Some(on.to_string()),
        StepName::NonRenewal if row.renewal != "tacit" => {
            return Err(Problem::new(Code::Conflict, "the order does not renew itself").into());
        }
        StepName::NonRenewal if row.notice_presented_on.is_some() => return again("under notice"),
        StepName::NonRenewal => row.notice_presented_on = Some(on.to_string()),
        StepName::Terminated if row.terminated_on.is_some() => return again("terminated"),
        StepName::Terminated => {
            let last = row.rule().final_day();
            if on < today || last.is_some_and(|last| on > last) || on > calendar::add_years(today, 10) {
                return Err(Problem::field("/on", "out_of_range", "from today to the end of the order").into());
            }
            let Some(reason) = &asked.reason else {
                return Err(Problem::field("/reason", "missing", "say why the order ends").into());
            };
            row.terminated_on = Some(on.to_string());
            row.termination_reason = Some(reason.0.clone());
        }
    }
    Ok(())
}

/// Writes to the administrators and signatories about a step that concerns them at once. It is a formal notice: kept as one, with every
/// letter of it (R074).
async fn tell(tx: &mut Tx, app: &App, (asked, row): (&OrderStep, &Row), now: Timestamp) -> Answer<()> {
    if asked.step != StepName::Unpaid {
        return Ok(());
    }
    let about = About { organization: &row.organization_id, product: &row.product_id, number: &row.number };
    let Some(mut letter) = letters::letter(tx, about, Told::Unpaid, (0, 0)).await? else { return Ok(()) };
    let cut = row.rule().unpaid_since.map(interruption);
    letter.date = cut.map(|cut| calendar::add_days(calendar::date_at(cut), -1));
    let (organization, subject) = (row.organization_id.as_str(), format!("{}/unpaid", row.id));
    let notice = (ORDER_NOTICE, subject.as_str(), UNPAID_DAYS);
    let notice = lifecycle::keep_at_once(tx, notice, (organization, cut.unwrap_or(now)), now).await?;
    for to in measures::of_organization(tx, organization, now).await? {
        mail::write_notice_to(tx, app.into(), (&to.recipient(), &letter, &notice), now).await?;
    }
    Ok(())
}
