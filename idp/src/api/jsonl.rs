//! JSON Lines, sent piece by piece as they are read: the size of an organization does not count.

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use serde_json::json;

use super::caller::Caller;
use super::problem::Answer;
use crate::app::App;

/// Something that gives lines in pieces.
pub(super) trait Chunks: Send + 'static {
    /// Who takes them.
    fn by(&self) -> (&App, &Caller);

    /// The next lines, and whether there are more.
    fn next(&mut self) -> impl Future<Output = Answer<(Bytes, bool)>> + Send;
}

/// The lines as a file named `name`, as long as who takes them still may. When a piece cannot be read the connection breaks: the line `end`
/// is missing then.
pub(super) fn json_lines(name: &str, chunks: impl Chunks) -> Response {
    let body = stream::try_unfold(Some(chunks), async |chunks| {
        let Some(mut chunks) = chunks else { return Ok(None) };
        let (app, caller) = chunks.by();
        let piece = match caller.goes_on(app).await {
            Ok(()) => chunks.next().await,
            Err(lost) => Err(lost),
        };
        match piece {
            Ok((bytes, more)) => Ok(Some((bytes, more.then_some(chunks)))),
            Err(stop) => {
                tracing::error!(event = "export_broken", cause = ?stop);
                Err(std::io::Error::other("the export broke off"))
            }
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "application/jsonl".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    (headers, Body::from_stream(body)).into_response()
}

/// Lines in the making.
#[derive(Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    count: u64,
}

impl Lines {
    /// Adds `{"type": kind, "data": data}`.
    pub(super) fn add(&mut self, kind: &str, data: &impl Serialize) -> Answer<()> {
        serde_json::to_writer(&mut self.bytes, &json!({ "type": kind, "data": serde_json::to_value(data)? }))?;
        self.bytes.push(b'\n');
        self.count += 1;
        Ok(())
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Their text.
    pub(super) fn into_bytes(self) -> Bytes {
        self.bytes.into()
    }
}
