//! The interactive prompt, in pieces.
//!
//! Reading order: [`line`] (what was typed), [`session`] (what it does), [`open`] (a file in an editor),
//! [`complete`] (the Tab key). The loop itself is [`crate::commands::repl`].

pub mod complete;
pub mod line;
pub mod open;
pub mod session;
