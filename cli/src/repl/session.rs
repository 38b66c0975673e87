//! What lines of the prompt do. The model and the index stay open; each question sees the last commit.

use kenning::search::{Mode, SearchHit, SearchRequest, SearchResponse};
use kenning::{Filter, Index};
use kenning_indexer::Layout;

use super::line::{COMMANDS, Line};
use super::open;
use crate::args::{FileArgs, Global};
use crate::commands::{index, search, similar, status};
use crate::failure::{Failure, Outcome, Result};
use crate::terminal::{Style, one_line, print, say, say_styled};
use crate::{interrupt, show, terminal};

/// Formats whose lines in the index are those of the file.
const LINES_OF_THE_FILE: [&str; 4] = ["text", "Markdown", "reStructuredText", "source code"];

/// A hit takes about so many lines of a terminal.
const LINES_OF_A_HIT: usize = 7;

/// So many characters of the filter stand in the prompt.
const FILTER_SHOWN: usize = 20;

/// What the last listing was of.
#[derive(Debug, Clone)]
enum Asked {
    Question(String),
    Similar(String, Option<u32>),
}

/// A session at the prompt.
pub struct Session<'a> {
    global: &'a Global,
    layout: Layout,
    index: Index,
    /// Mode, filter and limit of the questions to come.
    request: SearchRequest,
    /// The filter as it was typed.
    filter: Option<String>,
    asked: Option<Asked>,
    /// What was found and shown, best first; place n holds rank n + 1.
    hits: Vec<SearchHit>,
    generation: u64,
    /// Whether someone sits in front of it, who wants to be told what a script need not know.
    talks: bool,
}

impl<'a> Session<'a> {
    /// A session on an index that has its encoder.
    pub fn new(global: &'a Global, layout: Layout, index: Index, talks: bool) -> Self {
        let mut request = SearchRequest::new("");
        request.explain = true;
        if talks {
            // The best hit is not to scroll away.
            request.limit = (terminal::height() / LINES_OF_A_HIT).clamp(3, request.limit);
        }
        Session {
            global,
            layout,
            index,
            request,
            filter: None,
            asked: None,
            hits: Vec::new(),
            generation: 0,
            talks,
        }
    }

    /// The index.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// What stands before the cursor: what is not as usual, and a mark.
    pub fn prompt(&self) -> String {
        let mode = match self.request.mode {
            Mode::Hybrid => None,
            Mode::Semantic => Some("semantic"),
            Mode::Keyword => Some("keyword"),
        };
        let filter = self.filter.as_deref().map(|text| {
            let short: String = text.chars().take(FILTER_SHOWN).collect();
            let rest = if short.len() < text.len() { "…" } else { "" };
            one_line(&short) + rest
        });
        let settings: Vec<&str> = mode.into_iter().chain(filter.as_deref()).collect();
        match settings.is_empty() {
            true => "kenning> ".to_owned(),
            false => format!("kenning [{}]> ", settings.join(", ")),
        }
    }

    /// Does what a line asks for.
    pub fn run(&mut self, line: Line) -> Result {
        match line {
            Line::Blank | Line::Quit => {}
            Line::Question(text) => return self.ask(Asked::Question(text)),
            Line::More => return self.more(),
            Line::Mode(mode) => self.request.mode = mode.into(),
            Line::Limit(limit) => self.request.limit = limit,
            Line::Filter(text) => self.set_filter(text)?,
            Line::Show(rank) => print(&show::passage(self.hit(rank)?))?,
            Line::Explain(rank) => print(&show::explanation(self.hit(rank)?))?,
            Line::Open(rank) => self.open(rank)?,
            Line::SimilarHit(rank) => {
                let hit = self.hit(rank)?;
                // The last line: a passage before it may end where it begins.
                let line = hit.passages.first().map(|passage| passage.lines[1]);
                return self.ask(Asked::Similar(hit.id.clone(), line));
            }
            Line::SimilarFile(target) => {
                let snapshot = self.index.snapshot()?;
                let (id, line) = similar::target(&self.layout, &snapshot, &target)?;
                return self.ask(Asked::Similar(id, line));
            }
            Line::Refresh => return self.refresh(),
            Line::Status => print(&status::describe(&self.layout, &self.index)?)?,
            Line::Help => print(&help())?,
        }
        Ok(Outcome::Done)
    }

