//! What every request and every page shares: where it comes from, cookies, parameters, headers, and the boundary that turns
//! faults into answers.

pub mod boundary;
pub mod cookies;
pub mod page;
pub mod params;
pub mod rate;
pub mod routing;
pub mod text;

use std::net::IpAddr;

use askama::Template;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use crate::app::App;
use crate::outcome::{Fault, Outcome};
use page::Chrome;
use params::{Params, ParamsError};
use text::Locale;

/// Where a request comes from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Address of the person's side, seen through trusted proxies.
    pub address: IpAddr,
    /// `req_…`, in the log, in the answer and in the audit trail.
    pub request_id: String,
    /// `User-Agent`, cut to 256 characters.
    pub user_agent: String,
    /// `Accept-Language`.
    pub accept_language: Option<String>,
}

impl<S: Sync> FromRequestParts<S> for Origin {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Fault::new("the boundary did not run"))
    }
}

impl Origin {
    /// The language of pages for this request.
    pub fn locale(&self, ui_locales: Option<&str>) -> Locale {
        Locale::negotiate(ui_locales, self.accept_language.as_deref())
    }

    /// The network around the address, without the part that tells one subscriber from another: /24 of IPv4, /48 of IPv6.
    pub fn wider_network(&self) -> String {
        let wider = |[a, b, c, _]: [u8; 4]| format!("{a}.{b}.{c}.0/24");
        match self.address {
            IpAddr::V4(address) => wider(address.octets()),
            IpAddr::V6(address) => address.to_ipv4_mapped().map_or_else(
                || {
                    let [a, b, c, ..] = address.segments();
                    format!("{a:x}:{b:x}:{c:x}::/48")
                },
                |mapped| wider(mapped.octets()),
            ),
        }
    }

    /// The network guesses are counted by: the address, or the /64 of an IPv6 address, which one person may roam freely in.
    pub fn network(&self) -> String {
        match self.address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => address.to_ipv4_mapped().map_or_else(
                || {
                    let [a, b, c, d, ..] = address.segments();
                    format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
                },
                |mapped| mapped.to_string(),
            ),
        }
    }
}

/// A form body, or why it cannot be read. Never rejects: each endpoint answers in its own way.
#[derive(Debug)]
pub struct Form(pub Result<Params, FormError>);

/// Why a form cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// Longer than `server.body_limit_bytes`.
    #[error("the body is too large")]
    TooLarge,
    /// Another content type.
    #[error("the body must be application/x-www-form-urlencoded")]
    NotAForm,
    /// See [`ParamsError`].
    #[error(transparent)]
    Params(#[from] ParamsError),
}

impl FormError {
    /// 413 for a body that is too large, else 400.
    pub fn status(&self) -> StatusCode {
        if *self == Self::TooLarge { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST }
    }
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = std::convert::Infallible;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let is_form = is_form(request.headers());
        let Ok(body) = Bytes::from_request(request, state).await else { return Ok(Self(Err(FormError::TooLarge))) };
        if !is_form && !body.is_empty() {
            return Ok(Self(Err(FormError::NotAForm)));
        }
        Ok(Self(Params::parse(&body).map_err(FormError::Params)))
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"))
}

/// Renders a page with `status`.
///
/// # Errors
/// The template failed.
pub fn render(status: StatusCode, page: &impl Template) -> Outcome {
    let html = page.render()?;
    Ok((status, [(header::CACHE_CONTROL, "no-store")], Html(html)).into_response())
}

/// Sends the browser on with a GET (RFC 9700 §4.12: never 307 after a form).
///
/// `location` is a path of ours or a URL made by `oidc::answer`.
pub fn see_other(location: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, location), (header::CACHE_CONTROL, "no-store")]).into_response()
}

/// The frame of a page at `path`, a path of ours without `ui_locales`.
pub fn chrome(app: &App, locale: Locale, path: &str) -> Chrome {
    let pages = &app.config.pages;
    let joint = if path.contains('?') { '&' } else { '?' };
    let href = |url: &Option<url::Url>| url.as_ref().map(ToString::to_string);
    Chrome {
        languages: Locale::ALL
            .into_iter()
            .map(|other| (other, format!("{path}{joint}ui_locales={}", other.tag())))
            .collect(),
        help_href: href(&pages.help_url),
        privacy_href: href(&pages.privacy_url),
        legal_href: href(&pages.legal_url),
        ..Chrome::new(locale, pages.name.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_from_one_ipv6_network_are_counted_together() {
        let origin = |address: &str| Origin {
            address: address.parse().unwrap(),
            request_id: String::new(),
            user_agent: String::new(),
            accept_language: None,
        };
        assert_eq!(origin("2001:db8:1:2:3::4").network(), origin("2001:db8:1:2:ffff::1").network());
        assert_ne!(origin("2001:db8:1:2::4").network(), origin("2001:db8:1:3::4").network());
        assert_eq!(origin("::ffff:192.0.2.7").network(), "192.0.2.7");
        assert_eq!(origin("192.0.2.7").wider_network(), "192.0.2.0/24");
        assert_eq!(origin("::ffff:192.0.2.7").wider_network(), "192.0.2.0/24");
        assert_eq!(origin("2001:db8:1:2:3::4").wider_network(), "2001:db8:1::/48");
    }
}
