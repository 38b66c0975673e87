//! A whole encoder of BERT's shape.

use rayon::ThreadPool;

use super::attention::Distances;
use super::crew::Crew;
use super::embeddings::{Embeddings, Text};
use super::layer::{Layer, Means};
use super::{Linear, Machine};

/// An encoder: embeddings, then layers.
pub struct Network {
    pub machine: Machine,
    pub embeddings: Embeddings,
    /// From the width of the embeddings to that of the layers, where they differ.
    pub project: Option<Linear>,
    pub layers: Vec<Layer>,
    /// Which layer runs after which: one may run several times.
    pub order: Vec<usize>,
    /// What attention adds by distance, the same in all layers.
    pub distances: Option<Distances>,
}

impl Network {
    /// The last hidden states of `texts`, end to end, one row a token. They do not depend on what other texts there
    /// are, nor on how many threads `pool` has to help with.
    pub fn run(&self, texts: &[Text<'_>], pool: &ThreadPool) -> Vec<f32> {
        let lengths: Vec<usize> = texts.iter().map(|text| text.ids.len()).collect();
        let rows: usize = lengths.iter().sum();
        let width = self.embeddings.width();
        let mut states = vec![0.0; rows * width];
        let mut rest = states.as_mut_slice();
        for text in texts {
            let (own, after) = rest.split_at_mut(text.ids.len() * width);
            self.embeddings.write(self.machine, *text, own);
            rest = after;
        }
        if let Some(project) = &self.project {
            let mut wide = vec![0.0; rows * project.columns()];
            project.apply(self.machine, &states, &mut wide, &mut Default::default());
            states = wide;
        }
        let machine = self.machine;
        Crew::gather(machine, pool, |crew| {
            let (means, distances) = (Means { machine, crew }, self.distances.as_ref());
            for &layer in &self.order {
                self.layers[layer].run(means, &mut states, &lengths, distances);
            }
        });
        states
    }
}
