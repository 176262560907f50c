//! A proxy between one controller and the API server, which can fail in its place.
//!
//! Toward the controller it speaks plain HTTP on this machine; toward the API server TLS with the cluster's authority.
//! The controller's token is forwarded, so that its requests are attributed to it in the audit log.

pub mod rule;

use crate::shell::{command, output};
use crate::testing::test_env::TestEnv;
use anyhow::{Context, Result};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream;
use http::header::{CONNECTION, CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use http::{Request, Response, StatusCode, Version};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use rule::{Action, Rule, Target, decide};
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Answer = Response<UnsyncBoxBody<Bytes, BoxError>>;

/// A proxy; it ends, and all its connections with it, when dropped.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

/// What all connections share.
struct Shared {
    upstream: Client,
    state: Mutex<State>,
    /// Changes when every open watch is to end.
    round: watch::Sender<u64>,
    /// Watches that send no further events, without ending.
    frozen: watch::Sender<Frozen>,
}

/// Watches whose events are held back.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Frozen {
    None,
    All,
    /// The watches of a resource.
    Of(String),
}

impl Frozen {
    fn holds(&self, target: &Target) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Of(resource) => *resource == target.resource,
        }
    }
}

#[derive(Default)]
struct State {
    rules: Vec<Rule>,
    writes: Vec<Target>,
    open: HashMap<u64, Target>,
    next: u64,
}

impl Proxy {
    /// Starts a proxy in front of a cluster's API server.
    ///
    /// # Errors
    /// When the kubeconfig cannot be read or no port is free.
    pub async fn start(env: &TestEnv) -> Result<Self> {
        let mut config = env.config();
        // Requests carry the token of the client, not the administrator's.
        config.auth_info = kube::config::AuthInfo::default();
        Self::before(config).await
    }

    /// Starts a proxy in front of any server.
    async fn before(mut config: Config) -> Result<Self> {
        config.default_retry = false;
        let upstream = ClientBuilder::try_from(config).context("client of the proxy")?.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no free port on 127.0.0.1")?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            upstream,
            state: Mutex::default(),
            round: watch::Sender::new(0),
            frozen: watch::Sender::new(Frozen::None),
        });
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        Ok(Self { port, shared, accepting })
    }

    /// Removes all rules.
    pub fn clear(&self) {
        self.shared.state().rules.clear();
    }

    /// Its address, in the form of a kubeconfig.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Adds a rule. The first one that matches a request acts.
    pub fn add(&self, rule: Rule) {
        self.shared.state().rules.push(rule);
    }

    /// Number of rules that will still act.
    pub fn rules_left(&self) -> usize {
        self.shared.state().rules.len()
    }

    /// The writes requested so far, in order.
    pub fn writes(&self) -> Vec<Target> {
        self.shared.state().writes.clone()
    }

    /// Number of watches that are open.
    pub fn watches(&self) -> usize {
        self.shared.state().open.len()
    }

    /// Number of watches started, open or not.
    pub fn watches_begun(&self) -> u64 {
        self.shared.state().next
    }

    /// Ends every open watch and returns their number.
    pub fn end_watches(&self) -> usize {
        let open = self.watches();
        self.shared.round.send_modify(|round| *round += 1);
        open
    }

    /// Holds back the events of all watches, or forwards everything that was held back.
    pub fn freeze_watches(&self, frozen: bool) {
        self.shared.frozen.send_replace(if frozen { Frozen::All } else { Frozen::None });
    }

    /// Holds back the events of the watches of one resource.
    pub fn freeze_watches_of(&self, resource: &str) {
        self.shared.frozen.send_replace(Frozen::Of(resource.to_owned()));
    }

    /// Ends every open watch and responds to the next one like it with 410, so that everything is listed again. Returns the
    /// number of watches; each has a rule until it has acted.
    pub fn expire_watches(&self) -> usize {
        self.expire(|_| true);
        self.end_watches()
    }

    /// Ends every open watch, and responds to the next ones of one resource with 410: only that resource is listed again, the
    /// others resume. Returns the number of those that expire.
    pub fn expire_watches_of(&self, resource: &str) -> usize {
        let expired = self.expire(|watch| watch.resource == resource);
        self.end_watches();
        expired
    }

    fn expire(&self, which: impl Fn(&Target) -> bool) -> usize {
        let mut state = self.shared.state();
        let rules: Vec<Rule> = state.open.values().filter(|watch| which(watch)).map(Rule::expire).collect();
        let expired = rules.len();
        state.rules.extend(rules);
        expired
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves one request. An error closes the connection.
    async fn serve(self: Arc<Self>, request: Request<Incoming>) -> Result<Answer, BoxError> {
        let target = Target::of(request.method(), request.uri());
        let action = {
            let mut state = self.state();
            if target.is_write() {
                state.writes.push(target.clone());
            }
            decide(&mut state.rules, &target)
        };
        match action {
            Some(Action::Expire) => Ok(expired()),
            Some(Action::Answer(code)) => Ok(refusal(code)),
            Some(Action::CutBefore) => Err("cut before".into()),
            Some(Action::CutAfter) => {
                self.forward(request, &target).await?.into_body().collect().await?;
                Err("cut after".into())
            }
            Some(Action::Swallow) => {
                // As long as the caller waits.
                std::future::pending::<()>().await;
                Err("swallowed".into())
            }
            Some(Action::KillBefore(process)) => {
                kill(process)?;
                Err("killed before".into())
            }
            Some(Action::KillAfter(process)) => {
                self.forward(request, &target).await?.into_body().collect().await?;
                kill(process)?;
                Err("killed after".into())
            }
            Some(Action::Delay(wait)) => {
                tokio::time::sleep(wait).await;
                self.forward(request, &target).await
            }
            None => self.forward(request, &target).await,
        }
    }

    async fn forward(
        self: &Arc<Self>,
        request: Request<Incoming>,
        target: &Target,
    ) -> Result<Answer, BoxError> {
        let (mut head, body) = request.into_parts();
        for name in [HOST, CONNECTION, TRANSFER_ENCODING] {
            head.headers.remove(name);
        }
        let body = Body::from(body.collect().await?.to_bytes());
        // Before it begins, so that no end is missed.
        let (round, frozen) = (self.round.subscribe(), self.frozen.subscribe());
        let (mut head, body) = self.upstream.send(Request::from_parts(head, body)).await?.into_parts();
        for name in [CONNECTION, TRANSFER_ENCODING] {
            head.headers.remove(name);
        }
        head.version = Version::HTTP_11;
        let body = if target.verb == "watch" {
            let open = Open::new(self.clone(), target.clone());
            stream_until(body, round, frozen, open)
        } else {
            body.map_err(BoxError::from).boxed_unsync()
        };
        Ok(Response::from_parts(head, body))
    }
}

