//! Products in bfloat16, two numbers at a time, with sums in f32: half the time of f32 for what needs no more.
//!
//! A number is the upper 16 bits of its f32. Two steps of a sum stand beside each other, as the instruction wants
//! them that multiplies both (`vdpbf16ps`). Only machines that have it compute in this way; the others take f32.

#[cfg(target_arch = "x86_64")]
use super::amx;
use super::matrix::Panels;
#[cfg(test)]
use super::ready::Ready;
#[cfg(test)]
use super::tile::Part;
use super::tile::Tile;

/// Two steps of a sum.
pub type Pair = [u16; 2];

/// A way to multiply pairs.
pub type HalfTile = Tile<Pair>;

impl HalfTile {
    /// What this machine has for them, if anything.
    pub fn best_for_pairs() -> Option<HalfTile> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16") {
            return match amx::is_there() {
                true => Some(amx::HALVES),
                false => Some(x86::AVX512),
            };
        }
        None
    }
}

/// The reference.
#[cfg(test)]
pub const PORTABLE: HalfTile = HalfTile {
    width: 32,
    rows: 12,
    deep: 1,
    multiply: portable,
    around: None,
};

#[cfg(test)]
fn portable(_: &Ready, part: &Part<'_, Pair>, out: &mut [f32], stride: usize) {
    part.check(32, out, stride);
    let whole = |half: u16| f32::from_bits(u32::from(half) << 16);
    for row in 0..part.rows {
        let mut sums = [0f32; 32];
        let pairs = &part.a[row * part.stride..];
        for (x, step) in pairs.iter().zip(part.panel.as_chunks::<32>().0) {
            for (sum, y) in sums.iter_mut().zip(step) {
                *sum += whole(x[0]) * whole(y[0]) + whole(x[1]) * whole(y[1]);
            }
        }
        out[row * stride..][..32].copy_from_slice(&sums);
    }
}

#[cfg(target_arch = "x86_64")]
pub mod x86 {
    use std::arch::x86_64::*;
    use std::mem::transmute;

    use super::super::ready::Ready;
    use super::super::tile::Part;
    use super::{HalfTile, Pair};

    pub const AVX512: HalfTile = HalfTile {
        width: 32,
        rows: 12,
        deep: 1,
        multiply: avx512,
        around: None,
    };

    fn avx512(_: &Ready, part: &Part<'_, Pair>, out: &mut [f32], stride: usize) {
        part.check(32, out, stride);
        // SAFETY: only handed out where the processor has AVX-512 with bfloat16; sizes were checked above.
        unsafe { with_rows!(rows512, part, out, stride, 1 2 3 4 5 6 7 8 9 10 11 12) }
    }

