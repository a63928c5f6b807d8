//! `/organizations/{organization}/orders`: what was ordered, and what happened to it (R020–R024, R060–R067, R074, R086, R202).
//!
//! The order form is recorded as it was signed and does not change; what happens afterwards is recorded step by step. What follows for
//! access is computed from all orders together (`policies::orders`) in the transaction of the step.

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use habilis_keys::random;
use habilis_policies::authorization::Action;
use habilis_policies::calendar;
use habilis_policies::contact::{Email, Name};
use habilis_policies::orders::{
    Closing, Kind, Missing, Moment, Notice, Opening, Order as Rule, Orders, Renewal, Standing, interruption, notice,
};
use habilis_policies::seats::{Mode, limit};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::body::{Body, fields};
use super::caller::{Acting, Caller};
use super::invitations::LocaleName;
use super::page::Page;
use super::problem::{Answer, Code, Problem};
use super::products::ProductId;
use super::write::{Write, Written, found};
use super::{Problems, instant};
use crate::app::App;
use crate::db::orders::{self, NewOrder, Order as Row};
use crate::db::{audit, is_unique_violation, members, products, purges, seats as seat_rows, trials};
use crate::orders::Administrator;
use crate::seats;
use crate::web::routing::routes;

/// Seats of one order at the most.
const MOST_SEATS: u32 = 1_000_000;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(read)).routes(routes!(removals))
}

/// An order.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Order {
    /// `ord_…`.
    id: String,
    /// Of the order form.
    number: String,
    /// The product.
    product: String,
    /// How many seats.
    seats: i64,
    /// `named` or `concurrent`.
    mode: String,
    /// Options ordered with it, in words of the operator's.
    options: Vec<String>,
    /// The subscription that it is an option on, `ord_…`.
    option_of: Option<String>,
    /// The order that it takes the place of, `ord_…`.
    supersedes: Option<String>,
    /// `signature`, or `payment` after a trial (R073).
    opening: String,
    /// `tacit` or `none`.
    renewal: String,
    /// First day of the first term.
    effect_on: String,
    /// First and last day of the term that runs, or of the first one.
    term: OrderTerm,
    /// The last day of all; absent while it renews itself.
    final_day: Option<String>,
    /// `awaiting`, `scheduled`, `open` or `closed`.
    standing: String,
    /// What is missing, when something is: `acknowledgement`, `signature`, `payment`, `credentials` or `subscription`.
    missing: Option<String>,
    /// Why it is closed: `ended`, `unpaid`, `superseded` or `suspended`.
    closed: Option<String>,
    /// When it opens, or since when it is closed, RFC 3339.
    at: Option<String>,
    /// When the data are removed, once it has ended and was the last to go on (R156); later where `data-return` has a later `reversibility_until`.
    purge_on: Option<String>,
    /// RFC 3339.
    acknowledged_at: Option<String>,
    /// RFC 3339.
    signed_at: Option<String>,
    /// When who pays was first told what comes before the payment (R028), RFC 3339.
    informed_at: Option<String>,
    /// The version of what they were told then.
    informed_version: Option<String>,
    /// When it was first paid, RFC 3339.
    paid_at: Option<String>,
    /// When the administrator's access codes were sent (R024), RFC 3339.
    credentials_sent_at: Option<String>,
    /// The mail that carried them, `mail_…`.
    credentials_mail: Option<String>,
    /// Access codes came after the effect date, which costs the client days of the term (Q08).
    credentials_late: bool,
    /// When a notice of non-renewal was first presented.
    notice_presented_on: Option<String>,
    /// What that notice is worth for the renewal it is closest to: `in_time`, `only_by_the_month`, `only_by_thirty_days`, `too_late`.
    notice: Option<String>,
    /// When the reminder of an unpaid invoice was first presented.
    unpaid_since: Option<String>,
    /// When access is interrupted for it, RFC 3339.
    interrupted_at: Option<String>,
    /// The part of its term that a larger order or a termination leaves unused, to be credited (R066).
    unused: Option<UnusedTerm>,
    /// Its last day, when it was terminated.
    terminated_on: Option<String>,
    /// RFC 3339.
    suspended_at: Option<String>,
    /// RFC 3339.
    recorded_at: String,
}

