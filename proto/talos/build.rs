//! Compiles the `.proto` files with a compiler written in Rust, so that a build needs no `protoc`.

use std::error::Error;
use std::path::Path;

const ROOT: &str = "proto";

const FILES: [&str; 24] = [
    "cluster.proto",
    "common.proto",
    "cosi/meta.proto",
    "cosi/state.proto",
    "google/rpc/status.proto",
    "machine/etcd.proto",
    "machine/events.proto",
    "machine/files.proto",
    "machine/image.proto",
    "machine/lifecycle.proto",
    "machine/machine.proto",
    "machine/services.proto",
    "machine/statistics.proto",
    "resource/block.proto",
    "resource/cluster.proto",
    "resource/config.proto",
    "resource/etcd.proto",
    "resource/extensions.proto",
    "resource/hardware.proto",
    "resource/k8s.proto",
    "resource/network.proto",
    "resource/runtime.proto",
    "resource/time.proto",
    "resource/v1alpha1.proto",
];

const SERVICES: [&str; 3] = ["securityapi.proto", "storage.proto", "time.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={ROOT}");
    let files = FILES
        .iter()
        .chain(&SERVICES)
        .map(|file| Path::new(ROOT).join(file));
    let descriptors = protox::compile(files, [ROOT])?;
    tonic_prost_build::configure()
        .build_transport(false)
        .compile_fds(descriptors)?;
    Ok(())
}
