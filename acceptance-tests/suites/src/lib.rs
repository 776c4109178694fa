//! Acceptance suites: what their tests share. Each file in `tests` is one suite; each test has a sandbox process and a
//! terraform working folder of its own, so that all of them run side by side.

mod bench;
mod shop;
mod tools;

pub use bench::{Bench, Result};
pub use shop::{SHOP, shop, shop_of};
pub use tools::{Tools, oracles};
