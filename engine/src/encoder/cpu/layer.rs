//! One layer: attention, then feed-forward.

use std::cell::RefCell;
use std::ops::Range;

use super::super::activation::Activation;
use super::codes::Codes;
use super::matrix::Panels;
use super::weights::{BLOCK, Linear};
use super::{AddAndNormalise, Machine};

/// A layer norm.
pub struct LayerNorm {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
    pub epsilon: f32,
}

impl LayerNorm {
    pub fn after<'a>(&'a self, residual: &'a [f32]) -> AddAndNormalise<'a> {
        AddAndNormalise {
            residual,
            weight: &self.weight,
            shift: &self.bias,
            epsilon: self.epsilon,
        }
    }
}

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

/// A layer.
pub struct Layer {
    pub width: usize,
    pub heads: usize,
    /// What the products of queries and keys are multiplied by.
    pub scale: f32,
    pub activation: Activation,
    /// Queries, keys and values in one.
    pub qkv: Linear,
    pub attention_out: Linear,
    pub attention_norm: LayerNorm,
    pub up: Linear,
    pub down: Linear,
    pub norm: LayerNorm,
}

/// Memory that the layers of a thread use one after the other.
#[derive(Default)]
struct Scratch {
    qkv: Vec<f32>,
    context: Vec<f32>,
    /// A few rows between the linear layers, or the scores of a few queries.
    between: Vec<f32>,
    out: Vec<f32>,
    keys: Panels,
    values: Panels,
    codes: Codes,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Layer {
    /// Runs the layer on the states of texts of these `lengths`, end to end, `[rows, width]`.
    pub fn run(
        &self,
        machine: Machine,
        states: &mut [f32],
        lengths: &[usize],
        distances: Option<&Distances>,
    ) {
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.fit(machine, self, states.len() / self.width, lengths);
            let blocks = states.chunks(BLOCK * self.width);
            for (states, out) in blocks.zip(scratch.qkv.chunks_mut(BLOCK * 3 * self.width)) {
                self.qkv.apply(machine, states, out, &mut scratch.codes);
            }
            let mut first = 0;
            for &length in lengths {
                for head in 0..self.heads {
                    self.attend(machine, first..first + length, head, distances, scratch);
                }
                first += length;
            }
            self.finish_all(machine, states, scratch);
        });
    }

    /// softmax(scale·Q·Kᵀ + distances)·V of one head of the text that has these rows.
    fn attend(
        &self,
        machine: Machine,
        text: Range<usize>,
        head: usize,
        distances: Option<&Distances>,
        scratch: &mut Scratch,
    ) {
        let (width, tile, length) = (self.width, machine.tile, text.len());
        let size = width / self.heads;
        let stride = 3 * width;
        let Scratch {
            qkv,
            context,
            between,
            keys,
            values,
            ..
        } = scratch;
        let qkv = &qkv[text.start * stride..][..length * stride];
        let part = |which: usize| &qkv[which * width + head * size..];
        let (query, key, value) = (part(0), part(1), part(2));
        keys.fill_transposed(tile, (size, length), (key, stride), self.scale);
        values.fill(tile, (length, size), (value, stride));
        let context = &mut context[text.start * width..][..length * width];
        let padded = padded(length);
        for first in (0..length).step_by(tile.rows) {
            let rows = tile.rows.min(length - first);
            let query = &query[first * stride..];
            keys.multiply(tile, (query, stride), rows, (between, padded));
            let mut shares = [0.0; MOST_ROWS];
            let scores = between.chunks_exact_mut(padded).zip(&mut shares);
            for (row, (scores, share)) in scores.take(rows).enumerate() {
                if let Some(distances) = distances {
                    add(scores, distances.of(head, first + row, length));
                }
                scores[length..].fill(f32::NEG_INFINITY);
                *share = (machine.elementwise.powers)(scores);
            }
            let out = &mut context[first * width + head * size..];
            values.multiply(tile, (between, padded), rows, (out, width));
            for (out, share) in out.chunks_mut(width).zip(&shares[..rows]) {
                for x in &mut out[..size] {
                    *x *= share;
                }
            }
        }
    }

    /// Everything after attention, block by block.
    fn finish_all(&self, machine: Machine, states: &mut [f32], scratch: &mut Scratch) {
        let Scratch {
            context,
            between,
            out,
            codes,
            ..
        } = scratch;
        let blocks = states.chunks_mut(BLOCK * self.width);
        for (states, context) in blocks.zip(context.chunks(BLOCK * self.width)) {
            let rows = states.len() / self.width;
            let between = &mut between[..rows * self.up.columns()];
            let out = &mut out[..rows * self.width];
            self.attention_out.apply(machine, context, out, codes);
            self.join(machine, &self.attention_norm, out, states);
            self.up.apply(machine, states, between, codes);
            (machine.elementwise.activate)(self.activation, between);
            self.down.apply(machine, between, out, codes);
            self.join(machine, &self.norm, out, states);
        }
    }

    /// states = norm(out + states), row by row.
    fn join(&self, machine: Machine, norm: &LayerNorm, out: &[f32], states: &mut [f32]) {
        let rows = out.chunks_exact(self.width);
        for (row, state) in rows.zip(states.chunks_exact_mut(self.width)) {
            (machine.elementwise.add_and_normalise)(state, norm.after(row));
        }
    }
}

impl Scratch {
    /// Makes room for `rows` rows of texts of these lengths.
    fn fit(&mut self, machine: Machine, layer: &Layer, rows: usize, lengths: &[usize]) {
        let block = BLOCK.min(rows);
        let longest = lengths.iter().copied().max().unwrap_or_default();
        let scores = machine.tile.rows * padded(longest);
        // What a longer batch left behind is never read.
        self.qkv.resize(rows * 3 * layer.width, 0.0);
        self.context.resize(rows * layer.width, 0.0);
        self.out.resize(block * layer.width, 0.0);
        self.between
            .resize(scores.max(block * layer.up.columns()), 0.0);
    }
}

/// The most rows that a tile has.
const MOST_ROWS: usize = 12;

/// Scores of a query, with room for whole vector registers.
fn padded(length: usize) -> usize {
    length.next_multiple_of(16)
}

fn add(row: &mut [f32], bias: &[f32]) {
    for (x, bias) in row.iter_mut().zip(bias) {
        *x += bias;
    }
}
