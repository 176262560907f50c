//! `make bench-large`: many objects, divided among shards, and an edit while all of them are rolled out.

use crate::commands::bench::memory::mib;
use crate::commands::bench::report::Row;
use crate::commands::bench::run::{Bench, each, seconds};
use crate::scenarios::{FUNCTION, Fleet, edits, restarts};
use crate::testing::{Audit, Controller, many};
use anyhow::{Result, ensure};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Shards that divide the objects.
const SHARDS: u64 = 3;
/// Edits while a `BackendConfig` is rolled out.
const EDITS: usize = 50;
const OTHERS: [&str; 3] = ["source-controller", "sink-controller", "mesh-controller"];

impl Bench {
    /// Everything that is not in the smaller benchmark.
    pub(super) async fn large(&mut self) -> Result<()> {
        self.many().await?;
        for components in [500, 1000] {
            self.mesh(components).await?;
        }
        Ok(())
    }

    async fn many(&mut self) -> Result<()> {
        let number = self.settings.number;
        let namespace = self.namespace("many").await?;
        let mut fleet = Fleet::start(&self.env, &namespace, &FUNCTION, number).await?;
        let mut others = Vec::new();
        for name in OTHERS {
            others.push(Controller::start(&self.env, name, &namespace).await?);
        }
        let empty = together(&fleet, &others).await?;
        let before = cpu(&others)?;
        let counts = restarts::create(&fleet).await?;
        let full = together(&fleet, &others).await?;
        let spent = (counts.cpu + cpu(&others)?.saturating_sub(before)).as_secs_f64();
        let per_thousand = spent * 1000.0 / as_f64(number);
        let children = counts.children.as_secs_f64() * 1000.0 / as_f64(number);
        self.add(
            Row::new(format!("{number} Functions created: requests each"), each(counts.direct(), number))
                .goal("3", counts.direct() == 3 * number),
        );
        self.add(Row::new(
            "... until every child exists",
            format!("{} ({children:.1} ms each)", seconds(counts.children)),
        ));
        self.add(
            Row::new("... CPU of the four controllers per 1000", format!("{per_thousand:.2} s"))
                .goal("<= 2.5 s", per_thousand <= 2.5),
        );
        let slope =
            |full: u64| anyhow::Ok(as_f64(usize::try_from(full.saturating_sub(empty))?) / as_f64(number));
        let text = format!("{} empty, {} then: {:.1} KiB each", mib(empty), mib(full), slope(full)?);
        self.add(Row::new("... memory of the four", text));
        pods(&fleet).await?;
        let full = together(&fleet, &others).await?;
        let with_pods = slope(full)?;
        let text = format!("{}: {with_pods:.1} KiB each", mib(full));
        self.add(Row::new("... with a pod each", text).goal("<= 8 KiB each", with_pods <= 8.0));
        drop(others);

        let counts = restarts::restart(&mut fleet).await?;
        let memory = fleet.controller.memory()?;
        let peak = as_f64(usize::try_from(memory.highest)?) / as_f64(usize::try_from(memory.resident)?);
        let text = format!(
            "{} writes; {} lists; {}; {} of CPU",
            counts.writes(),
            counts.verb("list"),
            seconds(counts.drained),
            seconds(counts.cpu)
        );
        let met = counts.writes() == 0 && counts.drained <= Duration::from_secs(10);
        self.add(
            Row::new("restart of the function-controller", text).goal("0 writes, quiet within 10 s", met),
        );
        let text = format!("{} (peak {}: {peak:.2} x)", mib(memory.resident), mib(memory.highest));
        self.add(Row::new("... its memory afterwards", text).goal("peak <= 1.2 x", peak <= 1.2));

        self.edits_during_a_fan_out(&fleet).await?;
        let whole = edits::image(&fleet, "example.com/image:whole").await?;
        let text = format!("{}; {} of CPU", each(whole.direct(), number), seconds(whole.cpu));
        self.add(
            Row::new("image of all: requests each", text)
                .goal("2", whole.direct() <= 2 * number + number / 10),
        );
        let memory = fleet.controller.memory()?.resident;
        self.shards(fleet, whole.cpu, memory).await?;
        self.delete_namespace(&namespace).await
    }

