//! relata-sdk
