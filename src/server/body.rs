//! A response body that is written while it is sent.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::sync::mpsc;

/// Sends what comes through the channel. The sender finds the channel closed when the client is gone.
pub struct ChannelBody(mpsc::Receiver<Bytes>);

/// `chunks_max`: chunks that may wait to be sent; a slow reader slows the writer down.
pub fn channel(chunks_max: usize) -> (mpsc::Sender<Bytes>, ChannelBody) {
    let (sender, receiver) = mpsc::channel(chunks_max);
    (sender, ChannelBody(receiver))
}

/// A body that is there, and doesn't tell its length.
pub fn whole(chunk: Bytes) -> ChannelBody {
    let (sender, body) = channel(1);
    // There is room for one.
    let _ = sender.try_send(chunk);
    body
}

impl Body for ChannelBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
    }
}
