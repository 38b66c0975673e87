//! Two rankings into one.

use serde::Serialize;

use crate::keyword::bm25::Words;

/// How the scores of the two legs become one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "method")]
pub enum Fusion {
    /// A weighted sum of standard scores: how many standard deviations a document's score lies above
    /// the mean of the documents that either leg ranks first. A leg that sets nothing apart counts for
    /// little by itself, whatever the range of its scores. BM25 counts for less where no document holds
    /// much of the query: what it finds then are chance meetings of words.
    Standard {
        /// Weight of the cosine; BM25 has the rest, or a part of it.
        semantic: f32,
    },
    /// A weighted sum of both scores, each brought to the range 0 to 1 by its theoretical minimum
    /// and the maximum that was found: "TM2C2" of Bruch, Gai and Ingber, "An Analysis of Fusion
    /// Functions for Hybrid Retrieval" (2022).
    Convex {
        /// Weight of the cosine; BM25 has the rest.
        semantic: f32,
    },
    /// 1/(k + rank) of each leg, summed: Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion
    /// outperforms Condorcet and individual Rank Learning Methods" (2009).
    ReciprocalRank {
        /// How much the first ranks are pulled together.
        k: f32,
    },
}

impl Default for Fusion {
    fn default() -> Self {
        Fusion::Standard { semantic: 0.6 }
    }
}

/// Mean and deviation are taken over the first so many documents of each leg.
pub const DEPTH: usize = 100;
/// Cosines deviate at least so much: an encoder that sets nothing apart must not be believed to.
const COSINE_DEVIATION: f32 = 0.08;

/// A document that holds a third of the query is no chance meeting, nor one that holds more words than
/// chance would vary by, which grows with the square root of their number.
const SURE_SHARE: f32 = 3.0;

/// How far the keyword leg is believed, from 0 to 1, if its best document scores `best`.
fn belief(words: Words, best: f32) -> f32 {
    if words.bound <= 0.0 {
        return 0.0;
    }
    let sure = SURE_SHARE.max((words.count as f32).sqrt());
    (best / words.bound * sure).min(1.0).powi(2)
}

/// A document with the scores of both legs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Legs {
    /// Cosine of its best passage; `None` if it has no vector.
    pub semantic: Option<f32>,
    /// BM25 of its best section; 0 if no word occurs.
    pub keyword: f32,
}

/// A leg's contribution: normalised score and weight.
pub type Share = (f32, f32);

/// What a document scores by the contributions of its legs.
pub fn total(shares: &[Share; 2]) -> f32 {
    shares.iter().map(|(value, weight)| value * weight).sum()
}

impl Fusion {
    /// Whether a document's own scores and those of the first of each leg decide what it contributes, the more the higher
    /// they are: not so where ranks are counted.
    pub(super) fn is_sum_of_scores(self) -> bool {
        match self {
            Fusion::Standard { semantic } | Fusion::Convex { semantic } => semantic >= 0.0,
            Fusion::ReciprocalRank { .. } => false,
        }
    }

    /// For each document what the semantic and the keyword leg contribute. `words` is what the keyword
    /// leg looked for; `legs` are the documents that either leg nominated.
    pub fn shares(self, legs: &[Legs], words: Words) -> Vec<[Share; 2]> {
        match self {
            Fusion::Standard { semantic } => standard(legs, semantic, words),
            Fusion::Convex { semantic } => convex(legs, semantic),
            Fusion::ReciprocalRank { k } => {
                let semantic = reciprocal(legs.iter().map(|l| l.semantic).collect(), k);
                let found = |l: &Legs| (l.keyword > 0.0).then_some(l.keyword);
                let keyword = reciprocal(legs.iter().map(found).collect(), k);
                let pairs = semantic.into_iter().zip(keyword);
                pairs.map(|(s, w)| [(s, 1.0), (w, 1.0)]).collect()
            }
        }
    }
}

