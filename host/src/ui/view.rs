//! Reading declarative views. What is accepted is what the published schema says, and the few rules that it cannot say.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use streamspace_plugin::ui::{Chart, Form, FormField, Input, Markdown, Stack, Stat, Table, View};

use crate::routes::split;

/// The largest view, in bytes.
pub(super) const MAX_BYTES: usize = 64 * 1024;
/// The most stacks within each other.
const MAX_DEPTH: usize = 4;

/// Where something is wrong, and what.
type Checked<T = ()> = Result<T, String>;

/// Reads a view.
pub(super) fn read(bytes: &[u8]) -> Checked<View> {
    if bytes.len() > MAX_BYTES {
        return Err(format!("`view`: expected at most {MAX_BYTES} bytes, found {}", bytes.len()));
    }
    let value = serde_json::from_slice(bytes).map_err(|why| format!("`view`: expected JSON, found {why}"))?;
    view("view", value, 0)
}

fn view(at: &str, value: Value, depth: usize) -> Checked<View> {
    let Value::Object(mut object) = value else {
        return Err(format!("`{at}`: expected an object with a member `type`, found another JSON value"));
    };
    let kind = object.shift_remove("type").unwrap_or_default();
    Ok(match kind.as_str() {
        Some("stat") => View::Stat(stat(at, object)?),
        Some("table") => View::Table(table(at, object)?),
        Some("chart") => View::Chart(chart(at, object)?),
        Some("form") => View::Form(form(at, object)?),
        Some("markdown") => View::Markdown(markdown(at, object)?),
        Some("stack") => View::Stack(stack(at, object, depth)?),
        _ => {
            return Err(format!(
                "`{at}.type`: expected stat, table, chart, form, markdown or stack, found {}",
                cut(&kind.to_string())
            ));
        }
    })
}

/// Types an object. `null` is no value of a view: what is not said is left out.
fn typed<T: DeserializeOwned>(at: &str, object: Map<String, Value>) -> Checked<T> {
    let value = Value::Object(object);
    if let Some(null) = null_in(at, &value) {
        return Err(format!("`{null}`: expected a value, found null: leave it out"));
    }
    serde_path_to_error::deserialize(value).map_err(|why| {
        let path = why.path().to_string();
        let place = if path == "." { at.to_owned() } else { format!("{at}.{path}") };
        format!("`{place}`: {}", cut(&why.into_inner().to_string()))
    })
}

fn null_in(at: &str, value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(at.to_owned()),
        Value::Object(object) => {
            object.iter().find_map(|(key, value)| null_in(&format!("{at}.{}", cut(key)), value))
        }
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(i, value)| null_in(&format!("{at}[{i}]"), value))
        }
        _ => None,
    }
}

fn stat(at: &str, object: Map<String, Value>) -> Checked<Stat> {
    let stat: Stat = typed(at, object)?;
    source(at, "source", &stat.source)?;
    pointer(at, "value", &stat.value)?;
    optional(at, "label", stat.label.as_deref(), TITLE)?;
    optional(at, "unit", stat.unit.as_deref(), UNIT)?;
    refresh(at, stat.refresh_secs)?;
    Ok(stat)
}

fn table(at: &str, object: Map<String, Value>) -> Checked<Table> {
    let table: Table = typed(at, object)?;
    source(at, "source", &table.source)?;
    pointer(at, "rows", &table.rows)?;
    count(at, "columns", table.columns.len(), 1, 30)?;
    for (i, column) in table.columns.iter().enumerate() {
        let at = format!("{at}.columns[{i}]");
        text(&at, "title", &column.title, TITLE)?;
        pointer(&at, "value", &column.value)?;
    }
    between(at, "page_size", table.page_size, 1, 200)?;
    optional(at, "empty_text", table.empty_text.as_deref(), SENTENCE)?;
    refresh(at, table.refresh_secs)?;
    Ok(table)
}

