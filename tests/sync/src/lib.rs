//! A disk of any speed, for the benchmark: preloaded into a process (`LD_PRELOAD`), it decides how
//! long a sync takes. `RELATA_BENCH_SYNC_US` says how long, in microseconds, beside what the real
//! one takes; `none` means that nothing is synced at all.
//!
//! Not for anything that is to be kept.

// The C library's functions are replaced under their own names, which no safe Rust can do.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::sync::OnceLock;
use std::time::Duration;

/// What a sync does.
#[derive(Clone, Copy)]
enum Sync {
    Nothing,
    Waits(Duration),
}

fn sync() -> Sync {
    static SYNC: OnceLock<Sync> = OnceLock::new();
    *SYNC.get_or_init(|| match std::env::var("RELATA_BENCH_SYNC_US").as_deref() {
        Ok("none") => Sync::Nothing,
        Ok(text) => Sync::Waits(Duration::from_micros(text.parse().unwrap_or(0))),
        Err(_) => Sync::Waits(Duration::ZERO),
    })
}

fn synced(call: libc::c_long, file: c_int) -> c_int {
    match sync() {
        Sync::Nothing => 0,
        Sync::Waits(time) => {
            if !time.is_zero() {
                std::thread::sleep(time);
            }
            // SAFETY: the same call with the same argument, as the C library makes it.
            let done = unsafe { libc::syscall(call, file) };
            if done == 0 { 0 } else { -1 }
        }
    }
}

/// Instead of the C library's.
#[unsafe(no_mangle)]
pub extern "C" fn fsync(file: c_int) -> c_int {
    synced(libc::SYS_fsync, file)
}

/// Instead of the C library's.
#[unsafe(no_mangle)]
pub extern "C" fn fdatasync(file: c_int) -> c_int {
    synced(libc::SYS_fdatasync, file)
}
