//! The Resource Groups Tagging API, as far as it is about repositories.
//! <https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html>

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Ecr;
use crate::wire::error::ApiError;
use crate::wire::parameters::Parameters;

const ARNS: usize = 100;

impl Ecr {
    /// Sets the tags of a repository. One that is not there is created as mutable.
    pub fn tag_repository(&self, registry: &str, repository: &str, tags: &[(&str, &str)]) {
        let now = self.account.now();
        let tags: BTreeMap<_, _> =
            tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self.registries.with(|registries| {
            registries.repository_or_new(registry, repository, now).resource_tags = tags;
        });
    }

    pub(crate) fn handle_tagging(&self, operation: &str, body: &Value) -> Result<Value, ApiError> {
        match operation {
            "GetResources" => self.get_resources(Parameters(body)),
            _ => Err(ApiError::unknown_operation(&format!("tag:{operation}"))),
        }
    }

    /// Resources that have no tags, and those that do not exist, are left out.
    fn get_resources(&self, request: Parameters<'_>) -> Result<Value, ApiError> {
        let arns = request.texts("ResourceARNList");
        if arns.is_empty() || arns.len() > ARNS {
            return Err(invalid(format!(
                "ResourceARNList must have 1 to {ARNS} members: others are not simulated"
            )));
        }
        let others =
            ["ResourceTypeFilters", "TagFilters", "ResourcesPerPage", "TagsPerPage", "PaginationToken"];
        if let Some(other) = others.iter().find(|other| request.0.get(**other).is_some()) {
            return Err(invalid(format!("ResourceARNList and {other} cannot be in one request")));
        }
        let resources = self.registries.with(|registries| {
            let tagged = arns.iter().filter_map(|arn| {
                let (_, (registry, name)) = (arn, self.repository_named(arn)?);
                let key = (registry.to_owned(), name.to_owned());
                let tags = &registries.repositories.get(&key)?.resource_tags;
                let tags: Vec<Value> =
                    tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
                (!tags.is_empty()).then(|| json!({"ResourceARN": arn, "Tags": tags}))
            });
            tagged.collect::<Vec<_>>()
        });
        Ok(json!({"PaginationToken": "", "ResourceTagMappingList": resources}))
    }

    /// The registry and the name in the ARN of a repository in this region.
    fn repository_named<'a>(&self, arn: &'a str) -> Option<(&'a str, &'a str)> {
        let rest = arn.strip_prefix("arn:aws:ecr:")?.strip_prefix(&self.account.region)?.strip_prefix(':')?;
        rest.split_once(":repository/")
    }
}

fn invalid(message: String) -> ApiError {
    ApiError::refused("InvalidParameterException", message)
}
