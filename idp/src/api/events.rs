//! The feed of events: what changed, in an order without gaps, for whoever follows an organization or the whole server.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use habilis_policies::authorization::Action;
use habilis_policies::events::Selection;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::Problems;
use super::caller::Caller;
use super::page::{self, Asked};
use super::problem::{Answer, Code, Problem};
use crate::app::App;
use crate::db::events::{self, OPERATOR};
use crate::events::PublicEvent;
use crate::web::routing::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(of_organization)).routes(routes!(of_server))
}

/// Where to begin, and what is wanted.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EventQuery {
    /// `cursor` of the page before; `latest` for what happens from now on; the oldest that is kept when absent.
    #[param(max_length = 64)]
    after: Option<String>,
    /// Types and families, with commas: `account.activated,rights.*`. All when absent.
    #[param(max_length = 1000)]
    types: Option<String>,
    /// Events at the most, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// A piece of the feed.
#[derive(Debug, Serialize, ToSchema)]
struct Feed {
    /// Oldest first.
    items: Vec<PublicEvent>,
    /// Give it back as `after`, now or later; it is there even when nothing happened.
    cursor: String,
    /// Whether there is more at this moment.
    more: bool,
}

/// Read what changed in an organization, oldest first.
#[utoipa::path(
    get, path = "/organizations/{organization}/events", tag = "events",
    params(("organization" = String, Path, description = "`org_…`"), EventQuery),
    responses((status = 200, description = "A piece of the feed", body = Feed), Problems),
    security(("oauth2" = ["habilis.webhooks"]))
)]
async fn of_organization(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    Asked(query): Asked<EventQuery>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadEvents, &organization).await?;
    read(&app, &acting.organization.id, &query).await
}

/// Read what changed on the whole server, oldest first.
#[utoipa::path(
    get, path = "/events", tag = "events", params(EventQuery),
    responses((status = 200, description = "A piece of the feed", body = Feed), Problems),
    security(("oauth2" = ["habilis.webhooks"]))
)]
async fn of_server(State(app): State<App>, caller: Caller, Asked(query): Asked<EventQuery>) -> Answer {
    caller.may(&app, Action::ReadEvents).await?;
    read(&app, OPERATOR, &query).await
}

async fn read(app: &App, audience: &str, query: &EventQuery) -> Answer {
    let limit = page::limit(query.limit)?;
    let selection = selection(query.types.as_deref())?;
    let kinds: Vec<&str> = selection.iter().flat_map(Selection::kinds).collect();
    let mut reader = app.db.reader().await?;
    // The end is read first: whatever has a place up to it is committed.
    let end = events::state(&mut reader).await?.last_position;
    let begin = match query.after.as_deref() {
        None => None,
        Some("latest") => Some(end),
        Some(cursor) => Some(position(cursor).filter(|at| *at <= end).ok_or(Problem::bare(Code::InvalidCursor))?),
    };
    let rows = events::after(&mut reader, audience, (begin.unwrap_or(0), end), (&kinds, limit)).await?;
    // Read last: what was removed meanwhile was missed.
    let forgotten = events::state(&mut reader).await?.forgotten;
    if begin.is_some_and(|begin| begin < forgotten) {
        return Err(Problem::bare(Code::CursorExpired).into());
    }
    let more = rows.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    let last = rows.last().filter(|_| more).map_or(end, |row| row.position);
    let feed = Feed { items: rows.iter().map(PublicEvent::from).collect(), cursor: cursor(last), more };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(feed)).into_response())
}

fn selection(types: Option<&str>) -> Result<Option<Selection>, Problem> {
    let Some(types) = types else { return Ok(None) };
    let types: Vec<String> = types.split(',').take(101).map(str::to_owned).collect();
    let wrong = |what: &str| Problem::parameter("types", format!("not in the catalogue of events: {what}"));
    if types.len() > 100 {
        return Err(Problem::parameter("types", "at most 100"));
    }
    Selection::parse(&types).map(Some).map_err(|at| wrong(&types[at].chars().take(100).collect::<String>()))
}

fn cursor(position: i64) -> String {
    URL_SAFE_NO_PAD.encode(format!("e{position}"))
}

fn position(cursor: &str) -> Option<i64> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok().filter(|bytes| bytes.len() <= 20)?;
    let digits = std::str::from_utf8(&bytes).ok()?.strip_prefix('e')?;
    digits.parse().ok().filter(|position| *position >= 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_position_and_others_nowhere() {
        for at in [0, 1, i64::MAX] {
            assert_eq!(position(&cursor(at)), Some(at));
        }
        for bad in ["", "e1", "!", &cursor(-1), &URL_SAFE_NO_PAD.encode("1"), &URL_SAFE_NO_PAD.encode("e")] {
            assert_eq!(position(bad), None, "{bad}");
        }
    }

    #[test]
    fn every_type_is_in_the_table_of_the_documentation() {
        let page = include_str!("../../docs/webhooks.md");
        let table: Vec<_> = page.lines().filter(|line| line.starts_with("| `")).collect();
        for (kind, _) in habilis_policies::events::CATALOGUE {
            let (family, act) = kind.split_once('.').unwrap();
            let named = |line: &&str| {
                let first = line.split('|').nth(1).unwrap();
                first.contains(&format!("`{family}.")) && first.contains(&format!(".{act}`"))
            };
            assert!(table.iter().any(named), "{kind}");
        }
    }

    #[test]
    fn types_outside_the_catalogue_are_refused() {
        assert!(selection(None).unwrap().is_none());
        assert_eq!(selection(Some("rights.*")).unwrap().unwrap().kinds().count(), 1);
        for bad in ["", "account.activated,", "account", "sessions.*"] {
            assert_eq!(selection(Some(bad)).unwrap_err().code(), Code::InvalidParameter, "{bad}");
        }
    }
}
