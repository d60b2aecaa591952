//! `polity:plugin/http`: outbound requests through the egress.

use std::time::Duration;

use wasmtime::component::Resource;

use crate::bindings::imports::polity::plugin::http::{Host, HostResponse, Request};
use crate::bindings::imports::polity::plugin::types::Problem;
use crate::egress::{EgressError, Incoming, Outgoing, OutgoingBody};
use crate::sandbox::Guest;

/// Longest piece that one `read` hands over, whatever was asked for.
const MAX_PIECE: usize = 256 << 10;

/// A response that a guest holds. Dropping it closes the connection if the body was not read to its end.
#[allow(
    unreachable_pub,
    reason = "the generated bindings name it in a public trait"
)]
pub struct Response {
    incoming: Incoming,
}

impl Host for Guest {
    async fn fetch(
        &mut self,
        request: Request,
    ) -> wasmtime::Result<Result<Resource<Response>, Problem>> {
        let Some(session) = &self.egress else {
            return Ok(Err(problem(&self.profile.nothing_granted())));
        };
        let outgoing = Outgoing {
            method: request.method,
            url: request.url,
            headers: request.headers,
            body: OutgoingBody::Bytes(request.body.into()),
            timeout: request
                .timeout_ms
                .map(|ms| Duration::from_millis(ms.into())),
        };
        match session.send(outgoing).await {
            Ok(incoming) => Ok(Ok(self.table.push(Response { incoming })?)),
            Err(error) => Ok(Err(problem(&error))),
        }
    }
}

impl HostResponse for Guest {
    fn status(&mut self, response: Resource<Response>) -> wasmtime::Result<u16> {
        Ok(self.table.get(&response)?.incoming.status())
    }

    fn headers(&mut self, response: Resource<Response>) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(self.table.get(&response)?.incoming.headers())
    }

    async fn read(
        &mut self,
        response: Resource<Response>,
        max: u32,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, Problem>> {
        let received = self.received.clone();
        let response = self.table.get_mut(&response)?;
        let max = usize::try_from(max)
            .unwrap_or(MAX_PIECE)
            .clamp(1, MAX_PIECE);
        Ok(match response.incoming.next(max).await {
            Ok(piece) => {
                let bytes = piece.as_ref().map_or(0, |piece| piece.len());
                received.respond(response.incoming.status(), bytes);
                Ok(piece.map(Vec::from))
            }
            Err(error) => Err(problem(&error)),
        })
    }

    fn drop(&mut self, response: Resource<Response>) -> wasmtime::Result<()> {
        self.table.delete(response)?;
        Ok(())
    }
}

fn problem(error: &EgressError) -> Problem {
    Problem {
        code: error.code().to_owned(),
        detail: error.to_string(),
        retry_after_ms: None,
    }
}
