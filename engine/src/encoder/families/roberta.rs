//! RoBERTa (Liu et al. 2019, arXiv:1907.11692), and with its architecture XLM-RoBERTa (Conneau et al. 2019,
//! arXiv:1911.02116) and CamemBERT (Martin et al. 2019, arXiv:1911.03894).
//!
//! BERT, trained longer. What differs for a reader of its weights: positions are counted from the row after
//! the padding token's id, 2 as a rule, and there is one type of token, or none.

use std::path::Path;

use serde_json::Value;

use super::super::architecture::{Loader, Shape};
use super::super::settings::{Settings, Sizes};
use super::bert::{BASE, Variant, refuse_decoder};
use crate::Result;

/// Reads `config`, the contents of `path`, of the family `name`.
pub(super) fn read(name: &'static str, path: &Path, config: &Value) -> Result<(Shape, Loader)> {
    let settings = Settings { path, config };
    refuse_decoder(&settings)?;
    let defaults = Sizes {
        vocabulary: if name == "roberta" { 50_265 } else { 30_522 },
        ..BASE
    };
    let sizes = settings.sizes(&defaults)?;
    // The last position that is left is the row after it.
    let most = sizes.positions.saturating_sub(2);
    let padding = settings.count("pad_token_id", 1, most)?;
    let variant = Variant {
        padding: Some(padding as u32),
        ..Variant::of(sizes)
    };
    Ok(variant.build(name, format!("{} padding={padding}", sizes.hidden())))
}
