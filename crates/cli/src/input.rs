//! Reading manifests as kubectl reads them: files, folders, standard input, kustomizations.

mod scalar;
mod yaml;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Whether kubectl reads a scalar without quotes as the text that it is.
pub(crate) fn is_text(text: &str) -> bool {
    scalar::plain(text).is_ok_and(|value| value.is_string())
}

/// Where the objects come from.
#[derive(Args)]
#[group(id = "input", multiple = true)]
pub(crate) struct Input {
    /// File or directory with manifests; `-` reads standard input. May be repeated.
    #[arg(short, long = "filename", group = "input")]
    pub file: Vec<PathBuf>,
    /// Process the directory of --filename recursively.
    #[arg(short = 'R', long, requires = "file")]
    pub recursive: bool,
    /// Kustomization directory, built by `kubectl kustomize`.
    #[arg(short, long, group = "input", conflicts_with = "file")]
    pub kustomize: Option<PathBuf>,
}

impl Input {
    /// All objects, in order; a List is its items.
    ///
    /// # Errors
    /// When something cannot be read or is neither YAML nor JSON.
    pub(crate) fn objects(&self) -> Result<Vec<Value>> {
        let mut objects = Vec::new();
        for (name, text) in self.texts()? {
            let documents = yaml::documents(&text);
            let documents =
                documents.map_err(|problem| anyhow::anyhow!("{name} is neither YAML nor JSON: {problem}"))?;
            objects.extend(documents.into_iter().flat_map(items));
        }
        Ok(objects)
    }

    /// Whether files or a kustomization are named.
    pub(crate) fn is_given(&self) -> bool {
        !self.file.is_empty() || self.kustomize.is_some()
    }

    /// Each text with its name.
    fn texts(&self) -> Result<Vec<(String, String)>> {
        if let Some(folder) = &self.kustomize {
            return Ok(vec![(folder.display().to_string(), kustomized(folder)?)]);
        }
        if !self.is_given() {
            bail!("name files with --filename, or a kustomization with --kustomize");
        }
        let mut texts = Vec::new();
        for file in &self.file {
            let files = if file.is_dir() { self.folder(file)? } else { vec![file.clone()] };
            for file in files {
                let name = file.display().to_string();
                let bytes = bytes(&file).with_context(|| format!("cannot read {name}"))?;
                let text = decoded(&bytes).with_context(|| format!("cannot read {name}"))?;
                texts.push((name, text));
            }
        }
        Ok(texts)
    }

    /// The files of a folder that kubectl would read, in their order.
    fn folder(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        let entries =
            std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
        let mut entries = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>>>()?;
        entries.sort();
        let mut files = Vec::new();
        for entry in entries {
            if entry.is_dir() {
                if self.recursive {
                    files.extend(self.folder(&entry)?);
                }
            } else if entry.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json") {
                files.push(entry);
            }
        }
        Ok(files)
    }
}

fn bytes(file: &Path) -> Result<Vec<u8>> {
    if file == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    let url = file.to_str().filter(|name| name.starts_with("http://") || name.starts_with("https://"));
    if let Some(url) = url {
        bail!("URLs are not read here; use: curl -fL {url} | kubectl fmesh render -f -");
    }
    Ok(std::fs::read(file)?)
}

/// The text; a byte order mark says in which encoding, without one it is UTF-8.
fn decoded(bytes: &[u8]) -> Result<String> {
    let wide = |rest: &[u8], read: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = rest.as_chunks().0.iter().map(|pair| read(*pair)).collect();
        String::from_utf16(&units).context("it is not UTF-16, as its byte order mark says")
    };
    match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => Ok(String::from_utf8(rest.to_vec())?),
        [0xFF, 0xFE, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => wide(rest, u16::from_be_bytes),
        _ => Ok(String::from_utf8(bytes.to_vec())?),
    }
}

/// What `kubectl kustomize` makes of a folder.
fn kustomized(folder: &Path) -> Result<String> {
    let output = Command::new("kubectl").arg("kustomize").arg(folder).output();
    let output =
        output.context("cannot run kubectl, which builds kustomizations; install it or add it to PATH")?;
    if !output.status.success() {
        bail!("kubectl kustomize {}: {}", folder.display(), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// A List of any kind is its items.
fn items(document: Value) -> Vec<Value> {
    let is_list = document.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"));
    match document {
        Value::Object(mut list) if is_list && list.get("items").is_some_and(Value::is_array) => {
            match list.remove("items") {
                Some(Value::Array(items)) => items.into_iter().flat_map(self::items).collect(),
                _ => Vec::new(),
            }
        }
        object => vec![object],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_byte_order_mark_says_the_encoding() {
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        assert_eq!(decoded(b"\xEF\xBB\xBFa: 1").ok().as_deref(), Some("a: 1"));
        assert_eq!(decoded(&wide("\u{feff}a: ü")).ok().as_deref(), Some("a: ü"));
        assert!(decoded(b"\xFF\xFE\x00\xD8").is_err());
        assert!(decoded(b"\xff").is_err());
    }

    #[test]
    fn lists_of_any_kind_are_their_items() {
        let list =
            json!({"kind": "FunctionList", "items": [{"kind": "Function"}, {"kind": "List", "items": []}]});
        assert_eq!(items(list), [json!({"kind": "Function"})]);
        assert_eq!(items(json!({"kind": "PriceList"})), [json!({"kind": "PriceList"})]);
    }
}
