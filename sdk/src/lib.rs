//! Write plugins for Relata: one trait, one macro.
//!
//! ```
//! use relata_sdk::prelude::*;
//!
//! #[derive(Fields)]
//! struct Deal {
//!     name: Option<String>,
//!     amount: Option<Money>,
//! }
//!
//! struct NoFreeDeals;
//!
//! impl Plugin for NoFreeDeals {
//!     fn before(call: Before) -> Result<Outcome> {
//!         let deal: Deal = call.record()?;
//!         match deal.amount {
//!             Some(amount) if amount.amount <= Decimal::ZERO => {
//!                 Err(Reject::new("FREE_DEAL").at("amount").into())
//!             }
//!             _ => Ok(Outcome::accept()),
//!         }
//!     }
//! }
//!
//! relata_sdk::register!(NoFreeDeals: hooks);
//! ```
//!
//! What a plugin may be sure of:
//! - A before hook sees the values of the inputs that its manifest declares, in that order, and
//!   nothing else; its only clock is [`Before::now`](hooks::Before::now).
//! - Numbers are exact: [`Decimal`] and [`Money`] are decimal, and no float is anywhere.
//! - A [`Reject`] is for a person to mend. A failure of the plugin ([`Error::Failed`], a panic) is
//!   something else: the write fails, the host names the plugin, and the text is in its log.
//!
//! On other targets than WebAssembly the same code talks to a [`testing::World`], so hooks are
//! tested with plain `cargo test`.

#[cfg(target_family = "wasm")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

// The derives and the bindings name this crate as its users do.
extern crate self as relata_sdk;

pub mod decimal;
pub mod fields;
pub mod hooks;
pub mod log;
pub mod operations;
pub mod records;
pub mod reject;
pub mod settings;
pub mod time;
pub mod value;

#[cfg(not(target_family = "wasm"))]
pub mod testing;

mod host;

#[doc(hidden)]
pub mod bindings;
#[doc(hidden)]
pub use wit_bindgen;

pub use bindings::imports::relata::plugin::types::{Actor, ActorKind, Change, Issue, Value};
pub use decimal::{Decimal, Rounding};
pub use fields::{Fields, FieldsError};
pub use reject::{Error, Reject, Rejections, Result};
pub use relata_sdk_macros::{Choice, Fields};
pub use value::{FromValue, Money, Reference};

use hooks::{After, Before, Outcome};
use operations::{Json, Operation};

/// What almost every plugin names.
pub mod prelude {
    pub use crate::decimal::{Decimal, Rounding};
    pub use crate::fields::Fields as _;
    pub use crate::hooks::{After, Before, Outcome};
    pub use crate::operations::{Json, Operation};
    pub use crate::reject::{Error, Reject, Rejections, Result};
    pub use crate::time::{Date, DateTime};
    pub use crate::value::{Money, Reference};
    pub use crate::{ActorKind, Change, Choice, Fields, Plugin, Value, log, records, settings};
}

/// A plugin. Each function serves every hook or operation of its sort that the manifest names:
/// match on the call's name.
pub trait Plugin {
    /// Before a record is written, in the same transaction.
    ///
    /// # Errors
    /// A rejection refuses the write; anything else fails it.
    fn before(call: Before) -> Result<Outcome> {
        Err(call.unknown())
    }

    /// After the write was committed: at least once, so let the idempotency key decide.
    ///
    /// # Errors
    /// The delivery is tried again later.
    fn after(call: After) -> Result<()> {
        Err(call.unknown())
    }

    /// A GraphQL query or mutation.
    ///
    /// # Errors
    /// A rejection is shown to the caller; anything else fails the request. Either undoes the
    /// writes of a mutation.
    fn operation(call: Operation) -> Result<Json> {
        Err(call.unknown())
    }
}

/// Exports a [`Plugin`] from the component: `register!(MyPlugin)`, or only what it implements:
/// `register!(MyPlugin: hooks)`, `register!(MyPlugin: operations)`.
#[macro_export]
macro_rules! register {
    ($plugin:ident) => {
        $crate::register!($plugin: hooks, operations);
    };
    ($plugin:ident: $($export:ident),+ $(,)?) => {
        const _: () = {
            // A plugin that implements nothing of the trait would not be one.
            const fn is_plugin<P: $crate::Plugin>() {}
            is_plugin::<$plugin>();
        };
        $($crate::__export!($plugin, $export);)+
    };
}

/// One export of [`register!`].
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($plugin:ident, hooks) => {
        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code)]
        const _: () = {
            use bindings::exports::relata::plugin::record_hooks as wire;
            use $crate::bindings::hooks as bindings;

            impl wire::Guest for $plugin {
                fn before(
                    call: wire::BeforeCall,
                ) -> ::core::result::Result<wire::Outcome, ::std::vec::Vec<wire::Issue>> {
                    $crate::hooks::serve_before::<$plugin>(call)
                }

                fn after(
                    call: wire::AfterCall,
                ) -> ::core::result::Result<(), ::std::string::String> {
                    $crate::hooks::serve_after::<$plugin>(call)
                }
            }

    bindings::export_hooks!($plugin with_types_in $crate::bindings::hooks);
        };
    };
    ($plugin:ident, operations) => {
        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code)]
        const _: () = {
            use bindings::exports::relata::plugin::operations as wire;
            use $crate::bindings::operations as bindings;

            impl wire::Guest for $plugin {
                fn call(
                    call: wire::OperationCall,
                ) -> ::core::result::Result<::std::string::String, ::std::vec::Vec<wire::Issue>>
                {
                    $crate::operations::serve::<$plugin>(call)
                }
            }

    bindings::export_operations!($plugin with_types_in $crate::bindings::operations);
        };
    };
    ($plugin:ident, $other:ident) => {
        compile_error!("a plugin exports `hooks`, `operations`, or both");
    };
}
