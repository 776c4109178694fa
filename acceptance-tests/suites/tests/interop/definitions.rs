//! Definitions of a chart: helm makes them once; ours brings them along when it is told to, and neither deletes them.

use helm::Chart;
use helm::release::{CrdPolicy, Options, ReleaseId};
use serde_json::{Value, json};
use suites::Result;

use crate::bed::{Bed, options};

pub async fn policies(bed: &Bed) -> Result {
    let id = ReleaseId::new("apps", "site");
    let knows_height = async || -> Result<bool> {
        let text = bed
            .kubectl(&["get", "crd", "shelves.interop.example", "--output", "json"])
            .await?;
        let definition: Value = serde_json::from_str(&text)?;
        let spec = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/height";
        Ok(definition.pointer(spec).is_some())
    };
    bed.theirs("install", "site", "size=1", &["--wait"]).await?;
    assert!(!knows_height().await?);
    // The next version of the chart knows more of its kind.
    let folder = tempfile::tempdir()?;
    let next = folder.path().join("chart");
    copy(std::path::Path::new(&bed.chart_path()), &next)?;
    let path = next.join("crds/shelves.yaml");
    let text = std::fs::read_to_string(&path)?;
    let more = text.replace(
        "width: { type: integer }",
        "width: { type: integer }, height: { type: integer }",
    );
    assert_ne!(text, more);
    std::fs::write(&path, more)?;
    let shown = next.display().to_string();
    bed.helm(&["upgrade", "site", &shown, "--wait"]).await?;
    assert!(!knows_height().await?, "helm leaves it");
    let chart = Chart::load(&next)?;
    for (policy, wanted) in [
        (CrdPolicy::Skip, false),
        (CrdPolicy::Create, false),
        (CrdPolicy::CreateAndUpdate, true),
    ] {
        let options = Options {
            crds: policy,
            ..options()
        };
        bed.deploy_chart(&chart, &id, json!({}), &options).await?;
        assert_eq!(knows_height().await?, wanted, "{policy:?}");
    }
    bed.helm(&["uninstall", "site", "--wait"]).await?;
    assert!(knows_height().await?, "it stays");
    bed.expect_nothing().await
}

fn copy(from: &std::path::Path, to: &std::path::Path) -> Result {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
