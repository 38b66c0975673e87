//! Paragraph properties of a Word document ([MS-DOC] 2.8.25 and 2.9.175): what a paragraph looks like,
//! as far as it tells what it is.

use super::ole::{u16_at, u32_at};

/// What a paragraph is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Look {
    pub heading: Option<u8>,
    pub is_item: bool,
    pub in_table: bool,
    pub ends_row: bool,
}

/// The looks of all paragraphs, by where in the file their text stands.
#[derive(Default)]
pub(super) struct Looks {
    /// Start and end in bytes, ascending.
    runs: Vec<(usize, usize, Look)>,
}

impl Looks {
    /// Reads what the header leads to. What is damaged is left out: text without looks is still text.
    pub fn read(main: &[u8], table: &[u8]) -> Self {
        let mut runs = Vec::new();
        let mut pages = pages(main, table).unwrap_or_default();
        // A page named a million times would cost its size as often.
        pages.sort_unstable();
        pages.dedup();
        for page in pages {
            if let Some(page) = page
                .checked_mul(512)
                .and_then(|start| main.get(start..start + 512))
            {
                // The rest of a broken page is passed over.
                let _ = read_page(page, &mut runs);
            }
        }
        runs.sort_by_key(|(start, _, _)| *start);
        Looks { runs }
    }

    /// The look of the paragraph whose text has the byte at this offset.
    pub fn at(&self, offset: usize) -> Look {
        let after = self.runs.partition_point(|(start, _, _)| *start <= offset);
        match after.checked_sub(1).map(|index| self.runs[index]) {
            Some((_, end, look)) if offset < end => look,
            _ => Look::default(),
        }
    }
}

/// The numbers of the 512-byte pages that hold paragraph properties.
fn pages(main: &[u8], table: &[u8]) -> Option<Vec<usize>> {
    let start = u32_at(main, 0x0102)? as usize;
    let length = u32_at(main, 0x0106)? as usize;
    let plc = table.get(start..start.checked_add(length)?)?;
    let count = length.checked_sub(4)? / 8;
    (0..count)
        .map(|index| {
            u32_at(plc, (count + 1) * 4 + index * 4).map(|page| (page & 0x3F_FFFF) as usize)
        })
        .collect()
}

fn read_page(page: &[u8], runs: &mut Vec<(usize, usize, Look)>) -> Option<()> {
    let count = usize::from(*page.get(511)?);
    for index in 0..count {
        let start = u32_at(page, index * 4)? as usize;
        let end = u32_at(page, index * 4 + 4)? as usize;
        let offset = usize::from(*page.get((count + 1) * 4 + index * 13)?) * 2;
        let look = if offset == 0 {
            Look::default()
        } else {
            read_look(page, offset)?
        };
        runs.push((start, end, look));
    }
    Some(())
}

fn read_look(page: &[u8], offset: usize) -> Option<Look> {
    // The size counts in pairs of bytes; zero says that the next byte has it.
    let (start, size) = match *page.get(offset)? {
        0 => (offset + 2, usize::from(*page.get(offset + 1)?) * 2),
        size => (offset + 1, usize::from(size) * 2 - 1),
    };
    let properties = page.get(start..(start + size).min(511))?;
    let style = u16_at(properties, 0)?;
    let mut look = Look {
        // The first nine styles are the headings, whatever they are called.
        heading: (1..=9).contains(&style).then_some((style as u8).min(6)),
        ..Look::default()
    };
    // Broken properties leave what was read before them.
    let _ = read_properties(properties.get(2..)?, &mut look);
    Some(look)
}

/// Reads a list of single property modifiers: a number that tells its operand's size, the operand.
fn read_properties(mut list: &[u8], look: &mut Look) -> Option<()> {
    while list.len() >= 3 {
        let number = u16_at(list, 0)?;
        let operand = list.get(2..)?;
        let first = *operand.first()?;
        match number {
            0x2416 => look.in_table = first != 0,
            0x2417 => look.ends_row = first != 0,
            0x244C => look.ends_row |= first != 0,
            0x460B => look.is_item = u16_at(operand, 0)? != 0,
            0x2640 if first < 9 => look.heading = Some((first + 1).min(6)),
            _ => {}
        }
        let size = match number >> 13 {
            0 | 1 => 1,
            2 | 4 | 5 => 2,
            3 => 4,
            7 => 3,
            // Tables and tabs have sizes of their own; nothing of interest comes behind them.
            _ if number == 0xD608 || number == 0xC615 => return Some(()),
            _ => usize::from(first) + 1,
        };
        list = operand.get(size..)?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_of_a_page() {
        let mut page = vec![0u8; 512];
        page[511] = 2;
        for (index, offset) in [100u32, 110, 120].into_iter().enumerate() {
            page[index * 4..index * 4 + 4].copy_from_slice(&offset.to_le_bytes());
        }
        page[12] = 100;
        page[12 + 13] = 0;
        // Size, style 2, "in a table", "ends its row".
        page[200..209].copy_from_slice(&[4, 2, 0, 0x16, 0x24, 1, 0x17, 0x24, 1]);
        let mut runs = Vec::new();
        assert_eq!(read_page(&page, &mut runs), Some(()));
        let looks = Looks { runs };
        assert_eq!(
            looks.at(105),
            Look {
                heading: Some(2),
                in_table: true,
                ends_row: false,
                ..Look::default()
            }
        );
        assert_eq!(looks.at(115), Look::default());
        assert_eq!(looks.at(5), Look::default());
    }
}
