//! The harness of the scenarios: a real `relata` process over real HTTP, on SQLite and on
//! PostgreSQL, in a folder of its own.
//!
//! A scenario is a story that somebody tells of the product. It knows nothing of the rooms inside:
//! it has the command line, HTTP and GraphQL, like everybody else.

mod server;

pub use server::{Answer, DatabaseKind, Folder, Server, program, run_relata};

/// Declares a scenario once and runs it on both databases: `scenario!(name, |server| async { … })`
/// becomes the tests `name::sqlite` and `name::postgres`.
#[macro_export]
macro_rules! scenario {
    ($(#[$attribute:meta])* $name:ident, $story:expr) => {
        $(#[$attribute])*
        mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                let server = $crate::Server::start($crate::DatabaseKind::Sqlite).await.expect("the server starts");
                ($story)(server).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                let server = $crate::Server::start($crate::DatabaseKind::Postgres).await.expect("the server starts");
                ($story)(server).await;
            }
        }
    };
}
