//! What is refused before it runs: components that aren't, imports that aren't offered,
//! capabilities that nobody granted, and components that only a compiler suffers from.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use relata_host::{CompileFailure, Grants, Host, HostError, HostOptions, Limits, inspect};

use crate::guest::{
    Bench, Guest, HEADER, call, compiler, hook_manifest, host_at, package_of, records_manifest,
};

fn issue_of(component: &[u8]) -> (String, String) {
    let issues = inspect(component).unwrap_err();
    assert_eq!(issues.0.len(), 1, "{issues}");
    (issues.0[0].code.clone(), issues.0[0].message.clone())
}

#[test]
fn what_is_not_a_component_is_told_what_it_is() {
    let core_module = wat::parse_str("(module)").unwrap();
    assert_eq!(issue_of(&core_module).0, "COMPONENT_CORE_MODULE");
    assert_eq!(issue_of(b"\x7fELF\x02\x01\x01").0, "COMPONENT_PRECOMPILED");
    assert_eq!(issue_of(b"#!/bin/sh").0, "COMPONENT_INVALID");
    assert_eq!(issue_of(b"").0, "COMPONENT_INVALID");
    assert_eq!(issue_of(b"\0asm").0, "COMPONENT_INVALID");
    let mut cut = Guest::good().component();
    cut.truncate(cut.len() / 2);
    assert_eq!(issue_of(&cut).0, "COMPONENT_INVALID");
}

/// Any byte of a good component changed, or the end cut off: an error or a component, no panic.
#[test]
fn damaged_components_are_read_without_panic() {
    let good = Guest::echo().component();
    for position in 0..good.len() {
        let mut damaged = good.clone();
        damaged[position] ^= 0x5a;
        let _either = inspect(&damaged);
        let _either = inspect(&good[..position]);
    }
}

