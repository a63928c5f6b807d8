//! Authorization responses: a code, tokens or an error, sent to a verified redirect URI in the response mode asked for.
//!
//! RFC 6749 §4.1.2, OAuth 2.0 Multiple Response Types §2.1, Form Post Response Mode, and `iss` in each (RFC 9207); or all of it
//! inside one signed JWT (JARM).

use axum::http::StatusCode;
use axum::response::Response;
use habilis_keys::jws::Algorithm;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

use super::client::Client;
use super::front_channel::Answer;
use super::pages::FormPost;
use crate::app::App;
use crate::outcome::{Fault, Outcome};
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
    /// In the fragment of the redirect URI, which stays in the browser: for tokens of the `legacy` profile alone.
    Fragment,
    /// As a form the browser posts.
    FormPost,
    /// Signed, in the query of the redirect URI (JARM §2.3.1).
    QueryJwt,
    /// Signed, as a form the browser posts (JARM §2.3.3).
    FormPostJwt,
}

impl ResponseMode {
    /// Reads the parameter; `jwt` is the query, where codes travel by default (JARM §2.3.4).
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "query" => Self::Query,
            "fragment" => Self::Fragment,
            "form_post" => Self::FormPost,
            "jwt" | "query.jwt" => Self::QueryJwt,
            "form_post.jwt" => Self::FormPostJwt,
            _ => return None,
        })
    }

    /// The parameter's values, for discovery; `fragment` is added where the operator allows the `legacy` profile.
    pub const SUPPORTED: [&str; 5] = ["query", "form_post", "jwt", "query.jwt", "form_post.jwt"];

    /// Whether the response is a signed JWT.
    pub fn is_signed(self) -> bool {
        matches!(self, Self::QueryJwt | Self::FormPostJwt)
    }
}

/// Who a signed response is for, and how it is signed.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Signing {
    client: String,
    algorithm: Algorithm,
    life_seconds: u16,
}

/// A place an authorization response may be sent to: a redirect URI found among those of the client.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReturnTo {
    uri: String,
    /// How the response travels.
    pub mode: ResponseMode,
    /// `state`, given back unchanged.
    pub state: Option<String>,
    #[serde(default)]
    signing: Option<Signing>,
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
        let rules = client.settings.profile.rules();
        let signing = Signing {
            client: client.id.clone(),
            algorithm: client.response_algorithm,
            life_seconds: rules.signed_response_seconds,
        };
        // A profile of signed messages gets its errors signed as well, whatever else is wrong with the request.
        let mode = if rules.signed_messages { ResponseMode::QueryJwt } else { ResponseMode::default() };
        client.redirects_to(uri).then(|| Self { uri: uri.to_owned(), mode, state, signing: Some(signing) })
    }

    /// The redirect URI.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Sends a code, or tokens.
    ///
    /// # Errors
    /// The form page failed, or signing did.
    pub fn answer(&self, app: &App, answer: &Answer, now: Timestamp) -> Outcome {
        let parameters: Vec<(&str, &str)> = answer.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.send(app, &parameters, now)
    }

    /// Sends an error.
    ///
    /// # Errors
    /// The form page failed, or signing did.
    pub fn error(&self, app: &App, error: &RedirectError, now: Timestamp) -> Outcome {
        self.send(app, &[("error", error.error), ("error_description", &error.description)], now)
    }

    fn send(&self, app: &App, parameters: &[(&str, &str)], now: Timestamp) -> Outcome<Response> {
        let mut parameters = parameters.to_vec();
        if let Some(state) = &self.state {
            parameters.push(("state", state));
        }
        let response;
        if self.mode.is_signed() {
            response = self.sign(app, &parameters, now)?;
            parameters = vec![("response", &response)];
        } else {
            parameters.push(("iss", &app.config.server.issuer));
        }
        match self.mode {
            ResponseMode::Query | ResponseMode::QueryJwt => Ok(see_other(&with_query(&self.uri, &parameters))),
            ResponseMode::Fragment => {
                let fragment = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
                Ok(see_other(&format!("{}#{fragment}", self.uri)))
            }
            ResponseMode::FormPost | ResponseMode::FormPostJwt => {
                let page = FormPost {
                    chrome: Chrome::new(Locale::default(), app.config.pages.name.clone()),
                    action: self.uri.clone(),
                    fields: parameters.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
                };
                render(StatusCode::OK, &page)
            }
        }
    }

    /// JARM §2.1: the parameters as claims, with issuer, client and a short life.
    fn sign(&self, app: &App, parameters: &[(&str, &str)], now: Timestamp) -> Outcome<String> {
        let signing = self.signing.as_ref().ok_or_else(|| Fault::new("a signed response without its algorithm"))?;
        let mut claims: Map<_, _> = parameters.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        claims.insert("iss".to_owned(), json!(app.config.server.issuer));
        claims.insert("aud".to_owned(), json!(signing.client));
        claims.insert("exp".to_owned(), json!(now.as_second() + i64::from(signing.life_seconds)));
        app.keys.sign(signing.algorithm, None, &claims, now)
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
