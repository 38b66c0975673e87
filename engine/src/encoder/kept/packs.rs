//! What a model's matrices are loaded from.

use std::sync::Mutex;

use super::super::cpu::{Format, Machine, Matrix, Numbers};
use super::file::{PackedFile, Use};
use super::packer::Packer;

/// Packed matrices that are there, or are being packed.
pub enum Packs {
    /// Nothing is kept.
    None,
    /// They are read.
    Read(PackedFile),
    /// They are packed from the weights, and kept.
    Write(Mutex<Packer>),
}

impl Packs {
    /// The matrix `name` for rows of `depth` numbers, `columns` of which come out. Where it is not kept, it is made
    /// of `weights`, a row of `depth` for each column.
    pub fn matrix<E>(
        &self,
        name: &str,
        (machine, format): (Machine, Format),
        (depth, columns): (usize, usize),
        weights: impl FnOnce() -> Result<Vec<f32>, E>,
    ) -> Result<Matrix, E> {
        if let Packs::Read(file) = self
            && let Some(parts) = file.parts(name)
            && let Some(kept) = Matrix::of_parts(machine, format, (depth, columns), &parts)
        {
            return Ok(kept);
        }
        let matrix = Matrix::new(machine, format, &weights()?, depth);
        self.put(name, Use::Whole, || matrix.parts());
        Ok(matrix)
    }

    /// The table `name` of `count` numbers, of which single rows are used; where it is not kept, what `read` reads.
    pub fn table<E>(
        &self,
        name: &str,
        count: usize,
        read: impl FnOnce() -> Result<Vec<f32>, E>,
    ) -> Result<Numbers<f32>, E> {
        if let Packs::Read(file) = self
            && let Some([part]) = file.parts(name).as_deref()
            && let Some(kept) = Numbers::mapped(part, count)
        {
            return Ok(kept);
        }
        let numbers = read()?;
        self.put(name, Use::Rows, || vec![bytemuck::cast_slice(&numbers)]);
        Ok(numbers.into())
    }

    fn put<'a>(&self, name: &str, used: Use, parts: impl FnOnce() -> Vec<&'a [u8]>) {
        if let Packs::Write(packer) = self {
            let mut packer = packer
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            packer.put(name, used, &parts());
        }
    }

    /// Keeps what was packed, now that the whole model is loaded.
    pub fn finish(&mut self) {
        if let Packs::Write(packer) = std::mem::replace(self, Packs::None) {
            let packer = packer
                .into_inner()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            // Where it cannot be written, the model is packed again the next time.
            let _ = packer.finish();
        }
    }
}
