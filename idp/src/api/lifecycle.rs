//! `/lifecycle`: all that expires, as `habilis jobs` tells it: what waits, and what would be said and done until a day. Nothing is run here:
//! the server does that by itself.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use habilis_policies::authorization::Action;
use habilis_policies::calendar;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::Instant;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::caller::Caller;
use super::page::{self, Asked};
use super::problem::{Answer, Code, Problem};
use super::{Problems, instant};
use crate::app::App;
use crate::lifecycle::{self, Bounds, Line, Overview};
use crate::web::routing::routes;

/// Most years ahead.
const YEARS: i16 = 10;
/// How long a forecast may take.
const TIME: Duration = Duration::from_secs(10);

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(read)).routes(routes!(forecast))
}

/// A kind of thing that expires.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LifecycleKind {
    /// `password`, `api_key`, `invitation`, `membership`…: as in the notices.
    kind: String,
    /// What happens at the end.
    at_the_end: &'static str,
    /// How many wait.
    waiting: i64,
    /// When the next is looked at, RFC 3339; absent when none will be.
    next_look_at: Option<String>,
    /// The last run, RFC 3339; absent before the first.
    ran_at: Option<String>,
    /// The process that did it.
    ran_by: Option<String>,
    /// The last run that had something to say or do; absent when none had.
    busy: Option<BusyRun>,
    /// Whether the looks are being planned anew, because the settings changed.
    planning_anew: bool,
}

/// A run that had something to say or do.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BusyRun {
    /// RFC 3339.
    at: String,
    /// Reminders.
    reminded: i64,
    /// Ends.
    ended: i64,
    /// What failed, and is tried again; the log says why.
    failed: i64,
}

impl From<Overview> for LifecycleKind {
    fn from(row: Overview) -> Self {
        let known = row.known.as_ref();
        let busy = known.and_then(|known| {
            let at = instant(known.busy_at?);
            Some(BusyRun { at, reminded: known.reminded, ended: known.ended, failed: known.failed })
        });
        Self {
            kind: row.kind.to_owned(),
            at_the_end: row.at_the_end,
            waiting: row.waiting,
            next_look_at: row.next.map(|at| instant(at.into())),
            ran_at: known.and_then(|known| known.ran_at).map(instant),
            ran_by: known.and_then(|known| known.ran_by.clone()),
            planning_anew: known.is_some_and(|known| known.walked.is_some()),
            busy,
        }
    }
}

/// The process that is running what is due.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LifecycleRunner {
    /// What it is called.
    process: String,
    /// Until when it holds the work unless it gives another sign of life, RFC 3339.
    until: String,
}

/// All that expires.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LifecycleOverview {
    /// Each kind, in the order in which they run.
    items: Vec<LifecycleKind>,
    /// Who is at it; absent when nobody is.
    running: Option<LifecycleRunner>,
}

/// Read what waits of each kind of thing that expires, when the next is looked at, and the last runs.
#[utoipa::path(
    get, path = "/lifecycle", tag = "jobs",
    responses((status = 200, description = "As it is now", body = LifecycleOverview), Problems),
    security(("oauth2" = ["habilis.jobs.read"]))
)]
async fn read(State(app): State<App>, caller: Caller) -> Answer {
    caller.may(&app, Action::ReadJobs).await?;
    let now = app.clock.now();
    let (kinds, holder) = lifecycle::overview(&app).await?;
    let running = holder.filter(|(_, until)| *until > now);
    let overview = LifecycleOverview {
        items: kinds.into_iter().map(LifecycleKind::from).collect(),
        running: running.map(|(process, until)| LifecycleRunner { process, until: instant(until.into()) }),
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(overview)).into_response())
}

/// How far ahead.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ForecastQuery {
    /// Until the end of this day in Paris, at most ten years ahead; until now when absent.
    #[param(value_type = Option<String>, format = Date)]
    until: Option<String>,
    /// Lines at the most, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

impl ForecastQuery {
    fn until(&self, now: Timestamp) -> Result<Timestamp, Problem> {
        let Some(text) = &self.until else { return Ok(now) };
        let (today, wrong) = (calendar::date_at(now), || {
            Problem::parameter(
                "until",
                format!("a day such as 2027-03-01, from today on and at most {YEARS} years ahead"),
            )
        });
        let day: Date = text.parse().ok().filter(|_| text.len() == 10).ok_or_else(wrong)?;
        let ahead = day >= today && day.year() - today.year() <= YEARS;
        if ahead { Ok(calendar::cut_after(day)) } else { Err(wrong()) }
    }
}

