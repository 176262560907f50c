//! The verbs of the annotations: approve, recreate, pause, resume, restart. Each shows what it will do and asks first.

mod restart;
pub(crate) mod waiting;

use crate::cluster::controllers::Controller;
use crate::cluster::item::Item;
use crate::cluster::kubectl::Connection;
use crate::cluster::target::Target;
use crate::terminal::{self, plural, print, progress, wrapped};
use anyhow::{Result, bail, ensure};
use clap::Args;
use functionmesh_api::constants::{
    ANNOTATION_APPROVE_UPDATE, ANNOTATION_PAUSE_ROLLOUT, ANNOTATION_RECREATE, ANNOTATION_RESTARTED_AT,
};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use waiting::Waiting;

/// Time between two looks at objects that are waited for.
const INTERVAL: Duration = Duration::from_secs(1);
/// Exit code of a wait that ended before everything was ready.
const NOT_READY: u8 = 3;

/// What all verbs take.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    target: Target,
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
    /// Show what would be done, and do nothing.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Wait until the objects are ready again.
    #[arg(long)]
    wait: bool,
    /// Time limit of --wait, in seconds.
    #[arg(long, default_value_t = 600, value_name = "SECONDS", requires = "wait")]
    timeout: u64,
    #[command(flatten)]
    cluster: Connection,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Approve,
    Recreate,
    Pause,
    Resume,
    Restart,
}

/// One object, with the annotation that it gets.
struct Step {
    item: Item,
    /// Why, or what will come of it.
    lines: Vec<String>,
    /// Pods that will be replaced.
    pods: i64,
    key: &'static str,
    value: Option<String>,
}

impl Verb {
    /// Runs the verb: 0 when all is done, 1 when something failed, 3 when --wait ended first.
    ///
    /// # Errors
    /// When the objects cannot be read, or without a terminal to confirm on.
    pub(crate) fn run(self, options: &Options) -> Result<ExitCode> {
        let items = options.target.components(&options.cluster)?;
        let now = restart::now()?;
        let controllers =
            if self == Self::Restart { restart::controllers(&options.cluster) } else { Vec::new() };
        let (steps, notes): (Vec<_>, Vec<_>) =
            items.into_iter().map(|item| self.step(item, &now, &controllers)).partition(Result::is_ok);
        let steps: Vec<Step> = steps.into_iter().flatten().collect();
        // Why nothing is done is reported for objects that were named, not for all that were selected; a refused restart always is.
        let is_reported = options.target.names_objects() || self == Self::Restart;
        let is_refused = self == Self::Restart && !notes.is_empty();
        for note in notes.into_iter().filter_map(Result::err).filter(|_| is_reported) {
            eprintln!("{note}");
        }
        if steps.is_empty() && is_refused {
            return Ok(ExitCode::FAILURE);
        }
        if steps.is_empty() {
            eprintln!("{}", self.nothing());
            return Ok(ExitCode::SUCCESS);
        }
        for step in &steps {
            print(&step.item.to_string())?;
            for line in &step.lines {
                print(&wrapped(line, "    "))?;
            }
        }
        if options.dry_run {
            return Ok(ExitCode::SUCCESS);
        }
        if !options.yes && !terminal::confirmed(&self.question(&steps))? {
            bail!("nothing was changed");
        }
        let mut failed = 0usize;
        let mut done = Vec::new();
        for step in steps {
            let item = &step.item;
            let annotations = [(step.key, step.value.as_deref())];
            match options.cluster.annotate(&item.resource(), &item.namespace, &item.name, &annotations) {
                Ok(()) => {
                    print(&format!("{item} {}", self.past()))?;
                    done.push(step);
                }
                Err(error) => {
                    eprintln!("{item}: {error:#}");
                    failed += 1;
                }
            }
        }
        let is_ready = !options.wait || wait(&done, options)?;
        Ok(match (failed + usize::from(is_refused), is_ready) {
            (0, true) => ExitCode::SUCCESS,
            (0, false) => ExitCode::from(NOT_READY),
            _ => ExitCode::FAILURE,
        })
    }

