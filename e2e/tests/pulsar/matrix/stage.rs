//! The cluster, the broker and the client that all cases share.

use anyhow::{Context, Result, bail};
use e2e::cluster::Cluster;
use e2e::images::{self, Archive, System};
use e2e::operator::Kubectl;
use e2e::pulsar::Broker;
use e2e::shell::{Fatal, output, run, until};
use e2e::testing::TestEnv;
use e2e::testing::pods::import_images_with;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use serde_json::{Value, json};
use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

/// Namespace of the broker and of all objects.
pub(crate) const NAMESPACE: &str = "matrix";
/// The broker's key for tokens, in base64.
pub(crate) const KEY: &str = "ZnVuY3Rpb24tbWVzaC10ZXN0cy1vbmx5LTMyYnl0ZXM=";
/// A token of that key for the role `admin`, for the requests of the broker itself.
const ADMIN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.yuW7TnFfpFZmjc0PsoQ2-0bTpkMEuG8AILJBYae-gyk";

/// The environment of all cases.
pub(crate) struct Stage {
    pub(crate) kubectl: Kubectl,
    /// Image with Pulsar, Python, connectors and test programs.
    pub(crate) image: String,
    /// The cluster, if the tests started it.
    cluster: Option<Cluster>,
}

impl Stage {
    /// Starts the broker, the controllers and the client.
    pub(crate) fn prepare(env: &TestEnv) -> Result<Self> {
        let kubectl = env.kubectl.clone();
        let (image, controllers) = import_images_with(env, images::full, images::FULL_IMAGE)?;
        kubectl.namespace(NAMESPACE)?;
        for object in settings() {
            kubectl.apply(NAMESPACE, &object.to_string())?;
        }
        // A broker reads its certificates at startup only.
        if run(&mut kubectl.command(&format!("-n {NAMESPACE} get secret pulsar-files"))).is_err() {
            for object in files()? {
                kubectl.apply(NAMESPACE, &object.to_string())?;
            }
        }
        let broker = Broker::deploy(&kubectl, NAMESPACE, &image)?;
        kubectl.apply(NAMESPACE, &client(&image))?;
        kubectl.install(&controllers, &[])?;
        broker.ready()?;
        run(&mut kubectl.command(&format!(
            "-n {NAMESPACE} wait --for=condition=Ready pod/client pod/web --timeout=180s"
        )))?;
        let folder = env.folder().ok().and_then(|folder| folder.file_name()?.to_str());
        let cluster = folder.map(Cluster::named).transpose()?;
        Ok(Self { kubectl, image, cluster })
    }

    /// Imports an image into a cluster of the tests; other clusters have to pull it.
    pub(crate) fn import(&self, image: &Archive) -> Result<()> {
        self.cluster.as_ref().map_or(Ok(()), |cluster| cluster.import(image))
    }

