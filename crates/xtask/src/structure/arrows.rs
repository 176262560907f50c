//! Cycles between files, and upward imports.

use crate::structure::source::{Module, Tree};
use crate::structure::workspace::shown;
use std::collections::{BTreeMap, VecDeque};

/// Imports of a file from others, with the line of the first import from each.
type Arrows = BTreeMap<usize, BTreeMap<usize, usize>>;

/// The problems with the imports of a target.
pub(crate) fn problems(tree: &Tree) -> Vec<String> {
    let arrows = arrows(tree);
    let mut problems: Vec<String> = Vec::new();
    for (from, to, line) in
        arrows.iter().flat_map(|(from, to)| to.iter().map(|(to, line)| (*from, *to, *line)))
    {
        let (Some(module), Some(target)) = (tree.modules.get(from), tree.modules.get(to)) else { continue };
        if is_above(target, module) {
            problems.push(format!(
                "{}:{line}: takes something from {}, which is above it; take it from the file that defines it",
                shown(&module.file),
                shown(&target.file)
            ));
        }
    }
    problems.extend(cycles(&arrows).into_iter().map(|cycle| {
        let files: Vec<String> =
            cycle.iter().filter_map(|i| tree.modules.get(*i)).map(|module| shown(&module.file)).collect();
        format!(
            "{}: is in a cycle of files: {}",
            files.first().cloned().unwrap_or_default(),
            files.join(" -> ")
        )
    }));
    problems
}

/// Whether a module encloses another one.
fn is_above(above: &Module, below: &Module) -> bool {
    above.path.len() < below.path.len() && below.path.starts_with(&above.path)
}

fn arrows(tree: &Tree) -> Arrows {
    let mut arrows = Arrows::new();
    for (from, module) in tree.modules.iter().enumerate().filter(|(_, module)| !module.test) {
        for reference in module.references.iter().filter(|reference| reference.local && !reference.test) {
            if let Some(to) = tree.resolve(&reference.segments).filter(|to| *to != from) {
                arrows.entry(from).or_default().entry(to).or_insert(reference.line);
            }
        }
    }
    arrows
}

/// One shortest cycle for each file that is in a cycle and in none that was found before.
fn cycles(arrows: &Arrows) -> Vec<Vec<usize>> {
    let mut found: Vec<Vec<usize>> = Vec::new();
    for start in arrows.keys() {
        if found.iter().all(|cycle| !cycle.contains(start)) {
            found.extend(cycle(arrows, *start));
        }
    }
    found
}

/// The shortest path from a file back to itself.
fn cycle(arrows: &Arrows, start: usize) -> Option<Vec<usize>> {
    let mut ways = VecDeque::from([vec![start]]);
    let mut seen = std::collections::BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        let next = way.last().and_then(|last| arrows.get(last)).into_iter().flat_map(BTreeMap::keys);
        for next in next {
            let longer = [way.as_slice(), &[*next]].concat();
            if *next == start {
                return Some(longer);
            }
            if seen.insert(*next) {
                ways.push_back(longer);
            }
        }
    }
    None
}
