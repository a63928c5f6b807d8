//! `refresh_token` (RFC 6749 §6, RFC 9700 §4.14): kept for confidential clients, rotated for public ones; a copied token ends
//! its whole family. The rules are in `policies::tokens`.

use habilis_keys::token::digest;
use habilis_policies::scopes::Scope;
use habilis_policies::tokens::{Facts, Kind, Refresh, refresh as decide};
use jiff::{SignedDuration, Timestamp};

use super::{Holder, Tokens, tokens};
use crate::account::sharing;
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::grants::{self, Grant};
use crate::db::refresh_tokens;
use crate::oidc::audience;
use crate::oidc::client::Authentication;
use crate::oidc::error::Refusal;
use crate::oidc::life;
use crate::outcome::Outcome;

pub(super) async fn refresh(
    app: &App,
    holder: Holder<'_>,
    (token, narrower): (&str, Option<Scope>),
    now: Timestamp,
) -> Outcome<Result<Tokens, Refusal>> {
    let client = holder.client;
    let unknown = || Ok(Err(Refusal::invalid_grant("the refresh token is unknown")));
    let digest_of_token = digest(token);
    let mut reader = app.db.reader().await?;
    let Some(stored) = refresh_tokens::find(&mut reader, &digest_of_token).await? else { return unknown() };
    let Some(mut grant) = grants::find(&mut reader, &stored.grant_id, now).await? else { return unknown() };
    let withdrawn = life::is_over(&mut reader, &mut grant, client, now).await?;
    drop(reader);
    let facts = Facts {
        issued_to: &grant.client_id,
        presented_by: &client.id,
        client: if client.authentication == Authentication::None { Kind::Public } else { Kind::Confidential },
        expires_at: stored.expires_at.into(),
        replaced_at: stored.replaced_at.map(Timestamp::from),
        withdrawn,
    };
    let rotate = match decide(&facts, now) {
        Refresh::Keep => false,
        Refresh::Rotate => true,
        Refresh::Refuse(refusal) => return Ok(Err(Refusal::invalid_grant(refusal.to_string()))),
        Refresh::Revoke => return copied(app, &grant, now).await,
    };
    if let Err(refusal) = holder.holds(stored.dpop_jkt.as_deref()) {
        return Ok(Err(refusal));
    }
    let granted = Scope::parse(&grant.scope).unwrap_or_default();
    let scope = match narrower {
        None => granted,
        Some(narrower) if narrower.is_within(&granted) => narrower,
        Some(_) => return Ok(Err(Refusal::new("invalid_scope", "the scope exceeds what was granted"))),
    };
    let audience = match audience::of_grant(app, (&grant, &scope), holder.resources).await? {
        Ok(audience) => audience,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if let Err(refusal) = life::connects(app, &grant, client, now).await? {
        return Ok(Err(refusal));
    }
    sharing::used_at_portal(app, &grant, now).await?;
    let mut tokens = tokens(app, holder, (&grant, &scope, &audience), now).await?;
    if rotate {
        let next = habilis_keys::random::token();
        let days = i64::from(app.config.tokens.refresh_token_days);
        let expires_at = grant.at_most(now.saturating_add(SignedDuration::from_hours(24 * days))?);
        let mut tx = app.db.begin().await?;
        refresh_tokens::replace(&mut tx, &digest_of_token, now).await?;
        refresh_tokens::insert(
            &mut tx,
            &digest(next.expose()),
            (&grant.id, expires_at, stored.dpop_jkt.as_deref()),
            now,
        )
        .await?;
        grants::extend(&mut tx, &grant.id, expires_at).await?;
        tx.commit().await?;
        tokens.refresh_token = Some(next.expose().clone());
    } else {
        tokens.refresh_token = Some(token.to_owned());
    }
    Ok(Ok(tokens))
}

async fn copied(app: &App, grant: &Grant, now: Timestamp) -> Outcome<Result<Tokens, Refusal>> {
    let mut tx = app.db.begin().await?;
    if grants::revoke(&mut tx, &grant.id, now).await? {
        let event = Event::new("grant.revoked")
            .about(&grant.person_id)
            .at_client(&grant.client_id)
            .with("grant", grant.id.clone())
            .with("reason", "refresh_token_reuse");
        audit::record(&mut tx, event, now).await?;
    }
    tx.commit().await?;
    Ok(Err(Refusal::invalid_grant("the refresh token was used before")))
}
