//! Which segments to merge: many small ones into one, and large ones only when it pays.
//!
//! Segments are grouped by size, each tier eight times the one below, and eight of a tier become one of the
//! next, as in a log-structured merge tree: a row is rewritten once a tier. A large segment has a graph
//! that took long to build, so it is rewritten only when a fifth of its rows are deleted.

use tantivy::index::SegmentMeta;
use tantivy::indexer::{MergeCandidate, MergePolicy};

/// So many segments of a tier are merged into one.
const FAN_IN: usize = 8;
/// Segments below this size share the lowest tier.
const SMALLEST_TIER: u32 = 2_000;
/// No merge makes a segment larger than this: it would take too long to build its graph anew.
const LARGEST: u32 = 1_000_000;
/// The share of deleted rows at which a segment is rewritten alone.
const DELETED: f32 = 0.2;

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
        whole.sort_by_key(|segment| (tier(segment), segment.id()));
        for tier in whole.chunk_by(|a, b| tier(a) == tier(b)) {
            for group in tier.chunks_exact(FAN_IN) {
                candidates.push(MergeCandidate(group.iter().map(|s| s.id()).collect()));
            }
        }
        candidates
    }
}
