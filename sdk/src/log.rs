//! Lines in the server's log, under the plugin's name.

pub use crate::bindings::imports::relata::plugin::log::Level;
use crate::host::{Here, Host};

/// Writes one line at a level. Long lines are cut, and there is a limit per call.
pub fn write(level: Level, message: &str) {
    Here::log(level, message);
}

/// For who debugs the plugin.
pub fn debug(message: &str) {
    write(Level::Debug, message);
}

/// For who runs the server.
pub fn info(message: &str) {
    write(Level::Info, message);
}

/// Something that may need a look.
pub fn warn(message: &str) {
    write(Level::Warn, message);
}

/// Something that went wrong.
pub fn error(message: &str) {
    write(Level::Error, message);
}
