//! The settings of one binding, as the schema in `polity.json` describes them.

use serde::Deserialize;

use crate::detect::Category;

/// All settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What becomes of each category.
    pub categories: Categories,
    /// Let everything pass to a local model.
    pub allow_local: bool,
    /// Addresses that are no personal data.
    pub allow_emails: Vec<String>,
    /// Parts of the input that are not searched.
    pub skip: Vec<String>,
    /// The role that decides.
    pub escalate_to: String,
    /// Milliseconds to decide.
    pub due_ms: Option<u64>,
}

/// What becomes of an action that holds something of a category, from mild to strict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It is not searched for.
    Ignore,
    /// It is replaced by the category's name.
    Redact,
    /// A person decides.
    Escalate,
    /// The action is denied.
    Deny,
}

/// A mode for each category.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Categories {
    email: Mode,
    phone: Mode,
    iban: Mode,
    card: Mode,
    ipv4: Mode,
    us_ssn: Mode,
    de_tax_id: Mode,
    secret: Mode,
}

impl Categories {
    /// What becomes of this category.
    pub fn mode(&self, category: Category) -> Mode {
        match category {
            Category::Email => self.email,
            Category::Phone => self.phone,
            Category::Iban => self.iban,
            Category::Card => self.card,
            Category::Ipv4 => self.ipv4,
            Category::UsSsn => self.us_ssn,
            Category::DeTaxId => self.de_tax_id,
            Category::Secret => self.secret,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            categories: Categories::default(),
            allow_local: false,
            allow_emails: Vec::new(),
            skip: Vec::new(),
            escalate_to: "owner".to_owned(),
            due_ms: None,
        }
    }
}

impl Default for Categories {
    fn default() -> Self {
        let redact = Mode::Redact;
        Self {
            email: redact,
            phone: redact,
            iban: redact,
            card: redact,
            ipv4: redact,
            us_ssn: redact,
            de_tax_id: redact,
            // A secret that was pasted is to be revoked, and its owner must learn of it.
            secret: Mode::Deny,
        }
    }
}
