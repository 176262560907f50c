//! Changes by other clients to the children of a component: reverted once and reported once; foreign objects stay unchanged.

use anyhow::{Context, Result, ensure};
use e2e::testing::children::{Child, repairs};
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{AVAILABLE, condition, create, function_spec, functions, merge, until_ready};
use e2e::testing::{Controller, TestEnv, vertical};
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams, PropagationPolicy};
use serde_json::{Value, json};

const COMPONENT: &str = "compute.functionmesh.io/component";
const NAME: &str = "compute.functionmesh.io/name";

/// A change of a child, and the Event of its repair.
struct Drift {
    name: &'static str,
    action: &'static str,
    reported: &'static str,
}

const DRIFTS: [Drift; 5] = [
    Drift { name: "edited", action: "RepairEdited", reported: "Reverted changes made to" },
    Drift { name: "without its owner", action: "RepairOwner", reported: "Restored the owner reference of" },
    Drift { name: "without a label", action: "RepairLabel", reported: "Restored labels of" },
    // Invisible to a watch by this label: treated as deleted, except for a StatefulSet, which is read.
    Drift { name: "without the label of the watch", action: "RepairDeleted", reported: COMPONENT },
    Drift { name: "deleted", action: "RepairDeleted", reported: "was deleted" },
];

impl Drift {
    /// The expected Event: an invisible StatefulSet is read first, because a pending rollout must not be applied.
    fn expected(&self, child: &Child) -> &Self {
        let [.., label, unseen, _] = &DRIFTS;
        if child.kind == "StatefulSet" && self.name == unseen.name { label } else { self }
    }

    fn action(&self, child: &Child) -> &'static str {
        self.expected(child).action
    }

    fn reported(&self, child: &Child) -> &'static str {
        self.expected(child).reported
    }

    async fn happen(&self, child: &Child) -> Result<()> {
        let label = |key: &str| json!({"metadata": {"labels": {key: null}}});
        let patch = match self.name {
            "edited" => match child.kind {
                "StatefulSet" => json!({"spec": {"minReadySeconds": 3}}),
                "Service" => json!({"spec": {"selector": {"name": "other"}}}),
                "HorizontalPodAutoscaler" => json!({"spec": {"maxReplicas": 9}}),
                _ => json!({"spec": {"updatePolicy": {"updateMode": "Off"}}}),
            },
            "without its owner" => json!({"metadata": {"ownerReferences": null}}),
            "without a label" => label(NAME),
            "without the label of the watch" => label(COMPONENT),
            _ => return child.delete().await,
        };
        child.patch(&patch).await
    }
}

/// A child of each kind, of the object that owns it, as the controller created it. One object cannot have both autoscalers.
struct Intact {
    owner: &'static str,
    child: Child,
    state: Value,
}

impl Intact {
    async fn until_repaired(&self, env: &TestEnv, drift: &Drift) -> Result<()> {
        let what = format!("{} {} again", self.child.kind, drift.name);
        env.until(&what, || async {
            let now = self.child.state().await?;
            ensure!(now == self.state, "{now}");
            Ok(())
        })
        .await
    }

    /// Number and last message of the Events about one kind of repair.
    async fn reported(&self, env: &TestEnv, namespace: &str, drift: &Drift) -> Result<(usize, String)> {
        let key = format!("{} {} {}", self.child.kind, self.child.name, drift.action(&self.child));
        Ok(repairs(env, namespace, self.owner).await?.remove(&key).unwrap_or_default())
    }
}

async fn prepared(env: &TestEnv, namespace: &str) -> Result<Vec<Intact>> {
    let api = functions(env, namespace);
    let (mut horizontal, mut vertical) = (function_spec(), function_spec());
    horizontal["maxReplicas"] = json!(5);
    vertical["pod"] = json!({"vpa": {"updatePolicy": {"updateMode": "Auto"}}});
    create(&api, "Function", "h", &horizontal).await?;
    create(&api, "Function", "v", &vertical).await?;
    let children = [
        ("h", "StatefulSet", "h-function"),
        ("h", "Service", "h-function-headless"),
        ("h", "HorizontalPodAutoscaler", "h-function"),
        ("v", "VerticalPodAutoscaler", "v-function"),
    ];
    let mut sound = Vec::new();
    for owner in ["h", "v"] {
        until_ready(env, &api, owner, AVAILABLE).await?;
    }
    for (owner, kind, name) in children {
        let child = Child::of(env, namespace, kind, name)?;
        let state = env.until("child", || child.state()).await?;
        ensure!(repairs(env, namespace, owner).await?.is_empty(), "making {kind} is no repair");
        sound.push(Intact { owner, child, state });
    }
    Ok(sound)
}

