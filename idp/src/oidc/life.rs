//! Whether what a person allowed a client is still worth anything, and until when what comes of it may live: asked wherever a token
//! is issued, refreshed, told of or opened.

use jiff::{SignedDuration, Timestamp};

use super::client::Client;
use super::error::Refusal;
use super::issue;
use super::token::is_withdrawn;
use crate::app::App;
use crate::db::Conn;
use crate::db::grants::Grant;
use crate::outcome::Outcome;
use crate::seats::admission::{self, Issuing};

/// Whether a grant is over: withdrawn, or the person has no seat, no order that opens it, no open window at the portal now. Otherwise
/// [`Grant::until`] says from when they will not, so that nothing is issued beyond (R080, R087).
///
/// # Errors
/// The database failed.
pub async fn is_over(c: &mut impl Conn, grant: &mut Grant, client: &Client, now: Timestamp) -> Outcome<bool> {
    if is_withdrawn(grant, client, now) {
        return Ok(true);
    }
    if !client.settings.access().is_metered() {
        return Ok(false);
    }
    let Some(organization) = &grant.organization_id else { return Ok(true) };
    let session = grant.session_id.as_deref().unwrap_or_default();
    let held = admission::held(c, client, (&grant.person_id, session, Some(organization)), now).await?;
    match held.lets_stay(client, organization, now) {
        Ok(until) => {
            grant.until = until.map(Into::into);
            Ok(false)
        }
        Err(_) => Ok(true),
    }
}

/// Takes or keeps the connection under which tokens are issued now, where an organization bought connections instead of names; refuses when
/// all are in use. The grant lives on: at the portal's sign-in its person reads why.
///
/// # Errors
/// The database failed.
pub async fn connects(app: &App, grant: &Grant, client: &Client, now: Timestamp) -> Outcome<Result<(), Refusal>> {
    let organization = grant.organization_id.as_deref();
    if client.settings.product.is_none()
        || admission::counted(&mut app.db.reader().await?, client, organization, now).await?.is_none()
    {
        return Ok(Ok(()));
    }
    let mut tx = app.db.begin().await?;
    if !admission::stay_connected(&mut tx, client, issuing(app, grant, now)?, now).await? {
        return Ok(Err(Refusal::invalid_grant("every connection that was ordered is in use")));
    }
    tx.commit().await?;
    Ok(Ok(()))
}

/// What is issued by a grant now, and when it ends.
///
/// # Errors
/// The end of time.
pub fn issuing<'a>(app: &App, grant: &'a Grant, now: Timestamp) -> Outcome<Issuing<'a>> {
    let seconds = issue::expires_in(app, Some(grant), now);
    Ok(Issuing {
        organization: grant.organization_id.as_deref(),
        grant: &grant.id,
        session: grant.session_id.as_deref(),
        until: now.saturating_add(SignedDuration::from_secs(seconds.into()))?,
    })
}
