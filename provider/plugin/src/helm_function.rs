//! The function `helm_template`: what a chart on this machine renders.

use framework::{
    Arguments, Definition, Dynamic, Function, FunctionError, Parameter, ToValue, Type, Value,
};
use helm::Chart;
use lifecycle::addon::ChartSource;

use crate::addon::values::{Merged, PUBLIC, SetValue, inner, merge};
use crate::template::{self, Template};

/// `helm_template`.
pub struct HelmTemplateFunction;

/// What the third argument may hold.
const OPTIONS: [&str; 10] = [
    "name",
    "namespace",
    "set",
    "kube_version",
    "api_versions",
    "include_crds",
    "is_upgrade",
    "show_only",
    "skip_tests",
    "skip_schema_validation",
];

impl Function for HelmTemplateFunction {
    fn name(&self) -> &'static str {
        "helm_template"
    }

    fn definition(&self) -> Definition {
        Definition::new(
            Type::object([
                ("manifest", Type::String),
                ("manifests", Type::map(Type::String)),
                ("crds", Type::list(Type::String)),
                ("notes", Type::String),
            ]),
            "What a chart on this machine renders",
            "What `helm template` prints for a folder or an archive, as a function of its files and arguments: a chart that \
             uses `rand…`, `gen…` or `now` is refused, since it would be another text at every call. For these, and for \
             charts of repositories, there is the data source `managedk8s_helm_template`.",
        )
        .parameter(Parameter::new(
            "chart",
            Type::String,
            "The folder or archive: `${path.module}/charts/web`.",
        ))
        .parameter(
            Parameter::new(
                "values",
                Type::Dynamic,
                "Values: an object, a YAML text, or a list of these, merged in order; null for none.",
            )
            .allow_null(),
        )
        .parameter(
            Parameter::new(
                "options",
                Type::Dynamic,
                "An object with any of `name`, `namespace`, `set` (a list of `{ name, value, type }`), `kube_version`, \
                 `api_versions`, `include_crds`, `is_upgrade`, `show_only`, `skip_tests` and `skip_schema_validation`, as in \
                 the data source; null for none.",
            )
            .allow_null(),
        )
    }

    fn call(&self, arguments: Arguments) -> Result<Dynamic, FunctionError> {
        let path: String = arguments.get(0)?;
        let values: Dynamic = arguments.get(1)?;
        let options: Dynamic = arguments.get(2)?;
        let (wanted, set) = options_of(inner(&options))?;
        let merged = merge(Merged::default(), &values, &set, PUBLIC).map_err(|problem| {
            let argument = u32::from(problem.path.to_string().starts_with("set")) + 1;
            FunctionError::argument(argument, format!("{}. {}", problem.summary, problem.seen))
        })?;
        let wanted = Template {
            values: merged.known().cloned().unwrap_or_default(),
            ..wanted
        };
        let chart = local(&path)?;
        let printed = template::run(&chart, &wanted).map_err(|refused| {
            let argument = match refused.attribute {
                "chart" => 0,
                "values" => 1,
                _ => 2,
            };
            FunctionError::argument(argument, refused.why)
        })?;
        if printed.generated {
            return Err(FunctionError::argument(
                0,
                "The chart uses rand…, gen… or now, so that it renders something else at every call, and a function must not. \
                 Give it the values that it would generate, or use the data source managedk8s_helm_template.",
            ));
        }
        Ok(Dynamic::object([
            ("manifest", Dynamic::string(printed.manifest)),
            ("manifests", printed.manifests.to_value()),
            ("crds", printed.crds.to_value()),
            ("notes", Dynamic::string(printed.notes)),
        ]))
    }
}

fn local(path: &str) -> Result<Chart, FunctionError> {
    if !ChartSource::configured("", path, "").is_local() {
        return Err(FunctionError::argument(
            0,
            "A function asks no repository. Use the data source managedk8s_helm_template for charts that are not on this \
             machine.",
        ));
    }
    Chart::load(path).map_err(|error| FunctionError::argument(0, transport::chain(&error)))
}

