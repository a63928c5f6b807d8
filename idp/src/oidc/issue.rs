//! Issuing: authorization codes, access tokens (RFC 9068) and ID tokens (OIDC Core §2).

use habilis_keys::jws::{Algorithm, half_hash};
use habilis_keys::secret::Secret;
use habilis_keys::token::{digest, digest_hex};
use habilis_policies::acr::Level;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::audience::Audience;
use super::client::{Client, SharedClient};
use super::request::Request;
use crate::app::App;
use crate::db::Conn;
use crate::db::grants::{self, Grant, NewGrant};
use crate::db::sessions::Session;
use crate::outcome::Outcome;

/// The algorithm of access tokens: 29 times cheaper to sign than RS256, and the resource server is ours or knows RFC 9068.
pub const ACCESS_TOKEN_ALGORITHM: Algorithm = Algorithm::Es256;

/// The strongest level that a sign-in here can reach: a password and a code, or a passkey that checks its holder.
pub const STRONGEST: Level = Level::TwoFactors;

/// Stores a grant, for one of the person's organizations or for none, and gives the code that claims it. The caller holds the person
/// and the session is open: a grant may outlive it, and whoever ends it revokes what was granted by then.
///
/// # Errors
/// The database failed.
pub async fn code(
    c: &mut impl Conn,
    (client, request): (&SharedClient, &Request),
    (session, organization): (&Session, Option<&str>),
    now: Timestamp,
) -> Outcome<Secret<String>> {
    let code = habilis_keys::random::token();
    let life = SignedDuration::from_secs(i64::from(client.settings.profile.rules().code_seconds));
    let code_expires_at = now.saturating_add(life)?;
    let new = NewGrant {
        id: &habilis_keys::random::id("gra", now),
        client: &client.id,
        person: &session.person_id,
        session: Some(&session.id),
        scope: &request.scope,
        claims: request.claims.as_deref(),
        redirect_uri: request.return_to.uri(),
        nonce: request.nonce.as_deref(),
        code_challenge: request.code_challenge.as_deref(),
        auth_time: session.auth_time.into(),
        amr: &session.amr,
        acr: client.settings.acr.name(&request.acr, Level::of(&session.amr)).unwrap_or_default(),
        dpop_jkt: request.dpop_jkt.as_deref(),
        resources: &request.resources,
        organization,
        code_digest: &digest(code.expose()),
        code_expires_at,
        expires_at: code_expires_at,
    };
    grants::insert(c, &new, now).await?;
    Ok(code)
}

/// `sid`: names the session to one client, and to no other (OIDC Back-Channel Logout §2.1).
pub fn sid(session: &str, client: &str) -> String {
    let mut sid = digest_hex(&format!("sid {session} {client}"));
    sid.truncate(32);
    sid
}

#[derive(Serialize)]
struct AccessToken<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    client_id: &'a str,
    scope: &'a str,
    jti: String,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Confirmation<'a>>,
    #[serde(flatten)]
    organization: &'a Map<String, Value>,
}

/// The key an access token is bound to (RFC 9449 §6.1).
#[derive(Serialize)]
struct Confirmation<'a> {
    jkt: &'a str,
}

/// Whom an access token is about.
pub enum Subject<'a> {
    /// A person, through a grant, with what is told of the organization they signed in for.
    Person(&'a Grant, &'a Map<String, Value>),
    /// The client itself.
    Client,
}

