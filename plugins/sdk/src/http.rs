//! Outbound HTTP through the host's egress.

pub use crate::bindings::polity::plugin::http::{Request, Response, fetch};

use crate::Problem;

/// How much of a body is asked for at once: a page of tokens, not a file.
const PIECE: u32 = 64 * 1024;

/// Reads what is left of a body.
pub fn read_to_end(response: &Response) -> Result<Vec<u8>, Problem> {
    let mut body = Vec::new();
    while let Some(piece) = response.read(PIECE)? {
        body.extend_from_slice(&piece);
    }
    Ok(body)
}
