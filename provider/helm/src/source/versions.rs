//! Which of many versions is meant.

use crate::semver::{Constraint, Version};

/// The version to take: exactly the one named, else the highest that fits.
pub(super) fn choose<'a>(
    versions: impl Iterator<Item = &'a str> + Clone,
    wanted: Option<&str>,
    devel: bool,
) -> Option<&'a str> {
    let wanted = wanted.map(str::trim).filter(|wanted| !wanted.is_empty());
    if let Some(wanted) = wanted
        && let Some(exact) = versions.clone().find(|version| *version == wanted)
    {
        return Some(exact);
    }
    let constraint = match wanted {
        Some(wanted) => Constraint::parse(wanted).ok()?,
        None if devel => Constraint::parse(">0.0.0-0").ok()?,
        None => Constraint::parse("*").ok()?,
    };
    versions
        .filter_map(|text| Some((Version::parse(text).ok()?, text)))
        .filter(|(version, _)| constraint.check(version))
        .max_by(|(a, _), (b, _)| a.cmp(b))
        .map(|(_, text)| text)
}

/// The newest few, for an error message.
pub(super) fn newest<'a>(versions: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut parsed: Vec<(Version, &str)> = versions
        .filter_map(|text| Some((Version::parse(text).ok()?, text)))
        .collect();
    parsed.sort_by(|(a, _), (b, _)| b.cmp(a));
    parsed.truncate(5);
    parsed
        .into_iter()
        .map(|(_, text)| text.to_owned())
        .collect()
}
