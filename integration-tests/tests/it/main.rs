//! Journeys through the real server, seen from outside: one binary, both engines, a tree that mirrors the URLs.
//!
//! Start it with `integration-tests/run`, which brings PostgreSQL, Chromium and the rest. A journey is written once and
//! runs as two tests, `…::sqlite` and `…::postgres`. Those of [`journeys!`] share one server an engine, whose clock stands
//! at the time of day; those of [`own_journeys!`] have a server of their own, to age, kill and restart; those of
//! [`on_both_engines!`] and [`journeys_on!`] start theirs with options.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking; `allow-…-in-tests` does not see helpers outside #[test] functions"
)]

/// Journeys on what a function of the engine makes: as two tests each, whose names end in the engine's.
macro_rules! journeys_on {
    ($start:path; $($(#[$meta:meta])* async fn $name:ident($($given:tt)*) $body:block)*) => {$(
        mod $name {
            use super::*;

            #[tokio::test]
            async fn sqlite() {
                $name($start(habilis_integration_tests::Engine::Sqlite).await).await;
            }

            #[tokio::test]
            async fn postgres() {
                $name($start(habilis_integration_tests::Engine::Postgres).await).await;
            }
        }

        $(#[$meta])*
        async fn $name($($given)*) $body
    )*};
}

/// Journeys on the shared server.
macro_rules! journeys {
    ($($journeys:tt)*) => {
        journeys_on! { TestServer::shared; $($journeys)* }
    };
}

/// Journeys that change the server itself: each has its own.
macro_rules! own_journeys {
    ($($journeys:tt)*) => {
        journeys_on! { TestServer::own; $($journeys)* }
    };
}

/// Journeys that are functions of the engine, because each starts a server with options of its own.
macro_rules! on_both_engines {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            #[tokio::test]
            async fn sqlite() {
                super::$name(habilis_integration_tests::Engine::Sqlite).await;
            }

            #[tokio::test]
            async fn postgres() {
                super::$name(habilis_integration_tests::Engine::Postgres).await;
            }
        }
    )*};
}

mod account;
mod activation;
mod activity;
mod api;
mod api_fields;
mod api_keys;
mod applications;
mod attributes;
mod authorize;
mod bounces;
mod browser;
mod cli;
mod compromise;
mod conformance;
mod console;
mod credentials;
mod declarations;
mod delegation;
mod demo;
mod device;
mod discovery;
mod document_requests;
mod dpop;
mod duties;
mod end_session;
mod enrolments;
mod expiry;
mod extra_roots;
mod factors;
mod fapi;
mod faults;
mod forgot;
mod gateway;
mod groups;
mod identity;
mod imports;
mod incidents;
mod introspect;
mod isolation;
mod jwks_uri;
mod legacy;
mod libraries;
mod lifecycle;
mod lifetimes;
mod login;
mod logout_channels;
mod mail;
mod mandatory;
mod me;
mod measures;
mod offers;
mod openapi;
mod organization_choice;
mod pairwise;
mod par;
mod passkeys;
mod password_hashes;
mod passwords;
mod people;
mod policy;
mod portals;
mod prior_information;
mod profile;
mod reach;
mod registration;
mod replay;
mod request_object;
mod request_uri;
mod resources;
mod revoke;
mod rotation;
mod sealed_mail;
mod seat_requests;
mod seats;
mod second_factor;
mod secret_jwt;
mod security;
mod sessions;
mod sign_up;
mod signatory;
mod signing_keys;
mod slow_readers;
mod step_up;
mod subscriptions;
mod takeovers;
mod things;
mod throttling;
mod timing;
mod tls;
mod token;
mod token_status;
mod trail;
mod updates;
mod userinfo;
mod versions;
mod webhooks;
