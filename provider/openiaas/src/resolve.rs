//! Names of the configuration to identifiers of one zone.

use transport::CancellationToken;

use crate::{
    Client, Error, Host, MachineManagerId, Network, Policy, Pool, Request, StorageRepository,
    Template,
};

/// A zone that was found by name, and everything in it that a cluster is made of.
#[derive(Clone)]
pub struct Zone {
    client: Client,
    /// The machine manager.
    pub id: MachineManagerId,
    /// The name as the platform writes it.
    pub name: String,
}

impl Client {
    /// The zone of this name; case does not matter, it varies between tenants.
    ///
    /// # Errors
    /// [`Error::NotFound`] with the zones there are, [`Error::Ambiguous`], or those of a read.
    pub async fn zone(&self, name: &str, cancel: &CancellationToken) -> Result<Zone, Error> {
        let zones = self.machine_managers(cancel).await?;
        let found = pick(
            "availability zone",
            name,
            "the tenant",
            zones.iter().cloned(),
            |zone| zone.name.eq_ignore_ascii_case(name),
            |zone| zone.name.clone(),
        )?;
        Ok(Zone {
            client: self.clone(),
            id: found.id,
            name: found.name,
        })
    }
}

impl Zone {
    /// The template of this name.
    ///
    /// # Errors
    /// [`Error::NotFound`] with the templates there are, [`Error::Ambiguous`], or those of a read.
    pub async fn template(
        &self,
        name: &str,
        cancel: &CancellationToken,
    ) -> Result<Template, Error> {
        let all = self.templates(cancel).await?;
        self.named("template", name, all, |item| &item.name)
    }

    /// The networks of this name: one for each pool of the zone. A VPC's private network is found
    /// by its own name as well.
    ///
    /// # Errors
    /// [`Error::NotFound`] with the networks there are, or those of a read.
    pub async fn networks_named(
        &self,
        name: &str,
        cancel: &CancellationToken,
    ) -> Result<Vec<Network>, Error> {
        let all = self.networks(cancel).await?;
        let is_it = |network: &&Network| {
            let vpc = network.vpc.as_ref();
            network.name == name || vpc.is_some_and(|vpc| vpc.private_network.name == name)
        };
        let found: Vec<_> = all.iter().filter(is_it).cloned().collect();
        if found.is_empty() {
            return Err(self.missing("network", name, all.iter().map(|item| &item.name)));
        }
        Ok(found)
    }

    /// The network of this name, which must be the only one in the zone.
    ///
    /// # Errors
    /// As [`Self::networks_named`], and [`Error::Ambiguous`].
    pub async fn network(&self, name: &str, cancel: &CancellationToken) -> Result<Network, Error> {
        let mut found = self.networks_named(name, cancel).await?;
        if found.len() > 1 {
            return Err(self.ambiguous("network", name, found.len()));
        }
        Ok(found.remove(0))
    }

    /// The storage repository of this name.
    ///
    /// # Errors
    /// [`Error::NotFound`] with the repositories there are, [`Error::Ambiguous`], or those of a
    /// read.
    pub async fn storage_repository(
        &self,
        name: &str,
        cancel: &CancellationToken,
    ) -> Result<StorageRepository, Error> {
        let all = self.storage_repositories(cancel).await?;
        self.named("storage repository", name, all, |item| &item.name)
    }

    /// The backup policy of this name. Names repeat across zones; this one is of this zone.
    ///
    /// # Errors
    /// [`Error::NotFound`] with the policies there are, [`Error::Ambiguous`], or those of a read.
    pub async fn policy(&self, name: &str, cancel: &CancellationToken) -> Result<Policy, Error> {
        let all = self.client.policies(&self.id, cancel).await?;
        self.named("backup policy", name, all, |item| &item.name)
    }

    /// All templates of the zone.
    ///
    /// # Errors
    /// As every read.
    pub async fn templates(&self, cancel: &CancellationToken) -> Result<Vec<Template>, Error> {
        self.all("/compute/v1/open_iaas/templates", cancel).await
    }

