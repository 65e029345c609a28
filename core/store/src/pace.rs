//! An estimate of how long something will take, from how long it took.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How long a kind of work takes, as it was seen.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// Moving average over about eight runs. Zero: not seen yet.
    average_us: AtomicU32,
}

impl Pace {
    /// Lost updates of concurrent runs don't matter: it is an estimate.
    pub(crate) fn note(&self, took: Duration) {
        let took = u32::try_from(took.as_micros()).unwrap_or(u32::MAX).max(1);
        let before = self.average_us.load(Ordering::Relaxed);
        let now = match before {
            0 => took,
            before => before - before / 8 + took / 8,
        };
        self.average_us.store(now.max(1), Ordering::Relaxed);
    }

    /// Zero: not seen yet.
    pub(crate) fn expected(&self) -> Duration {
        Duration::from_micros(self.average_us.load(Ordering::Relaxed).into())
    }
}
