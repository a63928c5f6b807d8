//! Cryptography of Habilis: signing keys and JWKS, JOSE, password hashing, tokens, sealing of secrets.
//!
//! A leaf crate: no clock (time comes in as a [`jiff::Timestamp`]), no I/O, no database. It is the only crate that
//! makes randomness. Signatures, MACs and ciphers are *ring*'s; `rsa` only finds the primes of a new RSA key and never
//! signs.

pub mod api_key;
mod base64url;
pub mod dpop;
mod json;
pub mod jwk;
pub mod jws;
pub mod keyring;
pub mod leaked;
pub mod password;
pub mod pkce;
pub mod random;
pub mod recovery;
pub mod seal;
pub mod secret;
pub mod signing;
pub mod token;
pub mod totp;
pub mod webhook;
pub mod work;

pub use secret::Secret;
