//! relata-migrations
