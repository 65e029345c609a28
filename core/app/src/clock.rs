//! The one place that asks what time it is.

/// Now, in microseconds since 1970-01-01T00:00:00Z.
pub(crate) fn now_micros() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}