    /// Starts a system that connectors talk to, unless another case did.
    pub(crate) fn system(&self, system: &System) -> Result<()> {
        self.import(&images::systems()?)?;
        let System { name, port, start, ready } = system;
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
            "spec": {"terminationGracePeriodSeconds": 0, "enableServiceLinks": false, "containers": [{
                "name": name, "image": images::SYSTEMS_IMAGE, "imagePullPolicy": "IfNotPresent",
                "command": ["bash", "-c", start],
                "readinessProbe": {"exec": {"command": ["bash", "-c", ready]}, "periodSeconds": 3, "timeoutSeconds": 10},
                "resources": {"requests": {"memory": "128Mi"}},
            }]},
        });
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": {"app": name}, "ports": [{"port": port}]},
        });
        for object in [&pod, &service] {
            self.kubectl.apply(NAMESPACE, &object.to_string())?;
        }
        let ready = format!("-n {NAMESPACE} wait --for=condition=Ready pod/{name} --timeout=180s");
        run(&mut self.kubectl.command(&ready))
    }

    /// An object, or a list of them.
    pub(crate) fn get(&self, what: &str) -> Result<Value> {
        Ok(serde_json::from_str(&output(
            &mut self.kubectl.command(&format!("-n {NAMESPACE} get {what} -o json")),
        )?)?)
    }

    /// Runs a command of `client.py` in the cluster.
    pub(crate) fn client(&self, command: &str, arguments: &Value) -> Result<Value> {
        // The kubelet sometimes loses the output of a process that ends at once: what only reads is asked for again.
        let reads = ["receive", "token"].contains(&command) || arguments["method"] == "GET";
        for _ in 0..5 {
            let text = self.run_client(command, arguments)?;
            if !(reads && text.is_empty()) {
                let nothing = text.is_empty().then_some(Value::Null);
                return nothing.map_or_else(|| Ok(serde_json::from_slice(&text)?), Ok);
            }
        }
        bail!("{command}: no output")
    }

    fn run_client(&self, command: &str, arguments: &Value) -> Result<Vec<u8>> {
        let words = format!("-n {NAMESPACE} exec -i client -- python3 /client/client.py {command}");
        let mut child = self
            .kubectl
            .command(&words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("kubectl exec")?;
        let mut input = child.stdin.take().context("standard input")?;
        let text = arguments.to_string();
        // In a thread: the program may write before it has read all of its input.
        let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
        let done = child.wait_with_output()?;
        let written = writer.join();
        if !done.status.success() {
            bail!("{command}: {}", String::from_utf8_lossy(&done.stderr).trim());
        }
        written.map_err(|_| Fatal("the writer panicked".to_owned()))??;
        Ok(done.stdout)
    }

    /// A request to the broker's REST interface, as the administrator.
    pub(crate) fn admin(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let mut arguments = json!({"method": method, "path": path});
        if !body.is_null() {
            arguments["body"] = body.clone();
        }
        self.client("admin", &arguments)
    }

    /// A token that is signed with the broker's key.
    pub(crate) fn token(&self, role: &str, seconds: Option<u64>) -> Result<String> {
        let arguments = json!({"key": KEY, "subject": role, "seconds": seconds});
        self.client("token", &arguments)?.as_str().map(str::to_owned).context("no token")
    }

    /// Writes a Secret.
    pub(crate) fn secret(&self, name: &str, data: &Value) -> Result<()> {
        let secret =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data});
        self.kubectl.apply(NAMESPACE, &secret.to_string())
    }

    /// Uploads a file of the image to the package service.
    pub(crate) fn upload(&self, package: &str, file: &str) -> Result<()> {
        // The package service starts after the broker.
        until("upload", Duration::from_secs(60), || {
            self.client("upload", &json!({"package": package, "file": file})).map(drop)
        })
    }
}

/// Settings of the broker: package service, state, unlimited retention, tokens, TLS and client certificates. Clients without
/// credentials have all permissions, so that only the cases about credentials need some; wrong credentials are refused.
fn settings() -> [Value; 2] {
    let lines = [
        "defaultRetentionTimeInMinutes=-1".to_owned(),
        "defaultRetentionSizeInMB=-1".to_owned(),
        "brokerDeduplicationEnabled=true".to_owned(),
        "enablePackagesManagement=true".to_owned(),
        "packagesManagementStorageProvider=org.apache.pulsar.packages.management.storage.filesystem.FileSystemPackagesStorageProvider".to_owned(),
        "authenticationEnabled=true".to_owned(),
        "authorizationEnabled=true".to_owned(),
        "authenticationProviders=org.apache.pulsar.broker.authentication.AuthenticationProviderToken,org.apache.pulsar.broker.authentication.AuthenticationProviderTls".to_owned(),
        format!("tokenSecretKey=data:;base64,{KEY}"),
        "anonymousUserRole=anonymous".to_owned(),
        "superUserRoles=anonymous,admin".to_owned(),
        "brokerServicePortTls=6651".to_owned(),
        "webServicePortTls=8443".to_owned(),
        "tlsCertificateFilePath=/files/server.crt".to_owned(),
        "tlsKeyFilePath=/files/server.key".to_owned(),
        "tlsTrustCertsFilePath=/files/ca.crt".to_owned(),
        "brokerClientAuthenticationPlugin=org.apache.pulsar.client.impl.auth.AuthenticationToken".to_owned(),
        format!("brokerClientAuthenticationParameters=token:{ADMIN}"),
    ];
    let map = |name: &str, data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data});
    [
        map("pulsar-settings", json!({"matrix": lines.join("\n")})),
        // With BookKeeper's table service, which stores the state of functions.
        map(
            "pulsar-environment",
            json!({"STANDALONE_FLAGS": "-nfw", "PULSAR_STANDALONE_USE_ZOOKEEPER": "1"}),
        ),
    ]
}

