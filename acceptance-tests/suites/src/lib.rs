//! Acceptance suites: what their tests share. Each file in `tests` is one suite; each test has a sandbox process and a
//! terraform working folder of its own, so that all of them run side by side. Those of add-ons run a second time, on one
//! real control plane a file ([`on_both`]), where `MANAGEDK8S_KUBERNETES_ORACLES` names its programs.

mod bench;
mod both;
mod shop;
mod tools;

pub use bench::{Bench, Result};
pub use both::{Work, run_on_real};
pub use shop::{SHOP, shop, shop_of};
pub use tools::{Tools, oracles};
