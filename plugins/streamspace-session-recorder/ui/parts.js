// What pages are made of. What users wrote becomes text, and nothing else.

import { element } from "./api.js";

/** Has the styles of these elements where they are shown, once. */
export function styled() {
    const href = new URL("./recordings.css", import.meta.url).href;
    if ([...document.head.querySelectorAll("link")].some((link) => link.href === href)) return;
    document.head.append(element("link", { rel: "stylesheet", href }));
}

export function button(label, act) {
    return element("button", { type: "button", textContent: label, onclick: act });
}

/** A row of a table, of texts, elements, and lists of them. */
export function row(...cells) {
    return element("tr", {}, ...cells.map((cell) => element("td", {}, ...[cell ?? ""].flat())));
}

/** A table's insides: headings, and rows or what is said if there are none. */
export function rows(headings, all, none) {
    const head = element("tr", {}, ...headings.map((heading) => element("th", { scope: "col", textContent: heading })));
    const empty = element("tr", {}, element("td", { colSpan: headings.length, textContent: none }));
    return [element("thead", {}, head), element("tbody", {}, ...(all.length ? all : [empty]))];
}

/** Fills an element anew if something has changed, so that nobody loses what they have in hand. */
export function redraw(into, data, make) {
    const drawn = JSON.stringify(data);
    if (into.drawn === drawn) return;
    into.drawn = drawn;
    into.replaceChildren(...make());
}

/** A field with its label. */
export function field(label, input) {
    return element("label", {}, `${label} `, input);
}

export function select(name, options, chosen) {
    const made = element("select", { name });
    for (const [value, label] of options) made.append(element("option", { value, textContent: label, selected: value === chosen }));
    return made;
}

/**
 * Shows a dialog. With `agree`, a button of that name does `act` with the form, and the dialog stays open if that fails.
 * Answers whether it was done.
 */
export function dialog(parent, { title, content = [], agree, act }) {
    return new Promise((resolve) => {
        const said = element("p", { role: "alert" });
        const made = element("dialog");
        const agreed = element("button", { textContent: agree ?? "" });
        const close = button(agree ? "Cancel" : "Close", () => made.close(""));
        const buttons = element("p", { className: "buttons" }, ...(agree ? [agreed, close] : [close]));
        const form = element("form", {}, element("h3", { textContent: title }), ...content, said, buttons);
        form.addEventListener("submit", async (event) => {
            event.preventDefault();
            if (!agree) return;
            agreed.disabled = true;
            try {
                await act?.(form);
                made.close("done");
            } catch (error) {
                said.textContent = error.message;
            }
            agreed.disabled = false;
        });
        made.addEventListener("close", () => {
            made.remove();
            resolve(made.returnValue === "done");
        });
        made.append(form);
        parent.prepend(made);
        made.showModal();
    });
}
