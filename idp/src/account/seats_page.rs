//! `/account/seats`: a person asks for a seat of a product, and sees what became of what they asked for (R059).

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use habilis_policies::seat_requests::{MOST_CHARACTERS, Refusal};
use jiff::Timestamp;

use super::{signed_in, still_open};
use crate::app::App;
use crate::db::audit::Event;
use crate::db::people::Person;
use crate::db::seat_requests::{self, SeatRequest};
use crate::db::{organizations, products};
use crate::login::local::Place;
use crate::mail::letters::paris;
use crate::outcome::Outcome;
use crate::seats::requests::{self, Asking};
use crate::web::cookies::{Browser, Cookies};
use crate::web::page::{Chrome, Sample, sample_chrome};
use crate::web::params::Params;
use crate::web::text::Locale;
use crate::web::{Form, Origin, chrome, render, see_other};

/// Where the page is.
pub const PATH: &str = "/account/seats";
/// Where a seat of a product is asked for.
pub fn asking_for(product: &str) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("product", product).finish();
    format!("{PATH}?{query}")
}

/// Requests that are shown.
const SHOWN: u32 = 20;
/// What the page says of what was just done, by the word in its address.
const DONES: [&str; 8] = ["asked", "granted", "withdrawn", "holds", "waits", "soon", "many", "refused"];

/// The page.
#[derive(Clone, Debug, Template)]
#[template(path = "account/seats.html")]
pub struct Seats {
    /// The frame.
    pub chrome: Chrome,
    /// The token of the forms.
    pub csrf: String,
    /// What just happened, a word of [`DONES`], or nothing.
    pub done: &'static str,
    /// What can be asked for.
    pub choices: Vec<SeatChoice>,
    /// The reason, as it was typed.
    pub reason: String,
    /// Whether it was too long.
    pub wrong_reason: bool,
    /// What was asked for, the latest first.
    pub requests: Vec<Asked>,
}

/// A seat that can be asked for.
#[derive(Clone, Debug)]
pub struct SeatChoice {
    /// What the form sends: `org_…/product`.
    pub value: String,
    /// The product's name.
    pub product: String,
    /// The organization's name.
    pub organization: String,
    /// Whether it is chosen already.
    pub chosen: bool,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `srq_…`.
    pub id: String,
    /// The product's name.
    pub product: String,
    /// The organization's name.
    pub organization: String,
    /// `requested`, `granted`, `declined`, `withdrawn` or `expired`.
    pub status: String,
    /// When it was made.
    pub at: String,
    /// What was answered.
    pub note: String,
}

impl Asked {
    fn waits(&self) -> bool {
        self.status == "requested"
    }

    /// The text of the status.
    fn state(&self) -> &'static str {
        match self.status.as_str() {
            "requested" => "seats-state-requested",
            "granted" => "seats-state-granted",
            "declined" => "seats-state-declined",
            "withdrawn" => "seats-state-withdrawn",
            _ => "seats-state-expired",
        }
    }
}

impl Seats {
    /// The text of what just happened, and whether it is a refusal.
    fn told(&self) -> Option<(&'static str, bool)> {
        Some(match self.done {
            "asked" => ("seats-done-asked", false),
            "granted" => ("seats-done-granted", false),
            "withdrawn" => ("seats-done-withdrawn", false),
            "holds" => ("seats-done-holds", true),
            "waits" => ("seats-done-waits", true),
            "soon" => ("seats-done-soon", true),
            "many" => ("seats-done-many", true),
            "refused" => ("seats-done-refused", true),
            _ => return None,
        })
    }
}

impl Sample for Seats {
    fn samples(locale: Locale) -> Vec<Self> {
        let hostile = "<script>alert('nom')</script>";
        let empty = Self {
            chrome: sample_chrome(locale),
            csrf: "c5f0".to_owned(),
            done: "",
            choices: Vec::new(),
            reason: String::new(),
            wrong_reason: false,
            requests: Vec::new(),
        };
        let choice = |value: &str, product: &str, chosen| SeatChoice {
            value: value.to_owned(),
            product: product.to_owned(),
            organization: hostile.to_owned(),
            chosen,
        };
        let asked = |status: &str| Asked {
            id: format!("srq_{status}"),
            product: "Plateforme de cours".to_owned(),
            organization: hostile.to_owned(),
            status: status.to_owned(),
            at: "15/12/2027 à 09:30 (heure de Paris)".to_owned(),
            note: if status == "declined" { hostile.to_owned() } else { String::new() },
        };
        let full = Self {
            choices: vec![choice("org_01/lms", "Plateforme de cours", true), choice("\"><script>", hostile, false)],
            requests: ["requested", "granted", "declined", "withdrawn", "expired"].map(asked).to_vec(),
            ..empty.clone()
        };
        let wrong = Self { wrong_reason: true, reason: hostile.to_owned(), ..full.clone() };
        let dones = DONES.map(|done| Self { done, ..full.clone() });
        [empty, full, wrong].into_iter().chain(dones).collect()
    }
}