    /// # Safety
    /// The part has `ROWS` rows and was checked.
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn rows512<const ROWS: usize>(part: &Part<'_, Pair>, out: &mut [f32], stride: usize) {
        let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
        for (step, columns) in part.panel.as_chunks::<32>().0.iter().enumerate() {
            let columns = columns.as_ptr().cast::<__m512i>();
            // SAFETY: both halves lie in the 32 pairs of the step; registers are only looked at in another way.
            let y = unsafe {
                [
                    transmute::<__m512i, __m512bh>(_mm512_loadu_si512(columns)),
                    transmute::<__m512i, __m512bh>(_mm512_loadu_si512(columns.add(1))),
                ]
            };
            for (row, sums) in sums.iter_mut().enumerate() {
                // SAFETY: the caller promises rows as long as the panel is deep; a pair is 32 bits.
                let x = unsafe {
                    let pair = part.a.as_ptr().add(row * part.stride + step);
                    let pair = _mm512_set1_epi32(pair.cast::<i32>().read_unaligned());
                    transmute::<__m512i, __m512bh>(pair)
                };
                sums[0] = _mm512_dpbf16_ps(sums[0], x, y[0]);
                sums[1] = _mm512_dpbf16_ps(sums[1], x, y[1]);
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
}

impl Panels<Pair> {
    /// Takes over `steps` rows of `columns` numbers, two in a pair, `stride` pairs apart, in the memory of the matrix
    /// before: two rows make the pairs of one step. Steps of zeros make the panels as deep as is quickest.
    pub fn fill_with_pairs(
        &mut self,
        tile: HalfTile,
        (steps, columns): (usize, usize),
        (rows, stride): (&[Pair], usize),
    ) {
        let width = tile.width;
        self.resize(tile, steps.div_ceil(2).next_multiple_of(tile.deep), columns);
        for (number, panel) in self.panels(tile).enumerate() {
            let first = number * width;
            let present = first..columns.min(first + width);
            let mut rows = rows.chunks(stride).take(steps).map(<[Pair]>::as_flattened);
            for place in panel.chunks_exact_mut(width) {
                let (Some(even), odd) = (rows.next(), rows.next()) else {
                    // What a deeper matrix left there.
                    place.fill([0; 2]);
                    continue;
                };
                let even = &even[present.clone()];
                match odd {
                    Some(odd) => {
                        let pairs = even.iter().zip(&odd[present.clone()]);
                        for (pair, (even, odd)) in place.iter_mut().zip(pairs) {
                            *pair = [*even, *odd];
                        }
                    }
                    // The last row is alone.
                    None => {
                        for (pair, even) in place.iter_mut().zip(even) {
                            *pair = [*even, 0];
                        }
                    }
                }
            }
        }
    }
}

/// Every way that this machine has, for tests.
#[cfg(test)]
fn all() -> Vec<HalfTile> {
    let mut tiles = vec![PORTABLE];
    #[cfg(target_arch = "x86_64")]
    if HalfTile::best_for_pairs().is_some() {
        tiles.push(x86::AVX512);
    }
    tiles.extend(HalfTile::best_for_pairs());
    tiles
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of pairs that hold `depth` numbers, the last of them with a zero where that is odd.
    fn rows(count: usize, depth: usize, seed: usize) -> Vec<Pair> {
        let half = |row: usize, place: usize| {
            let number = ((row * 131 + place * 7919 + seed) % 1_000) as f32 / 500.0 - 1.0;
            match place < depth {
                true => (number.to_bits() >> 16) as u16,
                false => 0,
            }
        };
        let rows = (0..count).flat_map(|row| {
            let pair = move |pair| [half(row, 2 * pair), half(row, 2 * pair + 1)];
            (0..depth.div_ceil(2)).map(pair)
        });
        rows.collect()
    }

    fn number(rows: &[Pair], depth: usize, row: usize, place: usize) -> f32 {
        let half = rows[row * depth.div_ceil(2)..].as_flattened()[place];
        f32::from_bits(u32::from(half) << 16)
    }

    #[test]
    fn every_tile_multiplies_as_it_is_defined() {
        for tile in all() {
            let ready = Ready::new(tile.around);
            let mut panels = Panels::<Pair>::default();
            for (depth, columns) in [(1, 1), (5, 17), (64, 40), (40, 96), (33_usize, 96_usize)] {
                let (pairs, width) = (depth.div_ceil(2), columns.next_multiple_of(tile.width));
                let stride = pairs.next_multiple_of(tile.deep);
                let (a, keys) = (rows(tile.rows, depth, 5), rows(columns, depth, 0));
                let values = rows(depth, columns, 0);
                // What a row has for steps that are none must not matter.
                let mut apart = vec![[0x3f80; 2]; tile.rows * stride];
                for (to, from) in apart.chunks_mut(stride).zip(a.chunks(pairs)) {
                    to[..pairs].copy_from_slice(from);
                }
                for transposed in [true, false] {
                    match transposed {
                        true => {
                            let shape = (pairs, columns);
                            panels.fill_transposed(tile, shape, (&keys, pairs), |pair| pair);
                        }
                        false => {
                            let rows = (values.as_slice(), columns.div_ceil(2));
                            panels.fill_with_pairs(tile, (depth, columns), rows);
                        }
                    }
                    for count in 1..=tile.rows {
                        let mut out = vec![9.0; count * width];
                        panels.multiply(tile, &ready, (&apart, stride), count, (&mut out, width));
                        for (place, found) in out.iter().enumerate() {
                            let (row, column) = (place / width, place % width);
                            let other = |step: usize| match (column < columns, transposed) {
                                (false, _) => 0.0,
                                (_, true) => number(&keys, depth, column, step),
                                (_, false) => number(&values, columns, step, column),
                            };
                            let steps = 0..depth;
                            let expected: f32 = steps
                                .map(|step| number(&a, depth, row, step) * other(step))
                                .sum();
                            assert!((found - expected).abs() < 1e-4, "{found} for {expected}");
                        }
                    }
                }
            }
        }
    }
}
