//! `urn:ietf:params:oauth:grant-type:device_code` (RFC 8628 §3.4): a device asks again and again until its person answered.
//! The rule is in `policies::device`.

use habilis_keys::token::digest;
use habilis_policies::device::{Answer, Facts, State, poll};
use habilis_policies::scopes::Scope;
use jiff::{SignedDuration, Timestamp};

use super::{Holder, Tokens, tokens};
use crate::app::App;
use crate::db::device_requests::{self, DeviceRequest};
use crate::db::{grants, refresh_tokens};
use crate::oidc::audience;
use crate::oidc::client::Authentication;
use crate::oidc::error::Refusal;
use crate::oidc::life;
use crate::outcome::Outcome;

pub(super) async fn redeem(
    app: &App,
    holder: Holder<'_>,
    device_code: &str,
    now: Timestamp,
) -> Outcome<Result<Tokens, Refusal>> {
    let digest_of_code = digest(device_code);
    let unknown = || Ok(Err(Refusal::invalid_grant("the device code is unknown")));
    // Guesses do not take the one writer.
    if !device_requests::exists(&mut app.db.reader().await?, &digest_of_code).await? {
        return unknown();
    }
    let mut tx = app.db.begin().await?;
    let Some(request) = device_requests::lock(&mut tx, &digest_of_code).await? else { return unknown() };
    let interval_seconds = u32::try_from(request.interval_seconds).unwrap_or(u32::MAX);
    let facts = Facts {
        issued_to: &request.client_id,
        presented_by: &holder.client.id,
        expires_at: request.expires_at.into(),
        polled_at: request.polled_at.map(Timestamp::from),
        interval_seconds,
        state: state(&request),
    };
    let refusal = match poll(&facts, now) {
        Answer::Redeem => {
            tx.commit().await?;
            return give(app, holder, (&digest_of_code, request), now).await;
        }
        Answer::Pending => {
            device_requests::polled(&mut tx, &digest_of_code, interval_seconds, now).await?;
            Refusal::new("authorization_pending", "the person has not answered yet")
        }
        Answer::SlowDown(interval_seconds) => {
            device_requests::polled(&mut tx, &digest_of_code, interval_seconds, now).await?;
            Refusal::new("slow_down", format!("ask every {interval_seconds} seconds at most"))
        }
        Answer::Denied => Refusal::new("access_denied", "the person declined"),
        Answer::Expired => Refusal::new("expired_token", "the device code has expired"),
        Answer::Used => Refusal::invalid_grant("the device code was used before"),
        Answer::OtherClient => Refusal::invalid_grant("the device code was issued to another client"),
    };
    tx.commit().await?;
    Ok(Err(refusal))
}

fn state(request: &DeviceRequest) -> State {
    if request.redeemed_at.is_some() {
        State::Redeemed
    } else if request.denied_at.is_some() {
        State::Denied
    } else if request.grant_id.is_some() {
        State::Allowed
    } else {
        State::Pending
    }
}

/// Gives the tokens of an allowed request. Signing takes its time outside of any transaction; who claims the code first has them.
async fn give(
    app: &App,
    holder: Holder<'_>,
    (digest_of_code, request): (&[u8], DeviceRequest),
    now: Timestamp,
) -> Outcome<Result<Tokens, Refusal>> {
    let client = holder.client;
    let mut reader = app.db.reader().await?;
    let found = match &request.grant_id {
        Some(id) => grants::find(&mut reader, id, now).await?,
        None => None,
    };
    let over = || Ok(Err(Refusal::invalid_grant("the grant is no longer valid")));
    let Some(mut grant) = found else { return over() };
    if life::is_over(&mut reader, &mut grant, client, now).await? {
        return over();
    }
    drop(reader);
    let scope = Scope::parse(&grant.scope).unwrap_or_default();
    let audience = match audience::of_grant(app, (&grant, &scope), holder.resources).await? {
        Ok(audience) => audience,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if let Err(refusal) = life::connects(app, &grant, client, now).await? {
        return Ok(Err(refusal));
    }
    let mut tokens = tokens(app, holder, (&grant, &scope, &audience), now).await?;
    let refreshes = client.metadata.allows_grant("refresh_token");
    let keep = if refreshes {
        SignedDuration::from_hours(24 * i64::from(app.config.tokens.refresh_token_days))
    } else {
        SignedDuration::from_secs(2 * i64::from(app.config.tokens.access_token_seconds))
    };
    let keep_until = grant.at_most(now.saturating_add(keep)?);
    let mut tx = app.db.begin().await?;
    if !device_requests::redeem(&mut tx, digest_of_code, now).await?
        || !grants::claim_code(&mut tx, &grant.id, now, keep_until).await?
    {
        return Ok(Err(Refusal::invalid_grant("the device code was used before")));
    }
    if refreshes {
        let refresh_token = habilis_keys::random::token();
        // RFC 9449 §5: what a public client holds is bound to its key; a confidential one proves itself each time.
        let bound = holder.jkt.filter(|_| client.authentication == Authentication::None);
        let digest = digest(refresh_token.expose());
        refresh_tokens::insert(&mut tx, &digest, (&grant.id, keep_until, bound), now).await?;
        tokens.refresh_token = Some(refresh_token.expose().clone());
    }
    tx.commit().await?;
    Ok(Ok(tokens))
}
