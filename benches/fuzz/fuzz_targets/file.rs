#![no_main]

use libfuzzer_sys::fuzz_target;

// Panics of parsers that are caught are no findings; libFuzzer's own hook would end the search.
fuzz_target!(
    init: std::panic::set_hook(Box::new(|_| {})),
    |data: &[u8]| kenning_indexer::fuzzing::file(data)
);
