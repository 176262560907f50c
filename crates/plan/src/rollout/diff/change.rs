//! One difference of a newly rendered `StatefulSet`, as a short text.

use crate::rollout::provenance::Immutable;
use std::fmt;

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where it is.
    pub place: Place,
    /// What it is, such as `env X` or `securityContext.runAsNonRoot`; empty for a container as a whole.
    pub item: String,
    /// How it changes.
    pub fate: Fate,
}

/// The place of a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the `StatefulSet` outside of its pod template.
    Set,
    /// In the container of this name.
    Container(String),
    /// In the init container of this name.
    InitContainer(String),
    /// In the pod template outside of its containers.
    Pod,
}

/// The kind of difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is added.
    Added,
    /// It is removed.
    Removed,
    /// It changes.
    Changed,
    /// It changes; both values are shown, because they are not secret.
    Became(String, String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set => Ok(()),
            Self::Container(name) => write!(f, "container {name}"),
            Self::InitContainer(name) => write!(f, "init container {name}"),
            Self::Pod => f.write_str("pod"),
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added => f.write_str("added"),
            Self::Removed => f.write_str("removed"),
            Self::Changed => f.write_str("changed"),
            Self::Became(from, to) => write!(f, "changed from {from} to {to}"),
        }
    }
}

impl Change {
    /// As text, after a previous change that may have the same place.
    pub(super) fn text(&self, before: Option<&Place>) -> String {
        let Self { place, item, fate } = self;
        match (item.is_empty(), *place == Place::Set || before == Some(place)) {
            (true, _) => format!("{place} {fate}"),
            (false, true) => format!("{item} {fate}"),
            (false, false) => format!("{place}: {item} {fate}"),
        }
    }
}

impl Change {
    /// The immutable field of the `StatefulSet` that it is in, if any.
    pub fn immutable(&self) -> Option<&'static str> {
        let field = self.item.split(['.', ' ']).next().unwrap_or_default();
        // A claim template is an item of its own.
        let is = |known: &&&str| {
            field == **known || (field.strip_suffix('s').is_none() && known.strip_suffix('s') == Some(field))
        };
        (self.place == Place::Set).then(|| Immutable::FIELDS.iter().find(is).copied()).flatten()
    }

    /// Its position in the list: first the program of the pods, then their settings, then their metadata.
    pub(super) fn rank(&self) -> u8 {
        let word = self.item.split(['.', ' ']).next().unwrap_or_default();
        match word {
            _ if self.immutable().is_some() => 0,
            "" | "image" | "command" | "args" => 1,
            "label"
            | "annotation"
            | "owner"
            | "finalizers"
            | "updateStrategy"
            | "revisionHistoryLimit"
            | "terminationMessagePath"
            | "terminationMessagePolicy"
            | "imagePullPolicy"
            | "minReadySeconds" => 3,
            _ => 2,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(None))
    }
}
