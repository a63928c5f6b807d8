//! Handlers behind one pointer.
//!
//! The router is built of a dozen generic types around each handler, and the compiler proves for every one of them anew that the handler's
//! future may move between threads: for four hundred handlers, each an `async fn` that calls deep into the server, that was more than half of
//! the time of a build. Behind a pointer it is proved once, and the router is compiled once.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::extract::Request;
use axum::handler::Handler;
use axum::response::Response;
use axum::routing::{self, MethodRouter};

type Answer = Pin<Box<dyn Future<Output = Response> + Send>>;

/// A handler whose type is forgotten.
pub struct Erased<S>(Arc<dyn Fn(Request, S) -> Answer + Send + Sync>);

impl<S> Clone for Erased<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: 'static> Handler<(), S> for Erased<S> {
    type Future = Answer;

    fn call(self, request: Request, state: S) -> Answer {
        (self.0)(request, state)
    }
}

/// The handler, its type forgotten: every one that is given to a router goes through here. Costs an indirect call for each request.
pub fn erased<S: Send + Sync + 'static, T: 'static>(handler: impl Handler<T, S, Future = Answer>) -> Erased<S> {
    Erased(Arc::new(move |request, state| handler.clone().call(request, state)))
}

/// What `GET` answers at a path.
pub fn get<S: Clone + Send + Sync + 'static, T: 'static>(
    handler: impl Handler<T, S, Future = Answer>,
) -> MethodRouter<S> {
    routing::get(erased(handler))
}

/// What `POST` does at a path.
pub fn post<S: Clone + Send + Sync + 'static, T: 'static>(
    handler: impl Handler<T, S, Future = Answer>,
) -> MethodRouter<S> {
    routing::post(erased(handler))
}

/// A page and what its form sends: `GET` and `POST` of one path.
pub fn form<S: Clone + Send + Sync + 'static, T: 'static, U: 'static>(
    page: impl Handler<T, S, Future = Answer>,
    answer: impl Handler<U, S, Future = Answer>,
) -> MethodRouter<S> {
    get(page).post(erased(answer))
}

/// The handlers of one path of the API, with their descriptions, as [`utoipa_axum::routes`] gathers them: its
/// rule `@resolve_types` finds the description of each.
macro_rules! routes {
    ($($handler:ident),+ $(,)?) => {{
        use utoipa_axum::PathItemExt as _;
        let mut paths = utoipa::openapi::path::Paths::new();
        let mut schemas = Vec::new();
        let mut router = axum::routing::MethodRouter::new();
        $(
            let handler = $crate::web::routing::erased($handler);
            let (path, operation, methods) = utoipa_axum::routes!(@resolve_types $handler : schemas);
            for method in &methods {
                router = router.on(method.to_method_filter(), handler.clone());
            }
            paths.add_path_operation(&path, methods, operation);
        )+
        (schemas, paths, router)
    }};
}
pub(crate) use routes;
