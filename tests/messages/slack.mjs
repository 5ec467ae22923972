// Slack's messages against Slack's own types of Block Kit. Its packages carry no limits: those are kept by the plugin's own tests.
import { assertTypes, golden } from "./lib/golden.mjs";

const head = `import type { KnownBlock, MessageAttachment } from "@slack/types";
// What stands around the blocks (https://docs.slack.dev/reference/methods/chat.postMessage) is in no package of types alone.
interface Message {
  text: string;
  channel?: string;
  username?: string;
  icon_emoji?: string;
  unfurl_links?: boolean;
  unfurl_media?: boolean;
  attachments: (MessageAttachment & { blocks: KnownBlock[] })[];
}`;
const messages = golden("streamspace-slack");
assertTypes("slack", head, messages.map((message) => ({ ...message, type: "Message" })));
console.log(`${messages.length} messages of streamspace-slack have the types of @slack/types.`);