/// A term, both days inclusive.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OrderTerm {
    /// First day.
    first_day: String,
    /// Last day.
    last_day: String,
}

/// Days to be credited.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UnusedTerm {
    /// Days that the client does not get.
    days: i32,
    /// Days of the whole term.
    of_days: i32,
}

impl Order {
    pub(super) fn of(row: &Row, all: &[Row], now: Timestamp) -> Self {
        let rules: Vec<_> = all.iter().map(Row::rule).collect();
        let rule = row.rule();
        let (mut missing, mut closed, mut at) = (None, None, None);
        let standing = match Orders(&rules).standing(&rule, now) {
            Standing::Awaiting(what) => {
                missing = Some(match what {
                    Missing::Acknowledgement => "acknowledgement",
                    Missing::Signature => "signature",
                    Missing::Payment => "payment",
                    Missing::Credentials => "credentials",
                    Missing::Subscription => "subscription",
                });
                "awaiting"
            }
            Standing::Scheduled { opens_at } => {
                at = Some(opens_at);
                "scheduled"
            }
            Standing::Open => "open",
            Standing::Closed { since, why } => {
                at = Some(since);
                closed = Some(match why {
                    Closing::Ended => "ended",
                    Closing::Unpaid => "unpaid",
                    Closing::Superseded => "superseded",
                    Closing::Suspended => "suspended",
                });
                "closed"
            }
        };
        let today = calendar::date_at(now);
        let term = rule.term_on(today);
        let final_day = rule.final_day();
        let weighed = rule.notice_presented_on.map(|presented| {
            let renews = calendar::add_days(rule.term_on(presented).last_day, 1);
            match notice(presented, renews) {
                Notice::InTime => "in_time",
                Notice::OnlyByTheMonth => "only_by_the_month",
                Notice::OnlyByThirtyDays => "only_by_thirty_days",
                Notice::TooLate => "too_late",
            }
        });
        Self {
            id: row.id.clone(),
            number: row.number.clone(),
            product: row.product_id.clone(),
            seats: row.seats,
            mode: row.mode.clone(),
            options: serde_json::from_str(&row.options).unwrap_or_default(),
            option_of: row.option_of.clone(),
            supersedes: row.supersedes.clone(),
            opening: row.opening.clone(),
            renewal: row.renewal.clone(),
            effect_on: row.effect_on.clone(),
            term: OrderTerm { first_day: term.first_day.to_string(), last_day: term.last_day.to_string() },
            final_day: final_day.map(|day| day.to_string()),
            standing: standing.to_owned(),
            missing: missing.map(str::to_owned),
            closed: closed.map(str::to_owned),
            at: at.map(|at| at.to_string()),
            purge_on: purge_on(Orders(&rules), &rule, now).map(|day| day.to_string()),
            acknowledged_at: row.acknowledged_at.map(instant),
            signed_at: row.signed_at.map(instant),
            informed_at: row.informed_at.map(instant),
            informed_version: row.informed_version.clone(),
            paid_at: row.paid_at.map(instant),
            credentials_sent_at: row.credentials_sent_at.map(instant),
            credentials_mail: row.credentials_mail.clone(),
            credentials_late: rule.credentials_are_late(now),
            notice_presented_on: row.notice_presented_on.clone(),
            notice: weighed.map(str::to_owned),
            unpaid_since: row.unpaid_since.clone(),
            interrupted_at: rule.unpaid_since.map(|day| interruption(day).to_string()),
            unused: Orders(&rules).unused(&rule).map(|(days, of_days)| UnusedTerm { days, of_days }),
            terminated_on: row.terminated_on.clone(),
            suspended_at: row.suspended_at.map(instant),
            recorded_at: instant(row.created_at),
        }
    }

