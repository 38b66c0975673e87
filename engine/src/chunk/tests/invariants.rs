//! What holds of any text whatever.

use std::path::Path;
use std::time::{Duration, Instant};

use tokenizers::Tokenizer;

use super::*;
use crate::Structure;
use crate::document::{Block, BlockKind};
use crate::fuzzing::KINDS;

const PIECES: [&str; 46] = [
    "word",
    "Another",
    "sentence ends. ",
    "Really? ",
    "Dr. Who, ",
    " ",
    " ",
    " ",
    "\n",
    "\n",
    "\n\n",
    "\n\n",
    "\r\n",
    "\r\n\r\n",
    "\t",
    "    ",
    "# ",
    "## ",
    "### ",
    "- ",
    "  - ",
    "* ",
    "12. ",
    "> ",
    ">> ",
    "```\n",
    "| a | b |\n|---|---|\n| c | d |\n",
    "---\n",
    "====\n",
    "::\n\n",
    ".. note:: ",
    "日本語の文章です。",
    "한국어 ",
    "ไทยไม่มีช่องว่าง",
    "👩‍👩‍👧‍👦",
    "🇩🇪",
    "e\u{301}\u{323}",
    "\0",
    "\u{a0}",
    "\u{2028}",
    "fn main() {\n",
    "}\n",
    "class A:\n",
    "    def f(self):\n",
    "[link]: http://example.org\n",
    "<div>\n",
];

fn structures() -> Vec<Structure> {
    vec![
        Structure::Plain,
        Structure::Markdown,
        Structure::Rst,
        Structure::Code("rs".into()),
    ]
}

fn random_text(random: &mut Random, pieces: usize) -> String {
    (0..pieces).map(|_| random.pick(&PIECES)).collect()
}

fn random_options(random: &mut Random) -> ChunkOptions {
    let max = 32 + random.below(200);
    ChunkOptions {
        target_tokens: 16 + random.below(300),
        small_tokens: random.below(60),
        title_tokens: random.below(60),
        ..ChunkOptions::new(max)
    }
}

fn bert() -> impl Fn(&str) -> Result<Tokens> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/encoders/bert/tokenizer.json");
    let tokenizer = Tokenizer::from_file(path).unwrap();
    move |text| {
        let encoding = tokenizer.encode(text, false).unwrap();
        Ok(Tokens {
            ids: encoding.get_ids().to_vec(),
            offsets: encoding.get_offsets().to_vec(),
        })
    }
}

#[test]
fn any_text_of_any_structure_is_covered_once_and_fits() {
    let mut random = Random(42);
    for round in 0..400 {
        let length = 1 + random.below(1 + round * 2);
        let text = random_text(&mut random, length);
        for structure in structures() {
            let document = Document::new("random", text.clone())
                .with_title(["", "A title", "word"][round % 3])
                .with_structure(structure);
            let options = random_options(&mut random);
            check_tokens(&document, &options, &words);
            check(&document, &options, &bytes);
        }
    }
}

#[test]
fn the_tokens_of_a_real_tokenizer_are_all_embedded() {
    let bert = bert();
    let mut random = Random(7);
    for round in 0..60 {
        let text = random_text(&mut random, 10 + round * 4);
        for structure in structures() {
            let document = Document::new("random", text.clone())
                .with_title("Title")
                .with_structure(structure);
            let chunked = check(&document, &random_options(&mut random), &bert);
            // BERT does not see blanks, so that it reads the parts of a text as it reads the whole.
            assert_eq!(chunked.tokens, bert(&text).unwrap().ids.len() as u64);
        }
    }
}

#[test]
fn any_blocks_are_covered_once_and_fit() {
    let mut random = Random(99);
    for round in 0..200 {
        let text = random_text(&mut random, 5 + round);
        let mut borders: Vec<usize> = (0..random.below(30))
            .map(|_| text.floor_char_boundary(random.below(text.len() + 1)))
            .collect();
        borders.sort_unstable();
        let block = |pair: &[usize]| Block {
            span: pair[0]..pair[1],
            kind: KINDS[random.below(KINDS.len())],
            page: Some(random.below(9) as u32),
        };
        let blocks = borders.chunks_exact(2).map(block).collect();
        let document = Document::new("random", text).with_structure(Structure::Blocks(blocks));
        check(&document, &random_options(&mut random), &words);
        check(&document, &random_options(&mut random), &bytes);
    }
}

#[test]
fn blanks_make_no_chunk() {
    for text in ["", " ", "\n\n\r\n\t", "\u{a0}\u{3000}"] {
        for structure in structures() {
            let document = Document::new("blank", text).with_structure(structure);
            for tokenize in [&words as &Tokenize, &bytes] {
                let chunked = check(&document, &ChunkOptions::new(64), tokenize);
                assert_eq!(chunked, Chunked::default());
            }
        }
    }
}

