//! `habilis serve`.

use axum_server::Handle;

use super::{master_key, open_migrated, start_log};
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::mail::transport::Transport;
use crate::outcome::Outcome;
use crate::{console, jobs, server, tls};

pub(super) async fn run(config: Config) -> Outcome<()> {
    start_log(&config.log)?;
    let master = master_key(&config.keys)?;
    // Ports first: an address in use is said before anything is touched.
    let listener = server::listen(config.server.listen)?;
    let metrics = config.server.metrics_listen.map(server::listen).transpose()?;
    let tls = tls::Files::of(&config.server).map(tls::watch).transpose()?;
    let transport = Transport::open(&config.mail)?;
    let db = open_migrated(&config).await?;
    let app = App::start(config, Clock::System, db, master).await?;
    let recorder = server::metrics_recorder()?;
    if let Some(metrics) = metrics {
        tokio::spawn(server::serve(metrics, server::metrics_router(recorder), Handle::new()));
    }
    let jobs = tokio::spawn(jobs::run(app.clone(), transport));
    let handle = Handle::new();
    tokio::spawn(server::stop_on_signal(handle.clone()));
    tracing::info!(event = "started", issuer = app.config.server.issuer, listen = %app.config.server.listen);
    let router = server::router(&app, console::router(&app)?);
    let served = match tls {
        Some(tls) => server::serve_tls(listener, router, handle, tls).await,
        None => server::serve(listener, router, handle).await,
    };
    jobs.abort();
    let _ = jobs.await;
    // Uses of API keys that were counted and not written yet.
    if let Err(fault) = crate::api_keys::flush(&app).await {
        tracing::error!(event = "uses_lost", cause = ?fault);
    }
    app.db.close().await;
    served
}
