//! An error and its causes in one line.

/// An error with its causes, in one line and without secrets. A cause whose words the text already holds, as where an
/// error passes its source's on, is not said twice.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let part = cause.to_string();
        if !text.contains(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        source = cause.source();
    }
    secret::scrub(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] Option<Box<Layer>>);

    #[test]
    fn causes_follow_each_other_once() {
        let chained = |words: [&'static str; 3]| {
            let [outer, middle, inner] = words;
            let inner = Box::new(Layer(inner, None));
            chain(&Layer(outer, Some(Box::new(Layer(middle, Some(inner))))))
        };
        assert_eq!(
            chained(["cannot ask", "no answer", "refused"]),
            "cannot ask: no answer: refused"
        );
        assert_eq!(
            chained(["cannot ask: refused", "refused", "refused"]),
            "cannot ask: refused"
        );
    }
}
