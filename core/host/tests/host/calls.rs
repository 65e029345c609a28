//! Calls of guests that behave: values in both directions, host functions with their grants and
//! limits, nesting, determinism.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use relata_host::{
    Actor, ActorKind, CallError, FaultCause, Grants, Limits, NoServices, OperationCall, Plugin,
    PluginValue, ServiceError, Totals,
};
use serde_json::json;

use crate::guest::{
    Answering, Answers, Bench, Guest, HEADER, before_call, call, hook_manifest, records_manifest,
};

const TOTAL: &str = "(import \"relata:plugin/records@0.1.0\" \"total\" \
    (func $total (param i32 i32 i32 i32 i32 i32 i32)))";

/// Adds up the amounts of deals and patches `score` with the sum, or with the error's number.
fn adding() -> Guest {
    Guest::doing(
        "(call $total (i32.const 3000) (i32.const 4) (i32.const 3004) (i32.const 6)
                      (i32.const 0) (i32.const 0) (i32.const 512))
         (i32.store (i32.const 1028) (i32.const 2048))
         (i32.store (i32.const 1032) (i32.const 1))
         (i32.store (i32.const 2048) (i32.const 3010))
         (i32.store (i32.const 2052) (i32.const 5))
         (if (i32.load8_u (i32.const 512))
           (then
             (i32.store8 (i32.const 2056) (i32.const 2))
             (i64.store (i32.const 2064) (i64.load8_u (i32.const 520))))
           (else
             (i32.store8 (i32.const 2056) (i32.const 3))
             (i32.store (i32.const 2064) (i32.load (i32.const 528)))
             (i32.store (i32.const 2068) (i32.load (i32.const 532)))))
         (i32.const 1024)",
    )
    .with_fields("(data (i32.const 3000) \"dealamountscore\")")
    .importing("records", TOTAL)
}

