//! The connection to the API server, with settings that fit a controller.

use crate::metrics::Metrics;
use crate::write_fence::WriteFence;
use anyhow::Context as _;
use futures::future::BoxFuture;
use http::{Method, Request, Response};
use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tower::limit::ConcurrencyLimitLayer;
use tower::util::MapRequest;
use tower::{BoxError, Layer, Service};

/// How long a watch may be silent before it counts as dead (kube adds five seconds). The API server sends a bookmark every
/// minute, but only after it has seen an event of the kind since it started; for a kind without changes that is etcd's progress
/// notification, by default every ten minutes. So the watch of such a kind may be silent although it works, and restarting it
/// costs a request: up to 75 an hour for seven caches. The duration of a watch is set in `client`.
pub(crate) const SILENCE_SECONDS: u32 = 340;

/// Time limit for connecting.
const CONNECT: Duration = Duration::from_secs(5);
/// Time limit until the response headers; a watch may then last indefinitely.
const ANSWER: Duration = Duration::from_secs(15);
/// The same for lease requests.
const LEASE_ANSWER: Duration = Duration::from_secs(5);

/// How long a watch lasts: ten minutes, minus some seconds so that it does not end together with other timers.
const WATCH_SECONDS: u32 = 590;

/// The two connections of a process.
pub(crate) struct Clients {
    /// For all requests of the workers.
    pub(crate) work: Client,
    /// For the lease and for tokens of requests for the metrics, so that the workers never delay its renewal.
    pub(crate) lease: Client,
}

/// Connects by `KUBECONFIG`, or with the pod's own service account inside a cluster. `concurrency` is the maximum number of
/// concurrent reconciles. Their writes have to pass the fence.
///
/// # Errors
/// If there is no usable configuration.
pub(crate) async fn connect(
    name: &str,
    concurrency: u16,
    fence: &WriteFence,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<Clients> {
    let mut config = Config::infer().await.context(
        "no API server: set KUBECONFIG to a kubeconfig file, or run inside a cluster with a service account",
    )?;
    config.connect_timeout = Some(CONNECT);
    // Retries are made only by the controller's queue: a hidden retry would block a worker for minutes.
    config.default_retry = false;
    let agent = format!("{name}/{}", env!("CARGO_PKG_VERSION"));
    config.headers.push((http::header::USER_AGENT, agent.parse().context("user agent")?));
    let lease = ClientBuilder::try_from(config.clone())
        .context("client for the lease")?
        .with_layer(&Observed { metrics: metrics.clone(), answer: LEASE_ANSWER })
        .build();
    let work = ClientBuilder::try_from(config)
        .context("client")?
        // The innermost layer: a request may have waited for its turn before.
        .with_layer(fence)
        .with_layer(&Watches)
        .with_layer(&Observed { metrics: metrics.clone(), answer: ANSWER })
        .with_layer(&ConcurrencyLimitLayer::new(usize::from(concurrency) * 2 + 16))
        .build();
    Ok(Clients { work, lease })
}

/// Counts requests and limits the time until the response headers.
#[derive(Clone)]
struct Observed {
    metrics: Arc<Metrics>,
    answer: Duration,
}

impl<S> Layer<S> for Observed {
    type Service = ObservedService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ObservedService { inner, observed: self.clone() }
    }
}

/// See [`Observed`].
struct ObservedService<S> {
    inner: S,
    observed: Observed,
}

impl<S, B> Service<Request<Body>> for ObservedService<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError>,
    S::Future: Send + 'static,
    B: 'static,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<B>, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let target = Target::of(&request);
        let Observed { metrics, answer } = self.observed.clone();
        let started = Instant::now();
        let future = self.inner.call(request);
        Box::pin(async move {
            let result = tokio::time::timeout(answer, future).await;
            let code = match &result {
                Ok(Ok(response)) => response.status().as_u16().to_string(),
                Ok(Err(_)) => "error".to_owned(),
                Err(_) => "timeout".to_owned(),
            };
            metrics.request(target.verb, &target.resource, &code, started.elapsed());
            result.unwrap_or_else(|_| Err(format!("no answer from the API server within {answer:?}").into()))
        })
    }
}

/// Changes what kube asks of a watch.
///
/// kube uses one number for two times: after how long the API server is to end a watch, and (plus five seconds) after how long a
/// silent watch counts as dead. But the API server sends a bookmark every minute, so a dead watch is detected early, and a watch
/// that is not silent may continue.
///
/// And kube starts a streaming list at version "0", which means: at any state, however old. An API server whose cache is behind
/// would send objects of the past after a restart, and children would be written as they were then. Without a version the API
/// server sends the newest state, as in a list
/// (<https://kubernetes.io/docs/reference/using-api/api-concepts/#streaming-lists>).
#[derive(Clone)]
struct Watches;

impl<S> Layer<S> for Watches {
    type Service = MapRequest<S, fn(Request<Body>) -> Request<Body>>;

    fn layer(&self, inner: S) -> Self::Service {
        MapRequest::new(inner, watch)
    }
}

