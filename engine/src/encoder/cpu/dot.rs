//! The innermost product in whole numbers: some rows of codes with a panel of weights.
//!
//! A panel holds the weights of `width` columns, four steps of a column beside each other, as the instructions
//! want them that multiply four bytes and add the products to a 32-bit sum (`vpdpbusd`). Codes are unsigned,
//! weights signed; no sum overflows, for a group is short.

#[cfg(target_arch = "x86_64")]
use super::amx;
use super::codes::{GROUP, Range};
use super::ready::{Around, Ready};

/// Adds to `rows` rows of `width` numbers in `out`, `stride` apart, for each row r and column c,
///
/// scale[r] · scales[c] · Σ codes[r] · panel[c] + least[r] · sums[c],
///
/// or to `start[c]`, where there is a start.
pub type Dot = fn(ready: &Ready, part: &Part<'_>, out: &mut [f32], stride: usize);

/// One group of steps of a product.
pub struct Part<'a> {
    /// Codes: rows `stride` apart, each with as many as the panel has steps.
    pub codes: &'a [u8],
    pub stride: usize,
    /// What a code of each row stands for, and what the code 0 does; rows `range_stride` apart.
    pub ranges: &'a [Range],
    pub range_stride: usize,
    /// How many rows.
    pub rows: usize,
    /// `width` times the steps, a multiple of 4.
    pub panel: &'a [i8],
    /// What a weight of each column stands for.
    pub scales: &'a [f32],
    /// Sums of the weights of each column, scaled.
    pub sums: &'a [f32],
    /// What all rows begin with, in place of what stands in them.
    pub start: Option<&'a [f32]>,
}

impl Part<'_> {
    pub fn check(&self, width: usize, out: &[f32], stride: usize) {
        let steps = self.panel.len() / width;
        let last = self.rows.saturating_sub(1);
        assert!(steps <= GROUP && self.panel.len().is_multiple_of(4 * width));
        assert!(self.codes.len() >= last * self.stride + steps);
        assert!(self.ranges.len() > last * self.range_stride);
        assert!(self.scales.len() >= width && self.sums.len() >= width);
        assert!(self.start.is_none_or(|start| start.len() >= width));
        assert!(self.rows == 0 || out.len() >= last * stride + width);
    }
}

/// A way to compute such products.
#[derive(Clone, Copy)]
pub struct DotTile {
    /// Columns of a panel.
    pub width: usize,
    /// The most rows at once.
    pub rows: usize,
    /// So many rows take as long as fewer.
    pub together: usize,
    pub dot: Dot,
    pub around: Option<Around>,
}

impl DotTile {
    /// The quickest on this machine. Without VNNI it is not quicker than f32.
    pub fn best() -> DotTile {
        #[cfg(target_arch = "x86_64")]
        {
            if amx::is_there() {
                return amx::BYTES;
            }
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni") {
                return x86::AVX512;
            }
            if is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("avxvnni")
            {
                return x86::AVX_VNNI;
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return x86::AVX2;
            }
        }
        PORTABLE
    }
}

/// The reference.
pub const PORTABLE: DotTile = DotTile {
    width: 16,
    rows: 4,
    together: 1,
    dot: portable,
    around: None,
};

fn portable(_: &Ready, part: &Part<'_>, out: &mut [f32], stride: usize) {
    part.check(16, out, stride);
    let steps = part.panel.len() / 16;
    for row in 0..part.rows {
        let out = &mut out[row * stride..][..16];
        if let Some(start) = part.start {
            out.copy_from_slice(&start[..16]);
        }
        let mut sums = [0i32; 16];
        let codes = &part.codes[row * part.stride..][..steps];
        for (codes, columns) in codes
            .as_chunks::<4>()
            .0
            .iter()
            .zip(part.panel.as_chunks::<64>().0)
        {
            for (sum, weights) in sums.iter_mut().zip(columns.as_chunks::<4>().0) {
                for (code, weight) in codes.iter().zip(weights) {
                    *sum += i32::from(*code) * i32::from(*weight);
                }
            }
        }
        let Range { scale, least } = part.ranges[row * part.range_stride];
        let of_columns = part.scales.iter().zip(part.sums);
        for ((out, sum), (of_column, weights)) in out.iter_mut().zip(sums).zip(of_columns) {
            *out += scale * (sum as f32 * of_column);
            *out += least * weights;
        }
    }
}

#[cfg(target_arch = "x86_64")]
pub mod x86 {
    use std::arch::x86_64::*;

