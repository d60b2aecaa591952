//! Server-sent events out of bytes that are cut anywhere.

/// What has arrived of a line that is not yet whole.
#[derive(Default)]
pub(crate) struct Sse {
    line: Vec<u8>,
}

impl Sse {
    /// Takes bytes, and gives the data of each event that became whole with them. Every event that we read has its data
    /// on one line.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut data = Vec::new();
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let line = String::from_utf8_lossy(&line);
            data.extend(
                line.trim_end()
                    .strip_prefix("data:")
                    .map(|data| data.trim_start().to_owned()),
            );
        }
        data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_however_the_bytes_are_cut() {
        let stream = "id: 1\ndata: {\"a\":\"Grüße\"}\n\n: still here\n\r\ndata:[DONE]\r\n\r\n";
        for size in [1, 2, 7, stream.len()] {
            let mut sse = Sse::default();
            let found: Vec<String> = stream
                .as_bytes()
                .chunks(size)
                .flat_map(|bytes| sse.feed(bytes))
                .collect();
            assert_eq!(found, ["{\"a\":\"Grüße\"}", "[DONE]"], "{size}");
        }
    }
}
