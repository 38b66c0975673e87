//! Reading: one commit, whole, for as long as it is held.

use std::sync::Arc;

use tantivy::columnar::StrColumn;
use tantivy::directory::error::OpenReadError;
use tantivy::index::SegmentComponent;
use tantivy::schema::Value as _;
use tantivy::{DocAddress, Searcher, SegmentReader, TantivyDocument, TantivyError};

use crate::Result;
use crate::vector::column::Column;
use crate::vector::plugin::open_column;

use super::documents::{Documents, SectionShape};
use super::graphs::SegmentGraph;
use super::schema::{Fields, StoredChunk, StoredDocument};
use super::{Index, IndexError, IndexSpec};

/// A merge in another process can remove a column between the reload and its opening. One more try
/// has always been enough; more are for very busy disks.
const TRIES: usize = 8;

/// One segment, open: postings, stored fields, vectors, the table of its documents, and the graph.
pub(crate) struct Segment {
    pub reader: SegmentReader,
    pub column: Column,
    /// Ids of documents; none in a segment without any.
    pub ids: Option<StrColumn>,
    pub documents: Arc<Documents>,
    pub graph: SegmentGraph,
}

/// A consistent view of an index. It does not change while a writer commits, also from another
/// process. Cheap to clone.
#[derive(Clone)]
pub struct Snapshot {
    index: Index,
    view: Arc<View>,
}

/// What snapshots of one commit share.
pub(super) struct View {
    searcher: Searcher,
    segments: Arc<[Arc<Segment>]>,
    generation: u64,
    /// [`Index::commit_on_disk`] before anything was opened. If it is still the same, so are the segments: no two
    /// commits have the same.
    commit: Vec<u8>,
}

/// Where a document is: its segment's place in the snapshot and its number in the segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct DocumentAddress {
    pub segment: u32,
    pub document: u32,
}

impl View {
    /// Opens the last commit. `known` is an earlier view, whose segments are taken over where they have not
    /// changed.
    pub fn open(index: &Index, known: Option<&View>) -> Result<Self> {
        let mut tries = 0;
        let mut last: Option<View> = None;
        loop {
            tries += 1;
            match Self::try_open(index, last.as_ref().or(known), tries) {
                Err(TantivyError::OpenReadError(OpenReadError::FileDoesNotExist(_)))
                    if tries < TRIES => {}
                // A commit in between: what was opened is whole, but its number may be that of the next.
                Ok(view) if tries < TRIES && !view.is_last(index)? => last = Some(view),
                result => return Ok(result.map_err(IndexError::from)?),
            }
        }
    }

    fn try_open(index: &Index, known: Option<&View>, tries: usize) -> tantivy::Result<Self> {
        let commit = index.commit_on_disk()?;
        // The reader has opened all segments when it was made, which is not to be done twice.
        if tries > 1 || commit != index.opened() {
            index.reader().reload()?;
        }
        let searcher = index.reader().searcher();
        let encoder = &index.spec().encoder;
        let shape = SectionShape::new(encoder.max_tokens);
        let mut segments = Vec::new();
        for reader in searcher.segment_readers() {
            let same = |s: &&Arc<Segment>| {
                s.reader.segment_id() == reader.segment_id()
                    && s.reader.delete_opstamp() == reader.delete_opstamp()
            };
            let mut known = known.iter().flat_map(|view| view.segments.iter());
            let segment = match known.find(same) {
                Some(segment) if !segment.graph.is_stale(index, reader) => Arc::clone(segment),
                Some(segment) => Arc::new(Segment {
                    column: segment.column.clone(),
                    ids: segment.ids.clone(),
                    documents: Arc::clone(&segment.documents),
                    graph: SegmentGraph::open(index, reader),
                    reader: reader.clone(),
                }),
                None => Arc::new(Segment {
                    column: open_whole(reader, encoder.dimension)?,
                    ids: reader.fast_fields().str("id")?,
                    documents: Arc::new(Documents::read(reader, shape)?),
                    graph: SegmentGraph::open(index, reader),
                    reader: reader.clone(),
                }),
            };
            segments.push(segment);
        }
        // Read last: a commit in between makes the number too high, never too low, and is noticed.
        let generation = index.tantivy().load_metas()?.opstamp;
        index.store().keep_verified();
        Ok(View {
            searcher,
            segments: segments.into(),
            generation,
            commit,
        })
    }

