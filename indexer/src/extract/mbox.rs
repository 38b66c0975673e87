//! Mailboxes: messages one after the other, each begun by a line `From `.

use super::error::ExtractError;
use super::format::Format;
use super::limits::Context;
use super::mail;
use super::part::{Part, Reading, Warning};

/// Reads a mailbox: a part `message-N` for each message, counted from 1.
pub(super) fn read(bytes: &[u8], context: &Context) -> Result<Reading, ExtractError> {
    let mut parts: Vec<Part> = Vec::new();
    let mut warnings = Vec::new();
    let mut length = 0;
    for (message, number) in split(bytes).into_iter().zip(1usize..) {
        context.check_time()?;
        if number > context.limits.entries {
            return Err(ExtractError::TooManyEntries {
                limit: context.limits.entries,
            });
        }
        match mail::read(&message, context) {
            Ok(reading) => {
                warnings.extend(reading.warnings);
                for part in reading.parts {
                    length += part.text.len();
                    context.check_text(length)?;
                    parts.push(Part {
                        fragment: Some(format!("message-{number}")),
                        ..part
                    });
                }
            }
            Err(ExtractError::Damaged { reason, .. }) => {
                warnings.push(Warning::Damaged(format!("message {number}: {reason}")));
            }
            Err(error) => return Err(error),
        }
    }
    if parts.is_empty() {
        return Err(ExtractError::damaged(Format::Mbox, "no message in it"));
    }
    Ok(Reading::new(parts, warnings))
}

/// The messages, with `>From ` in their lines turned back to `From `. Only a `From ` line at the start
/// or behind a blank line begins a message: not every program quotes those inside.
fn split(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut messages: Vec<Vec<u8>> = Vec::new();
    let mut blank = true;
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        if blank && line.starts_with(b"From ") {
            messages.push(Vec::new());
            blank = false;
            continue;
        }
        blank = line.trim_ascii().is_empty();
        let Some(message) = messages.last_mut() else {
            continue;
        };
        let quotes = line.iter().take_while(|&&byte| byte == b'>').count();
        let quoted = quotes > 0 && line[quotes..].starts_with(b"From ");
        message.extend_from_slice(&line[usize::from(quoted)..]);
    }
    messages
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::testing::read;

    #[test]
    fn messages_are_parts() {
        let found = read(
            "a.mbox",
            b"From a@b Mon Jan 1 00:00:00 2024\nSubject: One\nFrom: a@b.c\n\nbody\n>From here\nFrom there\n\n\
              From c@d Mon Jan 1 00:00:00 2024\nSubject: Two\nFrom: c@d.e\n\nsecond\n",
        )
        .unwrap();
        assert_eq!(found.parts.len(), 2);
        assert_eq!(found.parts[0].fragment.as_deref(), Some("message-1"));
        assert_eq!(found.parts[0].title, "One");
        assert!(
            found.parts[0].text.contains("From here\nFrom there"),
            "{}",
            found.parts[0].text
        );
        assert_eq!(found.parts[1].title, "Two");
    }
}
