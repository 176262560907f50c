//! Which objects a command is about: as kubectl takes them.

use super::item::Item;
use super::kubectl::Connection;
use anyhow::{Result, bail};
use clap::Args;
use functionmesh_api::constants::{GROUP, LABEL_MESH};

/// All kinds, their plural and what else they are called on a command line.
const KINDS: [(&str, &[&str]); 4] = [
    ("functions", &["function", "fn"]),
    ("sources", &["source", "src"]),
    ("sinks", &["sink", "snk"]),
    ("functionmeshes", &["functionmesh", "fmesh"]),
];

/// Where to look.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Scope {
    /// Namespace; the one of the kubeconfig context by default.
    #[arg(short, long, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// All namespaces.
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub(crate) all_namespaces: bool,
}

impl Scope {
    /// The options for kubectl.
    pub(crate) fn words(&self) -> Vec<&str> {
        if self.all_namespaces { vec!["--all-namespaces"] } else { self.namespace_words() }
    }

    /// The same for what is applied, which is in one namespace: its own, or the one that is named.
    pub(crate) fn namespace_words(&self) -> Vec<&str> {
        self.namespace.as_deref().map(|namespace| vec!["--namespace", namespace]).unwrap_or_default()
    }
}

/// Objects by name, by label, or all.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Target {
    /// A kind and names (`function wordcount`), or kinds with names (`function/wordcount sink/archive`). The kinds are
    /// function, source, sink and functionmesh, which stands for its components; their short names work as well.
    #[arg(value_name = "KIND NAME")]
    pub(crate) words: Vec<String>,
    /// Label selector.
    #[arg(short = 'l', long, value_name = "LABELS")]
    pub(crate) selector: Option<String>,
    /// All objects of the namespace, or of the kind where one is named.
    #[arg(long, conflicts_with = "selector")]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) scope: Scope,
}

/// Objects that are named, by resource.
#[derive(Debug, PartialEq, Eq)]
enum Named {
    /// All of some kinds.
    Kinds(String),
    /// Names with their kinds.
    Objects(Vec<(String, String)>),
}

impl Target {
    /// The Functions, Sources and Sinks, those of a named mesh included.
    ///
    /// # Errors
    /// When the words select nothing in particular, or kubectl fails.
    pub(crate) fn components(&self, cluster: &Connection) -> Result<Vec<Item>> {
        let mut components = Vec::new();
        for item in self.objects(&component_kinds(), cluster)? {
            if item.is_mesh() {
                components.extend(components_of(&item, cluster)?);
            } else {
                components.push(item);
            }
        }
        Ok(distinct(components))
    }

    /// Whether anything is named or selected.
    pub(crate) fn is_given(&self) -> bool {
        self.all || self.selector.is_some() || !self.words.is_empty()
    }

    /// The objects as they are named or selected, meshes among them. `kinds` are meant where no kind is named.
    ///
    /// # Errors
    /// When the words select nothing in particular, or kubectl fails.
    pub(crate) fn objects(&self, kinds: &str, cluster: &Connection) -> Result<Vec<Item>> {
        let named = parsed(&self.words, kinds)?;
        let selected = self.selector.as_ref().map(|labels| format!("--selector={labels}"));
        if let Named::Objects(objects) = &named {
            if self.all || selected.is_some() {
                bail!("names go neither with --all nor with --selector; leave one of them out");
            }
            if self.scope.all_namespaces {
                bail!("a name is one of a namespace; use --namespace instead of --all-namespaces");
            }
            return self.named(objects, cluster);
        }
        if !self.all && selected.is_none() {
            bail!("name objects, for instance `function NAME`, or select them with --selector or --all");
        }
        let Named::Kinds(kinds) = named else { return Ok(Vec::new()) };
        let mut words = vec![kinds.as_str()];
        words.extend(self.scope.words());
        words.extend(selected.as_deref());
        Ok(cluster.objects(&words)?.into_iter().map(Item::of).collect())
    }

    /// Whether objects are named one by one.
    pub(crate) fn names_objects(&self) -> bool {
        !self.all && self.selector.is_none()
    }

    fn named(&self, objects: &[(String, String)], cluster: &Connection) -> Result<Vec<Item>> {
        let mut found = Vec::new();
        for (resource, name) in objects {
            let mut words = vec![resource.as_str(), name.as_str()];
            words.extend(self.scope.words());
            found.extend(cluster.objects(&words)?.into_iter().map(Item::of));
        }
        Ok(found)
    }
}

