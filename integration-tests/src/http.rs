//! HTTP as the tests need it: no redirect followed, no proxy, an address of one's own, and the whole answer in memory.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::Value;
use url::Url;

/// A client with its own loopback source address.
///
/// The server limits sign-ins per address; all of 127.0.0.0/8 is loopback on Linux, so every client can come from
/// somewhere else, as people do.
#[derive(Clone, Debug)]
pub struct Http {
    client: reqwest::Client,
    address: Ipv4Addr,
}

/// A complete HTTP answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The URL that gave this answer.
    pub url: Url,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body, as text.
    pub body: String,
}

impl Http {
    /// A client from an address that no other client of this process has.
    pub fn new() -> Self {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let n = COUNTER.fetch_add(1, Ordering::Relaxed) % (250 * 250 * 100);
        let octet = |value: u32| u8::try_from(value).expect("reduced below 250");
        Self::from_address(Ipv4Addr::new(127, octet(100 + n / 62_500), octet(1 + n / 250 % 250), octet(1 + n % 250)))
    }

    /// A client from this loopback address.
    pub fn from_address(address: Ipv4Addr) -> Self {
        install_ring();
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .tls_certs_only([])
            .local_address(IpAddr::V4(address))
            .timeout(Duration::from_mins(1))
            // Well before the server closes an idle connection: a request sent at that moment would be lost.
            .pool_idle_timeout(Duration::from_secs(3))
            .build()
            .expect("an HTTP client without TLS roots");
        Self { client, address }
    }

    /// The source address of this client.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Starts a request.
    pub fn request(&self, method: &str, url: &str) -> reqwest::RequestBuilder {
        self.client.request(method.parse().expect("an HTTP method"), url)
    }

    /// Sends a request and reads the whole answer.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        self.try_send(request).await.expect("the server answers")
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// When the connection fails or breaks before the end of the body.
    pub async fn try_send(&self, request: reqwest::RequestBuilder) -> Result<Answer, reqwest::Error> {
        let response = request.send().await?;
        let (status, url, headers) = (response.status().as_u16(), response.url().clone(), response.headers().clone());
        let body = String::from_utf8_lossy(&response.bytes().await?).into_owned();
        Ok(Answer { status, url, headers, body })
    }

    /// GET.
    pub async fn get(&self, url: &str) -> Answer {
        self.send(self.request("GET", url)).await
    }

    /// POST of an HTML form.
    pub async fn post_form(&self, url: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(self.request("POST", url).form(fields)).await
    }

    /// POST of any bytes under any content type.
    pub async fn post_bytes(&self, url: &str, content_type: &str, body: Vec<u8>) -> Answer {
        self.send(self.request("POST", url).header("content-type", content_type).body(body)).await
    }
}

impl Default for Http {
    fn default() -> Self {
        Self::new()
    }
}

impl Answer {
    /// A header field as text; empty when absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap_or_default())
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|_| panic!("{} answered {} without JSON: {}", self.url, self.status, self.body))
    }

    /// Asserts the status, and returns the body as JSON.
    #[track_caller]
    pub fn ok_json(&self) -> Value {
        assert_eq!(self.status, 200, "{}: {}", self.url, self.body);
        self.json()
    }

    /// Asserts that this is an OAuth error answer: status, code, JSON, and never stored by a cache (RFC 6749 §5.2).
    #[track_caller]
    pub fn assert_oauth_error(&self, status: u16, error: &str) {
        assert_eq!((self.status, self.json()["error"].as_str()), (status, Some(error)), "{}", self.body);
        assert!(self.header("content-type").starts_with("application/json"), "{}", self.header("content-type"));
        assert!(self.header("cache-control").contains("no-store"), "{}", self.header("cache-control"));
    }
}

/// Makes ring the process-wide TLS provider; several crates of the tree may ask for one.
pub fn install_ring() {
    // A second call finds the provider installed, which is what it wants.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
