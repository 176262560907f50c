//! Each permission of a controller is removed while it works (docs/reliability.md, T17): the status, `/readyz` or the log names
//! it, requests are retried with a backoff, and everything continues once it is granted again. On a separate API server.

use anyhow::{Context, Result, bail, ensure};
use e2e::cluster::ApiOnly;
use e2e::scenarios::fleet::{FUNCTION, Kind, SINK, SOURCE};
use e2e::shell::progress;
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{AVAILABLE, api, condition, create, merge};
use e2e::testing::{Child, Controller, TestEnv};
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use std::time::Duration;

/// Maximum number of refused requests between two checks.
const REFUSED: usize = 12;
const LOOK: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
struct Permission {
    group: String,
    resource: String,
    verb: String,
}

fn role_of(controller: &str) -> String {
    format!("function-mesh-{controller}")
}

fn permissions(role: &ClusterRole) -> Vec<Permission> {
    let mut all = Vec::new();
    for rule in role.rules.iter().flatten() {
        for group in rule.api_groups.iter().flatten() {
            for resource in rule.resources.iter().flatten() {
                let permission = |verb: &String| Permission {
                    group: group.clone(),
                    resource: resource.clone(),
                    verb: verb.clone(),
                };
                all.extend(rule.verbs.iter().map(permission));
            }
        }
    }
    all
}

fn without(role: &ClusterRole, permission: &Permission) -> ClusterRole {
    let mut less = role.clone();
    for rule in less.rules.iter_mut().flatten() {
        let about = |list: &Option<Vec<String>>, one: &String| list.iter().flatten().any(|it| it == one);
        if about(&rule.api_groups, &permission.group) && about(&rule.resources, &permission.resource) {
            rule.verbs.retain(|verb| *verb != permission.verb);
        }
    }
    less.rules.iter_mut().for_each(|rules| rules.retain(|rule| !rule.verbs.is_empty()));
    less
}

/// Grants the controller a role, and waits until the API server knows whether it includes a permission.
async fn give(
    env: &TestEnv,
    controller: &str,
    role: &ClusterRole,
    permission: &Permission,
    has: bool,
) -> Result<()> {
    let roles: Api<ClusterRole> = Api::all(env.client.clone());
    roles
        .patch(&role_of(controller), &PatchParams::default(), &Patch::Merge(json!({"rules": role.rules})))
        .await?;
    let reviews: Api<SubjectAccessReview> = Api::all(env.client.clone());
    let (resource, sub) = permission.resource.split_once('/').unwrap_or((&permission.resource, ""));
    let review: SubjectAccessReview = serde_json::from_value(json!({"spec": {
        "user": "another-user", "groups": [controller], "resourceAttributes": {
            "group": permission.group, "resource": resource, "subresource": sub, "verb": permission.verb, "namespace": "x"}}}))?;
    env.until("the permission", || async {
        let status = reviews.create(&PostParams::default(), &review).await?.status.context("no answer")?;
        ensure!(status.allowed == has, "{}: {}", status.allowed, status.reason.unwrap_or_default());
        Ok(())
    })
    .await
}

/// Steps of a [`Life`].
const STEPS: usize = 3;

/// The steps from the creation of an object to its deletion, which need every permission of its controller.
trait Life {
    const CONTROLLER: &'static str;

    fn of(env: &TestEnv, namespace: &str, number: usize) -> Self;

    async fn object(&self) -> Result<Option<DynamicObject>>;

    /// Requests a step.
    async fn take(&self, step: usize) -> Result<()>;

    /// Whether a step is done.
    async fn taken(&self, step: usize) -> Result<()>;

    /// A new generation is tried at once, whatever the state was before.
    async fn renew(&self) -> Result<()>;

    async fn renewed(&self) -> Result<()>;
}

/// A Function with all children that it can own.
struct Component {
    env: TestEnv,
    namespace: String,
    objects: Api<DynamicObject>,
    name: String,
}

impl Component {
    async fn no_autoscaler(&self) -> Result<()> {
        let set = format!("{}-function", self.name);
        let child = Child::of(&self.env, &self.namespace, "HorizontalPodAutoscaler", &set)?;
        ensure!(child.api.get_opt(&set).await?.is_none(), "the autoscaler is there");
        Ok(())
    }

