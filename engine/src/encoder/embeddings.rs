//! Where a model begins: the sum of embeddings.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::cpu;

/// The sum of a token's embedding with those of its position and its type, as far as a family has them.
pub(super) struct Embeddings {
    tokens: Tensor,
    others: Others,
}

/// What is added to the embeddings of tokens.
pub(super) struct Others {
    /// One row a position. That of type 0 is added at once: every text has it.
    positions: Option<Tensor>,
    kind: Option<Tensor>,
    /// What the other types have in place of type 0: one row a type, less that of type 0.
    types: Option<Tensor>,
    padding: Option<u32>,
}

/// How many rows the tables have. No positions and no types mean no such table.
pub(super) struct EmbeddingSizes {
    pub vocabulary: usize,
    pub width: usize,
    pub positions: usize,
    pub types: usize,
    /// Where positions are counted from the row after this token's id, and the token itself has its own.
    pub padding: Option<u32>,
}

impl Embeddings {
    pub fn load(tensors: &VarBuilder<'_>, sizes: &EmbeddingSizes) -> Result<Embeddings> {
        Ok(Embeddings {
            tokens: tokens(tensors, sizes)?,
            others: Others::load(tensors, sizes)?,
        })
    }

    /// The table of tokens.
    pub fn tokens(&self) -> &Tensor {
        &self.tokens
    }

    /// `[b, l]` ids, and types if they are not all 0, to `[b, l, width]`.
    pub fn forward(&self, ids: &Tensor, types: Option<&Tensor>) -> Result<Tensor> {
        let (b, l) = ids.dims2()?;
        let flat = ids.flatten_all()?;
        let mut sum = self.tokens.index_select(&flat, 0)?.reshape((b, l, ()))?;
        if let (Some(types), Some(table)) = (types, &self.others.types) {
            let rows = table.index_select(&types.flatten_all()?, 0)?;
            sum = (sum + rows.reshape((b, l, ()))?)?;
        }
        match (&self.others.positions, &self.others.kind) {
            (Some(table), _) => sum.broadcast_add(&self.others.rows(table, &flat, b, l)?),
            (None, Some(kind)) => sum.broadcast_add(kind),
            (None, None) => Ok(sum),
        }
    }
}

/// The embeddings of tokens, `[vocabulary, width]`.
pub(super) fn tokens(tensors: &VarBuilder<'_>, sizes: &EmbeddingSizes) -> Result<Tensor> {
    let shape = (sizes.vocabulary, sizes.width);
    tensors.pp("word_embeddings").get(shape, "weight")
}

impl Others {
    /// Loads them.
    pub fn load(tensors: &VarBuilder<'_>, sizes: &EmbeddingSizes) -> Result<Others> {
        let table = |name: &str, rows: usize| -> Result<Option<Tensor>> {
            let get = || tensors.pp(name).get((rows, sizes.width), "weight");
            (rows > 0).then(get).transpose()
        };
        let positions = table("position_embeddings", sizes.positions)?;
        let types = table("token_type_embeddings", sizes.types)?;
        let kind = types
            .as_ref()
            .map(|rows| rows.narrow(0, 0, 1)?.contiguous());
        let kind = kind.transpose()?;
        let types = types.zip(kind.as_ref());
        let types = types.map(|(rows, kind)| rows.broadcast_sub(kind));
        let (positions, kind) = match (positions, kind) {
            (Some(positions), Some(kind)) => (Some(positions.broadcast_add(&kind)?), None),
            other => other,
        };
        Ok(Others {
            positions,
            kind,
            types: types.transpose()?,
            padding: sizes.padding,
        })
    }

    /// The embeddings for the CPU, with the table of `tokens`, rows of `width` numbers, and the norm that follows.
    pub fn on_cpu(
        self,
        tokens: cpu::Numbers<f32>,
        width: usize,
        norm: cpu::LayerNorm,
    ) -> Result<cpu::Embeddings> {
        let rows = |table: &Option<Tensor>| match table {
            Some(table) => table.flatten_all()?.to_vec1(),
            None => Ok(Vec::new()),
        };
        let mut always = rows(&self.kind)?;
        always.resize(width, 0.0);
        Ok(cpu::Embeddings {
            tokens,
            positions: rows(&self.positions)?,
            types: rows(&self.types)?,
            always,
            padding: self.padding,
            norm,
        })
    }

