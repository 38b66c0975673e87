#![allow(clippy::unwrap_used)]
use std::collections::HashSet;
use std::ops::ControlFlow;

use tantivy::directory::OwnedBytes;

use super::build::Built;
use super::search::walk;
use super::{Adjacency, Graph, audit, build, file};
use crate::fuzzing::unit;
use crate::vector::column::{Column, ColumnWriter};
use crate::vector::kernels::PORTABLE;
use crate::vector::quantise::Query;

/// Unit vectors around `centres` random ones.
fn clustered(count: u32, centres: u32, dimension: usize, seed: u32) -> Vec<Vec<f32>> {
    (0..count)
        .map(|i| {
            let centre = unit(u64::from(seed + i % centres), dimension);
            let noise = unit(u64::from(seed + 1_000_000 + i), dimension);
            let sum: Vec<f32> = centre.iter().zip(noise).map(|(c, n)| c + 0.8 * n).collect();
            let norm = sum.iter().map(|x| x * x).sum::<f32>().sqrt();
            sum.iter().map(|x| x / norm).collect()
        })
        .collect()
}

fn column(vectors: &[Vec<f32>]) -> Column {
    let dimension = vectors[0].len();
    let mut writer = ColumnWriter::new(dimension, Vec::new(), Vec::new());
    for vector in vectors {
        writer.push(vector).unwrap();
    }
    let (codes, residuals) = writer.finish().unwrap();
    let (codes, residuals) = (OwnedBytes::new(codes), OwnedBytes::new(residuals));
    Column::open(codes, residuals, vectors.len() as u32, dimension).unwrap()
}

fn open(bytes: Vec<u8>, rows: u32) -> Graph {
    Graph::open(OwnedBytes::new(bytes), rows).unwrap()
}

fn whole(column: &Column, living: impl Fn(u32) -> bool) -> Adjacency {
    match build::build(column, living, &mut |_, _| ControlFlow::Continue(())) {
        Built::Whole(adjacency) => adjacency,
        _ => panic!("no row has a vector"),
    }
}

fn built(column: &Column) -> (Adjacency, Graph) {
    let mut adjacency = whole(column, |_| true);
    audit::repair(&mut adjacency, column);
    assert!(audit::unconnected(&adjacency).is_empty());
    let graph = open(file::bytes(&adjacency), column.rows());
    (adjacency, graph)
}

/// The share of the ten best rows among those for which `accept` holds that a walk finds.
fn recall(
    column: &Column,
    graph: &Graph,
    queries: &[Vec<f32>],
    breadth: usize,
    accept: impl Fn(u32) -> bool,
) -> f64 {
    let (mut hits, mut all) = (0, 0);
    for vector in queries {
        let query = Query::new(vector);
        let best = |mut rows: Vec<u32>| {
            rows.sort_by(|a, b| {
                let (a, b) = (
                    column.exact(&query, &PORTABLE, *a),
                    column.exact(&query, &PORTABLE, *b),
                );
                b.total_cmp(&a)
            });
            rows.truncate(10);
            rows
        };
        let expected = best((0..column.rows()).filter(|row| accept(*row)).collect());
        let found = walk(graph, column, &query, breadth, &accept);
        assert!(found.rows.iter().all(|(_, row)| accept(*row)));
        let found = best(found.rows.iter().map(|(_, row)| *row).collect());
        hits += expected.iter().filter(|row| found.contains(row)).count();
        all += expected.len();
    }
    hits as f64 / f64::from(all as u32)
}

#[test]
fn the_ten_best_are_found() {
    let column = column(&clustered(4_000, 40, 64, 1));
    let (_, graph) = built(&column);
    let queries = clustered(100, 40, 64, 1_000);
    let everything = recall(&column, &graph, &queries, 240, |_| true);
    assert!(everything >= 0.98, "{everything}");
    let filtered = recall(&column, &graph, &queries, 240, |row| row % 10 == 3);
    assert!(filtered >= 0.98, "{filtered}");
    let narrow = walk(&graph, &column, &Query::new(&queries[0]), 10, &|_| true);
    assert_eq!(narrow.rows.len(), 10);
    assert!(narrow.rows.is_sorted_by(|a, b| a.0 >= b.0));
    assert!(narrow.compared < 2_000, "{}", narrow.compared);
}

#[test]
fn every_row_finds_itself() {
    let column = column(&clustered(2_000, 5, 64, 3));
    let (adjacency, graph) = built(&column);
    let sample = audit::self_search(&graph, &column, &adjacency.members, 500);
    assert_eq!(sample, (500, 500));
}

