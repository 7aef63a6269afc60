//! What a run is made of: the stack of template.yaml with its parameters, and the policy.

use std::collections::BTreeMap;
use std::path::PathBuf;

use domain::policy::Policy;
use jiff::Timestamp;
use sim_delivery::{Pseudo, Stack};

use crate::error::PipelineError;

/// What a run is made of.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The text of template.yaml.
    pub template: String,
    /// Values for its parameters, by name.
    pub parameters: BTreeMap<String, String>,
    pub policy: PathBuf,
    pub account: String,
    pub region: String,
    /// What time it is at the start.
    pub now: Timestamp,
}

/// What a setting says, read. Whoever plays many short runs reads it once, for that takes longer than such a run.
#[derive(Debug, Clone)]
pub struct Deployment {
    pub(crate) setting: Setting,
    pub(crate) stack: Stack,
    pub(crate) policy: Policy,
}

impl Deployment {
    /// Reads the template and the policy.
    pub fn read(setting: Setting) -> Result<Self, PipelineError> {
        let policy = read_policy(&setting)?;
        let pseudo = Pseudo {
            account: setting.account.clone(),
            region: setting.region.clone(),
            stack_name: "ecr-warden".to_owned(),
        };
        let stack = Stack::load(&setting.template, &setting.parameters, &pseudo)?;
        Ok(Self { setting, stack, policy })
    }

    /// Whether the stack of a setting is the same: the template, its parameters, and where it is deployed.
    pub fn has_stack_of(&self, setting: &Setting) -> bool {
        let Setting { template, parameters, account, region, policy: _, now: _ } = &self.setting;
        (template, parameters, account, region)
            == (&setting.template, &setting.parameters, &setting.account, &setting.region)
    }

    /// Reads a setting whose stack is the same, without reading the template again.
    pub fn with(&self, setting: Setting) -> Result<Self, PipelineError> {
        Ok(Self { policy: read_policy(&setting)?, stack: self.stack.clone(), setting })
    }
}

fn read_policy(setting: &Setting) -> Result<Policy, PipelineError> {
    let file = setting.policy.to_string_lossy().into_owned();
    let text = std::fs::read_to_string(&setting.policy)
        .map_err(|source| PipelineError::PolicyFile { file: file.clone(), source })?;
    let today = setting.now.to_zoned(jiff::tz::TimeZone::UTC).date();
    Ok(Policy::read(&text, &file, today)?)
}
