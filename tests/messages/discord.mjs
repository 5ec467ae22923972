// Discord's messages against the types of its API, and their embeds against the builders, which refuse what is beyond a limit.
import { isDeepStrictEqual } from "node:util";

import { assert, assertTypes, golden, require } from "./lib/golden.mjs";

const { EmbedBuilder, embedLength } = require("@discordjs/builders");
const plugin = "streamspace-discord";
// https://docs.discord.com/developers/resources/message#embed-object-embed-limits and …/resources/webhook#execute-webhook:
// the builders do not know of these.
const maxEmbeds = 6000;
const maxContent = 2000;

const posted = [...golden(plugin), ...golden(plugin, "extremes/posted")];
const edited = golden(plugin, "extremes/edited");
const head = `import type {
  RESTPatchAPIWebhookWithTokenMessageJSONBody as Edit,
  RESTPostAPIWebhookWithTokenJSONBody as Post,
} from "discord-api-types/v10";`;
assertTypes("discord", head, [
  ...posted.map((message) => ({ ...message, type: "Post" })),
  ...edited.map((message) => ({ ...message, type: "Edit" })),
]);

for (const { name, message } of [...posted, ...edited]) {
  assert(message.embeds.length === 1, name, "there is not one embed");
  assert((message.content ?? "").length <= maxContent, name, "the content is too long");
  assert(message.content !== "", name, "the content is empty");
  assert(Array.isArray(message.allowed_mentions?.parse), name, "everybody may be mentioned");
  for (const embed of message.embeds) {
    const built = new EmbedBuilder();
    try {
      if ("title" in embed) built.setTitle(embed.title);
      if ("url" in embed) built.setURL(embed.url);
      if ("description" in embed) built.setDescription(embed.description);
      built.setColor(embed.color).setFooter(embed.footer).setTimestamp(new Date(embed.timestamp));
      if ("fields" in embed) built.setFields(...embed.fields);
    } catch (error) {
      assert(false, name, `the builder refuses it: ${error}`);
    }
    // What the builder made is the embed, so that nothing of it went by unseen.
    const { timestamp, ...made } = JSON.parse(JSON.stringify(built));
    const { timestamp: ours, ...rest } = embed;
    assert(Date.parse(timestamp) === Date.parse(ours), name, `the time is ${ours}`);
    assert(isDeepStrictEqual(made, rest), name, "the embed has more than the builder knows of");
    assert((embed.fields ?? []).every((field) => field.name.trim() && field.value.trim()), name, "a field is empty");
  }
  const length = message.embeds.reduce((sum, embed) => sum + embedLength(embed), 0);
  assert(length <= maxEmbeds, name, `all embeds together have ${length} characters`);
}
console.log(`${posted.length + edited.length} messages of ${plugin} have the types of discord-api-types, and @discordjs/builders takes them.`);
