//! Events as hclog lines.
//!
//! Core reads the keys `@level`, `@message`, `@timestamp` and `@module`. They must be JSON strings:
//! another type makes core itself panic. A line above 64 KiB would be torn apart.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::serve::Scrub;

/// The longest text of one key.
const TEXT_LIMIT: usize = 8 << 10;
/// The longest line; core's buffer is 64 KiB.
const LINE_LIMIT: usize = 60 << 10;

/// Writes events for core.
pub(super) struct Hclog<W> {
    name: String,
    scrub: Option<Scrub>,
    output: W,
}

impl<W> Hclog<W> {
    pub fn new(name: &str, scrub: Option<Scrub>, output: W) -> Self {
        Self {
            name: name.to_owned(),
            scrub,
            output,
        }
    }
}

/// Keys and values of a span or event.
#[derive(Default)]
struct Fields(BTreeMap<&'static str, serde_json::Value>);

impl Fields {
    fn text(&mut self, field: &Field, mut text: String) {
        if text.len() > TEXT_LIMIT {
            let end = text.floor_char_boundary(TEXT_LIMIT);
            text.truncate(end);
            text.push_str("...");
        }
        self.0.insert(field.name(), text.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value.to_owned());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name(), value.into());
    }
}

impl<S, W, O> Layer<S> for Hclog<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Fn() -> O + 'static,
    O: Write,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut all = BTreeMap::new();
        for span in context
            .event_scope(event)
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
        {
            if let Some(fields) = span.extensions().get::<Fields>() {
                all.extend(fields.0.iter().map(|(name, value)| (*name, value.clone())));
            }
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let message = match fields.0.remove("message") {
            Some(serde_json::Value::String(message)) => message,
            _ => String::new(),
        };
        all.extend(fields.0);
        let line = self.line(event, &message, all);
        // A log that cannot be written has nowhere to complain.
        let _ = (self.output)().write_all(line.as_bytes());
    }
}

impl<W> Hclog<W> {
    fn line(
        &self,
        event: &Event<'_>,
        message: &str,
        fields: BTreeMap<&'static str, serde_json::Value>,
    ) -> String {
        let render = |fields: &BTreeMap<&'static str, serde_json::Value>| {
            let mut object = serde_json::Map::new();
            let text = |text: &str| serde_json::Value::from(text);
            let metadata = event.metadata();
            object.insert("@level".into(), text(level(*metadata.level())));
            object.insert("@message".into(), text(message));
            let module = format!("{}.{}", self.name, metadata.target().replace("::", "."));
            object.insert("@module".into(), text(&module));
            object.insert("@timestamp".into(), text(&now()));
            for (name, value) in fields {
                object.entry(*name).or_insert_with(|| value.clone());
            }
            serde_json::Value::Object(object).to_string()
        };
        let scrub = |line: String| match &self.scrub {
            Some(scrub) => scrub(line),
            None => line,
        };
        let mut line = scrub(render(&fields));
        if line.len() > LINE_LIMIT {
            line = scrub(render(&BTreeMap::new()));
        }
        line.push('\n');
        line
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// The time with exactly six digits of fraction: with any other number core takes the line for
/// plain text.
fn now() -> String {
    jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
        .to_string()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0
                .lock()
                .expect("no other panic")
                .extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(scrub: Option<Scrub>, log: impl FnOnce()) -> Vec<serde_json::Value> {
        let lines = Lines::default();
        let output = lines.clone();
        let layer = Hclog::new("acme", scrub, move || output.clone());
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, log);
        let bytes = lines.0.lock().expect("no other panic").clone();
        let text = String::from_utf8(bytes).expect("JSON is UTF-8");
        text.lines()
            .map(|line| {
                assert!(line.len() < 64 << 10);
                serde_json::from_str(line).expect("each line is JSON")
            })
            .collect()
    }

    #[test]
    fn stderr_lines_are_hclog_json() {
        let lines = logged(None, || {
            let span = tracing::info_span!("rpc", tf_rpc = "read_resource", count = 3);
            let _entered = span.enter();
            tracing::warn!(name = "a", "slow {}", "answer");
        });
        let line = &lines[0];
        assert_eq!(line["@level"], "warn");
        assert_eq!(line["@message"], "slow answer");
        assert_eq!(line["tf_rpc"], "read_resource");
        assert_eq!(line["count"], 3);
        let time = line["@timestamp"].as_str().expect("a string");
        assert_eq!(time.len(), "2006-01-02T15:04:05.000000Z".len(), "{time}");
        assert_eq!(time.as_bytes()[19], b'.', "{time}");
    }

    #[test]
    fn long_texts_are_cut_and_secrets_scrubbed() {
        let scrub: Scrub = Arc::new(|line| line.replace("hunter2", "***"));
        let lines = logged(Some(scrub), || {
            tracing::info!(body = "x".repeat(200_000), password = "hunter2", "sent");
        });
        assert_eq!(lines[0]["password"], "***");
        assert!(lines[0]["body"].as_str().expect("a string").len() < 9000);
    }
}
