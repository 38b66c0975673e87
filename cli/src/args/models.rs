//! The commands about encoders.

use std::path::PathBuf;

use clap::{Args, Subcommand};

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
    /// Everything that decides an encoder's vectors
    Show {
        /// A name or a folder
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
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