    async fn gone(&self) -> Result<()> {
        // Plays the Job controller, which does not run here.
        let jobs = Child::of(&self.env, &self.namespace, "Job", "")?.api;
        let time = "2026-01-01T00:00:00Z";
        let done = |type_: &str| {
            json!({"type": type_, "status": "True", "reason": "CompletionsReached",
            "message": "", "lastProbeTime": time, "lastTransitionTime": time})
        };
        for job in jobs.list(&<_>::default()).await? {
            let status = json!({"status": {"startTime": time, "completionTime": time, "succeeded": 1,
                "conditions": [done("SuccessCriteriaMet"), done("Complete")]}});
            let name = job.metadata.name.unwrap_or_default();
            // The Job may be complete already.
            drop(jobs.patch_status(&name, &PatchParams::default(), &Patch::Merge(status)).await);
        }
        none(self.object().await?)
    }
}

impl Life for Component {
    const CONTROLLER: &'static str = FUNCTION.controller;

    fn of(env: &TestEnv, namespace: &str, number: usize) -> Self {
        Self {
            env: env.clone(),
            namespace: namespace.to_owned(),
            objects: api(env, namespace, FUNCTION.kind, FUNCTION.plural),
            name: format!("r{number}"),
        }
    }

    async fn object(&self) -> Result<Option<DynamicObject>> {
        Ok(self.objects.get_opt(&self.name).await?)
    }

    async fn take(&self, step: usize) -> Result<()> {
        match step {
            0 => {
                let mut spec = FUNCTION.spec();
                if let Some(spec) = spec.as_object_mut() {
                    spec.insert("maxReplicas".to_owned(), json!(3));
                    spec.insert("cleanupSubscription".to_owned(), json!(true));
                }
                create(&self.objects, FUNCTION.kind, &self.name, &spec).await
            }
            1 => merge(&self.objects, &self.name, json!({"spec": {"maxReplicas": null}})).await,
            _ => Ok(self.objects.delete(&self.name, &DeleteParams::default()).await.map(drop)?),
        }
    }

    async fn taken(&self, step: usize) -> Result<()> {
        match step {
            0 => self.renewed().await,
            1 => self.no_autoscaler().await,
            _ => self.gone().await,
        }
    }

    async fn renew(&self) -> Result<()> {
        let spec = json!({"image": "example.com/image:back", "maxReplicas": null});
        merge(&self.objects, &self.name, json!({"spec": spec})).await
    }

    async fn renewed(&self) -> Result<()> {
        is(&self.objects, &self.name, AVAILABLE).await
    }
}

/// A mesh with a component of each kind, for which no controller runs.
struct Mesh {
    env: TestEnv,
    namespace: String,
    objects: Api<DynamicObject>,
    name: String,
}

impl Mesh {
    fn spec(component: &str) -> Value {
        let list = |kind: &Kind| {
            let mut spec = kind.spec();
            if let Some(spec) = spec.as_object_mut() {
                spec.insert("name".to_owned(), json!(component));
            }
            json!([spec])
        };
        json!({"functions": list(&FUNCTION), "sources": list(&SOURCE), "sinks": list(&SINK)})
    }

    /// Whether exactly one component of each kind exists, and the status lists them.
    async fn has(&self, component: &str) -> Result<()> {
        let wanted = format!("{}-{component}", self.name);
        for kind in [&FUNCTION, &SOURCE, &SINK] {
            let all = api(&self.env, &self.namespace, kind.kind, kind.plural).list(&<_>::default()).await?;
            let names: Vec<_> = all.items.into_iter().filter_map(|object| object.metadata.name).collect();
            ensure!(names == [wanted.as_str()], "{}: {names:?} instead of {wanted}", kind.plural);
        }
        is(&self.objects, &self.name, ("False", "ComponentsNotReady")).await
    }
}

impl Life for Mesh {
    const CONTROLLER: &'static str = "mesh-controller";

    fn of(env: &TestEnv, namespace: &str, number: usize) -> Self {
        Self {
            env: env.clone(),
            namespace: namespace.to_owned(),
            objects: api(env, namespace, "FunctionMesh", "functionmeshes"),
            name: format!("m{number}"),
        }
    }

    async fn object(&self) -> Result<Option<DynamicObject>> {
        Ok(self.objects.get_opt(&self.name).await?)
    }

    async fn take(&self, step: usize) -> Result<()> {
        match step {
            0 => create(&self.objects, "FunctionMesh", &self.name, &Self::spec("a")).await,
            1 => merge(&self.objects, &self.name, json!({"spec": Self::spec("b")})).await,
            _ => Ok(self.objects.delete(&self.name, &DeleteParams::foreground()).await.map(drop)?),
        }
    }

    async fn taken(&self, step: usize) -> Result<()> {
        match step {
            0 => self.has("a").await,
            1 => self.has("b").await,
            _ => none(self.object().await?),
        }
    }

    async fn renew(&self) -> Result<()> {
        merge(&self.objects, &self.name, json!({"spec": Self::spec("c")})).await
    }

