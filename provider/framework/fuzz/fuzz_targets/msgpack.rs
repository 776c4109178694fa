#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| framework_fuzz::msgpack(data));
