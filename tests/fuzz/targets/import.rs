//! The bytes of a file: it is looked at, and imported by a dry run into a small database. The first
//! byte chooses how.
//!
//! It never panics, and whatever is wrong is somebody's who can mend it: each error has a code of
//! the API that isn't `INTERNAL`.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use relata_app::{
    AppError, Caller, Workspace, WorkspaceOptions,
    files::{NewFile, file_create},
    imports::{ImportAction, ImportMode, ImportOptions, import_now, import_preview},
};
use relata_files::{FileStore, Place};
use relata_host::{CompileCommand, Host, HostOptions, Limits};
use relata_store::{DatabaseOptions, read::CursorKey};

/// What an import may be refused with.
const CODES: &[&str] = &["BAD_INPUT", "LIMIT_EXCEEDED"];

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

struct Server {
    runtime: tokio::runtime::Runtime,
    workspace: Workspace,
    _folder: tempfile::TempDir,
}

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some((choice, file)) = bytes.split_first() else {
        return Corpus::Reject;
    };
    let object = if choice & 1 == 0 { "person" } else { "company" };
    let by_id = choice & 2 != 0;
    let options = ImportOptions {
        dry_run: true,
        mode: if choice & 4 == 0 {
            ImportMode::Partial
        } else {
            ImportMode::AllOrNone
        },
        action: if by_id {
            ImportAction::Upsert
        } else {
            ImportAction::Create
        },
        on: if by_id { vec!["id".to_owned()] } else { Vec::new() },
        create_missing: choice & 8 != 0,
        decimal_comma: choice & 16 != 0,
        ..ImportOptions::default()
    };
    SERVER.runtime.block_on(async {
        let (workspace, caller) = (&SERVER.workspace, Caller::system());
        let new = NewFile {
            name: "file",
            content_type: None,
            bytes_max: u64::MAX,
        };
        let content = futures_util::stream::iter([Ok(file.to_vec().into())]);
        let kept = file_create(workspace, &caller, new, content).await;
        let Ok(kept) = kept else {
            return;
        };
        let preview = import_preview(workspace, &caller, object, kept.id, &options).await;
        check(preview.as_ref().err());
        let report = import_now(workspace, &caller, object, kept.id, &options).await;
        check(report.as_ref().err());
        if let Ok(report) = report {
            assert!(report.errors.len() as u64 <= report.error_count);
            assert!(report.errors.iter().all(|error| error.code != "INTERNAL"));
        }
    });
    Corpus::Keep
});

fn check(error: Option<&AppError>) {
    if let Some(error) = error {
        assert!(CODES.contains(&error.code()), "{}: {error}", error.code());
        assert!(!error.message().is_empty());
    }
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("there is a folder for temporary files");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime starts");
        let database = folder.path().join("fuzz.db").display().to_string();
        let cache_dir = folder.path().join("cache");
        let workspace = runtime.block_on(async {
            let host = Host::new(HostOptions {
                cache_dir,
                limits: Limits::default(),
                compile_command: CompileCommand::InThisProcess,
            })
            .expect("the host starts");
            let mut options = WorkspaceOptions::new(
                DatabaseOptions::new(format!("sqlite://{database}?mode=rwc")),
                host,
                CursorKey::new([7; 16]),
            );
            let files = Place::Folder(folder.path().join("files"));
            options.files = Some(FileStore::open(&files).expect("files can be kept"));
            Workspace::open(options).await.expect("a workspace opens")
        });
        Self {
            runtime,
            workspace,
            _folder: folder,
        }
    }
}
