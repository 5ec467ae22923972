//! Views that show what a source answers.

use serde::{Deserialize, Serialize};

/// How a value is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// As it is.
    #[default]
    Text,
    /// A number, with the viewer's separators.
    Number,
    /// A number of bytes.
    Bytes,
    /// A number from 0 to 100.
    Percent,
    /// A number of seconds.
    Duration,
    /// A day: `2026-11-26`.
    Date,
    /// A time in RFC 3339, shown in the viewer's time zone.
    Datetime,
    /// `true` or `false`.
    Boolean,
}

/// One number or word, large.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stat {
    /// The source.
    pub source: String,
    /// A pointer to the value.
    pub value: String,
    /// What it is, at most 100 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// How it is shown.
    #[serde(default)]
    pub format: Format,
    /// What stands behind it, at most 40 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Every how many seconds it is asked for again, 5 to 86,400. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_secs: Option<u32>,
}

impl Stat {
    /// The value at the pointer `value` of what `source` answers.
    #[must_use]
    pub fn new(source: &str, value: &str) -> Self {
        Self {
            source: source.to_owned(),
            value: value.to_owned(),
            label: None,
            format: Format::Text,
            unit: None,
            refresh_secs: None,
        }
    }

    /// What it is.
    #[must_use]
    pub fn label(mut self, label: &str) -> Self {
        self.label = Some(label.to_owned());
        self
    }

    /// How it is shown.
    #[must_use]
    pub fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// What stands behind it.
    #[must_use]
    pub fn unit(mut self, unit: &str) -> Self {
        self.unit = Some(unit.to_owned());
        self
    }

    /// Asks again every so many seconds.
    #[must_use]
    pub fn refresh_secs(mut self, seconds: u32) -> Self {
        self.refresh_secs = Some(seconds);
        self
    }
}

/// Rows and columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The source.
    pub source: String,
    /// A pointer to the list of rows. Default: all of the answer.
    #[serde(default)]
    pub rows: String,
    /// The columns, 1 to 30.
    pub columns: Vec<Column>,
    /// How many rows are shown at once, 1 to 200. Default: 25.
    #[serde(default = "twenty_five")]
    pub page_size: u32,
    /// What is said when there are no rows, at most 300 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub empty_text: Option<String>,
    /// Every how many seconds they are asked for again, 5 to 86,400. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_secs: Option<u32>,
}

fn twenty_five() -> u32 {
    25
}

/// A column of a [`Table`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its heading, at most 100 characters.
    pub title: String,
    /// A pointer to the value in a row.
    pub value: String,
    /// How it is shown.
    #[serde(default)]
    pub format: Format,
}

impl Table {
    /// The rows that `source` answers.
    #[must_use]
    pub fn new(source: &str) -> Self {
        Self {
            source: source.to_owned(),
            rows: String::new(),
            columns: Vec::new(),
            page_size: twenty_five(),
            empty_text: None,
            refresh_secs: None,
        }
    }

    /// Where in the answer the rows are.
    #[must_use]
    pub fn rows(mut self, pointer: &str) -> Self {
        self.rows = pointer.to_owned();
        self
    }

    /// One more column.
    #[must_use]
    pub fn column(self, title: &str, value: &str) -> Self {
        self.column_as(title, value, Format::Text)
    }

    /// One more column, shown in this way.
    #[must_use]
    pub fn column_as(mut self, title: &str, value: &str, format: Format) -> Self {
        self.columns.push(Column { title: title.to_owned(), value: value.to_owned(), format });
        self
    }

    /// How many rows are shown at once.
    #[must_use]
    pub fn page_size(mut self, rows: u32) -> Self {
        self.page_size = rows;
        self
    }

    /// What is said when there are no rows.
    #[must_use]
    pub fn empty_text(mut self, text: &str) -> Self {
        self.empty_text = Some(text.to_owned());
        self
    }

    /// Asks again every so many seconds.
    #[must_use]
    pub fn refresh_secs(mut self, seconds: u32) -> Self {
        self.refresh_secs = Some(seconds);
        self
    }
}

/// A diagram.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chart {
    /// What it looks like.
    pub kind: ChartKind,
    /// The source.
    pub source: String,
    /// A pointer to the list of points. Default: all of the answer.
    #[serde(default)]
    pub rows: String,
    /// What the points lie above.
    pub x: XAxis,
    /// What is drawn of each point, 1 to 10.
    pub series: Vec<ChartSeries>,
    /// The unit of the values, at most 40 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Every how many seconds they are asked for again, 5 to 86,400. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_secs: Option<u32>,
}

/// What a [`Chart`] looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChartKind {
    /// Lines.
    Line,
    /// Lines with their areas filled.
    Area,
    /// Bars.
    Bar,
    /// A pie of the first series.
    Pie,
}

/// What the points of a [`Chart`] lie above.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct XAxis {
    /// A pointer to the value in a point.
    pub value: String,
    /// How it is shown.
    #[serde(default)]
    pub format: Format,
    /// What it is, at most 100 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// What is drawn of each point of a [`Chart`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChartSeries {
    /// Its name, at most 100 characters.
    pub title: String,
    /// A pointer to the value in a point.
    pub value: String,
}

impl Chart {
    /// The points that `source` answers, above the value at the pointer `x` of each.
    #[must_use]
    pub fn new(kind: ChartKind, source: &str, x: &str) -> Self {
        Self {
            kind,
            source: source.to_owned(),
            rows: String::new(),
            x: XAxis { value: x.to_owned(), format: Format::Text, title: None },
            series: Vec::new(),
            unit: None,
            refresh_secs: None,
        }
    }

    /// Where in the answer the points are.
    #[must_use]
    pub fn rows(mut self, pointer: &str) -> Self {
        self.rows = pointer.to_owned();
        self
    }

    /// How the values below the points are shown, and what they are.
    #[must_use]
    pub fn x_axis(mut self, title: &str, format: Format) -> Self {
        self.x.title = Some(title.to_owned());
        self.x.format = format;
        self
    }

    /// One more series.
    #[must_use]
    pub fn series(mut self, title: &str, value: &str) -> Self {
        self.series.push(ChartSeries { title: title.to_owned(), value: value.to_owned() });
        self
    }

    /// The unit of the values.
    #[must_use]
    pub fn unit(mut self, unit: &str) -> Self {
        self.unit = Some(unit.to_owned());
        self
    }

    /// Asks again every so many seconds.
    #[must_use]
    pub fn refresh_secs(mut self, seconds: u32) -> Self {
        self.refresh_secs = Some(seconds);
        self
    }
}

/// Text in CommonMark: one that is given here, or one that a source answers. HTML in it is shown as text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Markdown {
    /// The text, at most 16,384 characters. Either this or the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// A pointer to the text in what the source answers. Default: all of the answer.
    #[serde(default)]
    pub value: String,
}

impl Markdown {
    /// This text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self { text: Some(text.to_owned()), source: None, value: String::new() }
    }

    /// The text at the pointer `value` of what `source` answers.
    #[must_use]
    pub fn from_source(source: &str, value: &str) -> Self {
        Self { text: None, source: Some(source.to_owned()), value: value.to_owned() }
    }
}
