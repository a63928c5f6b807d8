//! `/updates/{token}`: an account for updates opens (R077). The years count from the button: looking at the page, as some mail filters
//! do, costs nothing. The link is the proof, and nobody need be signed in: it gives no session, it starts a window of the account it was
//! made for. Once it did, it says until when.

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use habilis_keys::token::digest;
use habilis_policies::enrolments::Status;
use habilis_policies::{calendar, updates};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::landing::Landing;
use super::notice::{Told, tell};
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::enrolments::{self, Enrolment};
use crate::db::people::{self, Person};
use crate::db::{Conn, Tx, enrolment_links, members, organizations};
use crate::login::forgot::ui_locales;
use crate::login::links::may_be_sent;
use crate::mail::passwords::day;
use crate::mail::updates::UpdatesLetter;
use crate::mail::{self, Post, Recipient};
use crate::outcome::Outcome;
use crate::web::page::{Chrome, Sample, sample_chrome};
use crate::web::text::Locale;
use crate::web::{Origin, chrome, render, see_other};

/// Where a link leads, before the token.
const PATH: &str = "/updates/";
/// Longest token worth a look.
const MAX_TOKEN: usize = 128;

/// Sends a link that opens an account for updates, and gives the mail's id; earlier links are void. None to somebody without an address.
/// The caller records and commits.
///
/// # Errors
/// The database or the template failed.
pub async fn send(
    tx: &mut Tx,
    post: Post<'_>,
    (row, person, organization): (&Enrolment, &Person, &str),
    now: Timestamp,
) -> Outcome<Option<String>> {
    let Some(address) = &person.email else { return Ok(None) };
    enrolment_links::void(tx, &row.id, now).await?;
    let token = habilis_keys::random::token();
    let last_day = updates::link_last_day(now);
    let expires_at = calendar::cut_after(last_day);
    enrolment_links::insert(tx, &digest(token.expose()), (&row.id, expires_at), now).await?;
    let letter = UpdatesLetter {
        organization: organization.to_owned(),
        title: row.title.clone(),
        years: row.years().into(),
        last_day,
        href: format!("{}{PATH}{}", post.config.server.issuer, token.expose()),
    };
    let to = Recipient { address, person: Some(&person.id), locale: Locale::negotiate(Some(&person.locale), None) };
    Ok(Some(mail::write_to(tx, post, (&to, &letter), (now, now)).await?))
}

/// What a link opens.
struct Found {
    enrolment: Enrolment,
    /// The name of the organization that gives the access; none while it, the membership or the account is closed.
    organization: Option<String>,
}

impl Found {
    /// Its last day, once it is open.
    fn open_until(&self) -> Option<Date> {
        self.enrolment.opened_at.and_then(|_| self.enrolment.not_after.parse().ok())
    }
}

async fn find(c: &mut impl Conn, token: &str, now: Timestamp) -> Outcome<Option<Found>> {
    if token.len() > MAX_TOKEN {
        return Ok(None);
    }
    let Some(link) = enrolment_links::find(c, &digest(token), now).await? else { return Ok(None) };
    let enrolment = enrolments::find(c, &link.organization_id, &link.id).await?;
    let Some(enrolment) = enrolment.filter(|row| Status::parse(&row.status) == Status::Registered) else {
        return Ok(None);
    };
    let open = people::find(c, &link.person_id).await?.is_some_and(|person| may_be_sent(&person.status));
    let memberships = if open { organizations::of_person(c, &link.person_id, now).await? } else { Vec::new() };
    let organization = memberships.into_iter().find(|one| one.id == link.organization_id).map(|one| one.name);
    Ok(Some(Found { enrolment, organization }))
}

/// Says what the link opens and until when it would be, or that it is open. Changes nothing.
///
/// # Errors
/// The database or the template failed.
pub async fn get(
    State(app): State<App>,
    origin: Origin,
    Path(token): Path<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let now = app.clock.now();
    let found = find(&mut app.db.reader().await?, &token, now).await?;
    let Some(found) = found else { return tell(&app, &origin, Told::UpdatesOver) };
    let path = format!("{PATH}{token}");
    let locale = origin.locale(ui_locales(query).as_deref());
    let (row, open) = (&found.enrolment, found.open_until());
    let step = match (open, &found.organization) {
        (Some(_), _) => {
            let landing = Landing { client: Some(row.client_id.clone()), ..Landing::default() };
            Step::Opened { href: landing.address(&app).await? }
        }
        (None, Some(organization)) => Step::Ask { action: path.clone(), organization: organization.clone() },
        (None, None) => return tell(&app, &origin, Told::UpdatesNotNow),
    };
    let last_day = open.unwrap_or_else(|| updates::days(now, row.years()).1);
    let page = Updates {
        chrome: chrome(&app, locale, &path),
        title: row.title.clone(),
        years: row.years().into(),
        date: day(last_day, locale),
        step,
    };
    render(StatusCode::OK, &page)
}

