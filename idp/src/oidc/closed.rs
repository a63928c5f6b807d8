//! The page of a portal that the operator closed, for a while or for good (R090): what the operator says about it, and nothing
//! that leads on.

use askama::Template;
use axum::http::StatusCode;

use super::client::Client;
use crate::app::App;
use crate::outcome::Outcome;
use crate::web::page::{Chrome, Sample, sample_chrome};
use crate::web::text::Locale;
use crate::web::{Origin, chrome, render};

/// The page.
#[derive(Clone, Debug, Template)]
#[template(path = "oidc/closed.html")]
pub struct PortalClosed {
    /// The frame.
    pub chrome: Chrome,
    /// The portal.
    pub name: String,
    /// What the operator says; empty when nothing.
    pub banner: String,
    /// Whom to ask, when the portal says.
    pub contact: Option<String>,
}

impl Sample for PortalClosed {
    fn samples(locale: Locale) -> Vec<Self> {
        let plain = Self {
            chrome: sample_chrome(locale),
            name: "Campus Formation".to_owned(),
            banner: "Maintenance jusqu’à 14 h.".to_owned(),
            contact: Some("support@campus.example".to_owned()),
        };
        vec![
            plain.clone(),
            Self { banner: String::new(), contact: None, ..plain.clone() },
            Self {
                name: "<script>alert('nom')</script>".to_owned(),
                banner: "<script>alert(1)</script>\nligne".to_owned(),
                contact: Some("\"><script>alert(2)</script>".to_owned()),
                ..plain
            },
        ]
    }
}

/// Shows it. The request is not answered, and nothing is sent to the portal.
///
/// # Errors
/// The template failed.
pub fn show(app: &App, origin: &Origin, (client, ui_locales): (&Client, Option<&str>)) -> Outcome {
    let locale = origin.locale(ui_locales);
    let page = PortalClosed {
        // The page answers a request that cannot be repeated by a link, so it offers no language switch.
        chrome: Chrome { languages: Vec::new(), ..chrome(app, locale, "/") },
        name: client.name_in(locale).to_owned(),
        banner: client.banner.as_ref().map(|banner| banner.in_locale(locale).to_owned()).unwrap_or_default(),
        contact: client.contact().map(str::to_owned),
    };
    render(StatusCode::SERVICE_UNAVAILABLE, &page)
}
