//! Faults and refusals.
//!
//! A [`Fault`] means *we* broke: it is logged once, at the boundary, with the request id, and the answer says no more than that.
//! A refusal is an answer with a stable code; each surface has its own type for it (`oidc::error`), and none converts into a
//! `Fault`, so `?` can never turn a "no" into a 500.

use std::fmt;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// We broke, or are overloaded. Carries the cause for the log.
pub struct Fault(Cause);

enum Cause {
    Broken(Box<dyn std::error::Error + Send + Sync>),
    /// Too much at once; the same request may succeed in so many seconds.
    Overloaded(u32),
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
            Cause::Broken(_) => None,
        }
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Fault {
    fn from(error: E) -> Self {
        let error: Box<dyn std::error::Error + Send + Sync> = Box::new(error);
        match error.downcast_ref::<sqlx::Error>() {
            Some(sqlx::Error::PoolTimedOut) => Self::overloaded(2),
            _ => Self(Cause::Broken(error)),
        }
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Cause::Broken(error) => write!(f, "{error}"),
            Cause::Overloaded(_) => f.write_str("overloaded"),
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
