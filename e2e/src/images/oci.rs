//! Archives in the image layout of the Open Container Initiative, readable as an archive of `docker save` as well.

use super::cached::cached;
use crate::paths;
use crate::shell::{command, output, progress, run};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// An image in a file.
#[derive(Clone, Debug)]
pub struct Archive {
    /// The file.
    pub path: PathBuf,
    /// Full name with tag.
    pub reference: String,
}

impl Archive {
    /// An identifier of the content: the digest of the manifest, stored next to the file.
    ///
    /// # Errors
    /// If the file was not built here.
    pub fn digest(&self) -> Result<String> {
        fs::read_to_string(digest_file(&self.path))
            .with_context(|| format!("digest of {}", self.path.display()))
    }

    /// Size in bytes.
    ///
    /// # Errors
    /// If the file does not exist.
    pub fn size(&self) -> Result<u64> {
        Ok(fs::metadata(&self.path)?.len())
    }
}

/// The parts of an image.
pub(super) struct Recipe<'r> {
    /// Name of the file.
    pub file: &'r str,
    /// Full name with tag.
    pub reference: &'r str,
    /// The inputs of the layers; the same inputs are not built twice.
    pub inputs: String,
    /// How a container is run: the object `config` of the image configuration.
    pub config: Value,
    /// Whether layers are compressed. For an image that is only imported into a containerd on the same machine, compressing takes
    /// longer than it saves.
    pub compress: bool,
}

/// Builds an image unless it exists. `layers` writes the layers as tar files into a folder and returns them in order.
pub(super) fn build(
    recipe: &Recipe<'_>,
    layers: impl FnOnce(&Path) -> Result<Vec<PathBuf>>,
) -> Result<Archive> {
    let path = paths::cache().join("images").join(recipe.file);
    let Recipe { reference, inputs, config, compress, .. } = recipe;
    // This module affects the result too.
    let inputs = format!("{reference} {compress} {config}\n{inputs}\n{}", include_str!("oci.rs"));
    cached(&path, &inputs, |work| {
        progress(&format!("building image {reference}"));
        let layers = layers(work)?;
        let layout = Layout::new(work.join("layout"))?;
        let digest = layout.image(reference, config, &layers, *compress)?;
        fs::write(digest_file(&path), digest)?;
        let finished = work.join("image.tar");
        pack(&layout.folder, &finished, "0", "0")?;
        Ok(finished)
    })?;
    Ok(Archive { path, reference: (*reference).to_owned() })
}

/// Writes an image for several architectures into a tar file; its layers are tar files. Returns the digest of its index.
///
/// # Errors
/// When a file cannot be read or written.
pub(super) fn multi_platform(
    reference: &str,
    config: &Value,
    platforms: &[(&str, Vec<PathBuf>)],
    work: &Path,
    file: &Path,
) -> Result<String> {
    let layout = Layout::new(work.join("layout"))?;
    let digest = layout.index(reference, config, platforms)?;
    pack(&layout.folder, file, "0", "0")?;
    Ok(digest)
}

/// Writes the content of a folder as a reproducible tar file: it does not depend on timestamps, the order on disk, the user or
/// the umask of this machine.
pub(super) fn pack(folder: &Path, file: &Path, user: &str, group: &str) -> Result<()> {
    tar(folder, &["."], file, [user, group])
}

/// Like `pack`, but only these entries of the folder, which belong to root and have names that begin with those of the entries.
///
/// # Errors
/// When a file cannot be read or written.
pub(crate) fn pack_entries(folder: &Path, entries: &[&str], file: &Path) -> Result<()> {
    tar(folder, entries, file, ["0", "0"])
}

fn tar(folder: &Path, entries: &[&str], file: &Path, [user, group]: [&str; 2]) -> Result<()> {
    let owner = [format!("--owner={user}"), format!("--group={group}")];
    let mut tar = command("tar", ["--sort=name", "--mtime=@0", "--numeric-owner", "--mode=u+rw,a+rX,go-w"]);
    run(tar.args(owner).arg("-C").arg(folder).arg("-cf").arg(file).arg("--").args(entries))
}