    /// A user changes single objects while a `BackendConfig` changes all.
    async fn edits_during_a_fan_out(&mut self, fleet: &Fleet) -> Result<()> {
        let mut times = Vec::new();
        let fan_out = edits::backend_config(fleet, "VARIABLE", "first");
        let edit = async {
            self.env
                .until("the first StatefulSet of the fan-out", || async {
                    let some = fleet.sets.list(&ListParams::default().limit(500)).await?;
                    let begun = |set: &StatefulSet| {
                        serde_json::to_string(set).is_ok_and(|text| text.contains("VARIABLE"))
                    };
                    ensure!(some.iter().any(begun), "not yet");
                    Ok(())
                })
                .await?;
            let step = (fleet.number() / EDITS).max(1);
            for name in fleet.names.iter().rev().step_by(step) {
                times.push(until_written(&self.env.client, fleet, name).await?);
            }
            anyhow::Ok(())
        };
        let (counts, edited) = tokio::join!(fan_out, edit);
        let (counts, ()) = (counts?, edited?);
        times.sort();
        let at = |share: usize| times.get((times.len() * share / 100).min(times.len() - 1)).copied();
        let (half, most) = (at(50).unwrap_or_default(), at(99).unwrap_or_default());
        let text =
            format!("p50 {} ms, p99 {} ms of {} edits", half.as_millis(), most.as_millis(), times.len());
        let row = Row::new("edit to write while a BackendConfig is rolled out to all", text);
        self.add(row.goal("p99 <= 2 s", most <= Duration::from_secs(2)));
        let requests = each(counts.direct(), fleet.number());
        self.add(Row::new(
            "... requests of the roll-out each",
            format!("{requests}; {} of CPU", seconds(counts.cpu)),
        ));
        Ok(())
    }

    /// The same objects with several shards.
    async fn shards(&mut self, mut fleet: Fleet, cpu: Duration, memory: u64) -> Result<()> {
        fleet.controller.kill();
        let mark = self.env.mark().await?;
        let watched = format!("--watched-namespace={}", fleet.namespace);
        let mut shards = Vec::new();
        for index in 0..SHARDS {
            let shard = format!("--shard={index}/{SHARDS}");
            let flags = [watched.as_str(), "--leader-elect=false", &shard];
            let controller = Controller::spawn(&self.env, "function-controller", &flags)?;
            controller.ready(&self.env).await?;
            shards.push(controller);
        }
        let quiet = async |shards: &[Controller]| -> Result<()> {
            let number = u64::try_from(fleet.number())?;
            self.env
                .until("a look at all objects", || async {
                    let seen: u64 = shards.iter().filter_map(|shard| shard.reconciles().ok()).sum();
                    ensure!(seen >= number, "{seen}");
                    Ok(())
                })
                .await?;
            for shard in shards {
                shard.until_idle(&self.env).await?;
            }
            Ok(())
        };
        quiet(&shards).await?;
        let start = by_shard(&shards)?;
        let at_start =
            self.env.audit_since(&mark)?.within(&fleet.namespace).writes().by_any("function-controller");
        edits::want_image(&fleet, "example.com/image:shards").await?;
        edits::until_image(&fleet, "example.com/image:shards").await?;
        fleet.until_ready().await?;
        quiet(&shards).await?;
        let end = by_shard(&shards)?;
        let audit =
            self.env.audit_since(&mark)?.within(&fleet.namespace).writes().by_any("function-controller");
        let twice = with_two_writers(&audit);
        let (mut most_cpu, mut most_memory) = (Duration::ZERO, 0);
        for ((_, before), (memory, after)) in start.iter().zip(&end) {
            most_cpu = most_cpu.max(after.saturating_sub(*before));
            most_memory = most_memory.max(*memory);
        }
        let (of_cpu, of_memory) = (
            100.0 * most_cpu.as_secs_f64() / cpu.as_secs_f64(),
            100.0 * as_f64(usize::try_from(most_memory)?) / as_f64(usize::try_from(memory)?),
        );
        let number = at_start.requests().len();
        self.add(
            Row::new(format!("{SHARDS} shards instead of one: writes"), number.to_string())
                .goal("0", number == 0),
        );
        self.add(
            Row::new("... image of all: objects with two writers", twice.to_string()).goal("0", twice == 0),
        );
        let text = format!("{of_cpu:.0} % ({})", seconds(most_cpu));
        self.add(
            Row::new("... CPU of the busiest shard", text).goal("<= 40 % of one process", of_cpu <= 40.0),
        );
        let text = format!("{of_memory:.0} % ({})", mib(most_memory));
        self.add(
            Row::new("... memory of the largest shard", text)
                .goal("<= 40 % of one process", of_memory <= 40.0),
        );
        Ok(())
    }
}

