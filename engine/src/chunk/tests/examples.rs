//! Small documents of each structure, and how they are cut.

use super::*;
use crate::Structure;
use crate::document::{Block, BlockKind};

/// Titles and texts of the chunks of a document, `max` words at most.
pub(super) fn cut(
    title: &str,
    text: &str,
    structure: Structure,
    options: &ChunkOptions,
) -> Vec<(String, String)> {
    let document = Document::new("d", text)
        .with_title(title)
        .with_structure(structure);
    let chunks = check(&document, options, &whole_words).chunks;
    chunks
        .into_iter()
        .map(|chunk| (chunk.title, chunk.text))
        .collect()
}

fn texts(text: &str, structure: Structure, options: &ChunkOptions) -> Vec<String> {
    let chunks = cut("", text, structure, options);
    chunks.into_iter().map(|(_, text)| text).collect()
}

/// The parts that a text is seen to have.
fn parts(text: &str, structure: Structure) -> Vec<(BlockKind, &str)> {
    let document = Document::new("d", text).with_structure(structure);
    let parts = outline::outline(&document).unwrap();
    let parts = parts.into_iter();
    parts.map(|part| (part.kind, &text[part.span])).collect()
}

fn titles(chunks: &[(String, String)]) -> Vec<&str> {
    chunks.iter().map(|(title, _)| title.as_str()).collect()
}

/// Chunks of `words` words, with room for a title besides, and none joined for being small.
pub(super) fn size(words: usize) -> ChunkOptions {
    ChunkOptions {
        target_tokens: words,
        small_tokens: 0,
        ..ChunkOptions::new(words + 100)
    }
}

pub(super) fn filler(words: usize) -> String {
    vec!["word"; words].join(" ")
}

#[test]
fn a_short_text_is_one_chunk() {
    let chunks = cut("T", "One.\n\nTwo.\n", Structure::Plain, &size(50));
    assert_eq!(chunks, [("T".to_owned(), "One.\n\nTwo.".to_owned())]);
}

#[test]
fn the_input_is_title_then_text() {
    let document = Document::new("d", "alpha beta").with_title("The Title");
    let chunks = check(&document, &size(50), &whole_words).chunks;
    let expected: Vec<u32> = ["The", "Title", "alpha", "beta"].map(id).to_vec();
    assert_eq!(chunks[0].input, expected);
    assert_eq!(chunks[0].tokens, 2);
}

#[test]
fn a_long_text_is_cut_at_paragraphs_into_equal_chunks() {
    let paragraph = filler(10);
    let text = vec![paragraph; 9].join("\n\n");
    let sizes: Vec<usize> = texts(&text, Structure::Plain, &size(40))
        .iter()
        .map(|text| text.split_whitespace().count())
        .collect();
    assert_eq!(sizes, [30, 30, 30]);
}

#[test]
fn a_long_paragraph_is_cut_after_sentences() {
    let text = "Mr. Fox saw it at once. He ran off, quick as wind. The hen slept on! Was it a dream? \
                Nobody knew the answer.";
    let expected = [
        "Mr. Fox saw it at once.",
        "He ran off, quick as wind.",
        "The hen slept on!",
        "Was it a dream? Nobody knew the answer.",
    ];
    assert_eq!(texts(text, Structure::Plain, &size(8)), expected);
}

#[test]
fn a_long_sentence_is_cut_after_clauses_then_between_words() {
    let text =
        "one two three four five, six seven eight nine ten eleven twelve thirteen fourteen fifteen";
    let chunks = texts(text, Structure::Plain, &size(8));
    assert_eq!(chunks[0], "one two three four five,");
    assert!(
        chunks
            .iter()
            .all(|chunk| chunk.split_whitespace().count() <= 8)
    );
}

