//! `polity:plugin/reply`: an answer on its way to the caller.

use tokio::sync::mpsc;

pub use crate::bindings::imports::polity::plugin::reply::{Delta, Stopped, ToolCall};

use crate::bindings::imports::polity::plugin::reply::Host;
use crate::sandbox::Guest;

/// Where the pieces of an answer go.
#[derive(Debug, Default)]
pub enum Reply {
    /// Nobody asked for an answer.
    #[default]
    None,
    /// They are kept, and returned with the outcome.
    Collect(Vec<Delta>),
    /// They are handed to a reader as they come. The guest waits while the channel is full and is told to stop once the
    /// reader has gone.
    Stream(mpsc::Sender<Delta>),
}

impl Host for Guest {
    async fn send(&mut self, delta: Delta) -> Result<(), Stopped> {
        let size = match &delta {
            Delta::Text(text) | Delta::Thinking(text) => text.len(),
            Delta::ToolCall(call) => call.id.len() + call.name.len() + call.arguments.len(),
        };
        match self.reply_left.checked_sub(size as u64 + 16) {
            Some(left) => self.reply_left = left,
            None => return Err(Stopped::Limit),
        }
        let delta = self.profile.scrub_delta(delta);
        match &mut self.reply {
            Reply::None => Err(Stopped::Cancelled),
            Reply::Collect(pieces) => {
                self.received.keep(size as u64);
                pieces.push(delta);
                Ok(())
            }
            Reply::Stream(sender) => sender.send(delta).await.map_err(|_| Stopped::Cancelled),
        }
    }
}
