//! Rules of an add-on's attributes.

use semver::Version;

use crate::catalogue::{Inclusion, find_component};
use crate::{Minor, Offering, Path, Problem};

/// An add-on's configuration as far as it is known.
#[derive(Clone, Debug, Default)]
pub struct AddonInput<'a> {
    /// `name`.
    pub name: Option<&'a str>,
    /// `chart`, when the add-on is not of the catalogue.
    pub chart: Option<&'a str>,
    /// `repository`.
    pub repository: Option<&'a str>,
    /// Whether `chart` is known to be absent.
    pub from_catalogue: bool,
    /// `version`.
    pub version: Option<&'a str>,
    /// `namespace`.
    pub namespace: Option<&'a str>,
    /// The offering of the handle.
    pub offering: Option<Offering>,
    /// The Kubernetes minor of the handle.
    pub kubernetes: Option<Minor>,
    /// The version in state, when the release exists.
    pub prior_version: Option<&'a str>,
}

/// Namespaces that belong to Kubernetes itself; only the catalogue installs there.
const SYSTEM_NAMESPACES: &[&str] = &["kube-system", "kube-public", "kube-node-lease"];

/// Every rule of an add-on whose inputs are known.
pub fn check_addon(input: &AddonInput<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    if input.from_catalogue {
        check_component(input, &mut problems);
    } else {
        check_release_name(input, &mut problems);
    }
    check_version(input, &mut problems);
    problems
}

fn check_component(input: &AddonInput<'_>, problems: &mut Vec<Problem>) {
    let Some(name) = input.name else { return };
    let component = match find_component(name) {
        Ok(component) => component,
        Err(problem) => {
            problems.push(*problem);
            return;
        }
    };
    if component.name == "cilium" {
        problems.push(
            Problem::error(Path::of("name"), "the network belongs to the cluster")
                .seen("\"cilium\"")
                .allowed("any other name of the catalogue")
                .next("Remove this resource: managedk8s_cluster installs Cilium itself."),
        );
    }
    if let Some(offering) = input.offering
        && component.inclusion(offering) == Inclusion::Absent
    {
        problems.push(
            Problem::error(Path::of("name"), "add-on is not part of the offering")
                .seen(format!("{name:?} with offering {:?}", offering.as_str()))
                .allowed("the components of the cluster's offering")
                .next("Change the cluster's offering, or install the chart itself with chart and repository."),
        );
    }
    if let (None, Some(minor), Some((first, last))) =
        (input.version, input.kubernetes, component.kubernetes)
        && !(first..=last).contains(&minor)
    {
        problems.push(
            Problem::error(Path::of("name"), "add-on does not support this Kubernetes")
                .seen(format!(
                    "{name} {} on Kubernetes {minor}",
                    component.version
                ))
                .allowed(format!("Kubernetes {first} to {last}"))
                .next("Set a version of the chart that supports it."),
        );
    }
}

fn check_release_name(input: &AddonInput<'_>, problems: &mut Vec<Problem>) {
    if let Some(name) = input.name
        && !release_name(name)
    {
        problems.push(
            Problem::error(Path::of("name"), "not the name of a release")
                .seen(format!("{name:?}"))
                .allowed("1 to 53 lower-case letters, digits, hyphens and dots, a letter or digit at both ends")
                .next("Change the name."),
        );
    }
    if let Some(namespace) = input.namespace {
        if SYSTEM_NAMESPACES.contains(&namespace) {
            problems.push(
                Problem::warning(Path::of("namespace"), "release in a system namespace")
                    .seen(format!("{namespace:?}"))
                    .allowed("any namespace; one of its own is advised")
                    .next("Choose another namespace unless the chart must live there."),
            );
        } else if !crate::identifier::is_label(namespace, 63) {
            problems.push(
                Problem::error(Path::of("namespace"), "not the name of a namespace")
                    .seen(format!("{namespace:?}"))
                    .allowed("a DNS label of at most 63 characters, a letter first")
                    .next("Change the name."),
            );
        }
    }
}

/// Helm's rule for release names.
fn release_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=53).contains(&bytes.len())
        && bytes.first().is_some_and(plain)
        && bytes.last().is_some_and(plain)
        && bytes.iter().all(|byte| plain(byte) || b"-.".contains(byte))
}

fn check_version(input: &AddonInput<'_>, problems: &mut Vec<Problem>) {
    let parse = |text: &str| Version::parse(text.strip_prefix('v').unwrap_or(text)).ok();
    let Some(text) = input.version else { return };
    let Some(version) = parse(text) else {
        problems.push(
            Problem::error(Path::of("version"), "not the version of a chart")
                .seen(format!("{text:?}"))
                .allowed("three numbers, as in \"1.19.6\", with or without \"v\"")
                .next("Write an exact version; ranges are not accepted."),
        );
        return;
    };
    if let Some(prior) = input.prior_version.and_then(parse)
        && version < prior
    {
        problems.push(
            Problem::warning(
                Path::of("version"),
                "the chart goes back to an older version",
            )
            .seen(format!("{prior} to {version}"))
            .allowed("any version; older ones may not read what newer ones stored")
            .next("Check the chart's upgrade notes."),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue(name: &'static str) -> AddonInput<'static> {
        AddonInput {
            name: Some(name),
            from_catalogue: true,
            offering: Some(Offering::Core),
            kubernetes: Some(Minor(36)),
            ..AddonInput::default()
        }
    }

    fn summaries(input: &AddonInput<'_>) -> Vec<String> {
        check_addon(input)
            .into_iter()
            .map(|problem| problem.summary.into_owned())
            .collect()
    }

    #[test]
    fn the_catalogue_knows_its_offerings() {
        assert_eq!(summaries(&catalogue("metallb")), Vec::<String>::new());
        assert_eq!(
            summaries(&catalogue("kyverno")),
            ["add-on is not part of the offering"]
        );
        assert_eq!(
            summaries(&catalogue("nothing")),
            ["add-on is not in the catalogue"]
        );
        assert_eq!(
            summaries(&catalogue("cilium")),
            ["the network belongs to the cluster"]
        );
        let mut rook = catalogue("rook-ceph");
        rook.kubernetes = Some(Minor(37));
        assert_eq!(
            summaries(&rook),
            ["add-on does not support this Kubernetes"]
        );
        rook.version = Some("v1.21.0");
        assert_eq!(summaries(&rook), Vec::<String>::new());
    }

    #[test]
    fn any_chart_needs_a_valid_name() {
        let mut input = AddonInput {
            name: Some("My_App"),
            chart: Some("app"),
            ..AddonInput::default()
        };
        assert_eq!(summaries(&input), ["not the name of a release"]);
        input.name = Some("my-app");
        input.version = Some("^1.0");
        assert_eq!(summaries(&input), ["not the version of a chart"]);
        input.version = Some("1.0.0");
        input.prior_version = Some("1.1.0");
        assert_eq!(
            summaries(&input),
            ["the chart goes back to an older version"]
        );
    }
}
