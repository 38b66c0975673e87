//! The real program in temporary folders, with a tiny encoder of random weights: its vectors mean
//! nothing, everything else is as with a real one.
#![allow(clippy::unwrap_used)]

mod bench;
mod commands;
#[cfg(unix)]
mod hostile;
mod indexing;
#[cfg(unix)]
mod intruders;
#[cfg(target_os = "linux")]
mod memory;
mod models;
mod output;
mod repl;
mod searching;
#[cfg(target_os = "linux")]
mod terminal;
