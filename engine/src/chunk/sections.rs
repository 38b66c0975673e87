//! The tree of sections, and the titles that chunks take from it.

use super::outline::{Part, fold};
use super::{ChunkOptions, Tokens};
use crate::Result;
use crate::document::BlockKind;

/// What stands between the names of a title.
const SEPARATOR: &str = " › ";

/// Below every heading: the rows of a table, which its first row names.
const TABLE_LEVEL: u8 = 7;

/// A section by number. 0 is the document.
pub(super) type Section = usize;

#[derive(Debug)]
struct Node {
    parent: Section,
    level: u8,
    /// How many sections it is in.
    depth: usize,
    name: String,
}

/// The sections of a document, and where its parts stand among them.
#[derive(Debug)]
pub(super) struct Sections {
    nodes: Vec<Node>,
    places: Vec<Place>,
}

/// Where a part stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The section that it is in, or that it opens.
    pub section: Section,
    /// The section whose name it needs to be understood: the same, or the one above where its own text
    /// holds the name.
    pub context: Section,
}

impl Place {
    fn within(section: Section) -> Self {
        Place {
            section,
            context: section,
        }
    }

    /// Where the rest of a part stands that has been cut.
    pub fn inside(self) -> Self {
        Place::within(self.section)
    }
}

impl Sections {
    /// The sections of a document's parts.
    pub fn new(title: &str, text: &str, parts: &[Part]) -> Self {
        let mut sections = Sections {
            nodes: vec![Node {
                parent: 0,
                level: 0,
                depth: 0,
                name: fold(title),
            }],
            places: Vec::with_capacity(parts.len()),
        };
        let mut section = 0; // that of the last heading
        let mut table = None;
        for part in parts {
            let is_row = part.kind == BlockKind::TableRow;
            let place = match (&part.opens, table) {
                (Some(opening), _) => {
                    let context = sections.above(section, opening.level);
                    section = sections.open(context, opening.level, opening.name.clone());
                    Place { section, context }
                }
                (None, Some(table)) if is_row => Place::within(table),
                (None, None) if is_row => Place {
                    section: sections.open(
                        section,
                        TABLE_LEVEL,
                        row_name(&text[part.span.clone()]),
                    ),
                    context: section,
                },
                (None, _) => Place::within(section),
            };
            table = is_row.then_some(place.section);
            sections.places.push(place);
        }
        sections
    }

    fn open(&mut self, parent: Section, level: u8, name: String) -> Section {
        self.nodes.push(Node {
            parent,
            level,
            depth: self.nodes[parent].depth + 1,
            name,
        });
        self.nodes.len() - 1
    }

    /// The innermost section around `section`, or itself, that one of `level` can stand in.
    fn above(&self, mut section: Section, level: u8) -> Section {
        while section != 0 && self.nodes[section].level >= level {
            section = self.nodes[section].parent;
        }
        section
    }

    /// Where a part stands.
    pub fn place(&self, part: usize) -> Place {
        self.places[part]
    }

    /// How many sections a section is in.
    pub fn depth(&self, section: Section) -> usize {
        self.nodes[section].depth
    }

    /// The innermost section that both are in.
    pub fn common(&self, mut one: Section, mut other: Section) -> Section {
        while one != other {
            if self.depth(one) >= self.depth(other) {
                one = self.nodes[one].parent;
            } else {
                other = self.nodes[other].parent;
            }
        }
        one
    }

    /// Whether a section is another or lies in it.
    pub fn is_in(&self, inner: Section, outer: Section) -> bool {
        self.common(inner, outer) == outer
    }

    /// The names from the document's title to a section, none empty, none twice.
    fn names(&self, mut section: Section) -> Vec<&str> {
        let mut path = vec![section];
        while section != 0 {
            section = self.nodes[section].parent;
            path.push(section);
        }
        let mut names: Vec<&str> = Vec::new();
        for node in path.into_iter().rev() {
            let name = self.nodes[node].name.as_str();
            let same = |known: &&str| known.to_lowercase() == name.to_lowercase();
            if !name.is_empty() && !names.iter().any(same) {
                names.push(name);
            }
        }
        names
    }
}

/// The name of a table: its first row.
fn row_name(row: &str) -> String {
    let line = row.lines().next().unwrap_or_default().replace('\t', " | ");
    fold(line.trim().trim_matches('|'))
}

/// A title, as people and as the encoder read it.
#[derive(Debug, Default)]
pub(super) struct Title {
    /// All its names.
    pub text: String,
    /// The tokens of as many of its last names as may be embedded.
    pub ids: Vec<u32>,
}

/// The titles of all sections of a document.
#[derive(Debug)]
pub(super) struct Titles(Vec<Title>);

impl Titles {
    /// Tokenises the titles.
    pub fn new(
        sections: &Sections,
        options: &ChunkOptions,
        tokenize: &dyn Fn(&str) -> Result<Tokens>,
    ) -> Result<Self> {
        let most = options.title_tokens.min(options.max_tokens / 2);
        let title = |section| {
            let names = sections.names(section);
            Ok(Title {
                text: names.join(SEPARATOR),
                ids: title_ids(&names, most, tokenize)?,
            })
        };
        let titles: Result<_> = (0..sections.nodes.len()).map(title).collect();
        Ok(Titles(titles?))
    }

    /// The title of a chunk in a section.
    pub fn of(&self, section: Section) -> &Title {
        &self.0[section]
    }

    /// How many tokens the longest one has.
    pub fn longest(&self) -> usize {
        self.0
            .iter()
            .map(|title| title.ids.len())
            .max()
            .unwrap_or(0)
    }
}

/// The tokens of a title and the line break after it: of its last names at least, at most `most`.
fn title_ids(
    names: &[&str],
    most: usize,
    tokenize: &dyn Fn(&str) -> Result<Tokens>,
) -> Result<Vec<u32>> {
    let mut ids = Vec::new();
    for first in 0..names.len() {
        let title = names[first..].join(SEPARATOR) + "\n";
        ids = tokenize(&title)?.ids;
        if ids.len() <= most {
            return Ok(ids);
        }
    }
    ids.truncate(most);
    Ok(ids)
}
