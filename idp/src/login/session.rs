//! The session of a browser at the provider.

use habilis_keys::secret::Secret;
use habilis_keys::token::digest;
use habilis_policies::sessions::{TOUCH_EVERY, is_alive};
use jiff::Timestamp;

use crate::app::App;
use crate::db::sessions::{self, NewSession, Session};
use crate::db::{Tx, clients, grants, logout_outbox};
use crate::oidc::client::Client;
use crate::oidc::issue::sid;
use crate::outcome::Outcome;
use crate::web::Origin;
use crate::web::cookies::Cookies;

/// Finds the living session of this browser, and notes its use once a minute.
///
/// # Errors
/// The database failed.
pub async fn load(app: &App, cookies: &Cookies, now: Timestamp) -> Outcome<Option<Session>> {
    let Some(cookie) = &cookies.session else { return Ok(None) };
    let Some(session) = sessions::find(&mut app.db.reader().await?, &digest(cookie.expose())).await? else {
        return Ok(None);
    };
    let last_seen = Timestamp::from(session.last_seen_at);
    let alive = is_alive(last_seen, session.expires_at.into(), &app.config.session_limits(), now);
    if !alive || session.person_status != "active" {
        return Ok(None);
    }
    if now.duration_since(last_seen) >= TOUCH_EVERY {
        let mut single = app.db.single().await?;
        sessions::touch(&mut single, &session.id, now).await?;
        single.commit().await?;
    }
    Ok(Some(session))
}

/// How a person has just authenticated.
#[derive(Debug)]
pub struct Authenticated<'a> {
    /// Who.
    pub person: &'a str,
    /// RFC 8176 values, space separated.
    pub amr: &'a str,
}

/// Starts a session, or renews the one this browser has for the same person. Another person's session ends first.
///
/// Gives the session and its new cookie: a cookie from before the sign-in is worth nothing after it.
///
/// # Errors
/// The database failed.
pub async fn start(
    tx: &mut Tx,
    app: &App,
    (authenticated, old, origin): (Authenticated<'_>, Option<Session>, &Origin),
    now: Timestamp,
) -> Outcome<(Session, Secret<String>)> {
    let cookie = habilis_keys::random::token();
    let digest = digest(cookie.expose());
    let amr = authenticated.amr;
    if let Some(old) = old {
        if old.person_id == authenticated.person && sessions::renew(tx, &old.id, (&digest, amr), now).await? {
            let renewed = Session { auth_time: now.into(), last_seen_at: now.into(), amr: amr.to_owned(), ..old };
            return Ok((renewed, cookie));
        }
        end(tx, &old, now).await?;
    }
    let id = habilis_keys::random::id("ses", now);
    let expires_at = now.saturating_add(app.config.session_limits().absolute)?;
    let new = NewSession {
        id: &id,
        digest: &digest,
        person: authenticated.person,
        amr,
        address: &origin.address.to_string(),
        user_agent: &origin.user_agent,
        expires_at,
    };
    sessions::insert(tx, &new, now).await?;
    let session = Session {
        id,
        person_id: authenticated.person.to_owned(),
        auth_time: now.into(),
        amr: amr.to_owned(),
        last_seen_at: now.into(),
        expires_at: expires_at.into(),
        person_status: "active".to_owned(),
    };
    Ok((session, cookie))
}

/// Most clients that are told of the end of one session.
const MAX_TOLD: u32 = 64;

/// A session that ended.
#[derive(Debug, Default)]
pub struct Ended {
    /// The clients that knew of it.
    pub clients: Vec<Client>,
    /// How many grants ended with it.
    pub grants_revoked: usize,
}

/// Ends a session and what was granted in it, except grants that may outlive it, and puts a logout token for each client that
/// knew of it into the outbox.
///
/// # Errors
/// The database failed.
pub async fn end(tx: &mut Tx, session: &Session, now: Timestamp) -> Outcome<Ended> {
    if !sessions::end(tx, &session.id, now).await? {
        return Ok(Ended::default());
    }
    let mut ended = Ended::default();
    for id in grants::clients_of_session(tx, &session.id, MAX_TOLD).await? {
        let Some(row) = clients::find(tx, &id).await? else { continue };
        let client = Client::from_row(row)?;
        if client.metadata.backchannel_logout_uri.is_some() {
            logout_outbox::insert(tx, (&id, &session.person_id, &sid(&session.id, &id)), now).await?;
        }
        ended.clients.push(client);
    }
    ended.grants_revoked = grants::revoke_of_session(tx, &session.id, now).await?.len();
    Ok(ended)
}
