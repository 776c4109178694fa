//! An ephemeral resource that counts its life in the store.

use framework::{
    Attribute, CloseRequest, CloseResponse, Dynamic, EphemeralResource, OpenRequest, OpenResponse,
    Outcome, Path, Schema, async_trait,
};

use crate::store::Store;

pub struct Lease;

#[async_trait]
impl EphemeralResource<Store> for Lease {
    fn type_name(&self) -> &'static str {
        "corner_lease"
    }

    fn schema(&self) -> Schema {
        Schema::new("A lease on a name.")
            .attribute("name", Attribute::string("The name.").required())
            .attribute(
                "token",
                Attribute::string("The token.").computed().sensitive(),
            )
    }

    async fn open(&self, request: OpenRequest<Store>, response: &mut OpenResponse) -> Outcome {
        let name: String = request.config.get_at(&Path::of("name"))?;
        request.data.write(&format!("lease-{name}"), "open")?;
        response.private.set("name", &name);
        response.set_result(&Dynamic::object([
            ("token", Dynamic::from(format!("token-{name}"))),
            ("name", name.into()),
        ]));
        Ok(())
    }

    async fn close(&self, request: CloseRequest<Store>, _: &mut CloseResponse) -> Outcome {
        match request.private.get::<String>("name") {
            Some(name) => request.data.write(&format!("lease-{name}"), "closed"),
            None => Ok(()),
        }
    }
}