/// Signs an access token for `audience`, bound to the key with thumbprint `jkt` if there is one.
///
/// # Errors
/// Signing failed.
pub fn access_token(
    app: &App,
    client: &Client,
    (subject, audience, jkt): (Subject<'_>, &Audience, Option<&str>),
    now: Timestamp,
) -> Outcome<String> {
    let issuer = &app.config.server.issuer;
    let nothing = Map::new();
    let (grant, organization) = match subject {
        Subject::Person(grant, organization) => (Some(grant), organization),
        Subject::Client => (None, &nothing),
    };
    let claims = AccessToken {
        iss: issuer,
        sub: &grant.map_or_else(|| client.id.clone(), |grant| app.subjects.of(client, &grant.person_id)),
        aud: &audience.uri,
        client_id: &client.id,
        scope: &audience.scope.to_string(),
        jti: habilis_keys::random::id("at", now),
        iat: now.as_second(),
        exp: end_of_access(app, grant, now).as_second(),
        grant_id: grant.map(|grant| grant.id.as_str()),
        auth_time: grant.map(|grant| Timestamp::from(grant.auth_time).as_second()),
        acr: grant.map(|grant| grant.acr.as_str()).filter(|acr| !acr.is_empty()),
        cnf: jkt.map(|jkt| Confirmation { jkt }),
        organization,
    };
    app.keys.sign(ACCESS_TOKEN_ALGORITHM, Some("at+jwt"), &claims, now)
}

/// The end of an access token issued `now`: as long as configured, but not beyond the access of its person (R080, R087).
fn end_of_access(app: &App, grant: Option<&Grant>, now: Timestamp) -> Timestamp {
    let end = now.saturating_add(SignedDuration::from_secs(i64::from(app.config.tokens.access_token_seconds)));
    let end = end.unwrap_or(now);
    grant.map_or(end, |grant| grant.at_most(end))
}

/// How many seconds an access token issued `now` lives (RFC 6749 §5.1).
pub fn expires_in(app: &App, grant: Option<&Grant>, now: Timestamp) -> u32 {
    u32::try_from(end_of_access(app, grant, now).as_second() - now.as_second()).unwrap_or(0)
}

/// What a token says that an apprenticeship centre's API key was exchanged for (R102).
pub struct CentreToken<'a> {
    /// The centre, `org_…`.
    pub centre: &'a str,
    /// The vendor's client, or the key itself when the centre comes alone.
    pub client_id: &'a str,
    /// What is said of vendor and centre.
    pub claims: Map<String, Value>,
    /// Its end, no later than the key's.
    pub expires_at: Timestamp,
}

/// Signs an access token for `audience` about a centre, bound to the key with thumbprint `jkt` if there is one.
///
/// # Errors
/// Signing failed.
pub fn centre_token(
    app: &App,
    token: &CentreToken<'_>,
    (audience, jkt): (&Audience, Option<&str>),
    now: Timestamp,
) -> Outcome<String> {
    let claims = AccessToken {
        iss: &app.config.server.issuer,
        sub: token.centre,
        aud: &audience.uri,
        client_id: token.client_id,
        scope: &audience.scope.to_string(),
        jti: habilis_keys::random::id("at", now),
        iat: now.as_second(),
        exp: token.expires_at.as_second(),
        grant_id: None,
        auth_time: None,
        acr: None,
        cnf: jkt.map(|jkt| Confirmation { jkt }),
        organization: &token.claims,
    };
    app.keys.sign(ACCESS_TOKEN_ALGORITHM, Some("at+jwt"), &claims, now)
}

/// Signs an ID token that goes with `access_token`, if there is one; `claims` are those that are wanted in it.
///
/// # Errors
/// Signing failed.
pub fn id_token(
    app: &App,
    client: &Client,
    (grant, access_token, claims): (&Grant, Option<&str>, Map<String, Value>),
    now: Timestamp,
) -> Outcome<String> {
    let mut token = claims;
    let mut set = |name: &str, value: Value| {
        token.insert(name.to_owned(), value);
    };
    set("iss", json!(app.config.server.issuer));
    set("sub", json!(app.subjects.of(client, &grant.person_id)));
    set("aud", json!(client.id));
    set("iat", json!(now.as_second()));
    let end = now.saturating_add(SignedDuration::from_secs(i64::from(app.config.tokens.id_token_seconds)))?;
    set("exp", json!(grant.at_most(end).as_second()));
    set("auth_time", json!(Timestamp::from(grant.auth_time).as_second()));
    if !grant.acr.is_empty() {
        set("acr", json!(grant.acr));
    }
    set("amr", json!(grant.amr.split(' ').collect::<Vec<_>>()));
    if let Some(access_token) = access_token {
        set("at_hash", json!(half_hash(client.id_token_algorithm, access_token)));
    }
    if let Some(nonce) = &grant.nonce {
        set("nonce", json!(nonce));
    }
    if let Some(session) = grant.session_id.as_ref().filter(|_| client.follows_sessions()) {
        set("sid", json!(sid(session, &client.id)));
    }
    app.keys.sign(client.id_token_algorithm, None, &token, now)
}
