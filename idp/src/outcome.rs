//! Faults and refusals.
//!
//! A [`Fault`] means *we* broke: it is logged once, at the boundary, with the request id, and the answer says no more than that.
//! A refusal is an answer with a stable code; each surface has its own type for it (`oidc::error`), and none converts into a
//! `Fault`, so `?` can never turn a "no" into a 500.

use std::fmt;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use sqlx::error::DatabaseError;

/// We broke, or are overloaded. Carries the cause for the log.
pub struct Fault(Cause);

enum Cause {
    Broken(Box<dyn std::error::Error + Send + Sync>),
    /// Too much at once; the same request may succeed in so many seconds.
    Overloaded(u32),
    /// The database undid this for the sake of another transaction, or did not begin: the same request may succeed at once.
    Contended(sqlx::Error),
}

/// What `PostgreSQL` says of a transaction that the same again may not meet: serialization failure, deadlock, lock not available, too
/// many connections, shutting down or starting (appendix A of its manual).
const CONTENDED: [&str; 7] = ["40001", "40P01", "55P03", "53300", "57P01", "57P02", "57P03"];
/// The same of `SQLite`, whose extended codes keep the plain one in their low byte: `SQLITE_BUSY` and `SQLITE_LOCKED`.
const BUSY: [u32; 2] = [5, 6];

fn is_contended(error: &sqlx::Error) -> bool {
    let Some(code) = error.as_database_error().and_then(DatabaseError::code) else { return false };
    // A code of `PostgreSQL` has five characters, one of `SQLite` is a number of at most four digits.
    match code.len() {
        5 => CONTENDED.contains(&code.as_ref()),
        _ => code.parse::<u32>().is_ok_and(|code| BUSY.contains(&(code & 0xff))),
    }
}

/// What a handler returns: an answer (a refusal is one), or a fault.
pub type Outcome<T = Response> = Result<T, Fault>;

impl Fault {
    /// A fault with a sentence for the log.
    pub fn new(message: impl Into<String>) -> Self {
        Self(Cause::Broken(message.into().into()))
    }

    /// Too much work at once; come back in `seconds`.
    pub fn overloaded(seconds: u32) -> Self {
        Self(Cause::Overloaded(seconds))
    }

    /// Seconds after which to try again, when this is an overload.
    pub fn retry_after(&self) -> Option<u32> {
        match self.0 {
            Cause::Overloaded(seconds) => Some(seconds),
            Cause::Contended(_) => Some(1),
            Cause::Broken(_) => None,
        }
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Fault {
    fn from(error: E) -> Self {
        let error: Box<dyn std::error::Error + Send + Sync> = Box::new(error);
        match error.downcast::<sqlx::Error>() {
            Ok(error) => match *error {
                sqlx::Error::PoolTimedOut => Self::overloaded(2),
                error if is_contended(&error) => Self(Cause::Contended(error)),
                error => Self(Cause::Broken(error.into())),
            },
            Err(error) => Self(Cause::Broken(error)),
        }
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Cause::Broken(error) => write!(f, "{error}"),
            Cause::Overloaded(_) => f.write_str("overloaded"),
            Cause::Contended(error) => write!(f, "contended: {error}"),
        }
    }
}

/// A fault on its way out: the boundary (`web::boundary`) finds it in the response, logs it and writes the answer.
#[derive(Debug, Clone)]
pub struct FaultReport {
    /// For the log.
    pub message: String,
    /// Seconds after which to try again.
    pub retry_after: Option<u32>,
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let retry_after = self.retry_after();
        let status =
            if retry_after.is_some() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::INTERNAL_SERVER_ERROR };
        let mut response = status.into_response();
        response.extensions_mut().insert(FaultReport { message: format!("{self:?}"), retry_after });
        response
    }
}
