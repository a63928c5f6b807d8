//! The page of the account.

use askama::Template;

use crate::web::page::{Chrome, Sample, sample_chrome};
use crate::web::text::Locale;

/// The person's own page.
#[derive(Clone, Debug, Template)]
#[template(path = "account/account.html")]
pub struct Account {
    /// The frame.
    pub chrome: Chrome,
    /// The token of the forms.
    pub csrf: String,
    /// Whether something is missing that is asked of the person.
    pub incomplete: bool,
    /// Whether portals wait until the identity is verified.
    pub to_verify: bool,
    /// Given and family name.
    pub name: String,
    /// What they sign in with.
    pub login: String,
    /// The declared address; empty when there is none.
    pub email: String,
    /// Where they are signed in.
    pub devices: Vec<Device>,
}

/// A browser that is signed in.
#[derive(Clone, Debug)]
pub struct Device {
    /// `ses_…`, for signing it out.
    pub id: String,
    /// Browser and system.
    pub name: String,
    /// Where the session began.
    pub address: String,
    /// When it began.
    pub since: String,
    /// Whether it is this one.
    pub current: bool,
}

impl Sample for Account {
    fn samples(locale: Locale) -> Vec<Self> {
        let device = |name: &str, current| Device {
            id: format!("ses_{current}"),
            name: name.to_owned(),
            address: "192.0.2.7".to_owned(),
            since: "15/12/2027 à 09:30 (heure de Paris)".to_owned(),
            current,
        };
        let plain = Self {
            chrome: sample_chrome(locale),
            csrf: "c5f0".to_owned(),
            incomplete: false,
            to_verify: false,
            name: "Camille Martin".to_owned(),
            login: "camille.martin@cfa-lumiere.example".to_owned(),
            email: String::new(),
            devices: vec![device("Firefox, Linux", true)],
        };
        vec![
            plain.clone(),
            Self {
                incomplete: true,
                to_verify: true,
                name: "<script>alert('moi')</script>".to_owned(),
                email: "\"><script>alert('moi')</script>".to_owned(),
                devices: vec![device("Firefox, Linux", true), device("<script>alert(1)</script>", false)],
                ..plain
            },
        ]
    }
}
