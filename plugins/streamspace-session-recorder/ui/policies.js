// Policies: made, changed, deleted.

import { call, element } from "./api.js";
import { button, dialog, field, redraw, row, rows, select } from "./parts.js";

const HEADINGS = ["Name", "For", "By itself", "Format", "Days kept", "Priority", "Asks for", "Enabled", ""];
const FORMATS = [["webm", "WebM"], ["vnc", "FBS"], ["mp4", "mp4 (made as WebM)"]];
const SWITCHES = [
    ["enabled", "Enabled", true],
    ["auto_record", "Sessions are recorded by themselves", false],
    ["require_reason", "A reason is needed", false],
    ["require_approval", "An administrator agrees first", false],
    ["require_consent", "The session's user agrees first", false],
    ["notify_on_recording", "The session's user is told", true],
    ["allow_user_playback", "Users may play it", true],
    ["allow_user_download", "Users may download it", true],
];
const NAMED = [
    ["apply_to_users", "Users, one a line"],
    ["apply_to_teams", "Teams, one a line"],
    ["apply_to_templates", "Templates, one a line"],
];

export class Policies {
    constructor(page) {
        this.page = page;
        this.turn = 0;
        this.table = element("table");
        const add = button("New policy", () => page.attempt(() => this.edit(null)));
        this.root = element("section", {}, element("h2", { textContent: "Policies" }), element("p", {}, add), this.table);
    }

    async look() {
        const turn = ++this.turn;
        const { policies } = await call("GET", `${this.page.base}/recording-policies`);
        if (turn !== this.turn) return;
        const none = "There are no policies: the configuration decides.";
        redraw(this.table, policies, () => rows(HEADINGS, policies.map((one) => this.row(one)), none));
    }

    row(one) {
        const named = NAMED.flatMap(([key]) => one[key]);
        const asks = [one.require_reason && "reason", one.require_approval && "approval", one.require_consent && "consent"].filter(Boolean);
        const yes = (is) => (is ? "yes" : "no");
        return row(
            one.name,
            named.length ? named.join(", ") : "everybody",
            yes(one.auto_record),
            one.recording_format,
            one.retention_days ? String(one.retention_days) : "for ever",
            String(one.priority),
            asks.join(", "),
            yes(one.enabled),
            [
                button("Change", () => this.page.attempt(() => this.edit(one))),
                button("Delete", () => this.page.attempt(() => this.delete(one))),
            ],
        );
    }

    path({ id }) {
        return `${this.page.base}/recording-policies/${encodeURIComponent(id)}`;
    }

    async edit(one) {
        const fields = {
            name: element("input", { name: "name", required: true, maxLength: 255, value: one?.name ?? "" }),
            description: element("input", { name: "description", maxLength: 2000, value: one?.description ?? "" }),
            recording_format: select("recording_format", FORMATS, one?.recording_format ?? "webm"),
            retention_days: element("input", { name: "retention_days", type: "number", min: 0, max: 36_500, required: true, value: one?.retention_days ?? 30 }),
            priority: element("input", { name: "priority", type: "number", required: true, value: one?.priority ?? 0 }),
        };
        const named = NAMED.map(([name, label]) => [name, label, element("textarea", { name, rows: 2, value: (one?.[name] ?? []).join("\n") })]);
        const switches = SWITCHES.map(([name, label, is]) => [name, label, element("input", { name, type: "checkbox", checked: one?.[name] ?? is })]);
        const content = [
            field("Name", fields.name),
            field("Description", fields.description),
            ...named.map(([, label, input]) => field(label, input)),
            element("p", { textContent: "Without users and teams it is for everybody, without templates for all of them." }),
            field("Priority, the highest decides", fields.priority),
            field("Format", fields.recording_format),
            field("Days kept, 0 is for ever", fields.retention_days),
            ...switches.map(([, label, input]) => element("label", { className: "switch" }, input, ` ${label}`)),
        ];
        const act = () => {
            const rules = {
                name: fields.name.value,
                description: fields.description.value,
                recording_format: fields.recording_format.value,
                retention_days: Number(fields.retention_days.value),
                priority: Number(fields.priority.value),
            };
            for (const [name, , input] of named) rules[name] = input.value.split("\n").map((line) => line.trim()).filter(Boolean);
            for (const [name, , input] of switches) rules[name] = input.checked;
            // What is not in the dialog stays as it is.
            return one ? call("PATCH", this.path(one), rules) : call("POST", `${this.page.base}/recording-policies`, rules);
        };
        const title = one ? `Change ${one.name}` : "New policy";
        await dialog(this.page.root, { title, content, agree: one ? "Save policy" : "Make policy", act });
    }

    async delete(one) {
        const words = "Recordings keep what it said of them. For what begins from now on, other policies decide, or the configuration.";
        const act = () => call("DELETE", this.path(one));
        await dialog(this.page.root, { title: `Delete ${one.name}?`, content: [element("p", { textContent: words })], agree: "Delete it", act });
    }
}
