//! Noting that an account seems to be used by several people (R002): told to the operator, never blocking.
//!
//! Purpose: credentials are personal (R030). What is kept: the day and from how many networks or devices, for ninety days;
//! not which. The decision is `policies::sharing`.

use habilis_policies::calendar;
use habilis_policies::sharing::{Granted, Use, suspect};
use jiff::Timestamp;

use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::grants::Grant;
use crate::db::{sessions, sharing_suspicions};
use crate::outcome::Outcome;

/// Notes that a portal used what it was granted in a session, and looks: who stays at a portal is not seen at the provider. Once a minute
/// at the most, and never where nobody asks. The session lives no longer for it (Q06).
///
/// # Errors
/// The database failed.
pub async fn used_at_portal(app: &App, grant: &Grant, now: Timestamp) -> Outcome<()> {
    let (Some(session), None) = (&grant.session_id, grant.session_ended_at) else { return Ok(()) };
    let (Some(last), Some(ends)) = (grant.session_used_at, grant.session_expires_at) else { return Ok(()) };
    let granted = Granted { outlives_session: grant.outlives_session(), last: last.into(), ends: ends.into() };
    if app.config.sharing_rule().least < 2 || !granted.is_noted(now) {
        return Ok(());
    }
    let mut single = app.db.single().await?;
    sessions::grants_used(&mut single, session, now).await?;
    single.commit().await?;
    look(app, &grant.person_id, now).await
}

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
            device: session.browser_digest.as_deref().unwrap_or(session.id.as_bytes()),
            network: &session.network,
            since: session.created_at.into(),
            seen: session.last_seen_at.into(),
            last: session.used_at.into(),
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
