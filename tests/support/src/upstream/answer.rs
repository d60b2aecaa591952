//! What an upstream answers, piece by piece.

use super::Gate;

/// One answer. Its pieces are sent one by one, each on its own, in the order in which they were added.
#[derive(Clone)]
pub struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone)]
pub(crate) enum Step {
    Send(Vec<u8>),
    Pass(Gate),
    /// The connection is closed in the middle of the body.
    Break,
}

impl Answer {
    /// An answer without a body so far.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// A JSON answer, whole.
    pub fn json(status: u16, body: impl Into<String>) -> Self {
        Self::status(status)
            .header("content-type", "application/json")
            .send(body.into())
    }

    /// A stream of server-sent events, one for each text.
    pub fn events<'e>(events: impl IntoIterator<Item = &'e str>) -> Self {
        events.into_iter().fold(
            Self::status(200).header("content-type", "text/event-stream"),
            |answer, event| answer.event(event),
        )
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a piece of the body.
    #[must_use]
    pub fn send(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.steps.push(Step::Send(bytes.into()));
        self
    }

    /// Adds one server-sent event.
    #[must_use]
    pub fn event(self, data: &str) -> Self {
        self.send(format!("data: {data}\n\n"))
    }

    /// Waits at the gate before it goes on.
    #[must_use]
    pub fn pass(mut self, gate: &Gate) -> Self {
        self.steps.push(Step::Pass(gate.clone()));
        self
    }

    /// Closes the connection in the middle of the body.
    #[must_use]
    pub fn and_break(mut self) -> Self {
        self.steps.push(Step::Break);
        self
    }
}
