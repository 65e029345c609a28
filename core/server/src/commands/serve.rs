//! `relata serve`

use std::io::Write as _;

use anyhow::{Context as _, Result};
use relata_server::{RunningServer, StartError};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{refuse_server, server_config, start_log};
use crate::cli::{Common, ServeFlags};

pub(super) async fn run(common: &Common, flags: &ServeFlags) -> Result<()> {
    refuse_server(common, "serve")?;
    let config = server_config(common, flags).map_err(StartError::from)?;
    start_log(&config)?;
    let server = relata_server::start(config).await?;
    let end = End::listen()?;
    announce(&server)?;
    end.told().await;
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

/// What ends a server: SIGTERM or SIGINT.
pub(super) struct End {
    terminate: Signal,
    interrupt: Signal,
}

impl End {
    /// Before the address is announced: whoever has read it may send the signal at once.
    pub(super) fn listen() -> Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("SIGTERM can't be waited for")?,
            interrupt: signal(SignalKind::interrupt()).context("SIGINT can't be waited for")?,
        })
    }

    /// Returns when it has come.
    pub(super) async fn told(mut self) {
        let what = tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        };
        tracing::info!("ending on {what}");
    }
}
