//! Habilis, an identity and access server for the training sector: an OpenID Connect provider and what surrounds it.
//!
//! `docs/` beside this crate tells how to run it; `docs/decisions/` why it is as it is.

pub mod account;
pub mod api;
pub mod api_keys;
pub mod app;
pub mod assets;
pub mod authorization;
pub mod cli;
pub mod clock;
pub mod config;
pub mod console;
pub mod db;
pub mod demo;
pub mod events;
pub mod fetch;
pub mod gateway;
pub mod incidents;
pub mod jobs;
pub mod keyring;
pub mod lifecycle;
pub mod login;
pub mod mail;
pub mod measures;
pub mod oidc;
pub mod orders;
pub mod outcome;
pub mod resources;
pub mod rotation;
pub mod seats;
pub mod server;
pub mod tls;
pub mod web;
