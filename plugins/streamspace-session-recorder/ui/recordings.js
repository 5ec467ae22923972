// `<session-recordings>`: sessions that run, to be watched and recorded; recordings, to be looked for and played.
// `<recording-administration>`: the same, with `all`.
//
//   base     the plugin's path, `/api/plugins/streamspace-session-recorder` unless given
//   all      with it, recordings of everybody, and for administrators what waits for an approval, policies, and what was deleted;
//            without, one's own recordings

import "./player.js";
import { call, element, me } from "./api.js";
import { Approvals, Deleted } from "./approvals.js";
import { Recordings } from "./list.js";
import { button, styled } from "./parts.js";
import { Policies } from "./policies.js";
import { Sessions } from "./sessions.js";

/** How often what is shown is read again, in milliseconds. */
const LOOK = 3000;

class SessionRecordings extends HTMLElement {
    connectedCallback() {
        styled();
        this.base = this.getAttribute("base") ?? "/api/plugins/streamspace-session-recorder";
        this.all = this.hasAttribute("all");
        this.root = this;
        this.stage = element("div");
        this.said = element("p", { role: "status" });
        this.trouble = element("p", { role: "alert" });
        this.tabs = element("nav", { role: "tablist" });
        this.shown = [];
        this.replaceChildren(this.stage, this.tabs, this.said, this.trouble);
        this.start().catch((error) => (this.trouble.textContent = error.message));
    }

    disconnectedCallback() {
        clearTimeout(this.timer);
    }

    async start() {
        this.account = await me();
        if (!this.account) throw new Error("Sign in first.");
        const pages = [["Recordings", [new Sessions(this), new Recordings(this)]]];
        if (this.all && this.may("recording.admin")) {
            pages.push(["To agree to", [new Approvals(this)]], ["Policies", [new Policies(this)]], ["Deleted", [new Deleted(this)]]);
        }
        const tabs = pages.map(([label, parts]) => {
            const tab = button(label, () => this.turnTo(tab, parts));
            tab.role = "tab";
            return tab;
        });
        this.tabs.replaceChildren(...(tabs.length > 1 ? tabs : []));
        await this.turnTo(tabs[0], pages[0][1]);
    }

    async turnTo(tab, parts) {
        for (const other of this.tabs.children) other.ariaSelected = String(other === tab);
        for (const { root } of this.shown) root.remove();
        this.shown = parts;
        this.append(...parts.map(({ root }) => root));
        this.say("");
        await this.look();
    }

    /** Whether the viewer is permitted something. The plugin looks again at each call. */
    may(permission) {
        const { unrestricted, permissions } = this.account;
        return unrestricted || permissions.includes(permission) || permissions.includes("recording.admin");
    }

    async look() {
        try {
            await Promise.all(this.shown.map((part) => part.look()));
            this.trouble.textContent = "";
        } catch (error) {
            this.trouble.textContent = error.message;
        }
        // Whoever presses something has it looked at once more, at the same time.
        clearTimeout(this.timer);
        if (this.isConnected) this.timer = setTimeout(() => this.look(), LOOK);
    }

    watch(what) {
        const player = element("recording-player");
        player.setAttribute("base", this.base);
        for (const [name, value] of Object.entries(what)) player.setAttribute(name, value);
        this.stage.replaceChildren(player, button("Close", () => this.stage.replaceChildren()));
        this.stage.scrollIntoView();
    }

    /** Does something, says what it answers or why it did not work, and looks again. */
    async attempt(act) {
        this.say("");
        try {
            this.say((await act()) ?? "");
        } catch (error) {
            this.say(error.message);
        }
        await this.look();
    }

    say(text) {
        this.said.textContent = typeof text === "string" ? text : "";
    }
}

class RecordingAdministration extends SessionRecordings {
    connectedCallback() {
        this.setAttribute("all", "");
        super.connectedCallback();
    }
}

customElements.define("session-recordings", SessionRecordings);
customElements.define("recording-administration", RecordingAdministration);
