//! Attention of one head within one text.

use std::ops::Range;

use super::Machine;
use super::half::{HalfTile, Pair};
use super::matrix::Panels;
use super::ready::Ready;
use super::tile::Tile;

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
    /// Numbers of a state.
    pub width: usize,
    pub heads: usize,
    /// What the products of queries and keys are multiplied by.
    pub scale: f32,
    pub distances: Option<&'a Distances>,
}

/// Rows of queries, keys and values, one row a token.
#[derive(Clone, Copy)]
pub enum Projected<'a> {
    /// In f32, the keys yet to be scaled.
    Full(&'a [f32]),
    /// In bfloat16, two numbers beside each other, the keys scaled.
    Half(HalfTile, &'a [Pair]),
}

/// Memory that is used for one head after the other.
#[derive(Default)]
pub struct Scratch {
    full: Operands<f32>,
    half: Operands<Pair>,
    rooms: Rooms,
}

/// What is multiplied for a head, in one precision.
#[derive(Default)]
struct Operands<T> {
    keys: Panels<T>,
    values: Panels<T>,
    /// What the scores become, for a tile of queries.
    shares: Vec<T>,
}

/// Products for a tile of queries.
#[derive(Default)]
struct Rooms {
    scores: Vec<f32>,
    /// What the queries find, before it is divided by the sum of their shares.
    found: Vec<f32>,
}

/// One head, ready to be answered.
struct Head<'a, T> {
    number: usize,
    tile: Tile<T>,
    ready: &'a Ready,
    /// Rows of queries, so far apart.
    queries: (&'a [T], usize),
    operands: &'a mut Operands<T>,
    /// How many scores make one number of the shares.
    pack: usize,
}

/// The most rows that a tile has.
const MOST_ROWS: usize = 16;

impl Attention<'_> {
    /// softmax(scale·Q·Kᵀ + distances)·V of the text that has these rows, all heads; what is found goes to the same
    /// rows of `context`, each of `width` numbers.
    pub fn run(
        &self,
        text: Range<usize>,
        projected: Projected<'_>,
        context: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let width = self.width;
        let context = &mut context[text.start * width..text.end * width];
        let rows = |row: usize| text.start * row..text.end * row;
        let ready = Ready::new(match projected {
            Projected::Full(_) => self.machine.tile.around,
            Projected::Half(tile, _) => tile.around,
        });
        for head in 0..self.heads {
            match projected {
                Projected::Full(qkv) => {
                    let qkv = &qkv[rows(3 * width)];
                    self.head(&ready, head, qkv, context, scratch);
                }
                Projected::Half(tile, qkv) => {
                    let qkv = &qkv[rows(3 * width / 2)];
                    self.half_head((tile, &ready), head, qkv, context, scratch);
                }
            }
        }
    }

    /// One head in f32.
    fn head(
        &self,
        ready: &Ready,
        number: usize,
        qkv: &[f32],
        context: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let (width, tile) = (self.width, self.machine.tile);
        let (size, length) = (width / self.heads, context.len() / width);
        let stride = 3 * width;
        let part = |which: usize| (&qkv[which * width + number * size..], stride);
        let operands = &mut scratch.full;
        let scaled = |x: f32| x * self.scale;
        operands
            .keys
            .fill_transposed(tile, (size, length), part(1), scaled);
        operands.values.fill(tile, (length, size), part(2));
        let head = Head {
            number,
            tile,
            ready,
            queries: part(0),
            operands,
            pack: 1,
        };
        self.answer(
            head,
            self.machine.elementwise.powers,
            context,
            &mut scratch.rooms,
        );
    }

    /// One head in bfloat16.
    fn half_head(
        &self,
        (tile, ready): (HalfTile, &Ready),
        number: usize,
        qkv: &[Pair],
        context: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let width = self.width;
        let (size, length) = (width / self.heads, context.len() / width);
        let stride = 3 * width / 2;
        let part = |which: usize| (&qkv[(which * width + number * size) / 2..], stride);
        let operands = &mut scratch.half;
        let shape = (size / 2, length);
        operands
            .keys
            .fill_transposed(tile, shape, part(1), |pair| pair);
        operands
            .values
            .fill_with_pairs(tile, (length, size), part(2));
        let head = Head {
            number,
            tile,
            ready,
            queries: part(0),
            operands,
            pack: 2,
        };
        let half_powers = self.machine.elementwise.half_powers;
        let powers =
            |scores: &[f32], shares: &mut [Pair]| half_powers(scores, shares.as_flattened_mut());
        self.answer(head, powers, context, &mut scratch.rooms);
    }

    /// What the queries of a head find. `powers` makes shares of scores.
    fn answer<T: Copy + Default>(
        &self,
        head: Head<'_, T>,
        powers: impl Fn(&[f32], &mut [T]) -> f32,
        context: &mut [f32],
        rooms: &mut Rooms,
    ) {
        let Head {
            number,
            tile,
            ready,
            ..
        } = head;
        let (queries, stride) = head.queries;
        let Operands {
            keys,
            values,
            shares,
        } = head.operands;
        let Rooms { scores, found } = rooms;
        let width = self.width;
        let (size, length) = (width / self.heads, context.len() / width);
        let padded = length.next_multiple_of(tile.width);
        let room = size.next_multiple_of(tile.width);
        let packed = padded / head.pack;
        scores.resize(tile.rows * padded, 0.0);
        shares.resize(tile.rows * packed, T::default());
        found.resize(tile.rows * room, 0.0);
        for first in (0..length).step_by(tile.rows) {
            let rows = tile.rows.min(length - first);
            let queries = (&queries[first * stride..], stride);
            keys.multiply(tile, ready, queries, rows, (scores, padded));
            let mut wholes = [0.0; MOST_ROWS];
            let each = scores.chunks_exact_mut(padded);
            let each = each.zip(shares.chunks_exact_mut(packed)).zip(&mut wholes);
            for (row, ((scores, shares), whole)) in each.take(rows).enumerate() {
                self.complete(scores, number, first + row, length);
                *whole = powers(scores, shares);
            }
            values.multiply(tile, ready, (shares, packed), rows, (found, room));
            let context = &mut context[first * width..];
            self.write(context, number, (found, room), &wholes[..rows]);
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
