//! Makes the components of a FunctionMesh and reports on them.
//!
//! Knows Functions, Sources and Sinks only as objects: it never renders a pod and never reads one (design section 6).
//!
//! ```text
//!  watch meshes ─┐
//!  Functions ────┤
//!  Sources ──────┼─> queue ─> items ─> plan ─> apply, delete ─> status
//!  Sinks ────────┘
//! ```

mod children;
mod items;
mod plan;
mod reconcile;
mod run;
mod status;

use clap::Parser;
use functionmesh_runtime::Process;
use functionmesh_runtime::args::{ProcessArgs, WatchArgs};
use std::process::ExitCode;

// Gives memory back after a list, which the system's allocator does not.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Makes the components of FunctionMeshes and reports on them.
#[derive(Parser)]
#[command(version)]
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
    let process = Process::start("mesh-controller", &args.process, &args.watch).await?;
    let work = run::run(&process, &args.watch);
    // On the heap: four caches make a large future.
    process.lead(Box::pin(work)).await
}