fn chart(at: &str, object: Map<String, Value>) -> Checked<Chart> {
    let chart: Chart = typed(at, object)?;
    source(at, "source", &chart.source)?;
    pointer(at, "rows", &chart.rows)?;
    let x = format!("{at}.x");
    pointer(&x, "value", &chart.x.value)?;
    optional(&x, "title", chart.x.title.as_deref(), TITLE)?;
    count(at, "series", chart.series.len(), 1, 10)?;
    for (i, series) in chart.series.iter().enumerate() {
        let at = format!("{at}.series[{i}]");
        text(&at, "title", &series.title, TITLE)?;
        pointer(&at, "value", &series.value)?;
    }
    optional(at, "unit", chart.unit.as_deref(), UNIT)?;
    refresh(at, chart.refresh_secs)?;
    Ok(chart)
}

fn form(at: &str, object: Map<String, Value>) -> Checked<Form> {
    let form: Form = typed(at, object)?;
    form.source.iter().try_for_each(|sent| source(at, "source", sent))?;
    source(&format!("{at}.submit"), "path", &form.submit.path)?;
    count(at, "fields", form.fields.len(), 0, 50)?;
    for (i, field) in form.fields.iter().enumerate() {
        let at = format!("{at}.fields[{i}]");
        form_field(&at, field)?;
        if form.fields[..i].iter().any(|before| before.name == field.name) {
            return Err(format!("`{at}.name`: expected each name once, found `{}` again", field.name));
        }
    }
    text(at, "submit_label", &form.submit_label, BUTTON)?;
    optional(at, "confirm", form.confirm.as_deref(), SENTENCE)?;
    optional(at, "success_text", form.success_text.as_deref(), SENTENCE)?;
    Ok(form)
}

fn form_field(at: &str, field: &FormField) -> Checked {
    let mut bytes = field.name.bytes();
    let begins = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    let goes_on = bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if !(begins && goes_on && field.name.len() <= 64) {
        let expected = "a letter or `_`, then letters, digits, `_` and `-`, at most 64";
        return Err(wrong(at, "name", expected, &field.name));
    }
    text(at, "label", &field.label, TITLE)?;
    optional(at, "help", field.help.as_deref(), SENTENCE)?;
    if field.default.as_ref().is_some_and(|default| default.is_object() || default.is_array()) {
        return Err(format!("`{at}.default`: expected a text, a number or a boolean, found something else"));
    }
    let select = usize::from(field.input == Input::Select);
    count(at, "options", field.options.len(), select, 100 * select)?;
    for (i, choice) in field.options.iter().enumerate() {
        let at = format!("{at}.options[{i}]");
        if choice.value.chars().count() > 200 {
            return Err(wrong(&at, "value", "at most 200 characters", &choice.value));
        }
        text(&at, "label", &choice.label, TITLE)?;
    }
    for (name, limit) in [("min", field.min), ("max", field.max)] {
        if limit.is_some() && field.input != Input::Number {
            return Err(format!("`{at}.{name}`: expected none, since the input is no number, found one"));
        }
    }
    if let (Some(min), Some(max)) = (field.min, field.max)
        && min > max
    {
        return Err(format!("`{at}.max`: expected {min} or more, found {max}"));
    }
    if let Some(most) = field.max_length {
        if !matches!(field.input, Input::Text | Input::Multiline | Input::Password) {
            return Err(format!("`{at}.max_length`: expected none, since the input is no text, found one"));
        }
        between(at, "max_length", most, 1, 65_536)?;
    }
    Ok(())
}

fn markdown(at: &str, object: Map<String, Value>) -> Checked<Markdown> {
    let markdown: Markdown = typed(at, object)?;
    pointer(at, "value", &markdown.value)?;
    match (&markdown.text, &markdown.source) {
        (Some(text), None) => count(at, "text", text.chars().count(), 1, 16_384)?,
        (None, Some(sent)) => source(at, "source", sent)?,
        (Some(_), Some(_)) => return Err(format!("`{at}`: expected `text` or `source`, found both")),
        (None, None) => return Err(format!("`{at}`: expected `text` or `source`, found neither")),
    }
    Ok(markdown)
}

