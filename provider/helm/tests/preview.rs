//! Previews of small charts: what is known, what is not, what is masked, and how two differ.

use std::path::Path;

use helm::Chart;
use helm::post_render::{Patch, PostRender, Target};
use helm::preview::{
    ChangeKind, Diff, Inputs, PlannedValues, Preview, Role, SecretValues, Shown, Step, diff,
    preview,
};
use serde_json::{Map, Value, json};

fn chart_of(version: &str, files: &[(&str, &str)]) -> Chart {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).expect("a folder");
        std::fs::write(path, text).expect("a file");
    };
    let metadata =
        format!("apiVersion: v2\nname: web\nversion: {version}\nappVersion: {version}\n");
    write("Chart.yaml", &metadata);
    write(
        "values.yaml",
        "replicas: 1\nimage: web\npassword: \"\"\nhost: \"\"\nkind: a\n",
    );
    for (name, text) in files {
        write(name, text);
    }
    Chart::load(folder.path()).expect("a chart")
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn inputs(chart: &Chart, values: Value) -> Inputs<'_> {
    Inputs {
        values: PlannedValues::known(map(values)),
        is_upgrade: true,
        ..Inputs::new(chart, "prod", "site")
    }
}

fn unknown(chart: &Chart, values: Value, paths: &[&str]) -> Preview {
    let mut inputs = inputs(chart, values);
    for path in paths {
        let steps: Vec<Step> = path
            .split('.')
            .map(|key| Step::Key(key.to_owned()))
            .collect();
        inputs.values = inputs.values.with_unknown(&steps);
    }
    preview(&inputs).expect("a preview")
}

fn known(chart: &Chart, values: Value) -> Preview {
    preview(&inputs(chart, values)).expect("a preview")
}

/// `path old -> new` of one object.
fn leaves(diff: &Diff, object: &str) -> Vec<String> {
    let change = diff.objects.get(object);
    change.map_or_else(Vec::new, |change| {
        let leaves = change.leaves.iter();
        leaves
            .map(|leaf| format!("{} {} -> {}", leaf.path, leaf.old, leaf.new))
            .collect()
    })
}

const DEPLOYMENT: &str = r#"apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  labels: {helm.sh/chart: "{{ .Chart.Name }}-{{ .Chart.Version }}"}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: {{ .Values.image }}}}
  template:
    metadata:
      annotations: {checksum/config: "{{ include "config" . | sha256sum }}"}
    spec:
      containers:
        - name: side
          image: side
        - name: app
          image: {{ .Values.image }}:1
          args: [--host={{ .Values.host }}, --fixed]
"#;
const CONFIG: &str = r#"{{ define "config" }}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  host: {{ .Values.host | quote }}
  fixed: "yes"
{{ end }}{{ include "config" . }}"#;
const SECRET: &str = "apiVersion: v1
kind: Secret
metadata:
  name: {{ .Release.Name }}
data:
  password: {{ .Values.password | b64enc }}
";

fn web(version: &str) -> Chart {
    chart_of(
        version,
        &[
            ("templates/deployment.yaml", DEPLOYMENT),
            ("templates/config.yaml", CONFIG),
            ("templates/secret.yaml", SECRET),
        ],
    )
}

#[test]
fn equal_inputs_differ_in_nothing() {
    let chart = web("1.0.0");
    let (a, b) = (known(&chart, json!({})), known(&chart, json!({})));
    assert_eq!(a.fingerprint(), b.fingerprint());
    assert!(diff(Some(&a), Some(&b)).is_empty());
}

#[test]
fn leaves_are_named_with_their_values() {
    let chart = web("1.0.0");
    let old = known(&chart, json!({}));
    let new = known(&chart, json!({"replicas": 3, "image": "shop"}));
    let diff = diff(Some(&old), Some(&new));
    assert_eq!(
        leaves(&diff, "Deployment/prod/site"),
        [
            ".spec.replicas 1 -> 3",
            ".spec.selector.matchLabels.app \"web\" -> \"shop\"",
            ".spec.template.spec.containers[name=\"app\"].image \"web:1\" -> \"shop:1\"",
        ]
    );
    let change = &diff.objects["Deployment/prod/site"];
    assert!(change.restarts && change.leaves[1].immutable && !change.leaves[0].immutable);
    assert_eq!(diff.objects.len(), 1);
    assert_eq!(
        change.line(1, 20),
        "changed: .spec.replicas 1 -> 3, 2 more; pods restart"
    );
}

