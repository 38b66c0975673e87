//! One layer: attention, then feed-forward.

use std::cell::RefCell;

use super::super::activation::Activation;
use super::attention::{self, Attention, Distances, Projected};
use super::codes::Codes;
use super::crew::Crew;
use super::half::{HalfTile, Pair};
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

/// What computes a layer.
#[derive(Clone, Copy)]
pub struct Means<'a, 'b> {
    pub machine: Machine,
    /// Other threads that help.
    pub crew: Option<&'b Crew<'a>>,
}

impl<'a> Means<'a, '_> {
    /// [`Linear::apply`], and an activation of what comes out.
    fn apply(
        self,
        linear: &'a Linear,
        activation: Option<Activation>,
        rows: &[f32],
        out: &mut [f32],
        codes: &mut Codes,
    ) {
        if let Some(crew) = self.crew {
            return crew.apply(linear, activation, rows, out);
        }
        linear.apply(self.machine, rows, out, codes);
        if let Some(activation) = activation {
            linear.activate(self.machine, activation, out);
        }
    }
}

/// Memory that the layers of a thread use one after the other.
#[derive(Default)]
struct Scratch {
    qkv: Vec<f32>,
    half_qkv: Vec<Pair>,
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
    pub fn run<'a>(
        &'a self,
        means: Means<'a, '_>,
        states: &mut [f32],
        lengths: &[usize],
        distances: Option<&Distances>,
    ) {
        SCRATCH.with_borrow_mut(|scratch| {
            let half = self.half(means.machine);
            scratch.fit(self, states.len() / self.width, half.is_some());
            self.project(means, states, scratch, half.is_some());
            let of_text = Attention {
                machine: means.machine,
                width: self.width,
                heads: self.heads,
                scale: self.scale,
                distances,
            };
            let mut first = 0;
            for &length in lengths {
                let projected = match half {
                    Some(tile) => Projected::Half(tile, &scratch.half_qkv),
                    None => Projected::Full(&scratch.qkv),
                };
                let (context, attention) = (&mut scratch.context, &mut scratch.attention);
                of_text.run(first..first + length, projected, context, attention);
                first += length;
            }
            self.finish_all(means, states, scratch);
        });
    }

    /// How attention multiplies, if not in f32. Where linear layers are rounded to bytes, the rounding to bfloat16 is
    /// lost in theirs.
    fn half(&self, machine: Machine) -> Option<HalfTile> {
        let even = (self.width / self.heads).is_multiple_of(2);
        let rounded = self.qkv.format() == Format::Bytes;
        machine.half.filter(|_| even && rounded)
    }

    /// Queries, keys and values of all rows, block by block.
    fn project<'a>(
        &'a self,
        means: Means<'a, '_>,
        states: &[f32],
        scratch: &mut Scratch,
        half: bool,
    ) {
        let (width, wide) = (self.width, 3 * self.width);
        let Scratch {
            qkv,
            half_qkv,
            codes,
            ..
        } = scratch;
        for (number, states) in states.chunks(BLOCK * width).enumerate() {
            let (first, rows) = (number * BLOCK, states.len() / width);
            let from = if half { 0 } else { first };
            let qkv = &mut qkv[from * wide..(from + rows) * wide];
            means.apply(&self.qkv, None, states, qkv, codes);
            if half {
                let halves = half_qkv[first * wide / 2..].as_flattened_mut();
                for (row, halves) in qkv.chunks_exact(wide).zip(halves.chunks_exact_mut(wide)) {
                    let parts = row.chunks_exact(width).zip(halves.chunks_exact_mut(width));
                    for ((part, halves), scale) in parts.zip([1.0, self.scale, 1.0]) {
                        (means.machine.elementwise.halve)(part, scale, halves);
                    }
                }
            }
        }
    }

    /// Everything after attention, block by block.
    fn finish_all<'a>(&'a self, means: Means<'a, '_>, states: &mut [f32], scratch: &mut Scratch) {
        let machine = means.machine;
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
            means.apply(&self.attention_out, None, context, out, codes);
            self.join(machine, &self.attention_norm, out, states);
            means.apply(&self.up, Some(self.activation), states, between, codes);
            means.apply(&self.down, None, between, out, codes);
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
    fn fit(&mut self, layer: &Layer, rows: usize, half: bool) {
        let block = BLOCK.min(rows);
        // What a longer batch left behind is never read.
        let (full_rows, half_rows) = if half { (block, rows) } else { (rows, 0) };
        self.qkv.resize(full_rows * 3 * layer.width, 0.0);
        self.half_qkv
            .resize(half_rows * 3 * layer.width / 2, [0; 2]);
        self.context.resize(rows * layer.width, 0.0);
        self.out.resize(block * layer.width, 0.0);
        self.between.resize(block * layer.up.columns(), 0.0);
    }
}
