// Sessions that run: to be watched and recorded, and their users to be told and asked.

import { call, element } from "./api.js";
import { consent, notice, told } from "./notice.js";
import { button, dialog, field, redraw, row, rows } from "./parts.js";

const LIVE = ["starting", "recording", "paused"];
/** Of how many of one's own sessions it is asked what is told of them. */
const MAX_OWN = 20;
const HEADINGS = ["Session", "User", "Template", "Recording", ""];

export class Sessions {
    constructor(page) {
        this.page = page;
        this.turn = 0;
        this.table = element("table");
        this.root = element("section", {}, element("h2", { textContent: "Sessions" }), this.table);
    }

    async look() {
        const turn = ++this.turn;
        const { base, account } = this.page;
        const [{ sessions }, ...live] = await Promise.all([
            call("GET", "/api/v1/sessions?state=running&limit=50"),
            ...LIVE.map((status) => call("GET", `${base}/recordings?status=${status}&page_size=200`)),
        ]);
        const recorded = new Map(live.flatMap(({ recordings }) => recordings).map((one) => [one.session_id, one]));
        const own = sessions.filter(({ owner }) => owner === account.username).slice(0, MAX_OWN);
        const notices = new Map(await Promise.all(own.map(async ({ id }) => [id, await notice(base, id)])));
        // Somebody has looked again meanwhile.
        if (turn !== this.turn) return;
        const all = sessions.map(({ id, owner, template }) => {
            const { id: recording, status, created_by: by, is_automatic: isAutomatic } = recorded.get(id) ?? {};
            return { id, owner, template, recording, status, by, isAutomatic, said: notices.get(id) };
        });
        redraw(this.table, all, () => rows(HEADINGS, all.map((one) => this.row(one)), "No session runs."));
    }

    row({ id, owner, template, recording, status, by, isAutomatic, said }) {
        const { page } = this;
        const mark = told(said, owner === page.account.username, (accepted) => page.attempt(() => consent(page.base, id, accepted)));
        const isTheirs = page.may("recording.write") || (by === page.account.username && !isAutomatic);
        const steer = (label, what) => button(label, () => page.attempt(() => call("POST", `${page.base}/recordings/${recording}/${what}`)));
        const acts = [button("Watch", () => page.watch({ session: id }))];
        if (!recording) acts.push(button("Record", () => page.attempt(() => this.record(id))));
        else if (isTheirs) {
            if (status === "recording") acts.push(steer("Pause recording", "pause"));
            if (status === "paused") acts.push(steer("Resume recording", "resume"));
            acts.push(steer("Stop recording", "stop"));
        }
        return row(id, owner, template, [status ?? "", " ", ...mark], acts);
    }

    async record(id) {
        const begin = async (reason) => {
            const said = await call("POST", `${this.page.base}/sessions/${encodeURIComponent(id)}/recordings/start`, reason ? { reason } : {});
            return said.status === "pending" ? "An administrator has to agree first: you are asked for." : said.note;
        };
        try {
            return await begin();
        } catch (error) {
            if (error.status !== 422) throw error;
            // What applies to the session wants to know why.
            const reason = element("input", { name: "reason", required: true, maxLength: 255 });
            let said;
            const content = [element("p", { textContent: error.message }), field("Why", reason)];
            const act = async () => (said = await begin(reason.value));
            await dialog(this.page.root, { title: `Record ${id}`, content, agree: "Record it", act });
            return said;
        }
    }
}
