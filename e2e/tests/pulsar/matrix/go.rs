//! Programs of the Go runtime. Pulsar's SDK for Go cannot be downloaded from the module proxy, so a test program
//! (`e2e/images/bin/go-instance`) reads the rendered configuration. The SDK itself is not tested.

use crate::matrix::Case;
use crate::matrix::run::{Run, texts, values, with};
use anyhow::Result;

pub(crate) fn cases() -> Vec<Case> {
    vec![Case { group: "go", sample: "40-go", check: two_topics }]
}

/// Two topics, user config, and an absolute path.
fn two_topics(run: &Run<'_>) -> Result<()> {
    let (a, b) = (texts("a", 20), texts("b", 20));
    run.send(&run.topic("a"), &values(&a))?;
    run.send(&run.topic("b"), &values(&b))?;
    run.apply()?;
    run.ready()?;
    run.expect(&run.topic("out"), &with(&[a, b].concat(), " it's \"100%\" $HOME")).map(drop)
}