/// Shows the page; `product` in the query chooses what can be asked for.
///
/// # Errors
/// The database or the template failed.
pub async fn show(State(app): State<App>, origin: Origin, cookies: Cookies, RawQuery(query): RawQuery) -> Outcome {
    let now = app.clock.now();
    let Some((_, person, browser)) = signed_in(&app, &cookies, now).await? else {
        return Ok(see_other(&Place::Seats.login_path()));
    };
    let query = Params::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let done = query.get("done").unwrap_or_default();
    let locale = origin.locale(query.get("ui_locales"));
    let product = query.get("product").filter(|product| !product.contains('\0'));
    let mut page = page(&app, locale, (&person, &browser, product), now).await?;
    // Nothing of that product: whatever else there is.
    if page.choices.is_empty() && product.is_some() {
        page = self::page(&app, locale, (&person, &browser, None), now).await?;
    }
    page.done = DONES.into_iter().find(|known| *known == done).unwrap_or_default();
    // What else there is is not chosen for who asked a moment ago.
    if let ([only], "") = (&mut page.choices[..], page.done) {
        only.chosen = true;
    }
    render(StatusCode::OK, &page)
}

async fn page(
    app: &App,
    locale: Locale,
    (person, browser, product): (&Person, &Browser, Option<&str>),
    now: Timestamp,
) -> Outcome<Seats> {
    let mut reader = app.db.reader().await?;
    let askable = seat_requests::askable(&mut reader, &person.id, product, now).await?;
    let choices = askable.into_iter().map(|one| SeatChoice {
        value: format!("{}/{}", one.organization_id, one.product_id),
        product: one.product,
        organization: one.organization,
        chosen: false,
    });
    let mut asked = Vec::new();
    for row in seat_requests::list_of_person(&mut reader, &person.id, (i64::MAX, "", SHOWN)).await? {
        let organization = organizations::find(&mut reader, &row.organization_id).await?;
        let product = products::find(&mut reader, &row.product_id).await?;
        asked.push(Asked {
            organization: organization.map(|found| found.name).unwrap_or_default(),
            product: product.map(|found| found.name).unwrap_or_default(),
            at: paris(row.requested_at.into(), locale),
            note: row.note.unwrap_or_default(),
            status: row.status,
            id: row.id,
        });
    }
    Ok(Seats {
        chrome: chrome(app, locale, PATH),
        csrf: browser.csrf(app),
        done: "",
        choices: choices.collect(),
        reason: String::new(),
        wrong_reason: false,
        requests: asked,
    })
}

/// Asks for a seat, or takes a request back.
///
/// # Errors
/// The database or a template failed.
pub async fn post(State(app): State<App>, origin: Origin, cookies: Cookies, Form(form): Form) -> Outcome {
    let now = app.clock.now();
    let Some((session, person, browser)) = signed_in(&app, &cookies, now).await? else {
        return Ok(see_other(&Place::Seats.login_path()));
    };
    let mut params = form.unwrap_or_default();
    if !browser.sent(&app, params.get("csrf")) {
        return Ok(see_other(PATH));
    }
    let seat = params.take("seat").unwrap_or_default();
    let withdrawn = params.take("withdraw");
    let reason = params.take("reason").unwrap_or_default().replace("\r\n", "\n");
    let reason = reason.trim();
    if reason.chars().count() > MOST_CHARACTERS || reason.contains(|c: char| c.is_control() && c != '\n') {
        let mut page = page(&app, origin.locale(None), (&person, &browser, None), now).await?;
        page.choices.iter_mut().for_each(|choice| choice.chosen = choice.value == seat);
        let page = Seats { wrong_reason: true, reason: reason.to_owned(), ..page };
        return render(StatusCode::UNPROCESSABLE_ENTITY, &page);
    }
    let event = |name| Event::new(name).by(&person.id).from(&origin);
    let mut tx = app.db.begin().await?;
    // The organization before its people.
    let seat = seat.split_once('/').filter(|_| !seat.contains('\0'));
    let mut taken_back = None;
    if let Some(id) = &withdrawn {
        taken_back = requests::held(&mut tx, &person.id, id).await?;
    } else if let Some((organization, _)) = seat {
        requests::hold(&mut tx, (organization, &person.id), now).await?;
    }
    if !still_open(&mut tx, &session, now).await? {
        return Ok(see_other(&Place::Seats.login_path()));
    }
    let done = if withdrawn.is_some() {
        match taken_back {
            Some(row) if requests::withdraw(&mut tx, (&row, None, event("seat.request_withdrawn")), now).await? => {
                "withdrawn"
            }
            _ => "refused",
        }
    } else if let Some((organization, product)) = seat {
        let reason = Some(reason).filter(|reason| !reason.is_empty());
        let event = event("seat.requested");
        let asking = Asking { organization, product, person: &person.id, reason, event };
        word(&requests::ask(&mut tx, &app, asking, now).await?)
    } else {
        "refused"
    };
    if matches!(done, "asked" | "granted" | "withdrawn") {
        tx.commit().await?;
        app.mail_waiting.notify_one();
    }
    Ok(see_other(&format!("{PATH}?done={done}")))
}

/// The word of [`DONES`] for what became of a request.
fn word(asked: &Result<SeatRequest, Refusal>) -> &'static str {
    match asked {
        Ok(row) if row.status == "granted" => "granted",
        Ok(_) => "asked",
        Err(Refusal::Holds) => "holds",
        Err(Refusal::Waits) => "waits",
        Err(Refusal::TooSoon { .. }) => "soon",
        Err(Refusal::TooMany) => "many",
        Err(Refusal::NotAMember | Refusal::NotOffered | Refusal::Off | Refusal::Over) => "refused",
    }
}
