//! Exact search: every row of a column against a query.

use rayon::prelude::*;

use super::column::Column;
use super::kernels;
use super::quantise::Query;

/// Rows a task scans: small enough to spread over cores, large enough to be worth a task.
const TASK_ROWS: usize = 16 * 1024;

/// The score of a row that must not be found: it has no vector, or it is not allowed.
pub const ABSENT: f32 = f32::NEG_INFINITY;

/// Scores every row for which `allowed` holds from the high plane alone; the others get [`ABSENT`].
///
/// Each score is within [`Column::error_bound`] of the exact one.
pub fn approximate(
    column: &Column,
    query: &Query,
    allowed: &(impl Fn(u32) -> bool + Sync),
) -> Vec<f32> {
    let dot = kernels::dot();
    let mut scores = vec![ABSENT; column.rows() as usize];
    let score = |(task, scores): (usize, &mut [f32])| {
        let first = (task * TASK_ROWS) as u32;
        for (row, score) in (first..).zip(scores) {
            if column.scale(row) > 0.0 && allowed(row) {
                *score = column.approximate(query, dot, row);
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