    use super::{DotTile, Part, Ready};

    pub const AVX512: DotTile = DotTile {
        width: 32,
        rows: 12,
        together: 1,
        dot: avx512,
        around: None,
    };

    pub const AVX_VNNI: DotTile = DotTile {
        width: 16,
        rows: 6,
        together: 1,
        dot: avx_vnni,
        around: None,
    };

    pub const AVX2: DotTile = DotTile {
        width: 16,
        rows: 4,
        together: 1,
        dot: avx2,
        around: None,
    };

    fn avx512(_: &Ready, part: &Part<'_>, out: &mut [f32], stride: usize) {
        part.check(32, out, stride);
        // SAFETY: only handed out where the processor has AVX-512 with VNNI; sizes were checked above.
        unsafe { with_rows!(rows512, part, out, stride, 1 2 3 4 5 6 7 8 9 10 11 12) }
    }

    fn avx_vnni(_: &Ready, part: &Part<'_>, out: &mut [f32], stride: usize) {
        part.check(16, out, stride);
        // SAFETY: only handed out where the processor has AVX2, FMA and AVX-VNNI; sizes were checked above.
        unsafe { with_rows!(rows_vnni, part, out, stride, 1 2 3 4 5 6) }
    }

    fn avx2(_: &Ready, part: &Part<'_>, out: &mut [f32], stride: usize) {
        part.check(16, out, stride);
        // SAFETY: only handed out where the processor has AVX2 and FMA; sizes were checked above.
        unsafe { with_rows!(rows256, part, out, stride, 1 2 3 4) }
    }

    /// Four codes of a row as one number.
    ///
    /// # Safety
    /// The row is there and has four codes from `step` on.
    #[inline(always)]
    unsafe fn four(part: &Part<'_>, row: usize, step: usize) -> i32 {
        // SAFETY: as the caller promises; read unaligned.
        unsafe {
            part.codes
                .as_ptr()
                .add(row * part.stride + step)
                .cast::<i32>()
                .read_unaligned()
        }
    }

    /// # Safety
    /// The part has `ROWS` rows, and was checked for a width of 32.
    #[target_feature(enable = "avx512f,avx512vnni")]
    unsafe fn rows512<const ROWS: usize>(part: &Part<'_>, out: &mut [f32], stride: usize) {
        // SAFETY: 32 numbers of each were checked.
        let (scales, weights) = unsafe {
            let (scales, sums) = (part.scales.as_ptr(), part.sums.as_ptr());
            (
                [_mm512_loadu_ps(scales), _mm512_loadu_ps(scales.add(16))],
                [_mm512_loadu_ps(sums), _mm512_loadu_ps(sums.add(16))],
            )
        };
        let mut sums = [[_mm512_setzero_si512(); 2]; ROWS];
        for (step, columns) in part.panel.as_chunks::<128>().0.iter().enumerate() {
            let columns = columns.as_ptr().cast::<__m512i>();
            // SAFETY: both halves lie in the 128 weights of the step.
            let y = unsafe {
                [
                    _mm512_loadu_si512(columns),
                    _mm512_loadu_si512(columns.add(1)),
                ]
            };
            for (row, sums) in sums.iter_mut().enumerate() {
                // SAFETY: the caller promises rows as long as the panel is deep.
                let x = _mm512_set1_epi32(unsafe { four(part, row, 4 * step) });
                sums[0] = _mm512_dpbusd_epi32(sums[0], x, y[0]);
                sums[1] = _mm512_dpbusd_epi32(sums[1], x, y[1]);
            }
        }
        let start = part.start.map(<[f32]>::as_ptr);
        // Where a row stands: a step from one start to the next is none.
        let (from, from_stride) = start.map_or((out.as_ptr(), stride), |start| (start, 0));
        let (to, ranges) = (out.as_mut_ptr(), part.ranges.as_ptr());
        for (row, [left, right]) in sums.into_iter().enumerate() {
            // SAFETY: there is a range for each row, and `out` has 32 numbers for each, as has a start.
            unsafe {
                let range = *ranges.add(row * part.range_stride);
                let (scale, least) = (_mm512_set1_ps(range.scale), _mm512_set1_ps(range.least));
                let (from, to) = (from.add(row * from_stride), to.add(row * stride));
                let y = _mm512_mul_ps(_mm512_cvtepi32_ps(left), scales[0]);
                let sum = _mm512_fmadd_ps(scale, y, _mm512_loadu_ps(from));
                _mm512_storeu_ps(to, _mm512_fmadd_ps(least, weights[0], sum));
                let y = _mm512_mul_ps(_mm512_cvtepi32_ps(right), scales[1]);
                let sum = _mm512_fmadd_ps(scale, y, _mm512_loadu_ps(from.add(16)));
                _mm512_storeu_ps(to.add(16), _mm512_fmadd_ps(least, weights[1], sum));
            }
        }
    }

