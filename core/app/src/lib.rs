//! relata-app
