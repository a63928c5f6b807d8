//! Passkeys (Web Authentication Level 3): adding one, and signing in with one.
//!
//! Each is discoverable, so nobody types a name, and checks its holder (fingerprint, face, PIN): alone it is two factors.
//! The script fetches a challenge, the browser answers it, and the answer comes back in an ordinary form. Guesses at a
//! password delay nothing here: a valid passkey always gets in.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use habilis_keys::token::digest;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use url::Url;
use webauthn_rs::prelude::{
    DiscoverableAuthentication, DiscoverableKey, Passkey, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, Uuid,
};
use webauthn_rs::{Webauthn, WebauthnBuilder};
use webauthn_rs_proto::ResidentKeyRequirement;

use super::factors;
use super::finish::{Arrival, Proven, Way, finish};
use super::pages::LoginProblem;
use crate::app::App;
use crate::config::Config;
use crate::db::audit::{self, Event};
use crate::db::passkeys::{self, NewCeremony, NewPasskey};
use crate::db::people::{self, Person};
use crate::db::{Tx, is_unique_violation, second_factors};
use crate::mail::factors::Change;
use crate::oidc::error::no_store;
use crate::outcome::{Fault, Outcome};
use crate::web::cookies::{Browser, Cookies};
use crate::web::params::Params;
use crate::web::{Form, Origin};

/// How long a challenge waits for its answer.
const CEREMONY: SignedDuration = SignedDuration::from_mins(5);
/// Longest answer worth a look, in bytes.
const MAX_ANSWER: usize = 32 * 1024;

/// Where the script fetches the challenge of a sign-in.
pub const OPTIONS_PATH: &str = "/passkey/options";

/// This server as a relying party of passkeys; none where the issuer has an address in place of a name, which browsers
/// refuse. Passkeys are bound to the issuer's host name for good.
pub fn relying_party(config: &Config) -> Option<Webauthn> {
    let issuer = Url::parse(&config.server.issuer).ok()?;
    let host = issuer.domain()?;
    let timeout = Duration::from_secs(u64::try_from(CEREMONY.as_secs()).ok()?);
    WebauthnBuilder::new(host, &issuer).ok()?.rp_name(&config.pages.name).timeout(timeout).build().ok()
}

/// The name of a person to authenticators: it tells nothing about them (Web Authentication §14.6.1).
fn user_handle(person: &str) -> Uuid {
    let mut handle = [0; 16];
    handle.iter_mut().zip(digest(&format!("passkey user {person}"))).for_each(|(to, from)| *to = from);
    Uuid::from_bytes(handle)
}

fn relying(app: &App) -> Outcome<&Webauthn> {
    app.passkeys.as_ref().ok_or_else(|| Fault::new("the issuer has no host name"))
}

/// `/passkey/options`: a challenge for a sign-in, to the script.
///
/// # Errors
/// The database failed.
pub async fn options(State(app): State<App>, origin: Origin, cookies: Cookies, Form(form): Form) -> Outcome {
    let now = app.clock.now();
    let Some(browser) = sender(&app, &cookies, form.ok().as_ref()) else { return Ok(stale_script()) };
    // A waiting challenge is a row: how many one network may leave behind is bounded.
    if app.passkeys.is_none() || !app.begun.admit(&origin.network()) {
        return Ok((StatusCode::TOO_MANY_REQUESTS, no_store(), Json(json!({ "error": "too_many" }))).into_response());
    }
    let (mut options, state) = relying(&app)?.start_discoverable_authentication()?;
    // Whether it waits in the field's suggestions is the script's choice.
    options.mediation = None;
    begin(&app, (&browser, None), (&json!(options), &serde_json::to_string(&state)?), now).await
}

/// The browser a script of ours speaks from.
pub fn sender(app: &App, cookies: &Cookies, form: Option<&Params>) -> Option<Browser> {
    let browser = cookies.browser.clone()?;
    browser.sent(app, form?.get("csrf")).then_some(browser)
}

/// What a script is told whose page is too old.
pub fn stale_script() -> Response {
    (StatusCode::FORBIDDEN, no_store(), Json(json!({ "error": "stale" }))).into_response()
}

