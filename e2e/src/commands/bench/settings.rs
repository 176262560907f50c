//! The size of a run.

use std::path::PathBuf;

/// The size of the benchmark.
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    /// Number of Functions
    #[arg(long, default_value_t = 1000)]
    pub number: usize,
    /// Number of comparisons with the baseline client
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Length of the idle phase in seconds: more than two timeouts of a watch, so that watches restart in it
    #[arg(long, default_value_t = 410)]
    pub idle: u64,
    /// Folder of the controllers; the folder of this program by default
    #[arg(long)]
    pub controllers: Option<PathBuf>,
    /// Measure memory only
    #[arg(long)]
    pub memory_only: bool,
    /// Measure many objects, shards and large meshes instead
    #[arg(long, conflicts_with = "memory_only")]
    pub large: bool,
    /// Write docs/benchmarks.md, or docs/benchmarks-large.md
    #[arg(long)]
    pub write: bool,
}
