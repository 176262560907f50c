//! Runs Sources as StatefulSets.

use clap::Parser;
use functionmesh_api::Source;
use functionmesh_controller::{ComponentArgs, Task, check_uninstall};
use functionmesh_runtime::Process;
use functionmesh_runtime::args::ProcessArgs;
use std::process::ExitCode;

// Returns memory to the system after a list, unlike the default allocator.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Runs Sources of Function Mesh as StatefulSets.
#[derive(Parser)]
#[command(version, args_override_self = true)]
struct Args {
    #[command(flatten)]
    process: ProcessArgs,
    #[command(flatten)]
    component: ComponentArgs,
    #[command(subcommand)]
    task: Option<Task>,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    functionmesh_runtime::process::exit(run(Args::parse()).await)
}

async fn run(args: Args) -> anyhow::Result<()> {
    if let Some(Task::CheckUninstall(watch)) = &args.task {
        return check_uninstall::<Source>(watch).await;
    }
    let process = Process::start("source-controller", &args.process, &args.component.watch).await?;
    let work = functionmesh_controller::run::<Source>(&process, &args.component, functionmesh_render::render);
    // On the heap: the caches make the future large.
    process.lead(Box::pin(work)).await
}
