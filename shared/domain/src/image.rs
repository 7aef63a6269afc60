//! An image: account, region, repository, digest. Tags move, the digest does not.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a text is not a digest or not an image.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ImageError {
    /// Not `sha256:` followed by letters and digits.
    #[error("{0:?} is not a digest (sha256:…)")]
    Digest(String),
    /// Not `<account>/<region>/<repository>@<digest>`.
    #[error("{0:?} is not an image (<account>/<region>/<repository>@<digest>)")]
    Id(String),
    /// Not the ARN of an ECR repository.
    #[error("{0:?} is not the ARN of an ECR repository")]
    RepositoryArn(String),
}

/// The digest of a manifest, `sha256:<hex>`.
///
/// The length is not checked: digests in AWS's own published events have fewer than 64 digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

impl Digest {
    /// How many hex digits name an image where a person reads it; git's habit, and 48 bits.
    const SHORT: usize = 12;

    /// The whole digest, with its `sha256:`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it has all of its digits, and not just the first that a tag of ours states.
    pub fn is_whole(&self) -> bool {
        self.0.len() == "sha256:".len() + 64
    }

    /// The first twelve digits after `sha256:`.
    pub fn short(&self) -> &str {
        let hex = &self.0["sha256:".len()..];
        &hex[..hex.len().min(Self::SHORT)]
    }
}

impl TryFrom<String> for Digest {
    type Error = ImageError;

    fn try_from(text: String) -> Result<Self, ImageError> {
        match text.strip_prefix("sha256:") {
            Some(hex)
                if !hex.is_empty() && hex.len() <= 64 && hex.bytes().all(|b| b.is_ascii_alphanumeric()) =>
            {
                Ok(Self(text))
            }
            _ => Err(ImageError::Digest(text.chars().take(100).collect())),
        }
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The identity of an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ImageId {
    /// The AWS account that owns the registry, 12 digits.
    pub account: String,
    /// The AWS region of the registry.
    pub region: String,
    /// The repository's name, without registry or tag.
    pub repository: String,
    /// The digest of the manifest.
    pub digest: Digest,
}

impl ImageId {
    /// The resource id that Amazon Inspector uses for an image:
    /// `arn:aws:ecr:<region>:<account>:repository/<name>/<digest>`.
    pub fn arn(&self) -> String {
        self.arn_in(partition(&self.region).0)
    }

    /// Reads the ARN of an image, `arn:<partition>:ecr:<region>:<account>:repository/<name>/<digest>`.
    pub fn from_arn(text: &str) -> Result<Self, ImageError> {
        let wrong = || ImageError::RepositoryArn(text.chars().take(600).collect());
        let mut parts = text.splitn(6, ':').skip(2);
        let (Some("ecr"), Some(region), Some(account), Some(resource)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        let named = resource.strip_prefix("repository/").and_then(|rest| rest.rsplit_once('/'));
        let (repository, digest) = named.ok_or_else(wrong)?;
        Ok(Self {
            account: account.to_owned(),
            region: region.to_owned(),
            repository: repository.to_owned(),
            digest: digest.to_owned().try_into()?,
        })
    }

    /// The same in a partition that is known from elsewhere.
    pub fn arn_in(&self, partition: &str) -> String {
        format!(
            "arn:{partition}:ecr:{}:{}:repository/{}/{}",
            self.region, self.account, self.repository, self.digest
        )
    }

    /// The ARN of its repository, in a partition that is known from elsewhere or else follows from the region.
    pub fn repository_arn(&self, partition_name: Option<&str>) -> String {
        let partition = partition_name.unwrap_or_else(|| partition(&self.region).0);
        format!("arn:{partition}:ecr:{}:{}:repository/{}", self.region, self.account, self.repository)
    }

    /// What `docker pull` takes.
    pub fn uri(&self) -> String {
        let (_, domain) = partition(&self.region);
        format!("{}.dkr.ecr.{}.{domain}/{}@{}", self.account, self.region, self.repository, self.digest)
    }

    /// The same by a tag.
    pub fn uri_with_tag(&self, tag: &str) -> String {
        let (_, domain) = partition(&self.region);
        format!("{}.dkr.ecr.{}.{domain}/{}:{tag}", self.account, self.region, self.repository)
    }
}

impl ImageId {
    /// Whether its names are of the characters that AWS's names are made of: all visible, all ASCII, no space.
    pub(crate) fn is_plain(&self) -> bool {
        [&self.account, &self.region, &self.repository]
            .into_iter()
            .all(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()))
    }
}

impl fmt::Display for ImageId {
    /// The key of the image's ledger, readable in a log: `<account>/<region>/<repository>@<digest>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}@{}", self.account, self.region, self.repository, self.digest)
    }
}

impl FromStr for ImageId {
    type Err = ImageError;

    /// Reads what [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self, ImageError> {
        let wrong = || ImageError::Id(text.chars().take(600).collect());
        let (name, digest) = text.rsplit_once('@').ok_or_else(wrong)?;
        let mut parts = name.splitn(3, '/').map(str::to_owned);
        let (Some(account), Some(region), Some(repository)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        Ok(Self { account, region, repository, digest: digest.to_owned().try_into()? })
    }
}

/// The registry and the repository that an event's `repository-name` means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryRef {
    /// The account in the ARN; a plain name has none.
    pub account: Option<String>,
    /// The region in the ARN; a plain name has none.
    pub region: Option<String>,
    /// The repository's name.
    pub name: String,
}

