// The golden messages of a plugin, and the compiler as the judge of them.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const repository = fileURLToPath(new URL("../../..", import.meta.url));

/** Reads a package. They lie where scripts/messages runs this, outside of the repository's own folders. */
export const require = createRequire(join(process.cwd(), "package.json"));

/** What lies in a folder of a plugin: `[{ name, message }]`, by name. */
export function golden(plugin, folder = "golden") {
  const path = join(repository, "plugins", plugin, folder);
  const files = readdirSync(path).filter((file) => file.endsWith(".json")).sort();
  if (files.length === 0) throw new Error(`${path} has no messages`);
  return files.map((file) => {
    const name = `${plugin}/${folder}/${file}`;
    return { name, message: JSON.parse(readFileSync(join(path, file), "utf8")) };
  });
}

/**
 * Compiles each message as a constant of a type, so that a key that the type does not have is refused as well as one that is missing
 * or of another type. `head` are the imports and declarations that `type` needs.
 */
export function assertTypes(name, head, constants) {
  const file = `${name}.generated.ts`;
  const lines = constants.map(
    ({ name, type, message }, i) => `// ${name}\nexport const message${i}: ${type} = ${JSON.stringify(message, null, 2)};\n`,
  );
  writeFileSync(file, `${head}\n${lines.join("\n")}`);
  const project = `${name}.tsconfig.json`;
  const compilerOptions = { noEmit: true, strict: true, module: "nodenext", target: "es2022", types: [], skipLibCheck: true };
  writeFileSync(project, JSON.stringify({ compilerOptions, files: [file] }));
  const tsc = require.resolve("typescript/bin/tsc");
  const { status, stdout, stderr } = spawnSync(process.execPath, [tsc, "--project", project], { encoding: "utf8" });
  if (status !== 0) throw new Error(`${file} (kept beside the packages) does not compile:\n${stdout}${stderr}`);
  rmSync(file);
  rmSync(project);
}

/** Fails with what is wrong and where. */
export function assert(holds, name, what) {
  if (!holds) throw new Error(`${name}: ${what}`);
}
