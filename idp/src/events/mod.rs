//! What others are told of changes: an order for the events that were committed, and their way to webhooks.
//!
//! The shape is told in `docs/decisions/0007-events.md`.

pub mod deliver;

use std::time::Duration;

use habilis_policies::events::Selection;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::task::JoinSet;
use utoipa::ToSchema;

use crate::app::App;
use crate::db::events::{self, Placed};
use crate::db::{webhook_deliveries, webhooks};
use crate::outcome::Outcome;

/// How often the jobs look for events, when nothing wakes them.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Events that get their position in one transaction.
const AT_ONCE: u32 = 200;

/// A change, as the feed tells it and as a webhook delivers it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PublicEvent {
    /// `evt_…`, the same for whoever may read it, and that of the line of the audit trail.
    pub id: String,
    /// Of the catalogue, such as `account.activated`.
    pub r#type: String,
    /// RFC 3339.
    pub timestamp: String,
    /// `org_…`: where it happened.
    pub organization: Option<String>,
    /// `usr_…`: whom it concerns.
    pub person: Option<String>,
    /// Further facts, by type.
    #[schema(value_type = Object)]
    pub data: Map<String, Value>,
}

impl From<&Placed> for PublicEvent {
    fn from(row: &Placed) -> Self {
        Self {
            id: row.id.clone(),
            r#type: row.kind.clone(),
            timestamp: Timestamp::from(row.at).to_string(),
            organization: row.organization_id.clone(),
            person: row.person_id.clone(),
            data: serde_json::from_str(&row.data).unwrap_or_default(),
        }
    }
}

/// Gives events their places and delivers them, until the task is dropped.
pub async fn run(app: App) {
    let mut turns = JoinSet::new();
    loop {
        let looked = match place_all(&app).await {
            Ok(()) => deliver::begin(&app, &mut turns).await.map(drop),
            Err(fault) => Err(fault),
        };
        if let Err(fault) = looked {
            tracing::error!(event = "events_failed", cause = ?fault);
        }
        while let Some(ended) = turns.try_join_next() {
            deliver::log(&ended);
        }
        let _ = tokio::time::timeout(LOOK_EVERY, app.deliveries.waiting.notified()).await;
    }
}

/// Does everything that is due now, once, and waits for the answers.
///
/// # Errors
/// The database failed.
pub async fn run_due(app: &App) -> Outcome<()> {
    place_all(app).await?;
    let mut turns = JoinSet::new();
    while deliver::begin(app, &mut turns).await? > 0 {
        while let Some(ended) = turns.join_next().await {
            ended??;
        }
    }
    Ok(())
}

/// Gives every event that was committed its position, and puts it into the outbox of whoever listens.
async fn place_all(app: &App) -> Outcome<()> {
    while events::waiting(&mut app.db.reader().await?).await? {
        let mut tx = app.db.begin().await?;
        let placed = events::place(&mut tx, AT_ONCE).await?;
        let Some(first) = placed.first() else { return Ok(()) };
        let now = app.clock.now();
        let listening = webhooks::listening(&mut tx, first.position.saturating_sub(1), now).await?;
        for webhook in listening {
            let types: Vec<String> = serde_json::from_str(&webhook.types)?;
            let Ok(selection) = Selection::parse(&types) else { continue };
            let heard = |event: &&Placed| {
                event.audience == webhook.audience && event.at >= webhook.created_at && selection.wants(&event.kind)
            };
            for event in placed.iter().filter(heard) {
                let body = serde_json::to_string(&PublicEvent::from(event))?;
                let told = (event.id.as_str(), event.kind.as_str(), body.as_str());
                webhook_deliveries::insert(&mut tx, &webhook.id, told, app.clock.now()).await?;
            }
        }
        tx.commit().await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Every line of the audit trail about accounts, members and organizations is told, or said to be nobody else's affair: a
    /// way of changing something that is added tomorrow is looked at tomorrow.
    #[test]
    fn no_line_of_the_audit_trail_is_forgotten() {
        let mut names = Vec::new();
        read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut names);
        assert!(names.iter().any(|name| name == "member.invited") && names.len() > 40, "{names:?}");
        names.retain(|name| !habilis_policies::events::is_considered(name));
        assert_eq!(names, [""; 0], "add them to policies/src/events.rs");
    }

    fn read(folder: &Path, names: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read(&path, names);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                for begin in ["Event::new(\"", "event(\"", "event(&caller, \"", "event(caller, \""] {
                    names
                        .extend(text.split(begin).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned));
                }
            }
        }
    }
}
