//! Signing in: the person proves who they are, and the browser gets a session.

pub mod change;
pub mod due;
pub mod factor_pages;
pub mod factors;
pub mod finish;
pub mod forgot;
pub mod hasher;
pub mod leaked;
pub mod links;
pub mod local;
pub mod pages;
pub mod passkey;
pub mod password;
pub mod password_pages;
pub mod reissue;
pub mod removal;
pub mod renew;
pub mod rules;
pub mod second;
pub mod session;
