//! From what a plugin asks for to what is listed.

use streamspace_plugin::{
    abi::ROption,
    manifest::Permission,
    ui::{ContributionKind, ContributionSpec, Position, View, Width},
};
use url::Url;

use super::{
    Assets, UiError,
    declared::{Declared, Origin},
    list::{Common, ComponentView, ContributionsView, MenuItemView, PageView, WidgetView},
    view::{self, cut, is_text},
};

/// The most contributions of a plugin.
pub(super) const MAX_CONTRIBUTIONS: usize = 200;
/// The most bytes of views of a plugin. All of them are in one answer.
const MAX_VIEW_BYTES: usize = 1024 * 1024;
/// The most permissions of a contribution.
const MAX_PERMISSIONS: usize = 20;
/// What viewers of the administration are permitted.
const ADMIN: &str = "admin";

/// Checks all that a plugin contributes: what its code registers, and what its manifest declares besides. Without assets,
/// modules are not looked for.
pub(super) fn contributions(
    plugin: &str,
    registered: &[ContributionSpec],
    declared: &Declared,
    assets: Option<&Assets>,
) -> Result<ContributionsView, UiError> {
    let same = |a: &ContributionSpec, b: &ContributionSpec| a.kind == b.kind && a.id == b.id;
    // Code completes what the manifest declares.
    let rest = declared.specs.iter().filter(|spec| !registered.iter().any(|other| same(spec, other)));
    let all: Vec<_> = registered
        .iter()
        .map(|spec| (spec, Origin::Code))
        .chain(rest.map(|spec| (spec, Origin::Manifest)))
        .collect();
    if all.len() > MAX_CONTRIBUTIONS {
        return Err(UiError::TooMany { limit: MAX_CONTRIBUTIONS, found: all.len() });
    }
    let found = all.iter().map(|(spec, _)| spec.view.len()).sum();
    if found > MAX_VIEW_BYTES {
        return Err(UiError::TooLarge { limit: MAX_VIEW_BYTES, found });
    }
    let mut list = ContributionsView::default();
    for (i, (spec, origin)) in all.iter().enumerate() {
        let kind = kind_name(spec)?;
        if all[..i].iter().any(|(before, _)| same(before, spec)) {
            return Err(UiError::Duplicate { kind, id: cut(&spec.id) });
        }
        let one = One { plugin, spec, kind, origin: *origin, assets };
        match spec.kind {
            ContributionKind::WIDGET => list.widgets.push(one.widget()?),
            ContributionKind::ADMIN_WIDGET => list.admin_widgets.push(one.widget()?),
            ContributionKind::PAGE => list.pages.push(one.page(&list.pages)?),
            ContributionKind::ADMIN_PAGE => list.admin_pages.push(one.page(&list.admin_pages)?),
            ContributionKind::MENU_ITEM => list.menu_items.push(one.menu_item()?),
            _ => list.settings_pages.push(one.settings_page()?),
        }
    }
    if let Some(settings) = list.settings_pages.first()
        && let Some(page) = list.admin_pages.iter().find(|page| page.path == settings.path)
    {
        return Err(UiError::SamePath {
            kind: "admin page",
            id: page.common.id.clone(),
            path: page.path.clone(),
            with: settings.common.id.clone(),
        });
    }
    list.sort();
    Ok(list)
}

fn kind_name(spec: &ContributionSpec) -> Result<&'static str, UiError> {
    Ok(match spec.kind {
        ContributionKind::WIDGET => "widget",
        ContributionKind::ADMIN_WIDGET => "admin widget",
        ContributionKind::PAGE => "page",
        ContributionKind::ADMIN_PAGE => "admin page",
        ContributionKind::MENU_ITEM => "menu item",
        ContributionKind::SETTINGS_PAGE => "settings page",
        ContributionKind(found) => return Err(UiError::Kind { id: cut(&spec.id), found }),
    })
}

/// One contribution that is being checked.
struct One<'a> {
    plugin: &'a str,
    spec: &'a ContributionSpec,
    kind: &'static str,
    origin: Origin,
    assets: Option<&'a Assets>,
}

