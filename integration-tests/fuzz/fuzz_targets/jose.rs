//! Compact tokens and sets of keys.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| habilis_fuzz::jose(data));
