//! Noting that an account seems to be used by several people (R002): told to the operator, never blocking.
//!
//! Purpose: credentials are personal (R030). What is kept: the day and from how many networks or devices, for ninety days;
//! not which. The decision is `policies::sharing`.

use habilis_policies::calendar;
use habilis_policies::sharing::{Use, suspect};
use jiff::Timestamp;

use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::{sessions, sharing_suspicions};
use crate::outcome::Outcome;

/// Looks at the sessions of `person`, and raises `account.sharing_suspected` once a day at the most.
///
/// # Errors
/// The database failed.
pub async fn look(app: &App, person: &str, now: Timestamp) -> Outcome<()> {
    let rule = app.config.sharing_rule();
    if rule.least < 2 {
        return Ok(());
    }
    let sessions = sessions::of_person(&mut app.db.reader().await?, person, now).await?;
    let uses: Vec<Use<'_>> = sessions
        .iter()
        .map(|session| Use {
            device: &session.id,
            network: &session.network,
            since: session.created_at.into(),
            last: session.last_seen_at.into(),
        })
        .collect();
    let Some(many) = suspect(&uses, &rule, now) else { return Ok(()) };
    let (many, counted) = (i64::try_from(many).unwrap_or(i64::MAX), rule.by.name());
    let mut tx = app.db.begin().await?;
    if !sharing_suspicions::insert(&mut tx, person, (calendar::date_at(now), many, counted), now).await? {
        return Ok(());
    }
    audit::record(&mut tx, Event::new("account.sharing_suspected").about(person).with(counted, many), now).await?;
    tx.commit().await?;
    metrics::counter!("habilis_sharing_suspected_total").increment(1);
    Ok(())
}
