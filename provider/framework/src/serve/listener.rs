//! The socket terraform connects to.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

use super::environment::Environment;

/// The longest socket path that every Unix takes (macOS: 104 bytes with the closing zero).
const PATH_LIMIT: usize = 103;

/// One connection.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A bound socket.
pub(super) struct Listener {
    socket: Socket,
    file: Arc<SocketFile>,
}

/// The file of a Unix socket; removed on request or when the last owner lets go.
#[derive(Default)]
pub(super) struct SocketFile(Mutex<Option<PathBuf>>);

impl SocketFile {
    fn new(path: PathBuf) -> Self {
        Self(Mutex::new(Some(path)))
    }

    fn path(&self) -> Option<PathBuf> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Removes the file. Done as soon as the caller is connected, so that no death of this process,
    /// however sudden, leaves it behind.
    pub fn remove(&self) {
        let path = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(path) = path
            && let Err(error) = std::fs::remove_file(&path)
        {
            tracing::debug!(%error, path = %path.display(), "socket not removed");
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        self.remove();
    }
}

enum Socket {
    #[cfg(unix)]
    Unix(UnixListener),
    Tcp(TcpListener, SocketAddr),
}

impl Listener {
    /// Binds a Unix socket, or TCP on the loopback address where that is not possible.
    pub async fn bind(environment: &Environment) -> io::Result<Self> {
        #[cfg(unix)]
        match Self::bind_unix(environment) {
            Ok(listener) => return Ok(listener),
            Err(error) => tracing::debug!(%error, "no unix socket, using TCP"),
        }
        Self::bind_tcp(environment.ports).await
    }

    #[cfg(unix)]
    fn bind_unix(environment: &Environment) -> io::Result<Self> {
        use std::os::unix::fs::PermissionsExt as _;

        let dir = environment
            .socket_dir
            .as_ref()
            .map_or_else(std::env::temp_dir, PathBuf::from);
        let path = [dir, PathBuf::from("/tmp")]
            .into_iter()
            .map(|dir| {
                dir.join(format!(
                    "plugin{}{}",
                    std::process::id(),
                    crate::server::new_id()
                ))
            })
            .find(|path| path.as_os_str().len() <= PATH_LIMIT)
            .ok_or_else(|| io::Error::other("the path of the socket would be too long"))?;
        let socket = UnixListener::bind(&path)?;
        let listener = Self {
            socket: Socket::Unix(socket),
            file: Arc::new(SocketFile::new(path.clone())),
        };
        let mode = match &environment.socket_group {
            Some(group) => {
                std::os::unix::fs::chown(&path, None, Some(group_id(group)?))?;
                0o660
            }
            None => 0o600,
        };
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))?;
        Ok(listener)
    }

    async fn bind_tcp((first, last): (u16, u16)) -> io::Result<Self> {
        let mut result = Err(io::Error::other("no port given"));
        for port in first..=last.max(first) {
            result = TcpListener::bind(("127.0.0.1", port)).await;
            if result.is_ok() {
                break;
            }
        }
        let socket = result?;
        let address = socket.local_addr()?;
        Ok(Self {
            socket: Socket::Tcp(socket, address),
            file: Arc::default(),
        })
    }

    /// `unix` or `tcp`.
    pub fn network(&self) -> &'static str {
        match self.socket {
            #[cfg(unix)]
            Socket::Unix(_) => "unix",
            Socket::Tcp(..) => "tcp",
        }
    }

    /// The path, or address and port.
    pub fn address(&self) -> String {
        match &self.socket {
            #[cfg(unix)]
            Socket::Unix(_) => self
                .file
                .path()
                .map(|path| path.display().to_string())
                .unwrap_or_default(),
            Socket::Tcp(_, address) => address.to_string(),
        }
    }

    /// The next connection.
    pub async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        match &self.socket {
            #[cfg(unix)]
            Socket::Unix(socket) => Ok(Box::new(socket.accept().await?.0)),
            Socket::Tcp(socket, _) => {
                let (stream, _) = socket.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
        }
    }

    /// The socket's file.
    pub fn file(&self) -> Arc<SocketFile> {
        Arc::clone(&self.file)
    }
}

/// The number of a group given by number or name.
#[cfg(unix)]
fn group_id(group: &str) -> io::Result<u32> {
    if let Ok(id) = group.parse() {
        return Ok(id);
    }
    let groups = std::fs::read_to_string("/etc/group")?;
    groups
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            (fields.next()? == group).then(|| fields.nth(1))?
        })
        .find_map(|id| id.parse().ok())
        .ok_or_else(|| io::Error::other(format!("there is no group {group:?}")))
}
