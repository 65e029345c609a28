//! relata-tests
