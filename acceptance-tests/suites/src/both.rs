//! One suite on both control planes. On the built-in API each test has a sandbox of its own, and they run side by side; on
//! the real one they follow each other in one cluster, since a real control plane takes a quarter of a minute to start.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::time::Instant;

use futures::FutureExt as _;

use crate::tools::skipped;
use crate::{Bench, Result, Tools};

/// What a test does, on a bench with the small cluster and no add-on.
pub type Work = for<'a> fn(&'a mut Bench) -> Pin<Box<dyn Future<Output = Result> + 'a>>;

/// Makes tests of functions `async fn(&mut Bench) -> Result`: one each on the built-in API, and one that runs all of them
/// on the real control plane. Those after `real_only` run on the latter alone, those after `built_in_only` on the former,
/// for the reason beside them, which the real run prints.
#[macro_export]
macro_rules! on_both {
    (
        $($name:ident,)*
        $(; real_only: $($real:ident,)*)?
        $(; built_in_only: $($alone:ident: $why:literal,)*)?
    ) => {
        mod built_in {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() -> $crate::Result {
                super::$name(&mut $crate::Bench::with_shop("").await?).await
            })*
            $($(#[tokio::test(flavor = "multi_thread")]
            async fn $alone() -> $crate::Result {
                super::$alone(&mut $crate::Bench::with_shop("").await?).await
            })*)?
        }

        // The longest goes first in the order of names, which is libtest's: the others run beside it.
        #[tokio::test(flavor = "multi_thread")]
        async fn all_on_the_real_control_plane() -> $crate::Result {
            $crate::run_on_real(
                &[
                    $((stringify!($name), |bench| Box::pin($name(bench))),)*
                    $($((stringify!($real), |bench| Box::pin($real(bench))),)*)?
                ],
                &[$($((stringify!($alone), $why)),*)?],
            )
            .await
        }
    };
}

/// Runs all of them on one real control plane, also after one that failed, so that a run tells every difference, and
/// destroys the cluster with what the last one left. `MANAGEDK8S_REAL_ONLY` chooses one by its name.
///
/// # Errors
///
/// What failed, by name; what the harness cannot do.
pub async fn run_on_real(works: &[(&str, Work)], left_out: &[(&str, &str)]) -> Result {
    for (name, why) in left_out {
        skipped(&format!("{name} runs on the built-in API only: {why}"));
    }
    let Some(mut bench) = Bench::start_real().await? else {
        return Ok(());
    };
    bench.use_shop("").await?;
    bench.apply().await?;
    let Some(tools) = bench.tools().await? else {
        return Ok(());
    };
    let only = std::env::var("MANAGEDK8S_REAL_ONLY").ok();
    let mut broken = Vec::new();
    let mut before = None;
    for (name, work) in works {
        if only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        if let Some(before) = before.replace(name) {
            let cleared = bench.clear(&tools).await;
            cleared.map_err(|error| format!("{}\nafter {before}: {error}", broken.join("\n")))?;
        }
        let begin = Instant::now();
        match AssertUnwindSafe(work(&mut bench)).catch_unwind().await {
            Ok(Ok(())) => eprintln!("{name}: {:.1?}", begin.elapsed()),
            Ok(Err(error)) => broken.push(format!("{name}: {error}")),
            Err(_) => broken.push(format!("{name}: panicked")),
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    bench.destroy().await
}

impl Bench {
    /// Takes away whatever a test left of its add-ons. The namespace stays: its deletion takes five seconds, however little
    /// is in it.
    async fn clear(&self, tools: &Tools) -> Result {
        self.set_shop("")?;
        self.apply().await?;
        let kinds = "deployments,jobs,pods,services,configmaps,secrets";
        tools
            .kubectl(&["delete", kinds, "--all", "--namespace", "shop"])
            .await?;
        let definition = ["delete", "crd", "orders.suite.example"];
        tools
            .kubectl(&[&definition[..], &["--ignore-not-found"]].concat())
            .await?;
        Ok(())
    }
}
