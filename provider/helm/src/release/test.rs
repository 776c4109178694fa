//! `helm test`: the hooks that say whether a release works.

use tokio_util::sync::CancellationToken;

use super::{Error, HookRecord, Options, Release, ReleaseId, Releases, hooks};
use crate::render::HookEvent;

impl Releases {
    /// Runs the newest revision's tests, one after the other, and notes their outcome in its record, where
    /// `helm status` and `helm test` read it. A release without tests passes.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Hook`] with the first test that fails, and whatever the cluster answers.
    pub async fn test(
        &self,
        id: &ReleaseId,
        options: &Options,
        cancel: &CancellationToken,
    ) -> Result<Release, Error> {
        let history = self
            .settled(id, options.timeout, options.takeover_after, cancel)
            .await?;
        let Some(mut release) = history.into_iter().next_back() else {
            return Err(Error::NotFound(id.clone()));
        };
        let writer = self.writer(id, options, cancel);
        let before: Vec<HookRecord> = release.hooks.clone();
        let begun = self.store.now();
        // The record is no lock here: nothing of the release changes, so nobody has to wait.
        let outcome = hooks::run(&writer, None, &mut release, &HookEvent::Test).await;
        for (hook, before) in release.hooks.iter_mut().zip(before) {
            let ran = outcome.is_ok() || hook.phase != before.phase;
            if ran && hook.events.contains(&HookEvent::Test) {
                hook.started_at = Some(begun);
                hook.completed_at = Some(self.store.now());
            }
        }
        if release
            .hooks
            .iter()
            .any(|hook| hook.events.contains(&HookEvent::Test))
        {
            self.store.update(&release, cancel).await?;
        }
        outcome.map(|()| release)
    }
}
