// Recordings: looked for, played, taken along, held, deleted, and who did what with them.

import { bytes, call, clock, element, moment } from "./api.js";
import { button, dialog, field, redraw, row, rows, select } from "./parts.js";

const PAGE_SIZE = 25;
/** How long nobody types before it is looked for, in milliseconds. */
const TYPED = 300;
/** How often it is asked whether a file is made, in milliseconds. */
const MADE = 1000;
const STATES = ["starting", "recording", "paused", "finalising", "completed", "failed", "truncated"];
const PLAYABLE = ["completed", "truncated"];
const OVER = ["completed", "truncated", "failed"];
const HEADINGS = ["Session", "User", "Duration", "Size", "Status", "Started", "Reason", "Kept until", ""];

export class Recordings {
    constructor(page) {
        this.page = page;
        this.turn = 0;
        this.at = 1;
        this.search = element("input", { type: "search", name: "search", maxLength: 100 });
        this.search.oninput = () => {
            clearTimeout(this.typed);
            this.typed = setTimeout(() => this.turnTo(1), TYPED);
        };
        this.status = select("status", [["", "all"], ...STATES.map((state) => [state, state])], "");
        this.status.onchange = () => this.turnTo(1);
        const filters = element("p", {}, field("Search", this.search), " ", field("Status", this.status));
        this.table = element("table");
        this.pager = element("p");
        this.root = element("section", {}, element("h2", { textContent: "Recordings" }), filters, this.table, this.pager);
    }

    turnTo(page) {
        this.at = page;
        return this.page.look();
    }

    async look() {
        const turn = ++this.turn;
        const wanted = new URLSearchParams({ page: this.at, page_size: PAGE_SIZE, sort: "started_at", order: "desc" });
        if (!this.page.all) wanted.set("mine", "true");
        if (this.search.value.trim()) wanted.set("search", this.search.value.trim());
        if (this.status.value) wanted.set("status", this.status.value);
        const { recordings, total, total_pages: pages } = await call("GET", `${this.page.base}/recordings?${wanted}`);
        if (turn !== this.turn) return;
        // The last one of a page may be gone.
        if (!recordings.length && this.at > 1) this.at = Math.max(1, Math.min(this.at - 1, pages));
        redraw(this.table, recordings, () => rows(HEADINGS, recordings.map((one) => this.row(one)), "Nothing was found."));
        redraw(this.pager, [this.at, pages, total], () => {
            const back = button("Newer", () => this.turnTo(this.at - 1));
            const on = button("Older", () => this.turnTo(this.at + 1));
            back.disabled = this.at <= 1;
            on.disabled = this.at >= pages;
            return pages > 1 ? [back, ` ${this.at} of ${pages} pages, ${total} recordings `, on] : [];
        });
    }

    row(one) {
        const { status, error_message: why } = one;
        const words = why ? `${status}: ${why}` : status;
        const held = one.legal_hold ? [" ", element("strong", { className: "held", textContent: "Under legal hold" })] : [];
        return row(
            one.session_id,
            one.user_id,
            clock((one.duration_seconds ?? 0) * 1000),
            bytes(one.file_size_bytes ?? 0),
            words,
            moment(one.started_at),
            one.reason,
            [one.expires_at ? new Date(one.expires_at).toLocaleDateString() : "", ...held],
            this.acts(one),
        );
    }

    /** What the viewer may do, as far as it is known here. The plugin looks again. */
    acts(one) {
        const { page } = this;
        const isAdmin = page.may("recording.admin");
        const reads = page.may("recording.read");
        const started = one.created_by === page.account.username && !one.is_automatic;
        const isPlayable = PLAYABLE.includes(one.status);
        const acts = [];
        const add = (label, act) => acts.push(button(label, () => page.attempt(() => act(one))));
        if (isPlayable && (reads || one.allow_playback)) acts.push(button("Play", () => page.watch({ recording: one.id })));
        const mayTake = reads || (one.allow_download && one.user_id === page.account.username);
        if (isPlayable && mayTake) add("Download", (it) => this.download(it));
        if (isAdmin) {
            add("Access log", (it) => this.accessLog(it));
            if (isPlayable) add("Verify", (it) => this.verify(it));
            if (one.legal_hold) add("Lift hold", (it) => this.lift(it));
            else add("Hold", (it) => this.hold(it));
        }
        if (OVER.includes(one.status) && !one.legal_hold && (isAdmin || started)) add("Delete", (it) => this.delete(it));
        return acts;
    }

    path({ id }, rest = "") {
        return `${this.page.base}/recordings/${encodeURIComponent(id)}${rest}`;
    }

    /** Has the file made, and takes it when it is there. */
    async download(one) {
        const wanted = await call("POST", this.path(one, "/exports"), {});
        this.page.say(`A file is being made of the recording of ${one.session_id}.`);
        for (;;) {
            const { exports: all } = await call("GET", this.path(one, "/exports"));
            const made = all.find(({ format }) => format === wanted.format);
            if (!made || made.status === "failed") throw new Error(`No file was made: ${made?.error_message ?? "the recording is gone"}`);
            if (made.status === "done") break;
            if (!this.root.isConnected) return;
            await new Promise((resolve) => setTimeout(resolve, MADE));
        }
        element("a", { href: this.path(one, `/download?format=${wanted.format}`), download: "" }).click();
    }

    async accessLog(one) {
        const { access_log: entries, total } = await call("GET", this.path(one, "/access-log?page_size=500"));
        const table = element("table", { className: "log" });
        const lines = entries.map(({ accessed_at: at, user_id: who, action, detail, ip_address: from }) => row(moment(at), who, action, detail, from));
        table.append(...rows(["When", "Who", "What", "Details", "From"], lines, "Nobody did anything with it."));
        const rest = total > entries.length ? [element("p", { textContent: `The newest ${entries.length} of ${total}.` })] : [];
        await dialog(this.page.root, { title: `Who did what with the recording of ${one.session_id}`, content: [table, ...rest] });
    }

    async verify(one) {
        const { valid, report } = await call("POST", this.path(one, "/verify"));
        const wrong = report?.fault?.what ?? report?.key ?? report?.wrong ?? "it is not what was recorded";
        return valid ? `The recording of ${one.session_id} is unaltered.` : `The recording of ${one.session_id} is altered: ${wrong}`;
    }

    async hold(one) {
        const reason = element("input", { name: "reason", required: true, maxLength: 250 });
        const content = [element("p", { textContent: "Nobody deletes it until the hold is lifted." }), field("Why", reason)];
        const act = () => call("PUT", this.path(one, "/hold"), { reason: reason.value });
        await dialog(this.page.root, { title: `Hold the recording of ${one.session_id}`, content, agree: "Hold it", act });
    }

    async lift(one) {
        const { holds } = await call("GET", this.path(one, "/holds"));
        const lines = holds.filter((hold) => !hold.lifted_at).map((hold) => row(moment(hold.placed_at), hold.placed_by, hold.reason));
        const table = element("table", {}, ...rows(["Since", "Held by", "Why"], lines, "Nobody holds it any more."));
        const act = () => call("DELETE", this.path(one, "/hold"));
        await dialog(this.page.root, { title: `Lift the hold of the recording of ${one.session_id}`, content: [table], agree: "Lift it", act });
    }

    async delete(one) {
        const words = `What was recorded of ${one.session_id} of ${one.user_id} at ${moment(one.started_at)} is gone for good. That it was there stays known.`;
        const act = () => call("DELETE", this.path(one));
        await dialog(this.page.root, { title: "Delete the recording?", content: [element("p", { textContent: words })], agree: "Delete it", act });
    }
}
