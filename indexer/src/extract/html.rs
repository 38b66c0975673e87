//! HTML, read as a stream of tokens: no tree is built, so no nesting can exhaust the stack.

use std::cell::RefCell;

use html5ever::buffer_queue::BufferQueue;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{
    Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};
use kenning::document::{BlockKind, Metadata};

use super::blocks::{Blocks, squeeze};
use super::decode::{declared_in_html, decode};
use super::error::ExtractError;
use super::html_names::{BLOCK, HIDDEN, raw_text};
use super::limits::Context;
use super::metadata::{put, put_date};
use super::part::Part;

/// Reads a page.
pub(super) fn read(bytes: &[u8], context: &Context) -> Result<(Part, &'static str), ExtractError> {
    let declared = declared_in_html(bytes);
    let decoded = decode(bytes, declared.as_deref())?;
    let part = read_text(&decoded.text, context)?;
    Ok((part, decoded.charset.name()))
}

/// Reads a page that is decoded already. Navigation is left out, unless there is nothing else.
pub(super) fn read_text(html: &str, context: &Context) -> Result<Part, ExtractError> {
    let mut page = Page::default();
    let mut blocks = Blocks::new(context);
    read_into(html, &mut blocks, &mut page, false)?;
    if blocks.is_empty() {
        blocks = Blocks::new(context);
        page = Page::default();
        read_into(html, &mut blocks, &mut page, true)?;
    }
    let (text, structure) = blocks.finish()?;
    Ok(Part {
        title: page.title,
        metadata: page.metadata,
        ..Part::extracted(text, structure)
    })
}

/// What the head of a page says.
#[derive(Default)]
pub(super) struct Page {
    pub title: String,
    pub metadata: Metadata,
}

/// Reads a page into `blocks`.
///
/// # Errors
///
/// Those of [`Blocks::push`]; HTML itself is never wrong.
pub(super) fn read_into(
    html: &str,
    blocks: &mut Blocks,
    page: &mut Page,
    navigation: bool,
) -> Result<(), ExtractError> {
    let sink = Sink {
        state: RefCell::new(State {
            blocks,
            page,
            navigation,
            buffer: String::new(),
            kinds: Vec::new(),
            hidden: Vec::new(),
            title: None,
            result: Ok(()),
        }),
    };
    let tokenizer = Tokenizer::new(sink, TokenizerOpts::default());
    let input = BufferQueue::default();
    // Pieces, so that an error ends the work early.
    let mut rest = html;
    while !rest.is_empty() && tokenizer.sink.state.borrow().result.is_ok() {
        let (piece, tail) = rest.split_at(rest.floor_char_boundary(1 << 16));
        input.push_back(StrTendril::from_slice(piece));
        rest = tail;
        while !input.is_empty() {
            let _ = tokenizer.feed(&input);
        }
    }
    tokenizer.end();
    let mut state = tokenizer.sink.state.into_inner();
    state.flush();
    state.result
}

struct Sink<'s, 'c> {
    state: RefCell<State<'s, 'c>>,
}

struct State<'s, 'c> {
    blocks: &'s mut Blocks<'c>,
    page: &'s mut Page,
    navigation: bool,
    /// Text since the last block ended.
    buffer: String,
    /// What the open elements make of text; `None` is a list, which ends the item before.
    kinds: Vec<(String, Option<BlockKind>)>,
    /// The open elements whose content is not shown.
    hidden: Vec<String>,
    title: Option<String>,
    result: Result<(), ExtractError>,
}

