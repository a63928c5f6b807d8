//! How long each seat was whose, as a spreadsheet that a bill is made from: `/organizations/{organization}/usage.csv` for the
//! organization, `/usage.csv` for the operator (R059, R068). One line for each time in which somebody had a seat, with the orders that
//! opened it, and, where a member asked for it, the request and who agreed.

use axum::extract::{Path, State};
use habilis_policies::authorization::Action;
use habilis_policies::calendar;
use habilis_policies::csv_out::Sheet;
use habilis_policies::orders::Orders;
use habilis_policies::usage::{Event, Following, Held, Window};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Problems;
use super::caller::Caller;
use super::csv::{Pieces, table};
use super::export::french_date;
use super::page::Asked;
use super::problem::{Answer, Problem};
use crate::account::signatories;
use crate::app::App;
use crate::db::seat_usage::{self, Place, UsageLine};
use crate::db::{Conn, audit, orders, organizations, trials};
use crate::mail::organizations::SensitiveAct;

/// Lines of the history that are read in one go: memory stays the same however many there are.
const BATCH: u32 = 2_000;

const HEADERS: [&str; 18] = [
    "Organisation",
    "Raison sociale",
    "SIRET",
    "Produit",
    "Commandes",
    "Personne",
    "Identifiant",
    "Nom",
    "Prénom",
    "Attribuée le",
    "Origine",
    "Demande",
    "Demandée le",
    "Approuvée par",
    "Libérée le",
    "Premier jour compté",
    "Dernier jour compté",
    "Jours comptés",
];

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(of_organization)).routes(routes!(everywhere))
}

/// Which days.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct UsageQuery {
    /// The first day (Paris), included; when absent the first of the month of the last.
    #[param(value_type = Option<String>, format = Date)]
    from: Option<Date>,
    /// The last day, included; at most 366 days in all. Nothing is counted beyond today, which it is when absent.
    #[param(value_type = Option<String>, format = Date)]
    to: Option<Date>,
}

impl UsageQuery {
    fn window(&self, now: Timestamp) -> Result<Window, Problem> {
        let today = calendar::date_at(now);
        let to = self.to.unwrap_or(today);
        let from = self.from.unwrap_or_else(|| to.first_of_month());
        if !(Window { from, to }).is_good() {
            return Err(Problem::parameter("to", "a day from the first one on, at most 366 days in all"));
        }
        if from > today {
            return Err(Problem::parameter("from", "a day that has come"));
        }
        Ok(Window { from, to: to.min(today) })
    }
}

/// Export how long each seat of an organization was whose. The signatories are told.
#[utoipa::path(
    get, path = "/organizations/{organization}/usage.csv", tag = "seats",
    params(("organization" = String, Path, description = "`org_…`"), UsageQuery),
    responses(
        (status = 200, description = "Semicolons, UTF-8 with a byte order mark, no cell that is calculated", content_type = "text/csv", body = String),
        Problems
    ),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn of_organization(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    Asked(query): Asked<UsageQuery>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ExportUsage, &organization).await?;
    let now = app.clock.now();
    let window = query.window(now)?;
    let mut tx = app.db.begin().await?;
    let event = acting.event(&caller, "usage.exported");
    audit::record(&mut tx, event.with("from", window.from.to_string()).with("to", window.to.to_string()), now).await?;
    let person = signatories::actor(&mut tx, caller.id()).await?;
    let act = SensitiveAct::MembersExported { person };
    signatories::tell(&mut tx, &app, (&acting.organization, act), now).await?;
    tx.commit().await?;
    app.mail_waiting.notify_one();
    let usage = Usage::new((app, caller), Some(acting.organization.id), window);
    Ok(table("places.csv", HEADERS, usage))
}

/// Export how long each seat of every organization was whose.
#[utoipa::path(
    get, path = "/usage.csv", tag = "seats", params(UsageQuery),
    responses(
        (status = 200, description = "Semicolons, UTF-8 with a byte order mark, no cell that is calculated", content_type = "text/csv", body = String),
        Problems
    ),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn everywhere(State(app): State<App>, caller: Caller, Asked(query): Asked<UsageQuery>) -> Answer {
    let policy = caller.may(&app, Action::ExportUsage).await?;
    let now = app.clock.now();
    let window = query.window(now)?;
    let mut tx = app.db.begin().await?;
    let event = caller.event("usage.exported").with("policy", policy);
    let event = event.with("from", window.from.to_string()).with("to", window.to.to_string());
    audit::record(&mut tx, event, now).await?;
    tx.commit().await?;
    Ok(table("places.csv", HEADERS, Usage::new((app, caller), None, window)))
}

/// An export on its way.
struct Usage {
    app: App,
    caller: Caller,
    organization: Option<String>,
    window: Window,
    after: Place,
    /// What was read of the holder whose lines may go on.
    holder: Vec<UsageLine>,
    of: Option<Of>,
}

/// The organization and product whose lines are written.
struct Of {
    organization: String,
    product: String,
    name: String,
    siret: String,
    /// The numbers of the orders that opened seats in the window, and a word for a trial.
    orders: String,
}

impl Usage {
    fn new((app, caller): (App, Caller), organization: Option<String>, window: Window) -> Self {
        Self { app, caller, organization, window, after: Place::default(), holder: Vec::new(), of: None }
    }