/// A challenge for a new passkey of `person`, to the script.
///
/// # Errors
/// The database failed.
pub async fn new_options(app: &App, (browser, person): (&Browser, &Person), now: Timestamp) -> Outcome {
    let known = passkeys::of_person(&mut app.db.reader().await?, &person.id).await?;
    let known = known.iter().map(|passkey| Ok(read(&passkey.credential)?.cred_id().clone()));
    let known = known.collect::<Outcome<Vec<_>>>()?;
    let shown = format!("{} {}", person.given_name, person.family_name);
    let (mut options, state) =
        relying(app)?.start_passkey_registration(user_handle(&person.id), &person.login, &shown, Some(known))?;
    if let Some(selection) = options.public_key.authenticator_selection.as_mut() {
        selection.resident_key = Some(ResidentKeyRequirement::Required);
        selection.require_resident_key = true;
    }
    begin(app, (browser, Some(&person.id)), (&json!(options), &serde_json::to_string(&state)?), now).await
}

async fn begin(
    app: &App,
    (browser, person): (&Browser, Option<&str>),
    (options, state): (&Value, &str),
    now: Timestamp,
) -> Outcome {
    let id = habilis_keys::random::id("cer", now);
    let new = NewCeremony {
        id: &id,
        browser_digest: &browser.digest(),
        person,
        state,
        expires_at: now.saturating_add(CEREMONY)?,
    };
    let mut single = app.db.single().await?;
    passkeys::begin(&mut single, &new).await?;
    single.commit().await?;
    Ok((no_store(), Json(json!({ "ceremony": id, "options": options["publicKey"] }))).into_response())
}

fn read(credential: &str) -> Outcome<Passkey> {
    Ok(serde_json::from_str(credential)?)
}

/// An answer that was right, not yet written down.
struct Answered {
    id: String,
    person: String,
    amr: String,
    before: String,
    after: String,
}

/// Signs in with the passkey whose answer `params` carry, or says why not.
///
/// # Errors
/// The database or a template failed.
pub async fn sign_in(
    app: &App,
    (way, arrival): (Way, Arrival<'_>),
    params: &mut Params,
    now: Timestamp,
) -> Outcome<Result<Response, LoginProblem>> {
    let Some(answered) = answered(app, (arrival.browser, arrival.origin), params, now).await? else {
        metrics::counter!("habilis_sign_ins_total", "outcome" => "refused").increment(1);
        return Ok(Err(LoginProblem::PasskeyRefused));
    };
    let mut tx = app.db.begin().await?;
    people::lock(&mut tx, &answered.person).await?;
    if !passkeys::used(&mut tx, &answered.id, (&answered.before, &answered.after), now).await? {
        return Ok(Err(LoginProblem::PasskeyRefused));
    }
    let proven = Proven { person: &answered.person, amr: &answered.amr, since: None };
    finish(tx, app, (way, arrival, proven), now).await
}

async fn answered(
    app: &App,
    (browser, origin): (&Browser, &Origin),
    params: &mut Params,
    now: Timestamp,
) -> Outcome<Option<Answered>> {
    let Some(relying) = &app.passkeys else { return Ok(None) };
    let ceremony = params.take("ceremony").unwrap_or_default();
    let Some(answer) = params.take("credential").filter(|answer| answer.len() <= MAX_ANSWER) else { return Ok(None) };
    let mut single = app.db.single().await?;
    let claimed = passkeys::claim(&mut single, &ceremony, &browser.digest(), now).await?;
    single.commit().await?;
    let Some(claimed) = claimed.filter(|claimed| claimed.person_id.is_none()) else { return Ok(None) };
    let state: DiscoverableAuthentication = serde_json::from_str(&claimed.state)?;
    let Ok(answer) = serde_json::from_str::<PublicKeyCredential>(&answer) else { return Ok(None) };
    let Ok((handle, credential_id)) = relying.identify_discoverable_authentication(&answer) else { return Ok(None) };
    let found = passkeys::find(&mut app.db.reader().await?, credential_id).await?;
    let Some(found) = found.filter(|found| user_handle(&found.person_id) == handle) else { return Ok(None) };
    let mut passkey = read(&found.credential)?;
    let key = DiscoverableKey::from(&passkey);
    let result = match relying.finish_discoverable_authentication_v2(&answer, state, &key) {
        Ok(result) if result.user_verified() => result,
        refused => {
            // Above all a counter that went back: somebody may have copied the key (WebAuthn §6.1.1).
            let reason = refused.err().map_or_else(|| "user not verified".to_owned(), |error| error.to_string());
            let event = Event::new("sign_in.refused").about(&found.person_id).from(origin).with("method", "passkey");
            let mut tx = app.db.begin().await?;
            audit::record(&mut tx, event.with("reason", reason), now).await?;
            tx.commit().await?;
            return Ok(None);
        }
    };
    passkey.update_credential(&result);
    let amr = methods(result.backup_eligible());
    let after = serde_json::to_string(&passkey)?;
    Ok(Some(Answered { id: found.id, person: found.person_id, amr: amr.to_owned(), before: found.credential, after }))
}

/// What `amr` says of a passkey that checked its holder (RFC 8176 §2): one that can be copied to other devices is kept in
/// software, one that cannot is bound to its device.
fn methods(copied: bool) -> &'static str {
    if copied { "pop swk user mfa" } else { "pop hwk user mfa" }
}

