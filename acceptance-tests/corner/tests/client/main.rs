//! The corner provider under a client that plays core at its newest minor and at an old one. The client fails whatever
//! core would refuse.

mod apply;
mod bench;
mod blocks;
mod checklist;
mod faults;
mod fresh;
mod handshake;
mod logs;
mod old_core;
mod others;
mod plan;
mod process;
mod provider;
mod reattach;
mod schema;
mod sets;
mod state;