    /// Writes the times of a holder that meet the window.
    async fn write(&mut self, c: &mut impl Conn, sheet: &mut Sheet) -> Answer<()> {
        let mut lines = std::mem::take(&mut self.holder);
        // In one instant a seat is given back before it is given.
        lines.sort_by_key(|line| (line.at, Event::parse(&line.event) == Some(Event::Begins)));
        let mut following = Following::default();
        let mut times = Vec::new();
        for line in lines {
            let Some(event) = Event::parse(&line.event) else { continue };
            let at = Timestamp::from(line.at);
            times.extend(following.next((event, at), line));
        }
        times.extend(following.finish());
        for held in times {
            let Some((first, last, days)) = held.days_in(self.window) else { continue };
            self.find(c, &held.begin).await?;
            let Some(of) = &self.of else { continue };
            row(sheet, &self.caller, (of, &held), (first, last, days));
        }
        Ok(())
    }

    /// Finds what is known of the organization and product of a line, once for all of theirs.
    async fn find(&mut self, c: &mut impl Conn, line: &UsageLine) -> Answer<()> {
        let same = |of: &Of| of.organization == line.organization_id && of.product == line.product_id;
        if !self.of.as_ref().is_some_and(same) {
            self.of = Some(Of::find(c, (&line.organization_id, &line.product_id), self.window).await?);
        }
        Ok(())
    }
}

impl Of {
    async fn find(c: &mut impl Conn, (organization, product): (&str, &str), window: Window) -> Answer<Self> {
        let found = organizations::find(c, organization).await?;
        let (name, siret) = found.map(|found| (found.name, found.siret)).unwrap_or_default();
        let rows = orders::all(c, organization).await?;
        let rules: Vec<_> = rows.iter().map(orders::Order::rule).collect();
        let all = Orders(&rules);
        let opened = |rule| all.grants_of(rule).iter().any(|grant| window.meets(grant.from, grant.until));
        let ordered = rows.iter().zip(&rules).filter(|(row, rule)| row.product_id == product && opened(rule));
        let mut numbers: Vec<String> = ordered.map(|(row, _)| row.number.clone()).collect();
        let tried = trials::of_organization(c, organization).await?;
        let met = |trial: &trials::Trial| {
            window.meets(
                trial.requested_at.into(),
                Some(trial.ended_at.map_or(trial.rule().closes_at(), Timestamp::from)),
            )
        };
        if tried.iter().any(|trial| trial.product_id == product && met(trial)) {
            numbers.push("essai".to_owned());
        }
        Ok(Self {
            organization: organization.to_owned(),
            product: product.to_owned(),
            name,
            siret: siret.unwrap_or_default(),
            orders: numbers.join(", "),
        })
    }
}

impl Pieces for Usage {
    fn by(&self) -> (&App, &Caller) {
        (&self.app, &self.caller)
    }

    async fn next(&mut self, sheet: &mut Sheet) -> Answer<bool> {
        let app = self.app.clone();
        let mut reader = app.db.reader().await?;
        let of = self.organization.as_deref();
        let found = seat_usage::lines(&mut reader, of, self.window.cut(), &self.after, BATCH).await?;
        let more = found.len() == BATCH as usize;
        if let Some(last) = found.last() {
            self.after = Place::from(last);
        }
        for line in found {
            let same = |before: &UsageLine| {
                (&before.organization_id, &before.product_id, &before.person_id)
                    == (&line.organization_id, &line.product_id, &line.person_id)
            };
            if !self.holder.last().is_none_or(same) {
                self.write(&mut reader, sheet).await?;
            }
            self.holder.push(line);
        }
        if !more {
            self.write(&mut reader, sheet).await?;
        }
        Ok(more)
    }
}

/// Writes a line of the table.
fn row(
    sheet: &mut Sheet,
    caller: &Caller,
    (of, held): (&Of, &Held<UsageLine>),
    (first, last, days): (Date, Date, i32),
) {
    let begin = &held.begin;
    // A seat of the operator's staff counts like any other; whose it is, is told to the operator.
    let seen = caller.sees(&begin.person_id, (begin.operator, begin.privacy));
    let told = |text: &Option<String>| text.clone().filter(|_| seen).unwrap_or_default();
    let day = |at: Timestamp| french_date(&calendar::date_at(at).to_string());
    let approved = match (&begin.request, &begin.decided_by) {
        (None, _) => String::new(),
        (Some(_), None) => "Règle de l’organisation".to_owned(),
        (Some(_), Some(_)) if begin.by_operator && !caller.is_staff() => "Opérateur".to_owned(),
        (Some(_), Some(by)) => by.clone(),
    };
    sheet.row([
        of.organization.as_str(),
        &of.name,
        &of.siret,
        &of.product,
        &of.orders,
        if seen { &begin.person_id } else { "" },
        &told(&begin.login),
        &told(&begin.family_name),
        &told(&begin.given_name),
        &day(held.from),
        origin(begin),
        begin.request.as_deref().unwrap_or_default(),
        &begin.requested_at.map(|at| day(at.into())).unwrap_or_default(),
        &approved,
        &held.until.map(day).unwrap_or_default(),
        &french_date(&first.to_string()),
        &french_date(&last.to_string()),
        &days.to_string(),
    ]);
}

/// Where a seat came from, in the words of the other columns.
fn origin(begin: &UsageLine) -> &'static str {
    match (begin.event.as_str(), begin.request.is_some(), begin.reason.as_str()) {
        ("taken_over", ..) => "Transfert",
        (_, true, _) => "Demande",
        (_, _, "invited") => "Invitation",
        (_, _, "offered") => "Proposition",
        (_, _, "imported") => "Import",
        (_, _, "assigned") => "Attribution",
        _ => "Retour",
    }
}
