//! `crosspoint demo`: filled below.
#[derive(clap::Args)]
pub struct Options {}
/// Runs the demo.
pub fn run(_: Options) -> anyhow::Result<()> {
    Ok(())
}
