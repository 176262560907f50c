//! docs/migrate.md, from the state that a Go installation leaves to this operator, and back.

use anyhow::{Result, ensure};
use e2e::commands::docs_test::page_on_api;
use e2e::docs::Page;
use e2e::tools;
use std::path::Path;

/// Its checks compare uids and generations before and after; see the page.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_about_migrating_holds_word_for_word() -> Result<()> {
    tools::clients()?;
    let page = Page::read(Path::new("docs/migrate.md"))?;
    let executed = page_on_api("migrate", &page).await?;
    ensure!(executed > 25, "only {executed} blocks were executed");
    Ok(())
}
