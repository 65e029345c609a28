//! relata-sdk-macros
