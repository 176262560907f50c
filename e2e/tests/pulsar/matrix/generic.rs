//! The generic runtime: a test program (`e2e/images/bin/pulsar_rust_instance`) reads the rendered flags.

use crate::matrix::Case;
use crate::matrix::run::Run;
use anyhow::Result;

pub(crate) fn cases() -> Vec<Case> {
    vec![Case { group: "generic", sample: "45-generic", check: answers }]
}

fn answers(run: &Run<'_>) -> Result<()> {
    run.answers(50, " from a script")?;
    run.until_backlog(&run.topic("in"), 0)
}
