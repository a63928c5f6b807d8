//! Whose password comes of age: for an organization's administrators, as a list and as a spreadsheet (R046), and for the operator of
//! everybody, with the figures of the campaign (R045).

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use habilis_policies::authorization::Action;
use habilis_policies::calendar;
use habilis_policies::csv_out::Sheet;
use habilis_policies::passwords::Cause;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::Problems;
use super::caller::Caller;
use super::csv::{Pieces, table};
use super::export::french_date;
use super::page::{Asked, Page, Paging, cursor_before};
use super::problem::{Answer, Code, Problem};
use crate::account::signatories;
use crate::app::App;
use crate::db::{audit, passwords};
use crate::login::due::{self, Due, Standing};
use crate::mail::organizations::SensitiveAct;
use crate::web::routing::routes;

/// Days ahead when the caller names no number.
const USUAL: u16 = 30;
/// Most days ahead: a year and a month.
const MOST: u16 = 396;
/// People read in one go: memory stays the same however many there are.
const BATCH: u32 = 1_000;
/// Batches that are looked through for one page. In a large organization where few are due a page is short, and goes on.
const BATCHES: u32 = 10;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(export))
        .routes(routes!(of_server))
        .routes(routes!(figures))
}

/// Somebody whose password is to be renewed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PasswordDue {
    /// `usr_…`.
    person: String,
    /// What they sign in with.
    login: String,
    /// Given name.
    given_name: String,
    /// Family name.
    family_name: String,
    /// The day at whose beginning, in Paris, it expires or did, ISO 8601; absent when the account was suspended for another reason
    /// than its age and opens with another password.
    expires_on: Option<String>,
    /// `anniversary` or `campaign`; absent as above.
    cause: Option<&'static str>,
    /// `expiring`, `expired` (the grace lasts) or `suspended` (it was not renewed in time).
    status: &'static str,
}

fn status(due: Due) -> &'static str {
    match due {
        Due::Expiring => "expiring",
        Due::Expired => "expired",
        Due::Suspended => "suspended",
    }
}

fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Anniversary => "anniversary",
        Cause::Campaign => "campaign",
    }
}

impl PasswordDue {
    fn of(standing: Standing, due: Due, today: Date) -> Self {
        let expiry = standing.expiry(today);
        Self {
            expires_on: expiry.map(|(on, _)| on.to_string()),
            cause: expiry.map(|(_, why)| cause(why)),
            status: status(due),
            person: standing.holder.person_id,
            login: standing.holder.login,
            given_name: standing.holder.given_name,
            family_name: standing.holder.family_name,
        }
    }
}

/// Who is meant.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DueQuery {
    /// Days ahead, 1 to 396; 30 when absent. What has expired is always there.
    #[param(minimum = 1, maximum = 396)]
    due_within: Option<u16>,
    /// Rows at the most, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[param(max_length = 512)]
    cursor: Option<String>,
}

/// How far ahead is looked.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WithinQuery {
    /// Days ahead, 1 to 396; 30 when absent. What has expired is always there.
    #[param(minimum = 1, maximum = 396)]
    due_within: Option<u16>,
}

fn within(asked: Option<u16>) -> Result<u16, Problem> {
    match asked {
        None => Ok(USUAL),
        Some(days @ 1..=MOST) => Ok(days),
        Some(_) => Err(Problem::parameter("due_within", format!("1 to {MOST}"))),
    }
}

/// List the members whose password expires soon, has expired, or was not renewed in time, the oldest membership first. Ten thousand
/// members are looked through for a page: it may be short, or empty, and there is more as long as there is `next`.
#[utoipa::path(
    get, path = "/organizations/{organization}/passwords", tag = "members",
    params(("organization" = String, Path, description = "`org_…`"), DueQuery),
    responses((status = 200, description = "A page", body = Page<PasswordDue>), Problems),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    Asked(query): Asked<DueQuery>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadPasswordRenewals, &organization).await?;
    Ok(page_of(&app, &caller, (&acting.organization.id, query)).await?.into_response())
}

