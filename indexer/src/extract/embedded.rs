//! Documents inside of documents: attachments.

use std::path::Path;

use kenning::document::BlockKind;

use super::blocks::Blocks;
use super::detect::detect;
use super::error::ExtractError;
use super::foreign;
use super::limits::Context;
use super::part::Warning;
use super::read::read;

/// Adds an attachment: its name as a heading, and its text below if it is a document that can be read.
///
/// # Errors
///
/// Only limits of the whole file: time and text. Whatever else is wrong with it becomes a warning,
/// except that a picture and the like are only named.
pub(super) fn embed(
    name: &str,
    bytes: &[u8],
    context: &Context,
    blocks: &mut Blocks,
    warnings: &mut Vec<Warning>,
) -> Result<(), ExtractError> {
    blocks.push(BlockKind::Heading(2), name)?;
    let failed = |reason: String| Warning::Attachment {
        name: name.to_owned(),
        reason,
    };
    let Some(nested) = context.nested() else {
        warnings.push(failed("it is nested too deeply".to_owned()));
        return Ok(());
    };
    let path = Path::new(name);
    // One broken attachment must not cost the mail around it.
    let result = foreign::call(|| {
        let format = detect(path, bytes, &nested)?;
        read(format, path, bytes, &nested)
    });
    let extracted = match result {
        Ok(Ok(extracted)) => extracted,
        Ok(Err(error @ (ExtractError::TimedOut { .. } | ExtractError::TextTooLarge { .. }))) => {
            return Err(error);
        }
        Ok(Err(ExtractError::Binary | ExtractError::Empty | ExtractError::NoText { .. })) => {
            return Ok(());
        }
        Ok(Err(error)) => {
            warnings.push(failed(error.to_string()));
            return Ok(());
        }
        Err(_) => {
            warnings.push(failed("its reader failed".to_owned()));
            return Ok(());
        }
    };
    for part in &extracted.parts {
        if !part.title.is_empty() && part.title != name {
            blocks.push(BlockKind::Heading(3), &part.title)?;
        }
        blocks.push_part(part)?;
    }
    warnings.extend(extracted.warnings);
    Ok(())
}
