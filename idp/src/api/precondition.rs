//! `If-Match` (RFC 9110 §13.1.1): a change names the version it was made from, so that nobody's change is lost.
//!
//! What takes [`IfMatch`] needs the header (428 without); what takes `Option<IfMatch>` sets one thing whole, whatever it was before, and
//! is held to the header when there is one.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
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
        Self::of(parts).ok_or_else(|| Problem::bare(Code::PreconditionRequired).into())
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for IfMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(Self::of(parts))
    }
}

impl IfMatch {
    fn of(parts: &Parts) -> Option<Self> {
        let value = parts.headers.get(header::IF_MATCH)?.to_str().unwrap_or_default();
        if value.trim() == "*" {
            return Some(Self(Versions::Any));
        }
        let tags = value.split(',').take(16).map(|tag| tag.trim().to_owned()).collect();
        Some(Self(Versions::These(tags)))
    }

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

/// The same where the header may be left out.
///
/// # Errors
/// As [`IfMatch::check`].
pub fn check_if_named(named: Option<&IfMatch>, version: i64) -> Result<(), Problem> {
    named.map_or(Ok(()), |if_match| if_match.check(version))
}

/// Somebody was faster.
pub fn stale(version: i64) -> Problem {
    Problem::bare(Code::VersionMismatch).with("current", etag(version))
}
