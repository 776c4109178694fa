//! demo.

fn main() {}
