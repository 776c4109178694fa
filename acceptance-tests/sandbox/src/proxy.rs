//! HTTP CONNECT and SOCKS5 on one port: the way to the private addresses of nodes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::world::World;

/// Why a target is not reached.
enum Unreached {
    /// Nobody has the address.
    Host,
    /// Nothing listens there.
    Port,
}

/// Serves the proxy until the world ends.
pub async fn serve(world: Arc<World>, listener: TcpListener) {
    loop {
        let accepted = tokio::select! {
            () = world.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        let _ = stream.set_nodelay(true);
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            let stop = world.stop.clone();
            let work = async {
                if let Err(error) = client(&world, stream).await {
                    tracing::trace!(%error, "proxied connection ended");
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = work => {}
            }
        });
    }
}

async fn client(world: &Arc<World>, mut stream: TcpStream) -> std::io::Result<()> {
    let mut first = [0_u8; 1];
    stream.peek(&mut first).await?;
    if first[0] == 5 {
        socks(world, stream).await
    } else {
        connect(world, &mut stream).await
    }
}

async fn open(world: &World, host: &str, port: u16) -> Result<TcpStream, Unreached> {
    let Ok(address) = host.parse::<IpAddr>() else {
        return Err(Unreached::Host);
    };
    let target = match address {
        IpAddr::V4(address) if address.is_loopback() && world.config.proxy_loopback => {
            Some(address)
        }
        IpAddr::V4(address) => world.nodes.loopback_of(world, address),
        IpAddr::V6(_) => None,
    };
    if let IpAddr::V4(address) = address
        && let Some(open) = world.behaviour().strangers.get(&address)
    {
        return stranger(open.contains(&port)).await;
    }
    let target: Ipv4Addr = target.ok_or(Unreached::Host)?;
    let stream = TcpStream::connect(SocketAddr::from((target, port)))
        .await
        .map_err(|_| Unreached::Port)?;
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// A machine that nobody here knows: an open port accepts and hangs up.
async fn stranger(open: bool) -> Result<TcpStream, Unreached> {
    if !open {
        return Err(Unreached::Port);
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = listener.map_err(|_| Unreached::Port)?;
    let address = listener.local_addr().map_err(|_| Unreached::Port)?;
    TcpStream::connect(address)
        .await
        .map_err(|_| Unreached::Port)
}

async fn connect(world: &World, stream: &mut TcpStream) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > 16 * 1024 {
            return Ok(());
        }
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head);
    let mut words = head.split_ascii_whitespace();
    let (method, target) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    if method != "CONNECT" {
        return refuse(
            stream,
            "405 Method Not Allowed",
            "this proxy serves CONNECT and SOCKS5",
        )
        .await;
    }
    let Some((host, port)) = target
        .rsplit_once(':')
        .and_then(|(host, port)| Some((host, port.parse().ok()?)))
    else {
        return refuse(stream, "400 Bad Request", "CONNECT needs host:port").await;
    };
    match open(world, host.trim_matches(['[', ']']), port).await {
        Ok(mut target) => {
            stream
                .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
                .await?;
            tokio::io::copy_bidirectional(stream, &mut target).await?;
            Ok(())
        }
        Err(Unreached::Host) => refuse(stream, "504 Gateway Timeout", "no route to host").await,
        Err(Unreached::Port) => refuse(stream, "502 Bad Gateway", "connection refused").await,
    }
}

async fn refuse(stream: &mut TcpStream, status: &str, text: &str) -> std::io::Result<()> {
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

async fn socks(world: &World, mut stream: TcpStream) -> std::io::Result<()> {
    let _version = stream.read_u8().await?;
    let count = stream.read_u8().await?;
    let mut methods = vec![0_u8; count.into()];
    stream.read_exact(&mut methods).await?;
    if !methods.contains(&0) {
        return stream.write_all(&[5, 0xff]).await;
    }
    stream.write_all(&[5, 0]).await?;
    let mut request = [0_u8; 4];
    stream.read_exact(&mut request).await?;
    let host = match request[3] {
        1 => Ipv4Addr::from(stream.read_u32().await?).to_string(),
        3 => {
            let mut name = vec![0_u8; stream.read_u8().await?.into()];
            stream.read_exact(&mut name).await?;
            String::from_utf8_lossy(&name).into_owned()
        }
        4 => std::net::Ipv6Addr::from(stream.read_u128().await?).to_string(),
        _ => return stream.write_all(&[5, 8, 0, 1, 0, 0, 0, 0, 0, 0]).await,
    };
    let port = stream.read_u16().await?;
    if request[1] != 1 {
        return stream.write_all(&[5, 7, 0, 1, 0, 0, 0, 0, 0, 0]).await;
    }
    match open(world, &host, port).await {
        Ok(mut target) => {
            stream.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 0]).await?;
            tokio::io::copy_bidirectional(&mut stream, &mut target).await?;
            Ok(())
        }
        Err(Unreached::Host) => stream.write_all(&[5, 4, 0, 1, 0, 0, 0, 0, 0, 0]).await,
        Err(Unreached::Port) => stream.write_all(&[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]).await,
    }
}
