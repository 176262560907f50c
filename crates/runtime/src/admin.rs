//! `/healthz`, `/readyz`, and `/metrics` unless `metrics_server` has it.

use crate::metrics::Metrics;
use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use futures::future::try_join_all;
use socket2::{Domain, Socket, Type};
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener as Listener};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// The conditions for the readiness of the process.
#[derive(Clone, Default)]
pub struct Readiness(Arc<Mutex<Parts>>);

#[derive(Default)]
struct Parts {
    /// What is missing; none if it is present.
    needed: BTreeMap<String, Option<String>>,
    /// Optional parts that are missing.
    notes: BTreeMap<String, String>,
}

/// One condition of readiness.
#[must_use = "the process is not ready before set_ready is called"]
pub struct ReadyHandle {
    readiness: Readiness,
    name: String,
}

impl Readiness {
    /// Adds a condition that is not met yet.
    pub fn register(&self, name: &str) -> ReadyHandle {
        self.set(name, Some("not there yet".to_owned()));
        ReadyHandle { readiness: self.clone(), name: name.to_owned() }
    }

    /// The missing parts, each with the reason.
    pub fn pending(&self) -> Vec<String> {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let needed = parts.needed.iter();
        needed.filter_map(|(name, missing)| Some(format!("{name}: {}", missing.as_ref()?))).collect()
    }

    /// The missing optional parts, each with the reason.
    pub fn notes(&self) -> Vec<String> {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        parts.notes.iter().map(|(name, reason)| format!("{name}: {reason}")).collect()
    }

    /// Records that an optional part is missing, or present.
    pub(crate) fn record(&self, name: &str, missing: Option<String>) {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match missing {
            Some(reason) => drop(parts.notes.insert(name.to_owned(), reason)),
            None => drop(parts.notes.remove(name)),
        }
    }

    fn set(&self, name: &str, missing: Option<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).needed.insert(name.to_owned(), missing);
    }
}

impl ReadyHandle {
    /// The condition is met.
    pub fn set_ready(&self) {
        self.readiness.set(&self.name, None);
    }

    /// The condition is not met, or no longer.
    pub fn set_missing(&self, reason: String) {
        self.readiness.set(&self.name, Some(reason));
    }
}

/// A listen address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// A port of all addresses, of IPv6 and IPv4.
    All(u16),
    /// One address.
    One(SocketAddr),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let all = text.strip_prefix(':').and_then(|port| port.parse().ok()).map(Self::All);
        let one = || text.parse().ok().map(Self::One);
        all.or_else(one)
            .ok_or_else(|| "not an address such as :8080, 127.0.0.1:8080 or [::1]:8080".to_owned())
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All(port) => write!(f, ":{port}"),
            Self::One(address) => address.fmt(f),
        }
    }
}

impl Address {
    /// Binds the address.
    ///
    /// # Errors
    /// If it is in use or does not belong to this machine.
    pub(crate) fn listen(self) -> io::Result<TcpListener> {
        let listener = match self {
            Self::One(address) => listen(address),
            Self::All(port) => match listen((Ipv6Addr::UNSPECIFIED, port).into()) {
                // A node without IPv6.
                Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                    listen((Ipv4Addr::UNSPECIFIED, port).into())
                }
                listener => listener,
            },
        };
        TcpListener::from_std(listener?)
    }
}

/// Listens on an address; all IPv6 addresses include those of IPv4, whatever the node's default is.
fn listen(address: SocketAddr) -> io::Result<Listener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), None)?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// The server, bound and ready to run.
pub(crate) struct Admin {
    listeners: Vec<TcpListener>,
    router: Router,
}

impl Admin {
    /// Binds the addresses, before anything else is started. Without `metrics`, there is no `/metrics`.
    ///
    /// # Errors
    /// If an address is in use or does not belong to this machine.
    pub(crate) fn bind(
        addresses: &[Address],
        metrics: Option<Arc<Metrics>>,
        readiness: Readiness,
    ) -> anyhow::Result<Self> {
        let listen = |address: &Address| {
            address.listen().with_context(|| {
                format!("cannot listen on {address}; give a free address with --admin-addr or ADMIN_ADDR")
            })
        };
        let listeners = addresses.iter().map(listen).collect::<anyhow::Result<_>>()?;
        let probes = Router::new()
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(readyz))
            .with_state(readiness);
        let router = match metrics {
            Some(metrics) => probes.merge(Router::new().route("/metrics", get(text)).with_state(metrics)),
            None => probes,
        };
        Ok(Self { listeners, router })
    }

    /// Serves until the process ends.
    ///
    /// # Errors
    /// If the server fails.
    pub(crate) async fn serve(self) -> anyhow::Result<()> {
        let Self { listeners, router } = self;
        let servers =
            listeners.into_iter().map(|listener| axum::serve(listener, router.clone()).into_future());
        try_join_all(servers).await.map(drop).context("admin server")
    }
}

async fn readyz(State(readiness): State<Readiness>) -> (StatusCode, String) {
    let list = |title: &str, lines: Vec<String>| match lines.as_slice() {
        [] => String::new(),
        lines => format!("{title}:\n{}\n", lines.join("\n")),
    };
    let pending = list("waiting for", readiness.pending());
    let without = list("without", readiness.notes());
    if pending.is_empty() {
        (StatusCode::OK, format!("ok\n{without}"))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("{pending}{without}"))
    }
}

async fn text(State(metrics): State<Arc<Metrics>>) -> Result<String, StatusCode> {
    metrics.text().map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    async fn healthz(address: SocketAddr) -> io::Result<String> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    #[test]
    fn addresses_are_read() {
        let address = |text: &str| text.parse::<Address>();
        assert_eq!(address(":8080"), Ok(Address::All(8080)));
        for text in ["127.0.0.1:80", "[::1]:80", "0.0.0.0:8080"] {
            assert_eq!(address(text).map(|a| a.to_string()).as_deref(), Ok(text));
        }
        for text in ["", "8080", "localhost:80", ":x", "[::1]"] {
            assert!(address(text).is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn the_server_answers_on_each_address_of_either_family() {
        let metrics = Arc::new(Metrics::new("c", "1").unwrap());
        let addresses = [Address::All(0), Address::One((Ipv4Addr::LOCALHOST, 0).into())];
        let admin = Admin::bind(&addresses, Some(metrics), Readiness::default()).unwrap();
        let ports: Vec<u16> = admin.listeners.iter().map(|l| l.local_addr().unwrap().port()).collect();
        let server = tokio::spawn(admin.serve());
        let mut targets: Vec<SocketAddr> =
            ports.iter().map(|port| (Ipv4Addr::LOCALHOST, *port).into()).collect();
        // If the machine has IPv6.
        if std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
            targets.push((Ipv6Addr::LOCALHOST, ports[0]).into());
        }
        for target in targets {
            assert!(healthz(target).await.unwrap().contains("200 OK"), "{target}");
        }
        server.abort();
    }
}
