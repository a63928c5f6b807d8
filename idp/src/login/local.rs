//! `/login`: signing in to the provider itself, on the way to a page of its own rather than to a portal.
//!
//! Where it leads is one of a closed list of names, never an address: there is nothing to redirect to elsewhere.

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use habilis_keys::secret::Secret;

use super::finish::{Arrival, Way, after_password, step_up_to};
use super::pages::{Login, LoginNotice, LoginProblem};
use super::passkey;
use super::password::{Attempt, attempt, refused, too_early};
use super::password_pages::{Telling, Told};
use super::session;
use crate::app::App;
use crate::db::people::{self, fold_login};
use crate::db::sessions::Session;
use crate::oidc::error::PageError;
use crate::outcome::Outcome;
use crate::web::cookies::{self, Browser, Cookies};
use crate::web::params::Params;
use crate::web::{Form, Origin, chrome, render, see_other};

/// A page of the provider that asks for a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Place {
    /// `/account`
    #[default]
    Account,
    /// `/account/security`
    Security,
    /// `/account/profile`
    Profile,
    /// `/account/password`
    Password,
    /// `/account/activity`
    Activity,
    /// `/account/applications`
    Applications,
    /// `/account/organizations`
    Organizations,
    /// `/account/seats`
    Seats,
    /// `/device/confirm`
    Device,
}

impl Place {
    /// Every place.
    pub const ALL: [Self; 9] = [
        Self::Account,
        Self::Security,
        Self::Profile,
        Self::Password,
        Self::Activity,
        Self::Applications,
        Self::Organizations,
        Self::Seats,
        Self::Device,
    ];

    /// Its name in `to`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Security => "security",
            Self::Profile => "profile",
            Self::Password => "password",
            Self::Activity => "activity",
            Self::Applications => "applications",
            Self::Organizations => "organizations",
            Self::Seats => "seats",
            Self::Device => "device",
        }
    }

    /// Its path.
    pub fn path(self) -> &'static str {
        match self {
            Self::Account => "/account",
            Self::Security => "/account/security",
            Self::Profile => crate::account::profile::PATH,
            Self::Password => crate::account::password::PATH,
            Self::Activity => crate::account::activity::PATH,
            Self::Applications => "/account/applications",
            Self::Organizations => crate::account::organizations_page::PATH,
            Self::Seats => crate::account::seats_page::PATH,
            Self::Device => "/device/confirm",
        }
    }

    /// Where to confirm, on the way there, that it is still the same person: what is missing is asked, and no more.
    pub fn confirm_path(self) -> String {
        format!("/login?to={}&again=yes", self.name())
    }

    /// Where somebody who is signed in signs in from the beginning, as somebody else perhaps.
    pub fn whole_path(self) -> String {
        format!("/login?to={}&again=whole", self.name())
    }

    /// Where to sign in on the way there.
    pub fn login_path(self) -> String {
        format!("/login?to={}", self.name())
    }

    /// The place of this name; the account for any other.
    pub fn of(name: Option<&str>) -> Self {
        Self::ALL.into_iter().find(|place| name == Some(place.name())).unwrap_or_default()
    }
}

/// Shows the sign-in page, or goes on at once for somebody signed in.
///
/// # Errors
/// The database or the template failed.
pub async fn get(State(app): State<App>, origin: Origin, cookies: Cookies, RawQuery(query): RawQuery) -> Outcome {
    let now = app.clock.now();
    let mut query = Params::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let place = Place::of(query.get("to"));
    let again = query.get("again").map(str::to_owned);
    let session = session::load(&app, &cookies, now).await?;
    let browser = cookies.browser.clone().unwrap_or_else(Browser::named_at_random);
    let ui_locales = query.take("ui_locales");
    let page = page(&app, &origin, (&browser, place), ui_locales.as_deref());
    let page = match (session, again.as_deref()) {
        (Some(_), None) => return Ok(see_other(place.path())),
        (Some(_), Some("whole")) => Login { notice: Some(LoginNotice::ConfirmItIsYou), ..page },
        (Some(session), Some(_)) => {
            if let Some(second_step) = step_up_to(&app, (place, &session, &browser, &origin), now).await? {
                return Ok(second_step);
            }
            confirm(&app, (place, &session), page).await?
        }
        (None, _) => page,
    };
    answer(&app, (StatusCode::OK, page), &browser)
}

