//! Compiles the `.proto` files with a compiler written in Rust: building needs no `protoc`.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let descriptors = protox::compile(
        ["tfplugin6.proto", "goplugin.proto", "health.proto"],
        ["proto"],
    )?;
    tonic_prost_build::configure()
        // Ordered maps: the same input gives the same bytes.
        .btree_map(".")
        // Values are slices of the received buffer, not copies.
        .bytes(".tfplugin6")
        // The transport is the user's choice; `connect` would need tonic's own.
        .build_transport(false)
        .compile_fds(descriptors)?;
    Ok(())
}
