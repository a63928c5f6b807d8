//! How long each seat was whose, as a spreadsheet that a bill is made from: `/organizations/{organization}/usage.csv` for the
//! organization, `/usage.csv` for the operator (R059, R068). One line for each time in which somebody had a seat, with the orders that
//! opened it, and, where a member asked for it, the request and who agreed.

use axum::extract::{Path, State};
use habilis_policies::authorization::Action;
use habilis_policies::calendar;
use habilis_policies::csv_out::Sheet;
use habilis_policies::orders::Orders;
use habilis_policies::seats::Grant;
use habilis_policies::trials as trial_rules;
use habilis_policies::usage::{Event, Following, Held, Window};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;

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
use crate::web::routing::routes;

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
    let person = signatories::acted(&mut tx, &app.config, caller.id()).await?;
    let act = SensitiveAct::UsageExported { person };
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
    /// What happened to the holder at the last instant that was read.
    instant: Vec<UsageLine>,
    following: Following<UsageLine>,
    /// The last day that was counted for the holder.
    counted: Option<Date>,
    of: Option<Of>,
}

/// The organization and product whose lines are written.
struct Of {
    organization: String,
    product: String,
    name: String,
    siret: String,
    /// What each order opens by its number, and a trial by a word.
    opened: Vec<(String, Vec<Grant>)>,
}

impl Usage {
    fn new((app, caller): (App, Caller), organization: Option<String>, window: Window) -> Self {
        let (after, instant, following) = (Place::default(), Vec::new(), Following::default());
        Self { app, caller, organization, window, after, instant, following, counted: None, of: None }
    }

    /// Takes the next line of the history.
    async fn take(&mut self, c: &mut impl Conn, sheet: &mut Sheet, line: UsageLine) -> Answer<()> {
        if let Some(last) = self.instant.last() {
            let holder =
                |line: &UsageLine| (line.organization_id.clone(), line.product_id.clone(), line.person_id.clone());
            if holder(last) != holder(&line) {
                self.finish(c, sheet).await?;
            } else if last.at != line.at {
                self.settle(c, sheet).await?;
            }
        }
        self.instant.push(line);
        Ok(())
    }

    /// Follows what happened at the last instant.
    async fn settle(&mut self, c: &mut impl Conn, sheet: &mut Sheet) -> Answer<()> {
        let lines = std::mem::take(&mut self.instant);
        let Some(at) = lines.first().map(|line| Timestamp::from(line.at)) else { return Ok(()) };
        let events = lines.into_iter().filter_map(|line| Some((Event::parse(&line.event)?, line)));
        for held in self.following.at_once(at, events.collect()) {
            self.write(c, sheet, held).await?;
        }
        Ok(())
    }

    /// Writes what is left of a holder.
    async fn finish(&mut self, c: &mut impl Conn, sheet: &mut Sheet) -> Answer<()> {
        self.settle(c, sheet).await?;
        if let Some(held) = self.following.finish() {
            self.write(c, sheet, held).await?;
        }
        self.counted = None;
        Ok(())
    }

    /// Writes a time of a holder, as far as it meets the window.
    async fn write(&mut self, c: &mut impl Conn, sheet: &mut Sheet, held: Held<UsageLine>) -> Answer<()> {
        let Some(days) = held.days_in(self.window, self.counted) else { return Ok(()) };
        self.counted = Some(days.1);
        let at = (held.begin.organization_id.as_str(), held.begin.product_id.as_str());
        let same = |of: &Of| (of.organization.as_str(), of.product.as_str()) == at;
        if !self.of.as_ref().is_some_and(same) {
            self.of = Some(Of::find(c, at).await?);
        }
        if let Some(of) = &self.of {
            row(sheet, &self.caller, (of, &held), days);
        }
        Ok(())
    }
}

impl Of {
    async fn find(c: &mut impl Conn, (organization, product): (&str, &str)) -> Answer<Self> {
        let found = organizations::find(c, organization).await?;
        let (name, siret) = found.map(|found| (found.name, found.siret)).unwrap_or_default();
        let rows = orders::all(c, organization).await?;
        let rules: Vec<_> = rows.iter().map(orders::Order::rule).collect();
        let all = Orders(&rules);
        let of_product = rows.iter().zip(&rules).filter(|(row, _)| row.product_id == product);
        let mut opened: Vec<_> = of_product.map(|(row, rule)| (row.number.clone(), all.grants_of(rule))).collect();
        let ordered = all.grants(product);
        let tried = trials::of_organization(c, organization).await?;
        let tried = tried.iter().filter(|trial| trial.product_id == product);
        opened
            .extend(tried.map(|trial| {
                ("essai".to_owned(), vec![trial_rules::grant_of(&trial.rule(), trial.seats(), &ordered)])
            }));
        Ok(Self {
            organization: organization.to_owned(),
            product: product.to_owned(),
            name,
            siret: siret.unwrap_or_default(),
            opened,
        })
    }

    /// The numbers of the orders that opened seats on days on which one was somebody's.
    fn orders(&self, held: &Held<UsageLine>, (from, to): (Date, Date)) -> String {
        let days = Window { from, to };
        let opened = |grant: &Grant| days.meets(grant.from, grant.until) && held.meets(grant.from, grant.until);
        let numbers = self.opened.iter().filter(|(_, grants)| grants.iter().any(opened));
        numbers.map(|(number, _)| number.as_str()).collect::<Vec<_>>().join(", ")
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
            self.take(&mut reader, sheet, line).await?;
        }
        if !more {
            self.finish(&mut reader, sheet).await?;
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
    // A seat of the operator's staff counts like any other; whose it is, is told to the operator. Who left is told of by their id alone.
    let seen = caller.sees(&begin.person_id, (begin.staff, begin.staff));
    let named = seen && (begin.member || caller.is_staff());
    let told = |text: &Option<String>| text.clone().filter(|_| named).unwrap_or_default();
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
        &of.orders(held, (first, last)),
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
    match (begin.event.as_str(), begin.reason.as_str()) {
        ("taken_over", _) => "Transfert",
        (_, "requested") => "Demande",
        (_, "invited" | "invited_again") => "Invitation",
        (_, "offered" | "joined") => "Proposition",
        (_, "activated") => "Activation",
        (_, "reinstated") => "Réintégration",
        _ if begin.request.is_some() => "Demande",
        _ => "Attribution",
    }
}