fn options_of(options: &Dynamic) -> Result<(Template, Value<Vec<SetValue>>), FunctionError> {
    let wrong = |text: String| FunctionError::argument(2, text);
    let mut wanted = Template::default();
    if options.is_null() {
        return Ok((wanted, Value::Null));
    }
    let members = options.as_members().ok_or_else(|| {
        wrong(format!(
            "The options are a {}, not an object.",
            options.kind()
        ))
    })?;
    if let Some(other) = members
        .keys()
        .find(|name| !OPTIONS.contains(&name.as_str()))
    {
        return Err(wrong(format!(
            "There is no option {other:?}. Known: {}.",
            OPTIONS.join(", ")
        )));
    }
    let text = |name: &str| -> Result<String, FunctionError> {
        Ok(member::<Option<String>>(options, name)?.unwrap_or_default())
    };
    let flag = |name: &str| -> Result<bool, FunctionError> {
        Ok(member::<Option<bool>>(options, name)?.unwrap_or_default())
    };
    wanted.name = text("name")?;
    wanted.namespace = text("namespace")?;
    wanted.kube_version = text("kube_version")?;
    wanted.include_crds = flag("include_crds")?;
    wanted.is_upgrade = flag("is_upgrade")?;
    wanted.skip_tests = flag("skip_tests")?;
    wanted.skip_schema_validation = flag("skip_schema_validation")?;
    wanted.api_versions = texts(options, "api_versions")?;
    wanted.show_only = texts(options, "show_only")?;
    let mut lines = Vec::new();
    for line in options
        .member("set")
        .and_then(Dynamic::as_elements)
        .into_iter()
        .flatten()
    {
        let part = |name: &str| {
            let value = line.member(name).map(inner);
            match value {
                None | Some(Dynamic::Null) => Value::Null,
                Some(Dynamic::String(text)) => Value::Known(text.clone()),
                Some(Dynamic::Bool(flag)) => Value::Known(flag.to_string()),
                Some(Dynamic::Number(number)) => Value::Known(number.to_string()),
                Some(_) => Value::Unknown,
            }
        };
        lines.push(SetValue {
            name: part("name"),
            value: part("value"),
            r#type: part("type"),
        });
    }
    Ok((wanted, Value::Known(lines)))
}

fn member<T: framework::FromValue + Default>(
    options: &Dynamic,
    name: &str,
) -> Result<T, FunctionError> {
    match options.member(name) {
        None => Ok(T::default()),
        Some(value) => inner(value).get().map_err(|diagnostics| {
            let told: Vec<&str> = diagnostics.iter().map(|one| one.detail.as_str()).collect();
            FunctionError::argument(2, format!("{name}: {}", told.join(" ")))
        }),
    }
}

/// A list or tuple of texts.
fn texts(options: &Dynamic, name: &str) -> Result<Vec<String>, FunctionError> {
    let Some(value) = options
        .member(name)
        .map(inner)
        .filter(|value| !value.is_null())
    else {
        return Ok(Vec::new());
    };
    let text = |element: &Dynamic| inner(element).as_str().map(str::to_owned);
    value
        .as_elements()
        .and_then(|elements| elements.iter().map(text).collect())
        .ok_or_else(|| FunctionError::argument(2, format!("{name} is no list of texts.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(template: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("templates")).expect("a folder");
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).expect("a file");
        };
        write("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n");
        write("values.yaml", "n: 1\n");
        write("templates/NOTES.txt", "n is {{ .Values.n }}");
        write("templates/a.yaml", template);
        folder
    }

    const PLAIN: &str = "kind: ConfigMap\napiVersion: v1\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  n: {{ .Values.n | quote }}\n";

    fn call(template: &str, values: Dynamic, options: Dynamic) -> Result<Dynamic, FunctionError> {
        let folder = chart(template);
        let path = Dynamic::string(folder.path().display().to_string());
        HelmTemplateFunction.call(Arguments::new([path, values, options]))
    }

    #[test]
    fn renders_what_helm_prints() {
        let set = Dynamic::Tuple(vec![Dynamic::object([
            ("name", Dynamic::string("n")),
            ("value", Dynamic::string("7")),
        ])]);
        let options = Dynamic::object([("name", Dynamic::string("shop")), ("set", set)]);
        let out = call(PLAIN, Dynamic::string("n: 5"), options).expect("renders");
        let manifest = out
            .member("manifest")
            .and_then(Dynamic::as_str)
            .expect("a text");
        assert!(
            manifest.contains("name: shop") && manifest.contains("n: \"7\""),
            "{manifest}"
        );
        assert_eq!(out.member("notes"), Some(&Dynamic::string("n is 7")));
        let manifests = out
            .member("manifests")
            .and_then(Dynamic::as_members)
            .expect("a map");
        assert_eq!(
            manifests.keys().collect::<Vec<_>>(),
            ["web/templates/a.yaml"]
        );
    }

    #[test]
    fn errors_name_their_argument() {
        let random =
            "kind: ConfigMap\napiVersion: v1\nmetadata:\n  name: {{ randAlpha 5 | lower }}\n";
        let blamed = |result: Result<Dynamic, FunctionError>| result.expect_err("refused").argument;
        assert_eq!(blamed(call(random, Dynamic::Null, Dynamic::Null)), Some(0));
        let failing = "{{ fail .Values.n }}";
        assert_eq!(
            blamed(call(failing, Dynamic::string("n: no"), Dynamic::Null)),
            Some(1)
        );
        assert_eq!(
            blamed(call(PLAIN, Dynamic::string("- 1"), Dynamic::Null)),
            Some(1)
        );
        let options = Dynamic::object([("releases", Dynamic::Null)]);
        assert_eq!(blamed(call(PLAIN, Dynamic::Null, options)), Some(2));
        let options = Dynamic::object([("kube_version", Dynamic::string("x"))]);
        assert_eq!(blamed(call(PLAIN, Dynamic::Null, options)), Some(2));
        let remote = [Dynamic::string("oci://h/web"), Dynamic::Null, Dynamic::Null];
        assert_eq!(
            blamed(HelmTemplateFunction.call(Arguments::new(remote))),
            Some(0)
        );
    }
}
