//! `authorization_code`: a code is exchanged once (RFC 6749 §4.1.3). A second use revokes all that came of the first (§10.5).

use habilis_keys::pkce::matches_s256;
use habilis_keys::token::digest;
use habilis_policies::calendar;
use habilis_policies::codes::{self, CodeRefusal, Facts, Verifier};
use habilis_policies::identifiers::OrganizationKind;
use habilis_policies::memberships;
use habilis_policies::scopes::Scope;
use jiff::{SignedDuration, Timestamp};

use super::{Holder, Tokens, tokens};
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::grants::{self, Grant};
use crate::db::refresh_tokens;
use crate::oidc::audience;
use crate::oidc::client::{Authentication, Client};
use crate::oidc::error::Refusal;
use crate::oidc::life;
use crate::outcome::Outcome;

/// What the request presents.
pub(super) struct Presented {
    pub(super) code: String,
    pub(super) redirect_uri: Option<String>,
    pub(super) code_verifier: Option<String>,
}

pub(super) async fn redeem(
    app: &App,
    holder: Holder<'_>,
    presented: Presented,
    now: Timestamp,
) -> Outcome<Result<Tokens, Refusal>> {
    let client = holder.client;
    let found = grants::find_by_code(&mut app.db.reader().await?, &digest(&presented.code), now).await?;
    let Some(mut grant) = found else { return Ok(Err(Refusal::invalid_grant("the code is unknown"))) };
    let withdrawn = life::is_over(&mut app.db.reader().await?, &mut grant, client, now).await?;
    let facts = Facts {
        issued_to: &grant.client_id,
        presented_by: &client.id,
        sent_to: &grant.redirect_uri,
        redirect_uri: presented.redirect_uri.as_deref(),
        expires_at: grant.code_expires_at.into(),
        verifier: verifier(grant.code_challenge.as_deref(), presented.code_verifier.as_deref()),
        withdrawn,
    };
    let decision = codes::redeem(&facts, now);
    if grant.code_used_at.is_some() && decision != Err(CodeRefusal::OtherClient) {
        return used_before(app, &grant, now).await;
    }
    if let Err(refusal) = decision {
        return Ok(Err(Refusal::invalid_grant(refusal.to_string())));
    }
    if let Err(refusal) = holder.holds(grant.dpop_jkt.as_deref()) {
        return Ok(Err(refusal));
    }

    let scope = Scope::parse(&grant.scope).unwrap_or_default();
    let audience = match audience::of_grant(app, (&grant, &scope), holder.resources).await? {
        Ok(audience) => audience,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if let Err(refusal) = life::connects(app, &grant, client, now).await? {
        return Ok(Err(refusal));
    }
    let mut tokens = tokens(app, holder, (&grant, &scope, &audience), now).await?;
    let claimed = if client.metadata.allows_grant("refresh_token") {
        let refresh_token = habilis_keys::random::token();
        // RFC 9449 §5: what a public client holds is bound to its key; a confidential one proves itself each time.
        let bound = holder.jkt.filter(|_| client.authentication == Authentication::None);
        let days = i64::from(app.config.tokens.refresh_token_days);
        let expires_at = grant.at_most(now.saturating_add(SignedDuration::from_hours(24 * days))?);
        let mut tx = app.db.begin().await?;
        let claimed = grants::claim_code(&mut tx, &grant.id, now, expires_at).await?;
        if claimed {
            let digest = digest(refresh_token.expose());
            refresh_tokens::insert(&mut tx, &digest, (&grant.id, expires_at, bound), now).await?;
        }
        tx.commit().await?;
        tokens.refresh_token = Some(refresh_token.expose().clone());
        claimed
    } else {
        // A second use is recognised as long as a token of the first may live.
        let keep = SignedDuration::from_secs(2 * i64::from(app.config.tokens.access_token_seconds));
        let keep_until = now.saturating_add(keep)?;
        let mut single = app.db.single().await?;
        let claimed = grants::claim_code(&mut single, &grant.id, now, keep_until).await?;
        single.commit().await?;
        claimed
    };
    if claimed { Ok(Ok(tokens)) } else { used_before(app, &grant, now).await }
}

/// Whether sign-out, suspension or revocation took the grant back, or the person no longer acts for the organization they signed
/// in for: the membership ended or was suspended, the organization was, or the portal is closed to its kind now (R009). What an
/// organization or a portal was suspended after stays dead when the suspension is lifted (R083).
pub fn is_withdrawn(grant: &Grant, client: &Client, now: Timestamp) -> bool {
    grant.is_revoked() || client.ended_since(grant.created_at.into()) || !is_acting(grant, client, now)
}

fn is_acting(grant: &Grant, client: &Client, now: Timestamp) -> bool {
    let admitted = &client.settings.organization_kinds[..];
    if grant.organization_id.is_none() {
        return admitted.is_empty();
    }
    let facts = memberships::Facts {
        membership: grant.membership_status.as_deref().unwrap_or_default(),
        organization: grant.organization_status.as_deref().unwrap_or_default(),
        ends_on: grant.membership_ends_on.as_deref(),
    };
    let kind = grant.organization_kind.as_deref().and_then(OrganizationKind::parse);
    memberships::in_force(&facts, calendar::date_at(now)) && memberships::admits(admitted, kind)
}

fn verifier(challenge: Option<&str>, verifier: Option<&str>) -> Verifier {
    match (challenge, verifier) {
        (None, None) => Verifier::NotUsed,
        (None, Some(_)) => Verifier::Unexpected,
        (Some(_), None) => Verifier::Missing,
        (Some(challenge), Some(verifier)) if matches_s256(verifier, challenge) => Verifier::Matches,
        (Some(_), Some(_)) => Verifier::Differs,
    }
}

async fn used_before(app: &App, grant: &Grant, now: Timestamp) -> Outcome<Result<Tokens, Refusal>> {
    let mut tx = app.db.begin().await?;
    if grants::revoke(&mut tx, &grant.id, now).await? {
        let event = Event::new("grant.revoked")
            .about(&grant.person_id)
            .at_client(&grant.client_id)
            .with("grant", grant.id.clone())
            .with("reason", "code_reuse");
        audit::record(&mut tx, event, now).await?;
    }
    tx.commit().await?;
    Ok(Err(Refusal::invalid_grant("the code was used before")))
}
