//! Every rule of the house, pure: facts in, decision out. No clock, no I/O, no randomness.
//!
//! Protocol rules cite their RFC, the operator's rules their requirement (`R…`, defaults `Q…`).

pub mod acr;
pub mod admission;
pub mod api_keys;
pub mod assertions;
pub mod attributes;
pub mod authorization;
pub mod authorize;
pub mod calendar;
pub mod codes;
pub mod contact;
pub mod csv_out;
pub mod csv_people;
pub mod device;
pub mod enrolments;
pub mod events;
pub mod groups;
pub mod identifiers;
pub mod identity;
pub mod information;
pub mod login;
pub mod memberships;
pub mod networks;
pub mod orders;
pub mod password_hashes;
pub mod passwords;
pub mod profiles;
pub mod redirects;
pub mod reminders;
pub mod request_objects;
pub mod resources;
pub mod response_types;
pub mod restitution;
pub mod sanctions;
pub mod scopes;
pub mod search;
pub mod seats;
pub mod second_factor;
pub mod sessions;
pub mod sharing;
pub mod subjects;
pub mod tokens;
pub mod trials;
pub mod updates;
pub mod webhooks;
