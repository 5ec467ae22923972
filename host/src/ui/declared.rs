//! What a manifest declares of contributions: `ui` and `adminUI`.
//!
//! Manifests of the platform that the host replaces have values outside of today's vocabulary. Each is taken for the nearest
//! that there is, and noted.

use streamspace_plugin::{
    abi::ROption,
    manifest::{Manifest, MenuItem, Page, Permission, SettingsPage, Widget},
    ui::{ContributionKind, ContributionSpec},
};

use super::{
    UiError,
    check::{contributions, is_kebab, is_page_path},
};

/// Where a contribution comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The plugin registers it.
    Code,
    /// Its manifest declares it.
    Manifest,
}

/// What a manifest declares.
#[derive(Debug, Clone, Default)]
pub struct Declared {
    pub(super) specs: Vec<ContributionSpec>,
    /// What was taken for something else.
    pub(super) notes: Vec<String>,
}

impl Declared {
    /// What this manifest declares.
    #[must_use]
    pub fn by(manifest: &Manifest) -> Self {
        use ContributionKind as Kind;
        let (ui, admin) = (&manifest.ui, &manifest.admin_ui);
        let mut declared = Self::default();
        ui.widgets.iter().for_each(|widget| declared.widget(Kind::WIDGET, widget));
        let widgets = ui.admin_widgets.iter().chain(&admin.widgets);
        widgets.for_each(|widget| declared.widget(Kind::ADMIN_WIDGET, widget));
        ui.pages.iter().chain(&ui.user_pages).for_each(|page| declared.page(Kind::PAGE, page));
        manifest.admin_pages().for_each(|page| declared.page(Kind::ADMIN_PAGE, page));
        ui.menu_items.iter().for_each(|item| declared.menu_item(item));
        ui.settings_page.iter().for_each(|page| declared.settings_page(page));
        declared
    }

    /// Checks it without the plugin: that the modules of its components are there is not looked at.
    ///
    /// # Errors
    ///
    /// What keeps the plugin from loading, unless its code registers something else.
    pub fn check(&self, plugin: &str) -> Result<(), UiError> {
        contributions(plugin, &[], self, None).map(drop)
    }

