//! The commands about encoders.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use kenning::models::known::Constraint;

#[derive(Debug, Args)]
pub struct ModelsArgs {
    #[command(subcommand)]
    pub command: ModelsCommand,
}

#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// Encoders that are on this machine
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Fetch an encoder, and print its folder
    Pull {
        /// Its name on the Hugging Face hub
        name: String,
        /// Print what it is as JSON
        #[arg(long)]
        json: bool,
    },
    /// Measure encoders on this machine, side by side
    Compare {
        /// Names or folders; NAME@cls is NAME with that pooling
        #[arg(required = true, value_name = "NAME|FOLDER")]
        names: Vec<String>,
        /// Ranking quality too, on a collection in BEIR layout
        #[arg(long, value_name = "DIR")]
        on: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Candidates for a purpose, with reasons
    Recommend {
        /// What the choice has to respect; several hold together
        #[arg(long = "constraint", required = true, value_enum, value_name = "WHAT")]
        constraints: Vec<ConstraintArg>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Everything that decides an encoder's vectors, and the memory it takes
    Show {
        /// A name or a folder
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// What a choice of an encoder has to respect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ConstraintArg {
    /// A slow machine, or much to embed
    LimitedCompute,
    /// Little memory
    LimitedMemory,
    /// The best ranking that is published
    BestQuality,
    /// Documents in other languages than English
    Multilingual,
    /// Passages of thousands of tokens
    LongDocuments,
}

impl From<ConstraintArg> for Constraint {
    fn from(constraint: ConstraintArg) -> Self {
        match constraint {
            ConstraintArg::LimitedCompute => Constraint::LimitedCompute,
            ConstraintArg::LimitedMemory => Constraint::LimitedMemory,
            ConstraintArg::BestQuality => Constraint::BestQuality,
            ConstraintArg::Multilingual => Constraint::Multilingual,
            ConstraintArg::LongDocuments => Constraint::LongDocuments,
        }
    }
}

/// What a measuring process is told.
#[derive(Debug, Args)]
pub struct MeasureArgs {
    /// As `models compare` takes it
    pub name: String,
    #[arg(long, value_name = "DIR")]
    pub on: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct InspectArgs {
    #[command(subcommand)]
    pub command: InspectCommand,
}

#[derive(Debug, Subcommand)]
pub enum InspectCommand {
    /// How tokenizers cut a text; with several --model, side by side
    Tokens {
        /// The text
        #[arg(required = true)]
        text: Vec<String>,
        /// Print one JSON object a model
        #[arg(long)]
        json: bool,
    },
}
