//! A linear layer: weights in f32 or as bytes, cut into panels once.

use std::ops::Range;

use super::super::activation::Activation;
use super::codes::{Codes, group};
use super::dot::{self, DotTile};
use super::matrix::{Panels, TILE};
use super::numbers::{Mapped, Numbers};
use super::ready::Ready;
use super::tile::{self, Tile};
use super::{Format, Machine};

/// A linear layer.
pub struct Linear {
    weights: Matrix,
    bias: Vec<f32>,
}

/// The weights of a linear layer.
pub struct Matrix(Weights);

enum Weights {
    Full(FullPanels),
    Bytes(BytePanels),
}

/// The most columns of a panel.
const WIDEST: usize = 32;

/// Rows that are multiplied one after the other with a panel while it is in the cache.
pub const BLOCK: usize = 48;

impl Matrix {
    /// Of weights as checkpoints have them: a row of `depth` numbers for each number that comes out.
    pub fn new(machine: Machine, format: Format, weights: &[f32], depth: usize) -> Matrix {
        Matrix(match format {
            Format::Full => Weights::Full(FullPanels::new(machine.tile, weights, depth)),
            Format::Bytes => Weights::Bytes(BytePanels::new(machine.dot, weights, depth)),
        })
    }

    /// What it consists of, to be kept in a file.
    pub fn parts(&self) -> Vec<&[u8]> {
        match &self.0 {
            Weights::Full(panels) => vec![bytemuck::cast_slice(&panels.numbers)],
            Weights::Bytes(panels) => vec![
                bytemuck::cast_slice(&panels.numbers),
                bytemuck::cast_slice(&panels.scales),
                bytemuck::cast_slice(&panels.sums),
            ],
        }
    }

    /// A matrix for rows of `depth` numbers, `columns` of which come out, of the parts that were kept of it;
    /// `None` where they are those of another.
    pub fn of_parts(
        machine: Machine,
        format: Format,
        (depth, columns): (usize, usize),
        parts: &[Mapped],
    ) -> Option<Matrix> {
        let weights = match (format, parts) {
            (Format::Full, [numbers]) => {
                let size = columns.next_multiple_of(machine.tile.width) * depth;
                let numbers = Numbers::mapped(numbers, size)?;
                Weights::Full(FullPanels { numbers, depth })
            }
            (Format::Bytes, [numbers, scales, sums]) => {
                let columns = columns.next_multiple_of(machine.dot.width);
                let of_groups = columns * depth.div_ceil(group(depth));
                Weights::Bytes(BytePanels {
                    numbers: Numbers::mapped(numbers, columns * depth.next_multiple_of(4))?,
                    scales: Numbers::mapped(scales, of_groups)?,
                    sums: Numbers::mapped(sums, of_groups)?,
                    depth,
                })
            }
            _ => return None,
        };
        Some(Matrix(weights))
    }

    fn depth(&self) -> usize {
        match &self.0 {
            Weights::Full(panels) => panels.depth,
            Weights::Bytes(panels) => panels.depth,
        }
    }
}

impl Linear {
    /// A layer with these weights, and a bias of as many numbers as come out.
    pub fn new(weights: Matrix, bias: Vec<f32>) -> Linear {
        Linear { weights, bias }
    }

    /// How many numbers come out for each row.
    pub fn columns(&self) -> usize {
        self.bias.len()
    }

    /// How many numbers a row that is multiplied has.
    pub fn depth(&self) -> usize {
        self.weights.depth()
    }

    /// Columns of a panel.
    pub fn panel_width(&self, machine: Machine) -> usize {
        match &self.weights.0 {
            Weights::Full(_) => machine.tile.width,
            Weights::Bytes(_) => machine.dot.width,
        }
    }

    /// How its weights are kept.
    pub fn format(&self) -> Format {
        match self.weights.0 {
            Weights::Full(_) => Format::Full,
            Weights::Bytes(_) => Format::Bytes,
        }
    }

    /// Applies an activation to what came out, as precisely as what comes out is computed.
    pub fn activate(&self, machine: Machine, activation: Activation, out: &mut [f32]) {
        match self.format() {
            Format::Full => (machine.elementwise.activate)(activation, out),
            Format::Bytes => (machine.elementwise.rough_activate)(activation, out),
        }
    }