/// Whether a new passkey was taken.
#[derive(Debug)]
pub enum Registered {
    /// It was; what `amr` says of it.
    Added(&'static str),
    /// Its answer could not be read, was late, or was not for this.
    Refused,
    /// There are as many as can be.
    TooMany,
}

/// Adds the passkey whose answer `params` carry. The caller holds the lock on the person, and commits when it was added.
///
/// # Errors
/// The database or a template failed.
pub async fn register(
    tx: &mut Tx,
    app: &App,
    (person, browser, origin): (&str, &Browser, &Origin),
    (params, now): (&mut Params, Timestamp),
) -> Outcome<Registered> {
    let Some(relying) = &app.passkeys else { return Ok(Registered::Refused) };
    let ceremony = params.take("ceremony").unwrap_or_default();
    let answer = params.take("credential").filter(|answer| answer.len() <= MAX_ANSWER);
    let claimed = passkeys::claim(tx, &ceremony, &browser.digest(), now).await?;
    let claimed = claimed.filter(|claimed| claimed.person_id.as_deref() == Some(person));
    let Some((claimed, answer)) = claimed.zip(answer) else { return Ok(Registered::Refused) };
    if second_factors::find(tx, person, now).await?.passkeys >= factors::MAX_PASSKEYS {
        return Ok(Registered::TooMany);
    }
    let state: PasskeyRegistration = serde_json::from_str(&claimed.state)?;
    let Ok(answer) = serde_json::from_str::<RegisterPublicKeyCredential>(&answer) else {
        return Ok(Registered::Refused);
    };
    let Ok(passkey) = relying.finish_passkey_registration(&answer, &state) else { return Ok(Registered::Refused) };
    let otherwise = crate::mail::letters::device(&origin.user_agent);
    let new = NewPasskey {
        id: &habilis_keys::random::id("pky", now),
        person,
        credential_id: passkey.cred_id().as_slice(),
        credential: &serde_json::to_string(&passkey)?,
        name: &factors::name(params.get("name"), &otherwise),
    };
    match passkeys::insert(tx, &new, now).await {
        Err(error) if is_unique_violation(&error) => return Ok(Registered::Refused),
        inserted => inserted?,
    }
    factors::changed(tx, app, (person, Change::PasskeyAdded, origin), now).await?;
    let credential: webauthn_rs::prelude::Credential = passkey.into();
    Ok(Registered::Added(methods(credential.backup_eligible)))
}

#[cfg(test)]
mod tests {
    use habilis_policies::acr::Level;

    use super::*;

    fn config(issuer: &str) -> Config {
        let issuer = ("HABILIS__SERVER__ISSUER".to_owned(), issuer.to_owned());
        Config::load(None, [issuer].into_iter()).unwrap()
    }

    #[test]
    fn passkeys_want_a_name() {
        assert!(relying_party(&config("https://compte.example.fr")).is_some());
        assert!(relying_party(&config("http://localhost:8080")).is_some());
        assert!(relying_party(&config("http://127.0.0.1:8080")).is_none());
    }

    #[test]
    fn a_passkey_alone_is_two_factors() {
        for copied in [true, false] {
            assert_eq!(Level::of(methods(copied)), Level::TwoFactors);
        }
    }

    #[test]
    fn a_handle_names_one_person_and_tells_nothing() {
        assert_eq!(user_handle("usr_1"), user_handle("usr_1"));
        assert_ne!(user_handle("usr_1"), user_handle("usr_2"));
        assert!(!user_handle("usr_1").as_bytes().starts_with(b"usr"));
    }
}
