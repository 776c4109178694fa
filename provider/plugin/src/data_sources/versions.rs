//! `managedk8s_versions`: the versions this provider knows.

use framework::{
    Attribute, DataSource, Dynamic, Outcome, ReadDataRequest, ReadDataResponse, Schema, Type,
    async_trait,
};
use jiff::{Timestamp, tz::TimeZone};

use crate::clients::Data;
use crate::functions::{versions, versions_type};

/// `managedk8s_versions`.
pub struct Versions;

#[async_trait]
impl DataSource<Data> for Versions {
    fn type_name(&self) -> &'static str {
        "managedk8s_versions"
    }

    fn schema(&self) -> Schema {
        let [as_of, kubernetes, talos] = versions_type();
        Schema::new(
            "The versions this provider knows, and which Kubernetes is the newest today. The table is part of the provider.",
        )
        .attributes([
            (as_of.0, Attribute::new(as_of.1, "The day of the table.").computed()),
            (
                "newest_kubernetes",
                Attribute::new(Type::String, "The newest minor of Kubernetes that is released today.").computed(),
            ),
            (
                kubernetes.0,
                Attribute::new(kubernetes.1, "Kubernetes, newest first: minor, the patch it resolves to, support windows.")
                    .computed(),
            ),
            (talos.0, Attribute::new(talos.1, "Talos Linux, newest first, and the minors of Kubernetes it runs.").computed()),
        ])
    }

    async fn read(
        &self,
        request: ReadDataRequest<Data>,
        response: &mut ReadDataResponse,
    ) -> Outcome {
        let table = versions();
        let today = Timestamp::try_from(request.data.clock.wall())
            .map_or(product::supported_versions().as_of, |now| {
                now.to_zoned(TimeZone::UTC).date()
            });
        let newest = product::newest_kubernetes(today);
        let member = |name: &str| table.member(name).cloned().unwrap_or(Dynamic::Null);
        response.state = Some(Dynamic::object([
            ("as_of", member("as_of")),
            ("newest_kubernetes", Dynamic::string(newest.to_string())),
            ("kubernetes", member("kubernetes")),
            ("talos", member("talos")),
        ]));
        Ok(())
    }
}
