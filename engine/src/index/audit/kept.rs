//! What the last audits found, kept beside the index for whoever asks how it is.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::Result;

use super::super::Index;
use super::super::graphs::BuiltGraph;
use super::super::snapshot::Snapshot;
use super::super::store::{Disk, Store};
use super::Audit;

/// The file.
const FILE: &str = "audits.json";
/// Another for every change of its format.
const VERSION: u32 = 1;

/// What the last audits found, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Audits {
    /// The last that read the whole index.
    pub whole: Option<AuditRecord>,
    /// The last of graphs alone, after they were built.
    pub graphs: Option<AuditRecord>,
    /// The segments for which no graph was good enough: none is built for them again before it is asked for.
    pub unfit: Vec<String>,
}

/// An audit, in short.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// When it ended, in seconds since 1970.
    pub at: u64,
    /// The commit that was checked.
    pub generation: u64,
    /// Files whose checksums were checked.
    pub files: u64,
    /// Rows that were checked; of graphs alone, rows in them.
    pub rows: u64,
    /// The least recall of a graph, if there were any.
    pub recall: Option<f32>,
    /// What was wrong, in words, and is not mended: the first few.
    pub problems: Vec<String>,
    /// How much that was.
    pub count: u64,
}

/// So many problems are kept in words.
const WORDS: usize = 3;

impl AuditRecord {
    /// An audit that ends now, with what `problems` says was wrong, which may be more than the index itself.
    pub fn of(audit: &Audit, problems: impl IntoIterator<Item = String>) -> AuditRecord {
        let mut problems: Vec<String> = problems.into_iter().collect();
        let count = problems.len() as u64;
        problems.truncate(WORDS);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        AuditRecord {
            at: now.map_or(0, |now| now.as_secs()),
            generation: audit.generation,
            files: audit.files,
            rows: audit.rows,
            recall: audit.recall(),
            problems,
            count,
        }
    }
}

/// What the file holds.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    #[serde(flatten)]
    audits: Audits,
}

impl Index {
    /// What the last audits found. Where that is not known, or what is known was damaged, it is nothing.
    pub fn audits(&self) -> Audits {
        read(self.store()).unwrap_or_default()
    }

    /// Keeps what an audit of the whole index in `folder` found, for [`Self::audits`]. Where nothing can be written,
    /// nothing is kept.
    ///
    /// # Errors
    /// There is no such folder.
    pub fn keep_audit(folder: &Path, record: AuditRecord) -> Result<()> {
        let store = Store::new(Disk::folder(folder)?);
        let audits = read(&store).unwrap_or_default();
        write(
            &store,
            Audits {
                whole: Some(record),
                ..audits
            },
        );
        Ok(())
    }

    /// Keeps what graphs are worth that were just built.
    pub(in super::super) fn keep_built(&self, snapshot: &Snapshot, built: &[BuiltGraph]) {
        let mut audits = self.audits();
        let kept = built.iter().filter(|graph| graph.kept);
        let recall = kept.map(|graph| graph.check.recall).reduce(f32::min);
        let faults = built.iter().filter_map(|graph| {
            let fault = graph.check.fault()?;
            Some(format!(
                "the graph of segment {} was not kept: {fault}",
                graph.segment
            ))
        });
        let rows = built.iter().map(|graph| graph.rows + graph.twins).sum();
        let audit = Audit {
            generation: snapshot.generation(),
            rows,
            ..Audit::default()
        };
        audits.graphs = Some(AuditRecord {
            recall,
            ..AuditRecord::of(&audit, faults)
        });
        let is_new = |name: &String| built.iter().any(|graph| graph.segment == *name);
        let is_there = |name: &String| snapshot.segments().iter().any(|s| s.name() == *name);
        audits.unfit.retain(|name| is_there(name) && !is_new(name));
        let unfit = built.iter().filter(|graph| !graph.kept);
        audits
            .unfit
            .extend(unfit.map(|graph| graph.segment.clone()));
        write(self.store(), audits);
    }
}

fn read(store: &Store) -> Option<Audits> {
    let kept: Kept = store.read_sealed(FILE)?;
    (kept.version == VERSION).then_some(kept.audits)
}

fn write(store: &Store, audits: Audits) {
    store.write_sealed(
        FILE,
        &Kept {
            version: VERSION,
            audits,
        },
    );
}
