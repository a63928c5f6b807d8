//! Lists of people as spreadsheets write them.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| habilis_fuzz::csv_people(data));