impl RepositoryRef {
    /// Reads a plain name (as in `ECR Image Scan`) or a repository ARN (as in `Inspector2 Scan`).
    pub fn parse(text: &str) -> Result<Self, ImageError> {
        if !text.starts_with("arn:") {
            return Ok(Self { account: None, region: None, name: text.to_owned() });
        }
        let wrong = || ImageError::RepositoryArn(text.chars().take(200).collect());
        let mut parts = text.splitn(6, ':').skip(2);
        let (Some("ecr"), Some(region), Some(account), Some(resource)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        let name = resource.strip_prefix("repository/").filter(|name| !name.is_empty()).ok_or_else(wrong)?;
        // An image's ARN goes on with its digest; a repository's name cannot contain a colon.
        let name = name.split_once("/sha256:").map_or(name, |(name, _)| name);
        Ok(Self {
            account: Some(account.to_owned()).filter(|a| !a.is_empty()),
            region: Some(region.to_owned()).filter(|r| !r.is_empty()),
            name: name.to_owned(),
        })
    }
}

/// The partition of a region and its domain, as the AWS SDKs know them (`partitions.json` of botocore 1.44).
fn partition(region: &str) -> (&'static str, &'static str) {
    const PARTITIONS: [(&str, &str, &str); 7] = [
        ("cn-", "aws-cn", "amazonaws.com.cn"),
        ("us-gov-", "aws-us-gov", "amazonaws.com"),
        ("eusc-", "aws-eusc", "amazonaws.eu"),
        ("us-iso-", "aws-iso", "c2s.ic.gov"),
        ("us-isob-", "aws-iso-b", "sc2s.sgov.gov"),
        ("eu-isoe-", "aws-iso-e", "cloud.adc-e.uk"),
        ("us-isof-", "aws-iso-f", "csp.hci.ic.gov"),
    ];
    PARTITIONS
        .into_iter()
        .find(|(prefix, ..)| region.starts_with(prefix))
        .map_or(("aws", "amazonaws.com"), |(_, partition, domain)| (partition, domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> ImageId {
        ImageId {
            account: "123456789012".into(),
            region: "eu-central-1".into(),
            repository: "prod/api".into(),
            digest: Digest::try_from(format!("sha256:{}", "0123456789abcdef".repeat(4))).unwrap(),
        }
    }

    #[test]
    fn id_is_read_back_as_the_image() {
        assert_eq!(image().to_string().parse(), Ok(image()));
        for text in ["", "a/b/c", "a/b@sha256:ab", "a@sha256:ab"] {
            assert!(matches!(text.parse::<ImageId>(), Err(ImageError::Id(_))), "{text}");
        }
        assert!(matches!("a/b/c@md5:ab".parse::<ImageId>(), Err(ImageError::Digest(_))));
    }

    #[test]
    fn arn_is_read_back_as_the_image() {
        assert_eq!(ImageId::from_arn(&image().arn()).unwrap(), image());
        assert_eq!(ImageId::from_arn(&image().arn_in("aws-cn")).unwrap(), image());
        for wrong in
            ["", "arn:aws:ecr:eu-west-1:1:repository/a", "arn:aws:ec2:eu-west-1:1:instance/i-1", "a/b"]
        {
            assert!(ImageId::from_arn(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn arn_is_read_back_as_the_repository() {
        let read = RepositoryRef::parse(&image().arn()).unwrap();
        assert_eq!(read.name, "prod/api");
        assert_eq!(read.account.as_deref(), Some("123456789012"));
        assert_eq!(read.region.as_deref(), Some("eu-central-1"));
    }

    #[test]
    fn each_partition_has_its_name_and_its_domain() {
        for (region, arn, domain) in [
            ("eu-west-1", "arn:aws:ecr:eu-west-1:", ".eu-west-1.amazonaws.com/"),
            ("us-gov-west-1", "arn:aws-us-gov:ecr:", ".us-gov-west-1.amazonaws.com/"),
            ("cn-north-1", "arn:aws-cn:ecr:", ".cn-north-1.amazonaws.com.cn/"),
            ("eusc-de-east-1", "arn:aws-eusc:ecr:", ".eusc-de-east-1.amazonaws.eu/"),
            ("us-iso-east-1", "arn:aws-iso:ecr:", ".us-iso-east-1.c2s.ic.gov/"),
            ("us-isob-east-1", "arn:aws-iso-b:ecr:", ".us-isob-east-1.sc2s.sgov.gov/"),
            ("eu-isoe-west-1", "arn:aws-iso-e:ecr:", ".eu-isoe-west-1.cloud.adc-e.uk/"),
            ("us-isof-south-1", "arn:aws-iso-f:ecr:", ".us-isof-south-1.csp.hci.ic.gov/"),
        ] {
            let image = ImageId { region: region.into(), ..image() };
            assert!(image.arn().starts_with(arn), "{}", image.arn());
            assert!(image.uri().contains(domain), "{}", image.uri());
        }
        assert!(image().arn_in("aws-new").starts_with("arn:aws-new:ecr:eu-central-1:"));
    }

    #[test]
    fn plain_name_stays_a_plain_name() {
        assert_eq!(RepositoryRef::parse("team/app").unwrap().name, "team/app");
    }

    #[test]
    fn foreign_arns_and_hostile_digests_are_refused() {
        assert!(RepositoryRef::parse("arn:aws:s3:::bucket").is_err());
        assert!(RepositoryRef::parse("arn:aws:ecr:r:a:repository/").is_err());
        for wrong in
            ["", "sha256:", "sha512:ab", "sha256:ab/../c", "sha256:ä", &format!("sha256:{}", "a".repeat(65))]
        {
            assert!(Digest::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
