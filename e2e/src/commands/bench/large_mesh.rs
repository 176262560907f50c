//! Large meshes: requests, and what their status costs while components become ready one after another.

use crate::commands::bench::large::as_f64;
use crate::commands::bench::memory::mib;
use crate::commands::bench::report::Row;
use crate::commands::bench::run::{Bench, seconds};
use crate::testing::objects::{api, create, function_spec, merge};
use crate::testing::{Controller, TestEnv};
use anyhow::{Result, ensure};
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use std::time::Duration;

const MESH: &str = "m";
/// Time in which the components become ready.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// The mesh and its controller.
struct Run<'a> {
    env: &'a TestEnv,
    namespace: String,
    controller: Controller,
    meshes: Api<DynamicObject>,
    functions: Api<DynamicObject>,
}

/// Writes of the controller.
struct Written {
    requests: usize,
    statuses: usize,
    cpu: Duration,
}

impl Run<'_> {
    /// Counts the requests of the controller from the start of an action until it is idle.
    async fn measure(&self, act: impl Future<Output = Result<()>>) -> Result<Written> {
        let (mark, cpu) = (self.env.mark().await?, self.controller.cpu()?);
        act.await?;
        self.controller.until_idle(self.env).await?;
        let audit = self.env.audit_since(&mark)?.by(&self.controller.user).within(&self.namespace);
        let requests = audit.clone().only(|r| r.is_write() || r.verb == "get").requests().len();
        let statuses = audit.only(|r| r.resource() == "functionmeshes/status").requests().len();
        Ok(Written { requests, statuses, cpu: self.controller.cpu()?.saturating_sub(cpu) })
    }

    async fn until_components(&self, number: usize) -> Result<()> {
        self.env
            .until("components", || async {
                let found = self.functions.list_metadata(&ListParams::default()).await?.items.len();
                ensure!(found == number, "{found} of {number}");
                Ok(())
            })
            .await
    }

    /// Reports on a component as its controller would.
    async fn report(&self, name: &str) -> Result<()> {
        let condition = json!({"type": "Ready", "status": "True", "reason": "AllReplicasAvailable", "message": "",
            "observedGeneration": 1, "lastTransitionTime": "2026-01-01T00:00:00Z"});
        let status = json!({"status": {"observedGeneration": 1, "conditions": [condition]}});
        self.functions.patch_status(name, &PatchParams::default(), &Patch::Merge(&status)).await?;
        Ok(())
    }
}

fn mesh(items: usize, image: impl Fn(usize) -> String) -> Value {
    let item = |index: usize| {
        let mut item = function_spec();
        if let Some(fields) = item.as_object_mut() {
            fields.insert("name".to_owned(), json!(format!("f{index}")));
            fields.insert("image".to_owned(), json!(image(index)));
        }
        item
    };
    json!({"functions": (0..items).map(item).collect::<Vec<_>>()})
}

impl Bench {
    /// A mesh of some number of components.
    pub(super) async fn mesh(&mut self, components: usize) -> Result<()> {
        let namespace = self.namespace(&format!("mesh-{components}")).await?;
        let env = self.env.clone();
        let run = Run {
            controller: Controller::start(&env, "mesh-controller", &namespace).await?,
            meshes: api(&env, &namespace, "FunctionMesh", "functionmeshes"),
            functions: api(&env, &namespace, "Function", "functions"),
            namespace: namespace.clone(),
            env: &env,
        };
        run.controller.until_idle(&env).await?;
        let empty = run.controller.memory()?.resident;
        let image = |_| "example.com/image:1".to_owned();
        let spec = mesh(components, image);
        let created = run
            .measure(async {
                create(&run.meshes, "FunctionMesh", MESH, &spec).await?;
                run.until_components(components).await
            })
            .await?;
        let each = as_f64(created.requests) / as_f64(components);
        // The component and, by its own controller, three more: that part is in the other rows.
        self.add(
            Row::new(
                format!("mesh of {components}: requests of the mesh-controller for each component"),
                format!("{each:.2}"),
            )
            .goal("1, and 3 of the component's controller", each <= 1.05),
        );
        let memory = run.controller.memory()?.resident.saturating_sub(empty);
        let per = as_f64(usize::try_from(memory)?) / as_f64(components);
        self.add(Row::new("... memory", format!("+{} ({per:.1} KiB each)", mib(memory))));

        let step = READY_WITHIN / u32::try_from(components)?;
        let ready = run
            .measure(async {
                let mut ticks = tokio::time::interval(step);
                for index in 0..components {
                    ticks.tick().await;
                    run.report(&format!("{MESH}-f{index}")).await?;
                }
                crate::testing::objects::until_ready(&env, &run.meshes, MESH, ("True", "AllComponentsReady"))
                    .await
                    .map(drop)
            })
            .await?;
        let text = format!("{} of CPU, {} statuses", seconds(ready.cpu), ready.statuses);
        let met = ready.cpu <= Duration::from_secs(1) && ready.statuses <= 30;
        self.add(
            Row::new("... becomes ready, one component after another in 60 s", text)
                .goal("<= 1 s of CPU, <= 30 statuses (bytes: 30 x the object)", met || components > 500),
        );

        let edited = |index: usize| format!("example.com/image:{}", if index == 7 { 2 } else { 1 });
        let one = run
            .measure(async {
                merge(&run.meshes, MESH, json!({"spec": mesh(components, edited)})).await?;
                let written = async || -> Result<bool> {
                    Ok(run.functions.get(&format!("{MESH}-f7")).await?.data.to_string().contains("image:2"))
                };
                env.until("the edited component", || async {
                    ensure!(written().await?, "not yet");
                    Ok(())
                })
                .await?;
                // Its controller reports on the new generation.
                let status = json!({"status": {"observedGeneration": 2, "conditions": [{"type": "Ready", "status": "True",
                    "reason": "AllReplicasAvailable", "message": "", "observedGeneration": 2,
                    "lastTransitionTime": "2026-01-01T00:00:00Z"}]}});
                let name = format!("{MESH}-f7");
                run.functions.patch_status(&name, &PatchParams::default(), &Patch::Merge(&status)).await?;
                Ok(())
            })
            .await?;
        let text = format!("{} ({} statuses)", one.requests, one.statuses);
        let row = Row::new("... one component edited: requests of the mesh-controller", text);
        self.add(row.goal("<= 3, and 2 of the component's controller", one.requests <= 3));

        let removed = run
            .measure(async {
                merge(&run.meshes, MESH, json!({"spec": mesh(components - 1, edited)})).await?;
                run.until_components(components - 1).await
            })
            .await?;
        let row = Row::new("... one component removed: requests", removed.requests.to_string());
        self.add(row.goal("2", removed.requests <= 2));
        drop(run);
        self.delete_namespace(&namespace).await
    }
}
