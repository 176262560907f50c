//! Flags of the controllers of Functions, Sources and Sinks.

use clap::Args;
use functionmesh_render::args::RenderArgs;
use functionmesh_runtime::args::WatchArgs;

/// Flags besides those of the process.
#[derive(Args, Clone, Debug)]
pub struct ComponentArgs {
    /// Caches and work.
    #[command(flatten)]
    pub watch: WatchArgs,
    /// What is rendered.
    #[command(flatten)]
    pub render: RenderArgs,
}
