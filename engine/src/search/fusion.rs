//! Two rankings into one.

use serde::Serialize;

/// How the scores of the two legs become one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "method")]
pub enum Fusion {
    /// A weighted sum of both scores, each brought to the range 0 to 1 by its theoretical minimum
    /// and the maximum that was found: "TM2C2" of Bruch, Gai and Ingber, "An Analysis of Fusion
    /// Functions for Hybrid Retrieval" (2022).
    Weighted {
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
        Fusion::Weighted { semantic: 0.8 }
    }
}

/// A document with the scores of both legs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Legs {
    /// Cosine of its best passage; `None` if it has no vector.
    pub semantic: Option<f32>,
    /// BM25; 0 if no word occurs.
    pub keyword: f32,
}

/// A leg's contribution: normalised score and weight.
pub type Share = (f32, f32);

impl Fusion {
    /// For each document what the semantic and the keyword leg contribute.
    pub fn shares(self, legs: &[Legs]) -> Vec<[Share; 2]> {
        match self {
            Fusion::Weighted { semantic } => weighted(legs, semantic),
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

fn weighted(legs: &[Legs], weight: f32) -> Vec<[Share; 2]> {
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

    fn totals(fusion: Fusion) -> Vec<f32> {
        let shares = fusion.shares(&LEGS);
        let total = |[a, b]: [Share; 2]| a.0 * a.1 + b.0 * b.1;
        shares.into_iter().map(total).collect()
    }

    #[test]
    fn weighted_sums_are_between_0_and_1() {
        assert_eq!(totals(Fusion::Weighted { semantic: 1.0 }), [1.0, 0.8, 0.0]);
        assert_eq!(totals(Fusion::Weighted { semantic: 0.0 }), [0.0, 1.0, 0.5]);
        let half = totals(Fusion::Weighted { semantic: 0.5 });
        assert!((half[1] - 0.9).abs() < 1e-6 && (half[0] - 0.5).abs() < 1e-6);
    }

    #[test]
    fn reciprocal_ranks_count_only_what_a_leg_found() {
        let totals = totals(Fusion::ReciprocalRank { k: 60.0 });
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
        let shares = Fusion::default().shares(&nothing);
        assert!(shares[0].iter().all(|(normalised, _)| *normalised == 0.0));
    }
}
