//! One rendering, step by step: check, settle the subcharts, coalesce the values, parse and execute
//! all templates in Helm's order, sort what came out.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::{Error, RenderOptions, Rendered, builtin, files::Files, manifests};
use super::{SharedClock, SharedEntropy, SharedLookup};
use crate::chart::{self, Chart};
use crate::template::marks::{Tracker, breaks_out};
use crate::template::{self, Clock, Entropy, Env, Lookup, Set};
use crate::value::{Entries, Map, MapKind, Value, lossy};
use crate::values::{self, Warnings};

/// What a rendering with stand-ins for unknown values could not settle.
#[derive(Debug, Default)]
pub(crate) struct Unsettled {
    /// Templates whose course depends on what is not known.
    pub(crate) files: BTreeSet<String>,
    /// One of them can change the values, on which others may depend.
    pub(crate) leaked: bool,
}

/// The templates that a text of several lines would break out of, were it what is not known.
pub(super) fn run_torn(chart: &Chart, options: &RenderOptions) -> Result<Unsettled, Error> {
    let mut unsettled = Unsettled::default();
    let (chart, values) = prepare(chart, options, &mut Warnings::new())?;
    execute(&chart, values, options, Some((&mut unsettled, true)))?;
    Ok(unsettled)
}

pub(super) fn run(chart: &Chart, options: &RenderOptions) -> Result<Rendered, Error> {
    run_with(chart, options, None)
}

/// As [`run`]; with `unsettled`, values may hold marks.
pub(super) fn run_with(
    chart: &Chart,
    options: &RenderOptions,
    unsettled: Option<&mut Unsettled>,
) -> Result<Rendered, Error> {
    let mut warnings = Warnings::new();
    let (chart, values) = prepare(chart, options, &mut warnings)?;
    let unsettled = unsettled.map(|unsettled| (unsettled, false));
    let (mut files, env) = execute(&chart, values, options, unsettled)?;
    let notes = manifests::take_notes(&chart, &mut files, options.sub_notes);
    let sorted = manifests::sort_files(files)?;
    warnings.extend(sorted.warnings);
    Ok(Rendered {
        manifests: sorted.manifests,
        hooks: sorted.hooks,
        notes,
        crds: chart.crds(),
        warnings,
        volatile: env.volatile(),
        include_crds: options.include_crds,
    })
}

/// The chart with the subcharts that are on, and its values.
fn prepare(
    chart: &Chart,
    options: &RenderOptions,
    warnings: &mut Warnings,
) -> Result<(Chart, Map), Error> {
    if !super::valid_release_name(&options.release_name) {
        return Err(Error::ReleaseName(options.release_name.clone()));
    }
    chart.check_installable()?;
    let mut chart = chart.clone();
    let values: Map = match Value::from(&serde_json::Value::Object(options.values.clone())) {
        Value::Map(map) => map,
        _ => Map::any(Entries::new()),
    };
    chart::process_dependencies(&mut chart, &values, warnings).map_err(Error::Dependencies)?;
    // The passes of the dependencies repeat the warnings of the last one.
    warnings.sort();
    warnings.dedup();
    let values = values::coalesce(&chart, &values, &mut Warnings::new()).map_err(Error::Values)?;
    if !options.skip_schema {
        let tree = serde_json::Value::Object(values::to_tree(&values));
        values::validate(&chart, &tree, warnings).map_err(Error::Values)?;
    }
    check_kube_version(&chart, options)?;
    Ok((chart, values))
}

fn check_kube_version(chart: &Chart, options: &RenderOptions) -> Result<(), Error> {
    let required = &chart.metadata.kube_version;
    let cluster = &options.capabilities.kube_version;
    if required.is_empty() || chart::compatible(required, &cluster.normalised) {
        return Ok(());
    }
    Err(Error::KubeVersion {
        required: required.clone(),
        cluster: cluster.git_version.clone(),
    })
}

/// A template and the dot it sees.
struct Template<'a> {
    source: &'a [u8],
    dot: Map,
    base_path: String,
}

