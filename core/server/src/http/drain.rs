//! What becomes of a body that nobody reads to its end, because the request was refused.
//!
//! If the server closed the connection while the client is still sending, the client's system
//! would answer with a reset, and many clients would report that instead of the refusal. So the
//! refusal is sent at once, and the rest of the body is read and thrown away, up to a limit.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header::EXPECT;
use hyper::body::{Frame, SizeHint};

/// Most bytes that are read of a body that was refused: more than what people take for a request by
/// mistake (a file in a variable). Who sends more is cut off.
const DRAIN_BYTES_MAX: u64 = 64 << 20;
/// Longest that they are waited for: a connection is held meanwhile.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);

/// A body up to here fits into the buffers between client and server: the client has sent it
/// before it looks at the answer, and hyper reads what is left of it by itself.
const BUFFERED_BYTES_MAX: u64 = 16 << 10;

/// Lets the rest of the request's body be drained when it is dropped unread.
pub(super) fn accept(request: Request) -> Request {
    let size = request.body().size_hint().upper();
    if size.is_some_and(|size| size <= BUFFERED_BYTES_MAX) {
        return request;
    }
    // Who waits for `100 Continue` has sent nothing: asking for the body would make them send it.
    let waits = request.headers().contains_key(EXPECT);
    request.map(|body| {
        if body.is_end_stream() {
            return body;
        }
        Body::new(Drained {
            body,
            is_sent: !waits,
        })
    })
}

/// A body that is drained when it is dropped.
struct Drained {
    body: Body,
    /// Whether the client is sending it.
    is_sent: bool,
}

impl HttpBody for Drained {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.is_sent = true;
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        if !self.is_sent || self.body.is_end_stream() {
            return;
        }
        // Outside a runtime there is no connection either.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let rest = std::mem::take(&mut self.body);
            runtime.spawn(async move {
                // When the time is over the connection is closed.
                let _ = tokio::time::timeout(DRAIN_TIME_MAX, drain(rest)).await;
            });
        }
    }
}

async fn drain(mut body: Body) {
    let mut left = DRAIN_BYTES_MAX;
    while let Some(Ok(frame)) =
        std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
    {
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(bytes as u64) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}
