//! Why a run cannot begin, or cannot go on.

use domain::policy::PolicyError;
use lambda::environment::EnvironmentError;
use sim_delivery::TemplateError;
use thiserror::Error;

use crate::input::InputError;

/// Why a run cannot begin, or cannot go on.
#[derive(Debug, Error)]
pub enum PipelineError {
    #[error("{file}: {source}")]
    PolicyFile { file: String, source: std::io::Error },
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error(transparent)]
    Input(#[from] InputError),
    #[error("template.yaml: {0}")]
    Template(#[from] TemplateError),
    /// The template names a function that this runner does not know.
    #[error(
        "template.yaml: unknown function `{0}`: expected one that is listed in sim/pipeline/src/function.rs"
    )]
    UnknownFunction(String),
    /// A function refuses its environment.
    #[error("{function}: {source}")]
    Environment { function: String, source: EnvironmentError },
    /// A batch that the queue made is not one that the function can read.
    #[error("a batch for {function} is no SQS event: {source}")]
    Batch { function: String, source: serde_json::Error },
}
