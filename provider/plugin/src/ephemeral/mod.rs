//! Ephemeral resources: secrets of minutes that are in no plan and no state.

mod credentials;
mod kubeconfig;
mod password;
mod talosconfig;

pub use kubeconfig::Kubeconfig;
pub use password::GeneratedPassword;
pub use talosconfig::Talosconfig;
