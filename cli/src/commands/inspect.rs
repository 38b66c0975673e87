//! `kenning inspect tokens`: how tokenizers cut a text.

use kenning::encoder::Encoder;
use serde_json::json;

use crate::args::Global;
use crate::context;
use crate::failure::{Outcome, Result};
use crate::terminal::{one_line, print, print_json};

/// Shows the tokens of a text for each of the encoders.
pub fn tokens(global: &Global, text: &str, json: bool) -> Result {
    for name in global.chosen_models() {
        let encoder = context::load_encoder(global, name)?;
        if json {
            print_json(&as_json(name, &encoder, text)?)?;
        } else {
            print(&format!("{}\n", as_text(name, &encoder, text)?))?;
        }
    }
    Ok(Outcome::Done)
}

fn as_text(name: &str, encoder: &Encoder, text: &str) -> Result<String> {
    let tokens = encoder.tokenize(text)?;
    let pieces = tokens.ids.iter().map(|&id| one_line(&encoder.token(id)));
    Ok(format!(
        "{} ({}, {} tokens and {} special ones)\n  {}",
        one_line(name),
        encoder.tokenizer_kind(),
        tokens.ids.len(),
        encoder.special_tokens(),
        pieces.collect::<Vec<_>>().join(" · ")
    ))
}

fn as_json(name: &str, encoder: &Encoder, text: &str) -> Result<serde_json::Value> {
    let tokens = encoder.tokenize(text)?;
    let pieces = tokens.ids.iter().zip(&tokens.offsets).map(|(&id, &(start, end))| {
        json!({ "id": id, "token": encoder.token(id), "bytes": [start, end] })
    });
    Ok(json!({
        "model": name,
        "tokenizer": encoder.tokenizer_kind(),
        "special_tokens": encoder.special_tokens(),
        "tokens": pieces.collect::<Vec<_>>(),
    }))
}
