//! Versions and their steps.

use jiff::civil::Date;

use super::super::read;
use super::{ClusterInput, PriorCluster};
use crate::{
    KubernetesVersion, Path, Problem, SupportPhase, TalosVersion, Topology, check_kubernetes_step,
    check_matrix, check_talos_step, support_of,
};

pub(super) fn check_versions(
    input: &ClusterInput<'_>,
    topology: Option<Topology>,
    problems: &mut Vec<Problem>,
) {
    let kubernetes = read(
        input.kubernetes_version,
        "kubernetes_version",
        problems,
        KubernetesVersion::parse,
    );
    let talos = read(
        input.talos_version,
        "talos_version",
        problems,
        TalosVersion::parse,
    );
    let prior = input.prior.as_ref();
    if let (Some(talos), None) = (&talos, prior)
        && let Err(problem) = talos.contract()
    {
        problems.push(problem.under(&Path::of("talos_version")));
    }
    if let (Some(kubernetes), Some(talos)) = (&kubernetes, &talos) {
        problems.extend(check_matrix(
            talos,
            kubernetes.minor(),
            &Path::of("kubernetes_version"),
        ));
    }
    if let Some(kubernetes) = &kubernetes {
        check_kubernetes(kubernetes, prior, input.today, topology, problems);
    }
    if let Some((prior, talos)) = prior
        .and_then(|prior| prior.talos.as_ref())
        .zip(talos.as_ref())
    {
        problems.extend(check_talos_step(prior, talos, &Path::of("talos_version")));
    }
}

fn check_kubernetes(
    version: &KubernetesVersion,
    prior: Option<&PriorCluster>,
    today: Option<Date>,
    topology: Option<Topology>,
    problems: &mut Vec<Problem>,
) {
    let place = || Path::of("kubernetes_version");
    let running = prior.and_then(|prior| prior.kubernetes);
    let unchanged = running.is_some_and(|release| version.accepts(&release));
    if let (Some(running), false) = (running, unchanged) {
        match version.resolve() {
            Err(problem) => problems.push(problem.under(&place())),
            Ok(target) => {
                problems.extend(check_kubernetes_step(&running, &target, &place()));
                if target > running && topology == Some(Topology::DevTest) {
                    problems.push(
                        Problem::warning(
                            place(),
                            "the API stops while the control plane is upgraded",
                        )
                        .seen(format!("{running} to {target} with one control plane"))
                        .allowed("an interruption of minutes in devtest")
                        .next("Plan the change at a quiet time."),
                    );
                }
            }
        }
    } else if running.is_none()
        && let Err(problem) = version.resolve()
    {
        problems.push(problem.under(&place()));
    }
    let Some(support) = today.and_then(|today| support_of(version.minor(), today)) else {
        return;
    };
    let deadline = support.deadline.unwrap_or(support.upstream_ends);
    match (support.phase, unchanged) {
        (SupportPhase::Supported, _) => {}
        (SupportPhase::Ending | SupportPhase::Ended, true) => problems.push(
            Problem::warning(place(), "support of this Kubernetes minor ends")
                .seen(format!("{}, supported until {deadline}", version.minor()))
                .allowed("the three newest minors")
                .next("Upgrade by one minor."),
        ),
        // A step on the way up from an old cluster must stay possible.
        (SupportPhase::Ending | SupportPhase::Ended, false) if running.is_some() => problems.push(
            Problem::warning(place(), "support of this Kubernetes minor ends")
                .seen(format!("{}, supported until {deadline}", version.minor()))
                .allowed("the three newest minors")
                .next("Go on to the next minor after this upgrade."),
        ),
        (SupportPhase::Ending | SupportPhase::Ended | SupportPhase::Future, _) => problems.push(
            Problem::error(place(), "Kubernetes minor is not supported")
                .seen(version.minor())
                .allowed("one of the three newest released minors")
                .next("Choose a newer minor that the Talos release runs."),
        ),
    }
}
