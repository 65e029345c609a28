//! Any text as a cursor of any order, and any values under a good signature.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| relata_store::read::fuzz_cursor(bytes));
