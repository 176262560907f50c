//! Small made-up crates.

use super::source::Tree;
use super::{arrows, facade, purity, size};
use std::path::PathBuf;

/// A crate in a temporary folder, removed on drop.
struct Crate(PathBuf);

impl Crate {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let root = std::env::temp_dir().join(format!("xtask-structure-{name}-{}", std::process::id()));
        for (path, text) in files {
            let file = root.join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        Self(root)
    }

    fn tree(&self) -> Tree {
        Tree::read("made_up", &self.0.join("lib.rs")).unwrap()
    }

    /// The problems with its imports, without the folder.
    fn arrows(&self) -> Vec<String> {
        let folder = format!("{}/", self.0.canonicalize().unwrap().display());
        arrows::problems(&self.tree()).into_iter().map(|problem| problem.replace(&folder, "")).collect()
    }
}

impl Drop for Crate {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

#[test]
fn arrows_to_other_branches_and_downward_are_fine() {
    let made_up = Crate::new(
        "fine",
        &[
            ("lib.rs", "mod a; mod b; pub use a::deep::A;"),
            ("a/mod.rs", "pub(crate) mod deep; pub(crate) fn down() { deep::x() }"),
            ("a/deep.rs", "use crate::b::B; pub struct A; pub(crate) fn x() { let _ = B; }"),
            ("b.rs", "pub(crate) struct B; impl B { fn f(self: B) -> B { self } }"),
        ],
    );
    assert_eq!(made_up.arrows(), [""; 0]);
}

#[test]
fn a_cycle_is_found_through_uses_expressions_and_macros() {
    let made_up = Crate::new(
        "cycle",
        &[
            ("lib.rs", "mod a; mod b; mod c; mod d;"),
            ("a.rs", "use crate::{b::B};"),
            ("b.rs", "pub(crate) struct B; fn f() { crate::c::g() }"),
            ("c.rs", "pub(crate) fn g() { let _ = format!(\"{}\", super::a::X); }"),
            ("d.rs", "use crate::a; use std::fmt;"),
        ],
    );
    assert_eq!(made_up.arrows(), ["a.rs: is in a cycle of files: a.rs -> b.rs -> c.rs -> a.rs"]);
}

#[test]
fn what_an_ancestor_defines_or_passes_on_is_an_upward_arrow() {
    let made_up = Crate::new(
        "upward",
        &[
            ("lib.rs", "mod a; mod b; pub use b::B;"),
            ("a/mod.rs", "mod child;\npub(crate) struct Own;"),
            ("a/child.rs", "use crate::B;\nuse super::Own;\nuse crate::b::B as Fine;"),
            ("b.rs", "pub struct B;"),
        ],
    );
    let text = "which is above it; take it from the file that defines it";
    assert_eq!(
        made_up.arrows(),
        [
            format!("a/child.rs:1: takes something from lib.rs, {text}"),
            format!("a/child.rs:2: takes something from a/mod.rs, {text}")
        ]
    );
}

#[test]
fn tests_and_modules_in_braces_are_part_of_their_file() {
    let made_up = Crate::new(
        "tests",
        &[
            ("lib.rs", "mod a; pub use a::A;"),
            (
                "a.rs",
                "pub struct A; mod inner { use super::A; fn f(_: A) {} }\n\
                 #[cfg(test)] mod tests;\n#[cfg(test)] mod more { use super::*; use crate::A; }",
            ),
            ("a/tests.rs", "use super::*; use crate::A as B;"),
        ],
    );
    assert_eq!(made_up.arrows(), [""; 0]);
}

#[test]
fn a_public_module_is_used_by_another_crate() {
    let made_up = Crate::new(
        "idle",
        &[
            ("lib.rs", "pub mod used; pub mod idle; mod private;"),
            ("used.rs", ""),
            ("idle.rs", "use crate::used;"),
            ("private.rs", "pub mod inside;"),
            ("private/inside.rs", ""),
        ],
    );
    let other = Crate::new("user", &[("lib.rs", "fn f() { #[cfg(test)] use made_up::used::Thing; }")]);
    let (library, user) = (made_up.tree(), other.tree());
    let idle = facade::idle(&library, &[&library, &user]);
    assert_eq!(idle.len(), 1, "{idle:?}");
    assert!(idle[0].contains("idle.rs: is a public module that no other crate names"), "{idle:?}");
}

#[test]
fn a_long_function_is_a_table_or_too_long() {
    let steps = "    step();\n".repeat(101);
    let table = "        (1, \"one\"),\n".repeat(120);
    let comments = "    // Why.\n\n".repeat(200);
    let check = |text: &str| size::in_text("a.rs", text, &syn::parse_file(text).unwrap());
    let found = check(&format!("fn long() {{\n{steps}}}\n"));
    assert_eq!(
        found,
        ["a.rs:1: long has 103 lines of code; a function has at most 100, unless it is a table".to_owned()]
    );
    assert_eq!(check(&format!("fn table() -> Vec<(u8, &str)> {{\n    vec![\n{table}    ]\n}}\n")), [""; 0]);
    assert_eq!(check(&format!("fn both() {{\n    let _ = [\n{table}    ];\n{steps}}}\n")).len(), 1);
    assert_eq!(check(&format!("fn explained() {{\n{comments}}}\n")), [""; 0]);
    assert_eq!(check(&"\n".repeat(451)), ["a.rs: has 451 lines; a file has at most 450".to_owned()]);
}

#[test]
fn a_pure_crate_has_no_runtime_below_it() {
    let tree = "functionmesh-render v0.1.0 (/x)\nkube v5.0.0\nkube-core v5.0.0\ntokio v1.54.0\n";
    let found = purity::forbidden("functionmesh-render", tree);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("functionmesh-render: depends on tokio"), "{found:?}");
}