    /// The rows of the position table for `flat` ids, `[l, width]` or `[b, l, width]`.
    fn rows(&self, table: &Tensor, flat: &Tensor, b: usize, l: usize) -> Result<Tensor> {
        let Some(padding) = self.padding else {
            return table.narrow(0, 0, l);
        };
        let ids: Vec<u32> = flat.to_vec1()?;
        if !ids.contains(&padding) {
            return table.narrow(0, padding as usize + 1, l);
        }
        // A text may spell the padding token out. It has its own row then, and is not counted.
        let rows: Vec<u32> = ids
            .chunks(l)
            .flat_map(|ids| positions(ids, padding))
            .collect();
        let rows = Tensor::from_vec(rows, b * l, flat.device())?;
        table.index_select(&rows, 0)?.reshape((b, l, ()))
    }
}

/// The rows of the position table for `ids`, counted from the one after `padding`.
fn positions(ids: &[u32], padding: u32) -> impl Iterator<Item = u32> {
    let mut last = padding;
    ids.iter().map(move |&id| {
        last += u32::from(id != padding);
        if id == padding { padding } else { last }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use candle_core::{DType, Device};

    use super::*;

    /// Numbers of a fixed disorder between -1 and 1.
    fn noise(seed: u64, shape: &[usize]) -> Tensor {
        let mut state = seed;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        let numbers: Vec<f32> = (0..shape.iter().product()).map(|_| next()).collect();
        Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap()
    }

    #[test]
    fn embeddings_are_summed_as_far_as_there_are_any() {
        let tensors = std::collections::HashMap::from([
            ("word_embeddings.weight".to_owned(), noise(8, &[5, 3])),
            ("position_embeddings.weight".to_owned(), noise(9, &[6, 3])),
            (
                "token_type_embeddings.weight".to_owned(),
                noise(10, &[2, 3]),
            ),
        ]);
        let table = |name: &str| tensors[&format!("{name}.weight")].to_vec2::<f32>().unwrap();
        let (words, places, kinds) = (
            table("word_embeddings"),
            table("position_embeddings"),
            table("token_type_embeddings"),
        );
        let source = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        let ids = [[4_u32, 1, 2], [0, 3, 1]];
        for (positions, types, padding, rows) in [
            (6, 2, None, [[0, 1, 2], [0, 1, 2]]),
            (6, 0, Some(2), [[3, 4, 2], [3, 4, 5]]),
            (6, 2, Some(1), [[2, 1, 3], [2, 3, 1]]),
            (0, 2, None, [[0; 3]; 2]),
            (0, 0, None, [[0; 3]; 2]),
        ] {
            let sizes = EmbeddingSizes {
                vocabulary: 5,
                width: 3,
                positions,
                types,
                padding,
            };
            let embeddings = Embeddings::load(&source, &sizes).unwrap();
            let input = Tensor::new(&ids, &Device::Cpu).unwrap();
            let second = Tensor::new(&[[0_u32, 1, 1], [0, 0, 1]], &Device::Cpu).unwrap();
            let typed = embeddings.forward(&input, Some(&second)).unwrap();
            let plain = embeddings.forward(&input, None).unwrap();
            let plain: Vec<Vec<Vec<f32>>> = plain.to_vec3().unwrap();
            let typed: Vec<Vec<Vec<f32>>> = typed.to_vec3().unwrap();
            for (text, at) in (0..2).flat_map(|text| (0..3).map(move |at| (text, at))) {
                for column in 0..3 {
                    let mut expected = words[ids[text][at] as usize][column];
                    if positions > 0 {
                        expected += places[rows[text][at]][column];
                    }
                    let of_type = |kind: usize| if types > 0 { kinds[kind][column] } else { 0.0 };
                    let own = of_type(usize::from(at == 2 || (text, at) == (0, 1)));
                    assert!((plain[text][at][column] - expected - of_type(0)).abs() < 1e-6);
                    assert!((typed[text][at][column] - expected - own).abs() < 1e-6);
                }
            }
        }
    }
}