    /// `[rows, depth]` in, `[rows, columns]` out, the bias added.
    pub fn apply(&self, machine: Machine, rows: &[f32], out: &mut [f32], codes: &mut Codes) {
        debug_assert_eq!(out.len() / self.columns(), rows.len() / self.depth());
        self.encode(machine, rows, codes);
        self.apply_part(machine, 0..self.columns(), rows, codes, out);
    }

    /// Writes `rows` as codes, where weights are kept as bytes.
    pub fn encode(&self, machine: Machine, rows: &[f32], codes: &mut Codes) {
        if self.format() == Format::Bytes {
            codes.fill(machine.elementwise.encode, rows, self.depth());
        }
    }

    /// The same of some columns, from the beginning of a panel on. Where weights are kept as bytes, only the codes of the
    /// rows are looked at.
    pub fn apply_part(
        &self,
        machine: Machine,
        columns: Range<usize>,
        rows: &[f32],
        codes: &Codes,
        out: &mut [f32],
    ) {
        let bias = &self.bias[columns.clone()];
        let width = self.panel_width(machine);
        let panels = columns.start / width..columns.end.div_ceil(width);
        match &self.weights.0 {
            Weights::Full(weights) => weights.multiply(machine.tile, panels, rows, bias, out),
            Weights::Bytes(weights) => weights.multiply(machine.dot, panels, codes, bias, out),
        }
    }
}

/// Into steps of how many rows to cut `rows`, at most `most` each: 13 into 7 and 6, because a single row takes as long
/// as four.
fn even_step(rows: usize, most: usize) -> usize {
    rows.div_ceil(rows.div_ceil(most).max(1)).max(1)
}

/// Weights in f32 in panels.
struct FullPanels {
    /// Panel after panel, the last one filled up with zeros.
    numbers: Numbers<f32>,
    depth: usize,
}

impl FullPanels {
    /// Of rows of `depth` weights, one for each column.
    fn new(tile: Tile, weights: &[f32], depth: usize) -> FullPanels {
        let numbers = Panels::of_weights(tile, weights, depth)
            .into_numbers()
            .into();
        FullPanels { numbers, depth }
    }