/// List everybody whose password expires soon, has expired, or was not renewed in time, by id. Ten thousand people are looked through for a
/// page: it may be short, or empty, and there is more as long as there is `next`.
#[utoipa::path(
    get, path = "/passwords", tag = "people", params(DueQuery),
    responses((status = 200, description = "A page", body = Page<PasswordDue>), Problems),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn of_server(State(app): State<App>, caller: Caller, Asked(query): Asked<DueQuery>) -> Answer {
    caller.may(&app, Action::ReadPasswordRenewals).await?;
    Ok(page_of(&app, &caller, ("", query)).await?.into_response())
}

/// A page of those who are due: of the members of `organization`, or with an empty text of everybody.
async fn page_of(app: &App, caller: &Caller, (organization, query): (&str, DueQuery)) -> Answer<Page<PasswordDue>> {
    let days = within(query.due_within)?;
    let paging = Paging::new(query.limit, query.cursor);
    let (limit, mut after) = (paging.limit()?, paging.after()?);
    let now = app.clock.now();
    let today = calendar::date_at(now);
    let mut page = Page { items: Vec::new(), next: None };
    // Where the list goes on behind the last row that is shown.
    let mut shown = after.clone();
    for _ in 0..BATCHES {
        let of = (organization, (after.0, after.1.as_str()));
        let found = due::batch(&mut app.db.reader().await?, &app.config, of, (BATCH, now)).await?;
        let whole = found.len() == BATCH as usize;
        for standing in found {
            after = (standing.place().0, standing.place().1.to_owned());
            let holder = &standing.holder;
            let seen = caller.sees(&holder.person_id, (holder.operator, holder.privacy));
            let Some(due) = standing.due(today, days).filter(|_| seen) else { continue };
            if page.items.len() == limit as usize {
                page.next = Some(cursor_before(shown.0, &shown.1));
                return Ok(page);
            }
            shown.clone_from(&after);
            page.items.push(PasswordDue::of(standing, due, today));
        }
        if !whole {
            return Ok(page);
        }
    }
    page.next = Some(cursor_before(after.0, &after.1));
    Ok(page)
}

const HEADERS: [&str; 6] = ["Nom", "Prénom", "Identifiant", "Mot de passe", "Date d’expiration", "Cause"];

/// Export the same list as a spreadsheet.
#[utoipa::path(
    get, path = "/organizations/{organization}/passwords.csv", tag = "members",
    params(("organization" = String, Path, description = "`org_…`"), WithinQuery),
    responses(
        (status = 200, description = "Semicolons, UTF-8 with a byte order mark, no cell that is calculated", content_type = "text/csv", body = String),
        Problems
    ),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn export(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    Asked(query): Asked<WithinQuery>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ExportMembers, &organization).await?;
    let days = within(query.due_within)?;
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    audit::record(&mut tx, acting.event(&caller, "passwords.exported").with("due_within", days), now).await?;
    let person = signatories::acted(&mut tx, &app.config, caller.id()).await?;
    let act = SensitiveAct::MembersExported { person };
    signatories::tell(&mut tx, &app, (&acting.organization, act), now).await?;
    tx.commit().await?;
    app.mail_waiting.notify_one();
    let export = Export { app, caller, organization: acting.organization.id, days, now, after: (-1, String::new()) };
    Ok(table("mots-de-passe.csv", HEADERS, export))
}

/// An export on its way.
struct Export {
    app: App,
    caller: Caller,
    organization: String,
    days: u16,
    now: Timestamp,
    after: (i64, String),
}

impl Pieces for Export {
    fn by(&self) -> (&App, &Caller) {
        (&self.app, &self.caller)
    }

    async fn next(&mut self, sheet: &mut Sheet) -> Answer<bool> {
        let of = (self.organization.as_str(), (self.after.0, self.after.1.as_str()));
        let found = due::batch(&mut self.app.db.reader().await?, &self.app.config, of, (BATCH, self.now)).await?;
        let today = calendar::date_at(self.now);
        for standing in &found {
            let holder = &standing.holder;
            let seen = self.caller.sees(&holder.person_id, (holder.operator, holder.privacy));
            let Some(due) = standing.due(today, self.days).filter(|_| seen) else { continue };
            let expiry = standing.expiry(today);
            let day = expiry.map(|(on, _)| french_date(&on.to_string())).unwrap_or_default();
            sheet.row([
                holder.family_name.as_str(),
                &holder.given_name,
                &holder.login,
                match due {
                    Due::Expiring => "Expire bientôt",
                    Due::Expired => "Expiré",
                    Due::Suspended => "Compte suspendu",
                },
                &day,
                match expiry {
                    Some((_, Cause::Anniversary)) => "Anniversaire",
                    Some((_, Cause::Campaign)) => "Campagne",
                    None => "",
                },
            ]);
        }
        let more = found.len() == BATCH as usize;
        if let Some(last) = found.last() {
            self.after = (last.place().0, last.place().1.to_owned());
        }
        Ok(more)
    }
}

