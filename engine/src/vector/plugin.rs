//! How a segment of the index writes and merges its vector column, as a plugin of tantivy.

use std::any::Any;
use std::collections::BTreeMap;
use std::io;

use tantivy::directory::{TerminatingWrite, WritePtr};
use tantivy::index::{Segment, SegmentComponent, SegmentReader};
use tantivy::indexer::doc_id_mapping::{DocIdMapping, MappingType};
use tantivy::schema::document::{ErasedDocument, Value as _};
use tantivy::schema::{Field, FieldType, Schema};
use tantivy::space_usage::ComponentSpaceUsage;
use tantivy::{
    DocId, HasLen, PluginMergeContext, PluginWriter, PluginWriterContext, SegmentPlugin,
    TantivyDocument, TantivyError,
};

use super::column::{CODES, Column, ColumnWriter, RESIDUALS};

/// The custom field type that this plugin consumes: little-endian f32, one vector a row.
pub const FIELD_TYPE: &str = "kenning-vector";

/// The file of a segment's graph. It is derived: written after the commit, by whoever builds graphs.
pub const GRAPH: &str = "hnsw";

/// Stores the vectors of the field of type [`FIELD_TYPE`].
#[derive(Debug, Clone, Copy)]
pub struct VectorPlugin {
    /// Components of a vector.
    pub dimension: usize,
}

/// Opens the column of a segment.
pub fn open_column(reader: &SegmentReader, dimension: usize) -> tantivy::Result<Column> {
    let read = |extension: &str| -> tantivy::Result<_> {
        let file = reader.open_read(SegmentComponent::Custom(extension.to_owned()))?;
        Ok(file.read_bytes()?)
    };
    Column::open(read(CODES)?, read(RESIDUALS)?, reader.max_doc(), dimension).map_err(|error| {
        let segment = reader.segment_id().uuid_string();
        let error = format!("segment {segment}: {error}");
        io::Error::new(io::ErrorKind::InvalidData, error).into()
    })
}

fn open_writer(segment: &Segment, dimension: usize) -> tantivy::Result<ColumnWriter<WritePtr>> {
    let open = |extension: &str| segment.open_write(SegmentComponent::Custom(extension.to_owned()));
    Ok(ColumnWriter::new(dimension, open(CODES)?, open(RESIDUALS)?))
}

/// A file that is not terminated commits and cannot be read, so both always are.
fn close(writer: ColumnWriter<WritePtr>) -> tantivy::Result<()> {
    let (codes, residuals) = writer.finish()?;
    codes.terminate()?;
    residuals.terminate()?;
    Ok(())
}

impl SegmentPlugin for VectorPlugin {
    fn extensions(&self) -> &[&str] {
        // The set is fixed when an index is created, so the graph's is among them from the start.
        &[CODES, RESIDUALS, GRAPH]
    }

    fn create_writer(
        &self,
        context: &PluginWriterContext,
    ) -> tantivy::Result<Box<dyn PluginWriter>> {
        let is_vector =
            |kind: &FieldType| matches!(kind, FieldType::Custom(o) if o.type_name() == FIELD_TYPE);
        let schema = context.segment.schema();
        let field = schema
            .fields()
            .find_map(|(field, entry)| is_vector(entry.field_type()).then_some(field))
            .ok_or_else(|| TantivyError::FieldNotFound(FIELD_TYPE.to_owned()))?;
        Ok(Box::new(VectorWriter {
            field,
            dimension: self.dimension,
            column: open_writer(context.segment, self.dimension)?,
        }))
    }

    fn merge(&self, context: PluginMergeContext) -> tantivy::Result<()> {
        // A sorted index would shuffle rows; Kenning never sorts one.
        if context.doc_id_mapping.mapping_type() == MappingType::Shuffled {
            return Err(sorted());
        }
        let mut writer = open_writer(context.target_segment, self.dimension)?;
        for reader in context.readers {
            let column = open_column(reader, self.dimension)?;
            for row in reader.doc_ids_alive() {
                writer.copy(&column, row)?;
            }
        }
        close(writer)
    }

    fn space_usage(
        &self,
        reader: &SegmentReader,
    ) -> tantivy::Result<BTreeMap<String, ComponentSpaceUsage>> {
        // The default would fail where the graph has not been built.
        let mut usage = BTreeMap::new();
        for extension in self.extensions() {
            if let Ok(file) = reader.open_read(SegmentComponent::Custom((*extension).to_owned())) {
                let bytes = ComponentSpaceUsage::Basic((file.len() as u64).into());
                usage.insert((*extension).to_owned(), bytes);
            }
        }
        Ok(usage)
    }
}

fn sorted() -> TantivyError {
    TantivyError::InvalidArgument("a sorted index cannot hold vectors".to_owned())
}

/// Rows go straight to the files: buffered rows would count against tantivy's memory budget and cut
/// the index into many small segments.
struct VectorWriter {
    field: Field,
    dimension: usize,
    column: ColumnWriter<WritePtr>,
}

impl PluginWriter for VectorWriter {
    fn add_document(
        &mut self,
        row: DocId,
        document: &dyn ErasedDocument,
        _: &Schema,
    ) -> tantivy::Result<()> {
        let document = document
            .as_any()
            .downcast_ref::<TantivyDocument>()
            .ok_or_else(|| TantivyError::InvalidArgument("not a TantivyDocument".to_owned()))?;
        if row as usize != self.column.rows() {
            let text = format!("row {row} follows row {}", self.column.rows());
            return Err(TantivyError::InternalError(text));
        }
        let bytes = document
            .get_first(self.field)
            .and_then(|value| value.as_custom())
            .unwrap_or_default();
        if !bytes.is_empty() && bytes.len() != self.dimension * 4 {
            let text = format!("{} bytes, expected {} × 4", bytes.len(), self.dimension);
            return Err(TantivyError::InvalidArgument(text));
        }
        self.column.push(&from_bytes(bytes))?;
        Ok(())
    }

    fn serialize(
        self: Box<Self>,
        _: &Segment,
        doc_id_map: Option<&DocIdMapping>,
    ) -> tantivy::Result<()> {
        if doc_id_map.is_some() {
            return Err(sorted());
        }
        close(self.column)
    }

    fn mem_usage(&self) -> usize {
        self.column.rows() * 4
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// A vector as the bytes of the custom field.
pub fn to_bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn from_bytes(bytes: &[u8]) -> Vec<f32> {
    let words = bytes.chunks_exact(4);
    words
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect()
}
