use serde_json::{Value, json};
use streamspace_plugin::manifest::Manifest;

use super::*;

#[path = "../../../interface/tests/platform_manifests/made_up.rs"]
mod made_up;

use made_up::{DOCUMENTS_ONLY, MADE_UP};

const KINDS: [ContributionKind; 6] = [
    ContributionKind::WIDGET,
    ContributionKind::ADMIN_WIDGET,
    ContributionKind::PAGE,
    ContributionKind::ADMIN_PAGE,
    ContributionKind::MENU_ITEM,
    ContributionKind::SETTINGS_PAGE,
];

fn view() -> Vec<u8> {
    json!({"type": "markdown", "text": "x"}).to_string().into_bytes()
}

/// A contribution with as little as it may have.
fn least(kind: ContributionKind, id: &str) -> ContributionSpec {
    let mut spec = ContributionSpec::new(kind, id, "Title");
    match kind {
        ContributionKind::MENU_ITEM => spec.path = "/x".into(),
        ContributionKind::SETTINGS_PAGE => {}
        _ => spec.view = view().into(),
    }
    spec
}

fn check(registered: &[ContributionSpec]) -> Result<ContributionsView, UiError> {
    contributions("p-1", registered, &Declared::default(), Some(&Assets::default()))
}

fn declare(ui: &Value) -> (Result<ContributionsView, UiError>, Vec<String>) {
    let mut manifest = json!({"name": "p-1", "version": "1.0.0", "displayName": "P", "type": "ui"});
    for (key, value) in ui.as_object().expect("an object") {
        manifest[key] = value.clone();
    }
    let manifest = Manifest::parse(manifest.to_string().as_bytes()).expect("a manifest");
    let declared = Declared::by(&manifest);
    (contributions("p-1", &[], &declared, Some(&Assets::default())), declared.notes)
}

/// Changes a contribution of this kind, and expects this of the sentence.
#[track_caller]
fn refused(kind: ContributionKind, change: impl FnOnce(&mut ContributionSpec), code: &str, says: &[&str]) {
    let mut spec = least(kind, "one");
    change(&mut spec);
    let why = check(&[spec]).expect_err("not valid");
    let said = why.to_string();
    assert_eq!(why.code(), code, "{said}");
    for part in says {
        assert!(said.contains(part), "{part} is missing in: {said}");
    }
}

#[test]
fn what_is_not_said_has_its_default() {
    let list = check(&KINDS.map(|kind| least(kind, "one"))).expect("valid");
    let widget = &list.widgets[0];
    assert_eq!((widget.position, widget.width, widget.common.order), (Position::Top, Width::Full, 1000));
    assert_eq!(widget.common.permissions, Vec::<String>::new());
    assert_eq!(list.admin_widgets[0].common.permissions, ["admin"]);
    assert_eq!((&*list.pages[0].path, &list.pages[0].menu_label), ("/plugins/p-1/one", &None));
    assert_eq!(list.admin_pages[0].path, "/admin/plugins/p-1/one");
    assert_eq!(list.admin_pages[0].common.permissions, ["admin"]);
    assert_eq!((list.menu_items[0].common.order, list.menu_items[0].external), (1000, false));
    assert_eq!(list.settings_pages[0].path, "/admin/plugins/p-1/settings");
    assert_eq!(list.settings_pages[0].common.permissions, ["admin"]);
}

