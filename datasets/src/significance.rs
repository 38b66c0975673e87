//! Whether one run is better than another, or merely lucky with the queries.

use crate::metrics::{Measure, Scores};

/// Two runs compared query by query.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The mean of the first run less that of the second.
    pub difference: f64,
    /// How likely a difference at least as large, either way, is if the runs are equally good. Small
    /// values (below 0.05, say) speak against luck.
    pub p_value: f64,
    /// On how many queries the first run is better.
    pub wins: usize,
    /// On how many queries the second run is better.
    pub losses: usize,
    /// On how many queries they are equal.
    pub ties: usize,
}

/// Compares two runs by a measure with Fisher's paired randomisation test, two-sided, which assumes
/// nothing about how scores are distributed (Smucker, Allan and Carterette 2007). Each of `rounds`
/// rounds swaps the runs' values of every query by the toss of a coin; `seed` makes them repeatable.
/// Queries that only one run was scored on are left out. `None` if the measure was not taken of both.
pub fn compare(
    one: &Scores,
    other: &Scores,
    measure: Measure,
    rounds: usize,
    seed: u64,
) -> Option<Comparison> {
    let (one, other) = (one.values(measure)?, other.values(measure)?);
    let differences: Vec<f64> = one
        .iter()
        .filter_map(|(query, value)| Some(value - other.get(query)?))
        .collect();
    let count = |test: fn(f64) -> bool| differences.iter().filter(|d| test(**d)).count();
    let wins = count(|difference| difference > 0.0);
    let losses = count(|difference| difference < 0.0);
    Some(Comparison {
        difference: differences.iter().sum::<f64>() / differences.len().max(1) as f64,
        p_value: randomise(&differences, rounds, seed),
        wins,
        losses,
        ties: differences.len() - wins - losses,
    })
}

fn randomise(differences: &[f64], rounds: usize, seed: u64) -> f64 {
    let observed = differences.iter().sum::<f64>().abs();
    // Sums in another order differ in the last bits, and equal ones must count as equal.
    let bound = observed - 1e-12 * (1.0 + observed);
    let mut random = SplitMix(seed);
    let mut as_large = 0;
    for _ in 0..rounds {
        let mut sum = 0.0;
        for some in differences.chunks(64) {
            let coins = random.next();
            for (at, difference) in some.iter().enumerate() {
                let swapped = coins >> at & 1 == 1;
                sum += if swapped { -difference } else { *difference };
            }
        }
        as_large += usize::from(sum.abs() >= bound);
    }
    // The order at hand is one of the possible ones, too: a p-value is never 0.
    (as_large + 1) as f64 / (rounds + 1) as f64
}

/// Steele, Lea and Flood's SplitMix64: small, and random enough for coins.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const MEASURE: Measure = Measure::Ndcg(10);

    fn scores(values: &[f64]) -> Scores {
        let queries = values.iter().enumerate();
        Scores {
            measures: vec![MEASURE],
            mean: vec![values.iter().sum::<f64>() / values.len() as f64],
            queries: queries
                .map(|(at, value)| (format!("q{at:03}"), vec![*value]))
                .collect(),
        }
    }

    #[test]
    fn the_p_value_is_that_of_all_sign_patterns() {
        // Ten differences of one sign: of 1,024 patterns, two are as extreme.
        let one = scores(&[0.5; 10]);
        let other = scores(&[0.1, 0.2, 0.3, 0.4, 0.1, 0.2, 0.3, 0.4, 0.1, 0.2]);
        let compared = compare(&one, &other, MEASURE, 200_000, 1).unwrap();
        assert!(
            (compared.p_value - 2.0 / 1024.0).abs() < 4e-4,
            "{compared:?}"
        );
        assert!((compared.difference - 0.27).abs() < 1e-12);
        assert_eq!((compared.wins, compared.losses, compared.ties), (10, 0, 0));
        let reversed = compare(&other, &one, MEASURE, 200_000, 1).unwrap();
        assert_eq!(reversed.p_value, compared.p_value);
        assert_eq!(reversed.losses, 10);
    }

    #[test]
    fn more_than_a_word_of_queries_get_their_own_coins() {
        // 130 differences of about equal size and mixed sign: nearly normal, so the p-value is that
        // of the normal distribution: sum 10 at a deviation of sqrt(130) = 11.4.
        let values: Vec<f64> = (0..130)
            .map(|at| if at < 70 { 1.0 } else { -1.0 })
            .collect();
        let compared = compare(&scores(&values), &scores(&[0.0; 130]), MEASURE, 50_000, 3).unwrap();
        // P(|S| >= 10) for a sum of 130 coins, from the binomial distribution.
        assert!((compared.p_value - 0.4301).abs() < 0.01, "{compared:?}");
    }

    #[test]
    fn equal_runs_do_not_differ() {
        let one = scores(&[0.3, 0.7, 0.0]);
        let compared = compare(&one, &one, MEASURE, 1000, 7).unwrap();
        assert_eq!(
            (compared.p_value, compared.difference, compared.ties),
            (1.0, 0.0, 3)
        );
        assert_eq!(compare(&one, &one, Measure::Map(5), 10, 7), None);
    }

    #[test]
    fn the_same_seed_gives_the_same_value() {
        let one = scores(&[0.3, 0.7, 0.2, 0.9]);
        let other = scores(&[0.4, 0.1, 0.2, 0.3]);
        let value = |seed| compare(&one, &other, MEASURE, 500, seed).unwrap().p_value;
        assert_eq!(value(5), value(5));
    }
}
