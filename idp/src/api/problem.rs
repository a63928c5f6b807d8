//! Refusals of the management API as problems (RFC 9457), and [`Stop`], which carries one out of a handler.
//!
//! `type` is the address of a page that explains the problem, `code` its last word: stable, for programs. `errors` names each
//! wrong field by JSON pointer (RFC 6901) with a code of its own.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::SignedDuration;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::oidc::resource::Challenge;
use crate::outcome::Fault;

/// Declares the codes: name, status, title, and what the page about it says.
macro_rules! codes {
    ($($(#[doc = $about:literal])+ $variant:ident = $code:literal, $status:ident, $title:literal;)*) => {
        /// Every code a problem can have.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code { $($(#[doc = $about])+ $variant),* }

        impl Code {
            /// All of them, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable word.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $code),* }
            }

            /// The HTTP status.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status),* }
            }

            /// A short title, the same for every occurrence.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),* }
            }

            /// What it means and what to do about it.
            pub fn about(self) -> &'static str {
                match self { $(Self::$variant => concat!($($about),+)),* }
            }
        }
    };
}

codes! {
    /// The body is not JSON, or the request cannot be read at all.
    MalformedRequest = "malformed_request", BAD_REQUEST, "The request cannot be read";
    /// A parameter of the address is unknown, missing or has a value it cannot have; `errors` names it.
    InvalidParameter = "invalid_parameter", BAD_REQUEST, "A parameter is wrong";
    /// The cursor is not one that this list gave for this order; begin again without one.
    InvalidCursor = "invalid_cursor", BAD_REQUEST, "The cursor is of no use";
    /// The access token is missing, expired, revoked, of another scheme or malformed (RFC 6750 §3.1, RFC 9449 §7.1); `WWW-Authenticate` says how to ask.
    InvalidToken = "invalid_token", UNAUTHORIZED, "A valid access token is needed";
    /// The sign-in behind the token is not recent or not strong enough: send the person through the authorization endpoint with the
    /// `acr_values` and the `max_age` of `WWW-Authenticate` (RFC 9470).
    InsufficientUserAuthentication = "insufficient_user_authentication", UNAUTHORIZED, "A better sign-in is needed";
    /// The token lacks the scope that the operation names (RFC 6750 §3.1).
    InsufficientScope = "insufficient_scope", FORBIDDEN, "The scope is missing";
    /// The caller is known and belongs here, but may not do this. `policy` names the rule that says so, where there is one.
    Forbidden = "forbidden", FORBIDDEN, "Not allowed";
    /// The organization is suspended or terminated: nothing can be changed in it.
    OrganizationNotActive = "organization_not_active", FORBIDDEN, "The organization is not active";
    /// The subscription of the organization is over: its data are closed to its administrators and programs. For thirty days after the end,
    /// where the operator agreed in writing, they read and export (R087).
    SubscriptionOver = "subscription_over", FORBIDDEN, "The subscription is over";
    /// API keys are for apprenticeship centres, and this organization is none (R101).
    NotAnApprenticeshipCentre = "not_an_apprenticeship_centre", FORBIDDEN, "Not an apprenticeship centre";
    /// There is nothing at this address, or nothing that the caller may know of.
    NotFound = "not_found", NOT_FOUND, "Not found";
    /// The address exists, for other methods; `Allow` names them.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "Method not allowed";
    /// What is asked contradicts the state of things; `detail` says how.
    Conflict = "conflict", CONFLICT, "Conflict";
    /// The cursor is older than what is kept: events were missed. Read what you follow anew, and go on with `after=latest`.
    CursorExpired = "cursor_expired", GONE, "The cursor fell off the end";
    /// Another account has this login.
    LoginTaken = "login_taken", CONFLICT, "The login is taken";
    /// Another organization has this SIRET.
    SiretTaken = "siret_taken", CONFLICT, "The SIRET is taken";
    /// The organization would be left without an administrator; name a successor first (R053).
    LastAdministrator = "last_administrator", CONFLICT, "The last administrator stays";
    /// The written request that the override rests on was not uploaded (R054).
    DocumentMissing = "document_missing", CONFLICT, "The written request is missing";
    /// The written request is not the one that was read: `sha256` is that of the one there is now. Read it before approving (R054).
    DocumentChanged = "document_changed", CONFLICT, "The written request is another one";
    /// A termination follows a formal notice that was left without effect for thirty days, or an irreparable breach; `from` is the first
    /// day on which it may, when that is known (R086).
    FormalNoticeNeeded = "formal_notice_needed", CONFLICT, "A formal notice must have been left without effect";
    /// The data are not given back: `why` is `breach` (the subscription was terminated for one), `unpaid` (while an invoice is), or
    /// `extra_too_late` (an extra reversibility is asked for fifteen days before the end at the latest) (R211).
    RestitutionExcluded = "restitution_excluded", CONFLICT, "The data are not given back";
    /// The person belongs to another organization as well, which this would concern: the operator does it (R035).
    InOtherOrganizations = "in_other_organizations", CONFLICT, "The operator does this";
    /// The account was not opened yet: send the invitation again instead (R025).
    AccountPending = "account_pending", CONFLICT, "The account is not open yet";
    /// The address of the person is not proven, or took no mail: nothing that opens an account is sent there.
    AddressUnproven = "address_unproven", CONFLICT, "The address is not proven";
    /// Members were not looked at yet; `left` says how many (R057).
    ReviewIncomplete = "review_incomplete", CONFLICT, "The review is not complete";
    /// Every seat that orders open now is taken: `limit` and `taken` say how it stands. Free one, or sign a larger order (R060, R061).
    SeatLimitReached = "seat_limit_reached", CONFLICT, "No seat is left";
    /// Who pays is told before how to pay and how to start: record `informed`, then `paid`. When both were on one day, say `at` which
    /// instant; `informed_at` is when they were told, if they were (R028).
    NotInformed = "not_informed", CONFLICT, "The information comes before the payment";
    /// Fewer seats than are taken now, `taken`: free some first (R061).
    SeatsBelowUse = "seats_below_use", CONFLICT, "More seats are taken";
    /// The group has as many members as it may have, or would be left with more than its new limit: `size` says how many (R016).
    GroupFull = "group_full", CONFLICT, "The group is full";
    /// The centre has as many live keys as it may have at once, `most`: revoke one first (R104).
    TooManyLiveKeys = "too_many_live_keys", CONFLICT, "Too many live keys";
    /// Somebody changed it since it was read; read it again. `current` is its version now.
    VersionMismatch = "version_mismatch", PRECONDITION_FAILED, "It has changed meanwhile";
    /// The body is larger than the server reads.
    TooLarge = "too_large", PAYLOAD_TOO_LARGE, "Too large";
    /// The body must be `application/json`.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "Unsupported media type";
    /// The body is JSON, but fields of it are wrong; `errors` names each.
    InvalidFields = "invalid_fields", UNPROCESSABLE_ENTITY, "Fields are wrong";
    /// This `Idempotency-Key` was used for another request.
    IdempotencyKeyReused = "idempotency_key_reused", UNPROCESSABLE_ENTITY, "The idempotency key was used for another request";
    /// A change needs `If-Match` with the `ETag` that was read.
    PreconditionRequired = "precondition_required", PRECONDITION_REQUIRED, "If-Match is needed";
    /// Too many requests; `Retry-After` says when to go on.
    RateLimited = "rate_limited", TOO_MANY_REQUESTS, "Too many requests";
    /// An error on our side: it is in the log under `request_id`. Whether anything was done is not said; repeat a write with its
    /// `Idempotency-Key`.
    ServerError = "server_error", INTERNAL_SERVER_ERROR, "An error on our side";
    /// Too much at once, or it took too long; `Retry-After` says when to try again. Repeat a write with its `Idempotency-Key`.
    TemporarilyUnavailable = "temporarily_unavailable", SERVICE_UNAVAILABLE, "Too much at once";
}

