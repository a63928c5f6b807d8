//! Front-channel logout (OpenID Connect Front-Channel Logout 1.0): the page shown at sign-out loads, in the person's own browser,
//! an address of each client that knew of the session, and then goes on.

use axum::http::{HeaderValue, StatusCode, header};
use url::Url;

use super::answer::with_query;
use super::issue::sid;
use super::pages::FrontChannelLogout;
use crate::app::App;
use crate::login::session::Ended;
use crate::outcome::Outcome;
use crate::web::boundary::CONTENT_SECURITY_POLICY;
use crate::web::{Origin, chrome, render};

/// Most frames of one page; a browser that loads more would not be done in the two seconds it has.
const MAX_FRAMES: usize = 16;

/// The addresses to load, with `iss` and `sid` (§3), which are sent to every client whether it requires them or not.
pub(super) fn frames(app: &App, ended: &Ended, session: &str) -> Vec<String> {
    let issuer = app.config.server.issuer.as_str();
    let clients = ended.clients.iter().filter(|client| client.active).take(MAX_FRAMES);
    let frame = |(uri, client): (&str, &str)| with_query(uri, &[("iss", issuer), ("sid", &sid(session, client))]);
    clients.filter_map(|client| Some(frame((client.frontchannel_logout_uri(&app.config)?, &client.id)))).collect()
}

/// The page that loads `frames` and then goes on to `next`. It may frame exactly their origins and nothing else.
pub(super) fn page(
    app: &App,
    (origin, ui_locales): (&Origin, Option<&str>),
    (frames, next): (Vec<String>, String),
) -> Outcome {
    let mut origins: Vec<_> = frames
        .iter()
        .filter_map(|frame| Url::parse(frame).ok())
        .map(|frame| frame.origin().ascii_serialization())
        .collect();
    origins.sort_unstable();
    origins.dedup();
    let policy = format!("{CONTENT_SECURITY_POLICY}; frame-src {}", origins.join(" "));
    let page = FrontChannelLogout {
        // The page cannot be repeated by a link, so it offers no language switch.
        chrome: crate::web::page::Chrome {
            languages: Vec::new(),
            ..chrome(app, origin.locale(ui_locales), "/end-session")
        },
        frames,
        next_href: next,
    };
    let mut response = render(StatusCode::OK, &page)?;
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_str(&policy)?);
    Ok(response)
}
