//! What is suspicious in a flow of topics.

use super::flow::{Component, Input, Use, short};
use std::collections::{BTreeMap, BTreeSet};

/// Most edits between two names that may be one name misspelt.
const TYPOS: usize = 2;

/// All warnings, in a stable order.
pub(crate) fn warnings(components: &[Component]) -> Vec<String> {
    let mut found = cycles(components);
    found.extend(misspelt(components));
    found.extend(shared(components));
    found
}

/// Messages that come back to where they came from.
fn cycles(components: &[Component]) -> Vec<String> {
    let mut found = BTreeMap::new();
    for start in 0..components.len() {
        let Some(path) = way_back(components, start) else { continue };
        let members: BTreeSet<usize> = path.iter().map(|(i, _)| *i).collect();
        found.entry(members).or_insert_with(|| {
            let steps: Vec<String> = path
                .iter()
                .filter_map(|(i, topic)| Some(format!("{} -> {}", components.get(*i)?.name, short(topic))))
                .collect();
            let first = components.get(start).map(|c| c.name.as_str()).unwrap_or_default();
            format!("cycle: {} -> {first}; each message comes back for ever", steps.join(" -> "))
        });
    }
    found.into_values().collect()
}

/// The shortest way from a component back to itself: components, each with the topic that it writes on the way.
fn way_back(components: &[Component], start: usize) -> Option<Vec<(usize, String)>> {
    let mut before: BTreeMap<usize, (usize, String)> = BTreeMap::new();
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for (topic, _) in &components.get(at)?.outputs {
            for (next, component) in components.iter().enumerate() {
                if !component.reads(topic) || before.contains_key(&next) {
                    continue;
                }
                before.insert(next, (at, topic.clone()));
                if next == start {
                    return Some(path(&before, start));
                }
                queue.push_back(next);
            }
        }
    }
    None
}

fn path(before: &BTreeMap<usize, (usize, String)>, start: usize) -> Vec<(usize, String)> {
    let mut steps = Vec::new();
    let mut at = start;
    while let Some((from, topic)) = before.get(&at) {
        steps.push((*from, topic.clone()));
        at = *from;
        if at == start {
            break;
        }
    }
    steps.reverse();
    steps
}

/// Outputs that nobody reads, while a name that looks the same is read and written by nobody.
fn misspelt(components: &[Component]) -> Vec<String> {
    let written =
        |topic: &str| components.iter().any(|c| c.outputs.iter().any(|(output, _)| output == topic));
    let orphans: BTreeSet<(&str, &str)> = components
        .iter()
        .flat_map(|component| component.inputs.iter().map(|input| (input, component.name.as_str())))
        .filter_map(|(input, reader)| match input {
            Input::Topic(topic) if !written(topic) => Some((topic.as_str(), reader)),
            _ => None,
        })
        .collect();
    let mut found = Vec::new();
    for component in components {
        for (topic, _) in component.outputs.iter().filter(|(_, what)| *what == Use::Output) {
            if components.iter().any(|other| other.reads(topic)) {
                continue;
            }
            for (read, reader) in orphans.iter().filter(|(read, _)| is_near(topic, read)) {
                found.push(format!(
                    "{} writes {}, which nothing here reads; {reader} reads {}: is one of them misspelt?",
                    component.name,
                    short(topic),
                    short(read)
                ));
            }
        }
    }
    found
}

fn is_near(one: &str, other: &str) -> bool {
    let plain = |text: &str| text.to_lowercase().replace(['_', '.'], "-");
    let (one, other) = (plain(one), plain(other));
    // In a short name two edits make any other name.
    let allowed = TYPOS.min(short(&one).chars().count() / 4);
    one == other || strsim::damerau_levenshtein(&one, &other) <= allowed
}

/// Components that take each other's messages: the same subscription on the same topic.
fn shared(components: &[Component]) -> Vec<String> {
    let mut readers: BTreeMap<(&str, &str, &str), Vec<&str>> = BTreeMap::new();
    for component in components.iter().filter(|component| component.kind != "source") {
        for input in &component.inputs {
            let key = (component.cluster.as_str(), input.name(), component.subscription.as_str());
            readers.entry(key).or_default().push(&component.name);
        }
    }
    readers
        .into_iter()
        .filter(|(_, names)| names.len() > 1)
        .map(|((_, topic, subscription), names)| {
            format!(
                "{} share the subscription {subscription:?} on {}: each message reaches only one of them; give each a \
                 subscriptionName of its own",
                names.join(" and "),
                short(topic)
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::flow::tests::function;
    use super::*;

    #[test]
    fn a_flow_without_faults_has_no_warnings() {
        let flow = [
            function("a", &["in"], "middle"),
            function("b", &["middle"], "out"),
            function("c", &["middle"], ""),
        ];
        assert_eq!(warnings(&flow), Vec::<String>::new());
    }

    #[test]
    fn a_cycle_is_reported_once_with_its_path() {
        let flow = [function("a", &["x", "in"], "y"), function("b", &["y"], "x"), function("c", &["x"], "")];
        assert_eq!(
            warnings(&flow),
            [
                "cycle: function default/a -> y -> function default/b -> x -> function default/a; each message comes back for ever"
            ]
        );
        let own = [function("a", &["x"], "persistent://public/default/x")];
        assert_eq!(warnings(&own).len(), 1, "the shortest cycle");
    }

    #[test]
    fn a_misspelt_topic_is_seen() {
        let flow = [function("a", &["in"], "enriched-orders"), function("b", &["enriched_order"], "out")];
        let found = warnings(&flow);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("is one of them misspelt?"), "{found:?}");
        let apart = [function("a", &["in"], "x1"), function("b", &["y2"], "out")];
        assert!(warnings(&apart).is_empty(), "short names are not alike");
    }

    #[test]
    fn a_subscription_that_is_shared_is_seen() {
        let mut flow = [function("a", &["in"], "x"), function("b", &["in"], "y")];
        assert!(warnings(&flow).is_empty());
        for component in &mut flow {
            component.subscription = "s".to_owned();
        }
        let found = warnings(&flow);
        assert!(
            found.len() == 1 && found[0].contains("function default/a and function default/b"),
            "{found:?}"
        );
    }
}
