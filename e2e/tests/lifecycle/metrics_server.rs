//! `/metrics` over HTTPS, for those who may read it.

use anyhow::{Context, Result, ensure};
use e2e::testing::{Controller, TestEnv, https};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client, Resource};
use rcgen::generate_simple_self_signed;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt::Debug;
use std::fs;
use std::path::Path;

/// Writes a new certificate, as the kubelet updates a mounted Secret. Returns it.
fn renew(folder: &Path) -> Result<String> {
    let new = generate_simple_self_signed(vec!["localhost".to_owned()])?;
    for (name, text) in [("tls.key", new.signing_key.serialize_pem()), ("tls.crt", new.cert.pem())] {
        let file = folder.join(format!("{name}.new"));
        fs::write(&file, text)?;
        fs::rename(&file, folder.join(name))?;
    }
    Ok(new.cert.pem())
}

async fn create<K>(client: &Client, object: Value) -> Result<()>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize,
{
    let object: K = serde_json::from_value(object)?;
    Api::all(client.clone()).create(&PostParams::default(), &object).await.map(drop).context("object")
}

/// Grants something in the whole cluster to a user or a group.
async fn grant(env: &TestEnv, name: &str, (kind, subject): (&str, &str), rules: Value) -> Result<()> {
    create::<ClusterRole>(&env.client, json!({"metadata": {"name": name}, "rules": rules})).await?;
    let binding = json!({
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": [{"kind": kind, "name": subject, "apiGroup": "rbac.authorization.k8s.io"}],
    });
    create::<ClusterRoleBinding>(&env.client, binding).await
}

async fn revoke(env: &TestEnv, name: &str) -> Result<()> {
    Api::<ClusterRoleBinding>::all(env.client.clone()).delete(name, &DeleteParams::default()).await?;
    Api::<ClusterRole>::all(env.client.clone()).delete(name, &DeleteParams::default()).await?;
    Ok(())
}

/// A server, as a client sees it.
struct Server {
    port: u16,
    certificate: String,
}

impl Server {
    /// The status of a request for the metrics, and its text.
    fn get(&self, token: Option<&str>) -> Result<(u16, String)> {
        https::get(self.port, &self.certificate, "/metrics", token)
    }

    fn status(&self, token: Option<&str>) -> Result<u16> {
        Ok(self.get(token)?.0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_over_https_are_for_those_who_may_read_them() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("metrics", |env, namespace| async move {
        // A standby: what it asks the API server is no write of a leader.
        let leases: Api<Lease> = Api::namespaced(env.client.clone(), &namespace);
        let lease = json!({
            "metadata": {"name": "held"},
            "spec": {"holderIdentity": "another", "leaseDurationSeconds": 3600, "renewTime": "2999-01-01T00:00:00.000000Z"},
        });
        leases.create(&PostParams::default(), &serde_json::from_value(lease)?).await?;
        let folder = env.folder()?.join(&namespace);
        fs::create_dir_all(&folder)?;
        let mut server = Server { port: https::free_port()?, certificate: renew(&folder)? };
        let flags = [
            format!("--watched-namespace={namespace}"),
            format!("--lease-namespace={namespace}"),
            "--lease-name=held".to_owned(),
            format!("--secure-metrics-addr=127.0.0.1:{}", server.port),
            format!("--secure-metrics-cert-dir={}", folder.display()),
        ];
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let [elections, reviews, reader] = ["elections", "reviews", "reader"].map(|role| format!("{namespace}-{role}"));
        let controllers = ("Group", "restricted-controller");
        let rules = json!([{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "list"]}]);
        grant(&env, &elections, controllers, rules).await?;
        let controller = Controller::spawn_as(&env, "restricted-controller", "function-controller", &flags)?;
        let tenant = env.token("tenant");

        // Nothing without a token, and nothing without an answer of the API server.
        env.until("the server", || async {
            let status = server.status(None)?;
            ensure!(status == 401, "{status}");
            Ok(())
        })
        .await?;
        assert_eq!(server.status(Some(&tenant))?, 500);
        grant(
            &env,
            &reviews,
            controllers,
            json!([
                {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]},
                {"apiGroups": ["authorization.k8s.io"], "resources": ["subjectaccessreviews"], "verbs": ["create"]},
            ]),
        )
        .await?;
        env.until("reviews", || async {
            let (status, text) = server.get(Some(&tenant))?;
            ensure!(status == 403 && text.contains("/metrics"), "{status} {text}");
            Ok(())
        })
        .await?;
        assert_eq!(server.status(Some("no such token"))?, 401);
        // A granted right counts within seconds, and the decision is remembered.
        let rules = json!([{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]);
        grant(&env, &reader, ("User", "tenant"), rules).await?;
        env.until("the right", || async {
            let (status, text) = server.get(Some(&tenant))?;
            ensure!(status == 200 && text.contains("function_mesh_leader"), "{status} {text}");
            Ok(())
        })
        .await?;
        let mark = env.mark().await?;
        for _ in 0..20 {
            assert_eq!(server.status(Some(&tenant))?, 200);
        }
        let asked = env.audit_since(&mark)?;
        let asked: Vec<_> = asked.requests().iter().filter(|r| r.user() == controller.user)
            .filter(|r| r.resource().ends_with("reviews")).map(|r| r.resource().clone()).collect();
        assert!(asked.is_empty(), "{asked:?}");

        // Probes stay on the other port, without the metrics.
        assert!(controller.get("healthz").is_ok());
        assert!(format!("{:#}", controller.get("metrics").unwrap_err()).contains("404"));

        // A renewed certificate, then one that is broken: the last usable one stays.
        let old = server.certificate.clone();
        server.certificate = renew(&folder)?;
        env.until("the renewed certificate", || async {
            ensure!(server.status(Some(&tenant))? == 200);
            Ok(())
        })
        .await?;
        let before = Server { port: server.port, certificate: old };
        assert!(before.status(Some(&tenant)).is_err(), "the old certificate is still served");
        fs::write(folder.join("tls.crt"), "no certificate")?;
        env.until("a warning", || async {
            assert_eq!(server.status(Some(&tenant))?, 200);
            ensure!(controller.log()?.contains("cannot be renewed"));
            Ok(())
        })
        .await?;
        for role in [&elections, &reviews, &reader] {
            revoke(&env, role).await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_certificate_ends_the_controller_with_its_name() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.test("metrics-cert", |env, namespace| async move {
        let folder = env.folder()?.join(&namespace);
        fs::create_dir_all(&folder)?;
        let directory = format!("--secure-metrics-cert-dir={}", folder.display());
        let address = "--secure-metrics-addr=127.0.0.1:0";
        for (flags, expected) in [
            (vec![address], "--secure-metrics-cert-dir"),
            (vec![directory.as_str()], "--secure-metrics-addr"),
            (vec![address, directory.as_str()], "needs the files tls.crt and tls.key"),
        ] {
            let mut controller = Controller::spawn(&env, "function-controller", &flags)?;
            controller.ended(&env).await?;
            let log = controller.log()?;
            assert!(log.contains(expected), "{flags:?}: {log}");
        }
        renew(&folder)?;
        fs::write(folder.join("tls.key"), "no key")?;
        let mut controller = Controller::spawn(&env, "function-controller", &[address, &directory])?;
        controller.ended(&env).await?;
        let log = controller.log()?;
        assert!(log.contains("tls.key"), "{log}");
        Ok(())
    })
    .await
}
