//! `/account/password`: changes the password of somebody who is signed in (R049). It takes the present password, unless they
//! signed in within the last ten minutes. One that has expired is not changed here: it takes the mailed link (R044).

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use habilis_keys::secret::Secret;
use habilis_policies::passwords::PasswordPolicy;
use jiff::{SignedDuration, Timestamp};

use super::{signed_in, still_open};
use crate::app::App;
use crate::db::people::{self, Person};
use crate::db::sessions::Session;
use crate::login::change::{self, Change, Problem, Typed};
use crate::login::forgot::ui_locales;
use crate::login::local::Place;
use crate::login::password::{Attempt, attempt, expired, is_too_old};
use crate::login::password_pages::{PasswordRule, Telling, Told, problem_texts};
use crate::login::rules;
use crate::outcome::Outcome;
use crate::web::cookies::{Browser, Cookies};
use crate::web::page::{Chrome, Sample, sample_chrome};
use crate::web::text::Locale;
use crate::web::{Form, Origin, chrome, render, see_other};

/// The path.
pub const PATH: &str = "/account/password";
/// How long a sign-in stands for the present password.
const RECENT: SignedDuration = SignedDuration::from_mins(10);

/// The form.
#[derive(Clone, Debug, Template)]
#[template(path = "account/password.html")]
pub struct ChangePassword {
    /// The frame.
    pub chrome: Chrome,
    /// The token of the form.
    pub csrf: String,
    /// What the person signs in with, for password managers.
    pub login: String,
    /// What is asked of the new password.
    pub rule: PasswordRule,
    /// Whether the present password is asked for.
    pub present: Present,
    /// Why the last one was not taken.
    pub problems: Vec<Problem>,
}

/// Whether the present password is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Present {
    /// They have just signed in.
    NotAsked,
    /// It is asked for.
    Asked,
    /// It was wrong, or there were too many attempts.
    Refused,
}

impl ChangePassword {
    fn asks(&self) -> bool {
        self.present != Present::NotAsked
    }

    fn refused(&self) -> bool {
        self.present == Present::Refused
    }

    fn problem_texts(&self) -> Vec<String> {
        problem_texts(&self.chrome, &self.problems)
    }
}

impl Sample for ChangePassword {
    fn samples(locale: Locale) -> Vec<Self> {
        let plain = Self {
            chrome: sample_chrome(locale),
            csrf: "c5f0".to_owned(),
            login: "camille.martin@cfa-lumiere.example".to_owned(),
            rule: PasswordRule { locale, policy: PasswordPolicy::DEFAULT },
            present: Present::NotAsked,
            problems: Vec::new(),
        };
        vec![
            plain.clone(),
            Self { present: Present::Asked, problems: vec![Problem::NotRepeated], ..plain.clone() },
            Self { present: Present::Refused, login: "\"><script>alert('moi')</script>".to_owned(), ..plain },
        ]
    }
}

/// Shows the form.
///
/// # Errors
/// The database or the template failed.
pub async fn get(State(app): State<App>, origin: Origin, cookies: Cookies, RawQuery(query): RawQuery) -> Outcome {
    let now = app.clock.now();
    let Some(who) = signed_in(&app, &cookies, now).await? else {
        return Ok(see_other(&Place::Password.login_path()));
    };
    let page = page(&app, (&who, now), origin.locale(ui_locales(query).as_deref())).await?;
    // Who has none to type confirms with a passkey.
    if page.asks()
        && people::find_credentials_of(&mut app.db.reader().await?, &who.1.id)
            .await?
            .is_none_or(|found| found.phc.is_none())
    {
        return Ok(see_other(&Place::Password.confirm_path()));
    }
    render(StatusCode::OK, &page)
}

