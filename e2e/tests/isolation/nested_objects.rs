//! JSON that is nested more deeply than a decoder supports: the API server stores 10,000 levels in a free-form field.

use anyhow::{Context, Result, ensure};
use e2e::testing::objects::function_spec;
use e2e::testing::{Controller, TestEnv};
use functionmesh_runtime::raw_object::RawObject;
use http::{Method, Request};
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

/// Content of the deep field that must not be logged.
const PAYLOAD: &str = "payload-of-a-tenant";
/// Above serde_json's limit, and near that of the API server.
const LEVELS: [usize; 2] = [125, 9_000];

/// One of the kinds: the specs of its objects, and its free-form fields.
struct Case {
    controller: &'static str,
    kind: &'static str,
    plural: &'static str,
    /// Path of the free-form field, as a condition names it.
    field: &'static str,
    /// The kind of its children.
    child: (&'static str, &'static str),
}

const CASES: [Case; 4] = [
    Case {
        controller: "function-controller",
        kind: "Function",
        plural: "functions",
        field: "spec.funcConfig",
        child: ("/apis/apps/v1", "statefulsets"),
    },
    Case {
        controller: "source-controller",
        kind: "Source",
        plural: "sources",
        field: "spec.sourceConfig",
        child: ("/apis/apps/v1", "statefulsets"),
    },
    Case {
        controller: "sink-controller",
        kind: "Sink",
        plural: "sinks",
        field: "spec.sinkConfig",
        child: ("/apis/apps/v1", "statefulsets"),
    },
    Case {
        controller: "mesh-controller",
        kind: "FunctionMesh",
        plural: "functionmeshes",
        field: "spec.functions[0].funcConfig",
        child: (OURS, "functions"),
    },
];
const OURS: &str = "/apis/compute.functionmesh.io/v1alpha1";

impl Case {
    /// A `spec` whose free-form field is the text `DEEP`.
    fn spec(&self) -> Value {
        let pulsar = json!({"pulsarConfig": "pulsar"});
        let mut function = function_spec();
        function["funcConfig"] = json!("DEEP");
        match self.kind {
            "Function" => function,
            "Source" => {
                json!({"output": {"topic": "out"}, "pulsar": pulsar, "java": {"jar": "/a.jar"}, "className": "C",
                "image": "example.com/i:1", "replicas": 1, "sourceConfig": "DEEP"})
            }
            "Sink" => {
                json!({"input": {"topics": ["in"]}, "pulsar": pulsar, "java": {"jar": "/a.jar"}, "className": "C",
                "image": "example.com/i:1", "replicas": 1, "sinkConfig": "DEEP"})
            }
            _ => {
                function["name"] = json!("x");
                json!({"functions": [function]})
            }
        }
    }

    /// Name of the child of one of these objects.
    fn child_of(&self, name: &str) -> String {
        match self.kind {
            "FunctionMesh" => format!("{name}-x"),
            kind => format!("{name}-{}", kind.to_lowercase()),
        }
    }

    /// Creates an object whose free-form field has this number of levels. As text: the libraries cannot encode such an object.
    async fn create(&self, env: &TestEnv, namespace: &str, name: &str, levels: usize) -> Result<()> {
        let object = json!({"apiVersion": "compute.functionmesh.io/v1alpha1", "kind": self.kind,
            "metadata": {"name": name}, "spec": self.spec()});
        let text = object.to_string().replace("\"DEEP\"", &nested(levels));
        let path = format!("{OURS}/namespaces/{namespace}/{}", self.plural);
        request(env, Method::POST, &path, text)
            .await
            .with_context(|| format!("{} {name}", self.kind))
            .map(drop)
    }

    async fn delete(&self, env: &TestEnv, namespace: &str, name: &str) -> Result<()> {
        let path = format!("{OURS}/namespaces/{namespace}/{}/{name}", self.plural);
        request(env, Method::DELETE, &path, String::new()).await.map(drop)
    }

    async fn until_child(&self, env: &TestEnv, namespace: &str, name: &str) -> Result<()> {
        let (group, plural) = self.child;
        let path = format!("{group}/namespaces/{namespace}/{plural}/{}", self.child_of(name));
        env.until(&path, || async { request(env, Method::GET, &path, String::new()).await.map(drop) }).await
    }

