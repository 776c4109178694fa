//! Where an application's secrets live in the vault (product reference, 14.4).

use crate::text_enum::text_enum;
use crate::{Checked, Identifier, Path, Problem};

text_enum! {
    /// Who may read a secret.
    SecretScope, "secret scope" {
        /// Every application on every cluster.
        Global = "global",
        /// One namespace on every cluster.
        Namespace = "namespace",
        /// Every application on one cluster.
        Cluster = "cluster",
        /// One namespace on one cluster.
        ClusterNamespace = "cluster_namespace",
    }
}

/// The function `secret_path`: the path of a scope, its wild card included.
pub fn secret_path(
    scope: SecretScope,
    cluster: Option<&Identifier>,
    namespace: Option<&str>,
) -> Checked<String> {
    let cluster = || {
        cluster.ok_or_else(|| Box::new(missing("cluster", scope, "the identifier of the cluster")))
    };
    let namespace = || {
        let name = namespace
            .ok_or_else(|| Box::new(missing("namespace", scope, "the name of the namespace")))?;
        if crate::identifier::is_label(name, 63) {
            return Ok(name);
        }
        Err(Box::new(
            Problem::error(Path::of("namespace"), "not the name of a namespace")
                .seen(format!("{name:?}"))
                .allowed("a DNS label of at most 63 characters")
                .next("Write the name of an existing namespace."),
        ))
    };
    Ok(match scope {
        SecretScope::Global => "apps/global/*".to_owned(),
        SecretScope::Namespace => format!("apps/namespaces/{}/*", namespace()?),
        SecretScope::Cluster => format!("apps/clusters/{}/global/*", cluster()?),
        SecretScope::ClusterNamespace => {
            format!("apps/clusters/{}/namespaces/{}/*", cluster()?, namespace()?)
        }
    })
}

fn missing(name: &'static str, scope: SecretScope, allowed: &str) -> Problem {
    Problem::error(Path::of(name), "argument is missing")
        .seen(format!("nothing, for scope {:?}", scope.as_str()))
        .allowed(allowed)
        .next("Give the argument, or choose another scope.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_paths() {
        let cluster = Identifier::parse_free("alpha").expect("a label");
        let path = |scope| secret_path(scope, Some(&cluster), Some("shop")).expect("complete");
        assert_eq!(path(SecretScope::Global), "apps/global/*");
        assert_eq!(path(SecretScope::Namespace), "apps/namespaces/shop/*");
        assert_eq!(path(SecretScope::Cluster), "apps/clusters/alpha/global/*");
        assert_eq!(
            path(SecretScope::ClusterNamespace),
            "apps/clusters/alpha/namespaces/shop/*"
        );
        assert!(secret_path(SecretScope::Cluster, None, None).is_err());
        assert!(secret_path(SecretScope::Namespace, None, Some("../x")).is_err());
    }
}