/// Waits until both objects were reconciled after an edit that changes nothing, and everything before it as well.
async fn settled(env: &TestEnv, controller: &Controller, namespace: &str, mark: &str) -> Result<()> {
    let before = controller.metric("function_mesh_reconciles_total")?;
    for name in ["h", "v"] {
        let edit = json!({"metadata": {"annotations": {"mark": mark}}});
        merge(&functions(env, namespace), name, edit).await?;
    }
    controller.reconciled(env, before + 2).await
}

/// A new process finds nothing to do.
async fn nothing_after_a_restart(env: &TestEnv, controller: Controller, namespace: &str) -> Result<()> {
    controller.signal("TERM")?;
    let successor = Controller::start(env, "function-controller", namespace).await?;
    settled(env, &successor, namespace, "successor").await?;
    let writes = env.audit()?.by(&successor.user).writes();
    ensure!(writes.requests().is_empty(), "writes after a restart: {:?}", writes.counts());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_child_is_repaired_once_and_reported_once() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    let test = env.test("drifting", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        let children = prepared(&env, &namespace).await?;
        let writes = |child: &Child| -> Result<usize> {
            Ok(env.audit()?.by(&controller.user).writes_to(child.resource, &child.name))
        };
        for sound in &children {
            for drift in &DRIFTS {
                let before = (writes(&sound.child)?, sound.reported(&env, &namespace, drift).await?.0);
                drift.happen(&sound.child).await?;
                sound.until_repaired(&env, drift).await?;
                settled(&env, &controller, &namespace, &format!("{} {}", sound.child.kind, drift.name))
                    .await?;
                let (times, message) = sound.reported(&env, &namespace, drift).await?;
                let what = format!("{} {}: {message}", sound.child.kind, drift.name);
                ensure!((writes(&sound.child)?, times) == (before.0 + 1, before.1 + 1), "{what}");
                let child = format!("{} {}", sound.child.kind, sound.child.name);
                ensure!(message.contains(&child) && message.contains(drift.reported(&sound.child)), "{what}");
            }
        }
        // In total: no child was written twice for one change, and nothing is left to do.
        settled(&env, &controller, &namespace, "end").await?;
        let audit = env.audit()?.by(&controller.user);
        for sound in &children {
            let written = audit.writes_to(sound.child.resource, &sound.child.name);
            ensure!(written == 1 + DRIFTS.len(), "{} writes to {}", written, sound.child.kind);
        }
        let refused = audit.writes().refused();
        ensure!(refused.requests().is_empty(), "refused: {:?}", refused.counts());
        nothing_after_a_restart(&env, controller, &namespace).await
    });
    Box::pin(vertical::during(&env, test)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_while_no_controller_runs_are_repaired_once() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    let test = env.test("driftdown", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let mut controller = Controller::start(&env, "function-controller", &namespace).await?;
        let children = prepared(&env, &namespace).await?;
        let mut reported = Vec::new();
        for drift in &DRIFTS {
            settled(&env, &controller, &namespace, &format!("before {}", drift.name)).await?;
            controller.signal("TERM")?;
            reported.clear();
            for sound in &children {
                reported.push(sound.reported(&env, &namespace, drift).await?.0);
                drift.happen(&sound.child).await?;
            }
            controller = Controller::start(&env, "function-controller", &namespace).await?;
            for sound in &children {
                sound.until_repaired(&env, drift).await?;
            }
            settled(&env, &controller, &namespace, drift.name).await?;
            let audit = env.audit()?.by(&controller.user);
            let mut events = 0;
            for (sound, before) in children.iter().zip(&reported) {
                let (times, message) = sound.reported(&env, &namespace, drift).await?;
                let what = format!("{} {}: {message}", sound.child.kind, drift.name);
                ensure!(audit.writes_to(sound.child.resource, &sound.child.name) == 1, "{what}");
                ensure!(times == before + 1 && message.contains(drift.reported(&sound.child)), "{what}");
                events += 1;
            }
            ensure!(events == 4, "{events} Events");
            let others = audit.writes().only(|r| r.resource() != "functions/status");
            ensure!(others.requests().len() == 4, "{}: {:?}", drift.name, others.counts());
        }
        nothing_after_a_restart(&env, controller, &namespace).await
    });
    Box::pin(vertical::during(&env, test)).await
}