/// The architecture of this machine, as images and Debian name it.
pub(super) fn architecture() -> Result<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("amd64"),
        "aarch64" => Ok("arm64"),
        other => bail!("no images for the architecture {other}; set KUBECONFIG to a cluster you have"),
    }
}

/// A folder in which content is found by its digest.
struct Layout {
    folder: PathBuf,
}

/// An image for one architecture.
struct Platform {
    config: Blob,
    layers: Vec<Blob>,
    manifest: Blob,
}

/// Content of a layout.
struct Blob {
    digest: String,
    size: u64,
}

impl Blob {
    fn described_as(&self, media_type: &str) -> Value {
        json!({"mediaType": media_type, "digest": format!("sha256:{}", self.digest), "size": self.size})
    }

    fn path(&self) -> String {
        format!("blobs/sha256/{}", self.digest)
    }
}

impl Layout {
    fn new(folder: PathBuf) -> Result<Self> {
        fs::create_dir_all(folder.join("blobs/sha256"))?;
        Ok(Self { folder })
    }

    /// Adds an image for this machine and the files that name it. Returns the digest of its manifest.
    fn image(&self, reference: &str, config: &Value, layers: &[PathBuf], compress: bool) -> Result<String> {
        let Platform { config, layers, manifest } =
            self.platform(architecture()?, config, layers, compress)?;
        self.entry_point(reference, manifest.described_as(MANIFEST))?;
        // The same for `docker load`.
        let docker = json!([{
            "Config": config.path(),
            "RepoTags": [reference],
            "Layers": layers.iter().map(Blob::path).collect::<Vec<_>>(),
        }]);
        fs::write(self.folder.join("manifest.json"), docker.to_string())?;
        Ok(format!("sha256:{}", manifest.digest))
    }

    /// Adds an image for several architectures, each with its layers, and the files that name it. Returns the digest of its index.
    fn index(&self, reference: &str, config: &Value, platforms: &[(&str, Vec<PathBuf>)]) -> Result<String> {
        let mut manifests = Vec::new();
        for (architecture, layers) in platforms {
            let mut entry =
                self.platform(architecture, config, layers, true)?.manifest.described_as(MANIFEST);
            let platform = json!({"architecture": architecture, "os": "linux"});
            entry.as_object_mut().context("entry of the index")?.insert("platform".to_owned(), platform);
            manifests.push(entry);
        }
        let index =
            self.document(&json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}))?;
        self.entry_point(reference, index.described_as(INDEX))?;
        Ok(format!("sha256:{}", index.digest))
    }

    /// Adds the image of one architecture.
    fn platform(
        &self,
        architecture: &str,
        config: &Value,
        layers: &[PathBuf],
        compress: bool,
    ) -> Result<Platform> {
        let mut contents = Vec::new();
        let mut blobs = Vec::new();
        for layer in layers {
            contents.push(format!("sha256:{}", sha256(layer)?));
            blobs.push(self.layer(layer, compress)?);
        }
        let media_type = if compress { format!("{LAYER}+gzip") } else { LAYER.to_owned() };
        let config = self.document(&json!({
            "architecture": architecture,
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": contents},
        }))?;
        let manifest = self.document(&json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config.described_as(CONFIG),
            "layers": blobs.iter().map(|b| b.described_as(&media_type)).collect::<Vec<_>>(),
        }))?;
        Ok(Platform { config, layers: blobs, manifest })
    }

    /// Writes the files by which tools find what a layout contains.
    fn entry_point(&self, reference: &str, mut entry: Value) -> Result<()> {
        // containerd reads the first name, other tools the second. There is no further name: the kubelet sometimes fails to find
        // images with a second name.
        let names = json!({"io.containerd.image.name": reference, "org.opencontainers.image.ref.name": tag(reference)});
        entry.as_object_mut().context("entry of the index")?.insert("annotations".to_owned(), names);
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]});
        fs::write(self.folder.join("index.json"), index.to_string())?;
        fs::write(self.folder.join("oci-layout"), json!({"imageLayoutVersion": "1.0.0"}).to_string())?;
        Ok(())
    }

    fn layer(&self, file: &Path, compress: bool) -> Result<Blob> {
        let unnamed = self.folder.join("unnamed");
        if compress {
            // Also a file with a hard link in another layout, which gzip skips by default.
            let packed = output(command("gzip", ["-n", "-k", "-f"]).arg(file))
                .map(|_| file.with_extension("tar.gz"))?;
            fs::rename(packed, &unnamed)?;
        } else if fs::hard_link(file, &unnamed).is_err() {
            // A cache may be spread over two file systems.
            fs::copy(file, &unnamed)?;
        }
        self.name(&unnamed)
    }

    fn document(&self, value: &Value) -> Result<Blob> {
        let unnamed = self.folder.join("unnamed");
        fs::write(&unnamed, value.to_string())?;
        self.name(&unnamed)
    }

    /// Moves a file to the path of its digest.
    fn name(&self, file: &Path) -> Result<Blob> {
        let blob = Blob { digest: sha256(file)?, size: fs::metadata(file)?.len() };
        fs::rename(file, self.folder.join(blob.path()))?;
        Ok(blob)
    }
}