#[test]
fn text_without_blanks_is_cut_after_full_stops() {
    let text = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。何でも薄暗い所で泣いていた。";
    let document = Document::new("cat", text);
    let chunks = check_tokens(&document, &ChunkOptions::new(32).with_target(6), &words).chunks;
    let last: Vec<char> = chunks
        .iter()
        .filter_map(|c| c.text.chars().next_back())
        .collect();
    // A token is four characters here, so that only some sentences end with one.
    assert!(last.contains(&'。'), "{last:?}");
    let each = |text: &str| {
        let offsets: Vec<_> = text
            .char_indices()
            .map(|(at, c)| (at, at + c.len_utf8()))
            .collect();
        Ok(Tokens {
            ids: vec![1; offsets.len()],
            offsets,
        })
    };
    let chunks = check_tokens(&document, &ChunkOptions::new(32).with_target(20), &each).chunks;
    assert_eq!(chunks[0].text, "吾輩は猫である。名前はまだ無い。");
    assert!(chunks.iter().all(|chunk| chunk.text.ends_with('。')));
}

#[test]
fn hard_wrapped_lines_are_no_sentences() {
    let text = "The first sentence is wrapped\nhere and ends now. The second\nis wrapped as well.";
    let expected = [
        "The first sentence is wrapped\nhere and ends now.",
        "The second\nis wrapped as well.",
    ];
    assert_eq!(texts(text, Structure::Plain, &size(10)), expected);
}

#[test]
fn plain_headings_are_found_where_unmistakable() {
    let text = "Introduction\n============\n\nSome words here.\n\n2.1 Methods\n\nMore words here.\n\n\
                Chapter IV. The Storm\n\nWind and rain.\n\n2.5 litres of milk are not a heading\n\nNor is this.";
    let chunks = cut("Book", text, Structure::Plain, &size(8));
    let titles = titles(&chunks);
    assert_eq!(
        chunks[0].1,
        "Introduction\n============\n\nSome words here."
    );
    assert_eq!(chunks[1].1, "2.1 Methods\n\nMore words here.");
    assert_eq!(chunks[2].1, "Chapter IV. The Storm\n\nWind and rain.");
    assert!(titles[1].ends_with("Introduction"), "{titles:?}");
    assert!(
        titles.iter().all(|title| !title.contains("litres")),
        "{titles:?}"
    );
}

#[test]
fn markdown_sections_are_chunks_and_their_headings_titles() {
    let text = "# Guide\n\nIntro words.\n\n## Install *now*\n\nGet `it`.\n\n### On Linux\n\nUse apt.\n\n\
                ## Use\n\nRun it.\n";
    let chunks = cut("Guide", text, Structure::Markdown, &size(40));
    let expected = [
        ("Guide", "# Guide\n\nIntro words."),
        ("Guide", "## Install *now*\n\nGet `it`."),
        ("Guide › Install now", "### On Linux\n\nUse apt."),
        ("Guide", "## Use\n\nRun it."),
    ];
    let expected = expected.map(|(title, text)| (title.to_owned(), text.to_owned()));
    assert_eq!(chunks, expected);
}

#[test]
fn the_rest_of_a_long_section_bears_its_heading() {
    let text = format!("# A\n\n## B\n\n{}\n\n{}", filler(20), filler(20));
    let chunks = cut("", &text, Structure::Markdown, &size(30));
    assert_eq!(chunks[0].1, format!("# A\n\n## B\n\n{}", filler(20)));
    assert_eq!(chunks[0].0, "");
    assert_eq!(chunks[1], ("A › B".to_owned(), filler(20)));
}

#[test]
fn no_chunk_is_only_a_heading() {
    let text = format!(
        "# A\n\n## B\n\n### C\n\n{}\n\n## D\n\n{}\n\n# End\n",
        filler(30),
        filler(20)
    );
    for words in [31, 36, 40] {
        let options = ChunkOptions::new(100).with_target(words);
        for chunk in texts(&text, Structure::Markdown, &options) {
            assert!(chunk.contains("word"), "{words}: {chunk}");
        }
    }
}

