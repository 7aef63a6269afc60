//! Where an image comes from: who called, and from where, as CloudTrail records it; what it says of that itself; whose it
//! is, and what runs it.
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html>

mod github;
mod label;
mod repository;
mod workload;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use github::{GitHubRepository, GitHubRun};
pub use label::{Blob, Labelled, Labels};
pub use repository::{RepositoryTags, TagKeys, TagsAsOf};
pub use workload::{Workload, Workloads};

const GITHUB_ACTIONS: &str = "token.actions.githubusercontent.com";

/// Who pushed an image, or did anything else with one. What is stated is kept; what follows from it is worked out when
/// it is read, so that what was stored before is understood as well.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Pusher {
    /// The principal's ARN; an assumed role's ends with the session's name. Where CloudTrail states none, whatever else
    /// identifies the principal, or `unknown`.
    pub arn: String,
    /// The identity provider that vouched for the principal, such as `token.actions.githubusercontent.com`.
    pub provider: Option<String>,
    /// The AWS service that made the call, such as `replication.ecr.amazonaws.com`; not ECR itself, through which all
    /// pushes of Docker go.
    pub service: Option<String>,
}

/// What a pusher is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who<'a> {
    User(&'a str),
    Session(Session<'a>),
    /// A user for whom somebody else called `sts:GetFederationToken`.
    FederatedUser(&'a str),
    /// A session that an identity provider vouched for, of OpenID Connect or SAML.
    SignedIn(Session<'a>, &'a str),
    /// A person who signed in to IAM Identity Center, with a permission set.
    IdentityCenter {
        person: &'a str,
        permission_set: &'a str,
    },
    /// A workflow of GitHub Actions, and which run of it, where the session is named for that.
    GitHubActions(Session<'a>, Option<GitHubRun<'a>>),
    /// A build of AWS CodeBuild. Its session's name says so, which whoever may assume the role can choose.
    CodeBuild {
        role: &'a str,
        build: &'a str,
    },
    Service(&'a str),
    Root {
        account: &'a str,
    },
    /// Somebody whom CloudTrail identifies in another way, such as a principal of another account.
    Other(&'a str),
    /// CloudTrail's record names nobody.
    Unknown,
}

/// A session of an IAM role. Whoever assumes the role chooses the name of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session<'a> {
    pub role: &'a str,
    pub name: &'a str,
}

impl Pusher {
    /// Somebody whom CloudTrail does not name.
    pub fn unknown() -> Self {
        Self { arn: "unknown".to_owned(), provider: None, service: None }
    }

    pub fn who(&self) -> Who<'_> {
        if self.arn == "unknown" {
            return self.service.as_deref().map_or(Who::Unknown, Who::Service);
        }
        // arn:<partition>:<iam or sts>:<region>:<account>:<resource>
        let mut parts = self.arn.splitn(6, ':');
        let (prefix, account, resource) = (parts.next(), parts.nth(3), parts.next());
        let (Some("arn"), Some(account), Some(resource)) = (prefix, account, resource) else {
            return Who::Other(&self.arn);
        };
        match resource.split_once('/') {
            None if resource == "root" => Who::Root { account },
            Some(("user", path)) => Who::User(last(path)),
            Some(("federated-user", name)) => Who::FederatedUser(name),
            Some(("assumed-role", session)) => {
                let (role, name) = session.split_once('/').unwrap_or((session, ""));
                self.of_session(Session { role, name })
            }
            _ => Who::Other(&self.arn),
        }
    }

    fn of_session<'a>(&'a self, session: Session<'a>) -> Who<'a> {
        if session.role.starts_with("AWSServiceRoleFor") {
            return Who::Service(self.service.as_deref().unwrap_or(session.role));
        }
        match self.provider.as_deref() {
            Some(GITHUB_ACTIONS) => return Who::GitHubActions(session, GitHubRun::of(session.name)),
            Some(provider) => return Who::SignedIn(session, provider),
            None => {}
        }
        // AWSReservedSSO_<permission set>_<16 hex digits>
        let reserved = session.role.strip_prefix("AWSReservedSSO_").and_then(|set| set.rsplit_once('_'));
        if let Some((permission_set, _)) = reserved {
            return Who::IdentityCenter { person: session.name, permission_set };
        }
        match session.name.strip_prefix("AWSCodeBuild-") {
            Some(build) => Who::CodeBuild { role: session.role, build },
            None => Who::Session(session),
        }
    }
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

impl<'a> Who<'a> {
    /// The run of GitHub Actions, where the session is named for one.
    pub fn github_run(&self) -> Option<GitHubRun<'a>> {
        match self {
            Self::GitHubActions(_, run) => *run,
            _ => None,
        }
    }

    /// The word for it in announcements.
    fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Session(_) => "role",
            Self::FederatedUser(_) => "federated_user",
            Self::SignedIn(..) => "identity_provider",
            Self::IdentityCenter { .. } => "identity_center",
            Self::GitHubActions(..) => "github_actions",
            Self::CodeBuild { .. } => "codebuild",
            Self::Service(_) => "service",
            Self::Root { .. } => "root",
            Self::Other(_) => "other",
            Self::Unknown => "unknown",
        }
    }
}

/// As an alert says it, after "by".
impl fmt::Display for Who<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "the IAM user {name}"),
            Self::Session(session) => write!(f, "the {session}"),
            Self::FederatedUser(name) => write!(f, "the federated user {name}"),
            Self::SignedIn(session, provider) => write!(f, "the {session}, signed in with {provider}"),
            Self::IdentityCenter { person, permission_set } => {
                write!(f, "{person} (IAM Identity Center, {permission_set})")
            }
            Self::GitHubActions(Session { role, .. }, Some(run)) => {
                write!(f, "GitHub Actions, {run} (role {role})")
            }
            Self::GitHubActions(session, None) => write!(f, "GitHub Actions ({session})"),
            Self::CodeBuild { role, build } => write!(f, "CodeBuild, build {build} (role {role})"),
            Self::Service(name) => write!(f, "the AWS service {name}"),
            Self::Root { account } => write!(f, "the root user of account {account}"),
            Self::Other(name) => f.write_str(name),
            Self::Unknown => f.write_str("somebody whom CloudTrail does not name"),
        }
    }
}

impl fmt::Display for Session<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name {
            "" => write!(f, "role {}", self.role),
            name => write!(f, "role {}, session {name}", self.role),
        }
    }
}

/// A pusher in JSON, with what follows from it.
#[derive(Serialize, Deserialize)]
struct Written {
    #[serde(default, skip_deserializing)]
    kind: &'static str,
    arn: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", skip_deserializing)]
    github: Option<github::Written>,
}

impl From<Written> for Pusher {
    fn from(Written { arn, provider, service, .. }: Written) -> Self {
        Self { arn, provider, service }
    }
}

impl From<Pusher> for Written {
    fn from(pusher: Pusher) -> Self {
        let who = pusher.who();
        let github = who.github_run().map(github::Written::from);
        Self { kind: who.kind(), github, arn: pusher.arn, provider: pusher.provider, service: pusher.service }
    }
}

/// Who did something, from where, and when.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Actor {
    pub who: Pusher,
    pub from: Origin,
    pub at: Timestamp,
}

/// Where a call came from. A push of Docker comes from `ecr.amazonaws.com` or `AWS Internal`, from wherever it was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Origin {
    /// An IP address or the name of an AWS service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The program that called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

#[cfg(test)]
mod tests;
