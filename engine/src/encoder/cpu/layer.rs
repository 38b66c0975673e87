//! One layer: attention, then feed-forward.

use std::cell::RefCell;

use super::super::activation::Activation;
use super::matrix::Panels;
use super::{AddAndNormalise, Machine};

/// A linear layer.
pub struct Linear {
    weights: Panels,
    bias: Vec<f32>,
}

impl Linear {
    /// Of weights as checkpoints have them: a row of `depth` numbers for each number of the bias.
    pub fn new(machine: Machine, weights: &[f32], bias: Vec<f32>) -> Linear {
        let depth = weights.len() / bias.len().max(1);
        Linear {
            weights: Panels::of_weights(machine.tile, weights, depth),
            bias,
        }
    }
}

/// A layer norm.
pub struct LayerNorm {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
    pub epsilon: f32,
}

impl LayerNorm {
    pub fn after<'a>(&'a self, bias: &'a [f32], residual: &'a [f32]) -> AddAndNormalise<'a> {
        AddAndNormalise {
            bias,
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
        let (width, tile) = (self.width, self.machine.tile);
        let rows = states.len() / width;
        let block = tile.rows;
        let inner = self.up.weights.columns();
        scratch.qkv.resize(rows * 3 * width, 0.0);
        scratch.context.resize(rows * width, 0.0);
        scratch.out.resize(block * width, 0.0);
        scratch.between.resize(block * inner.max(length), 0.0);
        let blocks = states.chunks(block * width);
        for (states, out) in blocks.zip(scratch.qkv.chunks_mut(block * 3 * width)) {
            let rows = states.len() / width;
            let weights = &self.qkv.weights;
            weights.multiply(tile, (states, width), rows, (out, 3 * width));
            for row in out.chunks_exact_mut(3 * width) {
                add(row, &self.qkv.bias);
            }
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
            ..
        } = scratch;
        let blocks = states.chunks_mut(block * width);
        for (states, context) in blocks.zip(context.chunks(block * width)) {
            self.finish(states, context, between, out);
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
        keys.fill(tile, size, length, |step, column| {
            key[column * stride + step] * self.scale
        });
        values.fill(tile, length, size, |step, column| {
            value[step * stride + column]
        });
        let context = &mut context[text * length * width..][..length * width];
        for first in (0..length).step_by(tile.rows) {
            let rows = tile.rows.min(length - first);
            let query = &query[first * stride..];
            keys.multiply(tile, (query, stride), rows, (between, length));
            for (row, scores) in between.chunks_exact_mut(length).take(rows).enumerate() {
                if let Some(bias) = bias {
                    add(
                        scores,
                        &bias[(head * length + first + row) * length..][..length],
                    );
                }
                (self.machine.elementwise.softmax)(scores);
            }
            let out = &mut context[first * width + head * size..];
            values.multiply(tile, (between, length), rows, (out, width));
        }
    }

    /// Everything after attention, for a few rows.
    fn finish(&self, states: &mut [f32], context: &[f32], between: &mut [f32], out: &mut [f32]) {
        let (width, machine) = (self.width, self.machine);
        let rows = states.len() / width;
        let inner = self.up.weights.columns();
        let join = |linear: &Linear, norm: &LayerNorm, out: &mut [f32], states: &mut [f32]| {
            let rows = out
                .chunks_exact_mut(width)
                .zip(states.chunks_exact_mut(width));
            for (row, state) in rows {
                (machine.elementwise.add_and_normalise)(row, norm.after(&linear.bias, state));
                state.copy_from_slice(row);
            }
        };
        let weights = &self.attention_out.weights;
        weights.multiply(machine.tile, (context, width), rows, (out, width));
        join(&self.attention_out, &self.attention_norm, out, states);

        let weights = &self.up.weights;
        weights.multiply(machine.tile, (states, width), rows, (between, inner));
        for row in between.chunks_exact_mut(inner).take(rows) {
            add(row, &self.up.bias);
            (machine.elementwise.activate)(self.activation, row);
        }
        let weights = &self.down.weights;
        weights.multiply(machine.tile, (between, inner), rows, (out, width));
        join(&self.down, &self.norm, out, states);
    }
}

fn add(row: &mut [f32], bias: &[f32]) {
    for (x, bias) in row.iter_mut().zip(bias) {
        *x += bias;
    }
}
