//! `/account/organizations`: where a person belongs, and what organizations offer them.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use habilis_policies::attributes::Attribute;
use jiff::Timestamp;

use super::attributes::{self, Field};
use super::{offers, signed_in, still_open};
use crate::app::App;
use crate::db::membership_offers::{self, Offer};
use crate::db::people::{self, Person};
use crate::db::{Tx, organizations};
use crate::login::local::Place;
use crate::mail::letters::paris;
use crate::oidc::organization_pages::kind_words;
use crate::outcome::Outcome;
use crate::web::cookies::{Browser, Cookies};
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
    /// What the organization asks and the account does not say.
    pub fields: Vec<Field>,
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
            fields: if administrator {
                vec![Field {
                    wrong: true,
                    value: hostile.to_owned(),
                    prefix: "offer-1-".to_owned(),
                    ..Field::of(Attribute::PhoneNumber)
                }]
            } else {
                Vec::new()
            },
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
    let done = query.get("done").unwrap_or_default();
    let page = Organizations {
        done: ["joined", "declined", "over"].into_iter().find(|known| *known == done).unwrap_or_default(),
        ..page(&app, origin.locale(query.get("ui_locales")), (&person, &browser), now).await?
    };
    render(StatusCode::OK, &page)
}

async fn page(
    app: &App,
    locale: Locale,
    (person, browser): (&Person, &Browser),
    now: Timestamp,
) -> Outcome<Organizations> {
    let mut reader = app.db.reader().await?;
    let mut offers = Vec::new();
    for (index, offer) in membership_offers::of_person(&mut reader, &person.id, now).await?.into_iter().enumerate() {
        let asked = attributes::asked_by(&mut reader, &app.config, &offer.organization_id).await?;
        let prefix = format!("offer-{}-", index + 1);
        let fields = attributes::fields(&asked, person)?;
        offers.push(Offered {
            administrator: offer.role == "administrator",
            until: paris(offer.expires_at.into(), locale),
            organization: offer.organization_name,
            id: offer.id,
            fields: fields.into_iter().map(|field| Field { prefix: prefix.clone(), ..field }).collect(),
        });
    }
    let memberships = organizations::of_person(&mut reader, &person.id, now).await?;
    Ok(Organizations {
        chrome: chrome(app, locale, PATH),
        csrf: browser.csrf(app),
        done: "",
        offers,
        memberships: memberships
            .into_iter()
            .map(|membership| Belonging {
                administrator: membership.role == "administrator",
                kind: kind_words(&membership.kind, locale),
                organization: membership.name,
            })
            .collect(),
    })
}

/// Accepts or declines an offer.
///
/// # Errors
/// The database or a template failed.
pub async fn answer(State(app): State<App>, origin: Origin, cookies: Cookies, Form(form): Form) -> Outcome {
    let now = app.clock.now();
    let Some((session, person, browser)) = signed_in(&app, &cookies, now).await? else {
        return Ok(see_other(&Place::Organizations.login_path()));
    };
    let mut params = form.unwrap_or_default();
    if !browser.sent(&app, params.get("csrf")) {
        return Ok(see_other(PATH));
    }
    let id = params.take("offer").unwrap_or_default();
    let mut tx = app.db.begin().await?;
    let offer = offers::open_to(&mut tx, (&person.id, &id), now).await?;
    if !still_open(&mut tx, &session, now).await? {
        return Ok(see_other(&Place::Organizations.login_path()));
    }
    let done = match (offer, params.get("answer")) {
        (Some(offer), Some("accept")) => {
            // What the organization asks is said in the same form; and is kept with the membership, or not at all.
            let Some(person) = people::find(&mut tx, &person.id).await? else { return Ok(see_other(PATH)) };
            if let Err(fields) = say(&mut tx, &app, (&offer, person.clone(), &origin), (&mut params, now)).await? {
                drop(tx);
                let mut page = page(&app, origin.locale(None), (&person, &browser), now).await?;
                if let Some(shown) = page.offers.iter_mut().find(|shown| shown.id == id) {
                    let prefix = shown.fields.first().map(|field| field.prefix.clone()).unwrap_or_default();
                    shown.fields = fields.into_iter().map(|field| Field { prefix: prefix.clone(), ..field }).collect();
                }
                return render(StatusCode::UNPROCESSABLE_ENTITY, &page);
            }
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

/// Writes down what the organization of an offer asks and the account does not say yet; the fields with what was typed when that does
/// not do. The person is locked; the caller commits.
async fn say(
    tx: &mut Tx,
    app: &App,
    (offer, mut person, origin): (&Offer, Person, &Origin),
    (params, now): (&mut Params, Timestamp),
) -> Outcome<Result<(), Vec<Field>>> {
    let asked = attributes::asked_by(tx, &app.config, &offer.organization_id).await?;
    let mut fields = attributes::fields(&asked, &person)?;
    if fields.is_empty() {
        return Ok(Ok(()));
    }
    if !attributes::take(&mut fields, &mut person, params, now)? {
        return Ok(Err(fields));
    }
    attributes::save(tx, app, (&person, &fields, origin), now).await?;
    Ok(Ok(()))
}
