//! Tags of VMs (OpenIaaS API, tags). They are synchronous and cannot be searched.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;
use transport::CancellationToken;

use crate::{Class, Client, Error, Handle, Request, VmId, decode};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tag {
    key: String,
    value: String,
}

impl Client {
    /// The tags of a VM.
    ///
    /// # Errors
    /// As every read.
    pub async fn tags(
        &self,
        vm: &VmId,
        cancel: &CancellationToken,
    ) -> Result<BTreeMap<String, String>, Error> {
        let request = Request::get("/tag/v1/tags/resources/{}", &[vm.as_str()]).needs("tag_read");
        let reply = self.send(&request, cancel).await?;
        let tags: Vec<Tag> = decode::typed(&reply.body).map_err(|error| Error::Decode {
            call: request.call(),
            reason: error.to_string(),
        })?;
        Ok(tags.into_iter().map(|tag| (tag.key, tag.value)).collect())
    }

    /// Writes one tag. The key must not be there yet: overwriting is not supported.
    ///
    /// # Errors
    /// As every write.
    pub async fn create_tag(
        &self,
        vm: &VmId,
        key: &str,
        value: &str,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let class = Class::Create {
            find_by: Handle::TagKey(key.to_owned()),
        };
        let request = Request::post("/tag/v1/tags", &[], class)
            .body(json!({
                "key": key,
                "value": value,
                "resources": [{
                    "uuid": vm,
                    "type": "iaas_opensource_virtual_machine",
                    "source": "iaas_opensource",
                }],
            }))
            .needs("tag_write");
        self.send(&request, cancel).await.map(drop)
    }

    /// Removes one tag. One that is gone already is success.
    ///
    /// # Errors
    /// As every write.
    pub async fn delete_tag(
        &self,
        vm: &VmId,
        key: &str,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let path = "/tag/v1/tags/resources/{}/keys/{}";
        let request = Request::delete(path, &[vm.as_str(), key]).needs("tag_write");
        match self.send(&request, cancel).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }
}
