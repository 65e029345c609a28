//! Making a plugin: new, build, check, test. For its author, on the author's machine.
//!
//! [`new`] writes a folder that needs nothing of this repository: the SDK and the contract are in
//! this program. [`build`] makes one file of a folder, [`check`] says everything that is wrong
//! with such a file, [`test`] runs it in a fresh workspace.

mod build;
mod check;
mod new;
mod scenario;
mod test;

pub(crate) use build::build;
pub(crate) use check::check;
pub(crate) use new::new;
pub(crate) use test::test;
