// A response that is sent as it is written: a chunked request with the outcome in its trailers.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming

import { Writable } from "node:stream";

import { InvalidStreamingOperation, toResponse } from "./errors.mjs";

const DEFAULT_CONTENT_TYPE = "application/octet-stream";
const HTTP_INTEGRATION = "application/vnd.awslambda.http-integration-response";
const PRELUDE_END = new Uint8Array(8);

const isBytes = (chunk) => typeof chunk === "string" || Buffer.isBuffer(chunk) || chunk?.constructor === Uint8Array;

export class ResponseStream extends Writable {
  #connection;
  #head;
  #contentType = DEFAULT_CONTENT_TYPE;
  #hasWritten = false;
  #hasBegun = false;
  #trailers = "";
  #settle;

  constructor(connection, head, options) {
    super({ decodeStrings: true, ...options });
    this.#connection = connection;
    this.#head = head;
    /** Done when the Runtime API has taken the whole response. */
    this.taken = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.taken.catch(() => {}); // whoever waits for it hears of it
  }

  /** Say what the response is; before anything is written. */
  setContentType(contentType) {
    if (this.#hasWritten) throw new InvalidStreamingOperation("Cannot set content-type, too late.");
    this.#contentType = contentType;
  }

  write(chunk, encoding, callback) {
    this.#beforeFirstWrite();
    return super.write(isBytes(chunk) ? chunk : JSON.stringify(chunk), encoding, callback);
  }

  end(chunk, ...rest) {
    if (chunk !== undefined && chunk !== null && typeof chunk !== "function") this.write(chunk);
    else this.#beforeFirstWrite();
    return super.end(...(typeof chunk === "function" ? [chunk] : rest.filter((each) => typeof each === "function")));
  }

  #beforeFirstWrite() {
    if (this.#hasWritten) return;
    this.#hasWritten = true;
    this._onBeforeFirstWrite?.((first) => super.write(first));
  }

  /** End the response and say that it has failed. Done when that has been taken. */
  fail(thrown) {
    const error = toResponse(thrown);
    const type = String(error.errorType).replace(/[^\x20-\x7E]/g, "?");
    const body = Buffer.from(JSON.stringify(error)).toString("base64");
    this.#trailers = `Lambda-Runtime-Function-Error-Type: ${type}\r\nLambda-Runtime-Function-Error-Body: ${body}\r\n`;
    if (this.destroyed && !this.writableFinished) this.#send(`0\r\n${this.#trailers}\r\n`);
    else if (!this.writableEnded) super.end();
    return this.taken;
  }

  #send(data, written) {
    if (this.#hasBegun) {
      this.#connection.write(data, written);
      return;
    }
    this.#hasBegun = true;
    const head = Buffer.from(this.#head(this.#contentType));
    this.#connection.begin(Buffer.concat([head, Buffer.from(data)]), written).then(this.#settle.resolve, (error) => {
      this.#settle.reject(error);
      this.destroy(error);
    });
  }

  _write(chunk, _encoding, written) {
    if (chunk.length === 0) {
      written(); // an empty chunk would end the response
      return;
    }
    this.#send(Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from("\r\n")]), written);
  }

  _final(done) {
    this.#send(`0\r\n${this.#trailers}\r\n`, done);
  }
}

/** `awslambda.HttpResponseStream`: gives a streamed HTTP response its status and headers. */
export class HttpResponseStream {
  static from(stream, prelude) {
    stream.setContentType(HTTP_INTEGRATION);
    const metadata = JSON.stringify(prelude);
    stream._onBeforeFirstWrite = (write) => {
      write(metadata);
      write(PRELUDE_END);
    };
    return stream;
  }
}
