//! Runs that die: `kill -9` of the provider or of terraform, and Ctrl-C, at every kind of write that creating a
//! cluster, a pool and an add-on makes. A plain apply afterwards ends complete, with nothing double and nothing left.
//!
//! The places come from a recording of an undisturbed run. By default each place is hit once, in one of the three ways
//! and after the send or after the answer by turns: each day takes other turns, and six days make all of them.
//! `MANAGEDK8S_CRASH=ways` hits each place in each way, `MANAGEDK8S_CRASH=all` in both moments too.
//! `MANAGEDK8S_CRASH_SEED` (a number) repeats a rotation, `MANAGEDK8S_CRASH_ONLY` picks the cases whose name holds a
//! text, and `MANAGEDK8S_CRASH_JOBS` says how many run side by side. More than there are cores, since whoever continues
//! a killed release first waits for a sign of life of its process.
//!
//! One place ends otherwise, and has to: a run killed between the tag that completes the cluster and the state that
//! terraform would have written leaves a complete cluster that no state knows. The provider sees nothing of a state but
//! what core hands it, and on create that is nothing: the next run of the killed state and the first run of a second
//! state, with the same configuration and the same key, are the same to it. Taking the cluster would let that second
//! state take it as well. So both are refused with the `import` block, which says whose it is.
#![cfg(target_os = "linux")]

mod judge;
mod kinds;
mod processes;
mod world;

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use kinds::{Case, Place, Scope};
use world::{World, limited};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// What an undisturbed run makes and leaves.
struct Recording {
    places: Vec<Place>,
    wanted: Vec<String>,
}

async fn record() -> Result<Recording> {
    let world = World::start().await?;
    let admin = world.admin();
    limited(world.terraform.apply()).await?.expect_code(0)?;
    let writes = admin.writes().await?;
    limited(world.terraform.plan()).await?.expect_code(0)?;
    let inventory = world.inventory().await?;
    Ok(Recording {
        places: kinds::places(&writes, &inventory),
        wanted: judge::lines(&inventory),
    })
}

async fn run(case: &Case, wanted: &[String]) -> Result {
    let world = World::start().await?;
    let before = world.accident(case).await?;
    world.recover(case, &before, wanted).await
}

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

/// The day, so that each day's runs take other turns.
fn today() -> usize {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    (since.as_secs() / 86_400) as usize
}

#[tokio::test(flavor = "multi_thread")]
async fn every_accident_is_survived() -> Result {
    let recording = record().await?;
    let seed = setting("MANAGEDK8S_CRASH_SEED").unwrap_or_else(today);
    let scope = setting::<String>("MANAGEDK8S_CRASH").unwrap_or_default();
    let mut cases = kinds::matrix(&recording.places, Scope::of(&scope), seed);
    if let Some(only) = setting::<String>("MANAGEDK8S_CRASH_ONLY") {
        cases.retain(|case| case.to_string().contains(&only));
    }
    for place in &recording.places {
        eprintln!("place: {place}");
    }
    eprintln!("{} cases, MANAGEDK8S_CRASH_SEED={seed}", cases.len());
    let jobs = Arc::new(Semaphore::new(
        setting("MANAGEDK8S_CRASH_JOBS").unwrap_or(6),
    ));
    let wanted: Arc<[String]> = recording.wanted.into();
    let mut running = JoinSet::new();
    for case in cases {
        let (jobs, wanted) = (Arc::clone(&jobs), Arc::clone(&wanted));
        running.spawn(async move {
            let _turn = jobs.acquire().await;
            let start = Instant::now();
            let result = run(&case, &wanted).await;
            let took = start.elapsed();
            match &result {
                Ok(()) => eprintln!("survived in {took:.1?}: {case}"),
                Err(error) => eprintln!("FAILED in {took:.1?}: {case}: {error}"),
            }
            result.map_err(|_| case.to_string())
        });
    }
    let mut failures = Vec::new();
    while let Some(ended) = running.join_next().await {
        failures.extend(ended?.err());
    }
    assert!(
        failures.is_empty(),
        "{} cases failed, each told above:\n{}",
        failures.len(),
        failures.join("\n")
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_state_of_one_identifier_is_refused_and_touches_nothing() -> Result {
    let world = World::start().await?;
    world.apply_to_the_end().await?;
    let before = world.inventory().await?;
    let second = world.second_workspace().await?;
    world.admin().reset_calls().await?;
    let refused = limited(second.apply()).await?.expect_code(1)?;
    let words = refused.words();
    assert!(
        words.contains("a complete cluster of this identifier exists"),
        "{words}"
    );
    assert_eq!(world.admin().writes().await?, []);
    assert_eq!(world.inventory().await?, before);
    let state = second.show(None).await?;
    let resources = state.pointer("/values/root_module/resources");
    assert!(resources.is_none(), "the second state holds {resources:?}");
    limited(world.terraform.plan()).await?.expect_code(0)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_complete_cluster_that_no_state_knows_is_imported_as_the_refusal_says() -> Result {
    let world = World::start().await?;
    world.apply_to_the_end().await?;
    let before = world.inventory().await?;
    let wanted = judge::lines(&before);
    std::fs::remove_file(world.terraform.folder().join("terraform.tfstate"))?;
    world.import_as_told().await?;
    let after = world.inventory().await?;
    judge::none_replaced(&before, &after)?;
    judge::same(&wanted, &after)
}
