//! Tests over real sockets: our own promises, and the official clients as judges.

mod bed;
mod judges;
mod nodes;
mod promises;