#[test]
fn what_is_outside_of_the_vocabulary_is_refused_with_field_expected_and_found() {
    use ContributionKind as Kind;
    let field = "SSP-UIC-001";
    for id in ["", "A", "a_b", "1a", "-a", "a-", "a--b", "a b", "ä", "../a", "a/b"] {
        let change = |spec: &mut ContributionSpec| spec.id = id.into();
        refused(
            Kind::WIDGET,
            change,
            field,
            &["`id`", "lower-case words joined by `-`", &format!("found {id:?}")],
        );
    }
    let long = "x".repeat(101);
    for title in ["", " ", "a\nb", long.as_str()] {
        refused(Kind::PAGE, |spec| spec.title = title.into(), field, &["the page `one`", "`title`", "100"]);
        refused(
            Kind::MENU_ITEM,
            |spec| spec.title = title.into(),
            field,
            &["the menu item `one`", "`label`"],
        );
    }
    refused(
        Kind::WIDGET,
        |spec| spec.position = "right-sidebar".into(),
        field,
        &["`position`: expected top, sidebar or bottom, found \"right-sidebar\""],
    );
    refused(
        Kind::ADMIN_WIDGET,
        |spec| spec.width = "quarter".into(),
        field,
        &["the admin widget", "`width`: expected full, half or third, found \"quarter\""],
    );
    refused(
        Kind::ADMIN_PAGE,
        |spec| spec.order = ROption::RSome(1001),
        field,
        &["`order`: expected 0 to 1000, found \"1001\""],
    );
    refused(
        Kind::MENU_ITEM,
        |spec| spec.order = ROption::RSome(999),
        field,
        &["`order`: expected 1000 to 9999, found \"999\""],
    );
    refused(Kind::WIDGET, |spec| spec.icon = "a.png".into(), field, &["`icon`", "\"a.png\""]);
    refused(Kind::WIDGET, |spec| spec.description = "x".repeat(301).into(), field, &["`description`", "300"]);
    refused(Kind::PAGE, |spec| spec.menu_label = "x".repeat(61).into(), field, &["`menu_label`", "60"]);
    refused(
        Kind::WIDGET,
        |spec| spec.permissions = vec!["Not One".into()].into(),
        field,
        &["`permissions`", "\"Not One\""],
    );
    refused(
        Kind::WIDGET,
        |spec| spec.permissions = vec!["a.b".into(); 21].into(),
        field,
        &["`permissions`", "at most 20"],
    );
    refused(Kind::WIDGET, |spec| spec.component = "NoElement".into(), field, &["`view`", "both"]);
    refused(Kind::WIDGET, |spec| spec.view = Vec::new().into(), field, &["`view`", "neither"]);
    refused(
        Kind::SETTINGS_PAGE,
        |spec| spec.component = "NoElement".into(),
        field,
        &["`component`", "custom element", "\"NoElement\""],
    );
    refused(Kind::SETTINGS_PAGE, |spec| spec.component = "font-face".into(), field, &["`component`"]);
    refused(
        Kind::SETTINGS_PAGE,
        |spec| spec.component = "a-b".into(),
        "SSP-UIC-005",
        &["`module`", "below the package's `ui/`"],
    );
    refused(Kind::WIDGET, |spec| spec.view = b"{".to_vec().into(), "SSP-UIC-004", &["`view`: expected JSON"]);
    refused(Kind(7), |_| (), "SSP-UIC-007", &["found 7"]);
}

#[test]
fn a_field_of_another_kind_is_refused() {
    use ContributionKind as Kind;
    for kind in [Kind::WIDGET, Kind::ADMIN_WIDGET, Kind::SETTINGS_PAGE] {
        refused(kind, |spec| spec.path = "/a".into(), "SSP-UIC-001", &["`path`: expected none"]);
        refused(kind, |spec| spec.menu_label = "a".into(), "SSP-UIC-001", &["`menu_label`: expected none"]);
    }
    for kind in [Kind::PAGE, Kind::ADMIN_PAGE, Kind::MENU_ITEM, Kind::SETTINGS_PAGE] {
        refused(kind, |spec| spec.position = "top".into(), "SSP-UIC-001", &["`position`: expected none"]);
        refused(kind, |spec| spec.width = "full".into(), "SSP-UIC-001", &["`width`: expected none"]);
    }
    refused(Kind::MENU_ITEM, |spec| spec.view = view().into(), "SSP-UIC-001", &["`view`"]);
}

#[test]
fn a_page_stays_below_the_plugins_own_path() {
    for path in
        ["..", "/..", "a/../b", "/./a", "a//b", "//a", "a/", "a%2fb", "a?b", "a#b", "a b", "a\\b", "ü", "a\0"]
    {
        refused(ContributionKind::PAGE, |spec| spec.path = path.into(), "SSP-UIC-001", &["`path`"]);
    }
    let mut page = least(ContributionKind::ADMIN_PAGE, "one");
    page.path = "/reports/2026".into();
    assert_eq!(check(&[page]).expect("valid").admin_pages[0].path, "/admin/plugins/p-1/reports/2026");
}