/// The components of a mesh.
///
/// # Errors
/// When kubectl fails.
pub(crate) fn components_of(mesh: &Item, cluster: &Connection) -> Result<Vec<Item>> {
    let labels = format!("--selector={LABEL_MESH}={}", functionmesh_api::mesh_label(&mesh.name));
    let found = cluster.objects(&[&component_kinds(), "--namespace", &mesh.namespace, &labels])?;
    Ok(found.into_iter().filter(|child| mesh.owns(child)).map(Item::of).collect())
}

/// The three kinds that run pods, for `kubectl get`.
pub(crate) fn component_kinds() -> String {
    resources(&["functions", "sources", "sinks"])
}

/// The four kinds, for `kubectl get`.
pub(crate) fn all_kinds() -> String {
    resources(&KINDS.map(|(plural, _)| plural))
}

/// One kind or name of a kind, as it is written on a command line, for `kubectl get`.
pub(crate) fn resource(word: &str) -> Result<String> {
    let lower = word.to_lowercase();
    let plain = lower.strip_suffix(&format!(".{GROUP}")).unwrap_or(&lower);
    match KINDS.iter().find(|(plural, names)| *plural == plain || names.contains(&plain)) {
        Some((plural, _)) => Ok(resources(&[plural])),
        None => bail!("{word:?} is no kind of Function Mesh; use function, source, sink or functionmesh"),
    }
}

fn resources(plurals: &[&str]) -> String {
    plurals.iter().map(|plural| format!("{plural}.{GROUP}")).collect::<Vec<_>>().join(",")
}

fn parsed(words: &[String], kinds: &str) -> Result<Named> {
    let Some((first, rest)) = words.split_first() else { return Ok(Named::Kinds(kinds.to_owned())) };
    if first.contains('/') {
        let pairs: Result<Vec<_>> = words
            .iter()
            .map(|word| match word.split_once('/') {
                Some((kind, name)) if !name.is_empty() => Ok((resource(kind)?, name.to_owned())),
                _ => bail!("{word:?}: write KIND/NAME, as the words before it are"),
            })
            .collect();
        return Ok(Named::Objects(pairs?));
    }
    let kinds: Result<Vec<String>> = first.split(',').map(resource).collect();
    let kinds = kinds?.join(",");
    if rest.is_empty() {
        return Ok(Named::Kinds(kinds));
    }
    if let Some(word) = rest.iter().find(|word| word.contains('/')) {
        bail!("{word:?}: a kind was named before; write the name alone");
    }
    Ok(Named::Objects(rest.iter().map(|name| (kinds.clone(), name.clone())).collect()))
}

/// Each object once, in the order of its first mention.
fn distinct(items: Vec<Item>) -> Vec<Item> {
    let mut seen = std::collections::BTreeSet::new();
    items.into_iter().filter(|item| seen.insert(item.uid().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Result<Named> {
        parsed(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>(), &component_kinds())
    }

    fn objects(pairs: &[(&str, &str)]) -> Named {
        Named::Objects(
            pairs.iter().map(|(kind, name)| (format!("{kind}.{GROUP}"), (*name).to_owned())).collect(),
        )
    }

    #[test]
    fn objects_are_named_as_kubectl_takes_them() {
        assert_eq!(words("fn a b").unwrap(), objects(&[("functions", "a"), ("functions", "b")]));
        assert_eq!(words("Function/a snk/b").unwrap(), objects(&[("functions", "a"), ("sinks", "b")]));
        assert_eq!(
            words("functions.compute.functionmesh.io a").unwrap(),
            objects(&[("functions", "a")]),
            "as kubectl prints it"
        );
        assert_eq!(words("sources,sinks").unwrap(), Named::Kinds(resources(&["sources", "sinks"])));
        assert_eq!(words("").unwrap(), Named::Kinds(component_kinds()));
    }

    #[test]
    fn nothing_is_applied_to_all_namespaces() {
        let scope = |namespace: Option<&str>, all| Scope {
            namespace: namespace.map(str::to_owned),
            all_namespaces: all,
        };
        assert_eq!(scope(None, true).words(), ["--all-namespaces"]);
        assert!(scope(None, true).namespace_words().is_empty(), "kubectl apply has no such option");
        assert_eq!(scope(Some("a"), false).namespace_words(), ["--namespace", "a"]);
    }

    #[test]
    fn what_cannot_be_meant_says_what_to_write() {
        for (text, says) in [
            ("pods x", "use function, source, sink or functionmesh"),
            ("fn a sink/b", "write the name alone"),
            ("fn/a b", "write KIND/NAME"),
            ("fn/", "write KIND/NAME"),
        ] {
            let error = words(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
