//! placeholder
use crate::args::{Global, WhereArgs};
use crate::failure::{Outcome, Result};
pub fn run(_: &Global, _: &WhereArgs) -> Result {
    Ok(Outcome::Done)
}
