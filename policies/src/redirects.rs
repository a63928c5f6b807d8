//! Redirect URIs: what may be registered, and when a requested one is the registered one.
//!
//! OIDC Core §3.1.2.1 and RFC 9700 §2.1 ask for exact string comparison; RFC 8252 §7.3 lets the port of a native application's
//! loopback address vary. Nothing else varies, and nothing is normalised.

use url::{Host, Url};

/// Longest redirect URI accepted, in bytes.
pub const MAX_LENGTH: usize = 2048;

/// `application_type` of OIDC Registration §2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Application {
    /// Runs on a server or in a browser.
    Web,
    /// Runs on the person's device.
    Native,
}

/// Why a redirect URI cannot be registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedirectProblem {
    /// Longer than [`MAX_LENGTH`] bytes.
    #[error("is longer than 2048 bytes")]
    TooLong,
    /// Not an absolute URI.
    #[error("is not an absolute URI")]
    NotAbsolute,
    /// It has a `#fragment` (RFC 6749 §3.1.2).
    #[error("has a fragment")]
    Fragment,
    /// It carries a user name or password.
    #[error("carries a user name or password")]
    UserInfo,
    /// Plain `http` beyond the loopback interface.
    #[error("uses http on a host that is not the loopback interface")]
    PlainHttp,
    /// A scheme that runs code or reads files, or a private scheme without a dot (RFC 8252 §7.1).
    #[error(
        "uses a scheme that is not allowed; native applications take a reverse domain name such as fr.example.app:/callback"
    )]
    Scheme,
}

/// Says whether `uri` may be registered for `application`.
///
/// # Errors
/// [`RedirectProblem`], the first found.
pub fn check(uri: &str, application: Application) -> Result<(), RedirectProblem> {
    if uri.len() > MAX_LENGTH {
        return Err(RedirectProblem::TooLong);
    }
    // The URL parser forgives blanks and control characters; an exact comparison must not.
    if uri.bytes().any(|byte| !byte.is_ascii_graphic()) {
        return Err(RedirectProblem::NotAbsolute);
    }
    let url = Url::parse(uri).map_err(|_| RedirectProblem::NotAbsolute)?;
    if uri.contains('#') {
        return Err(RedirectProblem::Fragment);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(RedirectProblem::UserInfo);
    }
    match (url.scheme(), application) {
        ("https", _) => Ok(()),
        ("http", _) if is_loopback(&url) => Ok(()),
        ("http", _) => Err(RedirectProblem::PlainHttp),
        (scheme, Application::Native) if scheme.contains('.') => Ok(()),
        _ => Err(RedirectProblem::Scheme),
    }
}

/// Says whether `requested` is the registered URI `registered`.
pub fn matches(registered: &str, requested: &str, application: Application) -> bool {
    if registered == requested {
        return true;
    }
    application == Application::Native && requested.len() <= MAX_LENGTH && same_but_loopback_port(registered, requested)
}

