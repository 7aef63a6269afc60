//! The operations of the ECR API.

mod enhanced_finding;
mod images;
mod layers;
mod listings;
mod referrers;
mod repositories;
mod request;
mod rules;
mod scan_findings;
mod storage_class;

use serde_json::Value;

use super::Ecr;
use crate::wire::error::ApiError;
use crate::wire::parameters::Parameters;

impl Ecr {
    /// `origin` is where the caller reaches this account, such as `http://127.0.0.1:4566`.
    pub(crate) fn handle(
        &self,
        caller: &str,
        origin: &str,
        operation: &str,
        body: &Value,
    ) -> Result<Value, ApiError> {
        self.pass_time();
        let request = Parameters(body);
        let response = match operation {
            "CreateRepository" => self.add_repository(request),
            "PutImageTagMutability" => self.put_image_tag_mutability(request),
            "DescribeRepositories" => self.describe_repositories(request),
            "PutImage" => self.put_image(caller, request),
            "BatchGetImage" => self.batch_get_image(request),
            "GetDownloadUrlForLayer" => self.get_download_url_for_layer(origin, request),
            "BatchDeleteImage" => self.batch_delete_image(caller, request),
            "UpdateImageStorageClass" => self.update_image_storage_class(caller, request),
            "DescribeImages" => self.describe_images(request),
            "ListImages" => self.list_images(request),
            "ListImageReferrers" => self.list_image_referrers(request),
            "DescribeImageScanFindings" => self.describe_image_scan_findings(request),
            "DescribePullThroughCacheRules" => self.describe_pull_through_cache_rules(request),
            "GetRegistryScanningConfiguration" => Ok(self.get_registry_scanning_configuration()),
            "DescribeRegistry" => Ok(self.describe_registry()),
            _ => return Err(ApiError::unknown_operation(&format!("ecr:{operation}"))),
        };
        Ok(response?)
    }
}
