//! `/organizations/{organization}/orders/{order}/steps`: what happens to an order after it was recorded (R022, R023, R064, R065, R074,
//! R202), and what who pays is told before (R028). What follows for access is computed by `seats::refresh` in the transaction of the step.

use axum::extract::{Path, State};
use habilis_policies::authorization::Action;
use habilis_policies::calendar;
use habilis_policies::information::{self, Duty, Said};
use habilis_policies::orders::{Order as Rule, Orders, interruption};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::Problems;
use super::again::not_too_soon;
use super::body::{Body, fields};
use super::caller::{Acting, Caller};
use super::orders::{Order, refreshed};
use super::precondition::stale;
use super::prior_information::{keep, said, uninformed};
use super::problem::{Answer, Code, Problem};
use super::seats::seat_problem;
use super::write::{Write, Written};
use crate::app::App;
use crate::db::orders::{self, Order as Row};
use crate::db::{Tx, audit, members, notices, organizations, products};
use crate::lifecycle;
use crate::mail;
use crate::mail::information::InformationLetter;
use crate::mail::subscriptions::Notice as Told;
use crate::measures;
use crate::orders::{Administrator, Appointed, appoint};
use crate::seats;
use crate::seats::letters::{self, About};
use crate::web::routing::routes;

/// What a notice about a step is called among the notices: it is of the order, as its reminders are.
const ORDER_NOTICE: &str = "order";
/// Days that a formal notice about an invoice leaves, see [`interruption`].
const UNPAID_DAYS: u16 = 15;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(step))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum StepName {
    /// Its reception was acknowledged: the administrator it names is invited, or takes the office as the member they are (R022, R023).
    Acknowledged,
    /// It was signed.
    Signed,
    /// Who pays was told how to pay and how to start: the server writes to them, once in five minutes, unless
    /// `text_version` says that somebody else did (R028).
    Informed,
    /// It was paid: nothing is unpaid any more. Where the product has `prior_information`, who pays was told before the first payment.
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
    /// On which day (Paris); now when absent. Not in the future, except the last day of an order that is terminated. A payment said by its
    /// day counts from the beginning of it, an information from its end.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, format = Date)]
    on: Option<Date>,
    /// At which instant, RFC 3339, in the place of `on`; for `informed` and `paid`, where the order counts within a day.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, format = DateTime, max_length = 40)]
    at: Option<Timestamp>,
    /// For `informed`: the version of what they were told through another channel. The server writes no letter then.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    text_version: Option<fields::Line>,
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
    let rules: Vec<_> = all.iter().map(Row::rule).collect();
    let told = apply(&mut write.tx, &app, (&caller, &acting, asked), (&mut row, &rules), write.now).await?;
    if !orders::record(&mut write.tx, &row, write.now).await? {
        return Err(stale(row.version).into());
    }
    let (shown, version) = refreshed(&mut write, &app, (organization, &id)).await?;
    tell(&mut write.tx, &app, (asked, &row), write.now).await?;
    let mut event = acting
        .event(&caller, step_event(asked.step))
        .about(&id)
        .with("reason", asked.reason.as_ref().map(|reason| reason.0.clone()))
        .changed(before, shown.traced());
    if let Some(told) = told {
        if let Some(url) = &told.url {
            let letter = (url.as_str(), told.version.as_str());
            event = event.with("notice", inform(&mut write.tx, &app, &row, letter, write.now).await?);
        }
        event = event.with("text_version", told.version);
    }
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
        StepName::Informed => "order.informed",
        StepName::Paid => "order.paid",
        StepName::Unpaid => "order.unpaid",
        StepName::NonRenewal => "order.non_renewal",
        StepName::Terminated => "order.terminated",
    }
}

/// Whom the order form names as administrator, until they are invited.
fn administrator(row: &Row) -> Answer<Option<Administrator>> {
    Ok(row.administrator.as_deref().map(serde_json::from_str).transpose()?)
}

/// What who pays was told.
struct Information {
    version: String,
    /// Where it is, when it is the server that tells them.
    url: Option<String>,
}

