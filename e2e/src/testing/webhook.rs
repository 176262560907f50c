//! An admission webhook of a third party: it changes StatefulSets, is slow, or does not answer.

use crate::testing::test_env::TestEnv;
use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::{Api, DeleteParams, PostParams};
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a webhook does with each StatefulSet in a request.
#[derive(Clone, Debug)]
pub enum Behaviour {
    /// Responds after a delay without changes.
    Slow(Duration),
    /// Adds a label, an annotation, a variable and a container, once.
    Inject,
    /// Does not listen.
    Down,
}

/// A webhook for the StatefulSets of one namespace; its server stops when dropped.
pub struct Webhook {
    env: TestEnv,
    name: String,
    _server: Option<JoinHandle<()>>,
}

impl Webhook {
    /// Starts and registers one, and waits until the API server calls it.
    ///
    /// # Errors
    /// When no port is free, or the API server refuses it.
    pub async fn start(env: &TestEnv, namespace: &str, behaviour: Behaviour) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no free port on 127.0.0.1")?;
        let port = listener.local_addr()?.port();
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])?.self_signed(&key)?;
        let server = match &behaviour {
            Behaviour::Down => None,
            Behaviour::Slow(_) | Behaviour::Inject => {
                let private = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
                let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
                    .with_safe_default_protocol_versions()?
                    .with_no_client_auth()
                    .with_single_cert(vec![certificate.der().clone()], private)?;
                let acceptor = TlsAcceptor::from(Arc::new(config));
                Some(tokio::spawn(accept(listener, acceptor, behaviour.clone())))
            }
        };
        let configuration = json!({
            "metadata": {"name": namespace},
            "webhooks": [{
                "name": "sets.example.com",
                "clientConfig": {
                    "url": format!("https://127.0.0.1:{port}/"),
                    "caBundle": ByteString(certificate.pem().into_bytes()),
                },
                "rules": [{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
                    "resources": ["statefulsets"]}],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "failurePolicy": "Fail", "sideEffects": "None", "admissionReviewVersions": ["v1"],
                "timeoutSeconds": 10, "reinvocationPolicy": "IfNeeded",
            }],
        });
        let hooks: Api<MutatingWebhookConfiguration> = Api::all(env.client.clone());
        hooks.create(&PostParams::default(), &serde_json::from_value(configuration)?).await?;
        let this = Self { env: env.clone(), name: namespace.to_owned(), _server: server };
        this.until(|asked| match &behaviour {
            Behaviour::Down => asked.is_err(),
            Behaviour::Inject => asked.as_ref().is_ok_and(is_injected),
            Behaviour::Slow(_) => true,
        })
        .await?;
        Ok(this)
    }

    /// Removes it, and waits until the API server no longer calls it.
    ///
    /// # Errors
    /// When the API server still calls it.
    pub async fn remove(self) -> Result<()> {
        let hooks: Api<MutatingWebhookConfiguration> = Api::all(self.env.client.clone());
        hooks.delete(&self.name, &DeleteParams::default()).await?;
        self.until(|asked| asked.as_ref().is_ok_and(|set| !is_injected(set))).await
    }

    /// Creates a StatefulSet as a dry run until the response is the expected one.
    async fn until(&self, is: impl Fn(&kube::Result<StatefulSet>) -> bool) -> Result<()> {
        let sets: Api<StatefulSet> = Api::namespaced(self.env.client.clone(), &self.name);
        let probe: StatefulSet = serde_json::from_value(json!({"metadata": {"name": "probe"}, "spec": {
            "serviceName": "x", "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "c", "image": "i"}]}}}}))?;
        let dry = PostParams { dry_run: true, ..PostParams::default() };
        self.env
            .until("webhook", || async {
                let answer = sets.create(&dry, &probe).await;
                ensure!(is(&answer), "{answer:?}");
                Ok(())
            })
            .await
    }
}

/// Whether a StatefulSet passed an injecting webhook.
pub fn is_injected(set: &StatefulSet) -> bool {
    let pod = set.spec.template.spec.as_ref();
    pod.is_some_and(|pod| pod.containers.iter().any(|container| container.name == "injected"))
}

/// The injected fields.
fn patch(set: &Value) -> Value {
    let pod = |field: &str| format!("/spec/template/{field}");
    let add = |path: String, value: Value| json!({"op": "add", "path": path, "value": value});
    let mut steps = vec![add(
        pod("spec/containers/-"),
        json!({"name": "injected", "image": "example.com/mesh:1", "env": [{"name": "X", "value": "1"}]}),
    )];
    let variable = json!({"name": "INJECTED", "value": "1"});
    steps.push(match set.pointer("/spec/template/spec/containers/0/env") {
        Some(_) => add(pod("spec/containers/0/env/-"), variable),
        None => add(pod("spec/containers/0/env"), json!([variable])),
    });
    for (map, key) in [("labels", "injected"), ("annotations", "injected")] {
        for place in ["/metadata", "/spec/template/metadata"] {
            steps.push(match set.pointer(&format!("{place}/{map}")) {
                Some(_) => add(format!("{place}/{map}/{key}"), json!("yes")),
                None => add(format!("{place}/{map}"), json!({key: "yes"})),
            });
        }
    }
    json!(steps)
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, behaviour: Behaviour) {
    // Dropped with this task.
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let Ok((stream, _)) = accepted else { continue };
        let (acceptor, behaviour) = (acceptor.clone(), behaviour.clone());
        connections.spawn(async move {
            // The API server reports how a connection ended.
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = service_fn(move |request| review(request, behaviour.clone()));
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn review(request: Request<Incoming>, behaviour: Behaviour) -> Result<Response<Full<Bytes>>, BoxError> {
    let body = request.into_body().collect().await?.to_bytes();
    let review: Value = serde_json::from_slice(&body)?;
    let asked = |path: &str| review.pointer(path).cloned().unwrap_or_default();
    let mut answer = json!({"uid": asked("/request/uid"), "allowed": true});
    match behaviour {
        Behaviour::Slow(wait) => tokio::time::sleep(wait).await,
        Behaviour::Inject => {
            let set = asked("/request/object");
            let known = serde_json::from_value(set.clone()).is_ok_and(|set| is_injected(&set));
            if !known && let Some(answer) = answer.as_object_mut() {
                answer.insert("patchType".to_owned(), json!("JSONPatch"));
                let patch = ByteString(patch(&set).to_string().into_bytes());
                answer.insert("patch".to_owned(), json!(patch));
            }
        }
        Behaviour::Down => {}
    }
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer});
    Ok(Response::builder()
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(review.to_string())))?)
}
