//! `/account/complete`: asks somebody whose account is open for what it must say by now and does not (R004), on the way from a sign-in
//! to where they were going, or from the page of the account.
//!
//! Nobody is locked out of what they have because their organization asks for more since: they may go on and are asked again at the
//! next sign-in. Sessions that are open are not interrupted.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use habilis_policies::attributes::{Asked, Attribute};
use jiff::Timestamp;

use super::attributes::{self, Field};
use super::{signed_in, still_open};
use crate::app::App;
use crate::db::people::{self, AtSignIn, Person};
use crate::db::{Conn, Tx, organizations};
use crate::login::finish::Way;
use crate::login::forgot::ui_locales;
use crate::login::local::Place;
use crate::oidc::error::PageError;
use crate::oidc::interaction;
use crate::outcome::Outcome;
use crate::web::cookies::{Browser, Cookies};
use crate::web::page::{Chrome, Sample, sample_chrome};
use crate::web::params::Params;
use crate::web::text::Locale;
use crate::web::{Form, Origin, chrome, render, see_other};

/// The path.
pub const PATH: &str = "/account/complete";

/// Where somebody goes on: to a request that waits, or to a page of ours. Never to an address.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Next {
    Request(String),
    Place(Place),
}

impl Next {
    fn of(params: &Params) -> Self {
        let request = params
            .get("request")
            .filter(|id| id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
        request.map_or_else(|| Self::Place(Place::of(params.get("to"))), |id| Self::Request(id.to_owned()))
    }

    fn path(&self) -> String {
        match self {
            Self::Request(id) => interaction::continue_path(id),
            Self::Place(place) => place.path().to_owned(),
        }
    }

    /// Where the page is, on the way there.
    fn asked_at(&self) -> String {
        match self {
            Self::Request(id) => format!("{PATH}?request={id}"),
            Self::Place(place) => format!("{PATH}?to={}", place.name()),
        }
    }
}

/// Where to ask on the way of somebody who has just signed in; none when their account says all it must.
///
/// # Errors
/// The database failed, or the claims of the person cannot be read.
pub async fn on_the_way(
    tx: &mut Tx,
    app: &App,
    (way, person, known): (&Way, &str, AtSignIn),
    now: Timestamp,
) -> Outcome<Option<String>> {
    // Names are said from the beginning; of anything else an account may be older than the question.
    let of_all = attributes::asked_of_all(&app.config);
    let more = [Attribute::PhoneNumber, Attribute::Birthdate].into_iter().any(|attribute| of_all.includes(attribute));
    if !known.asked_more && !more {
        return Ok(None);
    }
    let Some(person) = people::find(tx, person).await? else { return Ok(None) };
    if attributes::missing_of(&asked(tx, app, &person.id, now).await?.0, &person)?.is_empty() {
        return Ok(None);
    }
    let next = match way {
        Way::Request(open) => Next::Request(open.interaction.id.clone()),
        Way::Place(place) => Next::Place(*place),
        Way::Landing(_) => Next::Place(Place::Account),
    };
    Ok(Some(next.asked_at()))
}

/// What is asked of somebody, and which organizations ask.
async fn asked(c: &mut impl Conn, app: &App, person: &str, now: Timestamp) -> Outcome<(Asked, Vec<(String, Asked)>)> {
    let asking = organizations::asking(c, person, now).await?;
    let all = asking.iter().fold(attributes::asked_of_all(&app.config), |all, (_, asked)| all.and(asked));
    Ok((all, asking))
}

/// Asks; goes on when nothing is missing.
///
/// # Errors
/// The database or the template failed.
pub async fn show(State(app): State<App>, origin: Origin, cookies: Cookies, RawQuery(query): RawQuery) -> Outcome {
    let now = app.clock.now();
    let params = Params::parse(query.clone().unwrap_or_default().as_bytes()).unwrap_or_default();
    let next = Next::of(&params);
    let Some((_, person, browser)) = signed_in(&app, &cookies, now).await? else { return Ok(see_other(&next.path())) };
    let mut reader = app.db.reader().await?;
    let page =
        page(&mut reader, (&app, &origin, ui_locales(query).as_deref()), (&person, &browser, &next), now).await?;
    drop(reader);
    if page.fields.is_empty() {
        return Ok(see_other(&next.path()));
    }
    render(StatusCode::OK, &page)
}

/// Takes what is missing, and goes on.
///
/// # Errors
/// The database or the template failed.
pub async fn take(
    State(app): State<App>,
    origin: Origin,
    cookies: Cookies,
    RawQuery(query): RawQuery,
    Form(form): Form,
) -> Outcome {
    let now = app.clock.now();
    let mut params = match form {
        Ok(params) => params,
        Err(error) => return PageError::unreadable(&error).show(&app, &origin, None),
    };
    let next = Next::of(&Params::parse(query.clone().unwrap_or_default().as_bytes()).unwrap_or_default());
    let Some((session, person, browser)) = signed_in(&app, &cookies, now).await? else {
        return Ok(see_other(&next.path()));
    };
    let mut tx = app.db.begin().await?;
    if !still_open(&mut tx, &session, now).await? {
        return Ok(see_other(&next.path()));
    }
    let Some(mut person) = people::find(&mut tx, &person.id).await? else { return Ok(see_other(&next.path())) };
    let shown = page(&mut tx, (&app, &origin, ui_locales(query).as_deref()), (&person, &browser, &next), now).await?;
    let mut fields = shown.fields.clone();
    let complete = attributes::take(&mut fields, &mut person, &mut params, now)?;
    if !browser.sent(&app, params.get("csrf")) {
        drop(tx);
        return render(StatusCode::FORBIDDEN, &Complete { stale: true, fields, ..shown });
    }
    if !complete {
        drop(tx);
        return render(StatusCode::UNPROCESSABLE_ENTITY, &Complete { fields, ..shown });
    }
    if !fields.is_empty() {
        attributes::save(&mut tx, &app, (&person, &fields, &origin), now).await?;
        tx.commit().await?;
        app.mail_waiting.notify_one();
    }
    Ok(see_other(&next.path()))
}

async fn page(
    c: &mut impl Conn,
    (app, origin, ui_locales): (&App, &Origin, Option<&str>),
    (person, browser, next): (&Person, &Browser, &Next),
    now: Timestamp,
) -> Outcome<Complete> {
    let (all, asking) = asked(c, app, &person.id, now).await?;
    let missing = attributes::missing_of(&all, person)?;
    let asks = |asked: &Asked| missing.iter().any(|attribute| asked.includes(*attribute));
    Ok(Complete {
        chrome: chrome(app, origin.locale(ui_locales), &next.asked_at()),
        action: next.asked_at(),
        next: next.path(),
        csrf: browser.csrf(app),
        organizations: asking.into_iter().filter(|(_, asked)| asks(asked)).map(|(name, _)| name).collect(),
        fields: missing.into_iter().map(Field::of).collect(),
        stale: false,
    })
}

/// The page.
#[derive(Clone, Debug, Template)]
#[template(path = "account/complete.html")]
pub struct Complete {
    /// The frame.
    pub chrome: Chrome,
    /// Where the form is posted.
    pub action: String,
    /// Where to go on without an answer.
    pub next: String,
    /// The token that ties the form to the browser.
    pub csrf: String,
    /// The organizations that ask; none when it is the installation alone.
    pub organizations: Vec<String>,
    /// What is asked.
    pub fields: Vec<Field>,
    /// The form had been open for too long.
    pub stale: bool,
}

impl Complete {
    fn lead(&self) -> String {
        if self.organizations.is_empty() {
            return self.chrome.t("complete-lead");
        }
        self.chrome.t_with("complete-lead-organizations", "names", &self.organizations.join(", "))
    }
}

impl Sample for Complete {
    fn samples(locale: Locale) -> Vec<Self> {
        let plain = Self {
            chrome: sample_chrome(locale),
            action: "/account/complete?to=account".to_owned(),
            next: "/account".to_owned(),
            csrf: "c5f0".to_owned(),
            organizations: Vec::new(),
            fields: vec![Field::of(Attribute::PhoneNumber)],
            stale: false,
        };
        vec![
            plain.clone(),
            Self { stale: true, organizations: vec!["Campus Formation".to_owned()], ..plain.clone() },
            Self {
                organizations: vec!["<script>alert('nom')</script>".to_owned(), "CFA Lumière".to_owned()],
                fields: Attribute::ALL
                    .into_iter()
                    .map(|attribute| Field { wrong: true, value: "\"><script>".to_owned(), ..Field::of(attribute) })
                    .collect(),
                ..plain
            },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_goes_on_to_a_page_of_ours_whatever_is_asked() {
        for (query, path) in [
            ("to=security", "/account/security"),
            ("request=int_01abc", "/interaction/continue/int_01abc"),
            ("request=//evil.example", "/account"),
            ("request=..%2F..%2Fend-session", "/account"),
            ("to=https%3A%2F%2Fevil.example", "/account"),
            ("", "/account"),
        ] {
            assert_eq!(Next::of(&Params::parse(query.as_bytes()).unwrap()).path(), path, "{query}");
        }
    }
}
