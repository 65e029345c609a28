//! relata-graphql