fn standard(legs: &[Legs], weight: f32, words: Words) -> Vec<[Share; 2]> {
    let cosine = |l: &Legs| l.semantic.unwrap_or(0.0);
    let mut pool = vec![false; legs.len()];
    // Equal ones by the other leg, so that the order in which documents were found does not show.
    let best = |score: &dyn Fn(&Legs) -> Option<f32>, pool: &mut Vec<bool>| {
        let mut order: Vec<(f32, f32, usize)> = legs
            .iter()
            .enumerate()
            .filter_map(|(i, l)| Some((score(l)?, cosine(l) + l.keyword, i)))
            .collect();
        let first_by_score = |a: &(f32, f32, usize), b: &(f32, f32, usize)| {
            b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1))
        };
        if order.len() > DEPTH {
            order.select_nth_unstable_by(DEPTH, first_by_score);
            order.truncate(DEPTH);
        }
        for (_, _, i) in order {
            pool[i] = true;
        }
    };
    best(&|l| l.semantic, &mut pool);
    best(&|l| (l.keyword > 0.0).then_some(l.keyword), &mut pool);
    let pooled = |score: &dyn Fn(&Legs) -> f32| -> Vec<f32> {
        let chosen = legs.iter().zip(&pool).filter(|(_, pooled)| **pooled);
        chosen.map(|(l, _)| score(l)).collect()
    };
    let (cosine_mean, cosine_deviation) = moments(&pooled(&cosine));
    let (keyword_mean, keyword_deviation) = moments(&pooled(&|l| l.keyword));
    let cosine_deviation = cosine_deviation.max(COSINE_DEVIATION);
    let best = legs.iter().map(|l| l.keyword).fold(0.0, f32::max);
    let keyword_weight = (1.0 - weight) * belief(words, best);
    let shares = legs.iter().map(|l| {
        let semantic = (cosine(l) - cosine_mean) / cosine_deviation;
        let keyword = if keyword_deviation > f32::EPSILON {
            (l.keyword - keyword_mean) / keyword_deviation
        } else {
            0.0
        };
        [(semantic, weight), (keyword, keyword_weight)]
    });
    shares.collect()
}

/// Mean and standard deviation. Sums in f64, over values in order, so that the order in which
/// documents were found does not show in the last digit.
fn moments(values: &[f32]) -> (f32, f32) {
    if values.is_empty() {
        return (0.0, 0.0);
    }
    let mut values: Vec<f64> = values.iter().copied().map(f64::from).collect();
    values.sort_by(f64::total_cmp);
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
    (mean as f32, variance.sqrt() as f32)
}

fn convex(legs: &[Legs], weight: f32) -> Vec<[Share; 2]> {
    let cosines = legs.iter().filter_map(|l| l.semantic);
    let best_cosine = cosines.fold(-1.0f32, f32::max);
    let best_keyword = legs.iter().map(|l| l.keyword).fold(0f32, f32::max);
    let shares = legs.iter().map(|l| {
        let semantic = match l.semantic {
            Some(cosine) if best_cosine > -1.0 => (cosine + 1.0) / (best_cosine + 1.0),
            _ => 0.0,
        };
        let keyword = if best_keyword > 0.0 {
            l.keyword / best_keyword
        } else {
            0.0
        };
        [(semantic, weight), (keyword, 1.0 - weight)]
    });
    shares.collect()
}

