//! The charts, the same as one manifest, and the same for the Operator Lifecycle Manager.

use super::draft::Release;
use super::version::CHARTS;
use crate::images::pack_entries;
use crate::shell::{command, output, progress, run};
use crate::{paths, tools};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;

/// The repository that the chart names in the source.
const REPOSITORY: &str = "docker.io/local/function-mesh";

impl Release<'_> {
    /// Packs the charts and writes `install.yaml`, both with the image of the release.
    pub(super) fn charts(&self) -> Result<()> {
        progress("the charts");
        let sources = self.folder("charts")?;
        for chart in CHARTS {
            self.chart(&sources, chart)?;
        }
        self.generated("manifest", &self.output.join("install.yaml"))
    }

    /// Packs the bundle for the Operator Lifecycle Manager, with the file by which `docker build` makes its image.
    pub(super) fn bundle(&self) -> Result<()> {
        progress("the bundle for the Operator Lifecycle Manager");
        let folder = self.folder("bundle")?;
        self.generated("bundle", &folder)?;
        let findings = output(command(tools::olm()?, [&folder]).current_dir(&self.work))?;
        findings.lines().for_each(progress);
        let annotations = fs::read_to_string(folder.join("metadata/annotations.yaml"))?;
        let labels = annotations.lines().filter_map(|line| line.trim().split_once(": "));
        let labels = labels.map(|(key, value)| format!("LABEL {key}={value}"));
        let copies = ["manifests", "metadata"].map(|name| format!("COPY {name} /{name}/"));
        let lines: Vec<String> =
            ["FROM scratch".to_owned()].into_iter().chain(labels).chain(copies).collect();
        fs::write(folder.join("bundle.Dockerfile"), lines.join("\n") + "\n")?;
        let result = self.output.join(format!("function-mesh-olm-bundle-{}.tar.gz", self.version));
        self.compressed(&folder, &["bundle.Dockerfile", "manifests", "metadata"], &result)
    }

    /// Writes what `cargo xtask` derives from the code, with the image of the release.
    fn generated(&self, what: &str, result: &Path) -> Result<()> {
        let mut xtask = command("cargo", ["run", "--quiet", "--locked", "--package", "xtask", "--", what]);
        run(xtask.arg(result).args(["--image", &self.reference()]).current_dir(paths::root()))
    }

    fn chart(&self, sources: &Path, name: &str) -> Result<()> {
        let copy = sources.join(name);
        let original = paths::root().join("charts").join(name);
        run(command("cp", ["-r"]).arg(&original).arg(&copy))?;
        if name == "function-mesh-operator" {
            for file in ["values.yaml", "Chart.yaml"] {
                self.name_image(&copy.join(file))?;
            }
        }
        // Helm decides what belongs to a chart, but writes the present time: packed again from what it packed.
        let packed = self.folder("packed")?;
        let helm = paths::binary("helm");
        run(command(&helm, ["package", "--destination"]).arg(&packed).arg(&copy))?;
        let file = format!("{name}-{}.tgz", self.version);
        let content = self.folder(&format!("content-{name}"))?;
        run(command("tar", ["-xzf"]).arg(packed.join(&file)).arg("-C").arg(&content))?;
        let result = self.output.join(&file);
        self.compressed(&content, &[name], &result)?;
        run(command(&helm, ["show", "chart"]).arg(&result))
    }

    fn name_image(&self, file: &Path) -> Result<()> {
        let text = fs::read_to_string(file).with_context(|| format!("file {}", file.display()))?;
        if !text.contains(REPOSITORY) {
            bail!("{} does not name the image {REPOSITORY}", file.display());
        }
        Ok(fs::write(file, text.replace(REPOSITORY, &self.options.image))?)
    }

    /// Packs these entries of a folder into a tar file with gzip.
    pub(super) fn compressed(&self, folder: &Path, entries: &[&str], result: &Path) -> Result<()> {
        let tar = self.work.join("compressed.tar");
        pack_entries(folder, entries, &tar)?;
        run(command("gzip", ["-n", "-9", "-f"]).arg(&tar))?;
        fs::rename(tar.with_extension("tar.gz"), result).with_context(|| format!("file {}", result.display()))
    }
}