#[test]
fn imports_that_are_not_offered_are_named_all_at_once() {
    let component = wat::parse_str(
        "(component
           (import \"wasi:cli/environment@0.2.0\" (instance))
           (import \"acme:secrets/all@1.0.0\" (instance))
           (import \"relata:plugin/http@0.1.0\" (instance))
           (import \"relata:plugin/records@0.2.0\" (instance))
           (import \"relata:plugin/log@0.1.9\" (instance
             (export \"write-loud\" (func)))))",
    )
    .unwrap();
    let issues = inspect(&component).unwrap_err();
    let codes: Vec<&str> = issues.0.iter().map(|issue| issue.code.as_str()).collect();
    assert_eq!(
        codes,
        [
            "IMPORT_WASI",
            "IMPORT_UNKNOWN",
            "IMPORT_UNKNOWN",
            "IMPORT_UNKNOWN",
            "IMPORT_UNKNOWN"
        ],
        "{issues}"
    );
    let text = issues.to_string();
    for name in [
        "wasi:cli/environment@0.2.0",
        "acme:secrets/all@1.0.0",
        "relata:plugin/http@0.1.0",
        "relata:plugin/records@0.2.0",
        "write-loud",
    ] {
        assert!(text.contains(name), "{name} is not in: {text}");
    }
}

const TOTAL: &str = "(import \"relata:plugin/records@0.1.0\" \"total\" \
    (func $total (param i32 i32 i32 i32 i32 i32 i32)))";

async fn refused(guest: &Guest, manifest: &str, grants: Option<Grants>) -> String {
    let bench = Bench::new();
    let package = guest.package(manifest);
    let grants = grants.unwrap_or_else(|| Grants::all(&package.manifest));
    match bench.host.load(&package, &grants).await {
        Err(HostError::Refused(issues)) => issues.0[0].code.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_capability_must_be_asked_for_and_granted() {
    let guest = Guest::good().importing("records", TOTAL);
    assert_eq!(
        refused(&guest, &hook_manifest(), None).await,
        "CAPABILITY_UNDECLARED"
    );
    assert_eq!(
        refused(&guest, &records_manifest(), Some(Grants::none())).await,
        "CAPABILITY_UNGRANTED"
    );
    let too_much = Grants::parse(
        &serde_json::json!({ "records": { "person": { "read": ["emails"] } } }),
        &guest.package(&records_manifest()).manifest,
    );
    assert_eq!(too_much.unwrap_err().0[0].code, "GRANT_NOT_ASKED");
}

#[tokio::test]
async fn a_manifest_can_not_speak_of_what_is_not_exported() {
    let manifest = format!(
        "{HEADER}[[operations]]\nname = \"echo\"\nkind = \"query\"\nresult = {{ type = \"string\" }}\n"
    );
    assert_eq!(
        refused(&Guest::good(), &manifest, None).await,
        "EXPORT_MISSING"
    );
}

/// An export of the right name and the wrong type.
#[tokio::test]
async fn an_export_of_another_type_is_refused() {
    let component = wat::parse_str(
        "(component
           (core module $m (func (export \"f\")))
           (core instance $i (instantiate $m))
           (func $f (canon lift (core func $i \"f\")))
           (instance $hooks (export \"before\" (func $f)) (export \"after\" (func $f)))
           (export \"relata:plugin/record-hooks@0.1.0\" (instance $hooks)))",
    )
    .unwrap();
    let bench = Bench::new();
    let package = package_of(&hook_manifest(), component);
    let error = bench
        .host
        .load(&package, &Grants::none())
        .await
        .unwrap_err();
    assert!(error.issues().is_some(), "{error:?}");
    bench.assert_well().await;
}

/// A few kilobytes of nested loops, which keep a compiler busy for minutes.
fn compile_bomb() -> Vec<u8> {
    bomb_module(4_000)
}

/// `(component (core module (func (param i32) loop … br_if … end)))`, as bytes.
fn bomb_module(depth: usize) -> Vec<u8> {
    let mut code = vec![0u8]; // no locals
    for level in 0..depth {
        code.extend([0x03, 0x40]); // loop
        code.extend([0x20, 0x00]); // local.get 0
        code.push(0x0d); // br_if
        leb(&mut code, (level % 64) as u32);
    }
    code.extend(std::iter::repeat_n(0x0b, depth)); // end of each loop
    code.push(0x0b);
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    section(&mut module, 1, &[1, 0x60, 1, 0x7f, 0]);
    section(&mut module, 3, &[1, 0]);
    let mut bodies = vec![1];
    leb(&mut bodies, code.len() as u32);
    bodies.extend(code);
    section(&mut module, 10, &bodies);
    let mut component = b"\0asm\x0d\0\x01\0".to_vec();
    section(&mut component, 1, &module);
    component
}

fn section(into: &mut Vec<u8>, id: u8, contents: &[u8]) {
    into.push(id);
    leb(into, contents.len() as u32);
    into.extend(contents);
}

fn leb(into: &mut Vec<u8>, mut value: u32) {
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            into.push(byte);
            return;
        }
        into.push(byte | 0x80);
    }
}

async fn compile_failure(limits: Limits) -> CompileFailure {
    let bench = Bench::with_limits(limits);
    bench.assert_well().await;
    let package = package_of(HEADER, compile_bomb());
    let started = Instant::now();
    let error = bench
        .host
        .load(&package, &Grants::none())
        .await
        .unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(20));
    assert_eq!(
        error.issues().unwrap().0[0].code,
        "COMPILE_LIMIT",
        "{error}"
    );
    bench.assert_well().await;
    let left: Vec<PathBuf> = std::fs::read_dir(bench.cache.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains("scratch"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    match error {
        HostError::Compile(failure) => failure,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_compile_bomb_ends_with_its_cpu_time() {
    let failure = compile_failure(Limits {
        compile_cpu_seconds: 1,
        ..Limits::default()
    })
    .await;
    assert_eq!(failure, CompileFailure::Cpu(1));
}

#[tokio::test]
async fn a_compile_bomb_ends_at_the_wall_clock() {
    let failure = compile_failure(Limits {
        compile_wall_ms: 700,
        ..Limits::default()
    })
    .await;
    assert_eq!(failure, CompileFailure::Wall(700));
}

#[tokio::test]
async fn a_compiler_without_memory_ends_alone() {
    let bench = Bench::with_limits(Limits {
        compile_memory_bytes: 96 << 20,
        compile_cpu_seconds: 20,
        ..Limits::default()
    });
    let package = package_of(HEADER, compile_bomb());
    let error = bench
        .host
        .load(&package, &Grants::none())
        .await
        .unwrap_err();
    assert!(error.issues().is_some(), "{error:?}");
}

fn cached(bench: &Bench, ending: &str) -> PathBuf {
    std::fs::read_dir(bench.cache.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().ends_with(ending))
        .unwrap()
}

#[tokio::test]
async fn a_tampered_cache_is_compiled_again() {
    let bench = Bench::new();
    bench.load(&Guest::echo(), &hook_manifest()).await.unwrap();
    let path = cached(&bench, ".cwasm");
    let intact = std::fs::read(&path).unwrap();
    let mut tampered = intact.clone();
    let middle = tampered.len() / 2;
    tampered[middle] ^= 0xff;
    std::fs::write(&path, &tampered).unwrap();

    let plugin = bench.load(&Guest::echo(), &hook_manifest()).await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), intact);
    let outcome = call(&plugin, std::sync::Arc::new(relata_host::NoServices))
        .await
        .unwrap();
    assert_eq!(outcome.patches.len(), 1);

    // Cut short, emptied, digest gone: the same.
    for damage in [&intact[..100], &[][..]] {
        std::fs::write(&path, damage).unwrap();
        bench.load(&Guest::echo(), &hook_manifest()).await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), intact);
    }
    std::fs::remove_file(cached(&bench, ".sha256")).unwrap();
    bench.load(&Guest::echo(), &hook_manifest()).await.unwrap();
}

/// What was compiled is not compiled again, not even by another process: this host has no
/// compiler.
#[tokio::test]
async fn what_was_compiled_is_kept() {
    let bench = Bench::new();
    bench.load(&Guest::echo(), &hook_manifest()).await.unwrap();
    let without_compiler = Host::new(HostOptions {
        cache_dir: bench.cache.path().to_owned(),
        limits: Limits::default(),
        compile_command: relata_host::CompileCommand::Child {
            program: "/nonexistent/compiler".into(),
            arguments: Vec::new(),
        },
    })
    .unwrap();
    let package = Guest::echo().package(&hook_manifest());
    without_compiler
        .load(&package, &Grants::none())
        .await
        .unwrap();
    let other = Guest::good().package(&hook_manifest());
    assert!(matches!(
        without_compiler.load(&other, &Grants::none()).await,
        Err(HostError::Compiler { .. })
    ));
}

#[tokio::test]
async fn the_cache_is_for_this_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("cache");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    let host = host_at(&folder, Limits::default());
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&folder) & 0o777, 0o700);
    let package = Guest::good().package(&hook_manifest());
    host.load(&package, &Grants::none()).await.unwrap();
    for entry in std::fs::read_dir(&folder).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()) & 0o777, 0o600);
    }
    let link = parent.path().join("link");
    std::os::unix::fs::symlink(&folder, &link).unwrap();
    let through_link = Host::new(HostOptions {
        cache_dir: link,
        limits: Limits::default(),
        compile_command: compiler(),
    });
    assert!(matches!(through_link, Err(HostError::Cache { .. })));
}
