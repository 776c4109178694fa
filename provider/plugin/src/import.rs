//! Imports of what lives inside a cluster: ids, and the handle of the cluster that an id names.

use framework::{Diagnostics, Dynamic};
use product::ClusterId;
use transport::CancellationToken;

use crate::clients::Data;
use crate::cluster::state::imported;
use crate::problems::{error, refused};

/// Whether a state is only what an import left.
pub fn is_import(state: &Dynamic) -> bool {
    state.member("cluster").is_none_or(Dynamic::is_null)
}

/// Splits `<identifier>/<birth>/…`, where `N` parts follow the cluster's id.
///
/// # Errors
///
/// Another number of parts, or no id of a cluster. `form` is what is allowed.
pub fn parse<'a, const N: usize>(
    id: &'a str,
    form: &str,
) -> Result<(ClusterId, [&'a str; N]), Diagnostics> {
    let parts: Vec<&str> = id.split('/').collect();
    let wrong = || {
        Diagnostics::one_error(
            "id cannot be imported",
            format!(
                "Seen: {id:?}\nAllowed: {form}\nThe first two parts are the cluster's id; see the id in its state or the \
                 output of terraform state show."
            ),
        )
    };
    if parts.iter().any(|part| part.is_empty()) {
        return Err(wrong());
    }
    let (cluster, rest) = parts.split_at_checked(2).ok_or_else(wrong)?;
    let rest: [&str; N] = rest.try_into().map_err(|_| wrong())?;
    let cluster = ClusterId::parse(&cluster.join("/")).map_err(refused)?;
    Ok((cluster, rest))
}

/// The handle of a cluster, from what it recorded about itself.
///
/// # Errors
///
/// No such cluster, another key, or a cluster that does not answer.
pub async fn handle(
    cluster: &ClusterId,
    data: &Data,
    cancel: &CancellationToken,
) -> Result<Dynamic, Diagnostics> {
    let engine = data.engine(cancel).await?;
    let recorded = engine.find_cluster(cluster, cancel).await.map_err(error)?;
    let state = imported(&recorded, engine.tenant(), data);
    Ok(state.member("handle").cloned().unwrap_or(Dynamic::Null))
}

/// A text of an identity; empty when it is not there.
pub fn text<'a>(identity: &'a Dynamic, name: &str) -> &'a str {
    identity
        .member(name)
        .and_then(Dynamic::as_str)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_exactly_their_parts() {
        let birth = "0123456789abcdef0123456789abcdef";
        let parsed = parse::<1>(&format!("alpha/{birth}/default"), "form")
            .map(|(cluster, [name])| (cluster.to_string(), name.to_owned()));
        assert_eq!(
            parsed.ok(),
            Some((format!("alpha/{birth}"), "default".to_owned()))
        );
        for wrong in [
            String::new(),
            format!("alpha/{birth}"),
            format!("alpha/{birth}/"),
            format!("alpha/{birth}/default/more"),
            "alpha/1/default".to_owned(),
        ] {
            assert!(parse::<1>(&wrong, "form").is_err(), "{wrong:?}");
        }
    }
}
