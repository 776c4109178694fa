//! `.helmignore`: like git's, except where Helm differs (see [`Rules::ignores`]).

/// The rules of one file.
#[derive(Debug, Default)]
pub(super) struct Rules(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    pattern: String,
    /// Matches the whole relative path instead of the base name.
    whole: bool,
    negated: bool,
    folders_only: bool,
}

impl Rules {
    /// Reads the rules; the rule that Helm always has (`templates/.?*`) is added at the end.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut rules = Self::default();
        for line in text.trim_start_matches('\u{feff}').lines() {
            rules.add(line)?;
        }
        rules.add("templates/.?*")?;
        Ok(rules)
    }

    fn add(&mut self, line: &str) -> Result<(), String> {
        let rule = line.trim();
        if rule.is_empty() || rule.starts_with('#') {
            return Ok(());
        }
        if rule.contains("**") {
            return Err("double-star (**) syntax is not supported".into());
        }
        matches(rule, "abc")?;
        let (negated, rule) = rule.strip_prefix('!').map_or((false, rule), |r| (true, r));
        let (folders_only, rule) = rule.strip_suffix('/').map_or((false, rule), |r| (true, r));
        let (whole, pattern) = match rule.strip_prefix('/') {
            Some(anchored) => (true, anchored),
            None => (rule.contains('/'), rule),
        };
        self.0.push(Rule {
            pattern: pattern.to_owned(),
            whole,
            negated,
            folders_only,
        });
        Ok(())
    }

    /// Whether the chart goes without this file or folder. The first rule that says so decides; a
    /// negated rule that does *not* match also says so, which is not git's meaning.
    pub(super) fn ignores(&self, path: &str, folder: bool) -> bool {
        self.0.iter().any(|rule| {
            let target = if rule.whole {
                path
            } else {
                path.rsplit('/').next().unwrap_or(path)
            };
            let hit = || matches(&rule.pattern, target).unwrap_or(false);
            if rule.negated {
                (rule.folders_only && !folder) || !hit()
            } else {
                (!rule.folders_only || folder) && hit()
            }
        })
    }
}

/// Go's `filepath.Match`: `*` and `?` do not cross slashes, `[...]` with ranges and `^`, `\`
/// escapes.
pub(super) fn matches(pattern: &str, name: &str) -> Result<bool, String> {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    check(&pattern)?;
    Ok(at(&pattern, &name))
}

const BAD: &str = "syntax error in pattern";

/// Go finds most mistakes only when matching reaches them; here every pattern is checked whole.
fn check(mut pattern: &[char]) -> Result<(), String> {
    while let Some((&first, rest)) = pattern.split_first() {
        pattern = match first {
            '\\' => rest.get(1..).ok_or(BAD)?,
            '[' => class(rest, None).ok_or(BAD)?.1,
            _ => rest,
        };
    }
    Ok(())
}

/// Reads a class after its bracket: whether `c` is in it, and what follows.
fn class(mut rest: &[char], c: Option<char>) -> Option<(bool, &[char])> {
    let negated = rest.first() == Some(&'^');
    if negated {
        rest = &rest[1..];
    }
    let mut found = false;
    let mut ranges = 0;
    loop {
        if rest.first() == Some(&']') && ranges > 0 {
            return Some((found != negated, &rest[1..]));
        }
        let low = class_char(&mut rest)?;
        let mut high = low;
        if rest.first() == Some(&'-') {
            rest = &rest[1..];
            high = class_char(&mut rest)?;
        }
        found |= c.is_some_and(|c| low <= c && c <= high);
        ranges += 1;
    }
}

fn class_char(rest: &mut &[char]) -> Option<char> {
    let (&first, mut tail) = rest.split_first()?;
    let c = match first {
        '-' | ']' => return None,
        '\\' => {
            let (&escaped, after) = tail.split_first()?;
            tail = after;
            escaped
        }
        other => other,
    };
    *rest = tail;
    // A class must be closed after every element.
    (!tail.is_empty()).then_some(c)
}

fn at(pattern: &[char], name: &[char]) -> bool {
    let Some((&first, rest)) = pattern.split_first() else {
        return name.is_empty();
    };
    match (first, name.split_first()) {
        ('*', _) => {
            let reach = name.iter().take_while(|&&c| c != '/').count();
            (0..=reach).any(|taken| at(rest, &name[taken..]))
        }
        (_, None) => false,
        ('?', Some((&c, tail))) => c != '/' && at(rest, tail),
        ('[', Some((&c, tail))) => {
            class(rest, Some(c)).is_some_and(|(hit, after)| hit && at(after, tail))
        }
        ('\\', Some((&c, tail))) => rest
            .split_first()
            .is_some_and(|(&literal, after)| literal == c && at(after, tail)),
        (literal, Some((&c, tail))) => literal == c && at(rest, tail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_go() {
        for (pattern, name, expected) in [
            ("*.txt", "a.txt", true),
            ("*.txt", "d/a.txt", false),
            ("d/?.txt", "d/a.txt", true),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("\\*", "*", true),
            ("a*b*c", "axxbyyc", true),
        ] {
            assert_eq!(matches(pattern, name), Ok(expected), "{pattern} {name}");
        }
        for bad in ["[", "[]a]", "a[", "\\", "[a-]"] {
            assert!(matches(bad, "a").is_err(), "{bad}");
        }
    }

    #[test]
    fn rules_follow_helm_rather_than_git() {
        let rules =
            Rules::parse("# note\n*.tmp\n/root.txt\nbuild/\nsub/x.*\n").expect("sound rules");
        for (path, folder, expected) in [
            ("deep/a.tmp", false, true),
            ("root.txt", false, true),
            ("deep/root.txt", false, false),
            ("build", true, true),
            ("build", false, false),
            ("sub/x.md", false, true),
            ("a/sub/x.md", false, false),
            ("templates/.hidden", false, true),
            ("values.yaml", false, false),
        ] {
            assert_eq!(rules.ignores(path, folder), expected, "{path}");
        }
        let negated = Rules::parse("!keep.txt").expect("sound rules");
        assert!(!negated.ignores("keep.txt", false));
        assert!(negated.ignores("other.txt", false));
        assert!(Rules::parse("a/**").is_err());
    }
}
