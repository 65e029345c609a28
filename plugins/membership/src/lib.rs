//! relata-membership
