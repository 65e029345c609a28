//! What the machine is, and what a process has used of it.

use anyhow::{Context, Result};

use crate::process;

/// The machine, in a line.
pub(super) fn describe() -> Result<String> {
    let cpu = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu
        .lines()
        .find_map(|line| {
            line.strip_prefix("model name")
                .and_then(|rest| rest.split_once(':'))
        })
        .map_or("unknown processor", |(_, model)| model.trim());
    let cores = std::thread::available_parallelism()?;
    let memory = std::fs::read_to_string("/proc/meminfo")?;
    let kib: u64 = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or_default();
    let revision = process::output(process::command("git", &["rev-parse", "--short", "HEAD"]))
        .unwrap_or_default();
    Ok(format!(
        "{model}, {cores} cores, {} GiB; revision {}",
        kib >> 20,
        revision.trim()
    ))
}

/// CPU time that a process has used, user and system.
pub(super) fn cpu_seconds(process_id: u32) -> Result<f64> {
    // Clock ticks are 1/100 s on every Linux that this runs on.
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{process_id}/stat"))?;
    // The name may hold spaces: fields are counted from behind its closing bracket.
    let (_, rest) = stat.rsplit_once(')').context("/proc/…/stat has a name")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let user: f64 = fields.get(11).context("utime")?.parse()?;
    let system: f64 = fields.get(12).context("stime")?.parse()?;
    Ok((user + system) / TICKS_PER_SECOND)
}

/// The memory that a process holds, in MiB.
pub(super) fn resident_mib(process_id: u32) -> Result<u64> {
    status_mib(process_id, "VmRSS:")
}

/// The part of it that is no file: its own. The other is code and mapped databases, which the
/// system takes back when it wants to.
pub(super) fn own_mib(process_id: u32) -> Result<u64> {
    status_mib(process_id, "RssAnon:")
}

/// The most that a process has held since [`forget_peak`], in MiB.
pub(super) fn peak_mib(process_id: u32) -> Result<u64> {
    status_mib(process_id, "VmHWM:")
}

pub(super) fn forget_peak(process_id: u32) -> Result<()> {
    Ok(std::fs::write(
        format!("/proc/{process_id}/clear_refs"),
        "5",
    )?)
}

fn status_mib(process_id: u32, name: &'static str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process_id}/status"))?;
    let kib: u64 = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next())
        .context(name)?
        .parse()?;
    Ok(kib >> 10)
}
