//! A listener whose connections are encrypted.

use super::certificate::Certificate;
use axum::serve::Listener;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::debug;

/// Time limit of a handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Maximum number of handshakes at the same time; further connections wait to be accepted.
const HANDSHAKES: usize = 64;

type Connection = (TlsStream<TcpStream>, SocketAddr);

/// See the module.
pub(crate) struct TlsListener {
    listener: TcpListener,
    certificate: Arc<Certificate>,
    /// Handshakes in progress: a client that does not finish its own delays no other.
    handshakes: JoinSet<io::Result<Connection>>,
}

impl TlsListener {
    pub(crate) fn new(listener: TcpListener, certificate: Arc<Certificate>) -> Self {
        Self { listener, certificate, handshakes: JoinSet::new() }
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> Connection {
        loop {
            tokio::select! {
                Some(finished) = self.handshakes.join_next() => match finished {
                    Ok(Ok(connection)) => return connection,
                    Ok(Err(error)) => debug!(%error, "TLS handshake"),
                    Err(error) => debug!(%error, "TLS handshake"),
                },
                // axum waits after errors such as too many open files.
                (stream, address) = Listener::accept(&mut self.listener), if self.handshakes.len() < HANDSHAKES => {
                    let acceptor = TlsAcceptor::from(self.certificate.config());
                    self.handshakes.spawn(async move {
                        let stream = timeout(HANDSHAKE, acceptor.accept(stream)).await??;
                        Ok((stream, address))
                    });
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