/// Kills a process.
fn kill(process: u32) -> Result<(), BoxError> {
    output(&mut command("kill", ["-KILL".to_owned(), process.to_string()]))?;
    Ok(())
}

/// Counts an open watch, until it is dropped.
struct Open {
    shared: Arc<Shared>,
    number: u64,
    target: Target,
}

impl Open {
    fn new(shared: Arc<Shared>, target: Target) -> Self {
        let mut state = shared.state();
        state.next += 1;
        let number = state.next;
        state.open.insert(number, target.clone());
        drop(state);
        Self { shared, number, target }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.shared.state().open.remove(&self.number);
    }
}

/// A body that is forwarded until the round changes; then it ends as if the server had ended it.
fn stream_until(
    body: Body,
    round: watch::Receiver<u64>,
    frozen: watch::Receiver<Frozen>,
    open: Open,
) -> UnsyncBoxBody<Bytes, BoxError> {
    let frames =
        stream::unfold((body, round, frozen, open), |(mut body, mut round, mut frozen, open)| async move {
            let thawed = async {
                let frame = body.frame().await;
                // If this fails, the proxy and the connection are gone.
                let _ = frozen.wait_for(|frozen| !frozen.holds(&open.target)).await;
                frame
            };
            let frame = tokio::select! {
                _ = round.changed() => None,
                frame = thawed => frame,
            };
            frame.map(|frame| (frame.map_err(BoxError::from), (body, round, frozen, open)))
        });
    StreamBody::new(frames.boxed()).boxed_unsync()
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Dropped with this task: no connection outlives the proxy.
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let Ok((stream, _)) = accepted else { continue };
        let shared = shared.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| shared.clone().serve(request));
            // The controller reports how a connection ended.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// A watch whose resource version is too old.
fn expired() -> Answer {
    let event = json!({"type": "ERROR", "object": {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "too old resource version", "reason": "Expired", "code": 410,
    }});
    answer(StatusCode::OK, format!("{event}\n"))
}

fn refusal(code: u16) -> Answer {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "refused by the proxy of a test", "reason": "InternalError", "code": code,
    });
    answer(StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), status.to_string())
}

fn answer(code: StatusCode, body: String) -> Answer {
    let body = Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed_unsync();
    let mut answer = Response::new(body);
    *answer.status_mut() = code;
    answer.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    answer
}

#[cfg(test)]
mod tests;