    /// What of it the trail keeps.
    pub(super) fn traced(&self) -> Value {
        json!({
            "number": self.number, "product": self.product, "seats": self.seats, "standing": self.standing, "closed": self.closed,
            "final_day": self.final_day, "acknowledged_at": self.acknowledged_at, "signed_at": self.signed_at,
            "informed_at": self.informed_at, "informed_version": self.informed_version, "paid_at": self.paid_at, "credentials_sent_at": self.credentials_sent_at, "notice_presented_on": self.notice_presented_on,
            "unpaid_since": self.unpaid_since, "terminated_on": self.terminated_on, "suspended_at": self.suspended_at,
        })
    }
}

/// When the data are removed: said of the order that was the last to end.
fn purge_on(all: Orders<'_>, order: &Rule, now: Timestamp) -> Option<Date> {
    let ended = all.has_ended(order, now);
    let due = all.moments(order, now).into_iter().find(|(moment, _)| ended && *moment == Moment::Purges);
    due.map(|(_, at)| calendar::date_at(at))
}

/// List the orders of an organization, the oldest first.
#[utoipa::path(
    get, path = "/organizations/{organization}/orders", tag = "orders",
    params(("organization" = String, Path, description = "`org_…`")),
    responses((status = 200, description = "All of them", body = Page<Order>), Problems),
    security(("oauth2" = ["habilis.orders"]))
)]
async fn list(State(app): State<App>, caller: Caller, Path(organization): Path<String>) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadOrders, &organization).await?;
    let now = app.clock.now();
    let rows = orders::all(&mut app.db.reader().await?, &acting.organization.id).await?;
    Ok(Page { items: rows.iter().map(|row| Order::of(row, &rows, now)).collect(), next: None }.into_response())
}

/// Read an order.
#[utoipa::path(
    get, path = "/organizations/{organization}/orders/{order}", tag = "orders",
    params(("organization" = String, Path, description = "`org_…`"), ("order" = String, Path, description = "`ord_…`")),
    responses((status = 200, description = "Found", body = Order), Problems),
    security(("oauth2" = ["habilis.orders"]))
)]
async fn read(State(app): State<App>, caller: Caller, Path((organization, id)): Path<(String, String)>) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadOrders, &organization).await?;
    let rows = orders::all(&mut app.db.reader().await?, &acting.organization.id).await?;
    let Some(row) = rows.iter().find(|row| row.id == id) else { return Err(Problem::not_found().into()) };
    found(&Order::of(row, &rows, app.clock.now()), row.version)
}

/// The removal of an organization's data after its last order.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Removal {
    /// `pur_…`.
    id: String,
    /// The last day of the last order.
    last_day: String,
    /// RFC 3339.
    started_at: String,
    /// RFC 3339; absent while it is under way.
    finished_at: Option<String>,
    /// Memberships that ended.
    memberships: i64,
    /// Accounts that were erased, of people who belonged nowhere else.
    accounts: i64,
    /// The certificate, JSON as a text, byte for byte what `sha256` is the digest of.
    certificate: Option<String>,
    /// SHA-256 of the certificate, in hexadecimal.
    sha256: Option<String>,
}

impl From<purges::Purge> for Removal {
    fn from(row: purges::Purge) -> Self {
        Self {
            id: row.id,
            last_day: row.last_day,
            started_at: instant(row.started_at),
            finished_at: row.finished_at.map(instant),
            memberships: row.memberships,
            accounts: row.accounts,
            certificate: row.certificate,
            sha256: row.sha256,
        }
    }
}

