//! Reaching out to where clients point: their keys, sector documents and request objects are fetched, logout tokens posted. The
//! address is theirs to choose, so everything else is not: five seconds, 64 KiB, no redirect, no proxy, and no address inside the
//! operator's network.
//!
//! The address is checked where the connection is made, after the name was resolved, so a name that changes its mind between
//! check and use gains nothing. Certificates are always verified; an operator may trust further roots (Issue 3).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use tokio::sync::Semaphore;
use url::{Host, Url};

use crate::config;
use crate::outcome::{Fault, Outcome};

/// How long a fetch may take, all in all.
pub const TIME_LIMIT: Duration = Duration::from_secs(5);
/// Most bytes read.
pub const SIZE_LIMIT_BYTES: usize = 64 * 1024;
/// Fetches at the same time.
const PARALLEL: usize = 32;
/// Longest address.
const MAX_URL_BYTES: usize = 2048;

/// Reaches out to clients.
pub struct Fetcher {
    http: reqwest::Client,
    reach: Reach,
    places: Semaphore,
}

/// Which addresses may be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Public,
    Everywhere,
}

/// Why nothing was fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The URL is not one to fetch from.
    #[error("the address is not allowed")]
    Address,
    /// Too many fetches are under way.
    #[error("too many fetches at once")]
    Busy,
    /// No answer in time, a broken connection, or a certificate that is not trusted.
    #[error("no answer")]
    Unreachable,
    /// Another status than 200; a redirect is one.
    #[error("status {0}")]
    Status(u16),
    /// Longer than 64 KiB.
    #[error("more than 64 KiB")]
    TooLarge,
}

