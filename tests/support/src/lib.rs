//! What the black-box tests share: a real host in a folder of its own, and a peer for it to talk to.
//!
//! Nothing here knows the inside of the host. A test writes a company to a folder, starts the binary, and asks over
//! HTTP; what an adapter would send to a provider arrives at an [`Upstream`], which answers as the test scripted it.
//! Progress is ordered with [`Gate`]s, never with pauses.
//!
//! ```no_run
//! # async fn test() {
//! use polity_tests::{Answer, Host, Upstream};
//!
//! let upstream = Upstream::start(|_| Answer::json(200, r#"{"choices":[]}"#)).await;
//! let host = Host::start("target/release/polity", |options| options.openai(&upstream, &["small"])).await;
//! let response = host.get("/v1/models").send().await.unwrap();
//! assert_eq!(response.status(), 200);
//! # }
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod events;
mod folder;
pub mod harm;
mod host;
mod options;
mod upstream;
mod wire;

pub use events::Events;
pub use folder::{git, write};
pub use host::Host;
pub use options::Options;
pub use upstream::{Answer, Gate, Request, Upstream};
pub use wire::RawConnection;
