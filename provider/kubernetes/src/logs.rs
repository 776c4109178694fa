//! What containers print.

use helm::{ClusterError, LogQuery, ObjectRef};
use transport::CancellationToken;

use crate::client::Ask;
use crate::{Client, query, status};

impl Client {
    /// The end of a container's output; `None` from a server without that part of the API.
    pub(crate) async fn read_logs(
        &self,
        wanted: &LogQuery,
        cancel: &CancellationToken,
    ) -> Result<Option<String>, ClusterError> {
        let pod = ObjectRef::namespaced("v1", "Pod", &wanted.namespace, &wanted.pod);
        let resource = self.resource(&pod.api_version, &pod.kind, cancel).await?;
        let path = query::object(&resource, pod.namespace.as_deref(), &pod.name);
        let (lines, bytes) = (wanted.lines.to_string(), wanted.bytes.to_string());
        let parameters = query::query(&[
            ("container", &wanted.container),
            ("tailLines", &lines),
            ("limitBytes", &bytes),
        ]);
        let ask = Ask {
            accept: "text/plain, */*",
            ..Ask::read(
                "read logs of",
                format!("{path}/log{parameters}"),
                pod.to_string(),
            )
        };
        let answer = self.send(&ask, cancel).await?;
        if answer.is_success() {
            let end = answer.body.len().min(wanted.bytes as usize);
            let text = String::from_utf8_lossy(&answer.body[..end]);
            return Ok(Some(text.into_owned()));
        }
        // A pod that is gone is told with its name; what a server does not have at all is not.
        let known = status::Status::read(&answer.body).is_missing(&wanted.pod);
        if matches!(answer.status, 404 | 405 | 501) && !known {
            return Ok(None);
        }
        Err(status::error(&ask, &answer, Some(&pod)))
    }
}
