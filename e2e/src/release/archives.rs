//! The plugin of kubectl, and the bills of materials.

use super::architecture::{Architecture, PLUGIN};
use super::binaries;
use super::draft::Release;
use super::tools::Tools;
use crate::images::sha256;
use crate::paths;
use crate::shell::{command, output, progress};
use anyhow::Result;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

impl Release<'_> {
    /// Packs the plugin, and writes the manifest by which krew installs it.
    pub(super) fn plugin(&self, built: &[(Architecture, PathBuf)]) -> Result<()> {
        progress("the plugin of kubectl");
        let mut platforms = Vec::new();
        for (architecture, folder) in built {
            let content = self.folder(&format!("plugin-{}", architecture.name))?;
            fs::copy(folder.join(PLUGIN), content.join(PLUGIN))?;
            fs::copy(paths::root().join("LICENSE"), content.join("LICENSE"))?;
            let name = format!("{PLUGIN}-{}-linux-{}.tar.gz", self.version, architecture.name);
            let file = self.output.join(&name);
            self.compressed(&content, &[PLUGIN, "LICENSE"], &file)?;
            platforms.push((*architecture, format!("{}/{name}", self.options.downloads), sha256(&file)?));
        }
        Ok(fs::write(
            self.output.join("fmesh.yaml"),
            serde_yaml::to_string(&krew(&self.version, &platforms))?,
        )?)
    }

    /// Writes what each binary was built from, as the binary itself tells it.
    pub(super) fn bills(&self, architecture: Architecture, folder: &Path, tools: &Tools) -> Result<()> {
        for name in binaries::names() {
            let bill = output(command(&tools.cyclonedx, [folder.join(name)]).current_dir(&self.work))?;
            // Sorted and on several lines, to compare two releases by eye.
            let bill: Value = serde_json::from_str(&bill)?;
            let file = format!("{name}-{}-linux-{}.cdx.json", self.version, architecture.name);
            fs::write(self.output.join(file), format!("{}\n", serde_json::to_string_pretty(&bill)?))?;
        }
        Ok(())
    }
}

/// The manifest of the plugin: <https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest/>.
fn krew(version: &str, platforms: &[(Architecture, String, String)]) -> Value {
    let platforms = platforms.iter().map(|(architecture, uri, sha256)| {
        json!({
            "selector": {"matchLabels": {"os": "linux", "arch": architecture.name}},
            "uri": uri,
            "sha256": sha256,
            "bin": PLUGIN,
        })
    });
    json!({
        "apiVersion": "krew.googlecontainertools.github.com/v1alpha2",
        "kind": "Plugin",
        "metadata": {"name": "fmesh"},
        "spec": {
            "version": format!("v{version}"),
            "shortDescription": "Plan, diagnose and approve Pulsar Functions",
            "description": "Reports before an apply which pods of Functions, Sources, Sinks and meshes it restarts, \
                            says what is wrong with them and what to do, and approves updates.\n",
            "platforms": platforms.collect::<Vec<_>>(),
        },
    })
}
