//! Releases change hands: what ours writes, the helm program lists, upgrades, rolls back and uninstalls, and the other
//! way round; on the built-in API and on the real one.

mod bed;
mod broken;
mod definitions;
mod hands;
mod words;

use std::path::PathBuf;

use futures::FutureExt as _;
use sandbox::kubernetes::alone::Alone;
use suites::Result;

use bed::Bed;

/// Runs the tests on each control plane that is there: on the built-in API each has its own, on the real one they
/// follow each other, so that one is started.
macro_rules! on_both {
    ($($name:ident: $topic:ident::$work:ident;)*) => {
        mod built_in {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() -> suites::Result {
                let Some(helm) = super::helm_program() else { return Ok(()) };
                let alone = sandbox::kubernetes::alone::Alone::built_in().await?;
                super::$topic::$work(&super::Bed::new(alone, helm).await?).await
            })*
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn on_the_real_control_plane() -> Result {
            let (Some(helm), Some(oracles)) = (helm_program(), suites::oracles()) else {
                return Ok(());
            };
            let bed = Bed::new(Alone::real(oracles).await?, helm).await?;
            let mut broken = Vec::new();
            $(
                let kept = std::panic::AssertUnwindSafe($topic::$work(&bed)).catch_unwind().await;
                match kept {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => broken.push(format!("{}: {error}", stringify!($name))),
                    Err(_) => broken.push(format!("{}: panicked", stringify!($name))),
                }
                bed.clean().await?;
            )*
            assert!(broken.is_empty(), "{}", broken.join("\n"));
            Ok(bed.alone.end().await?)
        }
    };
}

on_both! {
    theirs_takes_over_ours: hands::ours_then_theirs;
    ours_takes_over_theirs: hands::theirs_then_ours;
    failures_and_hands_are_seen: hands::failures;
    both_tell_a_release_in_the_same_words: words::same;
    tests_of_a_release_are_run_by_both: words::tests;
    a_failed_hook_is_repaired_by_the_other: broken::hooks;
    ours_recovers_what_theirs_left: broken::theirs_killed;
    theirs_recovers_what_ours_left: broken::ours_killed;
    definitions_follow_their_policy: definitions::policies;
}

fn helm_program() -> Option<PathBuf> {
    let helm = std::env::var_os("MANAGEDK8S_HELM");
    if helm.is_none() {
        eprintln!("PART SKIPPED: MANAGEDK8S_HELM is not set (acceptance-tests/run sets it)");
    }
    helm.map(PathBuf::from)
}