/// Opens it, once, and leads to the page that says so.
///
/// # Errors
/// The database or the template failed.
pub async fn post(State(app): State<App>, origin: Origin, Path(token): Path<String>) -> Outcome {
    let now = app.clock.now();
    let found = find(&mut app.db.reader().await?, &token, now).await?;
    let Some(Found { enrolment, .. }) = found else { return tell(&app, &origin, Told::UpdatesOver) };
    let mut tx = app.db.begin().await?;
    // The organization before its people; the link is looked at after that.
    members::lock(&mut tx, &enrolment.organization_id).await?;
    people::lock(&mut tx, &enrolment.person_id).await?;
    let Some(found) = find(&mut tx, &token, now).await? else { return tell(&app, &origin, Told::UpdatesOver) };
    if found.open_until().is_none() {
        if found.organization.is_none() {
            return tell(&app, &origin, Told::UpdatesNotNow);
        }
        if !open(&mut tx, (found.enrolment, &origin), now).await? {
            return tell(&app, &origin, Told::UpdatesOver);
        }
        tx.commit().await?;
    }
    Ok(see_other(&format!("{PATH}{token}")))
}

/// Opens an enrolment, with its line of the trail; false when it was closed meanwhile.
async fn open(tx: &mut Tx, (mut row, origin): (Enrolment, &Origin), now: Timestamp) -> Outcome<bool> {
    let before = traced(&row);
    if !enrolments::open(tx, &mut row, now).await? {
        return Ok(false);
    }
    let event = Event::new("enrolment.opened").by(&row.person_id).about(&row.person_id).from(origin);
    let event = event.in_organization(&row.organization_id).with("enrolment", row.id.clone());
    audit::record(tx, event.changed(before, traced(&row)), now).await?;
    Ok(true)
}

/// What of it the trail keeps.
fn traced(row: &Enrolment) -> Value {
    json!({
        "portal": row.client_id, "status": row.status, "not_before": row.first_day(), "not_after": row.last_day(),
        "opened_at": row.opened_at.map(|at| Timestamp::from(at).to_string()),
    })
}

/// What the page is for.
#[derive(Clone, Debug)]
pub enum Step {
    /// The button that opens.
    Ask {
        /// Where the form is posted.
        action: String,
        /// The name of the organization that gives the access.
        organization: String,
    },
    /// The way on.
    Opened {
        /// The portal, or the person's account.
        href: String,
    },
}

/// The page.
#[derive(Clone, Debug, Template)]
#[template(path = "account/updates.html")]
pub struct Updates {
    /// The frame.
    pub chrome: Chrome,
    /// Of the course.
    pub title: String,
    /// How many years there are from the opening.
    pub years: u64,
    /// The last day, in words.
    pub date: String,
    /// What it is for.
    pub step: Step,
}

impl Updates {
    fn heading(&self) -> String {
        self.chrome.t(match self.step {
            Step::Ask { .. } => "updates-title",
            Step::Opened { .. } => "updates-opened-title",
        })
    }

    fn marker(&self) -> &'static str {
        match self.step {
            Step::Ask { .. } => "updates",
            Step::Opened { .. } => "updates-opened",
        }
    }

    fn what(&self, organization: &str) -> String {
        let values = [("organization", organization), ("title", self.title.as_str())];
        self.chrome.locale.text_with("updates-what", &values)
    }

    fn until(&self) -> String {
        self.chrome.locale.text_with("updates-until", &[("title", &self.title), ("date", &self.date)])
    }

    fn term(&self) -> String {
        self.chrome.locale.text_count("updates-term", self.years)
    }
}

impl Sample for Updates {
    fn samples(locale: Locale) -> Vec<Self> {
        let ask =
            |organization: &str| Step::Ask { action: "/updates/abc".to_owned(), organization: organization.to_owned() };
        let plain = Self {
            chrome: sample_chrome(locale),
            title: "Anglais B2".to_owned(),
            years: updates::YEARS.into(),
            date: day(jiff::civil::date(2032, 5, 10), locale),
            step: ask("Campus Formation"),
        };
        let opened = Step::Opened { href: "https://campus.example/connexion?iss=a&b=\"".to_owned() };
        let hostile = "\"><script>alert('moi')</script>".to_owned();
        vec![
            plain.clone(),
            Self { years: 1, title: hostile.clone(), step: ask(&hostile), ..plain.clone() },
            Self { step: opened.clone(), ..plain.clone() },
            Self { title: hostile, step: opened, ..plain },
        ]
    }
}
