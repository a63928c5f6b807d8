//! `/account`: the person's own pages.

use axum::Router;

use crate::app::App;

/// The routes of the account.
pub fn router() -> Router<App> {
    Router::new()
}
