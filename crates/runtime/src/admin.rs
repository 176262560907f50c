//! `/healthz`, `/readyz` and `/metrics`.

use crate::metrics::Metrics;
use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;

/// What has to be there before the process is ready.
#[derive(Clone, Default)]
pub struct Readiness(Arc<Mutex<Parts>>);

#[derive(Default)]
struct Parts {
    /// What has to be there; none when it is.
    needed: BTreeMap<String, Option<String>>,
    /// What is missing and does not keep the process from being ready for the rest.
    notes: BTreeMap<String, String>,
}

/// One thing that has to be there.
#[must_use = "the process is not ready before set_ready is called"]
pub struct ReadyHandle {
    readiness: Readiness,
    name: String,
}

impl Readiness {
    /// Adds something that is not there yet.
    pub fn register(&self, name: &str) -> ReadyHandle {
        self.set(name, Some("not there yet".to_owned()));
        ReadyHandle { readiness: self.clone(), name: name.to_owned() }
    }

    /// What is missing, each with the reason.
    pub fn pending(&self) -> Vec<String> {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let needed = parts.needed.iter();
        needed.filter_map(|(name, missing)| Some(format!("{name}: {}", missing.as_ref()?))).collect()
    }

    /// What is missing although the process is ready, each with the reason.
    pub fn notes(&self) -> Vec<String> {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        parts.notes.iter().map(|(name, reason)| format!("{name}: {reason}")).collect()
    }

    /// Says that something is missing without which the process is ready all the same, or that it is there.
    pub(crate) fn note(&self, name: &str, missing: Option<String>) {
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
    /// It is there.
    pub fn set_ready(&self) {
        self.readiness.set(&self.name, None);
    }

    /// It is not there, or not any more.
    pub fn set_missing(&self, reason: String) {
        self.readiness.set(&self.name, Some(reason));
    }
}

/// The server, bound and ready to run.
pub struct Admin {
    listener: TcpListener,
    router: Router,
}

#[derive(Clone)]
struct Shared {
    metrics: Arc<Metrics>,
    readiness: Readiness,
}

impl Admin {
    /// Binds the address, before anything else is started.
    ///
    /// # Errors
    /// When the address is taken or not of this machine.
    pub async fn bind(
        address: SocketAddr,
        metrics: Arc<Metrics>,
        readiness: Readiness,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("cannot listen on {address}; give a free address with --admin-addr or ADMIN_ADDR")
        })?;
        let router = Router::new()
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(readyz))
            .route("/metrics", get(text))
            .with_state(Shared { metrics, readiness });
        Ok(Self { listener, router })
    }

    /// Serves until the process ends.
    ///
    /// # Errors
    /// When the server fails.
    pub async fn serve(self) -> anyhow::Result<()> {
        axum::serve(self.listener, self.router).await.context("admin server")
    }
}

async fn readyz(State(shared): State<Shared>) -> (StatusCode, String) {
    let list = |title: &str, lines: Vec<String>| match lines.as_slice() {
        [] => String::new(),
        lines => format!("{title}:\n{}\n", lines.join("\n")),
    };
    let pending = list("waiting for", shared.readiness.pending());
    let without = list("without", shared.readiness.notes());
    if pending.is_empty() {
        (StatusCode::OK, format!("ok\n{without}"))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("{pending}{without}"))
    }
}

async fn text(State(shared): State<Shared>) -> Result<String, StatusCode> {
    shared.metrics.text().map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}
