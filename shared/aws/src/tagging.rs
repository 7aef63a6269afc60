//! The Resource Groups Tagging API, which tells the tags of many repositories in one call.
//! <https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html>

use std::collections::BTreeMap;

use aws_sdk_resourcegroupstagging::Client;
use domain::provenance::{RepositoryTags, TagKeys};

use crate::AwsError;

/// How many ARNs one call takes.
pub const REPOSITORIES_PER_CALL: usize = 100;

#[derive(Debug, Clone)]
pub struct Tagging {
    client: Client,
    keys: TagKeys,
}

impl Tagging {
    /// Reads the tags with these keys.
    pub fn new(client: Client, keys: TagKeys) -> Self {
        Self { client, keys }
    }

    /// What the tags of at most 100 repositories say, by ARN. A repository without tags is not among the answers, nor is
    /// one that does not exist.
    pub async fn repositories(
        &self,
        arns: impl IntoIterator<Item = String>,
    ) -> Result<BTreeMap<String, RepositoryTags>, AwsError> {
        // With a list of ARNs there are no pages.
        let answer = self
            .client
            .get_resources()
            .set_resource_arn_list(Some(arns.into_iter().collect()))
            .send()
            .await
            .map_err(|error| AwsError::of("tag:GetResources", error))?;
        let said = answer.resource_tag_mapping_list().iter().filter_map(|resource| {
            let tags = resource.tags().iter().map(|tag| (tag.key(), tag.value()));
            Some((resource.resource_arn()?.to_owned(), self.keys.read(tags)))
        });
        Ok(said.collect())
    }
}
