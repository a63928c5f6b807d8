//! Mounts the console: the only place where the server and the console meet.

use std::sync::Arc;

use axum::Router;
use habilis_admin_console::Settings;
use habilis_admin_console::relying_party::Now;

use crate::app::App;
use crate::outcome::Outcome;

/// The routes under `/console`; none when `console.client_id` is empty.
///
/// # Errors
/// A certificate of `[server]` that cannot be read.
pub fn router(app: &App) -> Outcome<Router<App>> {
    let console = &app.config.console;
    if console.client_id.is_empty() {
        return Ok(Router::new());
    }
    Ok(habilis_admin_console::router(Settings {
        issuer: app.config.server.issuer.clone(),
        client_id: console.client_id.clone(),
        client_secret: console.client_secret.clone(),
        certificates: own_certificate(app)?,
        now: time_source(app),
    })?)
}

/// Our own certificate, which may be self-signed, for relying parties in this process.
pub(crate) fn own_certificate(app: &App) -> Outcome<Option<Vec<u8>>> {
    Ok(app.config.server.tls_certificate_file.as_ref().map(std::fs::read).transpose()?)
}

/// Our clock: tokens are judged by the same time they were made in.
pub(crate) fn time_source(app: &App) -> Now {
    let clock = app.clock.clone();
    Arc::new(move || clock.now())
}
