// A client of the Lambda Runtime API over a plain socket: requests one after the other on a connection that stays.
//
// The socket keeps the event loop alive only while an answer is awaited. So the loop of a function that runs is empty
// when the function has nothing left to do, as callbackWaitsForEmptyEventLoop wants it.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html

import net from "node:net";

import { toResponse } from "./errors.mjs";
import { ResponseStream } from "./response_stream.mjs";

const BASE = "/2018-06-01/runtime";
const HEAD_END = "\r\n\r\n";

class Connection {
  #host;
  #port;
  #socket;
  #received = Buffer.alloc(0);
  #waiting; // { resolve, reject } of the request under way

  constructor(host, port) {
    this.#host = host;
    this.#port = port;
  }

  /** Send a request, or its beginning; the answer comes later. */
  begin(data, written) {
    this.#connect();
    const answer = new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
    this.#socket.ref();
    this.#socket.write(data, written);
    return answer;
  }

  /** Send more of the request that has begun. */
  write(data, written) {
    this.#socket.write(data, written);
  }

  #connect() {
    if (this.#socket && !this.#socket.destroyed) return;
    const socket = net.connect({ host: this.#host, port: this.#port, noDelay: true });
    this.#socket = socket;
    this.#received = Buffer.alloc(0);
    socket.on("data", (data) => this.#take(data));
    socket.on("error", (error) => this.#lost(socket, error));
    socket.on("close", () => this.#lost(socket, new Error("the Runtime API has hung up")));
  }

  #lost(socket, error) {
    socket.destroy();
    if (socket !== this.#socket) return;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.reject(error);
  }

  #take(data) {
    this.#received = this.#received.length ? Buffer.concat([this.#received, data]) : data;
    const end = this.#received.indexOf(HEAD_END);
    if (end < 0) return;
    const [statusLine, ...lines] = this.#received.toString("latin1", 0, end).split("\r\n");
    const headers = {};
    for (const line of lines) {
      const colon = line.indexOf(":");
      headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
    }
    const begin = end + HEAD_END.length;
    const length = Number(headers["content-length"] ?? 0);
    if (this.#received.length < begin + length) return;
    const body = this.#received.toString("utf8", begin, begin + length);
    this.#received = this.#received.subarray(begin + length);
    const status = Number(statusLine.split(" ")[1]);
    if (status < 200) return;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.#socket.unref();
    if (headers.connection === "close") this.#socket.destroy();
    waiting?.resolve({ status, headers, body });
  }
}

function serialized(value) {
  try {
    return JSON.stringify(value === undefined ? null : value) ?? "null";
  } catch {
    throw new Error("Unable to stringify response body");
  }
}

const inHeader = (text) => String(text).replace(/[^\x20-\x7E]/g, "?");

export class RuntimeApi {
  #connection;
  #makeConnection;
  #host;

  /** `address` is AWS_LAMBDA_RUNTIME_API: a host and a port. */
  constructor(address) {
    const colon = address.lastIndexOf(":");
    const host = address.slice(0, colon);
    this.#host = address;
    this.#makeConnection = () => new Connection(host, Number(address.slice(colon + 1)));
    this.#connection = this.#makeConnection();
  }

  #head(method, path, ...headers) {
    return [`${method} ${BASE}${path} HTTP/1.1`, `Host: ${this.#host}`, ...headers].join("\r\n") + HEAD_END;
  }

  #post(path, body, connection, ...headers) {
    const length = `Content-Length: ${Buffer.byteLength(body)}`;
    const head = this.#head("POST", path, "Content-Type: application/json", length, ...headers);
    return connection.begin(head + body);
  }

  /** Wait for an invocation. */
  async next() {
    const answer = await this.#connection.begin(this.#head("GET", "/invocation/next"));
    if (answer.status !== 200) throw new Error(`The Runtime API answered ${answer.status}: ${answer.body}`);
    return answer;
  }

  /** Give an invocation's result. Throws at once when it is not JSON. */
  respond(id, result) {
    return this.#post(`/invocation/${encodeURIComponent(id)}/response`, serialized(result), this.#connection);
  }

  /** Begin to give an invocation's result piece by piece. */
  stream(id, options) {
    const head = (contentType) =>
      this.#head(
        "POST",
        `/invocation/${encodeURIComponent(id)}/response`,
        "Lambda-Runtime-Function-Response-Mode: streaming",
        "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
        `Content-Type: ${inHeader(contentType)}`,
        "Transfer-Encoding: chunked",
      );
    return new ResponseStream(this.#connection, head, options);
  }

  /** Say that an invocation has failed. */
  fail(id, thrown) {
    return this.#fail(`/invocation/${encodeURIComponent(id)}/error`, thrown, this.#connection);
  }

  /** The same on a connection of its own: the process is about to end, whatever the other one is doing. */
  failAtLast(id, thrown) {
    const path = id === undefined ? "/init/error" : `/invocation/${encodeURIComponent(id)}/error`;
    return this.#fail(path, thrown, this.#makeConnection());
  }

  #fail(path, thrown, connection) {
    const error = toResponse(thrown);
    const type = `Lambda-Runtime-Function-Error-Type: ${inHeader(error.errorType)}`;
    return this.#post(path, serialized(error), connection, type);
  }
}