#[test]
fn what_comes_and_goes_is_told_with_what_stays() {
    let kept = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kept, annotations: {helm.sh/resource-policy: keep}}\n";
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j, annotations: {helm.sh/hook: pre-install}}\n";
    let crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.example.com}\n";
    let old = chart_of(
        "1.0.0",
        &[("templates/k.yaml", kept), ("templates/c.yaml", CONFIG)],
    );
    let new = chart_of("1.0.0", &[("templates/j.yaml", job), ("crds/c.yaml", crd)]);
    let (old, new) = (known(&old, json!({})), known(&new, json!({})));
    let diff = diff(Some(&old), Some(&new));
    let kinds: Vec<(&str, ChangeKind, Role)> = diff
        .objects
        .iter()
        .map(|(key, change)| (key.as_str(), change.kind, change.role))
        .collect();
    assert_eq!(
        kinds,
        [
            ("ConfigMap/prod/kept", ChangeKind::Kept, Role::Object),
            ("ConfigMap/prod/site", ChangeKind::Removed, Role::Object),
            (
                "CustomResourceDefinition/things.example.com",
                ChangeKind::Added,
                Role::Crd
            ),
            ("Job/prod/j", ChangeKind::Added, Role::Hook),
        ]
    );
}

#[test]
fn a_new_chart_version_alone_is_noise() {
    let (old, new) = (web("1.0.0"), web("1.0.1"));
    let found = diff(Some(&known(&old, json!({}))), Some(&known(&new, json!({}))));
    assert!(found.objects.is_empty(), "{found:?}");
    assert_eq!(found.relabelled, 1);
}

#[test]
fn an_unknown_value_makes_its_leaves_unknown_and_no_others() {
    let chart = web("1.0.0");
    let old = known(&chart, json!({"host": "a"}));
    let diff = diff(Some(&old), Some(&unknown(&chart, json!({}), &["host"])));
    assert_eq!(diff.unsettled, None);
    assert_eq!(
        leaves(&diff, "ConfigMap/prod/site"),
        [".data.host \"a\" -> (known after apply)"]
    );
    assert_eq!(
        leaves(&diff, "Deployment/prod/site"),
        [
            ".spec.template.spec.containers[name=\"app\"].args[0] \"--host=a\" -> (known after apply)"
        ]
    );
    let compact = diff.compact(10, 5, 80).expect("a settled list");
    assert_eq!(compact["ConfigMap/prod/site"], None);
}

#[test]
fn deciding_by_an_unknown_value_leaves_the_template_open() {
    let chart = chart_of(
        "1.0.0",
        &[
            (
                "templates/a.yaml",
                "{{ if eq .Values.kind \"b\" }}\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n{{ end }}",
            ),
            ("templates/c.yaml", CONFIG),
        ],
    );
    let found = unknown(&chart, json!({}), &["kind"]);
    let unsettled = found.unsettled().expect("an open template");
    assert_eq!(unsettled.templates, ["web/templates/a.yaml"]);
    assert_eq!(found.objects().collect::<Vec<_>>(), ["ConfigMap/prod/site"]);
    let diff = diff(Some(&known(&chart, json!({}))), Some(&found));
    assert_eq!(diff.compact(10, 5, 80), None);
}

