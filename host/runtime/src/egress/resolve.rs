//! From names to addresses that may be connected to.
//!
//! The check sits between the resolver and the connection: what it lets through is
//! exactly what the connection is made to. There is no second look-up whose answer could
//! differ, so a name that answers with a public address now and with 127.0.0.1 a moment
//! later (DNS rebinding) gains nothing.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolving};

use super::address::AddressClass;

/// What a look-up answers.
pub type Resolution = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Turns names into addresses.
pub trait Resolver: Send + Sync {
    /// All addresses of a name. It need not judge them.
    fn resolve(&self, name: &str) -> Resolution;
}

/// The machine's own resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

/// A resolver whose answers have been judged.
pub(crate) struct Guarded {
    resolver: Arc<dyn Resolver>,
    private: bool,
}

/// A name that leads only to addresses that it may not lead to.
#[derive(Debug)]
pub(crate) struct AddressRefused {
    pub(crate) class: AddressClass,
}

impl Resolver for SystemResolver {
    fn resolve(&self, name: &str) -> Resolution {
        let name = name.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

impl Guarded {
    pub(crate) fn new(resolver: Arc<dyn Resolver>, private: bool) -> Self {
        Self { resolver, private }
    }
}

impl reqwest::dns::Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let answer = self.resolver.resolve(name.as_str());
        let private = self.private;
        Box::pin(async move {
            let found = answer.await?;
            let refused = found.first().map(|first| AddressClass::of(*first));
            let allowed: Vec<SocketAddr> = found
                .into_iter()
                .filter(|ip| AddressClass::of(*ip).is_allowed_by_name(private))
                // The connector puts the port of the URL in place of this one.
                .map(|ip| SocketAddr::new(ip, 0))
                .collect();
            match (allowed.is_empty(), refused) {
                (false, _) => Ok(Box::new(allowed.into_iter()) as Addrs),
                (true, Some(class)) => Err(AddressRefused { class }.into()),
                (true, None) => {
                    Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address").into())
                }
            }
        })
    }
}

impl fmt::Display for AddressRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the name leads to {}", self.class)
    }
}

impl std::error::Error for AddressRefused {}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use reqwest::dns::Resolve as _;

    use super::*;

    /// Answers with each list in turn, and with the last one from then on.
    struct Script(Vec<Vec<&'static str>>, AtomicUsize);

    impl Resolver for Script {
        fn resolve(&self, _: &str) -> Resolution {
            let turn = self.1.fetch_add(1, Ordering::Relaxed);
            let answer = self.0[turn.min(self.0.len() - 1)]
                .iter()
                .map(|ip| ip.parse().unwrap())
                .collect();
            Box::pin(std::future::ready(Ok(answer)))
        }
    }

    async fn look_up(guarded: &Guarded) -> Result<Vec<String>, String> {
        match guarded.resolve("name.example".parse().unwrap()).await {
            Ok(found) => Ok(found.map(|address| address.ip().to_string()).collect()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn guarded(answers: &[&[&'static str]], private: bool) -> Guarded {
        let answers = answers.iter().map(|answer| answer.to_vec()).collect();
        Guarded::new(Arc::new(Script(answers, AtomicUsize::new(0))), private)
    }

    #[tokio::test]
    async fn only_addresses_that_may_be_connected_to_are_handed_on() {
        let found = guarded(
            &[&["127.0.0.1", "8.8.8.8", "::ffff:10.0.0.1", "169.254.169.254"]],
            false,
        );
        assert_eq!(look_up(&found).await, Ok(vec!["8.8.8.8".to_owned()]));
    }

    #[tokio::test]
    async fn an_answer_that_was_good_once_is_judged_again_the_next_time() {
        let rebinding = guarded(&[&["8.8.8.8"], &["127.0.0.1"]], false);
        assert!(look_up(&rebinding).await.is_ok());
        assert!(
            look_up(&rebinding)
                .await
                .unwrap_err()
                .contains("this machine")
        );
    }

    #[tokio::test]
    async fn a_private_grant_opens_private_networks_and_not_the_metadata_service() {
        let found = guarded(&[&["10.0.0.1", "169.254.169.254", "fd00:ec2::254"]], true);
        assert_eq!(look_up(&found).await, Ok(vec!["10.0.0.1".to_owned()]));
        let metadata = guarded(&[&["169.254.169.254"]], true);
        assert!(look_up(&metadata).await.unwrap_err().contains("metadata"));
    }

    #[tokio::test]
    async fn a_name_without_an_address_says_so() {
        let nothing = guarded(&[&[]], false);
        assert!(look_up(&nothing).await.unwrap_err().contains("no address"));
    }

    #[tokio::test]
    async fn the_system_knows_this_machine() {
        let found = SystemResolver.resolve("localhost").await.unwrap();
        assert!(found.iter().all(IpAddr::is_loopback), "{found:?}");
    }
}
