//! Forms.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Something to fill in and send. The fields become the members of one JSON object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// The source of the values that the fields begin with: a JSON object. Default: the fields' own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Where it is sent to.
    pub submit: Submit,
    /// The fields, at most 50. With none the form is a button.
    pub fields: Vec<FormField>,
    /// What stands on the button, at most 60 characters. Default: `Save`.
    #[serde(default = "save")]
    pub submit_label: String,
    /// What is asked before it is sent, at most 300 characters. Default: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<String>,
    /// What is said after it was taken, at most 300 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_text: Option<String>,
}

fn save() -> String {
    "Save".to_owned()
}

/// Where a [`Form`] is sent to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submit {
    /// The method. Default: `POST`.
    #[serde(default)]
    pub method: SubmitMethod,
    /// The path below the plugin's own, as a source.
    pub path: String,
}

/// The method that a [`Form`] is sent with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SubmitMethod {
    /// `POST`.
    #[default]
    Post,
    /// `PUT`.
    Put,
    /// `PATCH`.
    Patch,
    /// `DELETE`.
    Delete,
}

/// A field of a [`Form`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormField {
    /// The member of the object that is sent: a letter or `_`, then letters, digits, `_` and `-`, at most 64.
    pub name: String,
    /// What stands beside it, at most 100 characters.
    pub label: String,
    /// How it is filled in.
    #[serde(default)]
    pub input: Input,
    /// Whether it must be filled in.
    #[serde(default)]
    pub required: bool,
    /// A line below it, at most 300 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// What it begins with where no source says: a text, a number or a boolean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Of [`Input::Select`]: what there is to choose from, 1 to 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<Choice>,
    /// Of [`Input::Number`]: the least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Of [`Input::Number`]: the most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// Of texts: the most characters, 1 to 65,536.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
}

/// How a [`FormField`] is filled in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Input {
    /// A line of text.
    #[default]
    Text,
    /// Several lines of text.
    Multiline,
    /// Text that is not shown.
    Password,
    /// A number.
    Number,
    /// A switch.
    Boolean,
    /// One of several.
    Select,
    /// A day: `2026-11-26`.
    Date,
}

/// One of what a [`Input::Select`] offers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// What is sent, at most 200 characters.
    pub value: String,
    /// What is shown, at most 100 characters.
    pub label: String,
}

impl Form {
    /// A form that is sent with `POST` to this path.
    #[must_use]
    pub fn new(path: &str) -> Self {
        Self {
            source: None,
            submit: Submit { method: SubmitMethod::Post, path: path.to_owned() },
            fields: Vec::new(),
            submit_label: save(),
            confirm: None,
            success_text: None,
        }
    }

    /// Begins with what this source answers.
    #[must_use]
    pub fn load(mut self, source: &str) -> Self {
        self.source = Some(source.to_owned());
        self
    }

    /// Is sent with this method.
    #[must_use]
    pub fn method(mut self, method: SubmitMethod) -> Self {
        self.submit.method = method;
        self
    }

    /// One more field.
    #[must_use]
    pub fn field(mut self, field: FormField) -> Self {
        self.fields.push(field);
        self
    }

    /// What stands on the button.
    #[must_use]
    pub fn submit_label(mut self, label: &str) -> Self {
        self.submit_label = label.to_owned();
        self
    }

    /// Asks this before it is sent.
    #[must_use]
    pub fn confirm(mut self, question: &str) -> Self {
        self.confirm = Some(question.to_owned());
        self
    }

    /// Says this after it was taken.
    #[must_use]
    pub fn success_text(mut self, text: &str) -> Self {
        self.success_text = Some(text.to_owned());
        self
    }
}

impl FormField {
    /// A field that is filled in like this.
    #[must_use]
    pub fn new(name: &str, label: &str, input: Input) -> Self {
        Self {
            name: name.to_owned(),
            label: label.to_owned(),
            input,
            required: false,
            help: None,
            default: None,
            options: Vec::new(),
            min: None,
            max: None,
            max_length: None,
        }
    }

    /// A line of text.
    #[must_use]
    pub fn text(name: &str, label: &str) -> Self {
        Self::new(name, label, Input::Text)
    }

    /// A number.
    #[must_use]
    pub fn number(name: &str, label: &str) -> Self {
        Self::new(name, label, Input::Number)
    }

    /// A switch.
    #[must_use]
    pub fn boolean(name: &str, label: &str) -> Self {
        Self::new(name, label, Input::Boolean)
    }

    /// One of several.
    #[must_use]
    pub fn select(name: &str, label: &str) -> Self {
        Self::new(name, label, Input::Select)
    }

    /// One more to choose from.
    #[must_use]
    pub fn option(mut self, value: &str, label: &str) -> Self {
        self.options.push(Choice { value: value.to_owned(), label: label.to_owned() });
        self
    }

    /// It must be filled in.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// A line below it.
    #[must_use]
    pub fn help(mut self, help: &str) -> Self {
        self.help = Some(help.to_owned());
        self
    }

    /// What it begins with.
    #[must_use]
    pub fn default_value(mut self, value: impl Into<Value>) -> Self {
        self.default = Some(value.into());
        self
    }

    /// The least.
    #[must_use]
    pub fn min(mut self, min: f64) -> Self {
        self.min = Some(min);
        self
    }

    /// The most.
    #[must_use]
    pub fn max(mut self, max: f64) -> Self {
        self.max = Some(max);
        self
    }

    /// The most characters.
    #[must_use]
    pub fn max_length(mut self, characters: u32) -> Self {
        self.max_length = Some(characters);
        self
    }
}
