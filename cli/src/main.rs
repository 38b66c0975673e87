//! kenning
fn main() {}
