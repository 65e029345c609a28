//! Guests that want harm: each is contained, its failure named, and the host goes on.

use relata_host::{FaultCause, HostError, Limits};

use crate::guest::{Bench, Guest, HEADER, component_of, hook_manifest, package_of};
use relata_host::Grants;

const SPIN: &str = "(loop $again (br $again)) (i32.const 1024)";

const LOG: &str = "(import \"relata:plugin/log@0.1.0\" \"write\" (func $log (param i32 i32 i32)))";

const SETTINGS: &str =
    "(import \"relata:plugin/settings@0.1.0\" \"get\" (func $settings (param i32)))";

const DELETE: &str = "(import \"relata:plugin/records@0.1.0\" \"delete\" \
    (func $delete (param i32 i32 i32 i32 i32)))";

async fn check(guest: Guest, cause: FaultCause) -> String {
    let fault = Bench::new().fault(&guest).await;
    assert_eq!(fault.cause, cause, "{fault}");
    fault.detail
}

#[tokio::test]
async fn endless_loop_uses_up_its_fuel() {
    check(Guest::doing(SPIN), FaultCause::Fuel).await;
}

#[tokio::test]
async fn endless_loop_at_the_start_is_refused_when_loaded() {
    let bench = Bench::new();
    let guest = Guest::good().with_fields("(func $spin (loop $again (br $again))) (start $spin)");
    match bench.load(&guest, &hook_manifest()).await {
        Err(HostError::Fault(fault)) => {
            assert_eq!(fault.cause, FaultCause::Fuel);
            assert!(fault.to_string().contains("test.guest 1.2.3"));
        }
        other => panic!("{other:?}"),
    }
    bench.assert_well().await;
}

#[tokio::test]
async fn trap_at_the_start_is_refused_when_loaded() {
    let bench = Bench::new();
    let guest = Guest::good().with_fields("(func $die unreachable) (start $die)");
    let error = bench.load(&guest, &hook_manifest()).await.unwrap_err();
    assert!(matches!(&error, HostError::Fault(fault) if fault.cause == FaultCause::Trap));
    assert_eq!(error.issues().unwrap().0[0].code, "INSTANTIATION_FAILED");
    bench.assert_well().await;
}

#[tokio::test]
async fn endless_loop_of_log_lines_ends() {
    let guest = Guest::doing(
        "(loop $again (call $log (i32.const 1) (i32.const 0) (i32.const 10)) (br $again))
         (i32.const 1024)",
    )
    .importing("log", LOG);
    check(guest, FaultCause::HostCalls).await;
}

#[tokio::test]
async fn endless_loop_of_settings_ends() {
    let guest =
        Guest::doing("(loop $again (call $settings (i32.const 512)) (br $again)) (i32.const 1024)")
            .importing("settings", SETTINGS);
    check(guest, FaultCause::HostCalls).await;
}

#[tokio::test]
async fn endless_loop_of_refused_writes_ends() {
    let guest = Guest::doing(
        "(loop $again
           (call $delete (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 4) (i32.const 512))
           (global.set $free (i32.const 8192))
           (br $again))
         (i32.const 1024)",
    )
    .importing("records", DELETE);
    check(guest, FaultCause::HostCalls).await;
}

#[tokio::test]
async fn memory_ends_at_its_limit() {
    let guest = Guest::doing(
        "(loop $again (drop (memory.grow (i32.const 64))) (br $again)) (i32.const 1024)",
    );
    let detail = check(guest, FaultCause::Memory).await;
    assert!(detail.contains("67108864"), "{detail}");
}

#[tokio::test]
async fn memories_are_limited_together() {
    // Each stays far below the limit, all together don't.
    let memories: String = (0..6)
        .map(|_| "(core instance (instantiate $m))\n")
        .collect();
    let text = format!(
        "(component (core module $m (memory 200)) {memories})" // 12.5 MiB each
    );
    let fault = refused_at_start(&text).await;
    assert_eq!(fault.cause, FaultCause::Memory, "{fault}");
}

#[tokio::test]
async fn many_memories_are_refused() {
    let memories: String = (0..20)
        .map(|_| "(core instance (instantiate $m))\n")
        .collect();
    let text = format!("(component (core module $m (memory 1)) {memories})");
    let bench = Bench::new();
    let package = package_of(HEADER, wat::parse_str(&text).unwrap());
    let error = bench
        .host
        .load(&package, &Grants::none())
        .await
        .unwrap_err();
    assert!(error.issues().is_some(), "{error:?}");
    bench.assert_well().await;
}

