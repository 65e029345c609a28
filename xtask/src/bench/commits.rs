//! SQLite's commits, with a disk of any speed: how much 64 clients gain by sharing them.
//!
//! The speed of the disk is that of `tests/sync`, which is put before the C library.

use anyhow::Result;

use super::{
    Options,
    load::Load,
    sides::{Prepared, Relata},
};
use crate::process::target_folder;

const CONNECTIONS: u32 = 64;
const MUTATION: &str = "mutation($data: CompanyCreate!){createCompany(data: $data){id}}";
const DATA: &str = r#"'{"data":{"name":"Bench ' .. number .. '"}}'"#;

/// A disk, and whether commits are shared.
struct Way {
    name: &'static str,
    /// See `tests/sync`.
    sync: &'static str,
    group_max: &'static str,
}

const WAYS: [Way; 4] = [
    Way {
        name: "create, 64 connections, nothing synced",
        sync: "none",
        group_max: "64",
    },
    Way {
        name: "create, 64 connections, this disk",
        sync: "0",
        group_max: "64",
    },
    Way {
        name: "create, 64 connections, a sync takes 2 ms",
        sync: "2000",
        group_max: "64",
    },
    Way {
        name: "create, 64 connections, a sync takes 2 ms, one commit each",
        sync: "2000",
        group_max: "1",
    },
];

pub(super) fn measure(server: &Relata<Prepared>, options: &Options) -> Result<Vec<String>> {
    let disk = target_folder().join("release").join("librelata_sync.so");
    let mut speeds = Vec::with_capacity(WAYS.len());
    for way in WAYS {
        let process = server.start(&[
            ("LD_PRELOAD", &disk.to_string_lossy()),
            ("RELATA_BENCH_SYNC_US", way.sync),
            ("RELATA_COMMIT_GROUP_MAX", way.group_max),
        ])?;
        let load = Load {
            connections: CONNECTIONS,
            seconds: options.seconds,
            ids: server.ids_file(),
        };
        let script = server.graphql_script(MUTATION, DATA);
        let figures = load.run(&script, process.url(), process.id())?;
        println!("{}", figures.row("sqlite", way.name, "relata", None));
        speeds.push(figures.requests_per_second);
    }
    let [unsynced, this, slow, alone] = speeds.as_slice() else {
        unreachable!("each way was measured");
    };
    Ok(vec![format!(
        "sqlite, shared commits, 64 connections: {:.2} of the speed without any sync on this disk, \
         {:.2} where a sync takes 2 ms; {:.1} times one commit each there",
        this / unsynced,
        slow / unsynced,
        slow / alone
    )])
}
