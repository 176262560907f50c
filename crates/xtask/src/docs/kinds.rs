//! One page for each kind.

use super::fields::{Field, Item, Reader};
use super::markdown::{Table, anchor, code};
use super::page::Page;
use super::rules::rules;
use anyhow::{Context, Result};
use functionmesh_api::crds;
use serde_json::Value;
use std::fmt::Write;

/// The pages, in the order in which the kinds are installed.
pub(super) fn pages() -> Result<Vec<Page>> {
    let definitions = crds().iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>()?;
    let mut items = Vec::new();
    for definition in &definitions {
        let properties = schema(definition)?.pointer("/properties/spec/properties").context("a spec")?;
        items.push(Item { kind: text(definition, "/spec/names/kind"), properties });
    }
    definitions.iter().map(|definition| page(definition, &items)).collect()
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn schema(definition: &Value) -> Result<&Value> {
    definition.pointer("/spec/versions/0/schema/openAPIV3Schema").context("a definition without a schema")
}

fn page(definition: &Value, items: &[Item]) -> Result<Page> {
    let kind = text(definition, "/spec/names/kind");
    let root = schema(definition)?;
    let rules = rules(root);
    let reader = Reader { rules: &rules, items };
    let part = |name: &str| -> Result<Vec<Field>> {
        root.pointer(&format!("/properties/{name}"))
            .map_or(Ok(Vec::new()), |schema| reader.below(schema, name))
    };
    let (spec, status) = (part("spec")?, part("status")?);

    let summary = text(root, "/description");
    let mut body =
        format!("{summary} {}\n\n{}\n", text(root, "/properties/spec/description"), identity(definition));
    let sections = Sections::of(&spec);
    let _ = write!(body, "\n## `spec`\n\n{}", sections.table(&sections.top, true));
    for section in &sections.nested {
        let heading = code(&section.path);
        let _ = match &section.same_as {
            Some(other) => {
                let link = anchor(other);
                write!(body, "\n## {heading}\n\nThe same fields as [{}](#{link}).\n", code(other))
            }
            None => write!(body, "\n## {heading}\n\n{}", sections.table(&section.fields, false)),
        };
    }
    if !rules.is_empty() {
        body += "\n## Rules\n\nThe API server checks these rules when an object is created or changed, and rejects it with the \
                 message.\n\n";
        for rule in &rules {
            let _ = writeln!(body, "* {}", rule.message);
        }
    }
    if !status.is_empty() {
        let intro = "Written by the controller. The reasons of `status.conditions` are in [Conditions](conditions.md).";
        let fields: Vec<&Field> = status.iter().collect();
        let _ = write!(body, "\n## `status`\n\n{intro}\n\n{}", sections.table(&fields, false));
    }
    Ok(Page { file: format!("{}.md", kind.to_lowercase()), title: kind, summary, body })
}

/// The names of the kind, and how to list its objects.
fn identity(definition: &Value) -> String {
    let names = |pointer: &str| text(definition, pointer);
    let (singular, short) = (names("/spec/names/singular"), names("/spec/names/shortNames/0"));
    let mut details = format!(
        "`apiVersion: {}/{}`, `kind: {}`; `kubectl get {short}`, `kubectl explain {singular}.spec`.",
        names("/spec/group"),
        names("/spec/versions/0/name"),
        names("/spec/names/kind"),
    );
    if definition.pointer("/spec/versions/0/subresources/scale").is_some() {
        let _ = write!(details, " `kubectl scale {singular} NAME --replicas=2` sets `spec.replicas`.");
    }
    details
}

/// The fields of a spec: its own fields, and a section for each field with nested fields.
struct Sections<'a> {
    top: Vec<&'a Field>,
    nested: Vec<Section<'a>>,
}

struct Section<'a> {
    path: String,
    fields: Vec<&'a Field>,
    /// An earlier section with the same fields.
    same_as: Option<String>,
}