/// One wrong field or parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer into the body (RFC 6901), or the name of the parameter.
    pub pointer: String,
    /// Stable word.
    pub code: &'static str,
    /// For people.
    pub detail: String,
}

/// The document of a problem, for the OpenAPI description.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument {
    /// Where it is explained.
    r#type: String,
    /// Short, the same for every occurrence.
    title: String,
    /// HTTP status.
    status: u16,
    /// The last word of `type`.
    code: String,
    /// This occurrence.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// The fields that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    /// Of an error on our side: under what it is in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

/// A refusal.
#[derive(Debug, Clone)]
pub struct Problem {
    code: Code,
    rest: Box<Rest>,
}

#[derive(Debug, Clone, Default)]
struct Rest {
    detail: Option<String>,
    errors: Vec<FieldError>,
    further: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem with a sentence about this occurrence.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let rest = Rest { detail: Some(detail.into()), ..Rest::default() };
        Self { code, rest: Box::new(rest) }
    }

    /// A problem whose title says all.
    pub fn bare(code: Code) -> Self {
        Self { code, rest: Box::default() }
    }

    /// Nothing here that the caller may know of.
    pub fn not_found() -> Self {
        Self::bare(Code::NotFound)
    }

    /// One wrong field of the body.
    pub fn field(pointer: &str, code: &'static str, detail: impl Into<String>) -> Self {
        let error = FieldError { pointer: pointer.to_owned(), code, detail: detail.into() };
        Self::fields(vec![error])
    }

    /// One wrong parameter of the address.
    pub fn parameter(name: &str, detail: impl Into<String>) -> Self {
        let error = FieldError { pointer: name.to_owned(), code: "invalid", detail: detail.into() };
        let rest = Rest { errors: vec![error], ..Rest::default() };
        Self { code: Code::InvalidParameter, rest: Box::new(rest) }
    }

    /// Several wrong fields.
    pub fn fields(errors: Vec<FieldError>) -> Self {
        let rest = Rest { errors, ..Rest::default() };
        Self { code: Code::InvalidFields, rest: Box::new(rest) }
    }

    /// Adds a member of its own to the document.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.rest.further.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.rest.headers.push((name, value));
        self
    }

    /// Too often: to be tried again when `left` has passed, in whole seconds (RFC 9110 §10.2.3).
    pub fn wait(detail: impl Into<String>, left: SignedDuration) -> Self {
        let seconds = HeaderValue::from(left.as_secs().max(0) + 1);
        Self::new(Code::RateLimited, detail).with_header(header::RETRY_AFTER, seconds)
    }

    /// An error on our side, or too much at once when there are seconds after which to try again.
    pub fn broken(retry_after: Option<u32>, request_id: &str) -> Self {
        match retry_after {
            None => Self::bare(Code::ServerError),
            Some(seconds) => {
                Self::bare(Code::TemporarilyUnavailable).with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
            }
        }
        .with("request_id", request_id)
    }

    /// Which problem.
    pub fn code(&self) -> Code {
        self.code
    }
}

