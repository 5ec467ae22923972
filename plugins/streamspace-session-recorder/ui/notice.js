// `<recording-notice>`: a mark on a session that is recorded, and the question whether its user agrees to be.
//
//   base        the plugin's path, `/api/plugins/streamspace-session-recorder` unless given
//   session     the session's id

import { call, element, me } from "./api.js";
import { button, redraw, styled } from "./parts.js";

/** How often it is looked, in milliseconds. */
const LOOK = 3000;

/** What is to be told of a session; null to whom nothing is told. */
export async function notice(base, session) {
    try {
        return await call("GET", `${base}/sessions/${encodeURIComponent(session)}/recordings/notice`);
    } catch (error) {
        if (error.status === 403 || error.status === 404) return null;
        throw error;
    }
}

/** What is told, as texts and buttons: the mark, and to the session's user the question. `answer` is given what they answer. */
export function told(said, isUser, answer) {
    const parts = [];
    if (said?.recording && said.notice) {
        const dot = element("span", { className: "dot", ariaHidden: "true", textContent: said.status === "paused" ? "❚❚" : "●" });
        const rest = said.status === "paused" ? " (Paused.)" : "";
        parts.push(element("strong", { className: "mark" }, dot, ` ${said.notice}${rest}`));
    }
    if (!isUser || !said?.consent_required) return parts;
    const agree = button("I agree", () => answer(true));
    const refuse = button("I do not agree", () => answer(false));
    const says = (text) => element("span", { className: "question", textContent: text });
    const { consent, notice: words } = said;
    if (!consent) {
        const asks = said.recording ? "" : `${words ?? ""} `;
        parts.push(says(`${asks}Do you agree? Without that nothing is recorded.`), agree, refuse);
    } else if (consent.accepted) {
        parts.push(says("You have agreed to be recorded."), button("I do not agree any more", () => answer(false)));
    } else {
        parts.push(says("You do not agree to be recorded."), agree);
    }
    return parts;
}

/** Tells what a session's user says to being recorded. */
export function consent(base, session, accepted) {
    return call("POST", `${base}/sessions/${encodeURIComponent(session)}/recordings/consent`, { accepted });
}

class RecordingNotice extends HTMLElement {
    connectedCallback() {
        styled();
        this.base = this.getAttribute("base") ?? "/api/plugins/streamspace-session-recorder";
        this.session = this.getAttribute("session");
        this.mark = element("div", { role: "status" });
        this.trouble = element("div", { role: "alert" });
        this.replaceChildren(this.mark, this.trouble);
        this.start();
    }

    disconnectedCallback() {
        clearTimeout(this.timer);
    }

    async start() {
        try {
            const [account, { owner }] = await Promise.all([me(), call("GET", `/api/v1/sessions/${encodeURIComponent(this.session)}`)]);
            this.isUser = account?.username === owner;
        } catch {
            // The mark is shown all the same.
            this.isUser = false;
        }
        await this.look();
    }

    async look() {
        try {
            const said = await notice(this.base, this.session);
            redraw(this.mark, said, () => told(said, this.isUser, (accepted) => this.answer(accepted)));
        } catch {
            // What was shown last stays until it is known that it does not hold any more.
        }
        clearTimeout(this.timer);
        if (this.isConnected) this.timer = setTimeout(() => this.look(), LOOK);
    }

    async answer(accepted) {
        try {
            await consent(this.base, this.session, accepted);
            this.trouble.textContent = "";
        } catch (error) {
            this.trouble.textContent = error.message;
        }
        await this.look();
    }
}

customElements.define("recording-notice", RecordingNotice);
