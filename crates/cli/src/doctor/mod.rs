//! `kubectl fmesh doctor`: what is wrong, or will be soon, and does not show in a status.
//!
//! ```text
//!  objects, StatefulSets, pods, controllers, definitions ──> Snapshot ──┐
//!  the ConfigMaps and Secrets that they name ──────────────> Found ─────┴─> checks ──> Findings
//! ```

mod definitions;
mod expiry;
mod finding;
mod images;
mod operators;
mod orphans;
mod referenced;
mod references;
mod snapshot;

use crate::cluster::kubectl::Connection;
use crate::cluster::target::Scope;
use crate::output::Format;
use crate::terminal::{print, progress};
use anyhow::{Context, Result};
use clap::Args;
use finding::Findings;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use snapshot::Snapshot;
use std::process::ExitCode;

/// Hours of a day.
const DAY: i64 = 24;

/// Arguments of the command.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    scope: Scope,
    /// Report tokens and certificates that expire within so many days.
    #[arg(long, value_name = "DAYS", default_value_t = 14)]
    within: u16,
    /// Output format; text by default.
    #[arg(short, long)]
    output: Option<Format>,
    #[command(flatten)]
    cluster: Connection,
}

impl Options {
    /// Runs the command: 0 when nothing is found, 2 when something is.
    ///
    /// # Errors
    /// When the objects cannot be read.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let mut findings = Findings::default();
        progress("reading objects, pods and controllers");
        let snapshot = Snapshot::read(&self.cluster, &self.scope, &mut findings)
            .context("the objects cannot be read, so nothing was checked")?;
        progress("reading the ConfigMaps and Secrets that objects refer to");
        let within = SignedDuration::from_hours(i64::from(self.within) * DAY);
        let found = referenced::check(&snapshot, &self.cluster, within, Timestamp::now(), &mut findings);
        progress("asking brokers for their version");
        images::check(&snapshot, &found, &self.cluster, &mut findings);
        operators::check(&snapshot, &mut findings);
        orphans::stateful_sets(&snapshot, &mut findings);
        orphans::approvals(&snapshot, &mut findings);
        definitions::check(&snapshot, &mut findings);
        progress("");
        let code = findings.exit_code();
        let examined = snapshot.items.len();
        match self.output {
            Some(format) => print(&format.text(&findings.json(examined))?)?,
            None => print(&findings.text(examined))?,
        }
        Ok(code)
    }
}
