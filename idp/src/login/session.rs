//! The session of a browser at the provider.

use std::collections::BTreeMap;

use habilis_keys::secret::Secret;
use habilis_keys::token::digest;
use habilis_policies::sessions::{self as limits, Admission, Beyond, TOUCH_EVERY, is_alive};
use jiff::Timestamp;

use crate::account::sharing;
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::sessions::{self, NewSession, Session};
use crate::db::{Tx, clients, grants, logout_outbox, members, people};
use crate::mail;
use crate::mail::accounts::AccountLetter;
use crate::mail::letters::device;
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
    let Some(session) = sessions::find(&mut app.db.reader().await?, &digest(cookie.expose()), now).await? else {
        return Ok(None);
    };
    let last_seen = Timestamp::from(session.last_seen_at);
    let alive = is_alive(last_seen, session.expires_at.into(), &app.config.session_limits(), now);
    if !alive || session.person_status != "active" {
        return Ok(None);
    }
    if now.duration_since(last_seen) >= TOUCH_EVERY {
        let mut single = app.db.single().await?;
        sessions::touch(&mut single, &session.id, &cookies.network, now).await?;
        single.commit().await?;
        sharing::look(app, &session.person_id, now).await?;
    }
    Ok(Some(session))
}

/// Locks the person of a session, and says whether it is open still. Whoever ends it holds the person: what is written after this
/// was allowed by a session, and not by one that a report or a new password ended while the request was on its way.
///
/// # Errors
/// The database failed.
pub async fn still_open(tx: &mut Tx, session: &Session, now: Timestamp) -> Outcome<bool> {
    people::lock(tx, &session.person_id).await?;
    Ok(sessions::is_open(tx, &session.id, now).await?)
}

/// How a person has just authenticated.
#[derive(Debug)]
pub struct Authenticated<'a> {
    /// Who.
    pub person: &'a str,
    /// RFC 8176 values, space separated.
    pub amr: &'a str,
    /// When the first factor was given, if a second one is added to a session; none for a whole sign-in, which is now.
    pub since: Option<Timestamp>,
}

/// Whether one more session of `person` may begin, where the policy refuses it rather than end another. `old` is the session
/// this browser has already. Keeps others from signing in to the account until the transaction ends.
///
/// # Errors
/// The database failed.
pub async fn has_room(
    tx: &mut Tx,
    app: &App,
    (person, old): (&str, Option<&Session>),
    now: Timestamp,
) -> Outcome<bool> {
    let (most, beyond) = app.config.accounts.session_limit();
    if most == 0 || beyond == Beyond::EndOldest || old.is_some_and(|old| old.person_id == person) {
        return Ok(true);
    }
    people::lock(tx, person).await?;
    let alive = alive(tx, app, person, now).await?;
    let alive: Vec<_> = alive.iter().map(|found| (found.id.as_str(), found.last_seen_at.into())).collect();
    Ok(limits::admit(&alive, (most, beyond)) != Admission::NoRoom)
}

async fn alive(tx: &mut Tx, app: &App, person: &str, now: Timestamp) -> Outcome<Vec<sessions::Device>> {
    let idle = app.config.session_limits().idle;
    let mut found = sessions::of_person(tx, person, now).await?;
    found.retain(|session| now.duration_since(session.last_seen_at.into()) < idle);
    Ok(found)
}

/// Ends the sessions used longest ago, so that one more stays within the limit, and tells the person.
async fn make_room(tx: &mut Tx, app: &App, person: &str, now: Timestamp) -> Outcome<()> {
    let (most, _) = app.config.accounts.session_limit();
    if most == 0 {
        return Ok(());
    }
    people::lock(tx, person).await?;
    let alive = alive(tx, app, person, now).await?;
    let facts: Vec<_> = alive.iter().map(|found| (found.id.as_str(), found.last_seen_at.into())).collect();
    let Admission::Begin { ending } = limits::admit(&facts, (most, Beyond::EndOldest)) else { return Ok(()) };
    for id in ending {
        let ended = end_by_id(tx, (id, person), now).await?;
        let event = Event::new("session.ended")
            .about(person)
            .with("session", id)
            .with("reason", "limit")
            .with("grants_revoked", ended.grants_revoked);
        audit::record(tx, event, now).await?;
        let user_agent = alive.iter().find(|found| found.id == id).map_or("", |found| found.user_agent.as_str());
        let letter = AccountLetter::SessionEnded { device: device(user_agent), most };
        mail::write(tx, app, (person, &letter), now).await?;
    }
    Ok(())
}

