//! The platform's own nouns: users, tokens, plugins, uploads. Small tables, written through
//! transactions and read outside of them.

pub mod plugins;
pub mod tokens;
pub mod uploads;
pub mod users;

pub use plugins::Plugin;
pub use tokens::Token;
pub use uploads::Upload;
pub use users::User;