/// `kubectl delete --cascade=orphan` and the same object again: there is no conflict, and nothing is deleted. The pods are
/// started with the uid of their function, so they are replaced in turn.
#[tokio::test(flavor = "multi_thread")]
async fn orphaned_children_are_adopted() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("orphans", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        let api = functions(&env, &namespace);
        create(&api, "Function", "f", &function_spec()).await?;
        until_ready(&env, &api, "f", AVAILABLE).await?;
        let set = Child::of(&env, &namespace, "StatefulSet", "f-function")?;
        let service = Child::of(&env, &namespace, "Service", "f-function-headless")?;
        let uid = set.api.get(&set.name).await?.metadata.uid;
        let orphan =
            DeleteParams { propagation_policy: Some(PropagationPolicy::Orphan), ..DeleteParams::default() };
        api.delete("f", &orphan).await?;
        env.until("end of the function", || async {
            ensure!(api.get_opt("f").await?.is_none(), "still there");
            Ok(())
        })
        .await?;
        create(&api, "Function", "f", &function_spec()).await?;
        until_ready(&env, &api, "f", AVAILABLE).await?;
        let now = set.api.get(&set.name).await?;
        ensure!(now.metadata.uid == uid, "the StatefulSet was recreated");
        ensure!(now.metadata.generation == Some(2), "generation {:?}", now.metadata.generation);
        let owner = now.metadata.owner_references.unwrap_or_default();
        ensure!(owner.len() == 1 && Some(&owner[0].uid) == api.get("f").await?.metadata.uid.as_ref());
        let audit = env.audit()?.by(&controller.user);
        for child in [&set, &service] {
            let writes = audit.writes_to(child.resource, &child.name);
            ensure!(writes == 2, "{writes} writes to {}", child.kind);
            let key = format!("{} {} RepairOwner", child.kind, child.name);
            let reported = repairs(&env, &namespace, "f").await?.remove(&key).unwrap_or_default().0;
            ensure!(reported == 1, "{reported} Events of {key}");
        }
        Ok(())
    })
    .await
}

