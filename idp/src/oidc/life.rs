//! Whether what a person allowed a client is still worth anything, and until when what comes of it may live: asked wherever a token
//! is issued, refreshed, told of or opened.

use jiff::Timestamp;

use super::client::Client;
use super::token::is_withdrawn;
use crate::db::Conn;
use crate::db::grants::Grant;
use crate::outcome::Outcome;
use crate::seats::admission;

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
    let held = admission::held(c, client, (&grant.person_id, session), now).await?;
    match held.lets_stay(client, organization, now) {
        Ok(until) => {
            grant.until = until.map(Into::into);
            Ok(false)
        }
        Err(_) => Ok(true),
    }
}