    async fn renewed(&self) -> Result<()> {
        self.has("c").await
    }
}

async fn is(objects: &Api<DynamicObject>, name: &str, want: (&str, &str)) -> Result<()> {
    let (status, reason, message) = condition(objects, name, "Ready").await?;
    ensure!((status.as_str(), reason.as_str()) == want, "{status} {reason}: {message}");
    Ok(())
}

fn none(object: Option<DynamicObject>) -> Result<()> {
    match object {
        None => Ok(()),
        Some(object) => bail!("it is there: {:?}", object.data.get("status")),
    }
}

/// Waits for the end of a step, or until something is refused.
async fn step<F: Future<Output = Result<()>>>(
    env: &TestEnv,
    refused: impl Fn() -> Result<usize>,
    attempt: impl Fn() -> F,
) -> Result<bool> {
    env.until("a step or a refusal", || async {
        if refused()? > 0 {
            return Ok(true);
        }
        attempt().await.map(|()| false)
    })
    .await
}

async fn lose<L: Life>(
    env: &TestEnv,
    namespace: &str,
    role: &ClusterRole,
    permission: &Permission,
    number: usize,
) -> Result<&'static str> {
    give(env, L::CONTROLLER, &without(role, permission), permission, false).await?;
    let mark = env.mark().await?;
    let watched = format!("--watched-namespace={namespace}");
    let controller = Controller::spawn(env, L::CONTROLLER, &[&watched, "--leader-elect=false"])?;
    let life = L::of(env, namespace, number);
    let refused = || {
        let ours = env.audit_since(&mark)?.by(&controller.user);
        Ok(ours.only(|r| r.code() == 403).requests().len())
    };
    let mut trouble = false;
    for number in 0..STEPS {
        life.take(number).await?;
        trouble = step(env, refused, || life.taken(number)).await?;
        if trouble {
            break;
        }
    }
    if trouble {
        // The places where a user looks: the object, then the readiness of the controller, then its log.
        let parts = [format!("cannot {} resource", permission.verb), format!("\"{}\"", permission.resource)];
        let named = |text: &str| parts.iter().all(|word| text.replace('\\', "").contains(word.as_str()));
        env.until("a mention of the permission", || async {
            let object = life.object().await?.map(|object| object.data.to_string());
            let ready = controller.get("readyz").err().map(|error| format!("{error:#}"));
            let reported = object.is_some_and(|text| named(&text)) || ready.is_some_and(|text| named(&text));
            ensure!(reported || named(&controller.log()?), "nothing names {parts:?}");
            Ok(())
        })
        .await?;
        let before = refused()?;
        tokio::time::sleep(LOOK).await;
        let tries = refused()? - before;
        ensure!(tries <= REFUSED, "{tries} refused requests in {LOOK:?}");
    }
    give(env, L::CONTROLLER, role, permission, true).await?;
    let back = || async {
        if life.object().await?.is_some_and(|object| object.metadata.deletion_timestamp.is_none()) {
            life.renew().await?;
            controller.ready(env).await?;
            env.until("the object as it should be", || life.renewed()).await?;
            life.take(STEPS - 1).await?;
        }
        env.until("the end of the object", || life.taken(STEPS - 1)).await
    };
    back().await.context("with the permission again")?;
    Ok(if trouble { "named" } else { "not needed" })
}

async fn lose_each<L: Life>(name: &str) -> Result<()> {
    let server = ApiOnly::up(name)?;
    let env = TestEnv::dedicated(&server).await?;
    env.test(name, |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let roles: Api<ClusterRole> = Api::all(env.client.clone());
        let role = roles.get(&role_of(L::CONTROLLER)).await?;
        let mut failures = Vec::new();
        for (number, permission) in permissions(&role).iter().enumerate() {
            let what = format!("{}: {} {}", L::CONTROLLER, permission.verb, permission.resource);
            match lose::<L>(&env, &namespace, &role, permission, number).await {
                Ok(reported) => progress(&format!("{what}: {reported}")),
                Err(error) => {
                    progress(&format!("{what}: FAILED {error:#}"));
                    failures.push(format!("{what}: {error:#}"));
                    give(&env, L::CONTROLLER, &role, permission, true).await?;
                }
            }
        }
        ensure!(failures.is_empty(), "{}", failures.join("\n"));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: `make faults`"]
async fn each_missing_permission_of_a_component_is_named() -> Result<()> {
    lose_each::<Component>("perm-comp").await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: `make faults`"]
async fn each_missing_permission_of_a_mesh_is_named() -> Result<()> {
    lose_each::<Mesh>("perm-mesh").await
}
