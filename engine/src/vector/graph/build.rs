//! Rows to an adjacency. This is the only file that knows hnsw_rs.
//!
//! hnsw_rs 0.3.5 inserts well and does little else well: it cannot delete, its files are trusted when
//! read, and points inserted at the same time can lose each other. So it is given row numbers, its
//! neighbour lists are copied out, and it is dropped.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use hnsw_rs::prelude::{Distance, Hnsw};

use super::Adjacency;
use crate::vector::column::Column;
use crate::vector::kernels::{self, Kernels};
use crate::vector::quantise::BIAS;

/// Neighbours of a point on levels above 0; twice as many on level 0.
const NEIGHBOURS: usize = 16;
/// Candidates among which the neighbours of a new point are chosen.
const CANDIDATES: usize = 144;
/// Rows are inserted so many at a time, between which the caller is told and may stop.
const SLICE: usize = 4_096;
/// The most levels that hnsw_rs knows.
const LEVELS: usize = 16;

/// The distance of two rows, given by number: 1 − cosine, from the high planes.
struct Metric {
    column: Column,
    kernels: Kernels,
    /// Of each row 128 · Σ (code − 128), which undoes the bias of the other operand; and its scale.
    rows: Vec<(i32, f32)>,
}

impl Metric {
    fn new(column: &Column) -> Self {
        let kernels = kernels::best();
        let biases = vec![BIAS as u8; column.codes(0).len()];
        let of_row = |row| {
            let sum = (kernels.pair)(&biases, column.codes(row));
            (sum, 256.0 * column.scale(row))
        };
        Metric {
            rows: (0..column.rows()).map(of_row).collect(),
            column: column.clone(),
            kernels,
        }
    }
}

impl Distance<u32> for Metric {
    fn eval(&self, a: &[u32], b: &[u32]) -> f32 {
        let (a, b) = (a[0], b[0]);
        let ((_, a_scale), (b_sum, b_scale)) = (self.rows[a as usize], self.rows[b as usize]);
        let sum = (self.kernels.pair)(self.column.codes(a), self.column.codes(b)) - b_sum;
        // hnsw_rs panics on negative distances and on what is not a number; `max` mends both.
        (1.0 - sum as f32 * (a_scale * b_scale)).max(0.0)
    }
}

/// What became of a build.
pub enum Built {
    /// No living row has a vector.
    Empty,
    /// The caller stopped it.
    Stopped,
    /// A graph.
    Whole(Adjacency),
}

/// Builds the graph of the rows for which `living` holds. `watch` is told how many of how many rows are
/// in it, and may stop the work.
///
/// The work is shared among the threads of rayon, so two builds are not the same.
pub fn build(
    column: &Column,
    living: impl Fn(u32) -> bool,
    watch: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Built {
    let (members, twins) = unique_rows(column, living);
    let Some((first, others)) = members.split_first() else {
        return Built::Empty;
    };
    let metric = Metric::new(column);
    let hnsw = Hnsw::new(NEIGHBOURS, members.len(), LEVELS, CANDIDATES, metric);
    // Alone: points inserted beside the first would find no graph and stay outside.
    hnsw.insert_slice((std::slice::from_ref(first), *first as usize));
    let mut inserted = 1;
    for slice in others.chunks(SLICE) {
        if watch(inserted, members.len() as u64).is_break() {
            return Built::Stopped;
        }
        let slice: Vec<(&[u32], usize)> = slice
            .iter()
            .map(|row| (std::slice::from_ref(row), *row as usize))
            .collect();
        hnsw.parallel_insert_slice(&slice);
        inserted += slice.len() as u64;
    }
    let mut adjacency = extract(&hnsw, column.rows());
    adjacency.members.clone_from(&members);
    adjacency.twins = twins;
    Built::Whole(adjacency)
}

/// Of each group of equal rows the first; and the groups of two or more by their first row.
///
/// Copies of one vector are each other's only neighbours, and the graph falls apart.
fn unique_rows(
    column: &Column,
    living: impl Fn(u32) -> bool,
) -> (Vec<u32>, BTreeMap<u32, Vec<u32>>) {
    let mut seen: HashMap<(&[u8], u32), u32> = HashMap::new();
    let mut members = Vec::new();
    let mut twins: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for row in (0..column.rows()).filter(|&row| column.scale(row) > 0.0 && living(row)) {
        let first = *seen
            .entry((column.codes(row), column.scale(row).to_bits()))
            .or_insert(row);
        if first == row {
            members.push(row);
        } else {
            twins.entry(first).or_default().push(row);
        }
    }
    (members, twins)
}

/// Copies the neighbour lists out.
fn extract(hnsw: &Hnsw<'_, u32, Metric>, rows: u32) -> Adjacency {
    let points = hnsw.get_point_indexation();
    let mut level_of_row = vec![0usize; rows as usize];
    let mut entry = (0, 0);
    for point in points {
        let (row, level) = (point.get_origin_id(), usize::from(point.get_point_id().0));
        level_of_row[row] = level;
        if level >= entry.0 {
            entry = (level, row as u32);
        }
    }
    let mut adjacency = Adjacency {
        entry: entry.1,
        base: vec![Vec::new(); rows as usize],
        upper: vec![BTreeMap::new(); entry.0],
        ..Adjacency::default()
    };
    for point in points {
        let row = point.get_origin_id();
        // hnsw_rs also notes what it passed on levels above the point's own: those are no edges.
        let lists = point.get_neighborhood_id().into_iter();
        for (level, list) in lists.take(level_of_row[row] + 1).enumerate() {
            let mut list: Vec<u32> = list
                .into_iter()
                .filter(|other| other.d_id != row && level_of_row[other.d_id] >= level)
                .map(|other| other.d_id as u32)
                .collect();
            let mut seen = std::collections::HashSet::new();
            list.retain(|other| seen.insert(*other));
            match level {
                0 => adjacency.base[row] = list,
                _ => drop(adjacency.upper[level - 1].insert(row as u32, list)),
            }
        }
    }
    adjacency
}
