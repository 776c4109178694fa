//! Rendering with what the live cluster says of itself.

use std::sync::Arc;

use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::way::Way;
use super::{basis, way};
use crate::chart::Chart;
use crate::release::lookup::ClusterLookup;
use crate::release::{Error, Options, Release, ReleaseId, Releases, ValuesPolicy};
use crate::render::{self, Capabilities, RenderOptions, Rendered};
use crate::values::merge_maps;

impl Releases {
    /// Renders with what the live cluster says of itself, `lookup` included, and changes nothing.
    ///
    /// # Errors
    ///
    /// The cluster's and the chart's.
    pub async fn render(
        &self,
        id: &ReleaseId,
        chart: &Chart,
        values: &Map<String, Value>,
        options: &Options,
        cancel: &CancellationToken,
    ) -> Result<Rendered, Error> {
        let history = self.store.history(id, cancel).await?;
        let revision = history.last().map_or(0, |last| last.revision) + 1;
        let basis = basis(&history);
        let values = effective(values, basis, options.values);
        self.render_with(
            id,
            chart,
            &values,
            revision,
            way(&history) == Way::Upgrade,
            options,
            cancel,
        )
        .await
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one call per way, all of it needed"
    )]
    pub(super) async fn render_with(
        &self,
        id: &ReleaseId,
        chart: &Chart,
        values: &Map<String, Value>,
        revision: u32,
        is_upgrade: bool,
        options: &Options,
        cancel: &CancellationToken,
    ) -> Result<Rendered, Error> {
        let version = self
            .cluster
            .version(cancel)
            .await
            .map_err(Error::cluster(id, "reading the cluster's version"))?;
        let discovery = self
            .cluster
            .discovery(cancel)
            .await
            .map_err(Error::cluster(id, "reading what the cluster offers"))?;
        let render_options = RenderOptions {
            release_name: id.name.clone(),
            namespace: id.namespace.clone(),
            revision,
            is_upgrade,
            values: values.clone(),
            capabilities: Capabilities::of_cluster(&version, &discovery),
            sub_notes: options.sub_notes,
            skip_schema: options.skip_schema,
            lookup: Some(Arc::new(ClusterLookup::new(
                self.cluster.clone(),
                cancel.clone(),
            ))),
            ..RenderOptions::default()
        };
        let chart = chart.clone();
        let work = tokio::task::spawn_blocking(move || render::render(&chart, &render_options));
        let mut rendered = match work.await {
            Ok(outcome) => outcome.map_err(|error| Error::Render(Box::new(error)))?,
            Err(error) => {
                let error = render::Error::Thread(error.to_string());
                return Err(Error::Render(Box::new(error)));
            }
        };
        if cancel.is_cancelled() {
            return Err(Error::Cancelled(id.clone()));
        }
        if let Some(post_render) = &self.post_render {
            post_render(&mut rendered).map_err(Error::Manifest)?;
        }
        Ok(rendered)
    }
}

pub(super) fn effective(
    values: &Map<String, Value>,
    basis: Option<&Release>,
    policy: ValuesPolicy,
) -> Map<String, Value> {
    match (policy, basis) {
        (ValuesPolicy::Reset, _) | (_, None) => values.clone(),
        (ValuesPolicy::KeepWhenEmpty, Some(basis)) if values.is_empty() => basis.config.clone(),
        (ValuesPolicy::KeepWhenEmpty, Some(_)) => values.clone(),
        (ValuesPolicy::ResetThenReuse, Some(basis)) => {
            let mut merged = basis.config.clone();
            merge_maps(&mut merged, values.clone());
            merged
        }
    }
}
