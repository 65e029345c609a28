//! What wasmtime makes of `wit/plugin.wit`: the types of the contract, a trait for each imported
//! interface, and for each exported one a set of indices of its own, so that each export stays
//! optional (the world's own binding would demand them all).

#[allow(missing_docs, unreachable_pub, clippy::all, reason = "generated code")]
mod generated {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "plugin",
        imports: {
            "relata:plugin/settings": trappable,
            "relata:plugin/log": trappable,
            default: async | trappable,
        },
        exports: { default: async },
        additional_derives: [PartialEq],
    });
}

pub(crate) use generated::exports::relata::plugin::{operations, record_hooks};
pub(crate) use generated::relata::plugin::{log, records, settings, types};
