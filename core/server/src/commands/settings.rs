//! `relata settings`

use anyhow::Result;

use super::{print_answer, refuse_server, server_config};
use crate::cli::{Common, ServeFlags};

pub(super) fn run(common: &Common, flags: &ServeFlags) -> Result<()> {
    refuse_server(common, "settings")?;
    let config = server_config(common, flags)?;
    print_answer(common, &config.to_json(), || config.to_toml());
    Ok(())
}