    /// The two instruction sets of 256 bits differ only in how a product of four bytes is added.
    macro_rules! rows_of_256 {
        ($name:ident, $features:literal, $add:ident) => {
            /// # Safety
            /// The part has `ROWS` rows, and was checked for a width of 16.
            #[target_feature(enable = $features)]
            unsafe fn $name<const ROWS: usize>(part: &Part<'_>, out: &mut [f32], stride: usize) {
                // SAFETY: 16 numbers of each were checked.
                let (scales, weights) = unsafe {
                    let (scales, sums) = (part.scales.as_ptr(), part.sums.as_ptr());
                    (
                        [_mm256_loadu_ps(scales), _mm256_loadu_ps(scales.add(8))],
                        [_mm256_loadu_ps(sums), _mm256_loadu_ps(sums.add(8))],
                    )
                };
                let mut sums = [[_mm256_setzero_si256(); 2]; ROWS];
                for (step, columns) in part.panel.as_chunks::<64>().0.iter().enumerate() {
                    let columns = columns.as_ptr().cast::<__m256i>();
                    // SAFETY: both halves lie in the 64 weights of the step.
                    let y = unsafe {
                        [
                            _mm256_loadu_si256(columns),
                            _mm256_loadu_si256(columns.add(1)),
                        ]
                    };
                    for (row, sums) in sums.iter_mut().enumerate() {
                        // SAFETY: the caller promises rows as long as the panel is deep.
                        let x = _mm256_set1_epi32(unsafe { four(part, row, 4 * step) });
                        sums[0] = $add(sums[0], x, y[0]);
                        sums[1] = $add(sums[1], x, y[1]);
                    }
                }
                for (row, sums) in sums.into_iter().enumerate() {
                    let range = part.ranges[row * part.range_stride];
                    let (scale, least) = (_mm256_set1_ps(range.scale), _mm256_set1_ps(range.least));
                    for (half, sum) in sums.into_iter().enumerate() {
                        let y = _mm256_mul_ps(_mm256_cvtepi32_ps(sum), scales[half]);
                        // SAFETY: `out` has 16 numbers for each row, and so has a start.
                        unsafe {
                            let out = out.as_mut_ptr().add(stride * row + 8 * half);
                            let start = part.start.map(|start| start.as_ptr().add(8 * half));
                            let start = start.unwrap_or(out);
                            let sum = _mm256_fmadd_ps(scale, y, _mm256_loadu_ps(start));
                            _mm256_storeu_ps(out, _mm256_fmadd_ps(least, weights[half], sum));
                        }
                    }
                }
            }
        };
    }

    rows_of_256!(rows_vnni, "avx2,fma,avxvnni", _mm256_dpbusd_avx_epi32);
    rows_of_256!(rows256, "avx2,fma", dot256);

    /// `sum` + the products of four bytes each. Even and odd bytes apart, as 16-bit numbers: the one instruction
    /// that multiplies bytes (`vpmaddubsw`) would saturate.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn dot256(sum: __m256i, codes: __m256i, weights: __m256i) -> __m256i {
        let even = _mm256_madd_epi16(
            _mm256_and_si256(codes, _mm256_set1_epi16(0xff)),
            _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(weights)),
        );
        let odd = _mm256_madd_epi16(
            _mm256_srli_epi16::<8>(codes),
            _mm256_srai_epi16::<8>(weights),
        );
        _mm256_add_epi32(sum, _mm256_add_epi32(even, odd))
    }
}

/// Every way that this machine has, for tests.
#[cfg(test)]
pub fn all() -> Vec<DotTile> {
    #[allow(unused_mut)]
    let mut tiles = vec![PORTABLE];
    #[cfg(target_arch = "x86_64")]
    {
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        if amx::is_there() {
            tiles.push(amx::BYTES);
        }
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni") {
            tiles.push(x86::AVX512);
        }
        if avx2 && is_x86_feature_detected!("avxvnni") {
            tiles.push(x86::AVX_VNNI);
        }
        if avx2 {
            tiles.push(x86::AVX2);
        }
    }
    tiles
}

#[cfg(test)]
mod tests;
