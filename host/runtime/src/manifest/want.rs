//! What a plugin wants, and whether a grant covers it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::World;
use super::configured::ConfiguredUrl;
use crate::grant::{Grant, HostPattern, PathPattern, paste};

/// One thing that a plugin wants.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Want {
    /// What.
    #[serde(flatten)]
    pub capability: Capability,
    /// Why, for the operator who decides.
    pub reason: String,
    /// True where the plugin also works without.
    #[serde(default)]
    pub optional: bool,
    /// A place in `[config]`, a JSON pointer: what stands there makes this want fall away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unless_config: Option<String>,
}

/// What can be wanted.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "capability", rename_all = "kebab-case")]
pub enum Capability {
    /// To send requests.
    Http {
        /// To a host, as a grant writes it.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        host: String,
        /// In place of a host: to the URL that the configuration holds. Its paths are below that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        base_url: Option<ConfiguredUrl>,
        /// With these methods; the grant's default where there are none.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        methods: Vec<String>,
        /// At these paths; all where there are none.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        paths: Vec<String>,
        /// Without TLS.
        #[serde(default)]
        plain: bool,
        /// On this machine or in a private network.
        #[serde(default)]
        private: bool,
    },
    /// That requests carry a credential.
    Secret {
        /// To a host, as a grant writes it.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        host: String,
        /// In place of a host: to that of the URL that the configuration holds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        base_url: Option<ConfiguredUrl>,
        /// In this header.
        header: String,
        /// Whose password it is, where it is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        /// In this form, `{}` being the credential.
        #[serde(default = "whole")]
        template: String,
        /// The variable in which operators usually keep it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        env: Option<String>,
    },
    /// To use a folder of the host.
    Folder {
        /// Where the plugin will look for it.
        guest: String,
        /// And change what is in it.
        #[serde(default)]
        write: bool,
    },
    /// More of something than the default.
    Limit {
        /// A key of the `[limits]` table.
        name: String,
        /// The least that will do.
        value: u64,
    },
}

/// A want that no grant covers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Missing {
    plugin: String,
    want: Want,
}

/// The defaults of a grant.
const NONE: &[&str] = &[];

fn whole() -> String {
    "{}".into()
}

impl Want {
    /// Tells a want that no grant could ever cover: the lines that would grant it are no
    /// grant.
    pub(super) fn check(&self, plugin: &str) -> Result<(), String> {
        if let Some(url) = self.base_url() {
            url.check()?;
        }
        for want in self.under(&Value::Null) {
            let mut text = want.toml(plugin);
            if let Capability::Secret { host, .. } = &want.capability {
                // A credential needs a host to go to. TLS is what a real one would have.
                text.push_str(&paste::http(host, NONE, NONE, false, true));
            }
            Grant::parse("wanted", &text).map_err(|error| {
                let problems = error.problems().iter();
                let messages = problems.map(|problem| problem.message.as_str());
                messages.collect::<Vec<_>>().join("; ")
            })?;
        }
        Ok(())
    }

    /// The URL of the configuration that it depends on.
    fn base_url(&self) -> Option<&ConfiguredUrl> {
        match &self.capability {
            Capability::Http { base_url, .. } | Capability::Secret { base_url, .. } => {
                base_url.as_ref()
            }
            _ => None,
        }
    }

    /// The lines that grant it.
    fn toml(&self, plugin: &str) -> String {
        match &self.capability {
            Capability::Http {
                host,
                methods,
                paths,
                plain,
                private,
                ..
            } => paste::http(host, methods, paths, *plain, *private),
            Capability::Secret {
                host,
                header,
                template,
                user,
                env,
                ..
            } => {
                let env = env.clone().unwrap_or_else(|| variable(plugin));
                match user {
                    Some(user) => paste::password(host, header, user, &env),
                    None => paste::secret(host, header, template, &env),
                }
            }
            Capability::Folder { guest, write } => {
                paste::folder(&format!("/srv/{plugin}"), guest, *write)
            }
            Capability::Limit { name, value } => paste::limit(name, *value),
        }
    }

