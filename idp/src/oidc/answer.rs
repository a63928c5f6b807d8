//! Authorization responses: a code or an error, sent to a verified redirect URI in the response mode asked for.
//!
//! RFC 6749 §4.1.2, OAuth 2.0 Multiple Response Types §2.1, Form Post Response Mode, and `iss` in each (RFC 9207).

use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::client::Client;
use super::pages::FormPost;
use crate::app::App;
use crate::outcome::Outcome;
use crate::web::page::Chrome;
use crate::web::text::Locale;
use crate::web::{render, see_other};

/// How the response travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    /// In the query of the redirect URI.
    #[default]
    Query,
    /// As a form the browser posts.
    FormPost,
}

/// A place an authorization response may be sent to: a redirect URI found among those of the client.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReturnTo {
    uri: String,
    /// How the response travels.
    pub mode: ResponseMode,
    /// `state`, given back unchanged.
    pub state: Option<String>,
}

/// An error the client is told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectError {
    /// Registered code.
    pub error: &'static str,
    /// Printable ASCII.
    pub description: String,
}

impl RedirectError {
    /// An error with its sentence.
    pub fn new(error: &'static str, description: impl Into<String>) -> Self {
        Self { error, description: description.into() }
    }
}

impl ReturnTo {
    /// Verifies that `uri` is registered; the only way to get one.
    pub fn verify(client: &Client, uri: &str, state: Option<String>) -> Option<Self> {
        client.redirects_to(uri).then(|| Self { uri: uri.to_owned(), mode: ResponseMode::default(), state })
    }

    /// The redirect URI.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Sends a code.
    ///
    /// # Errors
    /// The form page failed.
    pub fn code(&self, app: &App, code: &str) -> Outcome {
        self.send(app, &[("code", code)])
    }

    /// Sends an error.
    ///
    /// # Errors
    /// The form page failed.
    pub fn error(&self, app: &App, error: &RedirectError) -> Outcome {
        self.send(app, &[("error", error.error), ("error_description", &error.description)])
    }

    fn send(&self, app: &App, parameters: &[(&str, &str)]) -> Outcome<Response> {
        let mut parameters = parameters.to_vec();
        if let Some(state) = &self.state {
            parameters.push(("state", state));
        }
        parameters.push(("iss", &app.config.server.issuer));
        match self.mode {
            ResponseMode::Query => Ok(see_other(&with_query(&self.uri, &parameters))),
            ResponseMode::FormPost => {
                let page = FormPost {
                    chrome: Chrome::new(Locale::default(), app.config.pages.name.clone()),
                    action: self.uri.clone(),
                    fields: parameters.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
                };
                render(StatusCode::OK, &page)
            }
        }
    }
}

/// Appends parameters to a URI, leaving what it has untouched (RFC 6749 §3.1.2: an existing query is kept).
pub fn with_query(uri: &str, parameters: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    let joint = match uri.find('?') {
        None => "?",
        Some(at) if at + 1 == uri.len() || uri.ends_with('&') => "",
        Some(_) => "&",
    };
    if query.is_empty() { uri.to_owned() } else { format!("{uri}{joint}{query}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_appended_and_the_rest_stays_as_it_is() {
        let cases = [
            ("https://p.example/cb", "https://p.example/cb?code=a+b"),
            ("https://p.example/cb?x=%2f", "https://p.example/cb?x=%2f&code=a+b"),
            ("https://p.example/cb?", "https://p.example/cb?code=a+b"),
            ("fr.example.app:/cb", "fr.example.app:/cb?code=a+b"),
        ];
        for (uri, expected) in cases {
            assert_eq!(with_query(uri, &[("code", "a b")]), expected);
        }
        assert_eq!(with_query("https://p.example/", &[]), "https://p.example/");
    }
}
