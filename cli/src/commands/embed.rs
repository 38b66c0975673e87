//! `kenning embed`: texts in, vectors out.

use std::io::{BufRead, Write};

use kenning::encoder::{Encoder, Role};
use serde_json::json;

use crate::args::{EmbedArgs, Global};
use crate::context;
use crate::failure::{Outcome, Result};
use crate::terminal::{json_line, say};

/// Lines are embedded so many at a time.
const BATCH: usize = 256;

pub fn run(global: &Global, args: &EmbedArgs) -> Result {
    let encoder = context::chosen_encoder(global)?;
    let role = if args.query {
        Role::Query
    } else {
        Role::Passage
    };
    let mut input = std::io::stdin().lock();
    let mut waiting: Vec<String> = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        let ended = input.read_until(b'\n', &mut line)? == 0;
        if !ended {
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            waiting.push(String::from_utf8_lossy(text).into_owned());
        }
        if waiting.len() >= BATCH || (ended && !waiting.is_empty()) {
            embed(&encoder, role, &waiting, global.quiet)?;
            waiting.clear();
        }
        if ended {
            return Ok(Outcome::Done);
        }
    }
}

fn embed(encoder: &Encoder, role: Role, texts: &[String], quiet: bool) -> Result<()> {
    let borrowed: Vec<&str> = texts.iter().map(String::as_str).collect();
    let encoded = encoder.encode(role, &borrowed)?;
    let mut output = std::io::stdout().lock();
    for (text, encoded) in texts.iter().zip(encoded) {
        if encoded.tokens < encoded.tokens_untruncated && !quiet {
            let (read, all) = (encoded.tokens, encoded.tokens_untruncated);
            say(&format!(
                "note: a text of {all} tokens was cut to the model's {read}"
            ));
        }
        let object = json!({
            "text": text,
            "tokens": encoded.tokens,
            "embedding": encoded.embedding,
        });
        output.write_all(json_line(&object)?.as_bytes())?;
    }
    output.flush()?;
    Ok(())
}