/// Every way in which a template can decide by a value, and every way in which it only passes it on.
#[test]
fn marks_survive_functions_and_decisions_are_noticed() {
    let data = |text: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{x: {text}, y: fixed}}\n"
        )
    };
    for passes in [
        "{{ .Values.host }}",
        "{{ .Values.host | quote }}",
        "{{ .Values.host | upper | b64enc }}",
        "{{ .Values.host | sha256sum | trunc 8 }}",
        "{{ printf \"%s-x\" .Values.host | trunc 63 | trimSuffix \"-\" | quote }}",
        "{{ .Values.host | default \"d\" }}",
        "{{ default .Values.host .Values.image }}-{{ .Values.host }}",
        "{{ .Values.host | int }}",
        "{{ add 1 (int .Values.host) | quote }}",
        "{{ .Values.host | replace \".\" \"-\" | lower }}",
        "{{ required \"host!\" .Values.host }}",
        "{{ tpl \"{{ .Values.host }}\" . }}",
        "[{{ (dict \"a\" .Values.host) | toYaml | nindent 4 }}]",
        "{{ (dict \"a\" .Values.host) | toJson | sha256sum }}",
        "{{ (list .Values.host \"b\") | join \",\" | b64enc }}",
        "{{ .Values.host.deeper.still }}",
        "{{ index .Values \"host\" }}",
        "{{ .Values.host | b64dec }}",
        "{{ .Values.host | regexFind \"[a-z]+\" }}",
        "{{ coalesce .Values.password .Values.host }}",
        "{{ or .Values.host \"d\" }}",
        "{{ date \"2006\" (toDate \"2006-01-02\" .Values.host) }}-{{ .Values.host }}",
    ] {
        let chart = chart_of("1.0.0", &[("templates/a.yaml", &data(passes))]);
        let found = unknown(&chart, json!({}), &["host"]);
        let settled = found.unsettled().is_none();
        let old = chart_of("1.0.0", &[("templates/a.yaml", &data("old"))]);
        let diff = diff(Some(&known(&old, json!({}))), Some(&found));
        let seen: Vec<Shown> = diff
            .objects
            .get("ConfigMap/prod/a")
            .map_or_else(Vec::new, |change| {
                change.leaves.iter().map(|leaf| leaf.new.clone()).collect()
            });
        // What cannot be passed on may be given up as a whole, but never shown as known.
        assert!(!settled || seen == [Shown::Unknown], "{passes}: {seen:?}");
        if !passes.contains("date") {
            assert!(settled, "{passes}: {:?}", found.unsettled());
        }
    }
    for decides in [
        "{{ if .Values.host }}a{{ else }}b{{ end }}",
        "{{ with .Values.host }}a{{ end }}",
        "{{ range .Values.host }}a{{ end }}",
        "{{ range until (int .Values.host) }}a{{ end }}",
        "{{ if and .Values.image .Values.host }}a{{ end }}",
        "{{ ternary \"a\" \"b\" (eq .Values.host \"x\") }}",
        "{{ ternary \"a\" \"b\" .Values.host }}",
        "{{ empty .Values.host }}",
        "{{ .Values.host | hasPrefix \"a\" }}",
        "{{ semverCompare \">1\" .Values.host }}",
        "{{ len .Values.host }}",
        "{{ (split \".\" .Values.host)._0 }}",
        "{{ has .Values.host (list \"a\") }}",
        "{{ kindIs \"string\" .Values.host }}",
        "{{ and .Values.host \"b\" }}",
        "{{ hasKey (dict \"a\" 1) .Values.host }}",
        "{{ $x := dict }}{{ if not .Values.host }}{{ $_ := set $x \"a\" 1 }}{{ end }}{{ toJson $x | quote }}",
    ] {
        let chart = chart_of("1.0.0", &[("templates/a.yaml", &data(decides))]);
        let found = unknown(&chart, json!({}), &["host"]);
        assert!(found.unsettled().is_some(), "{decides}");
    }
}

/// An unknown text may have several lines, and three dashes begin a document wherever they begin a line.
#[test]
fn a_text_that_could_make_documents_leaves_the_template_open() {
    let chart_with = |text: &str| {
        let file = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n  y: fixed\n{text}\n"
        );
        chart_of(
            "1.0.0",
            &[("templates/a.yaml", &file), ("templates/c.yaml", CONFIG)],
        )
    };
    for open in [
        "  x: {{ .Values.host }}",
        "# by {{ .Values.host }}",
        "  x: {{ .Values.host | upper }}",
        "  x: {{ .Values.host | b64dec }}",
        "  x: |\n    {{ .Values.host }}",
        "  x: |\n{{ .Values.host | indent 0 }}",
        "  x: {{ squote .Values.host | trimAll \"'\" }}",
        "---\n# {{ .Values.host }}",
    ] {
        let found = unknown(&chart_with(open), json!({}), &["host"]);
        assert!(found.unsettled().is_some(), "{open}");
        let compact = diff(None, Some(&found)).compact(10, 5, 80);
        assert_eq!(compact, None, "{open}");
    }
    for closed in [
        "  x: {{ .Values.host | quote }}",
        "  x: \"{{ .Values.host }}\"",
        "  x: '{{ .Values.host }}'",
        "  x: [a, {{ .Values.host }}]",
        "  x: {{ .Values.host }}\n  z: more",
        "  x: {{ .Values.host | b64enc }}",
        "  x: {{ .Values.host | sha256sum }}",
        "  x: {{ .Values.host | toJson }}",
        "  x: |\n    {{- .Values.host | nindent 4 }}",
        "{{ dict \"x\" .Values.host | toYaml | indent 2 }}",
        "  x: {{ .Values.host | int }}",
    ] {
        let found = unknown(&chart_with(closed), json!({}), &["host"]);
        assert_eq!(found.unsettled(), None, "{closed}");
        let digests = found.digests();
        assert!(!digests["ConfigMap/prod/a"].1, "{closed}");
    }
}

