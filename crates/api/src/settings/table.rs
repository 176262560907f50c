//! The table.

use crate::settings::setting::Setting;
use crate::settings::{consuming, producing, program};

/// Every setting that does not work in every runtime.
pub fn settings() -> impl Iterator<Item = &'static Setting> {
    program::SETTINGS.iter().chain(consuming::SETTINGS).chain(producing::SETTINGS)
}
