//! Sums of products over stored rows, at the machine's speed.
//!
//! There is one set of kernels for each kind of processor. All of them compute the same numbers, to the
//! last bit; the portable ones are the reference.

#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

use super::quantise::BIAS;

/// Sums of products of some rows of a plane, given by number, with a query.
pub type Gather = fn(plane: &[u8], rows: &[u32], query: &[i8], sums: &mut [i32]);

/// What one kind of processor computes with. Rows and queries have a length that is a multiple of 64.
#[derive(Clone, Copy)]
pub struct Kernels {
    /// Σ row\[i\] · query\[i\].
    pub dot: fn(row: &[u8], query: &[i8]) -> i32,
    /// [`Self::dot`] of each.
    pub gather: Gather,
    /// [`Self::dot`] of rows that follow each other with a query.
    pub sweep: fn(rows: &[u8], query: &[i8], sums: &mut [i32]),
    /// Σ a\[i\] · (b\[i\] − 128).
    pub pair: fn(a: &[u8], b: &[u8]) -> i32,
    /// Σ query\[i\] · (256 · (high\[i\] − 128) + low\[i\]), in 16 sums of every sixteenth product.
    pub exact: fn(query: &[f32], high: &[u8], low: &[i8]) -> f32,
}

/// The reference, for every machine.
pub const PORTABLE: Kernels = Kernels {
    dot: portable::dot,
    gather: portable::gather,
    sweep: portable::sweep,
    pair: portable::pair,
    exact: portable::exact,
};

/// The fastest kernels of this machine.
pub fn best() -> Kernels {
    #[cfg(target_arch = "x86_64")]
    if let Some(kernels) = x86::available().next() {
        return kernels;
    }
    PORTABLE
}

/// Asks the processor to fetch what will be read soon. It changes nothing but speed.
#[inline(always)]
pub fn prefetch<T>(items: &[T]) {
    #[cfg(target_arch = "x86_64")]
    for line in (0..size_of_val(items)).step_by(64) {
        // SAFETY: a prefetch is a hint, and the address lies in a live slice.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch(items.as_ptr().cast::<i8>().add(line), _MM_HINT_T0);
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = items;
}

/// A row of a plane whose rows have `stride` bytes.
#[inline(always)]
fn row_of(plane: &[u8], row: u32, stride: usize) -> &[u8] {
    &plane[row as usize * stride..][..stride]
}

mod portable {
    use super::{BIAS, row_of};

    pub fn dot(row: &[u8], query: &[i8]) -> i32 {
        let pairs = row.iter().zip(query);
        pairs.map(|(&r, &q)| i32::from(r) * i32::from(q)).sum()
    }

    pub fn gather(plane: &[u8], rows: &[u32], query: &[i8], sums: &mut [i32]) {
        for (&row, sum) in rows.iter().zip(sums) {
            *sum = dot(row_of(plane, row, query.len()), query);
        }
    }

    pub fn sweep(rows: &[u8], query: &[i8], sums: &mut [i32]) {
        for (row, sum) in rows.chunks_exact(query.len()).zip(sums) {
            *sum = dot(row, query);
        }
    }

    pub fn pair(a: &[u8], b: &[u8]) -> i32 {
        let pairs = a.iter().zip(b);
        pairs
            .map(|(&a, &b)| i32::from(a) * (i32::from(b) - BIAS))
            .sum()
    }

    pub fn exact(query: &[f32], high: &[u8], low: &[i8]) -> f32 {
        let mut lanes = [0f32; 16];
        let parts = query.chunks(16).zip(high.chunks(16)).zip(low.chunks(16));
        for ((query, high), low) in parts {
            add_products(&mut lanes, query, high, low);
        }
        lanes.iter().sum()
    }

    /// The products of up to 16 components, each to the sum of its place.
    #[inline(always)]
    pub fn add_products(lanes: &mut [f32; 16], query: &[f32], high: &[u8], low: &[i8]) {
        for (((lane, q), h), l) in lanes.iter_mut().zip(query).zip(high).zip(low) {
            *lane += q * (256 * (i32::from(*h) - BIAS) + i32::from(*l)) as f32;
        }
    }
}
