//! relata-host