    /// All networks of the zone.
    ///
    /// # Errors
    /// As every read.
    pub async fn networks(&self, cancel: &CancellationToken) -> Result<Vec<Network>, Error> {
        self.all("/compute/v1/open_iaas/networks", cancel).await
    }

    /// All storage repositories of the zone.
    ///
    /// # Errors
    /// As every read.
    pub async fn storage_repositories(
        &self,
        cancel: &CancellationToken,
    ) -> Result<Vec<StorageRepository>, Error> {
        let path = "/compute/v1/open_iaas/storage_repositories";
        let request = self.scoped(path).needs(INFRASTRUCTURE);
        Ok(self.client.list(&request, cancel).await?.items)
    }

    /// All pools of the zone.
    ///
    /// # Errors
    /// As every read.
    pub async fn pools(&self, cancel: &CancellationToken) -> Result<Vec<Pool>, Error> {
        let request = self
            .scoped("/compute/v1/open_iaas/pools")
            .needs(INFRASTRUCTURE);
        Ok(self.client.list(&request, cancel).await?.items)
    }

    /// All hosts of the zone.
    ///
    /// # Errors
    /// As every read.
    pub async fn hosts(&self, cancel: &CancellationToken) -> Result<Vec<Host>, Error> {
        let request = self
            .scoped("/compute/v1/open_iaas/hosts")
            .needs(INFRASTRUCTURE);
        Ok(self.client.list(&request, cancel).await?.items)
    }

    /// The client it was found with.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    fn scoped(&self, template: &'static str) -> Request {
        Request::get(template, &[]).query("machineManagerId", self.id.as_str())
    }

    async fn all<T: serde::de::DeserializeOwned>(
        &self,
        template: &'static str,
        cancel: &CancellationToken,
    ) -> Result<Vec<T>, Error> {
        Ok(self
            .client
            .list(&self.scoped(template), cancel)
            .await?
            .items)
    }

    fn named<T>(
        &self,
        kind: &'static str,
        name: &str,
        all: Vec<T>,
        name_of: impl Fn(&T) -> &String,
    ) -> Result<T, Error> {
        let place = self.place();
        let is_it = |item: &T| name_of(item) == name;
        pick(kind, name, &place, all.into_iter(), is_it, |item| {
            name_of(item).clone()
        })
    }

    fn missing<'a>(
        &self,
        kind: &'static str,
        name: &str,
        available: impl Iterator<Item = &'a String>,
    ) -> Error {
        let mut available: Vec<_> = available.cloned().collect();
        available.sort();
        available.dedup();
        Error::NotFound {
            kind,
            name: name.to_owned(),
            place: self.place(),
            available,
        }
    }

    fn ambiguous(&self, kind: &'static str, name: &str, count: usize) -> Error {
        Error::Ambiguous {
            kind,
            name: name.to_owned(),
            place: self.place(),
            count,
        }
    }

    fn place(&self) -> String {
        format!("zone {}", self.name)
    }
}

const INFRASTRUCTURE: &str = "compute_iaas_opensource_infrastructure_read";

fn pick<T>(
    kind: &'static str,
    name: &str,
    place: &str,
    all: impl Iterator<Item = T>,
    is_it: impl Fn(&T) -> bool,
    name_of: impl Fn(&T) -> String,
) -> Result<T, Error> {
    let (mut found, others): (Vec<T>, Vec<T>) = all.partition(is_it);
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => {
            let mut available: Vec<_> = others.iter().map(name_of).collect();
            available.sort();
            available.dedup();
            Err(Error::NotFound {
                kind,
                name: name.to_owned(),
                place: place.to_owned(),
                available,
            })
        }
        count => Err(Error::Ambiguous {
            kind,
            name: name.to_owned(),
            place: place.to_owned(),
            count,
        }),
    }
}
