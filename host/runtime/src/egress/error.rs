//! Why a request came to nothing, in words for the plugin's author and its operator.

/// Why a request or the reading of its response failed.
///
/// The text is one sentence, and for a denial the lines that would allow the request. It
/// never holds a credential.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EgressError {
    /// The grant does not cover it.
    #[error("{0}")]
    Denied(String),
    /// It is not a request that could be sent.
    #[error("{0}")]
    Invalid(String),
    /// The other side could not be reached, or broke off.
    #[error("{0}")]
    Connection(String),
    /// It took too long.
    #[error("{0}")]
    Timeout(String),
    /// It, or its response, is larger than the grant allows.
    #[error("{0}")]
    TooLarge(String),
}

impl EgressError {
    /// The stable code that a guest sees.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Denied(_) => "denied",
            Self::Invalid(_) => "invalid",
            Self::Connection(_) => "connection",
            Self::Timeout(_) => "timeout",
            Self::TooLarge(_) => "too-large",
        }
    }

    /// The answer to a plugin that was granted no host at all.
    pub fn nothing_granted(plugin: &str) -> Self {
        Self::Denied(format!(
            "{plugin:?} may not send requests, because no host is granted. To allow it, add to \
             {plugin}.grant.toml an [[http]] table with the `host`, `methods` and `paths` it needs"
        ))
    }

    /// The same error with another text.
    pub(crate) fn map(self, change: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Denied(text) => Self::Denied(change(text)),
            Self::Invalid(text) => Self::Invalid(change(text)),
            Self::Connection(text) => Self::Connection(change(text)),
            Self::Timeout(text) => Self::Timeout(change(text)),
            Self::TooLarge(text) => Self::TooLarge(change(text)),
        }
    }
}
