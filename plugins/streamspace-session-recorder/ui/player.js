// `<recording-player>`: a session live, or a recording that is played.
//
//   base        the plugin's path, `/api/plugins/streamspace-session-recorder` unless given
//   session     a session's id: it is shown live, with a mark on it if it is recorded and its viewers are told
//   recording   a recording's id: it is played, with controls

import RFB from "./novnc/core/rfb.js";
import { call, clock, element } from "./api.js";
import "./notice.js";
import { styled } from "./parts.js";

const SPEEDS = [0.25, 0.5, 1, 2, 4, 8, 16];
/** How often the position is asked for, in milliseconds. */
const LOOK = 500;
/** What is skipped if nothing changes for so long, in milliseconds. */
const IDLE = 3000;
/** How far the buttons go, in milliseconds. */
const STEP = 10_000;

class RecordingPlayer extends HTMLElement {
    connectedCallback() {
        this.base = this.getAttribute("base") ?? "/api/plugins/streamspace-session-recorder";
        styled();
        this.screen = element("div");
        this.screen.style.cssText = "width:100%;height:min(70vh,900px);background:#000";
        this.bar = element("div");
        this.bar.style.cssText = "display:flex;gap:.5rem;align-items:center;padding:.25rem 0;flex-wrap:wrap";
        this.said = element("span", { role: "status" });
        this.frame = element("div", { className: "frame" }, this.screen);
        this.replaceChildren(this.frame, this.bar, this.said);
        this.start().catch((error) => this.say(error.message));
    }

    disconnectedCallback() {
        clearTimeout(this.timer);
        this.timer = null;
        this.rfb?.disconnect();
        this.rfb = null;
    }

    async start() {
        const session = this.getAttribute("session");
        const recording = this.getAttribute("recording");
        if (session) {
            const mark = element("recording-notice");
            mark.setAttribute("base", this.base);
            mark.setAttribute("session", session);
            this.frame.append(mark);
            const ticket = await call("POST", `/api/v1/sessions/${encodeURIComponent(session)}/tickets`);
            this.open(ticket.path);
            this.rfb.viewOnly = ticket.access === "view";
            return;
        }
        const name = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16)).join("");
        this.replay = `${this.base}/recordings/${encodeURIComponent(recording)}/replays/${name}`;
        this.open(`${this.base}/recordings/${encodeURIComponent(recording)}/replay?name=${name}`);
        this.controls();
        // It is known once its WebSocket is open.
        this.rfb.addEventListener("connect", () => this.look());
    }

    open(path) {
        const { protocol, host } = window.location;
        const url = `${protocol === "https:" ? "wss:" : "ws:"}//${host}${path}`;
        this.rfb = new RFB(this.screen, url, { wsProtocols: ["binary"], shared: true });
        this.rfb.scaleViewport = true;
        this.rfb.addEventListener("connect", () => this.say(""));
        this.rfb.addEventListener("disconnect", ({ detail }) => {
            this.say(detail.clean ? "The connection has ended." : "The connection was lost.");
            clearTimeout(this.timer);
        });
    }

    controls() {
        const button = (label, act) => element("button", { type: "button", textContent: label, onclick: act });
        this.play = button("Pause", () => this.playOrPause());
        this.seek = element("input", { type: "range", min: 0, max: 1, value: 0, step: 100, ariaLabel: "Position" });
        this.seek.style.flex = "1";
        // While somebody has it in hand, it does not move by itself.
        this.seek.oninput = () => (this.isHeld = true);
        this.seek.onchange = () => {
            this.isHeld = false;
            this.order({ seek_ms: Number(this.seek.value) });
        };
        this.time = element("span", { textContent: "0:00" });
        this.speed = element("select", { ariaLabel: "Speed" });
        for (const speed of SPEEDS) {
            this.speed.append(element("option", { value: speed, textContent: `${speed}×`, selected: speed === 1 }));
        }
        this.speed.onchange = () => this.order({ speed: Number(this.speed.value) });
        this.idle = element("input", { type: "checkbox" });
        this.idle.onchange = () => this.order({ skip_idle_ms: this.idle.checked ? IDLE : 0 });
        const idle = element("label", {}, this.idle, " Skip what stands still");
        const back = button("−10 s", () => this.step(-STEP));
        const on = button("+10 s", () => this.step(STEP));
        this.bar.replaceChildren(this.play, back, on, this.seek, this.time, this.speed, idle);
    }

    playOrPause() {
        const { playing, at_end: isOver } = this.status ?? {};
        // From its end it begins anew.
        this.order(isOver && !playing ? { seek_ms: 0, play: true } : { play: !playing });
    }

    step(by) {
        const { position_ms: at = 0, length_ms: length = 0 } = this.status ?? {};
        this.order({ seek_ms: Math.min(Math.max(at + by, 0), length) });
    }

    async order(wish) {
        try {
            this.show(await call("POST", this.replay, wish));
        } catch (error) {
            this.say(error.message);
        }
    }

    async look() {
        try {
            this.show(await call("GET", this.replay));
        } catch (error) {
            // It is over.
            if (error.status !== 404) this.say(error.message);
        }
        if (this.rfb) this.timer = setTimeout(() => this.look(), LOOK);
    }

    show(status) {
        this.status = status;
        this.play.textContent = status.playing ? "Pause" : "Play";
        this.seek.max = status.length_ms;
        if (!this.isHeld) this.seek.value = status.position_ms;
        this.time.textContent = `${clock(status.position_ms)} / ${clock(status.length_ms)}`;
        this.dispatchEvent(new CustomEvent("status", { detail: status }));
    }

    say(text) {
        this.said.textContent = text;
    }
}

customElements.define("recording-player", RecordingPlayer);