/// How the renewal of passwords goes, on the whole server.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct PasswordFigures {
    /// Active accounts with a password.
    active: u64,
    /// Of them, whose password expires within the days that were asked for.
    expiring: u64,
    /// Of them, whose password has expired while the grace lasts.
    expired: u64,
    /// Accounts that are suspended until their password is renewed.
    suspended: i64,
    /// The last campaign, today's included; absent when none is held.
    last_campaign: Option<LastCampaign>,
    /// The next campaign; absent when none is held.
    next_campaign: Option<NextCampaign>,
}

/// A campaign that was held.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LastCampaign {
    /// The day, ISO 8601.
    held_on: String,
    /// Active accounts whose password it has made expire, and which have not renewed it.
    due: u64,
    /// Accounts that have chosen another password in the place of an earlier one since that day.
    renewed: i64,
}

/// A campaign to come.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NextCampaign {
    /// The day, ISO 8601.
    held_on: String,
    /// Active accounts whose password it will make expire as things stand now: their anniversary comes later.
    due: u64,
}

/// Everybody is read for the figures: one walk at a time on a node.
static WALK: Mutex<()> = Mutex::const_new(());

/// Read the figures of renewal and of the campaign. Everybody with a password is read for them: seconds on a large server, and one reading
/// at a time on a node (429 for the second).
#[utoipa::path(
    get, path = "/passwords/figures", tag = "people", params(WithinQuery),
    responses((status = 200, description = "As they are now", body = PasswordFigures), Problems),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn figures(State(app): State<App>, caller: Caller, Asked(query): Asked<WithinQuery>) -> Answer {
    caller.may(&app, Action::ReadPasswordRenewals).await?;
    let days = within(query.due_within)?;
    let Ok(_alone) = WALK.try_lock() else {
        let soon = HeaderValue::from_static("10");
        let problem = Problem::new(Code::RateLimited, "the figures are being read for somebody else");
        return Err(problem.with_header(header::RETRY_AFTER, soon).into());
    };
    let now = app.clock.now();
    let today = calendar::date_at(now);
    let campaigns = due::campaigns(&app.config, now);
    let mut figures = PasswordFigures::default();
    let (mut last_due, mut next_due) = (0, 0);
    let mut after = String::new();
    loop {
        let found = due::batch(&mut app.db.reader().await?, &app.config, ("", (0, &after)), (BATCH, now)).await?;
        for standing in found.iter().filter(|standing| standing.holder.status == "active") {
            figures.active += 1;
            match standing.due(today, days) {
                Some(Due::Expired) => figures.expired += 1,
                Some(Due::Expiring) => figures.expiring += 1,
                Some(Due::Suspended) | None => {}
            }
            if let (Some((on, Cause::Campaign)), Some((last, next))) = (standing.expires, campaigns) {
                last_due += u64::from(on == last);
                next_due += u64::from(on == next);
            }
        }
        match found.last() {
            Some(last) if found.len() == BATCH as usize => last.place().1.clone_into(&mut after),
            _ => break,
        }
    }
    let mut reader = app.db.reader().await?;
    figures.suspended = passwords::suspended(&mut reader, "", now).await?;
    if let Some((last, next)) = campaigns {
        let renewed = passwords::renewed_since(&mut reader, calendar::midnight(last)).await?;
        figures.last_campaign = Some(LastCampaign { held_on: last.to_string(), due: last_due, renewed });
        figures.next_campaign = Some(NextCampaign { held_on: next.to_string(), due: next_due });
    }
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(figures)).into_response())
}
