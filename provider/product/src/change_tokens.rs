//! The change catalogue: what a change costs in tokens (product reference, 15). Informational.

use crate::{Checked, Path, Problem};

/// The price of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Price {
    /// So many tokens.
    Tokens(u32),
    /// So many tokens for each five nodes begun.
    TokensPerFiveNodes(u32),
    /// By quote.
    Quote,
}

/// An item of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeItem {
    /// The key: `K1` to `K13` for Kubernetes, `C1` to `C13` for containers.
    pub key: &'static str,
    /// What it changes.
    pub title: &'static str,
    /// What it costs.
    pub price: Price,
}

const fn item(key: &'static str, tokens: u32, title: &'static str) -> ChangeItem {
    ChangeItem {
        key,
        title,
        price: Price::Tokens(tokens),
    }
}

const fn quote(key: &'static str, title: &'static str) -> ChangeItem {
    ChangeItem {
        key,
        title,
        price: Price::Quote,
    }
}

/// Both catalogues, in their order.
pub const CHANGES: &[ChangeItem] = &[
    item("K1", 2, "change the bounds of a node pool"),
    ChangeItem {
        key: "K2",
        title: "resize nodes",
        price: Price::TokensPerFiveNodes(4),
    },
    item("K3", 2, "create a node pool"),
    item("K4", 4, "restore the code repository"),
    item("K5", 2, "activate the vault injector"),
    item("K6", 1, "hibernate or wake the cluster"),
    item("K7", 2, "run a configuration task on one worker"),
    item("K8", 3, "change log retention"),
    item("K9", 3, "change metric retention"),
    item("K10", 3, "add a name resolution to the blackbox exporter"),
    item("K11", 3, "change an external label of Prometheus"),
    item("K12", 3, "route alerts to an external Alertmanager"),
    item("K13", 3, "add an alert receiver or route"),
    item("C1", 2, "change a manifest in Git"),
    item("C2", 2, "change a Dockerfile"),
    item("C3", 2, "change a deployment routine"),
    item("C4", 2, "deploy an image"),
    item("C5", 2, "deploy the previous version of an image"),
    item("C6", 4, "deploy an application of several images"),
    item("C7", 2, "verify the deployment of one image"),
    item("C8", 4, "verify a set of containers"),
    item("C9", 2, "change where logs and metrics are sent"),
    item("C10", 4, "change an alarm"),
    quote("C11", "add an exporter of application metrics"),
    quote("C12", "add a dashboard"),
    quote("C13", "structure repositories and deployment"),
];

/// The function `change_tokens`: the price of an item for so many nodes; `None` means by quote.
pub fn change_tokens(key: &str, nodes: u32) -> Checked<(ChangeItem, Option<u32>)> {
    let Some(item) = CHANGES.iter().find(|item| item.key == key) else {
        return Err(Box::new(
            Problem::error(Path::root(), "unknown item of the change catalogue")
                .seen(format!("{key:?}"))
                .allowed("K1 to K13 and C1 to C13")
                .next("Write the key of an item."),
        ));
    };
    let tokens = match item.price {
        Price::Tokens(tokens) => Some(tokens),
        Price::TokensPerFiveNodes(tokens) => Some(tokens.saturating_mul(nodes.max(1).div_ceil(5))),
        Price::Quote => None,
    };
    Ok((*item, tokens))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices() {
        let tokens = |key, nodes| change_tokens(key, nodes).expect("an item").1;
        assert_eq!(tokens("K1", 100), Some(2));
        assert_eq!(tokens("K2", 5), Some(4));
        assert_eq!(tokens("K2", 6), Some(8));
        assert_eq!(tokens("C11", 1), None);
        assert!(change_tokens("K14", 1).is_err());
        assert_eq!(CHANGES.len(), 26);
    }
}