/// Takes the new password.
///
/// # Errors
/// The database or the template failed, or too many digests are being computed.
pub async fn post(State(app): State<App>, origin: Origin, cookies: Cookies, Form(form): Form) -> Outcome {
    let now = app.clock.now();
    let Some(who) = signed_in(&app, &cookies, now).await? else {
        return Ok(see_other(&Place::Password.login_path()));
    };
    let shown = page(&app, (&who, now), origin.locale(None)).await?;
    let (session, person, browser) = who;
    let Ok(mut params) = form else { return Ok(see_other(PATH)) };
    if !browser.sent(&app, params.get("csrf")) {
        return Ok(see_other(PATH));
    }
    // A sign-in of a moment ago, or by a passkey, stands for the present password, but not for one that has expired: it takes the link.
    if shown.present == Present::NotAsked && expired_in_place(&app, &origin, &person, now).await? {
        return render(StatusCode::FORBIDDEN, &Told { chrome: shown.chrome, telling: Telling::Expired });
    }
    let mut proven = None;
    if shown.present == Present::Asked {
        let present = Secret::new(params.take("present").unwrap_or_default());
        match attempt(&app, (&origin, &browser), (&person.login, present), now).await? {
            Attempt::Right(verified) => {
                let mut tx = app.db.begin().await?;
                verified.settle(&mut tx).await?;
                tx.commit().await?;
                proven = Some(verified);
            }
            Attempt::Expired => {
                return render(StatusCode::FORBIDDEN, &Told { chrome: shown.chrome, telling: Telling::Expired });
            }
            Attempt::Wrong | Attempt::TooEarly(_) => {
                return render(StatusCode::FORBIDDEN, &ChangePassword { present: Present::Refused, ..shown });
            }
        }
    }
    let typed = Typed {
        password: Secret::new(params.take("password").unwrap_or_default()),
        repeated: Secret::new(params.take("repeated").unwrap_or_default()),
    };
    let phc = match change::judge(&app, &person, typed).await? {
        Ok(phc) => phc,
        Err(problems) => return render(StatusCode::UNPROCESSABLE_ENTITY, &ChangePassword { problems, ..shown }),
    };
    let mut tx = app.db.begin().await?;
    // The form was on its way while two digests were computed: a report or another password may have come first.
    if !still_open(&mut tx, &session, now).await? {
        return Ok(see_other(&Place::Password.login_path()));
    }
    if let Some(verified) = &proven
        && !verified.holds(&mut tx).await?
    {
        return render(StatusCode::FORBIDDEN, &ChangePassword { present: Present::Refused, ..shown });
    }
    let change = Change { person: &person, phc: &phc, kept: &session.id, by: "account" };
    change::apply(&mut tx, &app, (change, &origin), now).await?;
    tx.commit().await?;
    app.mail_waiting.notify_one();
    render(StatusCode::OK, &Told { chrome: shown.chrome, telling: Telling::ChangedHere })
}

/// Whether the person has a password that opens nothing any more, and was sent the link to another (R044).
async fn expired_in_place(app: &App, origin: &Origin, person: &Person, now: Timestamp) -> Outcome<bool> {
    let found = people::find_credentials_of(&mut app.db.reader().await?, &person.id).await?;
    let Some(credentials) = found.filter(|found| found.phc.is_some()) else { return Ok(false) };
    if !is_too_old(app, &credentials, now).await? {
        return Ok(false);
    }
    expired(app, origin, (&person.id, &person.login, &[]), now).await?;
    Ok(true)
}

async fn page(
    app: &App,
    ((session, person, browser), now): (&(Session, Person, Browser), Timestamp),
    locale: Locale,
) -> Outcome<ChangePassword> {
    let policy = rules::of_person(&mut app.db.reader().await?, &app.config, &person.id, now).await?;
    let recent = now.duration_since(session.auth_time.into()) <= RECENT;
    Ok(ChangePassword {
        chrome: chrome(app, locale, PATH),
        csrf: browser.csrf(app),
        login: person.login.clone(),
        rule: PasswordRule { locale, policy },
        present: if recent { Present::NotAsked } else { Present::Asked },
        problems: Vec::new(),
    })
}
