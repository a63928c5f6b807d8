//! `/password/new/{token}`: sets a password by the one-time link (R044, R048). The link is used up by the change itself, so
//! that looking at the page, as some mail filters do, costs nothing.

use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use habilis_keys::secret::Secret;
use habilis_keys::token::digest;
use jiff::Timestamp;

use super::change::{self, Change, Problem, Typed};
use super::forgot::ui_locales;
use super::password_pages::{NewPassword, PasswordRule, Telling, Told};
use super::{links, rules};
use crate::app::App;
use crate::db::people::{self, Person};
use crate::db::{browsers, password_links};
use crate::oidc::error::PageError;
use crate::outcome::Outcome;
use crate::web::cookies::Cookies;
use crate::web::{Form, Origin, chrome, render};

/// Longest token worth a look.
const MAX_TOKEN: usize = 128;

/// Shows the form.
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
    let Some(person) = owner(&app, &token, now).await? else { return over(&app, &origin) };
    render(StatusCode::OK, &page(&app, &origin, (&token, &person), (ui_locales(query).as_deref(), now)).await?)
}

/// Takes the new password.
///
/// # Errors
/// The database or the template failed, or too many digests are being computed.
pub async fn post(
    State(app): State<App>,
    origin: Origin,
    cookies: Cookies,
    Path(token): Path<String>,
    Form(form): Form,
) -> Outcome {
    let now = app.clock.now();
    let mut params = match form {
        Ok(params) => params,
        Err(error) => return PageError::unreadable(&error).show(&app, &origin, None),
    };
    let Some(person) = owner(&app, &token, now).await? else { return over(&app, &origin) };
    let shown = page(&app, &origin, (&token, &person), (None, now)).await?;
    let typed = Typed {
        password: Secret::new(params.take("password").unwrap_or_default()),
        repeated: Secret::new(params.take("repeated").unwrap_or_default()),
    };
    let phc = match change::judge(&app, &person, typed).await? {
        Ok(phc) => phc,
        Err(problems) => return refused(shown, problems),
    };
    let mut tx = app.db.begin().await?;
    people::lock(&mut tx, &person.id).await?;
    if !password_links::use_up(&mut tx, &digest(&token), now).await? {
        return over(&app, &origin);
    }
    let change = Change { person: &person, phc: &phc, kept: "", by: "link" };
    change::apply(&mut tx, &app, (change, &origin), now).await?;
    // Who holds the mailbox is no stranger: guesses from elsewhere do not delay the sign-in that follows.
    if let Some(browser) = &cookies.browser {
        browsers::seen(&mut tx, &person.id, &browser.digest(), now).await?;
    }
    tx.commit().await?;
    app.mail_waiting.notify_one();
    let chrome = chrome(&app, origin.locale(None), "/");
    render(StatusCode::OK, &Told { chrome, telling: Telling::Changed })
}

fn refused(shown: NewPassword, problems: Vec<Problem>) -> Outcome {
    render(StatusCode::UNPROCESSABLE_ENTITY, &NewPassword { problems, ..shown })
}

async fn owner(app: &App, token: &str, now: Timestamp) -> Outcome<Option<Person>> {
    if token.len() > MAX_TOKEN {
        return Ok(None);
    }
    let mut reader = app.db.reader().await?;
    let Some(id) = password_links::find(&mut reader, &digest(token), now).await? else { return Ok(None) };
    Ok(people::find(&mut reader, &id).await?.filter(|person| links::may_be_sent(&person.status)))
}

async fn page(
    app: &App,
    origin: &Origin,
    (token, person): (&str, &Person),
    (ui_locales, now): (Option<&str>, Timestamp),
) -> Outcome<NewPassword> {
    let path = format!("/password/new/{token}");
    let locale = origin.locale(ui_locales);
    let policy = rules::of_person(&mut app.db.reader().await?, &app.config, &person.id, now).await?;
    Ok(NewPassword {
        chrome: chrome(app, locale, &path),
        action: path,
        login: person.login.clone(),
        rule: PasswordRule { locale, policy },
        problems: Vec::new(),
    })
}

fn over(app: &App, origin: &Origin) -> Outcome {
    render(StatusCode::GONE, &Told { chrome: chrome(app, origin.locale(None), "/"), telling: Telling::LinkOver })
}
