//! What a cluster costs in calls of the cloud's API: counts, never times.

use std::collections::BTreeMap;

use sandbox::gate::{Effect, Fault, Surface};
use suites::{Bench, Result};

type Routes = BTreeMap<String, u64>;

/// Calls that serve all machines at once: the login, names and listings.
const SHARED: [&str; 7] = [
    "post /iam/v2/auth/personal_access_token",
    "get /compute/v1/open_iaas",
    "get /compute/v1/open_iaas/networks",
    "get /compute/v1/open_iaas/storage_repositories",
    "get /compute/v1/open_iaas/templates",
    "get /compute/v1/open_iaas/virtual_machines",
    "get /backup/v1/open_iaas/policies",
];

/// Calls of the cloud's API by route, without looks at activities.
async fn cloud_calls(bench: &Bench) -> Result<Routes> {
    let calls = bench.admin().calls().await?;
    let calls = calls.into_iter().filter_map(|(route, number)| {
        let route = route.strip_prefix("openiaas ")?;
        (!route.contains("/activity/")).then(|| (route.to_owned(), number))
    });
    Ok(calls.collect())
}

fn of(calls: &Routes, route: &str) -> u64 {
    calls.get(route).copied().unwrap_or_default()
}

/// Calls about single machines.
fn about_machines(calls: &Routes) -> u64 {
    let own = calls
        .iter()
        .filter(|(route, _)| !SHARED.contains(&route.as_str()));
    own.map(|(_, number)| number).sum()
}

fn lists(calls: &Routes) -> u64 {
    of(calls, "get /compute/v1/open_iaas/virtual_machines")
}

/// Each write once, one look at the disks; a data disk is one more. Beside that the claim of the identifier is read
/// back, and the tag that completes the cluster is written and read back.
fn expect_cheap(calls: &Routes, machines: u64, data_disks: u64, tags_apart: u64) {
    let allowed = 9 * machines + data_disks + tags_apart;
    let seen = about_machines(calls);
    assert!(
        seen <= allowed,
        "{seen} calls about {machines} machines, {allowed} allowed: {calls:#?}"
    );
    for once in [
        "get /compute/v1/open_iaas/virtual_disks",
        "post /compute/v1/open_iaas/virtual_machines",
        "patch /compute/v1/open_iaas/virtual_machines/{id}/power",
    ] {
        assert_eq!(of(calls, once), machines, "{once}: {calls:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn making_machines_costs_one_call_a_write_and_one_look_at_their_disks() -> Result {
    let bench = Bench::with_example("quickstart").await?;
    bench.admin().reset_calls().await?;
    bench.apply().await?;
    let calls = cloud_calls(&bench).await?;
    expect_cheap(&calls, 9, 3, 3);
    // Three zones: before the claim, after it in its own zone, after machines were made; the same for the pool. A slow
    // run may look once more at what it has not changed for long.
    assert!(lists(&calls) <= 24, "{calls:#?}");
    for name in ["templates", "networks"] {
        let route = format!("get /compute/v1/open_iaas/{name}");
        assert_eq!(of(&calls, &route), 3, "{name} are read once a zone");
    }
    assert_eq!(of(&calls, "get /backup/v1/open_iaas/policies"), 3);

    bench.admin().reset_calls().await?;
    bench.expect_empty_plan().await?;
    let calls = cloud_calls(&bench).await?;
    assert_eq!(lists(&calls), 3, "one list a zone: {calls:#?}");
    let others = calls.values().sum::<u64>() - lists(&calls);
    assert!(
        others <= 3 * 9,
        "a plan may read each machine three times: {calls:#?}"
    );
    Ok(())
}

/// Every write of the cloud's API that making a cluster sends.
const WRITES: [(&str, &str); 10] = [
    ("POST", "*/virtual_machines"),
    ("PATCH", "*/virtual_machines/*"),
    ("PATCH", "*/virtual_machines/*/power"),
    ("POST", "*/tags"),
    ("PATCH", "*/virtual_disks/*"),
    ("POST", "*/virtual_disks"),
    ("PATCH", "*/virtual_disks/*/disconnect"),
    ("DELETE", "*/virtual_disks/*"),
    ("POST", "*/policies/assign"),
    ("POST", "*/tags"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_answer_was_lost_is_looked_up_and_not_sent_again() -> Result {
    let bench = Bench::with_example("quickstart").await?;
    let admin = bench.admin();
    for (number, (method, path)) in WRITES.into_iter().enumerate() {
        // Not always of the first machine: the completion is the last tag.
        let skip = if number == WRITES.len() - 1 { 6 } else { 0 };
        let fault = Fault::new(Effect::LostAnswer).on_call(Surface::Openiaas, method, path);
        admin.fault(&fault.times(1).after(skip)).await?;
    }
    admin.reset_calls().await?;
    bench.apply().await?;
    for fault in admin.faults().await? {
        assert_eq!(fault.hit, 1, "{:?} hit nothing", fault.fault);
    }
    let calls = cloud_calls(&bench).await?;
    for (route, number) in [
        ("post /compute/v1/open_iaas/virtual_machines", 9),
        ("patch /compute/v1/open_iaas/virtual_machines/{id}", 9),
        ("patch /compute/v1/open_iaas/virtual_machines/{id}/power", 9),
        ("post /tag/v1/tags", 10),
        ("patch /compute/v1/open_iaas/virtual_disks/{id}", 9),
        ("post /compute/v1/open_iaas/virtual_disks", 3),
        (
            "patch /compute/v1/open_iaas/virtual_disks/{id}/disconnect",
            9,
        ),
        ("delete /compute/v1/open_iaas/virtual_disks/{id}", 9),
        ("post /backup/v1/open_iaas/policies/assign", 9),
    ] {
        assert_eq!(of(&calls, route), number, "{route}: {calls:#?}");
    }
    for vm in bench.inventory().await?.vms {
        assert!(vm.running && !vm.config_drive, "{vm:?}");
    }
    bench.expect_empty_plan().await
}
