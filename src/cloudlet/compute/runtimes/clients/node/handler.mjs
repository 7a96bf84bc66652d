// Finds a function's handler: `file.export`, `folder/file.export.member`, as CommonJS or as an ES module.
// https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html

import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

import {
  HandlerNotFound,
  ImportModuleError,
  MalformedHandlerName,
  MalformedStreamingHandler,
  UserCodeSyntaxError,
} from "./errors.mjs";
import { HttpResponseStream } from "./response_stream.mjs";

const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming");
const HIGH_WATER_MARK = Symbol.for("aws.lambda.runtime.handler.streaming.highWaterMark");
const RESPONSE = "response";
const NAME = /^([^.]*)\.(.*)$/;
// As the main file, which errors then show as the place from which a module was asked for.
const require = createRequire(new URL("./index.mjs", import.meta.url));

/** Give functions the global `awslambda`. */
export function defineGlobal() {
  const off = process.env.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA;
  if (off === "1" || off === "true") return;
  globalThis.awslambda = {
    streamifyResponse(handler, options) {
      handler[STREAMING] = RESPONSE;
      if (typeof options?.highWaterMark === "number") handler[HIGH_WATER_MARK] = Math.trunc(options.highWaterMark);
      return handler;
    },
    HttpResponseStream,
  };
}

/** The nearest package.json says whether .js files are ES modules. */
function isModuleFolder(folder) {
  if (folder.endsWith("/node_modules")) return false;
  const file = path.join(folder, "package.json");
  if (fs.existsSync(file)) {
    try {
      return JSON.parse(fs.readFileSync(file, "utf8"))?.type === "module";
    } catch (error) {
      console.warn(`${file} cannot be read, it will be ignored for ES module detection purposes.`, error);
      return false;
    }
  }
  return folder !== "/" && isModuleFolder(path.dirname(folder));
}

const load = (file) => import(pathToFileURL(file));

async function loadModule(root, folder, name) {
  const place = path.resolve(root, folder, name);
  if (fs.existsSync(place)) return require(place);
  if (fs.existsSync(`${place}.js`)) {
    return isModuleFolder(path.dirname(place)) ? load(`${place}.js`) : require(`${place}.js`);
  }
  if (fs.existsSync(`${place}.mjs`)) return load(`${place}.mjs`);
  if (fs.existsSync(`${place}.cjs`)) return require(`${place}.cjs`);
  return require(require.resolve(name, { paths: [root, folder] }));
}

async function loadFunction(root, folder, name) {
  try {
    return await loadModule(root, folder, name);
  } catch (error) {
    if (error instanceof SyntaxError) throw new UserCodeSyntaxError(error);
    if (error?.code === "MODULE_NOT_FOUND") throw new ImportModuleError(error);
    throw error;
  }
}

/** The function that `name` stands for. */
export async function findHandler(root, name) {
  if (name.includes("..")) {
    throw new MalformedHandlerName(
      `'${name}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`,
    );
  }
  const base = path.basename(name);
  const folder = name.slice(0, name.indexOf(base));
  const match = base.match(NAME);
  if (!match) throw new MalformedHandlerName("Bad handler");
  const [, file, members] = match;
  const found = await loadFunction(root, folder, file);
  const handler = members.split(".").reduce((object, key) => object && object[key], found);
  if (!handler) throw new HandlerNotFound(`${name} is undefined or not exported`);
  if (typeof handler !== "function") throw new HandlerNotFound(`${name} is not a function`);
  return handler;
}

/** True for a handler that streams its response. */
export function isStreaming(handler) {
  const kind = handler[STREAMING];
  if (!kind) return false;
  if (kind !== RESPONSE) throw new MalformedStreamingHandler("Only response streaming is supported.");
  return true;
}

/** How the stream of such a handler is made. */
export function streamOptions(handler) {
  const highWaterMark = Number.parseInt(handler[HIGH_WATER_MARK], 10);
  return Number.isNaN(highWaterMark) ? {} : { highWaterMark };
}
