//! Placeholder until the benchmark lands in this commit series.

use anyhow::{Result, bail};

pub(crate) fn run(_arguments: &[String]) -> Result<()> {
    bail!("the benchmark is not there yet")
}
