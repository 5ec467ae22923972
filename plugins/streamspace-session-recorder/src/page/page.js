// The recordings where there is no console around them: signs in, and shows the component that the console shows.

const PLUGIN = "streamspace-session-recorder";
const form = document.querySelector("form");
const signedIn = document.querySelector("#signed-in");
const said = document.querySelector("[role=status]");
let token = "";

async function show() {
    const account = await fetch("/api/v1/me", { credentials: "same-origin" });
    form.hidden = account.ok;
    signedIn.hidden = !account.ok;
    if (!account.ok) return;
    const { username, unrestricted, permissions, csrf_token: csrf } = await account.json();
    token = csrf ?? "";
    signedIn.querySelector("span").textContent = username;
    const { pages } = await (await fetch("/api/plugins/ui/pages", { credentials: "same-origin" })).json();
    const page = pages.find(({ plugin, component }) => plugin === PLUGIN && component?.module);
    if (!page) throw new Error("the host shows no page of this plugin");
    await import(page.component.module);
    const element = document.createElement(page.component.name);
    const seesAll = ["admin", "recording.read", "recording.write", "recording.admin"];
    if (unrestricted || seesAll.some((permission) => permissions.includes(permission))) element.setAttribute("all", "");
    document.querySelector("main").replaceChildren(element);
}

form.addEventListener("submit", async (event) => {
    event.preventDefault();
    said.textContent = "";
    const answer = await fetch("/api/v1/sign-in", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(Object.fromEntries(new FormData(form))),
        credentials: "same-origin",
    });
    if (answer.ok) return attempt();
    const problem = await answer.json().catch(() => ({}));
    said.textContent = problem.detail ?? "That did not work.";
});

signedIn.querySelector("button").addEventListener("click", async () => {
    await fetch("/api/v1/sign-out", { method: "POST", headers: { "X-CSRF-Token": token }, credentials: "same-origin" });
    location.reload();
});

async function attempt() {
    try {
        await show();
    } catch (error) {
        said.textContent = error.message;
    }
}

attempt();
