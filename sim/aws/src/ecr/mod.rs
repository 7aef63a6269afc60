//! Amazon ECR: a registry with AWS's rules about tags, digests and manifests.

mod archive;
mod error;
mod events;
mod image;
mod layers;
mod manifest;
mod mutability;
mod operations;
mod registry;
mod repository;
mod rules;
mod scan;
mod seed;
mod storage;
mod tagging;

pub use manifest::STAND_IN_ANNOTATION;
pub use mutability::Mutability;
pub use rules::{SeedReplicationRule, SeedScanning};
pub use scan::{ScanStatus, SeedScan, SeedScanFinding};
pub use seed::{ImageView, SeedImage};
pub use storage::ImageStatus;

use crate::account::Account;
use crate::account::events::EventLog;
use crate::account::principals::Principals;
use crate::inspector::Inspector;
use crate::shared::Shared;
use registry::Registries;

/// The registries of all accounts in one region.
#[derive(Clone)]
pub struct Ecr {
    account: Account,
    events: EventLog,
    /// Enhanced scanning: its findings appear in `DescribeImageScanFindings`.
    inspector: Inspector,
    principals: Principals,
    registries: Shared<Registries>,
}

impl Ecr {
    /// Inspector scans images of one platform, and says of an index that it is of a media type that it does not scan.
    pub(crate) fn show_to_inspector(&self, registry: &str, repository: &str, digest: &str, media_type: &str) {
        if manifest::is_index(media_type) {
            let region = &self.account.region;
            let arn = format!("arn:aws:ecr:{region}:{registry}:repository/{repository}/{digest}");
            self.inspector.refuse(&arn);
        }
    }

    pub(crate) fn new(
        account: Account,
        events: EventLog,
        inspector: Inspector,
        principals: Principals,
    ) -> Self {
        Self { account, events, inspector, principals, registries: Shared::default() }
    }
}
