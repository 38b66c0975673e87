//! How much of a run's files may be in memory at once.
//!
//! What takes memory in a run and grows with the files is what was read and is not yet written: texts, chunks, tokens
//! and vectors. A file's share is taken before it is read and given back once it is written, so that many large files
//! wait on the disk and not in memory. A file that is larger than the whole budget is read when no other is.

use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};

use crate::{IndexerError, Result};

/// Bytes that a byte of text takes while it goes through the stages: the file, its text, the chunks' texts, their tokens
/// and vectors, and what is written of them. Measured by `benches/src/bin/memory.rs`.
pub const COST: u64 = 12;
/// Without a limit so much may be in memory.
const USUAL: u64 = 2 << 30;
/// What a run needs besides files and model, in bytes: the store's cache, texts under way through the encoder, and what
/// the rest of the program takes. Measured likewise.
const REST: u64 = 160 << 20;
/// With less than this for files nothing can be read.
const LEAST: u64 = 16 << 20;

/// What the files in memory may take together.
#[derive(Debug, Default)]
pub struct Budget {
    /// What the process may take, if there is a limit.
    limit: Option<u64>,
    /// What files may take, once it is known what all else takes.
    most: OnceLock<u64>,
    used: Mutex<u64>,
    freed: Condvar,
}

/// A part of the budget, given back when it is dropped.
#[derive(Debug)]
pub struct Share {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Budget {
    /// Of a process that may take `limit` bytes, if there is a limit.
    pub fn new(limit: Option<u64>) -> Arc<Self> {
        Arc::new(Budget {
            limit,
            ..Budget::default()
        })
    }

    /// Memory for the postings of the index, in bytes; as the index likes it, if there is no limit.
    pub fn postings(&self) -> Option<u64> {
        let limit = self.limit?;
        Some((limit / 10).clamp(16 << 20, 128 << 20))
    }

    /// To be called when the encoder is loaded: what is left is for files.
    ///
    /// # Errors
    /// [`IndexerError::Memory`] if too little is left.
    pub fn settle(&self) -> Result<()> {
        let Some(limit) = self.limit else {
            return Ok(());
        };
        let needed = resident().unwrap_or(REST) + REST + self.postings().unwrap_or_default();
        if limit < needed + LEAST {
            let needed = needed + LEAST;
            return Err(IndexerError::Memory { limit, needed });
        }
        // Whoever comes first has seen the least of what files take.
        let _ = self.most.set(limit - needed);
        Ok(())
    }

    /// Whether so many bytes besides all else are within the limit.
    pub fn allows(&self, bytes: u64) -> bool {
        match self.limit {
            Some(limit) => resident().unwrap_or(REST).saturating_add(bytes) <= limit,
            None => true,
        }
    }

    /// The share of a file of so many bytes: waits until there is room for it, or no other file is in memory.
    pub fn take(self: &Arc<Self>, file: u64) -> Share {
        let bytes = file.saturating_mul(COST);
        let most = match (self.limit, self.most.get()) {
            (_, Some(most)) => *most,
            (Some(_), None) => LEAST,
            (None, None) => USUAL,
        };
        let lock = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |used: &mut u64| *used > 0 && used.saturating_add(bytes) > most;
        let waited = self.freed.wait_while(lock, full);
        *waited.unwrap_or_else(PoisonError::into_inner) += bytes;
        Share {
            budget: Arc::clone(self),
            bytes,
        }
    }
}

impl Share {
    /// Makes it that of a text of so many bytes, which is more than the file had if the file was packed. It does not
    /// wait: what was read is in memory.
    pub fn grow(&mut self, text: u64) {
        let bytes = text.saturating_mul(COST);
        if bytes > self.bytes {
            let mut used = self
                .budget
                .used
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *used += bytes - self.bytes;
            self.bytes = bytes;
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut used = self
            .budget
            .used
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *used -= self.bytes;
        drop(used);
        self.budget.freed.notify_all();
    }
}

/// What this process has in memory, in bytes; `None` where the system does not tell.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn shares_wait_for_each_other_and_a_large_one_for_all() {
        let budget = Budget::new(Some(0));
        budget.most.set(100 * COST).unwrap();
        let (now, most) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for thread in 0..8u64 {
                let (budget, now, most) = (&budget, &now, &most);
                scope.spawn(move || {
                    for round in 0..40 {
                        let size = 1 + (thread * 31 + round * 17) % 60;
                        let share = budget.take(size);
                        let held = now.fetch_add(size, Ordering::SeqCst) + size;
                        most.fetch_max(held, Ordering::SeqCst);
                        std::thread::yield_now();
                        now.fetch_sub(size, Ordering::SeqCst);
                        drop(share);
                    }
                });
            }
        });
        assert!(most.into_inner() <= 100);
        assert_eq!(*budget.used.lock().unwrap(), 0);
        let large = budget.take(5_000);
        std::thread::scope(|scope| {
            let small = scope.spawn(|| drop(budget.take(1)));
            std::thread::sleep(Duration::from_millis(50));
            assert!(!small.is_finished(), "a large file is alone");
            drop(large);
            small.join().unwrap();
        });
    }

    #[test]
    fn too_little_memory_is_an_error_that_says_how_much_is_needed() {
        let error = Budget::new(Some(1 << 20)).settle().unwrap_err();
        assert!(error.to_string().contains("1 MiB"), "{error}");
        assert!(error.hint().is_some());
        Budget::new(None).settle().unwrap();
    }
}