#[test]
fn a_check_tells_sound_graphs_from_others() {
    let column = column(&clustered(4_000, 40, 64, 1));
    let (adjacency, graph) = built(&column);
    let living = |row: u32| row % 7 != 2;
    let sound = audit::check(&graph, &column, 100, &living);
    assert_eq!((sound.lost, sound.found), (0, sound.asked));
    assert!(sound.queries >= 90 && sound.recall >= 0.97, "{sound:?}");
    assert_eq!(sound.fault(), None);
    let narrow = audit::check(&graph, &column, 1, &living);
    assert_eq!((narrow.lost, narrow.found), (0, narrow.asked));
    assert!(narrow.fault().unwrap().contains("recall@10"), "{narrow:?}");
    // Half of what leads to each row is gone, and nothing leads to some.
    let mut thin = adjacency.clone();
    for list in &mut thin.base {
        list.truncate(4);
    }
    audit::repair(&mut thin, &column);
    let thin = open(file::bytes(&thin), column.rows());
    let thin = audit::check(&thin, &column, 100, &living);
    assert_eq!(thin.lost, 0);
    assert!(thin.fault().is_some(), "{thin:?}");
    let mut torn = adjacency;
    let lost: Vec<u32> = (0..40)
        .map(|n| 100 * n + 1)
        .filter(|&row| row != torn.entry)
        .collect();
    for list in &mut torn.base {
        list.retain(|other| !lost.contains(other));
    }
    let torn = open(file::bytes(&torn), column.rows());
    let torn = audit::check(&torn, &column, 100, &living);
    let living = lost.iter().filter(|&&row| living(row)).count() as u64;
    assert_eq!(torn.lost, living);
    assert_eq!(
        torn.fault(),
        Some(format!("{living} rows are out of reach"))
    );
}

/// Copies are as near as each other: whichever are found are as good.
#[test]
fn copies_do_not_count_as_missed() {
    let vectors: Vec<_> = (0..600).map(|i| unit(i % 20, 64)).collect();
    let column = column(&vectors);
    let (_, graph) = built(&column);
    // As broad as there are different ones: a narrower walk may end elsewhere, as the graph happens to be.
    let check = audit::check(&graph, &column, 20, &|_| true);
    assert_eq!((check.lost, check.recall), (0, 1.0));
    assert_eq!(check.found, check.asked);
}

#[test]
fn copies_enter_once_and_are_all_found() {
    let vectors: Vec<_> = (0..3_000).map(|i| unit(i % 10, 64)).collect();
    let column = column(&vectors);
    let (adjacency, graph) = built(&column);
    assert_eq!(adjacency.members, (0..10).collect::<Vec<_>>());
    for (i, vector) in vectors.iter().enumerate().take(10) {
        let found = walk(&graph, &column, &Query::new(vector), 10, &|_| true);
        let rows: HashSet<u32> = found.rows.iter().map(|(_, row)| *row).collect();
        assert_eq!(rows.len(), 3_000);
        let mut first = found.rows[..300].iter();
        assert!(first.all(|(_, row)| *row as usize % 10 == i));
    }
    // The row that stands for its copies may be deleted: they are found without it.
    let query = Query::new(&vectors[4]);
    let found = walk(&graph, &column, &query, 1, &|row| {
        row >= 10 && row % 10 == 4
    });
    assert_eq!(found.rows.len(), 299);
}

#[test]
fn small_graphs_hold_together() {
    for seed in 0..300u32 {
        let rows = 50 + seed * 17 % 251;
        let column = column(&clustered(rows, 1 + seed % 7, 16, seed * 5_000));
        let mut adjacency = whole(&column, |_| true);
        audit::repair(&mut adjacency, &column);
        assert!(audit::unconnected(&adjacency).is_empty(), "build {seed}");
    }
}