/// Takes a step, or says why it cannot be taken; gives what who pays is told by it.
async fn apply(
    tx: &mut Tx,
    app: &App,
    (caller, acting, asked): (&Caller, &Acting, &OrderStep),
    (row, rules): (&mut Row, &[Rule]),
    now: Timestamp,
) -> Answer<Option<Information>> {
    let today = calendar::date_at(now);
    let on = asked.on.unwrap_or(today);
    if asked.step != StepName::Terminated && (on > today || on < calendar::add_years(today, -1)) {
        return Err(Problem::field("/on", "out_of_range", "not in the future, and within a year").into());
    }
    check_members(asked)?;
    let said = said((asked.on, asked.at), now)?;
    let again = |what: &str| Err(Problem::new(Code::Conflict, format!("the order is {what} already")).into());
    let over = row.rule().final_day().is_some_and(|day| day < today);
    if over && !matches!(asked.step, StepName::Informed | StepName::Paid) {
        return Err(Problem::new(Code::Conflict, "the order has ended").into());
    }
    // Another may stand in its place by now.
    if !over && completes(asked.step, row) && Orders(rules).is_void(&row.rule(), now) {
        return Err(Problem::new(Code::Conflict, "the order was called off: nothing opens it any more").into());
    }
    match asked.step {
        StepName::Acknowledged if row.acknowledged_at.is_some() => return again("acknowledged"),
        StepName::Acknowledged => acknowledge(tx, app, (caller, acting), (row, rules), now).await?,
        StepName::Signed if row.signed_at.is_some() => return again("signed"),
        StepName::Signed => row.signed_at = Some(said.noted().into()),
        StepName::Informed => return informed(tx, (asked, said), row).await.map(Some),
        StepName::Paid => paid(tx, row, said.earliest()).await?,
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
    Ok(None)
}

/// Whether the step is one of those that an order needs to open, and was not taken yet.
fn completes(step: StepName, row: &Row) -> bool {
    match step {
        StepName::Acknowledged => row.acknowledged_at.is_none(),
        StepName::Signed => row.signed_at.is_none(),
        StepName::Paid => row.paid_at.is_none() && row.opening == "payment",
        _ => false,
    }
}

/// Notes that the reception of an order was acknowledged: the administrator it names is invited (R022, R023).
async fn acknowledge(
    tx: &mut Tx,
    app: &App,
    (caller, acting): (&Caller, &Acting),
    (row, rules): (&mut Row, &[Rule]),
    now: Timestamp,
) -> Answer<()> {
    row.acknowledged_at = Some(now.into());
    // What the order adds: of one whose place it takes, the seats that are open now go.
    let replaced = row.supersedes.as_deref().map_or(0, |old| Orders(rules).open_seats(old, now));
    let seats = u32::try_from(row.seats).unwrap_or(0).saturating_sub(replaced);
    let named = administrator(row)?;
    row.administrator = None;
    // The pool has to be there before its first seat is taken.
    seats::refresh(tx, app.into(), &acting.organization.id, now).await?;
    let whom = (named.as_ref(), row.product_id.as_str(), seats);
    match appoint(tx, app, (&acting.organization, whom, caller.id()), now).await? {
        Appointed::Invited { mail } => {
            row.credentials_sent_at = Some(now.into());
            row.credentials_mail = mail;
        }
        Appointed::AlreadyThere | Appointed::Promoted => row.credentials_sent_at = Some(now.into()),
        Appointed::Nobody => {
            let detail = "nobody administers the organization: invite somebody, or record the order with the administrator it names";
            return Err(Problem::new(Code::Conflict, detail).into());
        }
        Appointed::Refused(detail) => return Err(Problem::new(Code::Conflict, detail).into()),
        Appointed::NoSeat(refusal) => return Err(seat_problem(&refusal).into()),
    }
    Ok(())
}

/// Refuses what does not go with the step.
fn check_members(asked: &OrderStep) -> Result<(), Problem> {
    if asked.at.is_some() && !matches!(asked.step, StepName::Informed | StepName::Paid) {
        return Err(Problem::field("/at", "contradiction", "of `informed` and `paid` alone"));
    }
    if asked.text_version.is_some() && asked.step != StepName::Informed {
        return Err(Problem::field("/text_version", "contradiction", "of `informed` alone"));
    }
    Ok(())
}

/// Notes that who pays was told how to pay and how to start: by a letter of today, or through another channel when that is said.
async fn informed(tx: &mut Tx, (asked, said): (&OrderStep, Said), row: &mut Row) -> Answer<Information> {
    let product = products::find(tx, &row.product_id).await?;
    let own = product.as_ref().and_then(products::Product::information);
    let information = match (&asked.text_version, own) {
        (Some(version), _) => Information { version: version.0.clone(), url: None },
        (None, _) if asked.on.is_some() || asked.at.is_some() => {
            let detail = "which version they were told through another channel; a letter leaves now, and says no day";
            return Err(Problem::field("/text_version", "missing", detail).into());
        }
        (None, Some((url, version))) => Information { version: version.to_owned(), url: Some(url.to_owned()) },
        (None, None) => {
            let detail =
                "the product has no `prior_information` to send: say the `text_version` of what they were told";
            return Err(Problem::new(Code::Conflict, detail).into());
        }
    };
    let told = (said.latest(), information.version.as_str());
    keep((&mut row.informed_at, &mut row.informed_version), told, row.paid_at)?;
    Ok(information)
}

/// Notes a payment. The first one opened the order, and who pays was told before (R028); one of a later invoice only ends what is unpaid.
async fn paid(tx: &mut Tx, row: &mut Row, at: Timestamp) -> Answer<()> {
    if row.paid_at.is_none() {
        let product = products::find(tx, &row.product_id).await?;
        let asks = product.is_some_and(|product| product.information().is_some());
        let duty = if asks { Duty::Owed } else { Duty::Free };
        information::payment(duty, row.informed_at.map(Timestamp::from), at).map_err(uninformed)?;
        row.paid_at = Some(at.into());
    }
    row.unpaid_since = None;
    Ok(())
}

/// Writes to whom the payment of an order concerns where the tutorial is; gives the notice that is kept of it (R028).
async fn inform(tx: &mut Tx, app: &App, row: &Row, (url, version): (&str, &str), now: Timestamp) -> Answer<String> {
    let organization = row.organization_id.as_str();
    let to = measures::of_buyer(tx, (organization, administrator(row)?.as_ref()), now).await?;
    if to.is_empty() {
        let detail = "the organization has neither administrators nor contacts to write to";
        return Err(Problem::new(Code::Conflict, detail).into());
    }
    let subject = format!("{}/informed", row.id);
    not_too_soon(notices::last_sent(tx, (ORDER_NOTICE, &subject)).await?, now)?;
    let name = organizations::find(tx, organization).await?.map(|found| found.name);
    let product = products::find(tx, &row.product_id).await?.map(|found| found.name);
    let letter = InformationLetter {
        organization: name.unwrap_or_default(),
        product: product.unwrap_or_else(|| row.product_id.clone()),
        number: row.number.clone(),
        href: url.to_owned(),
        version: version.to_owned(),
    };
    let notice = lifecycle::keep_at_once(tx, (ORDER_NOTICE, &subject, 0), (organization, now), now).await?;
    for to in to {
        mail::write_notice_to(tx, app.into(), (&to.recipient(), &letter, &notice), now).await?;
    }
    Ok(notice)
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
