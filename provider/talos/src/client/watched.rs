//! A connection that remembers why TLS ended it.
//!
//! With TLS 1.3 a server refuses a client's certificate only after the handshake, in the middle of
//! HTTP/2, which keeps no more of the cause than a text. Here it is still a typed error.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use rustls::Error as TlsError;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use transport::Stream;

/// Why TLS ended a connection, once it has.
#[derive(Clone, Default)]
pub(super) struct Fault(Arc<Mutex<Option<String>>>);

impl Fault {
    /// What the TLS library said of the credentials, if they were refused.
    pub(super) fn refused(&self) -> Option<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn note(&self, error: &io::Error) {
        let fault = tls_error(error)
            .filter(|fault| {
                matches!(
                    fault,
                    TlsError::AlertReceived(_) | TlsError::InvalidCertificate(_)
                )
            })
            .map(ToString::to_string);
        if fault.is_some() {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = fault;
        }
    }
}

/// The TLS library's error inside an I/O error.
pub(super) fn tls_error(error: &io::Error) -> Option<&TlsError> {
    error.get_ref()?.downcast_ref()
}

pub(super) struct Watched {
    stream: Stream,
    fault: Fault,
}

impl Watched {
    pub(super) fn new(stream: Stream, fault: Fault) -> Self {
        Self { stream, fault }
    }

    fn noted<T>(&self, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &result {
            self.fault.note(error);
        }
        result
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.noted(result)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.noted(result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(context);
        self.noted(result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_shutdown(context);
        self.noted(result)
    }
}