impl TokenSink for Sink<'_, '_> {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut state = self.state.borrow_mut();
        if state.result.is_err() {
            return TokenSinkResult::Continue;
        }
        match token {
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => return state.open(&tag),
            Token::TagToken(tag) => state.close(&tag.name),
            Token::CharacterTokens(text) => state.text(&text),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl State<'_, '_> {
    fn open(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        let name: &str = &tag.name;
        let raw = raw_text(name).map_or(TokenSinkResult::Continue, TokenSinkResult::RawData);
        if HIDDEN.contains(&name) || (name == "nav" && !self.navigation) {
            // XHTML closes even these with a slash; the tokenizer must not wait for their end then.
            if tag.self_closing {
                return TokenSinkResult::Continue;
            }
            self.flush();
            self.hidden.push(name.to_owned());
            return raw;
        }
        if !self.hidden.is_empty() {
            return TokenSinkResult::Continue;
        }
        self.open_shown(name, tag);
        if tag.self_closing {
            TokenSinkResult::Continue
        } else {
            raw
        }
    }

    /// An element begins whose content is shown, or that tells something of the page.
    fn open_shown(&mut self, name: &str, tag: &Tag) {
        match name {
            "title" if self.page.title.is_empty() && !tag.self_closing => {
                self.title = Some(String::new())
            }
            "meta" => self.meta(tag),
            "html" => {
                if let Some(language) = attribute(tag, "lang") {
                    put(&mut self.page.metadata, "language", &language);
                }
            }
            "img" | "area" => {
                if let Some(text) = attribute(tag, "alt") {
                    self.text(&format!(" {text} "));
                }
            }
            "br" => self.buffer.push('\n'),
            "tr" => {
                self.flush();
                self.end_row();
                self.blocks.open_row();
                self.begin("tr", None);
            }
            "td" | "th" => {
                self.flush();
                self.blocks.open_cell();
            }
            "li" => {
                self.flush();
                if self.kinds.last().is_some_and(|(open, _)| open == "li") {
                    self.kinds.pop();
                }
                self.begin("li", Some(BlockKind::ListItem));
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.flush();
                let level = name.as_bytes()[1] - b'0';
                self.begin(name, Some(BlockKind::Heading(level)));
            }
            "pre" | "xmp" | "listing" => {
                self.flush();
                self.begin(name, Some(BlockKind::Code));
            }
            "ul" | "ol" | "table" => {
                self.flush();
                self.begin(name, None);
            }
            name if BLOCK.contains(&name) => self.flush(),
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        if let Some(at) = self.hidden.iter().rposition(|open| open == name) {
            self.hidden.truncate(at);
            return;
        }
        if !self.hidden.is_empty() {
            return;
        }
        match name {
            "title" => {
                if let Some(title) = self.title.take() {
                    self.page.title = squeeze(&title);
                }
            }
            "tr" => {
                self.flush();
                self.end_row();
            }
            "table" => {
                self.flush();
                self.end_row();
                self.end(name);
            }
            "td" | "th" => self.flush(),
            "li" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "pre" | "xmp" | "listing" | "ul"
            | "ol" => {
                self.flush();
                self.end(name);
            }
            name if BLOCK.contains(&name) => self.flush(),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if let Some(title) = &mut self.title {
            title.push_str(text);
        } else if self.hidden.is_empty() {
            if self.kind() == BlockKind::Code {
                self.buffer.push_str(text);
            } else {
                // Line ends in the source are blanks; those that count come from <br>.
                self.buffer.extend(
                    text.chars()
                        .map(|c| if c == '\n' || c == '\r' { ' ' } else { c }),
                );
            }
        }
    }

    fn kind(&self) -> BlockKind {
        match self.kinds.last() {
            Some((_, Some(kind))) => *kind,
            _ => BlockKind::Paragraph,
        }
    }

    fn begin(&mut self, name: &str, kind: Option<BlockKind>) {
        // Deeper nesting than this is made to break readers; the kind stays what it is.
        if self.kinds.len() < 512 {
            self.kinds.push((name.to_owned(), kind));
        }
    }

    fn end(&mut self, name: &str) {
        if let Some(at) = self.kinds.iter().rposition(|(open, _)| open == name) {
            self.kinds.truncate(at);
        }
    }

    /// Ends the row that is open in the innermost table.
    fn end_row(&mut self) {
        let table = self.kinds.iter().rposition(|(open, _)| open == "table");
        let row = self.kinds.iter().rposition(|(open, _)| open == "tr");
        if let Some(row) = row
            && table.is_none_or(|table| row > table)
        {
            self.kinds.truncate(row);
            let result = self.blocks.close_row();
            self.keep(result);
        }
    }

    fn flush(&mut self) {
        let text = std::mem::take(&mut self.buffer);
        if text.trim().is_empty() {
            return;
        }
        let result = self.blocks.push(self.kind(), &text);
        self.keep(result);
    }

    fn keep(&mut self, result: Result<(), ExtractError>) {
        if self.result.is_ok() {
            self.result = result;
        }
    }

    fn meta(&mut self, tag: &Tag) {
        let name = attribute(tag, "name").or_else(|| attribute(tag, "property"));
        let (Some(name), Some(content)) = (name, attribute(tag, "content")) else {
            return;
        };
        let metadata = &mut self.page.metadata;
        match name.to_ascii_lowercase().as_str() {
            "author" | "dc.creator" | "article:author" => put(metadata, "author", &content),
            "keywords" => put(metadata, "keywords", &content),
            "description" | "dc.description" => put(metadata, "description", &content),
            "language" | "dc.language" => put(metadata, "language", &content),
            "subject" | "dc.subject" => put(metadata, "subject", &content),
            "date" | "dc.date" | "article:published_time" => put_date(metadata, "date", &content),
            _ => {}
        }
    }
}

fn attribute(tag: &Tag, name: &str) -> Option<String> {
    tag.attrs
        .iter()
        .find(|attribute| &*attribute.name.local == name)
        .map(|attribute| attribute.value.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{outline, part};

    #[test]
    fn blocks_of_a_page() {
        let found = part(
            "a.html",
            b"<!doctype html><html lang=de><head><title> A &amp; B </title><meta name=author content=Ann>\
              <style>p {}</style></head><body><nav>menu</nav><h2>Head</h2><p>one<br>two &eacute;<p>three\
              <ul><li>x<ul><li>y</ul><li>z</ul><table><tr><th>a<th>b<tr><td>1<td>2</table>\
              <pre>  code\n  more</pre><script>if (a < b) '<p>'</script>end<img alt='a cat'></body>",
        );
        assert_eq!(found.title, "A & B");
        assert_eq!(found.metadata["author"], "Ann".into());
        assert_eq!(found.metadata["language"], "de".into());
        assert_eq!(
            outline(&found),
            [
                "h2 Head",
                "p one\ntwo \u{e9}",
                "p three",
                "l x",
                "l y",
                "l z",
                "r a | b",
                "r 1 | 2",
                "c   code\n  more",
                "p end a cat"
            ]
        );
    }

    #[test]
    fn navigation_alone_is_text_and_xhtml_may_close_anything() {
        assert_eq!(part("a.html", b"<html><nav>menu</nav>").text, "menu");
        let page = b"<html><head><title/><script src='x'/></head><body><p>text</p></body></html>";
        assert_eq!(part("a.html", page).text, "text");
    }

    /// A tree would overflow the stack here.
    #[test]
    fn deep_nesting_is_harmless() {
        let page = format!("<html>{}deep", "<div><table><tr><td>".repeat(50_000));
        assert_eq!(part("a.html", page.as_bytes()).text, "deep");
    }
}
