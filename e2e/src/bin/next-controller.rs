//! The function-controller as a later release might be: its renderer adds a variable to every container.
//!
//! Only tests run it. It uses the lease, the flags and the field manager of the function-controller, so that it simulates an
//! upgrade of it.

use clap::Parser;
use functionmesh_api::Function;
use functionmesh_controller::ComponentArgs;
use functionmesh_render::{Defaults, Desired, Environment, Workload, render, stamp};
use functionmesh_runtime::Process;
use functionmesh_runtime::args::ProcessArgs;
use k8s_openapi::api::core::v1::EnvVar;
use std::process::ExitCode;

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    process: ProcessArgs,
    #[command(flatten)]
    component: ComponentArgs,
}

/// The renderer of this release, and one variable.
fn next(workload: &Workload, environment: &Environment, defaults: &Defaults) -> Desired {
    let mut desired = render(workload, environment, defaults);
    let pod = desired.stateful_set.spec.template.spec.get_or_insert_default();
    for container in &mut pod.containers {
        let variable =
            EnvVar { name: "NEXT_RELEASE".to_owned(), value: Some("1".to_owned()), value_from: None };
        container.env.get_or_insert_default().push(variable);
    }
    stamp(&mut desired.stateful_set, "next");
    desired
}

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    functionmesh_runtime::process::exit(run(Args::parse()).await)
}

async fn run(args: Args) -> anyhow::Result<()> {
    let process = Process::start("function-controller", &args.process, &args.component.watch).await?;
    let work = functionmesh_controller::run::<Function>(&process, &args.component, next);
    process.lead(Box::pin(work)).await
}
