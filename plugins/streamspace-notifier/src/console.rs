//! What the plugin shows in the console.

use streamspace_plugin::{
    prelude::Registrar,
    ui::{Form, FormField, Format, Stack, Stat, SubmitMethod, Table, Width},
};

use crate::{Notifier, provider::Provider, routes::PERMISSION};

const REFRESH_SECS: u32 = 30;

pub(crate) fn register<P: Provider>(on: &mut Registrar<Notifier<P>>) {
    // The form of the manifest's `configSchema`.
    on.settings_page(P::NAME).permission(PERMISSION);

    let figure = |label: &str, value: &str| {
        Stat::new("/health", value).label(label).format(Format::Number).refresh_secs(REFRESH_SECS)
    };
    let figures = Stack::row()
        .child(figure("Sent", "/sent"))
        .child(figure("Failed tries", "/failed"))
        .child(figure("Given up", "/dead"))
        .child(figure("Waiting for a digest", "/waiting"));
    let destinations = Table::new("/health")
        .rows("/destinations")
        .column("Destination", "/name")
        .column("State", "/state")
        .column_as("Sent", "/sent", Format::Number)
        .column_as("Failed", "/failed", Format::Number)
        .column_as("Last sent", "/lastSentAt", Format::Datetime)
        .column("Last error", "/lastError")
        .refresh_secs(REFRESH_SECS);
    on.admin_widget("deliveries", &format!("{} deliveries", P::NAME))
        .width(Width::Half)
        .view(Stack::new().child(figures).child(destinations));

    let deliveries = Table::new("/deliveries")
        .rows("/items")
        .column_as("When", "/changedAt", Format::Datetime)
        .column("Destination", "/destination")
        .column("Message", "/title")
        .column("About", "/subject")
        .column("State", "/state")
        .column("Reason", "/reason")
        .empty_text("Nothing was sent yet.")
        .refresh_secs(REFRESH_SECS);
    let test = Form::new("/test")
        .method(SubmitMethod::Post)
        .field(
            FormField::text("destination", "Destination")
                .help("Its name in the configuration")
                .default_value("default"),
        )
        .submit_label("Send a test message")
        .success_text("The list of deliveries says what became of it.");
    on.admin_page("deliveries", &format!("{} deliveries", P::NAME))
        .menu_label(P::NAME)
        .permission(PERMISSION)
        .view(Stack::new().child(deliveries).child(test));
}
