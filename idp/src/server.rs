//! The HTTP server: every route, the layers around them, and a stop that lets running requests finish.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::App;
use crate::db::people;
use crate::login::pages::Home;
use crate::login::session;
use crate::oidc::error::PageError;
use crate::oidc::pages::Advice;
use crate::outcome::{Fault, Outcome};
use crate::web::cookies::Cookies;
use crate::web::params::Params;
use crate::web::routing::get;
use crate::web::{Origin, boundary, chrome, render};
use crate::{account, api, assets, gateway, oidc};

/// How long a stop waits for running requests.
const DRAIN: Duration = Duration::from_secs(10);
/// How long a client may take to send its request head.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);

/// Every route of the server, `extra` among them, with the layers around them.
pub fn router(app: &App, extra: Router<App>) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .merge(oidc::router())
        .merge(account::router())
        .merge(api::router())
        .merge(gateway::router())
        .merge(extra)
        .nest("/assets", assets::router())
        .fallback(not_found)
        .layer(DefaultBodyLimit::max(app.config.server.body_limit_bytes))
        .layer(CatchPanicLayer::custom(boundary::panicked))
        .layer(middleware::from_fn_with_state(app.clone(), boundary::boundary))
        .with_state(app.clone())
}

async fn home(State(app): State<App>, origin: Origin, cookies: Cookies, RawQuery(query): RawQuery) -> Outcome {
    let now = app.clock.now();
    let ui_locales = Params::parse(query.unwrap_or_default().as_bytes()).ok().and_then(|mut it| it.take("ui_locales"));
    let person = match session::load(&app, &cookies, now).await? {
        Some(session) => people::find(&mut app.db.reader().await?, &session.person_id).await?,
        None => None,
    };
    let page = Home {
        chrome: chrome(&app, origin.locale(ui_locales.as_deref()), "/"),
        person: person.map(|person| format!("{} {}", person.given_name, person.family_name)),
        sign_in_href: Some("/login".to_owned()),
        account_href: Some("/account".to_owned()),
        sign_out_href: Some("/end-session".to_owned()),
        demo_href: None,
    };
    render(StatusCode::OK, &page)
}

/// Ready: the database answers and a key signs.
async fn ready(State(app): State<App>) -> Response {
    let database = match app.db.reader().await {
        Ok(mut reader) => crate::db::outbox::waiting(&mut reader).await.is_ok(),
        Err(_) => false,
    };
    let keys = app.keys.is_complete(app.clock.now());
    if database && keys {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
    }
}

async fn not_found(State(app): State<App>, origin: Origin) -> Outcome {
    PageError {
        advice: Advice::StartAgain,
        status: StatusCode::NOT_FOUND,
        ..PageError::new("not_found", "there is nothing at this address")
    }
    .show(&app, &origin, None)
}

/// Listens on `address`.
///
/// # Errors
/// The address is in use or not ours, said in one sentence.
pub fn listen(address: SocketAddr) -> Outcome<TcpListener> {
    let listener = TcpListener::bind(address).map_err(|error| {
        Fault::new(format!("cannot listen on {address}: {error}; is another server running there?"))
    })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Serves `router` on `listener` until `handle` is told to stop.
///
/// # Errors
/// The listener failed.
pub async fn serve(listener: TcpListener, router: Router, handle: Handle<SocketAddr>) -> Outcome<()> {
    let mut server = axum_server::from_tcp(listener)?.handle(handle);
    server.http_builder().http1().timer(hyper_util::rt::TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    server.serve(router.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

/// The same over TLS.
///
/// # Errors
/// The listener failed.
pub async fn serve_tls(
    listener: TcpListener,
    router: Router,
    handle: Handle<SocketAddr>,
    tls: RustlsConfig,
) -> Outcome<()> {
    let mut server = axum_server::from_tcp_rustls(listener, tls)?.handle(handle);
    server.http_builder().http1().timer(hyper_util::rt::TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    server.serve(router.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

/// Tells `handle` to stop when the process is asked to (SIGTERM, Ctrl-C).
pub async fn stop_on_signal(handle: Handle<SocketAddr>) {
    let interrupted = tokio::signal::ctrl_c();
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = interrupted => {}
        () = terminated => {}
    }
    tracing::info!(event = "stopping");
    handle.graceful_shutdown(Some(DRAIN));
}

/// Installs the metrics recorder of the process.
///
/// # Errors
/// It was installed before.
pub fn metrics_recorder() -> Outcome<PrometheusHandle> {
    Ok(PrometheusBuilder::new().install_recorder()?)
}

/// The metrics listener's one route.
pub fn metrics_router(handle: PrometheusHandle) -> Router {
    Router::new().route(
        "/metrics",
        get(move || {
            let text = handle.render();
            async move { ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text) }
        }),
    )
}
