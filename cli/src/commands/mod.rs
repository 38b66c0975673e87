//! One file a command.

pub mod compare;
pub mod doctor;
pub mod embed;
pub mod eval;
pub mod index;
pub mod inspect;
pub mod models;
pub mod optimize;
pub mod recommend;
pub mod remove;
pub mod repl;
pub mod search;
pub mod similar;
pub mod status;
