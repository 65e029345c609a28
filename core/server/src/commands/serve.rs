//! `relata serve`

use std::io::Write as _;

use anyhow::{Context as _, Result};
use relata_server::{RunningServer, StartError};
use tokio::signal::unix::{SignalKind, signal};

use super::{refuse_server, server_config, start_log};
use crate::cli::{Common, ServeFlags};

pub(super) async fn run(common: &Common, flags: &ServeFlags) -> Result<()> {
    refuse_server(common, "serve")?;
    let config = server_config(common, flags).map_err(StartError::from)?;
    start_log(&config)?;
    let server = relata_server::start(config).await?;
    announce(&server)?;
    until_told_to_end().await?;
    server.shutdown().await;
    Ok(())
}

/// The one line on stdout: programs that start a server wait for it.
pub(super) fn announce(server: &RunningServer) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "listening on http://{}", server.address)
        .and_then(|()| stdout.flush())
        .context("the address could not be printed")
}

/// Waits for SIGTERM or SIGINT.
pub(super) async fn until_told_to_end() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM can't be waited for")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT can't be waited for")?;
    let what = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    };
    tracing::info!("ending on {what}");
    Ok(())
}