#[tokio::test]
async fn many_instances_are_refused() {
    let instances: String = (0..200)
        .map(|_| "(core instance (instantiate $m))\n")
        .collect();
    let text = format!("(component (core module $m) {instances})");
    let bench = Bench::new();
    let package = package_of(HEADER, wat::parse_str(&text).unwrap());
    let error = bench
        .host
        .load(&package, &Grants::none())
        .await
        .unwrap_err();
    assert!(error.issues().is_some(), "{error:?}");
    bench.assert_well().await;
}

async fn refused_at_start(text: &str) -> relata_host::Fault {
    let bench = Bench::new();
    let package = package_of(HEADER, wat::parse_str(text).unwrap());
    let error = bench
        .host
        .load(&package, &Grants::none())
        .await
        .unwrap_err();
    bench.assert_well().await;
    match error {
        HostError::Fault(fault) => fault,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn tables_end_at_their_limit() {
    let guest = Guest::doing(
        "(loop $again
           (drop (table.grow $t (ref.null func) (i32.const 1000)))
           (br $again))
         (i32.const 1024)",
    )
    .with_fields("(table $t 1 funcref)");
    check(guest, FaultCause::Table).await;
}

#[tokio::test]
async fn trap_is_a_fault() {
    check(Guest::doing("unreachable"), FaultCause::Trap).await;
}

#[tokio::test]
async fn a_trap_carries_the_guests_last_words() {
    let guest =
        Guest::doing("(call $log (i32.const 3) (i32.const 3000) (i32.const 14)) unreachable")
            .with_fields("(data (i32.const 3000) \"no tier\\nis left\")")
            .importing("log", LOG);
    let detail = check(guest, FaultCause::Trap).await;
    assert!(detail.starts_with("no tier is lef"), "{detail}");
}

#[tokio::test]
async fn access_out_of_bounds_is_a_fault() {
    check(Guest::doing("(i32.load (i32.const -1))"), FaultCause::Trap).await;
}

#[tokio::test]
async fn stack_overflow_is_a_fault() {
    let guest = Guest::doing("(call $deeper (i32.const 0))").with_fields(
        "(func $deeper (param i32) (result i32)
           (i32.add (i32.const 1) (call $deeper (local.get 0))))",
    );
    check(guest, FaultCause::Stack).await;
}

#[tokio::test]
async fn a_list_of_two_billion_patches_is_a_fault() {
    let guest = Guest::doing(
        "(i32.store (i32.const 1028) (i32.const 0))
         (i32.store (i32.const 1032) (i32.const 0x7fffffff))
         (i32.const 1024)",
    );
    check(guest, FaultCause::Output).await;
}

/// Lists whose elements overlap in memory: small in the guest, large in the host.
#[tokio::test]
async fn a_list_that_fits_and_is_too_much_is_a_fault() {
    let guest = Guest::doing(
        "(i32.store (i32.const 1028) (i32.const 65536))
         (i32.store (i32.const 1032) (i32.const 2000))
         (i32.const 1024)",
    );
    check(guest, FaultCause::Output).await;
}

/// Two thousand patches, each of which names the same 60,000 bytes.
#[tokio::test]
async fn amplified_strings_are_a_fault() {
    let guest = Guest::doing(
        "(loop $fill
           (local.set $j (i32.add (i32.const 65536) (i32.mul (local.get $i) (i32.const 32))))
           (i32.store (local.get $j) (i32.const 0))
           (i32.store (i32.add (local.get $j) (i32.const 4)) (i32.const 60000))
           (local.set $i (i32.add (local.get $i) (i32.const 1)))
           (br_if $fill (i32.lt_u (local.get $i) (i32.const 2000))))
         (i32.store (i32.const 1028) (i32.const 65536))
         (i32.store (i32.const 1032) (i32.const 2000))
         (i32.const 1024)",
    );
    check(guest, FaultCause::Output).await;
}

#[tokio::test]
async fn text_that_is_not_utf8_is_a_fault() {
    let guest = Guest::doing(
        "(i32.store (i32.const 1028) (i32.const 2048))
         (i32.store (i32.const 1032) (i32.const 1))
         (i32.store (i32.const 2048) (i32.const 3000))
         (i32.store (i32.const 2052) (i32.const 2))
         (i32.const 1024)",
    )
    .with_fields("(data (i32.const 3000) \"\\ff\\fe\")");
    check(guest, FaultCause::Output).await;
}

#[tokio::test]
async fn an_unknown_variant_is_a_fault() {
    let guest = Guest::doing("(i32.store8 (i32.const 1024) (i32.const 7)) (i32.const 1024)");
    check(guest, FaultCause::Output).await;
}

