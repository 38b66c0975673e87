//! The formats that can be told apart.

use serde::{Deserialize, Serialize};

/// What a file is, by its content and its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Format {
    /// Plain text.
    Text,
    /// CommonMark with front matter.
    Markdown,
    /// reStructuredText.
    Rst,
    /// Source code of some language.
    Code,
    /// HTML and XHTML.
    Html,
    /// XML of no known kind.
    Xml,
    /// One JSON value.
    Json,
    /// One JSON value a line.
    JsonLines,
    /// A table of text with a separator: CSV, TSV and their kin.
    Csv,
    /// A Jupyter notebook.
    Notebook,
    /// PDF.
    Pdf,
    /// Rich Text Format.
    Rtf,
    /// Word, Office Open XML.
    Docx,
    /// PowerPoint, Office Open XML.
    Pptx,
    /// Excel, Office Open XML.
    Xlsx,
    /// Excel, Office Open XML with binary parts.
    Xlsb,
    /// Word 6 to 2003.
    Doc,
    /// PowerPoint 97 to 2003.
    Ppt,
    /// Excel 5 to 2003.
    Xls,
    /// OpenDocument text.
    Odt,
    /// OpenDocument presentation.
    Odp,
    /// OpenDocument spreadsheet.
    Ods,
    /// EPUB.
    Epub,
    /// FictionBook 2.
    Fb2,
    /// XML Paper Specification.
    Xps,
    /// One e-mail message (RFC 5322).
    Eml,
    /// Many e-mail messages in one file.
    Mbox,
    /// One Outlook message.
    Msg,
    /// Pages, Numbers or Keynote.
    Iwork,
    /// A compressed archive, or a zip container of no known kind.
    Archive,
    /// An OLE compound file of no known kind.
    Ole,
    /// Excel 2 to 4: a workbook outside of a compound file.
    Biff,
}

impl Format {
    /// A short name for people.
    pub fn name(self) -> &'static str {
        match self {
            Format::Text => "text",
            Format::Markdown => "Markdown",
            Format::Rst => "reStructuredText",
            Format::Code => "source code",
            Format::Html => "HTML",
            Format::Xml => "XML",
            Format::Json => "JSON",
            Format::JsonLines => "JSON lines",
            Format::Csv => "CSV",
            Format::Notebook => "Jupyter notebook",
            Format::Pdf => "PDF",
            Format::Rtf => "RTF",
            Format::Docx => "DOCX",
            Format::Pptx => "PPTX",
            Format::Xlsx => "XLSX",
            Format::Xlsb => "XLSB",
            Format::Doc => "DOC",
            Format::Ppt => "PPT",
            Format::Xls => "XLS",
            Format::Odt => "ODT",
            Format::Odp => "ODP",
            Format::Ods => "ODS",
            Format::Epub => "EPUB",
            Format::Fb2 => "FictionBook",
            Format::Xps => "XPS",
            Format::Eml => "e-mail",
            Format::Mbox => "mbox",
            Format::Msg => "Outlook message",
            Format::Iwork => "iWork",
            Format::Archive => "archive",
            Format::Ole => "OLE",
            Format::Biff => "Excel 4",
        }
    }

    /// Whether the format's parser works on binary structures or compressed data, so that it runs
    /// apart from the caller: in a worker process where one is configured, else in its own thread.
    pub(super) fn is_risky(self) -> bool {
        !matches!(
            self,
            Format::Text
                | Format::Markdown
                | Format::Rst
                | Format::Code
                | Format::Json
                | Format::JsonLines
                | Format::Csv
                | Format::Notebook
        )
    }
}
