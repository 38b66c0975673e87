//! Which texts are computed together, and on which thread.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::ModelError;
use crate::Result;

/// Tokens that a batch may hold. More gains nothing, and the temporaries leave the processor's caches.
const BUDGET: usize = 512;

/// Texts that are computed together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Batch {
    /// Tokens in all of them.
    pub tokens: usize,
    /// The texts' places in the call.
    pub members: Vec<usize>,
}

/// Which texts may share a batch. None is ever padded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mix {
    /// Those of one length: tensors have no other shape.
    OneLength,
    /// Any: they stand end to end.
    AnyLength,
}

/// Cuts inputs of these `lengths` into batches, the costliest first, so that no thread is left idle by a long
/// batch at the end.
pub(super) fn plan(lengths: &[usize], threads: usize, mix: Mix) -> Vec<Batch> {
    let total: usize = lengths.iter().sum();
    let budget = BUDGET.min(total.div_ceil(threads));
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&index| lengths[index]);
    let mut batches = Vec::new();
    for group in order.chunk_by(|&a, &b| mix == Mix::AnyLength || lengths[a] == lengths[b]) {
        let tokens: usize = group.iter().map(|&member| lengths[member]).sum();
        // Even pieces rather than full ones and a small rest.
        let share = tokens.div_ceil(tokens.div_ceil(budget));
        let mut batch = Batch::default();
        for &member in group {
            if !batch.members.is_empty() && batch.tokens + lengths[member] > budget
                || batch.tokens >= share
            {
                batches.push(std::mem::take(&mut batch));
            }
            batch.tokens += lengths[member];
            batch.members.push(member);
        }
        batches.push(batch);
    }
    batches.sort_by_key(|batch| std::cmp::Reverse(batch.tokens));
    batches
}

/// The threads that compute. One batch runs on one thread: the tensor library would cut every product among
/// threads, which pays only where a single batch is all there is.
pub(super) struct Workers {
    /// Pools of one thread each: what runs in one stays in it.
    lanes: Vec<ThreadPool>,
    /// One pool of all threads, for what is not cut into batches.
    team: ThreadPool,
}

impl Workers {
    /// Starts `threads` workers, or as many as the machine offers.
    pub fn start(threads: Option<usize>) -> Result<Workers> {
        let offered = || thread::available_parallelism().map_or(1, usize::from);
        let threads = threads.unwrap_or_else(offered).max(1);
        let pool = |name: &'static str, threads: usize| {
            let builder = ThreadPoolBuilder::new().num_threads(threads);
            builder
                .thread_name(move |_| format!("kenning-{name}"))
                .build()
                .map_err(|error| ModelError::Threads {
                    threads,
                    reason: error.to_string(),
                })
        };
        Ok(Workers {
            lanes: (0..threads)
                .map(|_| pool("lane", 1))
                .collect::<Result<_, _>>()?,
            team: pool("team", threads)?,
        })
    }

    /// How many threads there are.
    pub fn threads(&self) -> usize {
        self.lanes.len()
    }

    /// Runs `work` with all threads at its disposal.
    pub fn together<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.team.install(work)
    }

    /// Runs `work` on each of `batches`, in their order, and returns the results in that order. It gets the pool that
    /// it may share its work with: where there is one batch, that of all threads. After an error no further batch is
    /// begun.
    pub fn each<T: Send>(
        &self,
        batches: &[Batch],
        work: impl Fn(&Batch, &ThreadPool) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        if let [batch] = batches {
            return Ok(vec![work(batch, &self.team)?]);
        }
        let next = AtomicUsize::new(0);
        let run = |lane: &ThreadPool| -> Result<Vec<(usize, T)>> {
            let mut done = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(batch) = batches.get(index) else {
                    return Ok(done);
                };
                match work(batch, lane) {
                    Ok(result) => done.push((index, result)),
                    Err(error) => {
                        next.store(batches.len(), Ordering::Relaxed);
                        return Err(error);
                    }
                }
            }
        };
        let parts = thread::scope(|scope| {
            let lanes = self.lanes.iter().take(batches.len());
            let handles: Vec<_> = lanes
                .map(|lane| scope.spawn(|| lane.install(|| run(lane))))
                .collect();
            handles
                .into_iter()
                .map(|handle| handle.join())
                .collect::<Vec<_>>()
        });
        let mut results: Vec<(usize, T)> = Vec::with_capacity(batches.len());
        for part in parts {
            results.extend(part.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        results.sort_by_key(|(index, _)| *index);
        Ok(results.into_iter().map(|(_, result)| result).collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn every_text_is_in_one_batch_of_its_length() {
        let mut seed = 7_u64;
        let mut random = |below: u64| {
            seed = seed
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (seed >> 33) % below
        };
        for (threads, mix) in [1, 2, 7]
            .into_iter()
            .flat_map(|threads| [(threads, Mix::OneLength), (threads, Mix::AnyLength)])
        {
            let lengths: Vec<usize> = (0..500).map(|_| 2 + random(300) as usize).collect();
            let batches = plan(&lengths, threads, mix);
            let mut seen: Vec<usize> = batches
                .iter()
                .flat_map(|batch| batch.members.clone())
                .collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..500).collect::<Vec<_>>());
            for batch in &batches {
                let of = |&member: &usize| lengths[member];
                let tokens: usize = batch.members.iter().map(of).sum();
                assert_eq!(tokens, batch.tokens);
                assert!(batch.members.len() == 1 || tokens <= BUDGET);
                let one = batch.members.iter().all(|m| of(m) == of(&batch.members[0]));
                assert!(one || mix == Mix::AnyLength);
            }
            assert!(batches.is_sorted_by(|a, b| a.tokens >= b.tokens));
        }
        assert!(plan(&[], 2, Mix::AnyLength).is_empty());
    }

    #[test]
    fn equal_texts_are_shared_among_the_threads() {
        assert_eq!(plan(&[10; 8], 2, Mix::AnyLength).len(), 2);
    }

    #[test]
    fn results_come_in_the_order_of_the_batches() {
        let batches = plan(&(2..40).collect::<Vec<_>>(), 3, Mix::OneLength);
        let workers = Workers::start(Some(3)).unwrap();
        let lengths = workers.each(&batches, |batch, _| Ok(batch.tokens)).unwrap();
        assert_eq!(
            lengths,
            batches.iter().map(|batch| batch.tokens).collect::<Vec<_>>()
        );
    }

    #[test]
    fn an_error_stops_the_rest() {
        let batches = plan(&vec![600; 100], 2, Mix::AnyLength);
        let workers = Workers::start(Some(2)).unwrap();
        let begun = Mutex::new(0);
        let result: Result<Vec<()>> = workers.each(&batches, |_, _| {
            *begun.lock().unwrap() += 1;
            Err(ModelError::Threads {
                threads: 0,
                reason: "test".into(),
            }
            .into())
        });
        assert!(result.is_err());
        assert!(*begun.lock().unwrap() <= 2);
    }
}
