//! The command line, as clap reads it.

mod models;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use kenning::encoder::{Device, Precision};

pub use models::{
    ConstraintArg, InspectArgs, InspectCommand, MeasureArgs, ModelsArgs, ModelsCommand,
};

/// Files larger than so many megabytes are passed over unless the command line says otherwise.
const MAX_FILE_MB: u64 = 64;

/// Find the passages that mean what you asked, in a folder of documents.
#[derive(Debug, Parser)]
#[command(name = "kenning", version, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 found or done, 1 nothing found, 2 wrong usage, \
    3 a problem with the index or the model, 4 done, but some files failed, 130 interrupted."
)]
pub struct Cli {
    /// What to do; without it, on a terminal, the interactive prompt.
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub global: Global,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The encoder: a folder or a name on the Hugging Face hub [default: the index's own, or all-MiniLM-L6-v2]
    #[arg(long = "model", global = true, value_name = "NAME|FOLDER", env = "KENNING_MODEL", action = clap::ArgAction::Append)]
    pub models: Vec<String>,
    /// How the encoder computes
    #[arg(long, global = true, value_enum, default_value_t = PrecisionArg::Auto)]
    pub precision: PrecisionArg,
    /// What computes: the processor or a GPU; GPUs need a build with that feature
    #[arg(long, global = true, value_enum, default_value_t = DeviceArg::Cpu)]
    pub device: DeviceArg,
    /// Goes before every question, instead of the model's own prompt
    #[arg(long, global = true, value_name = "TEXT")]
    pub query_prompt: Option<String>,
    /// Goes before every passage, instead of the model's own prompt
    #[arg(long, global = true, value_name = "TEXT")]
    pub passage_prompt: Option<String>,
    /// Keep only the first N numbers of each vector, for models that were trained for it
    #[arg(long, global = true, value_name = "N", value_parser = at_least_one)]
    pub dimensions: Option<usize>,
    /// Threads to compute with [default: as many as cores]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// Say nothing but results and errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

impl Global {
    /// The encoder that was named; the last, where there are several.
    pub fn model(&self) -> Option<&str> {
        self.models.last().map(String::as_str)
    }

    /// All encoders that were named, or the default.
    pub fn chosen_models(&self) -> Vec<&str> {
        match self.models.as_slice() {
            [] => vec![kenning::models::DEFAULT_MODEL],
            named => named.iter().map(String::as_str).collect(),
        }
    }
}

/// How the encoder computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PrecisionArg {
    /// What is right for all: today f32
    Auto,
    /// 32-bit floating point: the reference
    F32,
    /// Products in whole numbers of 8 bits: twice as quick where the processor has VNNI
    Int8,
}

impl From<PrecisionArg> for Option<Precision> {
    fn from(precision: PrecisionArg) -> Self {
        match precision {
            PrecisionArg::Auto => None,
            PrecisionArg::F32 => Some(Precision::F32),
            PrecisionArg::Int8 => Some(Precision::Int8),
        }
    }
}

/// What computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DeviceArg {
    /// The processor
    Cpu,
    /// The first NVIDIA GPU
    Cuda,
    /// The GPU of a Mac
    Metal,
    /// A GPU if there is one that this build can use, else the processor
    Auto,
}