    /// True where the grant covers all of it.
    pub fn is_granted(&self, grant: &Grant, world: World) -> bool {
        match &self.capability {
            Capability::Http {
                host,
                methods,
                paths,
                plain,
                private,
                ..
            } => {
                let Ok(host) = HostPattern::parse(host) else {
                    return false;
                };
                let paths: Vec<PathPattern> = if paths.is_empty() {
                    vec![PathPattern::all()]
                } else {
                    paths.iter().flat_map(|p| PathPattern::parse(p)).collect()
                };
                let methods: Vec<&str> = if methods.is_empty() {
                    vec!["GET", "HEAD"]
                } else {
                    methods.iter().map(String::as_str).collect()
                };
                // Several tables may share the work, so each pair is looked up by itself.
                methods.iter().all(|method| {
                    paths.iter().all(|path| {
                        grant.http.iter().any(|http| {
                            http.host.covers(&host)
                                && (http.plain || !plain)
                                && (http.private || !private)
                                && http.methods.iter().any(|granted| granted == method)
                                && http.paths.iter().any(|granted| granted.covers(path))
                        })
                    })
                })
            }
            Capability::Secret { host, header, .. } => {
                let Ok(host) = HostPattern::parse(host) else {
                    return false;
                };
                grant.secrets.iter().any(|secret| {
                    secret.header.as_str().eq_ignore_ascii_case(header) && secret.host.covers(&host)
                })
            }
            Capability::Folder { guest, write } => grant
                .folders
                .iter()
                .any(|folder| folder.guest == *guest && (folder.write || !write)),
            Capability::Limit { name, value } => grant
                .limits(world)
                .entries()
                // A limit that does not apply to this world limits nothing.
                .find(|(entry, _)| entry == name)
                .is_none_or(|(_, granted)| granted >= *value),
        }
    }
}

impl Missing {
    pub(super) fn new(plugin: &str, want: Want) -> Self {
        Self {
            plugin: plugin.to_owned(),
            want,
        }
    }

    /// What is missing.
    pub fn want(&self) -> &Want {
        &self.want
    }

    /// True where the plugin may be loaded all the same.
    pub fn is_optional(&self) -> bool {
        self.want.optional
    }

    /// The lines that grant it.
    pub fn toml(&self) -> String {
        self.want.toml(&self.plugin)
    }
}

/// A variable for a credential whose author suggested none.
fn variable(plugin: &str) -> String {
    format!("{}_KEY", plugin.to_ascii_uppercase().replace('-', "_"))
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plugin, want } = self;
        let verb = if want.optional { "would like" } else { "wants" };
        write!(f, "{plugin:?} {verb} ")?;
        match &want.capability {
            Capability::Http {
                host,
                methods,
                paths,
                ..
            } => {
                if want.optional {
                    f.write_str("to send ")?;
                }
                let methods = if methods.is_empty() {
                    "GET, HEAD".to_owned()
                } else {
                    methods.join(", ")
                };
                write!(f, "{methods} to {host}")?;
                if !paths.is_empty() {
                    write!(f, " at {}", paths.join(", "))?;
                }
            }
            Capability::Secret { host, header, .. } => {
                write!(f, "a credential in the header {header} for {host}")?;
            }
            Capability::Folder { guest, write } => {
                let to = if want.optional { "to " } else { "" };
                let use_it = if *write { "read and write" } else { "read" };
                write!(f, "{to}{use_it} a folder as {guest}")?;
            }
            Capability::Limit { name, value } => write!(f, "{name} = {value}")?,
        }
        write!(
            f,
            ": {}. To allow it, add to {plugin}.grant.toml:\n{}",
            want.reason.trim_end_matches('.'),
            self.toml()
        )
    }
}
