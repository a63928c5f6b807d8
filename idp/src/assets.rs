//! Style sheets, script and marks, inside the binary. Their names never change, so browsers ask again with the `ETag`.

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

macro_rules! assets {
    ($($name:literal => $kind:literal),* $(,)?) => {
        /// The routes under `/assets`.
        pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
            Router::new()$(.route(
                concat!("/", $name),
                get(|headers: HeaderMap| async move { serve(&headers, $kind, include_bytes!(concat!("../assets/", $name))) }),
            ))*
        }
    };
}

assets! {
    "habilis.css" => "text/css; charset=utf-8",
    "portal.css" => "text/css; charset=utf-8",
    "form-post.js" => "text/javascript; charset=utf-8",
    "password.js" => "text/javascript; charset=utf-8",
    "sign-up.js" => "text/javascript; charset=utf-8",
    "favicon.svg" => "image/svg+xml",
    "mark.svg" => "image/svg+xml",
    "portal-mark.svg" => "image/svg+xml",
}

fn serve(headers: &HeaderMap, kind: &'static str, bytes: &'static [u8]) -> Response {
    // The version stands for the content: a new build may bring new assets.
    let tag = format!("\"{}-{}\"", env!("CARGO_PKG_VERSION"), bytes.len());
    let cache = [(header::CACHE_CONTROL, "public, max-age=300".to_owned()), (header::ETAG, tag.clone())];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, cache).into_response();
    }
    (cache, [(header::CONTENT_TYPE, kind)], bytes).into_response()
}
