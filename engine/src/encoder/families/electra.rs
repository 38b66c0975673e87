//! ELECTRA (Clark et al. 2020, arXiv:2003.10555).
//!
//! BERT's architecture, trained to tell replaced tokens. Its embeddings may be narrower than its layers, and
//! a linear map widens them.

use std::path::Path;

use serde_json::Value;

use super::super::architecture::{Loader, Shape};
use super::super::settings::{Settings, Sizes, limits};
use super::bert::{BASE, Variant, refuse_decoder};
use crate::Result;

/// Reads `config`, the contents of `path`.
pub(super) fn read(path: &Path, config: &Value) -> Result<(Shape, Loader)> {
    let settings = Settings { path, config };
    refuse_decoder(&settings)?;
    let sizes = settings.sizes(&Sizes {
        width: 256,
        heads: 4,
        intermediate: 1024,
        ..BASE
    })?;
    let variant = Variant {
        embedding: settings.size("embedding_size", 128, limits::DIMENSION)?,
        ..Variant::of(sizes)
    };
    Ok(variant.build("electra", sizes.hidden()))
}