    /// What is to be done to an object; the reason when nothing is, empty when it goes without saying.
    fn step(self, item: Item, now: &str, controllers: &[Controller]) -> Result<Step, String> {
        let waiting = Waiting::of(&item);
        let is_paused = item.annotation(ANNOTATION_PAUSE_ROLLOUT) == Some("true");
        let step = |item, lines, pods, key, value: Option<&str>| {
            Ok(Step { item, lines, pods, key, value: value.map(str::to_owned) })
        };
        match (self, waiting) {
            (Self::Approve, Some(waiting)) if waiting.recreates => Err(format!(
                "{item}: fields of its StatefulSet that cannot change would have to; use `kubectl fmesh recreate`"
            )),
            (Self::Approve, Some(w)) => {
                step(item, w.lines(), w.pods, ANNOTATION_APPROVE_UPDATE, Some(&w.hash))
            }
            (Self::Recreate, Some(w)) if w.recreates => {
                step(item, w.lines(), w.pods, ANNOTATION_RECREATE, Some(&w.hash))
            }
            (Self::Recreate, Some(_)) => {
                Err(format!("{item}: its StatefulSet need not be recreated; use `kubectl fmesh approve`"))
            }
            (Self::Approve | Self::Recreate, None) => Err(format!("{item}: no update is waiting")),
            (Self::Restart, _) => {
                if let Some(obstacle) = restart::obstacle(&item, controllers) {
                    return Err(obstacle);
                }
                let pods = i64::from(item.status().replicas.unwrap_or_default());
                let line = format!("replaces {}", plural(usize::try_from(pods).unwrap_or_default(), "pod"));
                step(item, vec![line], pods, ANNOTATION_RESTARTED_AT, Some(now))
            }
            (Self::Pause, _) if is_paused => Err(format!("{item}: paused already")),
            (Self::Resume, _) if !is_paused => Err(format!("{item}: not paused")),
            (Self::Pause, _) => step(item, Vec::new(), 0, ANNOTATION_PAUSE_ROLLOUT, Some("true")),
            (Self::Resume, waiting) => {
                let (lines, pods) = waiting.map(|w| (w.lines(), w.pods)).unwrap_or_default();
                step(item, lines, pods, ANNOTATION_PAUSE_ROLLOUT, None)
            }
        }
    }

    fn question(self, steps: &[Step]) -> String {
        let objects = plural(steps.len(), "object");
        let pods =
            plural(steps.iter().map(|step| usize::try_from(step.pods).unwrap_or_default()).sum(), "pod");
        match self {
            Self::Approve => format!(
                "Approve the updates of {objects}? Up to {pods} will be replaced, one after another in each StatefulSet."
            ),
            Self::Recreate => format!(
                "Recreate the StatefulSets of {objects}? Their pods keep running; up to {pods} will be replaced afterwards where they differ."
            ),
            Self::Restart => {
                format!("Restart {objects}? {pods} will be replaced, one after another in each StatefulSet.")
            }
            Self::Pause => format!(
                "Pause the rollouts of {objects}? Edits of the objects themselves still reach their pods."
            ),
            Self::Resume => {
                format!("Resume the rollouts of {objects}? What waits for approval goes on waiting.")
            }
        }
    }

    fn past(self) -> &'static str {
        match self {
            Self::Approve => "approved",
            Self::Recreate => "will be recreated",
            Self::Pause => "paused",
            Self::Resume => "resumed",
            Self::Restart => "restarted",
        }
    }

    fn nothing(self) -> &'static str {
        match self {
            Self::Approve => "No update is waiting for approval.",
            Self::Recreate => "No StatefulSet has to be recreated.",
            Self::Pause => "Nothing to pause.",
            Self::Resume => "Nothing is paused.",
            Self::Restart => "Nothing to restart.",
        }
    }
}

/// Waits until the objects are ready again, with a line that moves. Returns whether they are.
fn wait(steps: &[Step], options: &Options) -> Result<bool> {
    let until = Instant::now() + Duration::from_secs(options.timeout);
    loop {
        let mut open = Vec::new();
        for step in steps {
            let now = read(&step.item, &options.cluster)?;
            // The controller has seen the annotation once the update no longer waits.
            let waits = step.value.is_some() && Waiting::of(&now).is_some_and(|w| Some(w.hash) == step.value);
            let is_running = match &step.value {
                Some(time) if step.key == ANNOTATION_RESTARTED_AT => {
                    !restart::is_done(&now, time, &options.cluster)?
                }
                _ => false,
            };
            if waits || is_running || !now.is_ready() {
                open.push(now);
            }
        }
        let Some(first) = open.first() else {
            progress("");
            return Ok(true);
        };
        let ready = first.condition("Ready");
        let reason = ready.map(|ready| ready.reason).unwrap_or_default();
        progress(&format!("{} of {} ready; {first}: {reason}", steps.len() - open.len(), steps.len()));
        if Instant::now() >= until {
            progress("");
            eprintln!("not ready after {} s: {first} ({reason})", options.timeout);
            return Ok(false);
        }
        std::thread::sleep(INTERVAL);
    }
}

fn read(item: &Item, cluster: &Connection) -> Result<Item> {
    let found = cluster.json(&["get", &item.resource(), &item.name, "--namespace", &item.namespace])?;
    let now = Item::of(found);
    ensure!(now.uid() == item.uid(), "{item} was deleted and created again");
    Ok(now)
}