impl From<DeviceArg> for Device {
    fn from(device: DeviceArg) -> Self {
        match device {
            DeviceArg::Cpu => Device::Cpu,
            DeviceArg::Cuda => Device::Cuda,
            DeviceArg::Metal => Device::Metal,
            DeviceArg::Auto => Device::Auto,
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Index folders or files, or bring their index up to date
    Index(IndexArgs),
    /// Search an index
    Search(SearchArgs),
    /// The interactive prompt; in a pipe, questions from standard input, one a line
    Repl(WhereArgs),
    /// Find what is similar to a passage of an indexed file
    Similar(SimilarArgs),
    /// Tell what is indexed
    Status(StatusArgs),
    /// Check an index and repair what can be repaired
    Doctor(DoctorArgs),
    /// Take files or folders out of the index
    Remove(RemoveArgs),
    /// Merge the index into one piece and drop what is out of use
    Optimize(WhereArgs),
    /// Embed texts from standard input, one a line
    Embed(EmbedArgs),
    /// Measure ranking quality on a collection in BEIR layout
    Eval(EvalArgs),
    /// List, fetch and describe encoders
    Models(ModelsArgs),
    /// Look into what happens to a text
    Inspect(InspectArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Read one file for the indexer; started by it, with limits on time and memory
    #[command(hide = true, name = "extract-worker")]
    ExtractWorker,
    /// Measure one encoder for `models compare`; started by it, so that memory is that of one encoder
    #[command(hide = true, name = "measure-worker")]
    MeasureWorker(MeasureArgs),
}

/// Where the index is.
#[derive(Debug, Clone, Default, Args)]
pub struct WhereArgs {
    /// The index's folder [default: .kenning here or in a folder above]
    #[arg(long, value_name = "DIR", env = "KENNING_INDEX")]
    pub index: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct IndexArgs {
    /// Folders and files to index [default: the current folder]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub place: WhereArgs,
    /// Tell what would be done, and do nothing
    #[arg(long)]
    pub plan: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub files: FileArgs,
}

/// Which files are taken and how they are read.
#[derive(Debug, Clone, Args)]
pub struct FileArgs {
    /// Take hidden files too
    #[arg(long)]
    pub hidden: bool,
    /// Do not heed .gitignore, .ignore and .kenningignore
    #[arg(long)]
    pub no_ignore: bool,
    /// Pass over files larger than this many megabytes
    #[arg(long, value_name = "MB", default_value_t = MAX_FILE_MB)]
    pub max_file_size: u64,
    /// Take no more memory than so many megabytes: large files wait, and those that cannot be read within are passed over
    #[arg(long, value_name = "MB", env = "KENNING_MAX_MEMORY", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_memory: Option<u64>,
    /// Language of the documents, as in `de` [default: detected for each]
    #[arg(long, value_name = "CODE")]
    pub language: Option<String>,
}

impl FileArgs {
    /// What holds for commands that have no such options: the environment, read as for those that have them.
    ///
    /// # Errors
    /// The environment makes no sense.
    pub fn from_env() -> Result<Self, clap::Error> {
        #[derive(Parser)]
        struct Alone {
            #[command(flatten)]
            files: FileArgs,
        }
        Alone::try_parse_from(["kenning"]).map(|alone| alone.files)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ModeArg {
    /// By meaning and by word
    Hybrid,
    /// By meaning
    Semantic,
    /// By word
    Keyword,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum VectorsArg {
    /// Whichever is quicker
    Auto,
    /// Compare every vector
    Exact,
    /// Walk the graph
    Graph,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FusionArg {
    /// Weighted sum of standard scores
    Standard,
    /// Weighted sum of scores between 0 and 1 (TM2C2)
    Convex,
    /// Reciprocal rank fusion
    Rrf,
}

#[derive(Debug, Args)]
pub struct SearchArgs {
    /// What to look for; "quoted phrases", -without, title:word, path:glob and begin* are understood
    #[arg(required = true)]
    pub query: Vec<String>,
    /// Index or refresh FOLDER first, then search it
    #[arg(long = "in", value_name = "FOLDER", conflicts_with = "index")]
    pub folder: Option<PathBuf>,
    #[command(flatten)]
    pub place: WhereArgs,
    #[command(flatten)]
    pub how: HowArgs,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// How to search.
#[derive(Debug, Clone, Args)]
pub struct HowArgs {
    /// By meaning, by word, or both
    #[arg(long, value_enum, default_value_t = ModeArg::Hybrid)]
    pub mode: ModeArg,
    /// How many documents to show
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10, value_parser = at_least_one)]
    pub limit: usize,
    /// How many of the best to leave out first
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub offset: usize,
    /// How many passages of each document to show
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one)]
    pub passages: usize,
    /// Only documents for which this holds, as in 'ext:md and modified>=2026-01-01'
    #[arg(long, value_name = "EXPR")]
    pub filter: Option<String>,
    /// How vectors are searched
    #[arg(long, value_enum, default_value_t = VectorsArg::Auto)]
    pub vectors: VectorsArg,
    /// How many documents each graph is asked for at least; more find what fewer miss [default: 100]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub effort: Option<usize>,
    /// How both rankings become one
    #[arg(long, value_enum, default_value_t = FusionArg::Standard)]
    pub fusion: FusionArg,
    /// Show how each score came about
    #[arg(long)]
    pub explain: bool,
    /// Leave out hits that score less
    #[arg(long, value_name = "S", value_parser = finite, allow_negative_numbers = true)]
    pub min_score: Option<f32>,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("expected 1 or more".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err("expected a whole number, 1 or more".to_owned()),
    }
}

fn finite(text: &str) -> Result<f32, String> {
    let number = text.parse().ok().filter(|number: &f32| number.is_finite());
    number.ok_or_else(|| "expected a number such as 0.5".to_owned())
}

#[derive(Debug, Args)]
pub struct SimilarArgs {
    /// An indexed file; with a line, the passage there
    #[arg(value_name = "FILE[:LINE]")]
    pub target: String,
    #[command(flatten)]
    pub place: WhereArgs,
    /// How many documents to show
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10, value_parser = at_least_one)]
    pub limit: usize,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct StatusArgs {
    #[command(flatten)]
    pub place: WhereArgs,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    pub place: WhereArgs,
    /// Mend what is derived
    #[arg(long)]
    pub repair: bool,
}

#[derive(Debug, Args)]
pub struct RemoveArgs {
    /// Files and folders to take out
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub place: WhereArgs,
}

#[derive(Debug, Args)]
pub struct EmbedArgs {
    /// Print one JSON object a line (the only format there is)
    #[arg(long)]
    pub json: bool,
    /// Embed as queries rather than as passages, for models with prompts
    #[arg(long)]
    pub query: bool,
}

#[derive(Debug, Args)]
pub struct EvalArgs {
    /// A folder with corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv
    pub dir: PathBuf,
    /// Which judgements
    #[arg(long, default_value = "test")]
    pub split: String,
    /// Only this mode [default: all three]
    #[arg(long, value_enum)]
    pub mode: Option<ModeArg>,
    /// Write the rankings as PREFIX.MODE.trec
    #[arg(long, value_name = "PREFIX")]
    pub run_file: Option<PathBuf>,
    /// Keep the index here, and use it again [default: a temporary folder]
    #[arg(long, value_name = "DIR")]
    pub index: Option<PathBuf>,
    /// How both rankings become one
    #[arg(long, value_enum, default_value_t = FusionArg::Standard)]
    pub fusion: FusionArg,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// Which shell
    pub shell: clap_complete::Shell,
}
