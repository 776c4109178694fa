//! `managedk8s_helm_template`: what a chart renders, for those who want manifests alone.

use std::collections::BTreeMap;

use framework::{
    Attribute, DataSource, Diagnostics, Dynamic, FromValue, Outcome, Path, ReadDataRequest,
    ReadDataResponse, Schema, ToValue, Type, ValidateConfigRequest, Value, async_trait, validators,
};
use lifecycle::ChartAccess;
use lifecycle::addon::ChartSource;
use transport::chain;

use crate::addon::values::{Merged, PUBLIC, SetValue, merge};
use crate::clients::Data;
use crate::problems::{diagnostic, report};
use crate::template::{self, Template};

/// `managedk8s_helm_template`.
pub struct HelmTemplate;

#[derive(FromValue, ToValue)]
struct Model {
    name: Value<String>,
    namespace: Value<String>,
    chart: String,
    repository: Value<String>,
    version: Value<String>,
    devel: Value<bool>,
    values: Dynamic,
    set: Value<Vec<SetValue>>,
    kube_version: Value<String>,
    api_versions: Value<Vec<String>>,
    include_crds: Value<bool>,
    is_upgrade: Value<bool>,
    show_only: Value<Vec<String>>,
    skip_tests: Value<bool>,
    skip_schema_validation: Value<bool>,
    chart_digest: Value<String>,
    app_version: Value<String>,
    manifest: Value<String>,
    manifests: Value<BTreeMap<String, String>>,
    crds: Value<Vec<String>>,
    notes: Value<String>,
}

#[async_trait]
impl DataSource<Data> for HelmTemplate {
    fn type_name(&self) -> &'static str {
        "managedk8s_helm_template"
    }

    fn schema(&self) -> Schema {
        let text = |description: &str| Attribute::string(description).optional();
        let flag = |description: &str| Attribute::bool(description).optional();
        let made = |ty: Type, description: &str| Attribute::new(ty, description).computed();
        Schema::new(
            "What `helm template` prints for a chart, without a helm program and without a cluster. Values of `rand…`, \
             `gen…` and `now` are new at every read; `lookup` finds nothing.",
        )
        .attributes([
            ("name", text("Name of the release; `release-name` by default, as helm.")),
            ("namespace", text("Namespace of the release; `default` by default.")),
            (
                "chart",
                Attribute::string(
                    "Name of a chart in `repository`, `oci://…`, the address of an archive, or a folder or archive on this \
                     machine.",
                )
                .required(),
            ),
            ("repository", text("Where `chart` is: `https://…` with an index, or `oci://…`.")),
            ("version", text("Version of the chart, or a constraint such as `~1.2`; the newest by default.")),
            ("devel", flag("Takes prereleases too when no version is given.")),
            (
                "values",
                Attribute::any("Values: an object, a YAML text, or a list of these, merged in order.").optional(),
            ),
            (
                "set",
                Attribute::list_of(
                    [
                        ("name", Attribute::string("The key, as in `--set`.").required()),
                        ("value", Attribute::string("The value.").required()),
                        (
                            "type",
                            text("`auto` (default), `string`, `literal` or `json`.")
                                .validate(validators::one_of(["auto", "string", "literal", "json"])),
                        ),
                    ],
                    "Single values in the grammar of `--set`, merged after `values`, in order.",
                )
                .optional(),
            ),
            ("kube_version", text("The Kubernetes version of `.Capabilities`; helm's own by default.")),
            (
                "api_versions",
                Attribute::list(Type::String, "More API versions for `.Capabilities.APIVersions`.").optional(),
            ),
            ("include_crds", flag("Puts the definitions of `crds/` in front of the manifest.")),
            ("is_upgrade", flag("Sets `.Release.IsUpgrade` instead of `.Release.IsInstall`.")),
            (
                "show_only",
                Attribute::list(Type::String, "Templates to show, such as `templates/service.yaml`; all by default.")
                    .optional(),
            ),
            ("skip_tests", flag("Leaves test hooks out.")),
            ("skip_schema_validation", flag("Leaves the chart's `values.schema.json` alone.")),
            ("chart_digest", made(Type::String, "SHA-256 of the chart.")),
            ("app_version", made(Type::String, "Version of what the chart installs.")),
            ("manifest", made(Type::String, "Everything, as `helm template` prints it.")),
            (
                "manifests",
                made(Type::map(Type::String), "The same by template: `web/templates/service.yaml`."),
            ),
            ("crds", made(Type::list(Type::String), "The files of `crds/`.")),
            ("notes", made(Type::String, "The rendered `NOTES.txt`.")),
        ])
    }

    async fn validate_config(
        &self,
        request: ValidateConfigRequest,
        diagnostics: &mut Diagnostics,
    ) -> Outcome {
        let values = request
            .config
            .member("values")
            .cloned()
            .unwrap_or(Dynamic::Null);
        let set: Value<Vec<SetValue>> = request.config.get_at(&Path::of("set"))?;
        if let Err(problem) = merge(Merged::default(), &values, &set, PUBLIC) {
            report([&*problem], diagnostics);
        }
        Ok(())
    }

    async fn read(
        &self,
        request: ReadDataRequest<Data>,
        response: &mut ReadDataResponse,
    ) -> Outcome {
        let mut model: Model = request.config.get()?;
        let values = merge(Merged::default(), &model.values, &model.set, PUBLIC)
            .map_err(|problem| Diagnostics::from(diagnostic(&problem)))?;
        let text = |value: &Value<String>| value.as_known().cloned().unwrap_or_default();
        let flag = |value: &Value<bool>| value.as_known().copied().unwrap_or_default();
        let list = |value: &Value<Vec<String>>| value.as_known().cloned().unwrap_or_default();
        let mut version = text(&model.version);
        if version.is_empty() && flag(&model.devel) {
            ">0.0.0-0".clone_into(&mut version);
        }
        let source = ChartSource::configured(&text(&model.repository), &model.chart, &version);
        let chart = request
            .data
            .charts()?
            .get(&source, "", ChartAccess::default(), &request.cancel)
            .await
            .map_err(|error| {
                Diagnostics::one_error_at(
                    Path::of("chart"),
                    "the chart cannot be fetched",
                    format!(
                        "Seen: {}\nCorrect chart, repository and version.",
                        chain(&error)
                    ),
                )
            })?;
        let wanted = Template {
            name: text(&model.name),
            namespace: text(&model.namespace),
            values: values.known().cloned().unwrap_or_default(),
            kube_version: text(&model.kube_version),
            api_versions: list(&model.api_versions),
            include_crds: flag(&model.include_crds),
            is_upgrade: flag(&model.is_upgrade),
            show_only: list(&model.show_only),
            skip_tests: flag(&model.skip_tests),
            skip_schema_validation: flag(&model.skip_schema_validation),
        };
        let inner = chart.chart.clone();
        let printed = tokio::task::spawn_blocking(move || template::run(&inner, &wanted))
            .await
            .unwrap_or_else(|error| Err(template::Refused::rendering(error.to_string())))
            .map_err(|refused| {
                Diagnostics::one_error_at(
                    Path::of(refused.attribute),
                    "the chart cannot be rendered",
                    format!("Seen: {}\nCorrect what the message names.", refused.why),
                )
            })?;
        model.chart_digest = Value::Known(chart.digest);
        model.app_version = Value::Known(chart.chart.metadata.app_version.clone());
        model.manifest = Value::Known(printed.manifest);
        model.manifests = Value::Known(printed.manifests);
        model.crds = Value::Known(printed.crds);
        model.notes = Value::Known(printed.notes);
        response.set_state(&model);
        Ok(())
    }
}