/// A branch that a stand-in does not take can be the one that is taken.
#[test]
fn changes_in_a_branch_that_is_not_taken_leave_everything_open() {
    let shows =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndata: {k: {{ .Values.kind }}}\n";
    let preview_with = |decides: &str| {
        let chart = chart_of(
            "1.0.0",
            &[
                ("templates/z.yaml", decides),
                ("templates/b.yaml", shows),
                (
                    "templates/_h.tpl",
                    "{{ define \"change\" }}{{ $_ := set .Values \"kind\" \"other\" }}{{ end }}{{ define \"calm\" }}{{ $m := dict \"a\" 1 }}{{ $_ := set $m \"b\" 2 }}{{ toJson $m }}{{ end }}",
                ),
            ],
        );
        let found = unknown(&chart, json!({}), &["host"]);
        found.unsettled().map(|open| open.templates.len())
    };
    for changes in [
        "{{ if .Values.host }}{{ else }}{{ $_ := set .Values \"kind\" \"other\" }}{{ end }}",
        "{{ if eq .Values.host \"x\" }}{{ $_ := unset .Values \"kind\" }}{{ end }}",
        "{{ if eq .Values.host \"x\" }}{{ include \"change\" . }}{{ end }}",
        "{{ if eq .Values.host \"x\" }}{{ template \"change\" . }}{{ end }}",
        "{{ if eq .Values.host \"x\" }}{{ include (print \"cha\" \"nge\") . }}{{ end }}",
        "{{ range .Values.host }}{{ else }}{{ $_ := mergeOverwrite $.Values (dict \"kind\" .) }}{{ end }}",
        "{{ $v := dict }}{{ if .Values.image }}{{ $v = .Values }}{{ end }}{{ if eq .Values.host \"x\" }}{{ $_ := set $v \"kind\" 1 }}{{ end }}",
        "{{ $_ := ternary \"a\" (set .Values \"kind\" \"b\") (eq .Values.host \"x\") }}",
    ] {
        assert_eq!(preview_with(changes), Some(0), "{changes}");
    }
    for calm in [
        "{{ if eq .Values.host \"x\" }}{{ include \"calm\" . }}{{ end }}",
        "{{ $d := dict }}{{ if eq .Values.host \"x\" }}{{ $_ := set $d \"a\" 1 }}{{ $_ := set (deepCopy .Values) \"a\" 1 }}{{ end }}",
        "{{ if eq .Values.host \"x\" }}{{ $_ := merge (dict) .Values }}{{ end }}",
    ] {
        assert_eq!(preview_with(calm), Some(1), "{calm}");
    }
}

