//! Links of the documentation as a site.

use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Pages that mdBook puts together from others, with links that hold only there.
const ASSEMBLED: [&str; 2] = ["print.html", "toc.html"];

/// Checks that each link between pages of a site, and each anchor that it names, exists.
///
/// # Errors
/// With all links that lead nowhere, or when the site cannot be read.
pub(crate) fn check(root: &Path) -> Result<()> {
    let mut pages = BTreeMap::new();
    read(root, &mut pages)?;
    let (mut checked, mut dead) = (0, Vec::new());
    for (page, text) in &pages {
        for link in values(text, "href").filter(|link| !is_elsewhere(link)) {
            checked += 1;
            if !leads_somewhere(&pages, page, link) {
                dead.push(format!("{}: {link}", page.display()));
            }
        }
    }
    ensure!(dead.is_empty(), "links that lead nowhere:\n{}", dead.join("\n"));
    ensure!(checked > 0, "{} has no links: is it a site?", root.display());
    Ok(())
}

/// The pages of a folder and of those below it, by path.
fn read(folder: &Path, pages: &mut BTreeMap<PathBuf, String>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            read(&path, pages)?;
        } else if path.extension().is_some_and(|extension| extension == "html")
            && !ASSEMBLED.iter().any(|name| path.ends_with(name))
        {
            let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            pages.insert(path, text);
        }
    }
    Ok(())
}

/// Values of an attribute.
fn values<'a>(text: &'a str, attribute: &str) -> impl Iterator<Item = &'a str> {
    let start = format!(" {attribute}=\"");
    let parts: Vec<&str> = text.split(start.as_str()).skip(1).collect();
    parts.into_iter().filter_map(|part| part.split('"').next())
}

/// Whether a link names another site.
fn is_elsewhere(link: &str) -> bool {
    link.starts_with("//") || link.split(['/', '#']).next().is_some_and(|first| first.contains(':'))
}

fn leads_somewhere(pages: &BTreeMap<PathBuf, String>, page: &Path, link: &str) -> bool {
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = if path.is_empty() { page.to_owned() } else { normal(&page.with_file_name(path)) };
    match pages.get(&target) {
        Some(text) => anchor.is_empty() || values(text, "id").any(|id| id == anchor),
        None => target.exists(),
    }
}

/// A path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut result = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                result.pop();
            }
            Component::CurDir => {}
            part => result.push(part),
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(pages: &[(&str, &str)]) -> BTreeMap<PathBuf, String> {
        pages.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())).collect()
    }

    #[test]
    fn links_and_anchors_are_followed() {
        let pages = site(&[("site/a.html", r#"<h1 id="top">"#), ("site/folder/b.html", "")]);
        let leads = |page: &str, link: &str| leads_somewhere(&pages, Path::new(page), link);
        assert!(leads("site/folder/b.html", "../a.html#top"));
        assert!(leads("site/a.html", "#top") && leads("site/a.html", "./folder/b.html"));
        assert!(!leads("site/a.html", "#bottom") && !leads("site/a.html", "b.html"));
        assert!(!leads("site/folder/b.html", "../a.html#bottom"));
    }

    #[test]
    fn links_to_other_sites_are_told_apart() {
        assert!(
            is_elsewhere("https://example.org/a")
                && is_elsewhere("mailto:a@example.org")
                && is_elsewhere("//a")
        );
        assert!(!is_elsewhere("a.html#b:c") && !is_elsewhere("#a") && !is_elsewhere("folder/a.html"));
    }

    #[test]
    fn values_of_attributes_are_read() {
        let found: Vec<&str> =
            values(r#"<a class="x" href="b.html">b</a><a href="c.html">"#, "href").collect();
        assert_eq!(found, ["b.html", "c.html"]);
    }
}
