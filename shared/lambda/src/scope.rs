//! Which images a deployment covers: those in its own account and region, in the repositories that its parameters name.

use domain::image::ImageId;
use domain::policy::Patterns;
use thiserror::Error;

use crate::environment::{Environment, EnvironmentError};

#[derive(Debug, Clone, Default)]
pub struct Scope {
    account: Option<String>,
    region: Option<String>,
    included: Option<Patterns>,
    excluded: Option<Patterns>,
}

/// Why an image is out of scope.
#[derive(Debug, Clone, Copy, Error, PartialEq, Eq)]
pub enum OutOfScope {
    /// It is in another account's registry.
    #[error("the image is in another account's registry")]
    Account,
    /// It is in another region's registry: a replica has the same digest, and a rule may forward that region's events.
    #[error("the image is in another region's registry")]
    Region,
    #[error("the repository is not in `REPOSITORIES_INCLUDED`")]
    NotIncluded,
    /// A pattern excludes its repository.
    #[error("the repository is in `REPOSITORIES_EXCLUDED`")]
    Excluded,
}

impl Scope {
    /// Reads the optional variables `REGISTRY_ACCOUNT` (twelve digits), `AWS_REGION` (which Lambda sets),
    /// `REPOSITORIES_INCLUDED` and `REPOSITORIES_EXCLUDED` (globs, separated by commas). A variable that is not set
    /// restricts nothing.
    pub fn new(environment: &Environment) -> Result<Self, EnvironmentError> {
        Ok(Self {
            account: environment.optional("REGISTRY_ACCOUNT"),
            region: environment.optional("AWS_REGION"),
            included: patterns(environment, "REPOSITORIES_INCLUDED")?,
            excluded: patterns(environment, "REPOSITORIES_EXCLUDED")?,
        })
    }

    /// Whether the deployment covers an image, and if not, why.
    pub fn check(&self, image: &ImageId) -> Result<(), OutOfScope> {
        if self.account.as_ref().is_some_and(|account| *account != image.account) {
            Err(OutOfScope::Account)
        } else if self.region.as_ref().is_some_and(|region| *region != image.region) {
            Err(OutOfScope::Region)
        } else if self.included.as_ref().is_some_and(|included| !included.matches(&image.repository)) {
            Err(OutOfScope::NotIncluded)
        } else if self.excluded.as_ref().is_some_and(|excluded| excluded.matches(&image.repository)) {
            Err(OutOfScope::Excluded)
        } else {
            Ok(())
        }
    }
}

fn patterns(environment: &Environment, name: &'static str) -> Result<Option<Patterns>, EnvironmentError> {
    environment
        .optional(name)
        .map(|list| {
            let globs: Vec<String> = list.split(',').map(|glob| glob.trim().to_owned()).collect();
            Patterns::try_from(globs).map_err(|reason| EnvironmentError { name, reason })
        })
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::samples;

    fn scope(account: &str, included: &str, excluded: &str) -> Result<Scope, EnvironmentError> {
        let look_up = |name: &str| {
            Some(match name {
                "REGISTRY_ACCOUNT" => account.to_owned(),
                "REPOSITORIES_INCLUDED" => included.to_owned(),
                "REPOSITORIES_EXCLUDED" => excluded.to_owned(),
                _ => return None,
            })
        };
        Scope::new(&Environment::new(&look_up))
    }

    fn image(repository: &str) -> ImageId {
        ImageId { repository: repository.to_owned(), ..samples::image() }
    }

    #[test]
    fn nothing_set_restricts_nothing() {
        let scope = scope("", "", "").unwrap();
        assert_eq!(scope.check(&image("any/thing")), Ok(()));
    }

    #[test]
    fn repositories_are_those_included_less_those_excluded() {
        let scope = scope("", "prod/*, shared/base", "prod/sandbox/*").unwrap();
        assert_eq!(scope.check(&image("prod/api")), Ok(()));
        assert_eq!(scope.check(&image("prod/payments/api")), Ok(()));
        assert_eq!(scope.check(&image("shared/base")), Ok(()));
        assert_eq!(scope.check(&image("shared/base2")), Err(OutOfScope::NotIncluded));
        assert_eq!(scope.check(&image("dev/prod/api")), Err(OutOfScope::NotIncluded));
        assert_eq!(scope.check(&image("prod/sandbox/api")), Err(OutOfScope::Excluded));
    }

    #[test]
    fn images_in_another_account_are_out_of_scope() {
        let scope = scope("999999999999", "*", "").unwrap();
        assert_eq!(scope.check(&image("prod/api")), Err(OutOfScope::Account));
    }

    #[test]
    fn replicas_in_another_region_are_out_of_scope() {
        let look_up = |name: &str| (name == "AWS_REGION").then(|| "us-east-1".to_owned());
        let scope = Scope::new(&Environment::new(&look_up)).unwrap();
        let replica = ImageId { region: "eu-west-1".to_owned(), ..image("prod/api") };
        assert_eq!(scope.check(&replica), Err(OutOfScope::Region));
        assert_eq!(scope.check(&ImageId { region: "us-east-1".to_owned(), ..replica }), Ok(()));
    }

    #[test]
    fn an_invalid_pattern_is_refused_with_the_name_of_its_variable() {
        assert_eq!(scope("", "prod/[", "").unwrap_err().name, "REPOSITORIES_INCLUDED");
        assert_eq!(scope("", "*", "a,,b").unwrap_err().name, "REPOSITORIES_EXCLUDED");
    }
}
