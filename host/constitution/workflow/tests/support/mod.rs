//! What the black-box tests share: a reader for Gherkin, and a host that performs effects from a script.

#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod clockwork;
pub(crate) mod gherkin;
pub(crate) mod host;
pub(crate) mod steps;
pub(crate) mod stub;