/// Starts a session, or renews the one this browser has for the same person. Another person's session ends first; so do
/// those of the same person beyond `accounts.sessions_per_person`.
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
    let auth_time = authenticated.since.unwrap_or(now);
    members::used(tx, authenticated.person, auth_time).await?;
    if let Some(old) = old {
        let renewed = (&digest[..], amr, auth_time, &origin.wider_network()[..]);
        if old.person_id == authenticated.person && sessions::renew(tx, &old.id, renewed, now).await? {
            let renewed = Session { auth_time: auth_time.into(), last_seen_at: now.into(), amr: amr.to_owned(), ..old };
            return Ok((renewed, cookie));
        }
        end(tx, &old, now).await?;
    }
    make_room(tx, app, authenticated.person, now).await?;
    let id = habilis_keys::random::id("ses", now);
    let expires_at = now.saturating_add(app.config.session_limits().absolute)?;
    let new = NewSession {
        id: &id,
        digest: &digest,
        person: authenticated.person,
        amr,
        address: &origin.address.to_string(),
        user_agent: &origin.user_agent,
        network: &origin.wider_network(),
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

/// Most logout tokens that the end of all sessions of a person puts into the outbox.
const MAX_TOLD_AT_ONCE: u32 = 1000;

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
    end_by_id(tx, (&session.id, &session.person_id), now).await
}

/// The same, by the ids of the session and its person.
///
/// # Errors
/// The database failed.
pub async fn end_by_id(tx: &mut Tx, (session, person): (&str, &str), now: Timestamp) -> Outcome<Ended> {
    if !sessions::end(tx, session, now).await? {
        return Ok(Ended::default());
    }
    let mut ended = Ended::default();
    for id in grants::clients_of_session(tx, session, MAX_TOLD).await? {
        let Some(row) = clients::find(tx, &id).await? else { continue };
        let client = Client::from_row(row)?;
        if client.metadata.backchannel_logout_uri.is_some() {
            logout_outbox::insert(tx, (&id, person, &sid(session, &id)), now).await?;
        }
        ended.clients.push(client);
    }
    ended.grants_revoked = grants::revoke_of_session(tx, session, now).await?.len();
    Ok(ended)
}

/// Ends every session of a person but `kept` (empty: every one), puts a logout token for each client that knew of one into the
/// outbox, and says how many sessions ended. What was granted in them is the caller's to revoke, afterwards. The tokens leave with
/// the next round of the jobs: wake them by `app.mail_waiting` after the commit.
///
/// # Errors
/// The database failed.
pub async fn end_of_person(tx: &mut Tx, (person, kept): (&str, &str), now: Timestamp) -> Outcome<u64> {
    tell_portals(tx, (person, kept), now).await?;
    Ok(sessions::end_others(tx, person, kept, now).await?)
}

/// Puts a logout token for each client that knew of a session of a person but `kept` (empty: of any) into the outbox. The sessions stay; what
/// was granted in them is the caller's to revoke, afterwards. The tokens leave as those of [`end_of_person`].
///
/// # Errors
/// The database failed.
pub async fn tell_portals(tx: &mut Tx, (person, kept): (&str, &str), now: Timestamp) -> Outcome<()> {
    let mut listening = BTreeMap::new();
    for (session, id) in grants::knowing_of_person(tx, (person, kept), MAX_TOLD_AT_ONCE, now).await? {
        if !listening.contains_key(&id) {
            let client = clients::find(tx, &id).await?.map(Client::from_row).transpose()?;
            let listens = client.is_some_and(|client| client.metadata.backchannel_logout_uri.is_some());
            listening.insert(id.clone(), listens);
        }
        if listening.get(&id) == Some(&true) {
            logout_outbox::insert(tx, (&id, person, &sid(&session, &id)), now).await?;
        }
    }
    Ok(())
}