/// Number of Functions whose status two users wrote.
fn with_two_writers(audit: &Audit) -> usize {
    let mut first: BTreeMap<&str, &str> = BTreeMap::new();
    let statuses = audit.requests().iter().filter(|request| request.resource() == "functions/status");
    statuses
        .filter(|request| *first.entry(request.name()).or_insert(request.user()) != request.user())
        .count()
}

/// Memory and CPU time so far of each.
fn by_shard(shards: &[Controller]) -> Result<Vec<(u64, Duration)>> {
    shards.iter().map(|shard| Ok((shard.memory()?.resident, shard.cpu()?))).collect()
}

/// Resident memory of all controllers, idle.
async fn together(fleet: &Fleet, others: &[Controller]) -> Result<u64> {
    let mut sum = 0;
    for controller in std::iter::once(&fleet.controller).chain(others) {
        controller.until_idle(&fleet.env).await?;
        sum += controller.memory()?.resident;
    }
    Ok(sum)
}

fn cpu(controllers: &[Controller]) -> Result<Duration> {
    controllers.iter().map(Controller::cpu).sum()
}

/// Creates the pod of each StatefulSet, as it is when it runs.
async fn pods(fleet: &Fleet) -> Result<()> {
    let api: Api<Pod> = Api::namespaced(fleet.env.client.clone(), &fleet.namespace);
    many::each(&fleet.names, |name| {
        let api = &api;
        async move {
            let set = fleet.sets.get(&format!("{name}-function")).await?.spec.template;
            let (labels, name) = (set.metadata.and_then(|m| m.labels), format!("{name}-function-0"));
            let pod = serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}, "spec": set.spec}))?;
            api.create(&PostParams::default(), &pod).await?;
            let condition = |type_: &str| json!({"type": type_, "status": "True"});
            let conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map(condition);
            let status = json!({"status": {"phase": "Running", "startTime": "2026-01-01T00:00:00Z",
                "conditions": conditions,
                "containerStatuses": [{"name": "pulsar-function", "image": "i", "imageID": "i", "ready": true, "started": true,
                    "restartCount": 0, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}]}});
            api.patch_status(&name, &PatchParams::default(), &Patch::Merge(&status)).await?;
            Ok(())
        }
    })
    .await
}

/// Changes the image of an object, and returns the time until its StatefulSet has it.
async fn until_written(client: &kube::Client, fleet: &Fleet, name: &str) -> Result<Duration> {
    let image = format!("example.com/image:{name}");
    let set = format!("{name}-function");
    let sets: Api<StatefulSet> = Api::namespaced(client.clone(), &fleet.namespace);
    let started = Instant::now();
    let patch = serde_json::json!({"spec": {"image": image}});
    crate::testing::objects::merge(&fleet.objects, name, patch).await?;
    loop {
        let current = serde_json::to_string(&sets.get(&set).await?)?;
        if current.contains(&image) {
            return Ok(started.elapsed());
        }
        ensure!(started.elapsed() < fleet.env.timeout(), "{set} does not get {image}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[allow(clippy::cast_precision_loss, reason = "small numbers")]
pub(super) fn as_f64(number: usize) -> f64 {
    number as f64
}