/// List the removals of an organization's data with their certificates, the latest first (R156).
#[utoipa::path(
    get, path = "/organizations/{organization}/data-removals", tag = "orders",
    params(("organization" = String, Path, description = "`org_…`")),
    responses((status = 200, description = "All of them", body = Page<Removal>), Problems),
    security(("oauth2" = ["habilis.orders"]))
)]
async fn removals(State(app): State<App>, caller: Caller, Path(organization): Path<String>) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadOrders, &organization).await?;
    let rows = purges::list(&mut app.db.reader().await?, &acting.organization.id).await?;
    Ok(Page { items: rows.into_iter().map(Removal::from).collect(), next: None }.into_response())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SeatModeName {
    Named,
    Concurrent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum RenewalName {
    Tacit,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum OpeningName {
    Signature,
    Payment,
}

/// Whom an order form names as administrator (R014).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NamedAdministrator {
    /// Where the link goes.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, max_length = 254)]
    email: Email,
    /// Given name.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    given_name: Name,
    /// Family name.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    family_name: Name,
    /// The language of the mail; `fr` when absent.
    locale: Option<LocaleName>,
}

/// An order form.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewOrderBody {
    /// Its number, as on the form: no other order has it.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    number: fields::Line,
    /// The product.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 64)]
    product: ProductId,
    /// How many seats.
    #[schema(minimum = 1, maximum = 1_000_000)]
    seats: u32,
    /// `named` when absent.
    mode: Option<SeatModeName>,
    /// Options ordered with it, at most twenty words of the operator's.
    #[serde(default, deserialize_with = "fields::optional_list")]
    #[schema(value_type = Option<Vec<String>>, max_items = 20)]
    options: Option<Vec<fields::Line>>,
    /// The subscription that it is an option on, `ord_…`: it follows its term unless it states a last day (R067).
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    option_of: Option<fields::Line>,
    /// The order that it takes the place of, `ord_…`, without a gap (R066).
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    supersedes: Option<fields::Line>,
    /// `signature` when absent; `payment` always after a trial, until an order of the product was signed and paid (R073).
    opening: Option<OpeningName>,
    /// `tacit` when absent (R064), but `none` for an option that states its last day (R067).
    renewal: Option<RenewalName>,
    /// First day of the first term, from a month back to two years ahead.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, format = Date)]
    effect_on: Date,
    /// Last day of the first term; a year when absent (R063).
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, format = Date)]
    last_day: Option<Date>,
    /// Who is invited as administrator when the order is acknowledged (R022); needed when nobody administers the organization yet.
    administrator: Option<NamedAdministrator>,
}

/// Record an order form. It opens nothing until it is acknowledged, signed, and its access codes sent.
#[utoipa::path(
    post, path = "/organizations/{organization}/orders", tag = "orders", request_body = NewOrderBody,
    params(("organization" = String, Path, description = "`org_…`")),
    responses((status = 201, description = "Recorded", body = Order), Problems),
    security(("oauth2" = ["habilis.orders"]))
)]
async fn create(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    body: Body<NewOrderBody>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::WriteOrders, &organization).await?;
    let (organization, new) = (acting.organization.id.as_str(), &body.value);
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    members::lock(&mut write.tx, organization).await?;
    let all = orders::all(&mut write.tx, organization).await?;
    check(&mut write, (&acting, new, &all)).await?;
    let tried = trials::of_organization(&mut write.tx, organization).await?;
    let bought =
        all.iter().any(|row| row.product_id == new.product.0 && row.signed_at.is_some() && row.paid_at.is_some());
    let after_trial = !bought && tried.iter().any(|trial| trial.product_id == new.product.0);
    let id = random::id("ord", write.now);
    let options: Vec<&str> = new.options.iter().flatten().map(|option| option.0.as_str()).collect();
    let administrator = new.administrator.as_ref().map(|named| Administrator {
        email: named.email.as_str().to_owned(),
        given_name: named.given_name.as_str().to_owned(),
        family_name: named.family_name.as_str().to_owned(),
        locale: named.locale.map_or("fr", |locale| locale.locale().tag()).to_owned(),
    });
    let administrator = administrator.map(|named| serde_json::to_string(&named)).transpose()?;
    let row = NewOrder {
        id: &id,
        organization,
        number: &new.number.0,
        product: &new.product.0,
        seats: new.seats,
        mode: mode(new),
        options: &serde_json::to_string(&options)?,
        option_of: new.option_of.as_ref().map(|line| line.0.as_str()),
        supersedes: new.supersedes.as_ref().map(|line| line.0.as_str()),
        opening: if after_trial || new.opening == Some(OpeningName::Payment) { "payment" } else { "signature" },
        renewal: renewal(new),
        effect_on: new.effect_on,
        last_day: new.last_day,
        administrator: administrator.as_deref(),
        by: caller.id(),
    };
    match orders::insert(&mut write.tx, &row, write.now).await {
        Err(error) if is_unique_violation(&error) => {
            let detail = "another order has this number";
            return Err(Problem::field("/number", "taken", detail).into());
        }
        inserted => inserted?,
    }
    let (shown, version) = refreshed(&mut write, &app, (organization, &id)).await?;
    let event = acting.event(&caller, "order.recorded").about(&id).changed(Value::Null, shown.traced());
    audit::record(&mut write.tx, event, write.now).await?;
    let location = format!("/api/v1/organizations/{organization}/orders/{id}");
    let answer = write.finish(Written::created(location, &shown)?.with_version(version)).await;
    app.mail_waiting.notify_one();
    answer
}