/// The digest of a file, in hexadecimal digits.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn sha256(file: &Path) -> Result<String> {
    let text = output(command("sha256sum", ["-b"]).arg(file))?;
    Ok(text.split_whitespace().next().context("sha256sum printed nothing")?.to_owned())
}

fn tag(reference: &str) -> &str {
    match reference.rsplit_once(':') {
        // A colon before the last slash belongs to a port.
        Some((_, tag)) if !tag.contains('/') => tag,
        _ => "latest",
    }
}

fn digest_file(path: &Path) -> PathBuf {
    path.with_extension("digest")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags() {
        assert_eq!(tag("docker.io/local/pulsar:4.0.6"), "4.0.6");
        assert_eq!(tag("host:5000/pulsar"), "latest");
    }

    #[test]
    fn an_image_is_named_once_and_found_by_its_digests() {
        let work = std::env::temp_dir().join(format!("function-mesh-oci-{}", std::process::id()));
        let _ = fs::remove_dir_all(&work);
        fs::create_dir_all(work.join("root")).unwrap();
        fs::write(work.join("root/file"), "content").unwrap();
        for compress in [false, true] {
            let layer = work.join("layer.tar");
            if !layer.exists() {
                pack(&work.join("root"), &layer, "0", "0").unwrap();
            }
            let layout = Layout::new(work.join(format!("layout-{compress}"))).unwrap();
            let digest = layout.image("docker.io/local/x:1", &json!({}), &[layer], compress).unwrap();
            let read = |file: &str| -> Value {
                serde_json::from_str(&fs::read_to_string(layout.folder.join(file)).unwrap()).unwrap()
            };
            let index = read("index.json");
            assert_eq!(index["manifests"].as_array().unwrap().len(), 1);
            assert_eq!(index["manifests"][0]["digest"], digest);
            assert_eq!(
                index["manifests"][0]["annotations"]["io.containerd.image.name"],
                "docker.io/local/x:1"
            );
            let manifest = read(&format!("blobs/sha256/{}", digest.trim_start_matches("sha256:")));
            let config = manifest["config"]["digest"].as_str().unwrap().replace("sha256:", "blobs/sha256/");
            let layer = manifest["layers"][0]["digest"].as_str().unwrap().replace("sha256:", "");
            assert_eq!(sha256(&layout.folder.join("blobs/sha256").join(&layer)).unwrap(), layer);
            let same = read(&config)["rootfs"]["diff_ids"][0] == manifest["layers"][0]["digest"];
            assert_eq!(same, !compress, "digests of content and file are the same only without compression");
            assert_eq!(read("manifest.json")[0]["Layers"][0], format!("blobs/sha256/{layer}"));
        }
        fs::remove_dir_all(&work).unwrap();
    }
}
