//! Addresses of a VPC, read only (OpenIaaS API, VPC).

use transport::CancellationToken;

use crate::{Client, Error, Request, StaticIp};

impl Client {
    /// The address registered for a MAC address. `None` when there is none (yet).
    ///
    /// # Errors
    /// As every read.
    pub async fn static_ip_of(
        &self,
        mac: &str,
        cancel: &CancellationToken,
    ) -> Result<Option<StaticIp>, Error> {
        let mac = mac.to_ascii_lowercase();
        let request = Request::get("/vpc/v1/static_ips/mac/{}", &[&mac]).needs("vpc_read");
        self.get(&request, cancel).await
    }

    /// All addresses registered in a private network.
    ///
    /// # Errors
    /// As every read.
    pub async fn static_ips(
        &self,
        private_network: &str,
        cancel: &CancellationToken,
    ) -> Result<Vec<StaticIp>, Error> {
        let path = "/vpc/v1/private_networks/{}/static_ips";
        let request = Request::get(path, &[private_network]).needs("vpc_read");
        Ok(self.list(&request, cancel).await?.items)
    }
}
