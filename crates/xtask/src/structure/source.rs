//! The files of a target as a tree of modules.

use crate::structure::reference::{self, Declared, Reference};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// The modules of a library, program or test.
pub(crate) struct Tree {
    /// As `use` spells it.
    pub name: String,
    pub modules: Vec<Module>,
}

/// A file.
#[derive(Clone, Debug)]
pub(crate) struct Module {
    /// Path of the module; empty for the root.
    pub path: Vec<String>,
    pub file: PathBuf,
    pub references: Vec<Reference>,
    /// Whether it and all enclosing modules are declared with `pub`.
    pub public: bool,
    /// Whether it exists in tests only.
    pub test: bool,
}

impl Tree {
    /// Reads a target from its root file.
    pub(crate) fn read(name: &str, root: &Path) -> Result<Self> {
        let mut tree = Self { name: name.to_owned(), modules: Vec::new() };
        let module = Module {
            path: Vec::new(),
            file: root.to_owned(),
            references: Vec::new(),
            public: true,
            test: false,
        };
        tree.add(module, root.parent().unwrap_or(root))?;
        Ok(tree)
    }

    /// Adds a file and the files that it declares, which are below `folder`.
    fn add(&mut self, mut module: Module, folder: &Path) -> Result<()> {
        let source = std::fs::read_to_string(&module.file)
            .with_context(|| format!("file {}", module.file.display()))?;
        let syntax = syn::parse_file(&source).with_context(|| format!("file {}", module.file.display()))?;
        let (references, declared) = reference::read(&syntax, &module.path);
        module.references = references;
        let (public, test) = (module.public, module.test);
        let (path, file) = (module.path.clone(), module.file.clone());
        self.modules.push(module);
        for child in declared {
            let folder = child.around.iter().fold(folder.to_owned(), |folder, name| folder.join(name));
            let file = locate(&child, &folder, &file);
            let below = match file.file_name() {
                Some(name) if name == "mod.rs" => file.with_file_name(""),
                _ => folder.join(&child.name),
            };
            let module = Module {
                path: [path.as_slice(), &child.around, std::slice::from_ref(&child.name)].concat(),
                file,
                references: Vec::new(),
                public: public && child.public && child.around.is_empty(),
                test: test || child.test,
            };
            self.add(module, &below)?;
        }
        Ok(())
    }

    /// The file that a path of this crate refers to: the module with the longest name that is a prefix of the path.
    pub(crate) fn resolve(&self, segments: &[String]) -> Option<usize> {
        let matching =
            self.modules.iter().enumerate().filter(|(_, module)| segments.starts_with(&module.path));
        matching.max_by_key(|(_, module)| module.path.len()).map(|(i, _)| i)
    }
}

/// The location of the file of a declared module.
fn locate(child: &Declared, folder: &Path, declared_in: &Path) -> PathBuf {
    if let Some(path) = &child.path {
        return declared_in.with_file_name(path);
    }
    let file = folder.join(format!("{}.rs", child.name));
    if file.is_file() { file } else { folder.join(&child.name).join("mod.rs") }
}
