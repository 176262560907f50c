//! The rules that follow from the table: refusals and warnings.

use crate::kind::Kind;
use crate::settings::setting::{Effect, Runtime, Setting};
use crate::settings::table::settings;
use crate::settings::when::{self, When};
use serde_json::Value;
use std::sync::LazyLock;

/// What happens to an object with a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Refused,
    NoEffect,
    Limited,
}

/// A setting that has no effect, is limited or is dangerous, in the runtimes that share it.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The setting.
    pub setting: &'static Setting,
    /// The runtimes.
    pub runtimes: Vec<Runtime>,
    outcome: Outcome,
    text: &'static str,
}

impl Rule {
    /// Whether the setting is refused; otherwise it causes a warning.
    pub fn is_refused(&self) -> bool {
        self.outcome == Outcome::Refused
    }

    /// The message for the user.
    pub fn message(&self) -> String {
        let (name, text) = (self.setting.name, self.text);
        if self.outcome != Outcome::NoEffect {
            return format!("spec.{name}: {text}");
        }
        let runtimes: Vec<String> = self.runtimes.iter().map(ToString::to_string).collect();
        let of = match self.runtimes.len() {
            4 => String::new(),
            _ => format!(" in {} programs", runtimes.join(" and ")),
        };
        format!("spec.{name} has no effect{of}: {text}")
    }

    /// Whether it applies to an object.
    pub fn applies(&self, kind: Kind, spec: &Value) -> bool {
        self.setting.kinds.contains(&kind)
            && Runtime::of(kind, spec).is_some_and(|runtime| self.runtimes.contains(&runtime))
            && self.setting.when.holds(spec)
    }

    /// The same as an expression about the `spec` of a kind; `None` for another kind.
    pub fn expression(&self, kind: Kind, spec: &str) -> Option<String> {
        let of_kind = self.setting.kinds.contains(&kind)
            && (kind == Kind::Function || self.runtimes.contains(&Runtime::Java));
        of_kind.then(|| {
            let when = self.setting.when.expression(spec);
            if kind != Kind::Function || self.runtimes.len() == Runtime::ALL.len() {
                return when;
            }
            let given = |runtime: &Runtime| match runtime {
                Runtime::Generic => [Runtime::Java, Runtime::Python, Runtime::Go]
                    .map(|other| format!("!{}", When::IsSet(other.field()).expression(spec)))
                    .join(" && "),
                runtime => When::IsSet(runtime.field()).expression(spec),
            };
            let runtimes: Vec<String> = self.runtimes.iter().map(given).collect();
            format!("({}) && {when}", runtimes.join(" || "))
        })
    }

    /// An expression for the part of a `spec` that the rule reads: equal in two objects if that part is unchanged.
    pub fn part(&self, spec: &str) -> String {
        let mut paths = Vec::new();
        self.setting.when.paths(&mut paths);
        paths.sort_unstable();
        paths.dedup();
        let parts: Vec<String> =
            paths.iter().map(|path| format!("dyn({})", when::value(spec, path))).collect();
        format!("[{}]", parts.join(", "))
    }
}

/// All rules, in the order of the table. Every reconcile reads them.
pub fn rules() -> &'static [Rule] {
    static RULES: LazyLock<Vec<Rule>> = LazyLock::new(all);
    &RULES
}

fn all() -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for setting in settings() {
        let first = rules.len();
        for runtime in Runtime::ALL {
            let (outcome, text) = match setting.effect(runtime) {
                Effect::Works => continue,
                Effect::Limited(text) => (Outcome::Limited, text),
                Effect::Nothing(text) => (Outcome::NoEffect, text),
                Effect::Dangerous(text) => (Outcome::Refused, text),
            };
            let same = |rule: &&mut Rule| (rule.outcome, rule.text) == (outcome, text);
            match rules.iter_mut().skip(first).find(same) {
                Some(rule) => rule.runtimes.push(runtime),
                None => rules.push(Rule { setting, runtimes: vec![runtime], outcome, text }),
            }
        }
    }
    rules
}

/// The dangerous settings of an object, each with its field.
pub fn refused(kind: Kind, spec: &Value) -> Vec<String> {
    found(kind, spec, true)
}

/// The settings of an object about which `kubectl apply` warns: those that have no effect or are limited.
pub fn warned(kind: Kind, spec: &Value) -> Vec<String> {
    found(kind, spec, false)
}

fn found(kind: Kind, spec: &Value, refused: bool) -> Vec<String> {
    rules()
        .iter()
        .filter(|rule| rule.is_refused() == refused && rule.applies(kind, spec))
        .map(Rule::message)
        .collect()
}
