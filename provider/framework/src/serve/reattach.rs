//! Reattach mode: the process is there before terraform, for debuggers and quick tests.

use super::listener::Listener;
use crate::Dynamic;

/// The assignment to paste, with the variable's value on a line of its own between quotes.
pub(super) fn instructions(address: &str, listener: &Listener) -> String {
    let value = variable(
        address,
        listener.network(),
        &listener.address(),
        std::process::id(),
    );
    format!(
        "Provider started. To use it, set this in the shell of terraform (Ctrl-C here ends it):\n\n\tTF_REATTACH_PROVIDERS='{value}'\n"
    )
}

fn variable(address: &str, network: &str, socket: &str, pid: u32) -> String {
    let text = |text: &str| Dynamic::string(text);
    let value = Dynamic::map([(
        address,
        Dynamic::map([
            ("Protocol", text("grpc")),
            ("ProtocolVersion", Dynamic::from(6)),
            ("Pid", Dynamic::from(i64::from(pid))),
            // Core leaves the process alone and takes the protocol version from here.
            ("Test", Dynamic::from(true)),
            (
                "Addr",
                Dynamic::map([("Network", text(network)), ("String", text(socket))]),
            ),
        ]),
    )]);
    crate::wire::to_json(&value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_has_the_form_core_reads() {
        assert_eq!(
            variable("example.test/acme/acme", "unix", "/tmp/p", 7),
            r#"{"example.test/acme/acme":{"Addr":{"Network":"unix","String":"/tmp/p"},"Pid":7,"Protocol":"grpc","ProtocolVersion":6,"Test":true}}"#
        );
    }
}