impl Fetcher {
    /// Prepares the HTTP client.
    ///
    /// # Errors
    /// `fetch.extra_roots_file` cannot be read, or holds no certificates.
    pub fn new(config: &config::Fetch) -> Outcome<Self> {
        let reach = if config.allow_private_addresses { Reach::Everywhere } else { Reach::Public };
        let mut http = reqwest::Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .timeout(TIME_LIMIT)
            // Each fetch resolves anew, so that none goes out over a connection that was checked long ago.
            .pool_max_idle_per_host(0)
            .dns_resolver(Checked(reach));
        if let Some(file) = &config.extra_roots_file {
            let broken = |error: &dyn std::fmt::Display| {
                Fault::new(format!("fetch.extra_roots_file {}: {error}", file.display()))
            };
            let pem = std::fs::read(file).map_err(|error| broken(&error))?;
            let roots = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| broken(&error))?;
            if roots.is_empty() {
                return Err(broken(&"there is no certificate in it"));
            }
            http = http.tls_certs_merge(roots);
        }
        Ok(Self { http: http.build()?, reach, places: Semaphore::new(PARALLEL) })
    }

    /// Whether `url` may be fetched from, as far as its text tells.
    pub fn permits(&self, url: &str) -> bool {
        url.len() <= MAX_URL_BYTES && Url::parse(url).is_ok_and(|url| permits(&url, self.reach))
    }

    /// Fetches a document.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn get(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        if !self.permits(url) {
            return Err(FetchError::Address);
        }
        let _place = self.places.try_acquire().map_err(|_| FetchError::Busy)?;
        let mut response = self.http.get(url).send().await.map_err(|_| FetchError::Unreachable)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(FetchError::Status(response.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|_| FetchError::Unreachable)? {
            if body.len() + chunk.len() > SIZE_LIMIT_BYTES {
                return Err(FetchError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// Posts JSON with headers and gives the status of the answer, whose body is not read. How many are under way is the caller's to
    /// bound.
    ///
    /// # Errors
    /// [`FetchError::Address`], [`FetchError::Unreachable`].
    pub async fn post_json(&self, url: &str, headers: &[(&str, &String)], body: &str) -> Result<u16, FetchError> {
        if !self.permits(url) {
            return Err(FetchError::Address);
        }
        let mut request = self.http.post(url).header("content-type", "application/json").body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.map_err(|_| FetchError::Unreachable)?;
        Ok(response.status().as_u16())
    }

    /// Posts a form and gives the status of the answer, whose body is not read. How many are under way is the caller's to bound.
    ///
    /// # Errors
    /// [`FetchError::Address`], [`FetchError::Unreachable`].
    pub async fn post(&self, url: &str, form: &[(&str, &str)]) -> Result<u16, FetchError> {
        if !self.permits(url) {
            return Err(FetchError::Address);
        }
        let response = self.http.post(url).form(form).send().await.map_err(|_| FetchError::Unreachable)?;
        Ok(response.status().as_u16())
    }
}

/// https; http on this very machine where private addresses are allowed. A literal address is checked here, since no name is
/// resolved for it.
fn permits(url: &Url, reach: Reach) -> bool {
    let everywhere = reach == Reach::Everywhere;
    let (reachable, loopback) = match url.host() {
        Some(Host::Ipv4(address)) => (is_public(address.into()), address.is_loopback()),
        Some(Host::Ipv6(address)) => (is_public(address.into()), address.is_loopback()),
        Some(Host::Domain(name)) => (true, name == "localhost"),
        None => return false,
    };
    let scheme = url.scheme() == "https" || (url.scheme() == "http" && everywhere && loopback);
    scheme && (reachable || everywhere) && url.username().is_empty() && url.password().is_none()
}

/// Resolves names, and leaves out the addresses that must not be connected to.
struct Checked(Reach);

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let kept: Vec<SocketAddr> =
                found.filter(|address| reach == Reach::Everywhere || is_public(address.ip())).collect();
            Ok(Box::new(kept.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is out on the internet (IANA special-purpose registries; what embeds an IPv4 address is refused).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || a == 0
        || a >= 224
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19));
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let global = (0x2000..0x4000).contains(&a);
    let special = (a == 0x2001 && (b < 0x200 || b == 0xdb8)) || a == 0x2002 || (a == 0x3fff && b < 0x1000);
    global && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_out_on_the_internet_are_public() {
        let inside = [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "198.18.0.1",
            "192.0.2.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "::ffff:10.0.0.1",
            "::ffff:8.8.8.8",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "2001:db8::1",
            "2002:a00:1::",
            "64:ff9b::a00:1",
            "2001::1",
        ];
        for address in inside {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2a00:1450:4007::1", "2606:4700::1111"] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn urls_are_https_and_lead_outside_unless_private_addresses_are_allowed() {
        let cases = [
            ("https://rp.example/jwks", true, true),
            ("http://rp.example/jwks", false, false),
            ("https://10.0.0.1/jwks", false, true),
            ("https://[::ffff:127.0.0.1]/jwks", false, true),
            ("https://2130706433/jwks", false, true),
            ("http://127.0.0.1:99/jwks", false, true),
            ("http://localhost:99/jwks", false, true),
            ("http://10.0.0.1/jwks", false, false),
            ("https://user:secret@rp.example/jwks", false, false),
            ("file:///etc/passwd", false, false),
            ("data:,{}", false, false),
        ];
        for (url, public, everywhere) in cases {
            let parsed = Url::parse(url).unwrap();
            assert_eq!(permits(&parsed, Reach::Public), public, "{url}");
            assert_eq!(permits(&parsed, Reach::Everywhere), everywhere, "{url}");
        }
    }

    #[tokio::test]
    async fn nothing_is_sent_to_an_address_inside_under_any_spelling() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let closed = config::Fetch { allow_private_addresses: false, request_uris: false, extra_roots_file: None };
        let open = config::Fetch { allow_private_addresses: true, request_uris: false, extra_roots_file: None };
        let (closed, open) = (Fetcher::new(&closed).unwrap(), Fetcher::new(&open).unwrap());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["127.0.0.1", "[::ffff:127.0.0.1]", "2130706433"] {
            let url = format!("https://{host}:{port}/");
            assert!(matches!(closed.post(&url, &[("a", "b")]).await, Err(FetchError::Address)), "{url}");
            assert!(matches!(closed.get(&url).await, Err(FetchError::Address)), "{url}");
        }
        // A name is looked at once it is resolved.
        let url = format!("https://localhost:{port}/");
        assert!(matches!(closed.post(&url, &[("a", "b")]).await, Err(FetchError::Unreachable)));
        tokio::select! {
            biased;
            _ = listener.accept() => panic!("somebody connected"),
            () = std::future::ready(()) => {}
        }
        // The same is sent where private addresses are allowed: the first bytes arrive.
        let url = format!("http://127.0.0.1:{port}/");
        let (sent, ()) = tokio::join!(open.post(&url, &[("a", "b")]), async { drop(listener.accept().await.unwrap()) });
        assert!(matches!(sent, Err(FetchError::Unreachable)), "hung up on: {sent:?}");
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_an_address_inside_has_no_address() {
        let name = || "localhost".parse().unwrap();
        assert_eq!(Checked(Reach::Public).resolve(name()).await.unwrap().count(), 0);
        assert_ne!(Checked(Reach::Everywhere).resolve(name()).await.unwrap().count(), 0);
    }
}