#[test]
fn lost_rows_are_joined_without_crowding() {
    let column = column(&clustered(1_000, 10, 64, 9));
    let (mut adjacency, _) = built(&column);
    let degree = |adjacency: &Adjacency| adjacency.base.iter().map(Vec::len).max().unwrap();
    let before = degree(&adjacency);
    // Nothing leads to a third of the rows, and a third leads nowhere; neighbours of one another among them.
    let lost = |row: u32| row.is_multiple_of(3) && row != adjacency.entry;
    let mut base = adjacency.base.clone();
    for (row, list) in (0u32..).zip(&mut base) {
        list.retain(|&other| !lost(other));
        if row % 3 == 1 && row != adjacency.entry {
            list.clear();
        }
    }
    adjacency.base = base;
    assert!(audit::unconnected(&adjacency).len() > 600);
    let added = audit::repair(&mut adjacency, &column);
    // Fewer than were lost: a lost row may lead to others.
    assert!((300..=700).contains(&added), "{added}");
    assert!(audit::unconnected(&adjacency).is_empty());
    assert!(degree(&adjacency) <= before + 3, "{}", degree(&adjacency));
    let graph = open(file::bytes(&adjacency), column.rows());
    let (asked, found) = audit::self_search(&graph, &column, &adjacency.members, 1_000);
    assert_eq!(asked, 1_000);
    assert!(found >= 950, "{found}");
}

#[test]
fn rows_without_a_vector_and_dead_rows_stay_outside() {
    let mut vectors: Vec<_> = (0..20).map(|seed| unit(seed, 64)).collect();
    let mut writer = ColumnWriter::new(64, Vec::new(), Vec::new());
    vectors[7] = Vec::new();
    for vector in &vectors {
        writer.push(vector).unwrap();
    }
    let (codes, residuals) = writer.finish().unwrap();
    let (codes, residuals) = (OwnedBytes::new(codes), OwnedBytes::new(residuals));
    let column = Column::open(codes, residuals, 20, 64).unwrap();
    let adjacency = whole(&column, |row| row != 3);
    assert_eq!(adjacency.members.len(), 18);
    assert!(!adjacency.members.contains(&3) && !adjacency.members.contains(&7));
    let mut on = |_, _| ControlFlow::Continue(());
    let empty = build::build(&column, |row| row == 7, &mut on);
    assert!(matches!(empty, Built::Empty));
    let alone = whole(&column, |row| row == 5);
    let graph = open(file::bytes(&alone), 20);
    let found = walk(&graph, &column, &Query::new(&unit(0, 64)), 10, &|_| true);
    assert_eq!(found.rows.len(), 1);
    assert_eq!(found.rows[0].1, 5);
}

#[test]
fn what_is_read_is_what_was_written() {
    let vectors: Vec<_> = (0..400).map(|i| unit(i % 350, 64)).collect();
    let column = column(&vectors);
    let (adjacency, graph) = built(&column);
    assert_eq!(graph.levels(), adjacency.upper.len() + 1);
    assert_eq!(graph.entry(), adjacency.entry);
    graph.verify().unwrap();
    for row in 0..400 {
        let list: Vec<u32> = graph.sound(graph.list(0, row)).collect();
        assert_eq!(list, adjacency.base[row as usize]);
        let twins: Vec<u32> = graph.twins(row).collect();
        assert_eq!(
            twins,
            adjacency.twins.get(&row).cloned().unwrap_or_default()
        );
        for (level, lists) in (1..).zip(&adjacency.upper) {
            let list: Vec<u32> = graph.sound(graph.list(level, row)).collect();
            assert_eq!(list, lists.get(&row).cloned().unwrap_or_default());
        }
    }
}

#[test]
fn damaged_files_are_refused_or_harmless() {
    let vectors: Vec<_> = (0..120).map(|i| unit(i % 100, 16)).collect();
    let column = column(&vectors);
    let (adjacency, _) = built(&column);
    let bytes = file::bytes(&adjacency);
    let header = 4 * (7 + 2 * (adjacency.upper.len() + 2) + 1);
    let open = |bytes: Vec<u8>| Graph::open(OwnedBytes::new(bytes), 120);
    assert!(Graph::open(OwnedBytes::new(bytes.clone()), 121).is_err());
    for cut in 0..bytes.len() {
        assert!(open(bytes[..cut].to_vec()).is_err(), "cut at {cut}");
    }
    assert!(open([&bytes[..], &[0; 4]].concat()).is_err());
    for at in 0..bytes.len() {
        for flip in [1, 0x80, 0xff] {
            let mut flipped = bytes.clone();
            flipped[at] ^= flip;
            match open(flipped) {
                Err(_) => assert!(at < header, "byte {at} of the body"),
                Ok(graph) => {
                    assert!(at >= header, "byte {at} of the header");
                    assert!(graph.verify().is_err(), "byte {at}");
                    let query = Query::new(&vectors[at % 100]);
                    let found = walk(&graph, &column, &query, 20, &|_| true);
                    assert!(found.rows.iter().all(|(_, row)| *row < 120));
                }
            }
        }
    }
}