/// RFC 8252 §7.3: the port of `http://127.0.0.1` or `http://[::1]` is chosen by the device at run time.
fn same_but_loopback_port(registered: &str, requested: &str) -> bool {
    let without_port = |uri: &str| -> Option<(String, String)> {
        let rest = uri.strip_prefix("http://")?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (host, port) = match authority.strip_prefix('[') {
            Some(bracketed) => {
                let (host, after) = bracketed.split_once(']')?;
                (format!("[{host}]"), after.strip_prefix(':').or_else(|| after.is_empty().then_some(""))?)
            }
            None => {
                authority.split_once(':').map_or((authority.to_owned(), ""), |(host, port)| (host.to_owned(), port))
            }
        };
        let port_is_valid = port.is_empty()
            || (port.len() <= 5 && port.parse::<u16>().is_ok_and(|_| port.bytes().all(|b| b.is_ascii_digit())));
        (port_is_valid && matches!(host.as_str(), "127.0.0.1" | "[::1]")).then(|| (host, path.to_owned()))
    };
    matches!((without_port(registered), without_port(requested)), (Some(a), Some(b)) if a == b)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn registration_accepts_and_refuses() {
        use Application::{Native, Web};
        let cases = [
            ("https://portail.example/cb", Web, Ok(())),
            ("https://portail.example/cb?x=1&y=%20", Web, Ok(())),
            ("https://portail.example/cb#f", Web, Err(RedirectProblem::Fragment)),
            ("https://portail.example/cb#", Web, Err(RedirectProblem::Fragment)),
            ("https://user:pw@portail.example/cb", Web, Err(RedirectProblem::UserInfo)),
            ("http://portail.example/cb", Web, Err(RedirectProblem::PlainHttp)),
            ("http://localhost:8081/cb", Web, Ok(())),
            ("http://127.0.0.1/cb", Native, Ok(())),
            ("http://localhost.evil.example/cb", Web, Err(RedirectProblem::PlainHttp)),
            ("javascript:alert(1)", Web, Err(RedirectProblem::Scheme)),
            ("javascript:alert(1)", Native, Err(RedirectProblem::Scheme)),
            ("fr.example.app:/cb", Native, Ok(())),
            ("fr.example.app:/cb", Web, Err(RedirectProblem::Scheme)),
            ("app:/cb", Native, Err(RedirectProblem::Scheme)),
            ("/cb", Web, Err(RedirectProblem::NotAbsolute)),
            ("https://portail.example/c b", Web, Err(RedirectProblem::NotAbsolute)),
            ("https://portail.example/\r\nx", Web, Err(RedirectProblem::NotAbsolute)),
            ("", Web, Err(RedirectProblem::NotAbsolute)),
        ];
        for (uri, application, expected) in cases {
            assert_eq!(check(uri, application), expected, "{uri}");
        }
        assert_eq!(check(&format!("https://a.example/{}", "x".repeat(2048)), Web), Err(RedirectProblem::TooLong));
    }

    #[test]
    fn only_the_exact_text_matches_except_a_native_loopback_port() {
        use Application::{Native, Web};
        let cases = [
            ("https://p.example/cb", "https://p.example/cb", Web, true),
            ("https://p.example/cb", "https://p.example/cb/", Web, false),
            ("https://p.example/cb", "https://P.example/cb", Web, false),
            ("https://p.example/cb", "https://p.example:443/cb", Web, false),
            ("https://p.example/cb", "https://p.example/cb?a=1", Web, false),
            ("https://p.example/cb?a=1", "https://p.example/cb?a=2", Web, false),
            ("https://p.example/cb", "https://p.example/%63b", Web, false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb", Native, true),
            ("http://127.0.0.1:3000/cb", "http://127.0.0.1:51004/cb", Native, true),
            ("http://[::1]/cb", "http://[::1]:51004/cb", Native, true),
            ("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb", Web, false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:51004/other", Native, false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:99999/cb", Native, false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:80@evil.example/cb", Native, false),
            ("http://127.0.0.1/cb", "http://[::1]:80/cb", Native, false),
            ("http://localhost/cb", "http://localhost:51004/cb", Native, false),
            ("https://127.0.0.1/cb", "https://127.0.0.1:51004/cb", Native, false),
        ];
        for (registered, requested, application, expected) in cases {
            assert_eq!(matches(registered, requested, application), expected, "{registered} ~ {requested}");
        }
    }

    proptest! {
        #[test]
        fn what_matches_leads_to_the_same_place(requested in "\\PC{0,60}", port in any::<u16>()) {
            let registered = "http://127.0.0.1/cb";
            let with_port = format!("http://127.0.0.1:{port}/cb");
            prop_assert!(matches(registered, &with_port, Application::Native));
            if matches(registered, &requested, Application::Native) {
                let url = Url::parse(&requested).expect("a match is a URL");
                prop_assert_eq!(url.host_str(), Some("127.0.0.1"));
                prop_assert_eq!(url.path(), "/cb");
            }
            prop_assert_eq!(matches(registered, &requested, Application::Web), requested == registered);
        }
    }
}