/// A foreign object with the name of a child, visible to the watches or not.
fn foreign(child: &Child, labels: &Value) -> Result<DynamicObject> {
    let pods =
        json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let spec = match child.kind {
        "StatefulSet" => {
            json!({"serviceName": "x", "selector": {"matchLabels": {"a": "b"}}, "template": pods})
        }
        "Service" => json!({"selector": {"a": "b"}, "ports": [{"port": 1}]}),
        "HorizontalPodAutoscaler" => json!({"maxReplicas": 2,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "x"}}),
        "VerticalPodAutoscaler" => {
            json!({"targetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "x"}})
        }
        _ => {
            json!({"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}})
        }
    };
    let types = child.api.resource_url();
    let version = match child.kind {
        "StatefulSet" => "apps/v1",
        "Service" => "v1",
        "HorizontalPodAutoscaler" => "autoscaling/v2",
        "VerticalPodAutoscaler" => "autoscaling.k8s.io/v1",
        _ => "batch/v1",
    };
    let object = json!({"apiVersion": version, "kind": child.kind,
        "metadata": {"name": child.name, "labels": labels}, "spec": spec});
    serde_json::from_value(object).with_context(|| types.to_owned())
}

/// Waits until a condition of the newest generation names the conflicting object: `Ready` if the pods wait for it,
/// `ReconcileFailed` if they do not.
async fn until_in_the_way(env: &TestEnv, api: &Api<DynamicObject>, name: &str) -> Result<String> {
    env.until(&format!("the conflict of {name}"), || async {
        for type_ in ["Ready", "ReconcileFailed"] {
            if let Ok((_, reason, message)) = condition(api, name, type_).await
                && reason == "NameConflict"
            {
                return Ok(message);
            }
        }
        anyhow::bail!("not reported")
    })
    .await
}

/// Without the operator's labels, with them, and with them applied by another field manager.
#[tokio::test(flavor = "multi_thread")]
async fn foreign_objects_are_never_touched() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    let test = env.test("foreign", |env, namespace| async move {
        // No pods are reported: every byte of these objects stays.
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        let api = functions(&env, &namespace);
        let kinds = ["StatefulSet", "Service", "HorizontalPodAutoscaler", "VerticalPodAutoscaler"];
        let mut there = Vec::new();
        for (number, kind) in kinds.iter().enumerate() {
            for how in ["unseen", "labelled", "applied"] {
                let owner = format!("{how}{number}");
                let suffix = if *kind == "Service" { "-headless" } else { "" };
                let child = Child::of(&env, &namespace, kind, &format!("{owner}-function{suffix}"))?;
                let labels =
                    if how == "unseen" { json!({}) } else { json!({COMPONENT: "function", NAME: owner}) };
                let object = foreign(&child, &labels)?;
                if how == "applied" {
                    let parameters = PatchParams::apply("another-manager");
                    child.api.patch(&child.name, &parameters, &Patch::Apply(&object)).await?;
                } else {
                    child.api.create(&PostParams::default(), &object).await?;
                }
                there.push((owner, child));
            }
        }
        let mut before = Vec::new();
        for (_, child) in &there {
            before.push(child.whole().await?);
        }
        for (owner, child) in &there {
            let mut spec = function_spec();
            match child.kind {
                "HorizontalPodAutoscaler" => spec["maxReplicas"] = json!(3),
                "VerticalPodAutoscaler" => spec["pod"] = json!({"vpa": {}}),
                _ => {}
            }
            create(&api, "Function", owner, &spec).await?;
        }
        for (owner, child) in &there {
            let message = until_in_the_way(&env, &api, owner).await?;
            ensure!(message.contains(&format!("{} {} exists", child.kind, child.name)), "{message}");
        }
        // An edit triggers each of them once more.
        for (owner, _) in &there {
            merge(&api, owner, json!({"spec": {"image": "example.com/image:2"}})).await?;
        }
        for (owner, _) in &there {
            until_in_the_way(&env, &api, owner).await?;
        }
        let audit = env.audit()?.by(&controller.user);
        for ((owner, child), before) in there.iter().zip(before) {
            let now = child.whole().await?;
            ensure!(now == before, "{} of {owner} was changed: {before} is now {now}", child.kind);
            let writes = audit.writes_to(child.resource, &child.name);
            ensure!(writes == 0, "{writes} writes to {} of {owner}", child.kind);
            ensure!(repairs(&env, &namespace, owner).await?.is_empty(), "Events about repairs of {owner}");
        }
        Ok(())
    });
    Box::pin(vertical::during(&env, test)).await
}

/// The cleanup has no other name for its Job: it reports the conflict and waits, and releases the object on request.
#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_job_is_never_touched() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("foreignjob", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        let api: Api<DynamicObject> = functions(&env, &namespace);
        let job = Child::of(&env, &namespace, "Job", "f-function-cleanup")?;
        job.api.create(&PostParams::default(), &foreign(&job, &json!({}))?).await?;
        let before = job.whole().await?;
        let mut spec = function_spec();
        spec["cleanupSubscription"] = json!(true);
        create(&api, "Function", "f", &spec).await?;
        until_ready(&env, &api, "f", AVAILABLE).await?;
        api.delete("f", &DeleteParams::default()).await?;
        env.until("what is in the way", || async {
            let (status, _, message) = condition(&api, "f", "CleanupPending").await?;
            ensure!(status == "True" && message.contains("Job f-function-cleanup exists"), "{message}");
            Ok(())
        })
        .await?;
        let skip = json!({"metadata": {"annotations": {"compute.functionmesh.io/need-cleanup": "false"}}});
        merge(&api, "f", skip).await?;
        env.until("end of the function", || async {
            ensure!(api.get_opt("f").await?.is_none(), "still there");
            Ok(())
        })
        .await?;
        ensure!(job.whole().await? == before, "the Job was changed");
        ensure!(env.audit()?.by(&controller.user).writes_to("jobs", &job.name) == 0, "the Job was written");
        Ok(())
    })
    .await
}
