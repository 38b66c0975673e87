//! The control words that text needs.

use encoding_rs::Encoding;

use super::super::codepage::{encoding_of_charset, encoding_of_page};
use super::super::error::ExtractError;
use super::{Reader, Target};

impl Reader<'_> {
    /// Obeys a control word.
    pub(super) fn word(&mut self, name: &str, number: Option<i32>) -> Result<(), ExtractError> {
        match name {
            "par" | "sect" | "page" if self.group.target == Target::Body => self.end_paragraph()?,
            "line" | "softline" | "column" => self.text("\n"),
            "tab" => self.text("\t"),
            "emdash" => self.text("—"),
            "endash" => self.text("–"),
            "bullet" => self.text("•"),
            "lquote" => self.text("‘"),
            "rquote" => self.text("’"),
            "ldblquote" => self.text("“"),
            "rdblquote" => self.text("”"),
            "emspace" | "enspace" | "qmspace" => self.text(" "),
            "cell" | "nestcell" if self.group.target == Target::Body => self.end_cell()?,
            "row" | "nestrow" if self.group.target == Target::Body => self.end_row()?,
            "trowd" => self.in_table = true,
            "pard" => {
                self.heading = None;
                self.is_item = false;
                self.in_table = false;
            }
            "intbl" => self.in_table = true,
            "ls" => self.is_item = true,
            "outlinelevel" => self.outline(number),
            "s" => self.paragraph_style(number.unwrap_or(0)),
            "plain" => self.group.hidden = false,
            // Hidden text, and text that a tracked change took out.
            "v" | "deleted" => self.group.hidden = number != Some(0),
            "uc" => self.group.skip = usize::try_from(number.unwrap_or(1)).unwrap_or(1).min(16),
            "ansicpg" => self.code_page(number),
            "mac" => self.set_default(encoding_rs::MACINTOSH),
            "f" => self.select_font(number.unwrap_or(0)),
            "fcharset" if self.group.target == Target::Fonts => {
                if let Some(encoding) = encoding_of_charset(number.unwrap_or(0)) {
                    self.fonts.insert(self.font, encoding);
                }
            }
            // A comment or a note stands in the middle of a line.
            "annotation" | "footnote" | "shptxt" => self.text(" "),
            "sv" => self.property_value(),
            "listtext" | "pntext" => {
                self.is_item = true;
                self.destination(name);
            }
            _ => self.destination(name),
        }
        Ok(())
    }

    fn outline(&mut self, number: Option<i32>) {
        if let Some(level) = number.and_then(|level| u8::try_from(level).ok())
            && level < 9
            && self.group.target == Target::Body
        {
            self.heading = Some((level + 1).min(6));
        }
    }

    fn paragraph_style(&mut self, style: i32) {
        if self.group.target == Target::Styles {
            self.style = style;
        } else if let Some(&level) = self.styles.get(&style) {
            self.heading = Some(level);
        }
    }

    fn code_page(&mut self, number: Option<i32>) {
        if let Some(encoding) = number.and_then(encoding_of_page) {
            self.set_default(encoding);
        }
    }

    fn set_default(&mut self, encoding: &'static Encoding) {
        self.default_encoding = encoding;
        self.group.encoding = encoding;
    }

    fn select_font(&mut self, font: i32) {
        if self.group.target == Target::Fonts {
            self.font = font;
        } else {
            let encoding = self.fonts.get(&font).copied();
            self.group.encoding = encoding.unwrap_or(self.default_encoding);
        }
    }

    /// Groups whose text is not part of the body.
    fn destination(&mut self, name: &str) {
        let target = match name {
            "fonttbl" => Target::Fonts,
            "stylesheet" => Target::Styles,
            "title" => Target::Title,
            "author" => Target::Author,
            "subject" => Target::Subject,
            "keywords" => Target::Keywords,
            "sn" => {
                self.property.clear();
                self.group.target = Target::PropertyName;
                return;
            }
            "colortbl" | "pict" | "objdata" | "fldinst" | "listtable" | "listoverridetable"
            | "info" | "themedata" | "datastore" | "latentstyles" | "rsidtbl" | "xmlnstbl"
            | "bkmkstart" | "bkmkend" | "listtext" | "pntext" | "filetbl" | "revtbl"
            | "generator" | "operator" | "company" | "doccomm" | "nonshppict" | "template"
            | "ftnsep" | "ftnsepc" | "aftnsep" | "atnid" | "atnref" | "atndate" | "pgdsctbl"
            | "colorschememapping" | "mmathPr" | "xe" | "tc" | "rxe" | "nonesttables" | "falt"
            | "objclass" | "pntxta" | "pntxtb" | "wgrffmtfilter" | "userprops" | "docvar"
            | "datafield" | "factoidname" => Target::Nowhere,
            _ => return,
        };
        // The facts stand inside of the group `info`, which shows nothing itself.
        let is_fact = !matches!(target, Target::Nowhere | Target::Fonts | Target::Styles);
        if is_fact && self.groups.len() > 3 {
            return;
        }
        self.fact.clear();
        self.group.target = target;
    }

    /// The value of the property of a drawing that was named before; most are numbers.
    fn property_value(&mut self) {
        if TEXT_PROPERTIES.contains(&self.property.trim()) {
            self.text(" ");
        } else {
            self.group.target = Target::Nowhere;
        }
    }
}

/// Properties of a drawing whose values are text: letters drawn as a picture, and what a picture shows.
const TEXT_PROPERTIES: [&str; 2] = ["gtextUNICODE", "wzDescription"];

/// Whether the destination behind `\*` has text of the document in it all the same.
pub(super) fn is_shown_destination(rest: &[u8]) -> bool {
    let rest = rest.trim_ascii_start();
    [
        &b"\\shptxt"[..],
        b"\\shpinst",
        b"\\annotation",
        b"\\nesttableprops",
        b"\\footnote",
    ]
    .iter()
    .any(|name| rest.starts_with(name))
}
