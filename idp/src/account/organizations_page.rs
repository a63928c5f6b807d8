//! `/account/organizations`: where a person belongs, and what organizations offer them.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;

use super::{offers, signed_in};
use crate::app::App;
use crate::db::{membership_offers, organizations};
use crate::login::local::Place;
use crate::mail::letters::paris;
use crate::oidc::organization_pages::kind_words;
use crate::outcome::Outcome;
use crate::web::cookies::Cookies;
use crate::web::page::{Chrome, Sample, sample_chrome};
use crate::web::params::Params;
use crate::web::text::Locale;
use crate::web::{Form, Origin, chrome, render, see_other};

/// Where the page is.
pub const PATH: &str = "/account/organizations";

/// The page.
#[derive(Clone, Debug, Template)]
#[template(path = "account/organizations.html")]
pub struct Organizations {
    /// The frame.
    pub chrome: Chrome,
    /// The token of the forms.
    pub csrf: String,
    /// What just happened: `joined`, `declined`, `over`, or nothing.
    pub done: &'static str,
    /// What can be accepted.
    pub offers: Vec<Offered>,
    /// Where the person belongs.
    pub memberships: Vec<Belonging>,
}

/// An offer.
#[derive(Clone, Debug)]
pub struct Offered {
    /// `off_…`.
    pub id: String,
    /// The organization's name.
    pub organization: String,
    /// Whether to administer it.
    pub administrator: bool,
    /// Until when it can be accepted.
    pub until: String,
}

/// A membership.
#[derive(Clone, Debug)]
pub struct Belonging {
    /// The organization's name.
    pub organization: String,
    /// What sort of organization.
    pub kind: String,
    /// Whether the person administers it.
    pub administrator: bool,
}

impl Sample for Organizations {
    fn samples(locale: Locale) -> Vec<Self> {
        let empty = Self {
            chrome: sample_chrome(locale),
            csrf: "c5f0".to_owned(),
            done: "",
            offers: Vec::new(),
            memberships: Vec::new(),
        };
        let hostile = "<script>alert('nom')</script>";
        let offered = |id: &str, administrator| Offered {
            id: id.to_owned(),
            organization: hostile.to_owned(),
            administrator,
            until: "15/12/2027 à 09:30 (heure de Paris)".to_owned(),
        };
        let belonging = |administrator| Belonging {
            organization: hostile.to_owned(),
            kind: kind_words("company", locale),
            administrator,
        };
        let full = Self {
            offers: vec![offered("off_01", false), offered("\"><script>alert(1)</script>", true)],
            memberships: vec![belonging(true), belonging(false)],
            ..empty.clone()
        };
        let dones = ["joined", "declined", "over"].map(|done| Self { done, ..full.clone() });
        [empty, full].into_iter().chain(dones).collect()
    }
}

/// Shows the page.
///
/// # Errors
/// The database or the template failed.
pub async fn show(State(app): State<App>, origin: Origin, cookies: Cookies, RawQuery(query): RawQuery) -> Outcome {
    let now = app.clock.now();
    let Some((_, person, browser)) = signed_in(&app, &cookies, now).await? else {
        return Ok(see_other(&Place::Organizations.login_path()));
    };
    let query = Params::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let locale = origin.locale(query.get("ui_locales"));
    let done = query.get("done").unwrap_or_default();
    let mut reader = app.db.reader().await?;
    let offers = membership_offers::of_person(&mut reader, &person.id, now).await?;
    let memberships = organizations::of_person(&mut reader, &person.id, now).await?;
    let page = Organizations {
        chrome: chrome(&app, locale, PATH),
        csrf: browser.csrf(&app),
        done: ["joined", "declined", "over"].into_iter().find(|known| *known == done).unwrap_or_default(),
        offers: offers
            .into_iter()
            .map(|offer| Offered {
                administrator: offer.role == "administrator",
                until: paris(offer.expires_at.into(), locale),
                organization: offer.organization_name,
                id: offer.id,
            })
            .collect(),
        memberships: memberships
            .into_iter()
            .map(|membership| Belonging {
                administrator: membership.role == "administrator",
                kind: kind_words(&membership.kind, locale),
                organization: membership.name,
            })
            .collect(),
    };
    render(StatusCode::OK, &page)
}

/// Accepts or declines an offer.
///
/// # Errors
/// The database or a template failed.
pub async fn answer(State(app): State<App>, origin: Origin, cookies: Cookies, Form(form): Form) -> Outcome {
    let now = app.clock.now();
    let Some((_, person, browser)) = signed_in(&app, &cookies, now).await? else {
        return Ok(see_other(&Place::Organizations.login_path()));
    };
    let params = form.unwrap_or_default();
    if !browser.sent(&app, params.get("csrf")) {
        return Ok(see_other(PATH));
    }
    let mut tx = app.db.begin().await?;
    let offer = offers::open_to(&mut tx, (&person.id, params.get("offer").unwrap_or_default()), now).await?;
    let done = match (offer, params.get("answer")) {
        (Some(offer), Some("accept")) => {
            offers::accept(&mut tx, &app, (&offer, &origin), now).await?.is_ok().then_some("joined")
        }
        (Some(offer), Some("decline")) => offers::decline(&mut tx, (&offer, &origin), now).await?.then_some("declined"),
        _ => None,
    };
    if done.is_some() {
        tx.commit().await?;
        app.mail_waiting.notify_one();
    }
    Ok(see_other(&format!("{PATH}?done={}", done.unwrap_or("over"))))
}
