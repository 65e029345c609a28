//! relata-server
