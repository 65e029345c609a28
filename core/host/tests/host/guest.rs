//! Guests made of WebAssembly text: a core module, wrapped into a component with the contract's
//! WIT. No build of a guest crate is needed, and a guest can do what no compiler would let it.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use relata_host::{
    Actor, ActorKind, BeforeCall, CallError, Change, CompileCommand, Condition, Fault, Grants,
    Host, HostError, HostOptions, Limits, NamedValue, NoServices, Outcome, Package, PackageParts,
    Plugin, PluginValue, Query, ServiceError, Services, Stored, Totals,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Parameters of `before`: its record, flattened.
pub(crate) const BEFORE_PARAMS: &str = "(param $hook i32) (param i32) (param i32 i32) (param i32) \
    (param i32 i32) (param i32 i32 i32) (param i32 i32) (param $old i32) (param $old_len i32) \
    (param $new i32) (param $new_len i32)";

/// A core module. `before` is the body of the before hook: it leaves a pointer to its result,
/// and 1024 is an empty outcome.
#[derive(Clone)]
pub(crate) struct Guest {
    /// Imported interfaces of the contract.
    pub(crate) interfaces: Vec<&'static str>,
    /// Core imports: text between `(module` and the memory.
    pub(crate) imports: String,
    /// Further module fields.
    pub(crate) fields: String,
    /// Body of `before`.
    pub(crate) before: String,
    /// Body of `operations.call`, which is exported when there is one.
    pub(crate) operation: Option<String>,
}

impl Guest {
    pub(crate) fn doing(before: &str) -> Self {
        Self {
            interfaces: Vec::new(),
            imports: String::new(),
            fields: String::new(),
            before: before.to_owned(),
            operation: None,
        }
    }

    /// Answers an empty outcome.
    pub(crate) fn good() -> Self {
        Self::doing("(i32.const 1024)")
    }

    /// Gives its first input back as a patch of `score`.
    pub(crate) fn echo() -> Self {
        Self::doing(
            "(i32.store (i32.const 1028) (i32.const 2048))
             (i32.store (i32.const 1032) (i32.const 1))
             (i32.store (i32.const 2048) (i32.const 3000))
             (i32.store (i32.const 2052) (i32.const 5))
             (memory.copy (i32.const 2056) (local.get $new) (i32.const 24))
             (i32.const 1024)",
        )
        .with_fields("(data (i32.const 3000) \"score\")")
    }

    pub(crate) fn with_fields(mut self, fields: &str) -> Self {
        self.fields.push_str(fields);
        self
    }

    pub(crate) fn importing(mut self, interface: &'static str, import: &str) -> Self {
        self.interfaces.push(interface);
        self.imports.push_str(import);
        self
    }

    pub(crate) fn with_operation(mut self, body: &str) -> Self {
        self.operation = Some(body.to_owned());
        self
    }