impl Problem {
    /// The document (RFC 9457 §3), and the headers that go with it.
    fn parts(self) -> (Value, Vec<(HeaderName, HeaderValue)>) {
        let Rest { detail, errors, further: mut document, headers } = *self.rest;
        let mut set = |name: &str, value: Value| {
            document.insert(name.to_owned(), value);
        };
        set("type", format!("/problems/{}", self.code.name()).into());
        set("title", self.code.title().into());
        set("status", self.code.status().as_u16().into());
        set("code", self.code.name().into());
        if let Some(detail) = detail {
            set("detail", detail.into());
        }
        if !errors.is_empty() {
            set("errors", json!(errors));
        }
        (Value::Object(document), headers)
    }

    /// The document alone, as part of an answer about several things.
    pub fn document(self) -> Value {
        self.parts().0
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.code.status();
        let (document, headers) = self.parts();
        let fixed = [(header::CONTENT_TYPE, "application/problem+json"), (header::CACHE_CONTROL, "no-store")];
        let mut response = (status, fixed, document.to_string()).into_response();
        response.headers_mut().extend(headers);
        response
    }
}

/// Why a handler ends early. A refusal never becomes a fault, nor the other way round.
#[derive(Debug)]
pub enum Stop {
    /// No.
    Refused(Problem),
    /// The token does not do (RFC 6750, RFC 9449, RFC 9470).
    Challenged(Box<Challenge>),
    /// The answer was given before (`Idempotency-Key`).
    Answered(Box<Response>),
    /// We broke.
    Broken(Fault),
}

/// What a handler of the management API returns.
pub type Answer<T = Response> = Result<T, Stop>;

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

impl From<Challenge> for Stop {
    fn from(challenge: Challenge) -> Self {
        Self::Challenged(Box::new(challenge))
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Broken(fault)
    }
}

impl From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Self {
        Self::Broken(error.into())
    }
}

impl From<serde_json::Error> for Stop {
    fn from(error: serde_json::Error) -> Self {
        Self::Broken(error.into())
    }
}

impl From<jiff::Error> for Stop {
    fn from(error: jiff::Error) -> Self {
        Self::Broken(error.into())
    }
}

impl IntoResponse for Stop {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(problem) => problem.into_response(),
            Self::Challenged(challenge) => challenged(*challenge),
            Self::Answered(response) => *response,
            Self::Broken(fault) => fault.into_response(),
        }
    }
}

/// A challenge as a problem: its status and headers, which clients act on, stay what the RFCs say.
fn challenged(challenge: Challenge) -> Response {
    let code = match challenge.error() {
        Some("insufficient_user_authentication") => Code::InsufficientUserAuthentication,
        Some("insufficient_scope") => Code::InsufficientScope,
        Some("invalid_request") => Code::MalformedRequest,
        _ => Code::InvalidToken,
    };
    let challenge = challenge.into_response();
    let mut response = Problem::bare(code).into_response();
    *response.status_mut() = challenge.status();
    for value in challenge.headers().get_all(header::WWW_AUTHENTICATE) {
        response.headers_mut().append(header::WWW_AUTHENTICATE, value.clone());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_words_of_their_own_and_refuse() {
        let mut names: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            let status = code.status();
            assert!(
                (status.is_client_error() || status.is_server_error()) && !code.about().is_empty(),
                "{}",
                code.name()
            );
            assert!(code.name().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{}", code.name());
        }
    }
}
