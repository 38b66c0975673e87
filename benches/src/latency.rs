//! How long questions take.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Times of many questions, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// The first question of all, which finds nothing in memory.
    pub first: f64,
    /// Half of the others take no longer.
    pub median: f64,
    /// 95 of 100 others take no longer.
    pub p95: f64,
    /// 99 of 100 others take no longer.
    pub p99: f64,
    /// The slowest of the others.
    pub slowest: f64,
}

impl Latency {
    /// Of times in the order in which they were taken; `None` where there are fewer than two.
    pub fn of(times: &[Duration]) -> Option<Latency> {
        let milliseconds = |time: &Duration| time.as_secs_f64() * 1e3;
        let (first, others) = times.split_first()?;
        let mut others: Vec<f64> = others.iter().map(milliseconds).collect();
        others.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let place = (share * others.len() as f64).ceil() as usize;
            others.get(place.saturating_sub(1)).copied()
        };
        Some(Latency {
            first: milliseconds(first),
            median: at(0.5)?,
            p95: at(0.95)?,
            p99: at(0.99)?,
            slowest: at(1.0)?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn percentiles_are_of_all_but_the_first() {
        let times = |ms: &[u64]| -> Vec<Duration> {
            ms.iter().copied().map(Duration::from_millis).collect()
        };
        let all: Vec<u64> = std::iter::once(500).chain((1..=100).rev()).collect();
        let latency = Latency::of(&times(&all)).unwrap();
        let expected = Latency {
            first: 500.0,
            median: 50.0,
            p95: 95.0,
            p99: 99.0,
            slowest: 100.0,
        };
        assert_eq!(latency, expected);
        assert_eq!(Latency::of(&times(&[1])), None);
        assert_eq!(Latency::of(&[]), None);
    }
}