    /// Waits until the object is refused because of its field.
    async fn until_refused(&self, env: &TestEnv, namespace: &str, name: &str) -> Result<()> {
        let path = format!("{OURS}/namespaces/{namespace}/{}/{name}", self.plural);
        env.until(&format!("{name} is Invalid"), || async {
            let text = request(env, Method::GET, &path, String::new()).await?;
            let object: RawObject<Pod, Value> = serde_json::from_str(&text)?;
            let conditions = object.status["conditions"].as_array().context("no conditions")?;
            let ready = conditions.iter().find(|c| c["type"] == "Ready").context("no Ready")?;
            let message = ready["message"].as_str().unwrap_or_default();
            ensure!(
                ready["reason"] == "Invalid" && message.contains(self.field) && message.contains("nested"),
                "{ready}"
            );
            Ok(())
        })
        .await
    }
}

fn nested(levels: usize) -> String {
    format!("{}\"{PAYLOAD}\"{}", r#"{"a":"#.repeat(levels), "}".repeat(levels))
}

async fn request(env: &TestEnv, method: Method, path: &str, body: String) -> Result<String> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(body.into_bytes())?;
    Ok(env.client.request_text(request).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_nested_too_deeply_is_its_own_problem() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    let cases = CASES.iter().map(|case| one_kind(&env, case));
    futures::future::try_join_all(cases).await.map(drop)
}

async fn one_kind(env: &TestEnv, case: &Case) -> Result<()> {
    env.test("depth", |env, namespace| async move {
        let (env, namespace) = (&env, namespace.as_str());
        // In the list at the start.
        case.create(env, namespace, "first", 1).await?;
        for (name, levels) in ["deep", "deeper"].into_iter().zip(LEVELS) {
            case.create(env, namespace, name, levels).await?;
        }
        case.create(env, namespace, "last", 1).await?;
        let controller = Controller::start(env, case.controller, namespace).await?;
        for name in ["first", "last"] {
            case.until_child(env, namespace, name).await?;
        }
        for name in ["deep", "deeper"] {
            case.until_refused(env, namespace, name).await?;
        }
        // In a watch.
        for (name, levels) in ["deep-later", "deeper-later"].into_iter().zip(LEVELS) {
            case.create(env, namespace, name, levels).await?;
        }
        case.create(env, namespace, "later", 1).await?;
        case.until_child(env, namespace, "later").await?;
        for name in ["deep-later", "deeper-later"] {
            case.until_refused(env, namespace, name).await?;
        }
        controller.until_idle(env).await?;
        let log = controller.log()?;
        ensure!(!log.contains(PAYLOAD), "the content of an object is in the log");
        let reported = log.lines().filter(|line| line.contains("refused") && line.contains("/deeper\""));
        ensure!(reported.count() == 1, "{} is not in the log once", case.kind);
        ensure!(controller.metric("function_mesh_watch_errors_total")? == 0, "a watch was interrupted");
        let unwanted = env
            .audit()?
            .by(&controller.user)
            .writes()
            .only(|r| r.name().starts_with("deep") && !r.resource().ends_with("/status"));
        ensure!(unwanted.requests().is_empty(), "{:?}", unwanted.counts());
        // A restart writes nothing.
        controller.signal("TERM")?;
        let controller = Controller::start(env, case.controller, namespace).await?;
        controller.reconciled(env, 7).await?;
        let writes = env.audit()?.by(&controller.user).writes();
        ensure!(writes.requests().is_empty(), "writes after a restart: {:?}", writes.counts());
        // Other tests list all objects of the kind with a decoder that has a limit.
        for name in ["deep", "deeper", "deep-later", "deeper-later"] {
            case.delete(env, namespace, name).await?;
        }
        Ok(())
    })
    .await
}

/// Unknown fields of a BackendConfig are stored and have no effect; nor has the list of its fields.
#[tokio::test(flavor = "multi_thread")]
async fn a_backend_config_nested_deeply_still_counts() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("depth-backend", |env, namespace| async move {
        let (env, namespace) = (&env, namespace.as_str());
        let config = json!({"apiVersion": "compute.functionmesh.io/v1alpha1", "kind": "BackendConfig",
            "metadata": {"name": "backend-config"}, "spec": {"env": {"FROM": "config"}}, "unknown": "DEEP"});
        let path = format!("{OURS}/namespaces/{namespace}/backendconfigs");
        request(env, Method::POST, &path, config.to_string().replace("\"DEEP\"", &nested(9_000))).await?;
        CASES[0].create(env, namespace, "f", 1).await?;
        let _controller = Controller::start(env, "function-controller", namespace).await?;
        CASES[0].until_child(env, namespace, "f").await?;
        let set = format!("/apis/apps/v1/namespaces/{namespace}/statefulsets/f-function");
        let set = request(env, Method::GET, &set, String::new()).await?;
        ensure!(set.contains("\"FROM\""), "the BackendConfig did not count");
        request(env, Method::DELETE, &format!("{path}/backend-config"), String::new()).await.map(drop)
    })
    .await
}
