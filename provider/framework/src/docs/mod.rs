//! Reference pages made from schemas, in the registry's layout.
//!
//! A page and the schema cannot disagree: descriptions, defaults and rules are read from the same
//! attribute that validates and plans.

mod examples;
mod page;
mod schema;

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::Provider;
use crate::server::Registry;

use examples::Examples;
use page::Page;

/// How to write the pages.
#[derive(Default)]
pub struct Options {
    /// The folder of examples in the registry's layout: `provider/provider.tf`,
    /// `resources/<type>/resource.tf` and `import.sh`, `data-sources/<type>/data-source.tf`,
    /// `ephemeral-resources/<type>/ephemeral-resource.tf`, `functions/<name>/function.tf`,
    /// `actions/<type>/action.tf`, `list-resources/<type>/list-resource.tfquery.hcl`.
    pub examples: Option<PathBuf>,
    /// The group of a page in the menu, by type or function name.
    pub subcategory: Option<fn(&str) -> &'static str>,
    /// Hand-written pages to put beside the generated ones: path under `docs/`, such as
    /// `guides/upgrade.md`, and text.
    pub guides: BTreeMap<String, String>,
}

/// All pages: path under `docs/` and text. Equal input gives equal bytes.
pub fn generate<P: Provider>(provider: &P, options: &Options) -> BTreeMap<String, String> {
    let registry = Registry::new(provider);
    let examples = Examples::new(options.examples.clone());
    let prefix = format!("{}_", provider.name());
    let short = |name: &str| name.strip_prefix(&prefix).unwrap_or(name).to_owned();
    let subcategory = |name: &str| options.subcategory.map_or("", |of| of(name));
    let mut pages = options.guides.clone();

    let compiled = registry.provider(provider);
    let mut index = Page::new(
        &format!("{} Provider", provider.name()),
        "",
        compiled.schema.description(),
        &format!("{} Provider", provider.name()),
    );
    index.examples(&examples.of("provider", "provider", "tf"));
    index.schema(&compiled.schema);
    pages.insert("index.md".to_owned(), index.finish());

    macro_rules! kind {
        ($entries:ident, $folder:literal, $file:literal, $ext:literal, $title:literal, |$page:ident, $name:ident, $entry:ident| $more:block) => {
            for ($name, $entry) in &registry.$entries {
                let schema = &$entry.compiled().schema;
                let title = format!("{} ({})", $name, $title);
                let mut $page = Page::new(
                    &format!("{} {} - {}", $name, $title, provider.name()),
                    subcategory($name),
                    schema.description(),
                    &title,
                );
                if let Some(message) = &schema.deprecated {
                    $page.deprecated(message);
                }
                $page.examples(&examples.of(&format!("{}/{}", $folder, $name), $file, $ext));
                $page.schema(schema);
                $more
                pages.insert(format!("{}/{}.md", $folder, short($name)), $page.finish());
            }
        };
    }
    kind!(
        resources,
        "resources",
        "resource",
        "tf",
        "Resource",
        |page, name, entry| {
            let folder = format!("resources/{name}");
            let imports = examples.named(&folder, "import.sh");
            let by_identity = examples.named(&folder, "import-by-identity.tf");
            let identity = entry
                .compiled()
                .identity
                .as_ref()
                .map(|(identity, _)| identity);
            page.import(imports.as_deref(), by_identity.as_deref(), identity);
        }
    );
    kind!(
        data_sources,
        "data-sources",
        "data-source",
        "tf",
        "Data Source",
        |page, name, entry| {}
    );
    kind!(
        ephemeral,
        "ephemeral-resources",
        "ephemeral-resource",
        "tf",
        "Ephemeral Resource",
        |page, name, entry| {}
    );
    kind!(
        lists,
        "list-resources",
        "list-resource",
        "tfquery.hcl",
        "List Resource",
        |page, name, entry| {}
    );
    kind!(
        actions,
        "actions",
        "action",
        "tf",
        "Action",
        |page, name, entry| {}
    );

    for (name, function) in &registry.functions {
        let definition = function.definition();
        let mut page = Page::new(
            &format!("{name} function - {}", provider.name()),
            subcategory(name),
            &definition.summary,
            &format!("function: {name}"),
        );
        page.function(
            name,
            &definition,
            &examples.of(&format!("functions/{name}"), "function", "tf"),
        );
        pages.insert(format!("functions/{name}.md"), page.finish());
    }
    pages
}
