//! Archives in the image layout of the Open Container Initiative.

use crate::paths;
use crate::shell::{command, run, say};
use anyhow::{Context, Result};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// An image in a file.
#[derive(Clone, Debug)]
pub struct Archive {
    /// The file.
    pub path: PathBuf,
    /// Full name with tag.
    pub reference: String,
}

impl Archive {
    /// Something that changes with the content: the digest of the manifest, kept beside the file.
    ///
    /// # Errors
    /// When the file was not made by [`build`].
    pub fn digest(&self) -> Result<String> {
        fs::read_to_string(digest_file(&self.path)).with_context(|| format!("digest of {}", self.path.display()))
    }

    /// Size in bytes.
    ///
    /// # Errors
    /// When the file is gone.
    pub fn size(&self) -> Result<u64> {
        Ok(fs::metadata(&self.path)?.len())
    }
}

/// What an image is made of.
pub(super) struct Recipe<'r> {
    /// Name of the file.
    pub file: &'r str,
    /// Full name with tag.
    pub reference: &'r str,
    /// What the result depends on; the same inputs are not built twice.
    pub inputs: String,
    /// `--config.*` flags of umoci.
    pub config: &'r [&'r str],
}

/// Builds an image unless it is there already. `layers` writes the layers as tar files into a folder and returns them in
/// order. Interrupted builds leave nothing that would be taken for a result.
pub(super) fn build(
    recipe: &Recipe<'_>,
    layers: impl FnOnce(&Path) -> Result<Vec<PathBuf>>,
) -> Result<Archive> {
    let folder = paths::cache().join("images");
    let path = folder.join(recipe.file);
    let archive = Archive { path: path.clone(), reference: recipe.reference.to_owned() };
    let stamp = folder.join(format!("{}.inputs", recipe.file));
    let current = fs::read_to_string(&stamp).is_ok_and(|built| built == recipe.inputs);
    if current && path.is_file() && archive.digest().is_ok() {
        return Ok(archive);
    }
    let work = folder.join(format!("{}.work", recipe.file));
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    fs::create_dir_all(&work).with_context(|| format!("folder {}", work.display()))?;
    say(&format!("building image {}", recipe.reference));
    let layout = work.join("oci").display().to_string();
    let image = format!("{layout}:image");
    let umoci = |arguments: &[&str]| run(&mut command("umoci", arguments));
    let layers = layers(&work)?;
    umoci(&["init", "--layout", &layout])?;
    umoci(&["new", "--image", &image])?;
    for layer in &layers {
        umoci(&["raw", "add-layer", "--image", &image, &layer.display().to_string()])?;
    }
    let mut config = command("umoci", ["config", "--image", &image]);
    run(config.args(recipe.config))?;
    umoci(&["gc", "--layout", &layout])?;
    let digest = name(&Path::new(&layout).join("index.json"), recipe.reference)?;
    let unfinished = work.join("image.tar").display().to_string();
    run(&mut command("tar", ["-C", &layout, "-cf", &unfinished, "."]))?;
    fs::rename(&unfinished, &path)?;
    fs::write(digest_file(&path), digest)?;
    fs::write(&stamp, &recipe.inputs)?;
    fs::remove_dir_all(&work)?;
    Ok(archive)
}

/// Gives the image its full name in the index. Returns the digest of the manifest.
fn name(index: &Path, reference: &str) -> Result<String> {
    let mut value: Value = serde_json::from_str(&fs::read_to_string(index)?)?;
    let manifest = value.pointer_mut("/manifests/0").context("index without an image")?;
    let tag = reference.rsplit_once(':').map_or("latest", |(_, tag)| tag);
    manifest["annotations"] = serde_json::json!({
        "io.containerd.image.name": reference,
        "org.opencontainers.image.ref.name": tag,
    });
    let digest = manifest["digest"].as_str().context("manifest without a digest")?.to_owned();
    fs::write(index, value.to_string())?;
    Ok(digest)
}

fn digest_file(path: &Path) -> PathBuf {
    path.with_extension("digest")
}