/// What is read out of a text that is not known is not known, and how many parts it has neither.
#[test]
fn what_is_read_from_an_unknown_text_is_unknown() {
    let data = |text: &str| {
        let file = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n  y: fixed\n{text}\n"
        );
        let chart = chart_of("1.0.0", &[("templates/a.yaml", &file)]);
        unknown(&chart, json!({}), &["host"])
    };
    for open in [
        "{{ range $k, $v := .Values.host | fromYaml }}  {{ $k }}: {{ $v | quote }}\n{{ end }}",
        "{{ range .Values.host | fromYamlArray }}  k{{ . }}: 1\n{{ end }}",
        "{{ range $k, $v := fromJson .Values.host }}  {{ $k }}: x\n{{ end }}",
        "{{ range $k, $v := fromToml .Values.host }}  {{ $k }}: x\n{{ end }}",
        "{{ range $k, $v := printf \"a: %s\" .Values.host | fromYaml }}  {{ $k }}: x\n{{ end }}",
        "{{ with .Values.host | fromYaml }}  x: 1{{ end }}",
        "  x: {{ if hasKey (fromYaml .Values.host) \"Error\" }}1{{ else }}2{{ end }}",
        "  x: {{ (fromYaml .Values.host).key | quote }}",
        "{{ range $k, $v := .Values.host.inner }}  {{ $k }}: x\n{{ end }}",
    ] {
        assert!(data(open).unsettled().is_some(), "{open}");
    }
    for closed in [
        "{{ range $k, $v := dict \"a\" .Values.host | toYaml | fromYaml }}  {{ $k }}: {{ $v | quote }}\n{{ end }}",
        "{{ range $k, $v := dict \"a\" .Values.host | toJson | fromJson }}  {{ $k }}: {{ $v | quote }}\n{{ end }}",
    ] {
        let found = data(closed);
        assert_eq!(found.unsettled(), None, "{closed}");
        assert!(!found.digests()["ConfigMap/prod/a"].1, "{closed}");
    }
}

/// Notes are shown and not applied.
#[test]
fn notes_that_decide_leave_nothing_open() {
    let notes = "{{ if .Values.host }}a{{ else }}b{{ end }} {{ .Values.host }}";
    let chart = chart_of(
        "1.0.0",
        &[("templates/NOTES.txt", notes), ("templates/c.yaml", CONFIG)],
    );
    assert_eq!(unknown(&chart, json!({}), &["host"]).unsettled(), None);
}

#[test]
fn a_condition_that_is_not_known_leaves_everything_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let sub = folder.path().join("charts/sub/templates");
    std::fs::create_dir_all(&sub).expect("a folder");
    let write =
        |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    write(
        "Chart.yaml",
        "apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies:\n  - {name: sub, version: 1.0.0, condition: sub.enabled}\n",
    );
    write(
        "charts/sub/Chart.yaml",
        "apiVersion: v2\nname: sub\nversion: 1.0.0\n",
    );
    let chart = Chart::load(folder.path()).expect("a chart");
    let found = unknown(&chart, json!({}), &["sub.enabled"]);
    assert_eq!(found.unsettled().map(|open| open.templates.len()), Some(0));
}

