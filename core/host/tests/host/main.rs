//! The host against guests that want it harm, and against one that doesn't. After every attack
//! the same host must still answer the good guest.
#![allow(clippy::unwrap_used)]

mod guest;

mod calls;
mod hostile;
mod install;
mod manifests;
mod packages;
