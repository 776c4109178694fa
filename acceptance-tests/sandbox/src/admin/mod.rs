//! The admin endpoint: what is there, what goes wrong, how fast, and from outside.

mod client;
mod inventory;
mod server;

pub use client::{Client, ClientError};
pub use inventory::{
    AdapterView, AddressView, DiskView, Inventory, NodeView, StaticIpView, TagView, VmView,
};
pub use server::serve;

pub use crate::world::Event;
