//! Bytes on a connection, for what no well-behaved client would send.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection without a client round it.
pub struct RawConnection {
    stream: TcpStream,
}

impl RawConnection {
    /// Connects to `host:port`.
    ///
    /// # Panics
    /// When nobody listens there.
    pub async fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("the host listens");
        stream
            .set_nodelay(true)
            .expect("the connection takes options");
        Self { stream }
    }

    /// Sends bytes as they are.
    ///
    /// # Panics
    /// When the other side has closed the connection.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream
            .write_all(bytes.as_ref())
            .await
            .expect("the host reads");
    }

    /// Reads until `text` has come, and returns all that came.
    ///
    /// # Panics
    /// When the connection ends before.
    pub async fn read_until(&mut self, text: &str) -> String {
        let mut read = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            let seen = String::from_utf8_lossy(&read);
            if seen.contains(text) {
                return seen.into_owned();
            }
            let count = self
                .stream
                .read(&mut chunk)
                .await
                .expect("the connection stands");
            assert!(count > 0, "the host closed the connection after: {seen}");
            read.extend_from_slice(&chunk[..count]);
        }
    }

    /// Reads all that comes until the host closes the connection.
    pub async fn read_to_end(&mut self) -> String {
        let mut read = Vec::new();
        // A reset is an end as well.
        let _ = self.stream.read_to_end(&mut read).await;
        String::from_utf8_lossy(&read).into_owned()
    }
}
