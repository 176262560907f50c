//! The paths in a file: its references to other modules and crates.

use proc_macro2::{TokenStream, TokenTree};
use std::collections::BTreeSet;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, File, Item, ItemMod, ItemUse, Macro, Path, UseTree};

/// A path, resolved as far as a file alone allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    /// Whether the path starts at the root of this crate; otherwise the first segment is another crate or a local name.
    pub local: bool,
    pub segments: Vec<String>,
    pub line: usize,
    /// Whether it stands in code under `#[cfg(test)]`.
    pub test: bool,
}

/// A module that a file declares as a file of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Declared {
    pub name: String,
    pub public: bool,
    pub test: bool,
    /// The file, where `#[path]` names it.
    pub path: Option<String>,
    /// The modules in braces around it.
    pub around: Vec<String>,
}

/// Reads the references of a file, and the modules that it declares. `module` is the path of its module.
pub(crate) fn read(file: &File, module: &[String]) -> (Vec<Reference>, Vec<Declared>) {
    let mut reader = Reader { module: module.to_vec(), depth: module.len(), ..Reader::default() };
    reader.children.push(children(&file.items));
    reader.visit_file(file);
    (reader.references, reader.declared)
}

#[derive(Default)]
struct Reader {
    /// Path of the module that is being read: that of the file, then those in braces.
    module: Vec<String>,
    /// Length of the path of the file's own module.
    depth: usize,
    /// Names of the modules that each enclosing module declares.
    children: Vec<BTreeSet<String>>,
    test: bool,
    references: Vec<Reference>,
    declared: Vec<Declared>,
}

impl Reader {
    /// Records a path as it is written.
    fn record(&mut self, written: Vec<String>, line: usize) {
        let Some(first) = written.first() else { return };
        let mut base = self.module.clone();
        let rest = match first.as_str() {
            "crate" => {
                base.clear();
                1
            }
            "self" => 1,
            "super" => {
                let ups = written.iter().take_while(|segment| *segment == "super").count();
                base.truncate(base.len().saturating_sub(ups));
                ups
            }
            child if self.children.last().is_some_and(|known| known.contains(child)) => 0,
            _ => {
                let segments = written;
                self.references.push(Reference { local: false, segments, line, test: self.test });
                return;
            }
        };
        base.extend(written.into_iter().skip(rest));
        self.references.push(Reference { local: true, segments: base, line, test: self.test });
    }

    /// The paths that a `use` names.
    fn record_tree(&mut self, tree: &UseTree, before: &[String]) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.record_tree(&path.tree, &with(&path.ident)),
            UseTree::Name(name) if name.ident == "self" => {
                self.record(before.to_vec(), name.span().start().line);
            }
            UseTree::Name(name) => self.record(with(&name.ident), name.span().start().line),
            UseTree::Rename(rename) if rename.ident == "self" => {
                self.record(before.to_vec(), rename.span().start().line);
            }
            UseTree::Rename(rename) => self.record(with(&rename.ident), rename.span().start().line),
            UseTree::Glob(glob) => self.record(before.to_vec(), glob.span().start().line),
            UseTree::Group(group) => group.items.iter().for_each(|item| self.record_tree(item, before)),
        }
    }

    /// The paths in the tokens of a macro, which are not parsed yet.
    fn record_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let (mut line, mut colons) = (0, 0);
        for token in tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Ident(ident) => {
                    if colons != 2 || path.is_empty() {
                        self.record_path(std::mem::take(&mut path), line);
                        line = ident.span().start().line;
                    }
                    colons = 0;
                    path.push(ident.to_string());
                }
                other => {
                    self.record_path(std::mem::take(&mut path), line);
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.record_tokens(group.stream());
                    }
                }
            }
        }
        self.record_path(path, line);
    }

    /// Records a path of an expression or a type. A single name is imported by a `use` or defined in the file.
    fn record_path(&mut self, path: Vec<String>, line: usize) {
        if path.len() > 1 {
            self.record(path, line);
        }
    }

    /// Reads an item that may be for tests only.
    fn within(&mut self, attributes: &[Attribute], read: impl FnOnce(&mut Self)) {
        let before = self.test;
        self.test |= attributes.iter().any(is_test);
        read(self);
        self.test = before;
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = attributes(item);
        self.within(attributes, |reader| visit::visit_item(reader, item));
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.within(&function.attrs, |reader| visit::visit_impl_item_fn(reader, function));
    }

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        let name = module.ident.to_string();
        match &module.content {
            Some((_, items)) => {
                self.module.push(name);
                self.children.push(children(items));
                visit::visit_item_mod(self, module);
                self.children.pop();
                self.module.pop();
            }
            None => self.declared.push(Declared {
                name,
                public: matches!(module.vis, syn::Visibility::Public(_)),
                test: self.test,
                path: path_attribute(module),
                around: self.module.get(self.depth..).unwrap_or_default().to_vec(),
            }),
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.record_tree(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let segments = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.record_path(segments, path.span().start().line);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.record_tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }

    // Attributes contain no module paths, and doc comments are attributes.
    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    // `pub(in path)` and `pub(super)` are not references.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}
}

/// Names of the modules among some items.
fn children(items: &[Item]) -> BTreeSet<String> {
    let modules = items.iter().filter_map(|item| match item {
        Item::Mod(module) => Some(module.ident.to_string()),
        _ => None,
    });
    modules.collect()
}

/// Whether an attribute marks an item as test code.
pub(crate) fn is_test(attribute: &Attribute) -> bool {
    let syn::Meta::List(list) = &attribute.meta else { return attribute.path().is_ident("test") };
    let contains =
        |name: &str| list.tokens.to_string().split(|c: char| !c.is_alphanumeric()).any(|word| word == name);
    list.path.is_ident("cfg") && contains("test") && !contains("not")
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn path_attribute(module: &ItemMod) -> Option<String> {
    module.attrs.iter().find_map(|attribute| {
        let syn::Meta::NameValue(pair) = &attribute.meta else { return None };
        let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &pair.value else { return None };
        pair.path.is_ident("path").then(|| text.value())
    })
}
