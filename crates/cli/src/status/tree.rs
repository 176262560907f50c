//! The tree of an object: its conditions, its components, and what belongs to it.

use super::children::Children;
use super::node::{Node, State};
use crate::age::age;
use crate::cluster::item::Item;
use functionmesh_plan::health::reason::Reason;

/// Where a reason is explained.
const PAGE: &str = "docs/troubleshooting.md";

/// The tree of an object and its components.
pub(crate) fn tree(item: &Item, components: &[Item], children: &Children) -> Node {
    let mut node =
        Node { title: format!("{} {}/{}", item.kind, item.namespace, item.name), ..Node::default() };
    for condition in item.conditions() {
        let is_true = condition.status == "True";
        let time = condition.last_transition_time.0.to_string();
        match condition.type_.as_str() {
            "Ready" => {
                if !is_true {
                    node.notes.push(format!("{}: {}", condition.reason, condition.message));
                    node.notes.extend(advice(item, &condition.reason));
                }
                let state = State { is_ready: Some(is_true), reason: condition.reason, since: age(&time) };
                node.state = Some(state);
            }
            // They repeat what `Ready` says, for tools.
            "Progressing" | "Reconciling" | "Stalled" => {}
            _ if is_true => {
                let notice = format!("{} ({}): {}", condition.type_, condition.reason, condition.message);
                node.notes.push(notice);
            }
            _ => {}
        }
    }
    if node.state.is_none() {
        let text = "no controller has reported on it yet; is the controller of its kind installed and does it watch this namespace?";
        node.notes.push(text.to_owned());
    } else if !item.is_ready() && node.notes.is_empty() {
        node.notes.push("the newest change has not been reconciled yet".to_owned());
    }
    node.children = components.iter().map(|component| tree(component, &[], children)).collect();
    node.children.extend(children.of(item));
    node
}

/// What to do about a reason, in the words of the page that explains it.
fn advice(item: &Item, reason: &str) -> Option<String> {
    let known = Reason::ALL.into_iter().find(|known| known.as_str() == reason);
    match known {
        Some(Reason::WaitingForPods) => None,
        Some(known) if !item.is_mesh() => {
            let fix = named(known.docs().fix, &item.name).replace('`', "");
            Some(format!("What to do: {fix} ({PAGE}#{})", reason.to_lowercase()))
        }
        _ => Some(format!("See {PAGE}#{}", reason.to_lowercase())),
    }
}

/// A text in which the word NAME is the name of the object; other words that contain it, such as NAMESPACE, are not.
fn named(text: &str, name: &str) -> String {
    let words: Vec<String> = text
        .split(' ')
        .map(|word| match word.split_once("NAME") {
            Some((before, after)) if !(before.ends_with(is_of_word) || after.starts_with(is_of_word)) => {
                format!("{before}{name}{after}")
            }
            _ => word.to_owned(),
        })
        .collect();
    words.join(" ")
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_word_is_replaced() {
        assert_eq!(
            named("kubectl logs `NAME-0` of TENANT/NAMESPACE for fn/NAME.", "a"),
            "kubectl logs `a-0` of TENANT/NAMESPACE for fn/a."
        );
    }
}
