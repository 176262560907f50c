//! A flow as Mermaid and as DOT.

use super::flow::{Component, Input, Use, short};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The nodes and edges of a drawing.
struct Drawing<'a> {
    /// Topics and patterns with their identifiers.
    topics: BTreeMap<&'a str, String>,
    /// Components with their identifiers.
    components: Vec<(String, &'a Component)>,
    /// From, to, and whether it is not the main output.
    edges: Vec<(String, String, bool)>,
}

impl<'a> Drawing<'a> {
    fn of(components: &'a [Component]) -> Self {
        let mut topics: BTreeMap<&str, String> = BTreeMap::new();
        for component in components {
            let names = component.inputs.iter().map(Input::name);
            for name in names.chain(component.outputs.iter().map(|(topic, _)| topic.as_str())) {
                topics.entry(name).or_default();
            }
        }
        for (i, id) in topics.values_mut().enumerate() {
            *id = format!("t{i}");
        }
        let named: Vec<(String, &Component)> =
            components.iter().enumerate().map(|(i, component)| (format!("c{i}"), component)).collect();
        let mut edges = Vec::new();
        let id = |topic: &str| topics.get(topic).cloned().unwrap_or_default();
        for (component, of) in &named {
            edges.extend(of.inputs.iter().map(|input| (id(input.name()), component.clone(), false)));
            for (topic, what) in &of.outputs {
                edges.push((component.clone(), id(topic), *what != Use::Output));
            }
        }
        // A pattern gets what is written to the topics that it matches.
        for pattern in
            components.iter().flat_map(|c| &c.inputs).filter(|input| matches!(input, Input::Pattern(_)))
        {
            let matched = topics.keys().filter(|topic| **topic != pattern.name() && pattern.reads(topic));
            edges.extend(matched.map(|topic| (id(topic), id(pattern.name()), true)));
        }
        edges.sort();
        edges.dedup();
        Self { topics, components: named, edges }
    }
}

/// The flow for <https://mermaid.js.org>, which forges draw.
pub(crate) fn mermaid(components: &[Component]) -> String {
    let drawing = Drawing::of(components);
    let text = |text: &str| text.replace('"', "#quot;");
    let mut lines = "flowchart LR\n".to_owned();
    for (id, component) in &drawing.components {
        // Writing to a String does not fail.
        let _ = writeln!(lines, "    {id}[\"{}\"]", text(&component.name));
    }
    for (topic, id) in &drawing.topics {
        let _ = writeln!(lines, "    {id}([\"{}\"])", text(short(topic)));
    }
    for (from, to, is_aside) in &drawing.edges {
        let _ = writeln!(lines, "    {from} {} {to}", if *is_aside { "-.->" } else { "-->" });
    }
    lines
}

/// The flow for Graphviz.
pub(crate) fn dot(components: &[Component]) -> String {
    let drawing = Drawing::of(components);
    let text = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let mut lines = "digraph flow {\n    rankdir=LR;\n".to_owned();
    for (id, component) in &drawing.components {
        let _ = writeln!(lines, "    {id} [shape=box, label=\"{}\"];", text(&component.name));
    }
    for (topic, id) in &drawing.topics {
        let _ = writeln!(lines, "    {id} [shape=oval, label=\"{}\"];", text(short(topic)));
    }
    for (from, to, is_aside) in &drawing.edges {
        let _ = writeln!(lines, "    {from} -> {to}{};", if *is_aside { " [style=dashed]" } else { "" });
    }
    lines + "}\n"
}

#[cfg(test)]
mod tests {
    use super::super::flow::tests::function;
    use super::*;

    #[test]
    fn a_flow_is_drawn() {
        let flow = [function("a", &["in"], "out")];
        assert_eq!(
            mermaid(&flow),
            "flowchart LR\n    c0[\"function default/a\"]\n    t0([\"in\"])\n    t1([\"out\"])\n    c0 --> t1\n    t0 --> c0\n"
        );
        assert!(dot(&flow).contains("c0 [shape=box, label=\"function default/a\"];"));
    }

    #[test]
    fn topics_join_a_pattern_that_matches_them() {
        let mut flow = [function("a", &["x"], "out-1"), function("b", &[], "")];
        flow[1].inputs.insert(Input::Pattern("persistent://public/default/out-.*".to_owned()));
        assert!(
            mermaid(&flow).contains("t0 -.-> t1") || mermaid(&flow).contains("t1 -.-> t0"),
            "{}",
            mermaid(&flow)
        );
    }
}
