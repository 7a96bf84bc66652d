// Errors as AWS's Node.js runtime names and writes them.
// https://docs.aws.amazon.com/lambda/latest/dg/nodejs-exceptions.html

import { types } from "node:util";

class RuntimeError extends Error {}

function named(name) {
  const made = class extends RuntimeError {};
  made.prototype.name = `Runtime.${name}`; // on the prototype, so that it heads the stack too
  return made;
}

export const ImportModuleError = named("ImportModuleError");
export const HandlerNotFound = named("HandlerNotFound");
export const MalformedHandlerName = named("MalformedHandlerName");
export const UserCodeSyntaxError = named("UserCodeSyntaxError");
export const MalformedStreamingHandler = named("MalformedStreamingHandler");
export const InvalidStreamingOperation = named("InvalidStreamingOperation");
export const CallbackHandlerDeprecated = named("CallbackHandlerDeprecated");

export class UnhandledPromiseRejection extends named("UnhandledPromiseRejection") {
  constructor(reason, promise) {
    super(reason);
    this.reason = reason;
    this.promise = promise;
  }
}

function looksLikeError(value) {
  return Boolean(value) && ["name", "message", "stack"].every((key) => value[key] && typeof value[key] === "string");
}

const clean = (text) => text?.replace(/\x7F/g, "%7F"); // DEL may not stand in a header

/** What the Runtime API is told of whatever was thrown. */
export function toResponse(thrown) {
  try {
    if (types.isNativeError(thrown) || looksLikeError(thrown)) {
      return {
        errorType: clean(thrown.name),
        errorMessage: clean(thrown.message),
        trace: clean(thrown.stack).split("\n"),
      };
    }
    return { errorType: typeof thrown, errorMessage: thrown.toString(), trace: [] };
  } catch {
    return {
      errorType: "handled",
      errorMessage:
        "callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack",
    };
  }
}

export const asError = (thrown) => (thrown instanceof Error ? thrown : new Error(thrown));

function withOwnMembers(_key, value) {
  if (!(value instanceof Error)) return value;
  const shown = { errorType: value.name, errorMessage: value.message, code: value.code, ...value };
  if (typeof value.stack === "string") shown.stack = value.stack.split("\n");
  return shown;
}

/** An error as it stands in the log. */
export function toLogText(error) {
  try {
    return `\t${JSON.stringify(error, withOwnMembers)}`;
  } catch {
    return `\t${JSON.stringify(toResponse(error))}`;
  }
}
