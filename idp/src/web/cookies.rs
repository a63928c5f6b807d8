//! The cookies of the provider: the session, a random name for the browser, and now and then a form that waits for its person to
//! confirm that it is them.
//!
//! All are `HttpOnly`, `SameSite=Lax` (a portal's redirect must bring them), and on https `Secure` with the `__Host-` prefix
//! (RFC 6265bis §4.1.3.2). The browser cookie ties an interaction and its forms to the browser that began it, and tells a
//! known browser from a new one. Tokens of forms are derived from it.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use habilis_keys::secret::Secret;
use habilis_keys::token::digest;

use crate::app::App;
use crate::outcome::Fault;
use crate::web::Origin;

/// The browser cookie lasts this long; it holds no personal data.
const BROWSER_DAYS: i64 = 180;
/// Longest cookie value worth a look.
const MAX_LENGTH: usize = 128;
/// The same, of a form that waits.
pub const MAX_KEPT: usize = 2048;

/// The cookies of a request.
#[derive(Debug, Clone)]
pub struct Cookies {
    /// The session cookie.
    pub session: Option<Secret<String>>,
    /// The browser cookie.
    pub browser: Option<Browser>,
    /// A form that waits, sealed, see [`crate::account::kept`].
    pub kept: Option<String>,
    /// The coarse network they came from, see [`Origin::wider_network`]; empty when it is not known.
    pub network: String,
}

/// The random name of a browser.
#[derive(Debug, Clone)]
pub struct Browser(Secret<String>);

impl Browser {
    /// A new name, to be sent along with [`set_browser`].
    pub fn named_at_random() -> Self {
        Self(habilis_keys::random::token())
    }

    /// As the database keeps it.
    pub fn digest(&self) -> Vec<u8> {
        digest(self.0.expose())
    }

    /// The token of the forms shown to this browser.
    pub fn csrf(&self, app: &App) -> String {
        app.forms.derive(self.0.expose())
    }

    /// Whether a form carries this browser's token.
    pub fn sent(&self, app: &App, csrf: Option<&str>) -> bool {
        csrf.is_some_and(|csrf| app.forms.verify(self.0.expose(), csrf))
    }
}

impl FromRequestParts<App> for Cookies {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fault> {
        let jar = CookieJar::from_headers(&parts.headers);
        let value = |name: String| {
            let cookie = jar.get(&name)?;
            let text = cookie.value();
            (!text.is_empty() && text.len() <= MAX_LENGTH).then(|| Secret::new(text.to_owned()))
        };
        let network = parts.extensions.get::<Origin>().map(Origin::wider_network).unwrap_or_default();
        let kept = jar.get(&name(app, "kept")).map(|cookie| cookie.value().to_owned());
        let kept = kept.filter(|text| !text.is_empty() && text.len() <= MAX_KEPT);
        let browser = value(name(app, "browser")).map(Browser);
        Ok(Self { network, session: value(name(app, "session")), browser, kept })
    }
}

fn name(app: &App, what: &str) -> String {
    if app.config.is_loopback_http() { format!("habilis_{what}") } else { format!("__Host-habilis_{what}") }
}

fn cookie(app: &App, what: &str, value: String) -> Cookie<'static> {
    let secure = !app.config.is_loopback_http();
    Cookie::build((name(app, what), value)).path("/").http_only(true).secure(secure).same_site(SameSite::Lax).build()
}

fn add(response: &mut Response, cookie: &Cookie<'_>) {
    if let Ok(value) = HeaderValue::from_str(&cookie.to_string()) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// Sends the session cookie; it lasts until the browser closes, or the server ends the session.
pub fn set_session(app: &App, response: &mut Response, value: &Secret<String>) {
    add(response, &cookie(app, "session", value.expose().clone()));
}

/// Takes the session cookie away.
pub fn clear_session(app: &App, response: &mut Response) {
    let mut gone = cookie(app, "session", String::new());
    gone.make_removal();
    add(response, &gone);
}

/// Sends a form that waits; it lasts until the browser closes.
pub fn set_kept(app: &App, response: &mut Response, sealed: String) {
    add(response, &cookie(app, "kept", sealed));
}

/// Takes it away.
pub fn clear_kept(app: &App, response: &mut Response) {
    let mut gone = cookie(app, "kept", String::new());
    gone.make_removal();
    add(response, &gone);
}

/// Sends the browser cookie.
pub fn set_browser(app: &App, response: &mut Response, browser: &Browser) {
    let mut cookie = cookie(app, "browser", browser.0.expose().clone());
    cookie.set_max_age(time::Duration::days(BROWSER_DAYS));
    add(response, &cookie);
}
