//! `If-Match` (RFC 9110 §13.1.1): a change names the version it was made from, so that nobody's change is lost.

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;

use super::problem::{Code, Problem, Stop};
use super::write::etag;

/// The versions a change may be made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IfMatch(Versions);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Versions {
    Any,
    These(Vec<String>),
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Stop;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Stop> {
        let Some(value) = parts.headers.get(header::IF_MATCH) else {
            return Err(Problem::bare(Code::PreconditionRequired).into());
        };
        let value = value.to_str().unwrap_or_default();
        if value.trim() == "*" {
            return Ok(Self(Versions::Any));
        }
        let tags = value.split(',').take(16).map(|tag| tag.trim().to_owned()).collect();
        Ok(Self(Versions::These(tags)))
    }
}

impl IfMatch {
    /// Lets the change of something at `version` go on.
    ///
    /// # Errors
    /// It has changed meanwhile. A weak tag never matches.
    pub fn check(&self, version: i64) -> Result<(), Problem> {
        let matches = match &self.0 {
            Versions::Any => true,
            Versions::These(tags) => tags.contains(&etag(version)),
        };
        if matches { Ok(()) } else { Err(stale(version)) }
    }
}

/// Somebody was faster.
pub fn stale(version: i64) -> Problem {
    Problem::bare(Code::VersionMismatch).with("current", etag(version))
}
