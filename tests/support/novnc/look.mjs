// A browser that nobody here wrote, with noVNC in it. Takes orders as lines of JSON, and answers each with one:
//
//   {"open": "ws://127.0.0.1:8080/…", "origin": "http://127.0.0.1:8080"}   → {"width": 640, "height": 480, "name": "…"}
//   {"picture": "FILE"}       the canvas, as RGBA row by row               → {"width": 640, "height": 480}
//   {"click": [x, y]}         on the canvas                                → {}
//   {"press": "Enter"}        a key, by its name                           → {}
//   {"close": true}                                                        → {}
//   {"state": true}                                                        → {"connected": true, "reason": ""}
//
// Or at a page of a host, as a person with a mouse has it:
//
//   {"page": "http://127.0.0.1:8080/…"}                                    → {}
//   {"button": "Play", "row": "s-1"}   presses one by its text, in the first row of a table that has such a text, if there is one → {}
//   {"type": ["input[name=username]", "admin"]}                            → {}
//   {"choose": ["select", "2"]}        an option, by its value             → {}
//   {"tick": "input[name=enabled]"}    a box                              → {}
//   {"slide": ["input[type=range]", 0.5]}   to a part of the way           → {}
//   {"text": "main"}          what is to be read there                     → {"text": "…"}
//   {"picture": "FILE"}       of the first canvas with something on it
//
// What goes wrong is {"error": "…"}. Ends when its input does.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import puppeteer from "puppeteer-core";

const CONNECT = 20_000;
const browsers = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const executablePath = process.env.CHROMIUM ?? browsers.find(existsSync);
if (!executablePath) {
    console.error("no browser was found: sudo apt-get install chromium");
    process.exit(77);
}

const library = join(dirname(fileURLToPath(import.meta.url)), "node_modules", "@novnc", "novnc");
const PAGE = `<!doctype html><meta charset="utf-8"><body style="margin:0"><div id="screen" style="width:1600px;height:1200px"></div>
<script type="module">
import RFB from "/@novnc/core/rfb.js";
window.look = (url) => new Promise((resolve, reject) => {
    const rfb = new RFB(document.getElementById("screen"), url, { wsProtocols: ["binary"], shared: true });
    window.rfb = rfb;
    window.said = { connected: false, reason: "" };
    rfb.addEventListener("connect", () => { window.said.connected = true; resolve({ name: rfb._fbName }); });
    rfb.addEventListener("disconnect", (event) => {
        window.said = { connected: false, reason: event.detail.clean ? "clean" : "broken" };
        reject(new Error("disconnected: " + window.said.reason));
    });
    rfb.addEventListener("securityfailure", (event) => reject(new Error("security: " + event.detail.reason)));
});
window.ready = true;
</script>`;

const browser = await puppeteer.launch({
    executablePath,
    headless: true,
    // Nothing of this leaves the machine, and the tests may run as root. A page that comes from here and not from the network is a
    // public one to the browser, which keeps it from what is local.
    args: [
        "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets",
        "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--mute-audio",
    ],
});
let page;

async function fresh() {
    if (page) await page.close();
    page = await browser.newPage();
    await page.setViewport({ width: 1600, height: 1200 });
    // What is downloaded is asked for, and kept nowhere.
    await (await page.createCDPSession()).send("Browser.setDownloadBehavior", { behavior: "deny" });
    page.on("console", (message) => message.type() === "error" && console.error(message.text()));
    page.on("pageerror", (error) => console.error(String(error)));
}

async function open({ open: url, origin }) {
    await fresh();
    await page.setRequestInterception(true);
    // The page stands at the host's own address, as its console does: others are not let in.
    page.on("request", (request) => {
        const path = new URL(request.url()).pathname;
        if (path === "/look") return request.respond({ contentType: "text/html", body: PAGE });
        if (path.startsWith("/@novnc/")) {
            const file = normalize(join(library, path.slice("/@novnc/".length)));
            if (file.startsWith(library) && existsSync(file)) {
                return request.respond({ contentType: "text/javascript", body: readFileSync(file) });
            }
        }
        return request.respond({ status: path === "/favicon.ico" ? 204 : 404, body: "" });
    });
    await page.goto(`${origin}/look`);
    await page.waitForFunction("window.ready", { timeout: CONNECT });
    const { name } = await page.evaluate((url) => window.look(url), url);
    return { ...(await size()), name };
}

const canvas = `document.querySelector("#screen canvas, recording-player canvas")`;
const size = () => page.evaluate(`({ width: ${canvas}.width, height: ${canvas}.height })`);

async function picture({ picture: file }) {
    // A page makes it when it knows what to show.
    await page.waitForFunction(`${canvas}?.width > 0`, { timeout: CONNECT });
    const [width, height, text] = await page.evaluate(`(() => {
        const canvas = ${canvas};
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        let text = "";
        for (let at = 0; at < data.length; at += 0x8000) text += String.fromCharCode(...data.subarray(at, at + 0x8000));
        return [canvas.width, canvas.height, btoa(text)];
    })()`);
    writeFileSync(file, Buffer.from(text, "base64"));
    return { width, height };
}

/** Presses the button with this text that is to be seen, once it is there. */
async function press({ button: label, row = "" }) {
    const find = `(() => [...document.querySelectorAll("button")].find((button) =>
        button.textContent.trim() === ${JSON.stringify(label)} && button.checkVisibility()
        && (button.closest("tr")?.innerText ?? "").includes(${JSON.stringify(row)})))()`;
    const found = await page.waitForFunction(find, { timeout: CONNECT }).catch(() => {
        throw new Error(`no button \`${label}\` came`);
    });
    // A page that draws itself anew may take it away while the mouse is on its way.
    await found.evaluate((button) => button.click());
}

async function obey(order) {
    if (order.open) return open(order);
    if (order.page) {
        await fresh();
        await page.goto(order.page);
        return {};
    }
    if (!page) throw new Error("nothing is open");
    if (order.button) {
        await press(order);
        return {};
    }
    if (order.type) {
        const [selector, text] = order.type;
        await page.waitForSelector(selector, { visible: true, timeout: CONNECT });
        await page.type(selector, text);
        return {};
    }
    if (order.choose) {
        await page.select(...order.choose);
        return {};
    }
    if (order.tick) {
        const box = await page.waitForSelector(order.tick, { visible: true, timeout: CONNECT });
        await box.click();
        return {};
    }
    if (order.slide) {
        const [selector, part] = order.slide;
        const slider = await page.waitForSelector(selector, { visible: true, timeout: CONNECT });
        const { x, y, width, height } = await slider.boundingBox();
        // Within it, also at its ends.
        await page.mouse.click(x + 1 + (width - 2) * part, y + height / 2);
        return {};
    }
    if (order.text) return { text: await page.$eval(order.text, (found) => found.innerText).catch(() => "") };
    if (order.picture) return picture(order);
    if (order.state) return page.evaluate("window.said");
    if (order.click) {
        const at = await page.evaluate(`(({ x, y }) => ({ x, y }))(${canvas}.getBoundingClientRect())`);
        await page.mouse.click(at.x + order.click[0], at.y + order.click[1]);
    }
    if (order.press) await page.keyboard.press(order.press);
    if (order.close) await page.evaluate("window.rfb.disconnect()");
    return {};
}

console.log(JSON.stringify({ ready: true }));
for await (const line of createInterface({ input: process.stdin })) {
    let answer;
    try {
        answer = await obey(JSON.parse(line));
    } catch (error) {
        answer = { error: String(error.message ?? error) };
    }
    console.log(JSON.stringify(answer));
}
await browser.close();
