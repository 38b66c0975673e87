//! Exact search: every row of a column against a query.

use rayon::prelude::*;

use super::column::Column;
use super::kernels;
use super::quantise::Query;

/// Rows a task scans: small enough to spread over cores, large enough to be worth a task.
pub const TASK_ROWS: usize = 8 * 1024;

/// Rows whose products are computed in one go.
const BLOCK: usize = 64;

/// The score of a row that must not be found: it has no vector, or it is not allowed.
pub const ABSENT: f32 = f32::NEG_INFINITY;

/// The `place`-th of the scores, the highest first; [`ABSENT`] if there are not so many.
pub fn nth(mut scores: Vec<f32>, place: usize) -> f32 {
    match place.checked_sub(1) {
        Some(place) if place < scores.len() => {
            *scores
                .select_nth_unstable_by(place, |a, b| b.total_cmp(a))
                .1
        }
        _ => ABSENT,
    }
}

/// Scores every row for which `allowed` holds from the high plane alone; the others get [`ABSENT`].
///
/// Each score is within [`Column::error_bound`] of the exact one.
pub fn approximate(
    column: &Column,
    query: &Query,
    allowed: &(impl Fn(u32) -> bool + Sync),
) -> Vec<f32> {
    let kernels = kernels::best();
    let mut scores = vec![ABSENT; column.rows() as usize];
    let score = |(task, scores): (usize, &mut [f32])| {
        let (mut rows, mut sums) = (Vec::with_capacity(BLOCK), [0; BLOCK]);
        let first = (task * TASK_ROWS) as u32;
        for (first, scores) in (first..).step_by(BLOCK).zip(scores.chunks_mut(BLOCK)) {
            let all = first..first + scores.len() as u32;
            rows.clear();
            rows.extend(all.filter(|&row| column.scale(row) > 0.0 && allowed(row)));
            let sums = &mut sums[..rows.len()];
            match rows.len() == scores.len() {
                true => column.products_from(query, &kernels, first, sums),
                false => column.products(query, &kernels, &rows, sums),
            }
            for (&row, &sum) in rows.iter().zip(&*sums) {
                scores[(row - first) as usize] = column.rough(query, sum, row);
            }
        }
    };
    if scores.len() > TASK_ROWS {
        scores.par_chunks_mut(TASK_ROWS).enumerate().for_each(score);
    } else {
        score((0, &mut scores));
    }
    scores
}
