//! Flags of the controllers of Functions, Sources and Sinks.

use clap::{ArgAction, Args};
use functionmesh_render::Environment;
use functionmesh_runtime::args::WatchArgs;

/// Flags besides those of the process.
#[derive(Args, Clone, Debug)]
pub struct ComponentArgs {
    /// Caches and work.
    #[command(flatten)]
    pub watch: WatchArgs,
    /// Spread the pods of a component over nodes, unless the object says otherwise.
    #[arg(long, env = "ADD_DEFAULT_AFFINITY", default_value_t = true, action = ArgAction::Set,
          num_args = 0..=1, default_missing_value = "true")]
    pub add_default_affinity: bool,
}

impl ComponentArgs {
    /// What rendering depends on.
    pub fn environment(&self) -> Environment {
        Environment { add_default_affinity: self.add_default_affinity, ..Environment::default() }
    }
}
