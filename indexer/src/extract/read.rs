//! Hands a file to the reader of its format. No protection here: see `extractor`.

use std::path::Path;

use super::error::ExtractError;
use super::format::Format;
use super::limits::Context;
use super::part::{Extracted, Reading};
use super::{
    csv, doc, docx, epub, fb2, html, json, mail, mbox, msg, notebook, odf, pdf, plain, ppt, pptx,
    rtf, sheet, xmltext, xps,
};

/// Reads a file of a format that is known already.
pub(super) fn read(
    format: Format,
    path: &Path,
    bytes: &[u8],
    context: &Context,
) -> Result<Extracted, ExtractError> {
    let reading = dispatch(format, path, bytes, context)?;
    // A file without text has nothing to find, whatever its title: that is said, not passed over.
    if reading.parts.iter().all(|part| part.text.trim().is_empty()) {
        return Err(ExtractError::NoText { format });
    }
    let text = reading.parts.iter().map(|part| part.text.len()).sum();
    context.check_text(text)?;
    if reading.parts.len() > context.limits.entries {
        return Err(ExtractError::TooManyEntries {
            limit: context.limits.entries,
        });
    }
    Ok(Extracted {
        format,
        encoding: reading.encoding.filter(|&encoding| encoding != "UTF-8"),
        parts: reading.parts,
        warnings: reading.warnings,
    })
}

fn dispatch(
    format: Format,
    path: &Path,
    bytes: &[u8],
    context: &Context,
) -> Result<Reading, ExtractError> {
    match format {
        Format::Text | Format::Markdown | Format::Rst | Format::Code => {
            plain::read(format, path, bytes, context)
        }
        Format::Html => {
            let (part, encoding) = html::read(bytes, context)?;
            Ok(Reading::from(part).with_encoding(encoding))
        }
        Format::Xml => xmltext::read(bytes, context),
        Format::Json => json::read(bytes, context),
        Format::JsonLines => json::read_lines(bytes, context),
        Format::Csv => csv::read(bytes, context),
        Format::Notebook => notebook::read(bytes, context),
        Format::Pdf => pdf::read(bytes, context),
        Format::Rtf => rtf::read(bytes, context),
        Format::Docx => docx::read(bytes, context),
        Format::Pptx => pptx::read(bytes, context),
        Format::Xlsx | Format::Xlsb | Format::Xls | Format::Ods => {
            sheet::read(format, bytes, context)
        }
        Format::Doc => doc::read(bytes, context),
        Format::Ppt => ppt::read(bytes, context),
        Format::Odt | Format::Odp => odf::read(format, bytes, context),
        Format::Epub => epub::read(bytes, context),
        Format::Fb2 => fb2::read(bytes, context),
        Format::Xps => xps::read(bytes, context),
        Format::Eml => mail::read(bytes, context),
        Format::Mbox => mbox::read(bytes, context),
        Format::Msg => msg::read(bytes, context),
        Format::Iwork | Format::Archive | Format::Ole | Format::Biff => {
            Err(ExtractError::Unsupported { format })
        }
    }
}
