//! placeholder, replaced by the models branch
use crate::args::ModelsArgs;
use crate::failure::{Outcome, Result};
pub fn run(_: &ModelsArgs) -> Result {
    Ok(Outcome::Done)
}
