//! Lists the things of the store, again and again if it is told to.

use framework::{
    Attribute, Diagnostics, Dynamic, ListRequest, ListResource, ListResult, ListSink, Outcome,
    Path, Schema, Value, async_trait,
};

use crate::store::Store;

pub struct Things;

#[async_trait]
impl ListResource<Store> for Things {
    fn type_name(&self) -> &'static str {
        "corner_thing"
    }

    fn schema(&self) -> Schema {
        Schema::new("All things.")
            .attribute("endless", Attribute::bool("Never ends.").optional())
            .attribute("fail", Attribute::bool("Fails in the end.").optional())
    }

    async fn list(&self, request: ListRequest<Store>, results: ListSink) -> Outcome {
        let flag = |name: &'static str| -> Result<bool, Diagnostics> {
            let value: Value<bool> = request.config.get_at(&Path::of(name))?;
            Ok(value == Value::Known(true))
        };
        loop {
            for name in request.data.names()? {
                let resource = request.include_resource.then(|| {
                    Dynamic::object([
                        ("name", Dynamic::from(name.as_str())),
                        ("secret_wo", "never to be seen".into()),
                    ])
                });
                let result = ListResult {
                    identity: Dynamic::object([("name", name.as_str().into())]),
                    display_name: format!("Thing {name}"),
                    resource,
                    diagnostics: Diagnostics::new(),
                };
                if !results.send(result).await {
                    request.data.write("list-ended", "early")?;
                    return Ok(());
                }
            }
            if !flag("endless")? {
                break;
            }
        }
        if flag("fail")? {
            return Err(Diagnostics::one_error("listing failed", "As asked."));
        }
        Ok(())
    }
}