#[test]
fn a_menu_item_leads_into_the_console_or_to_an_https_address() {
    for path in [
        "",
        "x",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "http://example.com",
        "https://",
        "https://user:pw@example.com/",
        "https://user@example.com",
        "ftp://example.com",
        "/a b",
        " /a",
        "/a\n",
        "/..",
        "/a/../b",
        "/a//b",
        "/a%2fb",
        "/%2e%2e",
        "/<script>",
        "mailto:a@example.com",
        "https:/\\x.example",
    ] {
        refused(
            ContributionKind::MENU_ITEM,
            |spec| spec.path = path.into(),
            "SSP-UIC-001",
            &["`path`", "https"],
        );
    }
    for (path, shown, external) in [
        ("/plugins/p-1/a?tab=1#x", "/plugins/p-1/a?tab=1#x", false),
        ("/", "/", false),
        ("https://example.com", "https://example.com/", true),
        ("https://EXAMPLE.com/a?b=c", "https://example.com/a?b=c", true),
    ] {
        let mut item = least(ContributionKind::MENU_ITEM, "one");
        item.path = path.into();
        let list = check(&[item]).expect("valid");
        assert_eq!((&*list.menu_items[0].path, list.menu_items[0].external), (shown, external));
    }
}

#[test]
fn each_id_is_there_once_within_its_kind() {
    for kind in KINDS {
        let why = check(&[least(kind, "one"), least(kind, "one")]).expect_err("twice");
        assert_eq!(why.code(), "SSP-UIC-002", "{why}");
    }
    assert!(check(&KINDS.map(|kind| least(kind, "one"))).is_ok());
    let mut other = least(ContributionKind::PAGE, "other");
    other.path = "one".into();
    let why = check(&[least(ContributionKind::PAGE, "one"), other]).expect_err("the same address");
    assert_eq!(why.code(), "SSP-UIC-003", "{why}");
    let settings =
        [least(ContributionKind::SETTINGS_PAGE, "a"), least(ContributionKind::ADMIN_PAGE, "settings")];
    assert_eq!(check(&settings).expect_err("the same address").code(), "SSP-UIC-003");
}

#[test]
fn there_are_at_most_two_hundred() {
    let many =
        |count| (0..count).map(|i| least(ContributionKind::WIDGET, &format!("w{i}"))).collect::<Vec<_>>();
    assert_eq!(check(&many(200)).expect("valid").widgets.len(), 200);
    assert_eq!(check(&many(201)).expect_err("too many").code(), "SSP-UIC-006");
}

#[test]
fn their_views_have_at_most_a_mebibyte() {
    let long = |i: usize, bytes: usize| {
        let mut spec = least(ContributionKind::WIDGET, &format!("w{i}"));
        let mut view = view();
        // Blanks behind it belong to what crosses, and to nothing else.
        view.resize(bytes, b' ');
        spec.view = view.into();
        spec
    };
    let mut most: Vec<_> = (0..16).map(|i| long(i, 64 * 1024)).collect();
    assert!(check(&most).is_ok());
    most.push(long(16, 100));
    assert_eq!(check(&most).expect_err("too much").code(), "SSP-UIC-009");
}

#[test]
fn lists_are_sorted_by_order_then_plugin_then_id() {
    let at = |id: &str, order| {
        let mut spec = least(ContributionKind::PAGE, id);
        spec.order = order;
        spec
    };
    let list = check(&[
        at("d", ROption::RNone),
        at("c", ROption::RSome(5)),
        at("a", ROption::RSome(7)),
        at("b", ROption::RSome(5)),
    ]);
    let ids: Vec<_> = list.expect("valid").pages.into_iter().map(|page| page.common.id).collect();
    assert_eq!(ids, ["b", "c", "a", "d"]);
}

