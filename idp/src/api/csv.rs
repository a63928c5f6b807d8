//! Tables for spreadsheets, sent piece by piece: the size of an organization does not count.

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use habilis_policies::csv_out::Sheet;

use super::caller::Caller;
use super::problem::Answer;
use crate::app::App;

/// Something that gives a table in pieces.
pub(super) trait Pieces: Send + 'static {
    /// Who takes them.
    fn by(&self) -> (&App, &Caller);

    /// Adds the next rows to the sheet; false when there are none left.
    fn next(&mut self, sheet: &mut Sheet) -> impl Future<Output = Answer<bool>> + Send;
}

/// The table as a file named `name`, as long as who takes it still may. When a piece cannot be read the connection breaks: half a table does
/// not pass for a whole one.
pub(super) fn table<const N: usize>(name: &str, headers: [&str; N], pieces: impl Pieces) -> Response {
    let first = Sheet::new(headers);
    let begun = Some((pieces, first));
    let body = stream::try_unfold(begun, async |state| {
        let Some((mut pieces, mut sheet)) = state else { return Ok(None) };
        let (app, caller) = pieces.by();
        let piece = match caller.goes_on(app).await {
            Ok(()) => pieces.next(&mut sheet).await,
            Err(lost) => Err(lost),
        };
        match piece {
            Ok(more) => Ok(Some((Bytes::from(sheet.finish()), more.then(|| (pieces, Sheet::go_on()))))),
            Err(stop) => {
                tracing::error!(event = "table_broken", cause = ?stop);
                Err(std::io::Error::other("the table broke off"))
            }
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    (headers, Body::from_stream(body)).into_response()
}
