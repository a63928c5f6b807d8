//! Proofs of possession.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| habilis_fuzz::dpop_proof(data));