impl<'a> Sections<'a> {
    fn of(fields: &'a [Field]) -> Self {
        let (mut top, mut nested): (Vec<&Field>, Vec<Section>) = (Vec::new(), Vec::new());
        for field in fields {
            if field.path.matches('.').count() == 1 {
                top.push(field);
                continue;
            }
            let parent = top.last().map(|field| field.path.clone()).unwrap_or_default();
            match nested.last_mut() {
                Some(section) if section.path == parent => section.fields.push(field),
                _ => nested.push(Section { path: parent, fields: vec![field], same_as: None }),
            }
        }
        let mut sections = Self { top, nested };
        sections.find_repeated();
        sections
    }

    fn find_repeated(&mut self) {
        let shape = |section: &Section| -> Vec<(String, String)> {
            let below = |field: &&Field| field.path.get(section.path.len()..).unwrap_or_default().to_owned();
            section.fields.iter().map(|field| (below(field), field.note.clone())).collect()
        };
        let shapes: Vec<_> =
            self.nested.iter().map(|section| (section.path.clone(), shape(section))).collect();
        for (index, section) in self.nested.iter_mut().enumerate() {
            let mine = shape(section);
            let earlier = shapes.iter().take(index).find(|(_, shape)| *shape == mine);
            section.same_as = earlier.map(|(path, _)| path.clone());
        }
    }

    /// `linked`: fields with a section of their own link to it.
    fn table(&self, fields: &[&Field], linked: bool) -> Table {
        let mut table = Table::new(&["Field", "Type", "Default", "Validation", "Note"]);
        for field in fields {
            let mut name = code(&field.path);
            if linked && self.nested.iter().any(|section| section.path == field.path) {
                name = format!("[{name}](#{})", anchor(&field.path));
            }
            table.row([
                name,
                field.type_.clone(),
                field.default.clone(),
                field.validation.join("<br>"),
                field.note.clone(),
            ]);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::LazyLock;

    /// Deriving the schemas takes a while in an unoptimised build.
    static PAGES: LazyLock<Vec<Page>> = LazyLock::new(|| pages().unwrap());

    fn body(kind: &str) -> &'static str {
        &PAGES.iter().find(|page| page.title == kind).unwrap().body
    }

    fn row<'a>(body: &'a str, path: &str) -> &'a str {
        let start = [format!("| `{path}` |"), format!("| [`{path}`]")];
        let mut rows = body.lines().filter(|line| start.iter().any(|start| line.starts_with(start)));
        let row = rows.next().unwrap_or_else(|| panic!("no row for {path}"));
        assert!(rows.next().is_none(), "two rows for {path}");
        row
    }

    #[test]
    fn a_field_is_found_by_its_path() {
        let function = body("Function");
        let rotation = row(function, "spec.java.log.rotatePolicy");
        assert!(rotation.contains("| string |") && rotation.contains("`SizedPolicyWith50MB`"), "{rotation}");
        assert!(row(function, "spec.pod.sidecars").contains("| list of Container |"));
        assert!(row(function, "spec.minReplicas").contains("| integer | `1` | at least 0"));
        assert!(row(function, "spec.java.jar").contains("| required<br>"));
        row(function, "spec.input.sourceSpecs.*.serdeClassname");
        row(function, "spec.pod.vpa.resourcePolicy.containerPolicies[].mode");
        row(function, "status.readyReplicas");
        assert!(!function.contains("`spec.pod.sidecars[]"), "the fields of a container are not ours");
        assert!(row(function, "spec.pulsarPackageService.cleanupAuthConfig").contains("Not used"));
    }

    #[test]
    fn a_mesh_refers_to_its_components() {
        let mesh = body("FunctionMesh");
        assert!(row(mesh, "spec.sinks").contains("| list of [Sink](sink.md) specs |"));
        assert!(!mesh.contains("spec.sinks[]"));
    }

    #[test]
    fn every_rule_is_listed() {
        for (definition, page) in crds().iter().zip(PAGES.iter()) {
            let definition = serde_json::to_value(definition).unwrap();
            for rule in rules(schema(&definition).unwrap()) {
                assert!(
                    page.body.contains(&format!("\n* {}\n", rule.message)),
                    "{}: {}",
                    page.title,
                    rule.message
                );
            }
        }
    }
}
