//! The two ends of an adapter: where requests go, and where the answer goes.
//!
//! They are traits because the imports of a plugin exist only inside a host; with them the whole translation runs in
//! a native test.

use polity_sdk::http::{Request, Response, fetch};
use polity_sdk::model::{Delta, Stopped, send};
use polity_sdk::{Problem, problem};

/// Sends requests.
pub trait Transport {
    /// What comes back.
    type Body: Body;

    /// Sends a request and waits for the head of its response, whatever its status.
    fn fetch(&self, request: Request) -> Result<Self::Body, Problem>;
}

/// A response whose head has arrived. Dropping it ends the transfer.
pub trait Body {
    /// The status code.
    fn status(&self) -> u16;

    /// Header fields, names in lower case.
    fn headers(&self) -> Vec<(String, String)>;

    /// The next piece, at most `max` bytes; none at the end.
    fn read(&mut self, max: u32) -> Result<Option<Vec<u8>>, Problem>;
}

/// Takes the pieces of an answer.
pub trait Sink {
    /// Hands a piece on; an error when nobody wants more.
    fn send(&mut self, delta: Delta) -> Result<(), Stopped>;
}

/// The host of the plugin, at both ends.
pub struct Host;

/// Hands a piece on and turns "no more, please" into the problem that ends the call. Returning it drops the response,
/// and that ends the upstream call.
pub fn forward(sink: &mut impl Sink, delta: Delta) -> Result<(), Problem> {
    sink.send(delta).map_err(|stopped| match stopped {
        Stopped::Cancelled => problem("cancelled", "the caller has gone"),
        Stopped::Limit => problem("cancelled", "a limit of the plugin's grant was reached"),
    })
}

impl Transport for Host {
    type Body = Response;

    fn fetch(&self, request: Request) -> Result<Response, Problem> {
        fetch(&request)
    }
}

impl Body for Response {
    fn status(&self) -> u16 {
        Response::status(self)
    }

    fn headers(&self) -> Vec<(String, String)> {
        Response::headers(self)
    }

    fn read(&mut self, max: u32) -> Result<Option<Vec<u8>>, Problem> {
        Response::read(self, max)
    }
}

impl Sink for Host {
    fn send(&mut self, delta: Delta) -> Result<(), Stopped> {
        send(&delta)
    }
}
