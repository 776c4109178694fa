//! An ephemeral resource that counts its life in the store.

use std::time::{Duration, SystemTime};

use framework::{
    Attribute, CloseRequest, CloseResponse, Diagnostics, Dynamic, EphemeralResource, OpenRequest,
    OpenResponse, Outcome, Path, RenewRequest, RenewResponse, Schema, async_trait, validators,
};

use crate::store::Store;

pub struct Lease;

/// When a lease that lives for so many seconds is to be renewed.
fn after(seconds: Option<u64>) -> Option<SystemTime> {
    SystemTime::now().checked_add(Duration::from_secs(seconds?))
}

#[async_trait]
impl EphemeralResource<Store> for Lease {
    fn type_name(&self) -> &'static str {
        "corner_lease"
    }

    fn schema(&self) -> Schema {
        Schema::new("A lease on a name.")
            .attribute(
                "name",
                Attribute::string("The name; `expired` cannot be renewed.").required(),
            )
            .attribute(
                "seconds",
                Attribute::number("How long it lives until it is renewed; for ever by default.")
                    .optional()
                    .validate(validators::at_least(1)),
            )
            .attribute(
                "token",
                Attribute::string("The token.").computed().sensitive(),
            )
    }

    async fn open(&self, request: OpenRequest<Store>, response: &mut OpenResponse) -> Outcome {
        let name: String = request.config.get_at(&Path::of("name"))?;
        let seconds: Option<u64> = request.config.get_at(&Path::of("seconds"))?;
        request.data.write(&format!("lease-{name}"), "open")?;
        response.private.set("name", &name);
        response.private.set("seconds", &seconds);
        response.renew_at = after(seconds);
        response.set_result(&Dynamic::object([
            ("token", Dynamic::from(format!("token-{name}"))),
            (
                "seconds",
                seconds.map_or(Dynamic::Null, |seconds| Dynamic::Number(seconds.into())),
            ),
            ("name", name.into()),
        ]));
        Ok(())
    }

    /// Renews twice; after that the lease lives until it is closed.
    async fn renew(&self, request: RenewRequest<Store>, response: &mut RenewResponse) -> Outcome {
        let name: String = request.private.get("name").unwrap_or_default();
        if name == "expired" {
            return Err(Diagnostics::one_error("lease expired", "As asked."));
        }
        let renewals = request.private.get::<u64>("renewals").unwrap_or_default() + 1;
        request
            .data
            .write(&format!("lease-{name}"), &format!("renewed {renewals}"))?;
        response.private.set("renewals", &renewals);
        if renewals < 2 {
            let seconds: Option<Option<u64>> = request.private.get("seconds");
            response.renew_at = after(seconds.flatten());
        }
        Ok(())
    }

    async fn close(&self, request: CloseRequest<Store>, _: &mut CloseResponse) -> Outcome {
        match request.private.get::<String>("name") {
            Some(name) => request.data.write(&format!("lease-{name}"), "closed"),
            None => Ok(()),
        }
    }
}
