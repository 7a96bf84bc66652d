// The console of a function: AWS's line format or its JSON format, written to the telemetry pipe in frames.
//
//   +---------------+------------------+------------------------+---------+
//   | type, 4 bytes | length, 4 bytes  | microseconds, 8 bytes  | message |      big endian
//   +---------------+------------------+------------------------+---------+
//
// https://docs.aws.amazon.com/lambda/latest/dg/nodejs-logging.html

import fs from "node:fs";
import { format } from "node:util";

import { asError, toLogText } from "./errors.mjs";

const LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
const TEXT_FRAME = 0xa55a0003;
const JSON_FRAME = 0xa55a0002;
const HEADER_BYTES = 16;
const REQUEST_ID = Symbol.for("aws.lambda.runtime.requestId"); // where AWS has it, for loggers that look there

export const setRequestId = (id) => {
  globalThis[REQUEST_ID] = id;
};

let isJson = false;

function textLine(level, time, ...values) {
  return `${time}\t${globalThis[REQUEST_ID]}\t${level}\t${format(...values)}`;
}

const errorMembers = (error) => ({
  errorType: error?.constructor?.name ?? "UnknownError",
  errorMessage: error.message,
  stackTrace: typeof error.stack === "string" ? error.stack.split("\n") : [],
});

const showErrors = (_key, value) => (value instanceof Error ? { ...errorMembers(value), ...value } : value);

function jsonLine(level, time, ...values) {
  const line = { timestamp: time, level, requestId: globalThis[REQUEST_ID] };
  if (values.length === 1) {
    line.message = values[0];
    try {
      return JSON.stringify(line, showErrors);
    } catch {
      line.message = format(values[0]); // it refers to itself
      return JSON.stringify(line);
    }
  }
  line.message = format(...values);
  const error = values.find((value) => value instanceof Error);
  return JSON.stringify(error ? { ...line, ...errorMembers(error) } : line);
}

function frameWriter(descriptor) {
  return (level, now, line) => {
    const message = isJson ? line : `${line}\n`;
    const length = Buffer.byteLength(message);
    const frame = Buffer.allocUnsafe(HEADER_BYTES + length);
    const type = (isJson ? JSON_FRAME : TEXT_FRAME) | ((LEVELS.indexOf(level) + 1) << 2);
    frame.writeUInt32BE(type >>> 0, 0);
    frame.writeUInt32BE(length, 4);
    frame.writeBigUInt64BE(BigInt(now.valueOf()) * 1000n, 8);
    frame.write(message, HEADER_BYTES);
    for (let written = 0; written < frame.length; ) written += fs.writeSync(descriptor, frame, written);
  };
}

function lineWriter(_level, _now, line) {
  process.stdout.write(`${line.replace(/\n/g, "\r")}\n`); // a line is an event, so it has to stay one
}

/** Replace the console's methods. Levels below AWS_LAMBDA_LOG_LEVEL do nothing. */
export function patchConsole() {
  const { AWS_LAMBDA_LOG_FORMAT: logFormat, AWS_LAMBDA_LOG_LEVEL: logLevel } = process.env;
  const { _LAMBDA_TELEMETRY_LOG_FD: descriptor } = process.env;
  delete process.env._LAMBDA_TELEMETRY_LOG_FD;
  isJson = logFormat?.toUpperCase() === "JSON";
  const write = descriptor === undefined ? lineWriter : frameWriter(Number.parseInt(descriptor, 10));
  const render = isJson ? jsonLine : textLine;
  const lowest = Math.max(0, LEVELS.indexOf(logLevel?.toUpperCase()));
  for (const [place, level] of LEVELS.entries()) {
    const log = (message, ...values) => {
      const now = new Date();
      write(level, now, render(level, now.toISOString(), message, ...values));
    };
    console[level.toLowerCase()] = place >= lowest || level === "FATAL" ? log : () => {};
  }
  console.log = console.info;
}

/** Log what a function has thrown. */
export function logError(title, thrown) {
  if (isJson) console.error(asError(thrown));
  else console.error(title, toLogText(asError(thrown)));
}