/// Certificates of the broker, of a client, and of an authority that signed neither.
fn files() -> Result<Vec<Value>> {
    let authority = |name: &str| -> Result<(String, Issuer<'static, KeyPair>)> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let pem = params.self_signed(&key)?.pem();
        Ok((pem, Issuer::new(params, key)))
    };
    let (ca, issuer) = authority("matrix")?;
    let (other, _) = authority("other")?;
    let signed = |name: &str, names: &[&str]| -> Result<(String, String)> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>())?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        Ok((params.signed_by(&key, &issuer)?.pem(), key.serialize_pem()))
    };
    let (server, server_key) = signed("pulsar", &["pulsar", "web", "localhost"])?;
    let (client, client_key) = signed("admin", &["client"])?;
    let secret = |name: &str, data: Value| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data});
    Ok(vec![
        secret("pulsar-files", json!({"server.crt": server, "server.key": server_key, "ca.crt": ca})),
        secret("pulsar-ca", json!({"ca.crt": ca})),
        secret("pulsar-other-ca", json!({"ca.crt": other})),
        secret("pulsar-client", json!({"client.crt": client, "client.key": client_key})),
    ])
}

/// A pod that sends and receives messages, and a web server with the files of the image.
fn client(image: &str) -> String {
    let pod = |name: &str, command: &[&str], port: Option<u16>| {
        let probe = port.map(|port| json!({"tcpSocket": {"port": port}, "periodSeconds": 2}));
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
            "spec": {
                "terminationGracePeriodSeconds": 0, "enableServiceLinks": false,
                "containers": [{
                    "name": name, "image": image, "imagePullPolicy": "IfNotPresent", "command": command,
                    "env": [{"name": "TOKEN", "value": ADMIN}],
                    "readinessProbe": probe,
                    "resources": {"requests": {"memory": "64Mi"}},
                    "volumeMounts": [
                        {"name": "files", "mountPath": "/files"}, {"name": "client", "mountPath": "/client"},
                    ],
                }],
                "volumes": [
                    {"name": "files", "secret": {"secretName": "pulsar-files"}},
                    {"name": "client", "configMap": {"name": "client"}},
                ],
            },
        })
    };
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 8000}, {"name": "https", "port": 8001}]},
    });
    let server = "import http.server as h, ssl, threading as t, functools as f
handler = f.partial(h.SimpleHTTPRequestHandler, directory='/pulsar')
plain, secure = [h.ThreadingHTTPServer(('', port), handler) for port in (8000, 8001)]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('/files/server.crt', '/files/server.key')
secure.socket = context.wrap_socket(secure.socket, server_side=True)
t.Thread(target=secure.serve_forever, daemon=True).start()
plain.serve_forever()";
    let pods =
        [pod("client", &["sleep", "infinity"], None), pod("web", &["python3", "-c", server], Some(8000))];
    let code = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "client"},
        "data": {"client.py": include_str!("client.py")},
    });
    format!("{code}\n---\n{}\n---\n{}\n---\n{service}\n", pods[0], pods[1])
}
