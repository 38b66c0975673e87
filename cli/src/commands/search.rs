//! `kenning search`: ask an index.

use std::path::Path;

use kenning::search::{Fusion, Mode, SearchRequest, SearchResponse, Vectors};
use kenning::{Filter, Index};
use kenning_indexer::Layout;

use crate::args::{FileArgs, FusionArg, Global, HowArgs, ModeArg, SearchArgs, VectorsArg};
use crate::context;
use crate::failure::{Outcome, Result};
use crate::terminal::{print, print_json, say};
use crate::{commands, show};

pub fn run(global: &Global, args: &SearchArgs) -> Result {
    let mut request = request(&args.how)?;
    request.query = args.query.join(" ");
    let index = match &args.folder {
        Some(folder) => refreshed(global, folder)?,
        None => {
            let (_, index) = context::open_index(&args.place)?;
            match request.mode {
                Mode::Keyword => index,
                _ => context::with_encoder(global, index)?,
            }
        }
    };
    let response = index.search(&request)?;
    answer(&response, args.json)
}

/// Prints an answer.
pub fn answer(response: &SearchResponse, json: bool) -> Result {
    if json {
        print_json(&show::json(response))?;
    } else if response.hits.is_empty() {
        say("nothing found");
    } else {
        print(&show::text(response))?;
    }
    Ok(if response.hits.is_empty() {
        Outcome::Nothing
    } else {
        Outcome::Done
    })
}

/// Indexes or refreshes a folder, then opens its index.
fn refreshed(global: &Global, folder: &Path) -> Result<Index> {
    let paths = context::absolute_paths(&[folder.to_owned()])?;
    let layout = Layout::for_paths(&paths, None)?;
    let options = commands::index::options(&FileArgs::from_env()?, global)?;
    let index = context::open_or_create(global, &layout)?;
    let report = commands::index::refresh(global, &index, &layout, &paths, &options)?;
    if report.embedded > 0 || report.removed > 0 {
        commands::index::summarise(&report, global);
    } else if !report.failed.is_empty() && !global.quiet {
        say(&format!(
            "{} files could not be read; `kenning index` tells which",
            report.failed.len()
        ));
    }
    Ok(index)
}

/// The request that flags describe, without its query.
pub fn request(how: &HowArgs) -> Result<SearchRequest> {
    let mut request = SearchRequest::new("");
    request.mode = how.mode.into();
    request.limit = how.limit;
    request.offset = how.offset;
    request.passages = how.passages;
    request.filter = how.filter.as_deref().map(Filter::parse).transpose()?;
    request.vectors = match how.vectors {
        VectorsArg::Auto => Vectors::Auto,
        VectorsArg::Exact => Vectors::Exact,
        VectorsArg::Graph => Vectors::Graph,
    };
    request.effort = how.effort;
    request.fusion = how.fusion.into();
    request.min_score = how.min_score;
    request.explain = how.explain;
    Ok(request)
}

impl From<ModeArg> for Mode {
    fn from(mode: ModeArg) -> Self {
        match mode {
            ModeArg::Hybrid => Mode::Hybrid,
            ModeArg::Semantic => Mode::Semantic,
            ModeArg::Keyword => Mode::Keyword,
        }
    }
}

impl From<FusionArg> for Fusion {
    fn from(fusion: FusionArg) -> Self {
        match fusion {
            FusionArg::Standard => Fusion::default(),
            FusionArg::Convex => Fusion::Convex { semantic: 0.8 },
            FusionArg::Rrf => Fusion::ReciprocalRank { k: 60.0 },
        }
    }
}
