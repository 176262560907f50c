//! Files and functions that are too long to read.

use crate::structure::workspace::shown;
use anyhow::{Context, Result};
use std::path::Path;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Block, Expr, Macro, Signature};

/// Most lines of a file.
const FILE: usize = 450;
/// Most lines of code of a function.
const FUNCTION: usize = 100;

/// What is too long in a file.
pub(crate) fn problems(path: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("file {}", path.display()))?;
    let parsed = syn::parse_file(&text).with_context(|| format!("file {}", path.display()))?;
    Ok(in_text(&shown(path), &text, &parsed))
}

pub(crate) fn in_text(name: &str, text: &str, parsed: &syn::File) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut reader = Reader { name, lines: &lines, problems: Vec::new() };
    if lines.len() > FILE {
        reader.problems.push(format!("{name}: has {} lines; a file has at most {FILE}", lines.len()));
    }
    reader.visit_file(parsed);
    reader.problems
}

struct Reader<'a> {
    name: &'a str,
    lines: &'a [&'a str],
    problems: Vec<String>,
}

impl Reader<'_> {
    /// Lines of code from one line to another: neither empty nor a comment.
    fn code(&self, spanned: &impl Spanned) -> usize {
        let span = spanned.span();
        let lines = self.lines.get(span.start().line.saturating_sub(1)..span.end().line).unwrap_or_default();
        lines
            .iter()
            .map(|line| line.trim())
            .filter(|line| !line.is_empty() && !line.starts_with("//"))
            .count()
    }

    fn function(&mut self, signature: &Signature, block: &Block) {
        let length = self.code(block);
        if length <= FUNCTION {
            return;
        }
        let mut tables = Tables { reader: self, longest: 0 };
        tables.visit_block(block);
        if tables.longest * 5 < length * 4 {
            let (name, line) = (&signature.ident, signature.span().start().line);
            let problem = format!(
                "{}:{line}: {name} has {length} lines of code; a function has at most {FUNCTION}, unless it is a table",
                self.name
            );
            self.problems.push(problem);
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.function(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.function(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }
}

/// Finds the longest table in a function.
struct Tables<'a, 'b> {
    reader: &'a Reader<'b>,
    longest: usize,
}

impl<'ast> Visit<'ast> for Tables<'_, '_> {
    fn visit_expr(&mut self, expression: &'ast Expr) {
        let is_table = match expression {
            Expr::Array(_) | Expr::Struct(_) => true,
            Expr::Match(matched) => !matched.arms.iter().any(|arm| matches!(*arm.body, Expr::Block(_))),
            _ => false,
        };
        if is_table {
            self.longest = self.longest.max(self.reader.code(expression));
        }
        visit::visit_expr(self, expression);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        if call.path.segments.last().is_some_and(|name| name.ident == "vec" || name.ident == "json") {
            self.longest = self.longest.max(self.reader.code(call));
        }
    }
}
