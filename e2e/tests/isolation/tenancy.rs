//! Permissions: what one object or one user can do to the pods of others (docs/security.md).

mod backend_config;
mod global;
mod policy;
mod reach;
mod scale;
