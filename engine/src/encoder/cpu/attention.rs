//! Attention of one head within one text.

use std::ops::Range;

use super::Machine;
use super::half::{HalfPanels, HalfRows, HalfTile};
use super::matrix::Panels;

/// What is added to the scores of attention: a number for each head and for how far the key stands after the
/// query.
pub struct Distances {
    /// For each head, distances from 1 - `most` to `most` - 1.
    pub numbers: Vec<f32>,
    /// The longest text.
    pub most: usize,
}

impl Distances {
    /// What is added for a head and a query to the scores of a text's keys, `length` of them.
    fn of(&self, head: usize, query: usize, length: usize) -> &[f32] {
        let from = head * (2 * self.most - 1) + self.most - 1 - query;
        &self.numbers[from..from + length]
    }
}

/// Attention of some heads.
pub struct Attention<'a> {
    pub machine: Machine,
    /// Whether the products may be computed in bfloat16, where the machine can.
    pub half: bool,
    /// Numbers of a state.
    pub width: usize,
    pub heads: usize,
    /// What the products of queries and keys are multiplied by.
    pub scale: f32,
    pub distances: Option<&'a Distances>,
}

/// Memory that is used for one head after the other.
#[derive(Default)]
pub struct Scratch {
    keys: Panels,
    values: Panels,
    half_keys: HalfPanels,
    half_values: HalfPanels,
    half_rows: HalfRows,
    /// What the scores become.
    shares: HalfRows,
    /// Scores of a tile of queries.
    scores: Vec<f32>,
    /// What a tile of queries finds, before it is divided by the sum of its shares.
    found: Vec<f32>,
}

/// The most rows that a tile has.
const MOST_ROWS: usize = 12;

impl Attention<'_> {
    /// softmax(scale·Q·Kᵀ + distances)·V of the text that has these rows, all heads. `qkv` has rows of queries, keys
    /// and values, each `width` numbers; what is found goes to the same rows of `context`.
    pub fn run(&self, text: Range<usize>, qkv: &[f32], context: &mut [f32], scratch: &mut Scratch) {
        let (width, length) = (self.width, text.len());
        let qkv = &qkv[text.start * 3 * width..][..length * 3 * width];
        let context = &mut context[text.start * width..][..length * width];
        let tile = self.machine.half.filter(|_| self.half);
        for head in 0..self.heads {
            match tile {
                Some(tile) => self.half_head(tile, head, qkv, context, scratch),
                None => self.head(head, qkv, context, scratch),
            }
        }
    }

    /// One head in f32.
    fn head(&self, head: usize, qkv: &[f32], context: &mut [f32], scratch: &mut Scratch) {
        let (width, tile) = (self.width, self.machine.tile);
        let (size, length) = (width / self.heads, context.len() / width);
        let stride = 3 * width;
        let part = |which: usize| &qkv[which * width + head * size..];
        let Scratch {
            keys,
            values,
            scores,
            found,
            ..
        } = scratch;
        keys.fill_transposed(tile, (size, length), (part(1), stride), self.scale);
        values.fill(tile, (length, size), (part(2), stride));
        let padded = length.next_multiple_of(16);
        scores.resize(tile.rows * padded, 0.0);
        found.resize(tile.rows * size, 0.0);
        for first in (0..length).step_by(tile.rows) {
            let rows = tile.rows.min(length - first);
            let query = &part(0)[first * stride..];
            keys.multiply(tile, (query, stride), rows, (scores, padded));
            let mut wholes = [0.0; MOST_ROWS];
            let each = scores.chunks_exact_mut(padded).zip(&mut wholes);
            for (row, (scores, whole)) in each.take(rows).enumerate() {
                self.complete(scores, head, first + row, length);
                *whole = (self.machine.elementwise.powers)(scores);
            }
            values.multiply(tile, (scores, padded), rows, (found, size));
            self.write(
                &mut context[first * width..],
                head,
                (found, size),
                &wholes[..rows],
            );
        }
    }

    /// One head in bfloat16.
    fn half_head(
        &self,
        tile: HalfTile,
        head: usize,
        qkv: &[f32],
        context: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let width = self.width;
        let (size, length) = (width / self.heads, context.len() / width);
        let part = |which: usize| qkv[which * width + head * size..].chunks(3 * width);
        let Scratch {
            half_keys,
            half_values,
            half_rows,
            shares,
            scores,
            found,
            ..
        } = scratch;
        let functions = self.machine.elementwise;
        let take = |rows: &mut HalfRows, which: usize, scale: f32| {
            rows.resize(length, size);
            for (number, row) in part(which).enumerate() {
                let halves = rows.row(number);
                (functions.halve)(&row[..size], scale, &mut halves[..size]);
                halves[size..].fill(0);
            }
        };
        take(half_rows, 1, self.scale);
        half_keys.fill_transposed(tile, half_rows, (size, length));
        take(half_rows, 2, 1.0);
        half_values.fill(tile, half_rows, (length, size));
        take(half_rows, 0, 1.0);
        let padded = length.next_multiple_of(tile.width);
        let room = size.next_multiple_of(tile.width);
        scores.resize(tile.rows * padded, 0.0);
        shares.resize(tile.rows, padded);
        found.resize(tile.rows * room, 0.0);
        for first in (0..length).step_by(tile.rows) {
            let rows = tile.rows.min(length - first);
            let query = &half_rows.pairs[first * half_rows.stride..];
            half_keys.multiply(tile, (query, half_rows.stride), rows, (scores, padded));
            let mut wholes = [0.0; MOST_ROWS];
            let each = scores.chunks_exact_mut(padded).zip(&mut wholes);
            for (row, (scores, whole)) in each.take(rows).enumerate() {
                self.complete(scores, head, first + row, length);
                *whole = (functions.half_powers)(scores, shares.row(row));
            }
            let shares = (shares.pairs.as_slice(), shares.stride);
            half_values.multiply(tile, shares, rows, (found, room));
            self.write(
                &mut context[first * width..],
                head,
                (found, room),
                &wholes[..rows],
            );
        }
    }

    /// What the products of a query with the keys lack, and what stands after the last key.
    fn complete(&self, scores: &mut [f32], head: usize, query: usize, length: usize) {
        if let Some(distances) = self.distances {
            for (score, distance) in scores.iter_mut().zip(distances.of(head, query, length)) {
                *score += distance;
            }
        }
        scores[length..].fill(f32::NEG_INFINITY);
    }

    /// Puts what some queries found, rows `stride` apart, in its place, times one divided by the sum of their shares.
    fn write(
        &self,
        context: &mut [f32],
        head: usize,
        (found, stride): (&[f32], usize),
        wholes: &[f32],
    ) {
        let size = self.width / self.heads;
        let rows = context
            .chunks_mut(self.width)
            .zip(found.chunks_exact(stride));
        for ((context, found), whole) in rows.zip(wholes) {
            let context = &mut context[head * size..][..size];
            for (x, found) in context.iter_mut().zip(found) {
                *x = found * whole;
            }
        }
    }
}