/// Something that would be said or done.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ForecastLine {
    /// When, RFC 3339.
    at: String,
    /// Of which kind of thing.
    kind: String,
    /// Of which thing: a person, a key, an offer; of a membership the organization and the person.
    subject: String,
    /// The reminder it is, in days before; 0 is what happens at the end.
    days_before: u16,
    /// When it falls due, RFC 3339.
    due_at: String,
    /// What is said or done.
    what: String,
}

impl From<Line> for ForecastLine {
    fn from(line: Line) -> Self {
        Self {
            at: instant(line.at.into()),
            kind: line.kind.to_owned(),
            subject: line.subject,
            days_before: line.rung,
            due_at: instant(line.due.into()),
            what: line.what,
        }
    }
}

/// How often something would be said or done.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ForecastCount {
    /// Of which kind of thing.
    kind: String,
    /// What is said or done.
    what: String,
    /// Of how many.
    count: u64,
}

/// What would be said and done.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LifecycleForecast {
    /// Until when, RFC 3339.
    until: String,
    /// The first lines, in the order of time.
    items: Vec<ForecastLine>,
    /// Whether there are more than these lines.
    truncated: bool,
    /// How many of each: all of them, unless it was stopped.
    counts: Vec<ForecastCount>,
    /// Whether it was stopped after ten seconds: then lines and counts are of what was looked at until then. The command line looks at
    /// everything, `habilis jobs run --dry-run`.
    stopped: bool,
}

/// One forecast at a time on a node: everything that falls due until then is read for it.
static WALK: Mutex<()> = Mutex::const_new(());

/// Read what would be said and done until a day, as things stand now: nothing is changed. Everything that falls due is looked at, for ten
/// seconds at the most, and one forecast at a time on a node (429 for the second).
#[utoipa::path(
    get, path = "/lifecycle/forecast", tag = "jobs", params(ForecastQuery),
    responses((status = 200, description = "As things stand now", body = LifecycleForecast), Problems),
    security(("oauth2" = ["habilis.jobs.read"]))
)]
async fn forecast(State(app): State<App>, caller: Caller, Asked(query): Asked<ForecastQuery>) -> Answer {
    caller.may(&app, Action::ReadJobs).await?;
    let now = app.clock.now();
    let (until, limit) = (query.until(now)?, page::limit(query.limit)?);
    let Ok(_alone) = WALK.try_lock() else {
        let problem = Problem::new(Code::RateLimited, "a forecast is being made for somebody else");
        return Err(problem.with_header(header::RETRY_AFTER, HeaderValue::from_static("10")).into());
    };
    let bounds = Bounds { most: usize::try_from(limit).unwrap_or(usize::MAX), stop: Some(Instant::now() + TIME) };
    let found = lifecycle::forecast(&app, (now, until), bounds).await?;
    let all: u64 = found.counts.values().sum();
    let counts = found.counts.into_iter();
    let forecast = LifecycleForecast {
        until: instant(until.into()),
        truncated: found.stopped || u64::try_from(found.lines.len()).unwrap_or(u64::MAX) < all,
        items: found.lines.into_iter().map(ForecastLine::from).collect(),
        counts: counts.map(|((kind, what), count)| ForecastCount { kind: kind.to_owned(), what, count }).collect(),
        stopped: found.stopped,
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(forecast)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forecast_goes_to_the_end_of_a_day_to_come() {
        let now: Timestamp = "2027-02-28T12:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("2027-02-28", Some("2027-02-28T23:00:00Z")),
            ("2027-07-01", Some("2027-07-01T22:00:00Z")),
            ("2037-12-31", Some("2037-12-31T23:00:00Z")),
            ("2038-01-01", None),
            ("2027-02-27", None),
            ("2027-02-30", None),
            ("2027-03-01T08:00:00Z", None),
            ("-009999-01-01", None),
            ("9999-12-31", None),
            ("soon", None),
            ("", None),
        ] {
            let query = ForecastQuery { until: Some(text.to_owned()), limit: None };
            assert_eq!(query.until(now).ok(), expected.map(|text| text.parse().unwrap()), "{text}");
        }
        assert_eq!(ForecastQuery { until: None, limit: None }.until(now).ok(), Some(now));
    }
}
