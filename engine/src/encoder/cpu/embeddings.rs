//! Where a text enters: the sum of its tokens' embeddings, normalised.

use super::{LayerNorm, Machine, Numbers};

/// A text, as the network reads it.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    /// Token ids, special ones included, all within the vocabulary.
    pub ids: &'a [u32],
    /// To which of two texts each belongs; empty where there is one.
    pub types: &'a [u32],
}

/// The tables of embeddings, each of rows of one width, and the norm after their sum.
pub struct Embeddings {
    pub tokens: Numbers<f32>,
    /// Rows for positions, with what type 0 adds; empty where a family has none.
    pub positions: Vec<f32>,
    /// What is added to every row where there are no positions; zeros if nothing is.
    pub always: Vec<f32>,
    /// What the other types have in place of type 0: a row for each type; empty where types are ignored.
    pub types: Vec<f32>,
    /// Where positions are counted from the row after this token's id, and the token itself has its own.
    pub padding: Option<u32>,
    pub norm: LayerNorm,
}

impl Embeddings {
    /// Width of a row.
    pub fn width(&self) -> usize {
        self.always.len()
    }

    /// Rows and width of the table of tokens.
    pub fn token_table(&self) -> (usize, usize) {
        (self.tokens.len() / self.width(), self.width())
    }

    /// Writes the states of `text`, one row a token.
    pub fn write(&self, machine: Machine, text: Text<'_>, states: &mut [f32]) {
        let width = self.width();
        let mut position = self.padding.map_or(0, |padding| padding + 1);
        let states = states.chunks_exact_mut(width);
        for (place, (&id, state)) in text.ids.iter().zip(states).enumerate() {
            state.copy_from_slice(self.row(&self.tokens, id));
            if let (Some(&kind), false) = (text.types.get(place), self.types.is_empty()) {
                for (x, other) in state.iter_mut().zip(self.row(&self.types, kind)) {
                    *x += other;
                }
            }
            let added = if self.positions.is_empty() {
                &self.always
            } else if self.padding == Some(id) {
                self.row(&self.positions, id)
            } else {
                position += 1;
                self.row(&self.positions, position - 1)
            };
            (machine.elementwise.add_and_normalise)(state, self.norm.after(added));
        }
    }

    fn row<'a>(&self, table: &'a [f32], number: u32) -> &'a [f32] {
        &table[number as usize * self.width()..][..self.width()]
    }
}
