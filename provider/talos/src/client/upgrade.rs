//! Writing another version of Talos onto a node.

use std::time::Duration;

use proto_talos::common::{ContainerDriver, ContainerdInstance, ContainerdNamespace};
use proto_talos::machine::image_service_client::ImageServiceClient;
use proto_talos::machine::image_service_pull_response::Response as Pulled;
use proto_talos::machine::lifecycle_service_client::LifecycleServiceClient;
use proto_talos::machine::lifecycle_service_install_progress::Response as Installed;
use proto_talos::machine::machine_service_client::MachineServiceClient;
use proto_talos::machine::{
    ImageServicePullRequest, InstallArtifactsSource, LifecycleServiceUpgradeRequest,
    UpgradeRequest, upgrade_request,
};

use super::connect::sized;
use super::error::excerpt;
use super::{Node, TalosError};

/// Time without a word of progress after which an upgrade is given up.
const IDLE: Duration = Duration::from_mins(5);
/// The older call answers only when the image was fetched.
const LEGACY: Duration = Duration::from_mins(45);

/// How a node was upgraded, and so what comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpgradePath {
    /// The new version is written; the caller drains and reboots.
    RebootNext,
    /// The node drains and reboots itself (Talos 1.12).
    RebootsItself,
}

/// A sign of life during an upgrade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpgradeProgress {
    /// A layer of the image is being fetched.
    Pulling {
        /// Bytes there.
        offset: u64,
        /// Bytes in all, zero when unknown.
        total: u64,
    },
    /// The installer said something.
    Installing(String),
}

/// The container runtime's store in which installer images lie.
fn containerd() -> ContainerdInstance {
    ContainerdInstance {
        driver: ContainerDriver::Cri.into(),
        namespace: ContainerdNamespace::NsSystem.into(),
    }
}

impl Node {
    /// Writes the version of an installer image beside the running one. From Talos 1.13 on the
    /// node runs on until it is rebooted; before, it reboots itself. The proof is the version
    /// after the reboot: a boot that fails falls back to the old one by itself.
    ///
    /// # Errors
    /// [`TalosError::Installer`] when the installer failed; the node is then as it was.
    pub async fn upgrade(
        &self,
        image: &str,
        progress: &mut (dyn FnMut(UpgradeProgress) + Send),
    ) -> Result<UpgradePath, TalosError> {
        match self.pull(image, progress).await {
            Ok(()) => self.install(image, progress).await,
            Err(error) if error.is_unimplemented() => self.legacy_upgrade(image).await,
            Err(error) => Err(error),
        }
    }

    async fn pull(
        &self,
        image: &str,
        progress: &mut (dyn FnMut(UpgradeProgress) + Send),
    ) -> Result<(), TalosError> {
        const RPC: &str = "ImageService.Pull";
        let mut client = sized!(ImageServiceClient::new(self.channel.clone()));
        let request = ImageServicePullRequest {
            containerd: Some(containerd()),
            image_ref: image.to_owned(),
        };
        let mut stream = self.call(RPC, IDLE, client.pull(request)).await?;
        let mut complete = false;
        while let Some(item) = self.bounded(RPC, IDLE, stream.message()).await? {
            match item.response {
                Some(Pulled::Name(_)) => complete = true,
                Some(Pulled::PullProgress(layer)) => {
                    let layer = layer.progress.unwrap_or_default();
                    progress(UpgradeProgress::Pulling {
                        offset: layer.offset.max(0) as u64,
                        total: layer.total.max(0) as u64,
                    });
                }
                None => {}
            }
        }
        if complete {
            Ok(())
        } else {
            Err(self.unexpected(RPC, "the stream ended without the name of the image"))
        }
    }

    async fn install(
        &self,
        image: &str,
        progress: &mut (dyn FnMut(UpgradeProgress) + Send),
    ) -> Result<UpgradePath, TalosError> {
        const RPC: &str = "LifecycleService.Upgrade";
        let mut client = sized!(LifecycleServiceClient::new(self.channel.clone()));
        let request = LifecycleServiceUpgradeRequest {
            containerd: Some(containerd()),
            source: Some(InstallArtifactsSource {
                image_name: image.to_owned(),
            }),
        };
        let mut stream = self.call(RPC, IDLE, client.upgrade(request)).await?;
        let mut last_words = String::new();
        let mut exit = None;
        while let Some(item) = self.bounded(RPC, IDLE, stream.message()).await? {
            match item.progress.and_then(|progress| progress.response) {
                Some(Installed::Message(message)) => {
                    last_words = excerpt(message.trim());
                    progress(UpgradeProgress::Installing(last_words.clone()));
                }
                Some(Installed::ExitCode(code)) => exit = Some(code),
                None => {}
            }
        }
        match exit {
            Some(0) => Ok(UpgradePath::RebootNext),
            Some(code) => Err(TalosError::Installer {
                address: self.address,
                code,
                last_words,
            }),
            // A failure comes as a code with status OK; no code is no success either.
            None => Err(self.unexpected(RPC, "the installer ended without an exit code")),
        }
    }

    async fn legacy_upgrade(&self, image: &str) -> Result<UpgradePath, TalosError> {
        const RPC: &str = "Upgrade";
        let mut client = sized!(MachineServiceClient::new(self.channel.clone()));
        let request = UpgradeRequest {
            image: image.to_owned(),
            preserve: true,
            stage: false,
            force: false,
            reboot_mode: upgrade_request::RebootMode::Default.into(),
        };
        let reply = self.call(RPC, LEGACY, client.upgrade(request)).await?;
        self.one(RPC, reply.messages)?;
        Ok(UpgradePath::RebootsItself)
    }
}
