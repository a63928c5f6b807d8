//! A page of the account that only tells something, and where to go from there.

use askama::Template;
use axum::http::StatusCode;

use crate::app::App;
use crate::outcome::Outcome;
use crate::web::page::{Chrome, Sample, sample_chrome};
use crate::web::text::Locale;
use crate::web::{Origin, chrome, render};

/// What a [`Notice`] tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The link was used, or its time is over.
    LinkOver,
    /// A link was sent to whoever holds the address.
    SignUpSent,
    /// The same, without proof of work: it takes a while.
    SignUpQueued,
    /// Between asking and answering, somebody made that account.
    AccountExists,
    /// A link was sent to the new address.
    EmailSent,
    /// The new address is in use.
    EmailChanged,
    /// The change of address was taken back.
    EmailRestored,
    /// The organization that invited has no seat left.
    NoSeat,
    /// The contract is not signed yet (R006).
    NoContract,
    /// The link to an account for updates is over, or void (R077).
    UpdatesOver,
    /// It cannot be opened while the account is not active there.
    UpdatesNotNow,
}

impl Told {
    const ALL: [Self; 11] = [
        Self::LinkOver,
        Self::SignUpSent,
        Self::SignUpQueued,
        Self::AccountExists,
        Self::EmailSent,
        Self::EmailChanged,
        Self::EmailRestored,
        Self::NoSeat,
        Self::NoContract,
        Self::UpdatesOver,
        Self::UpdatesNotNow,
    ];

    /// Status, marker, title, text.
    fn words(self) -> (StatusCode, &'static str, &'static str, &'static str) {
        match self {
            Self::LinkOver => (StatusCode::GONE, "account-link-over", "activation-over-title", "activation-over-text"),
            Self::SignUpSent => (StatusCode::OK, "sign-up-sent", "signup-sent-title", "signup-sent-text"),
            Self::SignUpQueued => (StatusCode::OK, "sign-up-sent", "signup-sent-title", "signup-queued-text"),
            Self::AccountExists => {
                (StatusCode::CONFLICT, "account-exists", "signup-exists-title", "signup-exists-text")
            }
            Self::EmailSent => (StatusCode::OK, "email-sent", "profile-email-sent-title", "profile-email-sent-text"),
            Self::EmailChanged => {
                (StatusCode::OK, "email-changed", "profile-email-changed-title", "profile-email-changed-text")
            }
            Self::NoSeat => {
                (StatusCode::CONFLICT, "account-no-seat", "access-none-left-title", "access-none-left-text")
            }
            Self::NoContract => {
                (StatusCode::CONFLICT, "account-no-contract", "activation-unsigned-title", "activation-unsigned-text")
            }
            Self::UpdatesOver => (StatusCode::GONE, "updates-over", "updates-over-title", "updates-over-text"),
            Self::UpdatesNotNow => {
                (StatusCode::CONFLICT, "updates-not-now", "updates-not-now-title", "updates-not-now-text")
            }
            Self::EmailRestored => {
                (StatusCode::OK, "email-restored", "profile-email-restored-title", "profile-email-restored-text")
            }
        }
    }

    fn link(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::LinkOver => Some((crate::login::forgot::PATH, "activation-over-link")),
            Self::AccountExists => Some(("/login", "login-home-sign-in")),
            Self::EmailSent => Some((super::profile::PATH, "profile-back")),
            Self::EmailChanged => Some(("/account", "login-home-account")),
            Self::SignUpSent
            | Self::SignUpQueued
            | Self::EmailRestored
            | Self::NoSeat
            | Self::NoContract
            | Self::UpdatesOver
            | Self::UpdatesNotNow => None,
        }
    }
}

/// The page.
#[derive(Clone, Debug, Template)]
#[template(path = "account/notice.html")]
pub struct Notice {
    /// The frame.
    pub chrome: Chrome,
    /// Its marker, without `-page`.
    pub marker: &'static str,
    /// Title and heading.
    pub title: String,
    /// What it tells.
    pub text: String,
    /// Where to go, and the word for it.
    pub link: Option<(&'static str, String)>,
}

impl Notice {
    fn of(chrome: Chrome, told: Told, minutes: u32) -> (StatusCode, Self) {
        let (status, marker, title, text) = told.words();
        let text = match told {
            Told::SignUpQueued => chrome.locale.text_count(text, u64::from(minutes)),
            _ => chrome.t(text),
        };
        let link = told.link().map(|(href, key)| (href, chrome.t(key)));
        (status, Self { marker, title: chrome.t(title), text, link, chrome })
    }
}

/// Answers with a [`Notice`].
///
/// # Errors
/// The template failed.
pub fn tell(app: &App, origin: &Origin, told: Told) -> Outcome {
    let chrome = chrome(app, origin.locale(None), "/");
    let (status, page) = Notice::of(chrome, told, app.config.accounts.unproven_delay_minutes);
    render(status, &page)
}

impl Sample for Notice {
    fn samples(locale: Locale) -> Vec<Self> {
        Told::ALL.into_iter().map(|told| Self::of(sample_chrome(locale), told, 10).1).collect()
    }
}