/// The forms of the platform's manifests.
#[test]
fn the_forms_of_old_manifests_are_taken_for_the_nearest_and_noted() {
    let (list, notes) = declare(&json!({
        "ui": {
            "widgets": [{"id": "billing-usage-widget", "title": "Current Usage", "component": "BillingUsageWidget", "position": "right-sidebar"}],
            "pages": [{"id": "billing-dashboard", "title": "Billing & Usage", "route": "/billing", "component": "BillingDashboard", "icon": "receipt"}],
            "userPages": [{"id": "my_Recordings", "title": "My Recordings", "route": "/recordings/:id"}],
            "adminPages": [{"id": "admin-billing", "title": "Billing Management", "route": "/admin/billing", "icon": "account_balance", "order": 2000}],
            "loginButton": {"enabled": true}
        },
        "adminUI": {
            "pages": [{"id": "node-management", "title": "Node Management", "icon": "server.png", "path": "/admin/nodes", "menuLabel": ""}],
            "widgets": [{"id": "cluster-health", "title": "Cluster Health", "position": "top", "width": "half"}]
        }
    }));
    let list = list.expect("valid");
    let widget = &list.widgets[0];
    assert_eq!((widget.position, widget.width), (Position::Sidebar, Width::Full));
    let component = widget.common.component.as_ref().expect("a component");
    assert_eq!((&*component.name, &component.module), ("BillingUsageWidget", &None));
    let pages: Vec<_> = list.pages.iter().map(|page| (&*page.common.id, &*page.path)).collect();
    assert_eq!(
        pages,
        [("billing-dashboard", "/plugins/p-1/billing"), ("my-recordings", "/plugins/p-1/my-recordings")]
    );
    assert_eq!(list.pages[0].menu_label.as_deref(), Some("Billing & Usage"));
    let admin: Vec<_> = list.admin_pages.iter().map(|page| (&*page.path, page.common.order)).collect();
    assert_eq!(admin, [("/admin/plugins/p-1/billing", 1000), ("/admin/plugins/p-1/nodes", 1000)]);
    let nodes = &list.admin_pages[1];
    assert_eq!((&nodes.menu_label, &nodes.common.icon), (&None, &None));
    assert_eq!(list.admin_widgets[0].width, Width::Half);
    assert_eq!(notes.len(), 5, "{notes:#?}");
    for (note, part) in notes.iter().zip([
        "the position \"right-sidebar\" is taken for sidebar: expected top, sidebar or bottom",
        "\"my_Recordings\" is taken for `my-recordings`",
        "the path \"recordings/:id\" is taken for the id",
        "the order \"2000\" is taken for 1000",
        "the icon \"server.png\" is taken for none",
    ]) {
        assert!(note.contains(part), "{part} is missing in: {note}");
    }
}

/// The manifests of the platform, where they lie beside this project, and those that stand in for the rest.
#[test]
fn what_the_platforms_manifests_declare_is_accepted() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/reference/manifests");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let real = entries.filter_map(|entry| std::fs::read_to_string(entry.path().join("manifest.json")).ok());
    let texts: Vec<String> =
        real.chain(MADE_UP.map(str::to_owned)).chain([DOCUMENTS_ONLY.to_owned()]).collect();
    for text in texts {
        let manifest = Manifest::parse(text.as_bytes()).expect("a manifest");
        let (ui, admin) = (&manifest.ui, &manifest.admin_ui);
        let declared = ui.widgets.len() + ui.pages.len() + ui.user_pages.len() + ui.admin_pages.len();
        let declared = declared + admin.pages.len() + admin.widgets.len();
        let list = contributions(&manifest.name, &[], &Declared::by(&manifest), None);
        assert_eq!(list.expect("acceptable").len(), declared, "{text}");
    }
}

#[test]
fn a_manifest_may_declare_every_kind() {
    let text = json!({"type": "markdown", "text": "x"});
    let (list, notes) = declare(&json!({"ui": {
        "widgets": [{"id": "a", "title": "A", "view": text, "order": 3, "permissions": ["a.read"]}],
        "adminWidgets": [{"id": "a", "title": "A", "view": text}],
        "pages": [{"id": "a", "title": "A", "view": text}],
        "adminPages": [{"id": "a", "title": "A", "view": text}],
        "menuItems": [{"id": "a", "label": "A", "path": "/plugins/p-1/a", "order": 1500}],
        "settingsPage": {"title": "A", "view": text}
    }}));
    let list = list.expect("valid");
    assert_eq!((list.len(), notes.len()), (6, 0));
    assert_eq!(
        (list.widgets[0].common.order, &*list.widgets[0].common.permissions),
        (3, ["a.read".to_owned()].as_slice())
    );
    let (wrong, _) = declare(&json!({"ui": {"pages": [{"id": "a", "title": "A", "view": {"type": "x"}}]}}));
    assert_eq!(wrong.expect_err("no view").code(), "SSP-UIC-004");
}

#[test]
fn what_code_registers_takes_the_place_of_what_the_manifest_declares() {
    let manifest = json!({"name": "p-1", "version": "1.0.0", "displayName": "P", "type": "ui", "ui": {"pages": [
        {"id": "one", "title": "Of the manifest"}, {"id": "two", "title": "Of the manifest"}
    ]}});
    let declared = Declared::by(&Manifest::parse(manifest.to_string().as_bytes()).expect("a manifest"));
    let registered = [least(ContributionKind::PAGE, "one")];
    let list = contributions("p-1", &registered, &declared, Some(&Assets::default())).expect("valid");
    let titles: Vec<_> = list.pages.iter().map(|page| (&*page.common.id, &*page.title)).collect();
    assert_eq!(titles, [("one", "Title"), ("two", "Of the manifest")]);
}