    pub(crate) fn module_text(&self) -> String {
        let operation = self.operation.as_ref().map_or(String::new(), |body| {
            format!(
                "(func (export \"relata:plugin/operations@0.1.0#call\")
                   (param $name i32) (param i32) (param $arguments i32) (param $arguments_len i32)
                   (param i32 i32 i32) (param i32 i32) (param i32 i32) (result i32) {body})"
            )
        });
        format!(
            "(module
               {imports}
               (memory (export \"memory\") 2)
               (global $free (mut i32) (i32.const 8192))
               (func $realloc (export \"cabi_realloc\")
                 (param i32 i32 i32) (param $size i32) (result i32)
                 (local $at i32)
                 (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
                 (global.set $free (i32.add (local.get $at) (local.get $size)))
                 (local.get $at))
               (func $before (export \"relata:plugin/record-hooks@0.1.0#before\")
                 {BEFORE_PARAMS} (result i32) (local $i i32) (local $j i32) {before})
               (func (export \"relata:plugin/record-hooks@0.1.0#after\")
                 (param i32) (result i32) (i32.const 1024))
               {operation}
               {fields})",
            imports = self.imports,
            before = self.before,
            fields = self.fields,
        )
    }

    pub(crate) fn component(&self) -> Vec<u8> {
        let mut world = String::from("package test:guest;\nworld guest {\n");
        for interface in &self.interfaces {
            world.push_str(&format!("import relata:plugin/{interface}@0.1.0;\n"));
        }
        world.push_str("export relata:plugin/record-hooks@0.1.0;\n");
        if self.operation.is_some() {
            world.push_str("export relata:plugin/operations@0.1.0;\n");
        }
        world.push_str("}\n");
        component_of(&self.module_text(), &world)
    }

    pub(crate) fn package(&self, manifest: &str) -> Package {
        package_of(manifest, self.component())
    }
}

/// Wraps a core module into a component of a world.
pub(crate) fn component_of(module: &str, world: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/plugin.wit");
    resolve
        .push_str("plugin.wit", &std::fs::read_to_string(wit).unwrap())
        .unwrap();
    let package = resolve.push_str("guest.wit", world).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let mut module = wat::parse_str(module).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).unwrap();
    ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .unwrap()
        .encode()
        .unwrap()
}

pub(crate) fn package_of(manifest: &str, component: Vec<u8>) -> Package {
    let bytes = Package::pack(&PackageParts {
        manifest: manifest.to_owned(),
        component,
        ..PackageParts::default()
    })
    .unwrap();
    Package::read(&bytes).unwrap()
}

pub(crate) const HEADER: &str = "id = \"test.guest\"\nversion = \"1.2.3\"\ncontract = \"0.1.0\"\n\
    name = \"Guest\"\n";

/// One before hook, `check`, on deals.
pub(crate) fn hook_manifest() -> String {
    format!(
        "{HEADER}[[hooks]]\nname = \"check\"\nobject = \"deal\"\non = [\"create\", \"update\"]\n\
         inputs = [\"amount\"]\nwrites = [\"score\"]\n"
    )
}

/// The same, and records of deals.
pub(crate) fn records_manifest() -> String {
    hook_manifest()
        + "[capabilities.records.deal]\nread = [\"amount\"]\nwrite = [\"score\"]\n\
           create = true\nreason = \"to test\"\n"
}

pub(crate) struct Bench {
    pub(crate) host: Arc<Host>,
    pub(crate) cache: tempfile::TempDir,
    good: tokio::sync::OnceCell<Arc<Plugin>>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    pub(crate) fn with_limits(limits: Limits) -> Self {
        let cache = tempfile::tempdir().unwrap();
        let host = host_at(cache.path(), limits);
        Self {
            host,
            cache,
            good: tokio::sync::OnceCell::new(),
        }
    }

    pub(crate) async fn load(
        &self,
        guest: &Guest,
        manifest: &str,
    ) -> Result<Arc<Plugin>, HostError> {
        let package = guest.package(manifest);
        self.host
            .load(&package, &Grants::all(&package.manifest))
            .await
    }

    /// Loads a guest with one hook, and calls it.
    pub(crate) async fn run(&self, guest: &Guest) -> Result<Outcome, CallError> {
        let plugin = self.load(guest, &records_manifest()).await.unwrap();
        call(&plugin, Arc::new(NoServices)).await
    }

    /// The guest's failure. The host must have got over it.
    pub(crate) async fn fault(&self, guest: &Guest) -> Fault {
        let fault = match self.run(guest).await {
            Err(CallError::Fault(fault)) => fault,
            other => panic!("a fault was expected, not {other:?}"),
        };
        assert_eq!(fault.plugin, "test.guest");
        assert_eq!(fault.version, "1.2.3");
        let text = fault.to_string();
        assert!(text.contains("test.guest 1.2.3"), "{text}");
        assert!(text.contains("before hook `check`"), "{text}");
        self.assert_well().await;
        fault
    }

    /// Answers the good guest, as before any attack.
    pub(crate) async fn assert_well(&self) {
        let good = self
            .good
            .get_or_init(|| async { self.load(&Guest::good(), &hook_manifest()).await.unwrap() })
            .await;
        let outcome = call(good, Arc::new(NoServices)).await.unwrap();
        assert!(outcome.patches.is_empty() && outcome.effects.is_empty());
    }
}

pub(crate) fn host_at(cache: &Path, limits: Limits) -> Arc<Host> {
    Host::new(HostOptions {
        cache_dir: cache.to_owned(),
        limits,
        compile_command: compiler(),
    })
    .unwrap()
}

pub(crate) fn compiler() -> CompileCommand {
    CompileCommand::Child {
        program: env!("CARGO_BIN_EXE_relata-compile-component").into(),
        arguments: Vec::new(),
    }
}

pub(crate) fn before_call() -> BeforeCall {
    BeforeCall {
        object: "deal".to_owned(),
        change: Change::Update,
        id: "0199f5a4-0000-7000-8000-000000000001".to_owned(),
        actor: Actor {
            kind: ActorKind::User,
            id: "0199f5a4-0000-7000-8000-000000000002".to_owned(),
        },
        now: "2026-11-22T08:00:00Z".to_owned(),
        old: vec![PluginValue::Money(("10.00".to_owned(), "EUR".to_owned()))],
        new: vec![PluginValue::Money(("12.50".to_owned(), "EUR".to_owned()))],
        depth: 0,
    }
}

pub(crate) async fn call(
    plugin: &Plugin,
    services: Arc<dyn Services>,
) -> Result<Outcome, CallError> {
    plugin.before("check", before_call(), services).await
}

/// Services of which a test fills in the one it cares for.
#[async_trait]
pub(crate) trait Answers: Send + Sync {
    async fn total(&self) -> Result<Totals, ServiceError> {
        Ok(Totals {
            count: 1,
            sum: "0".to_owned(),
        })
    }
    async fn delete(&self) -> Result<(), ServiceError> {
        Ok(())
    }
}

pub(crate) struct Answering<A>(pub(crate) A);

#[async_trait]
impl<A: Answers> Services for Answering<A> {
    async fn get(&self, _: &str, _: &str, _: &[String]) -> Result<Option<Stored>, ServiceError> {
        Ok(None)
    }
    async fn find(&self, _: Query) -> Result<Vec<Stored>, ServiceError> {
        Ok(Vec::new())
    }
    async fn total(&self, _: &str, _: &str, _: Vec<Condition>) -> Result<Totals, ServiceError> {
        self.0.total().await
    }
    async fn create(&self, _: &str, _: Vec<NamedValue>) -> Result<String, ServiceError> {
        Ok("id".to_owned())
    }
    async fn update(&self, _: &str, _: &str, _: Vec<NamedValue>) -> Result<(), ServiceError> {
        Ok(())
    }
    async fn delete(&self, _: &str, _: &str) -> Result<(), ServiceError> {
        self.0.delete().await
    }
    fn settings(&self) -> String {
        "{}".to_owned()
    }
}
