//! Pairwise subject identifiers: which sector a client belongs to (OIDC Core §8.1, OIDC Registration §5).
//!
//! Clients of one sector know a person by the same `sub`, those of two sectors by two that cannot be brought together. How the
//! `sub` is computed is not decided here.

use url::{Host, Url};

/// Most entries of a sector document.
pub const MAX_ENTRIES: usize = 1024;

/// Why a client belongs to no sector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SectorProblem {
    /// `sector_identifier_uri` is no https URL with a host.
    #[error("sector_identifier_uri is an https URL")]
    Uri,
    /// The redirect URIs are on several hosts.
    #[error("pairwise subjects need a sector_identifier_uri when redirect_uris are on several hosts")]
    SeveralHosts,
    /// The redirect URIs are on no host that somebody owns.
    #[error("pairwise subjects need a sector_identifier_uri when a redirect URI has no host of its own")]
    NoHost,
}

/// The sector of a client: the host of `sector_identifier_uri`, or else the one host of its redirect URIs. Ports and paths do
/// not count.
///
/// # Errors
/// [`SectorProblem`]. Loopback addresses and private schemes are everybody's, so they make no sector.
pub fn sector(sector_identifier_uri: Option<&str>, redirect_uris: &[String]) -> Result<String, SectorProblem> {
    if let Some(uri) = sector_identifier_uri {
        return host(uri).map(|(host, _)| host).ok_or(SectorProblem::Uri);
    }
    let mut found: Option<String> = None;
    for uri in redirect_uris {
        let host = host(uri).filter(|(_, owned)| *owned).map(|(host, _)| host).ok_or(SectorProblem::NoHost)?;
        if found.replace(host.clone()).is_some_and(|before| before != host) {
            return Err(SectorProblem::SeveralHosts);
        }
    }
    found.ok_or(SectorProblem::NoHost)
}

/// The first redirect URI that a sector document leaves out; `Err` when it is not a JSON array of texts (OIDC Registration §5).
///
/// # Errors
/// The document is something else, or longer than [`MAX_ENTRIES`].
pub fn left_out<'a>(document: &[u8], redirect_uris: &'a [String]) -> Result<Option<&'a str>, NotASector> {
    let listed: Vec<String> = serde_json::from_slice(document).map_err(|_| NotASector)?;
    if listed.len() > MAX_ENTRIES {
        return Err(NotASector);
    }
    Ok(redirect_uris.iter().find(|uri| !listed.contains(uri)).map(String::as_str))
}

/// The document is not a JSON array of at most [`MAX_ENTRIES`] texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the document at sector_identifier_uri is not a JSON array of redirect URIs")]
pub struct NotASector;

/// The host of an http(s) URL, and whether it is one that somebody owns.
fn host(uri: &str) -> Option<(String, bool)> {
    let url = Url::parse(uri).ok().filter(|url| matches!(url.scheme(), "https" | "http"))?;
    let host = url.host()?;
    let loopback = match host {
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
        Host::Domain(name) => name == "localhost",
    };
    Some((host.to_string(), !loopback))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sector_is_one_host() {
        use SectorProblem::{NoHost, SeveralHosts, Uri};
        type Case<'a> = (Option<&'a str>, &'a [&'a str], Result<String, SectorProblem>);
        let ok = |host: &str| Ok(host.to_owned());
        let cases: [Case<'_>; 12] = [
            (None, &["https://rp.example/a"], ok("rp.example")),
            (None, &["https://rp.example/a", "https://RP.example:8443/b?c=d"], ok("rp.example")),
            (None, &["https://rp.example/a", "https://other.example/a"], Err(SeveralHosts)),
            (None, &["https://rp.example/a", "https://sub.rp.example/a"], Err(SeveralHosts)),
            (None, &[], Err(NoHost)),
            (None, &["http://127.0.0.1/cb"], Err(NoHost)),
            (None, &["http://localhost:99/cb"], Err(NoHost)),
            (None, &["fr.example.app:/cb"], Err(NoHost)),
            (Some("https://sector.example/s.json"), &["fr.example.app:/cb"], ok("sector.example")),
            (
                Some("https://sector.example:1/s.json"),
                &["https://a.example/", "https://b.example/"],
                ok("sector.example"),
            ),
            (Some("ftp://sector.example/"), &["https://a.example/"], Err(Uri)),
            (Some("sector.example"), &["https://a.example/"], Err(Uri)),
        ];
        for (uri, redirects, expected) in cases {
            let redirects: Vec<_> = redirects.iter().map(|&uri| uri.to_owned()).collect();
            assert_eq!(sector(uri, &redirects), expected, "{uri:?} {redirects:?}");
        }
    }

    #[test]
    fn a_sector_document_lists_every_redirect_uri_as_it_is_written() {
        type Case<'a> = (&'a [u8], Result<Option<&'a str>, NotASector>);
        let redirects = ["https://a.example/cb".to_owned(), "https://b.example/cb".to_owned()];
        let cases: [Case<'_>; 8] = [
            (br#"["https://b.example/cb","https://a.example/cb","https://c.example/"]"#, Ok(None)),
            (br#"["https://a.example/cb"]"#, Ok(Some("https://b.example/cb"))),
            (br#"["https://a.example/cb","https://B.example/cb"]"#, Ok(Some("https://b.example/cb"))),
            (b"[]", Ok(Some("https://a.example/cb"))),
            (b"{}", Err(NotASector)),
            (b"[1]", Err(NotASector)),
            (b"", Err(NotASector)),
            (b"\xff", Err(NotASector)),
        ];
        for (document, expected) in cases {
            assert_eq!(left_out(document, &redirects), expected, "{}", String::from_utf8_lossy(document));
        }
        let long = serde_json::to_vec(&vec!["https://a.example/cb"; MAX_ENTRIES + 1]).unwrap();
        assert_eq!(left_out(&long, &redirects), Err(NotASector));
    }
}
