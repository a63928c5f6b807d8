//! What the OpenID Foundation's suite checks and no other file of this tree is about, by plan. `idp/docs/conformance.md` says
//! for every module of the suite which journey asserts it; `the_table` keeps that page true.

mod basic;
mod config;
mod dynamic;
mod fapi;
mod form_post;
mod hostile;
mod the_table;
