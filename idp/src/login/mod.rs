//! Signing in: the person proves who they are, and the browser gets a session.

pub mod hasher;
pub mod pages;
pub mod password;
pub mod session;