fn renewal(new: &NewOrderBody) -> &'static str {
    let ends = new.option_of.is_some() && new.last_day.is_some();
    match new.renewal.as_ref().unwrap_or(if ends { &RenewalName::None } else { &RenewalName::Tacit }) {
        RenewalName::Tacit => "tacit",
        RenewalName::None => "none",
    }
}

fn mode(new: &NewOrderBody) -> Mode {
    if new.mode == Some(SeatModeName::Concurrent) { Mode::Concurrent } else { Mode::Named }
}

/// What contradicts the other orders, the calendar or those who sit.
async fn check(write: &mut Write, (acting, new, all): (&Acting, &NewOrderBody, &[Row])) -> Answer<()> {
    let today = calendar::date_at(write.now);
    if !(1..=MOST_SEATS).contains(&new.seats) {
        return Err(Problem::field("/seats", "out_of_range", "between 1 and 1,000,000").into());
    }
    if new.options.as_ref().is_some_and(|options| options.len() > 20) {
        return Err(Problem::field("/options", "too_many", "at most 20 options").into());
    }
    if new.effect_on < calendar::add_months(today, -1) || new.effect_on > calendar::add_years(today, 2) {
        return Err(Problem::field("/effect_on", "out_of_range", "from a month back to two years ahead").into());
    }
    if new.last_day.is_some_and(|day| day < new.effect_on.max(today) || day > calendar::add_years(new.effect_on, 10)) {
        let detail = "not past, not before the first day, within ten years of it";
        return Err(Problem::field("/last_day", "out_of_range", detail).into());
    }
    if all.len() >= orders::MOST {
        return Err(Problem::new(Code::Conflict, "the organization has 500 orders").into());
    }
    let rules: Vec<_> = all.iter().map(Row::rule).collect();
    let is_void = |row: &Row| Orders(&rules).is_void(&row.rule(), write.now);
    let is_closed = |row: &Row| matches!(Orders(&rules).standing(&row.rule(), write.now), Standing::Closed { .. });
    let runs = |row: &Row| !is_closed(row) && !is_void(row);
    let find = |line: &Option<fields::Line>, pointer: &str| match line {
        None => Ok(None),
        Some(line) => match all.iter().find(|row| row.id == line.0) {
            Some(row) => Ok(Some(row)),
            None => Err(Problem::field(pointer, "unknown", "the organization has no such order")),
        },
    };
    let (superseded, of) = (find(&new.supersedes, "/supersedes")?, find(&new.option_of, "/option_of")?);
    let product = products::find(&mut write.tx, &new.product.0).await?;
    let Some(product) = product else {
        return Err(Problem::field("/product", "unknown", "there is no such product").into());
    };
    if !product.sold && superseded.is_none() {
        return Err(Problem::field("/product", "not_sold", "it is renewed or replaced, not ordered anew (R078)").into());
    }
    if let Some(old) = superseded {
        let wrong = if old.product_id != new.product.0 {
            Some("it is of another product")
        } else if old.option_of.is_some() {
            Some("it is an option: options follow their subscription")
        } else if is_void(old) {
            Some("it came to nothing: name the order whose place it was to take")
        } else if Orders(&rules).is_replaced(&old.rule(), write.now) {
            Some("another order takes its place already")
        } else if old.rule().final_day().is_some_and(|day| day < calendar::add_days(new.effect_on, -1)) {
            Some("it ends before this one begins: nothing is left to take the place of")
        } else {
            None
        };
        if let Some(wrong) = wrong {
            return Err(Problem::field("/supersedes", "contradiction", wrong).into());
        }
    }
    if of.is_some_and(|of| of.option_of.is_some() || !runs(of)) {
        return Err(Problem::field("/option_of", "contradiction", "it is an option itself, or closed").into());
    }
    if of.is_some() && superseded.is_some() {
        return Err(Problem::field("/option_of", "contradiction", "an option takes no order's place").into());
    }
    let beside =
        all.iter().filter(|row| row.product_id == new.product.0 && superseded.is_none_or(|old| old.id != row.id));
    if beside.filter(|row| runs(row)).any(|row| row.mode() != mode(new)) {
        let detail = "the other orders of this product count their seats otherwise";
        return Err(Problem::field("/mode", "contradiction", detail).into());
    }
    if let Some(old) = superseded.filter(|_| mode(new) == Mode::Named)
        && let Some(pool) = seat_rows::pool(&mut write.tx, &acting.organization.id, &new.product.0).await?
    {
        // R061: a larger order raises the limit; a smaller one has to leave room for who sits.
        if limit_after(new, (&old.id, &rules), write.now) < u64::try_from(pool.taken).unwrap_or(0) {
            return Err(Problem::bare(Code::SeatsBelowUse).with("taken", pool.taken).into());
        }
    }
    Ok(())
}

