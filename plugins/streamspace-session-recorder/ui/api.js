// Calls of the host, as whoever is signed in.

let token = "";

/** What proves that a call comes from this page: of a sign-in, or of `GET /api/v1/me`. */
export function prove(csrf) {
    token = csrf ?? "";
}

/** Calls a path. Answers what was answered as JSON; fails with the problem's words. */
export async function call(method, path, body) {
    const headers = { Accept: "application/json" };
    if (method !== "GET") headers["X-CSRF-Token"] = token;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const answer = await fetch(path, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        credentials: "same-origin",
    });
    const text = await answer.text();
    let said;
    try {
        said = text ? JSON.parse(text) : null;
    } catch {
        said = null;
    }
    if (!answer.ok) {
        const error = new Error(said?.detail ?? `${method} ${path} was answered with ${answer.status}`);
        error.status = answer.status;
        throw error;
    }
    return said;
}

/** Has what is signed in already proven, or answers null. */
export async function me() {
    try {
        const account = await call("GET", "/api/v1/me");
        prove(account.csrf_token);
        return account;
    } catch (error) {
        if (error.status === 401) return null;
        throw error;
    }
}

/** An element with properties and children. */
export function element(name, properties = {}, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
}

/** Milliseconds as 1:02:03. */
export function clock(milliseconds) {
    const seconds = Math.max(0, Math.floor(milliseconds / 1000));
    const two = (number) => String(number).padStart(2, "0");
    const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
    return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** Bytes as people read them. */
export function bytes(number) {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    const power = number > 0 ? Math.min(Math.floor(Math.log2(number) / 10), units.length - 1) : 0;
    return `${(number / 1024 ** power).toFixed(power ? 1 : 0)} ${units[power]}`;
}

/** A moment as people here write it; nothing if there is none. */
export function moment(text) {
    return text ? new Date(text).toLocaleString() : "";
}
