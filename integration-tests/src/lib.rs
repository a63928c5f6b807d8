//! The harness of the integration tests: starts the real server, speaks to it as browsers and relying parties do.
//!
//! Nothing here reaches into the server's code, nor into its tables but to leave there what only an earlier version did
//! ([`TestServer::rewrite`]). A test sees what a person, a client or an operator sees:
//! pages, JSON, exit codes, files.
//!
//! - [`TestServer`] runs `habilis demo` on either [`Engine`]: one process shared by all the tests of an engine, or one
//!   of a test's own that it may age, kill and restart.
//! - [`Browser`] keeps cookies and fills forms; [`WebDriver`] does the same in a real Chromium.
//! - [`RelyingParty`] is a relying party on the `openidconnect` crate; [`protocol`] speaks the raw protocol where a test
//!   must send what no library would.
//! - [`Inbox`] reads the mails the server sent.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test harness fails by panicking, with a sentence that says what was missing"
)]

pub mod api;
pub mod authenticator;
pub mod browser;
mod cleanup;
pub mod database;
pub mod dump;
pub mod fapi;
pub mod http;
pub mod inbox;
pub mod jose;
pub mod listener;
pub mod mail_server;
pub mod passkey;
pub mod protocol;
pub mod relying_party;
pub mod server;
pub mod slow;
pub mod stub;
pub mod timing;
pub mod webdriver;

pub use api::Api;
pub use authenticator::Authenticator;
pub use browser::{Browser, Page, Visit};
pub use http::{Answer, Http};
pub use inbox::{Inbox, Mail};
pub use listener::Listener;
pub use passkey::Passkey;
pub use relying_party::RelyingParty;
pub use server::{Client, Engine, Organization, Person, TestServer};
pub use slow::SlowReader;
pub use webdriver::WebDriver;
