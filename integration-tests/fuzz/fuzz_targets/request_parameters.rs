//! Queries and forms, as they come to `/authorize`, `/par` and `/token`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| habilis_fuzz::request_parameters(data));