fn stack(at: &str, mut object: Map<String, Value>, depth: usize) -> Checked<Stack> {
    if depth == MAX_DEPTH {
        return Err(format!("`{at}`: expected at most {MAX_DEPTH} stacks within each other, found more"));
    }
    let children = match object.shift_remove("children") {
        Some(Value::Array(children)) => children,
        _ => return Err(format!("`{at}.children`: expected a list of views, found none")),
    };
    object.insert("children".to_owned(), Value::Array(Vec::new()));
    let mut stack: Stack = typed(at, object)?;
    optional(at, "title", stack.title.as_deref(), TITLE)?;
    count(at, "children", children.len(), 1, 20)?;
    for (i, child) in children.into_iter().enumerate() {
        stack.children.push(view(&format!("{at}.children[{i}]"), child, depth + 1)?);
    }
    Ok(stack)
}

const TITLE: usize = 100;
const UNIT: usize = 40;
const SENTENCE: usize = 300;
const BUTTON: usize = 60;

/// A source stays below the plugin's own path: it is read as the gateway reads the request that it becomes.
fn source(at: &str, field: &str, sent: &str) -> Checked {
    let (path, query) = sent.split_once('?').unwrap_or((sent, ""));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte);
    let own = path.starts_with('/') && path.bytes().all(plain) && split(&format!("plugin{path}")).is_some();
    if sent.len() <= 512 && own && query.bytes().all(|byte| plain(byte) || b"?%".contains(&byte)) {
        return Ok(());
    }
    let expected = "a path below the plugin's own such as `/usage?days=7`, without empty segments, `.`, `..` and `%`, \
                    at most 512 bytes";
    Err(wrong(at, field, expected, sent))
}

fn pointer(at: &str, field: &str, pointer: &str) -> Checked {
    let escaped = |rest: &str| rest.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
    if pointer.chars().count() <= 200 && (pointer.is_empty() || pointer.starts_with('/')) && escaped(pointer)
    {
        return Ok(());
    }
    Err(wrong(at, field, "a JSON Pointer such as `/items`, at most 200 characters", pointer))
}

fn optional(at: &str, field: &str, value: Option<&str>, most: usize) -> Checked {
    value.map_or(Ok(()), |value| text(at, field, value, most))
}

fn text(at: &str, field: &str, value: &str, most: usize) -> Checked {
    if is_text(value, most) {
        return Ok(());
    }
    Err(wrong(at, field, &format!("1 to {most} characters, none of them a control character"), value))
}

/// Whether it is one line of text of at most so many characters.
pub(super) fn is_text(value: &str, most: usize) -> bool {
    (1..=most).contains(&value.chars().count()) && !value.bytes().any(|byte| byte < 0x20 || byte == 0x7f)
}

fn refresh(at: &str, seconds: Option<u32>) -> Checked {
    seconds.map_or(Ok(()), |seconds| between(at, "refresh_secs", seconds, 5, 86_400))
}

fn between(at: &str, field: &str, value: u32, least: u32, most: u32) -> Checked {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(format!("`{at}.{field}`: expected {least} to {most}, found {value}"))
}

fn count(at: &str, field: &str, found: usize, least: usize, most: usize) -> Checked {
    if (least..=most).contains(&found) {
        return Ok(());
    }
    Err(format!("`{at}.{field}`: expected {least} to {most} of them, found {found}"))
}

fn wrong(at: &str, field: &str, expected: &str, found: &str) -> String {
    format!("`{at}.{field}`: expected {expected}, found {:?}", cut(found))
}

/// What was found, short enough for a sentence.
pub(super) fn cut(found: &str) -> String {
    const MOST: usize = 120;
    if found.chars().count() <= MOST {
        return found.to_owned();
    }
    let mut cut: String = found.chars().take(MOST).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