    /// Whether nothing was committed since it was begun to be opened.
    fn is_last(&self, index: &Index) -> Result<bool> {
        Ok(index.commit_on_disk().map_err(IndexError::from)? == self.commit)
    }

    /// Whether nothing was committed since, and no graph built.
    pub fn is_current(&self, index: &Index) -> Result<bool> {
        if !self.is_last(index)? {
            return Ok(false);
        }
        let mut segments = self.segments.iter();
        Ok(segments.all(|segment| !segment.graph.is_stale(index, &segment.reader)))
    }
}

/// Opens the vectors of a segment that has all its files. tantivy takes a file of positions that is not there for an
/// empty one, and would find no phrase.
fn open_whole(reader: &SegmentReader, dimension: usize) -> tantivy::Result<Column> {
    reader.open_read(SegmentComponent::Positions)?;
    open_column(reader, dimension)
}

impl Snapshot {
    pub(super) fn new(index: &Index, view: Arc<View>) -> Self {
        let index = index.clone();
        Snapshot { index, view }
    }

    /// The number of the commit; it grows with every commit.
    pub fn generation(&self) -> u64 {
        self.view.generation
    }

    /// What the index was built with.
    pub fn spec(&self) -> &IndexSpec {
        self.index.spec()
    }

    /// Number of documents.
    pub fn documents(&self) -> u64 {
        let segments = self.view.segments.iter();
        segments.map(|segment| segment.documents.len() as u64).sum()
    }

    /// Number of chunks.
    pub fn chunks(&self) -> u64 {
        let segments = self.view.segments.iter();
        segments
            .map(|segment| segment.documents.living_rows())
            .sum()
    }

    /// Number of segments.
    pub fn segment_count(&self) -> usize {
        self.view.segments.len()
    }

    pub(crate) fn segments(&self) -> &Arc<[Arc<Segment>]> {
        &self.view.segments
    }

    pub(crate) fn fields(&self) -> &Fields {
        self.index.fields()
    }

    /// The id of a document.
    pub(crate) fn id(&self, address: DocumentAddress) -> Result<String> {
        let segment = &self.view.segments[address.segment as usize];
        let row = segment.documents.rows(address.document).start;
        let mut id = String::new();
        if let Some(column) = &segment.ids
            && let Some(ordinal) = column.term_ords(row).next()
        {
            column
                .ord_to_str(ordinal, &mut id)
                .map_err(IndexError::from)?;
        }
        Ok(id)
    }

    /// A number that orders the documents of one segment as their ids do.
    pub(crate) fn id_order(&self, address: DocumentAddress) -> u64 {
        let segment = &self.view.segments[address.segment as usize];
        let row = segment.documents.rows(address.document).start;
        let ordinals = segment.ids.as_ref().map(|ids| ids.term_ords(row).next());
        ordinals.flatten().unwrap_or_default()
    }

    /// What is stored about a document.
    pub(crate) fn stored_document(&self, address: DocumentAddress) -> Result<StoredDocument> {
        let segment = &self.view.segments[address.segment as usize];
        let row = segment.documents.rows(address.document).start;
        self.stored(address.segment, row, self.fields().document)
    }

    /// What is stored about a chunk.
    pub(crate) fn stored_chunk(&self, segment: u32, row: u32) -> Result<StoredChunk> {
        self.stored(segment, row, self.fields().row)
    }

    fn stored<T: serde::de::DeserializeOwned>(
        &self,
        segment: u32,
        row: u32,
        field: tantivy::schema::Field,
    ) -> Result<T> {
        let address = DocAddress::new(segment, row);
        let stored: TantivyDocument = self.view.searcher.doc(address).map_err(IndexError::from)?;
        let text = stored.get_first(field).and_then(|value| value.as_str());
        let damaged = |reason: String| IndexError::Damaged { reason };
        let text = text.ok_or_else(|| damaged(format!("row {row} has no stored text")))?;
        let parsed = serde_json::from_str(text);
        Ok(parsed.map_err(|error| damaged(format!("row {row} cannot be read: {error}")))?)
    }

    /// Calls `visit` with id and stored facts of every document, segment by segment.
    pub fn for_each_document(
        &self,
        mut visit: impl FnMut(String, StoredDocument) -> Result<()>,
    ) -> Result<()> {
        for (segment, view) in (0u32..).zip(self.view.segments.iter()) {
            for document in 0..view.documents.len() as u32 {
                let address = DocumentAddress { segment, document };
                visit(self.id(address)?, self.stored_document(address)?)?;
            }
        }
        Ok(())
    }
}
