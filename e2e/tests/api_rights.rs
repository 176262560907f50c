//! Each right of a controller is taken away while it works (docs/reliability.md, T17): something that a person looks at names
//! it, nothing is asked for in a hurry, and with the right all goes on. On an API server of its own.

use anyhow::{Context, Result, bail, ensure};
use e2e::cluster::ApiOnly;
use e2e::scenario::fleet::FUNCTION;
use e2e::shell::say;
use e2e::testing::acker::Acker;
use e2e::testing::objects::{AVAILABLE, api, condition, create, merge, until_ready};
use e2e::testing::{Child, Controller, Rig};
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use std::time::Duration;

const ROLE: &str = "function-mesh-function-controller";
/// At most so many requests that are refused, in a look.
const REFUSED: usize = 12;
const LOOK: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
struct Right {
    group: String,
    resource: String,
    verb: String,
}

fn rights(role: &ClusterRole) -> Vec<Right> {
    let mut all = Vec::new();
    for rule in role.rules.iter().flatten() {
        for group in rule.api_groups.iter().flatten() {
            for resource in rule.resources.iter().flatten() {
                let right = |verb: &String| Right {
                    group: group.clone(),
                    resource: resource.clone(),
                    verb: verb.clone(),
                };
                all.extend(rule.verbs.iter().map(right));
            }
        }
    }
    all
}

fn without(role: &ClusterRole, right: &Right) -> ClusterRole {
    let mut less = role.clone();
    for rule in less.rules.iter_mut().flatten() {
        let about = |list: &Option<Vec<String>>, one: &String| list.iter().flatten().any(|it| it == one);
        if about(&rule.api_groups, &right.group) && about(&rule.resources, &right.resource) {
            rule.verbs.retain(|verb| *verb != right.verb);
        }
    }
    less.rules.iter_mut().for_each(|rules| rules.retain(|rule| !rule.verbs.is_empty()));
    less
}

/// Gives the controller a role, and waits until the API server knows whether that has a right.
async fn give(rig: &Rig, role: &ClusterRole, right: &Right, has: bool) -> Result<()> {
    let roles: Api<ClusterRole> = Api::all(rig.client.clone());
    roles.patch(ROLE, &PatchParams::default(), &Patch::Merge(json!({"rules": role.rules}))).await?;
    let reviews: Api<SubjectAccessReview> = Api::all(rig.client.clone());
    let (resource, sub) = right.resource.split_once('/').unwrap_or((&right.resource, ""));
    let review: SubjectAccessReview = serde_json::from_value(json!({"spec": {
        "user": "somebody", "groups": ["function-controller"], "resourceAttributes": {
            "group": right.group, "resource": resource, "subresource": sub, "verb": right.verb, "namespace": "x"}}}))?;
    rig.until("the right", || async {
        let status = reviews.create(&PostParams::default(), &review).await?.status.context("no answer")?;
        ensure!(status.allowed == has, "{}: {}", status.allowed, status.reason.unwrap_or_default());
        Ok(())
    })
    .await
}

/// The life of an object with everything that a Function may own.
struct Life {
    rig: Rig,
    namespace: String,
    objects: Api<DynamicObject>,
    name: String,
}

impl Life {
    fn spec() -> Value {
        let mut spec = FUNCTION.spec();
        if let Some(spec) = spec.as_object_mut() {
            spec.insert("maxReplicas".to_owned(), json!(3));
            spec.insert("cleanupSubscription".to_owned(), json!(true));
        }
        spec
    }

    async fn ready(&self) -> Result<()> {
        let (status, reason, message) = condition(&self.objects, &self.name, "Ready").await?;
        ensure!((status.as_str(), reason.as_str()) == AVAILABLE, "{status} {reason}: {message}");
        Ok(())
    }

    async fn no_autoscaler(&self) -> Result<()> {
        let set = format!("{}-function", self.name);
        let child = Child::of(&self.rig, &self.namespace, "HorizontalPodAutoscaler", &set)?;
        ensure!(child.api.get_opt(&set).await?.is_none(), "the autoscaler is there");
        Ok(())
    }

    async fn gone(&self) -> Result<()> {
        // What the Job controller does, which is not there.
        let jobs = Child::of(&self.rig, &self.namespace, "Job", "")?.api;
        let time = "2026-01-01T00:00:00Z";
        let done = |type_: &str| {
            json!({"type": type_, "status": "True", "reason": "CompletionsReached",
            "message": "", "lastProbeTime": time, "lastTransitionTime": time})
        };
        for job in jobs.list(&<_>::default()).await? {
            let status = json!({"status": {"startTime": time, "completionTime": time, "succeeded": 1,
                "conditions": [done("SuccessCriteriaMet"), done("Complete")]}});
            let name = job.metadata.name.unwrap_or_default();
            // It may be complete already.
            drop(jobs.patch_status(&name, &PatchParams::default(), &Patch::Merge(status)).await);
        }
        match self.objects.get_opt(&self.name).await? {
            None => Ok(()),
            Some(object) => bail!("it is there: {:?}", object.data.get("status")),
        }
    }
}