#[test]
fn small_sections_are_joined_under_the_heading_they_share() {
    let text = "# Faq\n\n## One?\n\nYes, it is.\n\n## Two?\n\nNo.\n\n# Other\n\nA longer text of its own is here, \
                with more words than are small.\n";
    let options = ChunkOptions::new(140).with_target(40);
    let chunks = cut("", text, Structure::Markdown, &options);
    assert_eq!(chunks.len(), 2);
    assert!(chunks[0].1.starts_with("# Faq") && chunks[0].1.ends_with("No."));
    assert!(chunks[1].1.starts_with("# Other"));
    let text = format!(
        "# Faq\n\n{}\n\n## One?\n\nYes.\n\n## Two?\n\nNo.\n",
        filler(38)
    );
    let chunks = cut("", &text, Structure::Markdown, &options);
    assert_eq!(
        chunks[1],
        (
            "Faq".to_owned(),
            "## One?\n\nYes.\n\n## Two?\n\nNo.".to_owned()
        )
    );
}

#[test]
fn a_list_is_not_parted_from_what_announces_it() {
    let items = "- one two three four\n".repeat(4);
    let text = format!("{}\n\nThere are these:\n\n{items}", filler(18));
    let chunks = texts(&text, Structure::Markdown, &size(30));
    assert_eq!(chunks[0], filler(18));
    assert!(
        chunks[1].starts_with("There are these:\n\n- one"),
        "{chunks:?}"
    );
}

#[test]
fn nested_lists_quotes_and_code_are_parts() {
    let text = "- a b c\n  - d e f\n\n    more\n- g h i\n\n> quoted words\n> here\n\n```rust\nlet a = 1;\n```\n";
    let parts = parts(text, Structure::Markdown);
    let expected = [
        (BlockKind::ListItem, "- a b c"),
        (BlockKind::ListItem, "- d e f"),
        (BlockKind::Paragraph, "more"),
        (BlockKind::ListItem, "- g h i"),
        (BlockKind::Paragraph, "> quoted words\n> here"),
        (BlockKind::Code, "```rust\nlet a = 1;\n```"),
    ];
    assert_eq!(parts, expected);
}

#[test]
fn front_matter_html_and_link_definitions_are_kept() {
    let text = "---\ntitle: T\n---\n\n# H\n\n<!-- note -->\n\nText [a].\n\n[a]: http://x.org\n\n<div>\nx\n</div>\n";
    let parts = parts(text, Structure::Markdown);
    let expected = [
        (BlockKind::Code, "---\ntitle: T\n---"),
        (BlockKind::Heading(1), "# H"),
        (BlockKind::Paragraph, "<!-- note -->"),
        (BlockKind::Paragraph, "Text [a].\n\n[a]: http://x.org"),
        (BlockKind::Paragraph, "<div>\nx\n</div>"),
    ];
    assert_eq!(parts, expected);
}

#[test]
fn a_heading_in_a_quotation_names_the_quotation_only() {
    let quote = format!("> ### Aside\n>\n> {}\n>\n> {}\n", filler(8), filler(8));
    let text = format!("# A\n\nBefore it.\n\n{quote}\nAfter it.\n");
    let chunks = cut("", &text, Structure::Markdown, &size(14));
    assert_eq!(titles(&chunks), ["", "A", "A › Aside", "A"]);
    assert!(chunks[1].1.starts_with("> ### Aside"));
    assert_eq!(chunks[3].1, "After it.");
}

#[test]
fn the_first_row_of_a_table_names_its_other_chunks() {
    let rows = "| Oslo | 700 | cold |\n".repeat(12);
    let text = format!("# Cities\n\n| City | People | Note |\n|---|---|---|\n{rows}\nDone.\n");
    let chunks = cut("", &text, Structure::Markdown, &size(40));
    assert!(chunks[0].1.starts_with("# Cities\n\n| City"));
    assert_eq!(chunks[1].0, "Cities › City | People | Note");
    assert!(chunks[1].1.starts_with("| Oslo"));
    assert_eq!(
        chunks.last().unwrap(),
        &("Cities".to_owned(), "Done.".to_owned())
    );
}

