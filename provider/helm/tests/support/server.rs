//! An HTTP server over a real socket that answers by path and remembers what it was asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

type Pages = BTreeMap<String, (u16, String, Vec<u8>)>;

/// Answers by path; remembers each request as `path authorization`.
pub struct Server {
    /// `http://127.0.0.1:port`.
    pub base: String,
    seen: Arc<Mutex<Vec<String>>>,
    pages: Arc<Mutex<Pages>>,
}

impl Server {
    /// A server on a free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has free ports");
        let base = format!("http://{}", listener.local_addr().expect("it is bound"));
        let (seen, pages) = (
            Arc::new(Mutex::new(Vec::new())),
            Arc::new(Mutex::new(Pages::new())),
        );
        let server = Self {
            base,
            seen: seen.clone(),
            pages: pages.clone(),
        };
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    match stream.read_u8().await {
                        Ok(byte) => head.push(byte),
                        Err(_) => break,
                    }
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                let authorization = head
                    .lines()
                    .find_map(|line| line.strip_prefix("authorization: "))
                    .unwrap_or("-")
                    .to_owned();
                seen.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(format!("{path} {authorization}"));
                let page = {
                    let pages = pages.lock().unwrap_or_else(PoisonError::into_inner);
                    let with = pages.get(&format!("{path} {authorization}"));
                    with.or_else(|| pages.get(&path)).cloned()
                };
                let (status, headers, body) = page.unwrap_or((404, String::new(), Vec::new()));
                let answer = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n",
                    body.len()
                );
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.write_all(&body).await;
            }
        });
        server
    }

    /// What it answers at `path`, or at `path authorization`.
    pub fn page(&self, path: &str, status: u16, headers: &str, body: impl Into<Vec<u8>>) {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.insert(path.to_owned(), (status, headers.to_owned(), body.into()));
    }

    /// The requests since the last call.
    pub fn seen(&self) -> Vec<String> {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
