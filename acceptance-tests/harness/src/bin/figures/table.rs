//! The table.

/// Rows in the order of measuring.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<[String; 4]>,
}

impl Table {
    /// Adds a row: group, what, value, aim.
    pub fn row(&mut self, group: &str, what: &str, value: impl Into<String>, aim: &str) {
        self.rows.push([
            group.to_owned(),
            what.to_owned(),
            value.into(),
            aim.to_owned(),
        ]);
    }

    /// The page.
    pub fn markdown(&self, command: &str) -> String {
        let mut text = format!(
            "# Figures\n\nMade by `{command} --write` on two shared cores; counts and sizes are exact, times are worth their \
             ratios only.\n\n| | | Figure | Aim |\n|---|---|---|---|\n"
        );
        let mut before = "";
        for [group, what, value, aim] in &self.rows {
            let shown = if group == before { "" } else { group };
            text.extend(["| ", shown, " | ", what, " | ", value, " | ", aim, " |\n"]);
            before = group;
        }
        text
    }
}

/// The middle of several figures.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}
