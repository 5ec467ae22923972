//! A page of its own, for where there is no console: it signs in, and shows the component that the console shows (`ui/`).

use streamspace_plugin::{
    prelude::*,
    routes::{Request, Response},
};

/// Scripts and connections of the host alone. noVNC draws cursors as `data:` pictures.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; \
                      form-action 'none'; frame-ancestors 'none'; base-uri 'none'";

/// The parts of the page. There is nothing of anybody in them, so that nobody needs to be signed in for them.
pub(crate) fn register<P: Plugin>(on: &mut Registrar<P>) {
    let mut part = |path, media_type, text: &'static str| {
        on.get(path, move |_: &P, _: &Request<'_>| served(media_type, text))
            .public()
            .inline()
            .describe("A part of the page on which recordings are played without a console");
    };
    part("/player", "text/html; charset=utf-8", include_str!("page.html"));
    part("/player/page.css", "text/css; charset=utf-8", include_str!("page.css"));
    part("/player/page.js", "text/javascript; charset=utf-8", include_str!("page.js"));
}

fn served(media_type: &str, text: &str) -> Response {
    Response::bytes(text)
        .header("Content-Type", media_type)
        .header("Content-Security-Policy", POLICY)
        .header("X-Content-Type-Options", "nosniff")
        .header("Referrer-Policy", "no-referrer")
        .header("Cache-Control", "no-cache")
}
