//! A table for people.

mod markdown;
mod terminal;
