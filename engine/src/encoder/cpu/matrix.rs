//! Matrices as the tiles want them, and their products.

use super::tile::Tile;

/// A matrix cut into panels of columns, the last one filled up with zeros.
#[derive(Default)]
pub struct Panels {
    numbers: Vec<f32>,
    depth: usize,
    columns: usize,
}

impl Panels {
    /// A linear layer's weights, `columns` rows of `depth` numbers as checkpoints have them, cut for `tile`.
    pub fn of_weights(tile: Tile, weights: &[f32], depth: usize) -> Panels {
        let mut panels = Panels::default();
        let columns = weights.len() / depth;
        panels.fill(tile, depth, columns, |step, column| {
            weights[column * depth + step]
        });
        panels
    }

    /// Takes over a matrix of `depth` rows and `columns` columns, in the memory of the one before.
    pub fn fill(
        &mut self,
        tile: Tile,
        depth: usize,
        columns: usize,
        at: impl Fn(usize, usize) -> f32,
    ) {
        let width = tile.width;
        self.numbers.clear();
        self.numbers
            .resize(columns.div_ceil(width) * depth * width, 0.0);
        self.depth = depth;
        self.columns = columns;
        for (number, panel) in self.numbers.chunks_exact_mut(depth * width).enumerate() {
            let first = number * width;
            let present = width.min(columns - first);
            for (step, row) in panel.chunks_exact_mut(width).enumerate() {
                for (column, place) in row[..present].iter_mut().enumerate() {
                    *place = at(step, first + column);
                }
            }
        }
    }

    /// Products of `rows` rows of `a`, which stand `stride` apart, at most [`Tile::rows`], with the matrix,
    /// into rows of `out`, `out_stride` apart.
    pub fn multiply(
        &self,
        tile: Tile,
        (a, stride): (&[f32], usize),
        rows: usize,
        (out, out_stride): (&mut [f32], usize),
    ) {
        let width = tile.width;
        let mut product = [0f32; 12 * 32];
        let product = &mut product[..rows * width];
        for (number, panel) in self.numbers.chunks_exact(self.depth * width).enumerate() {
            (tile.multiply)(a, stride, rows, panel, product);
            let first = number * width;
            let present = width.min(self.columns - first);
            for (row, product) in product.chunks_exact(width).enumerate() {
                let at = row * out_stride + first;
                out[at..at + present].copy_from_slice(&product[..present]);
            }
        }
    }
}

impl Panels {
    /// Products of all `rows`, as deep as the matrix, plus `bias`, into rows of `out`. Each panel meets all rows
    /// while it is in the cache.
    pub fn multiply_all(&self, tile: Tile, rows: &[f32], bias: &[f32], out: &mut [f32]) {
        let width = tile.width;
        let mut products = [0f32; 12 * 32];
        for (number, panel) in self.numbers.chunks_exact(self.depth * width).enumerate() {
            let first = number * width;
            let present = width.min(self.columns - first);
            let bias = &bias[first..first + present];
            let blocks = rows.chunks(tile.rows * self.depth);
            for (rows, out) in blocks.zip(out.chunks_mut(tile.rows * self.columns)) {
                let count = rows.len() / self.depth;
                let products = &mut products[..count * width];
                (tile.multiply)(rows, self.depth, count, panel, products);
                let out = out.chunks_exact_mut(self.columns);
                for (out, product) in out.zip(products.chunks_exact(width)) {
                    let sums = product.iter().zip(bias);
                    for (place, (product, bias)) in out[first..].iter_mut().zip(sums) {
                        *place = product + bias;
                    }
                }
            }
        }
    }
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
                let panels = Panels::of_weights(tile, &weights, depth);
                let stride = depth + 3;
                for rows in 1..=tile.rows {
                    let a: Vec<f32> = (0..rows * stride).map(|i| number(i + 5)).collect();
                    let mut out = vec![9.0; rows * columns];
                    panels.multiply(tile, (&a, stride), rows, (&mut out, columns));
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
