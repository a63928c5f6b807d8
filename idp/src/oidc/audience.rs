//! Whom an access token is for (RFC 8707): this server, or one of the resources the operator knows, narrowed to the scope that means
//! something there.

use habilis_policies::resources::{self, Granted, TargetProblem};
use habilis_policies::scopes::Scope;

use super::answer::RedirectError;
use super::client::SCOPES;
use super::error::Refusal;
use crate::app::App;
use crate::db;
use crate::db::grants::Grant;
use crate::outcome::Outcome;
use crate::web::params::Params;

/// The audience of an access token, and the scope it will have there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audience {
    /// `aud`.
    pub uri: String,
    /// `scope`.
    pub scope: Scope,
}

/// Takes the resources out of the parameters of a token request.
///
/// # Errors
/// `invalid_target`.
pub fn asked(params: &mut Params) -> Result<Vec<String>, Refusal> {
    let asked = params.take("resource").unwrap_or_default();
    resources::parse(&asked).map_err(refusal)
}

/// Takes the resources out of the parameters of an authorization request: each is known, and some of `scope` means something there.
/// They are given back parted by spaces.
///
/// # Errors
/// Outer: the database failed. Inner: `invalid_target`, or `invalid_scope` when a resource knows nothing of the scope.
pub async fn authorized(app: &App, resources: &str, scope: &Scope) -> Outcome<Result<String, RedirectError>> {
    let wanted = match resources::parse(resources) {
        Ok(wanted) => wanted,
        Err(problem) => return Ok(Err(RedirectError::new("invalid_target", problem.to_string()))),
    };
    for uri in &wanted {
        let Some(known) = known_scope(app, uri).await? else {
            return Ok(Err(RedirectError::new("invalid_target", TargetProblem::Unknown.to_string())));
        };
        if known.common(scope).is_empty() {
            return Ok(Err(RedirectError::new("invalid_scope", NOTHING_THERE)));
        }
    }
    Ok(Ok(wanted.join(" ")))
}

const NOTHING_THERE: &str = "nothing of the scope means anything at that resource";

/// The audience of a token of `grant` with this scope.
///
/// # Errors
/// Outer: the database failed. Inner: `invalid_target`, or `invalid_scope` when nothing of the scope is left.
pub async fn of_grant(
    app: &App,
    (grant, scope): (&Grant, &Scope),
    asked: &[String],
) -> Outcome<Result<Audience, Refusal>> {
    let granted = resources::parse(&grant.resources).unwrap_or_default();
    let facts =
        Granted { resources: &granted, issuer: &app.config.server.issuer, identifies: scope.contains("openid") };
    match resources::choose(facts, asked) {
        Err(problem) => Ok(Err(refusal(problem))),
        // Nobody spoke of resources: the scope is as it always was.
        Ok(uri) if granted.is_empty() => Ok(Ok(Audience { uri: uri.to_owned(), scope: scope.clone() })),
        Ok(uri) => narrowed(app, uri, scope).await,
    }
}

/// The audience of a token that a client asks for itself, with at most this scope.
///
/// # Errors
/// As [`of_grant`].
pub async fn of_client(app: &App, scope: &Scope, asked: &[String]) -> Outcome<Result<Audience, Refusal>> {
    match asked {
        [] => Ok(Ok(Audience { uri: app.config.server.issuer.clone(), scope: scope.clone() })),
        [uri] if *uri == app.config.server.issuer => Ok(Ok(Audience { uri: uri.clone(), scope: scope.clone() })),
        [uri] => narrowed(app, uri, scope).await,
        _ => Ok(Err(refusal(TargetProblem::Several))),
    }
}

async fn narrowed(app: &App, uri: &str, scope: &Scope) -> Outcome<Result<Audience, Refusal>> {
    let Some(known) = known_scope(app, uri).await? else { return Ok(Err(refusal(TargetProblem::Unknown))) };
    let scope = known.common(scope);
    if scope.is_empty() {
        return Ok(Err(Refusal::new("invalid_scope", NOTHING_THERE)));
    }
    Ok(Ok(Audience { uri: uri.to_owned(), scope }))
}

/// The scope that means something at a resource; none when it is not known (any more).
async fn known_scope(app: &App, uri: &str) -> Outcome<Option<Scope>> {
    if uri == app.config.server.issuer {
        return Ok(Some(Scope::parse(&SCOPES.join(" "))?));
    }
    let found = db::resources::find(&mut app.db.reader().await?, uri).await?;
    Ok(found.map(|resource| Scope::parse(&resource.scopes)).transpose()?)
}

fn refusal(problem: TargetProblem) -> Refusal {
    Refusal::new("invalid_target", problem.to_string())
}
