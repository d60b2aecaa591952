//! Server-sent events as they arrive.

use reqwest::Response;

/// Reads the events of a response. Comments are left out.
pub struct Events {
    response: Response,
    buffer: String,
}

impl Events {
    /// The events of this response.
    ///
    /// # Panics
    /// When it is no stream of events.
    pub fn of(response: Response) -> Self {
        let kind = response
            .headers()
            .get("content-type")
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or_default();
        assert!(
            kind.starts_with("text/event-stream"),
            "{} is no stream of events",
            kind
        );
        Self {
            response,
            buffer: String::new(),
        }
    }

    /// The `data` of the next event, or `None` at the stream's end.
    ///
    /// # Panics
    /// When the connection breaks.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            while let Some(end) = self.buffer.find("\n\n") {
                let event: String = self.buffer.drain(..end + 2).collect();
                let data: Vec<&str> = event
                    .lines()
                    .filter_map(|line| line.strip_prefix("data:"))
                    .map(str::trim_start)
                    .collect();
                if !data.is_empty() {
                    return Some(data.join("\n"));
                }
            }
            let chunk = self
                .response
                .chunk()
                .await
                .expect("the stream does not break")?;
            self.buffer
                .push_str(std::str::from_utf8(&chunk).expect("these tests split no character"));
        }
    }

    /// All that is left.
    pub async fn rest(mut self) -> Vec<String> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}
