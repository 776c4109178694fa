//! figures.

fn main() {}
