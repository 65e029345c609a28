//! The one place that asks what time it is.

/// Now, in microseconds since 1970-01-01T00:00:00Z.
pub(crate) fn now_micros() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

/// A duration in microseconds; one that no instant lies behind is as long as it can be.
pub(crate) fn micros_of(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 2)
}
