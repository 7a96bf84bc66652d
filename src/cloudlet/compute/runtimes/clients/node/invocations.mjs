// The three ways in which a handler is run: with callbacks (before Node.js 24), without (from 24 on), and streaming.

import { logError } from "./console.mjs";
import { Invocation } from "./context.mjs";
import { streamOptions } from "./handler.mjs";

const BEFORE_EXIT = Symbol.for("aws.lambda.beforeExit");
const nothing = () => {};
const turn = () => new Promise((resolve) => setImmediate(resolve));
const isPromise = (value) => Boolean(value) && typeof value.then === "function";

/** What happens when the event loop has nothing left to do. */
const whenLoopIsEmpty = (action) => {
  globalThis[BEFORE_EXIT] = action;
};

/** Before anything is run. */
export function watchLoop() {
  whenLoopIsEmpty(nothing);
  process.on("beforeExit", () => globalThis[BEFORE_EXIT]());
}

/** Lets the first of several calls through. */
function firstOf(...actions) {
  let isDone = false;
  return actions.map((action) => (...values) => {
    if (isDone) return;
    action(...values); // which may throw; then another call may still succeed
    isDone = true;
  });
}

/** The context's way to answer, and the callback: the first call counts. */
function answering(api, id, next) {
  let waits = true;
  const respond = (result) => void api.respond(id, result).then(next);
  const fail = (thrown) => {
    logError("Invoke Error", thrown);
    void api.fail(id, thrown).then(next);
  };
  const done = (thrown, result) => {
    whenLoopIsEmpty(nothing);
    if (thrown === undefined || thrown === null) respond(result);
    else fail(thrown);
  };
  const whenEmpty = (thrown, result) => {
    if ((thrown === undefined || thrown === null) && waits) {
      whenLoopIsEmpty(() => setImmediate(() => done(undefined, result)));
    } else done(thrown, result);
  };
  const [callback, onceDone, succeed, failed] = firstOf(
    whenEmpty,
    done,
    (result) => done(undefined, result),
    (thrown) => done(thrown ?? "handled"),
  );
  const context = {
    get callbackWaitsForEmptyEventLoop() {
      return waits;
    },
    set callbackWaitsForEmptyEventLoop(value) {
      waits = value;
    },
    succeed,
    fail: failed,
    done: onceDone,
  };
  return [callback, context];
}

/** Run a handler that may use callbacks. */
export function runWithCallbacks(api, handler, setCurrent) {
  const next = () => setImmediate(() => void handleOnce());
  const handleOnce = async () => {
    const invocation = new Invocation(await api.next());
    setCurrent(invocation.id);
    const [callback, context] = answering(api, invocation.id, next);
    whenLoopIsEmpty(() => {
      whenLoopIsEmpty(nothing);
      void api.respond(invocation.id, null).then(next); // it has ended without a word
    });
    try {
      const result = handler(invocation.event, Object.assign(context, invocation.context()), callback);
      if (isPromise(result)) result.then(context.succeed, context.fail).catch(context.fail);
    } catch (error) {
      callback(error);
    }
  };
  next();
}

/** Run a handler that returns its result, or a promise of it. */
export async function runWithoutCallbacks(api, handler, setCurrent) {
  for (;;) {
    const invocation = new Invocation(await api.next());
    setCurrent(invocation.id);
    try {
      const result = await handler(invocation.event, invocation.context());
      await turn();
      await api.respond(invocation.id, result);
    } catch (error) {
      await turn();
      logError("Invoke Error", error);
      await api.fail(invocation.id, error);
    }
  }
}

async function streamOnce(handler, invocation, stream, context) {
  const running = handler(invocation.event, stream, context);
  if (!isPromise(running)) throw "Streaming does not support non-async handlers.";
  if ((await running) !== undefined) console.warn("Streaming handlers ignore return values.");
  await stream.taken;
  if (!stream.writableFinished) throw "Response stream is not finished.";
}

/** Run a handler that writes its response to a stream. `waits` is as for callbacks. */
export function runStreaming(api, handler, setCurrent, hasCallbacks) {
  const next = () => setImmediate(() => void handleOnce());
  const handleOnce = async () => {
    const invocation = new Invocation(await api.next());
    setCurrent(invocation.id);
    const stream = api.stream(invocation.id, streamOptions(handler));
    const context = hasCallbacks ? { callbackWaitsForEmptyEventLoop: true } : {};
    whenLoopIsEmpty(next);
    try {
      await streamOnce(handler, invocation, stream, Object.assign(context, invocation.context()));
    } catch (error) {
      logError("Invoke Error", error);
      await stream.fail(error);
    }
    whenLoopIsEmpty(nothing);
    if (context.callbackWaitsForEmptyEventLoop) whenLoopIsEmpty(() => (whenLoopIsEmpty(nothing), next()));
    else next();
  };
  next();
}