#[test]
fn rst_titles_directives_and_literal_blocks() {
    let text = "=====\nTitle\n=====\n\nIntro.\n\nPart\n----\n\nLook::\n\n    some code\n\n    more code\n\nAfter.\n\n\
                .. code-block:: rust\n   :linenos:\n\n   let a;\n\n.. note:: Mind\n   this.\n\n- item\n- item\n\n==  ==\na   b\n==  ==\n\nDeep\n~~~~\n\n:field: x\n";
    let parts = parts(text, Structure::Rst);
    let expected = [
        (BlockKind::Heading(1), "=====\nTitle\n====="),
        (BlockKind::Paragraph, "Intro."),
        (BlockKind::Heading(2), "Part\n----"),
        (BlockKind::Paragraph, "Look::"),
        (BlockKind::Code, "some code\n\n    more code"),
        (BlockKind::Paragraph, "After."),
        (
            BlockKind::Code,
            ".. code-block:: rust\n   :linenos:\n\n   let a;",
        ),
        (BlockKind::Paragraph, ".. note:: Mind\n   this."),
        (BlockKind::ListItem, "- item"),
        (BlockKind::ListItem, "- item"),
        (BlockKind::Code, "==  ==\na   b\n==  =="),
        (BlockKind::Heading(3), "Deep\n~~~~"),
        (BlockKind::ListItem, ":field: x"),
    ];
    assert_eq!(parts, expected);
    let chunks = cut("", text, Structure::Rst, &size(30));
    assert_eq!(chunks.last().unwrap().0, "Title › Part");
}

#[test]
fn blocks_keep_their_pages_and_gaps_go_with_the_block_before() {
    let text = "Title\nfirst page words [1] second page words";
    let block = |span, kind, page| Block {
        span,
        kind,
        page: Some(page),
    };
    let blocks = vec![
        block(0..5, BlockKind::Heading(1), 1),
        block(6..22, BlockKind::Paragraph, 1),
        block(27..44, BlockKind::Paragraph, 2),
    ];
    let document = Document::new("d", text).with_structure(Structure::Blocks(blocks));
    let chunks = check(&document, &size(5), &whole_words).chunks;
    let found: Vec<_> = chunks
        .iter()
        .map(|chunk| (chunk.page, chunk.text.as_str()))
        .collect();
    let expected = [
        (Some(1), "Title\nfirst page words [1]"),
        (Some(2), "second page words"),
    ];
    assert_eq!(found, expected);
    assert_eq!(chunks[1].title, "Title");
}

#[test]
fn a_long_title_loses_its_leading_headings_first() {
    let text = format!(
        "# {}\n\n## Inner part\n\n{}\n\n{}",
        filler(8),
        filler(10),
        filler(10)
    );
    let document = Document::new("d", text.as_str())
        .with_title("Doc")
        .with_structure(Structure::Markdown);
    let options = ChunkOptions {
        title_tokens: 6,
        ..size(12)
    };
    let chunks = check(&document, &options, &whole_words).chunks;
    let last = chunks.last().unwrap();
    assert_eq!(last.title, format!("Doc › {} › Inner part", filler(8)));
    assert_eq!(
        last.input[..last.input.len() - last.tokens as usize],
        [id("Inner"), id("part")]
    );
}

#[test]
fn a_title_is_never_more_than_half_of_the_input() {
    let document = Document::new("d", "some text").with_title(filler(40));
    let options = ChunkOptions {
        title_tokens: 40,
        ..ChunkOptions::new(40)
    };
    let chunks = check(&document, &options, &whole_words).chunks;
    assert_eq!((chunks[0].input.len(), chunks[0].tokens), (22, 2));
}