#[test]
fn what_the_tokenizer_does_not_know_is_in_a_chunk_still() {
    let document = Document::new("nul", "\0\0\0");
    let chunked = check(&document, &ChunkOptions::new(64), &bert());
    assert_eq!(chunked.chunks.len(), 1);
    assert_eq!(chunked.tokens, 0);
}

#[test]
fn a_word_without_end_is_cut_into_passages_of_readable_size() {
    let options = ChunkOptions::new(256);
    for text in [
        "x".repeat(300_000),
        "é".repeat(150_000),
        format!("a {} b", "漢字".repeat(50_000)),
    ] {
        for tokenize in [&words as &Tokenize, &whole_words, &bytes, &bert()] {
            for structure in structures() {
                let document = Document::new("long", text.clone()).with_structure(structure);
                let chunked = check(&document, &options, tokenize);
                let longest = chunked.chunks.iter().map(|chunk| chunk.text.len()).max();
                assert!(longest <= Some(256 * 64), "{longest:?}");
            }
        }
    }
}

#[test]
fn a_heading_without_end_does_not_fill_every_title() {
    let text = format!(
        "# {}\n\n{}",
        "long ".repeat(10_000),
        "body. ".repeat(10_000)
    );
    let document = Document::new("heading", text).with_structure(Structure::Markdown);
    let chunked = check_tokens(&document, &ChunkOptions::new(128), &words);
    assert!(chunked.chunks.iter().all(|chunk| chunk.title.len() < 400));
    assert!(
        chunked
            .chunks
            .iter()
            .any(|chunk| chunk.title.starts_with("long long"))
    );
}

#[test]
fn a_character_is_never_cut() {
    // A family is one character to a reader, and seven code points of 25 bytes.
    let document = Document::new("family", "👩‍👩‍👧‍👦".repeat(100));
    let chunked = check(&document, &ChunkOptions::new(64), &bytes);
    assert!(chunked.chunks.len() > 30);
    for chunk in &chunked.chunks {
        assert!(
            chunk.text.starts_with('👩') && chunk.text.ends_with('👦'),
            "{}",
            chunk.text
        );
    }
}

#[test]
fn a_character_that_does_not_fit_is_an_error() {
    let document = Document::new("emoji", "a👩b");
    let error = chunk(&document, &ChunkOptions::new(3), &bytes).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the character at byte 1 of \"emoji\" makes 4 tokens, expected at most 3 in a chunk"
    );
    assert!(error.hint().is_some());
}

#[test]
fn blocks_that_do_not_lie_in_the_text_are_an_error() {
    let block = |span| Block {
        span,
        kind: BlockKind::Paragraph,
        page: None,
    };
    for (blocks, expected) in [
        (
            vec![block(0..9)],
            "block 0 of \"d\" spans bytes 0..9, expected a span in the text",
        ),
        (
            vec![block(0..1), block(1..2)],
            "expected a span on character borders",
        ),
        (
            vec![block(0..4), block(3..5)],
            "block 1 of \"d\" spans bytes 3..5, expected a span after",
        ),
        #[allow(clippy::reversed_empty_ranges)]
        (vec![block(3..1)], "expected a span in the text"),
    ] {
        let document = Document::new("d", "aébcd").with_structure(Structure::Blocks(blocks));
        let error = chunk(&document, &ChunkOptions::new(32), &words).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn an_error_of_the_tokenizer_is_handed_on() {
    let fail = |_: &str| {
        Err(crate::Error::io(
            "read",
            "model",
            std::io::ErrorKind::Other.into(),
        ))
    };
    assert!(chunk(&Document::new("d", "text"), &ChunkOptions::new(32), &fail).is_err());
}

#[test]
fn time_is_linear_in_odd_texts() {
    let start = Instant::now();
    let options = ChunkOptions::new(128);
    for text in [
        "# h\n".repeat(20_000),
        "> ".repeat(20_000) + "deep",
        "- ".repeat(2_000) + "deep",
        (0..300)
            .map(|depth| " ".repeat(depth * 2) + "- item\n")
            .collect(),
        "| a | b |\n".repeat(20_000),
        "a.".to_owned() + &" ".repeat(200_000) + "b",
        ". ".repeat(100_000),
        "[".repeat(50_000),
        "e\u{301}".to_owned() + &"\u{301}".repeat(50_000),
        "class A {\n".repeat(5_000),
        (0..2_000)
            .map(|depth| " ".repeat(depth % 40) + "class A {\n")
            .collect(),
    ] {
        for structure in structures() {
            let document = Document::new("odd", text.clone()).with_structure(structure);
            check(&document, &options, &words);
        }
    }
    assert!(
        start.elapsed() < Duration::from_secs(180),
        "{:?}",
        start.elapsed()
    );
}
