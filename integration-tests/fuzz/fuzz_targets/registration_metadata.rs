//! Bodies of registrations.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| habilis_fuzz::registration_metadata(data));
