//! Creates the components of FunctionMeshes and reports their readiness.

use clap::Parser;
use functionmesh_objects::managed_fields::MESH_CONTROLLER;
use functionmesh_runtime::Process;
use functionmesh_runtime::args::{ProcessArgs, WatchArgs};
use std::process::ExitCode;

// Returns memory to the system after a list, unlike the default allocator.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Makes the components of FunctionMeshes and reports on them.
#[derive(Parser)]
#[command(version, args_override_self = true)]
struct Args {
    #[command(flatten)]
    process: ProcessArgs,
    #[command(flatten)]
    watch: WatchArgs,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    functionmesh_runtime::process::exit(start(Args::parse()).await)
}

async fn start(args: Args) -> anyhow::Result<()> {
    let process = Process::start(MESH_CONTROLLER, &args.process, &args.watch).await?;
    let work = mesh_controller::run(&process, &args.watch);
    // On the heap: the caches make the future large.
    process.lead(Box::pin(work)).await
}
