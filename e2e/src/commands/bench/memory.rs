//! The steps about memory.

use crate::commands::bench::report::Row;
use crate::commands::bench::run::Bench;
use crate::images::BINARIES;
use crate::scenarios::{FUNCTION, Fleet, restarts};
use crate::testing::controller::Controller;
use crate::testing::controller::Memory;
use crate::testing::many::each;
use anyhow::Result;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{Api, PostParams};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

/// Three times the Functions, for the slope.
const MORE: usize = 3;

impl Bench {
    /// Memory of the controllers, with no objects, with some, with more, and with objects of others.
    pub(super) async fn memory(&mut self) -> Result<()> {
        for name in BINARIES {
            let memory = self.base(name).await?;
            let text = format!("{} (highest {})", mib(memory.resident), mib(memory.highest));
            let row = Row::new(format!("memory of the {name} without objects"), text);
            let row = row.goal("<= 15 MiB", memory.resident <= 15 * 1024);
            self.add(if name == "function-controller" { row.go("46 MiB", "48 MiB") } else { row });
        }
        let (number, more) = (self.settings.number, self.settings.number * MORE);
        let some = self.with(number).await?;
        let many = self.with(more).await?;
        let row = |what: &str, of: &Taken| {
            let text = format!("{}, after a restart {}", mib(of.live.resident), mib(of.fresh.resident));
            Row::new(what, format!("{text} (highest {} and {})", mib(of.live.highest), mib(of.fresh.highest)))
        };
        self.add(
            row(&format!("memory with {number} Functions, created while it ran"), &some)
                .go("112 MiB", "115 MiB"),
        );
        self.add(
            row(&format!("memory with {more} Functions, created while it ran"), &many).go("", "229 MiB"),
        );
        for (what, first, last) in
            [("created while it ran", some.live, many.live), ("after a restart", some.fresh, many.fresh)]
        {
            let slope = slope(last.resident, first.resident, more - number);
            let what = format!("memory per Function ({number} to {more}), {what}");
            let row = Row::new(what, format!("{slope:.1} KiB")).goal("<= 12 KiB", slope <= 12.0);
            self.add(row.go("67 KiB (0 to 1000)", "58 KiB"));
        }
        self.foreign_objects().await
    }

    async fn base(&self, name: &str) -> Result<Memory> {
        let namespace = self.namespace(&format!("base-{name}")).await?;
        let controller = Controller::start(&self.env, name, &namespace).await?;
        controller.until_idle(&self.env).await?;
        let memory = controller.memory()?;
        drop(controller);
        self.delete_namespace(&namespace).await?;
        Ok(memory)
    }

    async fn with(&self, number: usize) -> Result<Taken> {
        let namespace = self.namespace(&format!("memory-{number}")).await?;
        let mut fleet = Fleet::start(&self.env, &namespace, &FUNCTION, number).await?;
        restarts::create(&fleet).await?;
        let live = settled(&fleet).await?;
        restarts::restart(&mut fleet).await?;
        let fresh = settled(&fleet).await?;
        drop(fleet);
        self.delete_namespace(&namespace).await?;
        Ok(Taken { live, fresh })
    }

    /// Objects of others beside ours: Secrets of 20 KiB, Pods and StatefulSets.
    async fn foreign_objects(&mut self) -> Result<()> {
        let (number, foreign) = (self.settings.number, 2 * self.settings.number);
        let namespace = self.namespace("foreign-objects").await?;
        let mut fleet = Fleet::start(&self.env, &namespace, &FUNCTION, number).await?;
        restarts::create(&fleet).await?;
        restarts::restart(&mut fleet).await?;
        let before = settled(&fleet).await?.resident;
        let names: Vec<String> = (0..foreign).map(|i| format!("foreign-{i}")).collect();
        let filling = "x".repeat(20 * 1024);
        let labels = json!({"app": "other"});
        let pod =
            json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
        self.fill::<Secret>(&namespace, &names, &json!({"stringData": {"filling": filling}})).await?;
        self.fill::<Pod>(&namespace, &names, &pod).await?;
        let set = json!({"spec": {"replicas": 0, "serviceName": "x", "selector": {"matchLabels": labels}, "template": pod}});
        self.fill::<StatefulSet>(&namespace, &names, &set).await?;
        fleet.controller.until_idle(&self.env).await?;
        let live = settled(&fleet).await?.resident;
        restarts::restart(&mut fleet).await?;
        let fresh = settled(&fleet).await?.resident;
        drop(fleet);
        self.delete_namespace(&namespace).await?;
        let grown = |to: u64| to.saturating_sub(before);
        let text = format!("+{} live, +{} after a restart", mib(grown(live)), mib(grown(fresh)));
        let met = grown(live.max(fresh)) <= 3 * 1024;
        self.add(
            Row::new(format!("{foreign} foreign Secrets (20 KiB), Pods and StatefulSets: memory"), text)
                .baseline("0")
                .goal("<= +3 MiB", met)
                .go("+93 MiB live, +206 MiB after a restart (without Pods)", ""),
        );
        Ok(())
    }

    async fn fill<K>(&self, namespace: &str, names: &[String], body: &serde_json::Value) -> Result<()>
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
        K: Clone + std::fmt::Debug + Serialize + DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.env.client.clone(), namespace);
        each(names, |name| {
            let (api, mut body) = (&api, body.clone());
            async move {
                if let Some(fields) = body.as_object_mut() {
                    let metadata = fields.entry("metadata").or_insert_with(|| json!({}));
                    if let Some(metadata) = metadata.as_object_mut() {
                        metadata.insert("name".to_owned(), json!(name));
                    }
                }
                api.create(&PostParams::default(), &serde_json::from_value(body)?).await?;
                Ok(())
            }
        })
        .await
    }
}

/// Memory after objects were created while the controller ran, and after a restart.
struct Taken {
    live: Memory,
    fresh: Memory,
}

/// Memory when nothing happens any more.
async fn settled(fleet: &Fleet) -> Result<Memory> {
    fleet.controller.until_idle(&fleet.env).await?;
    fleet.controller.memory()
}

#[allow(clippy::cast_precision_loss, reason = "small numbers")]
pub(super) fn mib(kib: u64) -> String {
    format!("{:.1} MiB", kib as f64 / 1024.0)
}

#[allow(clippy::cast_precision_loss, reason = "small numbers")]
fn slope(last: u64, first: u64, number: usize) -> f64 {
    last.saturating_sub(first) as f64 / number.max(1) as f64
}
