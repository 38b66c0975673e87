//! `kenning doctor`: check an index, and mend what can be made again.

use kenning::Index;
use kenning::index::{Audit, AuditRecord, GraphOptions};
use kenning::models::ModelStore;
use kenning_indexer::{Check, Compared, Layout, check, mend};

use crate::args::{DoctorArgs, Global};
use crate::context;
use crate::failure::{Outcome, Result};
use crate::graphs::{say_thrown_away, with_progress};
use crate::terminal::{one_line, print, say};

/// So many problems are shown.
const SHOWN: usize = 20;

/// What can be done about a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remedy {
    /// `--repair` makes it again.
    Repair,
    /// Only indexing again.
    Index,
    /// Another model.
    Model,
}

impl Remedy {
    const ALL: [Remedy; 3] = [Remedy::Repair, Remedy::Index, Remedy::Model];

    fn hint(self) -> &'static str {
        match self {
            Remedy::Repair => {
                "run `kenning doctor --repair`: what is damaged can be made again from the index"
            }
            Remedy::Index => {
                "delete the .kenning folder and index again: documents are read from their files"
            }
            Remedy::Model => {
                "name the model that the index was built with by --model, or build a new index"
            }
        }
    }
}

/// What was found so far.
struct Findings {
    audit: Audit,
    /// `None` where the index cannot be opened.
    beside: Option<Check>,
    /// What became of the model.
    model: Option<Model>,
    /// What was mended.
    mended: Vec<String>,
}

/// Whether the model on this machine is the one that the index was built with.
enum Model {
    Same,
    NotHere,
    Unusable(String),
}

pub fn run(global: &Global, args: &DoctorArgs) -> Result {
    let layout = context::find_layout(&args.place)?;
    let folder = layout.index();
    let (audit, index) = Index::examine(&folder).inspect_err(|error| {
        let record = AuditRecord::of(&Audit::default(), [error.to_string()]);
        let _ = Index::keep_audit(&folder, record);
    })?;
    let mut findings = Findings {
        audit,
        beside: None,
        model: None,
        mended: Vec::new(),
    };
    if let Some(index) = index {
        findings.beside = Some(check(&layout, &index)?);
        findings.model = Some(compare_model(global, &index)?);
        if args.repair {
            findings.repair(global, &layout, &index)?;
        }
    }
    let problems = findings.problems();
    let words = problems.iter().map(|(problem, _)| problem.clone());
    Index::keep_audit(&folder, AuditRecord::of(&findings.audit, words))?;
    findings.tell(&problems)
}

fn compare_model(global: &Global, index: &Index) -> Result<Model> {
    let name = global.model().unwrap_or(&index.spec().encoder.model);
    if ModelStore::from_env()?.find(name)?.is_none() {
        return Ok(Model::NotHere);
    }
    Ok(match context::with_encoder(global, index.clone()) {
        Ok(_) => Model::Same,
        Err(failure) => Model::Unusable(failure.message()),
    })
}

impl Findings {
    /// What is wrong, in words, and what can be done about it.
    fn problems(&self) -> Vec<(String, Remedy)> {
        let of_index = self.audit.problems.iter().map(|problem| {
            let remedy = match problem.is_derived() {
                true => Remedy::Repair,
                false => Remedy::Index,
            };
            (problem.to_string(), remedy)
        });
        let beside = self.beside.iter().flat_map(|beside| &beside.problems);
        let beside = beside.map(|problem| (problem.to_string(), Remedy::Repair));
        let mut problems: Vec<_> = of_index.chain(beside).collect();
        if let Some(Model::Unusable(reason)) = &self.model {
            problems.push((reason.clone(), Remedy::Model));
        }
        problems
    }

    /// Makes again what is derived, and looks at that once more.
    fn repair(&mut self, global: &Global, layout: &Layout, index: &Index) -> Result<()> {
        let before = self.problems();
        self.repair_graphs(global, index)?;
        let audit = index.audit_derived()?;
        let problems = &mut self.audit.problems;
        problems.retain(|problem| !problem.is_derived());
        problems.extend(audit.problems);
        self.audit.graphs = audit.graphs;
        if let Some(beside) = self.beside.take_if(|beside| !beside.is_sound()) {
            if mend(layout, index, &beside)? {
                let rebuilt = "rebuilt the catalogue from the index";
                self.mended.push(rebuilt.to_owned());
            }
            self.beside = Some(check(layout, index)?);
        }
        let after = self.problems();
        let gone = before
            .into_iter()
            .filter(|problem| !after.contains(problem));
        self.mended
            .extend(gone.map(|(problem, _)| format!("no more: {problem}")));
        Ok(())
    }

    /// Builds the graphs that are missing, damaged or not good enough. The writer that this takes removes what others
    /// left.
    fn repair_graphs(&mut self, global: &Global, index: &Index) -> Result<()> {
        let report = with_progress(global, |watch| -> kenning::Result<_> {
            let mut writer = index.writer()?;
            let report = writer.mend_graphs(&GraphOptions::default(), watch)?;
            writer.close()?;
            Ok(report)
        })?;
        let kept = report.graphs.iter().filter(|graph| graph.kept);
        self.mended.extend(kept.map(|graph| {
            format!(
                "built the graph of segment {} anew: {} passages",
                graph.segment, graph.rows
            )
        }));
        say_thrown_away(&report.graphs);
        Ok(())
    }

    fn tell(&self, problems: &[(String, Remedy)]) -> Result {
        print(&self.looked_at())?;
        for mended in &self.mended {
            print(&format!("mended: {}\n", one_line(mended)))?;
        }
        for (problem, _) in problems.iter().take(SHOWN) {
            print(&format!("problem: {}\n", one_line(problem)))?;
        }
        if problems.len() > SHOWN {
            print(&format!("… and {} problems more\n", problems.len() - SHOWN))?;
        }
        if problems.is_empty() {
            print("no problems\n")?;
            return Ok(Outcome::Done);
        }
        // Where indexing again is needed it mends all the rest.
        let is_there = |remedy: &Remedy| problems.iter().any(|(_, found)| found == remedy);
        let index = is_there(&Remedy::Index);
        let useful = |remedy: &Remedy| is_there(remedy) && !(index && *remedy == Remedy::Repair);
        for remedy in Remedy::ALL.iter().filter(|remedy| useful(remedy)) {
            say(&format!("hint: {}", remedy.hint()));
        }
        Ok(Outcome::Damaged)
    }

    /// What was looked at, a line each.
    fn looked_at(&self) -> String {
        let audit = &self.audit;
        let mut text = format!("checked {} files and {} rows\n", audit.files, audit.rows);
        for graph in &audit.graphs {
            let check = &graph.check;
            text += &format!(
                "graph of segment {}: {} rows lost, {} of {} find themselves, recall@10 {:.3} over {} rows\n",
                graph.segment, check.lost, check.found, check.asked, check.recall, check.queries
            );
        }
        let catalogue = match self.beside.as_ref().map(|beside| beside.catalogue) {
            Some(Compared::Yes { files, documents }) => {
                format!("{files} files, {documents} documents")
            }
            Some(Compared::Missing) => "none, the next run makes it".to_owned(),
            Some(Compared::InUse) => "not compared, another kenning has it open".to_owned(),
            None => return text,
        };
        text += &format!("catalogue: {catalogue}\n");
        text += match &self.model {
            Some(Model::Same) => "model: the one that the index was built with\n",
            Some(Model::NotHere) => "model: not compared, it is not on this machine\n",
            Some(Model::Unusable(_)) | None => "",
        };
        text
    }
}
