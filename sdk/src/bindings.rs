//! What wit-bindgen makes of the contract (`../wit/plugin.wit`), in three parts: what a plugin
//! imports, and each thing that it may export.
//!
//! A component exports only what was registered, because each export has a world of its own; and
//! it imports only what it calls, because `wit-component` drops the rest.

// Generated code: its documentation is the WIT's.
#![allow(missing_docs, unreachable_pub, unsafe_code, clippy::all, unused_macros)]

pub mod imports {
    wit_bindgen::generate!({
        inline: r"
            package relata:sdk;

            world imports {
                import relata:plugin/types@0.1.0;
                import relata:plugin/records@0.1.0;
                import relata:plugin/settings@0.1.0;
                import relata:plugin/log@0.1.0;
            }
        ",
        path: "../wit",
        world: "relata:sdk/imports",
        generate_all,
        generate_unused_types: true,
        additional_derives: [PartialEq],
        runtime_path: "::relata_sdk::wit_bindgen::rt",
    });
}

pub mod hooks {
    wit_bindgen::generate!({
        inline: r"
            package relata:sdk;

            world hooks {
                export relata:plugin/record-hooks@0.1.0;
            }
        ",
        path: "../wit",
        world: "relata:sdk/hooks",
        with: {
            "relata:plugin/types@0.1.0": crate::bindings::imports::relata::plugin::types,
            "relata:plugin/record-hooks@0.1.0": generate,
        },
        additional_derives: [PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_hooks",
        runtime_path: "::relata_sdk::wit_bindgen::rt",
    });
}

pub mod operations {
    wit_bindgen::generate!({
        inline: r"
            package relata:sdk;

            world operations {
                export relata:plugin/operations@0.1.0;
            }
        ",
        path: "../wit",
        world: "relata:sdk/operations",
        with: {
            "relata:plugin/types@0.1.0": crate::bindings::imports::relata::plugin::types,
            "relata:plugin/operations@0.1.0": generate,
        },
        additional_derives: [PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_operations",
        runtime_path: "::relata_sdk::wit_bindgen::rt",
    });
}
