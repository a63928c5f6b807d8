//! Claims of signed request objects.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| habilis_fuzz::request_object(data));
