//! The innermost product: some rows of one matrix with a panel of another.
//!
//! A panel is `depth` times `width` numbers, those of one step of the sum beside each other. The
//! accumulators of a tile stay in registers for the whole sum: 12 rows by 2 registers of AVX-512, 6 by 2 of
//! AVX2, which keeps both multipliers busy while a sum waits for itself.

use super::ready::{Around, Ready};

/// Writes the products of rows with a panel into `out`: `width` numbers a row, rows `stride` apart.
pub type Multiply<T> = fn(ready: &Ready, part: &Part<'_, T>, out: &mut [f32], stride: usize);

/// Some rows, and the panel that they are multiplied with.
pub struct Part<'a, T = f32> {
    /// Rows `stride` apart, each with as many numbers as the panel has steps.
    pub a: &'a [T],
    pub stride: usize,
    /// How many rows.
    pub rows: usize,
    /// `width` times the steps.
    pub panel: &'a [T],
}

impl<T> Part<'_, T> {
    pub fn check(&self, width: usize, out: &[f32], stride: usize) {
        let last = self.rows.saturating_sub(1);
        assert!(self.rows == 0 || self.a.len() >= last * self.stride + self.panel.len() / width);
        assert!(self.rows == 0 || out.len() >= last * stride + width);
    }
}

/// A way to multiply.
#[derive(Clone, Copy)]
pub struct Tile<T = f32> {
    /// Columns of a panel.
    pub width: usize,
    /// The most rows at once.
    pub rows: usize,
    /// Panels are quickest that have a multiple of so many steps.
    pub deep: usize,
    pub multiply: Multiply<T>,
    pub around: Option<Around>,
}

impl Tile {
    /// The quickest on this machine.
    pub fn best() -> Tile {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                return x86::AVX512;
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return x86::AVX2;
            }
        }
        PORTABLE
    }
}

/// The reference.
pub const PORTABLE: Tile = Tile {
    width: 16,
    rows: 4,
    deep: 1,
    multiply: portable,
    around: None,
};

fn portable(_: &Ready, part: &Part<'_>, out: &mut [f32], stride: usize) {
    part.check(16, out, stride);
    for row in 0..part.rows {
        let mut sums = [0f32; 16];
        let numbers = &part.a[row * part.stride..];
        for (x, step) in numbers.iter().zip(part.panel.as_chunks::<16>().0) {
            for (sum, y) in sums.iter_mut().zip(step) {
                *sum += x * y;
            }
        }
        out[row * stride..][..16].copy_from_slice(&sums);
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Part, Ready, Tile};

    pub const AVX512: Tile = Tile {
        width: 32,
        rows: 12,
        deep: 1,
        multiply: avx512,
        around: None,
    };

    pub const AVX2: Tile = Tile {
        width: 16,
        rows: 6,
        deep: 1,
        multiply: avx2,
        around: None,
    };

    fn avx512(_: &Ready, part: &Part<'_>, out: &mut [f32], stride: usize) {
        part.check(32, out, stride);
        // SAFETY: only handed out where the processor has AVX-512; sizes were checked above.
        unsafe { with_rows!(rows512, part, out, stride, 1 2 3 4 5 6 7 8 9 10 11 12) }
    }

    fn avx2(_: &Ready, part: &Part<'_>, out: &mut [f32], stride: usize) {
        part.check(16, out, stride);
        // SAFETY: only handed out where the processor has AVX2 and FMA; sizes were checked above.
        unsafe { with_rows!(rows256, part, out, stride, 1 2 3 4 5 6) }
    }

    /// # Safety
    /// The part has `ROWS` rows and was checked.
    #[target_feature(enable = "avx512f")]
    unsafe fn rows512<const ROWS: usize>(part: &Part<'_>, out: &mut [f32], stride: usize) {
        let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
        for (step, columns) in part.panel.as_chunks::<32>().0.iter().enumerate() {
            // SAFETY: both halves lie in the 32 numbers of the step.
            let y = unsafe {
                [
                    _mm512_loadu_ps(columns.as_ptr()),
                    _mm512_loadu_ps(columns.as_ptr().add(16)),
                ]
            };
            for (row, sums) in sums.iter_mut().enumerate() {
                // SAFETY: the caller promises rows as long as the panel is deep.
                let x = _mm512_set1_ps(unsafe { *part.a.get_unchecked(row * part.stride + step) });
                sums[0] = _mm512_fmadd_ps(x, y[0], sums[0]);
                sums[1] = _mm512_fmadd_ps(x, y[1], sums[1]);
            }
        }
        for (row, sums) in sums.into_iter().enumerate() {
            // SAFETY: `out` was checked to have 32 numbers for each row.
            unsafe {
                let out = out.as_mut_ptr().add(row * stride);
                _mm512_storeu_ps(out, sums[0]);
                _mm512_storeu_ps(out.add(16), sums[1]);
            }
        }
    }

    /// # Safety
    /// The part has `ROWS` rows and was checked.
    #[target_feature(enable = "avx2,fma")]
    unsafe fn rows256<const ROWS: usize>(part: &Part<'_>, out: &mut [f32], stride: usize) {
        let mut sums = [[_mm256_setzero_ps(); 2]; ROWS];
        for (step, columns) in part.panel.as_chunks::<16>().0.iter().enumerate() {
            // SAFETY: both halves lie in the 16 numbers of the step.
            let y = unsafe {
                [
                    _mm256_loadu_ps(columns.as_ptr()),
                    _mm256_loadu_ps(columns.as_ptr().add(8)),
                ]
            };
            for (row, sums) in sums.iter_mut().enumerate() {
                // SAFETY: the caller promises rows as long as the panel is deep.
                let x = _mm256_set1_ps(unsafe { *part.a.get_unchecked(row * part.stride + step) });
                sums[0] = _mm256_fmadd_ps(x, y[0], sums[0]);
                sums[1] = _mm256_fmadd_ps(x, y[1], sums[1]);
            }
        }
        for (row, sums) in sums.into_iter().enumerate() {
            // SAFETY: `out` was checked to have 16 numbers for each row.
            unsafe {
                let out = out.as_mut_ptr().add(row * stride);
                _mm256_storeu_ps(out, sums[0]);
                _mm256_storeu_ps(out.add(8), sums[1]);
            }
        }
    }
}

/// Every way to multiply that this machine has, for tests.
#[cfg(test)]
pub fn all() -> Vec<Tile> {
    #[allow(unused_mut)]
    let mut tiles = vec![PORTABLE];
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            tiles.push(x86::AVX512);
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            tiles.push(x86::AVX2);
        }
    }
    tiles
}