    /// Products of all `rows`, as deep as the matrix, with some panels, plus `bias`, into rows of `out`. Each panel
    /// meets all rows while it is in the cache.
    fn multiply(
        &self,
        tile: Tile,
        panels: Range<usize>,
        rows: &[f32],
        bias: &[f32],
        out: &mut [f32],
    ) {
        let (width, columns) = (tile.width, bias.len());
        let size = self.depth * width;
        let panels = &self.numbers[panels.start * size..panels.end * size];
        let step = even_step(out.len() / columns, tile.rows);
        let ready = Ready::new(tile.around);
        let mut products = [0f32; TILE];
        for (number, panel) in panels.chunks_exact(size).enumerate() {
            let first = number * width;
            let present = width.min(columns - first);
            let bias = &bias[first..first + present];
            let blocks = rows.chunks(step * self.depth);
            for (rows, out) in blocks.zip(out.chunks_mut(step * columns)) {
                let part = tile::Part {
                    a: rows,
                    stride: self.depth,
                    rows: rows.len() / self.depth,
                    panel,
                };
                let products = &mut products[..part.rows * width];
                (tile.multiply)(&ready, &part, products, width);
                let out = out.chunks_exact_mut(columns);
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

/// Weights as bytes in panels.
struct BytePanels {
    /// Panel after panel, group after group, four steps of a column beside each other.
    numbers: Numbers<i8>,
    /// For each panel and group, what a weight of each column stands for.
    scales: Numbers<f32>,
    /// For each panel and group, the sum of the weights of each column, scaled.
    sums: Numbers<f32>,
    depth: usize,
}

impl BytePanels {
    /// Of rows of `depth` weights, one for each column.
    fn new(tile: DotTile, weights: &[f32], depth: usize) -> BytePanels {
        let (width, group) = (tile.width, group(depth));
        let padded = depth.next_multiple_of(4);
        let groups = depth.div_ceil(group);
        let panels = (weights.len() / depth).div_ceil(width);
        let mut numbers = vec![0_i8; panels * padded * width];
        let mut scales = vec![0.0; panels * groups * width];
        let mut sums = vec![0.0; panels * groups * width];
        for (column, weights) in weights.chunks_exact(depth).enumerate() {
            let (panel, within) = (column / width, column % width);
            for (number, part) in weights.chunks(group).enumerate() {
                let largest = part.iter().fold(0.0, |most: f32, x| most.max(x.abs()));
                // A weight that is no number must not become one.
                let known = part.iter().all(|x| x.is_finite());
                let scale = if known { largest / 127.0 } else { f32::NAN };
                let scale = if scale == 0.0 { 1.0 } else { scale };
                let mut sum = 0;
                let from = (panel * padded + number * group) * width;
                for (step, weight) in part.iter().enumerate() {
                    let code = (weight / scale).round_ties_even() as i8;
                    numbers[from + step / 4 * 4 * width + 4 * within + step % 4] = code;
                    sum += i32::from(code);
                }
                let at = (panel * groups + number) * width + within;
                scales[at] = scale;
                sums[at] = scale * sum as f32;
            }
        }
        BytePanels {
            numbers: numbers.into(),
            scales: scales.into(),
            sums: sums.into(),
            depth,
        }
    }

    /// Products of all rows of `codes` with some panels, plus `bias`, into rows of `out`. Each panel meets all rows
    /// while it is in the cache.
    fn multiply(
        &self,
        tile: DotTile,
        panels: Range<usize>,
        codes: &Codes,
        bias: &[f32],
        out: &mut [f32],
    ) {
        let (width, columns) = (tile.width, bias.len());
        let size = self.depth.next_multiple_of(4) * width;
        let of_groups = codes.groups * width;
        let step = even_step(out.len() / columns, tile.rows).next_multiple_of(tile.together);
        let ready = Ready::new(tile.around);
        for (number, at) in panels.enumerate() {
            let panel = Panel {
                numbers: &self.numbers[at * size..][..size],
                scales: &self.scales[at * of_groups..][..of_groups],
                sums: &self.sums[at * of_groups..][..of_groups],
                group: group(self.depth),
            };
            let first = number * width;
            let present = width.min(columns - first);
            let mut start = [0f32; WIDEST];
            start[..present].copy_from_slice(&bias[first..first + present]);
            for (block, out) in out.chunks_mut(step * columns).enumerate() {
                let from = block * step;
                let rows = from..from + out.len() / columns;
                if present == width {
                    panel.write(
                        tile,
                        &ready,
                        codes,
                        rows,
                        &start,
                        (&mut out[first..], columns),
                    );
                    continue;
                }
                // The last panel has columns that are none.
                let mut products = [0f32; TILE];
                panel.write(tile, &ready, codes, rows, &start, (&mut products, width));
                let rows = out.chunks_exact_mut(columns);
                for (out, product) in rows.zip(products.chunks_exact(width)) {
                    out[first..].copy_from_slice(&product[..present]);
                }
            }
        }
    }
}

/// One panel of a matrix.
struct Panel<'a> {
    numbers: &'a [i8],
    scales: &'a [f32],
    sums: &'a [f32],
    /// Steps that share a scale.
    group: usize,
}

impl Panel<'_> {
    /// Writes its products with `rows` of `codes`, plus `start`, to `out`, whose rows are `stride` apart.
    fn write(
        &self,
        tile: DotTile,
        ready: &Ready,
        codes: &Codes,
        rows: Range<usize>,
        start: &[f32],
        (out, stride): (&mut [f32], usize),
    ) {
        let width = tile.width;
        let groups = self.numbers.chunks(self.group * width);
        for (group, numbers) in groups.enumerate() {
            let part = dot::Part {
                codes: &codes.numbers[rows.start * codes.stride + group * self.group..],
                stride: codes.stride,
                ranges: &codes.ranges[rows.start * codes.groups + group..],
                range_stride: codes.groups,
                rows: rows.len(),
                panel: numbers,
                scales: &self.scales[group * width..],
                sums: &self.sums[group * width..],
                start: (group == 0).then_some(start),
            };
            (tile.dot)(ready, &part, out, stride);
        }
    }
}
