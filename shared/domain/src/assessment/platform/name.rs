//! What the platforms of an index are called. An index may have several images for one platform; each is named apart.

use std::collections::BTreeMap;

use super::Platform;
use crate::ledger::Ledger;
use crate::manifest::Child;

impl Platform {
    /// The images of an index by name, sorted, no two alike.
    pub fn named(images: Vec<(Child, Ledger)>) -> Vec<Self> {
        let choices: Vec<Vec<String>> = images.iter().map(|(child, _)| choices(child)).collect();
        // Which choice each has come to. Those who share a name all take their next one.
        let mut chosen = vec![0; images.len()];
        loop {
            let mut shared: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
            for (image, choice) in chosen.iter().enumerate() {
                shared.entry(&choices[image][*choice]).or_default().push(image);
            }
            let alike = shared.into_values().filter(|images| images.len() > 1).flatten();
            let moved: Vec<usize> =
                alike.filter(|image| chosen[*image] + 1 < choices[*image].len()).collect();
            if moved.is_empty() {
                break;
            }
            for image in moved {
                chosen[image] += 1;
            }
        }
        let names = choices.into_iter().zip(chosen).map(|(mut choices, chosen)| choices.swap_remove(chosen));
        let mut platforms: Vec<Self> =
            names.zip(images).map(|(name, (_, ledger))| Self { name, ledger }).collect();
        platforms.sort_by(|a, b| (&a.name, &a.ledger.image).cmp(&(&b.name, &b.ledger.image)));
        platforms
    }
}

/// From the shortest name to the one that nothing else has.
fn choices(child: &Child) -> Vec<String> {
    let Child { digest, platform, os_version, .. } = child;
    let Some(platform) = platform else { return vec![digest.short().to_owned(), digest.to_string()] };
    let version = os_version.iter().map(|version| format!("{platform} {version}"));
    let by_digest = [digest.short(), digest.as_str()].map(|digest| format!("{platform} {digest}"));
    std::iter::once(platform.clone()).chain(version).chain(by_digest).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::manifest::ChildKind;
    use crate::samples::{image, ledger};

    /// Number, platform and version of an entry.
    type Entry = (u64, (Option<&'static str>, Option<&'static str>));

    fn child(number: u64, platform: Option<&str>, os_version: Option<&str>) -> (Child, Ledger) {
        let child = Child {
            digest: format!("sha256:{number:064x}").try_into().unwrap(),
            kind: ChildKind::Image,
            platform: platform.map(str::to_owned),
            os_version: os_version.map(str::to_owned),
        };
        let mut ledger = ledger([]);
        ledger.image.digest = child.digest.clone();
        (child, ledger)
    }

    fn names(images: Vec<(Child, Ledger)>) -> Vec<String> {
        Platform::named(images).into_iter().map(|platform| platform.name).collect()
    }

    #[test]
    fn platform_that_stands_once_has_its_plain_name() {
        let images = vec![
            child(1, Some("windows/amd64"), Some("10.0.17763.1")),
            child(2, Some("linux/amd64"), None),
            child(3, None, None),
        ];
        let digest = image().digest.short().len();
        assert_eq!(digest, 12, "of 12 digits");
        assert_eq!(names(images), ["000000000000", "linux/amd64", "windows/amd64"]);
    }

    #[test]
    fn images_of_one_platform_are_named_by_version_and_else_by_digest() {
        let high = |number: u64| number << 8;
        let images = vec![
            child(1, Some("windows/amd64"), Some("10.0.20348.2")),
            child(2, Some("windows/amd64"), Some("10.0.17763.1")),
            child(high(1), Some("linux/amd64"), None),
            child(3, Some("windows/arm64"), Some("10.0.1")),
            child(4, Some("windows/arm64"), Some("10.0.1")),
        ];
        let full = |number: u64| format!("sha256:{number:064x}");
        assert_eq!(
            names(images),
            [
                "linux/amd64".to_owned(),
                "windows/amd64 10.0.17763.1".to_owned(),
                "windows/amd64 10.0.20348.2".to_owned(),
                format!("windows/arm64 {}", full(3)),
                format!("windows/arm64 {}", full(4)),
            ],
            "digests that begin alike are named in full"
        );
    }

    proptest! {
        #[test]
        fn no_two_names_are_alike_and_the_order_of_entries_does_not_matter(
            (images, shuffled) in proptest::collection::btree_map(
                0_u64..30,
                (select(vec![None, Some("a/b"), Some("a/b 1"), Some("c/d")]), select(vec![None, Some("1"), Some("2")])),
                0..10,
            ).prop_flat_map(|entries| {
                let images: Vec<_> = entries.into_iter().collect();
                (Just(images.clone()), Just(images).prop_shuffle())
            })
        ) {
            let children = |entries: Vec<Entry>| {
                entries.into_iter().map(|(number, (platform, version))| child(number, platform, version)).collect()
            };
            let named = Platform::named(children(images.clone()));
            let mut names: Vec<&str> = named.iter().map(|platform| platform.name.as_str()).collect();
            names.dedup();
            prop_assert_eq!(names.len(), images.len());
            prop_assert_eq!(&Platform::named(children(shuffled)), &named);
        }
    }
}
