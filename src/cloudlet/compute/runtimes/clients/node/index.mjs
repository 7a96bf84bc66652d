// Cloudlet's runtime client for Node.js: runs the handler of this sandbox's function until the sandbox ends.
//
// It behaves as AWS's: with callbacks before Node.js 24 and without them from 24 on, by the runtime that the function
// has asked for. https://docs.aws.amazon.com/lambda/latest/dg/lambda-nodejs.html

import { logError, patchConsole } from "./console.mjs";
import { CallbackHandlerDeprecated, UnhandledPromiseRejection } from "./errors.mjs";
import { defineGlobal, findHandler, isStreaming } from "./handler.mjs";
import { runStreaming, runWithCallbacks, runWithoutCallbacks, watchLoop } from "./invocations.mjs";
import { useNodePath } from "./node_path.mjs";
import { RuntimeApi } from "./runtime_api.mjs";

const FIRST_WITHOUT_CALLBACKS = 24;
const UNCAUGHT_STATUS = 129;
const REJECTED_STATUS = 128;
const NO_CALLBACKS =
  "ERROR: AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. You need to modify this function to use a supported handler signature to use Node.js 24 or later. For more information see https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.";

const asked = /nodejs(\d+)/.exec(process.env.AWS_EXECUTION_ENV ?? "")?.[1] ?? process.versions.node;
const hasCallbacks = Number.parseInt(asked, 10) < FIRST_WITHOUT_CALLBACKS;

patchConsole();
const api = new RuntimeApi(process.env.AWS_LAMBDA_RUNTIME_API);
let current; // the invocation that runs or ran last
const setCurrent = (id) => {
  current = id;
};

async function endWith(thrown, status) {
  try {
    await api.failAtLast(current, thrown);
  } finally {
    process.exit(status);
  }
}

process.on("uncaughtException", (error) => {
  logError("Uncaught Exception", error);
  void endWith(error, UNCAUGHT_STATUS);
});
process.on("unhandledRejection", (reason, promise) => {
  const error = new UnhandledPromiseRejection(reason, promise);
  logError("Unhandled Promise Rejection", error);
  void endWith(error, REJECTED_STATUS);
});

async function start() {
  useNodePath();
  defineGlobal();
  const handler = await findHandler(process.env.LAMBDA_TASK_ROOT ?? process.cwd(), process.env._HANDLER);
  if (isStreaming(handler)) return () => runStreaming(api, handler, setCurrent, hasCallbacks);
  if (hasCallbacks) return () => runWithCallbacks(api, handler, setCurrent);
  if (handler.length >= 3) throw new CallbackHandlerDeprecated(NO_CALLBACKS);
  return () => void runWithoutCallbacks(api, handler, setCurrent);
}

watchLoop();
try {
  const run = await start();
  run();
} catch (error) {
  logError("Uncaught Exception", error);
  await endWith(error, UNCAUGHT_STATUS);
}