/// The page for somebody whose session is known: who they are is not asked again.
async fn confirm(app: &App, (place, session): (Place, &Session), page: Login) -> Outcome<Login> {
    let person = people::find(&mut app.db.reader().await?, &session.person_id).await?;
    Ok(Login {
        notice: Some(LoginNotice::ConfirmItIsYou),
        username: person.as_ref().map(|person| person.login.clone()).unwrap_or_default(),
        not_you_href: person.is_some().then(|| place.whole_path()),
        action: place.confirm_path(),
        sign_up_href: None,
        ..page
    })
}

/// Takes an attempt.
///
/// # Errors
/// The database or the template failed, or there are too many attempts at once.
pub async fn post(
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
    let mut query = Params::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let place = Place::of(query.get("to"));
    let ui_locales = query.take("ui_locales");
    let username = params.take("username").unwrap_or_default();
    let known = cookies.browser.clone();
    let browser = known.clone().unwrap_or_else(Browser::named_at_random);
    let again = query.get("again").map(str::to_owned);
    let shown = page(&app, &origin, (&browser, place), ui_locales.as_deref());
    // Whoever was to confirm that it is them is asked the same again, unless the session is over by now.
    let shown = match (again.as_deref(), session::load(&app, &cookies, now).await?) {
        (Some("yes"), Some(session)) => confirm(&app, (place, &session), shown).await?,
        _ => Login { username: username.clone(), ..shown },
    };
    if !known.is_some_and(|browser| browser.sent(&app, params.get("csrf"))) {
        let page = Login { problem: Some(LoginProblem::Stale), ..shown };
        return answer(&app, (StatusCode::FORBIDDEN, page), &browser);
    }
    if params.get("action") == Some("passkey") {
        let old = session::load(&app, &cookies, now).await?;
        let arrival = Arrival { origin: &origin, browser: &browser, old };
        return match passkey::sign_in(&app, (Way::Place(place), arrival), &mut params, now).await? {
            Ok(response) => Ok(response),
            Err(problem) => refused(problem, shown),
        };
    }
    let password = Secret::new(params.take("password").unwrap_or_default());
    let verified = match attempt(&app, (&origin, &browser), (&fold_login(&username), password), now).await? {
        Attempt::Right(verified) => verified,
        Attempt::Wrong => {
            let page = Login { problem: Some(LoginProblem::Refused), ..shown };
            return render(StatusCode::UNAUTHORIZED, &page);
        }
        Attempt::Expired => {
            let page = Told { chrome: shown.chrome, telling: Telling::Expired };
            return render(StatusCode::FORBIDDEN, &page);
        }
        Attempt::TooEarly(retry_at) => return too_early(shown, retry_at, now),
    };
    let old = session::load(&app, &cookies, now).await?;
    let arrival = Arrival { origin: &origin, browser: &browser, old };
    match after_password(&app, (Way::Place(place), arrival), &verified, now).await? {
        Ok(response) => Ok(response),
        Err(problem) => refused(problem, shown),
    }
}

fn page(app: &App, origin: &Origin, (browser, place): (&Browser, Place), ui_locales: Option<&str>) -> Login {
    let path = place.login_path();
    Login {
        chrome: chrome(app, origin.locale(ui_locales), &path),
        action: path,
        csrf: browser.csrf(app),
        username: String::new(),
        not_you_href: None,
        client: None,
        notice: None,
        problem: None,
        forgot_href: Some(super::forgot::PATH.to_owned()),
        passkeys: app.passkeys.is_some(),
        sign_up_href: app.config.accounts.self_registration.then(|| crate::account::sign_up::PATH.to_owned()),
    }
}

fn answer(app: &App, (status, page): (StatusCode, Login), browser: &Browser) -> Outcome<Response> {
    let mut response = render(status, &page)?;
    cookies::set_browser(app, &mut response, browser);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn the_way_leads_to_a_page_of_ours_whatever_is_asked() {
        for place in Place::ALL {
            assert_eq!(Place::of(Some(place.name())), place);
        }
        for hostile in ["https://evil.example", "//evil.example", "/account/profile", "", "account "] {
            assert_eq!(Place::of(Some(hostile)).path(), "/account", "{hostile}");
        }
    }
}
