//! The OpenID Connect provider: one file an endpoint.

pub mod answer;
pub mod audience;
pub mod authorize;
pub mod backchannel_logout;
pub mod claims;
pub mod client;
pub mod client_auth;
pub mod client_keys;
pub mod closed;
pub mod device;
pub mod discovery;
pub mod dpop;
pub mod end_session;
pub mod error;
pub mod front_channel;
pub mod frontchannel_logout;
pub mod initial_access;
pub mod interaction;
pub mod introspect;
pub mod issue;
pub mod life;
pub mod localized;
pub mod openapi;
pub mod organization;
pub mod organization_pages;
pub mod pages;
pub mod par;
pub mod registration;
pub mod request;
pub mod request_object;
pub mod request_uri;
pub mod resource;
pub mod revoke;
pub mod subject;
pub mod token;
pub mod userinfo;

use axum::Router;
use axum::http::{HeaderName, header};
use tower_http::cors::{Any, CorsLayer};

use crate::app::App;
use crate::web::routing::{erased, form, get, post};

/// Every protocol route, to be read in ten seconds.
pub fn router() -> Router<App> {
    // Browser-based clients call these from their own origin; none of them looks at cookies.
    let for_scripts = Router::new()
        .route("/.well-known/openid-configuration", get(discovery::get))
        .route("/.well-known/oauth-authorization-server", get(discovery::get))
        .route("/jwks", get(discovery::jwks))
        .route("/par", post(par::post))
        .route("/device_authorization", post(device::authorize))
        .route("/register", post(registration::post))
        .route(
            "/register/{client_id}",
            get(registration::get).put(erased(registration::put)).delete(erased(registration::delete)),
        )
        .route("/token", post(token::post))
        .route("/introspect", post(introspect::post))
        .route("/revoke", post(revoke::post))
        .route("/userinfo", get(userinfo::get).post(erased(userinfo::post)))
        .layer(
            CorsLayer::new()
                .allow_origin(Any)
                .allow_methods(Any)
                .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, HeaderName::from_static("dpop")])
                .expose_headers([header::WWW_AUTHENTICATE, HeaderName::from_static("dpop-nonce")]),
        );
    let for_people = Router::new()
        .route("/authorize", get(authorize::get).post(erased(authorize::post)))
        .route("/interaction/login/{id}", form(crate::login::password::get, crate::login::password::post))
        .route("/login", form(crate::login::local::get, crate::login::local::post))
        .route("/password/forgot", form(crate::login::forgot::get, crate::login::forgot::post))
        .route("/password/new/{token}", form(crate::login::renew::get, crate::login::renew::post))
        .merge(crate::login::second::router())
        .route("/interaction/continue/{id}", get(interaction::resume))
        .route("/interaction/consent/{id}", form(interaction::consent, interaction::decide))
        .route("/interaction/organization/{id}", form(organization::ask, organization::answer))
        .route("/device/organization", form(device::ask_organization, device::choose_organization))
        .route("/device", form(device::ask, device::enter))
        .route("/device/confirm", form(device::confirm, device::decide))
        .route("/end-session", get(end_session::get).post(erased(end_session::post)))
        .route("/end-session/confirm", post(end_session::confirm));
    for_scripts.merge(for_people)
}