    /// What was taken for something else.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    fn widget(&mut self, kind: ContributionKind, widget: &Widget) {
        let mut spec = self.begin(kind, &widget.id, &widget.title, widget.icon.as_deref());
        spec.position = self
            .nearest(&spec, "position", widget.position.as_deref(), |word| match word {
                _ if word.contains("side") || word.contains("left") || word.contains("right") => "sidebar",
                _ if word.contains("bottom") || word.contains("foot") => "bottom",
                _ => "top",
            })
            .into();
        spec.width = self
            .nearest(&spec, "width", widget.width.as_deref(), |word| match word {
                _ if word.contains("half") || word.contains("50") => "half",
                _ if word.contains("third") || word.contains("33") => "third",
                _ => "full",
            })
            .into();
        self.order(&mut spec, widget.order);
        drawn(&mut spec, widget.component.as_ref(), widget.module.as_ref(), widget.view.as_ref());
        self.end(spec, widget.description.as_ref(), &widget.permissions);
    }

    fn page(&mut self, kind: ContributionKind, page: &Page) {
        let mut spec = self.begin(kind, &page.id, &page.title, page.icon.as_deref());
        let location = page.location().unwrap_or_default().trim_matches('/');
        // Routes of old manifests are those of the whole console.
        let below = if kind == ContributionKind::ADMIN_PAGE {
            location.strip_prefix("admin/").unwrap_or(location)
        } else {
            location
        };
        if below.is_empty() || is_page_path(below) {
            spec.path = below.into();
        } else {
            let expected = "segments of letters, digits, `-`, `.`, `_` and `~`";
            self.note(&spec, "path", below, "the id", expected);
        }
        spec.menu_label = page.menu_label.as_ref().unwrap_or(&page.title).chars().take(60).collect();
        self.order(&mut spec, page.order);
        drawn(&mut spec, page.component.as_ref(), page.module.as_ref(), page.view.as_ref());
        self.end(spec, page.description.as_ref(), &page.permissions);
    }

    fn menu_item(&mut self, item: &MenuItem) {
        let mut spec = self.begin(ContributionKind::MENU_ITEM, &item.id, &item.label, item.icon.as_deref());
        spec.path = item.path.as_str().into();
        spec.order = item.order.map(u32::from).into();
        drawn(&mut spec, item.component.as_ref(), item.module.as_ref(), None);
        self.end(spec, item.description.as_ref(), &item.permissions);
    }

    fn settings_page(&mut self, page: &SettingsPage) {
        let kind = ContributionKind::SETTINGS_PAGE;
        let mut spec = self.begin(kind, "settings", &page.title, page.icon.as_deref());
        drawn(&mut spec, page.component.as_ref(), page.module.as_ref(), page.view.as_ref());
        self.end(spec, page.description.as_ref(), &page.permissions);
    }

    fn begin(
        &mut self,
        kind: ContributionKind,
        id: &str,
        title: &str,
        icon: Option<&str>,
    ) -> ContributionSpec {
        let mut spec = ContributionSpec::new(kind, &kebab(id), title);
        if !is_kebab(id) {
            let note =
                format!("the id {id:?} is taken for `{}`: expected lower-case words joined by `-`", spec.id);
            self.notes.push(note);
        }
        let icon = icon.unwrap_or_default();
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        if icon.len() <= 64 && icon.bytes().all(is_name) {
            spec.icon = icon.into();
        } else {
            self.note(&spec, "icon", icon, "none", "the name of an icon");
        }
        spec
    }

    /// The word itself if it is one of the vocabulary, else the nearest.
    fn nearest(
        &mut self,
        spec: &ContributionSpec,
        field: &str,
        word: Option<&str>,
        nearest: impl Fn(&str) -> &'static str,
    ) -> &'static str {
        let Some(word) = word.filter(|word| !word.is_empty()) else { return "" };
        let taken = nearest(&word.to_ascii_lowercase());
        if taken != word {
            let expected = if field == "position" { "top, sidebar or bottom" } else { "full, half or third" };
            self.note(spec, field, word, taken, expected);
        }
        taken
    }

    fn order(&mut self, spec: &mut ContributionSpec, order: Option<u16>) {
        let Some(order) = order else { return };
        if order > 1000 {
            self.note(spec, "order", &order.to_string(), "1000", "0 to 1000");
        }
        spec.order = ROption::RSome(u32::from(order.min(1000)));
    }

    fn note(&mut self, spec: &ContributionSpec, field: &str, found: &str, taken: &str, expected: &str) {
        self.notes
            .push(format!("`{}`: the {field} {found:?} is taken for {taken}: expected {expected}", spec.id));
    }

    fn end(&mut self, mut spec: ContributionSpec, description: Option<&String>, permissions: &[Permission]) {
        spec.description = description.map_or_else(String::new, Clone::clone).into();
        spec.permissions = permissions.iter().map(|permission| permission.as_str().into()).collect();
        self.specs.push(spec);
    }
}

fn drawn(
    spec: &mut ContributionSpec,
    component: Option<&String>,
    module: Option<&String>,
    view: Option<&serde_json::Value>,
) {
    spec.component = component.map_or("", String::as_str).into();
    spec.module = module.map_or("", String::as_str).into();
    spec.view = view.map(|view| view.to_string().into_bytes()).unwrap_or_default().into();
}

/// The nearest kebab-case, as far as there is one.
fn kebab(id: &str) -> String {
    if is_kebab(id) {
        return id.to_owned();
    }
    let mut kebab = String::with_capacity(id.len());
    for character in id.chars() {
        let after_word = kebab.ends_with(|last: char| last.is_ascii_lowercase() || last.is_ascii_digit());
        if character.is_ascii_alphanumeric() {
            if character.is_ascii_uppercase() && after_word {
                kebab.push('-');
            }
            kebab.push(character.to_ascii_lowercase());
        } else if after_word {
            kebab.push('-');
        }
    }
    let kebab = kebab.trim_matches('-').trim_start_matches(|first: char| first.is_ascii_digit());
    kebab.trim_start_matches('-').to_owned()
}
