//! One layer: attention, then feed-forward.

use std::cell::RefCell;

use super::super::activation::Activation;
use super::attention::{self, Attention, Distances};
use super::codes::Codes;
use super::weights::{BLOCK, Linear};
use super::{AddAndNormalise, Format, Machine};

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
    /// A few rows between the linear layers.
    between: Vec<f32>,
    out: Vec<f32>,
    attention: attention::Scratch,
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
            scratch.fit(self, states.len() / self.width);
            let blocks = states.chunks(BLOCK * self.width);
            for (states, out) in blocks.zip(scratch.qkv.chunks_mut(BLOCK * 3 * self.width)) {
                self.qkv.apply(machine, states, out, &mut scratch.codes);
            }
            let of_text = Attention {
                machine,
                // Where linear layers are rounded to bytes, this rounding is lost in theirs.
                half: self.qkv.format() == Format::Bytes,
                width: self.width,
                heads: self.heads,
                scale: self.scale,
                distances,
            };
            let mut first = 0;
            for &length in lengths {
                let Scratch {
                    qkv,
                    context,
                    attention,
                    ..
                } = &mut *scratch;
                of_text.run(first..first + length, qkv, context, attention);
                first += length;
            }
            self.finish_all(machine, states, scratch);
        });
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
    /// Makes room for `rows` rows.
    fn fit(&mut self, layer: &Layer, rows: usize) {
        let block = BLOCK.min(rows);
        // What a longer batch left behind is never read.
        self.qkv.resize(rows * 3 * layer.width, 0.0);
        self.context.resize(rows * layer.width, 0.0);
        self.out.resize(block * layer.width, 0.0);
        self.between.resize(block * layer.up.columns(), 0.0);
    }
}
