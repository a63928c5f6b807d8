//! A form of the account's pages that came when its person had to confirm first that it is them: it is kept in their browser, sealed,
//! and offered again where they come back to. Nothing that was typed or meant is lost, and nothing is done without them.
//!
//! Passwords are never kept.

use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::outcome::Outcome;
use crate::web::cookies::{self, Cookies, MAX_KEPT};

/// What it is sealed for.
const PURPOSE: &str = "kept-form";
/// How long it waits.
const LIFE: SignedDuration = SignedDuration::from_mins(30);

/// A form that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Where it was sent.
    pub path: String,
    /// What was typed: a name or an address; empty when the form asks nothing.
    pub typed: String,
    /// Milliseconds since 1970.
    until: i64,
}

impl Kept {
    /// A form sent to `path`.
    ///
    /// # Errors
    /// Never, in this age.
    pub fn new(path: &str, typed: &str, now: Timestamp) -> Outcome<Self> {
        let until = now.saturating_add(LIFE)?.as_millisecond();
        Ok(Self { path: path.to_owned(), typed: typed.chars().take(254).collect(), until })
    }

    /// Keeps it in the browser of `person`. What is too long for a cookie is not kept.
    ///
    /// # Errors
    /// It cannot be written down.
    pub fn keep(&self, app: &App, person: &str, response: &mut Response) -> Outcome<()> {
        let sealed = app.keys.master().seal(PURPOSE, person.as_bytes(), &serde_json::to_vec(self)?);
        let sealed = URL_SAFE_NO_PAD.encode(sealed);
        if sealed.len() <= MAX_KEPT {
            cookies::set_kept(app, response, sealed);
        }
        Ok(())
    }

    /// What waits in the browser of `person`; none of another person, or of long ago.
    pub fn find(app: &App, cookies: &Cookies, (person, now): (&str, Timestamp)) -> Option<Self> {
        let sealed = URL_SAFE_NO_PAD.decode(cookies.kept.as_ref()?).ok()?;
        let opened = app.keys.master().open(PURPOSE, person.as_bytes(), &sealed).ok()?;
        let kept: Self = serde_json::from_slice(opened.expose()).ok()?;
        (now.as_millisecond() < kept.until).then_some(kept)
    }
}
