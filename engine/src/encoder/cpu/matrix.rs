//! Matrices as the tiles want them, and their products.

use super::ready::Ready;
use super::tile::{Part, Tile};

/// The most numbers that a tile has.
pub const TILE: usize = 48 * 32;

/// A matrix cut into panels of columns, the last one filled up with zeros.
#[derive(Default)]
pub struct Panels<T = f32> {
    numbers: Vec<T>,
    depth: usize,
    columns: usize,
}

impl<T: Copy + Default> Panels<T> {
    /// Takes over the transpose of a matrix of `columns` rows of `depth` numbers, `stride` apart, each number as
    /// `take` gives it, in the memory of the one before.
    pub fn fill_transposed(
        &mut self,
        tile: Tile<T>,
        (depth, columns): (usize, usize),
        (rows, stride): (&[T], usize),
        take: impl Fn(T) -> T,
    ) {
        let width = tile.width;
        self.resize(tile, depth, columns);
        for (column, row) in rows.chunks(stride).take(columns).enumerate() {
            let panel = &mut self.numbers[column / width * depth * width..][..depth * width];
            let places = panel[column % width..].iter_mut().step_by(width);
            for (place, number) in places.zip(&row[..depth]) {
                *place = take(*number);
            }
        }
    }

    /// Makes room; what lies beyond the last column is zero.
    pub fn resize(&mut self, tile: Tile<T>, depth: usize, columns: usize) {
        let size = columns.div_ceil(tile.width) * depth * tile.width;
        if (self.depth, self.columns, self.numbers.len()) != (depth, columns, size) {
            self.numbers.clear();
            self.numbers.resize(size, T::default());
            (self.depth, self.columns) = (depth, columns);
        }
    }

    /// Products of `rows` rows of `a`, which stand `stride` apart, at most [`Tile::rows`], with the matrix,
    /// into rows of `out`, `out_stride` apart. Where these have room for whole panels, what lies beyond the last column
    /// becomes zero.
    pub fn multiply(
        &self,
        tile: Tile<T>,
        ready: &Ready,
        (a, stride): (&[T], usize),
        rows: usize,
        (out, out_stride): (&mut [f32], usize),
    ) {
        let width = tile.width;
        for (number, panel) in self.numbers.chunks_exact(self.depth * width).enumerate() {
            let first = number * width;
            let part = Part {
                a,
                stride,
                rows,
                panel,
            };
            if first + width <= out_stride {
                (tile.multiply)(ready, &part, &mut out[first..], out_stride);
                continue;
            }
            // The last panel has columns that are none.
            let mut product = [0f32; TILE];
            (tile.multiply)(ready, &part, &mut product, width);
            let present = self.columns - first;
            for (row, product) in product.chunks_exact(width).take(rows).enumerate() {
                let at = row * out_stride + first;
                out[at..at + present].copy_from_slice(&product[..present]);
            }
        }
    }

    /// The panels, to be filled: `depth` times `width` numbers each.
    pub fn panels(&mut self, tile: Tile<T>) -> impl Iterator<Item = &mut [T]> {
        self.numbers.chunks_exact_mut(self.depth * tile.width)
    }
}

impl Panels {
    /// A linear layer's weights, `columns` rows of `depth` numbers as checkpoints have them, cut for `tile`.
    pub fn of_weights(tile: Tile, weights: &[f32], depth: usize) -> Panels {
        let mut panels = Panels::default();
        let shape = (depth, weights.len() / depth);
        panels.fill_transposed(tile, shape, (weights, depth), |weight| weight);
        panels
    }

    /// The numbers, panel after panel.
    pub fn into_numbers(self) -> Vec<f32> {
        self.numbers
    }

    /// Takes over a matrix of `depth` rows of `columns` numbers, `stride` apart, in the memory of the one before.
    pub fn fill(
        &mut self,
        tile: Tile,
        (depth, columns): (usize, usize),
        (rows, stride): (&[f32], usize),
    ) {
        let width = tile.width;
        self.resize(tile, depth, columns);
        for (number, panel) in self.panels(tile).enumerate() {
            let first = number * width;
            let present = first..columns.min(first + width);
            for (place, row) in panel.chunks_exact_mut(width).zip(rows.chunks(stride)) {
                copy(&mut place[..present.len()], &row[present.clone()]);
            }
        }
    }
}

/// Copies a few numbers, without the call that a copy of unknown length makes.
fn copy(to: &mut [f32], from: &[f32]) {
    let (to, to_rest) = to.as_chunks_mut::<16>();
    let (from, from_rest) = from.as_chunks::<16>();
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
    to_rest.copy_from_slice(from_rest);
}

#[cfg(test)]
mod tests {
    use super::super::tile::{PORTABLE, all};
    use super::*;

    #[test]
    fn every_tile_multiplies_as_the_reference_does() {
        let number = |i: usize| ((i * 7919) % 1_000) as f32 / 500.0 - 1.0;
        for (depth, columns) in [(1, 1), (5, 17), (64, 40), (33, 96)] {
            let weights: Vec<f32> = (0..depth * columns).map(number).collect();
            for tile in all() {
                let ready = Ready::new(tile.around);
                let panels = Panels::of_weights(tile, &weights, depth);
                let stride = depth + 3;
                for rows in 1..=tile.rows {
                    let a: Vec<f32> = (0..rows * stride).map(|i| number(i + 5)).collect();
                    let mut out = vec![9.0; rows * columns];
                    panels.multiply(tile, &ready, (&a, stride), rows, (&mut out, columns));
                    for (place, found) in out.iter().enumerate() {
                        let (row, column) = (place / columns, place % columns);
                        let x = &a[row * stride..][..depth];
                        let y = &weights[column * depth..][..depth];
                        let expected: f32 = x.iter().zip(y).map(|(x, y)| x * y).sum();
                        assert!((found - expected).abs() < 1e-4, "{found} for {expected}");
                    }
                }
            }
        }
        assert_eq!(all()[0].width, PORTABLE.width);
    }
}