/// 1/(k + rank) by descending score, equal scores sharing a rank; 0 without a score.
fn reciprocal(scores: Vec<Option<f32>>, k: f32) -> Vec<f32> {
    let mut order: Vec<usize> = (0..scores.len()).filter(|&i| scores[i].is_some()).collect();
    let score = |i: usize| scores[i].unwrap_or_default();
    order.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
    let mut shares = vec![0.0; scores.len()];
    let mut rank = 0;
    for (place, &i) in order.iter().enumerate() {
        if place == 0 || score(order[place - 1]) != score(i) {
            rank = place + 1;
        }
        shares[i] = 1.0 / (k + rank as f32);
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEGS: [Legs; 3] = [
        Legs {
            semantic: Some(0.5),
            keyword: 0.0,
        },
        Legs {
            semantic: Some(0.2),
            keyword: 8.0,
        },
        Legs {
            semantic: None,
            keyword: 4.0,
        },
    ];

    /// Words of which the best of [`LEGS`] holds enough.
    const WORDS: Words = Words {
        count: 4,
        bound: 16.0,
    };

    fn totals(fusion: Fusion, legs: &[Legs]) -> Vec<f32> {
        let shares = fusion.shares(legs, WORDS);
        let total = |[a, b]: [Share; 2]| a.0 * a.1 + b.0 * b.1;
        shares.into_iter().map(total).collect()
    }

    #[test]
    fn standard_scores_have_mean_0_and_deviation_1() {
        for leg in 0..2 {
            let shares = Fusion::default().shares(&LEGS, WORDS);
            let values: Vec<f32> = shares.iter().map(|share| share[leg].0).collect();
            let (mean, deviation) = moments(&values);
            assert!(mean.abs() < 1e-6 && (deviation - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn a_leg_that_sets_nothing_apart_does_not_rank() {
        let mut flat = LEGS;
        flat.iter_mut().for_each(|l| l.keyword = 0.0);
        let totals = totals(Fusion::default(), &flat);
        assert!(totals[0] > totals[1] && totals[1] > totals[2], "{totals:?}");
        let alike = [0.700, 0.701].map(|cosine| Legs {
            semantic: Some(cosine),
            keyword: 0.0,
        });
        let shares = Fusion::default().shares(&alike, WORDS);
        assert!(shares.iter().all(|share| share[0].0.abs() < 0.02));
    }

    #[test]
    fn chance_meetings_of_words_count_for_little() {
        let weight = |count, bound| {
            let shares = Fusion::default().shares(&LEGS, Words { count, bound });
            shares[0][1].1
        };
        // The best document scores 8: half of what is possible, a sixth, a sixteenth.
        assert!((weight(4, 16.0) - 0.4).abs() < 1e-6);
        assert!((weight(4, 48.0) - 0.4 * 0.25).abs() < 1e-6);
        assert!((weight(4, 128.0) - 0.4 * 0.1875f32.powi(2)).abs() < 1e-6);
        // A sixteenth of 144 words is not by chance.
        assert!((weight(144, 128.0) - 0.4 * 0.5625).abs() < 1e-6);
        // No word of the query is known.
        assert_eq!(weight(0, 0.0), 0.0);
    }

    #[test]
    fn documents_beyond_the_pool_do_not_move_the_scores() {
        let ranked = |count: usize| -> Vec<Legs> {
            let legs = (0..count).map(|i| Legs {
                semantic: Some(0.9 - i as f32 * 1e-3),
                keyword: (500 - i.min(499)) as f32,
            });
            legs.collect()
        };
        let (short, long) = (ranked(150), ranked(450));
        let of = |legs: &[Legs]| totals(Fusion::default(), legs)[..10].to_vec();
        assert_eq!(of(&short), of(&long));
    }

    #[test]
    fn convex_sums_are_between_0_and_1() {
        assert_eq!(
            totals(Fusion::Convex { semantic: 1.0 }, &LEGS),
            [1.0, 0.8, 0.0]
        );
        assert_eq!(
            totals(Fusion::Convex { semantic: 0.0 }, &LEGS),
            [0.0, 1.0, 0.5]
        );
        let half = totals(Fusion::Convex { semantic: 0.5 }, &LEGS);
        assert!((half[1] - 0.9).abs() < 1e-6 && (half[0] - 0.5).abs() < 1e-6);
    }

    #[test]
    fn reciprocal_ranks_count_only_what_a_leg_found() {
        let totals = totals(Fusion::ReciprocalRank { k: 60.0 }, &LEGS);
        let expected = [1.0 / 61.0, 1.0 / 62.0 + 1.0 / 61.0, 1.0 / 62.0];
        for (found, expected) in totals.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-7);
        }
    }

    #[test]
    fn equal_scores_share_a_rank() {
        assert_eq!(
            reciprocal(vec![Some(1.0), Some(2.0), Some(1.0), None], 0.0),
            [0.5, 1.0, 0.5, 0.0]
        );
    }

    #[test]
    fn nothing_found_is_no_division_by_zero() {
        let nothing = [Legs {
            semantic: None,
            keyword: 0.0,
        }];
        for fusion in [Fusion::default(), Fusion::Convex { semantic: 0.8 }] {
            let shares = fusion.shares(&nothing, WORDS);
            assert!(shares[0].iter().all(|(normalised, _)| *normalised == 0.0));
            assert_eq!(fusion.shares(&[], WORDS).len(), 0);
        }
    }
}
