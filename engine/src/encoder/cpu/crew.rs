//! The products of a few rows on several threads, which share out the columns.
//!
//! A question is one short text, and a product of it takes some ten microseconds: less than it takes to wake a thread.
//! Helpers therefore wait awake for as long as a text takes. Nothing depends on whether they come: a product is cut
//! into parts, and whoever is there computes the next, the thread that needs them included. No sum is cut, so that the
//! results are those of one thread to the last bit.

use std::hint::spin_loop;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::thread::yield_now;

use rayon::ThreadPool;

use super::super::activation::Activation;
use super::codes::Codes;
use super::weights::Linear;
use super::{Format, Machine};

/// More threads would wait for each other longer than they compute.
const MOST_THREADS: usize = 4;
/// Parts of a product for each thread: one that comes late leaves the others to those that are there.
const PARTS: usize = 2;
/// So often is looked before another thread is let run, some ten microseconds.
const SPINS: u32 = 500;

/// Threads that compute products together, one after the other.
pub struct Crew<'a> {
    machine: Machine,
    /// The part to be computed next: in the upper half the number of the product, in the lower that of the part.
    next: AtomicU64,
    /// Parts of the product, and how many of them are computed.
    count: AtomicUsize,
    done: AtomicUsize,
    /// Whether the last product was computed.
    is_over: AtomicBool,
    product: RwLock<Product<'a>>,
    /// What each part came to: rows of its columns.
    parts: Vec<Mutex<Vec<f32>>>,
}

/// A product to be computed.
#[derive(Default)]
struct Product<'a> {
    number: u64,
    linear: Option<&'a Linear>,
    /// What is done to all that comes out.
    activation: Option<Activation>,
    count: usize,
    /// Rows where weights are in f32, else their codes.
    rows: Vec<f32>,
    codes: Codes,
    /// Columns of a part.
    share: usize,
}

/// Ends a crew's work, also where a panic does.
struct End<'a, 'b>(&'a Crew<'b>);

impl Drop for End<'_, '_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Release);
    }
}

