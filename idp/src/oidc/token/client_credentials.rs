//! `client_credentials` (RFC 6749 §4.4): a service acts for itself. Nothing is stored: the token says all and lives briefly.

use habilis_policies::scopes::Scope;
use jiff::Timestamp;

use super::{Holder, Tokens};
use crate::app::App;
use crate::oidc::audience;
use crate::oidc::client::SCOPES;
use crate::oidc::error::Refusal;
use crate::oidc::issue::{self, Subject};
use crate::outcome::Outcome;

pub(super) async fn grant(
    app: &App,
    holder: Holder<'_>,
    asked: Option<Scope>,
    now: Timestamp,
) -> Outcome<Result<Tokens, Refusal>> {
    let client = holder.client;
    // The scopes about a person mean nothing where there is none.
    let allowed = SCOPES.iter().fold(client.scope.clone(), |scope, token| scope.without(token));
    let scope = match asked {
        None => allowed,
        Some(asked) if asked.is_within(&allowed) => asked,
        Some(_) => return Ok(Err(Refusal::new("invalid_scope", "the client may not have that scope"))),
    };
    let audience = match audience::of_client(app, &scope, holder.resources).await? {
        Ok(audience) => audience,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let access_token = issue::access_token(app, client, (Subject::Client, &audience, holder.jkt), now)?;
    Ok(Ok(Tokens {
        access_token,
        token_type: holder.token_type(),
        expires_in: app.config.tokens.access_token_seconds,
        scope: audience.scope.to_string(),
        refresh_token: None,
        id_token: None,
        issued_token_type: None,
    }))
}
