// Recordings that somebody has to agree to, and recordings that were deleted.

import { bytes, call, clock, element, moment } from "./api.js";
import { button, dialog, field, redraw, row, rows, select } from "./parts.js";

const STATES = [["pending", "waiting"], ["approved", "approved"], ["refused", "refused"], ["", "all"]];
const ASKED = ["Session", "User", "Policy", "Asked by", "Reason", "Since", ""];
const DELETED = ["Session", "User", "Recorded", "Duration", "Size", "Deleted", "By", "Why"];

export class Approvals {
    constructor(page) {
        this.page = page;
        this.turn = 0;
        this.status = select("asked", STATES, "pending");
        this.status.onchange = () => page.look();
        this.table = element("table");
        const filter = element("p", {}, field("Show", this.status));
        this.root = element("section", {}, element("h2", { textContent: "To agree to" }), filter, this.table);
    }

    async look() {
        const turn = ++this.turn;
        const wanted = this.status.value ? `?status=${this.status.value}` : "";
        const { approvals } = await call("GET", `${this.page.base}/recording-approvals${wanted}`);
        if (turn !== this.turn) return;
        redraw(this.table, approvals, () => rows(ASKED, approvals.map((one) => this.row(one)), "Nobody waits."));
    }

    row(one) {
        const by = one.is_automatic ? "the policy" : one.requested_by;
        return row(one.session_id, one.user_id, one.policy_name, by, one.reason, moment(one.created_at), this.acts(one));
    }

    acts(one) {
        if (one.status !== "pending") {
            const note = one.note ? `: ${one.note}` : "";
            return `${one.status} by ${one.decided_by ?? ""}, ${moment(one.decided_at)}${note}`;
        }
        if (!one.is_automatic && one.requested_by === this.page.account.username) return "You have asked: somebody else decides.";
        const decide = (label, agree, what) => button(label, () => this.page.attempt(() => this.decide(one, agree, what)));
        return [decide("Approve", "Approve it", "approve"), decide("Refuse", "Refuse it", "refuse")];
    }

    async decide(one, agree, what) {
        const note = element("input", { name: "note", maxLength: 250 });
        const words = `${one.requested_by || "The policy"} asks to record ${one.session_id} of ${one.user_id}: ${one.reason || "no reason was given"}`;
        let said;
        const act = async () => {
            const decided = await call("POST", `${this.page.base}/recording-approvals/${encodeURIComponent(one.id)}/${what}`, { note: note.value });
            const isLost = what === "approve" && !decided.recording_id;
            said = isLost ? "It was approved, and nothing is recorded: look whether the session runs, and is not recorded already." : "";
        };
        const content = [element("p", { textContent: words }), field("Note", note)];
        await dialog(this.page.root, { title: agree, content, agree, act });
        return said;
    }
}

export class Deleted {
    constructor(page) {
        this.page = page;
        this.turn = 0;
        this.table = element("table");
        this.root = element("section", {}, element("h2", { textContent: "Deleted" }), this.table);
    }

    async look() {
        const turn = ++this.turn;
        const { tombstones } = await call("GET", `${this.page.base}/recordings/tombstones`);
        if (turn !== this.turn) return;
        const line = (one) =>
            row(
                one.session_id,
                one.user_id,
                moment(one.started_at),
                clock(one.duration_seconds * 1000),
                bytes(one.file_size_bytes),
                moment(one.deleted_at),
                one.deleted_by,
                one.why,
            );
        redraw(this.table, tombstones, () => rows(DELETED, tombstones.map(line), "Nothing was deleted."));
    }
}