#[tokio::test]
async fn a_result_outside_the_memory_is_a_fault() {
    check(Guest::doing("(i32.const -4)"), FaultCause::Output).await;
}

/// A patch of a field that the manifest does not name.
#[tokio::test]
async fn a_patch_beyond_the_manifest_is_a_fault() {
    let mut guest = Guest::echo();
    guest.fields = "(data (i32.const 3000) \"owner\")".to_owned();
    let detail = check(guest, FaultCause::Denied).await;
    assert!(detail.contains("owner"), "{detail}");
}

/// An effect on an object for which nothing was granted.
#[tokio::test]
async fn an_effect_beyond_the_grants_is_a_fault() {
    let guest = Guest::doing(
        "(i32.store (i32.const 1036) (i32.const 2048))
         (i32.store (i32.const 1040) (i32.const 1))
         (i32.store8 (i32.const 2048) (i32.const 2))
         (i32.store (i32.const 2052) (i32.const 3000))
         (i32.store (i32.const 2056) (i32.const 4))
         (i32.store (i32.const 2060) (i32.const 3000))
         (i32.store (i32.const 2064) (i32.const 4))
         (i32.const 1024)",
    )
    .with_fields("(data (i32.const 3000) \"deal\")");
    let detail = check(guest, FaultCause::Denied).await;
    assert!(detail.contains("records.deal.delete"), "{detail}");
}

/// JSON that would overflow the stack of whoever reads it with recursion.
#[tokio::test]
async fn deep_json_is_a_fault() {
    let guest = Guest::doing(
        "(memory.fill (i32.const 65536) (i32.const 0x5b) (i32.const 50000))
         (i32.store (i32.const 1028) (i32.const 2048))
         (i32.store (i32.const 1032) (i32.const 1))
         (i32.store (i32.const 2048) (i32.const 3000))
         (i32.store (i32.const 2052) (i32.const 5))
         (i32.store8 (i32.const 2056) (i32.const 10))
         (i32.store (i32.const 2064) (i32.const 3005))
         (i32.store (i32.const 2068) (i32.const 4))
         (i32.store (i32.const 2072) (i32.const 65536))
         (i32.store (i32.const 2076) (i32.const 50000))
         (i32.const 1024)",
    )
    .with_fields("(data (i32.const 3000) \"scorejson\")");
    let detail = check(guest, FaultCause::Output).await;
    assert!(detail.contains("nested"), "{detail}");
}

#[tokio::test]
async fn a_rejection_without_an_issue_is_a_fault() {
    let guest = Guest::doing("(i32.store8 (i32.const 1024) (i32.const 1)) (i32.const 1024)");
    check(guest, FaultCause::Output).await;
}

/// An allocator that hands out addresses outside the memory, or that traps.
#[tokio::test]
async fn a_lying_allocator_is_a_fault() {
    for allocator in ["(i32.const -64)", "(i32.const 3)", "unreachable"] {
        let text = Guest::good().module_text().replace(
            "(local.get $at))",
            &format!("(drop (local.get $at)) {allocator})"),
        );
        let bench = Bench::new();
        let component = component_of(
            &text,
            "package test:guest;\nworld guest { export relata:plugin/record-hooks@0.1.0; }\n",
        );
        let package = package_of(&hook_manifest(), component);
        let plugin = bench.host.load(&package, &Grants::none()).await.unwrap();
        let called =
            crate::guest::call(&plugin, std::sync::Arc::new(relata_host::NoServices)).await;
        assert!(
            matches!(called, Err(relata_host::CallError::Fault(_))),
            "{allocator}: {called:?}"
        );
        bench.assert_well().await;
    }
}

/// A guest that never ends must not keep others from running, even on a single thread and with
/// fuel for seconds.
#[tokio::test(flavor = "current_thread")]
async fn a_busy_guest_lets_others_run() {
    let bench = Bench::with_limits(Limits {
        before_fuel: u64::MAX / 4,
        before_wall_ms: 400,
        ..Limits::default()
    });
    bench.assert_well().await;
    let plugin = bench
        .load(&Guest::doing(SPIN), &hook_manifest())
        .await
        .unwrap();
    let spinning = tokio::spawn(async move {
        crate::guest::call(&plugin, std::sync::Arc::new(relata_host::NoServices)).await
    });
    let mut turns = 0;
    while !spinning.is_finished() {
        bench.assert_well().await;
        turns += 1;
    }
    match spinning.await.unwrap() {
        Err(relata_host::CallError::Fault(fault)) => {
            assert_eq!(fault.cause, FaultCause::Deadline, "{fault}");
        }
        other => panic!("{other:?}"),
    }
    assert!(turns > 10, "only {turns} other calls ran meanwhile");
}
