//! Which segments to merge: many small ones into one, and large ones only when it pays.
//!
//! Segments are grouped by size, each tier eight times the one below, and eight of a tier become one of the
//! next, as in a log-structured merge tree: a row is rewritten once a tier. Those that are too small for a graph become
//! one as soon as they hold enough rows for it together, so that never more than that many rows have to be scanned.
//! A large segment has a graph that took long to build, so it is rewritten only when a fifth of its rows are deleted.

use tantivy::index::SegmentMeta;
use tantivy::indexer::{MergeCandidate, MergePolicy};

/// So many segments of a tier are merged into one.
const FAN_IN: usize = 8;
/// Segments of less than eight times this size share the lowest tier: it is rewritten again and again where commits are small.
const SMALLEST_TIER: u32 = 250;
/// No merge makes a segment larger than this: it would take too long to build its graph anew.
const LARGEST: u32 = 1_000_000;
/// The share of deleted rows at which a segment is rewritten alone.
const DELETED: f32 = 0.2;

/// Segments of so many living rows and more get a graph: a scan of fewer takes less than a millisecond.
pub(super) const LARGE: u32 = 50_000;

/// The merge policy of every Kenning index.
#[derive(Debug, Clone, Copy)]
pub struct Tiered;

fn tier(segment: &SegmentMeta) -> u32 {
    (segment.num_docs().max(SMALLEST_TIER) / SMALLEST_TIER).ilog(FAN_IN as u32)
}

impl MergePolicy for Tiered {
    fn compute_merge_candidates(&self, segments: &[SegmentMeta]) -> Vec<MergeCandidate> {
        let mut candidates = Vec::new();
        let mut whole: Vec<&SegmentMeta> = Vec::new();
        for segment in segments {
            let deleted = segment.num_deleted_docs() as f32;
            if deleted > DELETED * segment.max_doc() as f32 {
                candidates.push(MergeCandidate(vec![segment.id()]));
            } else if segment.num_docs() < LARGEST {
                whole.push(segment);
            }
        }
        let small = |segment: &&SegmentMeta| segment.num_docs() < LARGE;
        let of_small = whole.iter().copied().filter(small);
        if of_small.map(SegmentMeta::num_docs).sum::<u32>() >= LARGE {
            let (small, large) = whole.into_iter().partition(small);
            let small: Vec<&SegmentMeta> = small;
            candidates.push(MergeCandidate(small.iter().map(|s| s.id()).collect()));
            whole = large;
        }
        whole.sort_by_key(|segment| (tier(segment), segment.id()));
        for tier in whole.chunk_by(|a, b| tier(a) == tier(b)) {
            for group in tier.chunks_exact(FAN_IN) {
                candidates.push(MergeCandidate(group.iter().map(|s| s.id()).collect()));
            }
        }
        candidates
    }
}

#[cfg(test)]
mod tests {
    use tantivy::Index;
    use tantivy::index::SegmentId;
    use tantivy::schema::Schema;

    use super::*;

    /// Segments of `sizes` rows as the policy leaves them, and how many rows it rewrote.
    fn merged(sizes: impl Iterator<Item = u32>) -> (Vec<u32>, u64) {
        let index = Index::create_in_ram(Schema::builder().build());
        let mut segments: Vec<SegmentMeta> = Vec::new();
        let mut rewritten = 0;
        for size in sizes {
            segments.push(index.new_segment_meta(SegmentId::generate_random(), size));
            loop {
                let candidates = Tiered.compute_merge_candidates(&segments);
                if candidates.is_empty() {
                    break;
                }
                for MergeCandidate(ids) in candidates {
                    let (gone, kept) = segments.into_iter().partition(|s| ids.contains(&s.id()));
                    let gone: Vec<SegmentMeta> = gone;
                    assert_eq!(gone.len(), ids.len(), "a segment is merged once");
                    let rows = gone.iter().map(SegmentMeta::num_docs).sum();
                    rewritten += u64::from(rows);
                    segments = kept;
                    segments.push(index.new_segment_meta(SegmentId::generate_random(), rows));
                }
            }
        }
        (
            segments.iter().map(SegmentMeta::num_docs).collect(),
            rewritten,
        )
    }

    #[test]
    fn few_rows_are_left_without_a_graph_and_none_is_rewritten_often() {
        for (size, count) in [(20, 20_000), (2_000, 700), (30_000, 40), (70_000, 30)] {
            // Not all alike, nor ascending.
            let sizes = (0..count).map(|number| size + number * 7_919 % (size / 2));
            let all: u64 = sizes.clone().map(u64::from).sum();
            let (left, rewritten) = merged(sizes);
            assert_eq!(left.iter().copied().map(u64::from).sum::<u64>(), all);
            let small = left.iter().filter(|&&rows| rows < LARGE);
            assert!(small.sum::<u32>() < LARGE, "{left:?}");
            assert!(left.len() < 25, "{left:?}");
            assert!(rewritten < 12 * all, "{rewritten} for {all} rows");
        }
    }
}
