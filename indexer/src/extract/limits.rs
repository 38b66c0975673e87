//! What reading one file may cost.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::error::ExtractError;

const MIB: u64 = 1 << 20;

/// What reading one file may cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Largest file in bytes. Default 64 MiB.
    pub file_bytes: u64,
    /// Most text in bytes that a file may give, over all its parts. Default 64 MiB.
    pub text_bytes: u64,
    /// Most bytes that a compressed container may unpack to, over all entries read. Default 512 MiB.
    pub unpacked_bytes: u64,
    /// Most entries of a container, records of a file, or messages of a mailbox. Default 100 000.
    pub entries: usize,
    /// Most seconds of wall-clock time. Default 20.
    pub seconds: f64,
    /// Most bytes of memory that a worker process may take. Default 1 GiB; at least 32 MiB, without which no
    /// worker can read anything.
    pub memory_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            file_bytes: 64 * MIB,
            text_bytes: 64 * MIB,
            unpacked_bytes: 512 * MIB,
            entries: 100_000,
            seconds: 20.0,
            memory_bytes: 1024 * MIB,
        }
    }
}

impl Limits {
    /// The time limit as a duration; nonsense such as a negative number counts as none at all.
    pub(super) fn duration(&self) -> Duration {
        Duration::try_from_secs_f64(self.seconds).unwrap_or(Duration::MAX)
    }
}

/// The least memory of a worker.
pub(super) const LEAST_MEMORY: u64 = 32 * MIB;

/// How deep documents inside documents (attachments of attachments) are followed.
const NESTING: u8 = 3;

/// One reading under way: its limits, its deadline, and how deep inside other files it is.
#[derive(Debug, Clone)]
pub(super) struct Context<'a> {
    pub limits: &'a Limits,
    deadline: Option<Instant>,
    nesting: u8,
}

impl<'a> Context<'a> {
    pub fn new(limits: &'a Limits) -> Self {
        Context {
            limits,
            deadline: Instant::now().checked_add(limits.duration()),
            nesting: 0,
        }
    }

    /// Fails once the time is over. Called in every loop that the size of a file bounds only loosely.
    pub fn check_time(&self) -> Result<(), ExtractError> {
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(ExtractError::TimedOut {
                seconds: self.limits.seconds,
            }),
            _ => Ok(()),
        }
    }

    /// The context for a document inside this one; none when that goes too deep.
    pub fn nested(&self) -> Option<Context<'a>> {
        (self.nesting < NESTING).then(|| Context {
            nesting: self.nesting + 1,
            ..self.clone()
        })
    }

    /// Fails if `bytes` of text are more than allowed.
    pub fn check_text(&self, bytes: usize) -> Result<(), ExtractError> {
        if bytes as u64 > self.limits.text_bytes {
            return Err(ExtractError::TextTooLarge {
                limit: self.limits.text_bytes,
            });
        }
        Ok(())
    }
}