fn execute(
    chart: &Chart,
    values: Map,
    options: &RenderOptions,
    mut unsettled: Option<(&mut Unsettled, bool)>,
) -> Result<(BTreeMap<String, String>, Env), Error> {
    let mut templates = BTreeMap::new();
    let shared = Shared {
        release: builtin::release(options),
        capabilities: builtin::capabilities(&options.capabilities),
    };
    collect(
        chart,
        None,
        values.with_kind(MapKind::Values),
        &shared,
        &mut templates,
    );

    // More slashes first, then names backwards: a parent's definitions come last and win.
    let mut names: Vec<&String> = templates.keys().collect();
    names.sort_by_key(|name| {
        let depth = name.bytes().filter(|&byte| byte == b'/').count();
        std::cmp::Reverse((depth, *name))
    });
    let mut set = Set::new();
    for &name in &names {
        let source = lossy(templates[name].source);
        set.parse(name, &source)
            .map_err(|e| parse_error(name, &e))?;
    }
    let env = match unsettled {
        Some((_, torn)) => environment(options).track(torn),
        None => environment(options),
    };
    let mut files = BTreeMap::new();
    for &name in &names {
        let base = name.rsplit('/').next().unwrap_or(name);
        if base.starts_with('_') {
            continue;
        }
        let template = &templates[name];
        template.dot.insert(
            "Template",
            Value::Map(Map::new(
                MapKind::Values,
                Entries::from([
                    ("Name".into(), Value::str(name)),
                    ("BasePath".into(), Value::str(&template.base_path)),
                ]),
            )),
        );
        let output = set.execute(name, &Value::Map(template.dot.clone()), &env);
        if let Some((unsettled, _)) = unsettled.as_mut()
            && env.tracker.as_ref().is_some_and(Tracker::take_decided)
        {
            // Which branch is taken is not known, so that what any branch can do counts.
            unsettled.leaked |= set.can_change(name);
            if !is_notes(name) {
                unsettled.files.insert(name.clone());
            }
            // Whatever came out is not what will come out.
            continue;
        }
        let output = output.map_err(|error| Error::Template(error.to_string()))?;
        let text = String::from_utf8(output)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        if let Some((unsettled, true)) = unsettled.as_mut()
            && !is_notes(name)
            && breaks_out(&text)
        {
            unsettled.files.insert(name.clone());
        }
        files.insert(name.clone(), text);
    }
    Ok((files, env))
}

/// Notes are no objects.
fn is_notes(name: &str) -> bool {
    name.ends_with("NOTES.txt")
}

/// Helm shortens Go's parse errors to place and cause.
fn parse_error(name: &str, error: &template::Error) -> Error {
    let text = error.to_string();
    let parts: Vec<&str> = text.split(": ").collect();
    Error::Template(match parts.as_slice() {
        ["template", place, .., cause] => format!("parse error at ({place}): {cause}"),
        [_] => format!("parse error in ({name}): {text}"),
        _ => text,
    })
}

/// What all charts of one rendering share.
struct Shared {
    release: Value,
    capabilities: Value,
}

/// Makes the dots of a chart and its subcharts, and lists their templates. Returns the chart's dot.
fn collect<'a>(
    chart: &'a Chart,
    parent: Option<&str>,
    values: Map,
    shared: &Shared,
    templates: &mut BTreeMap<String, Template<'a>>,
) -> Map {
    let path = parent.map_or_else(
        || chart.name().to_owned(),
        |parent| format!("{parent}/charts/{}", chart.name()),
    );
    let subcharts = Map::any(Entries::new());
    let dot = Map::new(
        MapKind::Values,
        Entries::from([
            ("Chart".into(), builtin::chart(chart, parent.is_none())),
            (
                "Files".into(),
                Value::Object(Rc::new(Files::new(&chart.files))),
            ),
            ("Release".into(), shared.release.clone()),
            ("Capabilities".into(), shared.capabilities.clone()),
            ("Values".into(), Value::Map(values.clone())),
            ("Subcharts".into(), Value::Map(subcharts.clone())),
        ]),
    );
    for subchart in &chart.dependencies {
        let below = match values::lookup(&values, subchart.name()) {
            Some(Value::Map(map)) => map,
            _ => Map::any(Entries::new()),
        };
        let below = below.with_kind(MapKind::Values);
        let inner = collect(subchart, Some(&path), below, shared, templates);
        subcharts.insert(subchart.name(), Value::Map(inner.with_kind(MapKind::Any)));
    }
    let library = chart.metadata.chart_type.eq_ignore_ascii_case("library");
    for file in &chart.templates {
        let base = file.name.rsplit('/').next().unwrap_or(&file.name);
        if library && !base.starts_with('_') {
            continue;
        }
        templates.insert(
            chart::clean_path(&format!("{path}/{}", file.name)),
            Template {
                source: &file.data,
                dot: dot.clone(),
                base_path: format!("{path}/templates"),
            },
        );
    }
    dot
}

fn environment(options: &RenderOptions) -> Env {
    let mut env = Env::new()
        .allow_dns(options.enable_dns)
        .limits(options.limits);
    if let Some(lookup) = &options.lookup {
        env = env.lookup(Rc::new(LookupOf(lookup.clone())));
    }
    if let Some(clock) = &options.clock {
        env = env.clock(Rc::new(ClockOf(clock.clone())));
    }
    if let Some(entropy) = &options.entropy {
        env = env.entropy(Rc::new(EntropyOf(entropy.clone())));
    }
    env
}

/// The engine's world is one thread's; these bring in what is shared between threads.
struct LookupOf(SharedLookup);

impl Lookup for LookupOf {
    fn lookup(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<serde_json::Value, String> {
        self.0.lookup(api_version, kind, namespace, name)
    }
}

struct ClockOf(SharedClock);

impl Clock for ClockOf {
    fn now(&self) -> jiff::Timestamp {
        self.0.now()
    }
}

struct EntropyOf(SharedEntropy);

impl Entropy for EntropyOf {
    fn fill(&self, buffer: &mut [u8]) {
        self.0.fill(buffer);
    }

    fn below(&self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    fn rsa_key(&self, bits: usize) -> Option<Vec<u8>> {
        self.0.rsa_key(bits)
    }
}