/// Waits for the end of a step, or until something is refused.
async fn step<F: Future<Output = Result<()>>>(
    rig: &Rig,
    refused: impl Fn() -> Result<usize>,
    attempt: impl Fn() -> F,
) -> Result<bool> {
    rig.until("a step or a refusal", || async {
        if refused()? > 0 {
            return Ok(true);
        }
        attempt().await.map(|()| false)
    })
    .await
}

async fn lose(
    rig: &Rig,
    namespace: &str,
    role: &ClusterRole,
    right: &Right,
    number: usize,
) -> Result<&'static str> {
    give(rig, &without(role, right), right, false).await?;
    let mark = rig.mark().await?;
    let watched = format!("--watched-namespace={namespace}");
    let controller = Controller::spawn(rig, FUNCTION.controller, &[&watched, "--leader-elect=false"])?;
    let life = Life {
        rig: rig.clone(),
        namespace: namespace.to_owned(),
        objects: api(rig, namespace, FUNCTION.kind, FUNCTION.plural),
        name: format!("r{number}"),
    };
    let refused = || {
        let ours = rig.audit_since(&mark)?.by(&controller.user);
        Ok(ours.only(|r| r.code() == 403).requests().len())
    };
    create(&life.objects, FUNCTION.kind, &life.name, &Life::spec()).await?;
    let mut trouble = step(rig, refused, || life.ready()).await?;
    if !trouble {
        merge(&life.objects, &life.name, json!({"spec": {"maxReplicas": null}})).await?;
        trouble = step(rig, refused, || life.no_autoscaler()).await?;
    }
    if !trouble {
        life.objects.delete(&life.name, &DeleteParams::default()).await?;
        trouble = step(rig, refused, || life.gone()).await?;
    }
    if trouble {
        // Where a person looks: the object, then the readiness of the controller, then its log.
        let words = [format!("cannot {} resource", right.verb), format!("\"{}\"", right.resource)];
        let named = |text: &str| words.iter().all(|word| text.replace('\\', "").contains(word.as_str()));
        rig.until("word of the right", || async {
            let object = life.objects.get_opt(&life.name).await?.map(|object| object.data.to_string());
            let ready = controller.get("readyz").err().map(|error| format!("{error:#}"));
            let told = object.is_some_and(|text| named(&text)) || ready.is_some_and(|text| named(&text));
            ensure!(told || named(&controller.log()?), "nobody says {words:?}");
            Ok(())
        })
        .await?;
        let before = refused()?;
        tokio::time::sleep(LOOK).await;
        let tries = refused()? - before;
        ensure!(tries <= REFUSED, "{tries} refused requests in {LOOK:?}");
    }
    give(rig, role, right, true).await?;
    let back = || async {
        if life.objects.get_opt(&life.name).await?.is_some_and(|o| o.metadata.deletion_timestamp.is_none()) {
            // Whatever it was, a new generation is tried at once.
            merge(
                &life.objects,
                &life.name,
                json!({"spec": {"image": "example.com/image:back", "maxReplicas": null}}),
            )
            .await?;
            controller.ready(rig).await?;
            until_ready(rig, &life.objects, &life.name, AVAILABLE).await?;
            life.objects.delete(&life.name, &DeleteParams::default()).await?;
        }
        rig.until("the end of the object", || life.gone()).await
    };
    back().await.context("with the right again")?;
    Ok(if trouble { "named" } else { "not needed" })
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: `make faults`"]
async fn each_right_that_is_missing_is_named() -> Result<()> {
    let server = ApiOnly::up("rights")?;
    let rig = Rig::alone(&server).await?;
    rig.test("rights", |rig, namespace| async move {
        let _acker = Acker::start(&rig, &namespace);
        let roles: Api<ClusterRole> = Api::all(rig.client.clone());
        let role = roles.get(ROLE).await?;
        let mut failures = Vec::new();
        for (number, right) in rights(&role).iter().enumerate() {
            let what = format!("{} {}", right.verb, right.resource);
            match lose(&rig, &namespace, &role, right, number).await {
                Ok(told) => say(&format!("{what}: {told}")),
                Err(error) => {
                    say(&format!("{what}: FAILED {error:#}"));
                    failures.push(format!("{what}: {error:#}"));
                    give(&rig, &role, right, true).await?;
                }
            }
        }
        ensure!(failures.is_empty(), "{}", failures.join("\n"));
        Ok(())
    })
    .await
}