#[tokio::test]
async fn values_go_through_the_sandbox_and_back() {
    let bench = Bench::new();
    let plugin = bench.load(&Guest::echo(), &hook_manifest()).await.unwrap();
    for value in [
        PluginValue::Null,
        PluginValue::Boolean(true),
        PluginValue::Integer(-42),
        PluginValue::Decimal("12.50".to_owned()),
        PluginValue::Text("王小明 😀".to_owned()),
        PluginValue::Money(("9.99".to_owned(), "EUR".to_owned())),
        PluginValue::Choices(vec!["A".to_owned(), "B".to_owned()]),
        PluginValue::Ext(("fullName".to_owned(), r#"{"full":"Ada"}"#.to_owned())),
    ] {
        let mut call = before_call();
        call.new = vec![value.clone()];
        let outcome = plugin
            .before("check", call, Arc::new(NoServices))
            .await
            .unwrap();
        assert_eq!(outcome.patches.len(), 1);
        assert_eq!(outcome.patches[0].name, "score");
        assert_eq!(outcome.patches[0].value, value);
    }
}

#[tokio::test]
async fn a_rejection_is_the_plugins_answer() {
    let bench = Bench::new();
    let guest = Guest::doing(
        "(i32.store8 (i32.const 1024) (i32.const 1))
         (i32.store (i32.const 1028) (i32.const 2048))
         (i32.store (i32.const 1032) (i32.const 1))
         (i32.store (i32.const 2056) (i32.const 3000))
         (i32.store (i32.const 2060) (i32.const 7))
         (i32.const 1024)",
    )
    .with_fields("(data (i32.const 3000) \"TOO_LOW\")");
    match bench.run(&guest).await {
        Err(CallError::Rejected(issues)) => assert_eq!(issues[0].code, "TOO_LOW"),
        other => panic!("{other:?}"),
    }
}

struct Sum;

#[async_trait]
impl Answers for Sum {
    async fn total(&self) -> Result<Totals, ServiceError> {
        Ok(Totals {
            count: 3,
            sum: "31.75".to_owned(),
        })
    }
}

#[tokio::test]
async fn a_hook_reads_records() {
    let bench = Bench::new();
    let plugin = bench.load(&adding(), &records_manifest()).await.unwrap();
    assert!(plugin.reads_records());
    let outcome = call(&plugin, Arc::new(Answering(Sum))).await.unwrap();
    assert_eq!(
        outcome.patches[0].value,
        PluginValue::Decimal("31.75".to_owned())
    );
}

/// The manifest asks for `amount`, the administrator grants less.
#[tokio::test]
async fn what_was_not_granted_is_denied() {
    let bench = Bench::new();
    let package = adding().package(&records_manifest());
    let mut grants = Grants::all(&package.manifest);
    grants.records["deal"].read.clear();
    let plugin = bench.host.load(&package, &grants).await.unwrap();
    let outcome = call(&plugin, Arc::new(Answering(Sum))).await.unwrap();
    const DENIED: i64 = 1;
    assert_eq!(outcome.patches[0].value, PluginValue::Integer(DENIED));
}

#[tokio::test]
async fn writes_in_a_before_hook_are_denied() {
    struct Never;
    #[async_trait]
    impl Answers for Never {
        async fn delete(&self) -> Result<(), ServiceError> {
            panic!("the host lets no write through")
        }
    }
    let guest = Guest::doing(
        "(call $delete (i32.const 3000) (i32.const 4) (i32.const 3000) (i32.const 4) (i32.const 512))
         (i32.store (i32.const 1028) (i32.const 2048))
         (i32.store (i32.const 1032) (i32.const 1))
         (i32.store (i32.const 2048) (i32.const 3004))
         (i32.store (i32.const 2052) (i32.const 5))
         (i32.store8 (i32.const 2056) (i32.const 2))
         (i64.store (i32.const 2064) (i64.load8_u (i32.const 512)))
         (i32.const 1024)",
    )
    .with_fields("(data (i32.const 3000) \"dealscore\")")
    .importing(
        "records",
        "(import \"relata:plugin/records@0.1.0\" \"delete\" \
         (func $delete (param i32 i32 i32 i32 i32)))",
    );
    let bench = Bench::new();
    let manifest = records_manifest().replace("create = true", "create = true\ndelete = true");
    let plugin = bench.load(&guest, &manifest).await.unwrap();
    let outcome = call(&plugin, Arc::new(Answering(Never))).await.unwrap();
    assert_eq!(
        outcome.patches[0].value,
        PluginValue::Integer(1),
        "an error"
    );
}

#[derive(Debug, thiserror::Error)]
#[error("could not serialise access")]
struct Conflict;

/// A conflict that must be retried is no business of the guest's.
#[tokio::test]
async fn a_service_can_end_the_call() {
    struct Conflicting;
    #[async_trait]
    impl Answers for Conflicting {
        async fn total(&self) -> Result<Totals, ServiceError> {
            Err(ServiceError::Abort(Box::new(Conflict)))
        }
    }
    let bench = Bench::new();
    let plugin = bench.load(&adding(), &records_manifest()).await.unwrap();
    match call(&plugin, Arc::new(Answering(Conflicting))).await {
        Err(CallError::Aborted(error)) => assert!(error.downcast_ref::<Conflict>().is_some()),
        other => panic!("{other:?}"),
    }
    assert_eq!(plugin.faults_in_a_row(), 0, "it is not the plugin's fault");
    bench.assert_well().await;
}

#[tokio::test]
async fn a_service_that_never_answers_ends_at_the_deadline() {
    let bench = Bench::with_limits(Limits {
        before_wall_ms: 50,
        ..Limits::default()
    });
    let plugin = bench.load(&adding(), &records_manifest()).await.unwrap();
    match call(&plugin, Arc::new(Answering(Silent))).await {
        Err(CallError::Fault(fault)) => assert_eq!(fault.cause, FaultCause::Deadline),
        other => panic!("{other:?}"),
    }
    bench.assert_well().await;
}

/// A hook whose read calls the hook again, as a write inside a write would.
struct Nesting {
    plugin: Arc<Plugin>,
    depth: u32,
    deepest: Arc<AtomicU32>,
}

#[async_trait]
impl Answers for Nesting {
    async fn total(&self) -> Result<Totals, ServiceError> {
        self.deepest.fetch_max(self.depth, Ordering::SeqCst);
        let mut call = before_call();
        call.depth = self.depth + 1;
        let services = Answering(Nesting {
            plugin: self.plugin.clone(),
            depth: self.depth + 1,
            deepest: self.deepest.clone(),
        });
        match self.plugin.before("check", call, Arc::new(services)).await {
            Ok(_) => Sum.total().await,
            Err(error) => Err(ServiceError::Abort(Box::new(error))),
        }
    }
}

/// One top-level call at a time, and yet as many nested ones as the depth allows: none waits for
/// the slot that its parent holds.
#[tokio::test]
async fn nested_calls_end_at_a_depth_and_never_wait_for_their_parent() {
    let bench = Bench::with_limits(Limits {
        calls_concurrent_max: 1,
        ..Limits::default()
    });
    let plugin = bench.load(&adding(), &records_manifest()).await.unwrap();
    let deepest = Arc::new(AtomicU32::new(0));
    let services = Answering(Nesting {
        plugin: plugin.clone(),
        depth: 0,
        deepest: deepest.clone(),
    });
    let error = call(&plugin, Arc::new(services)).await.unwrap_err();
    let mut innermost: &dyn std::error::Error = &error;
    let fault = loop {
        match innermost.downcast_ref::<CallError>() {
            Some(CallError::Fault(fault)) => break fault,
            _ => innermost = innermost.source().expect("a fault is at the bottom"),
        }
    };
    assert_eq!(fault.cause, FaultCause::Depth, "{fault}");
    assert_eq!(deepest.load(Ordering::SeqCst), 8);
    bench.assert_well().await;
}

struct Silent;

#[async_trait]
impl Answers for Silent {
    async fn total(&self) -> Result<Totals, ServiceError> {
        std::future::pending().await
    }
}

/// Operations wait for each other; a before hook must not, for it holds what they may wait for.
#[tokio::test]
async fn an_operation_too_many_waits_and_then_gives_up() {
    let bench = Bench::with_limits(Limits {
        calls_concurrent_max: 1,
        call_queue_ms: 50,
        operation_wall_ms: 1_000,
        ..Limits::default()
    });
    let guest = Guest::good()
        .importing("records", TOTAL)
        .with_fields("(data (i32.const 3000) \"dealamount\")")
        .with_operation(
            "(call $total (i32.const 3000) (i32.const 4) (i32.const 3004) (i32.const 6)
                          (i32.const 0) (i32.const 0) (i32.const 512))
             unreachable",
        );
    let manifest = records_manifest()
        + "[[operations]]\nname = \"wait\"\nkind = \"query\"\nresult = { type = \"null\" }\n";
    let plugin = bench.load(&guest, &manifest).await.unwrap();
    let operation = || {
        plugin.operation(
            "wait",
            operation_call(json!({})),
            Arc::new(Answering(Silent)),
        )
    };
    let (first, second, hook) = tokio::join!(
        operation(),
        operation(),
        call(&plugin, Arc::new(NoServices))
    );
    let cause = |result: Result<_, CallError>| match result {
        Err(CallError::Fault(fault)) => fault.cause,
        other => panic!("{other:?}"),
    };
    assert_eq!(cause(first), FaultCause::Deadline);
    assert_eq!(cause(second), FaultCause::Capacity);
    assert!(hook.is_ok());
}

#[tokio::test]
async fn the_same_call_gives_the_same_bytes_and_the_same_fuel() {
    let bench = Bench::new();
    let plugin = bench.load(&adding(), &records_manifest()).await.unwrap();
    let first = call(&plugin, Arc::new(Answering(Sum))).await.unwrap();
    let fuel = plugin.fuel_of_last_call();
    assert!(fuel > 0);
    for _ in 0..100 {
        let again = call(&plugin, Arc::new(Answering(Sum))).await.unwrap();
        assert_eq!(again.patches, first.patches);
        assert_eq!(plugin.fuel_of_last_call(), fuel);
    }
}

/// Memory of one call is not there in the next.
#[tokio::test]
async fn nothing_leaks_from_call_to_call() {
    let guest = Guest::doing(
        "(if (i32.load (i32.const 6000)) (then unreachable))
         (i32.store (i32.const 6000) (i32.const 1))
         (i32.const 1024)",
    );
    let bench = Bench::new();
    let plugin = bench.load(&guest, &hook_manifest()).await.unwrap();
    for _ in 0..300 {
        call(&plugin, Arc::new(NoServices)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_at_once() {
    let bench = Bench::new();
    let plugin = bench.load(&adding(), &records_manifest()).await.unwrap();
    let calls: Vec<_> = (0..500)
        .map(|_| {
            let plugin = plugin.clone();
            tokio::spawn(async move { call(&plugin, Arc::new(Answering(Sum))).await })
        })
        .collect();
    for called in calls {
        assert_eq!(called.await.unwrap().unwrap().patches.len(), 1);
    }
}

fn operation_manifest(kind: &str, result: &str) -> String {
    format!(
        "{HEADER}[[operations]]\nname = \"echo\"\nkind = \"{kind}\"\n\
         arguments = {{ type = \"object\", properties = {{ text = {{ type = \"string\" }} }}, \
         required = [\"text\"] }}\nresult = {result}\n"
    )
}

/// Gives its arguments back.
fn echoing() -> Guest {
    Guest::good().with_operation(
        "(i32.store (i32.const 1028) (local.get $arguments))
         (i32.store (i32.const 1032) (local.get $arguments_len))
         (i32.const 1024)",
    )
}

fn operation_call(arguments: serde_json::Value) -> OperationCall {
    OperationCall {
        arguments,
        actor: Actor {
            kind: ActorKind::User,
            id: "0199f5a4-0000-7000-8000-000000000002".to_owned(),
        },
        now: "2026-11-22T08:00:00Z".to_owned(),
        locale: "en".to_owned(),
    }
}

#[tokio::test]
async fn an_operation_answers_what_its_schema_says() {
    let bench = Bench::new();
    let manifest = operation_manifest("query", "{ type = \"object\" }");
    let plugin = bench.load(&echoing(), &manifest).await.unwrap();
    let arguments = json!({ "text": "\"quoted\" [[[ 你好" });
    let answer = plugin
        .operation(
            "echo",
            operation_call(arguments.clone()),
            Arc::new(NoServices),
        )
        .await
        .unwrap();
    assert_eq!(answer, arguments);
}

#[tokio::test]
async fn arguments_that_do_not_satisfy_the_schema_are_the_callers_mistake() {
    let bench = Bench::new();
    let manifest = operation_manifest("query", "{ type = \"object\" }");
    let plugin = bench.load(&echoing(), &manifest).await.unwrap();
    match plugin
        .operation(
            "echo",
            operation_call(json!({ "text": 1 })),
            Arc::new(NoServices),
        )
        .await
    {
        Err(CallError::Arguments(issues)) => assert_eq!(issues.0[0].path_text(), "text"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_result_that_does_not_satisfy_the_schema_is_a_fault() {
    let bench = Bench::new();
    let manifest = operation_manifest("query", "{ type = \"string\" }");
    let plugin = bench.load(&echoing(), &manifest).await.unwrap();
    match plugin
        .operation(
            "echo",
            operation_call(json!({ "text": "x" })),
            Arc::new(NoServices),
        )
        .await
    {
        Err(CallError::Fault(fault)) => {
            assert_eq!(fault.cause, FaultCause::Output);
            assert!(fault.to_string().contains("operation `echo`"), "{fault}");
        }
        other => panic!("{other:?}"),
    }
}
