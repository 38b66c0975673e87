//! Markdown: CommonMark with tables and front matter, as `pulldown-cmark` reads it.

use std::ops::Range;

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::{Mark, Opening};
use crate::document::BlockKind;

/// A heading within a quotation names the rest of the quotation only.
const QUOTED_LEVEL: u8 = 6;

pub(super) fn marks(text: &str) -> Vec<Mark> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_HEADING_ATTRIBUTES
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS
        | Options::ENABLE_PLUSES_DELIMITED_METADATA_BLOCKS;
    let mut reader = Reader::new(text);
    for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
        match event {
            Event::Start(tag) => reader.start(&tag, range),
            Event::End(tag) => reader.end(tag),
            Event::Text(words) | Event::Code(words) => reader.words(&words),
            Event::SoftBreak | Event::HardBreak => reader.words(" "),
            _ => {}
        }
    }
    reader.marks
}

struct Reader<'a> {
    text: &'a str,
    marks: Vec<Mark>,
    /// How many list items and quotations enclose the event at hand.
    items: usize,
    quotes: usize,
    /// The name of the heading at hand, while inside one.
    name: Option<(usize, u8, String)>,
    /// Whether the quotation at hand has opened a section.
    quoted_section: bool,
    /// Whether the next mark ends the section of a quotation.
    closing: bool,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Reader {
            text,
            marks: Vec::new(),
            items: 0,
            quotes: 0,
            name: None,
            quoted_section: false,
            closing: false,
        }
    }

    fn start(&mut self, tag: &Tag, range: Range<usize>) {
        match tag {
            Tag::Heading { level, .. } if self.items == 0 => {
                let level = match self.quotes {
                    0 => depth(*level),
                    _ => QUOTED_LEVEL,
                };
                self.name = Some((self.line_start(range.start), level, String::new()));
            }
            Tag::Item => {
                self.items += 1;
                self.mark(range.start, BlockKind::ListItem);
            }
            Tag::BlockQuote(_) => self.quotes += 1,
            Tag::CodeBlock(_) | Tag::MetadataBlock(_) => self.mark(range.start, BlockKind::Code),
            Tag::TableHead | Tag::TableRow => self.mark(range.start, BlockKind::TableRow),
            Tag::Paragraph | Tag::HtmlBlock | Tag::Heading { .. } => {
                self.mark(range.start, BlockKind::Paragraph);
            }
            Tag::FootnoteDefinition(_) => self.mark(range.start, BlockKind::ListItem),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) => {
                if let Some((start, level, name)) = self.name.take() {
                    self.quoted_section |= self.quotes > 0;
                    self.closing = false;
                    self.marks.push(Mark::heading(start, level, &name));
                }
            }
            TagEnd::Item => self.items = self.items.saturating_sub(1),
            TagEnd::BlockQuote(_) => {
                self.quotes = self.quotes.saturating_sub(1);
                if self.quotes == 0 && std::mem::take(&mut self.quoted_section) {
                    self.closing = true;
                }
            }
            _ => {}
        }
    }

    fn words(&mut self, words: &str) {
        if let Some((_, _, name)) = &mut self.name {
            name.push_str(words);
        }
    }

    fn mark(&mut self, start: usize, kind: BlockKind) {
        let start = self.line_start(start);
        if !self.text[..start].ends_with(char::is_whitespace) && start > 0 {
            return; // Within a word, as between `>` and what it quotes.
        }
        // What begins an item is the item.
        let repeated = self.marks.last().is_some_and(|last| {
            let between = self.text.get(last.start..start).unwrap_or_default();
            last.kind == BlockKind::ListItem && kind != last.kind && is_bullet(between)
        });
        if repeated || self.marks.last().is_some_and(|last| last.start >= start) {
            return;
        }
        let opens = std::mem::take(&mut self.closing).then(|| Opening {
            level: QUOTED_LEVEL,
            name: String::new(),
        });
        self.marks.push(Mark {
            opens,
            ..Mark::new(start, kind)
        });
    }

    /// The same place, or where its line begins if only blanks and quotation marks stand before it.
    fn line_start(&self, place: usize) -> usize {
        let before = &self.text[..place];
        let stripped = before.trim_end_matches([' ', '\t', '>']);
        if stripped.is_empty() || stripped.ends_with('\n') {
            stripped.len()
        } else {
            place
        }
    }
}

/// Whether a stretch holds no more than the bullet or number of an item, its check box, and blanks.
fn is_bullet(between: &str) -> bool {
    between.len() < 40
        && between
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b" \t>-*+.)[]xX^:\r\n".contains(&byte))
}

fn depth(level: HeadingLevel) -> u8 {
    level as u8
}
