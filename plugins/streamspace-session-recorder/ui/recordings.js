// `<session-recordings>`: sessions that run, to be watched and recorded; recordings, to be played.
//
//   base     the plugin's path, `/api/plugins/streamspace-session-recorder` unless given
//   all      with it, recordings of everybody; without, one's own

import "./player.js";
import { call, clock, element, me } from "./api.js";

/** How often the lists are read again, in milliseconds. */
const LOOK = 3000;

class SessionRecordings extends HTMLElement {
    connectedCallback() {
        this.base = this.getAttribute("base") ?? "/api/plugins/streamspace-session-recorder";
        this.stage = element("div");
        this.sessions = element("table");
        this.recordings = element("table");
        this.said = element("p", { role: "status" });
        const heading = (text) => element("h2", { textContent: text });
        this.replaceChildren(this.stage, this.said, heading("Sessions"), this.sessions, heading("Recordings"), this.recordings);
        me().then(() => this.look());
    }

    disconnectedCallback() {
        clearTimeout(this.timer);
        this.gone = true;
    }

    async look() {
        await this.attempt(async () => {
            const mine = this.hasAttribute("all") ? "" : "mine=true&";
            const [{ recordings }, { sessions }] = await Promise.all([
                call("GET", `${this.base}/recordings?${mine}page_size=50&sort=started_at&order=desc`),
                call("GET", "/api/v1/sessions?state=running&limit=50"),
            ]);
            const active = new Map(
                recordings.filter(({ status }) => ["starting", "recording", "paused"].includes(status)).map((one) => [one.session_id, one]),
            );
            this.sessions.replaceChildren(...sessions.map((session) => this.session(session, active.get(session.id))));
            this.recordings.replaceChildren(...recordings.map((recording) => this.recording(recording)));
        });
        if (!this.gone) this.timer = setTimeout(() => this.look(), LOOK);
    }

    session({ id, owner, template }, recording) {
        const act = recording
            ? this.button("Stop recording", () => call("POST", `${this.base}/recordings/${recording.id}/stop`))
            : this.button("Record", () =>
                  call("POST", `${this.base}/sessions/${encodeURIComponent(id)}/recordings/start`, { reason: "user_request" }),
              );
        return row(id, owner, template, this.button("Watch", () => this.watch({ session: id })), act);
    }

    recording(recording) {
        const { id, session_id: session, status, duration_seconds: seconds, started_at: started } = recording;
        const why = status === "failed" && recording.error_message;
        const playable = ["completed", "truncated"].includes(status);
        return row(
            session,
            new Date(started).toLocaleString(),
            clock((seconds ?? 0) * 1000),
            why ? `${status}: ${why}` : status,
            playable ? this.button("Play", () => this.watch({ recording: id })) : "",
            playable ? element("a", { href: `${this.base}/recordings/${id}/download`, textContent: "Download" }) : "",
        );
    }

    async watch(what) {
        const player = element("recording-player");
        player.setAttribute("base", this.base);
        for (const [name, value] of Object.entries(what)) player.setAttribute(name, value);
        this.stage.replaceChildren(player, this.button("Close", () => this.stage.replaceChildren()));
        this.stage.scrollIntoView();
    }

    button(label, act) {
        const press = async () => {
            await this.attempt(act);
            if (label !== "Watch" && label !== "Play") {
                clearTimeout(this.timer);
                await this.look();
            }
        };
        return element("button", { type: "button", textContent: label, onclick: press });
    }

    async attempt(act) {
        try {
            await act();
            this.said.textContent = "";
        } catch (error) {
            this.said.textContent = error.message;
        }
    }
}

function row(...cells) {
    const made = element("tr");
    for (const cell of cells) {
        const data = element("td", {}, cell ?? "");
        data.style.padding = ".25rem .75rem .25rem 0";
        made.append(data);
    }
    return made;
}

customElements.define("session-recordings", SessionRecordings);
