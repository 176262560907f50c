//! `/metrics` over HTTPS, for those who may read it. An option: without it, the admin server has the metrics.

mod authorization;
mod certificate;
mod tls_listener;

use crate::admin::Address;
use crate::args::ProcessArgs;
use crate::metrics::Metrics;
use anyhow::{Context, bail};
use authorization::{Authorization, Verdict};
use axum::Router;
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, HeaderMap, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use certificate::Certificate;
use futures::future::try_join_all;
use kube::Client;
use std::sync::Arc;
use tls_listener::TlsListener;

/// The server, bound and ready to run.
pub(crate) struct MetricsServer {
    listeners: Vec<TlsListener>,
    router: Router,
}

#[derive(Clone)]
struct Shared {
    metrics: Arc<Metrics>,
    authorization: Option<Arc<Authorization>>,
}

impl MetricsServer {
    /// Binds the addresses, if there are any.
    ///
    /// # Errors
    /// If the certificate cannot be read, or an address is in use or does not belong to this machine.
    pub(crate) fn bind(
        args: &ProcessArgs,
        metrics: Arc<Metrics>,
        client: Client,
    ) -> anyhow::Result<Option<Self>> {
        let folder = match (args.secure_metrics_addr.is_empty(), &args.secure_metrics_cert_dir) {
            (true, None) => return Ok(None),
            (true, Some(_)) => {
                bail!("--secure-metrics-cert-dir needs an address: give one with --secure-metrics-addr")
            }
            (false, None) => {
                bail!(
                    "--secure-metrics-addr needs a certificate: give its folder with --secure-metrics-cert-dir"
                )
            }
            (false, Some(folder)) => folder,
        };
        let certificate = Arc::new(Certificate::read(folder)?);
        let listen = |address: &Address| {
            let listener = address.listen().with_context(|| {
                format!("cannot listen on {address}; give a free address with --secure-metrics-addr")
            })?;
            anyhow::Ok(TlsListener::new(listener, certificate.clone()))
        };
        let listeners = args.secure_metrics_addr.iter().map(listen).collect::<anyhow::Result<_>>()?;
        let authorization = args.secure_metrics_authorization.then(|| Arc::new(Authorization::new(client)));
        let router = Router::new().route("/metrics", get(text)).with_state(Shared { metrics, authorization });
        Ok(Some(Self { listeners, router }))
    }

    /// Serves until the process ends.
    ///
    /// # Errors
    /// If the server fails.
    pub(crate) async fn serve(self) -> anyhow::Result<()> {
        let Self { listeners, router } = self;
        let servers =
            listeners.into_iter().map(|listener| axum::serve(listener, router.clone()).into_future());
        try_join_all(servers).await.map(drop).context("metrics server")
    }
}

async fn text(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    if let Some(authorization) = &shared.authorization {
        match authorization.of(headers.get(AUTHORIZATION)).await {
            Verdict::Allowed => {}
            Verdict::Unauthenticated => {
                let scheme = [(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))];
                return (StatusCode::UNAUTHORIZED, scheme, "a valid bearer token is needed\n")
                    .into_response();
            }
            Verdict::Denied => {
                let text = "the user of this token may not `get` the path /metrics\n";
                return (StatusCode::FORBIDDEN, text).into_response();
            }
            Verdict::Unknown => {
                let text = "the API server did not review the token, see the log of the controller\n";
                return (StatusCode::INTERNAL_SERVER_ERROR, text).into_response();
            }
        }
    }
    shared.metrics.text().map_err(|_| StatusCode::INTERNAL_SERVER_ERROR).into_response()
}
