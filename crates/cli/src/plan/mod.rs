//! `kubectl fmesh plan`: which pods an apply will restart, and why, before it happens.
//!
//! ```text
//!  files ── kubectl apply --dry-run=server ──> objects as stored ──┐
//!  cluster ── StatefulSets, BackendConfigs, configuration ─────────┴─> functionmesh_plan::forecast ──> Report
//! ```
//!
//! Nothing is persisted, and what decides is the code of the controllers.

mod backend;
mod deletion;
mod edits;
mod entry;
mod operator;
mod planner;
mod report;
mod takeover;
mod trial;

use crate::cluster::kubectl::Connection;
use crate::cluster::target::Target;
use crate::input::Input;
use crate::output::Format;
use crate::terminal::{print, progress};
use anyhow::{Result, bail};
use backend::Configs;
use clap::Args;
use operator::Operators;
use planner::Planner;
use report::Report;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of the command.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    input: Input,
    /// Plan for the deletion of the objects of files, or of those that are named or selected.
    #[arg(long)]
    deletion: bool,
    #[command(flatten)]
    target: Target,
    /// Configuration file of the operator, in place of the one that its Deployments use.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Output format; text by default.
    #[arg(short, long)]
    output: Option<Format>,
    #[command(flatten)]
    cluster: Connection,
}

impl Options {
    /// Runs the command: 0 when no pod restarts, 2 when some do, 1 when something is refused.
    ///
    /// # Errors
    /// When the input or the cluster cannot be read.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        if self.input.is_given() == self.target.is_given() {
            bail!("name files with --filename or --kustomize, or use --all for the objects of the cluster");
        }
        if !self.deletion && (self.target.selector.is_some() || !self.target.words.is_empty()) {
            bail!("objects are named or selected with --deletion only; use --all for those of the cluster");
        }
        let mut notes = Vec::new();
        let operators = Operators::read(&self.cluster, self.config.as_ref(), &mut notes)?;
        for note in notes {
            eprintln!("Warning: {note}");
        }
        let mut planner = Planner {
            input: &self.input,
            target: &self.target,
            cluster: &self.cluster,
            operators,
            configs: Configs::default(),
            entries: Vec::new(),
            trials: Vec::new(),
            children: BTreeMap::new(),
        };
        if self.deletion {
            planner.deletions()?;
        } else if self.target.all {
            planner.everything(&self.target.scope.words())?;
        } else {
            planner.files()?;
        }
        planner.confirm();
        progress("");
        let report = Report(planner.entries);
        match self.output {
            Some(format) => print(&format.text(&report.json())?)?,
            None => print(report.text().trim_end())?,
        }
        Ok(report.exit_code())
    }
}
