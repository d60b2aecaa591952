//! The whole chain in a form that needs none of this code to be read or checked.

use std::io::{self, Write};

use crate::layout;
use crate::row::Decoder;
use crate::store::{Span, Store, Table};

const PAGE: usize = 256;

/// One CloudEvent a line. The hashed bytes are passed on as they are, with the hash put before the last brace.
pub(crate) fn export(store: &dyn Store, mut out: impl Write) -> io::Result<u64> {
    let mut span = Span::all();
    let mut written = 0;
    let mut decoder = Decoder::new(store);
    loop {
        let rows = store
            .scan(Table::Events, &span, PAGE)
            .map_err(io::Error::other)?;
        let Some((last, _)) = rows.last() else {
            out.flush()?;
            return Ok(written);
        };
        span = Span::all().after(last.clone());
        for (key, row) in &rows {
            let unreadable = |reason: &str| {
                let seq = written + 1;
                io::Error::other(format!(
                    "event {seq} does not read: {reason}; verify the ledger"
                ))
            };
            let seq = layout::seq_of_event_key(key).unwrap_or(0);
            let (hash, text) = decoder
                .decode(seq, row)
                .map_err(|error| unreadable(&error.to_string()))?;
            let open = text
                .strip_suffix(b"}")
                .ok_or_else(|| unreadable("its text has no end"))?;
            out.write_all(open)?;
            writeln!(out, ",\"hash\":\"{hash}\"}}")?;
            written += 1;
        }
    }
}