    /// Sets the filter; one that makes no sense leaves the old one.
    fn set_filter(&mut self, text: Option<String>) -> Result<()> {
        let filter = text.as_deref().map(Filter::parse).transpose()?;
        (self.request.filter, self.filter) = (filter, text);
        Ok(())
    }

    fn ask(&mut self, asked: Asked) -> Result {
        let response = self.answer(&asked, 0)?;
        (self.hits, self.generation) = (Vec::new(), response.generation);
        self.asked = Some(asked);
        self.list(response)
    }

    fn more(&mut self) -> Result {
        let Some(asked) = self.asked.clone() else {
            let hint = "ask something first";
            return Err(Failure::usage("there is nothing to show more of", hint));
        };
        let response = self.answer(&asked, self.hits.len())?;
        if response.generation != self.generation {
            say("the index has changed since the first page: hits may be missing or come twice");
            self.generation = response.generation;
        }
        if response.hits.is_empty() {
            say("no more hits");
            return Ok(Outcome::Nothing);
        }
        self.list(response)
    }

    fn answer(&mut self, asked: &Asked, offset: usize) -> Result<SearchResponse> {
        let mut response = match asked {
            Asked::Question(text) => {
                self.request.query.clone_from(text);
                self.request.offset = offset;
                self.index.search(&self.request)?
            }
            Asked::Similar(id, line) => {
                let limit = offset.saturating_add(self.request.limit);
                let mut response = self.index.snapshot()?.similar(id, *line, limit)?;
                response.hits.drain(..offset.min(response.hits.len()));
                response
            }
        };
        if offset > 0 {
            // Said on the first page.
            response.relevant = true;
        }
        Ok(response)
    }

    /// Shows hits and keeps them.
    fn list(&mut self, mut response: SearchResponse) -> Result {
        let full = response.hits.len() >= self.request.limit;
        self.hits.extend(response.hits.iter().cloned());
        for hit in &mut response.hits {
            hit.explanation = None;
        }
        let outcome = search::answer(&response, false)?;
        if self.talks && full {
            say_styled(&Style::of_talk().dim(":more for the next, :show N for a whole passage"));
        }
        Ok(outcome)
    }

    fn hit(&self, rank: usize) -> Result<&SearchHit> {
        let hit = rank.checked_sub(1).and_then(|place| self.hits.get(place));
        hit.ok_or_else(|| {
            let hint = match self.hits.len() {
                0 => "ask something first".to_owned(),
                count => format!("the hits go from 1 to {count}"),
            };
            Failure::usage(format!("there is no hit {rank}"), hint)
        })
    }

    fn open(&self, rank: usize) -> Result<()> {
        let hit = self.hit(rank)?;
        let lines = match hit.metadata.get("format") {
            Some(kenning::Value::Text(format)) => LINES_OF_THE_FILE.contains(&format.as_str()),
            _ => false,
        };
        let line = hit.passages.first().filter(|_| lines);
        let _away = interrupt::away();
        open::open(
            &self.layout.path(&hit.id),
            line.map(|passage| passage.lines[0]),
        )
    }

    fn refresh(&self) -> Result {
        let options = index::options(&FileArgs::from_env()?, self.global)?;
        let (layout, roots) = (&self.layout, &self.layout.roots);
        let report = index::refresh(self.global, &self.index, layout, roots, &options)?;
        index::summarise(&report, self.global);
        Ok(index::outcome(&report))
    }
}

fn help() -> String {
    let style = Style::of_output();
    let mut text = String::from(
        "Any line is a question. It may hold \"quoted phrases\", -without, title:word,\n\
        path:notes/** and begin*. What begins with a colon is a command:\n",
    );
    for (name, takes, what) in COMMANDS {
        let usage = format!("{name} {takes}");
        if usage.len() > 22 {
            text += &format!("{}\n{:22} {what}\n", style.bold(&usage), "");
        } else {
            text += &format!("{} {what}\n", style.bold(&format!("{usage:<22}")));
        }
    }
    text
}