/// Replaces the time limit of a watch, and the version of a streaming list.
fn watch(mut request: Request<Body>) -> Request<Body> {
    let uri = request.uri().to_string();
    if !uri.contains("watch=true") {
        return request;
    }
    let asked = format!("timeoutSeconds={SILENCE_SECONDS}");
    let mut changed = uri.replace(&asked, &format!("timeoutSeconds={WATCH_SECONDS}"));
    if changed.contains("sendInitialEvents=true") {
        changed = changed.replace("&resourceVersion=0", "");
    }
    if let Ok(changed) = changed.parse() {
        *request.uri_mut() = changed;
    }
    request
}

/// What a request is about, as RBAC names it.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    verb: &'static str,
    resource: String,
}

impl Target {
    /// Reads it from the URL: `/api/v1/...` or `/apis/GROUP/VERSION/...`, optionally `namespaces/NAME`, then
    /// `RESOURCE[/NAME[/SUBRESOURCE]]`.
    fn of(request: &Request<Body>) -> Self {
        let mut path: Vec<&str> = request.uri().path().split('/').filter(|p| !p.is_empty()).collect();
        path.drain(..path.len().min(if path.first() == Some(&"api") { 2 } else { 3 }));
        if path.first() == Some(&"namespaces") && path.len() > 2 {
            path.drain(..2);
        }
        let resource = match path.as_slice() {
            [] => "discovery".to_owned(),
            [resource] | [resource, _] => (*resource).to_owned(),
            [resource, _, subresource, ..] => format!("{resource}/{subresource}"),
        };
        let query = request.uri().query().unwrap_or_default();
        let content = request.headers().get(http::header::CONTENT_TYPE).map(http::HeaderValue::as_bytes);
        let verb = match *request.method() {
            Method::GET if query.contains("watch=true") => "watch",
            Method::GET if path.len() < 2 => "list",
            Method::GET => "get",
            Method::POST => "create",
            Method::PUT => "update",
            Method::DELETE => "delete",
            Method::PATCH if content.is_some_and(|c| c.starts_with(b"application/apply-patch")) => "apply",
            Method::PATCH => "patch",
            _ => "other",
        };
        Self { verb, resource }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watches_last_longer_than_their_silence() {
        let asked = |uri: &str| {
            super::watch(Request::builder().uri(uri).body(Body::empty()).unwrap()).uri().to_string()
        };
        let silence = SILENCE_SECONDS.to_string();
        let watch = format!("/api/v1/pods?watch=true&timeoutSeconds={silence}&allowWatchBookmarks=true");
        assert_eq!(asked(&watch), watch.replace(&silence, "590"));
        let list = format!("/api/v1/pods?timeoutSeconds={silence}");
        assert_eq!(asked(&list), list);
    }

    #[test]
    fn a_streaming_list_begins_at_the_newest_version() {
        let asked = |uri: String| {
            let uri =
                super::watch(Request::builder().uri(uri).body(Body::empty()).unwrap()).uri().to_string();
            uri.split_once('?').unwrap().1.to_owned()
        };
        let config = kube::core::params::WatchParams { send_initial_events: true, ..Default::default() };
        let request = |config, version| {
            let request = kube::core::Request::new("/api/v1/pods").watch(config, version).unwrap();
            request.uri().to_string()
        };
        let begins = asked(request(&config, "0"));
        assert!(begins.contains("sendInitialEvents=true&resourceVersionMatch=NotOlderThan"), "{begins}");
        assert!(!begins.contains("resourceVersion="), "{begins}");
        let goes_on = asked(request(&kube::core::params::WatchParams::default(), "0"));
        assert!(goes_on.contains("resourceVersion=0"), "{goes_on}");
    }

    #[test]
    fn requests_are_named_without_names() {
        let cases = [
            ("GET", "/api/v1/services?watch=true&resourceVersion=1", "", "watch", "services"),
            ("GET", "/apis/apps/v1/statefulsets?limit=100", "", "list", "statefulsets"),
            ("GET", "/api/v1/namespaces/ns/pods/p", "", "get", "pods"),
            (
                "PATCH",
                "/apis/apps/v1/namespaces/ns/statefulsets/x",
                "application/apply-patch+yaml",
                "apply",
                "statefulsets",
            ),
            (
                "PATCH",
                "/apis/compute.functionmesh.io/v1alpha1/namespaces/ns/functions/f/status",
                "application/merge-patch+json",
                "patch",
                "functions/status",
            ),
            ("PUT", "/apis/coordination.k8s.io/v1/namespaces/ns/leases/l", "", "update", "leases"),
            ("DELETE", "/api/v1/namespaces/ns", "", "delete", "namespaces"),
        ];
        for (method, uri, content, verb, resource) in cases {
            let request = Request::builder()
                .method(method)
                .uri(uri)
                .header(http::header::CONTENT_TYPE, content)
                .body(Body::empty())
                .unwrap();
            let target = Target::of(&request);
            assert_eq!((target.verb, target.resource.as_str()), (verb, resource), "{method} {uri}");
        }
    }
}
