//! Packages of Pulsar's package service and of a web server. Code in the image is in the cases of the runtimes, and Python's
//! packages are in those of Python.

use crate::matrix::Case;
use crate::matrix::run::Run;
use anyhow::Result;
use e2e::shell::progress;

pub(crate) fn cases() -> Vec<Case> {
    let case = |sample, check| Case { group: "packages", sample, check };
    vec![
        case("50-package-service", service),
        case("51-package-web", web),
        case("54-package-missing", missing),
    ]
}

fn service(run: &Run<'_>) -> Result<()> {
    run.stage.upload("function/public/default/examples/v1", "/pulsar/examples/api-examples.jar")?;
    run.answers(20, "!")
}

/// The server of the tests has the files of the image.
fn web(run: &Run<'_>) -> Result<()> {
    run.answers(20, "!")
}

/// The reason names the package and has the response of the package service.
fn missing(run: &Run<'_>) -> Result<()> {
    run.apply()?;
    let message = run.until_reason("fn", &["PackageUnavailable"], &["404"])?;
    progress(&message);
    Ok(())
}
