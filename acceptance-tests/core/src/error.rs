//! What the client complains about.

/// A complaint of the client that plays core. Its texts follow core's own messages where core has one, so that a
/// failure here can be looked up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The provider did not start, or did not end.
    #[error("provider process: {0}")]
    Start(String),
    /// The handshake line or the connection is wrong.
    #[error("handshake: {0}")]
    Handshake(String),
    /// A call ended with a gRPC status, which core shows as a crash of the plugin.
    #[error("{call}: gRPC status {status}")]
    Status {
        /// The RPC.
        call: &'static str,
        /// The status.
        status: Box<tonic::Status>,
    },
    /// The provider answered with error diagnostics.
    #[error("{call}: {}", list(.diagnostics))]
    Diagnostics {
        /// The RPC.
        call: &'static str,
        /// Every diagnostic of the answer, warnings included.
        diagnostics: Vec<Diagnostic>,
    },
    /// The answer breaks a rule that core enforces: "this is a bug in the provider".
    #[error("{call}: provider produced an invalid answer:\n{}", .problems.join("\n"))]
    Invalid {
        /// The RPC.
        call: &'static str,
        /// Every broken rule, with the path.
        problems: Vec<String>,
    },
    /// The provider put the call off, which this client allows.
    #[error("{call}: put off")]
    Deferred {
        /// The RPC.
        call: &'static str,
    },
    /// The test asked for something the provider does not have.
    #[error("{0}")]
    Usage(String),
}

/// One diagnostic, with its path as HCL writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether it is an error; a warning otherwise.
    pub error: bool,
    /// What is wrong.
    pub summary: String,
    /// More about it.
    pub detail: String,
    /// The attribute, such as `zones[1]`; empty for the whole object.
    pub path: String,
}

impl Diagnostic {
    /// From the protocol's form.
    pub(crate) fn all(wire: Vec<proto_plugin::tfplugin6::Diagnostic>) -> Vec<Self> {
        wire.into_iter()
            .map(|diagnostic| Self {
                error: diagnostic.severity == 1,
                summary: diagnostic.summary,
                detail: diagnostic.detail,
                path: diagnostic.attribute.as_ref().map(path).unwrap_or_default(),
            })
            .collect()
    }
}

/// A path of the protocol as HCL writes it.
pub(crate) fn path(path: &proto_plugin::tfplugin6::AttributePath) -> String {
    use proto_plugin::tfplugin6::attribute_path::step::Selector;
    let mut text = String::new();
    for step in &path.steps {
        match &step.selector {
            Some(Selector::AttributeName(name)) if text.is_empty() => text.push_str(name),
            Some(Selector::AttributeName(name)) => text = format!("{text}.{name}"),
            Some(Selector::ElementKeyString(key)) => text = format!("{text}[{key:?}]"),
            Some(Selector::ElementKeyInt(index)) => text = format!("{text}[{index}]"),
            None => text.push_str(".?"),
        }
    }
    text
}

fn list(diagnostics: &[Diagnostic]) -> String {
    diagnostics
        .iter()
        .map(|diagnostic| {
            let level = if diagnostic.error { "error" } else { "warning" };
            format!(
                "{level} at {:?}: {}: {}",
                diagnostic.path, diagnostic.summary, diagnostic.detail
            )
        })
        .collect::<Vec<_>>()
        .join("\n")
}
