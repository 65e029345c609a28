//! The load: `wrk`, told by a script what to send, and what it cost the process that answered.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail};

use super::machine::{cpu_seconds, forget_peak, peak_mib};

/// Requests before the measurement, so that both sides have compiled and cached what they will.
const WARM_UP_SECONDS: u32 = 2;

pub(super) struct Load {
    pub(super) connections: u32,
    pub(super) seconds: u32,
    /// A file with an id on each line.
    pub(super) ids: PathBuf,
}

/// What one measurement gave.
pub(super) struct Figures {
    pub(super) requests_per_second: f64,
    pub(super) median_us: f64,
    pub(super) p99_us: f64,
    pub(super) cpu_us: f64,
    /// The most memory that the process held, in MiB.
    pub(super) peak_mib: u64,
    /// The slowest request.
    pub(super) longest: Duration,
}

impl Figures {
    pub(super) const HEADER: &'static str = "\
| database | question | side | requests/s | median µs | p99 µs | CPU µs per request | peak MiB | of the floor | of its p99 |
| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |";

    pub(super) fn row(
        &self,
        database: &str,
        question: &str,
        side: &str,
        floor: Option<&Self>,
    ) -> String {
        // Both the higher the better: a p99 as long as the floor's is 1.
        let ratios = floor.map_or_else(
            || " | ".to_owned(),
            |floor| {
                format!(
                    "{:.2} | {:.2}",
                    self.requests_per_second / floor.requests_per_second,
                    floor.p99_us / self.p99_us
                )
            },
        );
        format!(
            "| {database} | {question} | {side} | {:.0} | {:.0} | {:.0} | {:.0} | {} | {ratios} |",
            self.requests_per_second, self.median_us, self.p99_us, self.cpu_us, self.peak_mib
        )
    }
}

/// Whether `wrk` is there: asked for its version it answers, but with an error code.
pub(super) fn is_installed() -> bool {
    Command::new("wrk").arg("-v").output().is_ok()
}

impl Load {
    /// Sends what the script says to `url`, and measures what it costs the process.
    pub(super) fn run(&self, script: &str, url: &str, process_id: u32) -> Result<Figures> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("load.lua");
        std::fs::write(&file, format!("{script}\n{CHECK}{REPORT}"))?;
        self.wrk(&file, url, WARM_UP_SECONDS)?;
        std::fs::write(&file, format!("{script}\n{REPORT}"))?;
        forget_peak(process_id)?;
        let before = cpu_seconds(process_id)?;
        let [requests, duration_us, median_us, p99_us, longest_us] =
            self.wrk(&file, url, self.seconds)?;
        // A warm-up may be too short for a slow question.
        if requests == 0.0 {
            bail!("no request was answered in {} s", self.seconds);
        }
        let cpu = cpu_seconds(process_id)? - before;
        Ok(Figures {
            requests_per_second: requests / (duration_us / 1e6),
            median_us,
            p99_us,
            cpu_us: cpu * 1e6 / requests,
            peak_mib: peak_mib(process_id)?,
            longest: Duration::from_secs_f64(longest_us / 1e6),
        })
    }

    /// Number of requests, duration, median, 99th percentile and the slowest.
    fn wrk(&self, script: &Path, url: &str, seconds: u32) -> Result<[f64; 5]> {
        let output = Command::new("wrk")
            .args([
                "-t",
                "1",
                "-c",
                &self.connections.to_string(),
                "-d",
                &format!("{seconds}s"),
                "--latency",
                // A group-by over everything, asked by all connections at once, takes seconds.
                "--timeout",
                "600s",
                "-s",
            ])
            .arg(script)
            .arg(url)
            .env("IDS", &self.ids)
            .output()
            .context("could not run wrk")?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        let line = printed
            .lines()
            .find_map(|line| line.strip_prefix("RESULT "))
            .with_context(|| format!("wrk printed no result:\n{printed}{complaint}"))?;
        let numbers: Vec<f64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        let &[requests, duration_us, median_us, p99_us, longest_us, errors] = numbers.as_slice()
        else {
            bail!("wrk printed {line}");
        };
        if errors > 0.0 {
            bail!("{errors} of {requests} requests failed:\n{printed}{complaint}");
        }
        Ok([requests, duration_us, median_us, p99_us, longest_us])
    }
}

/// Counts answers that are no success: GraphQL says so in the body as well. Used while warming
/// up alone, because looking into each body costs the generator more than sending it.
const CHECK: &str = r#"
failed = 0
response = function(status, headers, body)
  if status ~= 200 or string.find(body, '"errors"', 1, true) then
    failed = failed + 1
    if failed == 1 then io.stderr:write(status .. " " .. string.sub(body, 1, 500) .. "\n") end
  end
end
"#;

/// Prints the figures in one line.
const REPORT: &str = r#"
failed = failed or 0
local threads = {}
setup = function(thread) table.insert(threads, thread) end
done = function(summary, latency, requests)
  local bad = summary.errors.connect + summary.errors.read + summary.errors.write
    + summary.errors.timeout + summary.errors.status
  for _, thread in ipairs(threads) do bad = bad + thread:get("failed") end
  io.write(string.format("RESULT %d %d %d %d %d %d\n",
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max, bad))
end
"#;

/// The beginning of a script: ids to choose from, and a counter of its own.
pub(super) const PROLOGUE: &str = r#"
local ids = {}
for line in io.lines(os.getenv("IDS")) do ids[#ids + 1] = line end
math.randomseed(20261122)
local run = tostring(os.time()) .. tostring(math.random(1000000))
local count = 0
local function company(number)
  return '{"name":"Bench ' .. number .. '","website":"https://example.com/' .. number .. '","employees":12}'
end
local function companies(number)
  local list = {}
  for index = 1, 1000 do list[index] = company(number .. "-" .. index) end
  return "[" .. table.concat(list, ",") .. "]"
end
"#;
