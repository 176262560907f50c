//! The kinds of Function Mesh as Rust types: Function, Source, Sink, FunctionMesh and BackendConfig of
//! `compute.functionmesh.io/v1alpha1`, field for field those of the Go Function Mesh.
//!
//! Every field is optional unless the Go operator's schema requires it, JSON names are the Go operator's with all their odd
//! spellings (`imageHasGet`, `serdeClassname`), and what a user wrote survives decoding and encoding. Of the rest of the
//! workspace the crate needs `functionmesh-objects` only, and it can be used as a client library:
//!
//! ```
//! use functionmesh_api::{Function, FunctionSpec};
//!
//! let mut spec = FunctionSpec::default();
//! spec.common.class_name = Some("org.example.Enrich".to_owned());
//! let function = Function::new("enrich", spec);
//! assert_eq!(function.spec.common.min_replicas, None);
//! ```
//!
//! [`crds`] gives the `CustomResourceDefinition`s.
#![deny(missing_docs)]
#![allow(clippy::doc_markdown, reason = "most comments are the descriptions that `kubectl explain` shows")]
#![allow(
    clippy::duplicated_attributes,
    reason = "the printer columns of a kind have the same types and priorities"
)]

pub mod backend_config;
pub mod common;
pub mod condition;
pub mod constants;
pub mod function;
pub mod io;
pub mod messaging;
pub mod pod;
pub mod runtime;
pub mod settings;
pub mod sink;
pub mod source;
pub mod status;

mod checked;
mod crd;
mod free_form;
mod kind;
mod limits;
mod mesh;
mod mesh_items;
mod rules;
mod schema;
mod size;
mod unused;

pub use backend_config::{BackendConfig, BackendConfigSpec};
pub use crd::{crd, crds};
pub use free_form::FreeForm;
pub use function::{Function, FunctionSpec};
pub use kind::Kind;
pub use mesh::{FunctionMesh, FunctionMeshSpec};
pub use mesh_items::{MeshItem, mesh_items, mesh_label};
pub use sink::{Sink, SinkSpec};
pub use source::{Source, SourceSpec};
