//! Amazon ECR: a registry that keeps AWS's rules about tags, digests and manifests.

mod announce;
mod describe;
mod image;
mod manifest;
mod mutability;
mod operations;
mod refusal;
mod registry;
mod repository;
mod scan;
mod seed;

use serde_json::Value;

pub use image::ImageStatus;
pub use manifest::STAND_IN_ANNOTATION;
pub use mutability::Mutability;
pub use scan::{BasicFinding, BasicScan, ScanStatus};
pub use seed::{ImageView, SeedImage};

use crate::answer::ApiError;
use crate::emissions::{Emissions, Home};
use crate::guarded::Guarded;
use crate::inspector::Inspector;
use crate::parameters::Parameters;
use refusal::Refusal;
use registry::Registries;

/// The registries of all accounts, in one region.
#[derive(Clone)]
pub struct Ecr {
    home: Home,
    emissions: Emissions,
    inspector: Inspector,
    registries: Guarded<Registries>,
}

impl Ecr {
    pub(crate) fn new(home: Home, emissions: Emissions, inspector: Inspector) -> Self {
        Self { home, emissions, inspector, registries: Guarded::default() }
    }

    pub(crate) fn answer(&self, operation: &str, body: &Value) -> Result<Value, ApiError> {
        let request = Parameters(body);
        let answer = match operation {
            "CreateRepository" => self.create(request),
            "PutImageTagMutability" => self.put_mutability(request),
            "DescribeRepositories" => self.describe_repositories(request),
            "PutImage" => self.put_image(request),
            "BatchGetImage" => self.batch_get_image(request),
            "BatchDeleteImage" => self.batch_delete_image(request),
            "DescribeImages" => self.describe_images(request),
            "ListImages" => self.list_images(request),
            "DescribeImageScanFindings" => self.describe_scan_findings(request),
            _ => return Err(ApiError::unknown_operation(&format!("ecr:{operation}"))),
        };
        Ok(answer?)
    }

    /// The registry and repository that a request names.
    fn target<'a>(&'a self, request: Parameters<'a>) -> Result<(&'a str, &'a str), Refusal> {
        let registry = request.text("registryId").unwrap_or(&self.home.account);
        let repository = request
            .text("repositoryName")
            .ok_or_else(|| Refusal::invalid("repositoryName", "Member must not be null"))?;
        Ok((registry, repository))
    }
}