impl<'a> Crew<'a> {
    /// Runs `work` on this thread, with the help of those of `pool`; with `None` where it has but one.
    pub fn gather<T>(
        machine: Machine,
        pool: &ThreadPool,
        work: impl FnOnce(Option<&Crew<'a>>) -> T,
    ) -> T {
        let threads = pool.current_num_threads().min(MOST_THREADS);
        if threads == 1 {
            return work(None);
        }
        let crew = Crew {
            machine,
            next: AtomicU64::new(0),
            count: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
            product: RwLock::default(),
            parts: (0..PARTS * threads).map(|_| Mutex::default()).collect(),
        };
        pool.in_place_scope(|scope| {
            let _end = End(&crew);
            for _ in 1..threads {
                scope.spawn(|_| crew.help());
            }
            work(Some(&crew))
        })
    }

    /// [`Linear::apply`], on all threads, and an activation of what comes out.
    pub fn apply(
        &self,
        linear: &'a Linear,
        activation: Option<Activation>,
        rows: &[f32],
        out: &mut [f32],
    ) {
        let columns = linear.columns();
        let share = columns.div_ceil(self.parts.len());
        let share = share.next_multiple_of(linear.panel_width(self.machine));
        let count = columns.div_ceil(share);
        let number = (self.next.load(Ordering::Relaxed) >> 32) + 1;
        {
            let mut product = self.product.write().unwrap_or_else(PoisonError::into_inner);
            product.number = number;
            product.linear = Some(linear);
            product.share = share;
            product.activation = activation;
            product.count = rows.len() / linear.depth();
            match linear.format() {
                Format::Full => rows.clone_into(&mut product.rows),
                Format::Bytes => linear.encode(self.machine, rows, &mut product.codes),
            }
        }
        self.done.store(0, Ordering::Relaxed);
        self.count.store(count, Ordering::Relaxed);
        // Whoever sees the number sees all that was written before.
        self.next.store(number << 32, Ordering::Release);
        while self.compute_next() {}
        wait(|| self.done.load(Ordering::Acquire) == count);
        for (number, part) in self.parts.iter().take(count).enumerate() {
            let part = part.lock().unwrap_or_else(PoisonError::into_inner);
            let range = part_of(columns, share, number);
            let parts = part.chunks_exact(range.len());
            for (out, part) in out.chunks_exact_mut(columns).zip(parts) {
                out[range.clone()].copy_from_slice(part);
            }
        }
    }

    /// Computes parts until the work is over.
    fn help(&self) {
        let mut over = false;
        while !over {
            wait(|| {
                over = self.is_over.load(Ordering::Acquire);
                over || self.compute_next()
            });
        }
    }

    /// Computes a part; `false` where all were begun.
    fn compute_next(&self) -> bool {
        let is_left = |next: u64| (next as u32 as usize) < self.count.load(Ordering::Relaxed);
        if !is_left(self.next.load(Ordering::Acquire)) {
            return false;
        }
        // By now this may be a later product; until the part is computed, that one stays.
        let next = self.next.fetch_add(1, Ordering::AcqRel);
        let product = self.product.read().unwrap_or_else(PoisonError::into_inner);
        let Some(linear) = product.linear.filter(|_| product.number == next >> 32) else {
            return false;
        };
        let number = next as u32 as usize;
        let range = part_of(linear.columns(), product.share, number);
        if range.is_empty() {
            return false;
        }
        let mut part = self.parts[number]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        part.resize(product.count * range.len(), 0.0);
        linear.apply_part(
            self.machine,
            range,
            &product.rows,
            &product.codes,
            &mut part,
        );
        if let Some(activation) = product.activation {
            linear.activate(self.machine, activation, &mut part);
        }
        drop((part, product));
        self.done.fetch_add(1, Ordering::AcqRel);
        true
    }
}

/// The columns of a part; none beyond the last.
fn part_of(columns: usize, share: usize, number: usize) -> Range<usize> {
    let first = columns.min(share.saturating_mul(number));
    first..columns.min(first + share)
}

/// Waits awake until `ready`.
fn wait(mut ready: impl FnMut() -> bool) {
    let mut spins = 0;
    while !ready() {
        spins += 1;
        match spins % SPINS {
            0 => yield_now(),
            _ => spin_loop(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rayon::ThreadPoolBuilder;

    use super::super::weights::Matrix;
    use super::*;

    fn numbers(count: usize) -> Vec<f32> {
        let number = |i: usize| ((i * 7919) % 1_009) as f32 / 500.0 - 1.0;
        (0..count).map(number).collect()
    }

    fn linear(format: Format, depth: usize, columns: usize) -> Linear {
        let machine = Machine::new();
        let weights = Matrix::new(machine, format, &numbers(depth * columns), depth);
        Linear::new(weights, numbers(columns))
    }

    /// Products follow each other at once, helpers are late as often as not, and several crews share the threads.
    #[test]
    fn a_crew_computes_what_a_thread_does() {
        let machine = Machine::new();
        let linears = [
            linear(Format::Full, 40, 200),
            linear(Format::Bytes, 200, 33),
            linear(Format::Bytes, 33, 500),
            linear(Format::Full, 500, 40),
        ];
        let pool = ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let alone = |rows: usize| {
            let mut states = numbers(rows * 40);
            for linear in &linears {
                let mut out = vec![0.0; rows * linear.columns()];
                linear.apply(machine, &states, &mut out, &mut Codes::default());
                linear.activate(machine, Activation::Gelu, &mut out);
                states = out;
            }
            states
        };
        let together = |rows: usize| {
            Crew::gather(machine, &pool, |crew| {
                let crew = crew.unwrap();
                let mut states = numbers(rows * 40);
                for linear in &linears {
                    let mut out = vec![0.0; rows * linear.columns()];
                    crew.apply(linear, Some(Activation::Gelu), &states, &mut out);
                    states = out;
                }
                states
            })
        };
        let expected: Vec<Vec<f32>> = (1..30).map(alone).collect();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for (rows, expected) in (1..30).zip(&expected).cycle().take(300) {
                        assert_eq!(&together(rows), expected);
                    }
                });
            }
        });
    }

    #[test]
    fn a_panic_ends_the_work_of_helpers() {
        let pool = ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let work = || Crew::gather::<()>(Machine::new(), &pool, |_| panic!("in the work"));
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        assert!(outcome.is_err());
        assert_eq!(pool.install(|| 7), 7);
    }
}
