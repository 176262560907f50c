//! `kubectl fmesh status` for each failure, compared with a recorded text.

use anyhow::{Context, Result, bail, ensure};
use e2e::docs::difference;
use e2e::paths;
use e2e::testing::plugin::Plugin;
use std::fs;

/// Checks that the plugin names the reason and the remedy of a function that is not ready. `RECORD=1` writes the texts anew; in
/// them `...` stands for what differs from run to run.
pub(super) fn status(plugin: &Plugin, name: &str, reason: &str) -> Result<()> {
    let answer = plugin.run(&["status", "function", name])?;
    answer
        .expect(3, &[&format!("Function e2e/{name}"), reason, "What to do: ", "docs/troubleshooting.md#"])?;
    // What the pods do changes from second to second.
    let object: Vec<&str> = answer.stdout.lines().take_while(|line| !line.starts_with(['├', '└'])).collect();
    ensure!(answer.stdout.contains(&format!("StatefulSet {name}-function")), "no StatefulSet: {answer:#?}");
    let file = paths::root().join(format!("e2e/tests/pulsar/trouble/status/{name}.txt"));
    if std::env::var_os("RECORD").is_some() {
        return Ok(fs::write(&file, object.join("\n") + "\n")?);
    }
    let text =
        fs::read_to_string(&file).with_context(|| format!("{}; RECORD=1 writes it", file.display()))?;
    let expected: Vec<String> = text.lines().map(str::to_owned).collect();
    match difference(&expected, &object.join("\n")) {
        Some(difference) => bail!("{name}: {difference}"),
        None => Ok(()),
    }
}