/// The seats of a product once a new order took the place of another, what follows it and what is beside it included.
fn limit_after(new: &NewOrderBody, (old, rules): (&str, &[Rule]), now: Timestamp) -> u64 {
    let complete = Some(now);
    let mut rules = rules.to_vec();
    rules.push(Rule {
        id: String::new(),
        product: new.product.0.clone(),
        seats: new.seats,
        mode: mode(new),
        kind: Kind::Subscription,
        acknowledged_at: complete,
        signed_at: complete,
        paid_at: complete,
        opening: Opening::OnSignature,
        credentials_sent_at: complete,
        effect_on: new.effect_on,
        last_day: new.last_day,
        renewal: if renewal(new) == "tacit" { Renewal::Tacit } else { Renewal::None },
        notice_presented_on: None,
        terminated_on: None,
        unpaid_since: None,
        supersedes: Some(old.to_owned()),
        suspended_at: None,
    });
    limit(&Orders(&rules).grants(&new.product.0), calendar::midnight(new.effect_on).max(now))
}

/// The order as it is once its pools were computed again.
pub(super) async fn refreshed(write: &mut Write, app: &App, (organization, id): (&str, &str)) -> Answer<(Order, i64)> {
    seats::refresh(&mut write.tx, app.into(), organization, write.now).await?;
    let all = orders::all(&mut write.tx, organization).await?;
    let Some(row) = all.iter().find(|row| row.id == id) else { return Err(Problem::not_found().into()) };
    Ok((Order::of(row, &all, write.now), row.version))
}
