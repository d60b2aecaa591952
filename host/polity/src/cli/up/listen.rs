//! The address to listen on, and what to say when it cannot be had.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use clap::Args;
use tokio::net::TcpListener;

use crate::cli::report::Report;

const PORT: u16 = 7654;

/// `127.0.0.1:7654`, `7655`, `localhost:8000`, `[::1]:8000`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Listen {
    /// Where to listen; a port alone is one of this machine.
    #[arg(
        long,
        value_name = "ADDR",
        env = "POLITY_LISTEN",
        hide_env = true,
        default_value = "127.0.0.1:7654"
    )]
    listen: String,
}

impl Listen {
    /// An address as text.
    #[cfg(test)]
    pub(crate) fn new(listen: &str) -> Self {
        Self {
            listen: listen.to_owned(),
        }
    }

    /// Every address that the name stands for.
    pub(crate) fn addresses(&self) -> Result<Vec<SocketAddr>, Report> {
        let text = self.listen.trim();
        if let Ok(port) = text.strip_prefix(':').unwrap_or(text).parse::<u16>() {
            return Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))]);
        }
        let wrong = |cause: String| {
            Report::usage(format!("{text:?} cannot be listened on"))
                .because(cause)
                .hint("write an address and a port: --listen 127.0.0.1:7654")
        };
        let found = match text.parse::<IpAddr>() {
            Ok(ip) => Ok(vec![SocketAddr::from((ip, PORT))]),
            Err(_) => text.to_socket_addrs().map(Iterator::collect),
        };
        let found: Vec<SocketAddr> = found.map_err(|error| wrong(error.to_string()))?;
        if found.is_empty() {
            Err(wrong("the name has no address".to_owned()))
        } else {
            Ok(found)
        }
    }

    /// Listens.
    pub(crate) async fn bind(&self) -> Result<TcpListener, Report> {
        let addresses = self.addresses()?;
        if let Some(open) = addresses
            .iter()
            .find(|address| !address.ip().to_canonical().is_loopback())
        {
            tracing::warn!(
                address = %open,
                "other machines can reach this address, and nothing on it is encrypted: put a proxy with TLS in front"
            );
        }
        TcpListener::bind(addresses.as_slice())
            .await
            .map_err(|error| self.refused(&error))
    }

    fn refused(&self, error: &io::Error) -> Report {
        match error.kind() {
            io::ErrorKind::AddrInUse => Report::new(format!("{self} is taken by another program"))
                .because(error)
                .hint("choose another port: polity up --listen 127.0.0.1:7655")
                .hint("or any that is free: polity up --listen 127.0.0.1:0"),
            io::ErrorKind::PermissionDenied => {
                Report::new(format!("{self} may not be listened on"))
                    .because(error)
                    .hint("ports below 1024 are for the system: polity up --listen 127.0.0.1:7654")
            }
            _ => Report::new(format!("{self} cannot be listened on"))
                .because(error)
                .hint("choose an address of this machine: polity up --listen 127.0.0.1:7654"),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.listen.trim())
    }
}

/// How a client on this machine reaches the listener.
pub(super) fn url(address: SocketAddr) -> String {
    let mut reached = address;
    // "Every address" is none that can be connected to.
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => reached.set_ip(IpAddr::from([127, 0, 0, 1])),
        IpAddr::V6(ip) if ip.is_unspecified() => {
            reached.set_ip(IpAddr::from(std::net::Ipv6Addr::LOCALHOST))
        }
        _ => {}
    }
    format!("http://{reached}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(text: &str) -> String {
        Listen::new(text).addresses().unwrap()[0].to_string()
    }

    #[test]
    fn a_port_an_address_or_both_can_be_given() {
        assert_eq!(first("7655"), "127.0.0.1:7655");
        assert_eq!(first(":7655"), "127.0.0.1:7655");
        assert_eq!(first("0.0.0.0"), "0.0.0.0:7654");
        assert_eq!(first("[::1]:80"), "[::1]:80");
        assert_eq!(first("::1"), "[::1]:7654");
    }

    #[test]
    fn what_is_no_address_is_answered_with_one_that_is() {
        for text in ["", "127.0.0.1:99999", "http://127.0.0.1:80"] {
            let seen = Listen::new(text).addresses().unwrap_err().seen();
            assert!(seen.contains("--listen 127.0.0.1:7654"), "{seen}");
        }
    }

    #[test]
    fn a_client_is_never_sent_to_every_address() {
        assert_eq!(url("0.0.0.0:80".parse().unwrap()), "http://127.0.0.1:80");
        assert_eq!(url("[::]:80".parse().unwrap()), "http://[::1]:80");
        assert_eq!(url("192.0.2.1:80".parse().unwrap()), "http://192.0.2.1:80");
    }

    #[tokio::test]
    async fn a_taken_port_is_told_with_the_way_out() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listen = Listen::new(&taken.local_addr().unwrap().to_string());
        let seen = listen.bind().await.unwrap_err().seen();
        insta::assert_snapshot!(seen.replace(&listen.to_string(), "ADDRESS"), @"
        error: ADDRESS is taken by another program
          because: Address already in use (os error 98)
          hint: choose another port: polity up --listen 127.0.0.1:7655
          hint: or any that is free: polity up --listen 127.0.0.1:0
        ");
    }
}