#[test]
fn randomness_the_clock_and_lookups_are_unknown() {
    let chart = chart_of(
        "1.0.0",
        &[
            (
                "templates/a.yaml",
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  rand: {{ randAlphaNum 8 }}\n  small: {{ randInt 0 2 | quote }}\n  day: {{ now | date \"2006-01-02\" }}\n  fixed: {{ .Values.image }}\n  uuid: {{ uuidv4 }}\n",
            ),
            (
                "templates/s.yaml",
                "{{ $old := lookup \"v1\" \"Secret\" .Release.Namespace \"s\" }}\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata:\n  p: {{ if $old }}{{ index $old.data \"p\" }}{{ else }}{{ randAlphaNum 8 | b64enc }}{{ end }}\n  q: {{ b64enc \"q\" }}\n",
            ),
            (
                "templates/l.yaml",
                "{{ if lookup \"v1\" \"ConfigMap\" \"kube-system\" \"x\" }}\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: found}\n{{ end }}",
            ),
            (
                "templates/n.yaml",
                "apiVersion: v1\nkind: Secret\nmetadata: {name: cert}\ndata:\n  crt: {{ (genCA \"ca\" 10).Cert | b64enc }}\n",
            ),
        ],
    );
    let old = known(&chart, json!({}));
    let new = known(&chart, json!({"image": "shop"}));
    assert_eq!(old.fingerprint(), known(&chart, json!({})).fingerprint());
    let diff = diff(Some(&old), Some(&new));
    let shown = "(known after apply)";
    assert_eq!(
        leaves(&diff, "ConfigMap/prod/a"),
        [
            format!(".data.day {shown} -> {shown}"),
            ".data.fixed \"web\" -> \"shop\"".to_owned(),
            format!(".data.rand {shown} -> {shown}"),
            format!(".data.small {shown} -> {shown}"),
            format!(".data.uuid {shown} -> {shown}"),
        ]
    );
    assert_eq!(
        leaves(&diff, "Secret/prod/s"),
        [format!(".data.p {shown} -> {shown}")]
    );
    assert_eq!(
        leaves(&diff, "Secret/prod/cert"),
        [format!(".data.crt {shown} -> {shown}")]
    );
    assert_eq!(
        diff.objects["ConfigMap/prod/found"].kind,
        ChangeKind::Unknown
    );
}

#[test]
fn secrets_are_masked_wherever_they_end() {
    let chart = web("1.0.0");
    let leaky = chart_of(
        "1.0.0",
        &[(
            "templates/a.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  url: postgres://x:{{ .Values.password }}@db\n  hash: {{ .Values.password | sha256sum }}\n  on: {{ if .Values.password }}\"1\"{{ else }}\"0\"{{ end }}\n",
        )],
    );
    let with = |chart: &Chart, version: &str| {
        let secret = SecretValues::new(map(json!({"password": "correct-horse"})));
        preview(&Inputs {
            secret,
            secret_version: version.to_owned(),
            ..inputs(chart, json!({}))
        })
        .expect("a preview")
    };
    let found = diff(Some(&with(&chart, "1")), Some(&with(&chart, "2")));
    assert_eq!(
        leaves(&found, "Secret/prod/site"),
        [".data.password (sensitive) -> (sensitive)"]
    );
    assert!(diff(Some(&with(&chart, "1")), Some(&with(&chart, "1"))).is_empty());

    let old = known(&leaky, json!({"password": "visible"}));
    let found = diff(Some(&old), Some(&with(&leaky, "1")));
    assert_eq!(found.unsettled, None);
    let all = format!("{:?}", diff(None, Some(&with(&leaky, "1"))));
    assert!(!all.contains("correct-horse"), "{all}");
    assert_eq!(found.objects["ConfigMap/prod/a"].leaves.len(), 2);
    assert!(
        found.objects["ConfigMap/prod/a"]
            .leaves
            .iter()
            .all(|leaf| leaf.new == Shown::Masked)
    );

    // Values typed into the configuration are masked in Secrets alone, and compared.
    let typed = |password: &str| known(&chart, json!({"password": password}));
    let found = diff(Some(&typed("a")), Some(&typed("b")));
    assert_eq!(
        leaves(&found, "Secret/prod/site"),
        [".data.password (sensitive) -> (sensitive)"]
    );
}

#[test]
fn secret_values_are_merged_last() {
    let secret = SecretValues::new(map(json!({"a": {"b": "s"}, "l": ["x"]})));
    let merged = secret.over(map(json!({"a": {"b": "t", "c": 1}, "l": [1, 2]})));
    assert_eq!(
        Value::Object(merged),
        json!({"a": {"b": "s", "c": 1}, "l": ["x"]})
    );
}

#[test]
fn patches_are_part_of_the_preview() {
    let chart = web("1.0.0");
    let patched = |image: &str| {
        let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": image}]}}}});
        preview(&Inputs {
            post_render: PostRender::new(vec![Patch::strategic(
                Target::default().kind("Deployment"),
                patch,
            )]),
            ..inputs(&chart, json!({}))
        })
    };
    let old = known(&chart, json!({}));
    let found = diff(
        Some(&old),
        Some(&patched("mirror/web:1").expect("a preview")),
    );
    assert_eq!(
        leaves(&found, "Deployment/prod/site"),
        [".spec.template.spec.containers[name=\"app\"].image \"web:1\" -> \"mirror/web:1\""]
    );
    let missing = preview(&Inputs {
        post_render: PostRender::new(vec![Patch::strategic(
            Target::default().kind("DaemonSet"),
            json!({}),
        )]),
        ..inputs(&chart, json!({}))
    });
    let error = missing.err().map(|error| error.to_string());
    assert_eq!(
        error.as_deref(),
        Some("patch 0 selects no object (kind \"DaemonSet\")")
    );
}

#[test]
fn what_the_chart_refuses_is_an_error_only_when_everything_is_known() {
    let chart = chart_of(
        "1.0.0",
        &[(
            "templates/a.yaml",
            "{{ if ne .Values.kind \"a\" }}{{ fail \"no\" }}{{ end }}",
        )],
    );
    assert!(preview(&inputs(&chart, json!({"kind": "b"}))).is_err());
    assert!(unknown(&chart, json!({}), &["kind"]).unsettled().is_some());
}
