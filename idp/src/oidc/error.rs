//! The two ways to say no to an OAuth request, as two types so that they cannot be mixed up, and the page for people.
//!
//! [`Refusal`] is JSON for a client's back channel (RFC 6749 §5.2). [`PageError`] is an HTML page: the request's client or
//! redirect URI is not known to be genuine, so nothing is ever sent to it (RFC 6749 §4.1.2.1). The third, an error redirect,
//! needs a verified [`ReturnTo`](super::answer::ReturnTo) and lives there.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::pages::{Advice, ErrorPage};
use crate::app::App;
use crate::outcome::Outcome;
use crate::web::page::Link;
use crate::web::{Origin, chrome, render};

/// A refusal to a client's back channel.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// Registered code.
    pub error: &'static str,
    /// For the integrator; never says which half of a credential was wrong.
    pub description: String,
    /// HTTP status.
    pub status: StatusCode,
    /// `WWW-Authenticate`, with the scheme the client tried.
    pub challenge: Option<&'static str>,
}

impl Refusal {
    /// A 400 with a registered code.
    pub fn new(error: &'static str, description: impl Into<String>) -> Self {
        Self { error, description: description.into(), status: StatusCode::BAD_REQUEST, challenge: None }
    }

    /// `invalid_request`.
    pub fn invalid_request(description: impl Into<String>) -> Self {
        Self::new("invalid_request", description)
    }

    /// `invalid_grant`.
    pub fn invalid_grant(description: impl Into<String>) -> Self {
        Self::new("invalid_grant", description)
    }

    /// Another status.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
}

impl From<crate::web::FormError> for Refusal {
    fn from(error: crate::web::FormError) -> Self {
        Self::invalid_request(error.to_string()).with_status(error.status())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = axum::Json(json!({ "error": self.error, "error_description": printable(&self.description) }));
        let mut response = (self.status, no_store(), body).into_response();
        if let Some(challenge) = self.challenge {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

/// A description in the characters of RFC 6749 §5.2, whatever a client's own words it quotes.
fn printable(description: &str) -> String {
    let shown = |c: char| match c {
        '"' | '\\' => '\'',
        ' '..='~' => c,
        _ => '?',
    };
    description.chars().map(shown).collect()
}

/// RFC 6749 §5.1: answers with tokens, and refusals of them, are not kept.
pub fn no_store() -> [(header::HeaderName, &'static str); 2] {
    [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")]
}

/// A refusal shown to the person, never sent to a client.
#[derive(Debug)]
pub struct PageError {
    /// Registered code.
    pub error: &'static str,
    /// For the integrator who reads the screenshot.
    pub description: String,
    /// What the person can do.
    pub advice: Advice,
    /// Way out, when one is known to be genuine.
    pub portal: Option<Link>,
    /// HTTP status.
    pub status: StatusCode,
}

impl PageError {
    /// The portal sent a request that cannot be answered.
    pub fn new(error: &'static str, description: impl Into<String>) -> Self {
        Self {
            error,
            description: description.into(),
            advice: Advice::TellPortal,
            portal: None,
            status: StatusCode::BAD_REQUEST,
        }
    }

    /// Too many requests from one network.
    pub fn too_many() -> Self {
        Self {
            advice: Advice::TryLater,
            status: StatusCode::TOO_MANY_REQUESTS,
            ..Self::new(
                "temporarily_unavailable",
                "too many sign-ins were begun from this network, try again in a minute",
            )
        }
    }

    /// The form cannot be read.
    pub fn unreadable(error: &crate::web::FormError) -> Self {
        Self { status: error.status(), ..Self::new("invalid_request", error.to_string()) }
    }

    /// Renders the page.
    ///
    /// # Errors
    /// The template failed.
    pub fn show(self, app: &App, origin: &Origin, ui_locales: Option<&str>) -> Outcome {
        let page = ErrorPage {
            chrome: crate::web::page::Chrome {
                // The page answers a request that cannot be repeated by a link, so it offers no language switch.
                languages: Vec::new(),
                ..chrome(app, origin.locale(ui_locales), "/")
            },
            error: self.error.to_owned(),
            description: self.description,
            advice: self.advice,
            request_id: origin.request_id.clone(),
            portal: self.portal,
        };
        render(self.status, &page)
    }
}
