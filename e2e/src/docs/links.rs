//! Links of the documentation lead somewhere.

use crate::docs::{Page, pages};
use crate::paths;
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// Anchors of the headings, as GitHub and mdBook name them, and those that the page sets itself.
fn anchors(text: &str) -> BTreeSet<String> {
    let (mut found, mut counts, mut code) = (BTreeSet::new(), BTreeMap::<String, usize>::new(), false);
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            code = !code;
        }
        for part in line.split("<a id=\"").skip(1) {
            found.extend(part.split('"').next().map(str::to_owned));
        }
        let heading = line.trim_start_matches('#');
        if code || heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let slug: String = heading
            .trim()
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let count = counts.entry(slug.clone()).or_default();
        found.insert(if *count == 0 { slug } else { format!("{slug}-{count}") });
        *count += 1;
    }
    found
}

/// Targets of the links of a page, with the line of each; without code.
fn links(text: &str) -> Vec<(usize, String)> {
    let (mut found, mut code) = (Vec::new(), false);
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            code = !code;
        }
        if code {
            continue;
        }
        // Only what is outside of backticks.
        let plain: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        for part in plain.split("](").skip(1) {
            found.extend(part.split([')', ' ']).next().map(|target| (index + 1, target.to_owned())));
        }
    }
    found
}

fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

fn broken(page: &Page, all: &BTreeMap<PathBuf, BTreeSet<String>>) -> Vec<String> {
    let folder = page.path.parent().unwrap_or(Path::new(""));
    let is_broken = |target: &str| {
        if target.contains("://") || target.starts_with("mailto:") {
            return false;
        }
        let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
        let path = if file.is_empty() { page.path.clone() } else { normal(&folder.join(file)) };
        let missing = !paths::root().join(&path).exists();
        missing || (!anchor.is_empty() && !all.get(&path).is_some_and(|anchors| anchors.contains(anchor)))
    };
    links(&page.text)
        .into_iter()
        .filter(|(_, target)| is_broken(target))
        .map(|(line, target)| format!("{}:{line}: {target}", page.path.display()))
        .collect()
}

#[test]
fn each_link_of_the_documentation_leads_somewhere() -> Result<()> {
    let pages = pages()?;
    let all = pages.iter().map(|page| (page.path.clone(), anchors(&page.text))).collect();
    let broken: Vec<String> = pages.iter().flat_map(|page| broken(page, &all)).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    Ok(())
}

/// Pages that the book does not list are not in it.
#[test]
fn each_page_is_in_the_table_of_contents() -> Result<()> {
    let summary = Page::read(Path::new("docs/SUMMARY.md"))?;
    let listed: BTreeSet<PathBuf> =
        links(&summary.text).into_iter().map(|(_, target)| normal(&Path::new("docs").join(target))).collect();
    let missing: Vec<_> = pages()?
        .into_iter()
        .map(|page| page.path)
        .filter(|path| path.starts_with("docs") && !path.ends_with("SUMMARY.md") && !listed.contains(path))
        .collect();
    assert!(missing.is_empty(), "not in docs/SUMMARY.md: {missing:#?}");
    Ok(())
}

#[test]
fn a_broken_link_is_found() {
    // A page that exists, with another text.
    let page = |text: &str| Page { path: PathBuf::from("docs/style.md"), text: text.to_owned() };
    let text = "# A `b` c\n[x](#a-b-c) [y](../README.md) [z](https://example.com)\n`[no](link)`\n```\n[no](code)\n```\n";
    let all = |page: &Page| BTreeMap::from([(page.path.clone(), anchors(&page.text))]);
    let good = page(text);
    assert_eq!(broken(&good, &all(&good)), Vec::<String>::new());
    let bad = page("# A\n[x](#b) [y](missing.md)\n");
    assert_eq!(broken(&bad, &all(&bad)), ["docs/style.md:2: #b", "docs/style.md:2: missing.md"]);
}
