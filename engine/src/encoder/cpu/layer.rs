//! One layer: attention, then feed-forward.

use std::cell::RefCell;

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
    fn after<'a>(&'a self, residual: &'a [f32]) -> AddAndNormalise<'a> {
        AddAndNormalise {
            residual,
            weight: &self.weight,
            shift: &self.bias,
            epsilon: self.epsilon,
        }
    }
}

/// What is added to the scores of attention: a number for each head, query and key, the same for all texts.
pub type Bias<'a> = Option<&'a [f32]>;

/// A layer.
pub struct Layer {
    pub machine: Machine,
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
    /// Runs the layer on the states of texts of one length, `[texts, length, width]`.
    pub fn run(&self, states: &mut [f32], length: usize, bias: Bias<'_>) {
        SCRATCH.with_borrow_mut(|scratch| self.run_with(states, length, bias, scratch));
    }

    fn run_with(&self, states: &mut [f32], length: usize, bias: Bias<'_>, scratch: &mut Scratch) {
        let width = self.width;
        let rows = states.len() / width;
        let block = BLOCK.min(rows);
        scratch.qkv.resize(rows * 3 * width, 0.0);
        scratch.context.resize(rows * width, 0.0);
        scratch.out.resize(block * width, 0.0);
        let scores = self.machine.tile.rows * padded(length);
        let between = scores.max(block * self.up.columns());
        scratch.between.resize(between, 0.0);
        let blocks = states.chunks(BLOCK * width);
        for (states, out) in blocks.zip(scratch.qkv.chunks_mut(BLOCK * 3 * width)) {
            let codes = &mut scratch.codes;
            self.qkv.apply(self.machine, states, out, codes);
        }
        for text in 0..rows / length {
            for head in 0..self.heads {
                self.attend(text, head, length, bias, scratch);
            }
        }
        let Scratch {
            context,
            between,
            out,
            codes,
            ..
        } = scratch;
        let blocks = states.chunks_mut(BLOCK * width);
        for (states, context) in blocks.zip(context.chunks(BLOCK * width)) {
            let rows = states.len() / width;
            let between = &mut between[..rows * self.up.columns()];
            self.finish(states, context, between, &mut out[..rows * width], codes);
        }
    }

    /// softmax(scale·Q·Kᵀ + bias)·V of one head of one text.
    fn attend(
        &self,
        text: usize,
        head: usize,
        length: usize,
        bias: Bias<'_>,
        scratch: &mut Scratch,
    ) {
        let (width, tile) = (self.width, self.machine.tile);
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
        let qkv = &qkv[text * length * stride..][..length * stride];
        let part = |which: usize| &qkv[which * width + head * size..];
        let (query, key, value) = (part(0), part(1), part(2));
        keys.fill_transposed(tile, (size, length), (key, stride), self.scale);
        values.fill(tile, (length, size), (value, stride));
        let context = &mut context[text * length * width..][..length * width];
        let padded = padded(length);
        for first in (0..length).step_by(tile.rows) {
            let rows = tile.rows.min(length - first);
            let query = &query[first * stride..];
            keys.multiply(tile, (query, stride), rows, (between, padded));
            let mut shares = [0.0; MOST_ROWS];
            let scores = between.chunks_exact_mut(padded).zip(&mut shares);
            for (row, (scores, share)) in scores.take(rows).enumerate() {
                if let Some(bias) = bias {
                    let of_head = &bias[(head * length + first + row) * length..];
                    add(scores, &of_head[..length]);
                }
                scores[length..].fill(f32::NEG_INFINITY);
                *share = (self.machine.elementwise.powers)(scores);
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

    /// Everything after attention, for a block of rows.
    fn finish(
        &self,
        states: &mut [f32],
        context: &[f32],
        between: &mut [f32],
        out: &mut [f32],
        codes: &mut Codes,
    ) {
        let machine = self.machine;
        let width = self.width;
        let join = |norm: &LayerNorm, out: &mut [f32], states: &mut [f32]| {
            let rows = out.chunks_exact_mut(width);
            for (row, state) in rows.zip(states.chunks_exact_mut(width)) {
                (machine.elementwise.add_and_normalise)(row, norm.after(state));
                state.copy_from_slice(row);
            }
        };
        self.attention_out.apply(machine, context, out, codes);
        join(&self.attention_norm, out, states);
        self.up.apply(machine, states, between, codes);
        (machine.elementwise.activate)(self.activation, between);
        self.down.apply(machine, between, out, codes);
        join(&self.norm, out, states);
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
