//! Starting a provider as go-plugin does: environment and handshake line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use base64::Engine as _;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tonic::transport::Channel;

use crate::{Error, Identity, TlsVersion, connect_with};

/// The value of `TF_PLUGIN_MAGIC_COOKIE` that core sends.
pub const MAGIC_COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

/// How to start a provider.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The provider's binary.
    pub program: PathBuf,
    /// Its arguments; core gives none.
    pub arguments: Vec<OsString>,
    /// Variables on top of the handshake's own and of the inherited environment.
    pub environment: Vec<(String, OsString)>,
    /// Whether core makes a certificate (`TF_DISABLE_PLUGIN_TLS` turns that off).
    pub tls: bool,
    /// `PLUGIN_PROTOCOL_VERSIONS`; `None` leaves it out.
    pub versions: Option<String>,
    /// The only version of TLS to offer; every one that core offers by default.
    pub tls_version: Option<TlsVersion>,
    /// Whether the host asks for multiplexing, which adds a seventh field to the handshake line.
    pub multiplex: bool,
}

impl Launch {
    /// As Terraform starts it.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            tls: true,
            versions: Some("5,6".into()),
            tls_version: None,
            multiplex: false,
        }
    }

    /// The command without a certificate of core's, not started: for tests that look at the process alone.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .env("TF_PLUGIN_MAGIC_COOKIE", MAGIC_COOKIE)
            .env("PLUGIN_MIN_PORT", "10000")
            .env("PLUGIN_MAX_PORT", "25000")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(versions) = &self.versions {
            command.env("PLUGIN_PROTOCOL_VERSIONS", versions);
        }
        if self.multiplex {
            command.env("PLUGIN_MULTIPLEX_GRPC", "true");
        }
        command
    }

    /// Sets a variable of the provider's environment.
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }
}

/// The one line a provider prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The line as printed.
    pub line: String,
    /// The protocol's major version.
    pub protocol: String,
    /// `unix` or `tcp`.
    pub network: String,
    /// Socket path, or address and port.
    pub address: String,
    /// The server's certificate; absent without TLS.
    pub certificate: Option<Vec<u8>>,
    /// The answer to a host that asks for multiplexing.
    pub multiplex: Option<String>,
}

impl Handshake {
    /// Reads the line as go-plugin does.
    ///
    /// # Errors
    ///
    /// [`Error::Handshake`] with what core would complain about.
    pub fn parse(line: &str) -> Result<Self, Error> {
        let refuse = |why: &str| Err(Error::Handshake(format!("{why}: {line:?}")));
        let fields: Vec<&str> = line.trim_end().split('|').collect();
        let [core, protocol, network, address, kind, rest @ ..] = fields.as_slice() else {
            return refuse("unrecognized remote plugin message");
        };
        if *core != "1" {
            return refuse("incompatible core API version");
        }
        if *kind != "grpc" {
            return refuse("not a gRPC plugin");
        }
        let encoded = rest.first().copied().unwrap_or_default();
        let certificate = if encoded.is_empty() {
            None
        } else {
            match base64::engine::general_purpose::STANDARD_NO_PAD.decode(encoded) {
                Ok(der) => Some(der),
                Err(error) => {
                    return refuse(&format!("certificate is not unpadded base64 ({error})"));
                }
            }
        };
        Ok(Self {
            line: line.to_owned(),
            protocol: (*protocol).to_owned(),
            network: (*network).to_owned(),
            address: (*address).to_owned(),
            certificate,
            multiplex: rest.get(1).map(|flag| (*flag).to_owned()),
        })
    }
}

/// A started provider and the connection to it.
#[derive(Debug)]
pub struct Process {
    /// The child, for signals and exit codes.
    pub child: Child,
    /// What it announced.
    pub handshake: Handshake,
    /// The gRPC connection.
    pub channel: Channel,
    stderr: tokio::task::JoinHandle<String>,
    stdout: tokio::task::JoinHandle<String>,
}

impl Process {
    /// Starts a provider and connects to it.
    ///
    /// # Errors
    ///
    /// [`Error::Start`] when it cannot be started or ends early (with its standard error), [`Error::Handshake`] when its
    /// line is wrong or no connection comes about.
    pub async fn launch(launch: &Launch) -> Result<Self, Error> {
        let identity = if launch.tls {
            Some(Identity::generate()?)
        } else {
            None
        };
        let mut command = launch.command();
        if let Some(identity) = &identity {
            command.env("PLUGIN_CLIENT_CERT", identity.pem());
        }
        let mut child = command
            .spawn()
            .map_err(|error| Error::Start(error.to_string()))?;
        let stderr = collect(child.stderr.take());
        let mut stdout = BufReader::new(
            child
                .stdout
                .take()
                .ok_or_else(|| Error::Start("no stdout".into()))?,
        );
        let mut line = String::new();
        let read = tokio::time::timeout(Duration::from_mins(1), stdout.read_line(&mut line)).await;
        if !matches!(read, Ok(Ok(length)) if length > 0) {
            let _ = child.kill().await;
            return Err(Error::Start(stderr.await.unwrap_or_default()));
        }
        let stdout = collect(Some(stdout));
        let handshake = Handshake::parse(&line)?;
        let channel = connect_with(&handshake, identity.as_ref(), launch.tls_version).await?;
        Ok(Self {
            child,
            handshake,
            channel,
            stderr,
            stdout,
        })
    }

    /// Asks it to shut down as core does, waits for its end and returns its exit status and what it printed on standard
    /// error and, after the handshake line, on standard output.
    ///
    /// # Errors
    ///
    /// [`Error::Start`] when it does not end within the two seconds core grants.
    pub async fn shutdown(self) -> Result<(ExitStatus, String, String), Error> {
        self.shutdown_within(Duration::from_secs(2)).await
    }

    /// As [`Self::shutdown`], with more patience than core has: for a provider under an instrument.
    ///
    /// # Errors
    ///
    /// [`Error::Start`] when it does not end in time.
    pub async fn shutdown_within(
        mut self,
        limit: Duration,
    ) -> Result<(ExitStatus, String, String), Error> {
        let mut controller =
            proto_plugin::plugin::grpc_controller_client::GrpcControllerClient::new(
                self.channel.clone(),
            );
        // Go plugins stop abruptly, so core ignores the answer of this call.
        let _ = controller.shutdown(proto_plugin::plugin::Empty {}).await;
        drop(controller);
        drop(self.channel);
        let status = tokio::time::timeout(limit, self.child.wait())
            .await
            .map_err(|_| Error::Start("plugin failed to exit gracefully".into()))?
            .map_err(|error| Error::Start(error.to_string()))?;
        Ok((
            status,
            self.stderr.await.unwrap_or_default(),
            self.stdout.await.unwrap_or_default(),
        ))
    }
}

/// Reads everything in the background, so that the child never blocks on a full pipe.
fn collect(
    stream: Option<impl AsyncRead + Unpin + Send + 'static>,
) -> tokio::task::JoinHandle<String> {
    tokio::spawn(async move {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            // A broken pipe ends the collection; what came before counts.
            let _ = stream.read_to_end(&mut bytes).await;
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
