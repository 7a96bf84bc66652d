// The hook of node_path.mjs where Node.js runs hooks in a thread of their own (before 22.15).

import { makeResolve } from "./node_path.mjs";

let resolveInFolders = (specifier, context, next) => next(specifier, context);

export function initialize(folders) {
  resolveInFolders = makeResolve(folders).async;
}

export const resolve = (specifier, context, next) => resolveInFolders(specifier, context, next);
