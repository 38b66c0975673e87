//! Shows how files are cut into chunks.
//!
//! `cargo run --example show_chunks -- [--tokenizer tokenizer.json] [--max N] [--target N] [--count] FILE...`
//!
//! Without a tokenizer, words count as tokens, long ones as several.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use kenning::chunk::{ChunkOptions, chunk};
use kenning::encoder::Tokens;
use kenning::{Document, Structure};
use tokenizers::Tokenizer;

fn main() -> Result<(), Box<dyn Error>> {
    let mut tokenizer = None;
    let (mut max, mut target, mut count) = (254, None, false);
    let mut files = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or("a value is missing");
        match argument.as_str() {
            "--tokenizer" => {
                let mut read = Tokenizer::from_file(value()?).map_err(|e| e.to_string())?;
                read.with_padding(None);
                read.with_truncation(None).map_err(|e| e.to_string())?;
                tokenizer = Some(read);
            }
            "--max" => max = value()?.parse()?,
            "--target" => target = Some(value()?.parse()?),
            "--count" => count = true,
            _ => files.push(argument),
        }
    }
    let options = ChunkOptions::new(max);
    let options = options
        .clone()
        .with_target(target.unwrap_or(options.target_tokens));
    let tokenize = |text: &str| {
        Ok(tokenizer
            .as_ref()
            .map_or_else(|| words(text), |t| pieces(t, text)))
    };

    for file in files {
        let text = String::from_utf8_lossy(&std::fs::read(&file)?).into_owned();
        let bytes = text.len();
        let document = Document::new(&file, text).with_structure(structure(&file));
        let start = Instant::now();
        let chunked = chunk(&document, &options, &tokenize)?;
        let seconds = start.elapsed().as_secs_f64();
        if !count {
            for chunk in &chunked.chunks {
                let (first, last) = chunk.lines;
                println!(
                    "━━ {file}:{first}-{last}  {} tokens  [{}]",
                    chunk.tokens, chunk.title
                );
                println!("{}\n", chunk.text);
            }
        }
        eprintln!(
            "{file}: {} chunks, {} tokens, {:.1} MB/s",
            chunked.chunks.len(),
            chunked.tokens,
            bytes as f64 / 1e6 / seconds
        );
    }
    Ok(())
}

fn structure(file: &str) -> Structure {
    match Path::new(file)
        .extension()
        .and_then(|extension| extension.to_str())
    {
        None | Some("txt") => Structure::Plain,
        Some("md") => Structure::Markdown,
        Some("rst") => Structure::Rst,
        Some(other) => Structure::Code(other.to_owned()),
    }
}

fn pieces(tokenizer: &Tokenizer, text: &str) -> Tokens {
    let encoding = tokenizer
        .encode(text, false)
        .expect("a tokenizer that takes any text");
    Tokens {
        ids: encoding.get_ids().to_vec(),
        offsets: encoding.get_offsets().to_vec(),
    }
}

fn words(text: &str) -> Tokens {
    let mut tokens = Tokens::default();
    let mut start = 0;
    for word in text.split_inclusive(char::is_whitespace) {
        let letters = word.trim_end();
        for (at, _) in letters.char_indices().step_by(6) {
            let end = letters[at..]
                .char_indices()
                .nth(6)
                .map_or(letters.len(), |(more, _)| at + more);
            tokens.ids.push(0);
            tokens.offsets.push((start + at, start + end));
        }
        start += word.len();
    }
    tokens
}
