//! The measures of ranking, as `trec_eval` and `pytrec_eval` compute them.
//!
//! Every judged query counts, also one that the run does not answer or that has no relevant document:
//! it scores 0, as `trec_eval -c` has it. Documents without a judgement are not relevant. A document
//! that a ranking lists twice counts once, at its first place.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use crate::qrels::Judgements;
use crate::trec::Run;

/// A measure of ranking with its cut-off: how many of the first documents it looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Normalised discounted cumulative gain (Järvelin and Kekäläinen 2002), with the grade itself as
    /// gain, divided by log2(rank + 1); the ideal ranking is made of all that is judged.
    Ndcg(usize),
    /// The share of the relevant documents that are found.
    Recall(usize),
    /// One divided by the rank of the first relevant document; 0 if none is found.
    Mrr(usize),
    /// The mean over all relevant documents of the precision at their rank; 0 for those not found.
    Map(usize),
    /// The share of the cut-off that is relevant documents.
    Precision(usize),
}

impl Measure {
    /// What Kenning reports.
    pub const STANDARD: [Measure; 4] = [
        Measure::Ndcg(10),
        Measure::Recall(100),
        Measure::Mrr(10),
        Measure::Map(100),
    ];

    /// The value for one query: `ranking` holds document ids, best first, none twice.
    pub fn of(self, ranking: &[&str], grades: &BTreeMap<String, i32>) -> f64 {
        let relevant = grades.values().filter(|grade| **grade > 0).count();
        if relevant == 0 {
            return 0.0;
        }
        let grade = |document: &&str| grades.get(*document).copied().unwrap_or(0).max(0);
        let found = |cut| ranking.iter().take(cut).map(grade);
        let hits = |cut| found(cut).filter(|grade| *grade > 0).count() as f64;
        match self {
            Measure::Ndcg(cut) => {
                let mut ideal: Vec<i32> = grades.values().copied().filter(|g| *g > 0).collect();
                ideal.sort_unstable_by(|a, b| b.cmp(a));
                dcg(found(cut)) / dcg(ideal.into_iter().take(cut))
            }
            Measure::Recall(cut) => hits(cut) / relevant as f64,
            Measure::Mrr(cut) => found(cut)
                .position(|grade| grade > 0)
                .map_or(0.0, |at| 1.0 / (at + 1) as f64),
            Measure::Map(cut) => {
                let mut hits = 0.0;
                let mut sum = 0.0;
                for (at, grade) in found(cut).enumerate() {
                    if grade > 0 {
                        hits += 1.0;
                        sum += hits / (at + 1) as f64;
                    }
                }
                sum / relevant as f64
            }
            Measure::Precision(cut) => hits(cut) / cut.max(1) as f64,
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, cut) = match self {
            Measure::Ndcg(cut) => ("ndcg", cut),
            Measure::Recall(cut) => ("recall", cut),
            Measure::Mrr(cut) => ("mrr", cut),
            Measure::Map(cut) => ("map", cut),
            Measure::Precision(cut) => ("precision", cut),
        };
        write!(f, "{name}@{cut}")
    }
}

fn dcg(grades: impl Iterator<Item = i32>) -> f64 {
    grades
        .enumerate()
        .map(|(at, grade)| f64::from(grade) / ((at + 2) as f64).log2())
        .sum()
}

/// How well a run did.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// What was measured.
    pub measures: Vec<Measure>,
    /// The mean of each measure over all judged queries.
    pub mean: Vec<f64>,
    /// Query id → the value of each measure.
    pub queries: BTreeMap<String, Vec<f64>>,
}

impl Scores {
    /// The mean of a measure, if it was measured.
    pub fn mean(&self, measure: Measure) -> Option<f64> {
        let at = self.measures.iter().position(|known| *known == measure)?;
        self.mean.get(at).copied()
    }

    /// The values of a measure for each query by its id, if it was measured.
    pub fn values(&self, measure: Measure) -> Option<BTreeMap<&str, f64>> {
        let at = self.measures.iter().position(|known| *known == measure)?;
        self.queries
            .iter()
            .map(|(query, values)| Some((query.as_str(), *values.get(at)?)))
            .collect()
    }
}

/// Scores a run by judgements.
pub fn evaluate(run: &Run, judgements: &Judgements, measures: &[Measure]) -> Scores {
    let mut queries = BTreeMap::new();
    for (query, grades) in judgements {
        let ranking = run.rankings.get(query).map_or(&[][..], Vec::as_slice);
        let mut seen = HashSet::new();
        let ids = ranking.iter().map(|ranked| ranked.document.as_str());
        let ids: Vec<&str> = ids.filter(|id| seen.insert(*id)).collect();
        let values = measures.iter().map(|measure| measure.of(&ids, grades));
        queries.insert(query.clone(), values.collect::<Vec<f64>>());
    }
    let count = queries.len().max(1) as f64;
    let mean = |at: usize| queries.values().map(|values| values[at]).sum::<f64>() / count;
    Scores {
        measures: measures.to_vec(),
        mean: (0..measures.len()).map(mean).collect(),
        queries,
    }
}
