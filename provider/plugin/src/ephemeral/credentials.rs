//! What both configuration files need: a handle, a key, a life.

use framework::{Attribute, Diagnostics, Dynamic, Path, Value};
use jiff::{SignedDuration, Timestamp};
use talos::{ClusterPki, Validity};

use crate::clients::Data;
use crate::handle::{Handle, handle_type};

/// Longest life of a minted certificate: a day is more than any apply.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);
/// The life when nothing is configured.
const USUAL: SignedDuration = SignedDuration::from_mins(15);

/// `cluster`.
pub fn cluster() -> Attribute {
    Attribute::new(
        handle_type(),
        "The `handle` of a `managedk8s_cluster`. Pass it through a `local`: OpenTofu puts off an ephemeral resource that \
         refers directly to a resource with a pending change.",
    )
    .required()
}

/// `ttl`.
pub fn ttl() -> Attribute {
    Attribute::string(
        "How long the certificate lives, such as `30m`; `15m` by default, `24h` at most.",
    )
    .optional()
    .validate(framework::validators::duration())
}

/// The PKI of a handle, made without any call, and the validity of a certificate minted now.
///
/// # Errors
///
/// A handle or a life that cannot be used, no key, or the key of another cluster.
pub fn mint(
    cluster: &Dynamic,
    ttl: &Value<String>,
    data: &Data,
) -> Result<(Handle, ClusterPki, Validity), Diagnostics> {
    let handle = Handle::read(cluster)?;
    let life = life(ttl)?;
    let key = data.cluster_key(&handle)?;
    let stored = handle.cluster()?.cas.into();
    let refused = |error: talos::PkiError| {
        Diagnostics::one_error("cannot mint a certificate", transport::chain(&error))
    };
    let pki = ClusterPki::from_stored_cas(&key, &stored).map_err(refused)?;
    let now = Timestamp::try_from(data.clock.wall()).map_err(|error| {
        Diagnostics::one_error(
            "the clock of this machine is out of range",
            error.to_string(),
        )
    })?;
    let validity = Validity::starting(now, life).map_err(refused)?;
    Ok((handle, pki, validity))
}

fn life(ttl: &Value<String>) -> Result<SignedDuration, Diagnostics> {
    let Value::Known(text) = ttl else {
        return Ok(USUAL);
    };
    text.parse::<SignedDuration>()
        .ok()
        .filter(|life| *life >= SignedDuration::from_mins(1) && *life <= LONGEST)
        .ok_or_else(|| {
            Diagnostics::one_error_at(
                Path::of("ttl"),
                "life of the certificate out of range",
                format!("Seen: {text:?}\nAllowed: 1m to 24h\nWrite for example \"30m\"."),
            )
        })
}
