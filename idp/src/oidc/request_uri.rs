//! Request objects by reference (OIDC Core §6.2, RFC 9101 §5.2): the object lies at an address of the client, registered before, and
//! is fetched when somebody comes with the address.
//!
//! The fragment tells versions apart: what was fetched under one is remembered under it for a while, and a new one makes the
//! server ask anew. That it is the digest of the object is not held against it, since the object carries a signature and clients
//! register the address before they know what will lie there. Without a fragment the server asks each time.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use moka::future::Cache;

use super::answer::RedirectError;
use super::client::{Client, SharedClient};
use super::request::Door;
use super::request_object;
use crate::app::App;
use crate::fetch::{FetchError, Fetcher};
use crate::outcome::Outcome;
use crate::web::params::Params;
use crate::web::rate::RateLimit;

/// Objects remembered, of at most [`SIZE_LIMIT_BYTES`](crate::fetch::SIZE_LIMIT_BYTES) each, and for how long.
const MOST_OBJECTS: u64 = 256;
const FORGET_AFTER: Duration = Duration::from_mins(10);
/// How often anybody may make this server ask one client in a minute.
const ASKS_PER_MINUTE: u32 = 300;

/// Request objects fetched lately, by client and address with its fragment.
pub struct FetchedRequests {
    objects: Cache<(String, String), Arc<str>>,
    asks: RateLimit,
}

impl FetchedRequests {
    /// Nothing fetched yet.
    pub fn new() -> Self {
        Self {
            objects: Cache::builder().max_capacity(MOST_OBJECTS).time_to_live(FORGET_AFTER).build(),
            asks: RateLimit::per_minute(ASKS_PER_MINUTE),
        }
    }
}

impl Default for FetchedRequests {
    fn default() -> Self {
        Self::new()
    }
}

/// Replaces `params` by what the signed object among them holds, at hand or at the address they name; leaves them alone when there
/// is none.
///
/// # Errors
/// Outer: a fault. Inner: `request_uri_not_supported`, `invalid_request_uri`, `temporarily_unavailable`, or what
/// [`request_object::open`] says; `params` then hold the same parameters beside the object.
pub async fn open(
    app: &App,
    client: &SharedClient,
    (params, door): (&mut Params, Door),
    now: Timestamp,
) -> Outcome<Result<(), RedirectError>> {
    if let Some(uri) = params.take("request_uri") {
        if params.get("request").is_some() {
            let both = RedirectError::new("invalid_request", "request and request_uri exclude each other");
            return Ok(Err(both));
        }
        match find(app, client, &uri).await {
            Ok(object) => params.set("request", object),
            Err(error) => return Ok(Err(error)),
        }
    }
    request_object::open(app, client, (params, door), now).await
}

async fn find(app: &App, client: &Client, uri: &str) -> Result<String, RedirectError> {
    if !app.config.fetch.request_uris {
        return Err(RedirectError::new("request_uri_not_supported", "request_uri is not supported"));
    }
    let refuse = |description: String| Err(RedirectError::new("invalid_request_uri", description));
    // A client that must push is not served by reference, so nothing is fetched for it.
    if client.must_push() || !is_registered(&client.metadata.request_uris, uri) {
        return refuse("request_uri is not registered for this client".to_owned());
    }
    let (address, fragment) = uri.split_once('#').unwrap_or((uri, ""));
    let key = (client.id.clone(), uri.to_owned());
    if !fragment.is_empty()
        && let Some(known) = app.fetched_requests.objects.get(&key).await
    {
        return Ok(known.to_string());
    }
    if !app.fetched_requests.asks.admit(&client.id) {
        return Err(RedirectError::new(
            "temporarily_unavailable",
            "too many requests by reference, try again in a minute",
        ));
    }
    let fetched = if fragment.is_empty() {
        fetch(&app.fetcher, address).await.map_err(Arc::new)
    } else {
        app.fetched_requests.objects.try_get_with(key, fetch(&app.fetcher, address)).await
    };
    match fetched {
        // Nothing must not read as "no object", or what stands beside the address would count unsigned.
        Ok(object) if object.is_empty() => refuse("request_uri: there is nothing".to_owned()),
        Ok(object) => Ok(object.to_string()),
        Err(error) => refuse(format!("request_uri: {error}")),
    }
}

async fn fetch(fetcher: &Fetcher, address: &str) -> Result<Arc<str>, FetchError> {
    let body = fetcher.get(address).await?;
    // What is no text is no object either, and is told so when it is opened.
    Ok(String::from_utf8_lossy(&body).trim().into())
}

/// Whether the client registered this address: as it is, or without a fragment, which then is the client's to choose.
fn is_registered(registered: &[String], uri: &str) -> bool {
    let address = uri.split_once('#').map_or(uri, |(address, _)| address);
    uri.len() <= 512 && registered.iter().any(|known| known == uri || known == address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_registered_letter_by_letter_and_a_fragment_only_where_one_was() {
        let registered = ["https://rp.example/a".to_owned(), "https://rp.example/b#v1".to_owned()];
        let long = format!("https://rp.example/a#{}", "x".repeat(500));
        let cases = [
            ("https://rp.example/a", true),
            ("https://rp.example/a#v1", true),
            ("https://rp.example/a#v2", true),
            ("https://rp.example/b#v1", true),
            ("https://rp.example/b#v2", false),
            ("https://rp.example/b", false),
            ("https://rp.example/a?x=1", false),
            ("https://rp.example/a/", false),
            ("https://RP.example/a", false),
            (&long, false),
            ("", false),
        ];
        for (uri, expected) in cases {
            assert_eq!(is_registered(&registered, uri), expected, "{uri}");
        }
    }
}
