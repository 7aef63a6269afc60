//! `CreateRepository`, `PutImageTagMutability` and `DescribeRepositories`.

use serde_json::{Value, json};

use super::request::requested_page;
use crate::account::time::epoch_seconds;
use crate::ecr::Ecr;
use crate::ecr::error::EcrError;
use crate::ecr::mutability::Mutability;
use crate::ecr::repository::Repository;
use crate::wire::pagination::write_page;
use crate::wire::parameters::Parameters;

impl Ecr {
    pub(super) fn add_repository(&self, request: Parameters<'_>) -> Result<Value, EcrError> {
        let (registry, name) = self.target(request)?;
        let mutability = Mutability::read(request)?;
        let created_at = self.account.now();
        self.registries.with(|registries| {
            let key = (registry.to_owned(), name.to_owned());
            if registries.repositories.contains_key(&key) {
                let (registry, repository) = key;
                return Err(EcrError::RepositoryAlreadyExists { registry, repository });
            }
            let repository = Repository::new(name, mutability, created_at);
            let response = json!({"repository": self.repository_view(registry, &repository)});
            registries.repositories.insert(key, repository);
            Ok(response)
        })
    }

    pub(super) fn put_image_tag_mutability(&self, request: Parameters<'_>) -> Result<Value, EcrError> {
        let (registry, name) = self.target(request)?;
        let mutability = Mutability::read(request)?;
        self.registries.with(|registries| {
            let repository = registries.repository(registry, name)?;
            let mut response = json!({"registryId": registry, "repositoryName": name});
            mutability.write(&mut response);
            repository.mutability = mutability;
            Ok(response)
        })
    }

    pub(super) fn describe_repositories(&self, request: Parameters<'_>) -> Result<Value, EcrError> {
        let registry = request.text("registryId").unwrap_or(&self.account.id);
        let names = request.texts("repositoryNames");
        self.registries.with(|registries| {
            if !names.is_empty() {
                let repositories = names
                    .iter()
                    .map(|name| Ok(self.repository_view(registry, registries.repository(registry, name)?)))
                    .collect::<Result<Vec<_>, EcrError>>()?;
                return Ok(json!({"repositories": repositories}));
            }
            let mine = registries.repositories.iter().filter(|((owner, _), _)| owner == registry);
            let listing = mine.map(|((_, name), repository)| (name.clone(), repository));
            let page = requested_page(request, listing)?;
            let repositories: Vec<_> =
                page.items.iter().map(|repository| self.repository_view(registry, repository)).collect();
            Ok(write_page("repositories", repositories, page.next_token))
        })
    }

    fn repository_view(&self, registry: &str, repository: &Repository) -> Value {
        let name = &repository.name;
        let region = &self.account.region;
        let mut view = json!({
            "registryId": registry,
            "repositoryName": name,
            "repositoryArn": format!("arn:aws:ecr:{region}:{registry}:repository/{name}"),
            "repositoryUri": format!("{registry}.dkr.ecr.{region}.amazonaws.com/{name}"),
            "createdAt": epoch_seconds(repository.created_at),
        });
        repository.mutability.write(&mut view);
        view
    }
}
