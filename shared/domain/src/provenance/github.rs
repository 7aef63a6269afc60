//! Which run of GitHub Actions a session is named for.
//!
//! GitHub's identity provider cannot tag a session, so the name that the workflow gives it is all that a record of
//! CloudTrail says of the run: <https://github.com/aws-actions/configure-aws-credentials#session-tagging-and-name>.
//! Whoever may assume the role chooses that name, so it is read as hostile text.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest name of an owner, and of a repository, in characters. <https://docs.github.com/en/rest/repos/repos>
const OWNER: usize = 39;
const REPOSITORY: usize = 100;

/// A run of a workflow, from a session's name of the form `gha@<owner>@<repository>@<run id>` or
/// `gha-<repository id>-<run id>`. The names of sessions have no slash, and those of owners and repositories no `@`:
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GitHubRun<'a> {
    pub repository: GitHubRepository<'a>,
    pub run_id: u64,
}

/// A repository of GitHub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GitHubRepository<'a> {
    /// As GitHub numbers it. The number stays when the repository gets another name, but no page has it in its address.
    Id(u64),
    /// By its name, of which nothing but the form was checked.
    Named { owner: &'a str, name: &'a str },
}

impl<'a> GitHubRun<'a> {
    pub(super) fn of(session: &'a str) -> Option<Self> {
        if let Some(ids) = session.strip_prefix("gha-") {
            let (repository, run) = ids.split_once('-')?;
            return Some(Self { repository: GitHubRepository::Id(id(repository)?), run_id: id(run)? });
        }
        let mut parts = session.strip_prefix("gha@")?.split('@');
        let (owner, name, run) = (parts.next()?, parts.next()?, parts.next()?);
        let is_named = parts.next().is_none() && is_owner(owner) && is_repository(name);
        let repository = is_named.then_some(GitHubRepository::Named { owner, name })?;
        Some(Self { repository, run_id: id(run)? })
    }

    /// The page of the run, where the name of its repository is known.
    pub fn url(&self) -> Option<String> {
        match self.repository {
            GitHubRepository::Id(_) => None,
            GitHubRepository::Named { owner, name } => {
                Some(format!("https://github.com/{owner}/{name}/actions/runs/{}", self.run_id))
            }
        }
    }
}

/// Digits and nothing else; Rust would read a sign as well.
fn id(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Letters, digits and hyphens; the names of managed users have an underscore besides.
fn is_owner(name: &str) -> bool {
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    first
        && name.len() <= OWNER
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

fn is_repository(name: &str) -> bool {
    let is_path = name.is_empty() || name == "." || name == "..";
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !is_path && name.len() <= REPOSITORY && name.bytes().all(known)
}

/// As an alert says it.
impl fmt::Display for GitHubRun<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.repository {
            GitHubRepository::Id(id) => write!(f, "run {} of the repository with the id {id}", self.run_id),
            GitHubRepository::Named { owner, name } => write!(f, "run {} of {owner}/{name}", self.run_id),
        }
    }
}

/// A run in announcements.
#[derive(Serialize, Deserialize)]
pub(super) struct Written {
    #[serde(skip_serializing_if = "Option::is_none")]
    repository_id: Option<u64>,
    /// `<owner>/<repository>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    repository: Option<String>,
    run_id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

impl From<GitHubRun<'_>> for Written {
    fn from(run: GitHubRun<'_>) -> Self {
        let (repository_id, repository) = match run.repository {
            GitHubRepository::Id(id) => (Some(id), None),
            GitHubRepository::Named { owner, name } => (None, Some(format!("{owner}/{name}"))),
        };
        Self { repository_id, repository, run_id: run.run_id, url: run.url() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn url(session: &str) -> Option<String> {
        GitHubRun::of(session)?.url()
    }

    #[test]
    fn session_that_names_repository_and_run_gives_the_page_of_the_run() {
        let page = "https://github.com/octo-org/Shop.api_2/actions/runs/8123456789";
        assert_eq!(url("gha@octo-org@Shop.api_2@8123456789").unwrap(), page);
        assert_eq!(url("gha@mona_octo@-@1").unwrap(), "https://github.com/mona_octo/-/actions/runs/1");
    }

    #[test]
    fn session_that_names_only_ids_has_no_page() {
        let run = GitHubRun::of("gha-1296269-8123456789").unwrap();
        assert_eq!((run.repository, run.run_id), (GitHubRepository::Id(1_296_269), 8_123_456_789));
        assert_eq!(run.url(), None);
    }

    #[test]
    fn other_sessions_are_named_for_no_run() {
        for session in [
            "GitHubActions",
            "gha",
            "gha@",
            "gha@a@b",
            "gha@a@b@",
            "gha@a@b@1@2",
            "gha@@b@1",
            "gha@a@@1",
            "gha@a@.@1",
            "gha@a@..@1",
            "gha@a.b@c@1",
            "gha@-a@b@1",
            "gha@a@b=c@1",
            "gha@a/b@c@1",
            "gha@a@b@+1",
            "gha@a@b@-1",
            "gha@a@b@1.5",
            "gha@a@b@99999999999999999999",
            "gha-+1-2",
            "gha-1-+2",
            "gha--1-2",
            "gha@exämple@b@1",
        ] {
            assert_eq!(GitHubRun::of(session), None, "{session}");
        }
        assert!(GitHubRun::of(&format!("gha@{}@b@1", "a".repeat(39))).is_some());
        assert_eq!(GitHubRun::of(&format!("gha@{}@b@1", "a".repeat(40))), None);
        assert!(GitHubRun::of(&format!("gha@a@{}@1", "b".repeat(100))).is_some());
        assert_eq!(GitHubRun::of(&format!("gha@a@{}@1", "b".repeat(101))), None);
    }

    proptest! {
        /// Whatever the session's name, a link goes to a run on GitHub and nowhere else.
        #[test]
        fn link_points_at_nothing_but_a_run(
            session in prop_oneof![
                any::<String>(),
                "gha[@-]\\PC{0,40}",
                "gha@[-a-z0-9./:?#@%\\\\]{1,8}@[-a-zA-Z0-9._/:?#%\\\\ ]{1,8}@[0-9+]{1,21}",
                "gha@[a-z][a-z0-9-]{0,5}@[a-z.]{1,4}@[0-9]{1,5}",
            ]
        ) {
            let Some(url) = url(&session) else { return Ok(()) };
            let path = url.strip_prefix("https://github.com/").unwrap();
            let parts: Vec<&str> = path.split('/').collect();
            prop_assert_eq!(parts.len(), 5, "{}", url);
            prop_assert_eq!((parts[2], parts[3]), ("actions", "runs"));
            let plain = |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
            prop_assert!(!parts[0].is_empty() && plain(parts[0]) && !parts[0].contains('.'));
            prop_assert!(![".", "..", ""].contains(&parts[1]) && plain(parts[1]));
            prop_assert!(!parts[4].is_empty() && parts[4].bytes().all(|b| b.is_ascii_digit()));
        }
    }
}