impl One<'_> {
    fn wrong(&self, field: &str, expected: impl Into<String>, found: &str) -> UiError {
        UiError::Field {
            kind: self.kind,
            id: cut(&self.spec.id),
            field: field.to_owned(),
            expected: expected.into(),
            found: format!("{:?}", cut(found)),
        }
    }

    fn widget(&self) -> Result<WidgetView, UiError> {
        self.absent(&[("path", &self.spec.path), ("menu_label", &self.spec.menu_label)])?;
        let position = match self.spec.position.as_str() {
            "" | "top" => Position::Top,
            "sidebar" => Position::Sidebar,
            "bottom" => Position::Bottom,
            found => return Err(self.wrong("position", "top, sidebar or bottom", found)),
        };
        let width = match self.spec.width.as_str() {
            "" | "full" => Width::Full,
            "half" => Width::Half,
            "third" => Width::Third,
            found => return Err(self.wrong("width", "full, half or third", found)),
        };
        let (view, common) = (self.drawn(true)?, self.common(1000, 0, 1000)?);
        Ok(WidgetView { common, title: self.title("title")?, position, width, view })
    }

    fn page(&self, before: &[PageView]) -> Result<PageView, UiError> {
        self.absent(&[("position", &self.spec.position), ("width", &self.spec.width)])?;
        let (view, common) = (self.drawn(true)?, self.common(1000, 0, 1000)?);
        let asked = self.spec.path.trim_start_matches('/');
        let below = if asked.is_empty() { self.spec.id.as_str() } else { asked };
        if self.spec.path.starts_with("//") || !is_page_path(below) {
            let expected = "segments of letters, digits, `-`, `.`, `_` and `~` such as `reports/monthly`, at most \
                            200 bytes";
            return Err(self.wrong("path", expected, &self.spec.path));
        }
        let path = format!("{}/{below}", self.home());
        if let Some(with) = before.iter().find(|page| page.path == path) {
            let (kind, id) = (self.kind, cut(&self.spec.id));
            return Err(UiError::SamePath { kind, id, path, with: with.common.id.clone() });
        }
        Ok(PageView { common, title: self.title("title")?, path, menu_label: self.menu_label()?, view })
    }

    fn settings_page(&self) -> Result<PageView, UiError> {
        let spec = self.spec;
        self.absent(&[
            ("position", &spec.position),
            ("width", &spec.width),
            ("path", &spec.path),
            ("menu_label", &spec.menu_label),
        ])?;
        let (view, common) = (self.drawn(false)?, self.common(1000, 0, 1000)?);
        let path = format!("{}/settings", self.home());
        Ok(PageView { common, title: self.title("title")?, path, menu_label: None, view })
    }

    fn menu_item(&self) -> Result<MenuItemView, UiError> {
        let spec = self.spec;
        self.absent(&[
            ("position", &spec.position),
            ("width", &spec.width),
            ("menu_label", &spec.menu_label),
        ])?;
        if !spec.view.is_empty() {
            return Err(self.wrong("view", "none, since a menu item has none", "one"));
        }
        // What is below 1000 is the console's own.
        let common = self.common(1000, 1000, 9999)?;
        let (path, external) = self.leads_to()?;
        Ok(MenuItemView { common, label: self.title("label")?, path, external })
    }

    /// Where a menu item leads, and whether that is elsewhere.
    fn leads_to(&self) -> Result<(String, bool), UiError> {
        let sent = self.spec.path.as_str();
        let expected = "a path of the console such as `/plugins/NAME/report`, or an https address";
        let clean = |byte: u8| (0x21..0x7f).contains(&byte) && !b"\\\"<>^`{|}".contains(&byte);
        if sent.len() > 2048 || !sent.bytes().all(clean) {
            return Err(self.wrong("path", format!("{expected}, without blanks, at most 2048 bytes"), sent));
        }
        if sent.starts_with('/') {
            let path = sent.split(['?', '#']).next().unwrap_or_default();
            // As everywhere, what could be read in two ways is no path.
            let is_one = !sent.starts_with("//") && crate::routes::split(&format!("console{path}")).is_some();
            return if is_one {
                Ok((sent.to_owned(), false))
            } else {
                Err(self.wrong("path", expected, sent))
            };
        }
        match Url::parse(sent) {
            Ok(url) if url.scheme() == "https" && url.username().is_empty() && url.password().is_none() => {
                Ok((url.into(), true))
            }
            _ => Err(self.wrong("path", expected, sent)),
        }
    }

    /// The part of the console that its pages are below.
    fn home(&self) -> String {
        let part = if self.is_of_the_administration() { "/admin" } else { "" };
        format!("{part}/plugins/{}", self.plugin)
    }

    fn is_of_the_administration(&self) -> bool {
        use ContributionKind as Kind;
        matches!(self.spec.kind, Kind::ADMIN_WIDGET | Kind::ADMIN_PAGE | Kind::SETTINGS_PAGE)
    }

    fn absent(&self, fields: &[(&str, &str)]) -> Result<(), UiError> {
        match fields.iter().find(|(_, value)| !value.is_empty()) {
            Some((field, found)) => {
                Err(self.wrong(field, format!("none, since a {} has none", self.kind), found))
            }
            None => Ok(()),
        }
    }

    fn common(&self, default: u32, least: u32, most: u32) -> Result<Common, UiError> {
        let spec = self.spec;
        if !is_kebab(&spec.id) {
            let expected =
                "lower-case words joined by `-` such as `usage-today`, a letter first, at most 64 characters";
            return Err(self.wrong("id", expected, &spec.id));
        }
        let order = match spec.order {
            ROption::RSome(order) if (least..=most).contains(&order) => order,
            ROption::RSome(found) => {
                return Err(self.wrong("order", format!("{least} to {most}"), &found.to_string()));
            }
            ROption::RNone => default,
        };
        let is_icon = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        if spec.icon.len() > 64 || !spec.icon.bytes().all(is_icon) {
            let expected = "the name of an icon: letters, digits, `_` and `-`, at most 64";
            return Err(self.wrong("icon", expected, &spec.icon));
        }
        Ok(Common {
            plugin: self.plugin.to_owned(),
            id: spec.id.to_string(),
            description: self.text("description", &spec.description, 300)?,
            icon: some(&spec.icon),
            order,
            permissions: self.permissions()?,
            component: self.component()?,
            api_base: format!("/api/plugins/{}", self.plugin),
        })
    }

    fn permissions(&self) -> Result<Vec<String>, UiError> {
        let asked = &self.spec.permissions;
        if asked.len() > MAX_PERMISSIONS {
            let expected = format!("at most {MAX_PERMISSIONS}");
            return Err(self.wrong("permissions", expected, &asked.len().to_string()));
        }
        let mut permissions: Vec<String> = Vec::new();
        permissions.extend(self.is_of_the_administration().then(|| ADMIN.to_owned()));
        for permission in asked.iter().map(|permission| permission.as_str()) {
            if permission.parse::<Permission>().is_err() {
                return Err(self.wrong("permissions", "a permission such as `usage.read`", permission));
            }
            if !permissions.iter().any(|known| known == permission) {
                permissions.push(permission.to_owned());
            }
        }
        Ok(permissions)
    }

    fn component(&self) -> Result<Option<ComponentView>, UiError> {
        let (name, module) = (self.spec.component.as_str(), self.spec.module.as_str());
        if name.is_empty() && module.is_empty() {
            return Ok(None);
        }
        if module.is_empty() && self.origin == Origin::Manifest {
            // Of an old manifest: the console of the time knew what it meant.
            let name = self.text("component", name, 200)?;
            return Ok(name.map(|name| ComponentView { name, module: None }));
        }
        if !is_element(name) {
            let expected = "the name of a custom element: lower-case letters, digits, `.`, `_` and at least one `-`, \
                            a letter first, at most 100, such as `acme-usage`";
            return Err(self.wrong("component", expected, name));
        }
        let path = match self.assets {
            Some(assets) => assets.path_of(self.plugin, module),
            None => Some(module.to_owned()),
        };
        match path {
            Some(path) if module.ends_with(".js") || module.ends_with(".mjs") => {
                Ok(Some(ComponentView { name: name.to_owned(), module: Some(path) }))
            }
            _ => Err(UiError::Module { kind: self.kind, id: cut(&self.spec.id), module: cut(module) }),
        }
    }

    /// The view. `needed`: something must draw it.
    fn drawn(&self, needed: bool) -> Result<Option<View>, UiError> {
        let (component, has_view) = (!self.spec.component.is_empty(), !self.spec.view.is_empty());
        if component && has_view {
            return Err(self.wrong("view", "either a view or a component", "both"));
        }
        if needed && self.origin == Origin::Code && !component && !has_view {
            return Err(self.wrong("view", "either a view or a component", "neither"));
        }
        if !has_view {
            return Ok(None);
        }
        let read = view::read(&self.spec.view);
        read.map(Some).map_err(|why| UiError::View { kind: self.kind, id: cut(&self.spec.id), why })
    }

    fn menu_label(&self) -> Result<Option<String>, UiError> {
        self.text("menu_label", &self.spec.menu_label, 60)
    }

    fn title(&self, field: &str) -> Result<String, UiError> {
        let title = self.spec.title.as_str();
        let text = self.text(field, title, 100)?;
        text.ok_or_else(|| self.wrong(field, "1 to 100 characters", title))
    }

    /// A text that may be left out.
    fn text(&self, field: &str, text: &str, most: usize) -> Result<Option<String>, UiError> {
        if text.is_empty() {
            return Ok(None);
        }
        if is_text(text, most) && !text.trim().is_empty() {
            return Ok(Some(text.to_owned()));
        }
        let expected =
            format!("at most {most} characters, none of them a control character, and not blanks alone");
        Err(self.wrong(field, expected, text))
    }
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// Whether a page may have this path below the plugin's own.
pub(super) fn is_page_path(path: &str) -> bool {
    let plain = |segment: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(plain)
    };
    path.len() <= 200 && path.split('/').all(plain)
}

/// Lower-case words joined by `-`.
pub(super) fn is_kebab(id: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    id.len() <= 64 && id.starts_with(|first: char| first.is_ascii_lowercase()) && id.split('-').all(word)
}

/// Whether a custom element may have this name (HTML, "valid custom element name"), in ASCII.
fn is_element(name: &str) -> bool {
    const RESERVED: [&str; 8] = [
        "annotation-xml",
        "color-profile",
        "font-face",
        "font-face-src",
        "font-face-uri",
        "font-face-format",
        "font-face-name",
        "missing-glyph",
    ];
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte);
    name.len() <= 100
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.contains('-')
        && name.bytes().all(plain)
        && !RESERVED.contains(&name)
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
